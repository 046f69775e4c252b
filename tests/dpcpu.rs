//! Variables of which each CPU has a copy (DPCPU), as the runtime keeps them: against numbers
//! that gdb and readelf say of the same kernels, modules and images.

#![cfg(feature = "image")]

mod tsv;

use std::path::{Path, PathBuf};
use std::process::Command;

use vnetkvm::addr::VirtAddr;
use vnetkvm::image::kernel::LoadedKernel;
use vnetkvm::image::machine::MachineOptions;
use vnetkvm::image::object::Object;
use vnetkvm::image::runtime::{ModuleFile, Runtime, Scope};
use vnetkvm::image::{Format, Image, Literal, Scenario, build};
use vnetkvm::kernel::Kernel;
use vnetkvm::source::Source;

const CPUS: [u32; 3] = [0, 1, 3];

/// A machine, and where things are in it.
struct Machine {
    scenario: &'static str,
    kernel: &'static str,
    arch: &'static str,
    /// The running addresses of `__start_set_pcpu` and `__stop_set_pcpu`.
    set: [u64; 2],
    /// `dpcpu_off` of the CPUs 0, 1 and 3.
    offsets: [u64; 3],
    /// `pcpu_entry_modspace`, of 2048 bytes.
    arena: u64,
    /// What remains free in the end: where and how much.
    free: &'static [(u64, u64)],
}

/// `set`, `offsets` and `free` by gdb, but for powerpc64: its kernel does not run where gdb
/// believes it.
const MACHINES: [Machine; 4] = [
    Machine {
        scenario: "pcpu",
        kernel: "small-pcpu-dwarf4",
        arch: "amd64",
        set: [0xffff_ffff_8040_9f40, 0xffff_ffff_8040_ae88],
        offsets: [0xffff_f800_801f_a0c0, 0xffff_f800_801f_b0c0, 0xffff_f800_801f_c0c0],
        arena: 0xffff_ffff_8040_a1a0,
        free: &[(0xffff_ffff_8040_a1a0, 8), (0xffff_ffff_8040_a1f8, 0x7a8)],
    },
    Machine {
        scenario: "pcpu-newer",
        kernel: "newer-pcpu-dwarf5",
        arch: "amd64",
        set: [0xffff_ffff_8040_a180, 0xffff_ffff_8040_bdc8],
        offsets: [0xffff_fe00_7fbf_5e80, 0xffff_fe00_7fbf_8e80, 0xffff_fe00_7fbf_be80],
        arena: 0xffff_ffff_8040_b0c8,
        free: &[(0xffff_ffff_8040_b0d0, 0x7f8)],
    },
    Machine {
        scenario: "pcpu-i386",
        kernel: "i386-pcpu",
        arch: "i386",
        set: [0x0081_0fc0, 0x0081_1d84],
        offsets: [0x003f_1040, 0x003f_3040, 0x003f_5040],
        arena: 0x0081_1160,
        free: &[(0x0081_1160, 8), (0x0081_1198, 0x7c8)],
    },
    Machine {
        scenario: "pcpu-powerpc64",
        kernel: "powerpc64-pcpu",
        arch: "powerpc64",
        set: [0xc000_0000_0011_8100, 0xc000_0000_0011_9108],
        offsets: [0x0007_ffff_ffee_7f00, 0x0007_ffff_ffee_af00, 0x0007_ffff_ffee_df00],
        arena: 0xc000_0000_0011_8398,
        free: &[(0xc000_0000_0011_8398, 8), (0xc000_0000_0011_83f0, 0x7a8)],
    },
];

impl Machine {
    fn image(&self) -> Image {
        let path = format!("fixtures/scenarios/{}.toml", self.scenario);
        let scenario = Scenario::open(Path::new(&path)).unwrap();
        build(&scenario, scenario.open_kernel().unwrap()).unwrap()
    }

    fn boot(&self) -> Runtime {
        boot(self.kernel, &CPUS).unwrap()
    }

    fn module(&self, name: &str) -> ModuleFile {
        ModuleFile::from_path(&fixture(&format!("modules/{}/{name}", self.arch))).unwrap()
    }

    fn page(&self) -> u64 {
        4096
    }
}

fn fixture(path: &str) -> PathBuf {
    Path::new("fixtures/kernel").join(path)
}

fn boot(kernel: &str, cpus: &[u32]) -> Result<Runtime, vnetkvm::image::ImageError> {
    let kernel = Kernel::open(Source::open(fixture(kernel)).unwrap(), None).unwrap();
    Runtime::boot(LoadedKernel::load(kernel, MachineOptions::default()).unwrap(), cpus)
}

