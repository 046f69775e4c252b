//! Addresses in a list that people keep in a file.

/// The addresses on a line. White space separates them, `#` begins a comment, and a line on which
/// one word is no address and no name alone is one expression.
pub fn addresses_on(line: &str) -> impl Iterator<Item = &str> {
    let line = line.split('#').next().unwrap_or_default().trim();
    let (words, whole) = match line.split_whitespace().all(is_whole) {
        true => (line, ""),
        false => ("", line),
    };
    words.split_whitespace().chain(Some(whole).filter(|whole| !whole.is_empty()))
}

/// Whether a word can be an expression of its own: a number, a name, a member or its address.
fn is_whole(word: &str) -> bool {
    let name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let inner = |byte: u8| name(byte) || b".->[]@/&".contains(&byte);
    let bare = word.strip_prefix('&').unwrap_or(word).as_bytes();
    bare.first().is_some_and(|first| name(*first))
        && bare.last().is_some_and(|last| name(*last) || *last == b']')
        && bare.iter().all(|byte| inner(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_separates_addresses_but_not_the_parts_of_an_expression() {
        let on = |line| addresses_on(line).collect::<Vec<_>>();
        assert_eq!(
            on(" 0x10 fffff80000621040\t0x20 # of a log, 0x30\r\n"),
            ["0x10", "fffff80000621040", "0x20"]
        );
        assert_eq!(
            on("&V_tcbinfo.ipi_count ifnet->if_link[2] no such"),
            ["&V_tcbinfo.ipi_count", "ifnet->if_link[2]", "no", "such"]
        );
        for expression in ["&V_tcbinfo + 1", "*(struct ifnet **)0x10", "a+ b", "a -1"] {
            assert_eq!(on(expression), [expression]);
        }
        for nothing in ["", " \t\r\n", "# 0x10", "  #"] {
            assert_eq!(on(nothing), [""; 0]);
        }
    }
}
