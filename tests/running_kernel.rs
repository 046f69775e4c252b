//! A running kernel does not change: what it answers does not depend on what was asked
//! before, and a kernel's file is the same however many dumps it is held against.

#![cfg(feature = "image")]

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vnetkvm::addr::VirtAddr;
use vnetkvm::answers;
use vnetkvm::dump::{self, Core};
use vnetkvm::image::runtime::{ModuleFile, Runtime};
use vnetkvm::image::{
    Format, Image, Scenario, build, kernel::LoadedKernel, machine::MachineOptions,
};
use vnetkvm::kernel::{Kernel, LinkerSet, RunningKernel};
use vnetkvm::modules::Modules;
use vnetkvm::session::{Options, Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::target::{KernelMatch, Target};
use vnetkvm::types::Types;
use vnetkvm::value::Limits;

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kernel").join(path)
}

fn kernel(name: &str) -> Kernel {
    Kernel::open(Source::open(fixture(name)).unwrap(), None).unwrap()
}

/// The files of a kernel into which if_gif.ko was loaded.
fn with_gif(kernel_name: &str, arch: &str) -> (tempfile::TempDir, Options) {
    let loaded = LoadedKernel::load(kernel(kernel_name), MachineOptions::default()).unwrap();
    let mut runtime = Runtime::boot(loaded, &[0]).unwrap();
    let gif = ModuleFile::from_path(&fixture(&format!("modules/{arch}/if_gif.ko"))).unwrap();
    runtime.load_module(&gif).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let image = Image::of(runtime).unwrap();
    image.save_kernel(dir.path()).unwrap();
    let core = image.save(Format::MinidumpV2, dir.path()).unwrap();
    let kernel = Some(dir.path().join("kernel"));
    (dir, Options { kernel, core, ..Options::default() })
}

/// Addresses of a module: of all that it has symbols for.
fn places(session: &Session) -> Vec<VirtAddr> {
    let module = session.modules().unwrap().modules().next().unwrap();
    module.symbols.iter().map(|symbol| symbol.address).collect()
}

fn labels(target: &Target, places: &[VirtAddr]) -> Vec<Option<(String, u64)>> {
    let label = |at: &VirtAddr| target.label(*at).map(|(name, offset)| (name.into(), offset));
    places.iter().map(label).collect()
}

#[test]
fn names_of_addresses_do_not_depend_on_earlier_questions() {
    for (name, arch) in [("classic-clang-dwarf4", "amd64"), ("arm64", "arm64")] {
        let (_dir, options) = with_gif(name, arch);
        let asked = Session::open(&options).unwrap();
        let places = places(&asked);
        asked.variables(&[]).unwrap();
        asked.sysctls(&[]).unwrap();
        let later = labels(asked.target(), &places);
        // Of this session nothing but names is asked.
        let first = labels(Session::open(&options).unwrap().target(), &places);
        assert_eq!(first, later, "{name}");
        let variable = |label: &Option<(String, u64)>| {
            label.as_ref().is_some_and(|(name, _)| name.starts_with("if_gif.ko:"))
        };
        assert!(first.iter().any(variable), "{name}: {first:?}");
    }
}

