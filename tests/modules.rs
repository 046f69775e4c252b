//! Modules that the runtime loaded, read back from a dump: what readelf and gdb say of the
//! modules' files must be what a dump shows of them, in every vnet.

#![cfg(feature = "cli")]

mod tsv;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use vnetkvm::addr::VirtAddr;
use vnetkvm::image::object::Object;
use vnetkvm::image::runtime::{JailOptions, ModuleFile, Runtime, SysinitKind};
use vnetkvm::image::{Format, Image, Literal, kernel::LoadedKernel, machine::MachineOptions};
use vnetkvm::kernel::{Kernel, LinkerSet};
use vnetkvm::session::{Options, Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::value::{Limits, Value};
use vnetkvm::vnet::ModuleSpace;
use vnetkvm::walk::Problems;

/// Architecture, kernel, and the modules that are loaded in this order.
const MACHINES: [(&str, &str, &[&str]); 7] = [
    ("amd64", "classic-clang-dwarf4", &["bridgestp.ko", "if_gif.ko", "if_bridge.ko"]),
    ("amd64", "newer-clang19-dwarf5", &["bridgestp.ko", "if_gif.ko", "if_bridge.ko"]),
    ("arm64", "arm64", &["bridgestp.ko", "if_gif.ko", "if_bridge.ko"]),
    ("i386", "i386", &["bridgestp.ko", "if_gif.ko", "if_bridge.ko"]),
    ("i386", "i386-pae", &["bridgestp.ko", "if_gif.ko", "if_bridge.ko"]),
    ("riscv64", "riscv64", &["if_gif.ko"]),
    ("powerpc64", "powerpc64", &["if_gif.ko"]),
];

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kernel").join(path)
}

fn boot(kernel: &str) -> Runtime {
    let kernel = Kernel::open(Source::open(fixture(kernel)).unwrap(), None).unwrap();
    let loaded = LoadedKernel::load(kernel, MachineOptions::default()).unwrap();
    let mut runtime = Runtime::boot(loaded, &[0]).unwrap();
    runtime.create_jail(&JailOptions::new("web01")).unwrap();
    runtime
}

fn module(arch: &str, name: &str) -> ModuleFile {
    ModuleFile::from_path(&fixture(&format!("modules/{arch}/{name}"))).unwrap()
}

/// A dump of what `runtime` has done; `files`: with the modules' files beside the kernel.
fn session(runtime: Runtime, files: bool) -> (tempfile::TempDir, Session) {
    let dir = tempfile::tempdir().unwrap();
    let image = Image::of(runtime).unwrap();
    image.save_kernel(dir.path()).unwrap();
    if !files {
        for entry in std::fs::read_dir(dir.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.to_string_lossy().contains(".ko") {
                std::fs::remove_file(path).unwrap();
            }
        }
    }
    let core = image.save(Format::MinidumpV2, dir.path()).unwrap();
    let kernel = Some(dir.path().join("kernel"));
    let session = Session::open(&Options { kernel, core, ..Options::default() }).unwrap();
    (dir, session)
}

/// What readelf says of a module's variables: offset in the set, and size, by name.
fn symbols(arch: &str, module: &str) -> BTreeMap<String, (u64, u64)> {
    let number = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
    let (mut start, mut found) = (0, Vec::new());
    for row in tsv::rows(&fixture("modules/symbols.tsv")) {
        let [in_arch, in_module, value, size, _, name] = row.fields();
        if (in_arch, in_module) == (arch, module) {
            match name.strip_prefix("vnet_entry_") {
                Some(name) => found.push((name.to_owned(), number(value), size.parse().unwrap())),
                None if name == "__start_set_vnet" => start = number(value),
                None => {}
            }
        }
    }
    found.into_iter().map(|(name, value, size)| (name, (value - start, size))).collect()
}

/// What gdb says of their types and files, by name.
fn types(arch: &str, module: &str) -> BTreeMap<String, (String, String)> {
    let mut found = BTreeMap::new();
    for row in tsv::rows(&fixture("modules/types.tsv")) {
        let [in_arch, in_module, name, _, type_name, file] = row.fields();
        if (in_arch, in_module) == (arch, module) {
            found.insert(name.to_owned(), (type_name.to_owned(), file.to_owned()));
        }
    }
    found
}

