//! DPCPU variables, of the kernel and of modules: what the runtime did is what comes out, on every
//! kind of kernel, by DWARF and by CTF; what is damaged is an error in its place.

#![cfg(feature = "image")]

mod tsv;

use std::collections::BTreeMap;
use std::path::Path;

use tempfile::TempDir;
use vnetkvm::addr::VirtAddr;
use vnetkvm::answers::pcpu::Which;
use vnetkvm::answers::{self, Answer};
use vnetkvm::image::{DumpFile, Format, Image, Scenario, build};
use vnetkvm::kernel::LinkerSet;
use vnetkvm::session::{Names, Options, Place, Printed, Selector, Session};
use vnetkvm::types;
use vnetkvm::value::model::ErrorKind;
use vnetkvm::value::{Limits, Value};
use vnetkvm::vnet::modspace::{Accounts, Holder, SpaceFaultKind};
use vnetkvm::vnet::{ModuleSpace, Stack, VnetError};
use vnetkvm::{Error, error::ExprError};

/// 12.1 and main on amd64; pointers of 4 bytes; a kernel that runs elsewhere than it is linked, of
/// the other order of bytes.
const SCENARIOS: [&str; 4] = ["pcpu", "pcpu-newer", "pcpu-i386", "pcpu-powerpc64"];

const CPUS: [u32; 3] = [0, 1, 3];

fn image(scenario: &str) -> Image {
    let scenario = Scenario::open(format!("fixtures/scenarios/{scenario}.toml")).unwrap();
    build(&scenario, scenario.open_kernel().unwrap()).unwrap()
}

/// The image as files, and a session of them.
fn opened(image: &Image, wanted: Option<types::Format>) -> (TempDir, Session) {
    let directory = tempfile::tempdir().unwrap();
    image.save_kernel(directory.path()).unwrap();
    let core = image.save(DumpFile::from(Format::Virtual), directory.path()).unwrap();
    let session = open(directory.path(), &core, wanted);
    (directory, session)
}

fn open(directory: &Path, core: &Path, types: Option<types::Format>) -> Session {
    let kernel = Some(directory.join("kernel"));
    Session::open(&Options { kernel, core: core.to_owned(), types, ..Options::default() }).unwrap()
}

fn print(session: &Session, expression: &str) -> Result<Printed, Error> {
    print_on(session, None, expression)
}

fn print_on(session: &Session, cpu: Option<u64>, expression: &str) -> Result<Printed, Error> {
    let place = Place { stack: Stack::Unchosen, names: Names { cpu, ..Names::default() } };
    session.print_at(place, expression, &Limits::default())
}

fn int(session: &Session, expression: &str) -> i128 {
    match print(session, expression).unwrap().value {
        Value::Int(value) => value,
        other => panic!("{expression}: {other:?}"),
    }
}

fn refused(session: &Session, expression: &str) -> ExprError {
    match print(session, expression).unwrap_err() {
        Error::Expr { source, .. } => source,
        other => panic!("{other}"),
    }
}

/// The address and value of each variable of a CPU, by its title.
fn listed(session: &Session, cpu: u32) -> BTreeMap<String, (VirtAddr, Value)> {
    let which = Which::Ids(vec![cpu.into()]);
    let answer = answers::pcpu(session, &which, &[], &Limits::default()).unwrap();
    let mut found = BTreeMap::new();
    answer.variables(answer.cpus[0]).elements.for_each(|variable| {
        found.insert(
            variable.of.title.clone(),
            (variable.address().unwrap_or_default(), variable.value()),
        );
    });
    found
}

