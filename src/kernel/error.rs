//! Why a file is not a usable kernel.

/// A file is no kernel that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KernelError {
    #[error("this is {what}, not a kernel ELF file")]
    NotAKernel { what: String, hint: Option<String> },
    #[error("the ELF file's {part} is damaged: {why}")]
    Damaged { part: &'static str, why: String },
    #[error("section {section} is compressed and does not unpack: {why}")]
    Compressed { section: String, why: String },
}
