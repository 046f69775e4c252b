//! Objects of a known C type in kernel memory, and their members by name.
//!
//! The builder contains no layouts: `object.set("vnet_le.le_next", …)`
//! writes where the kernel's own debug information puts that member, in any
//! release and on any architecture.

use crate::addr::VirtAddr;
use crate::expr::{self, Step};
use crate::image::ImageError;
use crate::image::kernel::LoadedKernel;
use crate::types::model::{BitField, Type, TypeId};
use crate::types::{Kept, NameKind, Piece, TypeError, WantedKind};

/// A place in kernel memory with a type: what C calls an lvalue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object {
    /// The address of its first byte in the running kernel.
    pub address: VirtAddr,
    /// Its type, in [`LoadedKernel::types`].
    pub type_id: TypeId,
    /// Its place within the bytes; `None` if it is not a bit-field.
    pub bits: Option<BitField>,
}

impl Object {
    /// The object of type `type_id` at `address`.
    pub fn new(address: VirtAddr, type_id: TypeId) -> Self {
        Self { address, type_id, bits: None }
    }
}

impl LoadedKernel {
    /// The variable `name`, global or static, found by its symbol or, if the compiler renamed
    /// it, by the debug information alone.
    ///
    /// # Errors
    /// The kernel has no such variable, or the debug information does not describe it.
    pub fn variable(&self, name: &str) -> Result<Object, ImageError> {
        let found = match self.kernel().symbol(name) {
            Some(symbol) => {
                let variable = self.types().variable_linked_at(symbol.address);
                variable.map(|variable| (variable.address, variable.type_id))
            }
            None => self.renamed(name),
        };
        let (address, type_id) = found.ok_or_else(|| TypeError::NotFound {
            what: NameKind::Variable,
            name: name.to_owned(),
            near: Vec::new(),
        })?;
        Ok(Object::new(self.running(address), type_id))
    }

    /// The link address of a file-level variable that has no symbol of its name.
    fn renamed(&self, name: &str) -> Option<(VirtAddr, TypeId)> {
        let types = self.types();
        let of_files = types.statics(name).into_iter().filter(|found| found.function.is_none());
        // A value that is computed from memory has no place to set.
        let no_memory = |address, _| Err(ImageError::NotMapped(address));
        of_files.into_iter().find_map(|found| {
            match types.pieces(&found, 0, &no_memory).ok()?.as_slice() {
                [Piece { kept: Kept::At(address), .. }] => Some((*address, found.type_id)),
                _ => None,
            }
        })
    }

    /// The object of type `type_name` (`struct vnet`) at `address`.
    ///
    /// # Errors
    /// The kernel has no such type.
    pub fn object(&self, address: VirtAddr, type_name: &str) -> Result<Object, ImageError> {
        Ok(Object::new(address, self.types().find(type_name)?))
    }

    /// Allocates a zeroed object of type `type_name` on the kernel heap. `kind` names the malloc
    /// type.
    ///
    /// # Errors
    /// The kernel has no such type, or the machine has no memory left.
    pub fn malloc(&mut self, kind: &'static str, type_name: &str) -> Result<Object, ImageError> {
        let type_id = self.types().find(type_name)?;
        let size = self.types().size_of(type_id)?;
        Ok(Object::new(self.machine_mut().malloc(kind, size)?, type_id))
    }

    /// Puts text and its NUL on the kernel heap.
    pub fn malloc_text(&mut self, kind: &'static str, text: &str) -> Result<VirtAddr, ImageError> {
        let at = self.machine_mut().malloc(kind, text.len() as u64 + 1)?;
        self.machine_mut().write(at, text.as_bytes())?;
        Ok(at)
    }

    /// The text at `at`, up to its NUL.
    ///
    /// # Errors
    /// It is not mapped, or longer than any text that the builder writes.
    pub fn text(&self, at: VirtAddr) -> Result<String, ImageError> {
        const LONGEST: u64 = 4096;
        let mut bytes = Vec::new();
        for offset in 0..LONGEST {
            match self.machine().uint(at.wrapping_add(offset), 1)? {
                0 => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
                byte => bytes.push(byte as u8),
            }
        }
        Err(ImageError::Refused(format!("the text at {at} never ends")))
    }

    /// The member at the end of `path`: `vnet_le.le_next`, `if_counters[3]`.
    ///
    /// # Errors
    /// The path is malformed, or names no member.
    pub fn member(&self, object: Object, path: &str) -> Result<Object, ImageError> {
        let parsed = expr::parse_path(path)
            .map_err(|error| ImageError::Value { target: path.into(), why: error.to_string() })?;
        let first = self.step(object, &Step::Member(parsed.name.name))?;
        parsed.steps.iter().try_fold(first, |at, step| self.step(at, step))
    }

