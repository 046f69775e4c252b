//! Tokens to trees: operator precedence as in C.

use super::cursor::Cursor;
use super::lex::Token;
use super::type_name::{is_type_name, is_type_spelling, type_name};
use super::{Binary, Expr, ExprKind, Name, Path, Step, SyntaxError, TypeName, Unary};

/// Parses an expression.
///
/// A parenthesis around a name may be a cast or not, and only the types could
/// tell. Without them: `(name *)` is a cast; so is `(name)` before a name, a
/// number or another parenthesis, since nothing else fits there; before `*`,
/// `&`, `-`, `+` or `~`, `(name)` is a cast if the name ends in `_t` or is one of
/// those that `sys/types.h` has for C's own types, such as `u_int`.
pub fn parse(text: &str) -> Result<Expr, SyntaxError> {
    let mut parser = Parser::new(text)?;
    let expr = parser.binary(0)?;
    parser.tokens.end()?;
    Ok(expr)
}

/// Parses a variable's name and the way to a member: only `.` and `[number]` follow the name.
pub fn parse_path(text: &str) -> Result<Path, SyntaxError> {
    let mut parser = Parser::new(text)?;
    let name = parser.name()?;
    let mut steps = Vec::new();
    loop {
        if parser.tokens.accept(".") {
            steps.push(Step::Member(parser.member()?));
        } else if parser.tokens.accept("[") {
            let Token::Int(index) = parser.tokens.peek() else {
                return Err(parser.tokens.unexpected("an index"));
            };
            parser.tokens.advance();
            parser.tokens.expect("]")?;
            steps.push(Step::Index(index.value));
        } else {
            parser.tokens.end()?;
            return Ok(Path { name, steps });
        }
    }
}

