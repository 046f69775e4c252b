//! What a C type is, as DWARF tells it: plain data without any reading in it.
//!
//! Types refer to each other by [`TypeId`], which is cheap to copy and names a
//! place in a debug file, so a struct can be looked at without loading all that
//! its members point to.

/// Names one type of a kernel or module.
///
/// Two equal ids are the same type. Two different ids may still spell the same
/// C type, because every unit of a kernel has its own copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(pub(in crate::types) u64);

/// A C type. Sizes and offsets are in bytes of the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    Void,
    Base(Base),
    Pointer(Pointer),
    Typedef(Typedef),
    Qualified(Qualified),
    Record(Record),
    Enum(Enumeration),
    Array(Array),
    Function(Function),
}

/// `int`, `char`, `double`, `bool` and their like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    pub name: Box<str>,
    pub size: u64,
    pub encoding: Encoding,
}

/// How the bytes of a base type are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    Bool,
    Signed,
    Unsigned,
    /// `char` where it is signed.
    SignedChar,
    /// `unsigned char`, or `char` where it is unsigned.
    UnsignedChar,
    /// UTF-16 and UTF-32 characters.
    Utf,
    Float,
    /// Anything else (complex, decimal): shown as raw bytes.
    Other,
}

/// A pointer or, in C++ units, a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    pub target: TypeId,
    pub size: u64,
}

/// A name for another type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typedef {
    pub name: Box<str>,
    pub target: TypeId,
}

/// A type with `const`, `volatile` and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qualified {
    pub qualifier: Qualifier,
    pub target: TypeId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Qualifier {
    Const,
    Volatile,
    Restrict,
    Atomic,
}

/// A struct, union or class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub kind: RecordKind,
    pub name: Option<Box<str>>,
    /// `None` where this is only a declaration, or its size is not known.
    pub size: Option<u64>,
    pub members: Vec<Member>,
    /// `struct foo;` alone: the definition stands in another unit, or nowhere.
    pub declaration: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordKind {
    Struct,
    Union,
    Class,
}

/// One member of a struct or union.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// `None` for an anonymous struct or union, whose members are reached directly.
    pub name: Option<Box<str>>,
    pub type_id: TypeId,
    /// Bytes from the start of the record. For a bit-field: the whole bytes
    /// before its lowest-numbered bit.
    pub offset: u64,
    pub bits: Option<BitField>,
}

/// Where in its bytes a bit-field lies.
///
/// `offset · 8 + bit_offset` is the distance in bits of the field's
/// lowest-numbered bit from the start of the record: bits are counted from the
/// least significant one on little-endian machines, from the most significant
/// one on big-endian machines, as gdb counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BitField {
    pub bit_offset: u64,
    pub bit_size: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enumeration {
    pub name: Option<Box<str>>,
    pub size: u64,
    pub signed: bool,
    pub enumerators: Vec<Enumerator>,
    pub declaration: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enumerator {
    pub name: Box<str>,
    pub value: i128,
}

/// An array of one or more dimensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Array {
    pub element: TypeId,
    /// Number of elements in each dimension, outermost first; `None` where the
    /// array is flexible (`char data[]`).
    pub counts: Vec<Option<u64>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    pub returns: TypeId,
    pub parameters: Vec<TypeId>,
    pub variadic: bool,
    /// `int f(int)` rather than `int f()`.
    pub prototyped: bool,
}

/// A variable with static storage, as its unit defines it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    pub name: Box<str>,
    pub type_id: TypeId,
    pub address: crate::addr::VirtAddr,
    /// Path of the source file that defines it, cut after `sys/`: `netinet/tcp_input.c`.
    pub file: Option<Box<str>>,
}