#[test]
fn variables_of_modules_are_where_readelf_and_gdb_say() {
    let mut typed = 0;
    for (arch, kernel, modules) in MACHINES {
        let mut runtime = boot(kernel);
        for name in modules {
            runtime.load_module(&module(arch, name)).unwrap();
        }
        let (_dir, session) = session(runtime, true);
        let known = session.modules().unwrap();
        assert!(known.problems.is_empty(), "{kernel}: {:?}", known.problems);
        let names: Vec<&str> = known.files.iter().map(|file| &*file.name).collect();
        assert_eq!(names, [&["kernel"], modules].concat(), "{kernel}");
        for module in known.modules() {
            assert_eq!(module.problems, [""; 0].map(Box::from), "{kernel} {}", module.name);
            let expected = symbols(arch, &module.name);
            if expected.is_empty() {
                assert!(module.set(LinkerSet::Vnet).is_none(), "{kernel} {}", module.name);
                continue;
            }
            let set = module.set(LinkerSet::Vnet).unwrap().range.start.get();
            let variables = session.variables(&[format!("*@{}", module.name)]).unwrap();
            let found = variables.iter().map(|variable| {
                (variable.name.to_string(), (variable.master.get() - set, variable.size))
            });
            assert_eq!(found.collect::<BTreeMap<_, _>>(), expected, "{kernel} {}", module.name);
            let by_gdb = types(arch, &module.name);
            for variable in &variables {
                let name = session.types().unwrap().name(variable.type_id.unwrap());
                let file = variable.file.as_deref().unwrap().to_owned();
                if let Some(expected) = by_gdb.get(&*variable.name) {
                    assert_eq!(&(name, file), expected, "{kernel} {}", variable.name);
                    typed += 1;
                }
            }
        }
    }
    assert_eq!(typed, 4 * 25, "variables whose type gdb has told");
}

#[test]
fn every_vnet_has_its_own_copy() {
    for (arch, kernel, modules) in MACHINES {
        let mut runtime = boot(kernel);
        for name in modules {
            runtime.load_module(&module(arch, name)).unwrap();
        }
        let web01 = runtime.jail_scope("web01").unwrap();
        runtime.set(web01, "V_max_gif_nesting", &Literal::Int(7)).unwrap();
        runtime.create_jail(&JailOptions::new("later")).unwrap();
        let (_dir, session) = session(runtime, true);
        let value = |vnet: usize, what: &str| {
            let vnet = session.select(&Selector::Index(vnet)).unwrap().stacks[0];
            session.print(vnet, what, &Limits::default()).unwrap().value
        };
        let nesting: Vec<_> = (0..3).map(|vnet| value(vnet, "V_max_gif_nesting")).collect();
        assert_eq!(nesting, [1, 7, 1].map(Value::Int), "{kernel}");
        assert_eq!(value(2, "ip_gif_ttl@if_gif.ko"), Value::Int(30));
        if modules.len() > 1 {
            assert_eq!(value(2, "ip_gif_ttl@if_bridge.ko"), Value::Int(64));
            let name = value(1, "V_bridge_list_mtx.lock_object.lo_name");
            let Value::Pointer(name) = name else { panic!("{name:?}") };
            assert_eq!(name.text(), Some("bridge"), "its pointers are relocated");
        }
    }
}

#[test]
fn without_files_names_addresses_and_bytes_remain() {
    for (arch, kernel, modules) in MACHINES {
        let mut runtime = boot(kernel);
        for name in modules {
            runtime.load_module(&module(arch, name)).unwrap();
        }
        let (_dir, session) = session(runtime, false);
        let variables = session.variables(&["*@if_gif.ko".into()]).unwrap();
        let expected = symbols(arch, "if_gif.ko");
        assert_eq!(variables.len(), expected.len(), "{kernel}");
        assert!(variables.iter().all(|variable| variable.type_id.is_none()));
        let ttl = &session.variables(&["ip_gif_ttl@if_gif.ko".into()]).unwrap()[0];
        let vnet = session.select(&Selector::Index(1)).unwrap().stacks[0];
        let (_, value) = session.value(vnet, ttl, &Limits::default());
        let bytes = if arch == "powerpc64" { 30i32.to_be_bytes() } else { 30i32.to_le_bytes() };
        assert_eq!(value, Value::Bytes(bytes.to_vec().into()), "{kernel}");
    }
}

