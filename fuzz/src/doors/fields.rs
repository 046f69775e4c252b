//! The fields of a dump that its readers rely on: the words of its header and of its page map, and every
//! number and pointer of the structs that lead from the kernel's variables to each other.

use std::collections::{BTreeSet, VecDeque};

use vnetkvm::addr::{PhysAddr, VirtAddr};
use vnetkvm::session::Session;
use vnetkvm::types::TypeId;
use vnetkvm::types::model::Type;

/// A number in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Field {
    /// Its place in the file.
    pub at: usize,
    /// Its length in bytes, at most 8.
    pub len: usize,
    /// Its address in the kernel's memory; 0 in a header.
    pub address: u64,
}

impl Field {
    /// The number; 0 behind the end of the file.
    pub fn read(self, file: &[u8]) -> u64 {
        let mut word = [0; 8];
        if let Some(bytes) = file.get(self.at..self.at + self.len) {
            word[..self.len].copy_from_slice(bytes);
        }
        u64::from_le_bytes(word)
    }

    /// Writes the lower bytes of `value`.
    pub fn write(self, file: &mut [u8], value: u64) {
        if let Some(bytes) = file.get_mut(self.at..self.at + self.len) {
            bytes.copy_from_slice(&value.to_le_bytes()[..self.len]);
        }
    }
}

/// The most fields. Those that are near the kernel's variables come first.
const MOST: usize = 30_000;

/// Variables that views begin with.
const ROOTS: [&str; 12] = [
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
];

/// The fields of the minidump `file` that `session` has opened.
pub fn of_minidump(session: &Session, file: &[u8]) -> Vec<Field> {
    let Places { start, pages } = Places::of(session, file);
    let words = |from: usize, to: usize| (from..to).step_by(8);
    let word = |at| Field { at, len: 8, address: 0 };
    let header = words(24, 24 + 64).map(word);
    let map = words(4096, start).map(word).filter(|field| field.read(file) != 0);
    let mut fields: Vec<Field> = header.chain(map).collect();
    let places = Places { start, pages };
    fields
        .extend(Walk { session, places: &places, found: Vec::new(), seen: BTreeSet::new() }.run());
    fields.truncate(MOST);
    fields
}

/// Where the pages of a minidump lie: in the order of their addresses, up to the file's end.
struct Places {
    start: usize,
    pages: Vec<u64>,
}

const PAGE: u64 = 4096;

impl Places {
    fn of(session: &Session, file: &[u8]) -> Self {
        let memory = session.core().memory();
        let mut pages = Vec::new();
        let mut next = memory.next(PhysAddr::new(0));
        while let Some(range) = next {
            pages.extend((range.start.get()..range.end.get()).step_by(PAGE as usize));
            next = memory.next(range.end);
        }
        Self { start: file.len() - pages.len() * PAGE as usize, pages }
    }

    fn of_address(&self, session: &Session, address: VirtAddr) -> Option<usize> {
        let at = session.memory().translate(address).ok()?.get();
        let page = self.pages.binary_search(&(at & !(PAGE - 1))).ok()?;
        Some(self.start + page * PAGE as usize + (at & (PAGE - 1)) as usize)
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
            self.found.push(Field { at, len: len as usize, address: address.get() });
        }
    }
}
