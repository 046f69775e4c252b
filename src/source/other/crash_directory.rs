//! The files that savecore(8) and crashinfo(8) leave beside a dump (`sbin/savecore/savecore.c` and
//! `usr.sbin/crashinfo/crashinfo.sh`, 14.0). netdumpd(8) adds the host's name.

use std::path::Path;

use super::magic::begins;

/// A file of a crash directory other than a readable dump. `dump` is the part of the name that
/// identifies its dump, if the name has one: `3` in `info.3`, `gw.3` in `info.gw.3`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CrashFile {
    /// `info.N`: savecore's description of a dump.
    Info {
        /// What the name says after `info.`.
        dump: Option<String>,
    },
    /// `core.txt.N`: crashinfo's summary of a dump.
    Summary {
        /// What the name says after `core.txt.`.
        dump: Option<String>,
    },
    /// `vmcore_encrypted.N`: an encrypted dump.
    EncryptedDump {
        /// What the name says after `vmcore_encrypted.`.
        dump: Option<String>,
    },
    /// `key.N`: the key of an encrypted dump.
    Key {
        /// What the name says after `key.`.
        dump: Option<String>,
    },
    /// `bounds`: the number of the next dump.
    Bounds,
    /// `minfree`: how much free space savecore must leave.
    Minfree,
    /// A number, as in these two, in a file with another name.
    Number,
}

impl CrashFile {
    pub(super) fn what(&self) -> &'static str {
        match self {
            Self::Info { .. } => "the description of a dump",
            Self::Summary { .. } => "a summary of a dump by crashinfo(8)",
            Self::EncryptedDump { .. } => "an encrypted dump",
            Self::Key { .. } => "the key of an encrypted dump",
            Self::Bounds => "the number of the next dump",
            Self::Minfree => "the space that savecore(8) leaves free",
            Self::Number => "a number, as in the bounds and minfree of a crash directory",
        }
    }
}

pub(super) fn recognise(path: &Path, bytes: &[u8]) -> Option<CrashFile> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let dump = |prefix| {
        let rest = name.strip_prefix(prefix)?;
        (!rest.is_empty()).then(|| rest.to_owned())
    };
    if begins(bytes, b"Dump header from device") || name.starts_with("info.") {
        Some(CrashFile::Info { dump: dump("info.") })
    } else if is_crashinfo(bytes) || name.starts_with("core.txt.") {
        Some(CrashFile::Summary { dump: dump("core.txt.") })
    } else if name.starts_with("vmcore_encrypted.") {
        Some(CrashFile::EncryptedDump { dump: dump("vmcore_encrypted.") })
    } else if name.starts_with("key.") {
        Some(CrashFile::Key { dump: dump("key.") })
    } else if !is_number(bytes) {
        None
    } else if name == "bounds" {
        Some(CrashFile::Bounds)
    } else if name == "minfree" {
        Some(CrashFile::Minfree)
    } else {
        Some(CrashFile::Number)
    }
}

/// Its first line names the host and the path of the dump.
fn is_crashinfo(bytes: &[u8]) -> bool {
    const LONGEST: usize = 512;
    let start = bytes.get(..LONGEST).unwrap_or(bytes);
    let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    memchr::memmem::find(line, b" dumped core - see ").is_some()
}

fn is_number(bytes: &[u8]) -> bool {
    const LONGEST: usize = 24;
    let text = bytes.trim_ascii();
    !text.is_empty() && bytes.len() <= LONGEST && text.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str, bytes: &[u8]) -> CrashFile {
        recognise(Path::new(name), bytes).unwrap()
    }

    #[test]
    fn each_file_names_the_dump_that_it_is_about() {
        let dump = |name: &str| Some(name.to_owned());
        let summary = b"gw dumped core - see /var/crash/vmcore.3\n";
        let of_3 = CrashFile::Summary { dump: dump("3") };
        assert_eq!(known("/var/crash/core.txt.3", summary), of_3);
        assert_eq!(known("copy", summary), CrashFile::Summary { dump: None });
        let info = b"Dump header from device: x";
        assert_eq!(known("info.gw.4", info), CrashFile::Info { dump: dump("gw.4") });
        assert_eq!(known("copy", b"Dump header"), CrashFile::Info { dump: None });
        assert_eq!(known("key.0", b"\x01\x02"), CrashFile::Key { dump: dump("0") });
        let encrypted = CrashFile::EncryptedDump { dump: dump("5") };
        assert_eq!(known("vmcore_encrypted.5", b"\x91\x22"), encrypted);
    }

    #[test]
    fn numbers_are_no_dump() {
        assert_eq!(known("bounds", b"1\n"), CrashFile::Bounds);
        assert_eq!(known("minfree", b"2048\n"), CrashFile::Minfree);
        assert_eq!(known("copy", b"2048"), CrashFile::Number);
        assert_eq!(recognise(Path::new("bounds"), b"x\n"), None);
        assert_eq!(recognise(Path::new("raw"), &[b'0'; 4096]), None);
    }
}
