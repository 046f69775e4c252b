//! A dump as a file: its format and the layers around it.
//!
//! Each wrapping is applied to the result of those before it, as with real
//! dumps: `minidump-v2.zst.device-v4` was compressed by the kernel and is on
//! a dump device; `full.device-v1.gz` is a copy of a device that somebody compressed.

use std::fmt;
use std::io::{Read, Seek, SeekFrom, Write};

use serde::Deserialize;

use super::device::{self, SECTOR};
use super::kernel_header::{Compression, HeaderVersion, KernelHeader, Origin};
use super::{Contents, Format, packed};
use crate::image::ImageError;

/// A layer around a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wrapping {
    /// Compressed with gzip.
    Gzip,
    /// Compressed with zstd.
    Zstd,
    /// On its dump device, with headers of version 1 (`sys/sys/kerneldump.h`, before 12.0).
    DeviceV1,
    /// On its dump device, with headers of version 4 (12.0 and later).
    DeviceV4,
    /// A live dump, followed by its header.
    Live,
}

impl Wrapping {
    /// Every wrapping.
    pub const ALL: [Self; 5] = [Self::Gzip, Self::Zstd, Self::DeviceV1, Self::DeviceV4, Self::Live];

    /// Its name in scenarios and file names: `gz`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gz",
            Self::Zstd => "zst",
            Self::DeviceV1 => "device-v1",
            Self::DeviceV4 => "device-v4",
            Self::Live => "live",
        }
    }

    fn compression(self) -> Option<Compression> {
        match self {
            Self::Gzip => Some(Compression::Gzip),
            Self::Zstd => Some(Compression::Zstd),
            Self::DeviceV1 | Self::DeviceV4 | Self::Live => None,
        }
    }
}

/// A dump and its wrappings, the innermost first. It parses from a name such as
/// `minidump-v2.gz`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct DumpFile {
    /// The format of the dump itself.
    pub format: Format,
    /// The layers around it, the innermost first.
    pub wrappings: Vec<Wrapping>,
}

impl From<Format> for DumpFile {
    fn from(format: Format) -> Self {
        Self { format, wrappings: Vec::new() }
    }
}

impl From<&DumpFile> for DumpFile {
    fn from(file: &DumpFile) -> Self {
        file.clone()
    }
}

impl TryFrom<String> for DumpFile {
    type Error = String;

    /// By its name: `minidump-v2.gz`.
    fn try_from(name: String) -> Result<Self, String> {
        let mut parts = name.split('.');
        let first = parts.next().unwrap_or_default();
        let format = Format::ALL.into_iter().find(|format| format.name() == first);
        let format =
            format.ok_or_else(|| unknown("format", first, &Format::ALL.map(Format::name)))?;
        let wrapping = |part: &str| {
            let found = Wrapping::ALL.into_iter().find(|wrapping| wrapping.name() == part);
            found.ok_or_else(|| unknown("wrapping", part, &Wrapping::ALL.map(Wrapping::name)))
        };
        let file = Self { format, wrappings: parts.map(wrapping).collect::<Result<_, _>>()? };
        file.check().map(|()| file)
    }
}

fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    format!("\"{name}\" is no {what}; there are {}", known.join(", "))
}

impl fmt::Display for DumpFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.format.name())?;
        self.wrappings.iter().try_for_each(|wrapping| write!(f, ".{}", wrapping.name()))
    }
}

impl DumpFile {
    /// Its name in scenarios, which is also the end of the file name.
    pub fn name(&self) -> String {
        self.to_string()
    }

    /// Is it the content of a `vmcore.N` from savecore(8), with an `info.N` beside it?
    pub(super) fn is_saved(&self) -> bool {
        self.format.is_kernels_own()
            && (self.wrappings.is_empty()
                || self.compression().is_some() && self.wrappings.len() == 1)
    }

    /// How the kernel compressed it; none if it did not.
    pub(super) fn compression(&self) -> Option<Compression> {
        self.wrappings.first().and_then(|wrapping| wrapping.compression())
    }

    /// Rejects combinations that no kernel writes.
    fn check(&self) -> Result<(), String> {
        for (number, wrapping) in self.wrappings.iter().enumerate() {
            if wrapping.compression().is_some() {
                continue;
            }
            let inner = self.wrappings.get(..number).unwrap_or_default();
            if !self.format.is_kernels_own() {
                return Err(format!("kernels write no {} dumps: {self}", self.format.name()));
            }
            if *wrapping == Wrapping::Live && !self.format.is_minidump() {
                return Err(format!("live dumps are minidumps: {self}"));
            }
            if *wrapping == Wrapping::DeviceV1 && !inner.is_empty() {
                return Err(format!("headers of version 1 know no compression: {self}"));
            }
            if inner.len() > 1 || inner.iter().any(|inner| inner.compression().is_none()) {
                return Err(format!("a kernel writes a dump in one place: {self}"));
            }
        }
        Ok(())
    }

