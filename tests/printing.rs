//! What values of well-known types mean. What is expected stands in the scenario, which only the
//! builder reads.

#![cfg(feature = "image")]

use std::io::Cursor;
use std::path::Path;

use serde_json::{Value as Json, json};
use vnetkvm::addr::VirtAddr;
use vnetkvm::answers::{self, Answer, Chosen};
use vnetkvm::error::{Error, ExprError};
use vnetkvm::image::runtime::{MbufKind, Runtime};
use vnetkvm::image::{self, Format, Scenario};
use vnetkvm::kernel::Kernel;
use vnetkvm::render::c;
use vnetkvm::session::{Names, Options, Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::value::{self, Limits, Value};
use vnetkvm::vnet::Stack;

/// With the layouts of 12.1, and of 14.0.
const KERNELS: [&str; 2] = ["small-zones-dwarf4", "newer-zones-dwarf5"];

/// A session over an image of the scenario, in the directory.
fn session(directory: &Path) -> Session {
    session_on(KERNELS[0], directory)
}

fn session_on(kernel: &str, directory: &Path) -> Session {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let scenario = Scenario::open(fixtures.join("scenarios/values.toml")).unwrap();
    let kernel = Source::open(fixtures.join("kernel").join(kernel)).unwrap();
    let image = image::build(&scenario, Kernel::open(kernel, None).unwrap()).unwrap();
    image.save_kernel(directory).unwrap();
    let core = image.save(Format::Full, directory).unwrap();
    let kernel = Some(directory.join("kernel"));
    Session::open(&Options { kernel, core, ..Options::default() }).unwrap()
}

/// Scenarios that leave mbufs, and kernels for them: with the layouts of 12.1, and of 14.0.
const PACKETS: [(&str, &str); 2] =
    [("packets", "small-zones-dwarf4"), ("packets-newer", "newer-zones-dwarf5")];

/// A session over an image of the scenario after `more` happened, and what that made.
fn packets<T>(
    (scenario, kernel): (&str, &str),
    more: impl FnOnce(&mut Runtime) -> T,
) -> (Session, T) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let open = || Source::open(fixtures.join("kernel").join(kernel)).unwrap();
    let scenario = Scenario::open(fixtures.join(format!("scenarios/{scenario}.toml"))).unwrap();
    let mut image = image::build(&scenario, Kernel::open(open(), None).unwrap()).unwrap();
    let made = more(image.runtime_mut());
    let mut core = Cursor::new(Vec::new());
    image.write(Format::Full, &mut core).unwrap();
    let core = Source::from_vec("vmcore", core.into_inner());
    (Session::from_sources(open(), core).unwrap(), made)
}

fn set(runtime: &mut Runtime, mbuf: VirtAddr, member: &str, value: u64) {
    let object = runtime.kernel().object(mbuf, "struct mbuf").unwrap();
    runtime.kernel_mut().set(object, member, value).unwrap();
}

/// The stack of the jail.
fn stack(session: &Session) -> Stack<'_> {
    session.stacks().unwrap()[1]
}

fn value(session: &Session, expression: &str, format: value::Format) -> Value {
    let reader = session.reader(&Limits::default()).for_people(format);
    let found = session.evaluate(stack(session).into(), expression);
    let found = found.unwrap_or_else(|why| panic!("{expression}: {}", why.story()));
    session.read(&found, &reader).value
}

/// A value as people are shown it.
fn shown(session: &Session, expression: &str) -> String {
    c::line(&value(session, expression, value::Format::default()))
}

/// What stands before the members of a struct.
fn meaning(session: &Session, expression: &str) -> String {
    let value = value(session, expression, value::Format::default());
    value.as_record().unwrap().note().unwrap_or_default().into_owned()
}

