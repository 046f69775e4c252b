//! What savecore(8) and crashinfo(8) leave beside a dump (`sbin/savecore/savecore.c` and
//! `usr.sbin/crashinfo/crashinfo.sh`, 14.0), and netdumpd(8) with a host's name.

use std::path::Path;

use super::{OtherFile, begins};

pub(super) fn recognise(path: &Path, bytes: &[u8]) -> Option<OtherFile> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (what, beside) = if begins(bytes, b"Dump header from device") || name.starts_with("info.") {
        ("the description of a dump", dump_of(&name, "info."))
    } else if is_crashinfo(bytes) || name.starts_with("core.txt.") {
        ("a summary of a dump by crashinfo(8)", dump_of(&name, "core.txt."))
    } else if name.starts_with("vmcore_encrypted.") {
        return Some(OtherFile {
            what: "an encrypted dump".to_owned(),
            may_hold_dump: true,
            for_dump: decrypt(&name),
            for_kernel: None,
        });
    } else if name.starts_with("key.") {
        ("the key of an encrypted dump", format!("vmcore_encrypted.{}", number(&name, "key.")))
    } else if name == "bounds" && is_number(bytes) {
        ("the number of the next dump", "vmcore.N".to_owned())
    } else if name == "minfree" && is_number(bytes) {
        ("the space that savecore(8) leaves free", "vmcore.N".to_owned())
    } else if is_number(bytes) {
        ("a number, as in the bounds and minfree of a crash directory", "vmcore.N".to_owned())
    } else {
        return None;
    };
    let for_dump = format!("the memory is in {beside} beside it");
    Some(OtherFile { what: what.to_owned(), may_hold_dump: false, for_dump, for_kernel: None })
}

/// How `name`, an encrypted dump, is decrypted.
pub fn decrypt(name: &str) -> String {
    let number = number(name, "vmcore_encrypted.");
    format!(
        "decrypt it first: decryptcore -p PRIVATE_KEY -k key.{number} -e vmcore_encrypted.{number} \
         -c vmcore.{number}"
    )
}

fn dump_of(name: &str, prefix: &str) -> String {
    format!("vmcore.{}", number(name, prefix))
}

/// What stands behind `prefix`, with the host's name if there is one.
fn number<'a>(name: &'a str, prefix: &str) -> &'a str {
    name.strip_prefix(prefix).filter(|rest| !rest.is_empty()).unwrap_or("N")
}

/// Its first line says whose dump it is about, and where that lies.
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

    fn known(name: &str, bytes: &[u8]) -> (String, String) {
        let other = recognise(Path::new(name), bytes).unwrap();
        (other.what, other.for_dump)
    }

    #[test]
    fn each_file_names_the_dump_that_it_is_about() {
        let (what, hint) =
            known("/var/crash/core.txt.3", b"gw dumped core - see /var/crash/vmcore.3\n");
        assert!(what.contains("crashinfo(8)"), "{what}");
        assert_eq!(hint, "the memory is in vmcore.3 beside it");
        assert_eq!(
            known("copy", b"gw dumped core - see x\n").1,
            "the memory is in vmcore.N beside it"
        );
        assert_eq!(
            known("info.gw.4", b"Dump header from device: x").1,
            "the memory is in vmcore.gw.4 beside it"
        );
        assert_eq!(known("copy", b"Dump header").0, "the description of a dump");
        assert_eq!(known("key.0", b"\x01\x02").1, "the memory is in vmcore_encrypted.0 beside it");
    }

    #[test]
    fn numbers_are_no_dump() {
        assert_eq!(known("bounds", b"1\n").0, "the number of the next dump");
        assert!(known("minfree", b"2048\n").0.contains("leaves free"));
        assert!(known("copy", b"2048").0.contains("minfree"));
        assert_eq!(recognise(Path::new("bounds"), b"x\n"), None);
        assert_eq!(recognise(Path::new("raw"), &[b'0'; 4096]), None);
    }

    #[test]
    fn an_encrypted_dump_is_decrypted_with_its_own_key() {
        let (_, hint) = known("vmcore_encrypted.5", b"\x91\x22");
        assert!(hint.ends_with("-k key.5 -e vmcore_encrypted.5 -c vmcore.5"), "{hint}");
    }
}
