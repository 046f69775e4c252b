//! The kernel that a scenario names, unpacked if needed.

use std::path::Path;

use super::{ImageError, Scenario};
use crate::kernel::{Kernel, KernelError, NotAKernel};
use crate::source::Source;

/// The most bytes that a compressed kernel may unpack to.
const LARGEST: usize = 1 << 30;

/// The first bytes of a zstd file.
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

impl Scenario {
    /// Opens the kernel that the scenario names, and its debug file if one is named.
    ///
    /// # Errors
    /// No kernel is named, or the file cannot be read or is not a kernel.
    pub fn open_kernel(&self) -> Result<Kernel, ImageError> {
        let none = || ImageError::Scenario("it does not say which kernel to load".into());
        let main = open(self.kernel.as_deref().ok_or_else(none)?)?;
        let sibling = self.debug.as_deref().map(open).transpose()?;
        Ok(Kernel::open(main, sibling)?)
    }
}

fn open(path: &Path) -> Result<Source, ImageError> {
    let source = Source::open(path)?;
    match source.bytes().starts_with(ZSTD_MAGIC) {
        true => Ok(Source::from_vec(path, unpack(source.bytes(), LARGEST)?)),
        false => Ok(source),
    }
}

/// Unpacks a kernel of at most `largest` bytes that was compressed with zstd.
pub(super) fn unpack(packed: &[u8], largest: usize) -> Result<Vec<u8>, ImageError> {
    let damaged = |why: std::io::Error| NotAKernel::DamagedZstd { why: why.to_string() };
    let unpacked = zstd::bulk::decompress(packed, largest);
    Ok(unpacked.map_err(|why| KernelError::from(damaged(why)))?)
}
