//! Hints for files that are not usable kernels.

use std::path::Path;

use vnetkvm::error::{KernelError, NotAKernel};

use super::other_file;

pub const NAME_THE_KERNEL: &str =
    "name the kernel's ELF file, such as /boot/kernel/kernel or kernel.debug";

pub fn hint(path: &Path, error: &KernelError) -> String {
    match error {
        KernelError::NotAKernel(NotAKernel::Minidump | NotAKernel::ElfCore) => {
            "-N takes the kernel and -M the dump: are they swapped?".into()
        }
        KernelError::NotAKernel(NotAKernel::Other(other)) => {
            other_file::for_kernel(path, other).unwrap_or_else(|| NAME_THE_KERNEL.into())
        }
        KernelError::Damaged { .. } | KernelError::Compressed { .. } => {
            "the file is damaged or cut short: copy it again".into()
        }
        _ => NAME_THE_KERNEL.into(),
    }
}
