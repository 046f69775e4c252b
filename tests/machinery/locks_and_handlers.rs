//! Locks, event handlers and recursions.

use super::*;

impl Scene {
    /// Makes the word of a lock this.
    fn lock(&mut self, name: &str, word: u64) {
        let lock = self.loaded().variable(name).unwrap();
        let member = if self.loaded().has(lock, "rw_lock") { "rw_lock" } else { "sx_lock" };
        self.loaded().set(lock, member, word).unwrap();
    }

    /// The function of the constructor that lies outside of the kernel.
    fn constructor_of_a_module(&mut self) -> u64 {
        let head = self.loaded().variable("vnet_constructors").unwrap();
        let mut next = self.loaded().get(head, "tqh_first").unwrap();
        loop {
            let entry = VirtAddr::new(next);
            let entry = self.loaded().object(entry, "struct vnet_sysinit").unwrap();
            let function = self.loaded().get(entry, "func").unwrap();
            if self.loaded().kernel().symbolize(VirtAddr::new(function)).is_none() {
                return function;
            }
            next = self.loaded().get(entry, "link.tqe_next").unwrap();
        }
    }

    /// Adds an event with these handlers: function, argument and priority, called for
    /// each vnet or once. The address of the list, and of each entry.
    fn event(&mut self, name: &str, handlers: &[(&str, u64, u64, bool)]) -> (u64, Vec<u64>) {
        let iterator = self.address_of("vnet_global_eventhandler_iterator_func");
        let head = self.loaded().variable("eventhandler_lists").unwrap();
        let loaded = self.loaded();
        let list = loaded.malloc("eventhandler", "struct eventhandler_list").unwrap();
        let text = loaded.malloc_text("eventhandler", name).unwrap();
        loaded.set(list, "el_name", text.get()).unwrap();
        let first = loaded.get(head, "tqh_first").unwrap();
        loaded.set(list, "el_link.tqe_next", first).unwrap();
        loaded.set(head, "tqh_first", list.address.get()).unwrap();
        // The event that was added first stays the last.
        if first == 0 {
            let end = loaded.member(list, "el_link.tqe_next").unwrap().address;
            loaded.set(head, "tqh_last", end.get()).unwrap();
        }
        let mut place = loaded.member(list, "el_entries.tqh_first").unwrap();
        let mut entries = Vec::new();
        for (function, argument, priority, global) in handlers {
            let function = self.address_of(function);
            let loaded = self.loaded();
            let generic =
                loaded.malloc("eventhandler", "struct eventhandler_entry_generic").unwrap();
            let entry = loaded.member(generic, "ee").unwrap();
            loaded.set(entry, "ee_priority", *priority).unwrap();
            let (function, argument) = match global {
                false => (function, *argument),
                true => {
                    let real =
                        loaded.malloc("eventhandler", "struct eventhandler_entry_vimage").unwrap();
                    loaded.set(real, "func", function).unwrap();
                    loaded.set(real, "ee_arg", *argument).unwrap();
                    (iterator, real.address.get())
                }
            };
            loaded.set(generic, "func", function).unwrap();
            loaded.set(entry, "ee_arg", argument).unwrap();
            loaded.store(place, entry.address.get()).unwrap();
            place = loaded.member(entry, "ee_link.tqe_next").unwrap();
            entries.push(entry.address.get());
        }
        self.loaded().set(list, "el_entries.tqh_last", place.address.get()).unwrap();
        (list.address.get(), entries)
    }
}

#[test]
fn locks_are_read_in_the_encoding_of_the_release() {
    for kernel in KERNELS {
        let mut scene = Scene::new(kernel);
        let vnet0 = scene.runtime.vnet0().unwrap().0;
        let thread = scene.thread(100_720, vnet0).address.get();
        let release = scene.loaded().variable("osreldate").unwrap();
        let release = scene.loaded().load_uint(release).unwrap();
        assert!(release >= 1_200_000, "{kernel}");
        scene.lock("vnet_rwlock", thread | 4);
        scene.lock("vnet_sxlock", thread);
        scene.lock("vnet_sysinit_sxlock", 0x41);
        scene.lock("vnet_data_free_lock", 6);
        let locks = Locks::read(scene.open().target()).unwrap().locks;
        let names: Vec<&str> = locks.iter().map(|view| view.lock.name).collect();
        assert_eq!(
            names,
            ["vnet_rwlock", "vnet_sxlock", "vnet_sysinit_sxlock", "vnet_data_free_lock"]
        );
        let states: Vec<_> = locks.iter().map(|view| view.lock.state.clone().unwrap()).collect();
        let held = Holder::Exclusive { thread: VirtAddr::new(thread) };
        assert_eq!((states[0].kind, states[0].holder), (LockKind::Rwlock, held), "{kernel}");
        assert_eq!((states[1].kind, states[1].holder), (LockKind::Sx, held), "{kernel}");
        assert!(states[0].exclusive_waiters && !states[0].shared_waiters);
        assert_eq!(states[2].holder, Holder::Shared { readers: 2 });
        assert_eq!(states[3].holder, Holder::Destroyed);
        assert_eq!(locks[0].owner.as_ref().unwrap().tid, Some(100_720));
        assert_eq!(&*locks[1].meaning, "the list of vnets may be inconsistent");
    }
}

