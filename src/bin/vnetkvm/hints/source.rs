//! Hints for files that cannot be opened, read or unpacked.

use std::io::ErrorKind;

use vnetkvm::error::{Access, SourceError, UnpackError};

pub fn hint(error: &SourceError) -> Option<String> {
    let hint = match error.cause.kind() {
        ErrorKind::IsADirectory => "name the file in it, such as kernel or vmcore.0",
        ErrorKind::NotFound => {
            let here = error.path.parent().filter(|dir| !dir.as_os_str().is_empty());
            match here.filter(|dir| !dir.is_dir()) {
                Some(dir) => {
                    return Some(format!("the directory {} does not exist", dir.display()));
                }
                None if error.access == Access::OpenMemory => {
                    "check the name; in a jail it is there only if a ruleset of devfs(8) shows it"
                }
                None => "check the name: -N takes the kernel, -M the dump",
            }
        }
        ErrorKind::PermissionDenied if error.access == Access::OpenMemory => {
            "run as root or, on FreeBSD, as a member of the group kmem, which may read it; Linux \
             wants CAP_SYS_RAWIO"
        }
        ErrorKind::PermissionDenied => "run as root, or ask someone who may read it for a copy",
        ErrorKind::UnexpectedEof => "wait until it is fully written, or copy it, then try again",
        ErrorKind::Other => "copy what is readable to another disk, and try the copy",
        ErrorKind::Unsupported => "write it to a file, and name that file",
        _ => return None,
    };
    Some(hint.into())
}

pub fn unpack(error: &UnpackError) -> Option<&'static str> {
    match error {
        UnpackError::Damaged { .. } => {
            Some("copy it again, or unpack what you can with another tool")
        }
        UnpackError::NoSpace { .. } | UnpackError::File { .. } => {
            Some("set TMPDIR to an existing directory with more free space")
        }
        UnpackError::Input { .. } => Some("copy the file to another disk, and try the copy"),
        _ => None,
    }
}
