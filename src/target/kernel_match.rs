//! Is the kernel file the one that was running when the dump was written?
//!
//! Witnesses answer one by one. Each compares bytes that both the file and the dump
//! have: the build-id, the version, samples of .rodata and .text. Each says
//! "same", "different" or "unknown", and why. One rule combines their
//! answers, in any order ([`KernelMatch::of`]):
//!
//! 1. The dump's own build-id is proof: it covers everything that was linked, so any other
//!    difference was overwritten later.
//! 2. Without that proof, one "different" is enough: it is another kernel.
//! 3. Otherwise one "unknown" leaves the verdict unknown. A different build-id is "unknown" if
//!    samples of the code or the constants are the same, and "different" if none are.
//!
//! Zeros are not evidence: in sparse dumps, above all those made for tests of debuggers,
//! most pages are zeros.

use std::fmt;

use crate::addr::VirtAddr;
use crate::kernel::RunningKernel;
use crate::memory::KernelMemory;

/// Is the kernel file the one that was running when the dump was written?
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KernelMatch {
    /// The file and the dump have the same bytes. The text says which.
    Same(String),
    /// They differ. The text says how.
    Different(String),
    /// The dump has none of the bytes that would decide. The text says what is missing.
    Unknown(String),
}

/// The answer of one witness, and its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The answer.
    pub finding: Finding,
    /// The reason: "same version[]", "18 of 18 pieces of .rodata differ".
    pub why: String,
}

/// The answer of a witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// The same, which is proof.
    Proven,
    /// The same, which is not proof alone.
    Same,
    /// Different.
    Different,
    /// The bytes are missing, or do not decide.
    Unknown,
}

impl Evidence {
    /// The answer `finding` with its reason.
    pub fn new(finding: Finding, why: impl Into<String>) -> Self {
        Self { finding, why: why.into() }
    }
}

impl KernelMatch {
    /// The verdict from all evidence; `None` if there is none.
    #[must_use]
    pub fn of(evidence: &[Evidence]) -> Option<Self> {
        let all = |wanted: &[Finding]| {
            let said = evidence.iter().filter(|one| wanted.contains(&one.finding));
            said.map(|one| one.why.as_str()).collect::<Vec<_>>()
        };
        let same = all(&[Finding::Proven, Finding::Same]).join(", ");
        let (different, unknown) = (all(&[Finding::Different]), all(&[Finding::Unknown]));
        let proven = evidence.iter().any(|one| one.finding == Finding::Proven);
        if proven && !different.is_empty() {
            let since = different.join("; ");
            return Some(Self::Same(format!("{same}; overwritten since: {since}")));
        }
        if proven {
            return Some(Self::Same(same));
        }
        if !different.is_empty() {
            return Some(Self::Different([different, unknown].concat().join("; ")));
        }
        if !unknown.is_empty() {
            let but = if same.is_empty() { String::new() } else { format!("{same}, but ") };
            return Some(Self::Unknown(but + &unknown.join("; ")));
        }
        (!same.is_empty()).then_some(Self::Same(same))
    }
}

/// The verdict on `kernel`. `memory` is its memory if it is the right kernel.
pub(super) fn kernel_match(kernel: &RunningKernel, memory: &KernelMemory) -> KernelMatch {
    let build_id = build_id(kernel, memory);
    let mut said: Vec<Evidence> = version(kernel, memory).into_iter().collect();
    match build_id {
        Some(id) if id.finding == Finding::Proven => {
            said.push(id);
            said.extend(constants(kernel, memory, FEW));
        }
        // Without proof, more reads are worthwhile.
        other_id => {
            let pieces = [constants(kernel, memory, MANY), code(kernel, memory, MANY)];
            let pieces: Vec<Evidence> = pieces.into_iter().flatten().collect();
            let same_code = pieces.iter().any(|said| said.finding == Finding::Same);
            said.extend(pieces);
            // A kernel that was rebuilt from the same sources, perhaps with other debug
            // information, has another build-id and differs in nothing else.
            let finding = if same_code { Finding::Unknown } else { Finding::Different };
            said.extend(other_id.map(|id| Evidence { finding, ..id }));
        }
    }
    KernelMatch::of(&said).unwrap_or_else(|| {
        let why = match kernel.linked().contents() {
            Some(_) => {
                "the dump holds neither its version[] nor its build-id nor its code and constants"
            }
            None => "a debug file has none of the kernel's bytes, and the kernel is not beside it",
        };
        KernelMatch::Unknown(why.into())
    })
}