fn bytes(runtime: &Runtime, at: u64, size: u64) -> Vec<u8> {
    let mut bytes = vec![0; size as usize];
    runtime.kernel().machine().read(VirtAddr::new(at), &mut bytes).unwrap();
    bytes
}

fn global(runtime: &Runtime, path: &str) -> u64 {
    let object = runtime.find(Scope::Kernel, path).unwrap();
    runtime.kernel().load_uint(object).unwrap()
}

fn number(runtime: &Runtime, cpu: u32, path: &str) -> u64 {
    let object = runtime.dpcpu_id_ptr(cpu, path).unwrap();
    runtime.kernel().load_uint(object).unwrap()
}

fn free_list(runtime: &Runtime) -> Vec<(u64, u64)> {
    let space = *runtime.dpcpu_space().unwrap();
    let list = space.free_list(runtime.kernel().machine()).unwrap();
    list.into_iter().map(|(at, len)| (at.get(), len)).collect()
}

/// The `struct pcpu` of a CPU.
fn pcpu(runtime: &Runtime, cpu: u32) -> Object {
    let at = global(runtime, &format!("cpuid_to_pcpu[{cpu}]"));
    runtime.kernel().object(VirtAddr::new(at), "struct pcpu").unwrap()
}

#[test]
fn the_blocks_and_the_arena_lie_where_gdb_finds_them() {
    for machine in MACHINES {
        let image = machine.image();
        let runtime = image.runtime();
        for (cpu, offset) in CPUS.into_iter().zip(machine.offsets) {
            let who = format!("{}, CPU {cpu}", machine.scenario);
            assert_eq!(global(runtime, &format!("dpcpu_off[{cpu}]")), offset, "{who}");
            assert_eq!(runtime.dpcpu_off(cpu).unwrap(), offset, "{who}");
            let pcpu = pcpu(runtime, cpu);
            assert_eq!(runtime.kernel().get(pcpu, "pc_dynamic").unwrap(), offset, "{who}");
            assert_eq!(runtime.kernel().get(pcpu, "pc_cpuid").unwrap(), u64::from(cpu), "{who}");
            let block = runtime.kernel().machine().arch().wrap(offset.wrapping_add(machine.set[0]));
            assert_eq!(block % machine.page(), 0, "{who}");
            let size = machine.set[1] - machine.set[0];
            let whole = size.next_multiple_of(machine.page());
            let behind = bytes(runtime, block + size, whole - size);
            assert!(behind.iter().all(|byte| *byte == 0), "{who}");
        }
        let first = VirtAddr::new(global(runtime, "cpuhead.stqh_first"));
        assert_eq!(first, pcpu(runtime, 0).address, "{}", machine.scenario);
        let after = |cpu| runtime.kernel().get(pcpu(runtime, cpu), "pc_allcpu.stqe_next").unwrap();
        let second = global(runtime, "cpuid_to_pcpu[1]");
        let third = global(runtime, "cpuid_to_pcpu[3]");
        assert_eq!([after(0), after(1), after(3)], [second, third, 0], "{}", machine.scenario);
        assert_eq!(global(runtime, "dpcpu_off[2]"), 0, "{}", machine.scenario);
        assert_eq!(global(runtime, "cpuid_to_pcpu[2]"), 0, "{}", machine.scenario);
        assert_eq!(free_list(runtime), machine.free, "{}", machine.scenario);
    }
}

#[test]
fn at_boot_each_copy_is_that_of_the_kernel_and_the_arena_is_free() {
    for machine in MACHINES {
        let runtime = machine.boot();
        let size = machine.set[1] - machine.set[0];
        let master = bytes(&runtime, machine.set[0], size);
        assert!(master.iter().any(|byte| *byte != 0));
        for cpu in CPUS {
            let offset = runtime.dpcpu_off(cpu).unwrap();
            let arch = runtime.kernel().machine().arch();
            let block = arch.wrap(offset.wrapping_add(machine.set[0]));
            assert_eq!(bytes(&runtime, block, size), master, "{} {cpu}", machine.kernel);
            // On powerpc64 the pointer was filled in when the kernel was relocated.
            let text = number(&runtime, cpu, "feat_percpu.text");
            assert_eq!(bytes(&runtime, text, 8), b"per CPU\0", "{} {cpu}", machine.kernel);
        }
        assert_eq!(free_list(&runtime), [(machine.arena, 2048)], "{}", machine.kernel);
    }
}

