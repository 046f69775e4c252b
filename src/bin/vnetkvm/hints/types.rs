//! Hints for types that are unknown or of the wrong kind.

use vnetkvm::error::{TypeError, WantedKind};
use vnetkvm::session::MissingTypes;

use super::suggestion::did_you_mean;

pub fn hint(error: &TypeError) -> Option<String> {
    match error {
        TypeError::NoDebugInfo => {
            Some("install the kernel's debug file and name its directory with --debug-dir".into())
        }
        TypeError::NoCtf => Some("leave out --types to use debug information".into()),
        TypeError::NotFound { near, .. } => did_you_mean(near),
        TypeError::NotInFile { name, elsewhere, .. } => {
            let named = elsewhere.iter().map(|file| format!("{name}@{file}"));
            did_you_mean(&named.collect::<Vec<_>>())
        }
        TypeError::Numbered { name, count: 1, .. } => did_you_mean(std::slice::from_ref(name)),
        TypeError::Numbered { name, .. } => did_you_mean(&[format!("{name}@#1")]),
        TypeError::NoMember { candidates, .. } => members(candidates),
        TypeError::Incomplete { .. } => {
            Some("a module's debug file may define it; else cast to another type".into())
        }
        TypeError::WrongKind { wanted: WantedKind::Record, .. } => {
            Some("it has no members: print it as it is, or cast it to a struct".into())
        }
        _ => None,
    }
}

/// The hint for a kernel whose types are not known.
pub fn missing_types(missing: &MissingTypes) -> String {
    if missing.why.is_about_ctf() && missing.debug_file.is_none() {
        return hint(&TypeError::NoCtf).unwrap_or_default();
    }
    let Some(file) = &missing.debug_file else {
        return "copy the debug file again, or use another one of the same build".into();
    };
    let build_id = file.build_id.as_deref().map(|bytes| {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!(" with build-id {hex}")
    });
    format!(
        "put its debug file, {}{}, beside the kernel, in a --debug-dir directory or below \
         /usr/lib/debug; -v shows where it looked",
        file.name,
        build_id.unwrap_or_default()
    )
}

fn members(candidates: &[String]) -> Option<String> {
    const SHOWN: usize = 12;
    if candidates.is_empty() {
        return None;
    }
    let shown = candidates.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if candidates.len() > SHOWN { ", …" } else { "" };
    Some(format!("its members: {shown}{more}"))
}
