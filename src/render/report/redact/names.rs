//! Names in text: those that are known, and those whose form tells what they are.

use aho_corasick::AhoCorasick;

use super::places::Placeholders;
use crate::answers::report::Named;
use crate::render::sanitize;

/// The names of a machine.
#[derive(Debug)]
pub(super) struct Names {
    /// Finds them; `None` if there are none.
    finder: Option<AhoCorasick>,
    /// Each of them, and what stands in its place.
    known: Vec<Known>,
    /// The domains of the hosts.
    domains: Vec<String>,
}

/// A name as text may have it.
#[derive(Debug)]
struct Known {
    text: String,
    placeholder: String,
    /// Host names are the same in upper and lower case.
    any_case: bool,
}

/// Directories that every FreeBSD machine has.
const PUBLIC: [&str; 4] = ["/boot/", "/dev/", "/etc/", "/usr/src/"];

impl Names {
    pub fn new(names: &[(Named, String)], placeholders: &mut Placeholders) -> Self {
        let mut known: Vec<(String, String)> = Vec::new();
        let mut domains = Vec::new();
        let mut aliases = Vec::new();
        for (named, name) in names {
            let kind = match named {
                Named::Host => "host",
                Named::Jail => "jail",
                Named::Path => "path",
                Named::Description => "description",
                Named::Panic => "panic",
                Named::File => {
                    let base = name.rsplit('/').next().unwrap_or_default();
                    known.push((name.clone(), base.to_owned()));
                    continue;
                }
            };
            // A jail without a name of its own has its number; every machine has a root.
            let says_nothing = name.bytes().all(|byte| byte.is_ascii_digit()) || name == "/";
            if says_nothing {
                continue;
            }
            let placeholder = placeholders.name(kind, name);
            if *named == Named::Host
                && let Some((own, domain)) = name.split_once('.')
            {
                aliases.push((own.to_owned(), placeholder.clone()));
                if domain.contains('.') {
                    domains.push(format!(".{domain}"));
                }
            }
            known.push((name.clone(), placeholder));
        }
        // A whole name comes before a part of another.
        known.extend(aliases);
        let mut all: Vec<Known> = Vec::new();
        for (name, placeholder) in known {
            let any_case = placeholder.starts_with("<host-");
            // Text may have been made safe already.
            let forms = [name.clone(), sanitize::line(&name).into_owned(), inner(&name)];
            let forms = forms.map(|text| {
                let placeholder = placeholder.clone();
                Known { text, placeholder, any_case }
            });
            all.extend(forms);
        }
        let mut finder = AhoCorasick::builder();
        let finder = finder.ascii_case_insensitive(true).build(all.iter().map(|it| &it.text)).ok();
        domains.sort_unstable();
        domains.dedup();
        Self { finder, known: all, domains }
    }

    /// Adds the text with placeholders to `out`.
    pub fn replace(&self, text: &str, placeholders: &mut Placeholders, out: &mut String) {
        let mut at = 0;
        for (start, end, replacement) in self.find(text) {
            self.replace_unknown(text.get(at..start).unwrap_or_default(), placeholders, out);
            out.push_str(replacement);
            at = end;
        }
        self.replace_unknown(text.get(at..).unwrap_or_default(), placeholders, out);
    }

    /// Names that stand as words of their own: the leftmost, and of these the longest.
    fn find(&self, text: &str) -> Vec<(usize, usize, &str)> {
        let Some(finder) = &self.finder else { return Vec::new() };
        let mut found: Vec<(usize, usize, usize)> = finder
            .find_overlapping_iter(text)
            .map(|found| (found.start(), found.end(), found.pattern().as_usize()))
            .filter(|(start, end, name)| self.is_same(text.get(*start..*end), *name))
            .filter(|(start, end, _)| start < end && is_word(text, *start, *end))
            .collect();
        found.sort_unstable_by_key(|(start, end, name)| (*start, std::cmp::Reverse(*end), *name));
        let mut chosen = Vec::new();
        let mut last = 0;
        for (start, end, name) in found {
            if start < last || self.is_in_host(text, start, end) {
                continue;
            }
            if let Some(known) = self.known.get(name) {
                chosen.push((start, end, &*known.placeholder));
                last = end;
            }
        }
        chosen
    }

