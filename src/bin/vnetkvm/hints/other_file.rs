//! Hints for files of other programs, given as a dump or a kernel.

use std::fmt::Write;
use std::path::Path;

use vnetkvm::source::other::{
    Archive, Compression, CrashFile, MemoryRange, OtherFile, SavedMachine,
};

/// The hint for a file that was given as a dump.
pub fn for_dump(path: &Path, other: &OtherFile) -> Option<String> {
    let shown = path.display();
    Some(match other {
        OtherFile::Machine(machine) => return saved_machine(machine),
        OtherFile::Disk(_) => {
            format!("convert it first: qemu-img convert -O raw {shown} device.raw")
        }
        OtherFile::Archive(archive) => {
            format!("unpack it, and name the vmcore in it: {} {shown}", extract(*archive)?)
        }
        OtherFile::Compressed(compression) => unpack(path, *compression)?,
        OtherFile::TextDump => {
            format!("it has the output of ddb(4) but no memory: unpack it with tar -xf {shown}")
        }
        OtherFile::Crash(file) => return crash_file(file),
        _ => return None,
    })
}

/// The hint for a file that was given as a kernel, if it can help to get one.
pub fn for_kernel(path: &Path, other: &OtherFile) -> Option<String> {
    match other {
        OtherFile::Archive(archive) => Some(format!(
            "extract usr/lib/debug/boot/kernel/kernel.debug or boot/kernel/kernel: {} {}",
            extract(*archive)?,
            path.display()
        )),
        OtherFile::Compressed(compression) => unpack(path, *compression),
        _ => None,
    }
}

/// How to decrypt an encrypted dump; `dump` is its number, if known.
pub fn decrypt(dump: Option<&str>) -> String {
    let n = dump.unwrap_or("N");
    format!(
        "decrypt it first: decryptcore -p PRIVATE_KEY -k key.{n} -e vmcore_encrypted.{n} \
         -c vmcore.{n}"
    )
}

fn saved_machine(machine: &SavedMachine) -> Option<String> {
    let hint = match machine {
        SavedMachine::Libvirt => {
            "restore the machine with virsh restore, then write its memory with \
             virsh dump --memory-only --format elf"
        }
        SavedMachine::LibvirtPart => {
            "the save broke off and the file is incomplete: write the memory with \
             virsh dump --memory-only --format elf"
        }
        SavedMachine::QemuMigration => {
            "load it into QEMU with -incoming, then write the memory with dump-guest-memory"
        }
        SavedMachine::Vmware => {
            "the memory is in the .vmem file beside it, which -M takes as raw memory; \
             if there is none, take a snapshot with its memory"
        }
        SavedMachine::VirtualBox => {
            "start the machine from it, then write its memory with \
             VBoxManage debugvm VM dumpvmcore"
        }
        SavedMachine::Xen | SavedMachine::XenCore => {
            "make the guest panic with xl trigger DOMAIN nmi, \
             then use the vmcore that savecore(8) saves in it"
        }
        SavedMachine::Avml => "convert it first with avml-convert --format raw",
        SavedMachine::Lime { ranges } => return Some(lime(ranges)),
        SavedMachine::Kdump => {
            "write it again as plain ELF: in QEMU, dump-guest-memory without -z, -l or -s"
        }
        SavedMachine::Windows | SavedMachine::WindowsProgram => {
            "it belongs to another system: FreeBSD's dump is vmcore.N in /var/crash"
        }
        _ => return None,
    };
    Some(hint.into())
}

fn lime(ranges: &[MemoryRange]) -> String {
    if ranges.is_empty() {
        return "write it again as raw memory (format=raw), and map it with --memory-map".into();
    }
    let mut hint = "read it as raw memory, with the kernel (-N) and".to_owned();
    for MemoryRange { phys, len, offset } in ranges {
        let _ = write!(hint, " --memory-map {phys}+{len:#x}@{offset}");
    }
    hint
}