#[test]
fn every_cpu_has_its_own_copies() {
    for scenario in SCENARIOS {
        let image = image(scenario);
        let (_files, session) = opened(&image, None);
        let ids: Vec<u64> = session.cpus().unwrap().all.iter().map(|cpu| cpu.id).collect();
        assert_eq!(ids, [0, 1, 3], "{scenario}");
        for cpu in CPUS {
            let all = listed(&session, cpu);
            let runtime = image.runtime();
            for name in ["hardclocktime", "nws", "feat_percpu", "dyn_hp"] {
                let title = all.keys().find(|title| title.split('@').next() == Some(name));
                let title = title.unwrap_or_else(|| panic!("{scenario}: {name}"));
                let there = runtime.dpcpu_id_ptr(cpu, title).unwrap().address;
                assert_eq!(all[title].0, there, "{scenario} {title} of CPU {cpu}");
            }
        }
        let clock = |cpu| int(&session, &format!("DPCPU(hardclocktime, {cpu})"));
        assert_eq!([clock(0), clock(1), clock(3)], [1 << 32, (1 << 32) + 1, -1], "{scenario}");
        // A value that only the master has.
        assert_eq!(int(&session, "DPCPU(feat_percpu, 1).number"), -7, "{scenario}");
        assert_eq!(int(&session, "pcpu_entry_feat_percpu.number"), -7, "{scenario}");
    }
}

#[test]
fn modules_have_dpcpu_variables() {
    for scenario in ["pcpu", "pcpu-i386", "pcpu-powerpc64"] {
        let image = image(scenario);
        let (_files, session) = opened(&image, None);
        let quota = |cpu| int(&session, &format!("DPCPU(feat_epair_quota@if_epair.ko, {cpu})"));
        assert_eq!([quota(0), quota(1), quota(3)], [64, 32, 64], "{scenario}");
        let flags = int(&session, "DPCPU(epair_dpcpu, 3).epair_drv_flags");
        assert_eq!(flags, 128, "{scenario}");
        for cpu in CPUS {
            let there = image.runtime().dpcpu_id_ptr(cpu, "epair_dpcpu").unwrap().address;
            assert_eq!(listed(&session, cpu)["epair_dpcpu"].0, there, "{scenario}");
        }
        // ipfw.ko has been unloaded.
        assert!(matches!(
            refused(&session, "DPCPU(dyn_hp@ipfw.ko)"),
            ExprError::Vnet(VnetError::NoSuchVariable { set: LinkerSet::Pcpu, .. })
        ));
        let space =
            ModuleSpace::read(session.target(), session.modules().unwrap(), LinkerSet::Pcpu)
                .unwrap();
        let holders: Vec<&Holder> = space.regions.iter().map(|region| &region.holder).collect();
        let epair = Holder::Module("if_epair.ko".into());
        assert_eq!(holders, [&Holder::Free, &epair, &Holder::Free], "{scenario}");
        assert_eq!((space.size(), space.lost()), (2048, Some(0)), "{scenario}");
        assert_eq!((space.faults.len(), space.problems.is_empty()), (0, true), "{scenario}");
    }
}

/// What gdb and readelf say of each variable: by CPU, name and file its address, and by name and
/// file its type.
#[test]
fn addresses_and_types_are_those_gdb_gives() {
    for (scenario, kernel, arch) in [
        ("pcpu", "small-pcpu-dwarf4", "amd64"),
        ("pcpu-newer", "newer-pcpu-dwarf5", "amd64"),
        ("pcpu-i386", "i386-pcpu", "i386"),
        ("pcpu-powerpc64", "powerpc64-pcpu", "powerpc64"),
    ] {
        let mut types = BTreeMap::new();
        for row in tsv::rows(Path::new(&format!("fixtures/kernel/variables/pcpu/{kernel}.tsv"))) {
            let [name, _, _, _, type_name, file] = row.fields();
            types.insert((name.to_owned(), file.to_owned()), type_name.to_owned());
        }
        for row in tsv::rows(Path::new("fixtures/kernel/modules/pcpu-types.tsv")) {
            let [of, _, name, _, type_name, file] = row.fields();
            // The types are the same on all.
            if of == if arch == "powerpc64" { "amd64" } else { arch } {
                types.insert((name.to_owned(), file.to_owned()), type_name.to_owned());
            }
        }
        let (_files, session) = opened(&image(scenario), None);
        let (mut by_gdb, mut ours) = (BTreeMap::new(), BTreeMap::new());
        let table = format!("fixtures/pcpu/{scenario}.tsv");
        // gdb does not follow the kernel to where it runs.
        let recorded = (arch != "powerpc64").then(|| tsv::rows(Path::new(&table)));
        for row in recorded.into_iter().flatten() {
            let [cpu, name, file, address, _] = row.fields();
            by_gdb.insert((cpu.to_owned(), name.to_owned(), file.to_owned()), address.to_owned());
        }
        let mut typed = 0;
        let answer = answers::pcpu(&session, &Which::All, &[], &Limits::default()).unwrap();
        for cpu in &answer.cpus {
            answer.variables(cpu).elements.for_each(|it| {
                let variable = &it.of.variable;
                let file = variable.file.as_deref().unwrap().to_owned();
                let key = (variable.name.to_string(), file.clone());
                assert_eq!(it.of.type_name.as_ref(), types.get(&key), "{scenario}: {key:?}");
                typed += 1;
                let key = (cpu.id.to_string(), key.0, file);
                // A module has a variable of a file of that name too; gdb knows the kernel's.
                match variable.of_module() {
                    None => drop(ours.insert(key, it.address().unwrap().to_string())),
                    Some(_) => drop(ours.entry(key).or_insert(it.address().unwrap().to_string())),
                }
            });
        }
        assert!(typed >= 3 * 13, "{scenario}: {typed}");
        assert_eq!(by_gdb.is_empty(), arch == "powerpc64", "{scenario}");
        for (key, address) in &by_gdb {
            assert_eq!(ours.get(key), Some(address), "{scenario}: {key:?}");
        }
    }
}

