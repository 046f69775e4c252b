//! Files that cannot be opened, read or unpacked.

use std::io::ErrorKind;

use vnetkvm::error::{SourceError, UnpackError};

pub fn hint(error: &SourceError) -> Option<String> {
    let hint = match error.cause.kind() {
        ErrorKind::IsADirectory => "name the file in it, such as kernel or vmcore.0",
        ErrorKind::NotFound => {
            let here = error.path.parent().filter(|dir| !dir.as_os_str().is_empty());
            match here.filter(|dir| !dir.is_dir()) {
                Some(dir) => {
                    return Some(format!("there is no directory {} either", dir.display()));
                }
                None => "check the name: -N takes the kernel's file, -M the dump's",
            }
        }
        ErrorKind::PermissionDenied => "you may not read it: run as root, or have somebody copy it",
        ErrorKind::UnexpectedEof => {
            "wait until whatever writes it is done, or copy it, and ask again"
        }
        ErrorKind::Other => "copy what can be read of it to another disk, and try there",
        ErrorKind::Unsupported => "write it to a file, and name that",
        _ => return None,
    };
    Some(hint.into())
}

pub fn unpack(error: &UnpackError) -> Option<&'static str> {
    match error {
        UnpackError::Damaged { .. } => {
            Some("copy it again, or unpack by other means what can be unpacked")
        }
        UnpackError::NoSpace { .. } | UnpackError::File { .. } => Some(
            "name a directory that exists and has more room in the environment variable TMPDIR",
        ),
        UnpackError::Input { .. } => Some("copy the file to another disk and try there"),
        _ => None,
    }
}