fn extract(archive: Archive) -> Option<&'static str> {
    Some(match archive {
        Archive::Tar | Archive::Compressed => "tar -xf",
        Archive::Zip | Archive::EmptyZip => "unzip",
        Archive::SevenZip => "7z x",
        Archive::Rar => "unrar x",
        Archive::Cpio => "cpio -id <",
        Archive::Ar => "ar x",
        _ => return None,
    })
}

fn unpack(path: &Path, compression: Compression) -> Option<String> {
    let tool = match compression {
        Compression::Gzip => "gunzip",
        Compression::Zstd => "zstd -d",
        Compression::Bzip2 => "bunzip2",
        Compression::Xz => "unxz",
        Compression::Lz4 => "lz4 -d",
        Compression::Lzop => "lzop -d",
        Compression::Compress => "uncompress",
        _ => return None,
    };
    Some(format!("unpack it first: {tool} {}", path.display()))
}

fn crash_file(file: &CrashFile) -> Option<String> {
    let dump = match file {
        CrashFile::EncryptedDump { dump } => return Some(decrypt(dump.as_deref())),
        CrashFile::Key { dump } => format!("vmcore_encrypted.{}", dump.as_deref().unwrap_or("N")),
        CrashFile::Info { dump } | CrashFile::Summary { dump } => {
            format!("vmcore.{}", dump.as_deref().unwrap_or("N"))
        }
        CrashFile::Bounds | CrashFile::Minfree | CrashFile::Number => "vmcore.N".into(),
        _ => return None,
    };
    Some(format!("the memory is in {dump} beside it"))
}

#[cfg(test)]
mod tests {
    use vnetkvm::addr::{FileOffset, PhysAddr};
    use vnetkvm::source::other::recognise;

    use super::*;

    fn hint(name: &str, bytes: &[u8]) -> String {
        let path = Path::new(name);
        for_dump(path, &recognise(path, bytes).unwrap()).unwrap()
    }

    #[test]
    fn hints_convert_disks_and_restore_machines() {
        let convert = "convert it first: qemu-img convert -O raw a.img device.raw";
        assert_eq!(hint("a.img", b"KDMV"), convert);
        assert!(hint("saved", b"LibvirtQemudSave").contains("virsh restore"));
        assert!(hint("saved", b"\xd2\xbe\xd2\xbe\x08\0\0\0").contains(".vmem"));
    }

    #[test]
    fn hints_unpack_compressed_files_and_archives() {
        assert_eq!(hint("vmcore.3.xz", b"\xfd7zXZ\0"), "unpack it first: unxz vmcore.3.xz");
        let archive = OtherFile::Archive(Archive::Tar);
        let extract = "extract usr/lib/debug/boot/kernel/kernel.debug or boot/kernel/kernel: \
                        tar -xf sets/debug";
        assert_eq!(for_kernel(Path::new("sets/debug"), &archive).as_deref(), Some(extract));
        assert_eq!(for_kernel(Path::new("x"), &OtherFile::TextDump), None);
    }

    #[test]
    fn hints_name_the_dump_of_a_file_in_the_crash_directory() {
        let summary = b"gw dumped core - see /var/crash/vmcore.3\n";
        assert_eq!(hint("core.txt.3", summary), "the memory is in vmcore.3 beside it");
        assert_eq!(hint("copy", summary), "the memory is in vmcore.N beside it");
        assert_eq!(hint("key.0", b"\x01\x02"), "the memory is in vmcore_encrypted.0 beside it");
        let told = hint("vmcore_encrypted.5", b"\x91\x22");
        assert!(told.ends_with("-k key.5 -e vmcore_encrypted.5 -c vmcore.5"), "{told}");
    }

    #[test]
    fn the_hint_for_lime_maps_its_ranges() {
        let range = |phys, len, offset| MemoryRange {
            phys: PhysAddr::new(phys),
            len,
            offset: FileOffset::new(offset),
        };
        let told = lime(&[range(0x1000, 0x1000, 0x20), range(0x10_0000, 0x7ff0_0000, 0x1040)]);
        let map = "--memory-map 0x1000+0x1000@0x20 --memory-map 0x100000+0x7ff00000@0x1040";
        assert!(told.ends_with(map), "{told}");
        assert!(lime(&[]).contains("format=raw"));
    }
}
