//! `neighbors`: what arp(8) and ndp(8) list, of the chosen vnets.

mod element;
mod page;

pub use self::element::{Neighbor, Table};
pub use self::page::Neighbors;

use super::per_vnet::Pass;
use super::{Answer, Chosen, PerVnet};
use crate::error::Error;
use crate::session::Session;
use crate::views::family::Family;
use crate::views::neighbors;
use crate::vnet::Stack;

/// The neighbours of each of the chosen vnets, of one family or of both.
///
/// # Errors
/// The kernel is not the dump's, or has no debug information.
pub fn neighbors<'s>(
    session: &'s Session,
    chosen: Chosen<'s>,
    family: Option<Family>,
) -> Result<PerVnet<'s, Neighbors>, Error> {
    session.matching_target()?.types()?;
    let network = session.network()?;
    let ask = move |stack: Stack<'s>, _: Pass| -> Result<Neighbors, Error> {
        let wanted = |found: Family| family.is_none_or(|wanted| wanted == found);
        let found = neighbors::Neighbors::read(&session.copies(stack)?, &network, wanted);
        Ok(Neighbors::new(found, session.uptime()))
    };
    let mut empty = true;
    let answer = PerVnet::looked_through(session, chosen, ask, |neighbors| {
        empty &= neighbors.nothing().is_some();
    })?;
    let nothing = empty.then(|| "there are no neighbours".to_owned());
    Ok(PerVnet { nothing, ..answer })
}
