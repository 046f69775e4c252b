//! The session's answers to expressions.

use super::{Printed, Session};
use crate::addr::VirtAddr;
use crate::error::Error;
use crate::expr::eval::{CopyOfCpu, ExprError, Kept, KeptValue, Operand, Scope, Surroundings};
use crate::expr::{self, Expr};
use crate::kernel::LinkerSet;
use crate::session::{DefaultCpu, Selector};
use crate::shorten::caret;
use crate::types::TypeId;
use crate::value::{Limits, ValueReader};
use crate::views::crashed_thread::CrashedThread;
use crate::views::mbufs::{self, Mbuf};
use crate::vnet::{Stack, Variables, VnetError, WantedThread, WantedVnet};
use crate::walk::{Problems, Walk};

/// Where the names of an expression are looked up.
#[derive(Debug, Clone, Copy)]
pub struct Place<'s> {
    /// The network stack whose copies of virtualized variables are meant.
    pub stack: Stack<'s>,
    /// What other names mean.
    pub names: Names<'s>,
}

/// What names mean that are not a network stack's.
#[derive(Debug, Clone, Copy, Default)]
pub struct Names<'s> {
    /// The id of the CPU whose copies of DPCPU variables are meant; `None` is the default one.
    pub cpu: Option<u64>,
    /// The values of `$1`, `$` and other names with a `$`; `None` if there are none.
    pub kept: Option<&'s Kept>,
}

/// What an expression came to in a network stack, before the memory of its value is read.
#[derive(Debug, Clone)]
pub struct Evaluation<'s> {
    expression: Box<str>,
    stack: Stack<'s>,
    operand: Operand,
    /// What explains the value, a sentence each.
    pub notes: Vec<Box<str>>,
    /// Doubts about it, a sentence each.
    pub remarks: Vec<Box<str>>,
}

impl Evaluation<'_> {
    /// Whether it is a variable of which only the bytes are known.
    pub fn is_untyped(&self) -> bool {
        matches!(self.operand, Operand::Untyped { .. })
    }

    /// What later expressions may name.
    pub fn to_keep(&self) -> KeptValue {
        self.operand.clone().into()
    }
}

impl<'s> From<Stack<'s>> for Place<'s> {
    fn from(stack: Stack<'s>) -> Self {
        Self { stack, names: Names::default() }
    }
}

impl Session {
    /// The value of a C expression in a network stack. DPCPU variables are those of [the default
    /// CPU](Session::default_cpu) where the expression does not name another.
    ///
    /// # Errors
    /// As [`Session::print_at`].
    pub fn print(
        &self,
        stack: Stack<'_>,
        expression: &str,
        limits: &Limits,
    ) -> Result<Printed, Error> {
        self.print_at(stack.into(), expression, limits)
    }

    /// The value of a C expression in a network stack and on a CPU.
    ///
    /// # Errors
    /// It is not an expression, names something that does not exist, or needs memory that cannot
    /// be read on the way to its value. A value that is itself unreadable is not an
    /// error: it is an error value.
    pub fn print_at(
        &self,
        place: Place<'_>,
        expression: &str,
        limits: &Limits,
    ) -> Result<Printed, Error> {
        Ok(self.read(&self.evaluate(place, expression)?, &self.reader(limits)))
    }

