//! What a line of the shell asks for.

use crate::exit::Failure;
use crate::vnet_option::VnetOption;

use super::definition::Definition;
use super::examine;

/// The first words of lines that the shell knows itself.
pub const OWN: [&str; 9] = ["exit", "help", "jail", "let", "p", "print", "quit", "source", "vnet"];

const LET: &str = "`let ifp = V_ifnet.cstqh_first`, and then `$ifp->if_xname`";

/// A line, taken apart.
#[derive(Debug)]
pub enum Line {
    /// It is empty, or a comment.
    Nothing,
    /// `quit` or `exit`
    Quit,
    /// `help` without the name of a command, or with a word that only the shell knows.
    Help,
    /// `vnet` or `jail`: which vnet is chosen.
    Say,
    /// `vnet 2`, `vnet 0xADDRESS`, `jail web01`
    Choose(VnetOption),
    /// `vnet none`, `jail none`
    ForgetChoice,
    /// `let x = EXPRESSION`: the name, and the command that prints the value.
    Let(String, Vec<String>),
    /// `source FILE`
    Source(String),
    /// A command of the program, without the program's name.
    Command(Vec<String>),
    /// An expression, as the command that prints it, and the commands that may have been meant.
    Expression(Vec<String>, Vec<String>),
}

impl Line {
    /// Reads a line.
    ///
    /// # Errors
    /// It has a quotation mark too few, or a word too many or too few.
    pub fn parse(line: &str, definition: &Definition) -> Result<Self, Failure> {
        let line = without_comment(line.trim());
        if line.is_empty() {
            return Ok(Self::Nothing);
        }
        let first = line.split([' ', '\t']).next().unwrap_or_default();
        let rest = line[first.len()..].trim_start();
        // `p/x EXPRESSION`
        let behind = |command| line.strip_prefix(command).filter(|rest| rest.starts_with('/'));
        if let Some(format) = ["print", "p", ""].into_iter().find_map(behind) {
            return Self::print(format, definition);
        }
        if let Some(why) = examine::refused(first, rest, continues_expression(rest)) {
            return Err(why);
        }
        match first {
            "quit" | "exit" if rest.is_empty() => Ok(Self::Quit),
            "help" | "?" if rest.is_empty() || is_own(rest, definition) => Ok(Self::Help),
            "vnet" if !continues_expression(rest) => Self::choice(rest, VnetOption::vnet),
            "jail" if !continues_expression(rest) => Self::choice(rest, VnetOption::jail),
            "source" => match &words(rest)?[..] {
                [file] => Ok(Self::Source(file.clone())),
                _ => Err(Failure::new("source takes the name of one file")),
            },
            "let" => Self::binding(rest),
            "print" | "p" => Self::print(rest, definition),
            _ if is_command(first, definition) => Ok(Self::Command(words(without_pipe(line)?)?)),
            _ => Ok(Self::Expression(print(&[], line), definition.commands_like(first))),
        }
    }

    fn choice(rest: &str, option: fn(&str) -> VnetOption) -> Result<Self, Failure> {
        match &words(rest)?[..] {
            [] => Ok(Self::Say),
            [none] if none == "none" => Ok(Self::ForgetChoice),
            [one] => Ok(Self::Choose(option(one))),
            _ => Err(Failure::new("a vnet's number or address, or a jail is wanted")
                .hint("use only one; a name with a space stands in quotes")),
        }
    }

    fn binding(rest: &str) -> Result<Self, Failure> {
        let wrong = || Failure::new("let takes a name and an expression").hint(LET);
        let (name, text) = rest.split_once('=').ok_or_else(wrong)?;
        let (name, text) = (name.trim(), text.trim());
        let name = name.strip_prefix('$').unwrap_or(name);
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && name != "_";
        if !is_name || text.is_empty() || text.starts_with('=') {
            return Err(wrong());
        }
        Ok(Self::Let(name.to_owned(), print(&[], text)))
    }

    /// `print` with its options before or behind a format, and what follows them as one expression,
    /// as in gdb.
    fn print(rest: &str, definition: &Definition) -> Result<Self, Failure> {
        let mut options = Vec::new();
        let rest = take_options(rest, definition, &mut options)?;
        if !rest.starts_with('/') {
            return Ok(match rest {
                "" => Self::Command([&["print".to_owned()], &options[..]].concat()),
                _ => Self::Expression(print(&options, unquoted(rest)), Vec::new()),
            });
        }
        let (format, rest) = first_word(rest);
        let text = unquoted(take_options(rest, definition, &mut options)?);
        Ok(Self::Expression(print(&options, format!("{format} {text}").trim_end()), Vec::new()))
    }
}

/// Adds the options of `print` at the beginning of a line to others. What follows them is the rest.
fn take_options<'l>(
    line: &'l str,
    definition: &Definition,
    options: &mut Vec<String>,
) -> Result<&'l str, Failure> {
    let mut rest = line;
    while rest.starts_with('-') {
        let (word, after) = first_word(rest);
        if word == "--" {
            return Ok(after);
        }
        let Some(takes_next) = definition.option("print", word) else { break };
        options.extend(words(word)?);
        rest = after;
        if takes_next {
            let (value, after) = first_word(rest);
            options.extend(words(value)?);
            rest = after;
        }
    }
    Ok(rest)
}

