//! One question asked of each of the chosen vnets.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;

use serde::Serialize;
use serde::ser::{self, SerializeMap, SerializeSeq, Serializer};

use super::later::Later;
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
    pub(super) each: Each<'s, A>,
    /// The answers are there already, and need not be made.
    pub(super) is_kept: bool,
    /// Problems that were found before any vnet was asked.
    pub(super) problems: Problems,
    /// What holds for the question as a whole.
    pub(super) remarks: Vec<Remark>,
    /// Why parts of the question have no answer in any vnet.
    pub(super) missed: Vec<Error>,
    /// Why the answer is empty in every vnet; `None` if it is not.
    pub(super) nothing: Option<String>,
    /// What only the answers tell; `None` if they tell no more.
    pub(super) told: Option<RefCell<Told<'s, A>>>,
    /// Each part has its vnet as a title if there are several.
    pub(super) titled: bool,
    /// Rows begin with the vnet that they belong to.
    pub(super) marked: bool,
}

/// Makes the answers of stacks one after the other, until what takes them returns false.
type Each<'s, A> = Box<dyn Fn(&[Stack<'s>], &mut Take<'_, 's, A>) + 's>;

type Take<'a, 's, A> = dyn FnMut(Stack<'s>, A) -> bool + 'a;

/// What the answers tell as they are made.
pub(super) struct Told<'s, A> {
    later: Later,
    summary: Box<dyn Summary<A> + 's>,
}

/// What is to be said of all answers together, which is known when the last of them has been made.
pub(super) trait Summary<A> {
    /// Sees the next of the answers.
    fn see(&mut self, answer: &A);

    /// Why there is nothing in any of them; `None` if there is something. `problems` are those of all.
    fn nothing(&self, problems: &Problems) -> Option<String>;

    /// What a person should know of them.
    fn remarks(&self, _problems: &Problems) -> Vec<Remark> {
        Vec::new()
    }
}

impl<'s, A> PerVnet<'s, A> {
    /// Asks `ask` of each of the stacks.
    pub fn new(chosen: Chosen<'s>, ask: impl Fn(Stack<'s>) -> A + 's) -> Self {
        Self::by_place(chosen, move |_, stack| ask(stack))
    }

    pub(super) fn by_place(chosen: Chosen<'s>, ask: impl Fn(usize, Stack<'s>) -> A + 's) -> Self {
        Self::by(chosen, move |stacks, take| {
            let mut stacks = stacks.iter().enumerate();
            let _ = stacks.all(|(place, stack)| take(*stack, ask(place, *stack)));
        })
    }

    fn by(chosen: Chosen<'s>, each: impl Fn(&[Stack<'s>], &mut Take<'_, 's, A>) + 's) -> Self {
        Self {
            each: Box::new(each),
            is_kept: false,
            problems: Problems::default(),
            remarks: Vec::new(),
            missed: Vec::new(),
            nothing: None,
            told: None,
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
        let answers = Self::by(chosen, move |stacks, take| {
            let mut answers = stacks.iter().zip(&answers);
            let _ = answers.all(|(stack, answer)| take(*stack, answer.clone()));
        });
        Self { is_kept: true, ..answers }
    }

    /// Asks `ask` of each of the stacks, on all processors. What is to be said of all answers is known when the
    /// last of them has been made. They are made when their turn comes, and not kept. A single
    /// one is kept, and so are those about a machine that is running, where a second look may find
    /// something else. Nothing is asked any more when nobody waits for the answer.
    ///
    /// # Errors
    /// Nobody waits any more.
    pub(super) fn at_once(
        session: &'s Session,
        chosen: Chosen<'s>,
        ask: impl Fn(Stack<'s>) -> A + Sync + 's,
        summary: impl Summary<A> + 's,
    ) -> Result<Self, Error>
    where
        A: Answer + Clone + Send + 's,
    {
        let keep = chosen.stacks.len() == 1 || session.memory().is_live();
        let make = move |stack: &Stack<'s>| session.go_on().map(|()| (*stack, ask(*stack)));
        let each = move |stacks: &[Stack<'s>], take: &mut Take<'_, 's, A>| {
            parallel::for_each(stacks, parallel::jobs_for(stacks.len()), &make, |answer| {
                answer.is_ok_and(|(stack, answer)| take(stack, answer))
            });
        };
        let told = Told { later: Later::default(), summary: Box::new(summary) };
        let answer = Self { told: Some(RefCell::new(told)), ..Self::by(chosen, each) };
        if !keep {
            return Ok(answer);
        }
        let kept = answer.to_vec().into_iter().map(|(_, answer)| answer).collect();
        session.go_on()?;
        let Self { chosen, told, .. } = answer;
        Ok(Self { told, ..Self::kept(chosen, kept) })
    }
}

