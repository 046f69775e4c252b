//! What the fuzzers do with bytes from outside. Tests replay the corpora through the same functions.

pub mod doors;
