//! The fixture kernels, one of each release and architecture.

pub const KERNELS: [&str; 13] = [
    "classic-clang-dwarf4",
    "newer-clang-dwarf4",
    "stable13-clang-dwarf4",
    "stable14-clang-dwarf4",
    "stable15-clang-dwarf4",
    "arm64",
    "arm64-newer",
    "armv7",
    "i386",
    "i386-newer",
    "powerpc64",
    "powerpc64le",
    "riscv64",
];