/// The free list of module space, and how much the heap holds.
fn room(runtime: &Runtime) -> (Vec<(VirtAddr, u64)>, usize) {
    let machine = runtime.kernel().machine();
    let list = runtime.module_space().unwrap().free_list(machine).unwrap();
    (list, machine.allocations().count())
}

#[test]
fn unloading_gives_back_all_that_loading_took() {
    for (arch, kernel, modules) in MACHINES {
        let mut runtime = boot(kernel);
        // Classes are compiled at their first use, and stay.
        for name in modules {
            runtime.load_module(&module(arch, name)).unwrap();
        }
        modules.iter().rev().for_each(|name| runtime.unload_module(name).unwrap());
        let before = room(&runtime);
        assert_eq!(before.0.len(), 1, "{kernel}: all of module space is free");
        let constructors = runtime.sysinits(SysinitKind::Constructor).unwrap();
        let gif = module(arch, "if_gif.ko");
        if modules.len() == 1 {
            runtime.load_module(&gif).unwrap();
        } else {
            modules.iter().for_each(|name| runtime.load_module(&module(arch, name)).unwrap());
        }
        let more = runtime.sysinits(SysinitKind::Constructor).unwrap();
        assert_eq!(more.len(), constructors.len() + modules.len().min(2), "{kernel}");
        modules.iter().rev().for_each(|name| runtime.unload_module(name).unwrap());
        assert_eq!(room(&runtime), before, "{kernel}");
        assert_eq!(runtime.sysinits(SysinitKind::Constructor).unwrap(), constructors);
        let (_dir, session) = session(runtime, false);
        assert_eq!(session.modules().unwrap().files.len(), 1);
    }
}

#[test]
fn what_the_kernel_refuses_is_refused_and_leaves_nothing() {
    let refused = |runtime: &mut Runtime, name| {
        let before = room(runtime);
        let why = runtime.load_module(&module("amd64", name)).unwrap_err().to_string();
        assert_eq!(room(runtime), before, "{why}");
        why
    };
    let mut runtime = boot("classic-clang-dwarf4");
    assert!(refused(&mut runtime, "if_bridge.ko").contains("bstp_first undefined"));
    runtime.load_module(&module("amd64", "bridgestp.ko")).unwrap();
    assert!(refused(&mut runtime, "bridgestp.ko").contains("loaded already"));
    runtime.place_module("large", &[0; 32768 - 0x48]).unwrap();
    assert!(refused(&mut runtime, "if_gif.ko").contains("ENOSPC"));
    let foreign = runtime.load_module(&module("arm64", "if_gif.ko")).unwrap_err().to_string();
    assert!(foreign.contains("not for amd64"), "{foreign}");
}

#[test]
fn of_a_preloaded_module_the_debug_file_knows_the_static_variables() {
    for (files, expected) in [(true, 11), (false, 1)] {
        let mut runtime = boot("i386");
        let mut gif = module("i386", "if_gif.ko");
        gif.preloaded = true;
        runtime.load_module(&gif).unwrap();
        let (_dir, session) = session(runtime, files);
        let variables = session.variables(&["*@if_gif.ko".into()]).unwrap();
        assert_eq!(variables.len(), expected, "only .dynsym is in memory");
        assert!(variables.iter().any(|variable| &*variable.name == "gif_defects"));
    }
}

/// A member of a module's `struct elf_file`, by the name of its kernel's file.
fn member(runtime: &Runtime, module: &str, path: &str) -> Object {
    let kernel = runtime.kernel();
    let machine = kernel.machine();
    let head = kernel.variable("linker_files").unwrap();
    let class = if module.contains("obj") { "link_elf_obj_class" } else { "link_elf_class" };
    let class = kernel.kernel().symbol(class).unwrap().address;
    let type_id = kernel.types().find_beside(class, "struct elf_file").unwrap();
    let mut at = machine.pointer(head.address).unwrap();
    loop {
        let file = Object::new(at, type_id);
        let name = VirtAddr::new(kernel.get(file, "lf.filename").unwrap());
        let mut text = [0; 9];
        machine.read(name, &mut text).unwrap();
        if &text == b"if_gif.ko" {
            return kernel.member(file, path).unwrap();
        }
        at = VirtAddr::new(kernel.get(file, "lf.link.tqe_next").unwrap());
    }
}

