//! A copy of a kernel's file with which debuggers go across trap frames.

use std::io::{self, Write};

use crate::kernel::{ElfFile, Kernel, KernelError, NewSections};
use crate::threads::stack::{old_rules, trap_rules};
use crate::types::{TypeError, Types};

const DEBUG_FRAME: &str = ".debug_frame";
const EH_FRAME: &str = ".eh_frame";

/// A copy of a kernel's file for debuggers. It says where the entry points of the kernel leave
/// their trap frames, which FreeBSD's kernel files do not say, so that a debugger's own
/// backtrace goes on with what a trap interrupted. Nothing else is changed.
///
/// It is a copy of the file with debug information, if the kernel is in two.
#[derive(Debug)]
pub struct KernelCopy<'k> {
    file: &'k ElfFile,
    sections: NewSections<'static>,
}

/// A kernel's file cannot be copied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CopyError {
    /// A section of the file is damaged.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// `struct trapframe` is missing or damaged.
    #[error(transparent)]
    Types(#[from] TypeError),
}

impl<'k> KernelCopy<'k> {
    /// What the copy says; `None` if no entry points of this kernel are known, as on armv7 and
    /// powerpc64.
    ///
    /// # Errors
    /// A section of the file is damaged, or the kernel's types do not say what a trap frame is.
    pub fn of(kernel: &'k Kernel, types: &Types) -> Result<Option<Self>, CopyError> {
        let file = kernel.debug_file().unwrap_or(kernel.main());
        let entries = trap_rules::entry_points(kernel);
        if entries.is_empty() {
            return Ok(None);
        }
        let arch = kernel.arch();
        let mut frames = match file.section(DEBUG_FRAME) {
            Some(section) => file.section_bytes(section)?.to_vec(),
            None => Vec::new(),
        };
        old_rules::uncover_debug(&mut frames, arch, &entries, types.budget());
        let Some(frames) = trap_rules::append(types, &entries, &frames)? else { return Ok(None) };
        let eh = file.section(EH_FRAME).filter(|section| section.has_bytes());
        let overwritten = eh.map(|section| {
            let mut frames = file.section_bytes(section)?.to_vec();
            old_rules::uncover_eh(
                &mut frames,
                section.range().start,
                arch,
                &entries,
                types.budget(),
            );
            Ok::<_, CopyError>((EH_FRAME, frames))
        });
        let overwritten = overwritten.transpose()?;
        Ok(Some(Self {
            file,
            sections: NewSections { appended: (DEBUG_FRAME, frames), overwritten },
        }))
    }

    /// Writes the file.
    ///
    /// # Errors
    /// `out` fails, or the file has as many sections as can be.
    pub fn write(self, out: &mut dyn Write) -> io::Result<()> {
        self.file.write_with(self.sections, out)
    }
}
