//! Dumps of sick kernels, through the program itself: lists that break off, memory that
//! was freed while something still points at it, and threads that crashed outside of any
//! vnet. What cannot be read is unknown, and what is freed is named.

#![cfg(feature = "cli")]

use std::process::Command;

use vnetkvm::addr::VirtAddr;
use vnetkvm::image::kernel::LoadedKernel;
use vnetkvm::image::machine::MachineOptions;
use vnetkvm::image::object::Object;
use vnetkvm::image::runtime::{InterfaceOptions, JailOptions, ProcessOptions, Runtime, Scope};
use vnetkvm::image::{Format, Image};
use vnetkvm::kernel::Kernel;
use vnetkvm::source::Source;

const KERNELS: [&str; 3] = ["classic-clang-dwarf4", "newer-clang-dwarf4", "i386"];

/// What a command printed, what it said besides, and its exit status.
struct Answer {
    out: String,
    said: String,
    code: i32,
}

/// A machine with the jails one, two and three, each with its own vnet and a process, and
/// an interface in two.
fn machine(kernel: &str) -> Runtime {
    let options = MachineOptions { memory: 32 << 20, ..MachineOptions::default() };
    let opened = Kernel::open(Source::open(path(kernel)).unwrap(), None).unwrap();
    let mut runtime = Runtime::boot(LoadedKernel::load(opened, options).unwrap(), &[0]).unwrap();
    for name in ["one", "two", "three"] {
        runtime.create_jail(&JailOptions::new(name)).unwrap();
        let worker = ProcessOptions {
            jail: Some(name.into()),
            in_network_stack: name == "two",
            ..ProcessOptions::new(format!("worker-{name}"))
        };
        runtime.create_process(&worker).unwrap();
    }
    let two = Scope::Vnet(runtime.jail_vnet("two").unwrap().unwrap());
    for name in ["tap0", "tap1"] {
        let tap = runtime.create_interface(&InterfaceOptions::new(name)).unwrap();
        runtime.if_vmove(tap, two).unwrap();
    }
    runtime
}

fn path(kernel: &str) -> String {
    format!("{}/fixtures/kernel/{kernel}", env!("CARGO_MANIFEST_DIR"))
}

/// What each command says of a dump of the machine.
fn ask<const N: usize>(kernel: &str, runtime: Runtime, commands: [&[&str]; N]) -> [Answer; N] {
    let directory = tempfile::tempdir().unwrap();
    let core = Image::of(runtime).unwrap().save(Format::MinidumpV2, directory.path()).unwrap();
    commands.map(|words| {
        let output = Command::new(env!("CARGO_BIN_EXE_vnetkvm"))
            .args(["-N", &path(kernel), "-M", core.to_str().unwrap()])
            .args(words)
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let code = output.status.code().unwrap();
        Answer { out: text(output.stdout), said: text(output.stderr), code }
    })
}

/// Fills an object as a kernel with INVARIANTS does when it is freed.
fn free(runtime: &mut Runtime, object: Object, kind: &str) {
    let size = runtime.kernel().types().size_of(object.type_id).unwrap();
    assert!(size >= 16, "{kind}");
    let fill: Vec<u8> =
        0xdead_c0de_u32.to_le_bytes().into_iter().cycle().take(size as usize).collect();
    runtime.kernel_mut().machine_mut().write(object.address, &fill).unwrap();
}

