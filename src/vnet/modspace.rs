//! Module space: the arena inside a linker set of the kernel where the variables of modules are
//! placed, as a map.
//!
//! The kernel keeps a list of free bytes (`vnet_data_free_head` or `dpcpu_head`, sorted by
//! address and merged) and no record of used ones (`sys/net/vnet.c`, `sys/kern/subr_pcpu.c`, 9.3
//! to main). The modules say what they use, so the two can be compared with each
//! other: bytes that are neither free nor a module's are lost; bytes that are both are a fault.

use std::ops::Range;

use crate::addr::VirtAddr;
use crate::kernel::LinkerSet;
use crate::modules::Modules;
use crate::target::{ReadError, Target};
use crate::value::Object;
use crate::value::queue::{self, List};
use crate::vnet::VnetError;
use crate::walk::Problems;

/// The arena and what each part of it is used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleSpace {
    /// The linker set that the arena is part of.
    pub set: LinkerSet,
    /// The addresses of the whole arena, in the kernel's set.
    pub arena: Range<VirtAddr>,
    /// All of the arena, in order, without gaps.
    pub regions: Vec<Region>,
    /// The free list as the kernel has it, in its order.
    pub free_list: Vec<FreeEntry>,
    /// What is known of bytes that neither the free list nor a module claims.
    pub accounts: Accounts,
    /// What contradicts the kernel's own rules for the arena.
    pub faults: Vec<SpaceFault>,
    /// Why the use of some bytes is unknown.
    pub problems: Problems,
}

/// How much is known about the use of the arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accounts {
    /// Both the free list and the list of modules were read to their ends.
    Whole,
    /// One of them was not, so the use of unclaimed bytes is unknown.
    Broken,
    /// The kernel has not created its free list yet (`vnet_data_startup`, `dpcpu_startup`,
    /// SI_SUB_KLD).
    NotYet,
}

/// A stretch of the arena.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// Its addresses.
    pub range: Range<VirtAddr>,
    /// Who has it.
    pub holder: Holder,
}

/// Who uses a stretch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// On the kernel's free list.
    Free,
    /// A module, by its file name.
    Module(Box<str>),
    /// Neither the free list nor any module claims it.
    Nobody,
    /// The same, but one of them is not completely known.
    Unknown,
    /// The kernel has not created its free list yet.
    NotYet,
}

/// One `struct vnet_data_free` or `struct dpcpu_free`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreeEntry {
    /// The address of the struct itself.
    pub at: VirtAddr,
    /// The first free byte.
    pub start: VirtAddr,
    /// An int: a damaged one may be negative.
    pub len: i64,
}

/// A contradiction in what is known about module space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpaceFault {
    /// Which rule it breaks.
    pub kind: SpaceFaultKind,
    /// Where in the arena it shows.
    pub address: VirtAddr,
    /// What is wrong, in a sentence.
    pub message: Box<str>,
}

/// The rules that module space can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpaceFaultKind {
    /// Two claims cover the same bytes.
    Overlap,
    /// The free list is not in order of addresses.
    Unsorted,
    /// Two entries of the free list touch, and should be one.
    Unmerged,
    /// It extends beyond the arena, or its length is not positive.
    OutOfBounds,
    /// Bytes that are neither free nor a module's.
    Lost,
}

impl SpaceFaultKind {
    /// The name in JSON: `out-of-bounds`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Overlap => "overlap",
            Self::Unsorted => "unsorted",
            Self::Unmerged => "unmerged",
            Self::OutOfBounds => "out-of-bounds",
            Self::Lost => "lost",
        }
    }
}

/// The free list of an arena: its head, and the members of its entries.
struct FreeList {
    head: &'static str,
    link: &'static str,
    start: &'static str,
    len: &'static str,
    list: List<'static>,
}

const OF_VNETS: FreeList = FreeList {
    head: "vnet_data_free_head",
    link: "vnd_link",
    start: "vnd_start",
    len: "vnd_len",
    list: List { name: &"the free list of module space", element: "entry" },
};

const OF_CPUS: FreeList = FreeList {
    head: "dpcpu_head",
    link: "df_link",
    start: "df_start",
    len: "df_len",
    list: List { name: &"the free list of the per-CPU module space", element: "entry" },
};

