//! From one record to one [`Type`].

use crate::budget::{Budget, Exhausted, Resource};
use crate::types::ctf::CtfFile;
use crate::types::ctf::container::damaged;
use crate::types::ctf::table::{ENUMERATOR, Entry, Kind, member_size};
use crate::types::model::*;
use crate::types::{TypeError, bits, spelling};

/// C compilers must support only 12 dimensions, and no kernel uses that many.
const MOST_DIMENSIONS: usize = 64;

/// The deepest chain of typedefs. Real ones stay far below it, and a cycle must end.
const DEEPEST: usize = 64;

/// Set in the encoding of an integer.
const SIGNED: u32 = 1;
const CHAR: u32 = 2;
const BOOL: u32 = 4;

/// What version 3 adds to the name of the type of a bit-field.
const BITFIELD: &str = " bitfield";

/// A member as it is written.
struct RawMember {
    name: u32,
    type_id: u32,
    /// In bits from the start of the record.
    offset: u64,
}

/// A number of bits.
struct Width {
    bits: u64,
    /// Or at most so many.
    exact: bool,
}

impl CtfFile {
    /// The type with this number.
    ///
    /// # Errors
    /// There is none, or its name or its parts are damaged.
    pub(super) fn type_of(&self, id: u32, budget: &Budget) -> Result<Type, TypeError> {
        budget.work(1)?;
        let entry = self.entry(id)?;
        let name = || Ok::<_, TypeError>(self.container.name(entry.name)?.map(Box::from));
        let keyword = |kind| self.record(&entry, kind, budget);
        Ok(match entry.kind {
            Kind::Unknown => return Err(self.wrong(&entry, format!("type {id:#x} is a hole"))),
            Kind::Integer if entry.size == 0 => Type::Void,
            Kind::Integer | Kind::Float => Type::Base(self.base(&entry)?),
            Kind::Pointer => Type::Pointer(Pointer {
                target: self.reference(entry.target)?,
                size: self.arch.pointer_size(),
            }),
            Kind::Array => Type::Array(self.array(&entry)?),
            Kind::Function => Type::Function(self.function(&entry, budget)?),
            Kind::Struct => keyword(RecordKind::Struct)?,
            Kind::Union => keyword(RecordKind::Union)?,
            Kind::Enum => self.enumeration(&entry, budget)?,
            // It may be of a union too, which is not said.
            Kind::Forward => Type::Record(Record {
                kind: RecordKind::Struct,
                name: name()?,
                size: None,
                members: Vec::new(),
                declaration: true,
            }),
            Kind::Typedef => Type::Typedef(Typedef {
                name: name()?.unwrap_or_default(),
                target: self.reference(entry.target)?,
            }),
            Kind::Volatile => self.qualified(&entry, Qualifier::Volatile)?,
            Kind::Const => self.qualified(&entry, Qualifier::Const)?,
            Kind::Restrict => self.qualified(&entry, Qualifier::Restrict)?,
        })
    }

    /// What something refers to by number. It need not exist; then reading it is an error.
    fn reference(&self, id: u32) -> Result<TypeId, TypeError> {
        let is_void = || {
            let entry = self.entry(id).ok();
            entry.is_some_and(|entry| entry.kind == Kind::Integer && entry.size == 0)
        };
        if id == 0 || is_void() {
            return Ok(TypeId::VOID);
        }
        self.id(id).ok_or_else(|| damaged(self.container.types.start, "a type has no id"))
    }

    fn qualified(&self, entry: &Entry, qualifier: Qualifier) -> Result<Type, TypeError> {
        Ok(Type::Qualified(Qualified { qualifier, target: self.reference(entry.target)? }))
    }

    fn base(&self, entry: &Entry) -> Result<Base, TypeError> {
        let encoding = self.word(entry)? >> 24;
        let encoding = match entry.kind {
            Kind::Float => match encoding {
                1 | 2 | 6 => Encoding::Float,
                _ => Encoding::Other,
            },
            _ if encoding & BOOL != 0 => Encoding::Bool,
            _ => match (encoding & CHAR != 0, encoding & SIGNED != 0) {
                (true, true) => Encoding::SignedChar,
                (true, false) => Encoding::UnsignedChar,
                (false, true) => Encoding::Signed,
                (false, false) => Encoding::Unsigned,
            },
        };
        let name = self.container.string(entry.name)?;
        let name = spelling::canonical(name.strip_suffix(BITFIELD).unwrap_or(name));
        Ok(Base { name: name.into(), size: entry.size, encoding })
    }

    /// The word that follows an integer: encoding, offset, and width in bits.
    fn word(&self, entry: &Entry) -> Result<u32, TypeError> {
        self.container.fields().u32(entry.body).ok_or_else(|| self.cut_off(entry))
    }

