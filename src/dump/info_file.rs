//! info.N: the contents of vmcore.N's kernel dump header, written by savecore(8)
//! (`printheader` in `sbin/savecore/savecore.c`, 9.3 to 14.0).

use super::Core;

/// The fields of the file, as written there. `None` marks a field that is missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InfoFile {
    /// When the dump was written: `2019-11-22 14:08:22 +0000`, or before 12 in the format of
    /// ctime(3).
    pub time: Option<String>,
    /// The machine's host name.
    pub host: Option<String>,
    /// The kernel's version string; its lines after the first say who built it.
    pub version: Option<String>,
    /// The panic message.
    pub panic: Option<String>,
    /// `MACHINE_ARCH`.
    pub architecture: Option<String>,
    /// Length of the dump on its device, in bytes.
    pub dump_len: Option<u64>,
    /// `good` if the headers before and after the dump were equal.
    pub status: Option<String>,
}

impl InfoFile {
    /// Parses the file's text; `None` if it is not such a file.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        const LONGEST: usize = 64 << 10;
        let text = String::from_utf8_lossy(bytes.get(..LONGEST).unwrap_or(bytes));
        if !text.starts_with("Dump header from device") {
            return None;
        }
        let mut info = Self::default();
        let mut lines = text.lines().skip(1).peekable();
        while let Some(line) = lines.next() {
            let Some((name, value)) = line.trim_start().split_once(':') else { continue };
            let value = value.trim();
            let field = match name {
                "Dumptime" => &mut info.time,
                "Hostname" => &mut info.host,
                "Panic String" => &mut info.panic,
                "Architecture" => &mut info.architecture,
                "Dump Status" => &mut info.status,
                "Dump Length" => {
                    let digits = value.split(|c: char| !c.is_ascii_digit()).next();
                    info.dump_len = digits.and_then(|digits| digits.parse().ok());
                    continue;
                }
                "Version String" => {
                    // The string contains newlines. Fields begin with two blanks.
                    let mut version = value.to_owned();
                    while let Some(more) = lines.next_if(|line| is_continued(line)) {
                        version.push('\n');
                        version.push_str(more);
                    }
                    info.version = Some(version);
                    continue;
                }
                _ => continue,
            };
            *field = Some(value.to_owned()).filter(|value| !value.is_empty());
        }
        Some(info)
    }

    /// Evidence that this file is not about `core`, or that the dump itself is bad. `known` is
    /// what else is known about the kernel and machine of `core`. Each text continues a sentence
    /// that begins with the file's name.
    pub fn disagreements(&self, core: &Core, known: &DumpIdentity) -> Vec<String> {
        let other = |what: &str, told: &Option<String>, is: &Option<String>| {
            let (told, is) = (first_line(told)?, first_line(is)?);
            let why = || {
                format!(
                    "is about a dump whose {what} is {told:?}, and here it is {is:?}: they do not \
                     belong together"
                )
            };
            (!agree(told, is)).then(why)
        };
        let found = [
            self.bad(),
            self.other_length(core),
            other("host", &self.host, &known.host),
            other("panic", &self.panic, &known.panic),
            other("kernel", &self.version, &known.version).filter(|_| !self.same_version(known)),
        ];
        found.into_iter().flatten().collect()
    }

    /// A kernel states its version in a longer and in a shorter form: the shorter one is a prefix.
    fn same_version(&self, known: &DumpIdentity) -> bool {
        let both = first_line(&self.version).zip(first_line(&known.version));
        both.is_none_or(|(told, is)| told.starts_with(is) || is.starts_with(told))
    }

    /// savecore(8) compares the header before the dump with the one after it.
    fn bad(&self) -> Option<String> {
        (self.status.as_deref() == Some("bad")).then(|| {
            "says that the dump is bad (Dump Status): its two headers were not the same, so it \
             may have been overwritten or not written to its end"
                .to_owned()
        })
    }

    /// The length is that on the device: the compressed length if the kernel compressed
    /// the dump, the other if savecore(8) or somebody else did.
    fn other_length(&self, core: &Core) -> Option<String> {
        /// The last block of a device is padded with zeros.
        const PADDING: u64 = 64 << 10;
        let told = self.dump_len?;
        let plain = core.facts.file_len;
        let lengths = [Some(plain), core.packed.map(|packed| packed.len)];
        let agrees = |len: u64| (told..told.saturating_add(PADDING)).contains(&len);
        if lengths.into_iter().flatten().any(agrees) {
            return None;
        }
        let is = match core.packed {
            None => format!("is of {plain}"),
            Some(packed) => format!("is of {}, {plain} unpacked", packed.len),
        };
        Some(format!(
            "is about a dump of {told} bytes (Dump Length), and this one {is}: it was cut off, or \
             they do not belong together"
        ))
    }
}

