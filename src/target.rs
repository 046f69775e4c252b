//! Joins the two branches: a kernel's file and a dump's memory.
//!
//! [`Target::open`] finds out how kernel addresses are translated (by the
//! minidump's own map, or by the page tables that the kernel's symbols lead to)
//! and whether the kernel is the one that wrote the dump. Nothing above this
//! layer needs to know either again.

mod page_tables;
mod roots;
mod running;

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use crate::addr::{PhysAddr, VirtAddr};
use crate::arch::Arch;
use crate::dump::Core;
use crate::error::{ReadError, TargetError, TypeError};
use crate::kernel::{Kernel, Symbol, Symbols};
use crate::memory::KernelMemory;
use crate::types::{Types, Variable};

use running::Running;

pub use page_tables::raw_core;

/// A kernel, its types, and its memory as a dump holds it.
#[derive(Debug)]
pub struct Target {
    kernel: Kernel,
    memory: KernelMemory,
    types: Result<Types, TypeError>,
    kinship: Kinship,
    /// Symbols of the modules, once somebody has read them.
    modules: OnceLock<Vec<ModuleSymbols>>,
}

/// What a module has in memory beside the kernel's image, and its symbols.
#[derive(Debug)]
pub struct ModuleSymbols {
    /// `if_gif.ko`
    pub name: Box<str>,
    pub memory: Range<VirtAddr>,
    pub symbols: Arc<Symbols>,
}

/// Is the kernel file the one that was running when the dump was written?
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kinship {
    /// The same bytes stand in the file and in the dump; which ones.
    Same(String),
    /// They differ; how.
    Different(String),
    /// The dump holds none of the bytes that would tell.
    Unknown(String),
}

impl Target {
    /// Joins a kernel with a dump.
    ///
    /// `types` may be the error that kept them from being loaded: names,
    /// addresses and bytes are there without them.
    ///
    /// # Errors
    /// They are of different machines, or the kernel's page tables cannot be
    /// found in a dump that has none of its own. A kernel of the right machine
    /// that merely differs is no error here: see [`Target::kinship`].
    pub fn open(
        kernel: Kernel,
        core: impl Into<Arc<Core>>,
        types: Result<Types, TypeError>,
    ) -> Result<Self, TargetError> {
        Self::open_at(kernel, core, types, None)
    }

    /// The same for a kernel that was loaded at the physical address `kernel_phys`,
    /// where the first byte of its first segment lies; `None` finds it out.
    ///
    /// # Errors
    /// As [`Target::open`].
    pub fn open_at(
        mut kernel: Kernel,
        core: impl Into<Arc<Core>>,
        mut types: Result<Types, TypeError>,
        kernel_phys: Option<PhysAddr>,
    ) -> Result<Self, TargetError> {
        let memory = memory(&mut kernel, core.into(), kernel_phys)?;
        if let Ok(types) = &mut types {
            types.set_slide(kernel.slide());
        }
        let kinship = kinship(&kernel, &memory);
        Ok(Self { kernel, memory, types, kinship, modules: OnceLock::new() })
    }

    /// Whether `kernel` wrote the dump, without joining them; its addresses are then
    /// those that it had there ([`Kernel::slide`]).
    ///
    /// # Errors
    /// As [`Target::open`].
    pub fn kinship_of(
        kernel: &mut Kernel,
        core: &Arc<Core>,
        kernel_phys: Option<PhysAddr>,
    ) -> Result<Kinship, TargetError> {
        let memory = memory(kernel, Arc::clone(core), kernel_phys)?;
        Ok(kinship(kernel, &memory))
    }

    pub fn arch(&self) -> Arch {
        self.kernel.arch()
    }

    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    pub fn memory(&self) -> &KernelMemory {
        &self.memory
    }

    /// The kernel's types.
    ///
    /// # Errors
    /// Why there are none.
    pub fn types(&self) -> Result<&Types, TypeError> {
        self.types.as_ref().map_err(Clone::clone)
    }

    pub fn kinship(&self) -> &Kinship {
        &self.kinship
    }

    /// Makes the symbols of modules known, the first time.
    pub fn set_modules(&self, modules: Vec<ModuleSymbols>) {
        // Whoever comes second has read the same memory.
        let _ = self.modules.set(modules);
    }

