//! The seeds of the corpora: small files of every kind, as the image builder and the writers of the tests make them.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use vnetkvm::image::{self, DumpFile, HeaderVersion, Scenario};
use vnetkvm::kernel::Kernel;

use crate::ctf::{Container, Types};
use crate::doors::IMAGES;
use crate::dwarf;
use crate::synth::flat::FlatDump;
use crate::synth::physical::{Image, Machine, qemu_notes};
use crate::synth::{DumpHeader, FullDump, Minidump};
use crate::types::{self, DebugInfo, numbered};

/// Writes the seeds of each door into its folder of `corpus`.
pub fn write(corpus: &Path) {
    let all: [(&str, Vec<Vec<u8>>); 14] = [
        ("compressed", compressed()),
        ("ctf", containers()),
        ("dump_device", devices()),
        ("dwarf", dwarf::inputs()),
        ("elf_core", cores()),
        ("expression", lines(EXPRESSIONS)),
        ("gdb_packets", sessions()),
        ("info_file", info_files()),
        ("kernel_elf", kernels()),
        ("minidump", minidumps()),
        ("module", modules()),
        ("raw_memory", raw()),
        ("scenario", scenarios()),
        ("whole_dump", edits()),
    ];
    for (door, seeds) in all {
        let folder = corpus.join(door);
        fs::create_dir_all(&folder).unwrap();
        for (number, seed) in seeds.into_iter().enumerate() {
            fs::write(folder.join(format!("{number:02}")), seed).unwrap();
        }
    }
}

fn minidumps() -> Vec<Vec<u8>> {
    // The larger ones differ from these in nothing but the number of their pages.
    const LARGEST: usize = 100_000;
    let amd64 = (1..=3).map(|version| Minidump::sample(version).write().0);
    let all = amd64.chain(FlatDump::all().iter().map(|dump| dump.write().0).collect::<Vec<_>>());
    all.filter(|bytes| bytes.len() < LARGEST).collect()
}

fn cores() -> Vec<Vec<u8>> {
    let full = Machine::all().into_iter().map(|machine| machine.full_dump());
    let mut qemu = Machine::amd64();
    qemu.os = 0;
    qemu.notes = qemu_notes(&[qemu.root, 0x1234_5000]);
    let by_address = Image { virt: 0xffff_fe00_0000_0000, pages: vec![0x1000, 0x5000] };
    let others = [qemu.full_dump(), by_address.virtual_core(), FullDump::sample().write().0];
    full.chain(others).chain([types::dump(4096)]).collect()
}

/// The least of a dump: one page of memory.
fn least() -> Vec<u8> {
    Image { virt: 0xffff_fe00_0000_0000, pages: vec![0x1000] }.virtual_core()
}

fn devices() -> Vec<Vec<u8>> {
    let dump = least();
    let len = dump.len() as u64;
    let header = |version, compression, key_len| {
        let extent = len.next_multiple_of(512) + 512;
        DumpHeader { version, block: 512, key_len, compression, len, extent }
    };
    let headers = [header(1, 0, 0), header(4, 0, 0), header(4, 2, 0), header(4, 0, 512)];
    let behind = headers.map(|header| [&header.write()[..], &dump].concat());
    let device = headers.map(|header| {
        // The first 64 KB, of which nothing is read, are cut to a few.
        let device = header.device(&dump);
        device[60 << 10..].to_vec()
    });
    let sealed = behind.into_iter().chain(device).map(|bytes| [&[1], &bytes[..]].concat());
    sealed.collect()
}

fn compressed() -> Vec<Vec<u8>> {
    let dump = least();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&dump).unwrap();
    let zstd = zstd::bulk::compress(&dump, 19).unwrap();
    let (amd64, _) = Minidump::sample(3).write();
    vec![gzip.finish().unwrap(), zstd, zstd::bulk::compress(&amd64, 19).unwrap()]
}