/// What the dump itself says about its kernel and machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DumpIdentity {
    /// The host name, from the kernel's memory.
    pub host: Option<String>,
    /// The panic message, from the kernel's memory.
    pub panic: Option<String>,
    /// The kernel's version string.
    pub version: Option<String>,
}

fn first_line(text: &Option<String>) -> Option<&str> {
    let line = text.as_deref()?.lines().next()?.trim_end();
    (!line.is_empty()).then_some(line)
}

/// Is this the same text, or one truncated to fit the header (64 bytes for the host name, about
/// 180 for the panic and the version; `struct kerneldumpheader`, `sys/sys/kerneldump.h`, 12.1)?
fn agree(told: &str, is: &str) -> bool {
    const ROOM: usize = 63;
    told == is || (told.len() >= ROOM && is.starts_with(told))
}

fn is_continued(line: &str) -> bool {
    !line.trim_start().starts_with("Panic String:")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Packed, open_raw};
    use super::*;
    use crate::arch::Arch;
    use crate::source::Source;
    use crate::source::unpack::Packing;

    #[test]
    fn old_and_new_forms_are_read() {
        let new = b"Dump header from device: /dev/ada0p3\n  Architecture: amd64\n  \
            Architecture Version: 2\n  Dump Length: 411484160\n  Blocksize: 512\n  \
            Compression: none\n  Dumptime: 2023-08-02 10:11:12 +0200\n  Hostname: gw.example.org\n  \
            Magic: FreeBSD Kernel Dump\n  Version String: FreeBSD 14.0-CURRENT #0: Wed\n    \
            root@host:/usr/obj\n  Panic String: vm_fault: fault on nofault entry\n  \
            Dump Parity: 3\n  Bounds: 0\n  Dump Status: good\n";
        let info = InfoFile::parse(new).unwrap();
        assert_eq!(info.time.as_deref(), Some("2023-08-02 10:11:12 +0200"));
        assert_eq!(info.host.as_deref(), Some("gw.example.org"));
        let version = "FreeBSD 14.0-CURRENT #0: Wed\n    root@host:/usr/obj";
        assert_eq!(info.version.as_deref(), Some(version));
        assert_eq!(info.panic.as_deref(), Some("vm_fault: fault on nofault entry"));
        assert_eq!((info.dump_len, info.status.as_deref()), (Some(411_484_160), Some("good")));
        let old = b"Dump header from device /dev/ada0p3\n  Architecture: i386\n  \
            Dump Length: 97550336B (93 MB)\n  Blocksize: 512\n  Dumptime: Tue Mar  1 1:2:3 2016\n  \
            Hostname: \n  Panic String: \n  Dump Status: unknown\n";
        let info = InfoFile::parse(old).unwrap();
        assert_eq!((info.dump_len, info.architecture.as_deref()), (Some(97_550_336), Some("i386")));
        assert_eq!((info.host, info.panic), (None, None));
        assert_eq!(info.time.as_deref(), Some("Tue Mar  1 1:2:3 2016"));
    }

    #[test]
    fn another_length_than_the_dumps_is_told() {
        let told = |dump_len| InfoFile { dump_len: Some(dump_len), ..InfoFile::default() };
        let core = |packed| {
            let source = Source::from_vec("memory", vec![0; 1 << 20]);
            let core = open_raw(Arc::new(source), Arch::Amd64, &[]).unwrap();
            Core { packed, ..core }
        };
        let plain = core(None);
        assert_eq!(told(1 << 20).other_length(&plain), None);
        assert_eq!(told((1 << 20) - 511).other_length(&plain), None);
        let why = told((1 << 20) + 1).other_length(&plain).unwrap();
        assert!(why.contains("1048577 bytes") && why.contains("of 1048576"), "{why}");
        assert!(told(1 << 19).other_length(&plain).is_some());
        let packed = core(Some(Packed { packing: Packing::Gzip, len: 1 << 19 }));
        assert_eq!(told(1 << 19).other_length(&packed), None);
        assert_eq!(told(1 << 20).other_length(&packed), None);
        assert!(told(1 << 18).other_length(&packed).unwrap().contains("1048576 unpacked"));
    }

    #[test]
    fn texts_that_the_header_cut_off_agree() {
        let long = "a".repeat(100);
        assert!(agree("gw", "gw") && agree(&long[..63], &long));
        assert!(!agree("gw", "gw.example.org") && !agree(&long, &long[..63]));
    }

    #[test]
    fn anything_else_is_none() {
        assert_eq!(InfoFile::parse(b""), None);
        assert_eq!(InfoFile::parse(b"\xff\xfeHostname: x"), None);
    }
}
