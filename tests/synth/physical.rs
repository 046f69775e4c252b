//! Machines with their page tables in physical memory, written byte by byte: full
//! dumps, raw memory, and cores by virtual addresses.

use super::flat::word_at;
use std::collections::BTreeMap;

/// A machine: pages of memory, page tables among them, and what is true of it.
#[derive(Clone)]
pub struct Machine {
    pub name: &'static str,
    pub elf_machine: u16,
    pub class_64: bool,
    /// EI_OSABI; 255 is FreeBSD's own dump.
    pub os: u8,
    pub pages: BTreeMap<u64, Vec<u8>>,
    pub root: u64,
    /// Addresses, and the physical addresses of the words that stand there.
    pub truth: Vec<(u64, u64)>,
    /// Addresses that are not mapped; level, place and value of the entry that says so.
    pub invalid: Vec<(u64, &'static str, u64, u64)>,
    /// A PT_NOTE segment's bytes.
    pub notes: Vec<u8>,
    /// PT_DUMP_DELTA: virtual and physical address.
    pub delta: Option<(u64, u64)>,
    entry_size: usize,
}

impl Machine {
    pub fn all() -> Vec<Self> {
        let mut all = vec![Self::amd64(), Self::arm64(4096), Self::arm64(16384)];
        all.extend([false, true].map(Self::riscv64));
        all.extend([false, true].map(Self::i386));
        all.extend([false, true].map(Self::arm));
        all
    }

    fn new(name: &'static str, elf_machine: u16, class_64: bool, entry_size: usize) -> Self {
        Self {
            name,
            elf_machine,
            class_64,
            os: 255,
            pages: BTreeMap::new(),
            root: 0,
            truth: Vec::new(),
            invalid: Vec::new(),
            notes: Vec::new(),
            delta: None,
            entry_size,
        }
    }

    fn page(&mut self, phys: u64) {
        let words = (phys..phys + 4096).step_by(8).map(word_at);
        self.pages.insert(phys, words.flat_map(u64::to_le_bytes).collect());
    }

    /// Sets entry `index` of the table at `table`.
    fn entry(&mut self, table: u64, index: u64, value: u64) {
        let at = table + index * self.entry_size as u64;
        let page = self.pages.entry(at & !0xfff).or_insert_with(|| vec![0; 4096]);
        let at = (at & 0xfff) as usize;
        page[at..at + self.entry_size].copy_from_slice(&value.to_le_bytes()[..self.entry_size]);
    }

    /// Maps `virt` down to a page at `phys` through `tables`, a (shift, bits, table) for each
    /// level; upper entries are what `link` makes of the next table, the last is `leaf`.
    fn map(&mut self, virt: u64, tables: &[(u32, u32, u64)], link: fn(u64) -> u64, leaf: u64) {
        for (level, (shift, bits, table)) in tables.iter().enumerate() {
            let index = virt >> shift & ((1 << bits) - 1);
            let value = tables.get(level + 1).map_or(leaf, |(_, _, next)| link(*next));
            self.entry(*table, index, value);
        }
    }

    pub fn amd64() -> Self {
        let mut machine = Self::new("amd64", 62, true, 8);
        let (base, link) = (0xffff_fe00_0000_0000, (|table| table | 0x27) as fn(u64) -> u64);
        machine.root = 0x1000;
        let tables = [(39, 9, 0x1000), (30, 9, 0x2000), (21, 9, 0x3000), (12, 9, 0x4000)];
        machine.map(base, &tables, link, 0x1_0000 | 0x163 | 1 << 63);
        machine.map(base + (2 << 20), &tables[..3], link, 0x20_1000 | 0x1e3);
        [0x1_0000, 0x20_0000, 0x20_1000].into_iter().for_each(|phys| machine.page(phys));
        machine.truth = vec![(base + 8, 0x1_0008), (base + (2 << 20) + 0x1010, 0x20_1010)];
        machine.invalid =
            vec![(base + 0x1000, "PT", 0x4008, 0), (base + (8 << 20), "PD", 0x3020, 0)];
        machine
    }

