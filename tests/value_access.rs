//! Values out of the demonstration image, taken apart as a program does it.

#![cfg(feature = "image")]

use std::borrow::Cow;

use vnetkvm::addr::VirtAddr;
use vnetkvm::image;
use vnetkvm::session::{Selector, Session};
use vnetkvm::value::model::ErrorKind;
use vnetkvm::value::{Limits, PathError, Value};

fn demo() -> Session {
    let demo = image::demo().expect("the demonstration builds");
    Session::from_sources(demo.kernel, demo.core).expect("it opens")
}

fn print(session: &Session, expression: &str) -> Value {
    let web01 = session.select(&Selector::Jail("web01".into())).unwrap().stacks[0];
    session.print(web01, expression, &Limits::default()).unwrap().value
}

#[test]
fn a_value_is_what_its_kind_has() {
    let session = demo();
    let ttl = print(&session, "V_ip_defttl");
    assert_eq!((ttl.as_u64(), ttl.as_i64(), ttl.as_i128()), (Some(42), Some(42), Some(42)));
    assert_eq!((ttl.as_bool(), ttl.as_str(), ttl.as_address()), (None, None, None));
    let name = print(&session, "V_ifnet.cstqh_first->if_xname");
    assert_eq!((name.as_str(), name.as_u64(), name.error()), (Some("lo0"), None, None));
    let first = print(&session, "V_ifnet.cstqh_first");
    let address = first.as_address().unwrap();
    assert_eq!(first.as_pointer().unwrap().address, address);
    assert!(address > VirtAddr::new(0xffff_0000_0000_0000));
    let packets = print(&session, "V_ipstat[0]");
    assert_eq!(packets.as_u64(), Some(65));
    assert!(packets.as_address().is_some(), "the address of its slots");
    let minus = print(&session, "-1");
    assert_eq!((minus.as_u64(), minus.as_i64()), (None, Some(-1)));
}

#[test]
fn paths_lead_to_members_and_elements() {
    let session = demo();
    let address = print(
        &session,
        "*V_ifnet.cstqh_first->if_addrhead.cstqh_first->ifa_link.cstqe_next->ifa_addr",
    );
    assert_eq!(address.get("sa_family").unwrap().as_u64(), Some(2));
    let second = address.get("sa_data[2]").unwrap();
    assert!(matches!(second, Cow::Owned(_)), "made of its byte");
    assert_eq!(second.as_i64(), Some(127));
    let names: Vec<&str> = address.members().map(|(name, _)| name).collect();
    assert_eq!(names, ["sa_len", "sa_family", "sa_data"]);
    let data = address.get("sa_data").unwrap();
    assert_eq!(data.elements().count(), 14);
    assert_eq!(data.as_array().unwrap().elements.iter().len(), 14);
    assert_eq!(address.elements().count() + data.members().count(), 0);

    let counters = print(&session, "V_ipstat");
    assert_eq!(counters.get("[0]").unwrap().as_u64(), Some(65));
    assert_eq!(counters.get("").unwrap().as_ref(), &counters);
}

#[test]
fn a_path_says_what_is_missing() {
    let session = demo();
    let address = print(
        &session,
        "*V_ifnet.cstqh_first->if_addrhead.cstqh_first->ifa_link.cstqe_next->ifa_addr",
    );
    let told = |path| address.get(path).unwrap_err().to_string();
    assert_eq!(told("sa_length"), "the value has no member `sa_length`");
    assert_eq!(told("sa_data[14]"), "`sa_data` has no element 14: it has 14");
    assert_eq!(told("sa_data.x"), "`sa_data` is an array, which has no members");
    assert_eq!(told("sa_data[1].x"), "`sa_data[1]` is a character, which has no members");
    assert_eq!(told("sa_family[0]"), "`sa_family` is an integer, which has no elements");
    assert_eq!(told("[0]"), "the value is a struct or union, which has no elements");
    let wrong = |path: &str| match address.get(path) {
        Err(PathError::Syntax { at, .. }) => at,
        other => panic!("{path}: {other:?}"),
    };
    for (path, at) in [
        (".sa_data", 0),
        ("sa_data.", 8),
        ("sa_data..x", 8),
        ("sa_data[", 8),
        ("sa_data[]", 8),
        ("sa_data[-1]", 8),
        ("sa_data[1", 9),
        ("sa_data[1]x", 10),
        ("sa_data[99999999999999999999]", 8),
        ("sa_data]", 7),
    ] {
        assert_eq!(wrong(path), at, "{path}");
    }
}

#[test]
fn limits_and_errors_are_told_apart_from_what_is_not_there() {
    let session = demo();
    let web01 = session.select(&Selector::Jail("web01".into())).unwrap().stacks[0];
    let limits = Limits { elements: 2, ..Limits::default() };
    let few = session.print(web01, "V_ipstat", &limits).unwrap().value;
    let error = few.get("[2]").unwrap_err();
    assert_eq!(error.to_string(), "element 2 of the value was left out: only 2 were read");

    let states = print(&session, "V_tcps_states");
    let unread = states.get("[0]").unwrap();
    assert_eq!(unread.error().map(|why| why.kind), Some(ErrorKind::Unallocated));
    assert_eq!((unread.as_u64(), unread.as_address()), (None, None));
    let behind = states.get("[0].x").unwrap_err();
    assert_eq!(behind.to_string(), "`[0]` could not be read");
    assert!(matches!(behind, PathError::Unreadable { .. }));
}
