//! The functions and lines at an address, by the addr2line crate.

use crate::types::dwarf::code::Code;
use crate::types::source_path::source_path;

/// A function that an address is in: one that was inlined there, or the one around.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceFrame {
    /// Its name in the source.
    pub function: Option<Box<str>>,
    /// The source file, below `sys/`: of the address itself in the innermost function, of the
    /// call in the others.
    pub file: Option<Box<str>>,
    /// The line there.
    pub line: Option<u32>,
}

/// The most functions that are inlined into each other. Compilers stop at a tenth of that.
const MOST_FRAMES: usize = 64;

impl Code<'_> {
    /// The functions at an address, innermost first: those that were inlined there, and
    /// last the one that is called. Empty if the debug information does not say.
    pub fn source(&self, address: u64) -> Vec<SourceFrame> {
        if self.scopes(address).is_none() {
            return Vec::new();
        }
        let Some(context) = self.context() else { return Vec::new() };
        // No unit's entries are in a file of their own: kernels are not built that way.
        let Ok(mut frames) = context.find_frames(address).skip_all_loads() else {
            return Vec::new();
        };
        let mut found = Vec::new();
        while let Ok(Some(frame)) = frames.next() {
            let name = frame.function.as_ref().and_then(|name| name.raw_name().ok());
            let location = frame.location.as_ref();
            found.push(SourceFrame {
                function: name.map(|name| name.into_owned().into()),
                file: location.and_then(|at| at.file).map(source_path),
                line: location.and_then(|at| at.line),
            });
            if found.len() == MOST_FRAMES {
                break;
            }
        }
        found
    }
}
