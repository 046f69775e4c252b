//! Constructors and destructors: which has run, and which runs.

use super::*;

#[test]
fn both_lists_stand_in_the_order_in_which_they_run() {
    for kernel in KERNELS {
        let session = Scene::with_lists(kernel).open();
        let sysinits = Sysinits::read(session.target(), &session.unloaded()).unwrap();
        assert_eq!(
            functions(&sysinits.constructors),
            CONSTRUCTORS.map(|entry| entry.2),
            "{kernel}"
        );
        let mut backwards = DESTRUCTORS.map(|entry| entry.2);
        backwards.reverse();
        assert_eq!(functions(&sysinits.destructors), backwards, "{kernel}");
        let label = |n: usize| {
            let sysinit = &sysinits.constructors[n];
            let (subsystem, order) =
                (sysinit.subsystem.clone().unwrap(), sysinit.order.clone().unwrap());
            (subsystem.label.to_string(), order.label.to_string(), order.value)
        };
        assert_eq!(label(1), ("SI_SUB_PROTO_PFIL".into(), "SI_ORDER_FIRST".into(), 0));
        assert_eq!(label(4), ("SI_SUB_VNET_DONE".into(), "SI_ORDER_ANY-1".into(), 0xfff_fffe));
        assert!(sysinits.iter().all(|sysinit| sysinit.module.as_deref() == Some("kernel")));
        assert!(sysinits.problems.is_empty(), "{kernel}: {:?}", sysinits.problems);
    }
}

#[test]
fn the_stack_of_a_sleeping_thread_names_the_constructor() {
    for kernel in KERNELS {
        let mut scene = Scene::with_lists(kernel);
        let vnet = scene.unlisted(0x840_0000, false);
        let thread = scene.thread(100_700, vnet);
        scene.calls(thread, None, &["panic", "vnet_loif_init", "vnet_alloc", "mi_startup"]);
        let (sysinits, building) = construction(&scene.open(), vnet);
        assert_eq!(building.phase, Phase::Building, "{kernel}: {building:?}");
        assert_eq!(building.thread.as_ref().unwrap().tid, Some(100_700));
        assert!(building.function.is_some(), "{kernel}: {building:?}");
        // Both are of one subsystem: the stack alone tells that the first one is over.
        assert_eq!(
            with(&sysinits, &building, Progress::Done),
            ["vnet_if_init", "vnet_pfil_init", "vnet_route_init"]
        );
        assert_eq!(with(&sysinits, &building, Progress::Running), ["vnet_loif_init"]);
        assert_eq!(with(&sysinits, &building, Progress::ToCome), ["tcp_vnet_init"]);
    }
}

#[test]
fn the_stack_of_the_thread_that_panicked_names_the_destructor() {
    for kernel in KERNELS {
        let mut scene = Scene::with_lists(kernel);
        let vnet = scene.unlisted(0x300_0000, true);
        let thread = scene.thread(100_701, vnet);
        scene.loaded().set_symbol("dumptid", 100_701).unwrap();
        let dumppcb = scene.loaded().variable("dumppcb").unwrap();
        scene.calls(
            thread,
            Some(dumppcb),
            &["panic", "vnet_loif_uninit", "vnet_destroy", "mi_startup"],
        );
        let (sysinits, dying) = construction(&scene.open(), vnet);
        assert_eq!(dying.phase, Phase::TearingDown, "{kernel}: {dying:?}");
        assert_eq!(
            with(&sysinits, &dying, Progress::Done),
            ["vnet_pfil_uninit", "vnet_route_uninit"]
        );
        assert_eq!(with(&sysinits, &dying, Progress::Running), ["vnet_loif_uninit"]);
    }
}

#[test]
fn a_running_thread_has_its_registers_in_its_processor() {
    for kernel in ["classic-clang-dwarf2", "newer-clang-dwarf4", "i386"] {
        let mut scene = Scene::with_lists(kernel);
        let vnet = scene.unlisted(0x810_0000, false);
        let thread = scene.thread(100_702, vnet);
        scene.loaded().set(thread, "td_oncpu", 1).unwrap();
        let all = scene.loaded().variable("stoppcbs").unwrap();
        let size = {
            let pcb = scene.loaded().malloc("pcb", "struct pcb").unwrap();
            scene.loaded().types().size_of(pcb.type_id).unwrap()
        };
        let pcb_type = scene.loaded().types().find("struct pcb").unwrap();
        let first = match scene.loaded().elements(all).unwrap() {
            Some(_) => all.address,
            None => {
                let first = scene.loaded().machine_mut().malloc("pcbs", 4 * size).unwrap();
                scene.loaded().store(all, first.get()).unwrap();
                first
            }
        };
        let pcb = Object::new(first.wrapping_add(size), pcb_type);
        scene.calls(thread, Some(pcb), &["vnet_pfil_init", "vnet_alloc"]);
        let (sysinits, building) = construction(&scene.open(), vnet);
        assert_eq!(with(&sysinits, &building, Progress::Running), ["vnet_pfil_init"], "{kernel}");
    }
}

