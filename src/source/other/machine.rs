//! What hypervisors and other systems' tools write: saved machines, memory in formats of
//! their own, disk images, and the dumps of other systems.

use std::fmt::Write;
use std::path::Path;

use super::{OtherFile, begins};
use crate::bytes::Fields;

/// What to do with a file of a kind.
#[derive(Clone, Copy)]
enum Remedy {
    /// A disk, on which there may be a dump device.
    Disk,
    Advice(&'static str),
}

const RESTORE: &str = "restore the machine with virsh restore, and write its memory with \
                       virsh dump --memory-only --format elf";
const BROKEN_OFF: &str = "it is not whole, since the saving broke off: write the memory with \
                          virsh dump --memory-only --format elf";
const INCOMING: &str = "load it into QEMU with -incoming, and write the memory with \
                        dump-guest-memory";
const VMWARE: &str = "the memory is in the .vmem file beside it, which -M takes as raw memory; \
                      if there is none, take a snapshot with its memory";
const PANIC_XEN: &str = "let the guest panic, which xl trigger DOMAIN nmi does, \
                         and give the vmcore that savecore(8) saves in it";
const PLAIN_ELF: &str =
    "write it again as plain ELF, in QEMU with dump-guest-memory without -z, -l or -s";
const VIRTUALBOX: &str = "start the machine from it, and write its memory with \
                          VBoxManage debugvm VM dumpvmcore";
const AVML: &str = "convert it first with avml-convert --format raw";
const WINDOWS: &str = "it is about another system: FreeBSD's dump is vmcore.N in /var/crash";

/// First bytes, what they begin, and what to do with that.
const BEGINNINGS: &[(&[u8], &str, Remedy)] = &[
    (b"LibvirtQemudSave", "a machine saved by libvirt", Remedy::Advice(RESTORE)),
    (b"LibvirtQemudPart", "a part of a machine saved by libvirt", Remedy::Advice(BROKEN_OFF)),
    (b"QEVM", "a migration stream of QEMU", Remedy::Advice(INCOMING)),
    // Little-endian words, of which each release of VMware has had its own.
    (b"\xd0\xbe\xd2\xbe", "a machine suspended by VMware", Remedy::Advice(VMWARE)),
    (b"\xd1\xba\xd1\xba", "a machine suspended by VMware", Remedy::Advice(VMWARE)),
    (b"\xd2\xbe\xd2\xbe", "a machine suspended by VMware", Remedy::Advice(VMWARE)),
    (b"\xd3\xbe\xd3\xbe", "a machine suspended by VMware", Remedy::Advice(VMWARE)),
    (b"\x7fVirtualBox SavedState", "a machine saved by VirtualBox", Remedy::Advice(VIRTUALBOX)),
    (b"LinuxGuestRecord", "a domain saved by Xen", Remedy::Advice(PANIC_XEN)),
    (b"Xen saved domain", "a domain saved by Xen", Remedy::Advice(PANIC_XEN)),
    (b"AVML", "memory in the format of AVML", Remedy::Advice(AVML)),
    (b"KDUMP   ", "a kdump-compressed image, a Linux format", Remedy::Advice(PLAIN_ELF)),
    (b"DISKDUMP", "a kdump-compressed image, a Linux format", Remedy::Advice(PLAIN_ELF)),
    (b"makedumpfile", "a kdump-compressed image, a Linux format", Remedy::Advice(PLAIN_ELF)),
    (b"PAGEDU64", "a Windows crash dump", Remedy::Advice(WINDOWS)),
    (b"PAGEDUMP", "a Windows crash dump", Remedy::Advice(WINDOWS)),
    (b"MDMP", "a crash dump of a Windows program", Remedy::Advice(WINDOWS)),
    (b"QFI\xfb", "a qcow2 disk image", Remedy::Disk),
    (b"QED\0", "a QED disk image", Remedy::Disk),
    (b"conectix", "a VHD disk image", Remedy::Disk),
    (b"vhdxfile", "a VHDX disk image", Remedy::Disk),
    (b"KDMV", "a VMDK disk image", Remedy::Disk),
    (b"COWD", "a VMDK disk image", Remedy::Disk),
    (b"\xbe\xba\xfe\xca\0\0\0\0", "a VMDK disk image", Remedy::Disk),
    (b"# Disk DescriptorFile", "the description of a VMDK disk image", Remedy::Disk),
    (b"WithoutFreeSpace", "a Parallels disk image", Remedy::Disk),
    (b"WithouFreSpacExt", "a Parallels disk image", Remedy::Disk),
];

/// As [`super::recognise`], but only of what machines are saved in.
pub fn recognise(path: &Path, bytes: &[u8]) -> Option<OtherFile> {
    let known = BEGINNINGS.iter().find(|(magic, ..)| begins(bytes, magic));
    let known = known.map(|(_, what, remedy)| other(path, what, *remedy));
    known.or_else(|| lime(bytes)).or_else(|| xen_core(bytes)).or_else(|| vdi(path, bytes))
}

/// A VHD image of fixed size is a disk with a block behind it that says so.
pub(super) fn by_its_end(path: &Path, bytes: &[u8]) -> Option<OtherFile> {
    const BLOCK: usize = 512;
    let last = bytes.get(bytes.len().checked_sub(BLOCK)?..)?;
    last.starts_with(b"conectix").then(|| other(path, "a VHD disk image", Remedy::Disk))
}

fn other(path: &Path, what: &str, remedy: Remedy) -> OtherFile {
    let for_dump = match remedy {
        Remedy::Disk => {
            format!("convert it first: qemu-img convert -O raw {} device.raw", path.display())
        }
        Remedy::Advice(advice) => advice.to_owned(),
    };
    OtherFile { what: what.to_owned(), may_hold_dump: true, for_dump, for_kernel: None }
}

/// VirtualBox writes its own name, which was another under earlier owners, and at 64 a number.
fn vdi(path: &Path, bytes: &[u8]) -> Option<OtherFile> {
    const NUMBER: u32 = 0xbeda_107f;
    let named = bytes.starts_with(b"<<< ")
        && (memchr::memmem::find(bytes.get(..64).unwrap_or(bytes), b"Disk Image").is_some()
            || bytes.len() < 64);
    let numbered = Fields::little(bytes).u32(64) == Some(NUMBER);
    (named || numbered).then(|| other(path, "a VDI disk image", Remedy::Disk))
}

/// Memory as the Linux Memory Extractor writes it: each range behind a header of 32 bytes,
/// in the byte order of the machine. With its map it can be read as raw memory.
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
    let mut map = String::new();
    let mut at = 0_u64;
    for _ in 0..MOST {
        let Ok(header) = usize::try_from(at) else { break };
        if header >= bytes.len() || fields.slice(header, 4) != bytes.get(..4) {
            break;
        }
        let ends =
            header.checked_add(8).and_then(|first| fields.u64(first).zip(fields.u64(first + 8)));
        // The last byte's address, not that behind it.
        let Some((start, last)) = ends else { break };
        let Some(len) = last.checked_sub(start).and_then(|len| len.checked_add(1)) else { break };
        let _ = write!(map, " --memory-map {start:#x}+{len:#x}@{:#x}", at.saturating_add(HEADER));
        let Some(next) = at.checked_add(HEADER).and_then(|data| data.checked_add(len)) else {
            break;
        };
        at = next;
    }
    let for_dump = match map.as_str() {
        "" => "write it again as raw memory (format=raw), and say by --memory-map where it lies"
            .to_owned(),
        map => format!("read it as raw memory, with the kernel (-N) and{map}"),
    };
    let what = "memory in the format of LiME".to_owned();
    Some(OtherFile { what, may_hold_dump: true, for_dump, for_kernel: None })
}

