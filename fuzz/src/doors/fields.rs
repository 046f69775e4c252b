//! The fields of a dump that its readers rely on: the words of its header and of its page map, and every
//! number and pointer of the structs that lead from the kernel's variables to each other.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;

use vnetkvm::addr::{PhysAddr, VirtAddr};
use vnetkvm::bytes::{Endian, Fields};
use vnetkvm::session::Session;
use vnetkvm::types::TypeId;
use vnetkvm::types::model::Type;

/// A number in the file.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its place in the file.
    pub at: usize,
    /// Its length in bytes, at most 8.
    pub len: usize,
    /// Its address in the kernel's memory; 0 in a header.
    pub address: u64,
    /// Of the machine, and of the file's headers.
    pub endian: Endian,
}

impl Field {
    /// The number; 0 behind the end of the file.
    pub fn read(self, file: &[u8]) -> u64 {
        Fields::new(file, self.endian).uint(self.at, self.len).unwrap_or(0)
    }

    /// Writes the lower bytes of `value`.
    pub fn write(self, file: &mut [u8], value: u64) {
        if let Some(bytes) = file.get_mut(self.at..self.at + self.len) {
            bytes.copy_from_slice(&self.endian.bytes(value, self.len as u64));
        }
    }
}

/// The most fields. Those that are near the kernel's variables come first.
const MOST: usize = 30_000;

/// Variables that views begin with, or that lead to the page tables.
const ROOTS: [&str; 27] = [
    "vnet_head",
    "vnet0",
    "allprison",
    "allproc",
    "linker_files",
    "cpuhead",
    "vnet_data_free_head",
    "vnet_sysinits",
    "sysctl__children",
    "eventhandler_lists",
    "uma_kegs",
    "dumptid",
    "zone_mbuf",
    "zone_clust",
    "vm_page_array",
    "vm_page_array_size",
    "vm_page_dump",
    "dump_avail",
    "dpcpu_off",
    "dpcpu_head",
    "cpuid_to_pcpu",
    "mp_maxid",
    "stoppcbs",
    "KPML4phys",
    "IdlePTD",
    "kernel_pmap_store",
    "radix_mmu",
];

/// The fields of the dump `file` that `session` has opened.
pub fn of_dump(session: &Session, file: &[u8]) -> Vec<Field> {
    let places = Places::of(session, file);
    let arch = session.core().arch;
    let words = |from: usize, to: usize, len: usize| {
        (from..to).step_by(len).map(move |at| Field { at, len, address: 0, endian: arch.endian() })
    };
    let (header, map) = (HEADERS.min(places.start), PAGE.min(places.start));
    let header = words(24.min(header), header, 4);
    let map = words(map, places.start, arch.pointer_size() as usize);
    let mut fields: Vec<Field> = header.chain(map.filter(|field| field.read(file) != 0)).collect();
    fields.truncate(MOST / 2);
    fields
        .extend(Walk { session, places: &places, found: Vec::new(), seen: BTreeSet::new() }.run());
    fields.truncate(MOST);
    fields
}

/// The bytes of headers that readers look at, of which the first say what the file is.
const HEADERS: usize = 24 + 64 + 56;
/// Where the header of a minidump ends and its tables begin.
const PAGE: usize = 4096;

/// Where memory lies in the file: at its end, in the order of its addresses. So it is in all formats. In raw memory
/// there is nothing before it.
struct Places {
    start: usize,
    /// Each stretch of memory with its place, counted from `start`.
    stretches: Vec<(Range<u64>, usize)>,
}

impl Places {
    fn of(session: &Session, file: &[u8]) -> Self {
        let memory = session.core().memory();
        let (mut stretches, mut len) = (Vec::new(), 0);
        let mut next = memory.next(PhysAddr::new(0));
        while let Some(range) = next.filter(|range| range.start < range.end) {
            stretches.push((range.start.get()..range.end.get(), len));
            len += (range.end.get() - range.start.get()) as usize;
            next = memory.next(range.end);
        }
        Self { start: file.len() - len, stretches }
    }

    fn of_address(&self, session: &Session, address: VirtAddr) -> Option<usize> {
        let at = session.memory().translate(address).ok()?.get();
        let after = self.stretches.partition_point(|(range, _)| range.start <= at);
        let (range, place) = self.stretches.get(after.checked_sub(1)?)?;
        range.contains(&at).then(|| self.start + place + (at - range.start) as usize)
    }
}

/// From the roots along all pointers.
struct Walk<'s> {
    session: &'s Session,
    places: &'s Places,
    found: Vec<Field>,
    seen: BTreeSet<(VirtAddr, TypeId)>,
}

impl Walk<'_> {
    fn run(mut self) -> Vec<Field> {
        let mut queue = VecDeque::new();
        for name in ROOTS {
            let variable = self.session.target().global(name).ok();
            queue.extend(variable.map(|variable| (variable.address, variable.type_id)));
        }
        for stack in self.session.stacks().unwrap_or_default() {
            for variable in self.session.variables(&[]).unwrap_or_default() {
                let address = self.session.address(stack, &variable);
                queue.extend(variable.type_id.map(|id| (address, id)));
            }
        }
        while let Some((address, id)) = queue.pop_front() {
            if self.found.len() < MOST && self.seen.insert((address, id)) {
                self.visit(address, id, &mut queue);
            }
        }
        self.found
    }

    fn visit(&mut self, address: VirtAddr, id: TypeId, queue: &mut VecDeque<(VirtAddr, TypeId)>) {
        let Ok(types) = self.session.types() else { return };
        let Ok((id, kind)) = types.resolve(id) else { return };
        match &*kind {
            Type::Record(record) => {
                let members = record.members.iter();
                queue.extend(members.map(|m| (address.wrapping_add(m.offset), m.type_id)));
            }
            Type::Array(array) => {
                let len = types.size_of(array.element).unwrap_or(1);
                queue.extend((0..4).map(|n| (address.wrapping_add(n * len), array.element)));
            }
            Type::Pointer(pointer) => {
                self.add(address, id);
                if let Ok(target) = self.session.memory().pointer(address)
                    && target.get() != 0
                {
                    queue.push_back((target, pointer.target));
                }
            }
            Type::Base(_) | Type::Enum(_) => self.add(address, id),
            _ => {}
        }
    }

    fn add(&mut self, address: VirtAddr, id: TypeId) {
        let len = self.session.types().ok().and_then(|types| types.size_of(id).ok());
        let place = self.places.of_address(self.session, address);
        if let (Some(at), Some(len @ 1..=8)) = (place, len) {
            let endian = self.session.core().arch.endian();
            self.found.push(Field { at, len: len as usize, address: address.get(), endian });
        }
    }
}
