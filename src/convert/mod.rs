//! Conversions: a dump's memory in another form.
//!
//! A [`Conversion`] says what is written; [`crate::writing`] has the formats. What a dump does not
//! hold is never made up: it is in no segment, has no bit, or is a hole. The parts of memory
//! are streamed, so a conversion takes no more memory for a larger dump, but for its bitmap.

mod addresses;
mod blocks;
mod error;
mod mapped;
mod minidump;
mod notes;
mod pages;
mod physical;
mod ranges;
mod redact;

use std::io::{Seek, Write};
use std::ops::Range;

use serde::{Serialize, Serializer};

pub use self::blocks::Blocks;
pub use self::error::ConvertError;
pub use self::redact::{Redacted, RedactedZone};
pub use crate::source::unpack::Progress;

use self::pages::{Pages, Watched};
use self::redact::{Zeroed, Zeros};
use crate::addr::PhysAddr;
use crate::dump::{Hints, Part};

use crate::target::Target;
use crate::walk::Problems;
pub use crate::writing::notes::System;

/// The form that a dump is converted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// An ELF core by the kernel's virtual addresses, with its threads in notes of this system.
    Elf(System),
    /// A full dump: an ELF core by physical addresses.
    Full,
    /// Physical memory, byte for byte, with holes.
    Raw,
    /// A minidump, of the version that the kernel writes.
    Minidump,
}

impl Form {
    /// Its name: `full`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Elf(System::Linux) => "elf",
            Self::Elf(System::FreeBsd) => "elf-freebsd",
            Self::Full => "full",
            Self::Raw => "raw",
            Self::Minidump => "minidump",
        }
    }
}

/// A dump's memory, to be written in another form.
#[derive(Debug)]
pub struct Conversion<'t> {
    target: &'t Target,
    form: Form,
    left_out: Vec<Range<PhysAddr>>,
    zeros: Zeros,
    redacted: Option<Redacted>,
}

/// What a conversion wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Written {
    /// The form, which is told by its name.
    #[serde(serialize_with = "name")]
    pub form: Form,
    /// The size of a page, in bytes.
    pub page_size: u64,
    /// How many pages of memory are in the new dump.
    pub pages: u64,
    /// How many pages of the old one are not.
    pub pages_left_out: u64,
    /// The physical address of the first byte of a file that does not say it.
    pub start: Option<PhysAddr>,
    /// Bytes that the kernel has mapped and that nobody finds in the new dump, because it
    /// has no page map, and lacks the page tables that lead to them.
    pub unreachable: u64,
    /// What of them is zeroed; `None` if nothing was to be.
    pub redacted: Option<Redacted>,
    /// How many segments an ELF core by virtual addresses has.
    pub segments: Option<u64>,
    /// How many threads are in its notes.
    pub threads: Option<u64>,
    /// Why further threads may be missing.
    #[serde(skip)]
    pub problems: Problems,
}

fn name<S: Serializer>(form: &Form, serializer: S) -> Result<S::Ok, S::Error> {
    form.name().serialize(serializer)
}

impl<'t> Conversion<'t> {
    /// Of all memory that the dump behind `target` holds.
    ///
    /// # Errors
    /// The dump has no physical addresses, or is a machine that runs.
    pub fn new(target: &'t Target, form: Form) -> Result<Self, ConvertError> {
        let core = target.memory().core();
        if core.is_live() {
            return Err(ConvertError::Running);
        }
        if !matches!(form, Form::Elf(_)) && matches!(core.hints, Hints::Virtual) {
            return Err(ConvertError::NoPhysicalAddresses { form });
        }
        Ok(Self { target, form, left_out: Vec::new(), zeros: Zeros::default(), redacted: None })
    }

    /// The same without the pages in `ranges`.
    ///
    /// # Errors
    /// The form does not tell what is left out from zeros.
    pub fn without(
        mut self,
        ranges: impl IntoIterator<Item = Range<PhysAddr>>,
    ) -> Result<Self, ConvertError> {
        if self.form == Form::Raw {
            return Err(ConvertError::ZerosForMissing);
        }
        self.left_out.extend(ranges);
        Ok(self)
    }

    /// The same without the pages that the kernel itself would not write into a minidump: those of
    /// user processes, and free memory. A minidump has no such pages.
    ///
    /// # Errors
    /// As [`Self::without`], or the kernel does not say which pages it would write.
    pub fn only_mapped(self) -> Result<Self, ConvertError> {
        let memory = self.target.memory();
        if self.form == Form::Raw {
            return Err(ConvertError::ZerosForMissing);
        }
        match memory.core().hints {
            Hints::PageMap(_) => return Ok(self),
            Hints::Virtual => {
                let why = "the dump is by virtual addresses".to_owned();
                return Err(ConvertError::NoBitmap { why });
            }
            _ => {}
        }
        let others = mapped::others(self.target, &Pages::new(self.part(&[]), memory.page_size()))?;
        self.without(others)
    }

    /// The same with zeros in place of packets, of the memory of processes and files, and of what the
    /// kernel itself would not write into a minidump. The pages stay. Only what is not left out
    /// before is counted.
    ///
    /// # Errors
    /// It is not known for certain where all of that is.
    pub fn redacted(mut self) -> Result<Self, ConvertError> {
        let page_size = self.target.memory().page_size();
        let pages = Pages::new(self.part(&self.left_out), page_size);
        let (zeros, redacted) = redact::zeros(self.target, &pages)?;
        (self.zeros, self.redacted) = (zeros, Some(redacted));
        Ok(self)
    }

    /// Writes the new dump. `progress` is called while that goes on.
    ///
    /// # Errors
    /// The form cannot hold the memory, nobody could translate addresses in the result, or
    /// memory cannot be read or written.
    pub fn write(
        &self,
        out: &mut (impl Write + Seek),
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Written, ConvertError> {
        let memory = self.target.memory();
        let page_size = memory.page_size();
        let pages = Pages::new(self.part(&self.left_out), page_size);
        let all = Pages::new(self.part(&[]), page_size).count();
        let mut written = Written {
            form: self.form,
            page_size,
            pages: pages.count(),
            pages_left_out: 0,
            start: None,
            unreachable: 0,
            redacted: self.redacted.clone(),
            segments: None,
            threads: None,
            problems: Problems::default(),
        };
        if written.pages == 0 {
            return Err(ConvertError::NoMemory);
        }
        written.pages_left_out = all - written.pages;
        if matches!(self.form, Form::Full | Form::Raw) {
            written.unreachable = physical::unreachable(self.target, self.part(&self.left_out))?;
        }
        let pages = Zeroed { memory: &pages, zeros: &self.zeros };
        let budget = self.target.budget();
        let pages = Watched::new(&pages, budget, page_size, written.pages, progress);
        match self.form {
            Form::Elf(system) => {
                let mapped = addresses::write(self.target, &pages, system, out)?;
                written.pages_left_out += written.pages - mapped.pages;
                written.pages = mapped.pages;
                written.segments = Some(mapped.segments);
                written.threads = Some(mapped.threads);
                written.problems = mapped.problems;
            }
            Form::Minidump => minidump::write(self.target, &pages, out)?,
            Form::Full => physical::full(self.target, &pages, out)?,
            Form::Raw => written.start = Some(physical::raw(self.target, &pages, out)?),
        }
        Ok(written)
    }

    fn part(&self, left_out: &[Range<PhysAddr>]) -> Part {
        Part::new(self.target.memory().shared_core(), left_out.to_vec())
    }
}