#[test]
fn the_old_encoding_has_one_flag_less() {
    let mut scene = Scene::new("classic-clang-dwarf2");
    scene.loaded().set_symbol("osreldate", 1_004_000).unwrap();
    scene.lock("vnet_sxlock", 0x31);
    scene.lock("vnet_rwlock", 0xffff_f800_0000_0010);
    let locks = Locks::read(scene.open().target()).unwrap().locks;
    assert_eq!(locks[1].lock.state.as_ref().unwrap().holder, Holder::Shared { readers: 3 });
    // A writer that no list of threads has, and that has not got the other lock.
    let thread = VirtAddr::new(0xffff_f800_0000_0010);
    assert_eq!(locks[0].lock.state.as_ref().unwrap().holder, Holder::Exclusive { thread });
    assert_eq!(locks[0].owner, None);
    assert_eq!(
        &*locks[0].meaning,
        "the list of vnets is consistent; changing it also requires the other lock"
    );
}

#[test]
fn handlers_for_each_vnet_are_told_from_others() {
    for kernel in KERNELS {
        let mut scene = Scene::new(kernel);
        scene.event(
            "vm_lowmem",
            &[
                ("panic", 1, 0, false),
                ("tcp_init", 5, 10_000, true),
                ("tcp_input", 0, 20_000, true),
            ],
        );
        scene.event("maxsockets_change", &[("tcp_init", 0, 0xffff_ffff, true)]);
        scene.event("watchdog_list", &[("panic", 0, 0, false)]);
        let session = scene.open();
        let all = VnetHandlers::read(session.target(), &session.unloaded()).unwrap();
        assert!(all.problems.is_empty(), "{kernel}: {:?}", all.problems);
        assert_eq!(all.registered, 5);
        let told: Vec<_> = all
            .handlers
            .iter()
            .map(|handler| {
                let function =
                    handler.function.as_ref().unwrap().symbol().unwrap().name.to_string();
                let argument = handler.argument.as_ref().unwrap().address.get();
                (
                    handler.event.clone().unwrap().to_string(),
                    function,
                    argument,
                    handler.priority.clone().unwrap(),
                    handler.is_dead(),
                )
            })
            .collect();
        let row = |event: &str, function: &str, argument, priority, dead| {
            (event.to_owned(), function.to_owned(), argument, priority, dead)
        };
        assert_eq!(
            told,
            [
                row("maxsockets_change", "tcp_init", 0, -1, true),
                row("vm_lowmem", "tcp_init", 5, 10_000, false),
                row("vm_lowmem", "tcp_input", 0, 20_000, false),
            ],
            "{kernel}"
        );
    }
}

#[test]
fn handlers_that_make_no_sense_are_errors_in_their_places() {
    let mut scene = Scene::new("classic-clang-dwarf2");
    let (list, entries) =
        scene.event("vm_lowmem", &[("tcp_init", 0, 0, true), ("tcp_init", 0, 1, true)]);
    let loaded = scene.loaded();
    let entry = |loaded: &mut LoadedKernel, n: usize| {
        loaded.object(VirtAddr::new(entries[n]), "struct eventhandler_entry").unwrap()
    };
    // The first has lost the real handler, the second leads back to the first.
    let (first, second) = (entry(loaded, 0), entry(loaded, 1));
    loaded.set(first, "ee_arg", 0).unwrap();
    loaded.set(second, "ee_link.tqe_next", entries[0]).unwrap();
    let list = loaded.object(VirtAddr::new(list), "struct eventhandler_list").unwrap();
    loaded.set(list, "el_name", 0x10).unwrap();
    loaded.set(list, "el_link.tqe_next", list.address.get()).unwrap();
    let session = scene.open();
    let all = VnetHandlers::read(session.target(), &session.unloaded()).unwrap();
    assert_eq!(all.handlers.len(), 2);
    assert!(all.handlers[0].function.is_err() && all.handlers[1].function.is_ok());
    assert!(all.handlers.iter().all(|handler| handler.event.is_err()));
    let problems = told(&all.problems);
    assert!(problems.contains("eventhandler_lists: the list comes back to"), "{problems}");
    assert!(problems.contains("the handlers of the list at"), "{problems}");
}

