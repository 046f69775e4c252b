//! The operators of expressions, and the functions that are part of the language.

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
    /// `!value`
    Not,
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
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Binary {
    /// Whether it compares, so that its result is 1 or 0.
    #[must_use]
    pub fn compares(self) -> bool {
        matches!(
            self,
            Self::Equal
                | Self::NotEqual
                | Self::Less
                | Self::LessOrEqual
                | Self::Greater
                | Self::GreaterOrEqual
        )
    }
}

/// An operator whose second operand is evaluated only if the first does not decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Logical {
    /// `&&`
    And,
    /// `||`
    Or,
}

/// The words of the language that are not names of [functions](Function).
const KEYWORDS: [&str; 11] = [
    "DPCPU",
    "container_of",
    "curthread",
    "curvnet",
    "enum",
    "offsetof",
    "sizeof",
    "struct",
    "typeof",
    "union",
    "unsigned",
];

/// The words of the language.
pub fn words() -> impl Iterator<Item = &'static str> {
    KEYWORDS.into_iter().chain(Function::ALL.map(Function::name))
}

/// A function of the language with one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Function {
    /// `cpu(3)`, the `struct pcpu` of a CPU.
    Cpu,
    /// `vnet(2)`, a `struct vnet` by its number.
    Vnet,
    /// `jail("web01")`, a `struct prison` by its name or number.
    Jail,
    /// `thread(100123)`, a `struct thread` by its number.
    Thread,
    /// `count(list[*])`, how many elements there are.
    Count,
    /// `sum(list[*].x)`
    Sum,
    /// `min(list[*].x)`
    Min,
    /// `max(list[*].x)`
    Max,
    /// `uniq(list[*].x)`, every value once.
    Uniq,
}

impl Function {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Cpu,
        Self::Vnet,
        Self::Jail,
        Self::Thread,
        Self::Count,
        Self::Sum,
        Self::Min,
        Self::Max,
        Self::Uniq,
    ];

    /// As it is written: `count`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Vnet => "vnet",
            Self::Jail => "jail",
            Self::Thread => "thread",
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Min => "min",
            Self::Max => "max",
            Self::Uniq => "uniq",
        }
    }
}
