//! Full dumps: ELF core files whose PT_LOAD segments give physical memory by
//! p_paddr (`sys/kern/kern_dump.c`, 12.1), and similar files from hypervisors.
//!
//! Fields of the file header that are not needed are not checked: kernels leave
//! e_version 0, and QEMU writes an e_ehsize of 8. Segments are sorted once and then
//! searched. A segment that extends past the end of the file is read up to that end.
//! A core by virtual addresses is read by those. Cores of processes are recognised and refused.

use std::cmp::Reverse;
use std::ops::Range;
use std::sync::Arc;

use goblin::container::{Container, Ctx};
use goblin::elf::header::{EI_OSABI, ET_CORE, Header};
use goblin::elf::program_header::{PT_LOAD, PT_NOTE, ProgramHeader};
use goblin::elf::{Elf, section_header::SectionHeader};

use super::processors::Notes;
use super::segment::Segment;
use super::segments::Segments;
use super::{Clues, Core, Facts, Format, Hints};
use crate::addr::{PhysAddr, VirtAddr};
use crate::arch::Arch;
use crate::budget::{Allowance, Budget};
use crate::bytes::Endian;
use crate::dump::{DumpError, NotADump};
use crate::source::Source;

const FORMAT: &str = "ELF core";

/// The segment in which arm records where the kernel is.
const PT_DUMP_DELTA: u32 = 0x6fb5_d000;

/// The EI_OSABI that only FreeBSD's kernel writes into a core.
const ELFOSABI_STANDALONE: u8 = 255;

/// The size of the machine's pages. No FreeBSD architecture has smaller ones.
const PAGE: u64 = 4096;
/// Some kernels of arm64 have these.
const LARGER_PAGE: u64 = 16 << 10;

/// Opens the ELF core in `source`.
pub(super) fn open(source: &Arc<Source>) -> Result<Core, DumpError> {
    let bytes = source.bytes();
    let header = Elf::parse_header(bytes).map_err(|_| bad_header(bytes))?;
    let arch = arch(&header)?;
    let budget = Budget::new(Allowance::for_files(source.len()));
    let headers = program_headers(&header, bytes, &budget)?;
    let table_end = header.e_phoff + headers.len() as u64 * u64::from(header.e_phentsize);
    let (clues, notes_warning, of_threads) = clues(&headers, bytes, arch, &budget);
    let is_load = |load: &ProgramHeader| load.p_type == PT_LOAD && load.p_filesz > 0;
    let mut loads = headers.iter().filter(|load| is_load(load)).cloned().collect::<Vec<_>>();
    let is_virtual = is_virtual(&loads, &headers, arch, of_threads)?;
    check_places(&loads, table_end)?;
    let mut warnings = Vec::from_iter(notes_warning);
    // QEMU's cores do not record the page size. The search for page tables finds it.
    let mut page_size = PAGE;
    if header.e_ident[EI_OSABI] == ELFOSABI_STANDALONE && !is_virtual {
        if matches!(header.container(), Ok(Container::Little)) {
            widen(&mut loads, table_end);
        }
        page_size = dumped_page_size(&loads, table_end, arch);
        check_kernel_headers(&headers)?;
        warnings.extend(check_kernel_layout(&loads, table_end, source.len(), page_size)?);
    } else if arch.pointer_size() == 4 && !is_virtual {
        warnings.extend(odd_order(&loads, header.e_ident[EI_OSABI]));
    }
    warnings.extend(left_out(&headers));
    if is_virtual {
        page_size = mapped_page_size(&loads, arch);
        loads.iter_mut().for_each(|load| load.p_paddr = load.p_vaddr);
    }
    let memory =
        Segments::new(Arc::clone(source), sorted_segments(&loads, is_virtual, source.len())?);
    let (pages, pages_cut_off) = memory.count(page_size);
    if pages_cut_off > 0 {
        warnings.push(format!(
            "the file is shorter than its program headers promise: \
             {pages_cut_off} of {pages} pages are cut off"
        ));
    }
    Ok(Core {
        format: if is_virtual { Format::VirtualCore } else { Format::ElfCore },
        arch,
        hints: if is_virtual { Hints::Virtual } else { Hints::Physical },
        clues,
        header: None,
        packed: None,
        facts: Facts {
            file_len: source.len(),
            page_size,
            pages,
            memory_pages: None,
            pages_cut_off,
            minidump: None,
        },
        warnings,
        memory: Box::new(memory),
    })
}

