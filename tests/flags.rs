//! Flags by the names of the kernel's own printf(9) formats. The numbers are those that gdb reads in
//! the kernel's file (`fixtures/kernel/record_flags.py`), the names those in its source.

#![cfg(all(feature = "image", feature = "cli"))]

mod tsv;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value as Json;
use vnetkvm::image::{self, Format, Scenario};
use vnetkvm::kernel::Kernel;
use vnetkvm::source::Source;

const KERNEL: &str = "small-flags-dwarf4";

/// An image of that kernel, with one jail, and the directory that holds it.
static CORE: LazyLock<(tempfile::TempDir, PathBuf)> = LazyLock::new(|| {
    let scenario = Scenario::open(fixtures().join("scenarios/statics.toml")).unwrap();
    let kernel = Kernel::open(Source::open(kernel()).unwrap(), None).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let image = image::build(&scenario, kernel).unwrap();
    let core = image.save(Format::MinidumpV2, directory.path()).unwrap();
    (directory, core)
});

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn kernel() -> PathBuf {
    fixtures().join("kernel").join(KERNEL)
}

/// What the program prints of an expression.
fn print(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vnetkvm"));
    command.arg("-N").arg(kernel()).arg("-M").arg(&CORE.1);
    let output = command.arg("print").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// The numbers by gdb, in hexadecimal.
fn by_gdb(expression: &str) -> String {
    let table = fixtures().join(format!("kernel/variables/{KERNEL}.tsv"));
    let mut rows = tsv::rows(&table);
    let row = rows.find(|row| row.fields::<3>()[0] == expression);
    row.unwrap().fields::<3>()[2].to_owned()
}

#[test]
fn flags_have_the_names_of_the_kernels_own_formats() {
    for (expression, type_name, names) in [
        // Bit 15 has no name in the format.
        ("feat_buf.b_flags", "uint32_t", "async|cache|done|vmio|0x4000"),
        ("feat_buf.b_vflags", "unsigned char", "scanned|bkgrdinprog"),
        // The format stands in an array as well as among the literals.
        ("feat_tcphdr.th_flags", "u_char", "SYN|ACK"),
        (
            "cpu_feature",
            "u_int",
            "FPU|VME|DE|PSE|TSC|MSR|PAE|MCE|CX8|APIC|SEP|MTRR|PGE|MCA|CMOV|PAT|PSE36|MMX|FXSR|SSE|\
             SSE2|HTT",
        ),
        ("cpu_stdext_feature@x86/x86/identcpu.c", "u_int", "FSGSBASE|SMEP"),
    ] {
        let number = by_gdb(expression.split('@').next().unwrap());
        let expected = format!("({type_name}) {number} ({names})");
        assert_eq!(print(&[expression]), format!("{expression} = {expected}"));
    }
    // In the struct as well.
    let whole = print(&["feat_buf"]);
    assert!(whole.contains("b_flags = 0x20004224 (async|cache|done|vmio|0x4000),"), "{whole}");
    assert!(whole.contains("b_xflags = 33,"), "{whole}");
}

#[test]
fn a_number_without_one_certain_format_stays_a_number() {
    for (expression, shown) in [
        // The kernel has two formats for these.
        ("feat_buf.b_xflags", "(b_xflags_t) 33"),
        // And none for these.
        ("amd_feature", "(u_int) 537921536"),
        ("feat_buf.b_bio.bio_flags", "(uint16_t) 5"),
        // No flag is set.
        ("feat_buf_idle.b_flags", "(uint32_t) 0"),
        // What is computed is no member any more.
        ("feat_buf.b_flags + 0", "(unsigned int) 536887844"),
    ] {
        assert_eq!(print(&[expression]), format!("{expression} = {shown}"));
    }
    assert_eq!(print(&["/x", "feat_tcphdr.th_flags"]), "feat_tcphdr.th_flags = (u_char) 0x12");
    assert_eq!(print(&["/r", "feat_tcphdr.th_flags"]), "feat_tcphdr.th_flags = (u_char) 18");
}

#[test]
fn programs_are_given_the_number() {
    let printed = print(&["--json", "feat_buf.b_flags", "feat_tcphdr.th_flags"]);
    let printed: Json = serde_json::from_str(&printed).unwrap();
    assert_eq!(printed["results"][0]["value"], 0x2000_4224);
    assert_eq!(printed["results"][1]["value"], 0x12);
    let plain = print(&["--format", "plain", "feat_tcphdr.th_flags"]);
    assert!(plain.ends_with("0x12 (SYN|ACK)"), "{plain}");
}
