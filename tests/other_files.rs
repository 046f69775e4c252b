//! Files of other programs that are given in the place of a dump or a kernel: each is
//! named, with one thing to do, by the program that people see.

#![cfg(feature = "cli")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

const KERNEL: &str = "fixtures/kernel/classic-clang-dwarf4";

/// What is said of the files that are given by these options.
fn said(dir: &Path, args: &[&str]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(env!("CARGO_BIN_EXE_vnetkvm"))
        .args(args)
        .arg("info")
        .env("VNETKVM_KERNEL", root.join(KERNEL))
        .env_remove("VNETKVM_CORE")
        .current_dir(dir)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{args:?}");
    assert!(output.stdout.is_empty(), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A file of these bytes, and then what may be anything.
fn file(dir: &Path, name: &str, beginning: &[u8]) {
    let mut bytes = beginning.to_vec();
    bytes.extend([0; 70_000]);
    fs::write(dir.join(name), bytes).unwrap();
}

#[test]
fn what_hypervisors_write_is_named() {
    // A file's beginning, what it is, and a word of what to do.
    let files: [(&[u8], &str, &str); 14] = [
        (b"LibvirtQemudSave\x02\0\0\0\x64\0\0\0", "a machine saved by libvirt", "virsh restore"),
        (b"LibvirtQemudPart", "a part of a machine saved by libvirt", "virsh dump"),
        (b"QEVM\0\0\0\x03", "a migration stream of QEMU", "dump-guest-memory"),
        (b"\xd2\xbe\xd2\xbe\x08\0\0\0cpu\0", "a machine suspended by VMware", ".vmem"),
        (b"\xd0\xbe\xd2\xbe\x08\0\0\0", "a machine suspended by VMware", ".vmem"),
        (b"EMiL\x01\0\0\0", "memory in the format of LiME", "--memory-map 0x0+0x1@0x20"),
        (b"LiME\0\0\0\x01", "memory in the format of LiME", "--memory-map 0x0+0x1@0x20"),
        (b"<<< Oracle VM VirtualBox Disk Image >>>\n", "a VDI disk image", "qemu-img convert"),
        (b"conectix", "a VHD disk image", "qemu-img convert"),
        (b"vhdxfile", "a VHDX disk image", "qemu-img convert"),
        (b"KDMV\x01\0\0\0", "a VMDK disk image", "qemu-img convert"),
        (b"# Disk DescriptorFile\n", "the description of a VMDK", "qemu-img convert"),
        (b"QFI\xfb\0\0\0\x03", "a qcow2 disk image", "qemu-img convert"),
        (b"PAGEDU64", "a Windows crash dump", "vmcore.N"),
    ];
    let dir = tempfile::tempdir().unwrap();
    for (beginning, what, advice) in files {
        file(dir.path(), "saved", beginning);
        let told = said(dir.path(), &["-M", "saved"]);
        assert!(told.contains(&format!("this is {what}")) && told.contains(advice), "{told}");
        let told = said(dir.path(), &["-N", "saved", "-M", "saved"]);
        assert!(told.contains(&format!("this is {what}")), "{told}");
    }
}

#[test]
fn a_core_of_sections_is_of_xen() {
    let dir = tempfile::tempdir().unwrap();
    let mut header = b"\x7fELF\x02\x01\x01".to_vec();
    header.resize(64, 0);
    (header[16], header[18], header[60]) = (4, 62, 4);
    file(dir.path(), "core", &header);
    let told = said(dir.path(), &["-M", "core"]);
    assert!(told.contains("a core of a Xen domain") && told.contains("xl trigger"), "{told}");
}

#[test]
fn archives_give_the_command_to_extract_a_kernel() {
    let dir = tempfile::tempdir().unwrap();
    let mut tar = vec![0; 512];
    let member = b"./usr/lib/debug/boot/kernel/kernel.debug";
    tar[..member.len()].copy_from_slice(member);
    tar[257..262].copy_from_slice(b"ustar");
    let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
    write("debug.tar", &tar);
    write("FreeBSD-kernel-generic-dbg.pkg", &zstd::encode_all(&tar[..], 1).unwrap());
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&tar).unwrap();
    write("debug.tgz", &gzip.finish().unwrap());
    write("kernel-dbg.txz", b"\xfd7zXZ\0\0\x04");
    for name in ["debug.tar", "FreeBSD-kernel-generic-dbg.pkg", "debug.tgz", "kernel-dbg.txz"] {
        let told = said(dir.path(), &["-N", name, "-M", name]);
        let hint = "extract usr/lib/debug/boot/kernel/kernel.debug or boot/kernel/kernel: tar -xf";
        assert!(told.contains(&format!("{hint} {name}\n")) && told.contains("archive"), "{told}");
        let told = said(dir.path(), &["-M", name]);
        assert!(told.contains("archive") && told.contains("name the vmcore in it"), "{told}");
    }
    write("kernel.gz", b"\x1f\x8b\x08\0");
    let told = said(dir.path(), &["-N", "kernel.gz", "-M", "kernel.gz"]);
    assert!(told.contains("hint: unpack it first: gunzip kernel.gz"), "{told}");
}

#[test]
fn a_tool_is_told_by_the_start_of_its_file_alone() {
    let dir = tempfile::tempdir().unwrap();
    for (beginning, what) in [
        (&b"LibvirtQe"[..], "libvirt"),
        (b"QEVM", "QEMU"),
        (b"\xd2\xbe\xd2\xbe", "VMware"),
        (b"PAGEDU", "Windows"),
        (b"EMiL\x01\0\0\0", "LiME"),
    ] {
        fs::write(dir.path().join("cut"), beginning).unwrap();
        let told = said(dir.path(), &["-M", "cut"]);
        assert!(told.contains(what), "{told}");
    }
}
