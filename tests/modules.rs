//! Modules that the runtime loaded, read back from a dump: what readelf and gdb say of the
//! modules' files must be what a dump shows of them, in every vnet.

mod tsv;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use vnetkvm::image::runtime::{JailOptions, ModuleFile, Runtime};
use vnetkvm::image::{Format, Image, Literal, kernel::Loaded, machine::MachineOptions};
use vnetkvm::kernel::Kernel;
use vnetkvm::session::{Options, Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::value::{Limits, Value};

/// Architecture, kernel, and the modules that are loaded in this order.
const MACHINES: [(&str, &str, &[&str]); 6] = [
    ("amd64", "classic-clang-dwarf4", &["bridgestp.ko", "if_gif.ko", "if_bridge.ko"]),
    ("amd64", "newer-clang19-dwarf5", &["bridgestp.ko", "if_gif.ko", "if_bridge.ko"]),
    ("arm64", "arm64", &["bridgestp.ko", "if_gif.ko", "if_bridge.ko"]),
    ("i386", "i386", &["bridgestp.ko", "if_gif.ko", "if_bridge.ko"]),
    ("i386", "i386-pae", &["bridgestp.ko", "if_gif.ko", "if_bridge.ko"]),
    ("riscv64", "riscv64", &["if_gif.ko"]),
];

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kernel").join(path)
}

fn boot(kernel: &str) -> Runtime {
    let kernel = Kernel::open(Source::open(fixture(kernel)).unwrap(), None).unwrap();
    let loaded = Loaded::load(kernel, MachineOptions::default()).unwrap();
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
        assert_eq!(known.problems, [""; 0].map(Box::from), "{kernel}");
        let names: Vec<&str> = known.files.iter().map(|file| &*file.name).collect();
        assert_eq!(names, [&["kernel"], modules].concat(), "{kernel}");
        for module in known.modules() {
            assert_eq!(module.problems, [""; 0].map(Box::from), "{kernel} {}", module.name);
            let expected = symbols(arch, &module.name);
            if expected.is_empty() {
                assert_eq!(module.set, None, "{kernel} {}", module.name);
                continue;
            }
            let set = module.set.clone().unwrap().start.get();
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
            let vnet = session.select(&Selector::Index(vnet)).unwrap()[0];
            session.print(vnet, what, &Limits::default()).unwrap().value
        };
        let nesting: Vec<_> = (0..3).map(|vnet| value(vnet, "V_max_gif_nesting")).collect();
        assert_eq!(nesting, [1, 7, 1].map(Value::Int), "{kernel}");
        assert_eq!(value(2, "ip_gif_ttl@if_gif.ko"), Value::Int(30));
        if modules.len() > 1 {
            assert_eq!(value(2, "ip_gif_ttl@if_bridge.ko"), Value::Int(64));
            let name = value(1, "V_bridge_list_mtx.lock_object.lo_name");
            let Value::Pointer(name) = name else { panic!("{name:?}") };
            assert_eq!(name.text.as_deref(), Some("bridge"), "its pointers are relocated");
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
        let vnet = session.select(&Selector::Index(1)).unwrap()[0];
        let (_, value) = session.value(vnet, ttl, &Limits::default());
        assert_eq!(value, Value::Bytes(vec![30, 0, 0, 0]), "{kernel}");
    }
}