#[test]
fn a_damaged_module_costs_itself_alone() {
    let object = "classic-clang-dwarf4 obj";
    let damages: [(&str, &str, u64, &str); 12] = [
        (object, "ddbsymcnt", u64::MAX, "is impossible"),
        (object, "ddbsymcnt", 1 << 40, "is impossible"),
        (object, "ddbsymtab", 0xffff_fe00_dead_0000, "symbol table cannot be read"),
        (object, "ddbstrtab", 8, "symbol names cannot be read"),
        (object, "ddbstrcnt", 1 << 60, "is impossible"),
        (object, "nprogtab", 1 << 30, "which is impossible"),
        (object, "progtab", 0xffff_fe00_dead_0000, "section 0 cannot be read"),
        (object, "lf.filename", 0, "filename cannot be read"),
        (object, "lf.ops", 0x10, "cannot be found"),
        ("arm64", "vnet_stop", 1, "before its start"),
        ("arm64", "vnet_stop", u64::MAX, "is impossible"),
        ("arm64", "vnet_base", u64::MAX - 8, "is impossible"),
    ];
    for (kernel, path, value, expected) in damages {
        let file = kernel.split(' ').next().unwrap();
        let mut runtime = boot(file);
        let arch = if file == "arm64" { "arm64" } else { "amd64" };
        for name in ["if_gif.ko", "bridgestp.ko", "if_bridge.ko"] {
            runtime.load_module(&module(arch, name)).unwrap();
        }
        let member = member(&runtime, kernel, path);
        runtime.kernel_mut().store(member, value).unwrap();
        let (_dir, session) = session(runtime, true);
        let modules = session.modules().unwrap();
        assert_eq!(modules.files.len(), 4, "{path}");
        let problems = modules.files[1].problems.join("; ");
        assert!(problems.contains(expected), "{path} = {value:#x}: {problems}");
        assert_eq!(&*modules.files[1].name, "if_gif.ko", "{path}");
        assert!(modules.files[3].problems.is_empty(), "{path}");
        assert_eq!(session.variables(&["*@if_bridge.ko".into()]).unwrap().len(), 14, "{path}");
        assert!(session.variables(&[]).unwrap().len() > 300, "{path}");
        ModuleSpace::read(session.target(), session.modules().unwrap(), LinkerSet::Vnet).unwrap();
    }
}

#[test]
fn a_symbol_table_that_costs_too_much_says_by_which_limit() {
    let mut runtime = boot("classic-clang-dwarf4");
    for name in ["if_gif.ko", "bridgestp.ko"] {
        runtime.load_module(&module("amd64", name)).unwrap();
    }
    // 24 bytes each: less than a file may have, and more than these files justify.
    let count = member(&runtime, "obj", "ddbsymcnt");
    runtime.kernel_mut().store(count, 100 << 20).unwrap();
    let (_dir, session) = session(runtime, true);
    let modules = session.modules().unwrap();
    let problems = modules.files[1].problems.join("; ");
    assert!(problems.contains("bytes, the memory limit"), "{problems}");
    assert!(session.budget().bytes_taken() < 16 << 20, "what was refused is not charged");
    assert!(modules.files[2].problems.is_empty() && modules.files[2].symbols.iter().count() > 0);
}

/// What a stray link leads to is often zeros, which are no module.
#[test]
fn what_has_no_name_and_no_path_ends_the_list() {
    let mut runtime = boot("classic-clang-dwarf4");
    for name in ["if_gif.ko", "bridgestp.ko"] {
        runtime.load_module(&module("amd64", name)).unwrap();
    }
    let names = ["lf.filename", "lf.pathname"].map(|path| member(&runtime, "obj", path));
    for name in names {
        runtime.kernel_mut().store(name, 0).unwrap();
    }
    let (_dir, session) = session(runtime, true);
    let modules = session.modules().unwrap();
    assert_eq!(modules.files.iter().map(|file| &*file.name).collect::<Vec<_>>(), ["kernel"]);
    assert!(first_of(&modules.problems).contains("breaks off at 0x"), "{:?}", modules.problems);
}

