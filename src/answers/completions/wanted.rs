//! What the end of an unfinished expression asks for.

/// What may stand at the end.
#[derive(Debug, PartialEq, Eq)]
pub enum Wanted<'t> {
    /// A variable, or a word of the language.
    Name,
    /// The tag of a type, behind `struct`, `union` or `enum`.
    Type(&'t str),
    /// A member of this expression, or of what it points at.
    Member(&'t str),
    /// In a filter, a member of the elements of this expression.
    MemberOfElement(&'t str),
    /// The name of a jail, in quotation marks.
    Jail,
    /// A kept value: `$1`.
    Kept,
    /// Nothing that is known.
    Nothing,
}

const TAGS: [&str; 3] = ["struct", "union", "enum"];

/// Where the unfinished word at the end of a text begins, and what it may become.
pub fn wanted(text: &str) -> (usize, Wanted<'_>) {
    if let Some(open) = open_quote(text) {
        let before = text[..open].trim_end();
        let is_jail =
            before.strip_suffix('(').is_some_and(|call| last_word(call.trim_end()) == "jail");
        return (open + 1, if is_jail { Wanted::Jail } else { Wanted::Nothing });
    }
    let word = last_word(text);
    let start = text.len() - word.len();
    let before = text[..start].trim_end();
    let wanted = if word.starts_with('$') {
        Wanted::Kept
    } else if word.starts_with(|c: char| c.is_ascii_digit()) || before.ends_with("..") {
        Wanted::Nothing
    } else if let Some(base) = before.strip_suffix("->").or_else(|| before.strip_suffix('.')) {
        member(base)
    } else if let Some(tag) = TAGS.into_iter().find(|tag| last_word(before) == *tag) {
        Wanted::Type(tag)
    } else if before.ends_with('@') {
        Wanted::Nothing
    } else {
        Wanted::Name
    };
    (start, wanted)
}

/// A member of what ends here; of a filter's element if that is nothing.
fn member(before: &str) -> Wanted<'_> {
    let base = operand_at_end(before);
    if !base.is_empty() {
        return Wanted::Member(base);
    }
    match open_bracket(before) {
        Some(open) => Wanted::MemberOfElement(operand_at_end(&before[..open])),
        None => Wanted::Nothing,
    }
}

/// The operand that ends a text, with its members, indexes and calls: `b.c[1]` of `a + b.c[1]`.
fn operand_at_end(text: &str) -> &str {
    let text = text.trim_end();
    let mut start = text.len();
    loop {
        let rest = text[..start].trim_end();
        if rest.ends_with(']') {
            match opening(rest) {
                Some(open) => start = open,
                None => return "",
            }
            continue;
        }
        if rest.ends_with(')') {
            match opening(rest) {
                Some(open) => start = open,
                None => return "",
            }
            // The name of a function, or nothing.
            start -= last_word(&text[..start]).len();
        } else {
            let word = last_word(rest);
            if word.is_empty() {
                return "";
            }
            start = rest.len() - word.len();
        }
        let rest = text[..start].trim_end();
        match rest.strip_suffix("->").or_else(|| rest.strip_suffix('.')) {
            Some(base) => start = base.len(),
            None => return &text[start..],
        }
    }
}

/// The letters, digits, `_` and `$` at the end of a text.
fn last_word(text: &str) -> &str {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
    let start = text.trim_end_matches(is_part).len();
    &text[start..]
}

/// Where the bracket that a text ends with was opened.
fn opening(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text.char_indices().rev() {
        match c {
            ')' | ']' => depth += 1,
            '(' | '[' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// The innermost square bracket that is open at the end of a text.
fn open_bracket(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text.char_indices().rev() {
        match c {
            ')' | ']' => depth += 1,
            '(' | '[' if depth > 0 => depth -= 1,
            '[' => return Some(at),
            _ => {}
        }
    }
    None
}

/// The quotation mark of a string that has no end.
fn open_quote(text: &str) -> Option<usize> {
    let marks = text.match_indices('"');
    marks.fold(None, |open, (at, _)| if open.is_none() { Some(at) } else { None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_text_says_what_is_wanted() {
        for (text, word, expected) in [
            ("", "", Wanted::Name),
            ("V_if", "V_if", Wanted::Name),
            ("1 + ip", "ip", Wanted::Name),
            ("(struct if", "if", Wanted::Type("struct")),
            ("sizeof(union ", "", Wanted::Type("union")),
            ("V_ifnet.", "", Wanted::Member("V_ifnet")),
            ("a + b.c->d", "d", Wanted::Member("b.c")),
            ("*a.b", "b", Wanted::Member("a")),
            ("V_ifnet[*].if_x", "if_x", Wanted::Member("V_ifnet[*]")),
            ("a[b.c].d.e", "e", Wanted::Member("a[b.c].d")),
            ("a[b.", "", Wanted::Member("b")),
            ("((struct ifnet *)p)->if_", "if_", Wanted::Member("((struct ifnet *)p)")),
            ("vnet(2).v", "v", Wanted::Member("vnet(2)")),
            ("x + jail(\"a b\").", "", Wanted::Member("jail(\"a b\")")),
            ("V_ifnet[*][.if_", "if_", Wanted::MemberOfElement("V_ifnet[*]")),
            ("V_ifnet[.a & f(1) && .b", "b", Wanted::MemberOfElement("V_ifnet")),
            ("jail(\"we", "we", Wanted::Jail),
            ("f(\"we", "we", Wanted::Nothing),
            ("$", "$", Wanted::Kept),
            ("$1.", "", Wanted::Member("$1")),
            ("a[0..n", "n", Wanted::Nothing),
            ("0x1f", "0x1f", Wanted::Nothing),
            (".", "", Wanted::Nothing),
            ("a).", "", Wanted::Nothing),
            ("]].x", "x", Wanted::Nothing),
        ] {
            let (start, found) = wanted(text);
            assert_eq!((&text[start..], found), (word, expected), "{text}");
        }
    }
}
