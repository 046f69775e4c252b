//! The tree that an expression is parsed to.

use std::fmt;
use std::ops::Range;

use super::integer::Literal;
use super::operators::{Binary, Function, Logical, Unary};

/// An expression, and its place in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expr {
    /// The node and its operands.
    pub kind: ExprKind,
    /// Byte range in the parsed text.
    pub span: Range<usize>,
}

/// One node of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExprKind {
    /// A variable or enum constant; only the evaluator knows which.
    Name(Name),
    /// An integer or character constant: `42UL`, `'a'`
    Int(Literal),
    /// A string, which only names something: `"web01"`
    Text(Box<str>),
    /// A value that was kept under a name: `$1`
    Kept(Box<str>),
    /// A CPU's copy of a DPCPU variable: `DPCPU(nws)`, `DPCPU(nws, 3)`
    Dpcpu {
        /// The variable.
        name: Name,
        /// The CPU's id; `None` is the chosen one.
        cpu: Option<Box<Expr>>,
    },
    /// One of this language's own functions: `cpu(3)`, `count(V_ifnet[*])`
    Call {
        /// Which.
        function: Function,
        /// What is in the parentheses.
        argument: Box<Expr>,
    },
    /// In a filter, the element that it decides about: what a `.` without a left side belongs to.
    Element,
    /// `base.name`, or `base->name` where `arrow` is set.
    Member {
        /// The struct, or the pointer to it.
        base: Box<Expr>,
        /// The member's name.
        name: Box<str>,
        /// Written with `->` instead of `.`.
        arrow: bool,
    },
    /// `base[index]`
    Index {
        /// The array or pointer.
        base: Box<Expr>,
        /// The number of the element.
        index: Box<Expr>,
    },
    /// `base[from..to]`, where `to` is the last element.
    Slice {
        /// The array or pointer.
        base: Box<Expr>,
        /// The number of the first element.
        from: Box<Expr>,
        /// The number of the last element.
        to: Box<Expr>,
    },
    /// `start@count`
    Repeat {
        /// The first element.
        start: Box<Expr>,
        /// How many there are.
        count: Box<Expr>,
    },
    /// `list[*]`, every element.
    All(Box<Expr>),
    /// `list[*link]`: every element by way of that member. Of an array or pointer it is the index
    /// that it looks like.
    Along {
        /// The head of the list, or its first element.
        base: Box<Expr>,
        /// The member with the links: `if_link`
        link: Box<str>,
        /// What stands in the brackets.
        index: Box<Expr>,
    },
    /// `list[.flags & 1]`, the elements for which the condition is true.
    Filter {
        /// The elements.
        base: Box<Expr>,
        /// An expression with [`ExprKind::Element`] in it.
        condition: Box<Expr>,
    },
    /// `-operand` and its like.
    Unary {
        /// What is done.
        op: Unary,
        /// What it is done to.
        operand: Box<Expr>,
    },
    /// `left + right` and its like.
    Binary {
        /// What is done.
        op: Binary,
        /// The first operand.
        left: Box<Expr>,
        /// The second operand.
        right: Box<Expr>,
    },
    /// `left && right` and `left || right`: the second is evaluated only if it matters.
    Logical {
        /// Which of the two.
        op: Logical,
        /// The first operand.
        left: Box<Expr>,
        /// The second operand.
        right: Box<Expr>,
    },
    /// `condition ? yes : no`
    Conditional {
        /// What decides.
        condition: Box<Expr>,
        /// The value if it is not 0.
        yes: Box<Expr>,
        /// The value if it is 0.
        no: Box<Expr>,
    },
    /// `(struct ifnet *)operand`
    Cast {
        /// The type that is cast to.
        to: TypeName,
        /// What is cast.
        operand: Box<Expr>,
    },
    /// `sizeof(struct ifnet)`
    SizeOfType(TypeName),
    /// `sizeof operand`, and `sizeof(name)` if only the types show what `name` is.
    SizeOf(Box<Expr>),
    /// `offsetof(struct ifnet, if_xname)`
    OffsetOf {
        /// The struct or union.
        of: TypeName,
        /// The way to the member.
        steps: Vec<Step>,
    },
    /// `container_of(pointer, struct ifnet, if_link)`
    ContainerOf {
        /// A pointer to the member.
        pointer: Box<Expr>,
        /// The struct that has it.
        of: TypeName,
        /// The way to the member.
        steps: Vec<Step>,
    },
}

/// A variable, `V_ifnet`, or one of several with that name, `ipstat@ip_input.c`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The name as written, `V_` included.
    pub name: Box<str>,
    /// What distinguishes variables of one name: the source file, the end of its path, or the
    /// module.
    pub file: Option<Box<str>>,
}

/// A type as it is spelled in a cast: a named type, and what is derived from it.
///
/// Qualifiers are dropped, because they do not affect memory. So are the parameters of functions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeName {
    /// What the rest is derived from.
    pub base: TypeBase,
    /// From the base outwards: of `char *[4]` a pointer and then an array.
    pub derived: Vec<Derived>,
}

/// What a spelled type begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypeBase {
    /// A type by its name.
    Named {
        /// `struct ifnet`, `ifnet_t`; a base type in the order `unsigned long`,
        /// without a redundant `int`: `unsigned int` but `unsigned long`.
        name: Box<str>,
        /// What distinguishes types of one name: the file that defines it, or the end of its path.
        file: Option<Box<str>>,
    },
    /// `typeof(expression)`
    Of(Box<Expr>),
}

/// A type that is made of another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Derived {
    /// `*`
    Pointer,
    /// `[count]`
    Array(u64),
    /// `()`
    Function,
}

/// A variable and the path to one of its members: `ifr[3].ifr_name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The variable.
    pub name: Name,
    /// From the variable inwards; empty for the variable itself.
    pub steps: Vec<Step>,
}

/// One step of a [`Path`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// `.name`
    Member(Box<str>),
    /// `[index]`
    Index(u64),
}

impl Expr {
    /// The part of the text that tells it best: of a member its name.
    pub(super) fn point(&self) -> Range<usize> {
        match &self.kind {
            ExprKind::Member { name, .. } => {
                self.span.end.saturating_sub(name.len())..self.span.end
            }
            _ => self.span.clone(),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.file {
            Some(file) => write!(f, "@{file}"),
            None => Ok(()),
        }
    }
}

/// As C spells it.
impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.base {
            TypeBase::Named { name, file: None } => f.write_str(name)?,
            TypeBase::Named { name, file: Some(file) } => write!(f, "{name}@{file}")?,
            TypeBase::Of(_) => f.write_str("typeof(...)")?,
        }
        let mut declarator = String::new();
        for derived in self.derived.iter().rev() {
            if *derived != Derived::Pointer && declarator.starts_with('*') {
                declarator = format!("({declarator})");
            }
            match derived {
                Derived::Pointer => declarator.insert(0, '*'),
                Derived::Array(count) => declarator += &format!("[{count}]"),
                Derived::Function => declarator += "()",
            }
        }
        if declarator.is_empty() { Ok(()) } else { write!(f, " {declarator}") }
    }
}
