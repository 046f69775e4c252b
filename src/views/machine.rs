//! What a kernel's memory says about the kernel and its machine: version,
//! host name, panic message.

use crate::target::Target;
use crate::value::Object;

/// The longest version, name or panic message, in bytes.
const MAX_TEXT: usize = 1024;

/// What the dump's memory says about its machine; `None` for what it does not have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// `version[]`: FreeBSD's release, the kernel's name, who built it and when.
    pub version: Option<String>,
    /// `__FreeBSD_version` of the kernel: 1201000.
    pub osreldate: Option<u64>,
    /// The name of the kernel's configuration: GENERIC.
    pub ident: Option<String>,
    /// The host name of prison0.
    pub hostname: Option<String>,
    /// Why it panicked; `None` for a kernel that did not.
    pub panic: Option<String>,
    /// CPUs in use.
    pub cpus: Option<u64>,
    /// Pages of physical memory that the kernel could use (`physmem`).
    pub physical_pages: Option<u64>,
}

impl Machine {
    /// Reads what it can. Nothing else depends on it.
    #[must_use]
    pub fn read(target: &Target) -> Self {
        let host = Object::global(target, "prison0").and_then(|host| host.text("pr_hostname"));
        Self {
            version: array(target, "version"),
            osreldate: target.integer("osreldate").ok(),
            ident: array(target, "kern_ident"),
            hostname: host.ok().filter(|name| !name.is_empty()),
            panic: pointer(target, "panicstr"),
            cpus: target.integer("mp_ncpus").ok(),
            physical_pages: target.integer("physmem").ok().filter(|pages| *pages > 0),
        }
    }
}

/// The text in a char array.
fn array(target: &Target, name: &str) -> Option<String> {
    let symbol = target.kernel().symbol(name)?;
    let max = usize::try_from(symbol.size).map_or(MAX_TEXT, |size| size.min(MAX_TEXT));
    text(target.memory().c_string(symbol.address, max).ok()?)
}

/// The text that a pointer points to.
fn pointer(target: &Target, name: &str) -> Option<String> {
    let at = target.memory().pointer(target.address_of(name).ok()?).ok()?;
    if at.is_null() {
        return None;
    }
    text(target.memory().c_string(at, MAX_TEXT).ok()?)
}

fn text(bytes: Vec<u8>) -> Option<String> {
    let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
    (!text.is_empty()).then_some(text)
}
