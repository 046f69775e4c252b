//! `whatis` as a filter: addresses from standard input, and texts that are annotated.

#![cfg(feature = "cli")]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use vnetkvm::image::{Format, Scenario, build};

const VNETKVM: &str = env!("CARGO_BIN_EXE_vnetkvm");

struct Said {
    status: i32,
    out: Vec<u8>,
    err: String,
}

fn start(words: &[&str]) -> Child {
    let mut command = Command::new(VNETKVM);
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn run(words: &[&str], input: &[u8]) -> Said {
    let mut child = start(words);
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    Said { status: output.status.code().unwrap(), out: output.stdout, err }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn lines_of_standard_input_are_addresses() {
    let input = b"0xfffff80000621040\n\n  fffffe00000fb908  \r\n&V_ip_defttl\nno such\n0x10\n";
    let words = ["--demo", "whatis", "0xffffffff80407ec0", "-", "--vnet", "2"];
    let said = run(&[&words[..], &["--format", "plain"]].concat(), input);
    let wanted = "0xffffffff80407ec0\tsymbol\tprison0.pr_name\n\
                  0xfffff80000621040\tvnet\tstruct vnet, vnet 1 (jail web01)\n\
                  0xfffffe00000fb908\tvnet-variable\tV_tcbinfo.ipi_count, vnet 2 (jail db01)\n\
                  0xfffffe00000fb050\tvnet-variable\tV_ip_defttl, vnet 2 (jail db01)\n\
                  no such\terror\texpected an operator or the end, found \"such\" (column 4)\n\
                  0x10\tunknown\tnothing known: not a kernel address\n";
    assert_eq!((said.status, text(&said.out)), (0, wanted), "{}", said.err);
    let strict = run(&[&words[..], &["--strict"]].concat(), input);
    assert_eq!((strict.status, text(&strict.out)), (2, ""), "{}", strict.err);
    let none = run(&["--demo", "whatis", "-"], b"\n");
    assert_eq!((none.status, text(&none.out)), (1, "ADDRESS  KIND  WHAT\n"), "{}", none.err);
}

#[test]
fn a_text_keeps_its_bytes() {
    // An escape of the user's own, bytes that are no UTF-8, no line break at the end.
    let input = b"td=0xfffff80000636800,\x1b[1m \xff\xfe 0xfffff80000621040\r\n\n\
                  0x10 0xffffffffffffffff x0xfffff80000621040 fffff80000621040";
    let said = run(&["--demo", "whatis", "--annotate"], input);
    let wanted = b"td=0xfffff80000636800 <struct thread, thread 100003 of process 901 (nginx)>,\
                   \x1b[1m \xff\xfe 0xfffff80000621040 <struct vnet, vnet 1 (jail web01)>\r\n\n\
                   0x10 0xffffffffffffffff x0xfffff80000621040 fffff80000621040 <struct vnet, \
                   vnet 1 (jail web01)>";
    assert_eq!(String::from_utf8_lossy(&said.out), String::from_utf8_lossy(wanted));
    assert_eq!((said.status, said.out == wanted), (0, true));
}

/// A line that is longer than any buffer, with addresses everywhere.
#[test]
fn no_address_is_cut_in_two() {
    const ADDRESS: &str = "0xfffff80000621040";
    let words = 20_000;
    for separator in [" ", ", and "] {
        let said = run(
            &["--demo", "whatis", "--annotate", "-"],
            [ADDRESS; 20_000].join(separator).as_bytes(),
        );
        let annotated = format!("{ADDRESS} <struct vnet, vnet 1 (jail web01)>");
        assert!(text(&said.out) == vec![&*annotated; words].join(separator));
    }
    let one_word = "0".repeat(1 << 20);
    assert!(text(&run(&["--demo", "whatis", "--annotate"], one_word.as_bytes()).out) == one_word);
}

/// Each line comes out before the next goes in.
#[test]
fn lines_are_annotated_as_they_come() {
    let mut child = start(&["--demo", "whatis", "--annotate"]);
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for number in 0..3 {
        writeln!(stdin, "{number}: 0xfffff80000621040").unwrap();
        stdin.flush().unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let wanted = format!("{number}: 0xfffff80000621040 <struct vnet, vnet 1 (jail web01)>\n");
        assert_eq!(line, wanted);
    }
    drop(stdin);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
    assert!(child.wait().unwrap().success());
}

/// What comes from the dump cannot act on a terminal.
#[test]
fn names_of_a_dump_are_made_harmless() {
    let scenario = "[[step]]\ndo = \"jail\"\nname = \"w\\u001b[7m\\u202ex\"\n";
    let kernel = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/kernel/classic-clang-dwarf4");
    let source = vnetkvm::source::Source::open(kernel).unwrap();
    let kernel_file = vnetkvm::kernel::Kernel::open(source, None).unwrap();
    let image = build(&Scenario::parse(scenario).unwrap(), kernel_file).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let core = image.save(Format::MinidumpV2, directory.path()).unwrap();
    let vnet = image.runtime().vnets().unwrap().pop().unwrap();
    let vnet = image.runtime().vnet_object(vnet).unwrap().address;
    let words = ["-N", kernel, "-M", core.to_str().unwrap(), "whatis", "--annotate"];
    let said = run(&words, format!("\x1b[31m{vnet}\n").as_bytes());
    let out = text(&said.out);
    assert!(out.starts_with(&format!("\x1b[31m{vnet} <struct vnet, vnet ")), "{out:?}");
    let all = run(&[&words[..5], &["whatis", &vnet.to_string()]].concat()[..], b"");
    assert!(!all.err.contains('\x1b') && !all.out.contains(&0x1b));
    let host = out.contains("(host)");
    assert!(host || out.contains("(jail w\\033[7m\\u202ex)>"), "{out:?}");
}
