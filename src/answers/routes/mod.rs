//! `routes`: the routing tables of the chosen vnets, as netstat(1) prints them.

mod element;
mod page;
mod question;

pub use self::element::{NextHop, Route, RoutingTable};
pub use self::page::Routes;
pub use self::question::Question;

use super::per_vnet::Pass;
use super::{Answer, Chosen, PerVnet};
use crate::error::Error;
use crate::session::Session;
use crate::views::family::Family;
use crate::views::routes::Tables;
use crate::vnet::Stack;

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
    let network = session.network()?;
    let ask = move |stack: Stack<'s>, _: Pass| -> Result<Routes, Error> {
        let wanted = |fib: u64, family: Family| {
            question.fib.is_none_or(|wanted| wanted == fib)
                && question.family.is_none_or(|wanted| wanted == family)
                && question.to.is_none_or(|to| Family::of_address(to) == family)
        };
        let tables = Tables::read(&session.copies(stack)?, &network, wanted);
        Ok(Routes::new(tables, session.uptime(), &question))
    };
    let (mut fibs, mut empty) = (None, true);
    let answer = PerVnet::looked_through(session, chosen, ask, |routes| {
        fibs = fibs.max(routes.fibs);
        empty &= routes.nothing().is_some();
    })?;
    let nothing = empty.then(|| nothing(fibs, &question));
    Ok(PerVnet { nothing, ..answer })
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
