//! What savecore(8) wrote beside a dump, compared with the dump.

use std::path::{Path, PathBuf};

use super::Messages;
use crate::dump::{Core, DumpIdentity, InfoFile};
use crate::source::{Source, crash};

/// The file info.N beside a dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavecoreInfo {
    /// The path of info.N.
    pub path: PathBuf,
    /// What it says.
    pub info: InfoFile,
}

impl SavecoreInfo {
    /// Reads the one that belongs to the dump at `core`, by its name.
    #[must_use]
    pub fn find(core: &Path) -> Option<Self> {
        let path = crash::info_beside(core)?;
        let info = InfoFile::parse(Source::open(&path).ok()?.bytes())?;
        Some(Self { path, info })
    }

    /// Evidence that it is not about `core`, or that the dump is damaged, as sentences;
    /// `known` is what the dump's memory says about its machine.
    #[must_use]
    pub fn disagreements(&self, core: &Core, known: DumpIdentity) -> Vec<String> {
        let own = identity(core);
        let known = DumpIdentity {
            host: known.host.or(own.host),
            panic: known.panic.or(own.panic),
            version: known.version.or(own.version),
        };
        let path = self.path.display();
        let found = self.info.disagreements(core, &known).into_iter();
        found.map(|why| format!("{path} {why}")).collect()
    }
}

/// What a dump says about its machine without a kernel: in its header, or in a minidump's
/// copy of the kernel's messages.
fn identity(core: &Core) -> DumpIdentity {
    let messages = Messages::saved(core);
    let message = |what: fn(&Messages) -> Option<&str>| Some(what(messages.as_ref()?)?.to_owned());
    let header = core.header.as_ref();
    let text = |text: &String| (!text.is_empty()).then(|| text.clone());
    DumpIdentity {
        host: header.and_then(|header| text(&header.host)),
        panic: header.and_then(|header| text(&header.panic)).or_else(|| message(Messages::panic)),
        version: header
            .and_then(|header| text(&header.kernel_version))
            .or_else(|| message(Messages::version)),
    }
}
