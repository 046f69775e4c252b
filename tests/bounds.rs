//! What a file costs to look at is in proportion to what it holds, whatever types refer to
//! each other in it. Work and bytes are counted, never seconds.

#![cfg(feature = "cli")]

mod counting;
#[path = "synth/types.rs"]
mod types;

use std::process::{Command, Output};
use std::sync::Mutex;

use counting::counted;
use types::{DebugInfo, Entry, ROOT, dump, leb128, numbered};
use vnetkvm::render::c;
use vnetkvm::render::json::write_document;
use vnetkvm::session::Session;
use vnetkvm::source::Source;
use vnetkvm::value::model::ErrorKind;
use vnetkvm::value::{Limits, Value};
use vnetkvm::vnet::Stack;

/// What one test allocates another must not count.
static COUNTING: Mutex<()> = Mutex::new(());

/// A kernel whose variable `x` is of a type that `shape` makes.
fn kernel(shape: impl FnOnce(&mut DebugInfo) -> Entry) -> Vec<u8> {
    let mut info = DebugInfo::new();
    let x = shape(&mut info);
    info.kernel(x)
}

fn session(kernel: &[u8]) -> Session {
    let kernel = Source::from_vec("kernel", kernel.to_vec());
    Session::from_sources(kernel, Source::from_vec("vmcore", dump(1 << 20))).unwrap()
}

/// A function type with so many parameters, each a pointer to that very type.
fn function_of_itself(info: &mut DebugInfo, parameters: usize) -> Entry {
    let (int, function, pointer) = (info.int(), info.promise(), info.promise());
    info.function(function, int, &vec![pointer; parameters]);
    info.derived(pointer, "pointer", function);
    pointer
}

/// A record with so many members of its own type, named or not.
fn record_of_itself(info: &mut DebugInfo, tag: &str, members: usize, named: bool) -> Entry {
    let record = info.promise();
    let names: Vec<Option<u32>> =
        (0..members).map(|at| named.then(|| info.string(&numbered("m", at)))).collect();
    info.record(record, tag, "s", 8);
    names.into_iter().for_each(|name| info.member(name, record, 0));
    info.end();
    record
}

/// Records each of which has two members of the next; the last has a number.
fn doubling(info: &mut DebugInfo, tag: &str, levels: usize, named: bool) -> Entry {
    let mut inner = info.int();
    let names = ["a", "b"].map(|name| info.string(name));
    for level in 0..levels {
        let outer = info.promise();
        info.record(outer, tag, &numbered("level", level), 8);
        for name in names {
            info.member(named.then_some(name), inner, 0);
        }
        info.end();
        inner = outer;
    }
    inner
}

/// Function types each of which has two parameters of the next.
fn doubling_functions(info: &mut DebugInfo) -> Entry {
    let (int, mut inner) = (info.int(), info.int());
    for _ in 0..24 {
        let (function, pointer) = (info.promise(), info.promise());
        info.function(function, int, &[inner, inner]);
        info.derived(pointer, "pointer", function);
        inner = pointer;
    }
    inner
}

/// Two entries of a tag that are each other's target.
fn cycle(info: &mut DebugInfo, tag: &str) -> Entry {
    let (one, other) = (info.promise(), info.promise());
    for (entry, target) in [(one, other), (other, one)] {
        match tag {
            "typedef" => info.typedef(entry, "t", target),
            "array" => info.array(entry, target, &[1]),
            tag => info.derived(entry, tag, target),
        }
    }
    one
}

fn array_of_arrays(info: &mut DebugInfo, levels: usize) -> Entry {
    let mut inner = info.int();
    for _ in 0..levels {
        let outer = info.promise();
        info.array(outer, inner, &[1]);
        inner = outer;
    }
    inner
}

fn array(info: &mut DebugInfo, counts: &[u64]) -> Entry {
    let (byte, array) = (info.base("unsigned char", 1, 8), info.promise());
    info.array(array, byte, counts);
    array
}

/// A struct whose bit-fields are of its own type, the size of which says where they lie.
fn bits_of_itself(info: &mut DebugInfo) -> Entry {
    let (record, name) = (info.promise(), info.string("m"));
    info.record(record, "struct", "s", 8);
    (0..8).for_each(|_| info.bits(name, record));
    info.end();
    record
}