#[test]
fn a_freed_jail_on_the_list_is_named_and_hides_no_other() {
    for kernel in KERNELS {
        let mut runtime = machine(kernel);
        let two = runtime.prison("two").unwrap();
        free(&mut runtime, two, "struct prison");
        let told = format!("allprison: the prison at {} is freed memory (0xdeadc0de)", two.address);
        let [vnets, json, info, one, three, nobody, strict] = ask(
            kernel,
            runtime,
            [
                &["vnets"],
                &["vnets", "--json"],
                &["info", "--json"],
                &["--jail", "one", "print", "ip_defttl"],
                // Behind the break, found from the other end of the list.
                &["--jail", "three", "print", "ip_defttl"],
                &["--jail", "nobody", "print", "ip_defttl"],
                &["vnets", "--strict"],
            ],
        );
        assert_eq!(vnets.said.matches(&told).count(), 1, "{kernel}: {}", vnets.said);
        assert_eq!(vnets.code, 0);
        assert!(!vnets.out.contains('\u{fffd}') && vnets.out.contains("three"), "{}", vnets.out);
        // The vnet of the freed jail: whose it is is not known.
        let row = vnets.out.lines().find(|line| line.trim_start().starts_with('2')).unwrap();
        assert!(row.trim_end().ends_with('?'), "{row}");
        assert!(json.out.contains("\"jails\":null"), "{}", json.out);
        assert!(
            json.out.contains("\"problems\":[\n{\"what\":\"allprison\",\"where\":\"0x"),
            "{}",
            json.out
        );
        assert!(info.out.contains("\"jails\":null"), "{}", info.out);
        assert_eq!((one.code, three.code), (0, 0), "{}{}", one.said, three.said);
        assert!(nobody.said.contains("jail nobody is not on the readable part of the list"));
        assert!(nobody.said.contains(&told) && nobody.code == 2, "{}", nobody.said);
        assert_eq!((strict.code, &*strict.out), (2, ""));
    }
}

#[test]
fn a_freed_interface_is_named_and_its_memory_is_no_value() {
    for kernel in KERNELS {
        let mut runtime = machine(kernel);
        let tap = runtime.interface("tap0").unwrap();
        free(&mut runtime, tap, "struct ifnet");
        let cast = format!("((struct ifnet *){})->", tap.address);
        let [vnets, name, mtu, json] = ask(
            kernel,
            runtime,
            [
                &["vnets"],
                &["--jail", "two", "print", &format!("{cast}if_xname")],
                &["--jail", "two", "print", &format!("{cast}if_flags")],
                &["--jail", "two", "print", "--json", &format!("{cast}if_vnet")],
            ],
        );
        let told = format!("the interface at {} is freed memory (0xdeadc0de)", tap.address);
        assert!(vnets.said.contains(&told), "{kernel}: {}", vnets.said);
        // How many there are is not known, and so contradicts nothing.
        assert!(!vnets.said.contains("vnet_ifcnt"), "{}", vnets.said);
        for answer in [&name, &mtu] {
            assert!(answer.out.contains("<freed: 0x"), "{kernel}: {}", answer.out);
        }
        assert!(
            json.out.contains("{\"error\":{\"kind\":\"freed\",\"address\":\"0x"),
            "{}",
            json.out
        );
    }
}

/// With `--strict` that is known before them, and nothing of an incomplete answer is written.
#[test]
fn what_interfaces_of_several_vnets_lack_is_said_after_them() {
    for kernel in KERNELS {
        let mut runtime = machine(kernel);
        let tap = runtime.interface("tap0").unwrap();
        free(&mut runtime, tap, "struct ifnet");
        let all = ["interfaces", "--all-vnets"];
        let with = |option| [&all[..], &[option]].concat();
        let (strict, json) = (with("--strict"), with("--json"));
        let [table, strict, json, none] = ask(
            kernel,
            runtime,
            [&all, &strict, &json, &["interfaces", "--all-vnets", "tap1", "none0"]],
        );
        let told = format!("the interface at {} is freed memory (0xdeadc0de)", tap.address);
        assert!(table.said.contains(&told) && table.code == 0, "{kernel}: {}", table.said);
        assert!(table.out.contains("vnet 3"), "{kernel}: {}", table.out);
        assert_eq!((&*strict.out, strict.code), ("", 2), "{kernel}");
        assert_eq!(strict.said.matches(&told).count(), 1, "{kernel}: {}", strict.said);
        let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
        let problems = json["problems"].to_string();
        assert!(problems.contains("is freed memory"), "{kernel}: {problems}");
        let unsure = "is on the part of the list that can be read";
        assert!(none.said.contains(unsure) && none.code == 0, "{kernel}: {}", none.said);
    }
}

