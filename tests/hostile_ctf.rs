//! Damaged CTF is an error, or less is known: never a panic, a hang or a huge allocation.

mod counting;
#[path = "synth/ctf.rs"]
mod ctf;

use std::sync::Mutex;

use counting::counted;
use ctf::{Container, FIELDS, with_section};
use vnetkvm::kernel::{Kernel, SymbolKind};
use vnetkvm::source::Source;
use vnetkvm::types::model::Type;
use vnetkvm::types::{TypeError, TypeId, Types};

/// Version 2 as it is, and version 3 compressed.
const KERNELS: [&str; 2] = ["statics-ctf2-plain", "stable14-ctf3"];

/// What one test allocates another must not count.
static COUNTING: Mutex<()> = Mutex::new(());

/// The most that looking at a kernel of half a megabyte may hold.
const MOST: usize = 16 << 20;

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("fixtures/kernel/ctf/{name}")).unwrap()
}

/// Opens a kernel with another container and asks for everything.
fn ask(elf: &[u8], section: &[u8]) -> Result<Asked, TypeError> {
    let _alone = COUNTING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let (asked, _, peak) = counted(|| ask_everything(with_section(elf, section)));
    assert!(peak < MOST, "{peak} bytes");
    asked
}

/// What could be told.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    variables: usize,
    structs: usize,
    declared: usize,
}

fn ask_everything(bytes: Vec<u8>) -> Result<Asked, TypeError> {
    let kernel = Kernel::open(Source::from_vec("kernel", bytes), None).unwrap();
    let types = Types::load(&kernel)?;
    let objects = kernel.symbols().iter().filter(|symbol| symbol.kind == SymbolKind::Object);
    let variables = objects.filter_map(|symbol| types.variable_linked_at(symbol.address));
    let variables = variables.inspect(|found| look_at(&types, found.type_id, 4)).count();
    if let Some(set) = kernel.set_vnet() {
        types.variables_linked_in(&set);
    }
    for name in ["vnet_head", "asked", "nonsense"] {
        let _ = (types.statics(name), types.has_variable(name));
    }
    let structs = types.structs_where(|_| true);
    let declared = structs.iter().filter(|id| types.declaration(**id).is_ok()).count();
    for name in ["struct vnet", "struct elf_file", "u_int", "int", "struct nonsense", "enum e", ""]
    {
        if let Ok(definitions) = types.definitions(name) {
            definitions.iter().for_each(|one| look_at(&types, one.type_id, 8));
        }
    }
    Ok(Asked { variables, structs: structs.len(), declared })
}

fn look_at(types: &Types, id: TypeId, depth: usize) {
    let _ = (types.size_of(id), types.name(id).len(), types.member(id, "x").is_ok());
    let _ = (types.is_signed(id), types.elements(id).is_ok(), types.declaration(id).is_ok());
    let Some(depth) = depth.checked_sub(1) else { return };
    let Ok((_, found)) = types.resolve(id) else { return };
    match &*found {
        Type::Record(record) => {
            record.members.iter().take(20).for_each(|m| look_at(types, m.type_id, depth));
        }
        Type::Pointer(pointer) => look_at(types, pointer.target, depth.min(2)),
        Type::Array(array) => look_at(types, array.element, depth),
        Type::Function(function) => look_at(types, function.returns, depth),
        _ => {}
    }
}

#[test]
fn every_field_of_the_header_may_be_wrong() {
    let damages: [fn(u32) -> u32; 6] = [
        |_| 0,
        |_| u32::MAX,
        |value| value.wrapping_add(1),
        |value| value.wrapping_sub(1),
        |value| value.wrapping_add(0x1000),
        |value| value.wrapping_sub(0x1000),
    ];
    for name in KERNELS {
        let elf = fixture(name);
        let whole = Container::of(&elf);
        let right = ask(&elf, &whole.section()).unwrap();
        assert!(right.declared > 200 && right.variables > 500, "{right:?}");
        for field in 0..FIELDS.len() {
            for damage in damages {
                let mut container = whole.clone();
                container.fields[field] = damage(whole.fields[field]);
                let _ = ask(&elf, &container.section());
            }
        }
        for (magic, version, flags) in [
            (0, 2, 0),
            (0xf1cf, 2, 0),
            (0xdff2, 3, 0),
            (0xcff1, 0, 0),
            (0xcff1, 1, 0),
            (0xcff1, 4, 0),
            (0xcff1, 255, 1),
        ] {
            let refused = Container { magic, version, flags, ..whole.clone() };
            ask(&elf, &refused.section()).unwrap_err();
        }
        // The other version, the other flag, and a flag that nobody knows.
        for (version, flags) in [(5 - whole.version, whole.flags), (whole.version, 2)] {
            let _ = ask(&elf, &Container { version, flags, ..whole.clone() }.section());
        }
        let mut other = whole.section();
        other[3] ^= 1;
        ask(&elf, &other).unwrap_err();
    }
}

