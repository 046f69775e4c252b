//! A dump without packets and users' data: none of their bytes are left, and every question has the
//! same answer.

#![cfg(all(feature = "image", feature = "cli"))]

mod converted;

use std::io::Cursor;
use std::path::Path;
use std::process::Command;

use converted::json;
use serde_json::{Value, json};
use vnetkvm::Session;
use vnetkvm::addr::VirtAddr;
use vnetkvm::answers::converted::Question;
use vnetkvm::answers::{self, Answer};
use vnetkvm::convert::{ConvertError, Form, System};
use vnetkvm::error::Error;
use vnetkvm::image::runtime::{MbufKind, ModuleFile, Runtime};
use vnetkvm::image::{Format, Image, Scenario, build};
use vnetkvm::kernel::Kernel;
use vnetkvm::session::Selector;
use vnetkvm::source::Source;

/// Scenarios, and kernels on which they happened.
const MACHINES: [(&str, &str); 4] = [
    ("packets", "small-zones-dwarf4"),
    ("packets", "i386-zones"),
    ("packets-newer", "newer-zones-dwarf5"),
    ("packets-newer", "powerpc64-zones"),
];

const FORMS: [Form; 5] =
    [Form::Elf(System::Linux), Form::Elf(System::FreeBsd), Form::Full, Form::Raw, Form::Minidump];

/// All texts of packets, processes and files begin so.
const SECRET: &[u8] = b"SECRET";

fn image(scenario: &str, kernel: &str) -> Image {
    let path = format!("fixtures/scenarios/{scenario}.toml");
    let kernel = Kernel::open(source(kernel), None).unwrap();
    build(&Scenario::open(Path::new(&path)).unwrap(), kernel).unwrap()
}

fn source(kernel: &str) -> Source {
    Source::open(format!("fixtures/kernel/{kernel}")).unwrap()
}

fn core(image: &Image, format: Format) -> Vec<u8> {
    let mut core = Cursor::new(Vec::new());
    image.write(format, &mut core).unwrap();
    core.into_inner()
}

fn session(kernel: &str, core: Vec<u8>) -> Session {
    Session::from_sources(source(kernel), Source::from_vec("vmcore", core)).unwrap()
}

fn redact(session: &Session, form: Form) -> Result<(Vec<u8>, Value), Error> {
    converted::ask(session, Question { form, wanted: None, only_mapped: false, redact: true })
}

fn secrets(bytes: &[u8]) -> usize {
    memchr::memmem::find_iter(bytes, SECRET).count()
}

fn told(session: &Session) -> [Value; 4] {
    [
        json(&answers::vnets(session, None, true).unwrap()),
        json(&answers::jails(session, &Selector::Default).unwrap()),
        json(&answers::threads(session, &Selector::Default, true).unwrap()),
        json(&answers::checks(session, &Selector::All, &[]).unwrap()),
    ]
}

#[test]
fn no_secret_is_left_in_any_form() {
    for (scenario, kernel) in MACHINES {
        let image = image(scenario, kernel);
        for format in [Format::Full, Format::MinidumpV2] {
            let old = core(&image, format);
            assert!(secrets(&old) > 1000, "{kernel}: {}", secrets(&old));
            let old = session(kernel, old);
            let expected = told(&old);
            for form in FORMS {
                let what = format!("{kernel}: {} as {}", format.name(), form.name());
                let (plain, said) = converted::convert(&old, form, false).unwrap();
                assert!(secrets(&plain) > 1000, "{what}");
                assert_eq!(said["redacted"], Value::Null, "{what}");
                let (new, redacted) = redact(&old, form).unwrap_or_else(|e| panic!("{what}: {e}"));
                assert_eq!(secrets(&new), 0, "{what}");
                assert_eq!(new.len(), plain.len(), "{what}");
                assert_eq!(redacted["pages"], said["pages"], "{what}");
                assert_eq!(told(&session(kernel, new)), expected, "{what}");
            }
        }
    }
}

