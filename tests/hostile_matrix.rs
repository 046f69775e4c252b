//! Every field of every header of every format set to what it cannot be, and every
//! file cut at every boundary: an error that names what is wrong, or an answer that
//! is right and, where it is less than it was, a warning. Never a panic, and never
//! more memory than the file is worth.

mod synth;

use std::panic::{AssertUnwindSafe, catch_unwind};

use synth::specimen::{Field, Specimen, Truth};
use vnetkvm::addr::{PhysAddr, VirtAddr};
use vnetkvm::dump::{self, Core, Hints};
use vnetkvm::memory::KernelMemory;
use vnetkvm::paging;
use vnetkvm::source::Source;

/// A name, and what it does to a field.
type Damage = (&'static str, fn(u64) -> u64);

const DAMAGES: [Damage; 4] = [
    ("zero", |_| 0),
    ("all ones", |_| u64::MAX),
    ("a page up", |value| value.wrapping_add(4096)),
    ("a page down", |value| value.wrapping_sub(4096)),
];

fn damaged(specimen: &Specimen, field: &Field, damage: fn(u64) -> u64) -> Vec<u8> {
    let mut bytes = specimen.bytes.clone();
    let place = &mut bytes[field.at..field.at + field.size];
    let mut value = [0; 8];
    if field.big_endian {
        value[8 - field.size..].copy_from_slice(place);
        let value = damage(u64::from_be_bytes(value)).to_be_bytes();
        place.copy_from_slice(&value[8 - field.size..]);
    } else {
        value[..field.size].copy_from_slice(place);
        let value = damage(u64::from_le_bytes(value)).to_le_bytes();
        place.copy_from_slice(&value[..field.size]);
    }
    (specimen.seal)(&mut bytes, field.at);
    bytes
}

/// What came of a file.
struct Outcome {
    /// How many of the words could be read, and how many there are.
    read: usize,
    words: usize,
    /// A word that was read wrong.
    garbage: Option<String>,
    warned: bool,
}

fn open(bytes: Vec<u8>, truth: &Truth) -> Result<Outcome, String> {
    let core =
        dump::open(Source::from_vec("vmcore.0", bytes)).map_err(|error| error.to_string())?;
    let warned = !core.warnings.is_empty();
    let words: Vec<_> = match truth {
        Truth::Kernel(words) => {
            let Some(memory) = memory(core) else {
                return Ok(Outcome { read: 0, words: words.len(), garbage: None, warned });
            };
            let read = |at: u64| memory.u64(VirtAddr::new(at)).ok();
            words.iter().map(|(at, word)| (*at, *word, read(*at))).collect()
        }
        Truth::Physical(words) => {
            let read = |at: u64| {
                let mut word = [0; 8];
                core.memory().read(PhysAddr::new(at), &mut word).ok()?;
                Some(u64::from_le_bytes(word))
            };
            words.iter().map(|(at, word)| (*at, *word, read(*at))).collect()
        }
    };
    let garbage = words.iter().find_map(|(at, word, read)| {
        let read = read.filter(|read| read != word)?;
        Some(format!("{read:#x} at {at:#x}, not {word:#x}"))
    });
    let read = words.iter().filter(|(.., read)| read.is_some()).count();
    Ok(Outcome { read, words: words.len(), garbage, warned })
}

/// Kernel memory, where the dump has its own translation.
fn memory(core: Core) -> Option<KernelMemory> {
    let translation = match core.hints.clone() {
        Hints::PageMap(map) => paging::page_map(map),
        Hints::Virtual => paging::identity(),
        Hints::Physical => return None,
    };
    Some(KernelMemory::from_core(core, translation))
}

fn judge_damage(specimen: &Specimen, field: &Field, damage: fn(u64) -> u64) -> Option<String> {
    match open(damaged(specimen, field, damage), &specimen.truth) {
        Ok(_) if field.blind => None,
        Ok(Outcome { garbage: Some(garbage), .. }) => Some(format!("garbage: {garbage}")),
        Ok(outcome) => {
            let less = outcome.read < outcome.words && !outcome.warned;
            less.then(|| format!("silently {} of {} words", outcome.read, outcome.words))
        }
        Err(message) if message.len() > 400 => Some(format!("a long message: {message}")),
        Err(message) => {
            let named = message.contains(&field.name);
            (!named).then(|| format!("not named: {message}"))
        }
    }
}

fn judge_cut(specimen: &Specimen, end: usize) -> Option<String> {
    const SAID: [&str; 5] =
        ["the file ends", "an empty file", "unknown format", "cut off", "stream is damaged"];
    match open(specimen.bytes[..end].to_vec(), &specimen.truth) {
        Ok(Outcome { garbage: Some(garbage), .. }) => Some(format!("garbage: {garbage}")),
        Ok(outcome) => {
            let less = outcome.read < outcome.words && !outcome.warned;
            less.then(|| format!("silently {} of {} words", outcome.read, outcome.words))
        }
        Err(message) if SAID.iter().any(|said| message.contains(said)) => None,
        Err(message) => Some(message),
    }
}

fn no_panic(what: &str, judge: impl FnOnce() -> Option<String>) -> Option<String> {
    let judged = catch_unwind(AssertUnwindSafe(judge));
    let verdict = judged.unwrap_or_else(|_| Some("a panic".to_owned()))?;
    Some(format!("{what}: {verdict}"))
}

/// The most address space this process ever had, in bytes.
fn largest_space() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) << 10
}

#[test]
fn no_field_and_no_end_of_a_file_leads_to_garbage() {
    // glibc reserves 64 MB of addresses for each thread that allocates.
    const WORTH: u64 = 512 << 20;
    let before = largest_space();
    let (mut wrong, mut judged) = (Vec::new(), 0);
    for specimen in Specimen::all() {
        let whole = open(specimen.bytes.clone(), &specimen.truth).unwrap();
        assert_eq!(whole.garbage, None, "{}", specimen.name);
        assert_eq!((whole.read, whole.warned), (whole.words, false), "{}", specimen.name);
        for field in &specimen.fields {
            for (name, damage) in DAMAGES {
                let what = format!("{}, {} at {:#x}, {name}", specimen.name, field.name, field.at);
                wrong.extend(no_panic(&what, || judge_damage(&specimen, field, damage)));
                judged += 1;
            }
        }
        let end = specimen.bytes.len();
        for (part, at) in &specimen.boundaries {
            for cut in [at.saturating_sub(1), *at, at + 1, at + 100, at + 4096] {
                let what = format!("{}, cut at {cut:#x}, {part}", specimen.name);
                if cut < end {
                    wrong.extend(no_panic(&what, || judge_cut(&specimen, cut)));
                    judged += 1;
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {judged}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(judged > 3000, "only {judged}");
    let taken = largest_space() - before;
    assert!(taken < WORTH, "{taken} bytes of address space for files of a megabyte at the most");
}
