//! `shell` as an interpreter: the lines of standard input, without a terminal.

#![cfg(feature = "shell")]

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

const VNETKVM: &str = env!("CARGO_BIN_EXE_vnetkvm");

struct Said {
    out: String,
    err: String,
    status: i32,
}

/// Gives the demonstration's shell a script.
fn shell(arguments: &[&str], script: impl AsRef<[u8]>) -> Said {
    let mut child = Command::new(VNETKVM)
        .arg("--demo")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A shell that stops early does not read the rest.
    let _ = child.stdin.take().unwrap().write_all(script.as_ref());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes| anstream::adapter::strip_str(&String::from_utf8(bytes).unwrap()).to_string();
    Said { out: text(stdout), err: text(stderr), status: status.code().unwrap() }
}

fn command(arguments: &[&str]) -> Said {
    let output = Command::new(VNETKVM).arg("--demo").args(arguments).output().unwrap();
    let text = |bytes| anstream::adapter::strip_str(&String::from_utf8(bytes).unwrap()).to_string();
    Said {
        out: text(output.stdout),
        err: text(output.stderr),
        status: output.status.code().unwrap(),
    }
}

const VNET1: &str = "vnet 1 (0xfffff80000621040): web01, web01.php\n";

#[test]
fn lines_are_commands_and_expressions() {
    let script =
        "# which stacks\n\nvnets --format plain\nip_defttl\nprint --all-vnets ip_defttl + 1\n";
    let said = shell(&["shell"], script);
    let vnets = command(&["vnets", "--format", "plain"]).out;
    let all = command(&["print", "--all-vnets", "ip_defttl + 1"]).out;
    assert_eq!(said.out, format!("{vnets}ip_defttl = (int) 42\n{all}"));
    assert_eq!(said.status, 0);
}

#[test]
fn a_line_may_be_written_as_in_gdb() {
    let said = shell(&["shell"], "print /x --all-vnets ip_defttl # as options stand in gdb\n");
    assert_eq!(said.out, command(&["print", "/x", "--all-vnets", "ip_defttl"]).out);

    // What is told in place of gdb's x shows the same.
    let said = shell(&["shell"], "x/2xw &ip_defttl\n");
    let told = "error: x/2xw is gdb's: here x is no command\nhint: `p/x *(uint32_t *)&ip_defttl@2` prints \
                the numbers, `read &ip_defttl 8` the bytes\n";
    assert!(said.err.contains(told), "{}", said.err);
    let said = shell(&["shell"], "p/x *(uint32_t *)&ip_defttl@2\np/x ip_defttl\nread &ip_defttl 4");
    let lines: Vec<&str> = said.out.lines().collect();
    assert!(lines[0].ends_with("{0x2a, 0x0}"), "{lines:?} {}", said.err);
    assert!(lines[1].ends_with("0x2a"), "{lines:?}");
    assert!(lines[2].contains("2a 00 00 00"), "{lines:?}");
}

#[test]
fn every_answer_is_that_of_the_command_alone() {
    for line in [
        "info",
        "vnets",
        "jails",
        "threads",
        "bt --all",
        "interfaces",
        "topology",
        "sockets",
        "routes",
        "neighbors",
        "vars",
        "vars --json",
        "counters",
        "sysctl -a",
        "modules",
        "modspace",
        "sysinit",
        "locks",
        "eventhandlers",
        "type struct vnet",
        "read 0xfffff80000621000 64",
        "whatis 0xfffff80000621040",
        "check",
        "diff --vnet 0 ip_defttl",
        "help vars",
        "vars --help",
        "gdb",
        "report --format markdown",
    ] {
        let alone = command(&line.split(' ').collect::<Vec<_>>());
        let said = shell(&["shell"], line);
        assert!(said.out == alone.out, "{line}: {}", said.out);
        assert_eq!(said.status, alone.status, "{line}");
        assert!(said.err.starts_with(&alone.err), "{line}: {} is not {}", said.err, alone.err);
    }
}

