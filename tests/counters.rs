//! Counters over built images: what the scenario added on each CPU is what is read.

#![cfg(feature = "image")]

use vnetkvm::image;
use vnetkvm::session::{Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::value::Limits;
use vnetkvm::value::model::{ErrorKind, Value};
use vnetkvm::views::counters::{CounterSums, CounterVariable};
use vnetkvm::vnet::Condition;

fn demo() -> Session {
    let demo = image::demo().expect("the demonstration builds");
    Session::from_sources(demo.kernel, demo.core).expect("it opens")
}

fn variable(session: &Session, name: &str) -> CounterVariable {
    let found = session.counter_variables(&[name.into()], &[]).unwrap();
    assert_eq!(found.len(), 1, "{name}");
    found.into_iter().next().unwrap()
}

fn named<'a>(
    variable: &'a CounterVariable,
    sums: &'a CounterSums,
) -> impl Iterator<Item = (&'a str, u64)> {
    let names = variable.places.iter().map(|place| &*place.name);
    names.zip(&sums.members).map(|(name, member)| (name, *member.value.as_ref().unwrap()))
}

#[test]
fn members_of_the_struct_name_the_sums() {
    let session = demo();
    let vnet = session.select(&Selector::Index(1)).unwrap().stacks[0];
    let tcpstat = variable(&session, "V_tcpstat");
    assert_eq!(&*tcpstat.type_name, "struct tcpstat");
    let sums = session.counter_sums(vnet, &tcpstat);
    let counted: Vec<_> = named(&tcpstat, &sums).filter(|(_, sum)| *sum > 0).collect();
    assert_eq!(counted, [("tcps_accepts", 11), ("tcps_connects", 12)]);
    let cpus: Vec<_> =
        sums.members[1].cpus.iter().map(|slot| (slot.cpu, slot.value.clone())).collect();
    assert_eq!(cpus, [(0, Ok(9)), (1, Ok(2))]);
}

#[test]
fn elements_of_arrays_in_the_struct_have_an_index() {
    let session = demo();
    let icmpstat = variable(&session, "icmpstat");
    let names: Vec<&str> = icmpstat.places.iter().map(|place| &*place.name).collect();
    assert!(names.contains(&"icps_outhist[0]") && names.contains(&"icps_inhist[40]"), "{names:?}");
}

#[test]
fn arrays_without_a_struct_have_numbers_and_structs_paths() {
    let session = demo();
    let states = variable(&session, "tcps_states");
    assert_eq!((&*states.type_name, &*states.places[10].name), ("counter_u64_t [11]", "[10]"));
    let interface = variable(&session, "multicast_register_if");
    let place = &interface.places[1];
    let field = session.types().unwrap().path(interface.variable.type_id.unwrap(), "if_counters");
    assert_eq!(&*place.name, "if_counters[1]");
    assert_eq!(place.offset, field.unwrap().offset + 8);
}

/// What a vnet in vnet_destroy leaves: off the list, its links as they were, its state
/// that of the subsystem whose destructors ran last.
fn torn_down(state: u32) -> Session {
    let whole = demo();
    let [host, web, db] = &whole.vnets().unwrap().all[..] else { panic!("three vnets") };
    let demo = image::demo().unwrap();
    let mut core = demo.core.bytes().to_vec();
    let [of_host, of_web, of_db] = [host, web, db].map(|vnet| {
        let mut bytes = [0; 48];
        whole.memory().read(vnet.address, &mut bytes).unwrap();
        memchr::memmem::find(&core, &bytes).unwrap()
    });
    core[of_db..of_db + 8].copy_from_slice(&host.address.get().to_le_bytes());
    core[of_host + 8..of_host + 16].copy_from_slice(&db.address.get().to_le_bytes());
    core[of_web + 28..of_web + 32].copy_from_slice(&state.to_le_bytes());
    Session::from_sources(demo.kernel, Source::from_vec("core", core)).unwrap()
}

#[test]
fn a_vnet_past_its_destructors_has_no_sums() {
    let web = demo().vnets().unwrap().all[1].address;
    // Destructors run from the last subsystem to the first; ipstat's is in INIT_IF.
    for (state, why) in [
        (0x800_0000, None),
        (0x300_0000, Some("vnet_ipstat_uninit, which frees it, may have run")),
        (0x21e_0000, Some("the vnet is past vnet_ipstat_uninit, which frees it")),
    ] {
        let session = torn_down(state);
        let vnet = session.select(&Selector::Address(web)).unwrap().stacks[0];
        assert_eq!(vnet.vnet().unwrap().condition, Some(Condition::BeingDestroyed));
        let sums = session.counter_sums(vnet, &variable(&session, "ipstat"));
        let printed = session.print(vnet, "V_ipstat[0]", &Limits::default()).unwrap().value;
        let variables = session.variables(&["ipstat".into()]).unwrap();
        let (_, listed) = session.value(vnet, &variables[0], &Limits::default());
        let Some(why) = why else {
            assert_eq!(sums.members[0].value, Ok(65));
            assert!(matches!(printed, Value::Counter { sum: 65, .. }), "{printed:?}");
            continue;
        };
        let stale = sums.members[0].value.as_ref().unwrap_err();
        assert_eq!(stale.kind, ErrorKind::Stale);
        assert_eq!(*stale.message, format!("{why}; its memory now adds up to 65"));
        assert!(matches!(&printed, Value::Error(why) if why.kind == ErrorKind::Stale));
        let Value::Array(listed) = listed else { panic!("{listed:?}") };
        assert!(
            matches!(&*listed.elements.get(0).unwrap(), Value::Error(why) if why.kind == ErrorKind::Stale)
        );
    }
}

/// In a kernel whose struct pcpu has no early counter, as up to 11, counter_u64_fetch goes from
/// 0 to mp_ncpus, whatever all_cpus says, and nothing but NULL is unallocated.
#[test]
fn without_an_early_counter_cpus_are_counted() {
    let demo = image::demo().unwrap();
    let whole = Session::from_sources(demo.kernel, demo.core).unwrap();
    let demo = image::demo().unwrap();
    let mut kernel = demo.kernel.bytes().to_vec();
    let member = b"pc_early_dummy_counter\0";
    let places: Vec<usize> = memchr::memmem::find_iter(&kernel, member).collect();
    places.iter().for_each(|at| kernel[at + 3] = b'E');
    assert!(!places.is_empty());
    let mut core = demo.core.bytes().to_vec();
    let at = whole.target().address_of("all_cpus").unwrap();
    let mut around = [0; 64];
    whole.memory().read(at, &mut around).unwrap();
    let at = memchr::memmem::find(&core, &around).unwrap();
    core[at..at + 8].copy_from_slice(&1u64.to_le_bytes());
    let open = |kernel: &[u8]| {
        let source = |name: &str, bytes: &[u8]| Source::from_vec(name, bytes.to_vec());
        Session::from_sources(source("kernel", kernel), source("core", &core)).unwrap()
    };
    let sum = |session: &Session| {
        let vnet = session.select(&Selector::Index(1)).unwrap().stacks[0];
        let sums = session.counter_sums(vnet, &variable(session, "ipstat"));
        sums.members[0].value.clone().unwrap()
    };
    let older = open(&kernel);
    assert_eq!((older.counters().cpus(), sum(&older)), (&[0, 1][..], 65));
    // With one, a CPU that is not in all_cpus does not count.
    let newer = open(demo.kernel.bytes());
    assert_eq!((newer.counters().cpus(), sum(&newer)), (&[0][..], 60));
}