#[test]
fn locks_say_who_holds_them() {
    let by_nginx = "locked by tid 100123 (nginx)";
    for kernel in KERNELS {
        let directory = tempfile::tempdir().unwrap();
        let session = session_on(kernel, directory.path());
        for (lock, told) in [
            ("vnet_rwlock", "\"vnet_rwlock\" read-locked by 2, writers wait"),
            (
                "vnet_sxlock",
                &format!("\"vnet_sxlock\" {by_nginx}, recursed, readers wait, writers wait"),
            ),
            ("vnet_sysinit_sxlock", "\"vnet_sysinit_sxlock\" unlocked"),
            ("vnet_data_free_lock", "\"vnet_data_free_lock\" destroyed"),
            ("V_ifnet.cstqh_first->if_addr_lock", &format!("{by_nginx}, taken 3 times, contested")),
            ("V_ifnet.cstqh_first->if_afdata_lock", "destroyed"),
            ("V_ifnet.cstqh_first->if_snd.ifq_mtx", "not initialised"),
            ("V_nd6_lock", "0x4 is no state of such a lock"),
        ] {
            assert_eq!(meaning(&session, lock), told, "{lock}");
        }
    }
}

#[test]
fn an_owner_is_believed_only_if_it_is_a_listed_thread() {
    let directory = tempfile::tempdir().unwrap();
    let session = session(directory.path());
    // Its word leads to a process.
    let lock = meaning(&session, "jail(\"web01\").pr_mtx");
    let process = value(&session, "thread(100123).td_proc", value::Format::default());
    let process = process.as_address().unwrap();
    let told = format!("locked by {process}, which is no listed thread, not initialised");
    assert_eq!(lock, told);
    let lock = meaning(&session, "V_nd6_onlink_mtx");
    assert!(lock.starts_with("locked by 0xdeadbeefdeadbe0, <bad-address: "), "{lock}");
}

/// A writer of a read-mostly lock holds the lock inside it, of which there are two kinds.
#[test]
fn one_of_the_locks_in_an_rmlock_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let session = session(directory.path());
    let rmlock = value(&session, "V_pfil_lock", value::Format::default());
    assert_eq!(rmlock.as_record().unwrap().note().as_deref(), Some("no writer, has readers"));
    let of = |lock: &str| {
        let found = rmlock.get(&format!("_rm_lock.{lock}")).unwrap();
        found.as_record().unwrap().note().map(String::from)
    };
    assert_eq!(of("_rm_lock_sx").as_deref(), Some("unlocked, not initialised"));
    assert_eq!(of("_rm_lock_mtx"), None);
}

#[test]
fn an_ethernet_address_is_written_as_such() {
    let directory = tempfile::tempdir().unwrap();
    let session = session_on(KERNELS[1], directory.path());
    // The bytes of "nginx".
    let address = "*(struct ether_addr *)thread(100123).td_name";
    assert_eq!(meaning(&session, address), "6e:67:69:6e:78:00");
    // Six bytes of another type are six bytes.
    let bytes = "*(unsigned char (*)[6])thread(100123).td_name";
    assert_eq!(shown(&session, bytes), "{110, 103, 105, 110, 120, 0}");
}

#[test]
fn times_are_seconds() {
    let directory = tempfile::tempdir().unwrap();
    let session = session(directory.path());
    let changed = "V_ifnet.cstqh_first->if_lastchange";
    let told = "1574431702.250000 s {tv_sec = 1574431702, tv_usec = 250000}";
    assert_eq!(shown(&session, changed), told);
    assert_eq!(shown(&session, "thread(100123).td_sleeptimo"), "6442450944 (1.500000000 s)");
    assert_eq!(shown(&session, "(sbintime_t)-2147483648"), "-2147483648 (-0.500000000 s)");
    // Of several elements each.
    let all = shown(&session, "V_ifnet[*].if_lastchange");
    assert_eq!(all, format!("{{{told}}}"));
}

#[test]
fn mbufs_say_what_they_hold() {
    use MbufKind::{Cluster, Data, Nothing, Packet};
    for machine in PACKETS {
        let (session, mbufs) = packets(machine, |runtime| {
            let mbufs = [Data, Packet, Cluster, Nothing, Data]
                .map(|kind| runtime.mbuf(kind, "fourteen bytes").unwrap());
            set(runtime, mbufs[2], "m_ext.ext_type", 1);
            set(runtime, mbufs[4], "m_type", 14);
            set(runtime, mbufs[4], "m_flags", 0x8000_0000 >> 8);
            mbufs
        });
        let in_a_cluster = "M_EXT|M_PKTHDR, packet of 14 bytes, in EXT_CLUSTER of 2048 bytes";
        for (at, told) in mbufs.iter().zip([
            "14 bytes of MT_DATA, M_EOR",
            "14 bytes of MT_DATA, M_PKTHDR, packet of 14 bytes",
            &format!("14 bytes of MT_DATA, {in_a_cluster}"),
            "not in use (MT_NOTMBUF)",
            // The flag is M_PROTO12 in 12.1, and is not named in 14.0.
            match machine.0 {
                "packets" => "14 bytes of MT_CONTROL, M_PROTO12",
                _ => "14 bytes of MT_CONTROL, 0x800000",
            },
        ]) {
            assert_eq!(meaning(&session, &format!("*(struct mbuf *){at}")), told, "{machine:?}");
        }
    }
}

