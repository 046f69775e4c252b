//! Symbols of modules in the runtime: modules link to each other by local symbols too, as the
//! kernel's linker allows it, and a step may stop in a module's function.

#![cfg(feature = "cli")]

use std::path::{Path, PathBuf};
use std::process::Command;

use goblin::elf::sym::STB_LOCAL;
use goblin::elf::{Elf, SectionHeader};
use vnetkvm::image::machine::MachineOptions;
use vnetkvm::image::runtime::{Event, JailOptions, ModuleFile, Runtime};
use vnetkvm::image::{Image, ImageError, Scenario, build, kernel::LoadedKernel};
use vnetkvm::kernel::Kernel;
use vnetkvm::source::Source;

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kernel").join(path)
}

fn boot(kernel: &str) -> Runtime {
    let kernel = Kernel::open(Source::open(fixture(kernel)).unwrap(), None).unwrap();
    Runtime::boot(LoadedKernel::load(kernel, MachineOptions::default()).unwrap(), &[0]).unwrap()
}

/// Changes each entry `name` of the symbol table in the section `table`.
fn change(bytes: &mut [u8], table: &str, name: &str, edit: impl Fn(&mut [u8])) {
    let elf = Elf::parse(bytes).unwrap();
    let header = |header: &&SectionHeader| elf.shdr_strtab.get_at(header.sh_name) == Some(table);
    let header = elf.section_headers.iter().find(header).unwrap();
    let (symbols, strings) = match table {
        ".dynsym" => (&elf.dynsyms, &elf.dynstrtab),
        _ => (&elf.syms, &elf.strtab),
    };
    let named = symbols.iter().enumerate().filter(|(_, s)| strings.get_at(s.st_name) == Some(name));
    let (start, size) = (header.sh_offset as usize, header.sh_entsize as usize);
    let places: Vec<usize> = named.map(|(number, _)| start + number * size).collect();
    assert!(!places.is_empty(), "{name} in {table}");
    for at in places {
        edit(&mut bytes[at..at + size]);
    }
}

/// A copy of bridgestp.ko with `bstp_first` as `objcopy --localize-symbol` would have left it.
fn localized(arch: &str, dir: &Path) -> ModuleFile {
    let mut bytes = std::fs::read(fixture(&format!("modules/{arch}/bridgestp.ko"))).unwrap();
    // st_info of an Elf64_Sym: the binding is in its upper half.
    change(&mut bytes, ".symtab", "bstp_first", |entry| entry[4] = STB_LOCAL << 4 | entry[4] & 15);
    if arch != "amd64" {
        // A linker leaves local symbols out of the dynamic ones: no name, no section, no value.
        change(&mut bytes, ".dynsym", "bstp_first", |entry| entry.fill(0));
    }
    let path = dir.join("bridgestp.ko");
    std::fs::write(&path, bytes).unwrap();
    ModuleFile::from_path(&path).unwrap()
}

#[test]
fn local_symbols_of_a_module_resolve_as_the_kernel_s_linker_resolves_them() {
    for (arch, kernel) in [("amd64", "classic-clang-dwarf4"), ("arm64", "arm64")] {
        let dir = tempfile::tempdir().unwrap();
        let mut bridgestp = localized(arch, dir.path());
        let path = fixture(&format!("modules/{arch}/if_bridge.ko"));
        let bridge = ModuleFile::from_path(&path).unwrap();
        let mut runtime = boot(kernel);
        runtime.load_module(&bridgestp).unwrap();
        runtime.load_module(&bridge).unwrap();
        if arch == "amd64" {
            continue;
        }
        // What a boot loader brings has no table but the dynamic one.
        bridgestp.preloaded = true;
        let mut runtime = boot(kernel);
        runtime.load_module(&bridgestp).unwrap();
        let why = runtime.load_module(&bridge).unwrap_err().to_string();
        assert!(why.contains("bstp_first undefined (if_bridge.ko)"), "{why}");
    }
}

#[test]
fn a_weak_symbol_that_nobody_has_is_null() {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = std::fs::read(fixture("modules/arm64/if_bridge.ko")).unwrap();
    change(&mut bytes, ".dynsym", "bstp_first", |entry| entry[4] = 2 << 4);
    let path = dir.path().join("if_bridge.ko");
    std::fs::write(&path, bytes).unwrap();
    let mut runtime = boot("arm64");
    runtime.load_module(&ModuleFile::from_path(&path).unwrap()).unwrap();
    assert!(runtime.is_loaded("if_bridge.ko"));
}