/// A question, and its whole answer as text.
type Question = (&'static str, fn(&Session) -> String);

const QUESTIONS: [Question; 17] = [
    ("vnets", |session| format!("{:?}", session.vnets())),
    ("scan", |session| format!("{:?}", session.scan())),
    ("jails", |session| format!("{:?}", session.jails())),
    ("variables", |session| format!("{:?}", session.variables(&[]))),
    ("values", |session| {
        let variables = session.variables(&[]).unwrap();
        let chosen = session.select(&Selector::Index(0)).unwrap().stacks;
        let reader = session.reader(&Limits::default());
        let values = variables.iter().map(|of| session.value_by(&reader, chosen[0], of));
        format!("{:?}", values.collect::<Vec<_>>())
    }),
    ("a type", |session| {
        let types = session.types().unwrap();
        format!("{:?}", types.find("struct gif_softc").map(|found| types.size_of(found)))
    }),
    ("counters", |session| format!("{:?}", session.counter_variables(&[], &[]))),
    ("crashed thread", |session| format!("{:?}", session.crashed_thread())),
    ("sysinits", |session| format!("{:?}", answers::sysinits(session))),
    ("eventhandlers", |session| format!("{:?}", answers::eventhandlers(session, &[]))),
    ("jails", |session| format!("{:?}", answers::jails(session, &Selector::Default))),
    ("threads", |session| format!("{:?}", answers::threads(session, &Selector::Default, true))),
    ("locks", |session| format!("{:?}", answers::locks(session))),
    ("recursions", |session| format!("{:?}", answers::recursions(session))),
    ("sysctls", |session| format!("{:?}", session.sysctls(&[]).map(|tree| tree.oids))),
    ("module space", |session| format!("{:?}", answers::modspace(session, LinkerSet::Vnet))),
    ("warnings", |session| format!("{:?} {:?}", session.warnings(), session.messages())),
];

#[test]
fn answers_do_not_depend_on_earlier_questions() {
    let (_dir, options) = with_gif("classic-clang-dwarf4", "amd64");
    let all = Session::open(&options).unwrap();
    let mut forwards = Vec::new();
    for (name, ask) in QUESTIONS {
        let first = ask(&Session::open(&options).unwrap());
        assert_eq!(ask(&all), first, "{name}");
        forwards.push(first);
    }
    let all = Session::open(&options).unwrap();
    for ((name, ask), first) in QUESTIONS.iter().zip(&forwards).rev() {
        assert_eq!(&ask(&all), first, "{name}, asked backwards");
    }
}

#[test]
fn modules_make_another_target_and_change_none() {
    let (_dir, options) = with_gif("classic-clang-dwarf4", "amd64");
    let kernel = kernel("classic-clang-dwarf4");
    let types = Types::load(&kernel);
    let core = dump::open(Source::open(&options.core).unwrap()).unwrap();
    let alone = Target::open(kernel, core, types).unwrap();
    let modules = Modules::read(&alone);
    let module = modules.modules().next().unwrap();
    let whole = alone.with_modules(modules.symbols(), None);
    assert_eq!(whole.module_at(module.address).map(|found| &*found.name), Some("if_gif.ko"));
    assert!(alone.module_at(module.address).is_none());
    let symbol = module.symbols.by_name("vnet_gif_init").unwrap();
    assert_eq!(whole.symbolize(symbol.address).unwrap().0.name, "vnet_gif_init");
    assert!(alone.symbolize(symbol.address).is_none());
}

/// A dump of a machine that loaded the kernel of powerpc64 at this physical address.
fn loaded_at(kernel: Kernel, address: &str) -> Arc<Core> {
    let scenario = format!(
        "hostname = \"gw\"\ncpus = 1\nmemory = \"32M\"\nformats = [\"full\"]\n\
         [machine]\nload_address = \"{address}\"\n"
    );
    let mut file = Cursor::new(Vec::new());
    let image = build(&Scenario::parse(&scenario).unwrap(), kernel).unwrap();
    image.write(Format::Full, &mut file).unwrap();
    Arc::new(dump::open(Source::from_vec("vmcore.0", file.into_inner())).unwrap())
}

#[test]
fn one_kernel_runs_at_two_addresses_and_does_not_change() {
    const DIRECT_MAP: u64 = 0xc000_0000_0000_0000;
    let cores = [("3M", 0x30_0000), ("8M", 0x80_0000)]
        .map(|(address, start)| (loaded_at(kernel("powerpc64"), address), DIRECT_MAP + start));
    let kernel = Arc::new(kernel("powerpc64"));
    let linked = |kernel: &Kernel| {
        let start = kernel.symbol("__startkernel").unwrap().address;
        (start, kernel.initial_bytes(start, 8).unwrap().into_owned())
    };
    let before = linked(&kernel);
    let targets = cores.each_ref().map(|(core, _)| {
        let matched = Target::kernel_match_of(&kernel, core, None).unwrap();
        assert!(matches!(matched, KernelMatch::Same(_)), "{matched}");
        let types = Types::load(&kernel);
        Target::open(Arc::clone(&kernel), Arc::clone(core), types).unwrap()
    });
    for (target, (_, start)) in targets.iter().zip(&cores) {
        assert!(matches!(target.kernel_match(), KernelMatch::Same(_)), "{}", target.kernel_match());
        let at = target.address_of("__startkernel").unwrap();
        assert_eq!(target.memory().pointer(at), Ok(VirtAddr::new(*start)));
        assert_eq!(*target.kernel().initial_bytes(at, 8).unwrap(), start.to_be_bytes());
        let allprison = target.global("allprison").unwrap();
        assert_eq!(target.variable_at(allprison.address), Some(allprison));
    }
    assert_ne!(targets[0].kernel().slide(), targets[1].kernel().slide());
    assert_eq!(linked(&kernel), before);
}

#[test]
fn a_moved_kernel_gives_every_address_moved_and_takes_it_back() {
    const SLIDE: u64 = 0xc000_0000_0040_0000;
    let linked = Arc::new(kernel("powerpc64"));
    let running = RunningKernel::new(Arc::clone(&linked), SLIDE);
    let moved = |at: VirtAddr| at.wrapping_add(SLIDE);
    let mut places = 0;
    for symbol in linked.symbols().iter().filter(|symbol| !symbol.absolute) {
        let found = running.symbols_named(symbol.name);
        assert!(found.into_iter().any(|found| found.address == moved(symbol.address)));
        assert_eq!(running.linked_at(running.running_at(symbol.address)), symbol.address);
        let name = |found: Option<(vnetkvm::kernel::Symbol<'_>, u64)>| {
            found.map(|(symbol, offset)| (symbol.name.to_owned(), offset))
        };
        let there = name(running.symbolize(moved(symbol.address)));
        assert_eq!(there, name(linked.symbolize(symbol.address)), "{}", symbol.name);
        places += 1;
    }
    assert!(places > 100, "{places}");
    let set = linked.set_vnet().unwrap();
    assert_eq!(running.set_vnet(), Some(moved(set.start)..moved(set.end)));
    let count = linked.set_symbols(LinkerSet::Vnet).count();
    assert_eq!(running.set_symbols(LinkerSet::Vnet).count(), count);
    let starts = linked.segments().map(|segment| moved(segment.virt));
    assert!(running.segments().map(|segment| segment.virt).eq(starts));
}