#[test]
fn the_answer_says_what_was_zeroed() {
    let image = image("packets", "small-zones-dwarf4");
    let zone = |name: &str, bytes: u64| json!({"name": name, "bytes": bytes});
    let all = [
        // A slab of 4096 bytes without its header of 112, 15 headers of 32 bytes, two packet headers
        // of 56, and what leads to a cluster, of 48.
        zone("mbuf", 4096 - 112 - 15 * 32 - 2 * 56 - 48),
        zone("mbuf_cluster", 3 * 4096),
        zone("mbuf_jumbo_page", 4096),
        zone("mbuf_jumbo_9k", 2 * (3 * 4096 - 112)),
        zone("mbuf_jumbo_16k", 4 * 4096),
    ];
    let (_, said) =
        redact(&session("small-zones-dwarf4", core(&image, Format::MinidumpV2)), Form::Full)
            .unwrap();
    // The buffer and the cache, which the kernel has mapped.
    assert_eq!(said["redacted"], json!({"zones": all, "pages": 2}));

    let full = session("small-zones-dwarf4", core(&image, Format::Full));
    let in_use = image.runtime().kernel().machine().frames_in_use().count() as u64;
    let (_, said) = redact(&full, Form::Full).unwrap();
    let pages = full.core().facts.pages - in_use + 2;
    assert_eq!(said["redacted"], json!({"zones": all, "pages": pages}));
}

/// What is no packet stays: the header of an mbuf and of a packet, the way to a cluster, and the
/// slab's own header at the end of the same page.
#[test]
fn what_is_no_packet_stays() {
    for (scenario, kernel) in MACHINES {
        let mut image = image(scenario, kernel);
        let runtime = image.runtime_mut();
        let packet = runtime.mbuf(MbufKind::Packet, "SECRET one more ").unwrap();
        let cluster = runtime.mbuf(MbufKind::Cluster, "SECRET and another ").unwrap();
        let slab = runtime.zone_slabs("mbuf").unwrap()[0];
        runtime.settle().unwrap();
        let old = session(kernel, core(&image, Format::MinidumpV2));
        let new = session(kernel, redact(&old, Form::Minidump).unwrap().0);
        let read = |session: &Session, at: VirtAddr, len: usize| {
            let mut bytes = vec![0; len];
            session.memory().read(at, &mut bytes).unwrap();
            bytes
        };
        let of = |name: &str, member: &str| {
            let types = image.runtime().kernel().types();
            let id = types.find(name).unwrap();
            match member {
                "" => types.size_of(id).unwrap(),
                member => types.member(id, member).unwrap().offset,
            }
        };
        let data = of("struct mbuf", "m_dat") as usize;
        let packet_data = of("struct mbuf", "m_pktdat") as usize;
        for (at, len) in [
            (packet, packet_data),
            (cluster, packet_data),
            (slab, of("struct uma_slab", "") as usize),
        ] {
            assert_eq!(read(&new, at, len), read(&old, at, len), "{kernel}");
            assert!(read(&new, at, len).iter().any(|byte| *byte != 0), "{kernel}");
        }
        let rest = read(&new, packet.wrapping_add(packet_data as u64), 256 - packet_data);
        assert!(rest.iter().all(|byte| *byte == 0), "{kernel}");
        let buf = of("struct m_ext", "ext_buf") + packet_data as u64;
        let word = image.runtime().kernel().machine().arch().pointer_size() as usize;
        let way = cluster.wrapping_add(buf);
        assert_eq!(read(&new, way, word), read(&old, way, word), "{kernel}");
        assert!(data < packet_data);
    }
}

