//! The general registers that a hypervisor notes of each processor.

#![cfg(feature = "image")]

use std::path::{Path, PathBuf};
use std::process::Command;

use vnetkvm::addr::VirtAddr;
use vnetkvm::arch::Arch;
use vnetkvm::dump;
use vnetkvm::image::kernel::LoadedKernel;
use vnetkvm::image::machine::{MachineOptions, Processor};
use vnetkvm::image::runtime::Runtime;
use vnetkvm::image::{Format, Image};
use vnetkvm::kernel::Kernel;
use vnetkvm::source::Source;

const KERNELS: [&str; 7] =
    ["classic-clang-dwarf4", "i386", "arm64", "riscv64", "powerpc64", "powerpc64le", "armv7"];

/// Register N of the first processor is N times this and of the second one more.
const STEP: u64 = 0x0101_0101;
const COUNTER: u64 = 0x7777_7770;

/// The registers that the notes of an architecture have, by their numbers in DWARF.
fn noted(arch: Arch) -> std::ops::Range<usize> {
    match arch {
        Arch::Amd64 => 0..16,
        Arch::I386 => 0..8,
        Arch::Arm => 0..15,
        Arch::Riscv64 => 1..32,
        Arch::Arm64 | Arch::Powerpc64 | Arch::Powerpc64le => 0..32,
    }
}

/// The stack pointer, the frame pointer and the return address among them.
fn special(arch: Arch) -> [usize; 3] {
    match arch {
        Arch::Amd64 => [7, 6, 31],
        Arch::I386 => [4, 5, 31],
        Arch::Arm64 => [31, 29, 30],
        Arch::Arm => [13, 11, 14],
        Arch::Riscv64 => [2, 8, 1],
        Arch::Powerpc64 | Arch::Powerpc64le => [1, 1, 31],
    }
}

fn processor(arch: Arch, number: u64) -> Processor {
    let general = std::array::from_fn(|register| register as u64 * STEP + number);
    let [stack, frame, link] = special(arch).map(|register| VirtAddr::new(general[register]));
    let counter = VirtAddr::new(COUNTER + number);
    Processor { counter, stack, frame, link, general }
}

/// A dump of a machine with two processors, and its architecture.
fn dump(kernel: &str, directory: &Path) -> (PathBuf, Arch) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kernel").join(kernel);
    let kernel = Kernel::open(Source::open(path).unwrap(), None).unwrap();
    let arch = kernel.arch();
    let options = MachineOptions { memory: 64 << 20, ..MachineOptions::default() };
    let mut runtime = Runtime::boot(LoadedKernel::load(kernel, options).unwrap(), &[0, 1]).unwrap();
    for number in 0..2 {
        let processor = processor(arch, number);
        runtime.kernel_mut().machine_mut().set_processor(number as u32, processor);
    }
    (Image::of(runtime).unwrap().save(Format::Qemu, directory).unwrap(), arch)
}

#[test]
fn every_general_register_of_every_processor_is_known() {
    let directory = tempfile::tempdir().unwrap();
    for kernel in KERNELS {
        let (path, arch) = dump(kernel, directory.path());
        let core = dump::open(Source::open(path).unwrap()).unwrap();
        let found = &core.clues.processors;
        assert_eq!(found.len(), 2, "{kernel}");
        for (processor, number) in found.iter().zip(0_u64..) {
            let known: [Option<u64>; 32] = std::array::from_fn(|register| {
                noted(arch).contains(&register).then_some(register as u64 * STEP + number)
            });
            assert_eq!(processor.general, known, "{kernel}");
            assert_eq!(processor.counter.get(), COUNTER + number, "{kernel}");
        }
    }
}

/// gdb knows the layout of the notes from Linux, whose it is.
#[test]
#[ignore = "needs gdb-multiarch"]
fn the_notes_have_the_layout_that_gdb_knows() {
    let directory = tempfile::tempdir().unwrap();
    for (kernel, arch, names) in [
        ("classic-clang-dwarf4", "i386:x86-64", &[("rbx", 3), ("rdi", 5), ("r15", 15)][..]),
        ("arm64", "aarch64", &[("x0", 0), ("x19", 19), ("x30", 30)]),
        ("riscv64", "riscv:rv64", &[("ra", 1), ("s1", 9), ("a0", 10), ("t6", 31)]),
        ("powerpc64le", "powerpc:common64", &[("r0", 0), ("r14", 14), ("r30", 30)]),
    ] {
        let (path, _) = dump(kernel, directory.path());
        let mut gdb = Command::new("gdb-multiarch");
        gdb.args(["-nx", "-q", "-batch", "-iex", "set osabi GNU/Linux"]);
        gdb.args(["-iex", &format!("set architecture {arch}"), "-c"]).arg(path);
        for number in [2, 1] {
            gdb.args(["-ex", &format!("thread {number}")]);
            for (name, _) in names {
                gdb.args(["-ex", &format!("printf \"{name} %lx\\n\", ${name}")]);
            }
        }
        let output = gdb.output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        let mut shown: Vec<&str> =
            told.lines().filter(|line| names.iter().any(|(n, _)| line.starts_with(n))).collect();
        let mut expected: Vec<String> = (0..2)
            .flat_map(|number| names.iter().map(move |(name, register)| (name, *register, number)))
            .map(|(name, register, number)| format!("{name} {:x}", register as u64 * STEP + number))
            .collect();
        shown.sort_unstable();
        expected.sort_unstable();
        assert_eq!(shown, expected, "{kernel}: {told}{}", String::from_utf8_lossy(&output.stderr));
    }
}
