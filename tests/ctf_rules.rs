//! When a container's types may be believed: what FreeBSD's tools do to symbols, counts
//! and ids, made by hand.

#![cfg(feature = "image")]

#[path = "synth/ctf.rs"]
mod ctf;

use std::path::Path;

use ctf::{Container, with_section};
use vnetkvm::answers;
use vnetkvm::error::{Error, ExprError, VnetError};
use vnetkvm::image::{Format, Image, Scenario, build};
use vnetkvm::kernel::{Kernel, SymbolKind};
use vnetkvm::session::{Options, Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::types::model::Type;
use vnetkvm::types::{TypeError, Types};
use vnetkvm::value::Limits;
use vnetkvm::views::checks::Verdict;

const KERNEL: &str = "statics-ctf2-plain";

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("fixtures/kernel/ctf/{name}")).unwrap()
}

fn load(container: &Container) -> Result<(Kernel, Types), TypeError> {
    let bytes = with_section(&fixture(KERNEL), &container.section());
    let kernel = Kernel::open(Source::from_vec("kernel", bytes), None).unwrap();
    let types = Types::load(&kernel)?;
    Ok((kernel, types))
}

/// How many symbols of data have a type.
fn typed(kernel: &Kernel, types: &Types) -> usize {
    let objects = kernel.symbols().iter().filter(|symbol| symbol.kind == SymbolKind::Object);
    objects.filter(|symbol| types.variable_linked_at(symbol.address).is_some()).count()
}

/// The types of symbols in the fixture, in version 2.
fn ids(container: &Container) -> Vec<u32> {
    let objects = &container.body[container.part(ctf::OBJECTS)];
    objects.chunks(2).map(|id| u32::from(u16::from_le_bytes([id[0], id[1]]))).collect()
}

#[test]
fn with_other_counts_no_symbol_has_a_type() {
    let whole = Container::of(&fixture(KERNEL));
    let (kernel, types) = load(&whole).unwrap();
    assert!(typed(&kernel, &types) > 500);
    for one_more in [false, true] {
        let mut container = whole.clone();
        let end = container.part(ctf::OBJECTS).end;
        match one_more {
            true => drop(container.body.splice(end..end, [1, 0])),
            false => drop(container.body.drain(end - 2..end)),
        }
        for field in ctf::FUNCTIONS..=ctf::STRINGS {
            container.fields[field] = container.fields[field].wrapping_add(if one_more {
                2
            } else {
                2_u32.wrapping_neg()
            });
        }
        let (kernel, types) = load(&container).unwrap();
        assert_eq!(typed(&kernel, &types), 0, "{one_more}");
        // Types have their names still.
        assert_eq!(types.size_of(types.find("struct vnet").unwrap()), Ok(48));
    }
}

#[test]
fn version_2_counts_to_65535() {
    let count = ids(&Container::of(&fixture(KERNEL))).len();
    let make = |types_wanted: u32, of_symbols: u32| {
        let mut types = ctf::Types::new(2);
        types.int();
        while types.next() < types_wanted {
            types.to(ctf::POINTER, "", 1);
        }
        types.record("last", 4, &[("member", 1, 0)]);
        load(&types.container(&vec![of_symbols; count]))
    };
    // Bit 15 of an id does not mean another container where there is none.
    for last in [0x7fff, 0x8000, 0x8001, 0xffff] {
        let (kernel, types) = make(last, last).unwrap();
        let symbol = kernel.symbol("vnet_entry_ip_defttl").unwrap();
        let variable = types.variable_linked_at(symbol.address).unwrap();
        assert_eq!(types.name(variable.type_id), "struct last", "{last:#x}");
        assert_eq!(types.member(variable.type_id, "member").unwrap().offset, 0);
    }
    make(0x1_0000, 1).unwrap_err();
    make(0x1_0001, 1).unwrap_err();
}

/// A machine with if_gif.ko.
fn image_with_module() -> Image {
    let scenario = "memory = \"32M\"\n[[step]]\ndo = \"module\"\n\
                    file = \"fixtures/kernel/modules/amd64/if_gif.ko\"\n";
    let dwarf = Source::open("fixtures/kernel/classic-clang-dwarf4").unwrap();
    let dwarf = Kernel::open(dwarf, None).unwrap();
    build(&Scenario::parse(scenario).unwrap(), dwarf).unwrap()
}

/// A session with the kernel's CTF, and with the file of the module beside the kernel.
fn open(image: &Image, module: &[u8], directory: &Path) -> Session {
    let at = |name: &str| directory.join(name);
    std::fs::copy(Path::new("fixtures/kernel/ctf/classic-ctf2"), at("kernel")).unwrap();
    std::fs::write(at("if_gif.ko"), module).unwrap();
    let core = image.save(Format::MinidumpV2, directory).unwrap();
    let options = Options { kernel: Some(at("kernel")), core, ..Options::default() };
    Session::open(&options).unwrap()
}