    /// Does this object have the member `name`? Releases differ.
    pub fn has(&self, object: Object, name: &str) -> bool {
        self.types().has_member(object.type_id, name)
    }

    /// One step down from an object to a member or an element.
    ///
    /// # Errors
    /// There is no such member, or the index is outside the array.
    pub fn step(&self, object: Object, step: &Step) -> Result<Object, ImageError> {
        match step {
            Step::Member(name) => {
                let field = self.types().member(object.type_id, name)?;
                let address = object.address.wrapping_add(field.offset);
                Ok(Object { address, type_id: field.type_id, bits: field.bits })
            }
            Step::Index(index) => self.element(object, *index),
        }
    }

    /// The number of elements in an array's outermost dimension; `None` for any other type.
    pub fn elements(&self, object: Object) -> Result<Option<u64>, ImageError> {
        Ok(self.types().elements(object.type_id)?.and_then(|(_, count)| count))
    }

    /// Stores an integer in the member `path` of `object`, truncated to the member's width.
    pub fn set(&mut self, object: Object, path: &str, value: u64) -> Result<(), ImageError> {
        let member = self.member(object, path)?;
        self.store(member, value)
    }

    /// Like [`LoadedKernel::set`], but does nothing if the kernel lacks that member.
    pub fn set_if_any(&mut self, object: Object, name: &str, value: u64) -> Result<(), ImageError> {
        if self.has(object, name) { self.set(object, name, value) } else { Ok(()) }
    }

    /// Stores a pointer in the member `path` of `object`.
    pub fn set_pointer(
        &mut self,
        object: Object,
        path: &str,
        to: VirtAddr,
    ) -> Result<(), ImageError> {
        self.set(object, path, to.get())
    }

    /// The unsigned integer or pointer in the member `path` of `object`.
    pub fn get(&self, object: Object, path: &str) -> Result<u64, ImageError> {
        let member = self.member(object, path)?;
        self.load_uint(member)
    }

    /// The value of `object` as an unsigned integer or pointer.
    pub fn load_uint(&self, object: Object) -> Result<u64, ImageError> {
        let size = self.types().size_of(object.type_id)?;
        self.machine().uint(object.address, size)
    }

    /// Stores `value` in `object`, an integer, pointer, enum or bit-field.
    pub fn store(&mut self, object: Object, value: u64) -> Result<(), ImageError> {
        match object.bits {
            Some(bits) => self.store_bits(object.address, bits, value),
            None => {
                let size = self.types().size_of(object.type_id)?;
                self.machine_mut().set_uint(object.address, size, value)
            }
        }
    }

    /// Bits are counted from the least significant one of the first byte on little-endian
    /// machines, and from the most significant one on big-endian ones. So this goes bit by bit.
    fn store_bits(&mut self, at: VirtAddr, bits: BitField, value: u64) -> Result<(), ImageError> {
        let bits = bits.known()?;
        let little = matches!(self.machine().arch().endian(), crate::bytes::Endian::Little);
        for number in 0..bits.bit_size.min(64) {
            let place = bits.bit_offset + number;
            let byte = at.wrapping_add(place / 8);
            let (mask, set) = if little {
                (1 << (place % 8), value >> number & 1 == 1)
            } else {
                (0x80 >> (place % 8), value >> (bits.bit_size.min(64) - 1 - number) & 1 == 1)
            };
            let old = self.machine().uint(byte, 1)?;
            let new = if set { old | mask } else { old & !mask };
            self.machine_mut().set_uint(byte, 1, new)?;
        }
        Ok(())
    }

    fn element(&self, array: Object, index: u64) -> Result<Object, ImageError> {
        let types = self.types();
        let (_, found) = types.resolve(array.type_id)?;
        let Type::Array(shape) = &*found else {
            let type_name = types.name(array.type_id);
            return Err(TypeError::WrongKind { type_name, wanted: WantedKind::Array }.into());
        };
        let count = shape.counts.first().copied().flatten();
        if count.is_some_and(|count| index >= count) {
            let why = format!("{} has no element {index}", types.name(array.type_id));
            return Err(ImageError::Value { target: format!("[{index}]"), why });
        }
        let type_id = match shape.counts.get(1..) {
            Some(inner @ [_, ..]) => types.rows_of(shape.element, inner),
            _ => shape.element,
        };
        let offset = types.size_of(type_id)?.wrapping_mul(index);
        Ok(Object::new(array.address.wrapping_add(offset), type_id))
    }
}