fn many_members(info: &mut DebugInfo, count: usize) -> Entry {
    let (int, record) = (info.int(), info.promise());
    let names: Vec<u32> = (0..count).map(|at| info.string(&numbered("m", at))).collect();
    info.record(record, "struct", "s", 4);
    names.into_iter().for_each(|name| info.member(Some(name), int, 0));
    info.end();
    record
}

fn many_enumerators(info: &mut DebugInfo, count: usize) -> Entry {
    let (enumeration, array) = (info.promise(), info.promise());
    let name = info.string("E");
    info.enumeration(enumeration, "e", 1);
    (0..count).for_each(|value| info.enumerator(name, value as u64));
    info.end();
    info.array(array, enumeration, &[100_000]);
    array
}

/// Thousands of members that share a name of a megabyte.
fn long_names(info: &mut DebugInfo) -> Entry {
    let (int, record) = (info.int(), info.promise());
    let name = info.string(&"n".repeat(1 << 20));
    info.record(record, "struct", "s", 4);
    (0..5_000).for_each(|_| info.member(Some(name), int, 0));
    info.end();
    record
}

/// A member of a size that no memory has.
fn huge_member(info: &mut DebugInfo) -> Entry {
    let huge = array(info, &[1 << 62, 4]);
    let (record, name) = (info.promise(), info.string("m"));
    info.record(record, "struct", "s", 8);
    info.member(Some(name), huge, 0);
    info.end();
    record
}

type Shape = fn(&mut DebugInfo) -> Entry;

const SHAPES: [(&str, Shape); 21] = [
    ("function of itself", |info| function_of_itself(info, 3)),
    ("function of itself, wide", |info| function_of_itself(info, 1000)),
    ("functions that double", doubling_functions),
    ("struct of itself twice", |info| record_of_itself(info, "struct", 2, true)),
    ("struct of itself thrice", |info| record_of_itself(info, "struct", 3, true)),
    ("struct of itself once", |info| record_of_itself(info, "struct", 1, true)),
    ("union of itself", |info| record_of_itself(info, "union", 5, true)),
    ("anonymous members of itself", |info| record_of_itself(info, "struct", 2, false)),
    ("unnamed struct of itself", |info| record_of_itself(info, "unnamed", 3, true)),
    ("structs that double", |info| doubling(info, "struct", 40, true)),
    ("unnamed structs that double", |info| doubling(info, "unnamed", 14, true)),
    ("anonymous members that double", |info| doubling(info, "unnamed", 40, false)),
    ("typedef of itself", |info| cycle(info, "typedef")),
    ("const of itself", |info| cycle(info, "const")),
    ("pointer to itself", |info| cycle(info, "pointer")),
    ("array of itself", |info| cycle(info, "array")),
    ("array of dimensions", |info| array(info, &[1; 30_000])),
    ("array of arrays", |info| array_of_arrays(info, 30_000)),
    ("bit-fields of its own type", bits_of_itself),
    ("members without end", |info| many_members(info, 30_000)),
    ("a huge member", huge_member),
];

/// Asks everything that can be asked of `x` in the library.
fn ask(session: &Session) -> Value {
    let types = session.types().unwrap();
    let variables = session.variables(&["x".into()]).unwrap();
    if let Some(id) = variables[0].type_id {
        let _ = (types.size_of(id), types.name(id).len(), types.can_be_written(id));
        let _ = (types.member(id, "nothing"), types.has_member(id, "nothing"));
        let _ = (types.declaration(id), types.declare(id, "x"));
        let _ = (types.is_of_kernel(id), types.is_signed(id), types.pointee(id));
    }
    let _ = session.counter_variables(&["x".into()], &[]);
    let limits = Limits { elements: usize::MAX, depth: usize::MAX, ..Limits::default() };
    let value = session.print(Stack::Unchosen, "x", &limits).unwrap().value;
    let _ = (
        session.print(Stack::Unchosen, "x.nothing", &limits),
        session.print(Stack::Unchosen, "x.m", &limits),
    );
    let _ = c::line_within(&value, 200);
    let mut json = Vec::new();
    write_document(&mut json, &value).unwrap();
    assert!(json.len() < 64 << 20, "{} bytes", json.len());
    value
}

