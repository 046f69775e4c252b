//! Tokens to trees: operator precedence as in C.

use super::lex::Token;
use super::parser::Parser;
use super::type_name::is_type_spelling;
use super::{Binary, Expr, ExprKind, Function, Logical, Name, Path, Step, SyntaxError, TypeName};
use super::{TypeBase, Unary};

/// Parses an expression.
///
/// A parenthesis around a name may be a cast or not, and only the types could
/// tell. Without them: `(name *)` is a cast; so is `(name)` before a name, a
/// number or another parenthesis, since nothing else fits there; before `*`,
/// `&`, `-`, `+`, `~` or `!`, `(name)` is a cast if the name ends in `_t` or is one of
/// those that `sys/types.h` has for C's own types, such as `u_int`.
pub fn parse(text: &str) -> Result<Expr, SyntaxError> {
    let mut parser = Parser::new(text)?;
    let expr = parser.expression()?;
    parser.tokens.end()?;
    Ok(expr)
}

/// Parses a variable's name and the way to a member: only `.` and `[number]` follow the name.
pub fn parse_path(text: &str) -> Result<Path, SyntaxError> {
    let mut parser = Parser::new(text)?;
    let name = parser.name()?;
    let steps = parser.steps()?;
    parser.tokens.end()?;
    Ok(Path { name, steps })
}