#[test]
fn a_chosen_vnet_is_that_of_the_lines_that_follow() {
    let script = "vnet 2\nip_defttl\nvars --vnet 0 --format plain ip_defttl\nip_defttl\n\
                  jail web01\nip_defttl\nvnet\nmodules --format plain\nvnet 9\nip_defttl\n\
                  vnet 0xfffff80000621000\nvnet none\n";
    let said = shell(&["shell"], script);
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(
        lines,
        [
            "vnet 2 (0xfffff800006210c0): db01",
            "ip_defttl = (int) 128",
            "ip_defttl\t0xfffffe000001d050\t4\tint\tkernel\t64",
            "ip_defttl = (int) 128",
            VNET1.trim_end(),
            "ip_defttl = (int) 42",
            VNET1.trim_end(),
            command(&["modules", "--format", "plain"]).out.trim_end(),
            "ip_defttl = (int) 42",
            "vnet 0 (0xfffff80000621000): host",
            &format!("no vnet is chosen; by default it is {}", VNET1.trim_end()),
        ]
    );
    assert!(said.err.contains("error: no vnet has the number 9"), "{}", said.err);

    let said = shell(&["--jail", "db01", "shell"], "ip_defttl");
    assert_eq!((said.out.as_str(), said.err.as_str()), ("ip_defttl = (int) 128\n", ""));
    let said = shell(&["--vnet", "9", "shell"], "ip_defttl");
    assert_eq!((said.out.as_str(), said.status), ("", 1));
}

#[test]
fn the_default_vnet_is_said_once_and_other_messages_each_time() {
    let said = shell(&["shell"], "ip_defttl\nip_defttl\nvars nosuch\nvars nosuch\n");
    assert_eq!(said.err.matches("note: vnet 1 ").count(), 1, "{}", said.err);
    assert_eq!(said.err.matches("error: this kernel has no variable nosuch").count(), 2);
}

#[test]
fn an_error_is_told_with_its_line_and_the_script_goes_on() {
    let script = "vars 'x\nip_defttl\nvars --nosuch\nip_defttl +\nip_defttl\n";
    let said = shell(&["shell"], script);
    assert_eq!(said.out, "ip_defttl = (int) 42\n".repeat(2));
    assert_eq!(said.status, 0, "the last line has an answer");
    for message in [
        "error: a quotation mark is missing\nnote: in line 1 of standard input\n",
        "error: unexpected argument '--nosuch' found",
        "note: in line 3 of standard input\n",
        "note: in line 4 of standard input\n",
    ] {
        assert!(said.err.contains(message), "{}", said.err);
    }

    let said = shell(&["shell", "-e"], script);
    assert_eq!((said.out.as_str(), said.status), ("", 2));
    assert!(!said.err.contains("nosuch"), "{}", said.err);
    assert_eq!(shell(&["shell"], "ip_defttl\nvars nosuch\n# no answer\n").status, 1);
    assert_eq!(shell(&["shell"], "ip_defttl\nvars --nosuch").status, 2);
    assert_eq!(shell(&["shell"], "").status, 0);
}

/// What counts is `error:`, and not the status.
#[test]
fn a_script_stops_at_the_first_error_if_it_is_told_to() {
    for (line, status) in [
        ("vars nosuch", 1),
        ("nosuch", 1),
        ("let x = nosuch", 1),
        ("$7", 1),
        ("vnet 7", 1),
        ("type struct nosuch", 1),
        ("diff nosuch", 2),
        ("ip_defttl +", 2),
        ("vars --nosuch", 2),
        ("source /no/such", 2),
    ] {
        let said = shell(&["shell", "-e"], format!("{line}\nip_defttl\n"));
        assert_eq!((said.out.as_str(), said.status), ("", status), "{line}: {}", said.err);
        assert!(said.err.contains("error: "), "{line}: {}", said.err);
        assert!(said.err.ends_with("note: in line 1 of standard input\n"), "{line}: {}", said.err);
    }
    // These have no error: nothing is there, or what was looked for was found.
    for line in ["neighbors --vnet 0 -6", "interfaces 'nosuch*'", "diff ip_defttl --format plain"] {
        let said = shell(&["shell", "-e"], format!("{line}\nip_defttl\n"));
        assert!(said.out.ends_with("ip_defttl = (int) 42\n"), "{line}: {}", said.err);
        assert_eq!(command(&line.replace('\'', "").split(' ').collect::<Vec<_>>()).status, 1);
        assert!(!said.err.contains("note: in line"), "{line}: {}", said.err);
    }
}