    /// The width of an integer type that only a bit-field has: less than its bytes.
    pub(super) fn narrow_bits(&self, entry: &Entry) -> Option<u64> {
        let bits = u64::from(self.word(entry).ok()? & 0xffff);
        let narrow = entry.kind == Kind::Integer && bits < entry.size.saturating_mul(8);
        narrow.then_some(bits)
    }

    /// An array. More dimensions are arrays of arrays.
    fn array(&self, entry: &Entry) -> Result<Array, TypeError> {
        let mut counts = Vec::new();
        let mut innermost = *entry;
        loop {
            if counts.len() == MOST_DIMENSIONS {
                let resource = Resource::Levels("the array");
                return Err(Exhausted { resource, limit: MOST_DIMENSIONS as u64 }.into());
            }
            let (element, count) = self.dimension(&innermost)?;
            // `[]` and `[0]` are written alike.
            counts.push(Some(u64::from(count)).filter(|count| *count != 0));
            match self.entry(element) {
                Ok(next) if next.kind == Kind::Array => innermost = next,
                _ => return Ok(Array { element: self.reference(element)?, counts }),
            }
        }
    }

    /// The type of an array's elements and their number.
    fn dimension(&self, entry: &Entry) -> Result<(u32, u32), TypeError> {
        let (fields, version) = (self.container.fields(), self.container.version);
        let element = version.word(fields, entry.body);
        let count = fields.u32(entry.body + 2 * version.id_size());
        element.zip(count).ok_or_else(|| self.cut_off(entry))
    }

    fn function(&self, entry: &Entry, budget: &Budget) -> Result<Function, TypeError> {
        let (fields, version) = (self.container.fields(), self.container.version);
        budget.bytes(u64::from(entry.count) * size_of::<TypeId>() as u64)?;
        let ids = (0..entry.count as usize).map(|number| {
            let at = entry.body + number * version.id_size();
            version.word(fields, at).ok_or_else(|| self.cut_off(entry))
        });
        let mut ids: Vec<u32> = ids.collect::<Result<_, _>>()?;
        let variadic = ids.pop_if(|last| *last == 0).is_some();
        let parameters: Vec<TypeId> =
            ids.into_iter().map(|id| self.reference(id)).collect::<Result<_, _>>()?;
        // `()` and `(void)` are written alike.
        let prototyped = variadic || !parameters.is_empty();
        let returns = self.reference(entry.target)?;
        Ok(Function { returns, parameters, variadic, prototyped })
    }

    fn record(&self, entry: &Entry, kind: RecordKind, budget: &Budget) -> Result<Type, TypeError> {
        let mut members = Vec::new();
        for number in 0..entry.count {
            let raw = self.raw_member(entry, number)?;
            let name = self.container.name(raw.name)?;
            budget.bytes((size_of::<Member>() + name.map_or(0, str::len)) as u64)?;
            let bits = self.bit_field(entry, kind, &raw, number)?;
            let bits = bits.map(|width| BitField {
                bit_offset: raw.offset % 8,
                bit_size: width.bits,
                exact: width.exact,
            });
            members.push(Member {
                name: name.map(Box::from),
                type_id: self.reference(raw.type_id)?,
                offset: raw.offset / 8,
                bits,
            });
        }
        let name = self.container.name(entry.name)?.map(Box::from);
        let size = Some(entry.size);
        Ok(Type::Record(Record { kind, name, size, members, declaration: false }))
    }

    fn raw_member(&self, entry: &Entry, number: u32) -> Result<RawMember, TypeError> {
        let (fields, version) = (self.container.fields(), self.container.version);
        let at = entry.body + number as usize * member_size(version, entry);
        let read = || {
            let (name, type_id) = (fields.u32(at)?, version.word(fields, at + 4)?);
            let offset = match entry.is_big(version) {
                // In version 2 the id is padded to the width of the others.
                true => u64::from(fields.u32(at + 8)?) << 32 | u64::from(fields.u32(at + 12)?),
                false => version.word(fields, at + 4 + version.id_size())?.into(),
            };
            Some(RawMember { name, type_id, offset })
        };
        read().ok_or_else(|| self.cut_off(entry))
    }

    /// The width of a member that is a bit-field; `None` if it is an ordinary one.
    ///
    /// An integer says how wide it is. An enum does not, so it ends at most where the next member
    /// begins.
    fn bit_field(
        &self,
        record: &Entry,
        kind: RecordKind,
        member: &RawMember,
        number: u32,
    ) -> Result<Option<Width>, TypeError> {
        let Some(entry) = self.behind_typedefs(member.type_id) else { return Ok(None) };
        if let Some(bits) = self.narrow_bits(&entry) {
            return Ok(Some(Width { bits, exact: true }));
        }
        let wide = entry.size.saturating_mul(8);
        let is_shifted = !member.offset.is_multiple_of(8);
        match entry.kind {
            // One as wide as its type is told by its place alone.
            Kind::Integer => Ok(is_shifted.then_some(Width { bits: wide, exact: true })),
            Kind::Enum => {
                let Some(end) = self.end(record, kind, number)? else {
                    return Ok(is_shifted.then_some(Width { bits: wide, exact: false }));
                };
                let room = end.bits.saturating_sub(member.offset);
                let is_narrow = is_shifted || (room != 0 && room < wide);
                let bits = room.clamp(1, wide.max(1));
                Ok(is_narrow.then_some(Width { bits, exact: end.exact && room <= wide }))
            }
            _ => Ok(None),
        }
    }