/// A memory map, and where the kernel is said to lie, before memory in which there is none.
fn raw() -> Vec<Vec<u8>> {
    let (bytes, segments) = Machine::amd64().raw();
    let mut mapped = vec![0x80 | (segments.len() as u8 % 8)];
    mapped.extend(0x20_0000_u64.to_le_bytes());
    for (start, len, offset) in segments.iter().take(7) {
        mapped.extend([*start, *len, *offset].map(u64::to_le_bytes).concat());
    }
    mapped.extend(&bytes);
    let found = [&[0; 9], &bytes[..]].concat();
    vec![mapped, found]
}

fn kernels() -> Vec<Vec<u8>> {
    let mut info = DebugInfo::new();
    let (int, record) = (info.int(), info.promise());
    let name = info.string("m");
    info.record(record, "struct", "s", 8);
    info.member(Some(name), int, 0);
    info.bits(name, int);
    info.end();
    let mut others = DebugInfo::new();
    let (int, function) = (others.int(), others.promise());
    others.function(function, int, &[int]);
    let (pointer, named, kind) = (others.promise(), others.promise(), others.promise());
    others.derived(pointer, "pointer", function);
    others.typedef(named, "f_t", pointer);
    let name = others.string(&numbered("E", 1));
    others.enumeration(kind, "e", 4);
    others.enumerator(name, 7);
    others.end();
    vec![info.kernel(record), others.kernel(named)]
}

/// Modules of every architecture and class of files.
fn modules() -> Vec<Vec<u8>> {
    const NAMES: [&str; 8] = [
        "amd64/if_gif.ko",
        "amd64/if_gif.ko.debug",
        "amd64/ipfw.ko",
        "arm64/bridgestp.ko",
        "i386/bridgestp.ko",
        "i386/if_gif.ko",
        "powerpc64/ipfw.ko",
        "riscv64/if_gif.ko",
    ];
    NAMES.map(|name| fs::read(format!("fixtures/kernel/modules/{name}")).unwrap()).into()
}

fn containers() -> Vec<Vec<u8>> {
    let of = |version: u8| -> Container {
        let mut types = Types::new(version);
        let int = types.int();
        let pointer = types.to(3, "", int);
        let array = types.array(40, int, int, 10);
        let record = types.record("s", 48, &[("a", int, 0), ("b", pointer, 64), ("c", array, 128)]);
        let named = types.to(10, "s_t", record);
        types.container(&[named, record, array, pointer])
    };
    let deflated = |version| Container { flags: 1, ..of(version) };
    let all = [of(2), of(3), deflated(2), deflated(3)];
    all.map(|container| container.section()).into()
}

fn lines(text: &str) -> Vec<Vec<u8>> {
    text.lines().map(|line| line.as_bytes().to_vec()).collect()
}

