//! Small minidumps of the machines whose page map is flat: the last level of the
//! page tables from kernbase on. Written byte by byte from a description of each
//! machine's header, which is also what the tests of damaged fields go through.

use super::Boundaries;
use std::collections::BTreeMap;

/// A field of a header: name, offset, size, value.
pub type HeaderField = (&'static str, usize, usize, u64);

/// A minidump in the making, and what is true of it.
#[derive(Clone)]
pub struct FlatDump {
    /// Machine and version, for messages.
    pub name: String,
    pub magic: &'static [u8],
    pub version: u64,
    pub page: u64,
    pub big_endian: bool,
    /// Where the version stands; the three sizes follow it.
    pub sizes_at: usize,
    /// Where dumpavailsize stands, in the versions that have it.
    pub dump_avail_at: Option<usize>,
    /// The fields beside version and sizes.
    pub fields: Vec<HeaderField>,
    /// Bytes of an entry, and of a word of the bitmap.
    pub entry_size: usize,
    pub word: u64,
    pub page_map: Vec<u64>,
    pub dump_avail: Vec<(u64, u64)>,
    /// Physical pages by address; each word tells its own address.
    pub pages: Vec<u64>,
    /// Pages with other contents, tables for instance.
    pub tables: BTreeMap<u64, Vec<u8>>,
    pub message_buffer: Vec<u8>,
    /// Kernel addresses that lead to a page of words, and what they lead to.
    pub truth: Vec<(u64, u64)>,
    /// A kernel address whose entry is not valid, the entry's index, its value.
    pub invalid: (u64, u64, u64),
    /// A kernel address whose page is left out, and the page.
    pub left_out: (u64, u64),
}

/// Encodes entries of one machine.
struct Entries {
    valid: fn(u64) -> u64,
    /// Not valid but not zero either, as kernels leave them.
    invalid: fn(u64) -> u64,
}

const MB: u64 = 1 << 20;

/// The word at physical address `phys` in a page of words: arbitrary, and neither
/// an address nor an entry of any machine.
pub fn word_at(phys: u64) -> u64 {
    phys.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 0x5a5a_0000_0000_0005
}

impl FlatDump {
    /// One dump of each machine, version and kind of page table.
    pub fn all() -> Vec<Self> {
        let arm64 = (1..=3).map(|version| Self::arm64(version, 4096));
        let mut all = arm64.collect::<Vec<_>>();
        all.push(Self::arm64(3, 16384));
        all.extend([1, 2].map(Self::riscv64));
        for version in [1, 2] {
            all.extend([false, true].map(|pae| Self::i386(version, pae)));
            all.extend([0, 2, 3].map(|format| Self::arm(version, format)));
            for big_endian in [true, false] {
                all.push(Self::powerpc64_radix(version, big_endian));
                all.push(Self::powerpc64_hash(version, big_endian, false));
            }
        }
        all.push(Self::powerpc64_hash(2, false, true));
        all
    }

    pub fn arm64(version: u64, page: u64) -> Self {
        let (kernbase, direct, ram) =
            (0xffff_0000_0000_0000, 0xffff_fd00_0000_0000_u64, 0x4000_0000_u64);
        let entries = Entries {
            valid: |phys| phys | 0x0060_0000_0000_0703,
            invalid: |phys| phys | 0x0060_0000_0000_0702,
        };
        // The direct map begins where an entry of level 1 does.
        let (phys, span) = (if page == 4096 { ram } else { 0 }, page * (page / 8));
        let direct_ram = direct + ram - phys;
        let mut fields = vec![
            ("kernbase", 40, 8, kernbase),
            ("dmapphys", 48, 8, phys),
            ("dmapbase", 56, 8, direct),
            ("dmapend", 64, 8, 0xffff_ff00_0000_0000),
        ];
        if version == 3 {
            fields.push(("flags", 76, 4, u64::from(page == 16384)));
        }
        let mut dump = Self::sample(kernbase, ram, page, &entries);
        dump.name = format!("arm64 version {version}, pages of {page}");
        dump.magic = b"minidump FreeBSD/arm64";
        dump.version = version;
        dump.dump_avail_at = (version >= 2).then_some(72);
        dump.fields = fields;
        dump.dump_avail = vec![(ram, ram + 16 * MB), (ram + 32 * MB, ram + 128 * MB)];
        // A block of level 2 instead of entries of level 3: as kernels before 13 write
        // it, each with the address of its own page.
        let block = ram + 64 * MB;
        let first = (span / page) as usize;
        dump.page_map.resize(2 * first, 0);
        for index in 0..2 {
            dump.page_map[first + index] = (block + index as u64 * page) | 0x0060_0000_0000_0701;
        }
        dump.pages.extend([block, block + page]);
        dump.truth.extend([
            (kernbase + span, block),
            (kernbase + span + page + 8, block + page + 8),
            (direct_ram, ram),
            (direct_ram + 2 * page + 16, ram + 2 * page + 16),
        ]);
        dump
    }

    pub fn riscv64(version: u64) -> Self {
        let (kernbase, direct, ram) =
            (0xffff_ffc0_0000_0000, 0xffff_ffd0_0000_0000_u64, 0x8000_0000_u64);
        let entries = Entries {
            valid: |phys| phys >> 2 | 0xcf,
            // Valid, but none of readable, writable and executable.
            invalid: |phys| phys >> 2 | 0xc1,
        };
        let mut dump = Self::sample(kernbase, ram, 4096, &entries);
        dump.name = format!("riscv64 version {version}");
        dump.magic = b"minidump FreeBSD/riscv";
        dump.version = version;
        dump.dump_avail_at = (version >= 2).then_some(72);
        dump.fields = vec![
            ("kernbase", 40, 8, kernbase),
            ("dmapphys", 48, 8, ram),
            ("dmapbase", 56, 8, direct),
            ("dmapend", 64, 8, 0xffff_fff0_0000_0000),
        ];
        dump.dump_avail = vec![(ram, ram + 16 * MB), (ram + 32 * MB, ram + 128 * MB)];
        dump.truth.extend([(direct, ram), (direct + 2 * 4096 + 16, ram + 2 * 4096 + 16)]);
        dump
    }

    pub fn i386(version: u64, pae: bool) -> Self {
        let (kernbase, ram) = if pae { (0x40_0000, 0x1_2000_0000) } else { (0x80_0000, 0x20_0000) };
        let entries = Entries {
            valid: if pae { |phys| phys | 1 << 63 | 0x163 } else { |phys| phys | 0x163 },
            invalid: |phys| phys | 0x200,
        };
        let mut dump = Self::sample(kernbase, ram, 4096, &entries);
        dump.name = format!("i386 version {version}, PAE {pae}");
        dump.magic = b"minidump FreeBSD/i386";
        dump.version = version;
        dump.dump_avail_at = (version >= 2).then_some(48);
        dump.fields = vec![("kernbase", 40, 4, kernbase), ("paemode", 44, 4, pae.into())];
        dump.entry_size = if pae { 8 } else { 4 };
        dump.word = 4;
        dump
    }

    pub fn arm(version: u64, format: u64) -> Self {
        let long = format == 3;
        let (kernbase, ram) = (0xc000_0000, 0x1000_0000);
        let entries = Entries {
            valid: if long { |phys| phys | 0x703 } else { |phys| phys | 0x412 | 1 },
            invalid: if long { |phys| phys | 0x702 } else { |phys| phys | 0x410 },
        };
        let mut dump = Self::sample(kernbase, ram, 4096, &entries);
        dump.name = format!("arm version {version}, format {format}");
        dump.magic = b"minidump FreeBSD/arm";
        dump.version = version;
        dump.dump_avail_at = (version >= 2).then_some(52);
        dump.fields =
            vec![("kernbase", 40, 4, kernbase), ("arch", 44, 4, 7), ("mmuformat", 48, 4, format)];
        dump.entry_size = if long { 8 } else { 4 };
        dump.word = 4;
        if !long {
            // A large page of 64 KB: sixteen entries that all say the same.
            dump.page_map[16..32].fill((ram + 0x1_0000) | 0x411);
            dump.pages.extend((0..16).map(|page| ram + 0x1_0000 + page * 4096));
            dump.truth.push((kernbase + 0x1_3008, ram + 0x1_3008));
        }
        dump
    }

    fn powerpc64(version: u64, big_endian: bool, mmu: &str) -> Self {
        let (kernbase, direct, ram) = (0xe000_0000_0000_0000, 0xc000_0000_0000_0000, 0x20_0000);
        let entries = Entries { valid: |_| 0, invalid: |_| 0 };
        let mut dump = Self::sample(kernbase, ram, 4096, &entries);
        let order = if big_endian { "" } else { "le" };
        dump.name = format!("powerpc64{order} version {version}, {mmu}");
        dump.big_endian = big_endian;
        dump.sizes_at = 64;
        dump.version = version;
        dump.dump_avail_at = (version >= 2).then_some(136);
        dump.fields = vec![
            ("kernbase", 80, 8, kernbase),
            ("kernend", 88, 8, 0xe000_0007_ffff_ffff),
            ("dmapbase", 96, 8, direct),
            ("dmapend", 104, 8, 0xcfff_ffff_ffff_ffff),
            ("hw_direct_map", 112, 4, 1),
            // A page of the direct map; the kernel is linked at 0x100100.
            ("startkernel", 120, 8, direct + ram + 0x100),
            ("endkernel", 128, 8, direct + ram + 0x2000),
        ];
        dump.truth.extend([(direct + ram + 8, ram + 8)]);
        dump
    }

    /// The page map is the root of the tree, the other tables are dumped pages; all
    /// of them big-endian.
    pub fn powerpc64_radix(version: u64, big_endian: bool) -> Self {
        let mut dump = Self::powerpc64(version, big_endian, "radix");
        dump.magic = b"minidump FreeBSD/powerpc64\0\0\0\0\0\0mmu_radix";
        let stored = |entry: u64| if big_endian { entry } else { entry.swap_bytes() };
        let (kernbase, ram) = (0xe000_0000_0000_0000_u64, 0x20_0000_u64);
        let table = |level: u64| ram + 0x1_0000 + level * 4096;
        dump.page_map = vec![0; 8192];
        let link = |next: u64| 1 << 63 | next | 9;
        dump.page_map[(kernbase >> 39) as usize % 8192] = stored(link(table(0)));
        let leaf = |phys: u64| 3 << 62 | phys | 0x187;
        for (level, entries) in [
            vec![link(table(1))],
            // A page of 2 MB besides.
            vec![link(table(2)), leaf(ram + 2 * MB)],
            vec![
                leaf(ram + 4096),
                ram + 4096,
                leaf(ram + 8 * 4096),
                leaf(ram + 2 * 4096),
                leaf(ram),
            ],
        ]
        .into_iter()
        .enumerate()
        {
            let mut bytes = entries.into_iter().flat_map(u64::to_be_bytes).collect::<Vec<_>>();
            bytes.resize(4096, 0);
            dump.tables.insert(table(level as u64), bytes);
        }
        dump.pages.push(ram + 2 * MB + 0x3000);
        dump.truth.push((kernbase + 2 * MB + 0x3010, ram + 2 * MB + 0x3010));
        dump.invalid = (kernbase + 4096, 0, 0);
        dump
    }

    /// The page map is the hashed page table: of "mmu_g5" in the processor's order
    /// (big-endian), of "mmu_phyp", as the hypervisor tells it, in the kernel's.
    pub fn powerpc64_hash(version: u64, big_endian: bool, phyp: bool) -> Self {
        let mut dump = Self::powerpc64(version, big_endian, if phyp { "phyp" } else { "g5" });
        dump.magic = match phyp {
            true => b"minidump FreeBSD/powerpc64\0\0\0\0\0\0mmu_phyp",
            false => b"minidump FreeBSD/powerpc64\0\0\0\0\0\0mmu_g5",
        };
        let stored = |word: u64| if big_endian || phyp { word } else { word.swap_bytes() };
        let (kernbase, ram) = (0xe000_0000_0000_0000_u64, 0x20_0000_u64);
        // 64 groups of 8 entries of 2 words.
        dump.page_map = vec![0; 64 * 8 * 2];
        let segment = kernbase >> 28;
        let number = ((segment << 8 | segment >> 28) * 0x13bb % (1 << 36)) | (1 << 36);
        let mut put = |page: u64, secondary: bool, slot: u64, phys: u64| {
            let hash = (number & 0x7f_ffff_ffff) ^ page;
            let group = if secondary { !hash } else { hash } % 64;
            let at = ((group * 8 + slot) * 2) as usize;
            let first = number << 12 | page >> 11 << 7 | 0x8 | u64::from(secondary) << 1 | 1;
            dump.page_map[at] = stored(first);
            dump.page_map[at + 1] = stored(phys | 0x192);
        };
        put(0, false, 0, ram + 4096);
        put(2, false, 7, ram + 8 * 4096);
        put(3, true, 3, ram + 2 * 4096);
        put(4, false, 2, ram);
        // The same group, but the upper bits of the page differ.
        put(4 + (5 << 11), false, 1, ram + 2 * 4096);
        dump.truth.push((kernbase + (4 + (5 << 11)) * 4096 + 8, ram + 2 * 4096 + 8));
        dump.entry_size = 8;
        dump.invalid = (kernbase + 4096, 0, 0);
        dump
    }

    /// A dump in which each way of translation is used once, memory beginning at `ram`:
    ///
    /// - kernbase + 0 → the second page, + 1 page not valid, + 2 pages → a page left
    ///   out, + 3 pages → the third page, + 4 pages → the first one
    fn sample(kernbase: u64, ram: u64, page: u64, entries: &Entries) -> Self {
        let left_out = ram + 8 * page;
        let mut page_map = vec![0; 1024];
        page_map[..5].copy_from_slice(&[
            (entries.valid)(ram + page),
            (entries.invalid)(ram + page),
            (entries.valid)(left_out),
            (entries.valid)(ram + 2 * page),
            (entries.valid)(ram),
        ]);
        Self {
            name: String::new(),
            magic: b"",
            version: 0,
            page,
            big_endian: false,
            sizes_at: 24,
            dump_avail_at: None,
            fields: Vec::new(),
            entry_size: 8,
            word: 8,
            invalid: (kernbase + page, 1, page_map[1]),
            page_map,
            dump_avail: vec![(0x1000, 0x9_f000), (ram, ram + 128 * MB)],
            pages: vec![ram, ram + page, ram + 2 * page],
            tables: BTreeMap::new(),
            message_buffer: b"<118>Hello from the ring.\n".repeat(200),
            truth: vec![
                (kernbase, ram + page),
                (kernbase + 3 * page + 24, ram + 2 * page + 24),
                (kernbase + 4 * page, ram),
            ],
            left_out: (kernbase + 2 * page + 8, left_out),
        }
    }

    /// Every field of the header, sizes included.
    pub fn header_fields(&self) -> Vec<HeaderField> {
        let at = self.sizes_at;
        let mut fields = vec![
            ("version", at, 4, self.version),
            ("msgbufsize", at + 4, 4, self.message_buffer.len() as u64),
            ("bitmapsize", at + 8, 4, self.bitmap().len() as u64),
            ("pmapsize", at + 12, 4, (self.page_map.len() * self.entry_size) as u64),
        ];
        fields.extend(&self.fields);
        fields.extend(self.dump_avail_at.map(|at| ("dumpavailsize", at, 4, self.page)));
        fields
    }

    fn bit(&self, phys: u64) -> u64 {
        let page = self.page;
        if self.dump_avail_at.is_none() {
            return phys / page;
        }
        let mut bit = 0;
        for (start, end) in &self.dump_avail {
            if (*start..*end).contains(&phys) {
                return bit + phys / page - start / page;
            }
            bit += end.div_ceil(page) - start / page;
        }
        panic!("{phys:#x} is not in dump_avail");
    }

    fn bitmap(&self) -> Vec<u8> {
        let end = match self.dump_avail_at {
            Some(_) => {
                let ranges = self.dump_avail.iter();
                ranges.map(|(start, end)| end.div_ceil(self.page) - start / self.page).sum()
            }
            None => self.dump_avail.iter().map(|(_, end)| end / self.page).max().unwrap(),
        };
        let word = self.word;
        let mut bitmap = vec![0; (end.div_ceil(word * 8) * word) as usize];
        for phys in self.pages.iter().chain(self.tables.keys()) {
            let bit = self.bit(*phys);
            let in_word = bit / 8 % word;
            let in_word = if self.big_endian { word - 1 - in_word } else { in_word };
            bitmap[(bit / 8 / word * word + in_word) as usize] |= 1 << (bit % 8);
        }
        bitmap
    }

    fn number(&self, value: u64, size: usize) -> Vec<u8> {
        match self.big_endian {
            true => value.to_be_bytes()[8 - size..].to_vec(),
            false => value.to_le_bytes()[..size].to_vec(),
        }
    }

    fn contents(&self) -> BTreeMap<u64, Vec<u8>> {
        let words = |phys: u64| {
            let words = (phys..phys + self.page).step_by(8);
            words.flat_map(|at| self.number(word_at(at), 8)).collect()
        };
        let mut contents = self.tables.clone();
        contents.extend(self.pages.iter().map(|phys| (*phys, words(*phys))));
        contents
    }

    pub fn write(&self) -> (Vec<u8>, Boundaries) {
        let mut header = self.magic.to_vec();
        for (_, at, size, value) in self.header_fields() {
            header.resize(header.len().max(at + size), 0);
            header[at..at + size].copy_from_slice(&self.number(value, size));
        }
        let entries = self.page_map.iter().flat_map(|entry| self.number(*entry, self.entry_size));
        let mut parts = vec![("header", header), ("message buffer", self.message_buffer.clone())];
        if self.dump_avail_at.is_some() {
            let pairs = self.dump_avail.iter().flat_map(|(start, end)| [*start, *end]);
            parts.push(("dump_avail", pairs.flat_map(|at| self.number(at, 8)).collect()));
        }
        parts.push(("bitmap", self.bitmap()));
        parts.push(("page map", entries.collect()));
        parts.push(("pages", self.contents().into_values().flatten().collect()));

        let (mut bytes, mut boundaries) = (Vec::new(), Vec::new());
        for (name, part) in parts {
            boundaries.push((name, bytes.len()));
            bytes.extend(part);
            bytes.resize(bytes.len().next_multiple_of(self.page as usize), 0);
        }
        boundaries.push(("end", bytes.len()));
        (bytes, boundaries)
    }
}