/// `xl dump-core` writes a core with sections and without segments.
fn xen_core(bytes: &[u8]) -> Option<OtherFile> {
    const ET_CORE: u16 = 4;
    let ident = bytes.strip_prefix(b"\x7fELF")?;
    let fields = if ident.get(1) == Some(&2) { Fields::big(bytes) } else { Fields::little(bytes) };
    let segments_at = if ident.first() == Some(&1) { 44 } else { 56 };
    let (segments, sections) = (fields.u16(segments_at)?, fields.u16(segments_at + 4)?);
    let is_xen = fields.u16(16) == Some(ET_CORE) && segments == 0 && sections > 0;
    is_xen.then(|| other(Path::new(""), "a core of a Xen domain", Remedy::Advice(PANIC_XEN)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(bytes: &[u8]) -> Option<String> {
        recognise(Path::new("file"), bytes).map(|other| other.what)
    }

    #[test]
    fn each_is_known_by_its_beginning_even_if_not_all_of_that_is_there() {
        for (magic, name, _) in BEGINNINGS {
            let mut whole = magic.to_vec();
            whole.extend([0x5a; 600]);
            assert_eq!(what(&whole).as_deref(), Some(*name));
            assert_eq!(what(magic).as_deref(), Some(*name));
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
    fn disks_are_converted_and_machines_restored() {
        let hint = |bytes: &[u8]| recognise(Path::new("a.img"), bytes).unwrap().for_dump;
        assert_eq!(hint(b"KDMV"), "convert it first: qemu-img convert -O raw a.img device.raw");
        assert!(hint(b"LibvirtQemudSave").contains("virsh restore"));
        assert!(hint(b"\xd2\xbe\xd2\xbe\x08\0\0\0").contains(".vmem"));
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
        assert_eq!(by_its_end(Path::new("d"), &disk), None);
        disk[1536..1544].copy_from_slice(b"conectix");
        assert_eq!(by_its_end(Path::new("d"), &disk).unwrap().what, "a VHD disk image");
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
        for big in [false, true] {
            let mut bytes = header(big, 0x1000, 0x1fff);
            bytes.extend([0; 0x1000]);
            bytes.extend(header(big, 0x10_0000, 0x7fff_ffff));
            let told = recognise(Path::new("m"), &bytes).unwrap().for_dump;
            let map = "--memory-map 0x1000+0x1000@0x20 --memory-map 0x100000+0x7ff00000@0x1040";
            assert!(told.ends_with(map), "{told}");
            let told = recognise(Path::new("m"), &header(big, 5, 4)).unwrap().for_dump;
            assert!(told.contains("format=raw"), "{told}");
            assert!(recognise(Path::new("m"), &header(big, 0, u64::MAX)).is_some());
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
