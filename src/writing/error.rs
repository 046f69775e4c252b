//! Why a dump cannot be written.

/// A dump cannot be written in a format.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// ELF cannot count that many segments.
    #[error("the memory is in {count} pieces, more than an ELF core counts")]
    TooManySegments {
        /// How many segments there would be.
        count: usize,
    },
    /// The architecture's kernels write no such version.
    #[error("{arch} minidumps of these kernels have versions {oldest} to {newest}, not {version}")]
    NoSuchVersion {
        /// The architecture.
        arch: crate::arch::Arch,
        /// The version that was asked for.
        version: u32,
        /// The first version.
        oldest: u32,
        /// The last version.
        newest: u32,
    },
    /// A part is larger than its field in the header can say.
    #[error("the {part} would have {bytes:#x} bytes, more than a minidump can say")]
    TooLarge {
        /// The part of the minidump.
        part: &'static str,
        /// Its size in bytes.
        bytes: u64,
    },
    /// The operating system's error while reading or writing.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