#[test]
fn a_section_may_end_anywhere() {
    for name in KERNELS {
        let elf = fixture(name);
        let whole = Container::of(&elf);
        let section = whole.section();
        let steps = (0..36).step_by(3).chain((36..section.len()).step_by(section.len() / 24));
        let parts = whole.fields[2..7].iter().map(|field| 36 + *field as usize);
        for length in steps.chain(parts).filter(|length| *length < section.len()) {
            ask(&elf, &section[..length]).unwrap_err();
        }
        // And the parts themselves, within a section that is whole.
        for part in [ctf::OBJECTS, ctf::FUNCTIONS, ctf::TYPES, ctf::STRINGS] {
            let range = whole.part(part);
            for cut in [1, 2, 4, range.len() / 2, range.len() - 1] {
                let mut container = whole.clone();
                container.body.drain(range.end - cut..range.end);
                let later = &mut container.fields[part + 1..ctf::STRINGS_LENGTH];
                later.iter_mut().for_each(|field| *field -= cut as u32);
                if part == ctf::STRINGS {
                    container.fields[ctf::STRINGS_LENGTH] -= cut as u32;
                }
                let _ = ask(&elf, &container.section());
            }
        }
    }
}

#[test]
fn any_byte_may_be_another() {
    for name in KERNELS {
        let elf = fixture(name);
        let whole = Container::of(&elf);
        for round in 0..12_u64 {
            let mut random = Random(round * 7919 + 1);
            let mut container = whole.clone();
            for _ in 0..1 << (round % 12) {
                let at = random.below(container.body.len());
                container.body[at] = [0, 0xff, 0x80, random.next() as u8][random.below(4)];
            }
            let _ = ask(&elf, &container.section());
            // The packed bytes too.
            let mut section = whole.section();
            let at = random.below(section.len());
            section[at] ^= 1 << random.below(8);
            let _ = ask(&elf, &section);
        }
    }
}

/// A few bytes that inflate to a thousand times as many, whatever the header says of them.
#[test]
fn a_bomb_does_not_go_off() {
    let elf = fixture(KERNELS[1]);
    let whole = Container::of(&elf);
    let zeros = ctf::deflated_zeros(64 << 20);
    for length in [whole.fields[ctf::STRINGS_LENGTH], 1 << 30, u32::MAX] {
        let mut container = whole.clone();
        container.fields[ctf::STRINGS_LENGTH] = length;
        let mut section = container.header();
        section.extend(&zeros);
        ask(&elf, &section).unwrap_err();
        // The header alone promises as much.
        let mut section = container.header();
        section.extend(ctf::deflated(&container.body));
        let _ = ask(&elf, &section);
    }
}

/// Types that lead to themselves, and to very many others. `make` returns the type of every
/// variable.
fn made(version: u8, make: impl FnOnce(&mut ctf::Types) -> u32) -> Result<Asked, TypeError> {
    let elf = fixture(KERNELS[0]);
    let objects = Container::of(&elf).part(ctf::OBJECTS).len() / 2;
    let mut types = ctf::Types::new(version);
    let id = make(&mut types);
    ask(&elf, &types.container(&vec![id; objects]).section())
}

#[test]
fn types_may_lead_to_themselves() {
    for version in [2, 3] {
        for kind in [ctf::POINTER, ctf::TYPEDEF, ctf::CONST, ctf::FUNCTION] {
            made(version, |types| types.to(kind, "loop_t", types.next())).unwrap();
            made(version, |types| {
                let first = types.to(kind, "one_t", types.next() + 1);
                types.to(kind, "two_t", first)
            })
            .unwrap();
        }
        made(version, |types| types.array(8, types.next(), types.next(), 2)).unwrap();
        made(version, |types| types.record("self", 8, &[("x", types.next(), 0)])).unwrap();
        made(version, |types| types.record("", 8, &[("", types.next(), 0)])).unwrap();
        made(version, |types| {
            let next = types.next();
            types.record("one", 8, &[("two", next + 1, 0), ("", next + 2, 0)]);
            types.record("two", 8, &[("one", next, 0), ("", next + 2, 0)]);
            types.record("", 8, &[("", next + 1, 0), ("rows", next + 3, 0)]);
            types.array(8, next, next, 1)
        })
        .unwrap();
    }
}

