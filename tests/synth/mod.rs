//! Small dumps written byte by byte, for tests: what the kernel writes, by our
//! own reading of its source, and nothing of the reader under test.

#![allow(dead_code, reason = "each test program uses a part of it")]

pub mod flat;
pub mod physical;
pub mod specimen;

use std::collections::BTreeMap;

pub const PAGE: u64 = 4096;
pub const KERNBASE: u64 = 0xffff_fe00_0000_0000;
pub const DMAP: u64 = 0xffff_f800_0000_0000;
pub const DMAP_END: u64 = 0xffff_fc00_0000_0000;

const VALID: u64 = 1;
const LARGE: u64 = 0x80;
/// Bits that entries of a running kernel carry beside the address: accessed,
/// dirty, writable, global, no-execute.
const DECORATION: u64 = 0x8000_0000_0000_0162;

/// Physical memory: pages by number.
#[derive(Clone, Default)]
pub struct Memory(pub BTreeMap<u64, Vec<u8>>);

impl Memory {
    /// Puts the page at `phys`, every word of it telling its own address.
    pub fn page(&mut self, phys: u64) {
        let words = (phys..phys + PAGE).step_by(8).map(word_at);
        self.0.insert(phys / PAGE, words.flat_map(u64::to_le_bytes).collect());
    }

    /// Puts a table at `phys` with these entries, the rest zero.
    pub fn table(&mut self, phys: u64, entries: &[(usize, u64)]) {
        let mut page = vec![0; PAGE as usize];
        for (index, entry) in entries {
            page[index * 8..index * 8 + 8].copy_from_slice(&entry.to_le_bytes());
        }
        self.0.insert(phys / PAGE, page);
    }
}

/// The word that stands at physical address `phys` in a page of [`Memory::page`]:
/// no number that could pass for an address or an entry.
pub fn word_at(phys: u64) -> u64 {
    phys | 0x5a5a_0000_0000_0001
}

pub fn entry(phys: u64) -> u64 {
    phys | VALID | DECORATION
}

pub fn large(phys: u64) -> u64 {
    entry(phys) | LARGE
}

/// A minidump in the making.
#[derive(Clone)]
pub struct Minidump {
    pub version: u32,
    pub message_buffer: Vec<u8>,
    /// Ranges of physical memory; written in version 3 only.
    pub dump_avail: Vec<(u64, u64)>,
    pub page_map: Vec<u64>,
    pub memory: Memory,
}