#[test]
fn a_freed_vnet_is_never_up() {
    for kernel in KERNELS {
        let mut runtime = machine(kernel);
        let vnet = runtime.jail_vnet("two").unwrap().unwrap();
        let vnet = runtime.vnet_object(vnet).unwrap();
        free(&mut runtime, vnet, "struct vnet");
        let [vnets, json] = ask(kernel, runtime, [&["vnets"], &["vnets", "--json"]]);
        let row = vnets.out.lines().find(|line| line.contains(&vnet.address.to_string())).unwrap();
        assert!(row.contains(" freed ") && !row.contains(" up "), "{kernel}: {row}");
        assert!(!vnets.out.contains("3735929054"), "{}", vnets.out);
        assert!(!json.out.contains("3735929054"), "{}", json.out);
        let told = format!("the list of vnets: the vnet at {} is freed memory", vnet.address);
        assert!(vnets.said.contains(&told), "{kernel}: {}", vnets.said);
    }
}

#[test]
fn lists_of_processes_and_threads_that_break_off_leave_others_unknown() {
    for kernel in KERNELS {
        let broken = |member: &str| {
            let mut runtime = machine(kernel);
            let thread = runtime.thread("worker-three").unwrap();
            let process = runtime.kernel().get(thread, "td_proc").unwrap();
            let process = VirtAddr::new(process);
            let process = runtime.kernel().object(process, "struct proc").unwrap();
            let object = if member.starts_with("td_") { thread } else { process };
            runtime.kernel_mut().set(object, member, 0x1234).unwrap();
            ask(
                kernel,
                runtime,
                [
                    &["vnets"],
                    &["--pid", "4321", "print", "ip_defttl"],
                    &["--tid", "77", "print", "ip_defttl"],
                ],
            )
        };
        let [vnets, pid, tid] = broken("p_list.le_next");
        assert!(vnets.said.contains("warning: allproc: the list breaks off at"), "{}", vnets.said);
        assert!(
            pid.said.contains("process 4321 is not on the readable part of the list"),
            "{}",
            pid.said
        );
        assert!(pid.said.contains("caused by: allproc: "), "{}", pid.said);
        assert_eq!((pid.code, tid.code), (2, 2));
        let [vnets, _, tid] = broken("td_plist.tqe_next");
        assert!(vnets.said.contains("warning: the threads of process "), "{}", vnets.said);
        assert!(tid.said.contains("thread 77 is not on the readable part of"), "{}", tid.said);
        // What is whole says for certain.
        let [pid] = ask(kernel, machine(kernel), [&["--pid", "4321", "print", "ip_defttl"]]);
        assert!(pid.said.contains("there is no process 4321 in the dump"), "{}", pid.said);
        assert_eq!(pid.code, 1);
    }
}

#[test]
fn lists_that_zeros_stand_in_the_place_of_are_unknown() {
    for kernel in KERNELS {
        let mut runtime = machine(kernel);
        for (list, members) in
            [("allprison", &["tqh_first", "tqh_last"][..]), ("allproc", &["lh_first"])]
        {
            let head = runtime.kernel().variable(list).unwrap();
            members.iter().for_each(|member| runtime.kernel_mut().set(head, member, 0).unwrap());
        }
        let [vnets, info, jail, gone, pid] = ask(
            kernel,
            runtime,
            [
                &["vnets"],
                &["info", "--json"],
                // The tree of children has it.
                &["--jail", "two", "print", "ip_defttl"],
                &["--jail", "nobody", "print", "ip_defttl"],
                &["--pid", "4321", "print", "ip_defttl"],
            ],
        );
        assert!(vnets.said.contains("warning: allprison: "), "{kernel}: {}", vnets.said);
        assert!(vnets.said.contains("warning: allproc: it is empty: "), "{kernel}: {}", vnets.said);
        assert!(vnets.out.contains("(host)") && vnets.out.contains("two"), "{}", vnets.out);
        assert!(info.out.contains("\"jails\":null"), "{}", info.out);
        assert_eq!(
            (jail.code, gone.code, pid.code),
            (0, 2, 2),
            "{}{}{}",
            jail.said,
            gone.said,
            pid.said
        );
    }
}

