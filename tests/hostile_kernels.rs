//! Damaged kernel files and damaged memory make errors, never a panic, a hang or
//! a huge allocation. What is damaged is chosen by chance, repeatably.

#![cfg(feature = "image")]

use std::path::PathBuf;

use vnetkvm::image;
use vnetkvm::kernel::{Kernel, RunningKernel};
use vnetkvm::session::{Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::types::model::Type;
use vnetkvm::types::{TypeId, Types};
use vnetkvm::value::Limits;

/// One kernel for each way of writing debug information.
const KERNELS: [&str; 5] = [
    "classic-clang-dwarf2",
    "classic-gcc-dwarf5",
    "small-types-gcc-dwarf4",
    "small-zlib-dwarf5",
    // Big-endian, with relocations.
    "powerpc64",
];

/// Damaged copies of each.
const ROUNDS: u64 = 12;

#[test]
fn damaged_debug_information_is_an_error() {
    for name in KERNELS {
        let whole = std::fs::read(fixture(name)).unwrap();
        for round in 0..ROUNDS {
            let mut random = Random(round * 7919 + 1);
            let mut bytes = whole.clone();
            // Some copies are damaged all over, some in few places, some cut short.
            for _ in 0..1 << (round % 12) {
                let at = random.below(bytes.len());
                bytes[at] = random.next() as u8;
            }
            if round % 5 == 4 {
                bytes.truncate(random.below(whole.len()));
            }
            ask_everything(bytes);
        }
    }
}

#[test]
fn damage_in_the_units_themselves_is_an_error() {
    for name in &KERNELS[..3] {
        let whole = std::fs::read(fixture(name)).unwrap();
        let kernel = Kernel::open(Source::from_vec("kernel", whole.clone()), None).unwrap();
        let elf = kernel.main();
        let section = elf.raw_bytes(elf.section(".debug_info").unwrap()).unwrap();
        let start = section.as_ptr() as usize - elf.source().bytes().as_ptr() as usize;
        let end = start + section.len();
        for round in 0..ROUNDS {
            let mut random = Random(round * 104_729 + 3);
            let mut bytes = whole.clone();
            for _ in 0..1 << (round % 14) {
                let at = start + random.below(end - start);
                bytes[at] = [0, 0xff, 0x80, random.next() as u8][random.below(4)];
            }
            ask_everything(bytes);
        }
    }
}

#[test]
fn damaged_memory_is_an_error_in_its_place() {
    let demo = image::demo().unwrap();
    let (kernel, core) = (demo.kernel.bytes().to_vec(), demo.core.bytes().to_vec());
    for round in 0..ROUNDS / 2 {
        let mut random = Random(round * 31 + 5);
        let mut bytes = core.clone();
        // The headers are left whole: their damage has tests of its own.
        let start = bytes.len() / 2;
        for _ in 0..64 << (round % 10) {
            let at = start + random.below(bytes.len() - start);
            bytes[at] = random.next() as u8;
        }
        let kernel = Source::from_vec("kernel", kernel.clone());
        let Ok(session) = Session::from_sources(kernel, Source::from_vec("core", bytes)) else {
            continue;
        };
        let Ok(variables) = session.variables(&[]) else { continue };
        let limits = Limits { elements: 8, ..Limits::default() };
        for vnet in session.select(&Selector::All).map(|all| all.stacks).unwrap_or_default() {
            let reader = session.reader(&limits);
            for variable in &variables {
                let _ = session.value_by(&reader, vnet, variable);
            }
            let _ = session.print(vnet, "*V_ifnet.cstqh_first", &limits);
        }
        let _ = (session.select(&Selector::Default), session.vnets().map(|vnets| vnets.all.len()));
    }
}

/// Opens a kernel and looks at all of its variables, symbols and types.
fn ask_everything(bytes: Vec<u8>) {
    let Ok(kernel) = Kernel::open(Source::from_vec("kernel", bytes), None) else { return };
    let _ = (kernel.version(), kernel.build_id().map(<[_]>::len), kernel.symbol("vnet_head"));
    let running = RunningKernel::new(kernel, 0xc000_0000_0040_0000);
    for symbol in running.symbols().take(50) {
        let bytes = running.initial_bytes(symbol.address, 16);
        assert!(bytes.is_none_or(|bytes| bytes.len() == 16));
        let _ = running.symbolize(symbol.address);
    }
    let kernel = running.linked();
    let Ok(types) = Types::load(kernel) else { return };
    if let Some(set) = kernel.set_vnet() {
        for variable in types.variables_linked_in(&set) {
            look_at(&types, variable.type_id, 6);
        }
    }
    for symbol in kernel.symbols().iter().take(50) {
        let _ = types.variable_linked_at(symbol.address);
    }
    for name in ["struct vnet", "struct ifnet", "unsigned int", "struct nonsense"] {
        if let Ok(id) = types.find(name) {
            look_at(&types, id, 8);
        }
    }
}

fn look_at(types: &Types, id: TypeId, depth: usize) {
    let _ = (types.size_of(id), types.name(id).len(), types.member(id, "x").is_ok());
    let Some(depth) = depth.checked_sub(1) else { return };
    let Ok((_, found)) = types.resolve(id) else { return };
    match &*found {
        Type::Record(record) => {
            record.members.iter().take(40).for_each(|m| look_at(types, m.type_id, depth));
        }
        Type::Pointer(pointer) => look_at(types, pointer.target, depth.min(2)),
        Type::Array(array) => look_at(types, array.element, depth),
        _ => {}
    }
}

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/kernel").join(name)
}

/// A small generator, so that a failure happens again: xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 24
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}