fn bad_header(bytes: &[u8]) -> DumpError {
    const LEN: u64 = 64;
    if (bytes.len() as u64) < LEN {
        return cut_off("the ELF header", LEN, bytes);
    }
    match bytes[4] {
        1 | 2 => bad("EI_DATA", bytes[5].into(), "the byte order is 1 (little) or 2 (big)"),
        class => bad("EI_CLASS", class.into(), "the class is 1 (32 bits) or 2 (64 bits)"),
    }
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
    // QEMU writes 64-bit files of machines of 32 bits that may have more than 4 GB.
    let i386 = is_64 && header.e_machine == Arch::I386.elf_machine();
    Arch::from_elf(header.e_machine, is_64 && !i386, endian).ok_or_else(|| DumpError::Unsupported {
        what: format!(
            "a full dump of this architecture (e_machine {}, {} bits, {endian:?}-endian)",
            header.e_machine,
            if is_64 { 64 } else { 32 },
        ),
    })
}

fn program_headers(
    header: &Header,
    bytes: &[u8],
    budget: &Budget,
) -> Result<Vec<ProgramHeader>, DumpError> {
    /// A header is kept, copied, and becomes a segment, all at the same time.
    const COPIES: u64 = 4;
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
    // A sparse file has room for any number of headers.
    budget.work(count)?;
    budget.bytes(count.saturating_mul(COPIES * size_of::<ProgramHeader>() as u64))?;
    ProgramHeader::parse(bytes, header.e_phoff as usize, count as usize, context)
        .map_err(|_| cut_off("its program headers", needed, bytes))
}

/// The number of program headers. A number that does not fit in 16 bits is in the
/// sh_info of section 0 (PN_XNUM).
fn program_header_count(header: &Header, bytes: &[u8], context: Ctx) -> Result<u64, DumpError> {
    const PN_XNUM: u16 = 0xffff;
    if header.e_phnum != PN_XNUM {
        return Ok(header.e_phnum.into());
    }
    if header.e_shoff == 0 {
        let why = "so many segments are counted in section header 0, and there is none";
        return Err(bad("e_phnum", PN_XNUM.into(), why));
    }
    let sections = SectionHeader::parse(bytes, header.e_shoff as usize, 1, context);
    match sections.ok().and_then(|sections| sections.into_iter().next()) {
        Some(first) => Ok(first.sh_info.into()),
        None => {
            let needed = header.e_shoff.saturating_add(SectionHeader::size(context) as u64);
            Err(cut_off("section header 0, which counts the segments (e_shoff)", needed, bytes))
        }
    }
}

/// Is this a core by virtual addresses, without physical ones? Cores of processes
/// are such cores too, and are refused, unless their notes are `of_threads` of a kernel.
fn is_virtual(
    loads: &[ProgramHeader],
    headers: &[ProgramHeader],
    arch: Arch,
    of_threads: bool,
) -> Result<bool, DumpError> {
    if loads.is_empty() {
        return Err(NotADump::CoreWithoutMemory.into());
    }
    // Physical address 0 is valid, but only one segment can begin there.
    let physical = loads.iter().any(|load| load.p_paddr != 0);
    if physical || matches!(loads, [only] if only.p_vaddr == 0) {
        return Ok(false);
    }
    // An i386 kernel may lie where its processes do, but has no notes about them.
    let upper = loads.iter().any(|load| load.p_vaddr >> (arch.pointer_size() * 8 - 1) == 1);
    let notes = headers.iter().any(|header| header.p_type == PT_NOTE);
    if upper || of_threads || (arch == Arch::I386 && !notes) {
        return Ok(true);
    }
    Err(NotADump::ProcessCore.into())
}