#[test]
fn lists_that_end_before_their_heads_say_are_followed_from_the_other_end() {
    for kernel in KERNELS {
        let mut runtime = machine(kernel);
        let head = runtime.kernel().variable("allprison").unwrap();
        let first = VirtAddr::new(runtime.kernel().get(head, "tqh_first").unwrap());
        let first = runtime.kernel().object(first, "struct prison").unwrap();
        runtime.kernel_mut().set(first, "pr_list.tqe_next", 0).unwrap();
        let [vnets, three, strict] = ask(
            kernel,
            runtime,
            [&["vnets"], &["--jail", "three", "print", "ip_defttl"], &["vnets", "--strict"]],
        );
        let told = format!(
            "allprison: the list ends at {}, but its head says that it ends at 0x",
            first.address
        );
        assert!(vnets.said.contains(&told), "{kernel}: {}", vnets.said);
        assert!(vnets.out.contains("three"), "{kernel}: {}", vnets.out);
        assert_eq!((three.code, strict.code), (0, 2), "{}", three.said);
    }
}

#[test]
fn a_list_of_vnets_that_skips_one_is_not_whole() {
    for kernel in KERNELS {
        let mut runtime = machine(kernel);
        let [one, three] = ["one", "three"].map(|name| {
            let vnet = runtime.jail_vnet(name).unwrap().unwrap();
            runtime.vnet_object(vnet).unwrap()
        });
        runtime.kernel_mut().set(three, "vnet_le.le_next", one.address.get()).unwrap();
        let [vnets, two, strict] = ask(
            kernel,
            runtime,
            [&["vnets"], &["--vnet", "2", "print", "ip_defttl"], &["vnets", "--strict"]],
        );
        let told = format!("the list of vnets: the vnet at {} follows the link at", one.address);
        assert!(vnets.said.contains(&told), "{kernel}: {}", vnets.said);
        assert!(
            two.said.contains("vnet 2 is not on the readable part of the list"),
            "{}",
            two.said
        );
        assert_eq!((two.code, strict.code), (2, 2));
    }
}

#[test]
fn a_curvnet_that_leads_nowhere_is_warned_of_before_the_host_is_meant() {
    for kernel in KERNELS {
        let mut runtime = machine(kernel);
        let thread = runtime.thread("worker-two").unwrap();
        let tid = runtime.kernel().get(thread, "td_tid").unwrap();
        assert!(runtime.kernel_mut().set_symbol("dumptid", tid).unwrap());
        runtime.kernel_mut().set(thread, "td_vnet", 0x1000).unwrap();
        let [print, strict] =
            ask(kernel, runtime, [&["print", "ip_defttl"], &["--strict", "print", "ip_defttl"]]);
        let told =
            format!("td_vnet of the crashed thread {tid}: it leads to 0x1000, which is not a vnet");
        assert!(print.said.contains(&told), "{kernel}: {}", print.said);
        assert_eq!((print.code, strict.code), (0, 2));
    }
}

#[test]
fn an_address_needs_no_list_of_vnets() {
    for kernel in KERNELS {
        let mut runtime = machine(kernel);
        let two = runtime.jail_vnet("two").unwrap().unwrap().0;
        for pointer in ["vnet_head", "vnet0"] {
            let pointer = runtime.kernel().variable(pointer).unwrap().address;
            let nowhere = VirtAddr::new(0x1234);
            runtime.kernel_mut().machine_mut().set_pointer(pointer, nowhere).unwrap();
        }
        let [vnets, print] =
            ask(kernel, runtime, [&["vnets"], &["--vnet", &two.to_string(), "print", "ip_defttl"]]);
        assert_eq!((vnets.code, print.code), (2, 0), "{kernel}: {}{}", vnets.said, print.said);
        assert_eq!(print.out, "ip_defttl = (int) 64\n");
    }
}

