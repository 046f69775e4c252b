//! Selects sysctls: by name, by the name of a node, or by a pattern.

use globset::GlobMatcher;

use crate::vnet::VnetError;
use crate::vnet::variables::compile_glob;

/// A name or a pattern. A node stands for everything below it.
#[derive(Debug)]
pub(super) struct SysctlFilter {
    name: String,
    /// `*` matches dots too: `net.*` is everything below net.
    glob: Option<GlobMatcher>,
}

const WILDCARDS: [char; 4] = ['*', '?', '[', '{'];

impl SysctlFilter {
    /// # Errors
    /// It is not a valid pattern.
    pub fn new(name: &str) -> Result<Self, VnetError> {
        let name = name.trim_end_matches('.').to_owned();
        let glob = match name.contains(WILDCARDS) {
            true => compile_glob(&name, &name)?,
            false => None,
        };
        Ok(Self { name, glob })
    }

    /// Whether it is selected, or below a node that is.
    pub fn covers(&self, name: &str) -> bool {
        let Some(glob) = &self.glob else { return is_within(name, &self.name) };
        let nodes = name.match_indices('.').filter_map(|(dot, _)| name.get(..dot));
        glob.is_match(name) || nodes.into_iter().any(|node| glob.is_match(node))
    }

    /// Whether something below it may be selected.
    pub fn may_match_below(&self, node: &str) -> bool {
        let fixed = self.name.split(WILDCARDS).next().unwrap_or_default();
        match &self.glob {
            None => is_within(node, &self.name) || is_within(&self.name, node),
            Some(_) => node.starts_with(fixed) || fixed.starts_with(&format!("{node}.")),
        }
    }

    /// Whether it is selected by its full name.
    pub fn is(&self, name: &str) -> bool {
        self.glob.is_none() && self.name == name
    }
}

/// Whether the dotted `name` is `node` or below it.
fn is_within(name: &str, node: &str) -> bool {
    name.strip_prefix(node).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_prefix_by_whole_parts() {
        let covers = |wanted, name| SysctlFilter::new(wanted).unwrap().covers(name);
        assert!(covers("net.inet.ip", "net.inet.ip.ttl"));
        assert!(covers("net.inet.ip.", "net.inet.ip"));
        assert!(!covers("net.inet.ip", "net.inet.ipsec"));
        assert!(!covers("net.inet.ip", "net.inet"));
    }

    #[test]
    fn a_pattern_covers_what_is_below_the_nodes_that_it_matches() {
        for (pattern, name, covered) in [
            ("net.*", "net.inet.ip.ttl", true),
            ("net.*", "network.x", false),
            ("*.ttl", "net.inet.ip.ttl", true),
            ("net.inet.?dp", "net.inet.udp.checksum", true),
            ("net.inet.{tcp,udp}", "net.inet.ip.ttl", false),
        ] {
            let wanted = SysctlFilter::new(pattern).unwrap();
            assert_eq!(wanted.covers(name), covered, "{pattern} {name}");
            assert!(!covered || wanted.may_match_below("net"), "{pattern}");
            assert!(!wanted.is(name));
        }
        assert!(!SysctlFilter::new("net.*").unwrap().may_match_below("kern"));
        assert!(SysctlFilter::new("net.[a").is_err());
    }
}