    /// Evaluates an expression as far as that takes no more of its value than a number on the way.
    ///
    /// # Errors
    /// As [`Session::print_at`].
    pub fn evaluate<'s>(
        &self,
        place: Place<'s>,
        expression: &str,
    ) -> Result<Evaluation<'s>, Error> {
        self.require_match()?;
        let Place { stack, names } = place;
        let failed = |source, caret| Error::Expr { expression: expression.into(), caret, source };
        let parsed = expr::parse(expression).map_err(|why| {
            failed(ExprError::Syntax { message: why.to_string() }, Some(why.caret().into()))
        })?;
        let around = Around { session: self, chosen: names.cpu };
        let scope = Scope::new(self.target(), self.virtualized()?, stack, &around, names.kept);
        let operand = scope.eval(&parsed).map_err(|why| {
            let part = scope.mistake().filter(|part| *part != parsed.span);
            failed(why, part.map(|part| caret(expression, &part).into()))
        })?;
        let (notes, remarks) = scope.said();
        Ok(Evaluation { expression: expression.into(), stack, operand, notes, remarks })
    }

    /// The value of an expression that this session evaluated, as that reader of it reads it.
    pub fn read(&self, evaluation: &Evaluation<'_>, reader: &ValueReader<'_>) -> Printed {
        let Evaluation { expression, stack, operand, notes, remarks } = evaluation;
        let mut value = operand.read(self.target(), reader);
        let variable = self.variable_at(*stack, operand.address());
        self.withdraw_stale_sums(*stack, variable.map(|variable| &*variable.name), &mut value);
        Printed {
            expression: expression.clone(),
            type_name: operand.type_name(self.target()).unwrap_or_default().into(),
            address: operand.address(),
            value,
            notes: notes.clone(),
            remarks: remarks.clone(),
        }
    }

    /// The mbufs that a value leads to, which is an mbuf, a pointer to one, or several of them.
    ///
    /// # Errors
    /// It is something else, or the pointer cannot be read.
    pub fn mbufs(&self, evaluation: &Evaluation<'_>) -> Result<Walk<Mbuf>, Error> {
        let Evaluation { expression, stack, operand, .. } = evaluation;
        let failed = |source| Error::Expr { expression: expression.clone(), caret: None, source };
        let around = Around { session: self, chosen: None };
        let scope = Scope::new(self.target(), self.virtualized()?, *stack, &around, None);
        let firsts = match operand {
            Operand::Many(many) => &*many.elements,
            one => std::slice::from_ref(one),
        };
        let (mut mbufs, mut problems) = (Vec::new(), Problems::default());
        for first in firsts {
            let object = scope.object(first).map_err(failed)?;
            let Some(object) = object.filter(mbufs::is_mbuf) else {
                let type_name = first.type_name(self.target()).map(Into::into);
                return Err(failed(ExprError::NotAnMbuf { type_name }));
            };
            if !object.address.is_null() {
                let packets = mbufs.last().map_or(0, |mbuf: &Mbuf| mbuf.packet + 1);
                let chain = mbufs::chain(object, expression).take(&mut problems);
                mbufs.extend(chain.into_iter().map(|mbuf| mbuf.after(packets)));
            }
        }
        Ok(Walk::new(mbufs, problems))
    }

    /// The type of an expression. It is not evaluated, and no pointer in it is followed. All
    /// elements of a list together have none.
    ///
    /// # Errors
    /// As [`Session::print_at`].
    pub(super) fn type_of_parsed(
        &self,
        Place { stack, names }: Place<'_>,
        expression: &Expr,
    ) -> Result<TypeId, Error> {
        let around = Around { session: self, chosen: names.cpu };
        let scope = Scope::new(self.target(), self.virtualized()?, stack, &around, names.kept);
        let failed = |source| Error::Expr { expression: "".into(), caret: None, source };
        scope.type_of(expression).map_err(failed)
    }

    /// The variables that stacks have copies of; `None` if they are no more than globals.
    fn virtualized(&self) -> Result<Option<&Variables>, Error> {
        match self.all_variables() {
            Ok(variables) => Ok(Some(variables)),
            Err(Error::Vnet(VnetError::NoVimage | VnetError::NoKernelSymbols)) => Ok(None),
            Err(why) => Err(why),
        }
    }
}

/// What expressions know of the machine.
struct Around<'s> {
    session: &'s Session,
    /// The chosen CPU.
    chosen: Option<u64>,
}

impl<'s> Surroundings<'s> for Around<'s> {
    fn dpcpu_variables(&self) -> Result<&'s Variables, VnetError> {
        self.session.variables_of(LinkerSet::Pcpu)
    }

    fn cpu(&self, number: i128) -> Result<u64, VnetError> {
        Ok(self.session.known_cpus()?.require(number)?.id)
    }

    fn chosen_cpu(&self) -> Result<(u64, Option<String>), VnetError> {
        match self.chosen {
            Some(id) => Ok((self.cpu(id.into())?, None)),
            None => {
                let DefaultCpu { cpu, title } = self.session.crash_cpu()?;
                Ok((cpu.id, Some(title)))
            }
        }
    }

    fn copy_of(&self, cpu: u64, master: VirtAddr) -> Result<CopyOfCpu, VnetError> {
        let cpu = self.session.known_cpus()?.require(cpu.into())?;
        let address = cpu.copy_of(self.session.target(), master);
        Ok(CopyOfCpu { address, doubt: cpu.doubt.as_ref().map(ToString::to_string) })
    }

    fn vnet(&self, number: i128) -> Result<VirtAddr, ExprError> {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        let found = self.session.select(&Selector::Index(index)).map_err(as_expression)?;
        let vnet = found.stacks.iter().find_map(|stack| stack.vnet());
        let none = VnetError::NoSuchVnet(WantedVnet::Index(index));
        Ok(vnet.ok_or(none)?.address)
    }

    fn stack(&self, address: VirtAddr) -> Option<Stack<'s>> {
        self.session.vnet(address).map(Stack::Vnet)
    }

    fn prison(&self, wanted: &str) -> Result<VirtAddr, ExprError> {
        self.session.chosen_jail(wanted).map_err(as_expression)
    }

    fn thread(&self, tid: i128) -> Result<VirtAddr, ExprError> {
        let tid = i64::try_from(tid).unwrap_or(i64::MAX);
        let found = self.session.thread(tid)?;
        let found = found.ok_or(VnetError::NoSuchThread(WantedThread::Thread(tid)))?;
        Ok(found.thread.address)
    }

    fn current_thread(&self) -> Result<VirtAddr, ExprError> {
        let crashed = self.session.known_crashed_thread()?;
        let why = "no thread is known to have written the dump".to_owned();
        let CrashedThread { tid, thread, problems, .. } =
            crashed.ok_or(ExprError::NoCurrentThread { why })?;
        let Some(thread) = thread else {
            let wanted = WantedThread::Thread(*tid);
            let unknown = |because| VnetError::unknown(wanted.to_string(), because);
            problems.none().map_err(unknown)?;
            return Err(VnetError::NoSuchThread(wanted).into());
        };
        Ok(thread.address)
    }
}

/// An error of a question inside an expression.
fn as_expression(why: Error) -> ExprError {
    match why {
        Error::Vnet(why) => why.into(),
        Error::Read(why) => why.into(),
        other => ExprError::Unknown { why: other.story() },
    }
}