#[test]
fn every_variable_has_the_address_that_gdb_and_readelf_say() {
    for machine in MACHINES {
        let runtime = machine.boot();
        let table = fixture(&format!("symbols/pcpu/{}.tsv", machine.kernel));
        let symbols: Vec<_> =
            tsv::rows(&table).map(|row| row.fields().map(str::to_owned)).collect();
        let linked = runtime.kernel().kernel().symbol("__start_set_pcpu").unwrap().address.get();
        let mut variables = 0;
        for row in tsv::rows(&fixture(&format!("variables/pcpu/{}.tsv", machine.kernel))) {
            let [name, address, size, binding, _, file] = row.fields();
            let at = u64::from_str_radix(address.strip_prefix("0x").unwrap(), 16).unwrap();
            let same = |symbol: &&[String; 4]| {
                u64::from_str_radix(symbol[0].trim_start_matches("0x"), 16) == Ok(at)
                    && symbol[3] == format!("pcpu_entry_{name}")
            };
            let [_, symbol_size, symbol_binding, _] = symbols.iter().find(same).unwrap();
            assert_eq!((symbol_size.as_str(), symbol_binding.as_str()), (size, binding), "{name}");
            for cpu in CPUS {
                let object = runtime.dpcpu_id_ptr(cpu, &format!("{name}@{file}")).unwrap();
                let offset = runtime.dpcpu_off(cpu).unwrap();
                let expected = offset.wrapping_add(machine.set[0]).wrapping_add(at - linked);
                let arch = runtime.kernel().machine().arch();
                assert_eq!(object.address.get(), arch.wrap(expected), "{name} on {cpu}");
                let size_of = runtime.kernel().types().size_of(object.type_id).unwrap();
                assert_eq!(size_of.to_string(), size, "{name}");
            }
            variables += 1;
        }
        assert_eq!(variables, symbols.len(), "{}", machine.kernel);
        assert!(variables >= 14, "{}", machine.kernel);
    }
}

#[test]
fn the_copies_are_what_gdb_reads_in_the_image() {
    for machine in &MACHINES[..3] {
        let image = machine.image();
        let table = format!("fixtures/pcpu/{}.tsv", machine.scenario);
        let mut compared = 0;
        for row in tsv::rows(Path::new(&table)) {
            let [cpu, name, file, address, value] = row.fields();
            let path = match name {
                // ipfw.ko's file has the same name.
                "dyn_hp" => "dyn_hp@kernel".to_owned(),
                _ => format!("{name}@{file}"),
            };
            let object = image.runtime().dpcpu_id_ptr(cpu.parse().unwrap(), &path).unwrap();
            assert_eq!(format!("{:#x}", object.address.get()), address, "{name} on {cpu}");
            let size = value.len() as u64 / 2;
            let read = bytes(image.runtime(), object.address.get(), size);
            let hex: String = read.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, value, "{}: {name} on {cpu}", machine.scenario);
            compared += 1;
        }
        assert_eq!(compared, 36, "{}", machine.scenario);
    }
}

/// The tables are what gdb says today.
#[test]
#[ignore = "needs gdb"]
fn gdb_still_says_what_was_recorded() {
    let directory = tempfile::tempdir().unwrap();
    for machine in &MACHINES[..3] {
        let image = machine.image();
        let into = directory.path().join(machine.scenario);
        image.save_kernel(&into).unwrap();
        image.save(Format::Virtual, &into).unwrap();
    }
    let recorded = Command::new("fixtures/pcpu/record.sh")
        .args([directory.path(), directory.path()])
        .output()
        .unwrap();
    assert!(recorded.status.success(), "{}", String::from_utf8_lossy(&recorded.stderr));
    for machine in &MACHINES[..3] {
        let file = format!("{}.tsv", machine.scenario);
        let now = std::fs::read_to_string(directory.path().join(&file)).unwrap();
        let then = std::fs::read_to_string(Path::new("fixtures/pcpu").join(&file)).unwrap();
        assert_eq!(now, then, "run fixtures/pcpu/record.sh");
    }
}

#[test]
fn a_value_is_set_on_one_cpu_and_no_other() {
    for machine in MACHINES {
        let mut runtime = machine.boot();
        runtime.dpcpu_id_set(3, "nws.nws_work[2].nw_len", &Literal::Int(7)).unwrap();
        runtime.dpcpu_id_set(1, "hardclocktime", &Literal::Int(-2)).unwrap();
        runtime.dpcpu_id_set(0, "feat_percpu_twice@percpu_twice.c", &Literal::Int(-1)).unwrap();
        let on_all = |path: &str| CPUS.map(|cpu| number(&runtime, cpu, path));
        assert_eq!(on_all("nws.nws_work[2].nw_len"), [0, 0, 7]);
        assert_eq!(on_all("hardclocktime"), [0, u64::MAX - 1, 0]);
        assert_eq!(on_all("feat_percpu_twice@percpu_twice.c"), [0xffff, 22, 22]);
        assert_eq!(on_all("feat_percpu_twice@percpu.c"), [11, 11, 11]);
        assert_eq!(global(&runtime, "pcpu_entry_hardclocktime"), 0, "the master stays");
    }
}

