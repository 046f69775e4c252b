//! Packets: mbufs and their clusters (`sys/kern/kern_mbuf.c`, `sys/sys/mbuf.h`, 11 to main).

use super::Runtime;
use crate::addr::VirtAddr;
use crate::image::ImageError;

/// What an mbuf has behind its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MbufKind {
    /// Bytes of a packet.
    Data,
    /// A packet header, and then bytes.
    Packet,
    /// A packet header, and what leads to a cluster.
    Cluster,
    /// Pages without addresses, with the head and the tail of a record (13 and later).
    Pages,
    /// Nothing: it was never used, or nothing says for what.
    Nothing,
}

const M_EXT: u64 = 1;
const M_PKTHDR: u64 = 2;
const M_EOR: u64 = 4;
const M_EXTPG: u64 = 0x100;
const MT_DATA: u64 = 1;

impl Runtime {
    /// A cluster of the zone `zone` that is full of `text`. Returns where it is.
    ///
    /// # Errors
    /// There is no such zone.
    pub fn cluster(&mut self, zone: &str, text: &str) -> Result<VirtAddr, ImageError> {
        let item = self.zone_alloc(zone)?;
        let size = self.zone_item_size(zone)?;
        self.kernel.machine_mut().write(item, &filled(text, size))?;
        Ok(item)
    }

    /// An mbuf in which all but what `kind` needs is full of `text`, as if a packet had been
    /// there before. A cluster of it has the same text. Returns where it is.
    ///
    /// # Errors
    /// The kernel has no such zones, or no such mbufs.
    pub fn mbuf(&mut self, kind: MbufKind, text: &str) -> Result<VirtAddr, ImageError> {
        let cluster = match kind {
            MbufKind::Cluster => Some(self.cluster("mbuf_cluster", text)?),
            _ => None,
        };
        let item = self.zone_alloc("mbuf")?;
        let size = self.zone_item_size("mbuf")?;
        let kernel = &mut self.kernel;
        kernel.machine_mut().write(item, &filled(text, size))?;
        let mbuf = kernel.object(item, "struct mbuf")?;
        let data = kernel.member(mbuf, "m_dat")?.address;
        let header = data.offset_from(item).unwrap_or(0);
        kernel.machine_mut().write(item, &vec![0; header as usize])?;
        let (flags, data) = match kind {
            // The last one of a record.
            MbufKind::Data => (M_EOR, data),
            MbufKind::Nothing => (M_EXT | M_PKTHDR, data),
            MbufKind::Packet => (M_PKTHDR, kernel.member(mbuf, "m_pktdat")?.address),
            MbufKind::Cluster => (M_PKTHDR | M_EXT, cluster.unwrap_or_default()),
            MbufKind::Pages => (M_EXT | M_EXTPG, VirtAddr::new(0)),
        };
        kernel.set(mbuf, "m_type", if kind == MbufKind::Nothing { 0 } else { MT_DATA })?;
        kernel.set(mbuf, "m_flags", flags)?;
        kernel.set_pointer(mbuf, "m_data", data)?;
        kernel.set(mbuf, "m_len", text.len() as u64)?;
        if kind == MbufKind::Nothing {
            return Ok(item);
        }
        if flags & (M_PKTHDR | M_EXTPG) != 0 {
            let header = kernel.member(mbuf, "m_pkthdr")?;
            let len = kernel.types().size_of(header.type_id)?;
            kernel.machine_mut().write(header.address, &vec![0; len as usize])?;
            kernel.set(mbuf, "m_pkthdr.len", text.len() as u64)?;
        }
        if flags & M_EXT != 0 {
            for member in ["ext_cnt", "ext_size", "ext_type", "ext_flags", "ext_free", "ext_arg1"] {
                kernel.set(mbuf, &format!("m_ext.{member}"), 0)?;
            }
            kernel.set(mbuf, "m_ext.ext_count", 1)?;
        }
        if flags & M_EXTPG != 0 {
            for page in 0..5 {
                kernel.set(mbuf, &format!("m_ext.extpg_pa[{page}]"), page << 12)?;
            }
        } else if flags & M_EXT != 0 {
            kernel.set_pointer(mbuf, "m_ext.ext_buf", data)?;
            kernel.set(mbuf, "m_ext.ext_arg2", 0)?;
            kernel.set(mbuf, "m_ext.ext_size", 2048)?;
        }
        Ok(item)
    }
}

/// `size` bytes of `text`, again and again.
pub(super) fn filled(text: &str, size: u64) -> Vec<u8> {
    text.bytes().cycle().take(size as usize).collect()
}
