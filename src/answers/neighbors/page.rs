//! The neighbours of a stack on a page: a table for each family.

use std::io;

use serde::Serialize;

use super::element::{self, Neighbor, Table};
use crate::answers::call_outs;
use crate::answers::{Answer, Cell, Column, Element, Elements, Medium, Page, Row};
use crate::views::family::Family;
use crate::views::neighbors;
use crate::walk::Problems;

/// The neighbours of a stack.
#[derive(Debug, Clone, Serialize)]
pub struct Neighbors {
    /// Those of IPv4 first, by interface; `None` if nothing is known.
    pub neighbors: Option<Vec<Neighbor>>,
    /// The tables that they are in.
    pub tables: Vec<Table>,
    #[serde(skip)]
    problems: Problems,
}

impl Neighbors {
    pub(super) fn new(mut all: neighbors::Neighbors, uptime: Option<u64>) -> Self {
        let (mut found, mut tables) = (Vec::new(), Vec::new());
        // The newest interface comes first in the kernel's list.
        all.tables.reverse();
        all.tables.sort_by_key(|table| table.family);
        for table in all.tables {
            let (table, neighbors) = element::elements(table, uptime);
            tables.push(table);
            found.extend(neighbors);
        }
        let unknown = found.is_empty() && !all.problems.is_empty();
        Self { neighbors: (!unknown).then_some(found), tables, problems: all.problems }
    }

    fn all(&self) -> &[Neighbor] {
        self.neighbors.as_deref().unwrap_or_default()
    }

    fn lay_out_family(&self, family: Family, page: &mut impl Page) -> io::Result<()> {
        let is_of = |neighbor: &&Neighbor| neighbor.family == family;
        let neighbors: Vec<&Neighbor> = self.all().iter().filter(is_of).collect();
        let tables = self.tables.iter().filter(|table| table.family == family);
        let sick: Vec<&Table> = tables.filter(|table| !table.problems.is_empty()).collect();
        if neighbors.is_empty() && sick.is_empty() {
            return Ok(());
        }
        page.title(family.title())?;
        let lines = neighbors.iter().map(|neighbor| Line { neighbor });
        page.table(&columns(), &lines.collect::<Vec<_>>().into())?;
        for table in sick {
            let on = table.interface.as_ref().ok().and_then(Option::as_deref);
            let name = match on {
                Some(on) => format!("the table of {on}"),
                None => format!("the table at {}", table.address),
            };
            call_outs::lay_out(page, [(&*name, &*table.problems)])?;
        }
        let named = neighbors.iter().map(|neighbor| (neighbor.title(), &*neighbor.problems));
        call_outs::lay_out(page, named)
    }
}

impl Answer for Neighbors {
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        if page.medium() != Medium::People {
            let all: Elements<'_, &Neighbor> = self.all().iter().collect::<Vec<_>>().into();
            return page.table(&[], &all);
        }
        Family::ALL.into_iter().try_for_each(|family| self.lay_out_family(family, page))
    }

    fn problems(&self) -> Problems {
        self.problems.clone()
    }

    fn unreadable(&self) -> usize {
        self.all().iter().map(Element::unreadable).sum()
    }

    fn nothing(&self) -> Option<String> {
        let nothing = self.neighbors.as_ref().is_some_and(Vec::is_empty);
        let sick = self.tables.iter().any(|table| !table.problems.is_empty());
        (nothing && !sick).then(|| "there are no neighbours".to_owned())
    }
}

fn columns() -> [Column; 6] {
    [
        Column::left("ADDRESS"),
        Column::left("LINK"),
        Column::left("NETIF"),
        Column::right("EXPIRE"),
        Column::left("STATE"),
        Column::left("FLAGS"),
    ]
}

/// A neighbour in the table for people.
#[derive(Serialize)]
struct Line<'a> {
    neighbor: &'a Neighbor,
}

impl Row for Line<'_> {
    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        vec![self.neighbor.cells()]
    }
}