#[test]
fn a_lock_that_is_fill_is_freed() {
    for kernel in KERNELS {
        let mut runtime = machine(kernel);
        let lock = runtime.kernel().variable("vnet_sxlock").unwrap();
        free(&mut runtime, lock, "struct sx");
        let [locks] = ask(kernel, runtime, [&["locks"]]);
        let row = locks.out.lines().find(|line| line.starts_with("vnet_sxlock")).unwrap();
        assert!(row.contains("freed") && !row.contains("exclusive"), "{kernel}: {row}");
    }
}

#[test]
fn a_lock_whose_owner_is_freed_says_so() {
    for kernel in KERNELS {
        let mut runtime = machine(kernel);
        let thread = runtime.thread("worker-three").unwrap();
        let process = VirtAddr::new(runtime.kernel().get(thread, "td_proc").unwrap());
        let process = runtime.kernel().object(process, "struct proc").unwrap();
        runtime.kernel_mut().set(process, "p_threads.tqh_first", 0).unwrap();
        free(&mut runtime, thread, "struct thread");
        let lock = runtime.kernel().variable("vnet_sxlock").unwrap();
        runtime.kernel_mut().set(lock, "sx_lock", thread.address.get()).unwrap();
        let [locks] = ask(kernel, runtime, [&["locks"]]);
        let told = format!("{}, freed memory (0xdeadc0de)", thread.address);
        assert!(locks.out.contains(&told), "{kernel}: {}{}", locks.out, locks.said);
    }
}

#[test]
fn the_thread_that_crashed_is_named_with_its_jail() {
    for kernel in KERNELS {
        let dumping = |runtime: &mut Runtime, tid: u64| {
            assert!(runtime.kernel_mut().set_symbol("dumptid", tid).unwrap());
        };
        let tid = |runtime: &Runtime, name: &str| {
            let thread = runtime.thread(name).unwrap();
            runtime.kernel().get(thread, "td_tid").unwrap()
        };
        // In its jail's vnet.
        let mut runtime = machine(kernel);
        let two = tid(&runtime, "worker-two");
        dumping(&mut runtime, two);
        let [info, json, print] =
            ask(kernel, runtime, [&["info"], &["info", "--json"], &["print", "ip_defttl"]]);
        let line = info.out.lines().find(|line| line.starts_with("dumped by")).unwrap();
        assert!(line.contains(&format!("thread {two} of process ")), "{line}");
        assert!(line.contains("(worker-two), jail two") && !line.contains("no vnet"), "{line}");
        assert!(
            json.out.contains("\"jail\":{\"jid\":2,\"name\":\"two\"},\"curvnet\":{\"index\":2,")
        );
        assert!(print.said.contains("the crashing thread's vnet"), "{}", print.said);
        // In none: then its jail's is named beside the default.
        let mut runtime = machine(kernel);
        let one = tid(&runtime, "worker-one");
        dumping(&mut runtime, one);
        let [info, json, print] =
            ask(kernel, runtime, [&["info"], &["info", "--json"], &["print", "ip_defttl"]]);
        let line = info.out.lines().find(|line| line.starts_with("dumped by")).unwrap();
        assert!(line.contains(", jail one, in no vnet; its jail's vnet is vnet 1 (0x"), "{line}");
        assert!(json.out.contains("\"curvnet\":null,\"vnet\":{\"index\":1,"), "{}", json.out);
        let note =
            format!("the crashing thread {one} was in no vnet, and its jail's vnet is vnet 1");
        assert!(print.said.contains(&note), "{}", print.said);
        // On no list.
        let mut runtime = machine(kernel);
        dumping(&mut runtime, 424_242);
        let [info, print] = ask(kernel, runtime, [&["info"], &["print", "ip_defttl"]]);
        let told = "thread 424242, which is on no list of threads";
        assert!(info.out.contains(told) && print.said.contains(told), "{}", print.said);
    }
}