impl FreeList {
    fn of(set: LinkerSet) -> &'static Self {
        match set {
            LinkerSet::Vnet => &OF_VNETS,
            LinkerSet::Pcpu => &OF_CPUS,
        }
    }

    fn entry(&self, entry: &Object<'_>) -> Result<FreeEntry, ReadError> {
        let (start, len) = (entry.pointer(self.start)?, entry.int(self.len)?);
        Ok(FreeEntry { at: entry.address, start, len })
    }
}

impl ModuleSpace {
    /// Reads the free list of the arena of a linker set and compares it with the sets of the
    /// modules.
    ///
    /// # Errors
    /// The kernel has no such set, or no debug information about the list.
    pub fn read(target: &Target, modules: &Modules, set: LinkerSet) -> Result<Self, VnetError> {
        let symbol = target.kernel().symbol(set.arena());
        let symbol = symbol.ok_or_else(|| VnetError::without(set, target.kernel()))?;
        let start = symbol.address;
        let arena = start..start.wrapping_add(symbol.size);
        let free_list = FreeList::of(set);
        let head = Object::global(target, free_list.head)?;
        let mut space = Self {
            set,
            arena,
            regions: Vec::new(),
            free_list: Vec::new(),
            accounts: if queue::is_made(&head) { Accounts::Whole } else { Accounts::NotYet },
            faults: Vec::new(),
            problems: modules.problems_of_set(set),
        };
        for entry in queue::walk(head, free_list.link, free_list.list).take(&mut space.problems) {
            match free_list.entry(&entry) {
                Ok(entry) => space.free_list.push(entry),
                Err(why) => space.problems.add(free_list.list.element(entry.address, why)),
            }
        }
        // The head of dpcpu_head is initialised by the compiler: nobody has used the arena yet.
        let untouched =
            space.free_list.is_empty() && modules.modules().all(|module| module.set(set).is_none());
        if set == LinkerSet::Pcpu && untouched {
            space.accounts = Accounts::NotYet;
        }
        if !space.problems.is_empty() {
            space.accounts = Accounts::Broken;
        }
        space.check_order();
        let claims = space.claims(modules, target.arch().pointer_size());
        space.divide(claims);
        Ok(space)
    }

