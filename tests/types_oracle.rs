//! Types and symbols against what gdb and readelf recorded of the same files
//! (`fixtures/README.md` says how): nothing here comes from our own output.

mod tsv;

use std::path::PathBuf;

use vnetkvm::kernel::{Kernel, LinkerSet};
use vnetkvm::source::Source;
use vnetkvm::types::model::{BitField, Type};
use vnetkvm::types::{TypeId, Types, Variable};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/kernel").join(name)
}

fn kernel(name: &str) -> Kernel {
    Kernel::open(Source::open(fixture(name)).unwrap(), None).unwrap()
}

/// Kernels of the same source, whose structs are the same whoever compiled them.
const CLASSIC: [&str; 5] = [
    "classic-clang-dwarf2",
    "classic-clang-dwarf4",
    "classic-clang-dwarf5",
    "classic-gcc-dwarf4",
    "classic-gcc-dwarf5",
];
const SMALL: [&str; 5] = [
    "small-types-gcc-dwarf4",
    "small-types-gcc-dwarf5",
    "small-zlib-dwarf5",
    "small-zstd-dwarf5",
    "small-vnet-debug-dwarf4",
];
const ZONES: [(&str, &str); 4] = [
    ("small-zones-dwarf4", "zones"),
    ("i386-zones", "zones-i386"),
    ("newer-zones-dwarf5", "zones-newer"),
    ("powerpc64-zones", "zones-powerpc64"),
];
const NEWER: [&str; 2] = ["newer-clang-dwarf4", "newer-clang19-dwarf5"];

#[test]
fn members_lie_where_gdb_says() {
    for name in CLASSIC {
        let checked = check_layouts(name, "layouts/classic.tsv");
        assert!(checked > 2000, "{name}: only {checked} members were there to check");
    }
    for name in SMALL {
        let checked = check_layouts(name, "layouts/classic.tsv");
        assert!(checked > 500, "{name}: only {checked} members were there to check");
    }
    for release in [13, 14, 15] {
        let name = format!("stable{release}-clang-dwarf4");
        let checked = check_layouts(&name, &format!("layouts/stable{release}.tsv"));
        assert!(checked > 2000, "{name}: only {checked} members were there to check");
    }
    for (name, table) in ZONES {
        let checked = check_layouts(name, &format!("layouts/{table}.tsv"));
        assert!(checked > 1800, "{name}: only {checked} members were there to check");
    }
    for name in NEWER {
        let checked = check_layouts(name, "layouts/newer.tsv");
        assert!(checked > 1800, "{name}: only {checked} members were there to check");
    }
}

/// Members of the real kernel that the fixtures were made after.
#[test]
fn structs_have_the_shapes_of_a_real_kernel() {
    let checked = check_layouts("classic-clang-dwarf4", "facts/amd64/layouts.tsv");
    assert!(checked > 1000, "only {checked} members were there to check");
    // The fixture of 15.0 lacks the last member of tcpcb, a byte for trace points.
    for (release, facts) in [(13, "13.2"), (14, "14.0")] {
        let name = format!("stable{release}-clang-dwarf4");
        let checked = check_layouts(&name, &format!("facts/amd64-{facts}/layouts.tsv"));
        assert!(checked > 1500, "{name}: only {checked} members were there to check");
    }
}

/// Both linkers have one, and gdb tells them apart by their files.
#[test]
fn structs_of_one_name_are_told_apart_by_file() {
    for name in CLASSIC {
        let types = Types::load(&kernel(name)).unwrap();
        let definitions = types.definitions("struct elf_file").unwrap();
        let files: Vec<_> = definitions.iter().map(|one| one.file.as_deref().unwrap()).collect();
        assert_eq!(files, ["kern/link_elf.c", "kern/link_elf_obj.c"], "{name}");
        let by_end = |file| types.find(&format!("struct elf_file@{file}"));
        assert_eq!(by_end("link_elf_obj.c"), Ok(definitions[1].type_id), "{name}");
        assert_eq!(by_end("kern/link_elf.c"), Ok(definitions[0].type_id), "{name}");
        for file in ["elf.c", "_obj.c", "sys/kern/link_elf.c", "link_elf"] {
            assert!(by_end(file).is_err(), "{name}: {file}");
        }
        // What headers define is the same in every unit, and so is a typedef repeated.
        for name in ["struct ifnet", "struct vnet", "u_int", "size_t", "int"] {
            assert_eq!(types.definitions(name).unwrap().len(), 1, "{name}");
        }
    }
}

/// Two of them have the same size and begin on the same line.
#[test]
fn structs_of_one_name_and_line_are_told_apart() {
    let types = Types::load(&kernel("small-statics-dwarf4")).unwrap();
    let definitions = types.definitions("struct dump_args").unwrap();
    let mut files: Vec<_> = definitions.iter().map(|one| one.file.as_deref().unwrap()).collect();
    files.sort_unstable();
    let files_expected = ["ip_dummynet.c", "ip_fw_sockopt.c", "ip_fw_table.c"]
        .map(|file| format!("netpfil/ipfw/{file}"));
    assert_eq!(files, files_expected);
}

#[test]
fn variables_have_the_types_gdb_says() {
    for name in ["classic-clang-dwarf4", "classic-gcc-dwarf4", "newer-clang-dwarf4"] {
        check_variables(name, &format!("variables/{name}.tsv"));
    }
    // Where only the DWARF version differs, so do the addresses, and nothing else.
    for name in ["classic-clang-dwarf2", "classic-clang-dwarf5"] {
        check_variables(name, "variables/classic-clang-dwarf4.tsv");
    }
    check_variables("newer-clang19-dwarf5", "variables/newer-clang-dwarf4.tsv");
}