/// Reads expressions off a cursor.
struct Parser<'a> {
    tokens: Cursor<'a>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Self, SyntaxError> {
        Ok(Self { tokens: Cursor::new(text)? })
    }

    /// Operands joined by binary operators that bind at least as tightly as `weakest`.
    fn binary(&mut self, weakest: u8) -> Result<Expr, SyntaxError> {
        let mut left = self.unary()?;
        while let Some((op, strength)) = binary_operator(self.tokens.peek())
            && strength >= weakest
        {
            self.tokens.advance();
            let right = self.binary(strength + 1)?;
            let span = left.span.start..right.span.end;
            let kind = ExprKind::Binary { op, left: Box::new(left), right: Box::new(right) };
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
        let mut inner = self.binary(0)?;
        self.tokens.expect(")")?;
        inner.span = start..self.tokens.last_end();
        self.postfix(inner)
    }

    /// The type of `(type)` in front of an operand; nothing is consumed if there is none.
    fn cast(&mut self) -> Result<Option<TypeName>, SyntaxError> {
        let start = self.tokens.mark();
        self.tokens.expect("(")?;
        if let Some(name) = type_name(&mut self.tokens)? {
            let sure = name.pointers > 0 || is_type_spelling(&name.base);
            let closed = self.tokens.accept(")");
            if closed && (sure || self.operand_follows(&name.base)) {
                return Ok(Some(name));
            }
            if is_type_spelling(&name.base) {
                return Err(self.tokens.unexpected("\")\" after the type"));
            }
        }
        self.tokens.go_back(start);
        Ok(None)
    }

    /// After `(base)`: is what comes next its operand, rather than an operator behind a variable?
    fn operand_follows(&self, base: &str) -> bool {
        match self.tokens.peek() {
            Token::Name(_) | Token::Int(_) | Token::Op("(") => true,
            Token::Op("*" | "&" | "-" | "+" | "~") => is_type_name(base),
            _ => false,
        }
    }

    fn size_of(&mut self) -> Result<Expr, SyntaxError> {
        let start = self.tokens.span().start;
        self.tokens.advance();
        let before = self.tokens.mark();
        if self.tokens.accept("(")
            && let Some(name) = type_name(&mut self.tokens)?
            && (name.pointers > 0 || is_type_name(&name.base))
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
        let span = self.tokens.span();
        match self.tokens.peek() {
            Token::Int(literal) => {
                self.tokens.advance();
                Ok(Expr { kind: ExprKind::Int(literal), span })
            }
            Token::Name(word) if is_type_spelling(word) => {
                let message = format!("\"{word}\" is a type, but a value is needed here");
                Err(self.tokens.error_at(span, message))
            }
            Token::Name(word @ ("DPCPU" | "cpu"))
                if self.tokens.peek_behind() == Token::Op("(") =>
            {
                self.of_cpu(word)
            }
            Token::Name(_) => {
                let name = self.name()?;
                Ok(Expr { kind: ExprKind::Name(name), span: span.start..self.tokens.last_end() })
            }
            _ => Err(self.tokens.unexpected("a variable, a number or \"(\"")),
        }
    }

    /// `DPCPU(name)`, `DPCPU(name, cpu)` and `cpu(number)`.
    fn of_cpu(&mut self, word: &str) -> Result<Expr, SyntaxError> {
        let start = self.tokens.span().start;
        self.tokens.advance();
        self.tokens.expect("(")?;
        let kind = match word {
            "cpu" => ExprKind::Cpu(Box::new(self.binary(0)?)),
            _ => {
                let name = self.name()?;
                let cpu = self.tokens.accept(",").then(|| self.binary(0)).transpose()?;
                ExprKind::Dpcpu { name, cpu: cpu.map(Box::new) }
            }
        };
        self.tokens.expect(")")?;
        Ok(Expr { kind, span: start..self.tokens.last_end() })
    }

    fn name(&mut self) -> Result<Name, SyntaxError> {
        let Token::Name(name) = self.tokens.peek() else {
            return Err(self.tokens.unexpected("a variable's name"));
        };
        self.tokens.advance();
        let mut file = None;
        if let Token::File(path) = self.tokens.peek() {
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
                Token::Op("[") => {
                    self.tokens.advance();
                    let index = Box::new(self.binary(0)?);
                    self.tokens.expect("]")?;
                    ExprKind::Index { base: Box::new(base), index }
                }
                Token::Op("(") => {
                    return Err(self.tokens.error("functions in a dump cannot be called"));
                }
                _ => return Ok(base),
            };
            base = Expr { kind, span: start..self.tokens.last_end() };
        }
    }

    fn member(&mut self) -> Result<Box<str>, SyntaxError> {
        let Token::Name(name) = self.tokens.peek() else {
            return Err(self.tokens.unexpected("a member name"));
        };
        self.tokens.advance();
        Ok(name.into())
    }
}

/// C's binary operators that compute something, and how tightly they bind.
fn binary_operator(token: Token<'_>) -> Option<(Binary, u8)> {
    let Token::Op(op) = token else { return None };
    Some(match op {
        "|" => (Binary::Or, 0),
        "^" => (Binary::Xor, 1),
        "&" => (Binary::And, 2),
        "<<" => (Binary::ShiftLeft, 3),
        ">>" => (Binary::ShiftRight, 3),
        "+" => (Binary::Add, 4),
        "-" => (Binary::Subtract, 4),
        "*" => (Binary::Multiply, 5),
        "/" => (Binary::Divide, 5),
        "%" => (Binary::Remainder, 5),
        _ => return None,
    })
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
            ExprKind::Cpu(cpu) => format!("<cpu {}>", show(cpu)),
            ExprKind::Member { base, name, arrow } => {
                format!("({}{}{name})", show(base), if *arrow { "->" } else { "." })
            }
            ExprKind::Index { base, index } => format!("({}[{}])", show(base), show(index)),
            ExprKind::Unary { op, operand } => format!("({op:?} {})", show(operand)),
            ExprKind::Binary { op, left, right } => {
                format!("({op:?} {} {})", show(left), show(right))
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
        for open in ["(", "*", "a[", "sizeof ", "sizeof(", "(int)", "a.b+", "(struct a *)", "- "] {
            let error = parse(&open.repeat(50_000)).unwrap_err();
            assert!(error.message.contains("at most 256"), "{error}");
        }
        let deep = format!("{}a{}", "(".repeat(120), ")".repeat(120));
        assert!(parse(&deep).is_ok());
    }
}
