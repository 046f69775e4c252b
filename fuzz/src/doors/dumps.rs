//! Dumps by themselves: opened, and their memory read wherever it may be.

use std::sync::{Arc, LazyLock};

use vnetkvm::addr::{FileOffset, PhysAddr, VirtAddr};
use vnetkvm::arch::Arch;
use vnetkvm::dump::{self, Core, Hints, MemorySegment};
use vnetkvm::image;
use vnetkvm::kernel::Kernel;
use vnetkvm::memory::KernelMemory;
use vnetkvm::paging::{self, Translate, amd64, arm, arm64, i386, powerpc64, riscv64};
use vnetkvm::source::Source;
use vnetkvm::target::{Target, raw_core};

/// A minidump of any architecture.
pub fn minidump(bytes: &[u8]) {
    if bytes.starts_with(b"minidump FreeBSD/") {
        open(bytes.to_vec());
    }
}

/// An ELF core: of a full dump, of a hypervisor, or by virtual addresses.
pub fn elf_core(bytes: &[u8]) {
    if bytes.starts_with(b"\x7fELF") {
        open(bytes.to_vec());
    }
}

/// A copy of a dump device, or a dump behind its header. If the first byte of the input is odd, the
/// parity of every kernel dump header is made right: it would keep all else from being read.
pub fn dump_device(input: &[u8]) {
    const HEADER: &[u8] = b"FreeBSD Kernel Dump";
    let Some((seal, bytes)) = input.split_first() else { return };
    let mut bytes = bytes.to_vec();
    if seal % 2 == 1 {
        let starts = (0..bytes.len()).step_by(512).filter(|at| bytes[*at..].starts_with(HEADER));
        for at in starts.collect::<Vec<_>>() {
            let _ = bytes.get_mut(at..at + 512).map(seal_header);
        }
    }
    open(bytes);
}

/// The last word makes the exclusive or of all words 0 (`kerneldump_parity`, `sys/sys/kerneldump.h`).
fn seal_header(header: &mut [u8]) {
    let (words, parity) = header.split_at_mut(508);
    let sum = words.as_chunks::<4>().0.iter().fold([0; 4], |mut sum, word| {
        sum.iter_mut().zip(word).for_each(|(sum, byte)| *sum ^= byte);
        sum
    });
    parity.copy_from_slice(&sum);
}

/// A dump that was compressed.
pub fn compressed(bytes: &[u8]) {
    if bytes.starts_with(&[0x1f, 0x8b]) || bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        open(bytes.to_vec());
    }
}

/// The demonstration's kernel, without its memory.
pub static KERNEL: LazyLock<Arc<Kernel>> = LazyLock::new(|| {
    let demo = image::demo().expect("the demonstration is built");
    Arc::new(Kernel::open(demo.kernel, None).expect("its kernel can be opened"))
});

/// Raw memory with a kernel: a memory map of up to seven stretches, and then the bytes. Where the kernel lies
/// is said too, or has to be found.
pub fn raw_memory(input: &[u8]) {
    let Some((count, rest)) = input.split_first() else { return };
    let (words, bytes) = rest.split_at(rest.len().min(usize::from(count % 8) * 24 + 8));
    let (words, _) = words.as_chunks::<8>();
    let words: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
    let Some((kernel_phys, map)) = words.split_first() else { return };
    let segment = |[phys, len, offset]: &[u64; 3]| MemorySegment {
        phys: PhysAddr::new(*phys),
        len: *len,
        offset: FileOffset::new(*offset),
    };
    let map: Vec<MemorySegment> = map.as_chunks::<3>().0.iter().map(segment).collect();
    let source = Arc::new(Source::from_vec("vmcore", bytes.to_vec()));
    let known = (count & 0x80 != 0).then(|| PhysAddr::new(*kernel_phys));
    if let Ok((core, _)) = raw_core(&KERNEL, &source, &map, known) {
        read_core(core, &[0, 0x1000, *kernel_phys].map(PhysAddr::new));
    }
    if let Ok((core, _)) = raw_core(&KERNEL, &source, &map, known)
        && let Ok(memory) = Target::memory_of(Arc::clone(&KERNEL), core)
    {
        read(&memory);
    }
}