#[test]
fn without_a_stack_it_is_one_of_several() {
    let mut scene = Scene::with_lists("newer-clang-dwarf4");
    let building = scene.unlisted(0x840_0000, false);
    let dying = scene.unlisted(0x300_0000, true);
    let unnamed = scene.unlisted(0x850_0000, false);
    let fresh = scene.unlisted(0, false);
    let session = scene.open();
    let (sysinits, found) = construction(&session, building);
    assert_eq!((found.phase, found.function), (Phase::Building, None));
    assert_eq!(with(&sysinits, &found, Progress::Possible), ["vnet_route_init", "vnet_loif_init"]);
    assert_eq!(with(&sysinits, &found, Progress::ToCome), ["tcp_vnet_init"]);
    let (_, found) = construction(&session, dying);
    assert_eq!(found.phase, Phase::TearingDown);
    assert_eq!(with(&sysinits, &found, Progress::Done), ["vnet_pfil_uninit"]);
    assert_eq!(
        with(&sysinits, &found, Progress::Possible),
        ["vnet_route_uninit", "vnet_loif_uninit"]
    );
    // Its functions have been unregistered since: the state still tells where it was.
    let (_, found) = construction(&session, unnamed);
    assert_eq!(with(&sysinits, &found, Progress::Done).len(), 4);
    assert_eq!(with(&sysinits, &found, Progress::ToCome), ["tcp_vnet_init"]);
    let (_, found) = construction(&session, fresh);
    assert_eq!(with(&sysinits, &found, Progress::ToCome).len(), 5);
}

#[test]
fn vnets_on_the_list_are_up() {
    let mut scene = Scene::with_lists("classic-clang-dwarf2");
    let vnet0 = scene.runtime.vnet0().unwrap().0;
    let other = scene.runtime.vnet_alloc().unwrap().0;
    let session = scene.open();
    for vnet in [vnet0, other] {
        let (sysinits, found) = construction(&session, vnet);
        assert_eq!(found.phase, Phase::Up);
        assert_eq!(found.courses[0].direction, Direction::Up);
        assert_eq!(with(&sysinits, &found, Progress::Done).len(), 5);
    }
}

#[test]
fn lists_that_make_no_sense_are_shown_as_far_as_they_go() {
    let mut scene = Scene::with_lists("classic-clang-dwarf2");
    let entries = scene.register("vnet_constructors", &CONSTRUCTORS);
    let entry = |loaded: &mut LoadedKernel, n: usize| {
        loaded.object(VirtAddr::new(entries[n]), "struct vnet_sysinit").unwrap()
    };
    let loaded = scene.loaded();
    let (second, fourth, last) = (entry(loaded, 1), entry(loaded, 3), entry(loaded, 4));
    loaded.set(second, "func", 0x1234_5678).unwrap();
    loaded.set(second, "subsystem", 0xfff_ffff).unwrap();
    loaded.set(last, "link.tqe_next", fourth.address.get()).unwrap();
    let destructors = scene.loaded().variable("vnet_destructors").unwrap();
    scene.loaded().set(destructors, "tqh_first", 0xffff_ffff_dead_0000).unwrap();
    let session = scene.open();
    let sysinits = Sysinits::read(session.target(), &session.unloaded()).unwrap();
    // The destructors are found from the other end of their list.
    assert_eq!((sysinits.constructors.len(), sysinits.destructors.len()), (5, 3));
    let second = &sysinits.constructors[1];
    let why = second.function.as_ref().unwrap_err();
    assert_eq!((why.kind, second.module.as_ref()), (ErrorKind::Stale, None));
    let problems = told(&sysinits.problems);
    for expected in ["has a cycle", "should come before", "vnet_destructors: the list breaks off"] {
        assert!(problems.contains(expected), "{expected}: {problems}");
    }
}

#[test]
fn stacks_that_make_no_sense_name_nothing() {
    let mut scene = Scene::with_lists("classic-clang-dwarf2");
    let vnet = scene.unlisted(0x840_0000, false);
    // A frame that leads to itself, a stack that is not there, one of absurd size.
    let first = scene.thread(100_710, vnet);
    let pcb = scene.loaded().malloc("pcb", "struct pcb").unwrap();
    let at = pcb.address.get();
    scene.word(at, at);
    scene.word(at + 8, 0x10);
    let frame = scene.loaded();
    frame.set(pcb, "pcb_rbp", at).unwrap();
    frame.set(first, "td_pcb", at).unwrap();
    frame.set(first, "td_kstack", 0xdead_beef_0000_0000).unwrap();
    frame.set(first, "td_kstack_pages", 0x7fff_ffff).unwrap();
    let second = scene.thread(100_711, vnet);
    scene.loaded().set(second, "td_oncpu", 0x7fff_0000).unwrap();
    scene.loaded().set(second, "td_pcb", 0xffff_ffff_ffff_fff0).unwrap();
    let (sysinits, found) = construction(&scene.open(), vnet);
    assert_eq!((found.phase, found.function, found.thread.as_ref()), (Phase::Building, None, None));
    assert_eq!(with(&sysinits, &found, Progress::Possible).len(), 2);
}
