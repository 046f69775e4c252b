//! Where the members of `struct vnet` lie.

use crate::addr::VirtAddr;
use crate::constants::{BARE_VNETS, BareVnet, VNET_MAGICS};
use crate::target::{ReadError, Target};
use crate::types::{TypeError, TypeId, Types};
use crate::vnet::VnetError;

/// Offsets in `struct vnet`, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct VnetLayout {
    /// Bytes of the whole struct.
    pub size: u64,
    pub next: u64,
    /// Where the address of the pointer to this vnet is kept.
    pub prev: u64,
    pub magic: u64,
    pub ifcnt: u64,
    pub sockcnt: u64,
    /// 11.0 and later.
    pub state: Option<u64>,
    pub data_mem: u64,
    pub data_base: u64,
    /// A bool, in the newest kernels.
    pub shutdown: Option<u64>,
}

impl VnetLayout {
    /// From the kernel's debug information; without any, the known shape that
    /// makes sense of the vnet at `first`.
    ///
    /// # Errors
    /// The debug information is damaged, or no shape fits.
    pub fn of(target: &Target, first: VirtAddr) -> Result<Self, VnetError> {
        match struct_vnet(target) {
            Ok((types, id)) => Ok(Self::from_types(types, id).map_err(ReadError::Type)?),
            Err(ReadError::Type(TypeError::NoDebugInfo | TypeError::NoCtf)) => {
                let fits = |bare: &&BareVnet| fits(target, bare, first);
                let bare = BARE_VNETS.iter().find(fits).ok_or(VnetError::NoLayout)?;
                Ok(Self::from_bare(bare))
            }
            Err(why) => Err(why.into()),
        }
    }

    /// Bytes, of which a vnet's address is a multiple. The size of a struct is a multiple of
    /// its alignment, and malloc(9) aligns what has the size of a power of two by that.
    pub fn alignment(&self) -> u64 {
        const PAGE_BITS: u32 = 12;
        (1 << self.size.trailing_zeros().min(PAGE_BITS)).max(self.prev)
    }

    fn from_types(types: &Types, id: TypeId) -> Result<Self, TypeError> {
        let at = |path| types.path(id, path).map(|field| field.offset);
        Ok(Self {
            size: types.size_of(id)?,
            next: at("vnet_le.le_next")?,
            prev: at("vnet_le.le_prev")?,
            magic: at("vnet_magic_n")?,
            ifcnt: at("vnet_ifcnt")?,
            sockcnt: at("vnet_sockcnt")?,
            state: at("vnet_state").ok(),
            data_mem: at("vnet_data_mem")?,
            data_base: at("vnet_data_base")?,
            shutdown: at("vnet_shutdown").ok(),
        })
    }

    fn from_bare(bare: &BareVnet) -> Self {
        let BareVnet { pointer_size: prev, magic, ifcnt, sockcnt, .. } = *bare;
        let BareVnet { state, data_mem, data_base, .. } = *bare;
        let size = data_base + prev;
        Self {
            size,
            next: 0,
            prev,
            magic,
            ifcnt,
            sockcnt,
            state,
            data_mem,
            data_base,
            shutdown: None,
        }
    }
}

/// The type of the elements of `vnet_head`: the list leads to it without a look
/// at every unit.
fn struct_vnet(target: &Target) -> Result<(&Types, TypeId), ReadError> {
    let types = target.types()?;
    let by_head = target.global("vnet_head").and_then(|head| {
        let first = types.member(head.type_id, "lh_first")?;
        Ok(types.pointee(first.type_id)?)
    });
    let found = by_head.or_else(|_| types.find("struct vnet"))?;
    Ok((types, found))
}

fn fits(target: &Target, bare: &BareVnet, vnet: VirtAddr) -> bool {
    let memory = target.memory();
    let Some(set) = target.kernel().set_vnet() else { return false };
    let word = |offset| memory.pointer(vnet.wrapping_add(offset)).map(VirtAddr::get);
    let magic = memory.u32(vnet.wrapping_add(bare.magic));
    let (Ok(magic), Ok(mem), Ok(base)) = (magic, word(bare.data_mem), word(bare.data_base)) else {
        return false;
    };
    bare.pointer_size == target.arch().pointer_size()
        && VNET_MAGICS.contains(&magic)
        && target.arch().wrap(mem.wrapping_sub(set.start.get())) == base
}
