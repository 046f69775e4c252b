//! A struct in kernel memory, read member by member.

use crate::addr::VirtAddr;
use crate::fault::Fault;
use crate::target::{ReadError, Target};
use crate::types::{Field, TypeId};
use crate::value::{bits, freed};

/// A place in memory with a type. Members are named by their path: `vnet_le.le_next`.
#[derive(Debug, Clone, Copy)]
pub struct Object<'t> {
    target: &'t Target,
    /// The first byte in kernel memory.
    pub address: VirtAddr,
    /// Its type in the target's types.
    pub type_id: TypeId,
}

/// The longest string that is read from a member, in bytes.
const MAX_TEXT: usize = 4096;

impl<'t> Object<'t> {
    /// The object of that type at `address`; nothing is read yet.
    #[must_use]
    pub fn new(target: &'t Target, type_id: TypeId, address: VirtAddr) -> Self {
        Self { target, address, type_id }
    }

    /// The kernel's global variable of that name.
    ///
    /// # Errors
    /// There is no such symbol, or no debug information about it.
    pub fn global(target: &'t Target, name: &str) -> Result<Self, ReadError> {
        let variable = target.global(name)?;
        Ok(Self::new(target, variable.type_id, variable.address))
    }

    /// Whether its type has this member.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.target.types().is_ok_and(|types| types.has_path(self.type_id, path))
    }

    /// The member itself, as an object.
    ///
    /// # Errors
    /// There is no such member.
    pub fn member(&self, path: &str) -> Result<Self, ReadError> {
        let field = self.field(path)?;
        Ok(Self::new(self.target, field.type_id, self.at(field)))
    }

    /// An unsigned integer member, a bit-field included; an enum's number.
    ///
    /// # Errors
    /// There is no such member, it is not a number, or its memory cannot be read.
    pub fn uint(&self, path: &str) -> Result<u64, ReadError> {
        self.uint_at(self.field(path)?)
    }

    fn uint_at(&self, field: Field) -> Result<u64, ReadError> {
        let size = self.target.types()?.size_of(field.type_id)?;
        if let Some(bit_field) = field.bits {
            let bit_field = bit_field.known()?;
            let mut bytes = [0; 16];
            let bytes = &mut bytes[..bits::bytes_of(bit_field)];
            self.target.memory().read(self.at(field), bytes)?;
            return Ok(bits::extract(self.target.arch().endian(), bytes, bit_field) as u64);
        }
        Ok(self.target.memory().uint(self.at(field), size.min(8) as usize)?)
    }

    /// A signed integer member.
    ///
    /// # Errors
    /// As [`Object::uint`].
    pub fn int(&self, path: &str) -> Result<i64, ReadError> {
        let field = self.field(path)?;
        let size = self.target.types()?.size_of(field.type_id)?;
        let width = field.bits.map_or(size.min(8) * 8, |bits| bits.bit_size);
        Ok(bits::sign_extend(self.uint_at(field)?.into(), width) as i64)
    }

    /// A pointer member.
    ///
    /// # Errors
    /// There is no such member, or its memory cannot be read.
    pub fn pointer(&self, path: &str) -> Result<VirtAddr, ReadError> {
        let field = self.field(path)?;
        Ok(self.target.memory().pointer(self.at(field))?)
    }

    /// The struct that a pointer member points to; `None` if it is NULL.
    ///
    /// # Errors
    /// There is no such member, it is not a pointer, its memory cannot be read, or what
    /// it points to is freed.
    pub fn follow(&self, path: &str) -> Result<Option<Self>, ReadError> {
        let found = self.follow_anywhere(path)?;
        if let Some(found) = &found {
            found.check_freed()?;
        }
        Ok(found)
    }

    /// The same, whether or not it is freed.
    ///
    /// # Errors
    /// There is no such member, it is not a pointer, or its memory cannot be read.
    pub fn follow_anywhere(&self, path: &str) -> Result<Option<Self>, ReadError> {
        self.behind(path, self.pointer(path)?)
    }

    /// The struct at `address`, which was read of a pointer member; `None` if it is NULL.
    ///
    /// # Errors
    /// There is no such member, or it is not a pointer.
    pub fn behind(&self, path: &str, address: VirtAddr) -> Result<Option<Self>, ReadError> {
        let to = self.target.types()?.pointee(self.field(path)?.type_id)?;
        Ok((!address.is_null()).then(|| Self::new(self.target, to, address)))
    }

    /// A member that is a char array, or a pointer to a string.
    ///
    /// # Errors
    /// There is no such member, or its memory cannot be read.
    pub fn text(&self, path: &str) -> Result<String, ReadError> {
        let field = self.field(path)?;
        let types = self.target.types()?;
        let (start, limit) = match types.target_of(field.type_id) {
            Ok(Some(_)) => (self.target.memory().pointer(self.at(field))?, MAX_TEXT),
            _ => (self.at(field), types.size_of(field.type_id)? as usize),
        };
        let bytes = self.target.memory().c_string(start, limit.min(MAX_TEXT))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The string that a pointer member leads to; `None` if it is NULL.
    ///
    /// # Errors
    /// There is no such member, or its memory cannot be read.
    pub fn text_behind(&self, path: &str) -> Result<Option<Box<str>>, ReadError> {
        match self.pointer(path)?.non_null() {
            Some(_) => Ok(Some(self.text(path)?.into())),
            None => Ok(None),
        }
    }

    /// Checks that the kernel has not freed its memory.
    ///
    /// # Errors
    /// It is freed.
    pub fn check_freed(&self) -> Result<(), Fault> {
        let size = self.target.types().ok().and_then(|types| types.size_of(self.type_id).ok());
        freed::check(self.target.memory(), self.address, size.unwrap_or(u64::MAX))
    }

    /// Checks that the object's first byte can be read.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn probe(&self) -> Result<(), Fault> {
        self.target.memory().u8(self.address).map(drop)
    }

    /// The target whose memory it is in.
    #[must_use]
    pub fn target(&self) -> &'t Target {
        self.target
    }

    fn field(&self, path: &str) -> Result<Field, ReadError> {
        Ok(self.target.types()?.path(self.type_id, path)?)
    }

    fn at(&self, field: Field) -> VirtAddr {
        self.address.wrapping_add(field.offset)
    }
}
