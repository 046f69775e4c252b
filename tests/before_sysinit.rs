//! Memory from before the kernel has come to its SYSINITs, and lists that cannot be read:
//! what is not made yet, or not known, is neither damaged nor lost.

#![cfg(feature = "cli")]

use std::path::PathBuf;
use std::process::Command;

use vnetkvm::image::kernel::LoadedKernel;
use vnetkvm::image::machine::MachineOptions;
use vnetkvm::image::runtime::Runtime;
use vnetkvm::image::{Format, Image};
use vnetkvm::kernel::Kernel;
use vnetkvm::source::Source;

const KERNELS: [&str; 3] = ["classic-clang-dwarf4", "newer-clang-dwarf4", "i386"];
const LOCKS: [(&str, &str); 4] = [
    ("vnet_rwlock", "rw_lock"),
    ("vnet_sxlock", "sx_lock"),
    ("vnet_sysinit_sxlock", "sx_lock"),
    ("vnet_data_free_lock", "sx_lock"),
];

fn kernel(name: &str) -> String {
    format!("{}/fixtures/kernel/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// What a command says of a machine after this has been done to it.
fn said(name: &str, words: &[&str], change: impl Fn(&mut LoadedKernel)) -> (String, String, i32) {
    let directory = tempfile::tempdir().unwrap();
    let options = MachineOptions { memory: 32 << 20, ..MachineOptions::default() };
    let opened = Kernel::open(Source::open(kernel(name)).unwrap(), None).unwrap();
    let mut runtime = Runtime::boot(LoadedKernel::load(opened, options).unwrap(), &[0]).unwrap();
    change(runtime.kernel_mut());
    let image = Image::of(runtime).unwrap();
    let core: PathBuf = image.save(Format::MinidumpV2, directory.path()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_vnetkvm"))
        .args(["-N", &kernel(name), "-M", core.to_str().unwrap()])
        .args(words)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap())
}

/// Sets the first of these members that the head of a list has.
fn head(kernel: &mut LoadedKernel, name: &str, members: &[&str], value: u64) {
    let head = kernel.variable(name).unwrap();
    let known = members.iter().find(|member| kernel.has(head, member)).unwrap();
    kernel.set(head, known, value).unwrap();
}

fn set_free_list(kernel: &mut LoadedKernel, first: u64, last: u64) {
    let head = kernel.variable("vnet_data_free_head").unwrap();
    kernel.set(head, "tqh_first", first).unwrap();
    kernel.set(head, "tqh_last", last).unwrap();
}

#[test]
fn locks_of_zeros_are_not_initialised_yet() {
    for name in KERNELS {
        let zero = |kernel: &mut LoadedKernel| {
            for (lock, member) in LOCKS {
                let lock = kernel.variable(lock).unwrap();
                kernel.set(lock, member, 0).unwrap();
            }
        };
        let (text, ..) = said(name, &["locks"], zero);
        let rows: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(rows.len(), LOCKS.len(), "{text}");
        assert!(rows.iter().all(|row| row.contains(" not yet ")), "{text}");
        assert!(!text.contains("damaged"), "{text}");
        let (text, ..) = said(name, &["locks", "--json"], zero);
        assert_eq!(text.matches("\"state\":\"not-yet\"").count(), LOCKS.len(), "{text}");
    }
}

#[test]
fn module_space_whose_free_list_is_not_made_yet_is_not_lost() {
    for name in KERNELS {
        let (text, warnings, code) =
            said(name, &["modspace"], |kernel| set_free_list(kernel, 0, 0));
        assert!(
            text.contains("(not yet)") && text.contains("has not created its free list"),
            "{text}"
        );
        assert!(!(text + &warnings).contains("lost") && !warnings.contains("neither free"));
        assert_eq!(code, 0);
        // Made, and empty.
        let empty = |kernel: &mut LoadedKernel| {
            let head = kernel.variable("vnet_data_free_head").unwrap().address.get();
            set_free_list(kernel, 0, head);
        };
        assert!(said(name, &["modspace"], empty).0.contains("(lost)"));
    }
}

#[test]
fn module_space_whose_free_list_cannot_be_read_is_unknown() {
    for name in KERNELS {
        let nowhere = |kernel: &mut LoadedKernel| set_free_list(kernel, 0x1000, 0x1000);
        let (text, warnings, _) = said(name, &["modspace"], nowhere);
        assert!(text.contains("(unknown)") && text.contains("is unknown"), "{text}");
        assert!(warnings.contains("the free list of module space: "), "{warnings}");
        assert!(!(text + &warnings).contains("lost"), "{warnings}");
        let (json, ..) = said(name, &["modspace", "--json"], nowhere);
        for member in ["free", "lost", "largest_free", "fragmentation"] {
            assert!(json.contains(&format!("\"{member}\":null")), "{member}: {json}");
        }
    }
}

/// What a command says when a list is empty though it never is, and when it breaks off.
#[test]
fn lists_that_are_not_made_or_cannot_be_read_are_unknown() {
    type Change = fn(&mut LoadedKernel, u64);
    let sysctls: Change =
        |kernel, value| head(kernel, "sysctl__children", &["slh_first", "rbh_root"], value);
    let sysinits: Change = |kernel, value| {
        for name in ["vnet_constructors", "vnet_destructors"] {
            head(kernel, name, &["tqh_first"], value);
            head(kernel, name, &["tqh_last"], value);
        }
    };
    let handlers: Change = |kernel, value| {
        head(kernel, "eventhandler_lists", &["tqh_first"], value);
        head(kernel, "eventhandler_lists", &["tqh_last"], value);
    };
    for (words, change, noun) in [
        (&["sysctl", "-a"][..], sysctls, "sysctls"),
        (&["sysinit"], sysinits, "sysinits"),
        (&["eventhandlers"], handlers, "eventhandlers"),
    ] {
        for name in KERNELS {
            for (value, why) in [(0, "the kernel has not"), (0x1000, "breaks off")] {
                let (_, told, code) = said(name, words, |kernel| change(kernel, value));
                assert!(told.contains(why) && told.contains("known"), "{noun} {why}: {told}");
                assert_ne!((code, told.contains("at all")), (0, true), "{told}");
                let json: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
                let (text, ..) = said(name, &json, |kernel| change(kernel, value));
                assert!(text.contains(&format!("\"{noun}\":null")), "{noun} {why}: {text}");
                let strict: Vec<&str> = words.iter().copied().chain(["--strict"]).collect();
                assert_eq!(said(name, &strict, |kernel| change(kernel, value)).2, 2, "{noun}");
            }
        }
    }
    let named = |kernel: &mut LoadedKernel| sysctls(kernel, 0x1000);
    let (text, told, code) = said(KERNELS[0], &["sysctl", "net.inet.ip.ttl"], named);
    assert!(
        text.is_empty() && told.contains("is unknown") && told.contains("breaks off"),
        "{told}"
    );
    assert_eq!(code, 2);
}

/// `info` says that the vnets are unknown, rather than nothing of them.
#[test]
fn info_of_a_list_of_vnets_that_cannot_be_read_says_so() {
    let broken = |kernel: &mut LoadedKernel| head(kernel, "vnet_head", &["lh_first"], 0x1000);
    for name in KERNELS {
        let (text, warnings, code) = said(name, &["info"], broken);
        assert!(text.lines().any(|line| line.starts_with("vnets           unknown")), "{text}");
        assert!(warnings.contains("the list of vnets"), "{warnings}");
        assert_eq!(code, 0);
        let (json, ..) = said(name, &["info", "--json"], broken);
        assert!(json.contains("\"vnets\":null") && !json.contains("\"problems\":[]}"), "{json}");
        let (json, _, code) = said(name, &["info", "--json", "--strict"], broken);
        assert_eq!((&*json, code), ("", 2));
    }
}
