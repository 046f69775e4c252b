//! The elements of lists, trees, arrays and slices.

use crate::addr::VirtAddr;
use crate::expr::Expr;
use crate::expr::eval::{ExprError, Many, Operand, Operator, Scope};
use crate::types::TypeId;
use crate::types::model::Type;
use crate::value::object::Object;
use crate::value::queue::link::{self, NoLink};
use crate::value::queue::{self, List};
use crate::value::radix;
use crate::walk::Walk;

impl<'t> Scope<'t> {
    /// `base[*]`
    pub(super) fn all(&self, base: &Expr) -> Result<Operand, ExprError> {
        let operand = self.eval(base)?;
        self.each(operand, &mut |operand| self.all_of(operand, None).map(Operand::Many))
    }

    /// `base[*link]`: along a link of a list's elements, or along a pointer that each element has
    /// to the next. What has no such member is indexed.
    pub(super) fn along(
        &self,
        base: &Expr,
        path: &str,
        index: &Expr,
    ) -> Result<Operand, ExprError> {
        let operand = self.eval(base)?;
        let first = match &operand {
            Operand::Many(many) => many.elements.first(),
            one => Some(one),
        };
        let object = first.map(|first| self.object(first)).transpose()?.flatten();
        let is_list = object
            .is_none_or(|object| link::is_head(&object) || self.is_chain(object.type_id, path));
        if !is_list {
            return self.index(operand, self.eval(index)?);
        }
        self.each(operand, &mut |operand| self.all_of(operand, Some(path)).map(Operand::Many))
    }

    /// `base[from..to]`
    pub(super) fn slice(&self, base: &Expr, from: &Expr, to: &Expr) -> Result<Operand, ExprError> {
        let number = |expr: &Expr| Ok::<_, ExprError>(self.integer(&self.eval(expr)?)?.value);
        let (from, to) = (number(from)?, number(to)?);
        if to < from {
            return Err(ExprError::BackwardSlice { from, to });
        }
        let base = self.eval(base)?;
        self.each(base, &mut |base| {
            // What lies outside an array is told once for each end.
            self.check_index(&base, from)?;
            self.check_index(&base, to)?;
            if let Some(picked) = self.of_list(&base, from, to)? {
                return Ok(Operand::Many(picked));
            }
            self.elements_between(&base, from, to).map(Operand::Many)
        })
    }

    /// `start@count`: an array of that many elements.
    pub(super) fn repeat(&self, start: &Expr, count: &Expr) -> Result<Operand, ExprError> {
        let (start, count) = (self.eval(start)?, self.eval(count)?);
        self.each_of_two(start, count, &mut |start, count| {
            let number = self.integer(&count)?.value;
            let count = u64::try_from(number).ok().filter(|count| *count > 0);
            let count = count.ok_or(ExprError::NoElements { count: number })?;
            let Operand::Place { type_id, address, bits: None, .. } = start else {
                return Err(self.wrong(Operator::Repeat, &start));
            };
            let type_id = self.types()?.rows_of(type_id, &[Some(count)]);
            Ok(Operand::place(type_id, address))
        })
    }

    /// `base[condition]`
    pub(super) fn filter(&self, base: &Expr, condition: &Expr) -> Result<Operand, ExprError> {
        let Many { elements, problems } = self.many(self.eval(base)?)?;
        let mut kept = Many { elements: Vec::new(), problems };
        for element in elements {
            // Whether it would be chosen is not known, so it stays.
            if let Operand::Unreadable(_) = element {
                self.add(&mut kept, Ok(element))?;
                continue;
            }
            self.elements.borrow_mut().push(element.clone());
            let decided = self.eval(condition);
            let decided = decided.and_then(|it| Ok(self.truth(&it)?.then_some(element)));
            self.elements.borrow_mut().pop();
            if let Some(found) = decided.transpose() {
                self.add(&mut kept, found)?;
            }
        }
        Ok(Operand::Many(kept))
    }

    /// The element that the innermost filter decides about.
    pub(super) fn element_of_filter(&self) -> Result<Operand, ExprError> {
        let element = self.elements.borrow().last().cloned();
        element.ok_or(ExprError::NoFilter)
    }

    /// The index of a list or array. An unknown name may be a member of the elements, which a
    /// filter writes with a dot.
    pub(super) fn index_of(&self, base: &Operand, index: &Expr) -> Result<Operand, ExprError> {
        self.eval(index).map_err(|why| match why {
            ExprError::NoSuchName { name, mut near } if self.is_member_of_first(base, &name) => {
                near.insert(0, format!(".{name}"));
                ExprError::NoSuchName { name, near }
            }
            other => other,
        })
    }

    fn is_member_of_first(&self, base: &Operand, name: &str) -> bool {
        let Operand::Many(Many { elements, .. }) = base else { return false };
        let object = elements.first().and_then(|first| self.object(first).ok()?);
        object.is_some_and(|object| object.has(name))
    }

