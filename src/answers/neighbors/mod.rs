//! `neighbors`: what arp(8) and ndp(8) list, of the chosen vnets.

mod element;
mod page;

pub use self::element::{Neighbor, Table};
pub use self::page::Neighbors;

use super::per_vnet::Summary;
use super::{Answer, Chosen, PerVnet};
use crate::error::Error;
use crate::session::Session;
use crate::views::family::Family;
use crate::views::neighbors;
use crate::vnet::Stack;
use crate::walk::Problems;

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
    let (network, copies) = (session.network()?, session.copier()?);
    let ask = move |stack: Stack<'s>| {
        let wanted = |found: Family| family.is_none_or(|wanted| wanted == found);
        let found = neighbors::Neighbors::read(&copies(stack), &network, wanted);
        Neighbors::new(found, session.uptime())
    };
    PerVnet::at_once(session, chosen, ask, All { empty: true })
}

/// The neighbours of all chosen vnets.
struct All {
    empty: bool,
}

impl Summary<Neighbors> for All {
    fn see(&mut self, neighbors: &Neighbors) {
        self.empty &= neighbors.nothing().is_some();
    }

    fn nothing(&self, _: &Problems) -> Option<String> {
        self.empty.then(|| "there are no neighbours".to_owned())
    }
}
