//! C types, as plain data that reads nothing.
//!
//! Types refer to each other by [`TypeId`], which is cheap to copy and identifies an
//! entry in a file. So a struct can be examined without loading all
//! types that its members point to.

use crate::types::TypeError;

/// Identifies a type of a kernel or module.
///
/// Equal ids are the same type. Different ids may still be the same
/// C type, because every unit of a kernel has its own copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(pub(in crate::types) u64);

/// A C type. Sizes and offsets are in bytes of the machine that the kernel runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// `void`.
    Void,
    /// A number, character or boolean.
    Base(Base),
    /// A pointer to a type.
    Pointer(Pointer),
    /// A name for another type.
    Typedef(Typedef),
    /// A type with a qualifier.
    Qualified(Qualified),
    /// A struct, union or class.
    Record(Record),
    /// An enum.
    Enum(Enumeration),
    /// An array.
    Array(Array),
    /// A function. Only pointers to it occur in variables.
    Function(Function),
}

/// A base type: `int`, `char`, `double`, `bool` and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// Its name in the debug information; compilers differ (`long int`, `long`).
    pub name: Box<str>,
    /// Bytes.
    pub size: u64,
    /// What the bytes mean.
    pub encoding: Encoding,
}

/// How to interpret the bytes of a base type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Zero is false; everything else is true.
    Bool,
    /// A signed integer, in two's complement.
    Signed,
    /// An unsigned integer.
    Unsigned,
    /// `char`, if it is signed.
    SignedChar,
    /// `unsigned char`, or `char` if it is unsigned.
    UnsignedChar,
    /// A UTF-16 or UTF-32 character.
    Utf,
    /// A floating-point number in IEEE 754 format.
    Float,
    /// Anything else (complex, decimal), shown as raw bytes.
    Other,
}

/// A pointer, or in C++ units a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    /// The type that it points to; [`TypeId::VOID`] for `void *`.
    pub target: TypeId,
    /// Bytes.
    pub size: u64,
}

/// A name for another type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typedef {
    /// The new name.
    pub name: Box<str>,
    /// The type that it stands for.
    pub target: TypeId,
}

/// A type with one qualifier. Several qualifiers are nested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qualified {
    /// The qualifier.
    pub qualifier: Qualifier,
    /// The type without it.
    pub target: TypeId,
}

/// A type qualifier of C.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Qualifier {
    /// `const`
    Const,
    /// `volatile`
    Volatile,
    /// `restrict`
    Restrict,
    /// `_Atomic`
    Atomic,
}

/// A struct, union or class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Which of the three.
    pub kind: RecordKind,
    /// Its tag; `None` if it has none.
    pub name: Option<Box<str>>,
    /// Bytes; `None` for a declaration, and if the size is not known.
    pub size: Option<u64>,
    /// The members in the order of the source; empty for a declaration.
    pub members: Vec<Member>,
    /// Is it only `struct foo;`? Then the definition is in another unit, or nowhere.
    pub declaration: bool,
}

/// The keyword of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// All members have their own place.
    Struct,
    /// All members share one place.
    Union,
    /// A C++ class.
    Class,
}

/// One member of a struct or union.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// `None` for an anonymous struct or union, whose members belong to the outer record.
    pub name: Option<Box<str>>,
    /// The member's type.
    pub type_id: TypeId,
    /// Its offset in bytes from the start of the record. For a bit-field, the whole bytes
    /// before its lowest-numbered bit.
    pub offset: u64,
    /// Its place within the bytes; `None` if it is not a bit-field.
    pub bits: Option<BitField>,
}

/// Where a bit-field is within its bytes.
///
/// `offset · 8 + bit_offset` is the distance in bits of the field's
/// lowest-numbered bit from the start of the record. Bits are counted from the
/// least significant one on little-endian machines and from the most significant
/// one on big-endian machines, as in gdb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BitField {
    /// Bits from the member's offset to the field, 0 to 7.
    pub bit_offset: u64,
    /// The width in bits; the most that it can be, if it is not known.
    pub bit_size: u64,
    /// Whether the width is known. CTF does not say that of an enum.
    pub exact: bool,
}

impl BitField {
    /// The field, if its width is known.
    ///
    /// # Errors
    /// It is not, so that its bits cannot be told from the padding behind them.
    pub fn known(self) -> Result<Self, TypeError> {
        if self.exact { Ok(self) } else { Err(TypeError::UnknownWidth { most: self.bit_size }) }
    }

    /// The width in bits, if it is known.
    #[must_use]
    pub fn width(self) -> Option<u64> {
        self.exact.then_some(self.bit_size)
    }
}

/// An enum type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enumeration {
    /// Its tag; `None` if it has none.
    pub name: Option<Box<str>>,
    /// Bytes of a value.
    pub size: u64,
    /// Are its values signed?
    pub signed: bool,
    /// The enumerators in the order of the source.
    pub enumerators: Vec<Enumerator>,
    /// Is it only `enum foo;`? Then the definition is in another unit, or nowhere.
    pub declaration: bool,
}

/// A named value of an enum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enumerator {
    /// Its name, such as `SI_SUB_VNET`.
    pub name: Box<str>,
    /// Its value, exact for signed and unsigned enums of 64 bits.
    pub value: i128,
}

/// An array of one or more dimensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Array {
    /// The type of one element, which is not an array itself if there are several dimensions.
    pub element: TypeId,
    /// The number of elements in each dimension, outermost first; `None` if the
    /// array is flexible (`char data[]`).
    pub counts: Vec<Option<u64>>,
}

/// A function type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// The type of the result.
    pub returns: TypeId,
    /// The types of the parameters, in order.
    pub parameters: Vec<TypeId>,
    /// Does `...` follow the parameters?
    pub variadic: bool,
    /// Are the parameters declared, as in `int f(int)`? In `int f()` they are not.
    pub prototyped: bool,
}

/// A variable with static storage, defined in some unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name in the source; for a virtualized variable, with the prefix `vnet_entry_`.
    pub name: Box<str>,
    /// Its type.
    pub type_id: TypeId,
    /// Where it is: its link address, or its address in memory if a target returned it.
    pub address: crate::addr::VirtAddr,
    /// The path of its source file below `sys/`: `netinet/tcp_input.c`; `None` if the unit does not
    /// say. CTF has no source files. There it is `#` and the variable's number, in the order of
    /// addresses from 1, if others have the same name.
    pub file: Option<Box<str>>,
}
