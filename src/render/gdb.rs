//! A script that gives gdb and kgdb the variables of one vnet.
//!
//! A debugger knows `vnet_entry_tcbinfo`, the master copy, and no other. The
//! script sets `$V_tcbinfo` to a typed pointer to the chosen vnet's copy, so
//! that `print *$V_tcbinfo` and `print $V_tcbinfo->ipi_count` work. Types that
//! can be written in C are written out, which every gdb since 6 understands. A
//! type without a name, or of a struct that is only declared, is borrowed from
//! the master by `&{__typeof__(master)}address`, which takes gdb 7.5 or later.

use std::io::{self, Write};

use super::sanitize;
use crate::answers::gdb::{PointerType, Script, ScriptVariable, SymbolFile};

/// Writes the script.
pub fn write_script(mut out: impl Write, script: &Script) -> io::Result<()> {
    let title = sanitize::line(&script.title);
    writeln!(out, "# {title}")?;
    writeln!(out, "# Load with: source FILE; then for example: print *$V_ifnet")?;
    script.symbol_files.iter().try_for_each(|file| write_symbol_file(&mut out, file))?;
    writeln!(out, "if sizeof (void *) != {}", script.pointer_size)?;
    writeln!(
        out,
        "  printf \"The kernel's pointers have {} bytes, this debugger's %d: read \
         docs/kgdb.md of vnetkvm.\\n\", (int) sizeof (void *)",
        script.pointer_size
    )?;
    writeln!(out, "else")?;
    writeln!(out, "set $vnet = ({} *){}", script.vnet_type, script.vnet)?;
    writeln!(out, "set $vnet_data_base = {}", script.data_base)?;
    script.variables.iter().try_for_each(|variable| write_variable(&mut out, variable))?;
    writeln!(out, "end")?;
    Ok(())
}

/// The line that gives gdb a module's types, as a comment: whoever runs the script may have
/// the file elsewhere.
fn write_symbol_file(out: &mut impl Write, file: &SymbolFile) -> io::Result<()> {
    let address = |name: &str| file.sections.iter().find(|(known, _)| &**known == name);
    let Some((_, text)) = address(".text").or(file.sections.first()) else { return Ok(()) };
    let module = sanitize::line(&file.module);
    writeln!(out, "# For the types of {module}'s variables, before this script is loaded:")?;
    write!(out, "# add-symbol-file {} {text}", sanitize::line(&file.path))?;
    for name in [".rodata", ".data", ".bss", "set_vnet"] {
        if let Some((_, at)) = address(name) {
            write!(out, " -s {name} {at}")?;
        }
    }
    writeln!(out)
}

fn write_variable(out: &mut impl Write, variable: &ScriptVariable) -> io::Result<()> {
    if !is_identifier(&variable.name) || !is_identifier(&variable.symbol) {
        let name = sanitize::line(&variable.name);
        return writeln!(out, "# {name} is no name that gdb could hold");
    }
    let mut name = format!("V_{}", variable.name);
    if let Some(file) = &variable.file {
        name.push_str("__");
        name.push_str(&identifier_of(file.trim_start_matches('#')));
    }
    let address = variable.address;
    let as_bytes = format!("set ${name} = (char (*)[{}]){address}", variable.size.max(1));
    let typed = |spelled: Option<&str>| match spelled.filter(|spelled| is_plain(spelled)) {
        Some(spelled) => format!("set ${name} = ({spelled}){address}"),
        None => format!("set ${name} = &{{__typeof__({})}}{address}", master(variable)),
    };
    match &variable.pointer {
        PointerType::Written(spelled) => writeln!(out, "{}", typed(Some(spelled))),
        PointerType::Borrowed => writeln!(out, "{}", typed(None)),
        PointerType::Elsewhere(spelled) => {
            let known = sanitize::line(spelled);
            writeln!(out, "# Its type is {known}; once gdb has the module's types:")?;
            writeln!(out, "# {}", typed(Some(spelled)))?;
            writeln!(out, "{as_bytes}")
        }
        PointerType::Unknown => writeln!(out, "{as_bytes}"),
    }
}

/// How gdb names the master, with its file where there are several.
fn master(variable: &ScriptVariable) -> String {
    match &variable.file {
        Some(file) if is_path(file) => format!("'{file}'::{}", variable.symbol),
        _ => variable.symbol.to_string(),
    }
}

