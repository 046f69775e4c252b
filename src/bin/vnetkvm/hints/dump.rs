//! Hints for files that are not readable dumps.

use std::path::Path;

use vnetkvm::error::{DumpError, NotADump};

use super::{other_file, source};

const COPIED_WHOLE: &str =
    "check that the copy is complete: info.N beside the dump has its length (Dump Length)";

const A_VMCORE: &str = "a vmcore begins with \"minidump FreeBSD/\" or is an ELF core file";

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
        DumpError::Unsupported { .. } => "docs/formats lists the dumps that can be read",
        DumpError::Unpack(why) => source::unpack(why)?,
        DumpError::Limit(_) => "the file is damaged: copy it again, or take the dump again",
        _ => return None,
    };
    Some(hint.into())
}

/// The hint for a file in which a kernel that was given is not found. `placed` says that its
/// address was given too.
pub fn not_memory_of_kernel(what: &NotADump, placed: bool) -> Option<String> {
    if !matches!(what, NotADump::Unknown { .. } | NotADump::VmwareMemory | NotADump::Zeros { .. }) {
        return None;
    }
    let why = match placed {
        true => {
            "the kernel of -N is not at the address of --kernel-phys, or the file ends before \
             it; without --kernel-phys it is searched for"
        }
        false => {
            "the kernel of -N was not found in it: the file may end before the kernel, or another \
             kernel ran; --kernel-phys says where it lies"
        }
    };
    Some(format!("if this is raw memory, {why}; {A_VMCORE}"))
}

fn not_a_dump(what: &NotADump) -> Option<&'static str> {
    Some(match what {
        NotADump::Empty => "check whether the disk was full when it was written",
        NotADump::Unknown { .. } | NotADump::VmwareMemory | NotADump::Zeros { .. } => {
            "if this is raw memory, name its kernel with -N; \
             a vmcore begins with \"minidump FreeBSD/\" or is an ELF core file"
        }
        NotADump::Device => "to read a memory device, name the running kernel with -N",
        NotADump::ClearedDevice => {
            "savecore(8) has already saved this dump: look for vmcore.N in /var/crash, \
             or save it again with savecore -f"
        }
        NotADump::EmptyDevice => "look for vmcore.N",
        NotADump::TextDump => {
            "a text dump has the output of ddb(4) but no memory: unpack it with tar -xf"
        }
        NotADump::ElfCutOff => COPIED_WHOLE,
        NotADump::ElfObject | NotADump::ElfExecutable | NotADump::ElfOfType(_) => {
            "-N takes the kernel and -M the dump: are they swapped?"
        }
        NotADump::CoreWithoutMemory => {
            "it has no PT_LOAD segment with bytes in the file; take the dump again"
        }
        NotADump::ProcessCore => {
            "the kernel's dump is the vmcore.N that savecore left in /var/crash"
        }
        _ => return None,
    })
}
