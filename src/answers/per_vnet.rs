//! One question asked of each of the chosen vnets.

use std::io;

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};

use super::{About, Answer, Chosen, Page, Part, Remark};
use crate::error::Error;
use crate::vnet::{Stack, Vnet, VnetRef};
use crate::walk::Problems;

/// An answer for each of the chosen vnets, made when its turn comes and not kept.
pub struct PerVnet<'s, A> {
    /// The vnets, in the order in which they are asked.
    pub chosen: Chosen<'s>,
    pub(super) ask: Ask<'s, A>,
    /// The answers are there already, and need not be made.
    pub(super) is_kept: bool,
    /// Problems that were found before any vnet was asked.
    pub problems: Problems,
    /// What holds for the question as a whole.
    pub remarks: Vec<Remark>,
    /// Why parts of the question have no answer in any vnet.
    pub missed: Vec<Error>,
    /// Why the answer is empty in every vnet; `None` if it is not.
    pub nothing: Option<String>,
    /// Each part has its vnet as a title if there are several.
    pub(super) titled: bool,
    /// Rows begin with the vnet that they belong to.
    pub(super) marked: bool,
}

/// The question, asked of the stack that has this place among the chosen ones.
type Ask<'s, A> = Box<dyn Fn(usize, Stack<'s>) -> Option<A> + 's>;

impl<'s, A> PerVnet<'s, A> {
    /// Asks `ask` of each of the stacks.
    pub fn new(chosen: Chosen<'s>, ask: impl Fn(Stack<'s>) -> A + 's) -> Self {
        Self::by_place(chosen, move |_, stack| Some(ask(stack)))
    }

    pub(super) fn by_place(
        chosen: Chosen<'s>,
        ask: impl Fn(usize, Stack<'s>) -> Option<A> + 's,
    ) -> Self {
        Self {
            ask: Box::new(ask),
            is_kept: false,
            problems: Problems::default(),
            remarks: Vec::new(),
            missed: Vec::new(),
            nothing: None,
            titled: chosen.stacks.len() > 1,
            marked: chosen.all,
            chosen,
        }
    }

    /// Answers that are there already: one for each of the stacks, in their order.
    pub(super) fn kept(chosen: Chosen<'s>, answers: Vec<A>) -> Self
    where
        A: Clone + 's,
    {
        let answers = Self::by_place(chosen, move |place, _| answers.get(place).cloned());
        Self { is_kept: true, ..answers }
    }

    /// Asks now, and keeps the answers with their problems. `nothing` says why all are empty, if
    /// they are.
    ///
    /// # Errors
    /// Those of `ask`.
    pub(super) fn asked_now(
        chosen: Chosen<'s>,
        ask: impl Fn(Stack<'s>) -> Result<A, Error>,
        nothing: impl FnOnce(&[A]) -> String,
    ) -> Result<Self, Error>
    where
        A: Answer + Clone + 's,
    {
        let answers = chosen.stacks.iter().map(|stack| ask(*stack));
        let answers = answers.collect::<Result<Vec<A>, Error>>()?;
        let mut problems = Problems::default();
        answers.iter().for_each(|answer| problems.extend(answer.problems()));
        let empty = answers.iter().all(|answer| answer.nothing().is_some());
        let nothing = empty.then(|| nothing(&answers));
        Ok(Self { problems, nothing, ..Self::kept(chosen, answers) })
    }

    /// The stacks, each with its answer, one after the other.
    pub fn answers(&self) -> impl Iterator<Item = (Stack<'s>, A)> {
        let stacks = self.chosen.stacks.iter().enumerate();
        stacks.filter_map(|(place, stack)| Some((*stack, (self.ask)(place, *stack)?)))
    }
}

impl<A: Answer> Answer for PerVnet<'_, A> {
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        for (stack, answer) in self.answers() {
            let vnet = stack.vnet();
            page.part(Some(Part {
                vnet: vnet.map(VnetRef::from),
                title: vnet.filter(|_| self.titled).map(Vnet::title),
                marked: self.marked && vnet.is_some(),
            }))?;
            answer.lay_out(page)?;
        }
        page.part(None)
    }

    fn problems(&self) -> Problems {
        let mut problems = self.problems.clone();
        problems.extend(self.chosen.problems.clone());
        problems
    }

    fn remarks(&self) -> Vec<Remark> {
        self.remarks.clone()
    }

    fn chosen(&self) -> Option<&Chosen<'_>> {
        Some(&self.chosen)
    }

    fn take_missed(&mut self) -> Vec<Error> {
        std::mem::take(&mut self.missed)
    }

    fn nothing(&self) -> Option<String> {
        self.nothing.clone()
    }

    /// Answers that are made when their turn comes are not asked for this: each would be made twice.
    fn found(&self) -> bool {
        self.is_kept && self.answers().any(|(_, answer)| answer.found())
    }

    fn unreadable(&self) -> usize {
        self.answers().map(|(_, answer)| answer.unreadable()).sum()
    }
}

/// The answer itself, or an array of answers if all vnets were asked for.
impl<A: Answer> Serialize for PerVnet<'_, A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let ([_], false) = (&self.chosen.stacks[..], self.chosen.all)
            && let Some((stack, answer)) = self.answers().next()
        {
            return About { vnet: stack.vnet().map(VnetRef::from), what: answer }
                .serialize(serializer);
        }
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("vnets", &All(self))?;
        map.end()
    }
}

struct All<'a, 's, A>(&'a PerVnet<'s, A>);

impl<A: Answer> Serialize for All<'_, '_, A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.0.chosen.stacks.len()))?;
        for (stack, answer) in self.0.answers() {
            seq.serialize_element(&About { vnet: stack.vnet().map(VnetRef::from), what: answer })?;
        }
        seq.end()
    }
}
