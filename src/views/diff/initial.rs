//! The values that a new network stack starts with.
//!
//! A kernel copies them from its set, the master copy, which is ordinary memory and may have been
//! changed (`vnet_alloc` and `vnet_data_copy` in `sys/net/vnet.c`, 9.3 to main). Newer kernels keep
//! a pristine copy, `vnet_init_var`, that includes those of loaded modules (`vnet_save_init`). In
//! others, the files that were loaded have the values.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;

use crate::addr::VirtAddr;
use crate::kernel::LinkerSet;
use crate::modules::{FileSet, Modules};
use crate::target::Target;
use crate::value::memory_block::MemoryBlock;
use crate::value::model::{ErrorKind, ValueError};
use crate::value::read::MAX_SIZE;
use crate::vnet::{self, SetVariable};

/// Where initial values come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// The copy that the kernel keeps, `vnet_init_var`.
    Pristine,
    /// The kernel's or the module's file.
    File,
    /// The image of a module in memory.
    Image,
    /// The master copy in memory, which new stacks are copied from.
    Master,
}

impl Origin {
    /// The name in JSON: `pristine`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pristine => "pristine",
            Self::File => "file",
            Self::Image => "image",
            Self::Master => "master",
        }
    }

    /// What it is, for people; `of` is `kernel` or the name of a module.
    #[must_use]
    pub fn title(self, of: &str) -> String {
        match self {
            Self::Pristine => "the pristine copy that the kernel keeps".to_owned(),
            Self::File if of == "kernel" => "the kernel file".to_owned(),
            Self::File => format!("the file of {of}"),
            Self::Image => format!("the image of {of} in memory"),
            Self::Master => "the master copy in memory".to_owned(),
        }
    }
}

/// The initial values of all variables of a kernel and its modules.
pub struct InitialValues<'t> {
    target: &'t Target,
    /// The set; `None` without VIMAGE.
    set: Option<Range<VirtAddr>>,
    /// Of the kernel and its modules, the best first.
    snapshots: Vec<Snapshot>,
    master: OnceCell<Option<Snapshot>>,
}

/// The values of the variables whose masters lie in a range.
#[derive(Debug)]
struct Snapshot {
    origin: Origin,
    masters: Range<VirtAddr>,
    block: MemoryBlock,
}

impl<'t> InitialValues<'t> {
    /// Finds those of a kernel and its modules. `file_set` returns what a module's file has.
    #[must_use]
    pub fn find(
        target: &'t Target,
        modules: &Modules,
        file_set: impl Fn(&crate::modules::Module) -> Option<FileSet>,
    ) -> Self {
        let set = target.kernel().set_vnet().filter(|set| size_of(set).is_some());
        let mut all = Self { target, set, snapshots: Vec::new(), master: OnceCell::new() };
        if let Some(set) = all.set.clone() {
            all.snapshots.extend(pristine(target, &set));
            // Only those of modules are behind the file: the arena in it is empty.
            for module in modules.modules() {
                let Some(set) = module.set(LinkerSet::Vnet) else { continue };
                let own = set.range.clone();
                let image = set.image.and_then(|at| read(target, Origin::Image, at, &own));
                let whole = image.filter(|image| image.block.first_fault().is_none());
                let file = || all.of_file(&own, file_set(module)?);
                let best = whole.or_else(file);
                all.snapshots.extend(best);
            }
            all.snapshots.extend(kernel_file(target, &set));
        }
        all
    }

