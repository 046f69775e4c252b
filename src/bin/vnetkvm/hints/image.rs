//! Hints for images that cannot be built.

use vnetkvm::error::TypeError;
use vnetkvm::image::{ImageError, Memory};

pub fn hint(error: &ImageError) -> Option<String> {
    let hint = match error {
        ImageError::OutOfMemory { what: Memory::Physical, .. } => {
            "give the scenario more memory: memory = \"256M\""
        }
        ImageError::BadMemorySize { .. } => "give the scenario another size: memory = \"256M\"",
        ImageError::PageMapTooLarge { .. } => {
            "set kernel_map = \"0xfffffffe40000000\" in the scenario's [machine]"
        }
        ImageError::Type(TypeError::NoDebugInfo) => {
            "setting values needs the kernel's types: use a kernel with debug information, \
             or name its debug file"
        }
        ImageError::Type(TypeError::NoMember { candidates, .. }) if !candidates.is_empty() => {
            let likely: Vec<_> = candidates.iter().take(5).map(String::as_str).collect();
            return Some(format!("its members: {}", likely.join(", ")));
        }
        ImageError::Step { cause, .. } => return self::hint(cause),
        _ => return None,
    };
    Some(hint.into())
}