#[test]
fn of_two_jails_of_one_name_the_living_one_is_meant() {
    for kernel in KERNELS {
        let mut runtime = machine(kernel);
        let one = runtime.prison("one").unwrap();
        let name = runtime.kernel().member(one, "pr_name").unwrap();
        runtime.kernel_mut().machine_mut().write(name.address, b"three\0").unwrap();
        let loaded = runtime.kernel_mut();
        match loaded.has(one, "pr_state") {
            true => loaded.set(one, "pr_state", 2).unwrap(),
            false => loaded.set(one, "pr_uref", 0).unwrap(),
        }
        let [three, vnets] = ask(
            kernel,
            runtime,
            [&["--jail", "three", "--json", "print", "ip_defttl"], &["vnets"]],
        );
        assert!(three.out.contains("\"vnet\":{\"index\":3,"), "{kernel}: {}", three.out);
        let told = "note: using jail 3 (three), not jail 1 (three), dying";
        assert!(three.said.contains(told), "{kernel}: {}", three.said);
        assert!(vnets.out.contains("three (dying)"), "{}", vnets.out);
    }
}

#[test]
fn a_jail_that_is_being_removed_is_found_by_what_still_points_at_its_vnet() {
    for kernel in KERNELS {
        let mut runtime = machine(kernel);
        let two = runtime.prison("two").unwrap();
        let vnet = runtime.jail_vnet("two").unwrap().unwrap();
        // As prison_deref leaves it: off the list, and off its parent's children.
        unlink(&mut runtime, two, "pr_list", ("tqe_next", "tqe_prev"));
        unlink(&mut runtime, two, "pr_sibling", ("le_next", "le_prev"));
        let object = runtime.vnet_object(vnet).unwrap();
        unlink(&mut runtime, object, "vnet_le", ("le_next", "le_prev"));
        let [vnets, print] =
            ask(kernel, runtime, [&["vnets"], &["--jail", "two", "print", "ip_defttl"]]);
        assert!(vnets.out.contains("two (being removed)"), "{kernel}: {}{}", vnets.out, vnets.said);
        assert_eq!(print.code, 0, "{kernel}: {}", print.said);
    }
}

/// Takes an object off a doubly linked list.
fn unlink(runtime: &mut Runtime, object: Object, link: &str, (next, previous): (&str, &str)) {
    let loaded = runtime.kernel_mut();
    let get = |loaded: &LoadedKernel, member: &str| {
        loaded.get(object, &format!("{link}.{member}")).unwrap()
    };
    let (after, before) = (get(loaded, next), VirtAddr::new(get(loaded, previous)));
    loaded.machine_mut().set_pointer(before, VirtAddr::new(after)).unwrap();
    if after != 0 {
        let after = Object { address: VirtAddr::new(after), ..object };
        loaded.set(after, &format!("{link}.{previous}"), before.get()).unwrap();
    }
}

#[test]
fn interfaces_and_counts_that_contradict_a_vnet_are_its_problems() {
    for kernel in KERNELS {
        let mut runtime = machine(kernel);
        let tap = runtime.interface("tap1").unwrap();
        let other = runtime.jail_vnet("three").unwrap().unwrap().0;
        let two = runtime.jail_vnet("two").unwrap().unwrap();
        let two = runtime.vnet_object(two).unwrap();
        runtime.kernel_mut().set(tap, "if_vnet", other.get()).unwrap();
        runtime.kernel_mut().set(two, "vnet_ifcnt", 40).unwrap();
        let [vnets] = ask(kernel, runtime, [&["vnets"]]);
        let stranger = format!(
            "the interface tap1 at {} is on its list, but its if_vnet is {other}",
            tap.address
        );
        assert!(vnets.said.contains(&stranger), "{kernel}: {}", vnets.said);
        assert!(
            vnets.said.contains("its vnet_ifcnt is 40, but 2 are on V_ifnet"),
            "{kernel}: {}",
            vnets.said
        );
    }
}