/// The command that prints an expression.
fn print(options: &[String], text: &str) -> Vec<String> {
    let (print, end) = ("print".to_owned(), "--".to_owned());
    [&[print], options, &[end, text.to_owned()]].concat()
}

/// Whether an expression goes on behind a name, so that the name is no command.
fn continues_expression(rest: &str) -> bool {
    const OPERATORS: &str = "=+*/%&|^<>?.[(";
    rest.starts_with(|c| OPERATORS.contains(c)) || rest.starts_with("- ") || rest.starts_with("->")
}

fn is_command(name: &str, definition: &Definition) -> bool {
    name == "help" || definition.command(name).is_some()
}

/// Whether only the shell knows this word, so that the text of `help` explains it.
fn is_own(word: &str, definition: &Definition) -> bool {
    OWN.contains(&word) && !is_command(word, definition)
}

/// The words of a line, of which quotation marks hold some together.
fn words(line: &str) -> Result<Vec<String>, Failure> {
    shlex::split(line).ok_or_else(|| Failure::new("a quotation mark is missing"))
}

/// A command, unless it asks for what only the system's shell can do.
fn without_pipe(line: &str) -> Result<&str, Failure> {
    match find_unquoted(line, |at, c| matches!(c, '|' | '>') && begins_word(line, at)) {
        Some(at) => {
            let mark = &line[at..=at];
            let what =
                format!("there is no {mark} here: this shell has neither pipes nor redirection");
            Err(Failure::new(what).hint(
                "leave it with `quit`, and give the same command to the program: `vnetkvm vnets | head`",
            ))
        }
        None => Ok(line),
    }
}

fn begins_word(line: &str, at: usize) -> bool {
    at == 0 || line[..at].ends_with([' ', '\t'])
}

/// The first word of a line with its quotation marks, and what follows it.
fn first_word(line: &str) -> (&str, &str) {
    let end = find_unquoted(line, |_, c| matches!(c, ' ' | '\t'));
    let (word, rest) = line.split_at(end.unwrap_or(line.len()));
    (word, rest.trim_start())
}

/// A line up to the mark at which a comment begins: at the beginning of a word, outside of
/// quotation marks.
fn without_comment(line: &str) -> &str {
    let end = find_unquoted(line, |at, c| c == '#' && begins_word(line, at));
    line[..end.unwrap_or(line.len())].trim_end()
}

/// Where the first character is that is wanted, of those outside of quotation marks.
fn find_unquoted(line: &str, wanted: impl Fn(usize, char) -> bool) -> Option<usize> {
    let mut mark = None;
    let mut is_escaped = false;
    let found = line.char_indices().find(|&(at, c)| {
        match (mark, c) {
            _ if is_escaped => is_escaped = false,
            (None | Some('"'), '\\') => is_escaped = true,
            (None, '\'' | '"') => mark = Some(c),
            (Some(open), _) if open == c => mark = None,
            (None, c) => return wanted(at, c),
            _ => {}
        }
        false
    });
    found.map(|(at, _)| at)
}