/// They have objects of their own, as memory of processes has.
#[test]
fn kernel_stacks_and_modules_stay() {
    let kernel = "small-zones-dwarf4";
    let mut image = image("packets", kernel);
    let runtime = image.runtime_mut();
    let module = Path::new("fixtures/kernel/modules/amd64/if_gif.ko");
    runtime.load_module(&ModuleFile::from_path(module).unwrap()).unwrap();
    runtime.settle().unwrap();
    let machine = runtime.kernel().machine();
    let own = |kind| {
        let all = machine.allocations().filter(move |(_, known)| known.whole_pages);
        all.filter(move |(_, known)| known.kind == kind).map(|(at, known)| (at, known.size))
    };
    let all: Vec<_> = own("kstack").chain(own("linker")).collect();
    assert_eq!(all.len(), 2);
    for format in [Format::Full, Format::MinidumpV2] {
        let old = session(kernel, core(&image, format));
        let new = session(kernel, redact(&old, Form::Full).unwrap().0);
        for (at, size) in &all {
            let read = |session: &Session| {
                let mut bytes = vec![0; *size as usize];
                session.memory().read(*at, &mut bytes).unwrap();
                bytes
            };
            assert!(read(&old).iter().any(|byte| *byte != 0));
            assert_eq!(read(&new), read(&old));
        }
    }
}

/// If not all threads are known, all secrets go, and some kernel stacks too.
#[test]
fn a_broken_list_of_threads_is_told() {
    let mut image = image("packets", "small-zones-dwarf4");
    assert!(image.runtime_mut().kernel_mut().set_symbol("allproc", 1).unwrap());
    let session = session("small-zones-dwarf4", core(&image, Format::Full));
    let mut new = Cursor::new(Vec::new());
    let question = Question { form: Form::Full, wanted: None, only_mapped: false, redact: true };
    let answer = answers::convert(&session, question, &mut new, &mut |_| {}).unwrap();
    let problems: Vec<_> = answer.problems().iter().map(ToString::to_string).collect();
    assert!(problems.iter().any(|why| why.starts_with("allproc: ")), "{problems:?}");
    assert_eq!(secrets(&new.into_inner()), 0);
}

/// Each mistake, and what is then said not to be known.
#[test]
fn what_is_damaged_is_refused() {
    let scene = |damage: &dyn Fn(&mut Runtime)| {
        let mut image = image("packets", "small-zones-dwarf4");
        damage(image.runtime_mut());
        let session = session("small-zones-dwarf4", core(&image, Format::Full));
        match redact(&session, Form::Full).map(|(_, said)| said) {
            Err(Error::Convert(ConvertError::Unredacted { why })) => why,
            other => panic!("{other:?}"),
        }
    };
    let set = |runtime: &mut Runtime, at: VirtAddr, type_name: &str, member: &str, value: u64| {
        let object = runtime.kernel().object(at, type_name).unwrap();
        runtime.kernel_mut().set(object, member, value).unwrap();
    };
    let link = "us_type._us_link.le_next";
    let slabs = |runtime: &Runtime| runtime.zone_slabs("mbuf_cluster").unwrap();
    let keg = |runtime: &Runtime, slab: VirtAddr| {
        let slab = runtime.kernel().object(slab, "struct uma_slab").unwrap();
        VirtAddr::new(runtime.kernel().get(slab, "us_keg").unwrap())
    };

    let why = scene(&|runtime| {
        let first = slabs(runtime)[0];
        set(runtime, first, "struct uma_slab", link, first.get());
    });
    assert!(why.starts_with("the slabs of mbuf_cluster: the list comes back to 0x"), "{why}");
    let why = scene(&|runtime| {
        let first = slabs(runtime)[0];
        set(runtime, first, "struct uma_slab", link, 0xffff_f000_0000_0000);
    });
    assert!(why.starts_with("the slabs of mbuf_cluster: the list breaks off at "), "{why}");
    let why = scene(&|runtime| {
        let first = slabs(runtime)[0];
        set(runtime, first, "struct uma_slab", "us_data", 0xffff_f000_0000_0000);
    });
    assert!(why.starts_with("packets cannot be read: "), "{why}");
    let why = scene(&|runtime| {
        let first = slabs(runtime)[0];
        set(runtime, first, "struct uma_slab", "us_data", first.get() + 1);
    });
    assert!(why.starts_with("a slab of mbuf_cluster: its items cannot be at 0x"), "{why}");
    let why = scene(&|runtime| {
        let keg = keg(runtime, slabs(runtime)[0]);
        set(runtime, keg, "struct uma_keg", "uk_ppera", 0xffff);
    });
    assert_eq!(why, "the keg mbuf_cluster: 2 items of 2048 bytes do not fill 268431360 bytes");
    let why = scene(&|runtime| {
        let keg = keg(runtime, slabs(runtime)[0]);
        set(runtime, keg, "struct uma_keg", "uk_ipers", 0xffff);
    });
    assert_eq!(why, "the keg mbuf_cluster: 65535 items of 2048 bytes do not fill 4096 bytes");
    let why = scene(&|runtime| {
        let keg = keg(runtime, slabs(runtime)[0]);
        set(runtime, keg, "struct uma_keg", "uk_name", 0);
    });
    assert_eq!(why, "zone_clust: it points to a zone, and no keg has the name mbuf_cluster");

    let variable = |name: &'static str, value: u64| {
        scene(&move |runtime| assert!(runtime.kernel_mut().set_symbol(name, value).unwrap()))
    };
    let why = variable("vm_page_array", 0xffff_f000_0000_0000);
    assert!(why.starts_with("vm_page_array cannot be read: "), "{why}");
    let why = variable("vm_page_array_size", 1 << 40);
    assert!(why.starts_with("vm_page_array cannot be read: "), "{why}");
    let why = variable("vm_page_dump", 0);
    assert!(why.ends_with("is not known: vm_page_dump is a null pointer"), "{why}");
    let why = variable("uma_kegs", 1);
    assert!(why.starts_with("uma_kegs: the list breaks off at 0x"), "{why}");
    let why = variable("vm_ndomains", 0x7fff_ffff);
    assert!(!why.is_empty());
}

