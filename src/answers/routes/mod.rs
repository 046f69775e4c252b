//! `routes`: the routing tables of the chosen vnets, as netstat(1) prints them.

mod element;
mod page;
mod question;

pub use self::element::{NextHop, Route, RoutingTable};
pub use self::page::Routes;
pub use self::question::Question;

use super::per_vnet::Summary;
use super::{Answer, Chosen, PerVnet};
use crate::error::Error;
use crate::session::Session;
use crate::views::family::Family;
use crate::views::routes::Tables;
use crate::vnet::Stack;
use crate::walk::Problems;

/// The routes of each of the chosen vnets.
///
/// # Errors
/// The kernel is not the dump's, or has no debug information.
pub fn routes<'s>(
    session: &'s Session,
    chosen: Chosen<'s>,
    question: Question,
) -> Result<PerVnet<'s, Routes>, Error> {
    session.matching_target()?.types()?;
    let (network, copies) = (session.network()?, session.copier()?);
    let ask = move |stack: Stack<'s>| {
        let wanted = |fib: u64, family: Family| {
            question.fib.is_none_or(|wanted| wanted == fib)
                && question.family.is_none_or(|wanted| wanted == family)
                && question.to.is_none_or(|to| Family::of_address(to) == family)
        };
        let tables = Tables::read(&copies(stack), &network, wanted);
        Routes::new(tables, session.uptime(), &question)
    };
    PerVnet::at_once(session, chosen, ask, All { question, fibs: None, empty: true })
}

/// The routes of all chosen vnets.
struct All {
    question: Question,
    /// The most FIBs that any of them has.
    fibs: Option<u64>,
    empty: bool,
}

impl Summary<Routes> for All {
    fn see(&mut self, routes: &Routes) {
        self.fibs = self.fibs.max(routes.fibs);
        self.empty &= routes.nothing().is_some();
    }

    fn nothing(&self, _: &Problems) -> Option<String> {
        self.empty.then(|| nothing(self.fibs, &self.question))
    }
}

/// Why there are no routes at all, in stacks that have at most so many FIBs.
fn nothing(fibs: Option<u64>, question: &Question) -> String {
    match (question.fib, fibs, question.to) {
        (Some(fib), Some(fibs), _) if fib >= fibs => {
            format!("there is no FIB {fib}: the FIBs are numbered from 0, and there are {fibs}")
        }
        (_, _, Some(to)) => format!("no route leads to {to}"),
        _ => "there are no routes".to_owned(),
    }
}