#[test]
fn types_within_themselves_cost_what_the_file_is_worth() {
    let _alone = COUNTING.lock();
    for (name, shape) in SHAPES {
        let kernel = kernel(shape);
        let (session, ..) = counted(|| session(&kernel));
        let (_, total, _) = counted(|| ask(&session));
        let most = (24 << 20) + 200 * kernel.len();
        assert!(total < most, "{name}: {total} bytes allocated of {most}");
        let work = session.budget().work_done();
        let most = 400_000 + 20 * kernel.len() as u64;
        assert!(work < most, "{name}: {work} steps of {most}");
    }
}

/// As hexadecimal numbers, the elements of an array are values one by one, also those that cannot be
/// read.
#[test]
fn numbers_that_are_written_in_another_form_end_with_the_budget() {
    let _alone = COUNTING.lock();
    for letters in ["/x", "/c"] {
        let kernel = kernel(|info| array(info, &[8 << 20]));
        let session = session(&kernel);
        let reader = session.reader(&Limits::unlimited()).for_people(letters.parse().unwrap());
        let (value, total, _) = counted(|| {
            session.read(&session.evaluate(Stack::Unchosen.into(), "x").unwrap(), &reader).value
        });
        let allowance = session.budget().allowance().bytes;
        assert!(total < 3 * allowance as usize, "{letters}: {total} bytes of {allowance}");
        let Value::Array(elements) = value.shown() else { panic!("{letters}: {value:?}") };
        let last = elements.elements.get(elements.elements.len() - 1).unwrap();
        assert_eq!(last.error().map(|why| why.kind), Some(ErrorKind::Limit), "{letters}");
    }
}

/// What is more than the whole budget allows ends with it.
#[test]
fn long_names_and_many_enumerators_end_with_the_budget() {
    let _alone = COUNTING.lock();
    for (name, shape) in [
        ("names of a megabyte", long_names as Shape),
        ("enumerators without end", |info| many_enumerators(info, 20_000)),
    ] {
        let kernel = kernel(shape);
        let session = session(&kernel);
        let (_, total, _) = counted(|| ask(&session));
        assert!(total < 700 << 20, "{name}: {total} bytes allocated");
        let allowed = session.budget().allowance();
        assert!(session.budget().work_done() <= allowed.work, "{name}");
        assert!(session.budget().bytes_taken() <= allowed.bytes, "{name}");
    }
}

/// A buffer of millions of bytes of which some are not in the dump is not millions of values.
#[test]
fn a_large_array_is_kept_as_its_bytes() {
    const LEN: usize = 4 << 20;
    let _alone = COUNTING.lock();
    let session = session(&kernel(|info| array(info, &[LEN as u64])));
    let limits = Limits::unlimited();
    let (value, _, peak) = counted(|| session.print(Stack::Unchosen, "x", &limits).unwrap().value);
    assert!(peak < 3 * LEN, "{peak} bytes at one time");
    let Value::Array(array) = &value else { panic!("{value:?}") };
    assert_eq!((array.elements.len(), array.omitted), (LEN, 0));
    assert_eq!(array.elements.get(257).as_deref(), Some(&Value::Int(1)));
    let missing = array.elements.get(2 << 20);
    assert!(matches!(missing.as_deref(), Some(Value::Error(_))), "{missing:?}");
    let (_, _, peak) = counted(|| write_document(std::io::sink(), &value).unwrap());
    assert!(peak < 1 << 20, "{peak} bytes at one time");
}

/// A table of abbreviations that thousands of units share is read once, and one with more
/// attributes than anything has is refused.
#[test]
fn a_table_is_read_once_for_all_units() {
    let _alone = COUNTING.lock();
    let mut table = Vec::new();
    for code in 2..20_000 {
        leb128(&mut table, code);
        table.extend([0x24, 0, 0, 0]);
    }
    table.extend([ROOT, 0x11, 0, 0, 0, 0]);
    let mut attributes = vec![ROOT, 0x11, 0];
    (0..20_000).for_each(|_| attributes.extend([0x03, 0x21, 0]));
    attributes.extend([0, 0, 0]);
    for table in [table, attributes] {
        let mut info = DebugInfo::new();
        let int = info.int();
        let kernel = info.kernel_beside(int, 5_000, &table);
        let session = session(&kernel);
        let types = session.types().unwrap();
        assert_eq!(types.unit_count(), 5_001);
        let (found, total, _) = counted(|| types.find("struct nothing"));
        assert!(found.is_err());
        assert!(total < 96 << 20, "{total} bytes allocated");
        assert!(types.find("int").is_ok(), "what is whole is found all the same");
    }
}