    /// Writes the dump and its wrappings, each through an unnamed temporary file.
    ///
    /// # Errors
    /// The format cannot hold this memory, no kernel wraps it like this, or a file cannot be
    /// written.
    pub(in crate::image) fn write(
        &self,
        contents: &Contents<'_>,
        origin: &Origin,
        out: &mut (impl Write + Seek),
    ) -> Result<(), ImageError> {
        self.check().map_err(ImageError::Format)?;
        let Some((last, inner)) = self.wrappings.split_last() else {
            return self.format.write(contents, out);
        };
        let mut dump = tempfile::tempfile()?;
        self.format.write(contents, &mut dump)?;
        let plain = dump.seek(SeekFrom::End(0))?;
        let mut around = Around { contents, origin, plain, compression: None };
        for wrapping in inner {
            let mut next = tempfile::tempfile()?;
            around.wrap(*wrapping, &mut dump, &mut next)?;
            dump = next;
        }
        let len = around.wrap(*last, &mut dump, out)?;
        if last.compression().is_some() {
            packed::pad(out, len)?;
        }
        Ok(())
    }
}

/// What the wrappings need to know about the dump inside.
struct Around<'a> {
    contents: &'a Contents<'a>,
    origin: &'a Origin,
    /// The size of the uncompressed dump in bytes, which the kernel reserves.
    plain: u64,
    compression: Option<Compression>,
}

impl Around<'_> {
    /// Wraps `dump`. Returns the length of a compressed stream.
    fn wrap(
        &mut self,
        wrapping: Wrapping,
        dump: &mut (impl Read + Seek),
        out: &mut (impl Write + Seek),
    ) -> Result<u64, ImageError> {
        let len = dump.seek(SeekFrom::End(0))?;
        dump.seek(SeekFrom::Start(0))?;
        match wrapping {
            Wrapping::Gzip => {
                self.compression = Some(Compression::Gzip);
                return Ok(packed::gzip(dump, out)?);
            }
            Wrapping::Zstd => {
                self.compression = Some(Compression::Zstd);
                return Ok(packed::zstd(dump, out)?);
            }
            Wrapping::DeviceV1 => {
                device::device(dump, &self.header(HeaderVersion::V1, SECTOR, len), out)?;
            }
            Wrapping::DeviceV4 => {
                device::device(dump, &self.header(HeaderVersion::V4, SECTOR, len), out)?;
            }
            Wrapping::Live => {
                let page = self.contents.machine.page_size() as u32;
                device::live(dump, &self.header(HeaderVersion::V4, page, len), out)?;
            }
        }
        Ok(len)
    }

    fn header(&self, version: HeaderVersion, block: u32, length: u64) -> KernelHeader<'_> {
        KernelHeader {
            version,
            arch: self.contents.machine.arch(),
            origin: self.origin,
            block,
            length,
            extent: self.plain,
            compression: self.compression.unwrap_or(Compression::None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str) -> Result<DumpFile, String> {
        DumpFile::try_from(name.to_owned())
    }

    #[test]
    fn names_are_formats_and_wrappings() {
        for name in ["full", "raw.gz", "minidump-v2.zst.device-v4", "full.device-v1.gz"] {
            assert_eq!(parse(name).unwrap().name(), name);
        }
        let file = parse("minidump-v3.live").unwrap();
        assert_eq!((file.format, &*file.wrappings), (Format::MinidumpV3, &[Wrapping::Live][..]));
    }

    #[test]
    fn what_no_kernel_writes_is_refused() {
        for (name, why) in [
            ("minidump-v9", "there are minidump-v1,"),
            ("full.bz2", "there are gz, zst, device-v1"),
            ("raw.device-v4", "kernels write no raw dumps"),
            ("full.live", "live dumps are minidumps"),
            ("full.gz.device-v1", "know no compression"),
            ("full.device-v4.device-v4", "in one place"),
            ("full.gz.zst.device-v4", "in one place"),
        ] {
            let error = parse(name).unwrap_err();
            assert!(error.contains(why), "{name}: {error}");
        }
    }
}