/// A zone that the kernel does not have holds nothing.
#[test]
fn a_zone_that_is_not_used_is_no_mistake() {
    let mut image = image("packets", "small-zones-dwarf4");
    let runtime = image.runtime_mut();
    let slab = runtime.zone_slabs("mbuf_jumbo_16k").unwrap()[0];
    let slab = runtime.kernel().object(slab, "struct uma_slab").unwrap();
    let keg = VirtAddr::new(runtime.kernel().get(slab, "us_keg").unwrap());
    let keg = runtime.kernel().object(keg, "struct uma_keg").unwrap();
    runtime.kernel_mut().set(keg, "uk_name", 0).unwrap();
    assert!(runtime.kernel_mut().set_symbol("zone_jumbo16", 0).unwrap());
    let session = session("small-zones-dwarf4", core(&image, Format::MinidumpV2));
    let (_, said) = redact(&session, Form::Minidump).unwrap();
    assert_eq!(said["redacted"]["zones"][4], json!({"name": "mbuf_jumbo_16k", "bytes": 0}));
}

#[test]
fn a_core_by_virtual_addresses_is_refused() {
    let image = image("packets", "small-zones-dwarf4");
    let session = session("small-zones-dwarf4", core(&image, Format::Virtual));
    let why = redact(&session, Form::Elf(System::Linux)).unwrap_err().to_string();
    assert!(why.ends_with("the dump is by virtual addresses, and may have a page several times"));
}

/// The kernel of most fixtures has no zones of packets.
#[test]
fn the_command_writes_nothing_that_may_have_packets() {
    let directory = tempfile::tempdir().unwrap();
    let kernel = "fixtures/kernel/classic-clang-dwarf4";
    let scenario = Scenario::open("fixtures/scenarios/demo.toml").unwrap();
    let image =
        build(&scenario, Kernel::open(Source::open(kernel).unwrap(), None).unwrap()).unwrap();
    let core = image.save(Format::MinidumpV2, directory.path()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_vnetkvm"))
        .args(["-N", kernel, "-M"])
        .arg(core)
        .args(["convert", "--to", "full", "--redact", "-o"])
        .arg(directory.path().join("new"))
        .output()
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), &*output.stdout), (Some(2), &b""[..]), "{err}");
    assert!(err.contains("where packets and users' data are is not known: zone_mbuf"), "{err}");
    assert!(err.contains("without --redact, the new dump has packets and users' data"), "{err}");
    assert!(!directory.path().join("new").exists());
}