/// `if_gif` for `net/if_gif.c`.
fn identifier_of(file: &str) -> String {
    let base = file.rsplit('/').next().unwrap_or(file);
    let stem = base.rsplit_once('.').map_or(base, |(stem, _)| stem);
    stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// Names and paths come from the kernel file: what is not plainly a name never
/// becomes part of a script.
fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn is_path(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "_-+./".contains(c))
}

fn is_plain(spelled: &str) -> bool {
    spelled.chars().all(|c| c.is_ascii_alphanumeric() || " _*()[],".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::VirtAddr;
    use crate::walk::Problems;

    #[test]
    fn pointers_are_typed_and_unwritable_types_borrowed() {
        let variable = |name: &str, symbol: &str, file: Option<&str>, pointer| ScriptVariable {
            name: name.into(),
            symbol: symbol.into(),
            file: file.map(Into::into),
            pointer,
            size: 12,
            address: VirtAddr::new(0xffff_fe00_0123_4560),
        };
        use PointerType::{Borrowed, Unknown};
        let written = |spelled: &str| PointerType::Written(spelled.into());
        let elsewhere = |spelled: &str| PointerType::Elsewhere(spelled.into());
        let variables = vec![
            variable("tcbinfo", "vnet_entry_tcbinfo", None, written("struct inpcbinfo *")),
            variable("ipstat", "vnet_entry_ipstat", None, written("counter_u64_t (*)[35]")),
            variable("anon", "vnet_entry_anon", None, Borrowed),
            variable("dup", "vnet_entry_dup", Some("net/if_gif.c"), written("int *")),
            variable("dup", "vnet_entry_dup", Some("net/gre-x.c"), Borrowed),
            variable("raw", "vnet_entry_raw", None, Unknown),
            variable("mod", "vnet_entry_mod", None, elsewhere("struct x (*)[3]\nshell rm")),
            variable("a;shell rm", "vnet_entry_a", None, Unknown),
            variable("t", "vnet_entry_t", None, written("x)0\nshell rm")),
        ];
        let script = Script {
            title: "vnet 1\nshell rm".into(),
            vnet: VirtAddr::new(0xffff_f800_0123_4560),
            vnet_type: "struct vnet",
            data_base: VirtAddr::new(0x7e00_8000_0000),
            pointer_size: 8,
            symbol_files: vec![SymbolFile {
                module: "x.ko".into(),
                path: "/k/x.ko\nshell rm".into(),
                sections: [(".text", 0x1000), ("set_vnet", 0x2000)]
                    .map(|(name, at)| (name.into(), VirtAddr::new(at)))
                    .into(),
            }],
            variables,
            problems: Problems::default(),
            missed: Vec::new(),
        };
        let mut out = Vec::new();
        write_script(&mut out, &script).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\
# vnet 1\\nshell rm
# Load with: source FILE; then for example: print *$V_ifnet
# For the types of x.ko's variables, before this script is loaded:
# add-symbol-file /k/x.ko\\nshell rm 0x1000 -s set_vnet 0x2000
if sizeof (void *) != 8
  printf \"The kernel's pointers have 8 bytes, this debugger's %d: read docs/kgdb.md of vnetkvm.\\n\", (int) sizeof (void *)
else
set $vnet = (struct vnet *)0xfffff80001234560
set $vnet_data_base = 0x7e0080000000
set $V_tcbinfo = (struct inpcbinfo *)0xfffffe0001234560
set $V_ipstat = (counter_u64_t (*)[35])0xfffffe0001234560
set $V_anon = &{__typeof__(vnet_entry_anon)}0xfffffe0001234560
set $V_dup__if_gif = (int *)0xfffffe0001234560
set $V_dup__gre_x = &{__typeof__('net/gre-x.c'::vnet_entry_dup)}0xfffffe0001234560
set $V_raw = (char (*)[12])0xfffffe0001234560
# Its type is struct x (*)[3]\\nshell rm; once gdb has the module's types:
# set $V_mod = &{__typeof__(vnet_entry_mod)}0xfffffe0001234560
set $V_mod = (char (*)[12])0xfffffe0001234560
# a;shell rm is no name that gdb could hold
set $V_t = &{__typeof__(vnet_entry_t)}0xfffffe0001234560
end
"
        );
    }
}
