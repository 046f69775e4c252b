//! A Python script that teaches gdb and kgdb the kernel's vnets: functions, commands, printers and
//! an unwinder.
//!
//! It asks the debugger for everything that depends on the kernel, so one text serves all
//! kernels, with and without a dump.

use std::io::{self, Write};

/// The parts of the script, in the order in which they stand in it.
const PARTS: [&str; 16] = [
    include_str!("gdb_script/kernel.py"),
    include_str!("gdb_script/lists.py"),
    include_str!("gdb_script/threads.py"),
    include_str!("debugger_script/vnets.py"),
    include_str!("gdb_script/vnets.py"),
    include_str!("gdb_script/copies.py"),
    include_str!("gdb_script/cpus.py"),
    include_str!("gdb_script/functions.py"),
    include_str!("gdb_script/vnetkvm.py"),
    include_str!("gdb_script/commands.py"),
    include_str!("gdb_script/counters.py"),
    include_str!("gdb_script/inet.py"),
    include_str!("gdb_script/printers.py"),
    include_str!("gdb_script/trapframes.py"),
    include_str!("gdb_script/unwinder.py"),
    include_str!("gdb_script/define.py"),
];

const TITLE: &str = "\
# vnetkvm for gdb and kgdb, version 8 and later.
# Load with: source FILE; then for example: info vnets, help vnet, print $V(\"ip_defttl\")
";

/// Writes the script.
///
/// It is one function that is called at once, so that its names are not those of other
/// scripts: all scripts that gdb runs share a namespace.
///
/// # Errors
/// `out` cannot be written to.
pub fn write_python_script(mut out: impl Write) -> io::Result<()> {
    writeln!(out, "{TITLE}\n\ndef _vnetkvm():")?;
    for part in PARTS {
        for line in part.lines() {
            let indent = if line.is_empty() { "" } else { "    " };
            writeln!(out, "{indent}{line}")?;
        }
        writeln!(out, "\n")?;
    }
    writeln!(out, "_vnetkvm()")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Over the wire and through any locale it arrives as it is.
    #[test]
    fn the_script_is_ascii_without_tabs_and_long_lines() {
        let mut script = Vec::new();
        write_python_script(&mut script).unwrap();
        let script = String::from_utf8(script).unwrap();
        for line in script.lines() {
            assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line}");
            assert!(line.len() <= 110 && line.trim_end() == line, "{line}");
        }
    }
}
