//! Files of hypervisors and of other systems' tools: saved machines, memory in special
//! formats, disk images, and dumps of other systems.

use super::OtherFile;
use super::magic::begins;
use crate::addr::{FileOffset, PhysAddr};
use crate::bytes::Fields;

/// The memory or the whole state of a machine, in a special format.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SavedMachine {
    /// A machine saved by libvirt (`virsh save`).
    Libvirt,
    /// A machine whose saving by libvirt was interrupted.
    LibvirtPart,
    /// A migration stream of QEMU.
    QemuMigration,
    /// The state of a machine suspended by VMware: `.vmss`, `.vmsn`. Its memory is in another
    /// file.
    Vmware,
    /// A machine saved by VirtualBox.
    VirtualBox,
    /// A domain saved by Xen.
    Xen,
    /// The core of a Xen domain (`xl dump-core`), which has sections and no segments.
    XenCore,
    /// Memory in the format of AVML.
    Avml,
    /// Memory in the format of the Linux Memory Extractor.
    Lime {
        /// Its first ranges, in file order. With them the file can be read as raw
        /// memory.
        ranges: Vec<MemoryRange>,
    },
    /// A kdump-compressed image of Linux. QEMU can write them too.
    Kdump,
    /// The dump of a Windows kernel.
    Windows,
    /// The dump of a Windows program.
    WindowsProgram,
}

/// Where a range of physical memory lies in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryRange {
    /// Its physical address.
    pub phys: PhysAddr,
    /// Its length in bytes.
    pub len: u64,
    /// Its offset in the file.
    pub offset: FileOffset,
}

/// The image of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiskImage {
    /// QEMU's qcow2.
    Qcow2,
    /// QEMU's QED.
    Qed,
    /// VHD, of Hyper-V and Virtual PC.
    Vhd,
    /// VHDX, of Hyper-V.
    Vhdx,
    /// VMDK, of VMware.
    Vmdk,
    /// The text that describes a VMDK image of several files.
    VmdkDescription,
    /// Parallels.
    Parallels,
    /// VDI, of VirtualBox.
    Vdi,
}

impl SavedMachine {
    pub(super) fn what(&self) -> &'static str {
        match self {
            Self::Libvirt => "a machine saved by libvirt",
            Self::LibvirtPart => "a part of a machine saved by libvirt",
            Self::QemuMigration => "a migration stream of QEMU",
            Self::Vmware => "a machine suspended by VMware",
            Self::VirtualBox => "a machine saved by VirtualBox",
            Self::Xen => "a domain saved by Xen",
            Self::XenCore => "a core of a Xen domain",
            Self::Avml => "memory in the format of AVML",
            Self::Lime { .. } => "memory in the format of LiME",
            Self::Kdump => "a kdump-compressed image, a Linux format",
            Self::Windows => "a Windows crash dump",
            Self::WindowsProgram => "a crash dump of a Windows program",
        }
    }
}

impl DiskImage {
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Qcow2 => "a qcow2 disk image",
            Self::Qed => "a QED disk image",
            Self::Vhd => "a VHD disk image",
            Self::Vhdx => "a VHDX disk image",
            Self::Vmdk => "a VMDK disk image",
            Self::VmdkDescription => "the description of a VMDK disk image",
            Self::Parallels => "a Parallels disk image",
            Self::Vdi => "a VDI disk image",
        }
    }
}

