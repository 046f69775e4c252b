//! Room in the kernel's linker sets for those of modules.

use super::file::ModuleFile;
use super::sets::{PlacedSet, SetKind};
use super::{object, shared};
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::runtime::Runtime;

impl Runtime {
    /// Room in the kernel's sets for those of a module.
    ///
    /// # Errors
    /// One of them has no room left (ENOSPC). Then none is taken.
    pub(super) fn place_sets(&mut self, file: &ModuleFile) -> Result<Vec<PlacedSet>, ImageError> {
        let sizes = match file.is_object() {
            true => object::set_sizes(file)?,
            false => shared::set_sizes(file, self.kernel.machine().arch())?,
        };
        let mut placed = Vec::new();
        for (kind, size) in sizes {
            match self.place_set(file, kind, size) {
                Ok(at) => placed.push(PlacedSet { kind, at, size }),
                Err(error) => {
                    self.free_sets(&placed)?;
                    return Err(error);
                }
            }
        }
        Ok(placed)
    }

    /// vnet_data_copy and dpcpu_copy: every stack and every CPU gets the initial values.
    pub(super) fn copy_sets(&mut self, sets: &[PlacedSet]) -> Result<(), ImageError> {
        sets.iter().try_for_each(|set| match set.kind {
            SetKind::Pcpu => self.dpcpu_copy(set.at, set.size),
            SetKind::Vnet => self.vnet_data_copy(set.at, set.size),
        })
    }

    /// Gives the places of `sets` back.
    pub(super) fn free_sets(&mut self, sets: &[PlacedSet]) -> Result<(), ImageError> {
        sets.iter().try_for_each(|set| match set.kind {
            SetKind::Pcpu => self.dpcpu_free(set.at, set.size),
            SetKind::Vnet => self.vnet_data_free(set.at, set.size),
        })
    }

    fn place_set(
        &mut self,
        file: &ModuleFile,
        kind: SetKind,
        size: u64,
    ) -> Result<VirtAddr, ImageError> {
        let (found, what) = match kind {
            SetKind::Pcpu => (self.dpcpu_alloc(size)?, "pcpu"),
            SetKind::Vnet => (self.vnet_data_alloc(size)?, "vnet"),
        };
        found.ok_or_else(|| {
            let name = file.name();
            let why = format!("{name}: {what} module space has no {size} bytes left (ENOSPC)");
            ImageError::Refused(why)
        })
    }
}