#[test]
fn an_mbuf_of_pages_says_so() {
    let (session, mbuf) =
        packets(PACKETS[1], |runtime| runtime.mbuf(MbufKind::Pages, "fourteen bytes").unwrap());
    let told = meaning(&session, &format!("*(struct mbuf *){mbuf}"));
    assert_eq!(told, "14 bytes of MT_DATA, M_EXT|M_EXTPG, in pages");
}

/// Two packets: one in two mbufs, of which the second is followed by what cannot be read, and one
/// in a cluster. In the second image the last leads back to the first.
#[test]
fn mbufs_are_followed_along_both_of_their_pointers() {
    use MbufKind::{Cluster, Data, Packet};
    for machine in PACKETS {
        for unreadable in [true, false] {
            let (session, mbufs) = packets(machine, |runtime| {
                let mbufs = [Packet, Data, Cluster]
                    .map(|kind| runtime.mbuf(kind, "fourteen bytes").unwrap());
                set(runtime, mbufs[2], "m_ext.ext_type", 1);
                set(runtime, mbufs[0], "m_next", mbufs[1].get());
                set(runtime, mbufs[0], "m_nextpkt", mbufs[2].get());
                match unreadable {
                    true => set(runtime, mbufs[1], "m_next", 0x10),
                    false => set(runtime, mbufs[2], "m_nextpkt", mbufs[0].get()),
                }
                mbufs
            });
            let json = followed(&session, &format!("(struct mbuf *){}", mbufs[0]));
            let row = |packet: u64, mbuf: usize, flags: &str, more: (Json, Json)| {
                json!([packet, mbufs[mbuf].to_string(), 14, "MT_DATA", flags, more.0, more.1])
            };
            let (none, storage) = (Json::Null, json!("EXT_CLUSTER of 2048 bytes"));
            let whole = [
                row(0, 0, "M_PKTHDR", (json!(14), none.clone())),
                row(0, 1, "M_EOR", (none.clone(), none.clone())),
                row(1, 2, "M_EXT|M_PKTHDR", (json!(14), storage)),
            ];
            let mut all = json["mbufs"].as_array().unwrap().clone();
            if unreadable {
                let lost = all.remove(2);
                assert_eq!((&lost["packet"], &lost["mbuf"]), (&json!(0), &json!("0x10")));
                assert_eq!(lost["length"]["error"]["kind"], "bad-address");
            }
            let told = all.iter().map(|mbuf| {
                let names =
                    ["packet", "mbuf", "length", "type", "flags", "packet_length", "storage"];
                names.iter().map(|name| mbuf[name].clone()).collect::<Json>()
            });
            assert_eq!(told.collect::<Vec<_>>(), whole, "{machine:?}");
            let data = shown(&session, &format!("&((struct mbuf *){})->m_pktdat[0]", mbufs[0]));
            assert_eq!(json["mbufs"][0]["data"].as_str(), data.split(' ').next());
            let problem = &json["problems"][0];
            let (place, why) = match unreadable {
                true => (VirtAddr::new(0x10), "not a kernel address"),
                false => (mbufs[0], "cycle"),
            };
            assert_eq!(problem["where"], json!(place.to_string()), "{problem}");
            assert!(problem["why"].as_str().unwrap().contains(why), "{problem}");
        }
    }
}