fn version(kernel: &RunningKernel, memory: &KernelMemory) -> Option<Evidence> {
    if kernel.linked().contents().is_none() {
        return misplaced(kernel, memory);
    }
    let (name, ours, theirs) = ["version", "osrelease"].into_iter().find_map(|name| {
        let symbol = kernel.symbol(name)?;
        let ours = kernel.initial_bytes(symbol.address, symbol.size.min(MAX_TEXT))?;
        // The dump's text may be longer than the file's.
        let mut theirs = vec![0; MAX_TEXT as usize];
        let (len, _) = memory.read_prefix(symbol.address, &mut theirs);
        let theirs = theirs.get(..len)?;
        let is_told = !is_blank(theirs.get(..ours.len())?);
        is_told.then(|| (name, text(&ours), text(theirs)))
    })?;
    if ours == theirs {
        return Some(Evidence::new(Finding::Same, format!("same {name}[]")));
    }
    let ours = shortened(&ours);
    let theirs = if theirs.len() > 2 && theirs.chars().all(|c| !c.is_control() || c == '\n') {
        format!("the dump's {:?}", shortened(&theirs))
    } else {
        "and the dump has no text at its address".to_owned()
    };
    let why = format!("the file's {name}[] is {ours:?}, {theirs}");
    Some(Evidence::new(Finding::Different, why))
}

/// A debug file knows the address of the text, but not the text.
fn misplaced(kernel: &RunningKernel, memory: &KernelMemory) -> Option<Evidence> {
    const START: &[u8] = b"FreeBSD";
    let found = ["version", "ostype"].into_iter().find_map(|name| {
        let mut theirs = [0; START.len()];
        memory.read(kernel.symbol(name)?.address, &mut theirs).ok()?;
        (!is_blank(&theirs)).then_some((name, theirs))
    });
    let (name, _) = found.filter(|(_, theirs)| theirs != START)?;
    let why = format!("the dump has no text of FreeBSD at the address of {name}[]");
    Some(Evidence::new(Finding::Different, why))
}

/// The same build-id is proof. The other witnesses decide what a different one means.
fn build_id(kernel: &RunningKernel, memory: &KernelMemory) -> Option<Evidence> {
    let (address, ours) = kernel.build_id_in_memory()?;
    let mut theirs = vec![0; ours.len().min(MAX_TEXT as usize)];
    memory.read(address, &mut theirs).ok()?;
    if theirs == ours {
        return Some(Evidence::new(Finding::Proven, "same build-id"));
    }
    // A loader need not have loaded the note. Something else is in its place then.
    let mut owner = [0; 4];
    memory.read(VirtAddr::new(address.get().wrapping_sub(OWNER.len() as u64)), &mut owner).ok()?;
    (owner == OWNER && !is_blank(&theirs)).then(|| {
        let (ours, theirs) = (hex(ours), hex(&theirs));
        let why = format!("the file's build-id is {ours}, the dump's {theirs}");
        Evidence::new(Finding::Unknown, why)
    })
}

/// What precedes the id in its note.
const OWNER: [u8; 4] = *b"GNU\0";

/// Samples of .rodata, which nothing should change while a kernel runs. A few may
/// differ because of a faulty driver. In another kernel, most do.
fn constants(kernel: &RunningKernel, memory: &KernelMemory, samples: usize) -> Option<Evidence> {
    let (other, all) = differing(kernel, memory, ".rodata", samples)?;
    Some(if other * 4 > all {
        Evidence::new(Finding::Different, format!("{other} of {all} pieces of .rodata differ"))
    } else {
        Evidence::new(Finding::Same, "same constants")
    })
}

