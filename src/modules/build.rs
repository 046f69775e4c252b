//! Decides whether a file is the module that was loaded, or another build of it.
//!
//! A name decides nothing. What loading a module does not change is compared with
//! the dump: the bytes of its code and constants, except those that relocations change,
//! the sizes of its sections, the places and sizes of its symbols, and
//! the build-id of a shared object. One difference is enough to refuse the file, because the
//! types of another build are worse than none.
//!
//! Zeros prove nothing, as for kernels ([`crate::target::kernel_match`]). Neither do
//! breakpoints that DTrace and debuggers put into code.

use std::ops::Range;

use rustc_hash::FxHashSet;

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::kernel::elf::Section;
use crate::kernel::{ElfFile, Symbol, SymbolKind, Symbols};
use crate::memory::KernelMemory;
use crate::modules::module::{Module, Placed};
use crate::target::kernel_match::{Evidence, Finding};

/// The evidence for and against `elf` being the file that `module` was loaded from.
pub(super) fn evidence(module: &Module, memory: &KernelMemory, elf: &ElfFile) -> Vec<Evidence> {
    let same_class = matches!(
        (&module.placed, elf.is_relocatable()),
        (Placed::Sections(_), true) | (Placed::Whole { .. }, false)
    );
    if !same_class {
        return vec![different("it is a module of the other linker class")];
    }
    let file = File { module, memory, elf };
    let mut said = file.sizes();
    said.extend(file.symbols());
    said.extend(file.build_id());
    said.extend(file.contents());
    said
}

/// Where each loaded section of `elf` lies, if it is the file of `module`.
pub(super) fn places(module: &Module, elf: &ElfFile) -> Vec<(Box<str>, VirtAddr)> {
    let sections = elf.sections().filter(|section| section.is_loaded() && section.size() > 0);
    let placed = sections.filter_map(|s| Some((s.name.into(), in_memory(module, s)?.start)));
    placed.collect()
}

/// The addresses of a section of the module's file; `None` for one that is not loaded.
fn in_memory(module: &Module, section: Section<'_>) -> Option<Range<VirtAddr>> {
    match &module.placed {
        Placed::Unknown => None,
        Placed::Sections(sections) => {
            // Sections that share a name cannot be told apart.
            let mut found = sections.iter().filter(|(name, _)| &**name == section.name);
            let first = found.next().map(|(_, range)| range.clone());
            first.filter(|_| found.next().is_none())
        }
        Placed::Whole { .. } => {
            let start = module.in_memory(section.range().start.get())?;
            Some(start..start.wrapping_add(section.size()))
        }
    }
}

/// A file that may be the module's.
struct File<'a> {
    module: &'a Module,
    memory: &'a KernelMemory,
    elf: &'a ElfFile,
}