/// The names of its parts and where each begins, the end of the file included.
pub type Boundaries = Vec<(&'static str, usize)>;

impl Minidump {
    /// A dump in which each way of translation is used once:
    ///
    /// - kernbase + 0 → 0x111000, + 0x1000 invalid, + 0x2000 → a page left out,
    ///   + 0x3000 → 0x9e000, just below the hole
    /// - kernbase + 2M → a large page at 0x200000, its first two pages dumped
    ///   (version 1: nothing)
    /// - kernbase + 4M → a page table that is left out (version 1: nothing)
    /// - direct map: 0x10000, 0x9e000, 0x111000, 0x200000, 0x201000
    pub fn sample(version: u32) -> Self {
        let mut memory = Memory::default();
        for phys in [0x1_0000, 0x9_e000, 0x11_1000, 0x20_0000, 0x20_1000] {
            memory.page(phys);
        }
        let leaves = [entry(0x11_1000), 0x11_1000, entry(0x11_2000), entry(0x9_e000)];
        let mut page_map = vec![0; 512];
        if version == 1 {
            page_map[..4].copy_from_slice(&leaves);
        } else {
            let leaves = leaves.into_iter().enumerate().collect::<Vec<_>>();
            memory.table(0x11_0000, &leaves);
            page_map[0] = entry(0x11_0000);
            page_map[1] = large(0x20_0000) | 0x1000;
            page_map[2] = entry(0x11_3000);
        }
        Self {
            version,
            message_buffer: b"<118>Hello from the ring.\n".repeat(200),
            dump_avail: vec![(0x1000, 0x9_f000), (0x10_0000, 0x40_0000)],
            page_map,
            memory,
        }
    }

    /// The bit of the page at `phys`.
    fn bit(&self, phys: u64) -> u64 {
        if self.version < 3 {
            return phys / PAGE;
        }
        let mut bit = 0;
        for (start, end) in &self.dump_avail {
            if (*start..*end).contains(&phys) {
                return bit + phys / PAGE - start / PAGE;
            }
            bit += end.div_ceil(PAGE) - start / PAGE;
        }
        panic!("{phys:#x} is not in dump_avail");
    }

    pub fn write(&self) -> (Vec<u8>, Boundaries) {
        let mut bitmap = vec![0_u8; PAGE as usize];
        for page in self.memory.0.keys() {
            let bit = self.bit(page * PAGE) as usize;
            bitmap[bit / 8] |= 1 << (bit % 8);
        }
        let mut header = b"minidump FreeBSD/amd64\0\0".to_vec();
        for word in [
            self.version,
            self.message_buffer.len() as u32,
            bitmap.len() as u32,
            self.page_map.len() as u32 * 8,
        ] {
            header.extend(word.to_le_bytes());
        }
        for quad in [KERNBASE, DMAP, DMAP_END] {
            header.extend(quad.to_le_bytes());
        }
        let mut parts = vec![("message buffer", self.message_buffer.clone())];
        if self.version >= 3 {
            header.extend((PAGE as u32).to_le_bytes());
            let pairs = self.dump_avail.iter().flat_map(|(start, end)| [*start, *end]);
            parts.push(("dump_avail", pairs.flat_map(u64::to_le_bytes).collect()));
        }
        parts.push(("bitmap", bitmap));
        parts.push(("page map", self.page_map.iter().flat_map(|e| e.to_le_bytes()).collect()));
        parts.push(("pages", self.memory.0.values().flatten().copied().collect()));
        parts.insert(0, ("header", header));

        let (mut bytes, mut boundaries) = (Vec::new(), Vec::new());
        for (name, part) in parts {
            boundaries.push((name, bytes.len()));
            bytes.extend(part);
            bytes.resize(bytes.len().next_multiple_of(PAGE as usize), 0);
        }
        boundaries.push(("end", bytes.len()));
        (bytes, boundaries)
    }
}

/// A full dump in the making: an ELF core of physical memory.
#[derive(Clone)]
pub struct FullDump {
    pub os: u8,
    pub ehsize: u16,
    /// Contiguous runs of pages become segments.
    pub memory: Memory,
}

/// Where the sample's kernel lies, and where its variable KPML4phys does.
pub const LOAD: u64 = 0x20_0000;
pub const KERNEL: u64 = 0xffff_ffff_8000_0000;

impl FullDump {
    /// A machine with its page tables at 0x100000 (four levels) and 0x106000 (five):
    ///
    /// - kernel + 2M → a large page at 0x200000
    /// - kernbase + 0 → 0x9e000, + 0x1000 → a page left out, + 0x2000 invalid,
    ///   + 2M → a page table left out
    /// - direct map + 0 → a page of 1 GB
    pub fn sample() -> Self {
        let mut memory = Memory::default();
        let at = |va: u64, span_bits: u32| (va >> span_bits) as usize % 512;
        memory.table(
            0x10_0000,
            &[
                (at(KERNEL, 39), entry(0x10_1000)),
                (at(KERNBASE, 39), entry(0x10_3000)),
                (at(DMAP, 39), entry(0x10_2000)),
            ],
        );
        memory.table(0x10_1000, &[(at(KERNEL, 30), entry(0x10_7000))]);
        memory.table(0x10_7000, &[(1, large(LOAD))]);
        memory.table(0x10_2000, &[(0, large(0))]);
        memory.table(0x10_3000, &[(0, entry(0x10_4000))]);
        memory.table(0x10_4000, &[(0, entry(0x10_5000)), (1, entry(0x7f_0000))]);
        memory.table(0x10_5000, &[(0, entry(0x9_e000)), (1, entry(0xa_0000)), (2, 0x9_e000)]);
        memory.table(0x10_6000, &[(511, entry(0x10_0000))]);
        for phys in [0x9_d000, 0x9_e000, LOAD, LOAD + PAGE] {
            memory.page(phys);
        }
        Self { os: 255, ehsize: 64, memory }
    }

    /// Physical runs: start and bytes.
    fn runs(&self) -> Vec<(u64, Vec<u8>)> {
        let mut runs: Vec<(u64, Vec<u8>)> = Vec::new();
        for (page, bytes) in &self.memory.0 {
            match runs.last_mut() {
                Some((start, run)) if *start + run.len() as u64 == page * PAGE => run.extend(bytes),
                _ => runs.push((page * PAGE, bytes.clone())),
            }
        }
        runs
    }

    pub fn write(&self) -> (Vec<u8>, Boundaries) {
        let runs = self.runs();
        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.push(self.os);
        bytes.resize(16, 0);
        bytes.extend(4_u16.to_le_bytes());
        bytes.extend(62_u16.to_le_bytes());
        // The kernel leaves e_version zero.
        bytes.extend(0_u32.to_le_bytes());
        for quad in [0_u64, 64, 0] {
            bytes.extend(quad.to_le_bytes());
        }
        bytes.extend(0_u32.to_le_bytes());
        for half in [self.ehsize, 56, runs.len() as u16, 64, 0, 0] {
            bytes.extend(half.to_le_bytes());
        }
        let mut boundaries = vec![("ELF header", 0), ("program headers", bytes.len())];
        let mut offset = (bytes.len() + runs.len() * 56).next_multiple_of(PAGE as usize);
        for (start, run) in &runs {
            bytes.extend(1_u32.to_le_bytes());
            bytes.extend(4_u32.to_le_bytes());
            let len = run.len() as u64;
            let virt = if self.os == 255 { *start } else { 0 };
            for quad in [offset as u64, virt, *start, len, len, PAGE] {
                bytes.extend(quad.to_le_bytes());
            }
            offset += run.len();
        }
        bytes.resize(bytes.len().next_multiple_of(PAGE as usize), 0);
        for (_, run) in runs {
            boundaries.push(("segment", bytes.len()));
            bytes.extend(run);
        }
        boundaries.push(("end", bytes.len()));
        (bytes, boundaries)
    }
}

/// A kernel dump header, which is big-endian everywhere.
#[derive(Clone, Copy)]
pub struct DumpHeader {
    /// 1 or 4.
    pub version: u32,
    pub block: usize,
    pub key_len: u32,
    /// 0 none, 1 gzip, 2 zstd.
    pub compression: u8,
    pub len: u64,
    pub extent: u64,
}

impl DumpHeader {
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.block];
        let mut put = |at: usize, what: &[u8]| bytes[at..at + what.len()].copy_from_slice(what);
        put(0, b"FreeBSD Kernel Dump");
        put(20, b"amd64");
        put(32, &self.version.to_be_bytes());
        put(40, &self.len.to_be_bytes());
        put(48, &1_700_000_000_u64.to_be_bytes());
        let text = if self.version >= 4 { 64 } else { 60 };
        put(text - 4, &(self.block as u32).to_be_bytes());
        put(text, b"crashed.example.org");
        put(text + 64, b"FreeBSD 12.1-RELEASE r0 GENERIC\n");
        put(text + 256, b"page fault");
        if self.version >= 4 {
            put(56, &self.key_len.to_be_bytes());
            put(495, &[self.compression]);
            put(496, &self.extent.to_be_bytes());
        }
        let words = bytes[..508].chunks(4).map(|word| u32::from_be_bytes(word.try_into().unwrap()));
        let parity = words.fold(0, |sum, word| sum ^ word);
        bytes[508..512].copy_from_slice(&parity.to_be_bytes());
        bytes
    }

    /// A device of which the first 64 KB are never touched, `dump` at its end.
    pub fn device(&self, dump: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x5a; 64 << 10];
        bytes.extend(self.write());
        let start = bytes.len();
        bytes.extend(dump);
        bytes.resize(start + self.extent as usize, 0xa5);
        bytes.extend(self.write());
        bytes
    }
}