/// What the headers contain beside the memory: PT_DUMP_DELTA of arm
/// (`sys/arm/arm/dump_machdep.c`, 11.0), and the registers in a hypervisor's notes. Also
/// returns the warnings, and whether the notes are about threads of a kernel.
fn clues(
    headers: &[ProgramHeader],
    bytes: &[u8],
    arch: Arch,
    budget: &Budget,
) -> (Clues, Option<String>, bool) {
    /// QEMU writes two for each processor. A hole in the file reads as endless notes
    /// of twelve bytes each.
    const MOST_NOTES: u64 = 1 << 20;
    let delta = headers.iter().find(|header| header.p_type == PT_DUMP_DELTA);
    let image = delta.map(|delta| (VirtAddr::new(delta.p_vaddr), PhysAddr::new(delta.p_paddr)));
    let work = budget.share("the list of notes", MOST_NOTES);
    let mut areas = note_areas(headers, bytes.len()).into_iter();
    let mut notes = Notes::default();
    let read =
        areas.try_for_each(|area| notes.read(bytes.get(area).unwrap_or_default(), arch, &work));
    let warning = read.err().map(|why| format!("the notes are not read to their end: {why}"));
    let of_threads = notes.are_of_threads();
    let (processors, roots) = notes.finish();
    (Clues { image, start: None, roots, processors }, warning, of_threads)
}

/// Where the notes are, without the parts that an earlier segment of notes has. A file that
/// names the same bytes many times gets no more notes for that.
fn note_areas(headers: &[ProgramHeader], file_len: usize) -> Vec<Range<usize>> {
    let notes = headers.iter().filter(|header| header.p_type == PT_NOTE);
    let area = |notes: &ProgramHeader| {
        let start = usize::try_from(notes.p_offset).ok()?;
        let end = start.checked_add(usize::try_from(notes.p_filesz).ok()?)?;
        (start < end && end <= file_len).then_some(start..end)
    };
    let mut areas: Vec<_> = notes.filter_map(area).collect();
    areas.sort_by_key(|area| (area.start, Reverse(area.end)));
    let mut end = 0;
    areas.retain(|area| {
        let apart = area.start >= end;
        end = if apart { area.end } else { end };
        apart
    });
    areas
}

/// Restores what does not fit the 32-bit fields of an i386 kernel with PAE and more
/// than 4 GB: its segments ascend, in memory and in the file. Wider fields
/// lose nothing.
fn widen(loads: &mut [ProgramHeader], table_end: u64) {
    const WRAP: u64 = 1 << 32;
    let mut next_offset = table_end.next_multiple_of(PAGE);
    let mut next_phys = 0;
    for load in loads {
        while load.p_paddr < next_phys && load.p_paddr < 1 << 40 {
            load.p_paddr += WRAP;
            load.p_vaddr += WRAP;
        }
        if next_offset % WRAP == load.p_offset {
            load.p_offset = next_offset;
        }
        next_phys = load.p_paddr.saturating_add(load.p_filesz);
        next_offset = load.p_offset.saturating_add(load.p_filesz);
    }
}

/// The same check for a core that is not marked as a kernel's. Nothing is restored.
fn odd_order(loads: &[ProgramHeader], os_abi: u8) -> Option<String> {
    (!loads.is_sorted_by_key(|load| load.p_paddr)).then(|| {
        format!(
            "the segments do not ascend: memory above 4 GB may have lost the upper bits of its \
             addresses (EI_OSABI is {os_abi}, in a kernel's own dump 255)"
        )
    })
}