fn scenario(steps: &str) -> Result<Image, ImageError> {
    let gif = fixture("modules/amd64/if_gif.ko");
    let text = format!(
        "cpus = 2\n[[step]]\ndo = \"jail\"\nname = \"vpn\"\n\
         [[step]]\ndo = \"module\"\nfile = {gif:?}\n{steps}"
    );
    let kernel = Source::open(fixture("classic-clang-dwarf4")).unwrap();
    build(&Scenario::parse(&text)?, Kernel::open(kernel, None).unwrap())
}

/// What the program says of the image: standard output, or of a failure standard error.
fn vnetkvm(image: &Image, args: &[&str]) -> String {
    let dir = tempfile::tempdir().unwrap();
    image.save_kernel(dir.path()).unwrap();
    let core = image.save(vnetkvm::image::Format::MinidumpV2, dir.path()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_vnetkvm"))
        .arg("-N")
        .arg(dir.path().join("kernel"))
        .arg("-M")
        .arg(core)
        .args(args)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_step_stops_in_a_function_of_a_module() {
    let destroyed = "[[step]]\ndo = \"process\"\nname = \"jail\"\ntid = 100700\n\
         [[step]]\ndo = \"interface\"\nname = \"gif0\"\nhome = \"vpn\"\n\
         [[step]]\ndo = \"destroy\"\njail = \"vpn\"\nstop = \"vnet_gif_uninit\"\nprocess = \"jail\"\n";
    let image = scenario(destroyed).unwrap();
    let trace = image.runtime().trace();
    let Some(Event::Called { function, .. }) = trace.last() else { panic!("{trace:?}") };
    assert_eq!(function, "vnet_gif_uninit");
    let stack = vnetkvm(&image, &["sysinit", "--tid", "100700", "--json"]);
    assert!(stack.contains("\"phase\":\"tearing-down\""), "{stack}");
    assert!(stack.contains("vnet_gif_uninit"), "{stack}");

    let made = "[[step]]\ndo = \"jail\"\nname = \"new\"\nstop = \"vnet_gif_init\"\n";
    let image = scenario(made).unwrap();
    let trace = image.runtime().trace();
    let Some(Event::Called { function, .. }) = trace.last() else { panic!("{trace:?}") };
    assert_eq!(function, "vnet_gif_init");
}

#[test]
fn a_module_s_destructor_frees_its_interfaces_when_it_is_unloaded() {
    let steps = "[[step]]\ndo = \"interface\"\nname = \"gif0\"\nhome = \"vpn\"\n\
         [[step]]\ndo = \"interface\"\nname = \"em0\"\nhome = \"vpn\"\n\
         [[step]]\ndo = \"unload\"\nmodule = \"if_gif.ko\"\n";
    let image = scenario(steps).unwrap();
    assert!(image.runtime().interface("gif0").is_err());
    assert!(image.runtime().interface("em0").is_ok());
}

#[test]
fn a_constructor_of_a_module_can_be_registered_by_name() {
    let steps = "[[step]]\ndo = \"sysinit\"\nname = \"again\"\nsubsystem = \"SI_SUB_PSEUDO\"\n\
         function = \"vnet_gif_init\"\n";
    assert!(scenario(steps).is_ok());
    let unknown = steps.replace("vnet_gif_init", "vnet_no_init");
    let Err(error) = scenario(&unknown) else { panic!("{unknown}") };
    let why = std::error::Error::source(&error).unwrap().to_string();
    assert!(why.contains("loaded module has a function vnet_no_init"), "{why}");
}

#[test]
fn unloaded_functions_have_no_name() {
    let mut runtime = boot("classic-clang-dwarf4");
    let gif = ModuleFile::from_path(&fixture("modules/amd64/if_gif.ko")).unwrap();
    runtime.load_module(&gif).unwrap();
    runtime.unload_module("if_gif.ko").unwrap();
    runtime.create_jail(&JailOptions::new("web")).unwrap();
    let named = |event: &Event| matches!(event, Event::Called { function, .. } if function == "vnet_gif_init");
    assert_eq!(runtime.trace().iter().filter(|event| named(event)).count(), 1, "vnet0's alone");
}
