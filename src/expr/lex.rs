//! Text to tokens.

use std::ops::Range;

use super::SyntaxError;
use super::integer::{Literal, Rank};
use crate::shorten::shortened;

/// No expression that a person types comes near this many tokens. The bound
/// keeps the tree shallow enough to be walked by recursion.
pub(super) const MAX_TOKENS: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Name(&'a str),
    /// The file or module after a name: `@netinet/ip_input.c`, without the `@`.
    File(&'a str),
    Int(Literal),
    /// What is between double quotes.
    Text(&'a str),
    /// What comes before the name of a variable: `if_gif.ko:`, or `'ip_input.c'::`.
    Within(&'a str),
    /// An operator or bracket, spelled as in [`OPERATORS`].
    Op(&'static str),
    End,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spanned<'a> {
    pub token: Token<'a>,
    pub span: Range<usize>,
}

/// Longer ones first, so that `->` is not taken for `-`.
const OPERATORS: [&str; 30] = [
    "->", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "..", ".", ",", "[", "]", "(", ")", "*",
    "&", "-", "+", "/", "%", "|", "^", "~", "!", "<", ">", "?", ":",
];

/// The tokens of `text`; the last one is [`Token::End`].
pub(super) fn lex(text: &str) -> Result<Vec<Spanned<'_>>, SyntaxError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or("");
        at += rest.len() - rest.trim_start().len();
        let rest = rest.trim_start();
        let (token, len) = next(text, at, rest)?;
        let span = at..at + len;
        at = span.end;
        if tokens.len() == MAX_TOKENS {
            let message =
                format!("an expression has at most {MAX_TOKENS} names, numbers and operators");
            return Err(SyntaxError::new(text, span, message));
        }
        tokens.push(Spanned { token, span });
        if token == Token::End {
            return Ok(tokens);
        }
    }
}

/// The token at the start of `rest`, which is `text` from `at` on, and its length in bytes.
fn next<'a>(text: &str, at: usize, rest: &'a str) -> Result<(Token<'a>, usize), SyntaxError> {
    let Some(first) = rest.chars().next() else { return Ok((Token::End, 0)) };
    if first.is_ascii_digit() {
        let word = word(rest);
        let literal = integer(word)
            .map_err(|message| SyntaxError::new(text, at..at + word.len(), message))?;
        return Ok((Token::Int(literal), word.len()));
    }
    if is_name_byte(first) {
        if let Some(module) = module_before(rest) {
            return Ok((Token::Within(module), module.len() + 1));
        }
        let word = word(rest);
        return Ok((Token::Name(word), word.len()));
    }
    if let Some(path) = rest.strip_prefix('@') {
        // Without a file it is gdb's operator: pointer@count.
        return Ok(match file_name(path) {
            Some(file) => (Token::File(file), 1 + file.len()),
            None => (Token::Op("@"), 1),
        });
    }
    if let '"' | '\'' = first {
        return quoted(rest, first)
            .map_err(|message| SyntaxError::new(text, at..text.len(), message));
    }
    match OPERATORS.iter().find(|op| rest.starts_with(**op)) {
        Some(op) => Ok((Token::Op(op), op.len())),
        None => {
            let message = match first {
                '=' => "= would assign; == compares".to_owned(),
                first => format!("unexpected {first:?}"),
            };
            Err(SyntaxError::new(text, at..at + first.len_utf8(), message))
        }
    }
}

fn is_name_byte(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$'
}

/// The longest run of letters, digits, `_` and `$` at the start of `text`.
fn word(text: &str) -> &str {
    let end = text.find(|c| !is_name_byte(c)).unwrap_or(text.len());
    text.get(..end).unwrap_or("")
}

/// The module before a variable's name: `if_gif.ko` of `if_gif.ko:gif_cloner`.
fn module_before(text: &str) -> Option<&str> {
    let end = text.find(':')?;
    let module = text.get(..end)?;
    let is_module =
        module.ends_with(".ko") && module.chars().all(|c| is_name_byte(c) || c == '-' || c == '.');
    let name = text.get(end + 1..)?.chars().next()?;
    (is_module && is_name_byte(name) && !name.is_ascii_digit()).then_some(module)
}

/// `"web01"`, a character such as `'a'` or `'\n'`, or a file before a variable:
/// `'ip_input.c'::`.
fn quoted(rest: &str, quote: char) -> Result<(Token<'_>, usize), String> {
    let inner = rest.get(1..).unwrap_or("");
    let end = inner.char_indices().scan(false, |escaped, (at, c)| {
        let ends = c == quote && !*escaped;
        *escaped = c == '\\' && !*escaped;
        Some((at, ends))
    });
    let end = end.filter_map(|(at, ends)| ends.then_some(at)).next();
    let end = end.ok_or_else(|| format!("the {quote} has no end"))?;
    let (inner, len) = (inner.get(..end).unwrap_or(""), end + 2);
    if quote == '"' {
        return Ok((Token::Text(inner), len));
    }
    if rest.get(len..).unwrap_or("").starts_with("::") {
        return Ok((Token::Within(inner), len + 2));
    }
    let value = character(inner).ok_or_else(|| {
        format!("'{}' is not one character; strings are in \"\"", shortened(inner))
    })?;
    let literal = Literal { value: value.into(), decimal: true, unsigned: false, rank: Rank::Int };
    Ok((Token::Int(literal), len))
}

/// The value of one ASCII character or of one of C's escape sequences.
fn character(text: &str) -> Option<u8> {
    let (first, rest) = (text.chars().next()?, text.get(1..)?);
    if first != '\\' {
        return (rest.is_empty() && first.is_ascii()).then_some(first as u8);
    }
    if let Some(hex) = rest.strip_prefix('x') {
        return u8::from_str_radix(hex, 16).ok();
    }
    if rest.starts_with(|c: char| c.is_digit(8)) {
        return u8::from_str_radix(rest, 8).ok();
    }
    Some(match rest {
        "n" => b'\n',
        "t" => b'\t',
        "r" => b'\r',
        "a" => 7,
        "b" => 8,
        "v" => 11,
        "f" => 12,
        "\\" | "'" | "\"" => rest.as_bytes().first().copied()?,
        _ => return None,
    })
}

/// A C integer constant: decimal, `0x` hexadecimal or `0` octal, with any of the
/// suffixes U, L and LL.
fn integer(word: &str) -> Result<Literal, String> {
    let lower = word.to_ascii_lowercase();
    let (digits, radix) = match lower.strip_prefix("0x") {
        Some(hex) => (hex, 16),
        None if lower.len() > 1 && lower.starts_with('0') => (&lower[1..], 8),
        None => (lower.as_str(), 10),
    };
    let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    let (digits, suffix) = digits.split_at(end);
    // "0u" leaves no octal digit behind its leading 0, and is a zero all the same.
    let digits = if digits.is_empty() && radix == 8 { "0" } else { digits };
    let (unsigned, rank) = match suffix {
        "" => (false, Rank::Int),
        "u" => (true, Rank::Int),
        "l" => (false, Rank::Long),
        "ul" | "lu" => (true, Rank::Long),
        "ll" => (false, Rank::LongLong),
        "ull" | "llu" => (true, Rank::LongLong),
        _ => return Err(no_integer(word)),
    };
    if digits.is_empty() {
        return Err(no_integer(word));
    }
    let value = u64::from_str_radix(digits, radix)
        .map_err(|_| format!("\"{}\" does not fit in 64 bits", shortened(word)))?;
    Ok(Literal { value, decimal: radix == 10, unsigned, rank })
}

fn no_integer(word: &str) -> String {
    format!("\"{}\" is not an integer", shortened(word))
}

/// The file name at the start of `text`, up to and including its extension, or the number after
/// a `#` that takes its place where the types have no files, or `kernel`.
///
/// The extension must be seen to know where the name ends, because a member may
/// follow: in `ipstat@ip_input.c.ips_total` the file is `ip_input.c`.
fn file_name(text: &str) -> Option<&str> {
    const EXTENSIONS: [&str; 7] = [".c", ".h", ".m", ".S", ".cc", ".cpp", ".ko"];
    if let Some(number) = text.strip_prefix('#') {
        let digits = word(number);
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        return if is_number { text.get(..=digits.len()) } else { None };
    }
    let first = word(text);
    let in_path = |c: char| c.is_ascii_alphanumeric() || "_-+./".contains(c);
    let path = text.get(..text.find(|c| !in_path(c)).unwrap_or(text.len()))?;
    let file = path.match_indices('.').find_map(|(dot, _)| {
        let rest = path.get(dot + 1..)?;
        let end = dot + 1 + word(rest).len();
        EXTENSIONS.contains(&path.get(dot..end)?).then(|| path.get(..end))?
    });
    file.or((first == KERNEL).then_some(first))
}

/// What tells the kernel's own variable from those of modules.
const KERNEL: &str = "kernel";

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<Token<'_>> {
        lex(text).unwrap().into_iter().map(|spanned| spanned.token).collect()
    }

    fn int(text: &str) -> Token<'_> {
        Token::Int(integer(text).unwrap())
    }

    #[test]
    fn arrows_dots_and_brackets() {
        use Token::*;
        assert_eq!(
            tokens("a->b[0].c"),
            [Name("a"), Op("->"), Name("b"), Op("["), int("0"), Op("]"), Op("."), Name("c"), End]
        );
    }

    #[test]
    fn integers_in_every_base_and_suffix() {
        use Rank::*;
        for (text, value, decimal, unsigned, rank) in [
            ("0", 0, true, false, Int),
            ("0u", 0, false, true, Int),
            ("42", 42, true, false, Int),
            ("42UL", 42, true, true, Long),
            ("0x1F", 31, false, false, Int),
            ("0xffffffffffffffffULL", u64::MAX, false, true, LongLong),
            ("18446744073709551615", u64::MAX, true, false, Int),
            ("017l", 15, false, false, Long),
            ("0xfLLU", 15, false, true, LongLong),
        ] {
            let literal = Literal { value, decimal, unsigned, rank };
            assert_eq!(tokens(text), [Token::Int(literal), Token::End], "{text}");
        }
    }

    #[test]
    fn bad_integers_say_so() {
        for text in ["0x", "1x", "09", "12ulu", "0xg"] {
            let error = lex(text).unwrap_err();
            assert_eq!(&*error.message, format!("\"{text}\" is not an integer"));
            assert_eq!(error.span, 0..text.len());
        }
        let error = lex("18446744073709551616").unwrap_err();
        assert!(error.message.ends_with("does not fit in 64 bits"), "{error}");
    }

    #[test]
    fn a_file_name_ends_at_its_extension() {
        use Token::*;
        assert_eq!(tokens("x@a/b-c.c"), [Name("x"), File("a/b-c.c"), End]);
        assert_eq!(tokens("x@a.c.c"), [Name("x"), File("a.c"), Op("."), Name("c"), End]);
        assert_eq!(tokens("x@a.c->c"), [Name("x"), File("a.c"), Op("->"), Name("c"), End]);
        assert_eq!(tokens("x@if_a.ko.c"), [Name("x"), File("if_a.ko"), Op("."), Name("c"), End]);
        assert_eq!(tokens("x@if_a.cc"), [Name("x"), File("if_a.cc"), End]);
        assert_eq!(tokens("x@in.cksum.c"), [Name("x"), File("in.cksum.c"), End]);
        assert_eq!(tokens("x@#2.c"), [Name("x"), File("#2"), Op("."), Name("c"), End]);
        assert_eq!(tokens("x@kernel.c"), [Name("x"), File("kernel.c"), End]);
        assert_eq!(tokens("x@kernel.a"), [Name("x"), File("kernel"), Op("."), Name("a"), End]);
        // Anything else is a number of elements.
        assert_eq!(tokens("x@2"), [Name("x"), Op("@"), int("2"), End]);
        assert_eq!(tokens("x@kernels"), [Name("x"), Op("@"), Name("kernels"), End]);
        assert_eq!(tokens("x@"), [Name("x"), Op("@"), End]);
        assert!(lex("x@#").is_err());
        assert!(lex("x@#2nd").is_err());
    }

    #[test]
    fn a_module_or_file_may_precede_a_name() {
        use Token::*;
        assert_eq!(tokens("if_gif.ko:x"), [Within("if_gif.ko"), Name("x"), End]);
        assert_eq!(
            tokens("if-a.b.ko:x.ko"),
            [Within("if-a.b.ko"), Name("x"), Op("."), Name("ko"), End]
        );
        assert_eq!(tokens("'net/if.c'::x"), [Within("net/if.c"), Name("x"), End]);
        assert_eq!(tokens("a ? b.ko : c")[4..], [Name("ko"), Op(":"), Name("c"), End]);
    }

    #[test]
    fn characters_are_numbers_and_strings_are_texts() {
        for (text, value) in [
            ("'a'", "97"),
            (r"'\n'", "10"),
            (r"'\''", "39"),
            (r"'\x41'", "65"),
            (r"'\0'", "0"),
            (r"'\177'", "127"),
            ("'\"'", "34"),
        ] {
            assert_eq!(tokens(text), [int(value), Token::End], "{text}");
        }
        assert_eq!(tokens("\"web 01\""), [Token::Text("web 01"), Token::End]);
        for text in ["'", "''", "'ab'", "'\u{e9}'", r"'\q'", r"'\x100'", "\"", r#""a\"#, "'a"] {
            assert!(lex(text).is_err(), "{text}");
        }
    }

    #[test]
    fn odd_text_is_an_error_and_not_a_panic() {
        for text in ["é", "a = b", "f(;)", "\0", "a{b", "#", "日本"] {
            assert!(lex(text).is_err(), "{text}");
        }
        assert_eq!(tokens(" \t\n"), [Token::End]);
    }

    #[test]
    fn the_number_of_tokens_is_bounded() {
        let error = lex(&"-".repeat(100_000)).unwrap_err();
        assert_eq!(&*error.message, "an expression has at most 256 names, numbers and operators");
    }
}