#[test]
fn types_may_lead_to_very_many() {
    for version in [2, 3] {
        // Each has two of the one before.
        for name in ["", "twice"] {
            made(version, |types| {
                let mut inner = types.int();
                for _ in 0..60 {
                    inner = types.record(name, 8, &[(name, inner, 0), ("b", inner, 32)]);
                }
                inner
            })
            .unwrap();
        }
        let chain = |kind: u32, name: &'static str| {
            made(version, |types| {
                let mut inner = types.int();
                for _ in 0..50_000 {
                    inner = types.to(kind, name, inner);
                }
                inner
            })
            .unwrap();
        };
        chain(ctf::TYPEDEF, "a_t");
        chain(ctf::CONST, "");
        chain(ctf::POINTER, "");
        chain(ctf::FUNCTION, "");
        made(version, |types| {
            let int = types.int();
            let mut inner = int;
            for _ in 0..50_000 {
                inner = types.array(8, inner, int, 2);
            }
            inner
        })
        .unwrap();
        made(version, |types| {
            let mut inner = types.int();
            for _ in 0..20_000 {
                inner = types.record("", 8, &[("", inner, 0)]);
            }
            inner
        })
        .unwrap();
    }
}

#[test]
fn lengths_may_promise_what_is_not_there() {
    for (version, most) in [(2, 0x3ff), (3, 0xff_ffff)] {
        for kind in [ctf::STRUCT, 7, ctf::ENUM, ctf::FUNCTION] {
            let _ = made(version, |types| types.begin("much", kind, most, 4));
        }
        for (size, bits) in [(0, 64), (8, 0), (4, 65_535), (3, 24), (1, 9), (16, 200)] {
            made(version, |types| types.integer("odd", size, bits)).unwrap();
            made(version, |types| {
                let odd = types.integer("odd", size, bits);
                types.record("vnet", 16, &[("a", odd, 3), ("b", odd, 0xffff), ("x", odd, 127)])
            })
            .unwrap();
        }
        for size in [0, 3, 16, 0xfffe] {
            made(version, |types| types.begin("e", ctf::ENUM, 0, size)).unwrap();
        }
        for count in [0x7fff_ffff, u32::MAX] {
            made(version, |types| {
                let int = types.int();
                let rows = types.array(0xfff0, int, int, count);
                let rows = types.array(0xfff0, rows, int, count);
                types.array(0xfff0, rows, int, count)
            })
            .unwrap();
        }
        // The size of 64 bits, and the kinds that nobody has given out.
        made(version, |types| {
            let large = if version == 2 { 0xffff } else { u32::MAX };
            let id = types.begin("vnet", ctf::STRUCT, 0, large);
            types.long(u32::MAX).long(u32::MAX);
            id
        })
        .unwrap();
        for kind in (14..32).chain([63].into_iter().filter(|_| version == 3)) {
            let _ = made(version, |types| types.begin("what", kind, 1, 4));
        }
    }
}

#[test]
fn ids_may_be_of_nothing() {
    for version in [2, 3] {
        let hole = |types: &mut ctf::Types| types.begin("", 0, 0, 0);
        for beyond in [0, 3, 9, 0x7fff, 0x8001, 0xffff, 0x7fff_ffff, 0x8000_0001, u32::MAX] {
            for kind in [ctf::POINTER, ctf::TYPEDEF, ctf::CONST, ctf::FUNCTION] {
                made(version, |types| {
                    hole(types);
                    types.to(kind, "far_t", beyond)
                })
                .unwrap();
            }
            made(version, |types| types.record("vnet", 8, &[("x", beyond, 0)])).unwrap();
            made(version, |types| types.array(8, beyond, beyond, 2)).unwrap();
            made(version, |types| {
                let function = types.begin("", ctf::FUNCTION, 2, beyond);
                types.word(beyond).word(beyond);
                types.to(ctf::POINTER, "", function)
            })
            .unwrap();
            made(version, |types| {
                hole(types);
                beyond
            })
            .unwrap();
        }
        made(version, |types| types.to(ctf::FORWARD, "vnet", 9)).unwrap();
    }
}

#[test]
fn names_may_lie_outside() {
    for name in KERNELS {
        let elf = fixture(name);
        let whole = Container::of(&elf);
        // No string ends any more; then, each begins beyond the end or in another table.
        let mut endless = whole.clone();
        let strings = endless.part(ctf::STRINGS);
        endless.body[strings].fill(b'a');
        let _ = ask(&elf, &endless.section());
        let end = whole.fields[ctf::STRINGS_LENGTH];
        for offset in [end, end - 1, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
            let mut lost = whole.clone();
            for at in lost.part(ctf::TYPES).step_by(8).take(200) {
                lost.body[at..at + 4].copy_from_slice(&offset.to_le_bytes());
            }
            let _ = ask(&elf, &lost.section());
            let mut first = whole.clone();
            let at = first.part(ctf::TYPES).start;
            first.body[at..at + 4].copy_from_slice(&offset.to_le_bytes());
            let _ = ask(&elf, &first.section());
        }
    }
}

/// A small generator, so that a failure is found again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}
