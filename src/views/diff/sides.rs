//! The two sides of a comparison: whose copies of the variables, and how what they point
//! at is read.

use std::ops::Range;

use crate::addr::VirtAddr;
use crate::target::Target;
use crate::types::Types;
use crate::value::memory_block::MemoryBlock;
use crate::value::model::{ErrorKind, Value, ValueError};
use crate::value::read::MAX_SIZE;
use crate::value::{ValueReader, freed};
use crate::views::counters::Teardown;
use crate::views::diff::initial::{InitialValues, Origin, size_of};
use crate::vnet::{SetVariable, Stack, Variables};

/// One side.
pub struct Side<'a> {
    pub(super) target: &'a Target,
    pub(super) types: Option<&'a Types>,
    pub(super) reader: ValueReader<'a>,
    /// All virtualized variables of its kernel; `None` without VIMAGE.
    variables: Option<&'a Variables>,
    copies: Copies<'a>,
    /// Where the copies lie, and the masters that these are copies of.
    own: Option<(Range<VirtAddr>, VirtAddr)>,
    teardown: Option<Teardown>,
}

/// Whose copies.
enum Copies<'a> {
    Initial(&'a InitialValues<'a>),
    /// A vnet's block, and the address of its vnet.
    Vnet {
        block: MemoryBlock,
        masters: VirtAddr,
        vnet: VirtAddr,
    },
    /// The variables themselves, in a kernel without VIMAGE.
    Globals,
    /// It has none; the reason.
    Missing(ValueError),
}

impl<'a> Side<'a> {
    /// The initial values.
    #[must_use]
    pub fn initial(
        reader: ValueReader<'a>,
        variables: Option<&'a Variables>,
        values: &'a InitialValues<'a>,
    ) -> Self {
        let own = values.set().map(|set| (set.clone(), set.start));
        Self { own, ..Self::new(reader, variables, Copies::Initial(values)) }
    }

    /// The copies of a network stack.
    #[must_use]
    pub fn stack(
        reader: ValueReader<'a>,
        variables: Option<&'a Variables>,
        stack: Stack<'a>,
    ) -> Self {
        let target = reader.target();
        let set = target.kernel().set_vnet();
        let (copies, own) = match (stack, set) {
            (Stack::Vnet(vnet), Some(set)) => match copy(target, stack, &set) {
                Ok((block, own)) => {
                    let (masters, vnet) = (set.start, vnet.address);
                    (Copies::Vnet { block, masters, vnet }, Some((own, set.start)))
                }
                Err(why) => (Copies::Missing(why), None),
            },
            (Stack::Unchosen, _) => (Copies::Missing(missing("no vnet was chosen")), None),
            _ => (Copies::Globals, None),
        };
        let teardown = stack.vnet().and_then(|vnet| Teardown::of(target, vnet));
        Self { own, teardown, ..Self::new(reader, variables, copies) }
    }

    fn new(reader: ValueReader<'a>, variables: Option<&'a Variables>, copies: Copies<'a>) -> Self {
        let target = reader.target();
        let types = target.types().ok();
        Self { target, types, reader, variables, copies, own: None, teardown: None }
    }

    /// Whether it is the initial values.
    #[must_use]
    pub fn is_initial(&self) -> bool {
        matches!(self.copies, Copies::Initial(_))
    }

    /// Calls `f` with the block that holds the variable's bytes, and their place there. Initial
    /// values say where they come from.
    pub(super) fn with<R>(
        &self,
        variable: &SetVariable,
        f: impl FnOnce(&MemoryBlock, usize) -> R,
    ) -> Result<(Option<Origin>, R), ValueError> {
        match &self.copies {
            Copies::Initial(values) => {
                let (origin, result) = values.with(variable, f)?;
                Ok((Some(origin), result))
            }
            Copies::Vnet { block, masters, .. } => {
                let at = variable.master.offset_from(*masters).unwrap_or(u64::MAX);
                Ok((None, f(block, usize::try_from(at).unwrap_or(usize::MAX))))
            }
            Copies::Globals => {
                let size = variable.size.min(MAX_SIZE) as usize;
                let block = MemoryBlock::read(self.target.memory(), variable.master, size);
                Ok((None, f(&block, 0)))
            }
            Copies::Missing(why) => Err(why.clone()),
        }
    }

    /// Why the variable's memory says nothing: it is freed.
    pub(super) fn freed(
        &self,
        variable: &SetVariable,
        block: &MemoryBlock,
        at: usize,
    ) -> Option<ValueError> {
        if self.is_initial() {
            return None;
        }
        let address = block.address.wrapping_add(at as u64);
        freed::check_value(self.target.memory(), address, variable.size).err().map(ValueError::from)
    }

    /// Where in its own copies a pointer leads: the master of that.
    pub(super) fn own_master(&self, pointer: VirtAddr) -> Option<VirtAddr> {
        let (own, masters) = self.own.as_ref()?;
        let inside = own.start <= pointer && pointer < own.end;
        inside.then(|| masters.wrapping_add(pointer.get().wrapping_sub(own.start.get())))
    }

    /// Whether the pointer leads to the side's own struct vnet.
    pub(super) fn is_own_vnet(&self, pointer: VirtAddr) -> bool {
        matches!(self.copies, Copies::Vnet { vnet, .. } if vnet == pointer)
    }

    /// The variable that has its master there, and the distance from its start.
    pub(super) fn variable_at(&self, master: VirtAddr) -> Option<(&'a SetVariable, u64)> {
        let variable = self.variables?.holding(master)?;
        Some((variable, master.offset_from(variable.master)?))
    }

    /// The sum of the counter that holds `pointer`; the pointer itself if nothing is allocated.
    pub(super) fn counter(&self, variable: &SetVariable, pointer: VirtAddr) -> Value {
        let value = self.reader.counter(pointer);
        match &value {
            Value::Error(why) if why.kind == ErrorKind::Unallocated => {
                self.reader.plain_pointer(pointer)
            }
            Value::Counter { sum, .. } => {
                let teardown = self.teardown.as_ref();
                match teardown.and_then(|past| past.why(self.target, Some(&variable.name))) {
                    Some(why) => crate::value::counter::stale(pointer, *sum, &why).into(),
                    None => value,
                }
            }
            _ => value,
        }
    }
}

/// The block of a vnet's copies, and where it lies.
fn copy(
    target: &Target,
    stack: Stack<'_>,
    set: &Range<VirtAddr>,
) -> Result<(MemoryBlock, Range<VirtAddr>), ValueError> {
    let start = stack.copy_of(target, set.start).map_err(missing)?;
    let size = size_of(set).ok_or_else(|| missing("the set of variables has no sensible size"))?;
    let block = MemoryBlock::read(target.memory(), start, size as usize);
    Ok((block, start..start.wrapping_add(size)))
}

fn missing(why: &'static str) -> ValueError {
    ValueError { kind: ErrorKind::Stale, address: None, message: why.into() }
}
