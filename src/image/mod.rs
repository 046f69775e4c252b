//! Builds kernel memory images.

pub mod dump;
mod error;
pub mod machine;

pub use self::error::ImageError;
