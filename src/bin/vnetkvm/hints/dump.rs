//! Files that are not dumps that can be read.

use std::path::Path;

use vnetkvm::error::{DumpError, NotADump};

use super::{other_file, source};

const COPIED_WHOLE: &str =
    "was it copied whole? info.N beside the dump tells its length (Dump Length)";

pub fn hint(path: &Path, error: &DumpError) -> Option<String> {
    let hint = match error {
        DumpError::NotADump(what) => not_a_dump(what)?,
        DumpError::OtherFile(other) | DumpError::PackedAgain(other) => {
            return other_file::for_dump(path, other);
        }
        DumpError::Encrypted { .. } => return Some(other_file::decrypt(None)),
        DumpError::BadField { .. } => {
            "the file is damaged: copy it again from where savecore(8) left it"
        }
        DumpError::Truncated { .. } => COPIED_WHOLE,
        DumpError::Unsupported { .. } => "see docs/formats for the dumps that can be read",
        DumpError::Unpack(why) => source::unpack(why)?,
        DumpError::Limit(_) => "the file is damaged: copy it again, or take the dump again",
        _ => return None,
    };
    Some(hint.into())
}

fn not_a_dump(what: &NotADump) -> Option<&'static str> {
    Some(match what {
        NotADump::Empty => "was the disk full when it was written?",
        NotADump::Unknown { .. } | NotADump::VmwareMemory | NotADump::Zeros { .. } => {
            "if this is raw memory, give the kernel that ran in it with -N; \
             a vmcore begins with \"minidump FreeBSD/\" or is an ELF core file"
        }
        NotADump::CharacterDevice => {
            "memory devices are read with the very kernel that is running (-N)"
        }
        NotADump::ClearedDevice => {
            "savecore(8) has saved this dump already: look for vmcore.N in /var/crash, \
             or let savecore -f save it again"
        }
        NotADump::EmptyDevice => "look for vmcore.N",
        NotADump::TextDump => {
            "a text dump is what ddb(4) printed and holds no memory: read it with tar -xf"
        }
        NotADump::ElfCutOff => COPIED_WHOLE,
        NotADump::ElfObject | NotADump::ElfExecutable | NotADump::ElfOfType(_) => {
            "-N takes the kernel and -M the dump: are they swapped?"
        }
        NotADump::CoreWithoutMemory => {
            "none is a segment (p_type PT_LOAD) with bytes in the file (p_filesz); \
             take the dump again"
        }
        NotADump::ProcessCore => {
            "the kernel's dump is the vmcore.N that savecore left in /var/crash"
        }
        _ => return None,
    })
}