    /// Bytes of the arena.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.arena.end.offset_from(self.arena.start).unwrap_or(0)
    }

    /// Free bytes by the kernel's list; `None` if that is unknown.
    #[must_use]
    pub fn free(&self) -> Option<u64> {
        self.if_whole(self.held(|holder| *holder == Holder::Free))
    }

    /// Bytes used by modules.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.held(|holder| matches!(holder, Holder::Module(_)))
    }

    /// Bytes that neither the free list nor a module claims; `None` if that is unknown.
    #[must_use]
    pub fn lost(&self) -> Option<u64> {
        self.if_whole(self.held(|holder| *holder == Holder::Nobody))
    }

    /// The largest set that a module could still get, in bytes; `None` if that is unknown.
    pub fn largest_free(&self) -> Option<u64> {
        // To the kernel, adjacent entries are separate runs.
        let free = self.regions.iter().filter(|region| region.holder == Holder::Free);
        self.if_whole(free.map(Region::len).max().unwrap_or(0))
    }

    /// The share of the free bytes that is not in the largest free run, from 0 to 1.
    #[must_use]
    pub fn fragmentation(&self) -> Option<f64> {
        Some(match (self.free()?, self.largest_free()?) {
            (0, _) => 0.0,
            (free, largest) => 1.0 - largest as f64 / free as f64,
        })
    }

    fn if_whole(&self, bytes: u64) -> Option<u64> {
        (self.accounts == Accounts::Whole).then_some(bytes)
    }

    fn held(&self, by: impl Fn(&Holder) -> bool) -> u64 {
        self.regions.iter().filter(|region| by(&region.holder)).map(Region::len).sum()
    }

    fn fault(&mut self, kind: SpaceFaultKind, address: VirtAddr, message: String) {
        self.faults.push(SpaceFault { kind, address, message: message.into() });
    }

    /// Checks what the kernel's allocator requires of its list.
    fn check_order(&mut self) {
        let mut faults = Vec::new();
        for pair in self.free_list.windows(2) {
            let [before, next] = pair else { continue };
            if next.start < before.start {
                faults.push((
                    SpaceFaultKind::Unsorted,
                    next.start,
                    format!(
                        "the free list is not sorted: {} comes after {}",
                        next.start, before.start
                    ),
                ));
            } else if before.end() == Some(next.start) {
                faults.push((
                    SpaceFaultKind::Unmerged,
                    next.start,
                    format!(
                        "the free entries at {} and {} are adjacent but were not merged",
                        before.start, next.start
                    ),
                ));
            }
        }
        for (kind, address, message) in faults {
            self.fault(kind, address, message);
        }
    }

    /// What the list and the modules claim, as far as it lies in the arena.
    /// A set takes up whole pointers.
    fn claims(&mut self, modules: &Modules, pointer: u64) -> Vec<Region> {
        let mut claims = Vec::new();
        for entry in self.free_list.clone() {
            let range = entry.end().map(|end| entry.start..end);
            let what = format!("the free entry at {} of {} bytes", entry.start, entry.len);
            self.claim(&mut claims, range, Holder::Free, entry.start, &what);
        }
        for module in modules.modules() {
            let Some(set) = module.set(self.set) else { continue };
            let (start, size) = (set.range.start, set.size().next_multiple_of(pointer));
            let what = format!("the set of {} at {start} of {size} bytes", module.name);
            let range = start.checked_add(size).map(|end| start..end);
            self.claim(&mut claims, range, Holder::Module(module.name.clone()), start, &what);
        }
        claims.sort_by_key(|claim| (claim.range.start, claim.range.end));
        claims
    }

    fn claim(
        &mut self,
        claims: &mut Vec<Region>,
        range: Option<Range<VirtAddr>>,
        holder: Holder,
        start: VirtAddr,
        what: &str,
    ) {
        let range = range.filter(|range| !range.is_empty());
        let inside = range
            .as_ref()
            .is_some_and(|range| self.arena.start <= range.start && range.end <= self.arena.end);
        if !inside {
            let why = format!("{what} is not inside module space");
            self.fault(SpaceFaultKind::OutOfBounds, start, why);
        }
        if let Some(range) = range {
            let range = range.start.max(self.arena.start)..range.end.min(self.arena.end);
            if !range.is_empty() {
                claims.push(Region { range, holder });
            }
        }
    }

    /// Divides the arena by the claims; if two overlap, the first gets the bytes.
    fn divide(&mut self, claims: Vec<Region>) {
        let mut at = self.arena.start;
        let mut last: Option<Region> = None;
        for claim in claims {
            if claim.range.start < at
                && let Some(last) = &last
            {
                let message = format!(
                    "{} at {} overlaps {} at {}",
                    claim.holder, claim.range.start, last.holder, last.range.start
                );
                self.fault(SpaceFaultKind::Overlap, claim.range.start, message);
            }
            self.leave(at..claim.range.start);
            let range = claim.range.start.max(at)..claim.range.end;
            if !range.is_empty() {
                at = range.end;
                self.regions.push(Region { range, holder: claim.holder.clone() });
                last = Some(claim);
            }
        }
        self.leave(at..self.arena.end);
    }

    /// Records this range as unclaimed, unless it is empty.
    fn leave(&mut self, range: Range<VirtAddr>) {
        if range.is_empty() {
            return;
        }
        let holder = match self.accounts {
            Accounts::Whole => Holder::Nobody,
            Accounts::Broken => Holder::Unknown,
            Accounts::NotYet => Holder::NotYet,
        };
        let region = Region { range, holder };
        let (start, len) = (region.range.start, region.len());
        if self.accounts == Accounts::Whole {
            let message = format!("{len} bytes at {start} are neither free nor a module's");
            self.fault(SpaceFaultKind::Lost, start, message);
        }
        self.regions.push(region);
    }
}

impl Region {
    /// Bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.range.end.offset_from(self.range.start).unwrap_or(0)
    }

    /// Whether it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl FreeEntry {
    fn end(&self) -> Option<VirtAddr> {
        self.start.checked_add(u64::try_from(self.len).ok()?)
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Free => f.write_str("a free entry"),
            Self::Module(name) => write!(f, "the set of {name}"),
            Self::Nobody => f.write_str("unclaimed bytes"),
            Self::Unknown => f.write_str("bytes of unknown use"),
            Self::NotYet => f.write_str("bytes not given out yet"),
        }
    }
}