/// What `print --follow` says in JSON.
fn followed(session: &Session, expression: &str) -> Json {
    let chosen = Chosen::ask(session, &Selector::Index(0)).unwrap();
    let asked = [expression.to_owned()];
    let answer = answers::expressions(session, chosen, Names::default(), &asked).unwrap().follow();
    let problems = serde_json::to_value(answer.problems()).unwrap();
    let mut json = serde_json::to_value(answer.to_vec().remove(0).1).unwrap();
    json["problems"] = problems;
    json
}

#[test]
fn only_mbufs_are_followed() {
    let directory = tempfile::tempdir().unwrap();
    let session = session(directory.path());
    let evaluate = |text| {
        let place = session.select(&Selector::Index(0)).unwrap().stacks[0].into();
        session.evaluate(place, text).unwrap()
    };
    let why = session.mbufs(&evaluate("V_ifnet.cstqh_first")).unwrap_err();
    let Error::Expr { source: ExprError::NotAnMbuf { type_name }, .. } = why else {
        panic!("{why}")
    };
    assert_eq!(type_name.as_deref(), Some("struct ifnet *"));
    assert!(session.mbufs(&evaluate("(struct mbuf *)0")).unwrap().is_whole());
}

/// Alone, in their struct, and in a list.
#[test]
fn flags_have_names_wherever_they_stand() {
    let directory = tempfile::tempdir().unwrap();
    let session = session(directory.path());
    let flags = "0x8843 (UP|BROADCAST|RUNNING|SIMPLEX|MULTICAST)";
    assert_eq!(shown(&session, "V_ifnet.cstqh_first->if_flags"), flags);
    assert_eq!(shown(&session, "V_ifnet[*].if_flags"), format!("{{{flags}}}"));
    let all = shown(&session, "*V_ifnet.cstqh_first");
    assert!(all.contains(&format!("if_flags = {flags}, if_drv_flags = ")), "{all}");
    // What is computed of them is a number.
    assert_eq!(shown(&session, "V_ifnet.cstqh_first->if_flags + 0"), "34883");
    assert_eq!(shown(&session, "*(int *)&V_ifnet.cstqh_first->if_flags"), "34883");
    for (letters, told) in [("/x", "0x8843"), ("/r", "34883")] {
        let value = value(&session, "V_ifnet.cstqh_first->if_flags", letters.parse().unwrap());
        assert_eq!(c::line(&value), told);
    }

    for machine in PACKETS {
        let (session, mbuf) = packets(machine, |runtime| {
            let mbuf = runtime.mbuf(MbufKind::Cluster, "fourteen bytes").unwrap();
            set(runtime, mbuf, "m_ext.ext_type", 4);
            mbuf
        });
        let mbuf = format!("((struct mbuf *){mbuf})");
        let of = |member: &str| shown(&session, &format!("{mbuf}->{member}"));
        assert_eq!(of("m_flags"), "0x3 (M_EXT|M_PKTHDR)");
        assert_eq!(of("m_type"), "1 (MT_DATA)");
        assert_eq!(of("m_ext.ext_type"), "4 (EXT_JUMBO9)");
        let all = shown(&session, &format!("*{mbuf}"));
        for part in ["m_flags = 0x3 (M_EXT|M_PKTHDR)", "ext_type = 4 (EXT_JUMBO9)"] {
            assert!(all.contains(part), "{part} in {all}");
        }
        let found = value(&session, &format!("{mbuf}->m_flags"), value::Format::default());
        assert_eq!(serde_json::to_string(&found).unwrap(), "3");
    }
}

#[test]
fn meanings_are_for_people_and_can_be_turned_off() {
    let directory = tempfile::tempdir().unwrap();
    let session = session(directory.path());
    for letters in ["/r", "/x", "/d"] {
        let value = value(&session, "vnet_sxlock", letters.parse().unwrap());
        assert_eq!(value.as_record().unwrap().note(), None, "{letters}");
    }
    let timeout = "thread(100123).td_sleeptimo";
    let raw = value(&session, timeout, "/r".parse().unwrap());
    assert_eq!(c::line(&raw), "6442450944");
    let hex = value(&session, timeout, "/x".parse().unwrap());
    assert_eq!(c::line(&hex), "0x180000000");
    let told = value(&session, timeout, value::Format::default());
    assert_eq!(serde_json::to_string(&told).unwrap(), "6442450944");
    assert_eq!(told.as_u64(), Some(0x1_8000_0000));
}