#[test]
fn what_is_not_there_is_an_error_that_says_so() {
    let runtime = MACHINES[0].boot();
    let why = |cpu, path: &str| runtime.dpcpu_id_ptr(cpu, path).unwrap_err().to_string();
    assert_eq!(why(2, "nws"), "the machine has no CPU 2");
    assert!(why(0, "nowhere").contains("the kernel has no DPCPU variable of that name"));
    assert!(why(0, "ip_defttl").contains("the kernel has no DPCPU variable of that name"));
    assert!(why(0, "feat_percpu_twice").contains("several files define it"));
    assert!(why(0, "nws.nws_nothing").contains("nws_nothing"));
    assert!(why(0, "nws@kern_et.c").contains("no file of that name defines it"));
    let why = boot("i386-pcpu", &[0, 40]).unwrap_err().to_string();
    assert!(why.contains("[40]"), "{why}");

    let mut without = boot("classic-clang-dwarf4", &CPUS).unwrap();
    assert!(without.dpcpu_space().is_none());
    let why = "this kernel has no variables of CPUs (set_pcpu)";
    assert_eq!(without.dpcpu_off(0).unwrap_err().to_string(), why);
    assert_eq!(without.dpcpu_alloc(8).unwrap_err().to_string(), why);
}

#[test]
fn a_scenario_names_the_step_that_sets_what_is_not_there() {
    let text = "kernel = \"k\"\ncpus = [0, 1, 3]\n[[step]]\ndo = \"set-cpu\"\ncpu = 2\nvalues = { nws = 1 }";
    let scenario = Scenario::parse(text).unwrap();
    let source = Source::open(fixture("small-pcpu-dwarf4")).unwrap();
    let error = build(&scenario, Kernel::open(source, None).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "step 1 (set on CPU 2) of the scenario failed");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "the machine has no CPU 2");
}

/// The offset of each variable of if_epair.ko in its set, and the size of that, by readelf.
fn epair_offsets(arch: &str) -> (Vec<(String, u64)>, u64) {
    let mut start = None;
    let mut stop = 0;
    let mut variables = Vec::new();
    for row in tsv::rows(&fixture("modules/pcpu-symbols.tsv")) {
        let [of, module, value, size, _, name] = row.fields();
        if (of, module) != (arch, "if_epair.ko") {
            continue;
        }
        let value = u64::from_str_radix(value.trim_start_matches("0x"), 16).unwrap();
        match name {
            "__start_set_pcpu" => start = Some(value),
            "__stop_set_pcpu" => stop = value,
            _ => {
                let name = name.strip_prefix("pcpu_entry_").unwrap();
                stop = stop.max(value + size.parse::<u64>().unwrap());
                variables.push((name.to_owned(), value));
            }
        }
    }
    let start = start.unwrap_or(0);
    variables.iter_mut().for_each(|(_, value)| *value -= start);
    (variables, stop - start)
}

#[test]
fn a_modules_variables_are_placed_in_the_arena_and_copied_to_every_cpu() {
    for machine in MACHINES.iter().filter(|machine| machine.scenario != "pcpu-newer") {
        let mut runtime = machine.boot();
        let module = machine.module("if_epair.ko");
        runtime.load_module(&module).unwrap();
        let (variables, size) = epair_offsets(machine.arch);
        assert_eq!(variables.len(), 4);
        let arch = runtime.kernel().machine().arch();
        for (name, offset) in &variables {
            for cpu in CPUS {
                let at = runtime.dpcpu_id_ptr(cpu, name).unwrap().address.get();
                let off = runtime.dpcpu_off(cpu).unwrap();
                assert_eq!(at, arch.wrap(off.wrapping_add(machine.arena + offset)), "{name}");
            }
        }
        for cpu in CPUS {
            assert_eq!(number(&runtime, cpu, "feat_epair_quota"), 64);
            assert_eq!(number(&runtime, cpu, "feat_epair_key[1]"), 8);
            let text = number(&runtime, cpu, "feat_epair_name");
            assert_eq!(bytes(&runtime, text, 6), b"epair\0");
        }
        let word = arch.pointer_size();
        let taken = size.next_multiple_of(word);
        assert_eq!(free_list(&runtime), [(machine.arena + taken, 2048 - taken)]);
        runtime.dpcpu_id_set(1, "feat_epair_quota", &Literal::Int(5)).unwrap();
        runtime.unload_module("if_epair.ko").unwrap();
        assert_eq!(free_list(&runtime), [(machine.arena, 2048)]);

        // The next one gets its place, and its own initial values.
        runtime.load_module(&module).unwrap();
        assert_eq!(CPUS.map(|cpu| number(&runtime, cpu, "feat_epair_quota")), [64; 3]);
    }
}

