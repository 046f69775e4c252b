//! Full dumps: an ELF core file whose PT_LOAD segments give physical memory by
//! p_paddr (`sys/kern/kern_dump.c`, 12.1), and the like that hypervisors write.
//!
//! No field of the file header is relied upon that needs none: kernels leave
//! e_version 0 and QEMU says e_ehsize 8. Segments are sorted once and searched; a
//! segment that reaches past the end of the file is read as far as it goes.
//! Cores by virtual address and cores of processes are told apart and refused.

use std::sync::Arc;

use goblin::container::{Container, Ctx};
use goblin::elf::header::{ET_CORE, Header};
use goblin::elf::program_header::{PT_LOAD, ProgramHeader};
use goblin::elf::{Elf, section_header::SectionHeader};

use super::{Core, Facts, Format, Hints, PhysFault, PhysFaultKind, PhysicalMemory};
use crate::addr::{FileOffset, PhysAddr};
use crate::arch::Arch;
use crate::bytes::Endian;
use crate::error::DumpError;
use crate::source::Source;

const FORMAT: &str = "ELF core";

/// Pages of a core are those of the machine; no architecture of FreeBSD has smaller ones.
const PAGE: u64 = 4096;

/// Opens the ELF core in `source`.
pub(super) fn open(source: &Arc<Source>) -> Result<Core, DumpError> {
    let bytes = source.bytes();
    let header = Elf::parse_header(bytes).map_err(|_| bad_header(bytes))?;
    let arch = arch(&header)?;
    let loads = program_headers(&header, bytes)?
        .into_iter()
        .filter(|load| load.p_type == PT_LOAD && load.p_filesz > 0)
        .collect::<Vec<_>>();
    check_physical(&loads)?;
    let (segments, mut warnings) = Segments::new(Arc::clone(source), &loads)?;
    let (pages, pages_cut_off) = segments.count();
    if pages_cut_off > 0 {
        warnings.push(format!(
            "the file is shorter than its program headers promise: \
             {pages_cut_off} of {pages} pages are cut off"
        ));
    }
    Ok(Core {
        format: Format::ElfCore,
        arch,
        hints: Hints::Physical,
        header: None,
        facts: Facts {
            file_len: source.len(),
            page_size: PAGE,
            pages,
            pages_cut_off,
            minidump: None,
        },
        warnings,
        memory: Box::new(segments),
    })
}

fn bad_header(bytes: &[u8]) -> DumpError {
    const LEN: u64 = 64;
    if (bytes.len() as u64) < LEN {
        return cut_off("the ELF header", LEN, bytes);
    }
    let class_and_order = u64::from(bytes[4]) << 8 | u64::from(bytes[5]);
    bad("e_ident", class_and_order, "neither its class nor its byte order is known")
}

fn arch(header: &Header) -> Result<Arch, DumpError> {
    if header.e_type != ET_CORE {
        return Err(bad("e_type", u64::from(header.e_type), "a core is of type ET_CORE"));
    }
    let is_64 = matches!(header.container(), Ok(Container::Big));
    let endian = match header.endianness() {
        Ok(order) if order.is_little() => Endian::Little,
        _ => Endian::Big,
    };
    Arch::from_elf(header.e_machine, is_64, endian).ok_or_else(|| DumpError::Unsupported {
        what: format!(
            "a full dump of this architecture (e_machine {}, {} bits, {endian:?}-endian)",
            header.e_machine,
            if is_64 { 64 } else { 32 },
        ),
    })
}

fn program_headers(header: &Header, bytes: &[u8]) -> Result<Vec<ProgramHeader>, DumpError> {
    let (Ok(container), Ok(endian)) = (header.container(), header.endianness()) else {
        return Err(bad_header(bytes));
    };
    let context = Ctx::new(container, endian);
    let size = ProgramHeader::size(context) as u64;
    if u64::from(header.e_phentsize) != size {
        let why = format!("a program header of this class has {size:#x} bytes");
        return Err(bad("e_phentsize", header.e_phentsize.into(), &why));
    }
    let count = program_header_count(header, bytes, context)?;
    if count == 0 {
        return Err(bad("e_phnum", 0, "a core without segments has no memory"));
    }
    let needed = header.e_phoff.saturating_add(count.saturating_mul(size));
    if needed > bytes.len() as u64 {
        return Err(cut_off("its program headers (e_phoff, e_phnum)", needed, bytes));
    }
    ProgramHeader::parse(bytes, header.e_phoff as usize, count as usize, context)
        .map_err(|_| cut_off("its program headers", needed, bytes))
}

/// The number of program headers; one that does not fit 16 bits stands in the
/// sh_info of section 0 (PN_XNUM).
fn program_header_count(header: &Header, bytes: &[u8], context: Ctx) -> Result<u64, DumpError> {
    const PN_XNUM: u16 = 0xffff;
    if header.e_phnum != PN_XNUM {
        return Ok(header.e_phnum.into());
    }
    let needed = header.e_shoff.saturating_add(SectionHeader::size(context) as u64);
    let cut_off =
        || cut_off("section header 0, which counts the segments (e_shoff)", needed, bytes);
    if needed > bytes.len() as u64 {
        return Err(cut_off());
    }
    let first = SectionHeader::parse(bytes, header.e_shoff as usize, 1, context);
    let first = first.map_err(|_| cut_off())?.into_iter().next().ok_or_else(cut_off)?;
    Ok(first.sh_info.into())
}

