//! From a file to a [`Core`]: removes the layers around a dump one after
//! another: compression, and the device that it lies on.
//!
//! What is left may have no header: raw memory, or a copy of a device that lacks
//! its end. Only the kernel's file can identify raw memory, so [`open_any`] returns it unpacked
//! as an [`Unknown`]. A device is searched last, because that may mean reading
//! the whole file.

use std::sync::Arc;

use super::{Core, KernelDumpHeader, Packed, device, elf_core, minidump, probe};
use crate::dump::{DumpError, NotADump};
use crate::source::unpack::{self, Packing, Progress};
use crate::source::{Source, other};

/// Recognises `source` and opens it.
///
/// # Errors
/// The file is not a dump, the dump is encrypted, its headers are
/// damaged, or the file ends before the first page of memory.
pub fn open(source: Source) -> Result<Core, DumpError> {
    open_with(source, &mut |_| {})
}

/// Like [`open`], and reports the progress of unpacking to `progress`.
///
/// # Errors
/// As [`open`]; or the dump is compressed and cannot be unpacked.
pub fn open_with(source: Source, progress: &mut dyn FnMut(Progress)) -> Result<Core, DumpError> {
    match open_any(source, progress)? {
        Opened::Core(core) => Ok(*core),
        Opened::Unknown(unknown) => unknown.search(progress),
    }
}

/// The result of opening a file that may be raw memory.
#[derive(Debug)]
pub enum Opened {
    /// A dump.
    Core(Box<Core>),
    /// A file without a known header. It may be raw memory.
    Unknown(Box<Unknown>),
}

/// A file without a known header, unpacked.
#[derive(Debug)]
pub struct Unknown {
    source: Source,
    wrapping: Wrapping,
}

/// The layers that were removed.
#[derive(Debug, Default)]
struct Wrapping {
    packed: Option<Packed>,
    header: Option<KernelDumpHeader>,
    warnings: Vec<String>,
}

/// Like [`open_with`], but returns a file that may be raw memory as [`Opened::Unknown`].
///
/// # Errors
/// As [`open_with`], except that an unknown file is not an error.
pub fn open_any(source: Source, progress: &mut dyn FnMut(Progress)) -> Result<Opened, DumpError> {
    let mut wrapping = Wrapping::default();
    let source = wrapping.strip(source, progress)?;
    Ok(match open_bare(&source)? {
        Some(core) => Opened::Core(Box::new(wrapping.wrap(core))),
        None if wrapping.header.is_some() => return Err(wrapping.misplaced()),
        None => Opened::Unknown(Box::new(Unknown { source, wrapping })),
    })
}

impl Unknown {
    /// Its bytes, unpacked.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Adds the layers that were removed to `core`, which was found in these bytes.
    pub fn wrap(self, core: Core) -> Core {
        self.wrapping.wrap(core)
    }

    /// Searches for a dump on a device whose end is missing.
    ///
    /// # Errors
    /// There is none, and the error says so; or as [`open_with`].
    pub fn search(self, progress: &mut dyn FnMut(Progress)) -> Result<Core, DumpError> {
        let Self { source, mut wrapping } = self;
        let Some(found) = device::without_its_end(&source)? else {
            return Err(probe::unknown(&source));
        };
        let dump = wrapping.cut(source, found)?;
        let dump = wrapping.strip(dump, progress)?;
        match open_bare(&dump)? {
            Some(core) => Ok(wrapping.wrap(core)),
            None => Err(wrapping.misplaced()),
        }
    }
}

impl Wrapping {
    /// Unpacks `source` and takes the dump from its device, as many times as needed.
    fn strip(
        &mut self,
        mut source: Source,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Source, DumpError> {
        // At most a compressed copy of a device that holds a compressed dump.
        const WRAPPINGS: usize = 3;
        for _ in 0..WRAPPINGS {
            if let Some(packing) = Packing::of(source.bytes()) {
                // A package is large and contains no dump.
                if let Some(archive) = other::inside_archive(source.bytes()) {
                    return Err(archive.into());
                }
                source = self.unpack(source, packing, progress)?;
            } else if probe::is_core(source.bytes()) {
                break;
            } else if let Some(found) = device::find(source.bytes())? {
                source = self.cut(source, found)?;
            } else {
                break;
            }
        }
        Ok(source)
    }

    fn unpack(
        &mut self,
        source: Source,
        packing: Packing,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Source, DumpError> {
        let live = device::live(source.bytes());
        let stream = live.as_ref().and_then(|live| source.clone().cut(live.offset, live.len));
        let stream = stream.unwrap_or(source);
        let unpacked = unpack::unpack(&stream, packing, progress)?;
        // The file itself, if what it contains is compressed again.
        self.packed.get_or_insert(Packed { packing, len: stream.len() });
        self.header = self.header.take().or(live.map(|live| live.header));
        self.warnings.extend(unpacked.warning);
        Ok(unpacked.source)
    }

    fn cut(&mut self, source: Source, found: device::Found) -> Result<Source, DumpError> {
        let Some(dump) = source.cut(found.offset, found.len) else {
            return Err(NotADump::EmptyDevice.into());
        };
        self.header = Some(found.header);
        self.warnings.extend(found.warning);
        Ok(dump)
    }

    /// No dump begins where the kernel dump header says it does.
    fn misplaced(&self) -> DumpError {
        let dump_len = self.header.as_ref().map_or(0, |header| header.dump_len);
        DumpError::BadField {
            format: "kernel dump",
            field: "dumplength",
            value: format!("{dump_len:#x}"),
            why: "by it, blocksize and dumpextent a dump begins where there is none (no magic), \
                  unless the file is cut off behind the first header"
                .to_owned(),
        }
    }

    fn wrap(self, mut core: Core) -> Core {
        core.packed = self.packed.or(core.packed);
        core.header = self.header.or(core.header);
        core.warnings.splice(0..0, self.warnings);
        core
    }
}

/// Opens a dump without any layers around it; `None` if it has no known header.
fn open_bare(source: &Source) -> Result<Option<Core>, DumpError> {
    let opened = match probe::probe(source)? {
        probe::Kind::Minidump => minidump::open(&Arc::new(source.clone())),
        probe::Kind::ElfCore => elf_core::open(&Arc::new(source.clone())),
        probe::Kind::Unknown => return Ok(None),
    };
    opened.map(Some)
}