    pub fn arm64(page: u64) -> Self {
        let name = if page == 4096 { "arm64 4K" } else { "arm64 16K" };
        let mut machine = Self::new(name, 183, true, 8);
        let (base, ram) = (0xffff_0000_0000_0000, 0x4000_0000);
        let link = (|table| table | 3) as fn(u64) -> u64;
        let shift = page.trailing_zeros();
        let bits = shift - 3;
        let table = |index: u64| ram + 0x1_0000 + index * page;
        let top = if page == 4096 { 9 } else { 1 };
        let shifts = [shift + 3 * bits, shift + 2 * bits, shift + bits, shift];
        let tables = [
            (shifts[0], top, table(0)),
            (shifts[1], bits, table(1)),
            (shifts[2], bits, table(2)),
            (shifts[3], bits, table(3)),
        ];
        machine.root = table(0);
        let leaf = 0x0060_0000_0000_0703;
        machine.map(base, &tables, link, ram | leaf);
        machine.map(base + 3 * page, &tables, link, (ram + page * 2) | leaf);
        // A block of level 2.
        let block = 1 << shifts[2];
        machine.map(base + block, &tables[..3], link, 0x6000_0000 | 0x0060_0000_0000_0701);
        for phys in [ram, ram + 2 * page, 0x6000_0000, 0x6000_5000] {
            machine.page(phys);
        }
        machine.truth = vec![
            (base + 16, ram + 16),
            (base + 3 * page, ram + 2 * page),
            (base + block + 0x5008, 0x6000_5008),
        ];
        machine.invalid = vec![(base + page, "L3", table(3) + 8, 0)];
        machine
    }

    pub fn riscv64(sv48: bool) -> Self {
        let name = if sv48 { "riscv64 Sv48" } else { "riscv64 Sv39" };
        let mut machine = Self::new(name, 243, true, 8);
        let (base, ram) = (0xffff_ffc0_0000_0000_u64, 0x8000_0000_u64);
        let link = (|table| table >> 2 | 1) as fn(u64) -> u64;
        let table = |index: u64| ram + 0x1_0000 + index * 4096;
        let tables = [(39, 9, table(0)), (30, 9, table(1)), (21, 9, table(2)), (12, 9, table(3))];
        let tables = if sv48 { &tables[..] } else { &tables[1..] };
        machine.root = tables[0].2;
        machine.map(base, tables, link, ram >> 2 | 0xcf);
        machine.map(
            base + (2 << 20),
            &tables[..tables.len() - 1],
            link,
            (ram + (2 << 20)) >> 2 | 0xcf,
        );
        // An address space of 1 GB: the direct map's pages.
        let direct = 0xffff_ffd0_0000_0000_u64;
        machine.map(direct, &tables[..tables.len() - 2], link, ram >> 2 | 0xc7);
        for phys in [ram, ram + (2 << 20) + 0x3000] {
            machine.page(phys);
        }
        machine.truth = vec![
            (base + 16, ram + 16),
            (base + (2 << 20) + 0x3000, ram + (2 << 20) + 0x3000),
            (direct + 8, ram + 8),
        ];
        machine.invalid = vec![(base + 0x1000, "L3", table(3) + 8, 0)];
        machine
    }

    pub fn i386(pae: bool) -> Self {
        let (name, size) = if pae { ("i386 PAE", 8) } else { ("i386", 4) };
        let mut machine = Self::new(name, 3, false, size);
        let base = 0x80_0000;
        let link = (|table| table | 1) as fn(u64) -> u64;
        if pae {
            // The four entries at the top need not begin a page.
            machine.root = 0x1020;
            let tables = [(30, 2, 0x1020), (21, 9, 0x2000), (12, 9, 0x3000)];
            let high = 0x1_0010_0000;
            machine.map(base, &tables, link, high | 0x163 | 1 << 63);
            machine.map(base + (2 << 20), &tables[..2], link, 0x20_0000 | 0x1e3);
            [high, 0x20_0000, 0x20_3000].into_iter().for_each(|phys| machine.page(phys));
            machine.truth = vec![(base + 8, high + 8), (base + (2 << 20) + 0x3010, 0x20_3010)];
            machine.invalid = vec![(base + 0x1000, "PT", 0x3008, 0)];
        } else {
            machine.root = 0x1000;
            let tables = [(22, 10, 0x1000), (12, 10, 0x3000)];
            machine.map(base, &tables, link, 0x1_0000 | 0x163);
            machine.map(base + (4 << 20), &tables[..1], link, 0x40_0000 | 0x1e3);
            [0x1_0000, 0x40_0000, 0x40_3000].into_iter().for_each(|phys| machine.page(phys));
            machine.truth = vec![(base + 8, 0x1_0008), (base + (4 << 20) + 0x3010, 0x40_3010)];
            machine.invalid = vec![(base + 0x1000, "PT", 0x3004, 0)];
        }
        machine
    }