    /// Whether the text is this name, and not only like it but for upper and lower case.
    fn is_same(&self, text: Option<&str>, name: usize) -> bool {
        self.known.get(name).is_some_and(|known| known.any_case || text == Some(&*known.text))
    }

    /// Whether the name is only the first part of a host's name in a known domain.
    fn is_in_host(&self, text: &str, start: usize, end: usize) -> bool {
        let own = text
            .get(start..end)
            .is_some_and(|name| !self.domains.iter().any(|domain| name.ends_with(&**domain)));
        let rest = text.get(end..).unwrap_or_default();
        own && self.domains.iter().any(|domain| rest.starts_with(&**domain))
    }

    /// Replaces hosts of known domains, who built a kernel and where, and directories.
    fn replace_unknown(&self, text: &str, placeholders: &mut Placeholders, out: &mut String) {
        let is_end = |c: char| c.is_whitespace() || "\"'(),;<>[]{}".contains(c);
        for word in text.split_inclusive(is_end) {
            let end = word.chars().next_back().filter(|c| is_end(*c)).map_or(0, char::len_utf8);
            let (word, after) = word.split_at(word.len() - end);
            self.replace_word(word, placeholders, out);
            out.push_str(after);
        }
    }

    fn replace_word(&self, word: &str, placeholders: &mut Placeholders, out: &mut String) {
        let is_host = |text: &str| {
            let alphabetic =
                |end: &str| end.len() > 1 && end.bytes().all(|it| it.is_ascii_alphabetic());
            text.rsplit_once('.').is_some_and(|(_, end)| alphabetic(end) && end != "ko")
        };
        if let Some((user, rest)) = word.split_once('@') {
            let (host, path) = rest.split_at(rest.find([':', '/']).unwrap_or(rest.len()));
            if !user.is_empty() && !host.is_empty() && (is_host(host) || path.starts_with(":/")) {
                out.push_str("<user>@");
                out.push_str(&placeholders.name("host", host));
                let (colon, path) = path.split_at(usize::from(path.starts_with(':')));
                out.push_str(colon);
                return self.replace_word(path, placeholders, out);
            }
        }
        for part in word.split_inclusive([':', '=']) {
            self.replace_part(part, placeholders, out);
        }
    }

    fn replace_part(&self, part: &str, placeholders: &mut Placeholders, out: &mut String) {
        let name = part.trim_end_matches(['.', ':', '=']);
        let after = part.get(name.len()..).unwrap_or_default();
        let has = |fits: fn(&str, &str) -> bool| self.domains.iter().any(|it| fits(name, it));
        let is_public = PUBLIC.iter().any(|directory| name.starts_with(directory));
        if has(|name, domain| name.ends_with(domain)) {
            out.push_str(&placeholders.name("host", name));
        } else if has(|name, domain| domain.strip_prefix('.') == Some(name)) {
            out.push_str(&placeholders.name("domain", name));
        } else if let Some((directory, base)) = name.rsplit_once('/')
            && name.starts_with('/')
            && !directory.is_empty()
            && !is_public
        {
            out.push_str("<directory>/");
            out.push_str(base);
        } else {
            out.push_str(name);
        }
        out.push_str(after);
    }
}

/// Whether what is before and after it is no part of a word that it begins or ends with.
fn is_word(text: &str, start: usize, end: usize) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let name = text.get(start..end).unwrap_or_default();
    let before = text.get(..start).and_then(|text| text.chars().next_back());
    let after = text.get(end..).and_then(|text| text.chars().next());
    let joined = |inside, outside| is_part(inside) && is_part(outside);
    !joined(name.chars().next(), before) && !joined(name.chars().next_back(), after)
}

/// The name within quotes, as C writes it.
fn inner(name: &str) -> String {
    let quoted = sanitize::quoted(name);
    quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned()
}