#[test]
fn what_is_no_script_is_an_error() {
    let long = "x".repeat(1 << 17);
    for (script, why) in [
        (long.as_bytes(), "caused by: it is longer than 65536 bytes"),
        (b"ip_defttl \xff\n", "caused by: it is not UTF-8"),
    ] {
        let said = shell(&["shell"], script);
        assert_eq!((said.out.as_str(), said.status), ("", 2));
        assert!(said.err.starts_with("error: cannot read line 1 of standard input\n"));
        assert!(said.err.contains(why), "{}", said.err);
    }
    // It takes the parser no more than the command line would.
    let deep = format!("{}1", "(".repeat(60_000));
    assert_eq!(shell(&["shell"], deep).status, 2);
}

#[test]
fn commands_about_anything_else_are_refused() {
    for (line, why) in [
        ("vnets -M other", "error: the shell asks only about the dump that is open"),
        ("vnets -N other", "error: the shell asks only about the dump that is open"),
        ("vnets -n 3", "error: the shell asks only about the dump that is open"),
        ("vnets --demo", "error: the shell asks only about the dump that is open"),
        ("image build x -o y", "error: the shell asks only about the dump that is open"),
        ("completions zsh", "error: the shell asks only about the dump that is open"),
        ("man /nowhere", "error: the shell asks only about the dump that is open"),
        ("vnets --watch 1", "error: the shell asks only once"),
        ("whatis -", "error: the shell gives commands no standard input"),
        ("shell", "error: the shell starts no shell"),
        ("!ls", "error: "),
        ("vars | less", "error: "),
    ] {
        let said = shell(&["shell"], format!("{line}\n"));
        assert_eq!((said.out.as_str(), said.status > 0), ("", true), "{line}");
        assert!(said.err.contains(why), "{line}: {}", said.err);
    }
}

#[test]
fn a_word_that_is_like_a_command_has_a_hint() {
    let said = shell(&["shell"], "vras\n");
    assert!(said.err.contains("hint: did you mean the command vars?"), "{}", said.err);
    assert_eq!(said.err.matches("hint: ").count(), 1);
}

#[test]
fn files_are_run_where_they_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    fs::write(at("inner"), "vnet 2\nvars 'x\nip_defttl\n").unwrap();
    fs::write(at("outer"), format!("ip_defttl\nsource {}\n", at("inner"))).unwrap();
    let said = shell(&["shell"], format!("source {}\nip_defttl\n", at("outer")));
    let values = "ip_defttl = (int) 128\n".repeat(2);
    assert_eq!(
        said.out,
        format!("ip_defttl = (int) 42\nvnet 2 (0xfffff800006210c0): db01\n{values}")
    );
    assert!(said.err.contains(&format!("note: in line 2 of {}\n", at("inner"))), "{}", said.err);

    let said = shell(&["shell", "-e"], format!("source {}\nip_defttl\n", at("outer")));
    assert_eq!(said.out, "ip_defttl = (int) 42\nvnet 2 (0xfffff800006210c0): db01\n");
    assert_eq!(said.status, 2);

    fs::write(at("quits"), "quit\n").unwrap();
    let said = shell(&["shell"], format!("source {}\nip_defttl\n", at("quits")));
    assert_eq!((said.out.as_str(), said.status), ("", 0));
}