    pub fn arm(long: bool) -> Self {
        let (name, size) = if long { ("armv7 LPAE", 8) } else { ("armv7", 4) };
        let mut machine = Self::new(name, 40, false, size);
        let (base, ram) = (0xc000_0000, 0x1000_0000_u64);
        if long {
            machine.root = ram + 0x4020;
            let tables = [(30, 2, ram + 0x4020), (21, 9, ram + 0x5000), (12, 9, ram + 0x6000)];
            let link = (|table| table | 3) as fn(u64) -> u64;
            machine.map(base, &tables, link, ram | 0x703);
            machine.map(base + (2 << 20), &tables[..2], link, (ram + (2 << 20)) | 0x701);
            [ram, ram + (2 << 20) + 0x1000].into_iter().for_each(|phys| machine.page(phys));
            machine.truth =
                vec![(base + 8, ram + 8), (base + (2 << 20) + 0x1008, ram + (2 << 20) + 0x1008)];
            machine.invalid = vec![(base + 0x1000, "L3", ram + 0x6008, 0)];
        } else {
            machine.root = ram + 0x4000;
            // Tables of level 2 have 1 KB: this one is the second in its page.
            let (top, second) = (ram + 0x4000, ram + 0x8400);
            let tables = [(20, 12, top), (12, 8, second)];
            let link = (|table| table | 1) as fn(u64) -> u64;
            machine.map(base, &tables, link, ram | 0x413);
            // A large page of 64 KB, a section of 1 MB, a supersection of 16 MB above 4 GB.
            for page in 16..32 {
                machine.map(base + page * 4096, &tables, link, (ram + 0x1_0000) | 0x411);
            }
            machine.map(base + (1 << 20), &tables[..1], link, (ram + (1 << 20)) | 0x40e);
            let wide = 1 << 20 | 1 << 18 | 0x402;
            machine.map(base + (16 << 20), &tables[..1], link, wide);
            let high = 0x1_0000_0000;
            for phys in [ram, ram + 0x1_3000, ram + (1 << 20) + 0x2000, high] {
                machine.page(phys);
            }
            machine.truth = vec![
                (base + 8, ram + 8),
                (base + 0x1_3008, ram + 0x1_3008),
                (base + (1 << 20) + 0x2010, ram + (1 << 20) + 0x2010),
                (base + (16 << 20), high),
            ];
            machine.invalid = vec![
                (base + 0x1000, "L2", second + 4, 0),
                (base + (2 << 20), "L1", top + 0xc02 * 4, 0),
            ];
        }
        machine
    }

    /// Contiguous runs of pages: start and bytes.
    fn runs(&self) -> Vec<(u64, Vec<u8>)> {
        let mut runs: Vec<(u64, Vec<u8>)> = Vec::new();
        for (phys, bytes) in &self.pages {
            match runs.last_mut() {
                Some((start, run)) if *start + run.len() as u64 == *phys => run.extend(bytes),
                _ => runs.push((*phys, bytes.clone())),
            }
        }
        runs
    }

    /// The memory without headers, and where each run of it belongs:
    /// physical address, length, offset.
    pub fn raw(&self) -> (Vec<u8>, Vec<(u64, u64, u64)>) {
        let (mut bytes, mut segments) = (Vec::new(), Vec::new());
        for (start, run) in self.runs() {
            segments.push((start, run.len() as u64, bytes.len() as u64));
            bytes.extend(run);
        }
        (bytes, segments)
    }