/// Samples of .text. A kernel changes some of them at boot, where calls depend on
/// the kind of CPU (`sys/kern/link_elf.c`, 12.0), and DTrace changes every
/// function that it traces.
fn code(kernel: &RunningKernel, memory: &KernelMemory, samples: usize) -> Option<Evidence> {
    let (other, all) = differing(kernel, memory, ".text", samples)?;
    let differ = || format!("{other} of {all} pieces of .text differ");
    Some(if other * 4 > all * 3 {
        Evidence::new(Finding::Different, differ())
    } else if other * 4 > all {
        Evidence::new(Finding::Unknown, differ())
    } else {
        Evidence::new(Finding::Same, "same code")
    })
}

/// About `samples` samples spread over a section: how many differ, and how many the
/// dump has; `None` if it has none.
fn differing(
    kernel: &RunningKernel,
    memory: &KernelMemory,
    section: &str,
    samples: usize,
) -> Option<(usize, usize)> {
    let range = kernel.section_range(section)?;
    let bytes = kernel.initial_bytes(range.start, range.end.offset_from(range.start)?)?;
    let pieces = bytes.chunks(PIECE);
    let step = (pieces.len() / samples).max(1);
    let (mut other, mut all) = (0, 0);
    for (index, ours) in pieces.enumerate().step_by(step) {
        let address = range.start.wrapping_add((index * PIECE) as u64);
        let mut theirs = [0; PIECE];
        let Some(theirs) = theirs.get_mut(..ours.len()) else { continue };
        if memory.read(address, theirs).is_ok() && !is_blank(theirs) {
            all += 1;
            other += usize::from(theirs != ours);
        }
    }
    (all > 0).then_some((other, all))
}

/// About how many samples of a section are compared, and the size of each in bytes.
const FEW: usize = 32;
const MANY: usize = 256;
const PIECE: usize = 64;

/// Version strings are a few hundred bytes. A wrong symbol is not read any further.
const MAX_TEXT: u64 = 1024;

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(bytes: &[u8]) -> String {
    let end = memchr::memchr(0, bytes).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}

fn shortened(text: &str) -> String {
    const LONGEST: usize = 120;
    match text.trim_end().char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.trim_end().to_owned(),
    }
}

impl fmt::Display for KernelMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same(why) => write!(f, "yes: {why}"),
            Self::Different(why) => write!(f, "no: {why}"),
            Self::Unknown(why) => write!(f, "unknown: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Finding::*;
    use super::*;

    fn verdict(said: &[Finding]) -> &'static str {
        let said: Vec<Evidence> =
            said.iter().map(|finding| Evidence::new(*finding, "why")).collect();
        match KernelMatch::of(&said) {
            None => "none",
            Some(KernelMatch::Same(_)) => "same",
            Some(KernelMatch::Different(_)) => "different",
            Some(KernelMatch::Unknown(_)) => "unknown",
        }
    }

    /// All orders in which `said` can be heard lead to the same verdict.
    fn in_every_order(said: &[Finding]) -> &'static str {
        let first = verdict(said);
        for turn in 0..said.len() {
            let mut turned = said.to_vec();
            turned.rotate_left(turn);
            assert_eq!(verdict(&turned), first, "{turned:?}");
            turned.reverse();
            assert_eq!(verdict(&turned), first, "{turned:?}");
        }
        first
    }

    #[test]
    fn the_order_of_witnesses_means_nothing() {
        assert_eq!(in_every_order(&[]), "none");
        assert_eq!(in_every_order(&[Same, Same]), "same");
        assert_eq!(in_every_order(&[Same, Unknown, Same]), "unknown");
        assert_eq!(in_every_order(&[Same, Unknown, Different]), "different");
        assert_eq!(in_every_order(&[Same, Different, Same]), "different");
        assert_eq!(in_every_order(&[Proven, Different, Unknown]), "same");
    }

    #[test]
    fn a_verdict_names_all_its_reasons() {
        let said = [
            Evidence::new(Same, "same version[]"),
            Evidence::new(Unknown, "another build-id"),
            Evidence::new(Different, "18 of 18 pieces of .rodata differ"),
        ];
        let both = "no: 18 of 18 pieces of .rodata differ; another build-id";
        assert_eq!(KernelMatch::of(&said).unwrap().to_string(), both);
        let doubt = "unknown: same version[], but another build-id";
        assert_eq!(KernelMatch::of(&said[..2]).unwrap().to_string(), doubt);
    }
}