    /// The symbol of the kernel or a module whose bytes hold `address`, and the distance
    /// from its start.
    pub fn symbolize(&self, address: VirtAddr) -> Option<(Symbol<'_>, u64)> {
        let of_module = || self.module_at(address)?.symbols.by_address(address);
        self.kernel.symbolize(address).or_else(of_module)
    }

    /// The module whose memory holds `address`.
    pub fn module_at(&self, address: VirtAddr) -> Option<&ModuleSymbols> {
        self.modules.get()?.iter().find(|module| module.memory.contains(&address))
    }

    /// The address of a symbol.
    ///
    /// # Errors
    /// The kernel has no such symbol.
    pub fn address_of(&self, name: &str) -> Result<VirtAddr, ReadError> {
        let symbol = self.kernel.symbol(name);
        let found = symbol.map(|symbol| symbol.address);
        found.ok_or_else(|| ReadError::NoSymbol { name: name.to_owned() })
    }

    /// A global variable by name: its address from the symbols, its type from
    /// the unit that defines it.
    ///
    /// # Errors
    /// There is no such symbol, or no debug information about it.
    pub fn global(&self, name: &str) -> Result<Variable, ReadError> {
        let address = self.address_of(name)?;
        let found = self.types()?.variable_at(address);
        found.ok_or_else(|| {
            TypeError::NotFound { what: "variable", name: name.to_owned(), near: Vec::new() }.into()
        })
    }

    /// An integer variable of the kernel, by the size of its symbol.
    ///
    /// # Errors
    /// There is no such symbol, or its memory cannot be read.
    pub fn integer(&self, name: &str) -> Result<u64, ReadError> {
        let symbol = self.kernel.symbol(name);
        let symbol = symbol.ok_or_else(|| ReadError::NoSymbol { name: name.to_owned() })?;
        let size = if matches!(symbol.size, 1 | 2 | 8) { symbol.size } else { 4 };
        Ok(self.memory.uint(symbol.address, size as usize)?)
    }
}

/// The memory of `kernel`, which is told where it runs.
fn memory(
    kernel: &mut Kernel,
    core: Arc<Core>,
    kernel_phys: Option<PhysAddr>,
) -> Result<KernelMemory, TargetError> {
    if kernel.arch() != core.arch {
        let (kernel, core) = (kernel.arch().name(), core.arch.name());
        return Err(TargetError::OtherArch { kernel, core });
    }
    let cut_off = core.facts.pages_cut_off;
    kernel.set_slide(0);
    let running = Running::find(kernel, &core, kernel_phys).map_err(|why| match why {
        TargetError::NoPageTables { .. } if cut_off > 0 => TargetError::CutOff { pages: cut_off },
        other => other,
    })?;
    kernel.set_slide(running.slide);
    Ok(KernelMemory::from_core(core, running.translation).with_page_size(running.page_size))
}

/// Compares what the kernel file has of itself with what the dump has of it: its
/// version, its build-id, and some of its constants, whichever the dump holds.
///
/// Zeros are no witness: sparse dumps, those made for tests of debuggers above all, have
/// them in the place of most pages.
fn kinship(kernel: &Kernel, memory: &KernelMemory) -> Kinship {
    let build_id = build_id(kernel, memory);
    // The id is made of all that was linked: what differs in spite of it was overwritten.
    let proven = matches!(build_id, Some(Kinship::Same(_)));
    let checks = [version(kernel, memory), build_id, constants(kernel, memory)];
    let counts = |check: &Kinship| !proven || matches!(check, Kinship::Same(_));
    let mut found = checks.into_iter().flatten().filter(counts);
    let Some(first) = found.next() else {
        return Kinship::Unknown(
            match kernel.contents() {
                Some(_) => {
                    "the dump holds neither its version[] nor its build-id nor its constants"
                }
                None => {
                    "a debug file has none of the kernel's bytes, and the kernel is not beside it"
                }
            }
            .into(),
        );
    };
    found.fold(first, |known, next| match (&known, &next) {
        (Kinship::Same(a), Kinship::Same(b)) => Kinship::Same(format!("{a}, {b}")),
        (Kinship::Same(a), Kinship::Unknown(b)) => Kinship::Unknown(format!("{a}, but {b}")),
        (Kinship::Same(_), _) => next,
        _ => known,
    })
}

