//! Static variables that the compiler renamed, took apart or shrank: found by the debug
//! information alone, and worth what gdb says (`fixtures/kernel/record_statics.py`).

#![cfg(feature = "image")]

mod tsv;

use std::path::Path;

use vnetkvm::image::kernel::LoadedKernel;
use vnetkvm::image::machine::MachineOptions;
use vnetkvm::image::runtime::Runtime;
use vnetkvm::image::{Format, Image};
use vnetkvm::kernel::Kernel;
use vnetkvm::render::c;
use vnetkvm::session::Session;
use vnetkvm::source::Source;
use vnetkvm::value::model::ErrorKind;
use vnetkvm::value::{Limits, Value};
use vnetkvm::views::recursions::Recursions;
use vnetkvm::vnet::Stack;

const KERNELS: [&str; 2] = ["small-statics-dwarf4", "small-statics-clang19-dwarf5"];

/// Words of clang's link-time optimisation aside, no symbol has these names.
const RENAMED: [&str; 6] =
    ["uuid_last", "eventtimers", "vnet_recursions", "unp_gc_runs", "asked", "refused"];

fn source(name: &str) -> Source {
    Source::open(format!("fixtures/kernel/{name}")).unwrap()
}

fn boot(name: &str) -> Runtime {
    let kernel = Kernel::open(source(name), None).unwrap();
    Runtime::boot(LoadedKernel::load(kernel, MachineOptions::default()).unwrap(), &[0]).unwrap()
}

fn open(name: &str, runtime: Runtime) -> Session {
    let mut core = std::io::Cursor::new(Vec::new());
    Image::of(runtime).unwrap().write(Format::Full, &mut core).unwrap();
    Session::from_sources(source(name), Source::from_vec("core", core.into_inner())).unwrap()
}

fn print(session: &Session, expression: &str) -> Result<(String, Value), String> {
    let printed = session.print(Stack::Unchosen, expression, &Limits::default());
    let printed = printed.map_err(|why| {
        let cause = std::error::Error::source(&why).map(ToString::to_string);
        format!("{why}: {}", cause.unwrap_or_default())
    })?;
    Ok((printed.type_name.into(), printed.value))
}

/// As gdb writes what we write.
fn as_ours(gdb: &str) -> String {
    let nowhere = "<optimised-out: no memory holds it>";
    let node = "{<synthetic pointer>, <synthetic pointer>, <synthetic pointer>}";
    let text = gdb.replace(node, nowhere).replace("<optimized out>", nowhere);
    // It writes the type of a pointer before it, and a symbol without its suffix behind it.
    let value = text.rsplit_once(") 0x").map_or(text.clone(), |(_, value)| format!("0x{value}"));
    value.split(" <unp").next().unwrap_or_default().to_owned()
}

#[test]
fn they_are_worth_what_gdb_says() {
    for kernel in KERNELS {
        for name in RENAMED {
            assert!(Kernel::open(source(kernel), None).unwrap().symbol(name).is_none(), "{name}");
        }
        let session = open(kernel, boot(kernel));
        let table = format!("fixtures/kernel/variables/{kernel}.tsv");
        let mut checked = 0;
        for row in tsv::rows(Path::new(&table)) {
            let [expression, type_name, value] = row.fields();
            let expression = expression.replace("::", ".");
            checked += 1;
            if matches!(value, "<optimized out>" | "<synthetic pointer>")
                || expression == "uuid_last.node"
            {
                let why = print(&session, &expression).unwrap_err();
                assert!(why.contains("optimised out: no memory holds it"), "{why}");
                continue;
            }
            let (our_type, ours) = print(&session, &expression).unwrap();
            let ours = c::line(&ours);
            assert_eq!(ours.split(" <unp").next().unwrap(), as_ours(value), "{expression}");
            // What arithmetic makes of types is asked elsewhere.
            assert!(our_type == type_name || expression.contains('+'), "{expression}: {our_type}");
        }
        assert!(checked > 15, "{kernel}: {checked}");
    }
}

