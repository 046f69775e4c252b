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
    let input = b"# a log\n0xfffff80000621040\n\n  fffffe00000fb908 &V_ip_defttl # two\r\n\
                  &V_ip_defttl + 1\nno ) such\nzzz 0x10 deadbeef\n";
    let words = ["--demo", "whatis", "0xffffffff80407ec0", "-", "--vnet", "2"];
    let said = run(&[&words[..], &["--format", "plain"]].concat(), input);
    let wanted = "0xffffffff80407ec0\tsymbol\tprison0.pr_name\n\
                  0xfffff80000621040\tvnet\tstruct vnet, vnet 1 (jail web01)\n\
                  0xfffffe00000fb908\tvnet-variable\tV_tcbinfo.ipi_count, vnet 2 (jail db01)\n\
                  0xfffffe00000fb050\tvnet-variable\tV_ip_defttl, vnet 2 (jail db01)\n\
                  0xfffffe00000fb054\tvnet-block\tbehind V_ip_defttl, in no variable, vnet 2 (jail db01)\n\
                  no ) such\terror\texpected an operator or the end, found \")\" (column 4)\n\
                  zzz\terror\tzzz is neither a virtualized variable nor a global of this kernel\n\
                  0x10\tunknown\tnothing known: not a kernel address\n\
                  0xdeadbeef\tunknown\tnothing known: not mapped\n";
    assert_eq!((said.status, text(&said.out)), (0, wanted), "{}", said.err);
    let warnings = "warning: no ) such: expected an operator or the end, found \")\" (column 4)\n\
                    warning: zzz is neither a virtualized variable nor a global of this kernel\n";
    assert_eq!(said.err, warnings);
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

/// Bare hex digits with a letter, or eight and more, are an address unless something has that name.
#[test]
fn bare_hex_digits_are_an_address() {
    let words = ["0", "80621040", "12345678", "1234567", "fee1dead", "abcdefabcdefabcdefab"];
    let said = run(&[&["--demo", "whatis", "--format", "plain"], &words[..]].concat(), b"");
    let addresses: Vec<_> =
        text(&said.out).lines().map(|line| line.split('\t').next().unwrap()).collect();
    let wanted =
        ["0x0", "0x80621040", "0x12345678", "0x12d687", "0xfee1dead", "abcdefabcdefabcdefab"];
    assert_eq!(addresses, wanted, "{}", said.err);
}

/// Where bt has looked up a return address, nothing else is said of its line.
#[test]
fn a_backtrace_is_not_contradicted() {
    let scenario = Scenario::open("fixtures/scenarios/stacks.toml").unwrap();
    let image = build(&scenario, scenario.open_kernel().unwrap()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let core = image.save(Format::MinidumpV2, directory.path()).unwrap();
    image.save_kernel(directory.path()).unwrap();
    let kernel = directory.path().join("kernel");
    let files = ["-N", kernel.to_str().unwrap(), "-M", core.to_str().unwrap()];
    let ask = |words: &[&str], input: &[u8]| {
        let said = run(&[&files[..], words].concat(), input);
        text(&said.out).to_owned()
    };
    let trace = ask(&["bt"], b"");
    let wanted = "#2  0xffffffff8020abc5 in vpanic+0x45 at kern/kern_shutdown.c:50\n";
    assert!(trace.contains(wanted), "{trace}");
    let annotated = ask(&["whatis", "--annotate"], trace.as_bytes());
    assert!(annotated.contains(wanted), "{annotated}");
    assert!(annotated.contains("rip 0xffffffff8020c471 <tcp_destroy+0x1 (netinet/tcp_subr.c:31)>"));
    let both = "vpanic+0x45 (kern/kern_shutdown.c:47); as a return address kern/kern_shutdown.c:50";
    let alone = ask(&["whatis", "--annotate"], b"0xffffffff8020abc5 in ?? ()\n");
    assert_eq!(alone, format!("0xffffffff8020abc5 <{both}> in ?? ()\n"));
    let object = ask(&["whatis", "--format", "jsonl", "0xffffffff8020abc5"], b"");
    let lines = "\"file\":\"kern/kern_shutdown.c\",\"line\":47,\
                 \"call\":{\"file\":\"kern/kern_shutdown.c\",\"line\":50}";
    assert!(object.contains(lines), "{object}");
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