#[test]
fn a_file_that_names_itself_ends() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("itself").to_str().unwrap().to_owned();
    fs::write(&path, format!("1\nsource {path}\n")).unwrap();
    let said = shell(&["shell"], format!("source {path}\n"));
    assert_eq!(said.out, "1 = (int) 1\n".repeat(16));
    let why = format!("error: {path}: more than 16 files are run, each named by another");
    assert!(said.err.contains(&why), "{}", said.err);
    let said = shell(&["shell"], "source /no/such\nsource\nsource a b\n");
    assert!(said.err.contains("error: cannot open /no/such\n"), "{}", said.err);
    assert_eq!(said.err.matches("error: source takes the name of one file").count(), 2);
}

#[test]
fn values_are_kept_by_number_and_by_name() {
    let script = "ip_defttl\n$1 + 1\n$ + $$ + $_\nvars ip_defttl --format plain\n\
                  let i = V_ifnet.cstqh_first\n$i->if_xname\np/x $1\nlet $i = $2\n$i\n\
                  vnet 2\n$1\nprint --all-vnets ip_defttl\n$\n";
    let said = shell(&["shell"], script);
    let plain = command(&["vars", "ip_defttl", "--format", "plain"]).out;
    let all = command(&["print", "--all-vnets", "ip_defttl"]).out;
    let lines = [
        "ip_defttl = (int) 42\n",
        "$1 + 1 = (int) 43\n",
        "$ + $$ + $_ = (int) 128\n",
        &plain,
        "$i->if_xname = (char [16]) \"lo0\"\n",
        "$1 = (int) 0x2a\n",
        "$i = (int) 43\n",
        "vnet 2 (0xfffff800006210c0): db01\n",
        "$1 = (int) 42\n",
        &all,
        "$ = (int) 42\n",
    ];
    assert_eq!(said.out, lines.concat(), "{}", said.err);

    let said = shell(&["shell"], "$1\nlet x = nosuch\n$x\nlet x\nip_defttl\n$1\n");
    assert_eq!(said.out, "ip_defttl = (int) 42\n$1 = (int) 42\n", "an error keeps nothing");
    assert_eq!(said.err.matches("error: ").count(), 4, "{}", said.err);
}

/// They are addresses for read and whatis as they are values for expressions.
#[test]
fn kept_values_are_addresses() {
    let script = "V_ifnet.cstqh_first\nread $1 8\nlet p = $1\nwhatis $p\n";
    let said = shell(&["shell"], script);
    let read = command(&["read", "V_ifnet.cstqh_first", "8"]).out;
    let is = command(&["whatis", "V_ifnet.cstqh_first"]).out;
    assert!(is.contains("struct ifnet, interface lo0"), "{is}");
    assert!(said.out.ends_with(&format!("{read}{is}")), "{} {}", said.out, said.err);
}

#[test]
fn kept_values_outlive_an_answer_that_a_limit_cut() {
    let script = "let p = &V_ifnet\n*$p\nvars --max-work 10\n(struct ifnet *)0\n*$p\n$p->cstqh_first->if_xname\n";
    let said = shell(&["shell"], script);
    let values: Vec<&str> = said.out.lines().filter(|line| line.starts_with("*$p")).collect();
    assert_eq!(values.len(), 2, "{}", said.out);
    assert_eq!(values[0], values[1]);
    assert!(
        said.out.ends_with("$p->cstqh_first->if_xname = (char [16]) \"lo0\"\n"),
        "{}",
        said.out
    );
}

#[test]
fn each_line_has_a_budget_of_its_own() {
    let line = "vars --format plain\n";
    let alone = command(&["vars", "--format", "plain"]).out;
    // Enough for one answer, but not for ten.
    let said = shell(&["--max-work", "20000", "shell"], line.repeat(10));
    assert_eq!(said.out, alone.repeat(10), "{}", said.err);
    // What a limit cut is read anew.
    let said = shell(&["shell"], format!("vars --max-work 10 --format plain\n{line}"));
    assert!(said.err.contains("the work limit"), "{}", said.err);
    assert!(said.out.ends_with(&alone), "{}", said.err);
}
