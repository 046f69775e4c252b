//! `--watch` on a terminal: each answer is drawn over the last, and what changed stands out.

#![cfg(feature = "cli")]

mod terminal;
mod watched;

use std::io::Write;

use pty_process::Size;
use terminal::{Terminal, parser};
use watched::{Machine, end_of};

fn watch(machine: &Machine, size: (u16, u16), more: &[&str], env: &[(&str, &str)]) -> Terminal {
    let files = machine.files();
    let mut arguments: Vec<&str> = files.iter().map(String::as_str).collect();
    arguments.extend(["--watch", "0.1"]);
    arguments.extend(more);
    Terminal::start(size, &arguments, env)
}

const TTL: &[&str] = &["--jail", "web01", "sysctl", "net.inet.ip.ttl", "net.inet.ip.forwarding"];

#[test]
fn what_changed_stands_out_in_place_and_ctrl_c_leaves_the_terminal_as_it_was() {
    let machine = Machine::new();
    let mut terminal = watch(&machine, (10, 120), TTL, &[]);
    terminal.wait("the first answer", |screen| screen.contents().contains("ttl: 64"));
    let lines = terminal.lines();
    let title = "Every 0.1s: sysctl net.inet.ip.ttl net.inet.ip.forwarding (-N /";
    assert!(lines[0].starts_with(title), "{lines:#?}");
    assert_eq!(lines[0].chars().count(), 120, "the time is at the right edge");
    assert_eq!(lines[1..4], ["", "  net.inet.ip.ttl: 64", "  net.inet.ip.forwarding: 0"]);

    machine.set_ttl(65);
    terminal.wait("a change", |screen| screen.contents().contains("* net.inet.ip.ttl: 65"));
    assert_eq!(terminal.lines()[2..4], ["* net.inet.ip.ttl: 65", "  net.inet.ip.forwarding: 0"]);
    assert_eq!(terminal.highlighted("* net"), "65");
    terminal.wait("none", |screen| screen.contents().contains("  net.inet.ip.ttl: 65"));
    assert_eq!(terminal.highlighted("  net.inet.ip.ttl"), "");
    assert_eq!(terminal.lines()[4..], [""; 6], "nothing is left of what stood there");

    terminal.keyboard.write_all(b"\x03").unwrap();
    assert_eq!(end_of(&mut terminal.child).code(), Some(0));
    terminal.rest();
    let screen = terminal.parser.screen();
    assert!(!screen.hide_cursor() && !screen.inverse() && !screen.bold());
    assert!(!screen.alternate_screen());
    assert_eq!(screen.cursor_position(), (5, 0), "the last answer stays");
    assert!(screen.contents().contains("net.inet.ip.ttl: 65"));
}

#[test]
fn without_colours_the_marks_are_enough() {
    let machine = Machine::new();
    for (more, environment) in [(&[][..], &[("NO_COLOR", "1")][..]), (&["--color", "never"], &[])] {
        machine.set_ttl(64);
        let arguments = [more, TTL].concat();
        let mut terminal = watch(&machine, (10, 120), &arguments, environment);
        terminal.wait("the first answer", |screen| screen.contents().contains("ttl: 64"));
        machine.set_ttl(65);
        terminal.wait("a change", |screen| screen.contents().contains("* net.inet.ip.ttl: 65"));
        assert_eq!(terminal.highlighted("* net"), "");
        let written = String::from_utf8_lossy(&terminal.written).into_owned();
        assert!(!written.contains("\x1b[7m") && !written.contains("\x1b[1m"), "{written:?}");
    }
}

#[test]
fn a_small_terminal_shows_the_command_and_how_much_has_no_room() {
    let machine = Machine::new();
    let arguments = ["--count", "1", "vars", "--jail", "web01"];
    let mut terminal = watch(&machine, (3, 60), &arguments, &[]);
    terminal.wait("the answer", |screen| screen.contents().contains(" more lines"));
    let lines = terminal.lines();
    assert!(lines[0].starts_with("Every 0.1s: vars --jail web01 (-N "), "{lines:#?}");
    assert!(lines[1].starts_with("... ") && lines[1].ends_with(" more lines"), "{lines:#?}");
    let mut terminal = watch(&machine, (2, 60), &arguments, &[]);
    terminal.wait("the answer", |screen| screen.contents().contains(" more lines"));
    assert!(terminal.lines()[0].starts_with("... "), "{:#?}", terminal.lines());
}

#[test]
fn an_answer_is_cut_to_the_terminal_of_the_moment() {
    let machine = Machine::new();
    let mut terminal = watch(&machine, (8, 60), &["vars", "--jail", "web01"], &[]);
    terminal.wait("the first answer", |screen| screen.contents().contains(" more lines"));
    let lines = terminal.lines();
    assert!(lines[2].starts_with("  NAME "), "{lines:#?}");
    assert!(lines[6].starts_with("... ") && lines[6].ends_with(" more lines"), "{lines:#?}");
    assert_eq!(terminal.parser.screen().cursor_position(), (7, 0));

    let size = (12, 70);
    terminal.keyboard.resize(Size::new(size.0, size.1)).unwrap();
    terminal.parser = parser(size);
    terminal.wait("the other size", |screen| {
        screen.rows(0, 70).nth(10).is_some_and(|line| line.starts_with("... "))
    });
    assert_eq!(terminal.lines()[0].chars().count(), 70);
}

#[test]
fn an_error_stands_in_the_place_of_the_answer() {
    let machine = Machine::new();
    let mut terminal = watch(&machine, (12, 80), TTL, &[]);
    terminal.wait("the first answer", |screen| screen.contents().contains("ttl: 64"));
    machine.cut(4096);
    terminal.wait("the error", |screen| {
        let text = screen.contents();
        text.contains("error: ") && !text.contains("ttl: 64")
    });
    assert!(terminal.lines()[2].starts_with("error: "), "{:#?}", terminal.lines());
    machine.restore();
    terminal.wait("the answer", |screen| screen.contents().contains("  net.inet.ip.ttl: 64"));
    assert!(!terminal.parser.screen().contents().contains("error"));
}

#[test]
fn the_first_failure_draws_nothing() {
    let arguments = ["-M", "/nowhere", "--watch", "0.1", "vnets"];
    let mut terminal = Terminal::start((10, 80), &arguments, &[]);
    terminal.rest();
    assert_eq!(end_of(&mut terminal.child).code(), Some(2));
    assert!(terminal.lines()[0].starts_with("error: cannot open /nowhere"));
    assert!(!terminal.written.windows(3).any(|bytes| bytes == b"\x1b[H"));
}

#[test]
fn a_terminal_that_cannot_draw_gets_one_answer_after_the_other() {
    let arguments =
        ["--demo", "--watch", "0.1", "--count", "2", "vars", "--vnet", "1", "ip_defttl"];
    let mut terminal = Terminal::start((24, 100), &arguments, &[("TERM", "dumb")]);
    terminal.rest();
    assert_eq!(end_of(&mut terminal.child).code(), Some(0));
    let lines = terminal.lines();
    assert!(
        lines[1].starts_with("ip_defttl ") && lines[5].starts_with("  ip_defttl "),
        "{lines:#?}"
    );
    assert!(!terminal.written.contains(&0x1b));
}