/// The page size of the kernel that wrote a dump: the memory follows the
/// headers on the next page (`dumpsys_generic` in sys/kern/kern_dump.c).
fn dumped_page_size(loads: &[ProgramHeader], table_end: u64, arch: Arch) -> u64 {
    let larger = Some(table_end.next_multiple_of(LARGER_PAGE));
    let begins = loads.first().map(|load| load.p_offset);
    if arch == Arch::Arm64 && begins == larger { LARGER_PAGE } else { PAGE }
}

/// The page size of a core by virtual addresses. With smaller pages, some segment would not
/// begin and end on a boundary of larger ones.
fn mapped_page_size(loads: &[ProgramHeader], arch: Arch) -> u64 {
    let whole = |load: &ProgramHeader| {
        load.p_vaddr.is_multiple_of(LARGER_PAGE) && load.p_filesz.is_multiple_of(LARGER_PAGE)
    };
    if arch == Arch::Arm64 && loads.iter().all(whole) { LARGER_PAGE } else { PAGE }
}

/// Segments with more memory than the file holds. QEMU writes them when it is configured to
/// omit memory.
fn left_out(headers: &[ProgramHeader]) -> Option<String> {
    let is_short =
        |header: &&ProgramHeader| header.p_type == PT_LOAD && header.p_filesz < header.p_memsz;
    let count = headers.iter().filter(is_short).count();
    (count > 0).then(|| {
        format!(
            "{count} of {} segments have more memory (p_memsz) than the file holds of them \
             (p_filesz): the rest is not in the dump",
            headers.len()
        )
    })
}

/// The bytes of a segment cannot be program headers.
fn check_places(loads: &[ProgramHeader], table_end: u64) -> Result<(), DumpError> {
    match loads.iter().find(|load| load.p_offset < table_end) {
        Some(load) => {
            let why = format!("the program headers reach up to {table_end:#x}");
            Err(bad("p_offset", load.p_offset, &why))
        }
        None => Ok(()),
    }
}

/// A kernel's own dump has only memory in its segments, all of it in the file. On arm it
/// also records where the kernel is.
fn check_kernel_headers(headers: &[ProgramHeader]) -> Result<(), DumpError> {
    for header in headers {
        if !matches!(header.p_type, PT_LOAD | PT_DUMP_DELTA) {
            let why = "in a full dump (EI_OSABI is 255) all segments are memory (PT_LOAD, 1)";
            return Err(bad("p_type", header.p_type.into(), why));
        }
        if header.p_type == PT_LOAD && (header.p_filesz != header.p_memsz || header.p_filesz == 0) {
            let why = format!("p_memsz is {:#x}, and a full dump has them equal", header.p_memsz);
            return Err(bad("p_filesz", header.p_filesz, &why));
        }
    }
    Ok(())
}

/// A kernel's own dump repeats each address, and its segments follow each other
/// from the first page after the headers to the end of the file (`cb_dumphdr` in
/// sys/kern/kern_dump.c). Returns the warnings.
fn check_kernel_layout(
    loads: &[ProgramHeader],
    table_end: u64,
    file_len: u64,
    page_size: u64,
) -> Result<Option<String>, DumpError> {
    let mut next = table_end.checked_next_multiple_of(page_size);
    for load in loads {
        if load.p_vaddr != load.p_paddr {
            let why = format!(
                "p_vaddr is {:#x}, and a full dump (EI_OSABI is 255) has them equal",
                load.p_vaddr
            );
            return Err(bad("p_paddr", load.p_paddr, &why));
        }
        if next != Some(load.p_offset) {
            let why = "in a full dump each segment begins where the one before it ends";
            return Err(bad("p_offset", load.p_offset, why));
        }
        next = load.p_offset.checked_add(load.p_filesz);
    }
    let rest = file_len.saturating_sub(next.unwrap_or(file_len));
    Ok((rest >= page_size).then(|| {
        format!(
            "the file goes on for {rest:#x} bytes after its last segment: \
             program headers (e_phnum) may be missing"
        )
    }))
}