/// The kernel's and the module's CTF were written from their DWARF by another program. It has no
/// files, so that variables are told apart by their addresses.
#[test]
fn ctf_and_dwarf_agree() {
    let image = image("pcpu");
    let (_files, dwarf) = opened(&image, None);
    let files = tempfile::tempdir().unwrap();
    for (from, to) in [("pcpu-ctf2", "kernel"), ("modules/amd64/if_epair.ko", "if_epair.ko")] {
        let from = format!("fixtures/kernel/ctf/{from}");
        std::fs::copy(from, files.path().join(to)).unwrap();
    }
    let core = image.save(DumpFile::from(Format::Virtual), files.path()).unwrap();
    let ctf = open(files.path(), &core, None);
    assert!(!ctf.kernel().linked().main().has_debug_info());
    let by_address = |session: &Session| {
        let answer = answers::pcpu(session, &Which::All, &[], &Limits::default()).unwrap();
        let mut found = BTreeMap::new();
        for cpu in &answer.cpus {
            answer.variables(cpu).elements.for_each(|it| {
                let described = (it.of.variable.name.clone(), it.of.type_name.clone(), it.value());
                found.insert((cpu.id, it.address()), described);
            });
        }
        found
    };
    let (by_dwarf, by_ctf) = (by_address(&dwarf), by_address(&ctf));
    assert_eq!(by_dwarf, by_ctf);
    assert_eq!(by_ctf.len(), 3 * 18);
    assert_eq!(int(&ctf, "DPCPU(epair_dpcpu, 3).epair_drv_flags"), 128);
    assert_eq!(int(&ctf, "DPCPU(feat_percpu_twice@#1, 0)"), 100);
}

#[test]
fn the_struct_pcpu_of_a_cpu_is_an_expression() {
    for scenario in SCENARIOS {
        let (_files, session) = opened(&image(scenario), None);
        for cpu in CPUS {
            let id = int(&session, &format!("cpu({cpu}).pc_cpuid"));
            assert_eq!(id, i128::from(cpu), "{scenario}");
            let same = int(&session, &format!("cpu({cpu}).pc_dynamic - dpcpu_off[{cpu}]"));
            assert_eq!(same, 0, "{scenario}");
        }
        let size = int(&session, "sizeof(cpu(0)) - sizeof(struct pcpu)");
        assert_eq!(size, 0, "{scenario}");
        let of_type = print(&session, "cpu(1 + 2)").unwrap().type_name;
        assert_eq!(&*of_type, "struct pcpu", "{scenario}");
    }
}