#[test]
fn the_linker_records_where_a_modules_set_is() {
    for machine in MACHINES.iter().filter(|machine| machine.scenario != "pcpu-newer") {
        let mut runtime = machine.boot();
        runtime.load_module(&machine.module("if_epair.ko")).unwrap();
        let file = VirtAddr::new(global(&runtime, "linker_files.tqh_first"));
        let kernel = runtime.kernel();
        let file = kernel.object(file, "struct linker_file").unwrap();
        let module = VirtAddr::new(kernel.get(file, "link.tqe_next").unwrap());
        let (_, size) = epair_offsets(machine.arch);
        let found = kernel.types().definitions("struct elf_file").unwrap();
        let is_object = machine.arch == "amd64";
        let elf_file = found.iter().map(|found| found.type_id);
        let elf_file =
            elf_file.into_iter().find(|id| kernel.types().has_member(*id, "progtab") == is_object);
        let module = Object::new(module, elf_file.unwrap());
        if is_object {
            let progtab = kernel.member(module, "progtab").unwrap();
            let entry = kernel.types().pointee(progtab.type_id).unwrap();
            let table = VirtAddr::new(kernel.load_uint(progtab).unwrap());
            let entries = (0..kernel.get(module, "nprogtab").unwrap()).map(|number| {
                let size = kernel.types().size_of(entry).unwrap();
                let entry = Object::new(table.wrapping_add(number * size), entry);
                let get = |member| kernel.get(entry, member).unwrap();
                let name = kernel.text(VirtAddr::new(get("name"))).unwrap();
                (name, get("addr"), get("size"))
            });
            let sets: Vec<_> = entries.filter(|(name, ..)| name.starts_with("set_")).collect();
            let vnet = runtime.kernel().address_of("vnet_entry_modspace").unwrap().get();
            assert_eq!(sets[0], ("set_pcpu".into(), machine.arena, size));
            assert_eq!(sets[1], ("set_vnet".into(), vnet, 8));
            assert_eq!(sets.len(), 2);
        } else {
            let get = |member| kernel.get(module, member).unwrap();
            assert_eq!(get("pcpu_base"), machine.arena);
            assert_eq!(get("pcpu_stop") - get("pcpu_start"), size);
            // Its own image keeps the initial values.
            let own = bytes(&runtime, get("pcpu_start"), size);
            assert_eq!(own, bytes(&runtime, machine.arena, size));
            let vnet = runtime.kernel().address_of("vnet_entry_modspace").unwrap().get();
            assert_eq!(get("vnet_base"), vnet);
        }
    }
}

#[test]
fn a_module_without_room_for_its_variables_leaves_nothing_behind() {
    for machine in MACHINES.iter().filter(|machine| machine.scenario != "pcpu-newer") {
        let module = machine.module("if_epair.ko");
        let (_, size) = epair_offsets(machine.arch);
        let vnet_list = |runtime: &Runtime| {
            let space = *runtime.module_space().unwrap();
            space.free_list(runtime.kernel().machine()).unwrap()
        };

        // The CPUs' arena is too full.
        let mut runtime = machine.boot();
        let before = vnet_list(&runtime);
        runtime.dpcpu_alloc(2048 - size + 8).unwrap().unwrap();
        let left = free_list(&runtime);
        let why = runtime.load_module(&module).unwrap_err().to_string();
        let expected = format!("if_epair.ko: pcpu module space has no {size} bytes left (ENOSPC)");
        assert_eq!(why, expected);
        assert!(!runtime.is_loaded("if_epair.ko"));
        assert_eq!((free_list(&runtime), vnet_list(&runtime)), (left, before));

        // Module space of the stacks is full: the CPUs' is given back.
        let mut runtime = machine.boot();
        let (_, all) = vnet_list(&runtime)[0];
        runtime.vnet_data_alloc(all).unwrap().unwrap();
        let why = runtime.load_module(&module).unwrap_err().to_string();
        assert!(why.starts_with("if_epair.ko: vnet module space has no "), "{why}");
        assert!(!runtime.is_loaded("if_epair.ko"));
        assert_eq!(free_list(&runtime), [(machine.arena, 2048)]);
    }
}