#[test]
fn recursions_are_known_with_vnet_debug_alone() {
    assert!(
        Recursions::read(Scene::new("classic-clang-dwarf2").open().target()).unwrap().is_none()
    );
    let mut scene = Scene::new("small-vnet-debug-dwarf4");
    let vnet0 = scene.runtime.vnet0().unwrap().0.get();
    let head = scene.loaded().variable("vnet_recursions").unwrap();
    let loaded = scene.loaded();
    let entry = loaded.malloc("vnet", "struct vnet_recursion").unwrap();
    let text = loaded.malloc_text("text", "if_vmove").unwrap();
    loaded.set(entry, "where_fn", text.get()).unwrap();
    loaded.set(entry, "prev_fn", 0x20).unwrap();
    loaded.set(entry, "where_line", 1204).unwrap();
    loaded.set(entry, "new_vnet", vnet0).unwrap();
    loaded.set(entry, "vnr_le.sle_next", entry.address.get()).unwrap();
    loaded.set(head, "slh_first", entry.address.get()).unwrap();
    let recorded = Recursions::read(scene.open().target()).unwrap().unwrap();
    let [one] = &recorded.recursions[..] else { panic!("{recorded:?}") };
    assert_eq!(one.function.as_ref().unwrap().as_deref(), Some("if_vmove"));
    assert_eq!((one.line.clone(), one.old_vnet.clone()), (Ok(1204), Ok(None)));
    assert_eq!(one.new_vnet, Ok(Some(VirtAddr::new(vnet0))));
    assert!(one.previous.is_err());
    assert!(told(&recorded.problems).contains("has a cycle"));
}

/// A vnet is made while the constructor of a module hangs.
#[test]
fn functions_of_modules_are_named_by_the_modules_own_symbols() {
    for (kernel, directory) in
        [("classic-clang-dwarf2", "amd64"), ("i386", "i386"), ("arm64", "arm64")]
    {
        let mut scene = Scene::new(kernel);
        let file = format!("fixtures/kernel/modules/{directory}/if_gif.ko");
        scene.runtime.load_module(&ModuleFile::from_path(Path::new(&file)).unwrap()).unwrap();
        let vnet = scene.unlisted(0x700_0000, false);
        let thread = scene.thread(100_730, vnet);
        let function = scene.constructor_of_a_module();
        let (panic, alloc) = (scene.address_of("panic"), scene.inside("vnet_alloc"));
        scene.stack(thread, None, panic, &[panic, function + 1, alloc]);
        let (_, entries) = scene.event("vm_lowmem", &[("tcp_init", 0, 0, true)]);
        let loaded = scene.loaded();
        let entry = loaded.object(VirtAddr::new(entries[0]), "struct eventhandler_entry").unwrap();
        let real = VirtAddr::new(loaded.get(entry, "ee_arg").unwrap());
        let real = loaded.object(real, "struct eventhandler_entry_vimage").unwrap();
        loaded.set(real, "func", function).unwrap();
        let session = scene.open();
        let handlers = VnetHandlers::read(session.target(), &session.unloaded()).unwrap().handlers;
        let handler = handlers[0].function.as_ref().unwrap().symbol().unwrap();
        assert_eq!((&*handler.name, handler.offset), ("vnet_gif_init", 0));
        let (sysinits, found) = construction(&session, vnet);
        assert_eq!(with(&sysinits, &found, Progress::Running), ["vnet_gif_init"], "{kernel}");
        let running = found.function.unwrap();
        let gif = sysinits.iter().find(|sysinit| sysinit.address == running).unwrap();
        assert_eq!(gif.module.as_deref(), Some("if_gif.ko"));
    }
}
