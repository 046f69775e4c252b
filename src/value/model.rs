//! A value read from kernel memory, ready to be printed: no addresses to follow,
//! no types to look up.

use std::borrow::Cow;

use crate::addr::VirtAddr;
use crate::budget::Exhausted;
use crate::fault::{Fault, FaultKind};
use crate::target::ReadError;
use crate::types::TypeError;
pub use crate::value::elements::Elements;
pub use crate::value::record::RecordValue;
use crate::walk::{Problem, Why};

/// The value of a variable, member or expression.
///
/// A vnet has tens of thousands of them, so a value is small: rare parts are boxed.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Any integer, a bit-field included.
    Int(i128),
    /// A `bool` or `_Bool`.
    Bool(bool),
    /// One character; `signed` as its type is.
    Char(i128),
    /// A `float`, `double` or `long double`, rounded to the host's `f64`.
    Float(f64),
    /// A number with the name that its enum gives it.
    Enum(Box<EnumValue>),
    /// A pointer; what it points at is not read, except for text.
    Pointer(PointerValue),
    /// A struct or union.
    Record(RecordValue),
    /// An array that does not hold printable text.
    Array(ArrayValue),
    /// A char array that holds a terminated, printable string.
    Text(Box<str>),
    /// A `counter_u64_t`: the sum over all CPUs, and the address the pointer held.
    Counter {
        /// The sum over all CPUs, modulo 2^64.
        sum: u64,
        /// What the counter's pointer holds: an address, or an offset in newer kernels.
        address: VirtAddr,
    },
    /// Bytes of which only the size is known.
    Bytes(BytesValue),
    /// A value that people are shown in another form.
    Told(Box<Told>),
    /// The value could not be read, and why.
    Error(Box<ValueError>),
}

/// The value of an enum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnumValue {
    /// `A`, or `A | B` for several flags; `None` if no name fits.
    pub name: Option<Box<str>>,
    /// The number itself.
    pub value: i128,
}

/// A value, and the form in which people are shown it.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// What programs are given: never itself a [`Value::Told`].
    pub value: Value,
    /// What people are shown.
    pub shown: Shown,
}

/// What people are shown of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown {
    /// This text: `0x2a`.
    Text(Box<str>),
    /// This value, of the same bytes.
    Value(Value),
    /// This number and its lowest byte as a character: `97 'a'`.
    Character(i128),
}

impl Value {
    /// The value itself, whatever people are shown of it.
    #[must_use]
    pub fn plain(&self) -> &Self {
        match self {
            Self::Told(told) => &told.value,
            value => value,
        }
    }

    /// The value that people are shown in its place, or itself.
    #[must_use]
    pub fn shown(&self) -> &Self {
        match self {
            Self::Told(told) => match &told.shown {
                Shown::Value(shown) => shown,
                Shown::Text(_) | Shown::Character(_) => self,
            },
            value => value,
        }
    }

    /// The number of values in it that could not be read, not counting those left out by a depth
    /// limit.
    pub fn unreadable(&self) -> usize {
        match self {
            Self::Error(error) => usize::from(error.kind != ErrorKind::Depth),
            Self::Record(record) => record.members().map(|(_, value)| value.unreadable()).sum(),
            Self::Array(array) => array.elements.sum_of(Self::unreadable),
            Self::Told(told) => told.value.unreadable(),
            _ => 0,
        }
    }
}

/// A pointer, with the kernel symbol it points into where there is one.
#[derive(Debug, Clone, PartialEq)]
pub struct PointerValue {
    /// The kernel address it holds; null is 0.
    pub address: VirtAddr,
    /// The target is a function.
    pub function: bool,
    /// `None` for most pointers.
    target: Option<Box<PointerTarget>>,
}

/// What is known about the target of a pointer.
#[derive(Debug, Clone, Default, PartialEq)]
struct PointerTarget {
    symbol: Option<SymbolAt>,
    text: Option<Box<str>>,
    place: Option<SourcePlace>,
}

/// A place in the kernel's source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePlace {
    /// The file, below `sys/`.
    pub file: Box<str>,
    /// The line, from 1.
    pub line: u32,
}

impl PointerValue {
    /// A pointer to a function or something else, with nothing known about its target.
    #[must_use]
    pub fn new(address: VirtAddr, function: bool) -> Self {
        Self { address, function, target: None }
    }

    /// The same pointer with the symbol that it points into.
    #[must_use]
    pub fn with_symbol(mut self, symbol: Option<SymbolAt>) -> Self {
        if symbol.is_some() || self.target.is_some() {
            self.target.get_or_insert_default().symbol = symbol;
        }
        self
    }

    /// The same pointer with the text that it points to.
    #[must_use]
    pub fn with_text(mut self, text: Option<Box<str>>) -> Self {
        if text.is_some() || self.target.is_some() {
            self.target.get_or_insert_default().text = text;
        }
        self
    }

    /// The same pointer to a function with the place where its code is in the source.
    #[must_use]
    pub fn with_place(mut self, place: Option<SourcePlace>) -> Self {
        if place.is_some() || self.target.is_some() {
            self.target.get_or_insert_default().place = place;
        }
        self
    }

    /// Where in the source the code is that it points at; `None` if that was not looked up.
    #[must_use]
    pub fn place(&self) -> Option<&SourcePlace> {
        self.target.as_ref()?.place.as_ref()
    }

    /// The kernel symbol it points into.
    #[must_use]
    pub fn symbol(&self) -> Option<&SymbolAt> {
        self.target.as_ref()?.symbol.as_ref()
    }

    /// The name of what it points at, `tcp_input` or `tcp_input+4`; its address if it has no name.
    #[must_use]
    pub fn target_name(&self) -> String {
        match self.symbol() {
            Some(symbol) => symbol.to_string(),
            None if self.address.is_null() => "NULL".to_owned(),
            None => self.address.to_string(),
        }
    }