#[test]
fn the_cpu_is_chosen_or_that_of_the_crashing_thread() {
    let (_files, session) = opened(&image("pcpu"), None);
    let chosen = |cpu| print_on(&session, cpu, "DPCPU(nws).nws_cpu").unwrap();
    assert_eq!(chosen(Some(3)).value, Value::Int(3));
    assert_eq!(chosen(Some(3)).notes, [""; 0].map(Box::from));
    let by_default = chosen(None);
    let default = session.default_cpu().unwrap();
    assert_eq!(by_default.value, Value::Int(default.cpu.id.into()));
    let note = format!("DPCPU variables are those of {}", default.title);
    assert_eq!(by_default.notes, [note.into_boxed_str()]);
    // A CPU that the expression names needs no note.
    assert_eq!(print(&session, "DPCPU(nws, 1)").unwrap().notes, [""; 0].map(Box::from));
    // The operand of sizeof is not read.
    assert_eq!(print(&session, "sizeof DPCPU(nws)").unwrap().notes, [""; 0].map(Box::from));
}

#[test]
fn wrong_names_and_cpus_are_explained() {
    let (_files, session) = opened(&image("pcpu"), None);
    let Err(Error::Expr { source: ExprError::NoSuchName { near, .. }, .. }) =
        print(&session, "nws")
    else {
        panic!("a variable of CPUs has no address of its own")
    };
    assert_eq!(near[0], "DPCPU(nws)");
    let error = refused(&session, "DPCPU(hardclocktim)");
    assert_eq!(error.to_string(), "this kernel has no DPCPU variable hardclocktim");
    let ExprError::Vnet(VnetError::NoSuchVariable { near, .. }) = error else { panic!() };
    assert_eq!(near, ["hardclocktime"]);
    let error = refused(&session, "cpu(2)").to_string();
    assert_eq!(error, "there is no CPU 2: the CPUs are 0, 1, 3");
    let error = refused(&session, "DPCPU(nws, -1)").to_string();
    assert_eq!(error, "there is no CPU -1: the CPUs are 0, 1, 3");
    let error = print_on(&session, Some(7), "DPCPU(nws)").unwrap_err();
    assert!(error.is_no_match(), "{error}");
    let error = refused(&session, "DPCPU(feat_percpu_twice)");
    let ExprError::Vnet(VnetError::Ambiguous { files, .. }) = error else { panic!("{error}") };
    assert_eq!(files.len(), 2, "{files:?}");
    let none = answers::pcpu(&session, &Which::Ids(vec![2]), &[], &Limits::default());
    assert!(none.err().unwrap().is_no_match());
}

#[test]
fn a_kernel_without_dpcpu_variables_says_so() {
    let demo = vnetkvm::image::demo().unwrap();
    let session = Session::from_sources(demo.kernel, demo.core).unwrap();
    let error = answers::pcpu(&session, &Which::All, &[], &Limits::default()).err().unwrap();
    assert!(matches!(error, Error::Vnet(VnetError::NoDpcpu)), "{error}");
    assert!(matches!(refused(&session, "DPCPU(nws)"), ExprError::Vnet(VnetError::NoDpcpu)));
    // Its CPUs have structs all the same.
    assert_eq!(int(&session, "cpu(1).pc_cpuid"), 1);
    let space = answers::modspace(&session, LinkerSet::Pcpu);
    assert!(matches!(space, Err(Error::Vnet(VnetError::NoDpcpu))));
}

/// An image in which the word of a variable, at an offset, has another value.
fn damaged(scenario: &str, name: &str, word: u64, value: u64) -> (TempDir, Session) {
    let mut image = image(scenario);
    let kernel = image.runtime_mut().kernel_mut();
    let size = kernel.kernel().arch().pointer_size();
    let at = kernel.address_of(name).unwrap().wrapping_add(word * size);
    kernel.machine_mut().set_uint(at, size, value).unwrap();
    opened(&image, None)
}