fn run(kernel: &[u8], args: &[&str]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let (kernel_path, core_path) = (dir.path().join("kernel"), dir.path().join("vmcore"));
    std::fs::write(&kernel_path, kernel).unwrap();
    std::fs::write(&core_path, dump(1 << 20)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_vnetkvm"));
    command.env_clear().arg("-N").arg(kernel_path).arg("-M").arg(core_path).args(args);
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn every_command_ends_on_every_shape() {
    let _alone = COUNTING.lock();
    let commands: [&[&str]; 8] = [
        &["print", "x"],
        &["print", "x.nothing", "--json"],
        &["type", "struct s"],
        &["type", "t"],
        &["vars", "x"],
        &["vars", "--json"],
        &["counters"],
        &["gdb"],
    ];
    for (name, shape) in SHAPES {
        let kernel = kernel(shape);
        for args in commands {
            let Output { status, stdout, stderr } = run(&kernel, args);
            assert!(matches!(status.code(), Some(0..=2)), "{name}: {args:?}: {status}");
            assert!(stdout.len() < 32 << 20 && stderr.len() < 64 << 10, "{name}: {args:?}");
            let failed = status.code() != Some(0);
            assert!(!failed || !stderr.is_empty(), "{name}: {args:?}: not a word");
        }
    }
}

#[test]
fn what_is_cut_says_by_which_limit() {
    let _alone = COUNTING.lock();
    let array = kernel(|info| array(info, &[1; 30_000]));
    let printed = run(&array, &["print", "--json", "x"]);
    let reason = r#"{"error":{"kind":"limit","address":null,"message":"the array has more than 64 levels, the limit"}}"#;
    assert!(text(&printed.stdout).contains(reason), "{}", text(&printed.stdout));

    let function = kernel(|info| function_of_itself(info, 3));
    let printed = run(&function, &["print", "x"]);
    assert!(text(&printed.stdout).starts_with("x = (int (*)(…, …, …)) 0x"));

    let twice = kernel(|info| record_of_itself(info, "struct", 2, true));
    let printed = run(&twice, &["print", "--json", "x"]);
    let reason = "the value has more than 4608 parts, the limit";
    let told = text(&printed.stdout).matches(reason).count();
    assert!((1..=20).contains(&told), "told {told} times");

    let member = run(&twice, &["print", "x.nothing"]);
    assert_eq!(member.status.code(), Some(2));
    assert!(text(&member.stderr).contains("struct s has no member nothing"));
}

#[test]
fn an_option_allows_more_or_less() {
    let _alone = COUNTING.lock();
    let members = kernel(|info| many_members(info, 20_000));
    let whole = run(&members, &["type", "struct s"]);
    assert_eq!(whole.status.code(), Some(0), "{}", text(&whole.stderr));
    for (option, hint) in [
        ("--max-work=1000", "hint: raise the limit with --max-work STEPS"),
        ("--max-memory=0x10000", "hint: raise the limit with --max-memory BYTES"),
    ] {
        let cut = run(&members, &[option, "type", "struct s"]);
        let said = text(&cut.stderr);
        assert_eq!((cut.status.code(), text(&cut.stdout)), (Some(2), ""), "{option}: {said}");
        assert!(said.contains(" limit") && said.contains(hint), "{option}: {said}");
    }
}

/// Nothing is written of an answer that `--strict` refuses, however long it is.
#[test]
fn strict_writes_nothing_of_what_is_not_whole() {
    let _alone = COUNTING.lock();
    let array = kernel(|info| array(info, &[2 << 20]));
    let long = run(&array, &["--strict", "print", "--json", "x"]);
    assert_eq!((long.status.code(), text(&long.stdout)), (Some(2), ""));
    assert!(text(&long.stderr).contains("could not be read"), "{}", text(&long.stderr));
    let short = run(&array, &["--strict", "--max-elements", "2", "print", "--json", "x[1500000]"]);
    assert_eq!((short.status.code(), text(&short.stdout)), (Some(2), ""));
}