/// An expression without the quotation marks that keep it together on a command line. A C
/// character keeps its own.
fn unquoted(text: &str) -> &str {
    for mark in ['\'', '"'] {
        let inner = text.strip_prefix(mark).and_then(|text| text.strip_suffix(mark));
        if let Some(inner) = inner
            && inner.chars().count() > 1
            && !inner.starts_with('\\')
            && !inner.contains(mark)
        {
            return inner;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of the command that a line is, joined by `|`.
    fn command(line: &str) -> String {
        match Line::parse(line, &Definition::new()) {
            Ok(Line::Command(words) | Line::Expression(words, _)) => words.join("|"),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_line_is_a_command_or_else_an_expression() {
        for (line, words) in [
            ("  vars --jail 'a b' tcp*  ", "vars|--jail|a b|tcp*"),
            ("vars --format '>{name}' '|'", "vars|--format|>{name}||"),
            ("help vars", "help|vars"),
            ("V_ifnet", "print|--|V_ifnet"),
            ("ip_id + 1", "print|--|ip_id + 1"),
            ("-1 + 2", "print|--|-1 + 2"),
            ("vnet->vnet_ifcnt", "print|--|vnet->vnet_ifcnt"),
            ("vnet + 1", "print|--|vnet + 1"),
            ("jail", ""),
        ] {
            match words {
                "" => assert!(matches!(Line::parse(line, &Definition::new()), Ok(Line::Say))),
                words => assert_eq!(command(line), words),
            }
        }
    }

    #[test]
    fn print_takes_one_expression_behind_its_options() {
        for (line, words) in [
            ("p a + b", "print|--|a + b"),
            ("print a + b", "print|--|a + b"),
            ("print --all-vnets a + b", "print|--all-vnets|--|a + b"),
            ("print --cpu 1 --json DPCPU(nws)", "print|--cpu|1|--json|--|DPCPU(nws)"),
            ("print --cpu=1 a", "print|--cpu=1|--|a"),
            ("print --jail 'web01' a", "print|--jail|web01|--|a"),
            ("print --format '{a} {b}' a + b", "print|--format|{a} {b}|--|a + b"),
            ("print --format='{a} \"{b}' a", "print|--format={a} \"{b}|--|a"),
            ("print --jail \"a \\\"b\" a", "print|--jail|a \"b|--|a"),
            ("print -- -1", "print|--|-1"),
            ("print -1", "print|--|-1"),
            ("print 'V_ifnet.x'", "print|--|V_ifnet.x"),
            ("print 'a'", "print|--|'a'"),
            ("print '\\n'", "print|--|'\\n'"),
            ("p/x a + b", "print|--|/x a + b"),
            ("print/x a", "print|--|/x a"),
            ("/x a", "print|--|/x a"),
            ("print --json /x a", "print|--json|--|/x a"),
            ("print /x --all-vnets a + b", "print|--all-vnets|--|/x a + b"),
            ("print --json /x --all-vnets a", "print|--json|--all-vnets|--|/x a"),
            ("p/x --cpu 1 DPCPU(nws)", "print|--cpu|1|--|/x DPCPU(nws)"),
            ("/x --all-vnets a", "print|--all-vnets|--|/x a"),
            ("print /x -- -1", "print|--|/x -1"),
            ("print /x -1", "print|--|/x -1"),
            ("print /x", "print|--|/x"),
            ("print 'a' + 'b'", "print|--|'a' + 'b'"),
            ("print", "print"),
        ] {
            assert_eq!(command(line), words);
        }
    }

    #[test]
    fn a_comment_may_follow_on_the_same_line() {
        for (line, words) in [
            ("ip_id + 1 # of this vnet", "print|--|ip_id + 1"),
            ("ip_id\t#", "print|--|ip_id"),
            ("print /x ip_id # don't", "print|--|/x ip_id"),
            ("vars --jail 'a # b' tcp* # \"c", "vars|--jail|a # b|tcp*"),
            ("print '#'", "print|--|'#'"),
            ("(char *)\"a # b\" # c", "print|--|(char *)\"a # b\""),
            ("a#b", "print|--|a#b"),
        ] {
            assert_eq!(command(line), words);
        }
        let binding = Line::parse("let x = a # b", &Definition::new());
        assert!(matches!(binding, Ok(Line::Let(_, words)) if words == ["print", "--", "a"]));
        assert!(matches!(Line::parse("vnet 2 # db", &Definition::new()), Ok(Line::Choose(_))));
    }

    #[test]
    fn the_shell_has_lines_of_its_own() {
        let definition = Definition::new();
        let parse = |line| Line::parse(line, &definition);
        assert!(matches!(parse(" # vars"), Ok(Line::Nothing)));
        assert!(matches!(parse("quit"), Ok(Line::Quit)));
        assert!(matches!(parse("help"), Ok(Line::Help)));
        assert!(matches!(parse("help let"), Ok(Line::Help)));
        assert!(matches!(parse("vnet none"), Ok(Line::ForgetChoice)));
        assert!(matches!(parse("source '/a b'"), Ok(Line::Source(path)) if path == "/a b"));
        for (line, option) in [
            ("vnet 2", "--vnet=2"),
            ("vnet 0xfffff80000621040", "--vnet=0xfffff80000621040"),
            ("vnet web01", "--jail=web01"),
            ("jail 2", "--jail=2"),
        ] {
            assert!(matches!(parse(line), Ok(Line::Choose(it)) if it.word() == option), "{line}");
        }
        let binding = |line| match parse(line) {
            Ok(Line::Let(name, words)) => format!("{name}|{}", words.join("|")),
            other => format!("{other:?}"),
        };
        assert_eq!(binding("let x = a == 1"), "x|print|--|a == 1");
        assert_eq!(binding("let $x=a"), "x|print|--|a");
        for line in ["let", "let x", "let x =", "let 1 = 2", "let _ = 2", "let x == 2"] {
            assert!(parse(line).is_err(), "{line}");
        }
        for line in ["vnet 1 2", "source", "vars 'a", "jail 'a", "vnets | head", "vnets >x"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_command_may_have_been_meant() {
        let meant = |line| match Line::parse(line, &Definition::new()) {
            Ok(Line::Expression(_, meant)) => meant,
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(meant("vras tcp*"), ["vars"]);
        assert_eq!(meant("sokets"), ["sockets"]);
        assert_eq!(meant("netstat -rn"), ["sockets", "routes", "interfaces", "counters"]);
        assert_eq!(meant("tcbinfo"), [""; 0]);
        assert_eq!(meant("tcbinfo.ipi_count"), [""; 0]);
    }
}