#[test]
fn symbols_are_those_readelf_lists() {
    for name in CLASSIC.iter().chain(&SMALL).chain(&NEWER).chain(&["small-nodebug"]).chain(&[
        "stable13-clang-dwarf4",
        "stable14-clang-dwarf4",
        "stable15-clang-dwarf4",
    ]) {
        let kernel = kernel(name);
        let mut ours: Vec<_> = kernel
            .set_symbols(LinkerSet::Vnet)
            .map(|s| (s.address.to_string(), s.size, s.global, s.name.to_owned()))
            .collect();
        let mut theirs: Vec<_> = tsv::rows(&fixture(&format!("symbols/{name}.tsv")))
            .map(|row| {
                let [address, size, binding, name] = row.fields();
                (address.to_owned(), number(size), binding == "global", name.to_owned())
            })
            .collect();
        ours.sort();
        theirs.sort();
        let missing: Vec<_> = theirs.iter().filter(|row| !ours.contains(row)).collect();
        let extra: Vec<_> = ours.iter().filter(|row| !theirs.contains(row)).collect();
        assert!(missing.is_empty() && extra.is_empty(), "{name}: {missing:?} {extra:?}");
        assert_eq!(ours.len(), theirs.len(), "{name}");
    }
}

/// readelf writes large sizes in hex.
fn number(text: &str) -> u64 {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).unwrap(),
        None => text.parse().unwrap(),
    }
}

/// Compares every member in a table of layouts with the types of a kernel, and
/// tells how many there were.
fn check_layouts(kernel_name: &str, table: &str) -> usize {
    let types = Types::load(&kernel(kernel_name)).unwrap();
    let mut checked = 0;
    for row in tsv::rows(&fixture(table)) {
        let [record, size, offset, member_size, bit_offset, bit_size, member, _] = row.fields();
        let Some(id) = record_named(&types, record) else { continue };
        assert_eq!(types.size_of(id).unwrap().to_string(), size, "{kernel_name}: {record}");
        if member.contains("(anonymous)") {
            continue;
        }
        let path = member.trim_start_matches('.');
        let field = types.path(id, path);
        let field = field.unwrap_or_else(|why| panic!("{kernel_name}: {record}.{path}: {why}"));
        let bits = field.bits.filter(|_| !bit_size.is_empty());
        let wanted = (!bit_size.is_empty()).then(|| BitField {
            bit_offset: bit_offset.parse().unwrap(),
            bit_size: bit_size.parse().unwrap(),
            exact: true,
        });
        assert_eq!(bits, wanted, "{kernel_name}: {record}.{path}");
        assert_eq!(field.offset.to_string(), offset, "{kernel_name}: {record}.{path}");
        if let Ok(ours) = types.size_of(field.type_id) {
            assert_eq!(ours.to_string(), member_size, "{kernel_name}: {record}.{path}");
        }
        checked += 1;
    }
    checked
}

/// The record of a row: `NAME`, `union NAME`, a typedef, or one of several
/// structs of a name by the file that defines it.
fn record_named(types: &Types, record: &str) -> Option<TypeId> {
    let spelled = [record.to_owned(), format!("struct {record}")];
    spelled.iter().find_map(|name| {
        let id = types.find(name).ok()?;
        let (_, found) = types.resolve(id).ok()?;
        matches!(&*found, Type::Record(record) if !record.declaration).then_some(id)
    })
}

fn check_variables(kernel_name: &str, table: &str) {
    let kernel = kernel(kernel_name);
    let types = Types::load(&kernel).unwrap();
    let ours = types.variables_linked_in(&kernel.set_vnet().unwrap());
    let rows: Vec<_> = tsv::rows(&fixture(table)).collect();
    assert_eq!(ours.len(), rows.len(), "{kernel_name}");
    for row in rows {
        let [name, address, size, _, type_name, file] = row.fields();
        // What gdb makes of clang's `unsigned __int128`; the file has no `int` in it.
        let type_name = type_name.replace("unsigned int __int128", "unsigned __int128");
        let same_kernel = table.contains(kernel_name);
        let is_it = |variable: &&Variable| {
            let named = variable.name.strip_prefix("vnet_entry_") == Some(name);
            let here = variable.address.to_string() == address;
            let in_file = file.ends_with(variable.file.as_deref().unwrap_or("?"));
            named && if same_kernel { here } else { in_file }
        };
        let found = ours.iter().find(is_it);
        let found = found.unwrap_or_else(|| panic!("{kernel_name}: no {name} of {file}"));
        let at = format!("{kernel_name}: {name}");
        // DWARF 2 has no restrict, and only DWARF 5 has _Atomic.
        let spoken = |text: &str| match same_kernel {
            true => text.to_owned(),
            false => text.replace(" restrict", "").replace("_Atomic ", ""),
        };
        assert_eq!(spoken(&types.name(found.type_id)), spoken(&type_name), "{at}");
        assert_eq!(types.size_of(found.type_id).unwrap_or(0).to_string(), size, "{at}");
        assert!(file.ends_with(found.file.as_deref().unwrap_or("?")), "{at}: {:?}", found.file);
    }
}
