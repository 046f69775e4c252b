//! Kernels whose page tables must be looked for: what leads to their root, and what is
//! said of those that have none.

#![cfg(feature = "image")]

use std::io::Cursor;

use vnetkvm::addr::VirtAddr;
use vnetkvm::dump;
use vnetkvm::error::TargetError;
use vnetkvm::image::{Format, Scenario, build};
use vnetkvm::kernel::Kernel;
use vnetkvm::source::Source;
use vnetkvm::target::{KernelMatch, Target};
use vnetkvm::types::Types;

const SCENARIO: &str = "hostname = \"gw\"\ncpus = 1\nmemory = \"16M\"\nformats = [\"full\"]\n";

fn kernel(name: &str) -> Kernel {
    let source = Source::open(format!("fixtures/kernel/{name}")).unwrap();
    Kernel::open(source, None).unwrap()
}

/// Opens the full dump of a machine with these variables of the kernel, and `more`.
fn open(name: &str, globals: &str, more: &str) -> Result<Target, TargetError> {
    let kernel = || kernel(name);
    let scenario = Scenario::parse(&format!("{SCENARIO}globals = {{ {globals} }}\n{more}"));
    let mut file = Cursor::new(Vec::new());
    build(&scenario.unwrap(), kernel()).unwrap().write(Format::Full, &mut file).unwrap();
    let core = dump::open(Source::from_vec("vmcore.0", file.into_inner())).unwrap();
    let kernel = kernel();
    let types = Types::load(&kernel);
    Target::open(kernel, core, types)
}

fn assert_same(target: &Target) {
    assert!(matches!(target.kernel_match(), KernelMatch::Same(_)), "{}", target.kernel_match());
}

#[test]
fn riscv_registers_lead_to_the_root_where_the_pointer_does_not() {
    for paging in ["", "[machine]\npaging = \"sv48\""] {
        for top in ["0", "\"0xffffffc000004000\"", "\"0xffffffffffffffff\""] {
            let globals = format!("\"kernel_pmap_store.pm_top\" = {top}");
            assert_same(&open("riscv64", &globals, paging).unwrap());
        }
    }
    let neither = "\"kernel_pmap_store.pm_top\" = 0, \"kernel_pmap_store.pm_satp\" = 0";
    assert!(matches!(open("riscv64", neither, ""), Err(TargetError::NoPageTables { .. })));
}

#[test]
fn a_kernel_with_a_hashed_page_table_is_named() {
    for name in ["powerpc64", "powerpc64le"] {
        let hashed = "radix_mmu = 0, \"kernel_pmap_store.pm_pml1\" = 0";
        let error = open(name, hashed, "").unwrap_err();
        assert_eq!(error, TargetError::HashedPageTable);
        let gone = "\"kernel_pmap_store.pm_pml1\" = 0";
        assert!(matches!(open(name, gone, ""), Err(TargetError::NoPageTables { .. })));
    }
}

/// Another build has no `radix_mmu` where this kernel has it.
#[test]
fn another_build_is_not_taken_for_a_kernel_with_a_hashed_page_table() {
    let mut file = Cursor::new(Vec::new());
    let image = build(&Scenario::parse(SCENARIO).unwrap(), kernel("powerpc64")).unwrap();
    image.write(Format::Full, &mut file).unwrap();
    let core = dump::open(Source::from_vec("vmcore.0", file.into_inner())).unwrap();
    let other = kernel("powerpc64-pcpu");
    let types = Types::load(&other);
    match Target::open(other, core, types).unwrap_err() {
        TargetError::OtherKernel { why } => {
            assert_eq!(why, "the kernel at 0x100000 has a similar version, but other code");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_kernel_of_powerpc_is_told_where_it_runs() {
    let target = open("powerpc64", "", "[machine]\nload_address = \"3M\"").unwrap();
    assert_same(&target);
    assert_eq!(target.kernel().slide(), 0xc000_0000_0020_0000);
    let start = target.address_of("__startkernel").unwrap();
    let begin = VirtAddr::new(0xc000_0000_0030_0000);
    assert_eq!(target.memory().pointer(start), Ok(begin));
    let initial = target.kernel().initial_bytes(start, 8).unwrap();
    assert_eq!(*initial, begin.get().to_be_bytes(), "the file has a zero and a relocation");
    let function = target.address_of("moea64_first_entry").unwrap();
    let found = target.kernel().symbolize(function.wrapping_add(4));
    assert_eq!(found.map(|(symbol, at)| (symbol.name, at)), Some(("moea64_first_entry", 4)));
    let linked = function.wrapping_add(target.kernel().slide().wrapping_neg());
    assert_eq!(target.kernel().symbolize(linked), None, "no place where the kernel runs");
    // Without a dump the kernel is where it is linked.
    let kernel = Kernel::open(Source::open("fixtures/kernel/powerpc64").unwrap(), None).unwrap();
    let start = kernel.symbol("__startkernel").unwrap().address;
    assert_eq!(*kernel.initial_bytes(start, 8).unwrap(), 0x10_0000_u64.to_be_bytes());
}