#[test]
fn a_cpu_without_copies_has_no_values() {
    for scenario in SCENARIOS {
        let (_files, session) = damaged(scenario, "dpcpu_off", 1, 0);
        for (name, (address, value)) in listed(&session, 1) {
            let Value::Error(error) = value else { panic!("{scenario}: {name} {value:?}") };
            assert_eq!(error.kind, ErrorKind::Unallocated, "{scenario}: {name}");
            assert_eq!(&*error.message, "CPU 1 has no copy: dpcpu_off[1] is 0");
            assert!(address.is_null());
        }
        let error = refused(&session, "DPCPU(nws, 1)").to_string();
        assert_eq!(error, "DPCPU(nws) cannot be found: CPU 1 has no copy: dpcpu_off[1] is 0");
        // pc_dynamic still has the number.
        let which = Which::Ids(vec![1]);
        let answer = answers::pcpu(&session, &which, &[], &Limits::default()).unwrap();
        let said: Vec<String> = answer.problems().iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains(
            "dpcpu_off[1], which is used, is 0x0, but pc_dynamic of its struct pcpu is 0x"
        ));
        // Others have theirs.
        assert_eq!(int(&session, "DPCPU(hardclocktime, 3)"), -1);
        assert!(
            answers::pcpu(&session, &Which::Ids(vec![3]), &[], &Limits::default())
                .unwrap()
                .problems()
                .is_empty()
        );
    }
}

#[test]
fn a_wild_offset_is_called_out_and_reads_nothing() {
    for scenario in SCENARIOS {
        // Both lead to where nothing is mapped.
        let wild = if scenario == "pcpu-i386" { 0x6000_0000 } else { 0x10_0000_0000 };
        let (_files, session) = damaged(scenario, "dpcpu_off", 3, wild);
        for (name, (_, value)) in listed(&session, 3) {
            assert!(value.unreadable() > 0, "{scenario}: {name} {value:?}");
        }
        let printed = print(&session, "DPCPU(feat_percpu_word, 3)").unwrap();
        assert!(printed.remarks[0].contains("but pc_dynamic of its struct pcpu is"));
        assert!(matches!(printed.value, Value::Error(_)), "{:?}", printed.value);
    }
}

#[test]
fn cpus_that_cannot_be_read_are_problems() {
    // A damaged mp_maxid is not believed.
    let (_files, session) = damaged("pcpu", "mp_maxid", 0, u64::MAX);
    assert_eq!(session.cpus().unwrap().all.len(), 3);
    // A set without CPUs.
    let (_files, session) = damaged("pcpu", "all_cpus", 0, 0);
    assert!(session.cpus().unwrap().all.is_empty());
    for which in [Which::Default, Which::All] {
        let error = answers::pcpu(&session, &which, &[], &Limits::default()).err().unwrap();
        assert_eq!(error.to_string(), "there is no CPU 0: the kernel says that there are none");
    }
}

#[test]
fn a_struct_pcpu_of_another_cpu_is_called_out() {
    let mut image = image("pcpu");
    let kernel = image.runtime_mut().kernel_mut();
    let place = kernel.address_of("cpuid_to_pcpu").unwrap();
    let pcpu = kernel.machine().pointer(place.wrapping_add(8)).unwrap();
    let type_id = kernel.types().find("struct pcpu").unwrap();
    let id = kernel.types().member(type_id, "pc_cpuid").unwrap().offset;
    kernel.machine_mut().set_uint(pcpu.wrapping_add(id), 4, 3).unwrap();
    let (_files, session) = opened(&image, None);
    let doubt = session.cpu(1).unwrap().doubt.as_ref().unwrap().to_string();
    assert!(doubt.contains("pc_cpuid of the struct pcpu of CPU 1 is 3"), "{doubt}");
    assert!(session.cpu(3).unwrap().doubt.is_none());
}

/// A kernel's variable may even be of the file that a module's is of.
#[test]
fn every_variable_has_a_name_that_leads_to_it() {
    for scenario in ["pcpu", "pcpu-newer"] {
        let (_files, session) = opened(&image(scenario), None);
        let which = Which::Ids(vec![1, 1]);
        let answer = answers::pcpu(&session, &which, &[], &Limits::default()).unwrap();
        assert_eq!(answer.cpus.len(), 1);
        let mut titles = Vec::new();
        answer.variables(answer.cpus[0]).elements.for_each(|variable| {
            titles.push((variable.of.title.clone(), variable.address()));
        });
        for (title, address) in titles {
            let patterns = [title.clone()];
            let found = answers::pcpu(&session, &which, &patterns, &Limits::default()).unwrap();
            let mut places = Vec::new();
            found.variables(found.cpus[0]).elements.for_each(|it| places.push(it.address()));
            assert_eq!(places, [address], "{scenario}: {title}");
            let printed = print(&session, &format!("&DPCPU({title}, 1)")).unwrap();
            assert_eq!(printed.value.as_address(), address, "{scenario}: {title}");
        }
    }
}

