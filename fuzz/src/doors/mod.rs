//! The doors that outsiders' bytes come through, a function for each.
//!
//! A door takes any bytes. It must end, in time and memory that the bytes are worth, and without a
//! panic; answers and errors are both right. Fuzzers call the doors with bytes that they
//! make, tests with those that were kept.

mod dumps;
mod edits;
mod elf;
mod fields;
mod images;
mod kernels;
mod texts;
mod views;
mod whole_dump;

pub use dumps::{compressed, dump_device, elf_core, minidump, raw_memory};
pub use images::COUNT as IMAGES;
pub use kernels::{ctf, dwarf, kernel_elf, module};
pub use texts::{expression, gdb_packets, info_file, scenario};
pub use whole_dump::whole_dump;

/// What takes bytes from outside.
pub type Door = fn(&[u8]);

/// Each door by the name of its fuzz target, which is that of its folder in `corpus/` too.
pub const DOORS: [(&str, Door); 14] = [
    ("compressed", compressed),
    ("ctf", ctf),
    ("dump_device", dump_device),
    ("dwarf", dwarf),
    ("elf_core", elf_core),
    ("expression", expression),
    ("gdb_packets", gdb_packets),
    ("info_file", info_file),
    ("kernel_elf", kernel_elf),
    ("minidump", minidump),
    ("module", module),
    ("raw_memory", raw_memory),
    ("scenario", scenario),
    ("whole_dump", whole_dump),
];