#[test]
fn without_debug_information_the_kernel_itself_says_where_names_are() {
    let open = |name| Source::open(fixture(&format!("small-split/{name}"))).unwrap();
    let kernel = Kernel::open(open("kernel"), Some(open("kernel.debug"))).unwrap();
    let loaded = LoadedKernel::load(kernel, MachineOptions::default()).unwrap();
    let mut runtime = Runtime::boot(loaded, &[0]).unwrap();
    runtime.load_module(&module("amd64", "if_gif.ko")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let image = Image::of(runtime).unwrap();
    image.save_kernel(dir.path()).unwrap();
    std::fs::remove_file(dir.path().join("kernel.debug")).unwrap();
    let core = image.save(Format::MinidumpV2, dir.path()).unwrap();
    let kernel = Some(dir.path().join("kernel"));
    let session = Session::open(&Options { kernel, core, ..Options::default() }).unwrap();
    let modules = session.modules().unwrap();
    assert!(modules.problems.is_empty(), "{:?}", modules.problems);
    let told = modules.files.iter().map(|file| (&*file.name, &*file.path, file.id, file.is_kernel));
    let expected = [
        ("kernel", "/boot/kernel/kernel", None, true),
        ("if_gif.ko", "/boot/kernel/if_gif.ko", None, false),
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    assert!(modules.files.iter().all(|file| file.problems.is_empty() && !file.address.is_null()));
    assert!(session.variables(&[]).unwrap().len() > 300);
}

#[test]
fn a_list_of_modules_that_goes_in_circles_ends() {
    let mut runtime = boot("classic-clang-dwarf4");
    runtime.load_module(&module("amd64", "bridgestp.ko")).unwrap();
    runtime.load_module(&module("amd64", "if_gif.ko")).unwrap();
    let next = member(&runtime, "obj", "lf.link.tqe_next");
    let head = runtime.kernel().variable("linker_files").unwrap();
    let first = runtime.kernel().machine().pointer(head.address).unwrap();
    runtime.kernel_mut().store(next, first.get()).unwrap();
    let (_dir, session) = session(runtime, true);
    let modules = session.modules().unwrap();
    assert_eq!(modules.files.len(), 3);
    assert!(first_of(&modules.problems).contains("cycle"), "{:?}", modules.problems);
    assert_eq!(session.variables(&["*@if_gif.ko".into()]).unwrap().len(), 11);
}

#[test]
fn faults_of_module_space_are_told_apart() {
    let space = |damage: &dyn Fn(&mut Runtime, Object, Object)| {
        let mut runtime = boot("classic-clang-dwarf4");
        for name in ["a", "b", "c"] {
            runtime.place_module(name, &[0; 64]).unwrap();
        }
        runtime.load_module(&module("amd64", "if_gif.ko")).unwrap();
        runtime.remove_module("a").unwrap();
        runtime.remove_module("c").unwrap();
        let kernel = runtime.kernel();
        let head = kernel.variable("vnet_data_free_head").unwrap();
        let first = kernel.machine().pointer(head.address).unwrap();
        let first = kernel.object(first, "struct vnet_data_free").unwrap();
        let second = VirtAddr::new(kernel.get(first, "vnd_link.tqe_next").unwrap());
        damage(&mut runtime, first, Object { address: second, ..first });
        let (_dir, session) = session(runtime, true);
        let space =
            ModuleSpace::read(session.target(), session.modules().unwrap(), LinkerSet::Vnet)
                .unwrap();
        let sizes: u64 = space.regions.iter().map(|region| region.len()).sum();
        assert_eq!(sizes, 32768, "the map is whole");
        // What cannot be known is not said to be lost.
        assert_eq!(space.lost().is_none(), !space.problems.is_empty());
        let broken = space.problems.iter().map(|_| "broken");
        broken.chain(space.faults.iter().map(|fault| fault.kind.name())).collect::<Vec<_>>()
    };
    let set = |path: &'static str, value: u64| {
        move |runtime: &mut Runtime, first: Object, _: Object| {
            runtime.kernel_mut().set(first, path, value).unwrap();
        }
    };
    // Module b left no trace but its place.
    assert_eq!(space(&|_, _, _| {}), ["lost"]);
    assert_eq!(space(&set("vnd_len", 128)), ["unmerged"]);
    assert_eq!(space(&set("vnd_len", 0u64.wrapping_sub(64))), ["out-of-bounds", "lost"]);
    assert_eq!(space(&set("vnd_len", 160)), ["overlap"]);
    assert_eq!(space(&set("vnd_start", 0x1000)), ["out-of-bounds", "lost"]);
    assert_eq!(space(&set("vnd_link.tqe_next", 0x1000)), ["broken"]);
    let circle = |runtime: &mut Runtime, first: Object, second: Object| {
        runtime.kernel_mut().set(second, "vnd_link.tqe_next", first.address.get()).unwrap();
    };
    assert_eq!(space(&circle), ["broken"]);
    let swapped = |runtime: &mut Runtime, first: Object, second: Object| {
        let kernel = runtime.kernel_mut();
        let starts = [first, second].map(|entry| kernel.get(entry, "vnd_start").unwrap());
        kernel.set(first, "vnd_start", starts[1]).unwrap();
        kernel.set(second, "vnd_start", starts[0]).unwrap();
    };
    assert_eq!(space(&swapped), ["unsorted", "lost"]);
}

/// With nothing of the list there, the command fails and says nothing on standard output.
#[test]
fn a_list_of_modules_that_cannot_be_read_at_all_is_a_failure() {
    let mut runtime = boot("classic-clang-dwarf4");
    let head = runtime.kernel().variable("linker_files").unwrap();
    let nowhere = VirtAddr::new(0x4141_4141_4141_4141);
    // Neither end leads anywhere.
    let kernel = runtime.kernel_mut();
    for member in ["tqh_first", "tqh_last"] {
        kernel.set(head, member, nowhere.get()).unwrap();
    }
    let (dir, session) = session(runtime, false);
    assert!(session.modules().unwrap().files.is_empty());
    for format in ["table", "json"] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_vnetkvm"))
            .arg("-N")
            .arg(dir.path().join("kernel"))
            .arg("-M")
            .arg(session.core_path())
            .args(["--format", format, "modules"])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(output.stdout.is_empty(), "{format}");
        assert!(said.contains("0x4141414141414141") && said.contains("hint:"), "{said}");
    }
}