/// First bytes, and the kind of file that they begin.
const BEGINNINGS: &[(&[u8], OtherFile)] = &[
    (b"LibvirtQemudSave", OtherFile::Machine(SavedMachine::Libvirt)),
    (b"LibvirtQemudPart", OtherFile::Machine(SavedMachine::LibvirtPart)),
    (b"QEVM", OtherFile::Machine(SavedMachine::QemuMigration)),
    // Little-endian words. Each release of VMware has its own.
    (b"\xd0\xbe\xd2\xbe", OtherFile::Machine(SavedMachine::Vmware)),
    (b"\xd1\xba\xd1\xba", OtherFile::Machine(SavedMachine::Vmware)),
    (b"\xd2\xbe\xd2\xbe", OtherFile::Machine(SavedMachine::Vmware)),
    (b"\xd3\xbe\xd3\xbe", OtherFile::Machine(SavedMachine::Vmware)),
    (b"\x7fVirtualBox SavedState", OtherFile::Machine(SavedMachine::VirtualBox)),
    (b"LinuxGuestRecord", OtherFile::Machine(SavedMachine::Xen)),
    (b"Xen saved domain", OtherFile::Machine(SavedMachine::Xen)),
    (b"AVML", OtherFile::Machine(SavedMachine::Avml)),
    (b"KDUMP   ", OtherFile::Machine(SavedMachine::Kdump)),
    (b"DISKDUMP", OtherFile::Machine(SavedMachine::Kdump)),
    (b"makedumpfile", OtherFile::Machine(SavedMachine::Kdump)),
    (b"PAGEDU64", OtherFile::Machine(SavedMachine::Windows)),
    (b"PAGEDUMP", OtherFile::Machine(SavedMachine::Windows)),
    (b"MDMP", OtherFile::Machine(SavedMachine::WindowsProgram)),
    (b"QFI\xfb", OtherFile::Disk(DiskImage::Qcow2)),
    (b"QED\0", OtherFile::Disk(DiskImage::Qed)),
    (b"conectix", OtherFile::Disk(DiskImage::Vhd)),
    (b"vhdxfile", OtherFile::Disk(DiskImage::Vhdx)),
    (b"KDMV", OtherFile::Disk(DiskImage::Vmdk)),
    (b"COWD", OtherFile::Disk(DiskImage::Vmdk)),
    (b"\xbe\xba\xfe\xca\0\0\0\0", OtherFile::Disk(DiskImage::Vmdk)),
    (b"# Disk DescriptorFile", OtherFile::Disk(DiskImage::VmdkDescription)),
    (b"WithoutFreeSpace", OtherFile::Disk(DiskImage::Parallels)),
    (b"WithouFreSpacExt", OtherFile::Disk(DiskImage::Parallels)),
];

/// Like [`super::recognise`], but only for saved machines and disk images.
pub fn recognise(bytes: &[u8]) -> Option<OtherFile> {
    let known = BEGINNINGS.iter().find(|(magic, _)| begins(bytes, magic));
    let known = known.map(|(_, other)| other.clone());
    known.or_else(|| lime(bytes)).or_else(|| xen_core(bytes)).or_else(|| vdi(bytes))
}

/// A VHD image of fixed size is a disk followed by a block that identifies it.
pub(super) fn by_its_end(bytes: &[u8]) -> Option<OtherFile> {
    const BLOCK: usize = 512;
    let last = bytes.get(bytes.len().checked_sub(BLOCK)?..)?;
    last.starts_with(b"conectix").then_some(OtherFile::Disk(DiskImage::Vhd))
}

/// VirtualBox writes its own name, which earlier owners changed, and a number at offset 64.
fn vdi(bytes: &[u8]) -> Option<OtherFile> {
    const NUMBER: u32 = 0xbeda_107f;
    let named = bytes.starts_with(b"<<< ")
        && (memchr::memmem::find(bytes.get(..64).unwrap_or(bytes), b"Disk Image").is_some()
            || bytes.len() < 64);
    let numbered = Fields::little(bytes).u32(64) == Some(NUMBER);
    (named || numbered).then_some(OtherFile::Disk(DiskImage::Vdi))
}

/// Memory as the Linux Memory Extractor writes it: each range follows a header of 32 bytes
/// in the machine's byte order.
fn lime(bytes: &[u8]) -> Option<OtherFile> {
    /// More ranges than people want to type.
    const MOST: usize = 32;
    let fields = if begins(bytes, b"EMiL") {
        Fields::little(bytes)
    } else if begins(bytes, b"LiME") {
        Fields::big(bytes)
    } else {
        return None;
    };
    const HEADER: u64 = 32;
    let mut ranges = Vec::new();
    let mut at = 0_u64;
    for _ in 0..MOST {
        let Ok(header) = usize::try_from(at) else { break };
        if header >= bytes.len() || fields.slice(header, 4) != bytes.get(..4) {
            break;
        }
        let ends =
            header.checked_add(8).and_then(|first| fields.u64(first).zip(fields.u64(first + 8)));
        // The address of the last byte, not of the one after it.
        let Some((start, last)) = ends else { break };
        let Some(len) = last.checked_sub(start).and_then(|len| len.checked_add(1)) else { break };
        let offset = FileOffset::new(at.saturating_add(HEADER));
        ranges.push(MemoryRange { phys: PhysAddr::new(start), len, offset });
        let Some(next) = at.checked_add(HEADER).and_then(|data| data.checked_add(len)) else {
            break;
        };
        at = next;
    }
    Some(OtherFile::Machine(SavedMachine::Lime { ranges }))
}

