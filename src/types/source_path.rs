//! The paths of source files.

/// The path of a source file below `sys/`, the usual short form for FreeBSD.
pub(super) fn source_path(name: &str) -> Box<str> {
    let below = name.rsplit_once("/sys/").map_or(name, |(_, below)| below);
    below.trim_start_matches("../").trim_start_matches("./").into()
}

/// Does `path` end with whole components `end`? `tcp.c` and
/// `netinet/tcp.c` are such ends of `netinet/tcp.c`, but not of `mytcp.c`.
pub fn is_end_of_path(path: &str, end: &str) -> bool {
    let before = path.strip_suffix(end).filter(|_| !end.is_empty());
    before.is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_named_below_sys() {
        assert_eq!(&*source_path("/usr/src/sys/netinet/tcp_input.c"), "netinet/tcp_input.c");
        assert_eq!(&*source_path("../../../net/vnet.c"), "net/vnet.c");
        assert_eq!(&*source_path("vers.c"), "vers.c");
    }

    #[test]
    fn an_end_begins_where_a_name_begins() {
        for end in ["tcp.c", "netinet/tcp.c", "sys/netinet/tcp.c"] {
            assert!(is_end_of_path("sys/netinet/tcp.c", end), "{end}");
        }
        for end in ["", "cp.c", "inet/tcp.c", "/tcp.c", "tcp", "netinet/", "a/sys/netinet/tcp.c"] {
            assert!(!is_end_of_path("sys/netinet/tcp.c", end), "{end}");
        }
        assert!(!is_end_of_path("mytcp.c", "tcp.c"));
    }
}