    /// The most that a member can reach to, in bits of its struct, and whether it does; `None` in
    /// a union.
    ///
    /// A bit-field follows the one before it at once, but where it would cross a boundary of its
    /// type. Padding stands before other members, and at the end.
    fn end(
        &self,
        record: &Entry,
        kind: RecordKind,
        number: u32,
    ) -> Result<Option<Width>, TypeError> {
        if kind == RecordKind::Union {
            return Ok(None);
        }
        if number + 1 >= record.count {
            return Ok(Some(Width { bits: record.size.saturating_mul(8), exact: false }));
        }
        let next = self.raw_member(record, number + 1)?;
        let entry = self.behind_typedefs(next.type_id);
        let narrow = entry.and_then(|entry| Some((entry.size * 8, self.narrow_bits(&entry)?)));
        let exact = match narrow {
            Some((unit, bits)) => bits == 1 || !next.offset.is_multiple_of(unit),
            None => !next.offset.is_multiple_of(8),
        };
        Ok(Some(Width { bits: next.offset, exact }))
    }

    fn enumeration(&self, entry: &Entry, budget: &Budget) -> Result<Type, TypeError> {
        let fields = self.container.fields();
        let mut enumerators = Vec::new();
        // Of a value with more than 32 bits only the low ones are there, so a name could be wrong.
        let known = if entry.size > 4 { 0 } else { entry.count };
        for number in 0..known as usize {
            let at = entry.body + number * ENUMERATOR;
            let read = fields.u32(at).zip(fields.u32(at + 4));
            let (name, value) = read.ok_or_else(|| self.cut_off(entry))?;
            let name: Box<str> = self.container.string(name)?.into();
            budget.bytes((size_of::<Enumerator>() + name.len()) as u64)?;
            enumerators.push(Enumerator { name, value: i128::from(value as i32) });
        }
        let signed = enumerators.iter().any(|enumerator| enumerator.value < 0);
        let width = entry.size.saturating_mul(8);
        for enumerator in &mut enumerators {
            enumerator.value = bits::truncate(enumerator.value, width, signed);
        }
        let name = self.container.name(entry.name)?.map(Box::from);
        let size = entry.size;
        Ok(Type::Enum(Enumeration { name, size, signed, enumerators, declaration: false }))
    }

    /// The type behind typedefs and qualifiers; `None` if something on the way is damaged.
    fn behind_typedefs(&self, mut id: u32) -> Option<Entry> {
        for _ in 0..DEEPEST {
            let entry = self.entry(id).ok()?;
            match entry.kind {
                Kind::Typedef | Kind::Volatile | Kind::Const | Kind::Restrict => id = entry.target,
                _ => return Some(entry),
            }
        }
        None
    }

    /// Can a variable of this type have a symbol of `size` bytes? Without a size a symbol says
    /// nothing. An initialised flexible array at the end makes it larger than its type.
    pub(super) fn may_be_of(&self, id: u32, size: u64) -> bool {
        let Some(entry) = self.behind_typedefs(id) else { return false };
        let own = match entry.kind {
            Kind::Pointer => self.arch.pointer_size(),
            Kind::Unknown | Kind::Function | Kind::Forward => return size == 0,
            _ => entry.size,
        };
        size == 0 || own == size || own < size && self.is_flexible(entry)
    }

    /// Does it end in an array without a length?
    fn is_flexible(&self, mut entry: Entry) -> bool {
        for _ in 0..DEEPEST {
            let last = match entry.kind {
                Kind::Array => return self.dimension(&entry).is_ok_and(|(_, count)| count == 0),
                Kind::Struct => entry.count.checked_sub(1),
                _ => None,
            };
            let last = last.and_then(|last| self.raw_member(&entry, last).ok());
            match last.and_then(|last| self.behind_typedefs(last.type_id)) {
                Some(next) => entry = next,
                None => return false,
            }
        }
        false
    }

    fn cut_off(&self, entry: &Entry) -> TypeError {
        self.wrong(entry, "a type does not end where the types do")
    }

    fn wrong(&self, entry: &Entry, why: impl ToString) -> TypeError {
        damaged(entry.body, why)
    }
}