impl File<'_> {
    /// The sections of an object file. The kernel keeps their sizes.
    fn sizes(&self) -> Vec<Evidence> {
        let Placed::Sections(loaded) = &self.module.placed else { return Vec::new() };
        // The kernel calls unnamed sections `<<PROGBITS>>` and the like.
        let named = loaded.iter().filter(|(name, _)| !name.is_empty() && !name.starts_with('<'));
        let compared = named.filter_map(|(name, range)| {
            let mut same_name = self.elf.sections().filter(|section| section.name == &**name);
            let Some(section) = same_name.next() else {
                return Some(different(format!("it has no section {name}, which was loaded")));
            };
            if same_name.next().is_some() {
                return None;
            }
            let (ours, theirs) = (section.size(), range.end.offset_from(range.start).unwrap_or(0));
            Some(match ours == theirs {
                true => Evidence::new(Finding::Same, "same sections"),
                false => different(format!(
                    "its section {name} has {ours} bytes, the loaded one {theirs}"
                )),
            })
        });
        shortest(compared)
    }

    /// Compares the functions and variables of the loaded symbol table by name, place and size.
    fn symbols(&self) -> Vec<Evidence> {
        let place = |section: Section<'_>, value: u64| self.place(section, value);
        let (Ok(placed), Ok(all)) = (Symbols::of_module(self.elf, place), Symbols::load(self.elf))
        else {
            return vec![different("its symbol table is damaged")];
        };
        let key = |symbol: &Symbol<'_>| (symbol.address, symbol.size);
        let there: FxHashSet<_> = placed.iter().map(|symbol| (symbol.name, key(&symbol))).collect();
        let placed: FxHashSet<_> = there.iter().map(|(name, _)| *name).collect();
        let names: FxHashSet<_> = all.iter().map(|symbol| symbol.name).collect();
        let in_set = |at: VirtAddr| self.module.sets.iter().any(|set| set.range.contains(&at));
        let known = self.module.symbols.iter().take(MOST_SYMBOLS);
        let known = known.filter(|symbol| symbol.kind != SymbolKind::Other);
        let compared = known.filter_map(|known| {
            if !placed.contains(known.name) {
                // Static symbols may have been stripped; others may have no address.
                let wanted = known.global || in_set(known.address);
                let missing = wanted && !names.contains(known.name);
                return missing.then(|| different(format!("it has no symbol {}", known.name)));
            }
            Some(match there.contains(&(known.name, key(&known))) {
                true => Evidence::new(Finding::Same, "same symbols"),
                false => different(format!("its {} has another place or size", known.name)),
            })
        });
        shortest(compared)
    }

    /// The address of a symbol by its section and value.
    fn place(&self, section: Section<'_>, value: u64) -> Option<u64> {
        match &self.module.placed {
            Placed::Whole { .. } => Some(self.elf.arch().wrap(self.module.in_memory(value)?.get())),
            _ => Some(in_memory(self.module, section)?.start.get().wrapping_add(value)),
        }
    }

    /// The note of a shared object. An object file's notes are not loaded.
    fn build_id(&self) -> Option<Evidence> {
        const OWNER: &[u8; 4] = b"GNU\0";
        let Placed::Whole { .. } = &self.module.placed else { return None };
        let (linked, ours) = self.elf.build_id_in_memory()?;
        let at = self.module.address.wrapping_add(linked.get());
        let mut theirs = vec![0; OWNER.len() + ours.len().min(64)];
        let start = VirtAddr::new(at.get().wrapping_sub(OWNER.len() as u64));
        self.memory.read(start, &mut theirs).ok()?;
        let theirs = theirs.strip_prefix(OWNER).filter(|id| !is_blank(id))?;
        Some(match theirs == ours {
            true => Evidence::new(Finding::Proven, "same build-id"),
            false => different("its build-id differs from the loaded module's"),
        })
    }

    /// Compares code and constants where relocations do not change them.
    fn contents(&self) -> Vec<Evidence> {
        let read_only = self.elf.sections().filter(Section::is_constant);
        read_only.filter_map(|section| self.section_contents(section)).collect()
    }

    fn section_contents(&self, section: Section<'_>) -> Option<Evidence> {
        let bytes = self.elf.raw_bytes(section)?;
        let start = in_memory(self.module, section)?.start;
        let relocated = self.elf.relocated_places(section);
        let (mut other, mut all) = (0, 0);
        for (index, ours) in bytes.chunks(PIECE).enumerate() {
            let offset = index * PIECE;
            let mut theirs = vec![0; ours.len()];
            let known = self.memory.read(start.wrapping_add(offset as u64), &mut theirs);
            if known.is_err() || is_blank(&theirs) {
                continue;
            }
            set_aside_breakpoints(self.elf.arch(), ours, &mut theirs);
            let moved = |at: usize| is_within(&relocated, offset + at);
            let same = |(at, (ours, theirs)): (usize, (&u8, &u8))| ours == theirs || moved(at);
            all += 1;
            other += usize::from(!ours.iter().zip(&theirs).enumerate().all(same));
        }
        let name = section.name;
        match (other, all) {
            (_, 0) => None,
            (0, _) => Some(Evidence::new(Finding::Same, format!("same {name}"))),
            _ => {
                Some(different(format!("{other} of {all} pieces of its {name} differ from memory")))
            }
        }
    }
}

/// More symbols than any module has.
const MOST_SYMBOLS: usize = 1 << 17;

/// Bytes that are compared at a time.
const PIECE: usize = 64;

/// The first difference that any section or symbol shows, or that there is none.
fn shortest(said: impl Iterator<Item = Evidence>) -> Vec<Evidence> {
    let mut same = None;
    for one in said {
        match one.finding {
            Finding::Different => return vec![one],
            _ => same = Some(one),
        }
    }
    same.into_iter().collect()
}

fn different(why: impl Into<String>) -> Evidence {
    Evidence::new(Finding::Different, why)
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// Whether `at` is in one of these ranges, which are sorted.
fn is_within(ranges: &[Range<usize>], at: usize) -> bool {
    let before = ranges.partition_point(|range| range.start <= at);
    let nearest = before.checked_sub(1).and_then(|index| ranges.get(index));
    nearest.is_some_and(|range| range.contains(&at))
}

/// Hides the difference that a breakpoint in memory makes. DTrace puts an instruction that
/// traps at the start and the end of each function that it watches (`fbt_patch_tracepoint`,
/// `sys/cddl/dev/fbt`, 12.0).
fn set_aside_breakpoints(arch: Arch, ours: &[u8], theirs: &mut [u8]) {
    let trap: fn(&[u8]) -> bool = match arch {
        // int3, and a lock prefix in an impossible place.
        Arch::Amd64 | Arch::I386 => |code| matches!(code, [0xcc | 0xf0]),
        // brk
        Arch::Arm64 => |code| matches!(code, [_, _, 0x20..=0x3f, 0xd4]),
        // ebreak
        Arch::Riscv64 => |code| matches!(code, [0x73, 0, 0x10, 0] | [0x02, 0x90, ..]),
        Arch::Arm | Arch::Powerpc64 | Arch::Powerpc64le => return,
    };
    let len = if matches!(arch, Arch::Amd64 | Arch::I386) { 1 } else { 4 };
    for (ours, theirs) in ours.chunks_exact(len).zip(theirs.chunks_exact_mut(len)) {
        if ours != theirs && trap(theirs) {
            theirs.copy_from_slice(ours);
        }
    }
}