impl<'s, A: Answer> PerVnet<'s, A> {
    /// Calls `f` with each stack and its answer, until it fails.
    ///
    /// # Errors
    /// That of `f`.
    pub fn try_for_each<E>(
        &self,
        mut f: impl FnMut(Stack<'s>, &A) -> Result<(), E>,
    ) -> Result<(), E> {
        let (mut done, mut place) = (Ok(()), 0);
        (self.each)(&self.chosen.stacks, &mut |stack, answer| {
            done = f(stack, &answer);
            self.see(place, &answer);
            place += 1;
            done.is_ok()
        });
        done
    }

    /// Calls `f` with each stack and its answer.
    pub fn for_each(&self, mut f: impl FnMut(Stack<'s>, &A)) {
        let Ok(()) = self.try_for_each(|stack, answer| {
            f(stack, answer);
            Ok::<_, Infallible>(())
        });
    }

    /// All stacks, each with its answer.
    pub fn to_vec(&self) -> Vec<(Stack<'s>, A)>
    where
        A: Clone,
    {
        let mut all = Vec::new();
        self.for_each(|stack, answer| all.push((stack, answer.clone())));
        all
    }

    /// Makes all answers once, so that what they tell is known before they are shown.
    pub(super) fn look_through(&self) {
        if self.tells_later() {
            self.unreadable();
        }
    }

    fn see(&self, place: usize, answer: &A) {
        let Some(told) = &self.told else { return };
        let Told { later, summary } = &mut *told.borrow_mut();
        if !answer.tells_later() && later.see(place, || answer.problems()) {
            summary.see(answer);
        }
    }

    /// What the answers have told, if that is all of it.
    fn all_told<T>(&self, get: impl FnOnce(&Told<'s, A>, &Problems) -> T) -> Option<T> {
        let told = self.told.as_ref()?.borrow();
        let is_all = told.later.has_seen(self.chosen.stacks.len());
        is_all.then(|| get(&told, &told.later.problems))
    }
}

impl<A: Answer> Answer for PerVnet<'_, A> {
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        self.try_for_each(|stack, answer| {
            let vnet = stack.vnet();
            page.part(Some(Part {
                vnet: vnet.map(VnetRef::from),
                title: vnet.filter(|_| self.titled).map(Vnet::title),
                marked: self.marked && vnet.is_some(),
            }))?;
            answer.lay_out(page)
        })?;
        page.part(None)
    }

    fn problems(&self) -> Problems {
        let mut problems = self.problems.clone();
        if let Some(told) = &self.told {
            problems.extend(told.borrow().later.problems.clone());
        }
        problems.extend(self.chosen.problems.clone());
        problems
    }

    fn remarks(&self) -> Vec<Remark> {
        let mut remarks = self.remarks.clone();
        let told = self.all_told(|told, problems| told.summary.remarks(problems));
        remarks.extend(told.into_iter().flatten());
        remarks
    }

    fn chosen(&self) -> Option<&Chosen<'_>> {
        Some(&self.chosen)
    }

    fn take_missed(&mut self) -> Vec<Error> {
        std::mem::take(&mut self.missed)
    }

    fn nothing(&self) -> Option<String> {
        let told = || self.all_told(|told, problems| told.summary.nothing(problems)).flatten();
        self.nothing.clone().or_else(told)
    }

    fn tells_later(&self) -> bool {
        self.told.is_some() && self.all_told(|_, _| ()).is_none()
    }

    /// Answers that are made when their turn comes are not asked for this: each would be made twice.
    fn found(&self) -> bool {
        let mut found = false;
        if self.is_kept {
            self.for_each(|_, answer| found |= answer.found());
        }
        found
    }

    fn unreadable(&self) -> usize {
        let mut count = 0;
        self.for_each(|_, answer| count += answer.unreadable());
        count
    }
}

/// The answer itself, or an array of answers if all vnets were asked for.
impl<A: Answer> Serialize for PerVnet<'_, A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let ([_], false) = (&self.chosen.stacks[..], self.chosen.all) {
            let (mut serializer, mut done) = (Some(serializer), None);
            self.for_each(|stack, what| {
                let about = About { vnet: stack.vnet().map(VnetRef::from), what };
                done = serializer.take().map(|serializer| about.serialize(serializer));
            });
            return done.unwrap_or_else(|| Err(ser::Error::custom("the vnet was not asked")));
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
        self.0.try_for_each(|stack, answer| {
            seq.serialize_element(&About { vnet: stack.vnet().map(VnetRef::from), what: answer })
        })?;
        seq.end()
    }
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;
    use crate::answers::testing;
    use crate::session::Selector;
    use crate::walk::Problem;

    /// An answer that has nothing but a problem.
    #[derive(Clone, Serialize)]
    struct Broken {
        title: String,
    }

    impl Answer for Broken {
        fn lay_out(&self, _: &mut impl Page) -> io::Result<()> {
            Ok(())
        }

        fn problems(&self) -> Problems {
            Problem::new(self.title.as_str(), "it is broken").into()
        }
    }

    struct Count(usize);

    impl Summary<Broken> for Count {
        fn see(&mut self, _: &Broken) {
            self.0 += 1;
        }

        fn nothing(&self, problems: &Problems) -> Option<String> {
            Some(format!("{} answers, {} problems", self.0, problems.len()))
        }
    }

    fn ask(which: &Selector) -> PerVnet<'static, Broken> {
        let session = testing::demo();
        let chosen = Chosen::ask(session, which).unwrap();
        let title = |vnet: &Vnet| Broken { title: vnet.title() };
        let ask = move |stack: Stack<'_>| title(stack.vnet().unwrap());
        PerVnet::at_once(session, chosen, ask, Count(0)).unwrap()
    }

    #[test]
    fn what_all_answers_tell_is_known_after_the_last() {
        let answer = ask(&Selector::All);
        let vnets = answer.chosen.stacks.len();
        assert!(vnets > 2 && answer.tells_later());
        assert_eq!((answer.nothing(), answer.problems().len()), (None, 0));
        let mut left = 2;
        let stopped = answer.try_for_each(|_, _| {
            left -= 1;
            if left > 0 { Ok(()) } else { Err(()) }
        });
        assert_eq!((stopped, answer.nothing(), answer.problems().len()), (Err(()), None, 2));
        for _ in 0..2 {
            assert_eq!(answer.to_vec().len(), vnets);
            let told = format!("{vnets} answers, {vnets} problems");
            assert_eq!((answer.nothing(), answer.problems().len()), (Some(told), vnets));
            assert!(!answer.tells_later());
        }
    }

    #[test]
    fn what_a_single_answer_tells_is_known_at_once() {
        let answer = ask(&Selector::Index(1));
        assert!(!answer.tells_later());
        assert_eq!(answer.nothing().as_deref(), Some("1 answers, 1 problems"));
        let title = &answer.to_vec()[0].1.title;
        assert_eq!(testing::json(&answer)["title"], **title);
    }
}
