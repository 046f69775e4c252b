//! The operators of expressions.

/// An operator with one operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unary {
    /// `*pointer`
    Deref,
    /// `&variable`
    AddressOf,
    /// `-number`
    Negate,
    /// `+number`, which promotes it
    Plus,
    /// `~number`
    Complement,
}

/// An operator with two operands that computes a number or an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Binary {
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `<<`
    ShiftLeft,
    /// `>>`
    ShiftRight,
    /// `&`
    And,
    /// `^`
    Xor,
    /// `|`
    Or,
}
