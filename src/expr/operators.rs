//! The operators of expressions.

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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Binary {
    Multiply,
    Divide,
    Remainder,
    Add,
    Subtract,
    ShiftLeft,
    ShiftRight,
    And,
    Xor,
    Or,
}