    /// The text that a `char *` points to, if it can be read.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.target.as_ref()?.text.as_deref()
    }
}

/// A symbol and the distance of an address from its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymbolAt {
    /// The symbol's name.
    pub name: Box<str>,
    /// Bytes from the symbol's start.
    pub offset: u64,
}

/// `tcp_input`, or `tcp_input+4` inside it.
impl std::fmt::Display for SymbolAt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        match self.offset {
            0 => Ok(()),
            offset => write!(f, "+{offset}"),
        }
    }
}

/// An array, as far as limits allowed to read it.
#[derive(Debug, Clone, PartialEq)]
pub struct ArrayValue {
    /// The elements that were read; of several dimensions, each is an array.
    pub elements: Elements,
    /// Elements left out because of a limit.
    pub omitted: u64,
}

/// The bytes of something that has no known type.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BytesValue {
    /// The bytes in memory order.
    pub bytes: Box<[u8]>,
    /// Bytes left out because of a limit.
    pub omitted: u64,
}

impl From<Vec<u8>> for BytesValue {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes: bytes.into(), omitted: 0 }
    }
}

/// Why there is no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueError {
    /// The kind of failure.
    pub kind: ErrorKind,
    /// The kernel address that failed; `None` if no address is to blame.
    pub address: Option<VirtAddr>,
    /// What happened, in words.
    pub message: Cow<'static, str>,
}

/// The name of the struct, with the member `error` alone, that serializers meet in the place of a
/// value that could not be read.
pub const ERROR_IN_PLACE: &str = "ErrorInPlace";

/// The kinds of error in a value's place; scripts tell them apart by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The page tables do not map the address.
    NotMapped,
    /// The address is mapped, but the dump does not hold its page.
    NotDumped,
    /// The dump should hold the page, but its file ends before it.
    Truncated,
    /// No debug information gives the type.
    NoType,
    /// The address cannot be one of the kernel's, or the object would lie outside its memory.
    BadAddress,
    /// The compiler kept no memory for it.
    OptimisedOut,
    /// A per-CPU counter that has no memory yet, or a variable of a CPU that has no copies.
    Unallocated,
    /// It may have been freed or replaced; what memory holds is not its value.
    Stale,
    /// It would be larger than any variable is.
    TooLarge,
    /// The budget of work or memory ran out.
    Limit,
    /// It is nested deeper than the limit that the caller set.
    Depth,
    /// Its memory holds the pattern that INVARIANTS kernels write into freed memory.
    Freed,
    /// The machine is running, and it changed each time it was read.
    Torn,
}

impl ErrorKind {
    /// Is the kernel's own state wrong, and not only the dump or its types incomplete?
    #[must_use]
    pub fn is_damage(self) -> bool {
        matches!(self, Self::NotMapped | Self::BadAddress | Self::Freed)
    }

    /// The name in JSON: `not-mapped`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NotMapped => "not-mapped",
            Self::NotDumped => "not-dumped",
            Self::Truncated => "truncated",
            Self::NoType => "no-type",
            Self::BadAddress => "bad-address",
            Self::OptimisedOut => "optimised-out",
            Self::Unallocated => "unallocated",
            Self::Stale => "stale",
            Self::TooLarge => "too-large",
            Self::Limit | Self::Depth => "limit",
            Self::Freed => "freed",
            Self::Torn => "torn",
        }
    }
}

impl From<ValueError> for Value {
    fn from(why: ValueError) -> Self {
        Self::Error(why.into())
    }
}

impl From<FaultKind> for ErrorKind {
    fn from(kind: FaultKind) -> Self {
        match kind {
            FaultKind::NotMapped => Self::NotMapped,
            FaultKind::NotDumped => Self::NotDumped,
            FaultKind::Truncated => Self::Truncated,
            FaultKind::BadAddress => Self::BadAddress,
            FaultKind::Freed => Self::Freed,
        }
    }
}

impl From<Fault> for ValueError {
    fn from(fault: Fault) -> Self {
        Self {
            kind: fault.kind.into(),
            address: Some(fault.address),
            message: fault.to_string().into(),
        }
    }
}

impl From<Exhausted> for ValueError {
    fn from(why: Exhausted) -> Self {
        Self { kind: ErrorKind::Limit, address: None, message: why.to_string().into() }
    }
}

impl From<ReadError> for ValueError {
    fn from(why: ReadError) -> Self {
        match why {
            ReadError::Fault(fault) => fault.into(),
            ReadError::Limit(why) | ReadError::Type(TypeError::Limit(why)) => why.into(),
            why @ (ReadError::Type(_) | ReadError::NoSymbol { .. }) => {
                Self { kind: ErrorKind::NoType, address: None, message: why.to_string().into() }
            }
        }
    }
}

/// In place of what a list that breaks off would say.
impl From<Problem> for ValueError {
    fn from(problem: Problem) -> Self {
        let kind = match &problem.why {
            Why::Limit(_) => ErrorKind::Limit,
            Why::Torn(_) => ErrorKind::Torn,
            Why::Unreadable { why, .. } | Why::Element { why, .. } => {
                ValueError::from(ReadError::clone(why)).kind
            }
            Why::Cycle | Why::Contradiction(_) | Why::Other(_) => ErrorKind::BadAddress,
        };
        Self { kind, address: problem.at, message: problem.to_string().into() }
    }
}

impl From<TypeError> for ValueError {
    fn from(why: TypeError) -> Self {
        ReadError::from(why).into()
    }
}

impl std::fmt::Display for ValueError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ValueError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_small() {
        assert_eq!(size_of::<Value>(), 32);
    }
}
