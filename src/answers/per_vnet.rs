//! One question asked of each of the chosen vnets.

use std::io;

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};

use super::{About, Answer, Chosen, Page, Part, Remark};
use crate::error::Error;
use crate::parallel;
use crate::session::Session;
use crate::vnet::{Stack, Vnet, VnetRef};
use crate::walk::Problems;

/// An answer for each of the chosen vnets, made when its turn comes and not kept.
pub struct PerVnet<'s, A> {
    /// The vnets, in the order in which they are asked.
    pub chosen: Chosen<'s>,
    pub(super) ask: Ask<'s, A>,
    /// How many are made at once.
    pub(super) at_once: usize,
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

/// The question, asked of some of the stacks, the first of which has this place among the chosen ones.
type Ask<'s, A> = Box<dyn Fn(usize, &[Stack<'s>]) -> Vec<Option<A>> + 's>;

/// How many answers all processors make before the first of them is shown: enough to be worth their
/// while, and few enough to be kept.
const AT_ONCE: usize = 64;

/// What an answer is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// To see what is to be said before all answers.
    Look,
    /// For both at once.
    Once,
    /// To be shown.
    Show,
}

impl<'s, A> PerVnet<'s, A> {
    /// Asks `ask` of each of the stacks.
    pub fn new(chosen: Chosen<'s>, ask: impl Fn(Stack<'s>) -> A + 's) -> Self {
        Self::by_place(chosen, move |_, stack| Some(ask(stack)))
    }

    pub(super) fn by_place(
        chosen: Chosen<'s>,
        ask: impl Fn(usize, Stack<'s>) -> Option<A> + 's,
    ) -> Self {
        let ask = move |first: usize, stacks: &[Stack<'s>]| {
            stacks.iter().zip(first..).map(|(stack, place)| ask(place, *stack)).collect()
        };
        Self::by_batch(chosen, 1, ask)
    }

    fn by_batch(
        chosen: Chosen<'s>,
        at_once: usize,
        ask: impl Fn(usize, &[Stack<'s>]) -> Vec<Option<A>> + 's,
    ) -> Self {
        Self {
            ask: Box::new(ask),
            at_once,
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

    /// Asks `ask` of each of the stacks, on all processors, collects the problems of the answers, and
    /// shows them to `see`: what is said before the answers rests on all of them. Then each is made
    /// again when its turn comes, and not kept. A single one is kept, and so are those about a machine
    /// that is running, where a second look may find something else. Nothing is asked any more when
    /// nobody waits for the answer.
    ///
    /// # Errors
    /// The first of `ask`, or nobody waits any more.
    pub(super) fn looked_through(
        session: &'s Session,
        chosen: Chosen<'s>,
        ask: impl Fn(Stack<'s>, Pass) -> Result<A, Error> + Sync + 's,
        mut see: impl FnMut(&A),
    ) -> Result<Self, Error>
    where
        A: Answer + Clone + Send + 's,
    {
        let keep = chosen.stacks.len() == 1 || session.memory().is_live();
        let pass = if keep { Pass::Once } else { Pass::Look };
        let (mut kept, mut problems, mut failed) = (Vec::new(), Problems::default(), None);
        let jobs = parallel::jobs_for(chosen.stacks.len());
        let ask = move |stack: &Stack<'s>, pass| session.go_on().and_then(|()| ask(*stack, pass));
        let look = |stack: &Stack<'s>| ask(stack, pass);
        parallel::for_each(&chosen.stacks, jobs, look, |answer| {
            match answer {
                Ok(answer) => {
                    problems.extend(answer.problems());
                    see(&answer);
                    kept.extend(keep.then_some(answer));
                }
                Err(why) => failed = Some(why),
            }
            failed.is_none()
        });
        if let Some(why) = failed {
            return Err(why);
        }
        if keep {
            return Ok(Self { problems, ..Self::kept(chosen, kept) });
        }
        let ask = move |_: usize, stacks: &[Stack<'s>]| {
            let mut answers = Vec::with_capacity(stacks.len());
            let show = |stack: &Stack<'s>| ask(stack, Pass::Show);
            parallel::for_each(stacks, parallel::jobs_for(stacks.len()), show, |answer| {
                answers.push(answer.ok());
                true
            });
            answers
        };
        Ok(Self { problems, ..Self::by_batch(chosen, AT_ONCE, ask) })
    }

    /// The stacks, each with its answer, one after the other.
    pub fn answers(&self) -> impl Iterator<Item = (Stack<'s>, A)> {
        let batches = self.chosen.stacks.chunks(self.at_once.max(1)).enumerate();
        let made = batches.flat_map(|(number, stacks)| {
            stacks.iter().zip((self.ask)(number * self.at_once, stacks))
        });
        made.filter_map(|(stack, answer)| Some((*stack, answer?)))
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