fn first_of(problems: &Problems) -> String {
    problems.iter().next().expect("there is one").to_string()
}

/// A variable of a module that the list no longer leads to is not "no variable".
#[test]
fn what_a_broken_list_of_modules_hides_is_unknown() {
    let mut runtime = boot("classic-clang-dwarf4");
    runtime.load_module(&module("amd64", "if_gif.ko")).unwrap();
    let head = runtime.kernel().variable("linker_files").unwrap();
    let kernel = runtime.kernel();
    let first = VirtAddr::new(kernel.get(head, "tqh_first").unwrap());
    let first = kernel.object(first, "struct linker_file").unwrap();
    let nowhere = VirtAddr::new(0x4141_4141_4141_4141);
    runtime.kernel_mut().set(first, "link.tqe_next", nowhere.get()).unwrap();
    runtime.kernel_mut().set(head, "tqh_last", nowhere.get()).unwrap();
    let (dir, session) = session(runtime, false);
    for (words, code) in [
        (&["vars", "max_gif_nesting"][..], 2),
        (&["print", "max_gif_nesting"], 2),
        (&["counters", "max_gif_nesting"], 2),
        (&["--strict", "vars", "ip_defttl"], 2),
        (&["info"], 0),
    ] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_vnetkvm"))
            .arg("-N")
            .arg(dir.path().join("kernel"))
            .arg("-M")
            .arg(session.core_path())
            .args(words)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains("the modules: the list breaks off"), "{words:?}: {text}");
        assert!(!text.contains("has no variable"), "{words:?}: {text}");
        assert_eq!(output.status.code(), Some(code), "{words:?}: {text}");
    }
}