/// Refuses cores without physical addresses.
fn check_physical(loads: &[ProgramHeader]) -> Result<(), DumpError> {
    if loads.is_empty() {
        return Err(DumpError::NotADump {
            what: "an ELF core without any memory in it".to_owned(),
            hint: "no PT_LOAD segment has bytes in the file; take the dump again".to_owned(),
        });
    }
    // Physical address 0 is a good one, but only one segment can begin there.
    let physical = loads.iter().any(|load| load.p_paddr != 0);
    if physical || matches!(loads, [only] if only.p_vaddr == 0) {
        return Ok(());
    }
    if loads.iter().any(|load| load.p_vaddr >> 63 == 1) {
        let what = "a core by virtual addresses only (no p_paddr)".to_owned();
        return Err(DumpError::Unsupported { what });
    }
    Err(DumpError::NotADump {
        what: "the core of a process".to_owned(),
        hint: "the kernel's dump is the vmcore.N that savecore left in /var/crash".to_owned(),
    })
}

/// The segments of a core, as physical memory.
struct Segments {
    source: Arc<Source>,
    /// Sorted by address, without overlaps.
    sorted: Vec<Segment>,
}

#[derive(Debug, Clone, Copy)]
struct Segment {
    start: u64,
    len: u64,
    offset: u64,
}

impl Segments {
    fn new(source: Arc<Source>, loads: &[ProgramHeader]) -> Result<(Self, Vec<String>), DumpError> {
        let mut sorted = Vec::with_capacity(loads.len());
        for load in loads {
            let (start, len, offset) = (load.p_paddr, load.p_filesz, load.p_offset);
            let ends = |from: u64| from.checked_add(len).is_some();
            if !ends(start) {
                return Err(bad("p_filesz", len, &format!("from p_paddr {start:#x} on it wraps")));
            }
            if !ends(offset) {
                return Err(bad("p_offset", offset, &format!("with p_filesz {len:#x} it wraps")));
            }
            sorted.push(Segment { start, len, offset });
        }
        sorted.sort_by_key(|segment| segment.start);
        let overlaps = cut_overlaps(&mut sorted);
        let warnings = match overlaps {
            0 => Vec::new(),
            count => vec![format!("{count} segments overlap others: the first one counts")],
        };
        Ok((Self { source, sorted }, warnings))
    }

    /// Pages that the segments promise, and how many of them the file cuts off.
    fn count(&self) -> (u64, u64) {
        let (mut pages, mut present) = (0, 0);
        for segment in &self.sorted {
            let left = self.source.len().saturating_sub(segment.offset);
            let all = segment.len.div_ceil(PAGE);
            pages += all;
            present += if left < segment.len { left / PAGE } else { all };
        }
        (pages, pages - present)
    }

    /// The segment that holds `at`.
    fn find(&self, at: PhysAddr) -> Option<Segment> {
        let after = self.sorted.partition_point(|segment| segment.start <= at.get());
        let segment = self.sorted.get(after.checked_sub(1)?)?;
        (at.get() - segment.start < segment.len).then_some(*segment)
    }
}

/// Takes from each segment what an earlier one has, and tells how many that were.
fn cut_overlaps(sorted: &mut Vec<Segment>) -> usize {
    let (mut floor, mut overlaps) = (0_u64, 0);
    for segment in sorted.iter_mut() {
        let excess = floor.saturating_sub(segment.start).min(segment.len);
        if excess > 0 {
            overlaps += 1;
            segment.start += excess;
            segment.offset += excess;
            segment.len -= excess;
        }
        floor = floor.max(segment.start + segment.len);
    }
    sorted.retain(|segment| segment.len > 0);
    overlaps
}

impl PhysicalMemory for Segments {
    fn read(&self, at: PhysAddr, buf: &mut [u8]) -> Result<(), PhysFault> {
        let (mut at, mut rest) = (at, buf);
        while !rest.is_empty() {
            let not_dumped = PhysFault { at, kind: PhysFaultKind::NotDumped };
            let segment = self.find(at).ok_or(not_dumped)?;
            let within = at.get() - segment.start;
            let left = usize::try_from(segment.len - within).unwrap_or(usize::MAX);
            let (part, further) = rest.split_at_mut(left.min(rest.len()));
            let offset = FileOffset::new(segment.offset + within);
            super::copy(&self.source, offset, at, part)?;
            at = at.wrapping_add(part.len() as u64);
            rest = further;
        }
        Ok(())
    }
}

fn bad(field: &'static str, value: u64, why: &str) -> DumpError {
    DumpError::BadField { format: FORMAT, field, value: format!("{value:#x}"), why: why.to_owned() }
}

fn cut_off(what: &'static str, needed: u64, bytes: &[u8]) -> DumpError {
    DumpError::Truncated { what, needed, length: bytes.len() as u64 }
}