fn version(kernel: &Kernel, memory: &KernelMemory) -> Option<Kinship> {
    let (name, ours, theirs) = ["version", "osrelease"].into_iter().find_map(|name| {
        let symbol = kernel.symbol(name)?;
        let ours = kernel.initial_bytes(symbol.address, symbol.size.min(MAX_TEXT))?;
        // Theirs may be longer than ours.
        let mut theirs = vec![0; MAX_TEXT as usize];
        let (len, _) = memory.read_prefix(symbol.address, &mut theirs);
        let theirs = theirs.get(..len).filter(|theirs| theirs.len() >= ours.len())?;
        (!is_blank(&theirs[..ours.len()])).then(|| (name, text(&ours), text(theirs)))
    })?;
    if ours == theirs {
        return Some(Kinship::Same(format!("same {name}[]")));
    }
    let ours = shortened(&ours);
    let theirs = if theirs.len() > 2 && theirs.chars().all(|c| !c.is_control() || c == '\n') {
        format!("the dump's {:?}", shortened(&theirs))
    } else {
        "and the dump has no text at its address".to_owned()
    };
    Some(Kinship::Different(format!("the file's {name}[] is {ours:?}, {theirs}")))
}

/// Another build-id is no proof: a kernel that was built again from the same sources, with
/// other debug information perhaps, differs in nothing else.
fn build_id(kernel: &Kernel, memory: &KernelMemory) -> Option<Kinship> {
    let (address, ours) = kernel.build_id_in_memory()?;
    let mut theirs = vec![0; ours.len().min(MAX_TEXT as usize)];
    memory.read(address, &mut theirs).ok()?;
    if theirs == ours {
        return Some(Kinship::Same("same build-id".into()));
    }
    // A loader need not have loaded the note: its place then holds something else.
    let mut owner = [0; 4];
    memory.read(VirtAddr::new(address.get().wrapping_sub(OWNER.len() as u64)), &mut owner).ok()?;
    (owner == OWNER).then(|| {
        let (ours, theirs) = (hex(ours), hex(&theirs));
        Kinship::Unknown(format!("the file's build-id is {ours}, the dump's {theirs}"))
    })
}

/// What stands before the id in its note.
const OWNER: [u8; 4] = *b"GNU\0";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Pieces of .rodata, which nothing should change while a kernel runs. A few that
/// differ are some driver's fault; in another kernel, most do.
fn constants(kernel: &Kernel, memory: &KernelMemory) -> Option<Kinship> {
    let range = kernel.section_range(".rodata")?;
    let bytes = kernel.initial_bytes(range.start, range.end.offset_from(range.start)?)?;
    let pieces = bytes.chunks(SAMPLE);
    let step = (pieces.len() / SAMPLES).max(1);
    let (mut same, mut other) = (0, 0);
    for (index, ours) in pieces.enumerate().step_by(step) {
        let address = range.start.wrapping_add((index * SAMPLE) as u64);
        let mut theirs = [0; SAMPLE];
        let theirs = &mut theirs[..ours.len()];
        match memory.read(address, theirs) {
            Ok(()) if is_blank(theirs) => {}
            Ok(()) if theirs == ours => same += 1,
            Ok(()) => other += 1,
            Err(_) => {}
        }
    }
    match same + other {
        0 => None,
        all if other * 4 > all => {
            let why = format!("{other} of {all} pieces of their constants (.rodata) differ");
            Some(Kinship::Different(why))
        }
        _ => Some(Kinship::Same("same constants".into())),
    }
}

/// About how many pieces of .rodata are compared, and how long each is.
const SAMPLES: usize = 32;
const SAMPLE: usize = 64;

/// Version strings are a few hundred bytes; more of a wrong symbol is not read.
const MAX_TEXT: u64 = 1024;

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

fn text(bytes: &[u8]) -> String {
    let end = memchr::memchr(0, bytes).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

fn shortened(text: &str) -> String {
    const LONGEST: usize = 120;
    match text.trim_end().char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.trim_end().to_owned(),
    }
}

impl fmt::Display for Kinship {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same(why) => write!(f, "yes: {why}"),
            Self::Different(why) => write!(f, "no: {why}"),
            Self::Unknown(why) => write!(f, "unknown: {why}"),
        }
    }
}