/// Without source files, only `kernel` can tell the kernel's from a module's.
#[test]
fn a_variable_of_the_kernel_is_told_from_a_modules_by_its_module() {
    let directory = tempfile::tempdir().unwrap();
    let module = fixture("modules/amd64/if_gif.ko");
    let session = open(&image_with_module(), &module, directory.path());
    let vnet0 = session.select(&Selector::Index(0)).unwrap().stacks[0];
    let print = |text: &str| session.print(vnet0, text, &Limits::default());
    match print("ip6_gif_hlim").unwrap_err() {
        Error::Expr { source: ExprError::Vnet(VnetError::Ambiguous { files, .. }), .. } => {
            assert_eq!(files, ["kernel", "if_gif.ko"]);
        }
        other => panic!("{other}"),
    }
    let place = |file: &str| print(&format!("&ip6_gif_hlim@{file}")).unwrap().value;
    assert_ne!(place("kernel"), place("if_gif.ko"));
}

/// Only the source file tells that tcp_output works in a vnet, and CTF has no files.
#[test]
fn without_files_nobody_says_that_a_thread_needed_no_curvnet() {
    let scenario = Scenario::open(Path::new("fixtures/scenarios/jails.toml")).unwrap();
    let image = build(&scenario, scenario.open_kernel().unwrap()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let core = image.save(Format::MinidumpV2, directory.path()).unwrap();
    let verdict = |kernel: &str| {
        let kernel = Some(Path::new("fixtures/kernel").join(kernel));
        let options = Options { kernel, core: core.clone(), ..Options::default() };
        let session = Session::open(&options).unwrap();
        let wanted = ["thread-null-curvnet".to_owned()];
        let found = answers::checks(&session, &Selector::Default, &wanted).unwrap();
        let [one] = &found.findings.to_vec()[..] else { panic!("one finding") };
        (one.verdict, one.message.to_string())
    };
    let thread = "thread 100900 of process 900 (ping)";
    let why = "its curvnet is NULL in tcp_output of netinet/tcp_output.c, which works in a vnet";
    let known = verdict("classic-clang-dwarf4");
    assert_eq!(known, (Verdict::Fault, format!("{thread}: {why}")));
    let why = "nothing tells the source file of tcp_output";
    let whether = format!("whether {thread}, which has no curvnet, needed one: {why}");
    assert_eq!(verdict("ctf/classic-ctf2"), (Verdict::Unknown, whether));
}

/// The format has 32 bits of each enumerator.
#[test]
fn an_enum_of_eight_bytes_has_numbers_and_no_wrong_names() {
    let source = Source::open("fixtures/kernel/ctf/classic-ctf2").unwrap();
    let kernel = Kernel::open(source, None).unwrap();
    let types = Types::load(&kernel).unwrap();
    for (name, count) in
        [("enum feat_wide", 0), ("enum feat_wide_signed", 0), ("enum feat_color", 3)]
    {
        let Type::Enum(found) = &*types.get(types.find(name).unwrap()).unwrap() else { panic!() };
        assert_eq!(found.enumerators.len(), count, "{name}");
    }
}

/// ctfmerge leaves the ids in their order where it makes globals of a module local; those that
/// stay global then stand behind the others.
#[test]
fn a_module_that_exports_symbols_is_believed_up_to_the_first_wrong_size() {
    let image = image_with_module();
    let module = fixture("modules/amd64/if_gif.ko");
    let right = Container::of(&module);
    let mut moved = right.clone();
    let mut ids = ids(&right);
    // gif_defects, the one global symbol, stood seventh.
    let last = ids.pop().unwrap();
    ids.insert(6, last);
    let bytes: Vec<u8> = ids.iter().flat_map(|id| (*id as u16).to_le_bytes()).collect();
    let place = moved.part(ctf::OBJECTS);
    moved.body[place].copy_from_slice(&bytes);

    let types = |container: &Container| {
        let directory = tempfile::tempdir().unwrap();
        let module = with_section(&module, &container.section());
        let session = open(&image, &module, directory.path());
        let names = [
            "gif_cloner",
            "max_gif_nesting",
            "ip6_gif_hlim",
            "ipv6_hashtbl",
            "ip_gif_ttl",
            "gif_defects",
        ];
        names.map(|name| {
            let found = session.variables(&[name.to_owned()]).unwrap();
            let own = found.iter().find(|one| &*one.module == "if_gif.ko").unwrap();
            let types = session.matching_target().unwrap().types().unwrap();
            own.type_id.map(|id| types.name(id))
        })
    };
    let name = |name: &str| Some(name.to_owned());
    let before = [name("struct if_clone *"), name("int"), name("int")];
    let after = [name("struct gif_list *"), name("int"), name("u_int")];
    assert_eq!(types(&right), [&before[..], &after].concat()[..]);
    assert_eq!(types(&moved), [&before[..], &[None, None, None]].concat()[..]);
}