/// `xl dump-core` writes a core with sections and without segments.
fn xen_core(bytes: &[u8]) -> Option<OtherFile> {
    const ET_CORE: u16 = 4;
    let ident = bytes.strip_prefix(b"\x7fELF")?;
    let fields = if ident.get(1) == Some(&2) { Fields::big(bytes) } else { Fields::little(bytes) };
    let segments_at = if ident.first() == Some(&1) { 44 } else { 56 };
    let (segments, sections) = (fields.u16(segments_at)?, fields.u16(segments_at + 4)?);
    let is_xen = fields.u16(16) == Some(ET_CORE) && segments == 0 && sections > 0;
    is_xen.then_some(OtherFile::Machine(SavedMachine::XenCore))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(bytes: &[u8]) -> Option<String> {
        recognise(bytes).map(|other| other.to_string())
    }

    #[test]
    fn each_is_known_by_its_beginning_even_if_not_all_of_that_is_there() {
        for (magic, other) in BEGINNINGS {
            let name = other.to_string();
            let mut whole = magic.to_vec();
            whole.extend([0x5a; 600]);
            assert_eq!(what(&whole).as_deref(), Some(&*name));
            assert_eq!(what(magic).as_deref(), Some(&*name));
            let cut = &magic[..magic.len() - 1];
            // Half of "LibvirtQemud" may be either.
            if cut.len() >= 4 && magic.len() > 4 {
                assert!(what(cut).is_some(), "{name}");
            }
            assert_eq!(what(&magic[..3]), None);
        }
        assert_eq!(what(b"hello, world"), None);
        assert_eq!(what(&[0; 4096]), None);
    }

    #[test]
    fn vdi_has_had_several_names_and_one_number() {
        for owner in ["Oracle VM", "Sun", "innotek"] {
            let text = format!("<<< {owner} VirtualBox Disk Image >>>\n");
            assert_eq!(what(text.as_bytes()).as_deref(), Some("a VDI disk image"));
        }
        let mut bytes = vec![0; 68];
        bytes[64..].copy_from_slice(&0xbeda_107f_u32.to_le_bytes());
        assert_eq!(what(&bytes).as_deref(), Some("a VDI disk image"));
    }

    #[test]
    fn a_fixed_vhd_has_its_mark_at_the_end() {
        let mut disk = vec![0; 2048];
        assert_eq!(by_its_end(&disk), None);
        disk[1536..1544].copy_from_slice(b"conectix");
        assert_eq!(by_its_end(&disk), Some(OtherFile::Disk(DiskImage::Vhd)));
    }

    #[test]
    fn the_map_of_lime_is_told_in_either_byte_order() {
        let header = |big: bool, start: u64, last: u64| {
            let mut bytes = if big { b"LiME".to_vec() } else { b"EMiL".to_vec() };
            let order = |value: u64| if big { value.to_be_bytes() } else { value.to_le_bytes() };
            bytes.extend(&if big { [0, 0, 0, 1] } else { [1, 0, 0, 0] });
            bytes.extend(order(start));
            bytes.extend(order(last));
            bytes.extend([0; 8]);
            bytes
        };
        let lime = |ranges: &[MemoryRange]| {
            OtherFile::Machine(SavedMachine::Lime { ranges: ranges.to_vec() })
        };
        for big in [false, true] {
            let mut bytes = header(big, 0x1000, 0x1fff);
            bytes.extend([0; 0x1000]);
            bytes.extend(header(big, 0x10_0000, 0x7fff_ffff));
            let range = |phys, len, offset| MemoryRange {
                phys: PhysAddr::new(phys),
                len,
                offset: FileOffset::new(offset),
            };
            let two = [range(0x1000, 0x1000, 0x20), range(0x10_0000, 0x7ff0_0000, 0x1040)];
            assert_eq!(recognise(&bytes), Some(lime(&two)));
            // The last byte lies before the first, or there are more than can be counted.
            assert_eq!(recognise(&header(big, 5, 4)), Some(lime(&[])));
            assert_eq!(recognise(&header(big, 0, u64::MAX)), Some(lime(&[])));
        }
    }

    #[test]
    fn a_core_of_sections_is_xens() {
        for (class, order) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
            let mut bytes = vec![0; 64];
            bytes[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, order]);
            let low = usize::from(order == 2);
            bytes[16 + low] = 4;
            assert_eq!(what(&bytes), None);
            bytes[if class == 1 { 48 } else { 60 } + low] = 4;
            assert_eq!(what(&bytes).as_deref(), Some("a core of a Xen domain"));
            bytes[if class == 1 { 44 } else { 56 } + low] = 1;
            assert_eq!(what(&bytes), None);
        }
    }
}
