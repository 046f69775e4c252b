//! Files that became unreadable while they were in use.

/// Fails if a file became unreadable. An answer that may rest on it must not be written.
pub fn require_intact_files() -> anyhow::Result<()> {
    match vnetkvm::source::lost() {
        Some(why) => Err(vnetkvm::Error::from(why).into()),
        None => Ok(()),
    }
}
