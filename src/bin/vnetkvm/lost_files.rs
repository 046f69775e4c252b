//! Files that became unreadable while they were in use.

/// Could all files be read so far? An answer that rests on one that could not is not written.
pub fn require_intact_files() -> anyhow::Result<()> {
    match vnetkvm::source::lost() {
        Some(why) => Err(vnetkvm::Error::from(why).into()),
        None => Ok(()),
    }
}