#[test]
fn a_shrunk_variable_is_worked_out_of_the_byte_that_is_left() {
    for kernel in KERNELS {
        let mut runtime = boot(kernel);
        let byte = runtime.kernel().address_of("uuid_ready").unwrap();
        runtime.kernel_mut().machine_mut().set_uint(byte, 1, 1).unwrap();
        let pieces = [("uuid_last.0", 8, 5), ("uuid_last.1", 2, 6), ("uuid_last.3", 4, 9)];
        for (symbol, size, value) in pieces {
            let at = runtime.kernel().address_of(symbol).unwrap();
            runtime.kernel_mut().machine_mut().set_uint(at, size, value).unwrap();
        }
        let session = open(kernel, runtime);
        assert_eq!(print(&session, "uuid_ready").unwrap(), ("int".into(), Value::Int(42)));
        assert_eq!(print(&session, "uuid_ready - uuid_last.time").unwrap().1, Value::Int(37));
        let (_, Value::Record(whole)) = print(&session, "uuid_last").unwrap() else { panic!() };
        let members: Vec<_> = whole.members().collect();
        assert_eq!(members[0], ("time", &Value::Int(5)));
        assert_eq!(members[1], ("seq", &Value::Int(6)));
        assert_eq!(members[3], ("generation", &Value::Int(9)));
        for (name, value) in [members[2], members[4]] {
            let Value::Error(error) = value else { panic!("{name}: {value:?}") };
            assert_eq!(error.kind, ErrorKind::OptimisedOut, "{name}");
        }
    }
}

/// A member that lies in a page which the dump lacks is not dumped, not optimised out.
#[test]
fn what_is_missing_in_a_piece_is_the_pieces_own_fault() {
    let runtime = boot(KERNELS[0]);
    let at = runtime.kernel().address_of("uuid_last.1").unwrap();
    let phys = runtime.kernel().machine().physical(at).unwrap();
    let mut image = Image::of(runtime).unwrap();
    image.leave_out(phys);
    let mut core = std::io::Cursor::new(Vec::new());
    image.write(Format::MinidumpV2, &mut core).unwrap();
    let core = Source::from_vec("core", core.into_inner());
    let session = Session::from_sources(source(KERNELS[0]), core).unwrap();
    let (_, Value::Record(whole)) = print(&session, "uuid_last").unwrap() else { panic!() };
    let Some((_, Value::Error(error))) = whole.members().nth(1) else { panic!("{whole:?}") };
    assert_eq!(error.kind, ErrorKind::NotDumped);
    assert!(print(&session, "uuid_last.seq + 1").unwrap_err().contains("not in the dump"));
}

#[test]
fn of_several_the_first_is_taken_and_the_others_are_named() {
    let session = open(KERNELS[0], boot(KERNELS[0]));
    let printed = session.print(Stack::Unchosen, "asked", &Limits::default()).unwrap();
    assert_eq!(printed.value, Value::Int(65536));
    assert_eq!(
        &*printed.remarks[0],
        "2 static variables are called asked: uuid_seq.asked, uuid_is_ready.asked; \
         this is the first"
    );
    let why = print(&session, "uuid_last@kern_et.c").unwrap_err();
    assert!(why.contains("this kernel has no variable uuid_last@kern_et.c"), "{why}");
    assert_eq!(print(&session, "uuid_last.seq").unwrap().1, Value::Int(513));
    assert!(print(&session, "&uuid_last").unwrap_err().contains("& does not apply"));
    assert!(print(&session, "uuid_seq.nothing").is_err());
}

#[test]
fn vnet_debug_is_known_by_its_function() {
    for kernel in KERNELS {
        assert!(
            Recursions::read(open(kernel, boot(kernel)).target()).unwrap().is_some(),
            "{kernel}"
        );
    }
    assert!(
        Recursions::read(open("small-zlib-dwarf5", boot("small-zlib-dwarf5")).target())
            .unwrap()
            .is_none()
    );
}
