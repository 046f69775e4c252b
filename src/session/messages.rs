//! What the kernel had to say before it died.

use serde::Serialize;

use crate::dump::Core;

/// The lines of the message buffer, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Messages {
    /// Read from the kernel's memory, not from a minidump's copy, which is a little older.
    pub in_memory: bool,
    /// Oldest first.
    pub lines: Vec<String>,
}

impl Messages {
    /// A minidump's own copy of the buffer; `None` in other dumps.
    #[must_use]
    pub fn saved(core: &Core) -> Option<Self> {
        let lines = core.saved_messages()?;
        Some(Self { in_memory: false, lines })
    }

    /// The version that the kernel printed when it booted. The buffer survives a warm
    /// reboot, so it may hold those of several kernels; the last one counts.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.booted().map(|(_, version)| version)
    }

    /// Why it panicked (`vpanic`, `sys/kern/kern_shutdown.c`); the first panic is the
    /// cause of any that follow it.
    pub fn panic(&self) -> Option<&str> {
        let start = self.booted().map_or(0, |(at, _)| at);
        let mut lines = self.lines.iter().skip(start);
        lines.find_map(|line| line.strip_prefix("panic: ")).map(str::trim_end)
    }

    /// Where the last boot begins, as far as the messages show, and the version printed there.
    fn booted(&self) -> Option<(usize, &str)> {
        let is_version = |line: &str| {
            let number = line.strip_prefix("FreeBSD ").and_then(|rest| rest.chars().next());
            number.is_some_and(|first| first.is_ascii_digit())
        };
        let at = self.lines.iter().rposition(|line| is_version(line))?;
        Some((at, self.lines.get(at)?.trim_end()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(lines: &[&str]) -> Messages {
        Messages { in_memory: false, lines: lines.iter().map(ToString::to_string).collect() }
    }

    #[test]
    fn the_last_boot_is_the_one_that_crashed() {
        let told = messages(&[
            "panic: of yesterday",
            "FreeBSD is a registered trademark of The FreeBSD Foundation.",
            "FreeBSD 12.1-RELEASE r1 GENERIC amd64",
            "panic: page fault",
            "panic: while dumping",
        ]);
        assert_eq!(told.version(), Some("FreeBSD 12.1-RELEASE r1 GENERIC amd64"));
        assert_eq!(told.panic(), Some("page fault"));
    }

    #[test]
    fn what_was_overwritten_is_not_known() {
        let told = messages(&["em0: link state changed to UP", "panic: double fault"]);
        assert_eq!((told.version(), told.panic()), (None, Some("double fault")));
        assert_eq!(messages(&[]).panic(), None);
    }
}
