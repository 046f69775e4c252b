//! A Python module that teaches lldb the kernel's vnets: commands and functions.
//!
//! It asks the debugger for everything that depends on the kernel, so one text serves all
//! kernels, with and without a dump.

use std::io::{self, Write};

/// The parts of the module, in the order in which they stand in it.
const PARTS: [&str; 7] = [
    include_str!("lldb_script/kernel.py"),
    include_str!("debugger_script/vnets.py"),
    include_str!("lldb_script/vnets.py"),
    include_str!("lldb_script/copies.py"),
    include_str!("lldb_script/commands.py"),
    include_str!("lldb_script/vnetkvm.py"),
    include_str!("lldb_script/define.py"),
];

const TITLE: &str = "\
# vnetkvm for lldb, version 14 and later.
# Load with: command script import FILE; then for example: vnets, help vnet, V ip_defttl
";

/// Writes the module.
///
/// # Errors
/// `out` cannot be written to.
pub fn write_lldb_script(mut out: impl Write) -> io::Result<()> {
    out.write_all(TITLE.as_bytes())?;
    PARTS.iter().try_for_each(|part| write!(out, "\n\n{part}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Over the wire and through any locale it arrives as it is.
    #[test]
    fn the_module_is_ascii_without_tabs_and_long_lines() {
        let mut script = Vec::new();
        write_lldb_script(&mut script).unwrap();
        let script = String::from_utf8(script).unwrap();
        for line in script.lines() {
            assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line}");
            assert!(line.len() <= 110 && line.trim_end() == line, "{line}");
        }
    }
}