    pub fn full_dump(&self) -> Vec<u8> {
        let os = self.os;
        let mut segments = Vec::new();
        if let Some((virt, phys)) = self.delta {
            segments.push((0x6fb5_d000, virt, phys, Vec::new()));
        }
        if !self.notes.is_empty() {
            segments.push((4, 0, 0, self.notes.clone()));
        }
        for (start, run) in self.runs() {
            segments.push((1, if os == 255 { start } else { 0 }, start, run));
        }
        elf(self.elf_machine, self.class_64, os, &segments)
    }
}

/// A kernel's memory by virtual addresses.
pub struct Image {
    pub virt: u64,
    /// Offsets of the pages that are there.
    pub pages: Vec<u64>,
}

impl Image {
    pub fn virtual_core(&self) -> Vec<u8> {
        let segments = self.pages.iter().map(|offset| {
            let start = self.virt + offset;
            let words = (start..start + 4096).step_by(8).map(word_at);
            (1, start, 0, words.flat_map(u64::to_le_bytes).collect())
        });
        elf(62, true, 0, &segments.collect::<Vec<_>>())
    }
}

/// The notes that QEMU writes: one state of a CPU for each of these CR3.
pub fn qemu_notes(roots: &[u64]) -> Vec<u8> {
    let mut notes = Vec::new();
    for root in roots {
        let mut state = vec![0; 440];
        state[0] = 1;
        state[416..424].copy_from_slice(&root.to_le_bytes());
        // A note of the CPU's registers goes before, as in any core.
        for (name, desc) in [(&b"CORE\0"[..], vec![7; 21]), (&b"QEMU\0"[..], state)] {
            for word in [name.len() as u32, desc.len() as u32, 0] {
                notes.extend(word.to_le_bytes());
            }
            notes.extend(name);
            notes.resize(notes.len().next_multiple_of(4), 0);
            notes.extend(desc);
            notes.resize(notes.len().next_multiple_of(4), 0);
        }
    }
    notes
}

/// A segment: type, virtual address, physical address, bytes.
type Segment = (u32, u64, u64, Vec<u8>);

fn elf(machine: u16, class_64: bool, os: u8, segments: &[Segment]) -> Vec<u8> {
    let mut bytes = b"\x7fELF".to_vec();
    bytes.extend([if class_64 { 2 } else { 1 }, 1, 1, os]);
    bytes.resize(16, 0);
    bytes.extend(4_u16.to_le_bytes());
    bytes.extend(machine.to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    let word = |bytes: &mut Vec<u8>, value: u64| match class_64 {
        true => bytes.extend(value.to_le_bytes()),
        // What does not fit is cut off, as the kernel does it.
        false => bytes.extend((value as u32).to_le_bytes()),
    };
    let (header, entry) = if class_64 { (64, 56) } else { (52, 32) };
    for value in [0, header, 0] {
        word(&mut bytes, value);
    }
    bytes.extend(0_u32.to_le_bytes());
    for half in [header as u16, entry as u16, segments.len() as u16, 0, 0, 0] {
        bytes.extend(half.to_le_bytes());
    }
    let mut offset = (header + entry * segments.len() as u64).next_multiple_of(4096);
    for (kind, virt, phys, contents) in segments {
        bytes.extend(kind.to_le_bytes());
        if class_64 {
            bytes.extend(4_u32.to_le_bytes());
        }
        let len = contents.len() as u64;
        for value in [if len == 0 { 0 } else { offset }, *virt, *phys, len, len] {
            word(&mut bytes, value);
        }
        if !class_64 {
            bytes.extend(4_u32.to_le_bytes());
        }
        word(&mut bytes, 4096);
        offset += len.next_multiple_of(4096);
    }
    bytes.resize(bytes.len().next_multiple_of(4096), 0);
    for (.., contents) in segments {
        bytes.extend(contents);
        bytes.resize(bytes.len().next_multiple_of(4096), 0);
    }
    bytes
}
