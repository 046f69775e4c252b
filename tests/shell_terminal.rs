//! `shell` on a terminal: a prompt, pages, Ctrl-C, and lines that are kept.

#![cfg(feature = "shell")]

mod terminal;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use terminal::Terminal;
use vt100::Screen;

const PROMPT: &str = "vnet 1 web01>";

/// A shell about the demonstration, with a directory for what it keeps.
struct Shell {
    terminal: Terminal,
    state: TempDir,
}

impl Shell {
    fn start(size: (u16, u16), arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let state = tempfile::tempdir().unwrap();
        let mut terminal = start(state.path(), size, arguments, environment);
        terminal.wait_for("the first prompt", |screen| {
            let (row, column) = screen.cursor_position();
            row > 0 && column > 0 && screen.contents().ends_with("> ")
        });
        Self { terminal, state }
    }

    fn types(&mut self, keys: &str) {
        self.terminal.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for a prompt below a line that has this text.
    fn shows(&mut self, text: &str, prompt: &str) {
        self.terminal
            .wait_for(text, |screen| is_at(screen, prompt) && screen.contents().contains(text));
    }

    fn contents(&self) -> String {
        self.terminal.parser.screen().contents()
    }

    fn history(&self) -> String {
        fs::read_to_string(self.state.path().join("vnetkvm/history")).unwrap_or_default()
    }
}

fn start(
    state: &Path,
    size: (u16, u16),
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Terminal {
    let state = [("XDG_STATE_HOME", state.to_str().unwrap())];
    let arguments = [&["--demo"], arguments, &["shell"]].concat();
    Terminal::start(size, &arguments, &[&state, environment].concat())
}

/// Whether the cursor stands behind the prompt, where nothing was typed yet.
fn is_at(screen: &Screen, prompt: &str) -> bool {
    let (_, column) = screen.cursor_position();
    row_of_cursor(screen) == prompt && usize::from(column) == prompt.len() + 1
}

fn row_of_cursor(screen: &Screen) -> String {
    let (row, _) = screen.cursor_position();
    let (_, width) = screen.size();
    let line = screen.rows(0, width.get()).nth(usize::from(row)).unwrap_or_default();
    line.trim_end().to_owned()
}

#[test]
fn the_prompt_names_the_vnet_of_the_answers() {
    let mut shell = Shell::start((24, 100), &[], &[]);
    shell.types("ip_defttl\r");
    shell.shows("$1: ip_defttl = (int) 42", PROMPT);
    shell.types("$ + 1\r");
    shell.shows("$2: $ + 1 = (int) 43", PROMPT);
    shell.types("vnet 2\r");
    shell.shows("vnet 2 (0xfffff800006210c0): db01", "vnet 2 db01>");
    shell.types("ip_defttl\r");
    shell.shows("ip_defttl = (int) 128", "vnet 2 db01>");
    shell.types("vnet 0\r");
    shell.shows("vnet 0 (0xfffff80000621000): host", "vnet 0>");
    shell.types("vnet 7\r");
    shell.shows("error: no vnet has the number 7", "vnet 0>");
    assert_eq!(shell.contents().matches("note: vnet 1").count(), 1, "{}", shell.contents());
    shell.types("quit\r");
    shell.terminal.rest();
    assert_eq!(shell.terminal.child.wait().unwrap().code(), Some(0));
}

#[test]
fn ctrl_c_clears_the_line_and_ctrl_d_ends_the_shell() {
    let mut shell = Shell::start((24, 100), &["--jail", "db01"], &[]);
    shell.types("vars 'x");
    shell.terminal.wait_for("a line", |screen| screen.contents().ends_with("vars 'x"));
    shell.types("\x03");
    shell.shows("vars 'x", "vnet 2 db01>");
    shell.types("ip_defttl\r");
    shell.shows("ip_defttl = (int) 128", "vnet 2 db01>");
    assert!(!shell.contents().contains("error"), "{}", shell.contents());
    shell.types("nosuch\r");
    shell.shows("error: cannot evaluate nosuch", "vnet 2 db01>");
    shell.types("\x04");
    shell.terminal.rest();
    assert_eq!(shell.terminal.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_tab_completes_the_word_before_the_cursor() {
    let mut shell = Shell::start((24, 100), &[], &[]);
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("questions"), "ip_defttl\n").unwrap();
    let file = dir.path().join("questions").to_str().unwrap().to_owned();
    for (keys, line) in [
        ("ip_deft", "ip_defttl"),
        ("1 + V_ifnet.cstqh_first->if_xn", "1 + V_ifnet.cstqh_first->if_xname"),
        ("(struct ifneth", "(struct ifnethead"),
        ("topol", "topology"),
        ("help interf", "help interfaces"),
        ("vars --all-v", "vars --all-vnets"),
        ("vars --format pl", "vars --format plain"),
        ("vars --format=jsonl", "vars --format=jsonl"),
        ("vars ip_deft", "vars ip_defttl"),
        ("vars --jail=db", "vars --jail=db01"),
        ("vars --jail db", "vars --jail db01"),
        ("jail db", "jail db01"),
        ("vnet no", "vnet none"),
        ("type struct ifneth", "type struct ifnethead"),
        ("type ifneth", "type ifnethead"),
        ("read &V_ip_deft", "read &V_ip_defttl"),
        ("let x = ip_deft", "let x = ip_defttl"),
        ("print --json ip_deft", "print --json ip_defttl"),
        ("p/x ip_deft", "p/x ip_defttl"),
        ("interfaces epair0", "interfaces epair0b"),
        ("sysctl net.inet.ip.tt", "sysctl net.inet.ip.ttl"),
        ("sysctl net.in", "sysctl net.inet."),
        (&file[..file.len() - 3], &file),
    ] {
        let (keys, line) = match keys.starts_with('/') {
            true => (format!("source {keys}"), format!("source {line}")),
            false => (keys.to_owned(), line.to_owned()),
        };
        shell.types(&format!("{keys}\t"));
        let whole = format!("{PROMPT} {line}");
        shell.terminal.wait_for(&line, |screen| row_of_cursor(screen) == whole);
        shell.types("\x15");
        shell.terminal.wait_for("an empty line", |screen| is_at(screen, PROMPT));
    }
    // What may go on in several ways is listed by a second tab.
    shell.types("V_ifnet.\t\t");
    shell
        .terminal
        .wait_for("a list", |screen| screen.contents().contains("cstqh_first  cstqh_last"));
}

#[test]
fn lines_are_kept_from_one_run_to_the_next() {
    let mut shell = Shell::start((24, 100), &[], &[]);
    shell.types("ip_defttl + 1\r");
    shell.shows("= (int) 43", PROMPT);
    shell.types(" ip_defttl + 2\r");
    shell.shows("= (int) 44", PROMPT);
    shell.types("quit\r");
    shell.terminal.rest();
    assert_eq!(shell.history(), "#V2\nip_defttl + 1\nquit\n");
    let file = shell.state.path().join("vnetkvm/history");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let directory = fs::metadata(file.parent().unwrap()).unwrap();
    assert_eq!(directory.permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::read_dir(shell.state.path()).unwrap().count(), 1);

    let mut again = start(shell.state.path(), (24, 100), &[], &[]);
    again.wait_for("the prompt", |screen| is_at(screen, PROMPT));
    // Two lines up.
    again.keyboard.write_all(b"\x1b[A\x1b[A").unwrap();
    again.wait_for("an earlier line", |screen| screen.contents().ends_with("> ip_defttl + 1"));
    again.keyboard.write_all(b"\r").unwrap();
    again.wait_for("its answer", |screen| screen.contents().contains("= (int) 43"));
}

#[test]
fn without_a_place_to_keep_lines_the_shell_works() {
    let mut shell = Shell::start((24, 100), &[], &[("XDG_STATE_HOME", "/dev/null")]);
    shell.types("ip_defttl\r");
    shell.shows("ip_defttl = (int) 42", PROMPT);
    assert!(!shell.contents().contains("error"), "{}", shell.contents());
}

#[test]
fn colours_are_those_of_the_command_line() {
    let bold = |shell: &Shell| String::from_utf8_lossy(&shell.terminal.written).contains("\x1b[1m");
    let mut shell = Shell::start((24, 100), &[], &[]);
    assert!(bold(&shell), "the prompt");
    shell.terminal.written.clear();
    shell.types("vnets\r");
    shell.shows("db01", PROMPT);
    assert!(bold(&shell));
    for (arguments, environment) in
        [(&["--color", "never"][..], &[][..]), (&[], &[("NO_COLOR", "1")])]
    {
        let mut shell = Shell::start((24, 100), arguments, environment);
        shell.types("vnets\r");
        shell.shows("db01", PROMPT);
        shell.types("vars 'x\r");
        shell.shows("error", PROMPT);
        assert!(!bold(&shell));
    }
}

#[test]
fn a_terminal_that_cannot_draw_has_lines_without_pages() {
    let mut shell = Shell::start((6, 100), &[], &[("TERM", "dumb")]);
    shell.types("vnets\r");
    shell.shows("db01", PROMPT);
    shell.types("vars --format plain\r");
    shell.shows("vlan_cloner", PROMPT);
    assert!(!shell.contents().contains("-- more"), "{}", shell.contents());
}

#[test]
fn long_answers_come_page_by_page() {
    let mut shell = Shell::start((10, 200), &[], &[]);
    let more = |screen: &Screen| screen.contents().ends_with(" q to stop --");
    shell.types("vars ip*\r");
    shell.terminal.wait_for("the first page", more);
    let first = shell.terminal.lines();
    assert!(first[1].starts_with("NAME ") || first[0].starts_with("NAME "), "{first:#?}");
    shell.types("\r");
    shell.terminal.wait_for("another line", |screen| more(screen) && !same(screen, &first));
    let second = shell.terminal.lines();
    assert_eq!(second[..8], first[1..9]);
    shell.types(" ");
    shell.terminal.wait_for("another page", |screen| more(screen) && !same(screen, &second));
    assert!(!shell.contents().contains("NAME "));
    shell.types("q");
    shell.terminal.wait_for("the prompt", |screen| is_at(screen, PROMPT));
    assert!(!shell.contents().contains("-- more"), "{}", shell.contents());

    // The next answer begins with a page of its own.
    shell.types("vnets\r");
    shell.shows("db01", PROMPT);
    shell.types("vars ip*\r");
    shell.terminal.wait_for("a page", more);
    shell.types("G");
    shell.shows("ipv6_srchashtbl", PROMPT);
    // Keys at a page are no line.
    shell.types("ip_defttl\r");
    shell.shows("ip_defttl = (int) 42", PROMPT);
}

fn same(screen: &Screen, lines: &[String]) -> bool {
    screen.rows(0, 200).zip(lines).all(|(row, line)| row.trim_end() == line)
}

/// As in python and psql, the prompt is for the terminal alone.
#[test]
fn answers_for_a_pipe_or_a_file_have_no_prompt() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("answers");
    let start = |line: &str| {
        let line =
            line.replace("SHELL", &format!("{} --demo shell", env!("CARGO_BIN_EXE_vnetkvm")));
        let line = line.replace("FILE", file.to_str().unwrap());
        Terminal::start_program(
            "/bin/sh",
            (24, 100),
            &["-c", &line],
            &[("XDG_STATE_HOME", "/dev/null")],
        )
    };
    for line in ["SHELL | cat > FILE", "SHELL > FILE"] {
        let mut terminal = start(line);
        terminal.wait_for("a prompt", |screen| is_at(screen, PROMPT));
        terminal.keyboard.write_all(b"ip_defttl\r").unwrap();
        let prompts = |count: usize| {
            move |screen: &Screen| {
                is_at(screen, PROMPT) && screen.contents().matches(PROMPT).count() == count
            }
        };
        terminal.wait_for("a second prompt", prompts(2));
        terminal.keyboard.write_all(b"vnets --format plain\r").unwrap();
        terminal.wait_for("a third prompt", prompts(3));
        terminal.keyboard.write_all(b"\x04").unwrap();
        terminal.rest();
        assert!(!terminal.parser.screen().contents().contains("42"), "the answer is in the file");
        let answers = fs::read_to_string(&file).unwrap();
        assert!(answers.starts_with("$1: ip_defttl = (int) 42\n0\t"), "{answers}");
        assert!(!answers.contains("> ") && !answers.contains('\x1b'), "{answers}");
    }
    // Lines that nobody types have no prompt at all.
    let script = dir.path().join("script");
    fs::write(&script, "ip_defttl\n").unwrap();
    let mut terminal = start(&format!("SHELL < {} > FILE", script.display()));
    terminal.rest();
    assert_eq!(fs::read_to_string(&file).unwrap(), "ip_defttl = (int) 42\n");
    assert!(!terminal.parser.screen().contents().contains("> "));
    let mut terminal = start(&format!("SHELL < {}", script.display()));
    terminal.rest();
    let shown = terminal.parser.screen().contents();
    assert!(shown.contains("ip_defttl = (int) 42") && !shown.contains("> "), "{shown}");
}

/// The answer takes minutes.
const LONG: &str = "read 0xfffff80000000000 0x1000000\r";

#[test]
fn ctrl_c_stops_an_answer_at_a_whole_line_and_the_shell_goes_on() {
    let mut shell = Shell::start((24, 100), &[], &[]);
    shell.types(LONG);
    let more = |screen: &Screen| screen.contents().contains(" q to stop --");
    shell.terminal.wait_for("the first page", more);
    shell.types("G");
    shell.terminal.wait_for("the rest", |screen| !more(screen));
    shell.types("\x03");
    let asked = Instant::now();
    shell.terminal.wait_for("the prompt", |screen| is_at(screen, PROMPT));
    assert!(asked.elapsed() < Duration::from_secs(20), "it took {:?}", asked.elapsed());
    let lines = shell.terminal.lines();
    let last = lines.iter().rfind(|line| line.starts_with("0xffff")).unwrap();
    assert!(last.ends_with('|'), "{lines:#?}");
    assert!(!shell.contents().contains("(.. not in the dump)"), "it came to its end");
    assert!(!shell.contents().contains("error"), "{}", shell.contents());

    shell.types("ip_defttl\r");
    shell.shows("ip_defttl = (int) 42", PROMPT);
    // At a page it does the same.
    shell.types(LONG);
    shell.terminal.wait_for("a page", more);
    shell.types("\x03");
    shell.terminal.wait_for("the prompt", |screen| is_at(screen, PROMPT));
    shell.types("vnets\r");
    shell.shows("db01", PROMPT);
}