/// What a module uses is not lost because its struct is cut off.
#[test]
fn module_space_is_unknown_where_a_module_is() {
    let whole = image("pcpu");
    let kernel = whole.runtime().kernel();
    let head = kernel.address_of("linker_files").unwrap();
    let next = kernel.types().find("struct linker_file").unwrap();
    let link = kernel.types().member(next, "link").unwrap().offset;
    let first = kernel.machine().pointer(head).unwrap();
    let module = kernel.machine().pointer(first.wrapping_add(link)).unwrap();
    let (_files, session) = lacking(image("pcpu"), module);
    for set in LinkerSet::ALL {
        let space = answers::modspace(&session, set).unwrap();
        assert!(!space.problems().is_empty(), "{set:?}");
        assert_eq!(space.modspace.lost, None, "{set:?}");
    }
    let error =
        answers::pcpu(&session, &Which::Default, &["feat_epair_quota".into()], &Limits::default());
    let missed = error.unwrap().take_missed().remove(0).to_string();
    assert_eq!(missed, "whether there is a variable feat_epair_quota is unknown");
}

/// An image that lacks the page at an address.
fn lacking(mut image: Image, at: VirtAddr) -> (TempDir, Session) {
    let page = image.runtime().kernel().machine().physical(at).unwrap();
    image.leave_out(page);
    let directory = tempfile::tempdir().unwrap();
    image.save_kernel(directory.path()).unwrap();
    let core = image.save(DumpFile::from(Format::MinidumpV2), directory.path()).unwrap();
    let session = open(directory.path(), &core, None);
    (directory, session)
}

/// An image that lacks the page of a variable.
fn without(name: &str) -> (TempDir, Session) {
    let image = image("pcpu");
    let at = image.runtime().kernel().address_of(name).unwrap();
    lacking(image, at)
}

#[test]
fn what_the_dump_lacks_is_unknown() {
    // Every CPU up to mp_maxid may exist, and a problem says so.
    let (_files, session) = without("all_cpus");
    let cpus = session.cpus().unwrap();
    assert_eq!(cpus.all.iter().map(|cpu| cpu.id).collect::<Vec<_>>(), [0, 1, 2, 3]);
    let answer = answers::pcpu(&session, &Which::All, &[], &Limits::default()).unwrap();
    let said: Vec<String> = answer.problems().iter().map(ToString::to_string).collect();
    assert!(said.iter().any(|problem| problem.starts_with("all_cpus")), "{said:?}");
    let one = &cpus.all[2].offset;
    assert_eq!(one.as_ref().unwrap_err().kind, ErrorKind::Unallocated);
    // Where the copies lie is unknown; they are not missing.
    let (_files, session) = without("dpcpu_off");
    let offset = session.cpu(3).unwrap().offset.clone();
    assert_eq!(offset.unwrap_err().kind, ErrorKind::NotDumped);
    let error = refused(&session, "DPCPU(nws, 3)").to_string();
    assert!(error.contains("not in the dump"), "{error}");
    // A page of one copy.
    let whole = image("pcpu");
    let copy = whole.runtime().dpcpu_id_ptr(1, "hardclocktime").unwrap().address;
    let (_files, session) = lacking(whole, copy);
    let Value::Error(error) = print(&session, "DPCPU(hardclocktime, 1)").unwrap().value else {
        panic!();
    };
    assert_eq!(error.kind, ErrorKind::NotDumped);
    assert_eq!(int(&session, "DPCPU(hardclocktime, 3)"), -1);
}

