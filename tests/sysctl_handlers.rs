//! Sysctls whose handlers do more than copy: which of them are answered for, and what
//! modules that are gone have left in the tree.
//!
//! The fixture kernels have few handlers; here functions and variables of theirs are given
//! the names of real ones, in the string table of the kernel that is opened.

#![cfg(feature = "image")]

use std::io::Cursor;

use vnetkvm::addr::VirtAddr;
use vnetkvm::image::kernel::LoadedKernel;
use vnetkvm::image::machine::MachineOptions;
use vnetkvm::image::object::Object;
use vnetkvm::image::runtime::{JailOptions, Runtime, SysctlKind, SysctlOptions};
use vnetkvm::image::{Format, Image};
use vnetkvm::kernel::Kernel;
use vnetkvm::session::{Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::value::Limits;
use vnetkvm::value::model::{ErrorKind, Value};
use vnetkvm::views::sysctls::Sysctl;
use vnetkvm::vnet::Stack;

const VNET: u64 = 0x0002_0000;
const INT: u64 = 2;
const STRING: u64 = 3;
const OPAQUE: u64 = 5;

/// A machine with a jail that has a network stack of its own.
struct Scene {
    kernel: &'static str,
    runtime: Runtime,
    renamed: Vec<(&'static str, &'static str)>,
}

impl Scene {
    fn new(kernel: &'static str) -> Self {
        let source = Source::open(path(kernel)).unwrap();
        let options = MachineOptions { memory: 32 << 20, ..MachineOptions::default() };
        let loaded = LoadedKernel::load(Kernel::open(source, None).unwrap(), options).unwrap();
        let mut runtime = Runtime::boot(loaded, &[0]).unwrap();
        runtime.create_jail(&JailOptions::new("web")).unwrap();
        Self { kernel, runtime, renamed: Vec::new() }
    }

    /// A sysctl of this type whose handler is this function and whose arg1 this variable.
    fn sysctl(
        &mut self,
        name: &str,
        ctltype: u64,
        handler: &str,
        variable: Option<&str>,
    ) -> Object {
        let options = SysctlOptions {
            name: format!("net.inet.{name}"),
            kind: SysctlKind::Proc { handler: handler.into(), ctltype, format: "I".into() },
            variable: variable.map(String::from),
            writable: true,
            description: String::new(),
        };
        self.runtime.sysctl_vnet(&options).unwrap()
    }

    /// The same for the whole kernel.
    fn global(&mut self, name: &str, ctltype: u64, handler: &str) -> Object {
        let oid = self.sysctl(name, ctltype, handler, None);
        let kind = self.get(oid, "oid_kind");
        self.set(oid, "oid_kind", kind & !VNET);
        oid
    }

    fn get(&self, object: Object, member: &str) -> u64 {
        self.runtime.kernel().get(object, member).unwrap()
    }

    fn set(&mut self, object: Object, member: &str, value: u64) {
        self.runtime.kernel_mut().set(object, member, value).unwrap();
    }

    fn address_of(&self, name: &str) -> u64 {
        self.runtime.kernel().address_of(name).unwrap_or_else(|| panic!("no {name}")).get()
    }

    fn open(self) -> Session {
        let image = Image::of(self.runtime).unwrap();
        let mut core = Cursor::new(Vec::new());
        image.write(Format::MinidumpV2, &mut core).unwrap();
        let mut kernel = std::fs::read(path(self.kernel)).unwrap();
        for (old, new) in self.renamed {
            rename(&mut kernel, old, new);
        }
        let kernel = Source::from_vec("kernel", kernel);
        Session::from_sources(kernel, Source::from_vec("vmcore", core.into_inner())).unwrap()
    }
}

fn path(kernel: &str) -> String {
    format!("{}/fixtures/kernel/{kernel}", env!("CARGO_MANIFEST_DIR"))
}

/// Makes `new`, which is no longer, the name in the place of `old`.
fn rename(kernel: &mut [u8], old: &str, new: &str) {
    let whole = format!("\0{old}\0");
    let mut longer = format!("\0{new}").into_bytes();
    longer.resize(whole.len(), 0);
    let places: Vec<usize> = memchr::memmem::find_iter(kernel, &whole).collect();
    assert!(!places.is_empty(), "{old} has no name of its own");
    for place in places {
        kernel[place..place + longer.len()].copy_from_slice(&longer);
    }
}

fn read(session: &Session, which: &Selector, name: &str) -> Sysctl {
    let vnet = session.select(which).unwrap().stacks[0];
    let tree = session.sysctls(&[format!("net.inet.{name}")]).unwrap();
    session.sysctl_reader(&Limits::default()).read(vnet, &tree.oids[0])
}

/// The value that was read behind a handler in vnet 1.
fn behind(session: &Session, name: &str) -> Option<Value> {
    let found = read(session, &Selector::Index(1), name);
    assert_eq!(found.behind_handler, found.value.is_some(), "{name}: {found:?}");
    found.value
}

#[test]
fn a_number_or_a_text_is_what_its_handler_would_have_copied() {
    const OWN: &str = "feat_sysctl_handler";
    for kernel in ["classic-clang-dwarf2", "classic-gcc-dwarf5", "newer-clang-dwarf4"] {
        let mut scene = Scene::new(kernel);
        for (name, ctltype, variable) in [
            ("int", INT, "ip_defttl"),
            ("unsigned", 6, "feat_sysctl_uint"),
            ("byte", INT, "feat_sysctl_u8"),
            ("short", INT, "feat_sysctl_s16"),
            ("long", 7, "feat_sysctl_long"),
            ("text", STRING, "feat_sysctl_string"),
            ("member", INT, "feat_sysctl_struct.b"),
            // Not these: a whole struct, a pointer, a zone, a counter, another kind of value.
            ("struct", INT, "feat_sysctl_struct"),
            ("pointer", INT, "default_cc_ptr"),
            ("counter", 9, "feat_sysctl_counter"),
            ("number_as_text", STRING, "ip_defttl"),
            ("text_as_number", INT, "feat_sysctl_string"),
            ("opaque", OPAQUE, "ip_defttl"),
        ] {
            scene.sysctl(name, ctltype, OWN, Some(variable));
        }
        scene.sysctl("nothing", INT, OWN, None);
        // A number of the whole kernel's: most such handlers compute.
        let global = scene.global("global", INT, OWN);
        let plain = scene.address_of("feat_sysctl_plain");
        scene.set(global, "oid_arg1", plain);
        let session = scene.open();
        for (name, value) in [
            ("int", Value::Int(64)),
            ("unsigned", Value::Int(4_000_000_000)),
            ("byte", Value::Int(200)),
            ("short", Value::Int(-300)),
            ("long", Value::Int(-5)),
            ("text", Value::Text("fixture".into())),
            ("member", Value::Int(2)),
        ] {
            assert_eq!(behind(&session, name), Some(value), "{kernel}: {name}");
        }
        for name in [
            "struct",
            "pointer",
            "counter",
            "number_as_text",
            "text_as_number",
            "opaque",
            "nothing",
            "global",
        ] {
            assert_eq!(behind(&session, name), None, "{kernel}: {name}");
        }
    }
}

#[test]
fn without_vimage_the_variable_is_the_only_one() {
    let scenario = format!("{}/fixtures/scenarios/plain.toml", env!("CARGO_MANIFEST_DIR"));
    let scenario = vnetkvm::image::Scenario::open(scenario).unwrap();
    let image = vnetkvm::image::build(&scenario, scenario.open_kernel().unwrap()).unwrap();
    let mut core = Cursor::new(Vec::new());
    image.write(Format::MinidumpV2, &mut core).unwrap();
    let kernel = Source::open(path("plain-clang-dwarf4")).unwrap();
    let session =
        Session::from_sources(kernel, Source::from_vec("vmcore", core.into_inner())).unwrap();
    let tree = session.sysctls(&["debug.feat.handled".into()]).unwrap();
    let found = session.sysctl_reader(&Limits::default()).read(Stack::Only, &tree.oids[0]);
    assert_eq!((found.value, found.behind_handler), (Some(Value::Int(6)), true));
}

#[test]
fn handlers_whose_rule_is_known_answer_by_it() {
    let mut scene = Scene::new("classic-clang-dwarf4");
    // Not the variable as it is: 64 ticks of 7 to the second.
    scene.sysctl("msl", INT, "sysctl_handle_counter_u64_array", Some("ip_defttl"));
    scene.sysctl("cc", STRING, "feat_sysctl_handler", None);
    let host = scene.global("host", STRING, "vnet_mroute_uninit");
    let types = scene.runtime.kernel().types();
    let offset = types.path(types.find("struct prison").unwrap(), "pr_hostname").unwrap().offset;
    scene.set(host, "oid_arg1", offset);
    scene.set(host, "oid_arg2", 256);
    scene.global("level", INT, "vnet_global_eventhandler_iterator_func");
    scene.renamed = vec![
        ("sysctl_handle_counter_u64_array", "sysctl_msec_to_ticks"),
        ("feat_sysctl_plain", "hz"),
        ("feat_sysctl_handler", "cc_default_algo"),
        ("vnet_mroute_uninit", "sysctl_hostname"),
        ("vnet_global_eventhandler_iterator_func", "sysctl_kern_securelvl"),
    ];
    let prison = scene.runtime.prison("web").unwrap();
    scene.set(prison, "pr_securelevel", 3);
    let hostname = scene.runtime.kernel().member(prison, "pr_hostname").unwrap();
    scene.runtime.kernel_mut().machine_mut().write(hostname.address, b"web.example\0").unwrap();
    let session = scene.open();
    assert_eq!(behind(&session, "msl"), Some(Value::Int(64 * 1000 / 7)));
    assert_eq!(behind(&session, "cc"), Some(Value::Text("newreno".into())));
    assert_eq!(behind(&session, "host"), Some(Value::Text("web.example".into())));
    assert_eq!(behind(&session, "level"), Some(Value::Int(3)));
    // The host's own are those of prison0.
    let of_host = |name| read(&session, &Selector::Index(0), name).value.unwrap();
    assert_eq!(of_host("level"), Value::Int(-1));
    assert_ne!(of_host("host"), Value::Text("web.example".into()));
    let tree = session.sysctls(&["net.inet.host".into()]).unwrap();
    assert!(tree.oids[0].differs() && !tree.oids[0].per_vnet);
}

#[test]
fn what_an_unloaded_module_left_is_no_value() {
    let mut scene = Scene::new("classic-clang-dwarf4");
    let gone = scene.sysctl("gone", INT, "sysctl_handle_int", Some("ip_defttl"));
    scene.set(gone, "oid_handler", 0xffff_ffff_8234_5670);
    scene.sysctl("left", INT, "sysctl_handle_int", Some("modspace"));
    let session = scene.open();
    for (name, why) in [
        ("gone", "its function lies in no loaded module"),
        ("left", "its argument lies in free module space"),
    ] {
        let Some(Value::Error(error)) = read(&session, &Selector::Index(1), name).value else {
            panic!("{name} has a value")
        };
        assert_eq!(error.kind, ErrorKind::Stale);
        assert!(error.message.starts_with(why), "{}", error.message);
        assert!(error.address.is_some_and(|at| at != VirtAddr::default()));
    }
}

/// Where the list of modules breaks off, any may be the one with the function.
#[test]
fn nothing_is_said_to_be_gone_where_not_all_modules_are_known() {
    let mut scene = Scene::new("classic-clang-dwarf4");
    let gone = scene.sysctl("gone", INT, "sysctl_handle_int", Some("ip_defttl"));
    scene.set(gone, "oid_handler", 0xffff_ffff_8234_5670);
    let files = scene.address_of("linker_files");
    let nowhere = VirtAddr::new(0xffff_ffff_dead_0000);
    scene.runtime.kernel_mut().machine_mut().set_pointer(VirtAddr::new(files), nowhere).unwrap();
    let session = scene.open();
    let found = read(&session, &Selector::Index(1), "gone");
    assert!(!matches!(found.value, Some(Value::Error(_))), "{found:?}");
}