    /// The elements of a list by their numbers, counted from its head, `to` included; `None` if the
    /// operand is not the head of a list.
    pub(super) fn of_list(
        &self,
        base: &Operand,
        from: i128,
        to: i128,
    ) -> Result<Option<Many>, ExprError> {
        if self.pointee(base)?.is_some() {
            return Ok(None);
        }
        let Some(head) = self.object(base)?.filter(link::is_head) else { return Ok(None) };
        if self.unevaluated.get() {
            let element = link::element_of(self.types()?, head.type_id);
            let element = element.map(|element| Operand::place(element, VirtAddr::new(0)));
            return Ok(Some(Many { elements: element.into_iter().collect(), ..Many::default() }));
        }
        let mut many = self.all_of(base.clone(), None)?;
        let count = many.elements.len();
        let number = |index: i128| usize::try_from(index).ok().filter(|index| *index < count);
        let short = |index| ExprError::ShortList { index, count };
        let from = number(from).ok_or_else(|| short(from))?;
        let to = number(to).ok_or_else(|| short(to))?;
        many.elements.truncate(to + 1);
        many.elements.drain(..from);
        Ok(Some(many))
    }

    /// What an aggregate or a filter goes over: many operands as they are, or all elements of a
    /// list or array.
    pub(super) fn many(&self, operand: Operand) -> Result<Many, ExprError> {
        match operand {
            Operand::Many(many) => Ok(many),
            one => self.all_of(one, None),
        }
    }

    /// All elements of an array, list or tree.
    fn all_of(&self, operand: Operand, path: Option<&str>) -> Result<Many, ExprError> {
        if self.unevaluated.get() {
            return Ok(Many::default());
        }
        if let (Operand::Place { type_id, .. }, None) = (&operand, path)
            && let Some((_, count)) = self.types()?.elements(*type_id)?
        {
            return match count {
                Some(0) => Ok(Many::default()),
                Some(count) => self.elements_between(&operand, 0, i128::from(count) - 1),
                None => Err(self.wrong(Operator::All, &operand)),
            };
        }
        let Some(object) = self.object(&operand)? else {
            return Err(self.wrong(Operator::All, &operand));
        };
        // A pointer to no list at all is an empty one.
        if object.address.is_null() && self.pointee(&operand)?.is_some() {
            return Ok(Many::default());
        }
        let name = format!("the list at {}", object.address);
        let list = List { name: &name, element: "element" };
        let walk = match path {
            None if radix::is_head(&object) => radix::leaves(object, list),
            Some(path) if self.is_chain(object.type_id, path) => link::chain(object, path, list),
            _ => self.walk(object, path, list, &operand)?,
        };
        self.walked(walk)
    }

    fn walk(
        &self,
        head: Object<'t>,
        path: Option<&str>,
        list: List<'_>,
        operand: &Operand,
    ) -> Result<Walk<Object<'t>>, ExprError> {
        let link = match path {
            None => link::link_of(&head),
            Some(path) => match link::links(&head) {
                Ok(links) if links.iter().any(|link| link == path) => Ok(Some(path.to_owned())),
                Ok(links) => return Err(ExprError::NotALink { member: path.to_owned(), links }),
                Err(why) => Err(why),
            },
        };
        let link = link.map_err(|why| match why {
            NoLink::NotAList => self.wrong(Operator::All, operand),
            NoLink::None { element } => ExprError::NoLink {
                element: self.types().map(|types| types.name(element)).unwrap_or_default(),
            },
            NoLink::Several(links) => ExprError::SeveralLinks { links },
            NoLink::Read(why) => why.into(),
        })?;
        Ok(match link {
            Some(link) => queue::walk(head, &link, list),
            None => Walk::whole(Vec::new()),
        })
    }

    fn walked(&self, walk: Walk<Object<'t>>) -> Result<Many, ExprError> {
        let mut many = Many::default();
        for Object { type_id, address, .. } in walk.take(&mut many.problems) {
            self.add(&mut many, Ok(Operand::place(type_id, address)))?;
        }
        many.problems.iter().for_each(|problem| self.remark(problem.to_string()));
        Ok(many)
    }

    /// Elements by their numbers, `to` included.
    fn elements_between(&self, base: &Operand, from: i128, to: i128) -> Result<Many, ExprError> {
        let mut many = Many::default();
        for index in from..=to {
            self.add(&mut many, self.element(base, index))?;
        }
        Ok(many)
    }

    /// Does the struct have a member of that name that points to another such struct?
    fn is_chain(&self, type_id: TypeId, path: &str) -> bool {
        let same = || {
            let types = self.target.types().ok()?;
            let to = types.pointee(types.path(type_id, path).ok()?.type_id).ok()?;
            let (to, own) = (types.resolve(to).ok()?.0, types.resolve(type_id).ok()?.0);
            Some(to == own || types.name(to) == types.name(own))
        };
        same().unwrap_or(false)
    }

    /// The struct that an operand is, or points to.
    ///
    /// # Errors
    /// The pointer cannot be read.
    pub fn object(&self, operand: &Operand) -> Result<Option<Object<'t>>, ExprError> {
        let place = match self.pointee(operand)? {
            Some(_) => self.follow(operand)?,
            None => operand.clone(),
        };
        let Operand::Place { type_id, address, bits: None, .. } = place else { return Ok(None) };
        let (type_id, kind) = self.types()?.resolve(type_id)?;
        Ok(matches!(*kind, Type::Record(_)).then(|| Object::new(self.target, type_id, address)))
    }
}