    /// The bytes of a variable: calls `f` with the block that holds them and their place there.
    ///
    /// # Errors
    /// No file has them and they are not in memory.
    pub(super) fn with<R>(
        &self,
        variable: &SetVariable,
        f: impl FnOnce(&MemoryBlock, usize) -> R,
    ) -> Result<(Origin, R), ValueError> {
        if self.set.is_none() {
            let bytes = self.target.kernel().initial_bytes(variable.master, variable.size);
            let bytes = bytes.ok_or_else(no_values)?;
            let block = MemoryBlock::of_bytes(variable.master, bytes.into_owned());
            return Ok((Origin::File, f(&block, 0)));
        }
        let of_kernel = variable.of_module().is_none();
        let fits = |snapshot: &&Snapshot| {
            let by_module = matches!(snapshot.origin, Origin::File) && !of_kernel;
            // What the kernel's file has in module space is nobody's.
            !(by_module && Some(&snapshot.masters) == self.set.as_ref())
        };
        let whole = |snapshot: &Snapshot| {
            let place = snapshot.place(variable)?;
            matches!(snapshot.block.get(place.clone()), Some(Ok(_))).then_some(place.start)
        };
        let candidates = self.snapshots.iter().filter(fits);
        let found = candidates.clone().find_map(|snapshot| Some((snapshot, whole(snapshot)?)));
        let found = found.or_else(|| {
            let master = self.master()?;
            Some((master, whole(master)?))
        });
        let any = || {
            let mut all = candidates.chain(self.master());
            all.find_map(|snapshot| Some((snapshot, snapshot.place(variable)?.start)))
        };
        let (snapshot, at) = found.or_else(any).ok_or_else(no_values)?;
        Ok((snapshot.origin, f(&snapshot.block, at)))
    }

    /// The set that pointers of initial values may lead into.
    pub(super) fn set(&self) -> Option<&Range<VirtAddr>> {
        self.set.as_ref()
    }

    fn master(&self) -> Option<&Snapshot> {
        let read = || {
            let set = self.set.as_ref()?;
            read(self.target, Origin::Master, set.start, set)
        };
        self.master.get_or_init(read).as_ref()
    }

    /// What a module's file has, and what the linker filled in from the master copy.
    fn of_file(&self, set: &Range<VirtAddr>, file: FileSet) -> Option<Snapshot> {
        let FileSet { mut bytes, relocated } = file;
        let master = self.master()?;
        let start = usize::try_from(set.start.offset_from(master.masters.start)?).ok()?;
        for place in relocated {
            let in_master = start.checked_add(place.start)?..start.checked_add(place.end)?;
            let filled = master.block.get(in_master)?.ok()?;
            bytes.get_mut(place)?.copy_from_slice(filled);
        }
        let block = MemoryBlock::of_bytes(set.start, bytes);
        Some(Snapshot { origin: Origin::File, masters: set.clone(), block })
    }
}

impl Snapshot {
    /// Where the variable lies in the block; `None` if it is not in it.
    fn place(&self, variable: &SetVariable) -> Option<Range<usize>> {
        let at = variable.master.offset_from(self.masters.start)?;
        let end = at.checked_add(variable.size)?;
        let inside = end <= self.block.len() as u64;
        inside.then_some(at as usize..end as usize)
    }
}

/// The size of a set in bytes, if it can be believed.
pub(super) fn size_of(set: &Range<VirtAddr>) -> Option<u64> {
    set.end.offset_from(set.start).filter(|size| *size <= MAX_SIZE)
}

fn read(
    target: &Target,
    origin: Origin,
    at: VirtAddr,
    masters: &Range<VirtAddr>,
) -> Option<Snapshot> {
    let block = MemoryBlock::read(target.memory(), at, size_of(masters)? as usize);
    Some(Snapshot { origin, masters: masters.clone(), block })
}

/// The kernel's own copy; `None` if it keeps none, or had not made it yet.
fn pristine(target: &Target, set: &Range<VirtAddr>) -> Option<Snapshot> {
    read(target, Origin::Pristine, vnet::pristine(target)?, set)
}

fn kernel_file(target: &Target, set: &Range<VirtAddr>) -> Option<Snapshot> {
    let bytes = target.kernel().initial_bytes(set.start, size_of(set)?);
    let block = MemoryBlock::of_bytes(set.start, bytes.map(Cow::into_owned)?);
    Some(Snapshot { origin: Origin::File, masters: set.clone(), block })
}

fn no_values() -> ValueError {
    ValueError {
        kind: ErrorKind::NotDumped,
        address: None,
        message: "neither a file nor the dump has its initial value".into(),
    }
}