/// The segments by address, without overlaps.
fn sorted_segments(
    loads: &[ProgramHeader],
    is_virtual: bool,
    file_len: u64,
) -> Result<Vec<Segment>, DumpError> {
    let address = if is_virtual { "p_vaddr" } else { "p_paddr" };
    let segments = loads.iter().map(|load| segment(load, address));
    let mut sorted = segments.collect::<Result<Vec<_>, _>>()?;
    sorted.sort_by_key(|segment| segment.start);
    cut_overlaps(&mut sorted)?;
    match is_virtual {
        true => check_total(&sorted, file_len)?,
        false => check_file_overlaps(sorted.clone())?,
    }
    Ok(sorted)
}

/// The segment at the address field `address`, whose value is in p_paddr.
fn segment(load: &ProgramHeader, address: &str) -> Result<Segment, DumpError> {
    let (start, len, offset) = (load.p_paddr, load.p_filesz, load.p_offset);
    if start.checked_add(len).is_none() {
        return Err(bad("p_filesz", len, &format!("from {address} {start:#x} on it wraps around")));
    }
    if offset.checked_add(len).is_none() {
        return Err(bad("p_offset", offset, &format!("with p_filesz {len:#x} it wraps around")));
    }
    if len > load.p_memsz {
        let why = format!("the segment has only {:#x} bytes of memory (p_memsz)", load.p_memsz);
        return Err(bad("p_filesz", len, &why));
    }
    Ok(Segment { start, len, offset })
}

/// Removes from each segment the part that an earlier one has: QEMU names the same bytes
/// again for each of their virtual addresses.
fn cut_overlaps(sorted: &mut Vec<Segment>) -> Result<(), DumpError> {
    let mut earlier = Segment { start: 0, len: 0, offset: 0 };
    for segment in sorted.iter_mut() {
        let end = earlier.start + earlier.len;
        let excess = end.saturating_sub(segment.start).min(segment.len);
        let same_bytes = earlier.offset.wrapping_sub(earlier.start)
            == segment.offset.wrapping_sub(segment.start);
        if excess > 0 && !same_bytes {
            let why = "an earlier segment has this memory too, at another place in the file";
            return Err(bad("p_paddr", segment.start, why));
        }
        segment.start += excess;
        segment.offset += excess;
        segment.len -= excess;
        if segment.len > 0 {
            earlier = *segment;
        }
    }
    sorted.retain(|segment| segment.len > 0);
    Ok(())
}

/// No bytes of the file can be memory at two addresses.
fn check_file_overlaps(mut segments: Vec<Segment>) -> Result<(), DumpError> {
    segments.sort_by_key(|segment| segment.offset);
    for pair in segments.windows(2) {
        if let [first, second] = pair
            && first.offset + first.len > second.offset
        {
            let why = format!("the segment at {:#x} has these bytes too", first.start);
            return Err(bad("p_offset", second.offset, &why));
        }
    }
    Ok(())
}

/// A page may have several addresses, as in the kernel map and in the direct map, but not many. What
/// a search reads is bounded by the size of the file.
fn check_total(sorted: &[Segment], file_len: u64) -> Result<(), DumpError> {
    const ADDRESSES: u64 = 8;
    let held = |segment: &Segment| file_len.saturating_sub(segment.offset).min(segment.len);
    let total = sorted.iter().map(held).fold(0, u64::saturating_add);
    if total / ADDRESSES > file_len {
        let why = format!("the segments have more than {ADDRESSES} times the bytes of the file");
        return Err(bad("p_filesz", total, &why));
    }
    Ok(())
}

fn bad(field: &'static str, value: u64, why: &str) -> DumpError {
    DumpError::BadField { format: FORMAT, field, value: format!("{value:#x}"), why: why.to_owned() }
}

fn cut_off(what: &'static str, needed: u64, bytes: &[u8]) -> DumpError {
    DumpError::Truncated { what, needed, length: bytes.len() as u64 }
}
