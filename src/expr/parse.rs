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
mod tests;