fn open(bytes: Vec<u8>) {
    match dump::open(Source::from_vec("vmcore.0", bytes)) {
        Ok(core) => {
            let usual = [0x10_0000, 0x1000].map(PhysAddr::new);
            let roots = [&core.clues.roots[..], &usual].concat();
            read_core(core, &roots);
        }
        Err(why) => drop(why.to_string()),
    }
}

/// Reads all that the core says, and its memory by every translation that it may have.
fn read_core(core: Core, roots: &[PhysAddr]) {
    let _ = (core.saved_messages(), format!("{:?}{:?}", core.facts, core.clues));
    let core = Arc::new(core);
    let memory = core.memory();
    let mut next = memory.next(PhysAddr::new(0));
    for _ in 0..64 {
        let Some(range) = next else { break };
        let _ = memory.read(range.start, &mut [0; 64]);
        let _ = memory.read(PhysAddr::new(range.end.get().wrapping_sub(60)), &mut [0; 64]);
        next = memory.next(range.end);
    }
    for translation in translations(&core, roots) {
        read(&KernelMemory::from_core(Arc::clone(&core), translation));
    }
}

fn translations(core: &Core, roots: &[PhysAddr]) -> Vec<Box<dyn Translate>> {
    match core.hints.clone() {
        Hints::PageMap(map) => vec![paging::page_map(map)],
        Hints::Virtual => vec![paging::identity()],
        Hints::Physical => roots.iter().take(4).flat_map(|root| tables(core.arch, *root)).collect(),
    }
}

/// The page tables of an architecture, in each of their forms.
fn tables(arch: Arch, root: PhysAddr) -> Vec<Box<dyn Translate>> {
    match arch {
        Arch::Amd64 => [amd64::Paging::FourLevel, amd64::Paging::FiveLevel]
            .map(|form| Box::new(amd64::page_tables(root, form)) as _)
            .into(),
        Arch::Arm64 => {
            [4096, 16384].map(|page| Box::new(arm64::page_tables(root, page)) as _).into()
        }
        Arch::Arm => [arm::Paging::Short, arm::Paging::Long]
            .map(|form| Box::new(arm::page_tables(root, form)) as _)
            .into(),
        Arch::I386 => [i386::Paging::Plain, i386::Paging::Pae]
            .map(|form| Box::new(i386::page_tables(root, form)) as _)
            .into(),
        Arch::Riscv64 => [riscv64::Paging::Sv39, riscv64::Paging::Sv48]
            .map(|form| Box::new(riscv64::page_tables(root, form)) as _)
            .into(),
        Arch::Powerpc64 | Arch::Powerpc64le => vec![Box::new(powerpc64::page_tables(root))],
    }
}

/// Reads where memory is mapped, and where kernels usually are.
fn read(memory: &KernelMemory) {
    const KERNELS: [u64; 9] = [
        0,
        0xc000_0000,
        0xfff0_0000,
        0xffff_ffff_8020_0000,
        0xffff_f800_0000_0000,
        0xffff_0000_0010_0000,
        0xffff_ffc0_0000_0000,
        0xc000_0000_0010_0000,
        u64::MAX - 8,
    ];
    let mut mapped = Vec::new();
    let mut next = memory.next_mapping(VirtAddr::new(0));
    while let Some((at, mapping)) = next.take_if(|_| mapped.len() < 64) {
        mapped.push(at);
        let end = at.get().checked_add(mapping.len.max(1));
        next = end.and_then(|end| memory.next_mapping(VirtAddr::new(end)));
    }
    let mut buffer = [0; 5000];
    for at in mapped.into_iter().chain(KERNELS.map(VirtAddr::new)) {
        let (len, fault) = memory.read_prefix(at, &mut buffer);
        assert_eq!(len == buffer.len(), fault.is_none());
        let _ = fault.map(|fault| fault.to_string());
        let _ = (memory.pointer(at), memory.c_string(at, 10_000));
    }
    memory.pieces().take(64).for_each(drop);
}