impl Parser<'_> {
    /// A whole expression: `condition ? yes : no`, or what binds more tightly.
    pub(super) fn expression(&mut self) -> Result<Expr, SyntaxError> {
        let condition = self.binary(0)?;
        if !self.tokens.accept("?") {
            return Ok(condition);
        }
        let yes = self.expression()?;
        self.tokens.expect(":")?;
        let no = self.expression()?;
        let span = condition.span.start..no.span.end;
        let (condition, yes, no) = (Box::new(condition), Box::new(yes), Box::new(no));
        Ok(Expr { kind: ExprKind::Conditional { condition, yes, no }, span })
    }

    /// Operands joined by binary operators that bind at least as tightly as `weakest`.
    fn binary(&mut self, weakest: u8) -> Result<Expr, SyntaxError> {
        let mut left = self.unary()?;
        while let Some((joint, strength)) = joint(self.tokens.peek())
            && strength >= weakest
        {
            self.tokens.advance();
            let right = self.binary(strength + 1)?;
            let span = left.span.start..right.span.end;
            let (one, other) = (Box::new(left), Box::new(right));
            let kind = match joint {
                Joint::Binary(op) => ExprKind::Binary { op, left: one, right: other },
                Joint::Logical(op) => ExprKind::Logical { op, left: one, right: other },
                Joint::Repeat => ExprKind::Repeat { start: one, count: other },
            };
            left = Expr { kind, span };
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, SyntaxError> {
        let start = self.tokens.span().start;
        let op = match self.tokens.peek() {
            Token::Op("*") => Unary::Deref,
            Token::Op("&") => Unary::AddressOf,
            Token::Op("-") => Unary::Negate,
            Token::Op("+") => Unary::Plus,
            Token::Op("~") => Unary::Complement,
            Token::Op("!") => Unary::Not,
            Token::Op("(") => return self.parenthesis(),
            Token::Name("sizeof") => return self.size_of(),
            _ => {
                let primary = self.primary()?;
                return self.postfix(primary);
            }
        };
        self.tokens.advance();
        let operand = Box::new(self.unary()?);
        let span = start..operand.span.end;
        Ok(Expr { kind: ExprKind::Unary { op, operand }, span })
    }

    /// `(type)operand`, or `(expression)` and what follows it.
    fn parenthesis(&mut self) -> Result<Expr, SyntaxError> {
        let start = self.tokens.span().start;
        if let Some(to) = self.cast()? {
            let operand = Box::new(self.unary()?);
            let span = start..operand.span.end;
            return Ok(Expr { kind: ExprKind::Cast { to, operand }, span });
        }
        self.tokens.expect("(")?;
        let mut inner = self.expression()?;
        self.tokens.expect(")")?;
        inner.span = start..self.tokens.last_end();
        self.postfix(inner)
    }

    /// The type of `(type)` in front of an operand; nothing is consumed if there is none.
    fn cast(&mut self) -> Result<Option<TypeName>, SyntaxError> {
        let start = self.tokens.mark();
        self.tokens.expect("(")?;
        if let Some(name) = self.type_name()? {
            let closed = self.tokens.accept(")");
            if closed && (name.is_sure() || self.operand_follows(&name)) {
                return Ok(Some(name));
            }
            let sure = match &name.base {
                TypeBase::Named { name, .. } => is_type_spelling(name),
                TypeBase::Of(_) => true,
            };
            if sure {
                return Err(self.tokens.unexpected("\")\" after the type"));
            }
        }
        self.tokens.go_back(start);
        Ok(None)
    }

    /// After `(name)`: is what comes next its operand, rather than an operator behind a variable?
    fn operand_follows(&self, name: &TypeName) -> bool {
        match self.tokens.peek() {
            Token::Name(_) | Token::Int(_) | Token::Text(_) | Token::Within(_) => true,
            Token::Op("(" | "~" | "!") => true,
            Token::Op("*" | "&" | "-" | "+") => name.is_usual(),
            _ => false,
        }
    }

    fn size_of(&mut self) -> Result<Expr, SyntaxError> {
        let start = self.tokens.span().start;
        self.tokens.advance();
        let before = self.tokens.mark();
        if self.tokens.accept("(")
            && let Some(name) = self.type_name()?
            && name.is_usual()
            && self.tokens.accept(")")
        {
            let span = start..self.tokens.last_end();
            return Ok(Expr { kind: ExprKind::SizeOfType(name), span });
        }
        self.tokens.go_back(before);
        let operand = Box::new(self.unary()?);
        let span = start..operand.span.end;
        Ok(Expr { kind: ExprKind::SizeOf(operand), span })
    }

    fn primary(&mut self) -> Result<Expr, SyntaxError> {
        let start = self.tokens.span().start;
        let is_called = self.tokens.peek_behind() == Token::Op("(");
        let kind = match self.tokens.peek() {
            Token::Int(literal) => {
                self.tokens.advance();
                ExprKind::Int(literal)
            }
            Token::Text(text) => {
                self.tokens.advance();
                ExprKind::Text(text.into())
            }
            Token::Name(word) if is_type_spelling(word) => {
                let message = format!("\"{word}\" is a type, but a value is needed here");
                return Err(self.tokens.error(message));
            }
            Token::Name(word) if word.starts_with('$') => {
                self.tokens.advance();
                ExprKind::Kept(word.strip_prefix('$').unwrap_or(word).into())
            }
            Token::Name(word) if is_called => match self.call(word)? {
                Some(kind) => kind,
                None => ExprKind::Name(self.name()?),
            },
            Token::Name(_) | Token::Within(_) => ExprKind::Name(self.name()?),
            Token::Op(".") if !self.filters.is_empty() => return self.element(),
            _ => return Err(self.tokens.unexpected("a variable, a number or \"(\"")),
        };
        Ok(Expr { kind, span: start..self.tokens.last_end() })
    }

    /// `.`, or `.name`, of an element that a filter decides about.
    fn element(&mut self) -> Result<Expr, SyntaxError> {
        let span = self.tokens.span();
        if let Some(filter) = self.filters.last_mut() {
            *filter = true;
        }
        let element = Expr { kind: ExprKind::Element, span: span.clone() };
        self.tokens.advance();
        if !matches!(self.tokens.peek(), Token::Name(_)) {
            return Ok(element);
        }
        let (base, name) = (Box::new(element), self.member()?);
        let kind = ExprKind::Member { base, name, arrow: false };
        Ok(Expr { kind, span: span.start..self.tokens.last_end() })
    }

    /// What looks like a call and is part of the language; `None` if it is not.
    fn call(&mut self, word: &str) -> Result<Option<ExprKind>, SyntaxError> {
        let function = Function::ALL.into_iter().find(|function| function.name() == word);
        let known = ["DPCPU", "offsetof", "__offsetof", "container_of", "__containerof"];
        if function.is_none() && !known.contains(&word) {
            return Ok(None);
        }
        self.tokens.advance();
        self.tokens.expect("(")?;
        let kind = match (function, word) {
            (Some(function), _) => {
                ExprKind::Call { function, argument: Box::new(self.expression()?) }
            }
            (None, "DPCPU") => {
                let name = self.name()?;
                let cpu = self.tokens.accept(",").then(|| self.expression()).transpose()?;
                ExprKind::Dpcpu { name, cpu: cpu.map(Box::new) }
            }
            (None, "offsetof" | "__offsetof") => {
                let (of, steps) = self.member_of()?;
                ExprKind::OffsetOf { of, steps }
            }
            (None, _) => {
                let pointer = Box::new(self.expression()?);
                self.tokens.expect(",")?;
                let (of, steps) = self.member_of()?;
                ExprKind::ContainerOf { pointer, of, steps }
            }
        };
        self.tokens.expect(")")?;
        Ok(Some(kind))
    }

    /// `struct ifnet, if_link.le_next`
    fn member_of(&mut self) -> Result<(TypeName, Vec<Step>), SyntaxError> {
        let Some(of) = self.type_name()? else {
            return Err(self.tokens.unexpected("a type"));
        };
        self.tokens.expect(",")?;
        let mut steps = vec![Step::Member(self.member()?)];
        steps.extend(self.steps()?);
        Ok((of, steps))
    }

    /// Any number of `.member` and `[number]`.
    fn steps(&mut self) -> Result<Vec<Step>, SyntaxError> {
        let mut steps = Vec::new();
        loop {
            if self.tokens.accept(".") {
                steps.push(Step::Member(self.member()?));
            } else if self.tokens.accept("[") {
                let Token::Int(index) = self.tokens.peek() else {
                    return Err(self.tokens.unexpected("an index"));
                };
                self.tokens.advance();
                self.tokens.expect("]")?;
                steps.push(Step::Index(index.value));
            } else {
                return Ok(steps);
            }
        }
    }

    fn name(&mut self) -> Result<Name, SyntaxError> {
        let mut file = None;
        if let Token::Within(within) = self.tokens.peek() {
            self.tokens.advance();
            file = Some(within.into());
        }
        let Token::Name(name) = self.tokens.peek() else {
            return Err(self.tokens.unexpected("a variable's name"));
        };
        self.tokens.advance();
        if file.is_none()
            && let Token::File(path) = self.tokens.peek()
        {
            self.tokens.advance();
            file = Some(path.into());
        }
        Ok(Name { name: name.into(), file })
    }

    /// Any number of `.member`, `->member` and `[index]` behind `base`.
    fn postfix(&mut self, mut base: Expr) -> Result<Expr, SyntaxError> {
        loop {
            let start = base.span.start;
            let kind = match self.tokens.peek() {
                Token::Op(op @ ("." | "->")) => {
                    self.tokens.advance();
                    let name = self.member()?;
                    ExprKind::Member { base: Box::new(base), name, arrow: op == "->" }
                }
                Token::Op("[") => self.brackets(Box::new(base))?,
                Token::Op("(") => {
                    return Err(self.tokens.error("functions in a dump cannot be called"));
                }
                _ => return Ok(base),
            };
            base = Expr { kind, span: start..self.tokens.last_end() };
        }
    }

    /// `[index]`, `[from..to]`, `[*]`, `[*link]` or `[condition]`.
    fn brackets(&mut self, base: Box<Expr>) -> Result<ExprKind, SyntaxError> {
        self.tokens.expect("[")?;
        if self.tokens.peek() == Token::Op("*") && self.tokens.peek_behind() == Token::Op("]") {
            self.tokens.advance();
            self.tokens.advance();
            return Ok(ExprKind::All(base));
        }
        let link = self.link();
        self.filters.push(false);
        let inner = self.expression();
        let is_filter = self.filters.pop().unwrap_or(false);
        let inner = Box::new(inner?);
        let kind = if is_filter {
            ExprKind::Filter { base, condition: inner }
        } else if let Some(link) = link {
            ExprKind::Along { base, link, index: inner }
        } else if self.tokens.accept("..") {
            let to = Box::new(self.expression()?);
            ExprKind::Slice { base, from: inner, to }
        } else {
            ExprKind::Index { base, index: inner }
        };
        self.tokens.expect("]")?;
        Ok(kind)
    }

    /// The path of `*path]`, if that is what comes next. It is only looked at.
    fn link(&mut self) -> Option<Box<str>> {
        let start = self.tokens.mark();
        let mut path = String::new();
        let mut is_link = self.tokens.accept("*");
        while is_link {
            let Token::Name(name) = self.tokens.peek() else {
                is_link = false;
                break;
            };
            path += name;
            self.tokens.advance();
            if !self.tokens.accept(".") {
                is_link = self.tokens.peek() == Token::Op("]");
                break;
            }
            path.push('.');
        }
        self.tokens.go_back(start);
        is_link.then(|| path.into())
    }

    fn member(&mut self) -> Result<Box<str>, SyntaxError> {
        let Token::Name(name) = self.tokens.peek() else {
            return Err(self.tokens.unexpected("a member name"));
        };
        self.tokens.advance();
        Ok(name.into())
    }
}

/// What stands between two operands.
#[derive(Clone, Copy)]
enum Joint {
    Binary(Binary),
    Logical(Logical),
    Repeat,
}

/// Operators with two operands, and how tightly they bind. gdb's `@` is between shifts and sums.
fn joint(token: Token<'_>) -> Option<(Joint, u8)> {
    let Token::Op(op) = token else { return None };
    let (op, strength) = match op {
        "||" => return Some((Joint::Logical(Logical::Or), 0)),
        "&&" => return Some((Joint::Logical(Logical::And), 1)),
        "|" => (Binary::Or, 2),
        "^" => (Binary::Xor, 3),
        "&" => (Binary::And, 4),
        "==" => (Binary::Equal, 5),
        "!=" => (Binary::NotEqual, 5),
        "<" => (Binary::Less, 6),
        "<=" => (Binary::LessOrEqual, 6),
        ">" => (Binary::Greater, 6),
        ">=" => (Binary::GreaterOrEqual, 6),
        "<<" => (Binary::ShiftLeft, 7),
        ">>" => (Binary::ShiftRight, 7),
        "@" => return Some((Joint::Repeat, 8)),
        "+" => (Binary::Add, 9),
        "-" => (Binary::Subtract, 9),
        "*" => (Binary::Multiply, 10),
        "/" => (Binary::Divide, 10),
        "%" => (Binary::Remainder, 10),
        _ => return None,
    };
    Some((Joint::Binary(op), strength))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree as text in which every operator shows its operands.
    fn show(expr: &Expr) -> String {
        match &expr.kind {
            ExprKind::Name(name) => name.to_string(),
            ExprKind::Int(literal) => literal.value.to_string(),
            ExprKind::Dpcpu { name, cpu: None } => format!("<DPCPU {name}>"),
            ExprKind::Dpcpu { name, cpu: Some(cpu) } => format!("<DPCPU {name} of {}>", show(cpu)),
            ExprKind::Text(text) => format!("{text:?}"),
            ExprKind::Kept(name) => format!("${name}"),
            ExprKind::Call { function, argument } => {
                format!("<{} {}>", function.name(), show(argument))
            }
            ExprKind::Element => "it".into(),
            ExprKind::Member { base, name, arrow } => {
                format!("({}{}{name})", show(base), if *arrow { "->" } else { "." })
            }
            ExprKind::Index { base, index } => format!("({}[{}])", show(base), show(index)),
            ExprKind::Slice { base, from, to } => {
                format!("({}[{}..{}])", show(base), show(from), show(to))
            }
            ExprKind::Repeat { start, count } => format!("({} @ {})", show(start), show(count)),
            ExprKind::All(base) => format!("({}[*])", show(base)),
            ExprKind::Along { base, link, index } => {
                format!("({}[*{link} or {}])", show(base), show(index))
            }
            ExprKind::Filter { base, condition } => {
                format!("({} where {})", show(base), show(condition))
            }
            ExprKind::Unary { op, operand } => format!("({op:?} {})", show(operand)),
            ExprKind::Binary { op, left, right } => {
                format!("({op:?} {} {})", show(left), show(right))
            }
            ExprKind::Logical { op: Logical::And, left, right } => {
                format!("({} && {})", show(left), show(right))
            }
            ExprKind::Logical { op: Logical::Or, left, right } => {
                format!("({} || {})", show(left), show(right))
            }
            ExprKind::Conditional { condition, yes, no } => {
                format!("({} ? {} : {})", show(condition), show(yes), show(no))
            }
            ExprKind::OffsetOf { of, steps } => format!("<offset of {steps:?} in {of}>"),
            ExprKind::ContainerOf { pointer, of, steps } => {
                format!("<{of} around {} at {steps:?}>", show(pointer))
            }
            ExprKind::Cast { to, operand } => format!("(<{to}> {})", show(operand)),
            ExprKind::SizeOfType(name) => format!("(sizeof <{name}>)"),
            ExprKind::SizeOf(operand) => format!("(sizeof {})", show(operand)),
        }
    }

    fn shown(text: &str) -> String {
        show(&parse(text).unwrap_or_else(|error| panic!("{error}")))
    }

    fn message(text: &str) -> String {
        parse(text).unwrap_err().message.into()
    }

    #[test]
    fn members_bind_before_stars() {
        assert_eq!(
            shown("*V_ifnet.tqh_first->if_xname"),
            "(Deref ((V_ifnet.tqh_first)->if_xname))"
        );
        assert_eq!(shown("&a[2].b"), "(AddressOf ((a[2]).b))");
        assert_eq!(shown("(*a).b[i + 1]"), "(((Deref a).b)[(Add i 1)])");
        assert_eq!(shown("ipstat@ip_input.c.ips_total"), "(ipstat@ip_input.c.ips_total)");
    }

    #[test]
    fn arithmetic_has_the_precedence_of_c() {
        assert_eq!(shown("a + b * c - d"), "(Subtract (Add a (Multiply b c)) d)");
        assert_eq!(shown("x & ~0x1f"), "(And x (Complement 31))");
        assert_eq!(shown("a | b & c << 1"), "(Or a (And b (ShiftLeft c 1)))");
        assert_eq!(shown("-a - -b"), "(Subtract (Negate a) (Negate b))");
        assert_eq!(shown("a % b / c"), "(Divide (Remainder a b) c)");
        assert_eq!(shown("a + +b"), "(Add a (Plus b))");
    }

    #[test]
    fn casts_are_told_from_parentheses() {
        assert_eq!(shown("*(struct ifnet *)0x1000"), "(Deref (<struct ifnet *> 4096))");
        assert_eq!(shown("(ifnet_t)x->y"), "(<ifnet_t> (x->y))");
        assert_eq!(shown("((struct ifnet *)x)->y"), "((<struct ifnet *> x)->y)");
        assert_eq!(shown("(foo)(x)"), "(<foo> x)");
        assert_eq!(shown("(foo **)x"), "(<foo **> x)");
        assert_eq!(shown("(uint8_t)*x"), "(<uint8_t> (Deref x))");
        assert_eq!(shown("(u_int)-1 + x"), "(Add (<u_int> (Negate 1)) x)");
        assert_eq!(shown("(u_int *)p"), "(<u_int *> p)");
        assert_eq!(shown("(count) * x"), "(Multiply count x)");
        assert_eq!(shown("(count)"), "count");
        assert_eq!(shown("(a * b) + 1"), "(Add (Multiply a b) 1)");
        assert_eq!(shown("(unsigned)-1"), "(<unsigned int> (Negate 1))");
        assert_eq!(shown("(const char * const *)p"), "(<char **> p)");
        assert_eq!(shown("(struct a@b.c *)p + 1"), "(Add (<struct a@b.c *> p) 1)");
        assert_eq!(shown("(count@b.c) + 1"), "(Add count@b.c 1)");
    }

    #[test]
    fn sizeof_takes_types_and_values() {
        assert_eq!(shown("sizeof(struct vnet)"), "(sizeof <struct vnet>)");
        assert_eq!(shown("sizeof(long unsigned int)"), "(sizeof <unsigned long>)");
        assert_eq!(shown("sizeof(u_long)"), "(sizeof <u_long>)");
        assert_eq!(shown("sizeof (tcbinfo)"), "(sizeof tcbinfo)");
        assert_eq!(shown("sizeof tcbinfo.x + 1"), "(Add (sizeof (tcbinfo.x)) 1)");
        assert_eq!(shown("sizeof(*p)"), "(sizeof (Deref p))");
        assert_eq!(shown("sizeof(a.b)"), "(sizeof (a.b))");
    }

    #[test]
    fn copies_of_cpus_look_like_calls() {
        assert_eq!(shown("DPCPU(nws)"), "<DPCPU nws>");
        assert_eq!(
            shown("&DPCPU(x@if_gif.ko, 1 + n)[2]"),
            "(AddressOf (<DPCPU x@if_gif.ko of (Add 1 n)>[2]))"
        );
        assert_eq!(shown("cpu(3).pc_curthread->td_name"), "((<cpu 3>.pc_curthread)->td_name)");
        assert_eq!(shown("sizeof(DPCPU(nws))"), "(sizeof <DPCPU nws>)");
        assert_eq!(shown("sizeof cpu(0)"), "(sizeof <cpu 0>)");
        assert_eq!(shown("(cpu(0)).pc_cpuid + DPCPU(a)"), "(Add (<cpu 0>.pc_cpuid) <DPCPU a>)");
        // Without parentheses they are names like any other.
        assert_eq!(shown("cpu + DPCPU"), "(Add cpu DPCPU)");
        for (text, at, expected) in [
            ("DPCPU(3)", 6..7, "expected a variable's name, found \"3\""),
            ("DPCPU(nws,)", 10..11, "expected a variable, a number or \"(\", found \")\""),
            ("DPCPU(nws", 9..9, "expected \")\", found the end"),
            ("cpu()", 4..5, "expected a variable, a number or \"(\", found \")\""),
            ("cpu(1, 2)", 5..6, "expected \")\", found \",\""),
            ("a, b", 1..2, "expected an operator or the end, found \",\""),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!((error.span, &*error.message), (at, expected), "{text}");
        }
        assert!(parse_path("DPCPU(nws)").is_err());
        assert!(parse_path("cpu(1).pc_cpuid").is_err());
    }

    #[test]
    fn comparisons_and_conditions_have_the_precedence_of_c() {
        assert_eq!(shown("a < b == c & d"), "(And (Equal (Less a b) c) d)");
        assert_eq!(shown("a || b && !c"), "(a || (b && (Not c)))");
        assert_eq!(shown("a ? b : c ? d : e"), "(a ? b : (c ? d : e))");
        assert_eq!(shown("a ? b ? c : d : e | f"), "(a ? (b ? c : d) : (Or e f))");
        assert_eq!(shown("a >= b >> 1 != 0"), "(NotEqual (GreaterOrEqual a (ShiftRight b 1)) 0)");
        assert_eq!(shown("(flag) ? 1 : 'a'"), "(flag ? 1 : 97)");
        assert_eq!(shown("a ? b.ko : c"), "(a ? (b.ko) : c)");
        assert_eq!(message("a ? b"), "expected \":\", found the end");
        assert_eq!(message("a = b"), "unexpected '='");
    }

    #[test]
    fn gdb_repeats_with_an_at_sign() {
        assert_eq!(shown("*argv@argc + 1"), "((Deref argv) @ (Add argc 1))");
        assert_eq!(shown("x@2 << 1"), "(ShiftLeft (x @ 2) 1)");
        assert_eq!(shown("x@if.c@2"), "(x@if.c @ 2)");
        assert_eq!(shown("if_gif.ko:x"), "x@if_gif.ko");
        assert_eq!(shown("'ip_input.c'::x.y"), "(x@ip_input.c.y)");
    }

    #[test]
    fn brackets_iterate_slice_and_filter() {
        assert_eq!(shown("V_ifnet[*].if_xname"), "((V_ifnet[*]).if_xname)");
        assert_eq!(shown("V_ifnet[*if_link]"), "(V_ifnet[*if_link or (Deref if_link)])");
        assert_eq!(shown("a[*b.c][*]"), "((a[*b.c or (Deref (b.c))])[*])");
        assert_eq!(shown("a[*p + 1]"), "(a[(Add (Deref p) 1)])");
        assert_eq!(shown("a[*p->q]"), "(a[(Deref (p->q))])");
        assert_eq!(shown("h[0..511][*]"), "((h[0..511])[*])");
        assert_eq!(shown("a[1 + 1..n - 1]"), "(a[(Add 1 1)..(Subtract n 1)])");
        assert_eq!(
            shown("V_ifnet[*][.if_flags & 1].if_xname"),
            "(((V_ifnet[*]) where (And (it.if_flags) 1)).if_xname)"
        );
        assert_eq!(shown("a[1 < .]"), "(a where (Less 1 it))");
        assert_eq!(shown("a[.b[.c]].d"), "((a where ((it.b) where (it.c))).d)");
        assert_eq!(
            shown("a[.n == \"lo0\" && b[2]]"),
            "(a where ((Equal (it.n) \"lo0\") && (b[2])))"
        );
        assert_eq!(message(".x"), "expected a variable, a number or \"(\", found \".\"");
        assert_eq!(message("a[0..]"), "expected a variable, a number or \"(\", found \"]\"");
    }

    #[test]
    fn functions_of_the_language_have_one_argument() {
        assert_eq!(shown("count(V_ifnet[*]) + 1"), "(Add <count (V_ifnet[*])> 1)");
        assert_eq!(shown("vnet(2).vnet_ifcnt"), "(<vnet 2>.vnet_ifcnt)");
        assert_eq!(shown("jail(\"web01\")->pr_id"), "(<jail \"web01\">->pr_id)");
        assert_eq!(shown("$1 + $ + $p->x"), "(Add (Add $1 $) ($p->x))");
        assert_eq!(shown("$$2"), "$$2");
        assert_eq!(
            shown("offsetof(struct ifnet, if_x.y[2])"),
            r#"<offset of [Member("if_x"), Member("y"), Index(2)] in struct ifnet>"#
        );
        assert_eq!(
            shown("container_of(p, struct ifnet, if_link)->if_mtu"),
            r#"(<struct ifnet around p at [Member("if_link")]>->if_mtu)"#
        );
        // Without parentheses they are names like any other.
        assert_eq!(shown("sum + min"), "(Add sum min)");
    }

    #[test]
    fn casts_take_every_type() {
        assert_eq!(shown("(char[16])x"), "(<char [16]> x)");
        assert_eq!(shown("(int (*)(void))p"), "(<int (*)()> p)");
        assert_eq!(shown("(typeof(a->b) *)p"), "(<typeof(...) *> p)");
        assert_eq!(shown("sizeof(struct ifnet *[4])"), "(sizeof <struct ifnet *[4]>)");
        assert_eq!(shown("(name[3])"), "(name[3])");
        assert_eq!(shown("(name[3]) + 1"), "(Add (name[3]) 1)");
        assert_eq!(shown("(count(a[*]))"), "<count (a[*])>");
        assert_eq!(shown("(bool)!x"), "(<bool> (Not x))");
    }

    #[test]
    fn spans_cover_what_was_read() {
        let expr = parse(" (a.b)[1] ").unwrap();
        assert_eq!(expr.span, 1..9);
        let ExprKind::Index { base, index } = expr.kind else { panic!() };
        assert_eq!((base.span, index.span), (1..6, 7..8));
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(message(""), "expected a variable, a number or \"(\", found the end");
        assert_eq!(message("a b"), "expected an operator or the end, found \"b\"");
        assert_eq!(message("a["), "expected a variable, a number or \"(\", found the end");
        assert_eq!(message("(a"), "expected \")\", found the end");
        assert_eq!(message("a->3"), "expected a member name, found \"3\"");
        assert_eq!(message("f(3)"), "functions in a dump cannot be called");
        assert_eq!(message("struct vnet"), "\"struct\" is a type, but a value is needed here");
        assert_eq!(
            message("(struct *)x"),
            "expected the name of a struct, union or enum, found \"*\""
        );
        assert_eq!(message("(struct foo x"), "expected \")\" after the type, found \"x\"");
    }

    #[test]
    fn a_path_has_members_and_indices_only() {
        let path = parse_path("ifr@if.c[3].ifr_name").unwrap();
        assert_eq!(path.name, Name { name: "ifr".into(), file: Some("if.c".into()) });
        assert_eq!(path.steps, [Step::Index(3), Step::Member("ifr_name".into())]);
        for text in ["", "a->b", "a[i]", "*a", "a.", "a b", "3"] {
            assert!(parse_path(text).is_err(), "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_not_followed() {
        let opens = [
            "(",
            "*",
            "a[",
            "sizeof ",
            "sizeof(",
            "(int)",
            "a.b+",
            "(struct a *)",
            "- ",
            "a[.b[",
            "!",
            "a ? ",
            "count(",
            "(typeof(",
            "sizeof(typeof(",
            "(int (*",
            "a&&",
            "offsetof(a,",
        ];
        for open in opens {
            let error = parse(&open.repeat(50_000)).unwrap_err();
            assert!(error.message.contains("at most 256"), "{error}");
        }
        let deep = format!("{}a{}", "(".repeat(120), ")".repeat(120));
        assert!(parse(&deep).is_ok());
    }
}