#[test]
fn a_hostile_free_list_ends() {
    for scenario in ["pcpu", "pcpu-i386"] {
        let mut image = image(scenario);
        let kernel = image.runtime_mut().kernel_mut();
        let size = kernel.kernel().arch().pointer_size();
        let head = kernel.address_of("dpcpu_head").unwrap();
        let first = kernel.machine().pointer(head).unwrap();
        // struct dpcpu_free: df_start, df_len, df_link.
        let link = first.wrapping_add(2 * size);
        kernel.machine_mut().set_uint(link, size, first.get()).unwrap();
        let (_files, session) = opened(&image, None);
        let modules = session.modules().unwrap();
        let space = ModuleSpace::read(session.target(), modules, LinkerSet::Pcpu).unwrap();
        assert_eq!(space.accounts, Accounts::Broken, "{scenario}");
        assert_eq!((space.free(), space.lost()), (None, None), "{scenario}");
        let holders = space.regions.iter().map(|region| &region.holder);
        assert!(!holders.clone().any(|holder| *holder == Holder::Nobody), "{scenario}");
        // A negative length.
        let mut image = self::image(scenario);
        let machine = image.runtime_mut().kernel_mut().machine_mut();
        machine.set_uint(first.wrapping_add(size), 4, u64::from(u32::MAX)).unwrap();
        let (_files, session) = opened(&image, None);
        let modules = session.modules().unwrap();
        let space = ModuleSpace::read(session.target(), modules, LinkerSet::Pcpu).unwrap();
        let kinds: Vec<SpaceFaultKind> = space.faults.iter().map(|fault| fault.kind).collect();
        assert!(kinds.contains(&SpaceFaultKind::OutOfBounds), "{scenario}: {kinds:?}");
        assert!(kinds.contains(&SpaceFaultKind::Lost), "{scenario}: {kinds:?}");
    }
}

#[test]
fn every_byte_of_a_copy_has_a_name() {
    for scenario in SCENARIOS {
        let (_files, session) = opened(&image(scenario), None);
        let whatis = session.whatis(0).unwrap();
        let cpu = session.cpu(3).unwrap();
        let mut count = 0;
        for variable in session.matches_in(LinkerSet::Pcpu, &[]).unwrap().variables {
            if variable.is_module_space() {
                continue;
            }
            let start = cpu.copy_of(session.target(), variable.master).unwrap();
            for offset in (0..variable.size).step_by(7) {
                let line = whatis.describe(start.wrapping_add(offset)).to_string();
                let (expression, _) = line.split_once(", ").unwrap();
                let (name, path) = expression.split_once(')').unwrap();
                let path = path.split_once('+').map_or(path, |(path, _)| path);
                let printed = print(&session, &format!("&{name}, 3){path}"));
                let Ok(printed) = printed else { continue };
                let there = start.wrapping_add(offset);
                let Value::Pointer(at) = printed.value else { panic!("{line}") };
                assert!(at.address <= there, "{scenario}: {line}");
                assert!(line.ends_with(", CPU 3"), "{line}");
                count += 1;
            }
        }
        assert!(count > 50, "{scenario}: {count}");
    }
}

#[test]
fn a_check_holds_the_arena_to_its_rules() {
    let verdict = |session: &Session| {
        let names = ["modspace".to_owned()];
        let answer = answers::checks(session, &Selector::Default, &names).unwrap();
        serde_json::to_string(&answer).unwrap()
    };
    let (_files, session) = opened(&image("pcpu"), None);
    let sound = verdict(&session);
    assert!(sound.contains("of DPCPU variables, 1968 bytes are free, and modules have 80"));
    let mut image = image("pcpu");
    let machine = image.runtime_mut().kernel_mut();
    let head = machine.address_of("dpcpu_head").unwrap();
    let first = machine.machine().pointer(head).unwrap();
    machine.machine_mut().set_uint(first.wrapping_add(8), 4, 16).unwrap();
    let (_files, session) = opened(&image, None);
    let sick = verdict(&session);
    assert!(sick.contains("of DPCPU variables, the set of if_epair.ko at"), "{sick}");
    assert!(sick.contains("\"fault\""), "{sick}");
}