const EXPRESSIONS: &str = "\
V_ifnet[*].if_xname
*V_ifnet.cstqh_first
(struct ifnet *)0xfffff80000001000 != 0 ? sizeof(int) : -1
count(V_ifnet[.if_mtu > 1500 && .if_flags & 1])
container_of(curthread, struct thread, td_proc)->td_tid
tcbinfo.ipi_listhead[*inp_list]
vnet(1) | cpu(0) << 3
uniq(allprison[*].pr_name) @ 2
(int (*)(void))&V_ip_defttl
sum(DPCPU(pc_cpuid)) % 'a' + 0x7fffffffffffffff
'kern/kern_jail.c'::allprison
jail(\"web01\")->pr_name == \"web01\" && jail(3)
thread(100001)->td_name
offsetof(struct ifnet, if_link) + sizeof(typeof(V_ifnet))
V_ifnet[0..1].if_mtu
max(V_ifnet[*].if_mtu) >= min(V_ifnet[*].if_mtu) || !ticks
tcbinfo.ipi_hashbase[0..3][*]
*V_ifnet.cstqh_first@2
-1 >> 3 ^ ~052 & 0x2aUL << 2
curvnet->vnet_ifcnt - (bool)allprison.tqh_first";

fn sessions() -> Vec<Vec<u8>> {
    const SESSIONS: [&str; 4] = [
        "QStartNoAckMode\nqSupported:multiprocess+;swbreak+;xmlRegisters=i386\n?\nqfThreadInfo\nqsThreadInfo\nHgp1.1\ng",
        "mfffff80000001000,40\nxfffff80000001000,10\np0\np10\nM0,1:00\nvCont?\nvCont;c\nD",
        "qXfer:features:read:target.xml:0,400\nqXfer:libraries:read::0,400\nqXfer:threads:read::0,1000\nqRcmd,696e666f",
        "vFile:setfs:0\nvFile:open:6b65726e656c,0,0\nvFile:pread:1,100,0\nvFile:fstat:1\nvFile:close:1\nqSymbol::\nqThreadExtraInfo,1\nT1",
    ];
    SESSIONS.map(|text| text.as_bytes().to_vec()).into()
}

const SMALL: &str = "\
hostname = \"gw\"
memory = \"16M\"
cpus = 2
panic = \"page fault\"
globals = { time_uptime = 86400 }
[host.statistics.ipstat]
ips_total = [1, 2]
[[step]]
do = \"jail\"
name = \"a\"
values = { ip_defttl = 1, \"tcbinfo.ipi_hashmask\" = 511 }
[[step]]
do = \"interface\"
name = \"lo0\"
jail = \"a\"
flags = 0x8049
addresses = [\"127.0.0.1/8\", \"::1/128\"]
[[step]]
do = \"destroy\"
jail = \"a\"
";

fn scenarios() -> Vec<Vec<u8>> {
    let names = ["pcpu", "plain", "modules", "zones", "stock", "formats"];
    let files = names.map(|name| fs::read(format!("fixtures/scenarios/{name}.toml")).unwrap());
    [SMALL.as_bytes().to_vec()].into_iter().chain(files).collect()
}

fn info_files() -> Vec<Vec<u8>> {
    let kernel = Kernel::open(image::demo().unwrap().kernel, None).unwrap();
    let built = image::build(&Scenario::parse(SMALL).unwrap(), kernel).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let of = |file: &str, version| {
        let file = DumpFile::try_from(file.to_owned()).unwrap();
        let core = built.save(file.clone(), directory.path()).unwrap();
        fs::read(built.save_info(&file, version, &core).unwrap().unwrap()).unwrap()
    };
    vec![of("minidump-v2", HeaderVersion::V1), of("full", HeaderVersion::V4)]
}

/// Each image as it is, and with changes to fields here and there in two ways; and changes to pages.
fn edits() -> Vec<Vec<u8>> {
    let record = |kind: u8, how: u8, field: u16, value: u64| {
        let mut record = vec![kind, how];
        record.extend(field.to_le_bytes());
        record.extend(value.to_le_bytes());
        record
    };
    let ways = |how: u8| {
        let fields = (0..12_u16).map(|n| n * 600 + u16::from(how) * 37);
        let records = fields.map(|field| record(0, how, field, u64::from(field) * 7));
        records.collect::<Vec<_>>().concat()
    };
    let changes = |image: u8| [ways(2 * image % 16), ways((2 * image + 1) % 16)].concat();
    let images = 0..IMAGES as u8;
    let mut all: Vec<Vec<u8>> = images.clone().map(|image| vec![image]).collect();
    all.extend(images.map(|image| [vec![image], changes(image)].concat()));
    let pages = [
        record(6, 0, 30, 40),
        record(7, 0xff, 0x4141, 500_000),
        record(255, 0, 0, 300_000),
        record(5, 63, 0xffff, 200_000),
    ];
    all.extend(pages.map(|pages| [vec![0], pages].concat()));
    all
}
