//! The routes of a stack on a page: a table for each FIB and family, as netstat(1) has them.

use std::io;
use std::net::IpAddr;

use serde::Serialize;

use super::element::{Route, RoutingTable};
use super::question::Question;
use crate::answers::call_outs;
use crate::answers::{Answer, Cell, Column, Element, Elements, Medium, Page, Row};
use crate::views::routes::{self as views, Table, Tables};
use crate::walk::Problems;

/// The routes of a stack.
#[derive(Debug, Clone, Serialize)]
pub struct Routes {
    /// By FIB and family, in the kernel's order; `None` if nothing is known.
    pub routes: Option<Vec<Route>>,
    /// The tables that they are in.
    pub tables: Vec<RoutingTable>,
    /// How many FIBs the stack has; `None` if that is unknown.
    pub fibs: Option<u64>,
    #[serde(skip)]
    problems: Problems,
    #[serde(skip)]
    wide: bool,
}

impl Routes {
    pub(super) fn new(all: Tables, uptime: Option<u64>, question: &Question) -> Self {
        let (mut routes, mut tables) = (Vec::new(), Vec::new());
        for mut table in all.tables {
            let entries = distinct(&table);
            if let Some(to) = question.to {
                keep_best(&mut table, to);
            }
            // A table without a way there is no part of the answer.
            if question.to.is_some() && table.routes.is_empty() && table.call_outs.is_empty() {
                continue;
            }
            let Table { fib, family, address, prefixes, whole, call_outs, .. } = table;
            let found = table.routes.into_iter();
            routes.extend(found.map(|route| Route::new(fib, family, route, uptime)));
            tables.push(RoutingTable {
                fib,
                family,
                address,
                entries: whole.then_some(entries),
                counted: prefixes,
                problems: call_outs,
            });
        }
        let unknown = routes.is_empty() && !all.problems.is_empty();
        Self {
            routes: (!unknown).then_some(routes),
            tables,
            fibs: all.fibs,
            problems: all.problems,
            wide: question.wide,
        }
    }

    fn all(&self) -> &[Route] {
        self.routes.as_deref().unwrap_or_default()
    }

    fn lay_out_table(&self, table: &RoutingTable, page: &mut impl Page) -> io::Result<()> {
        let RoutingTable { fib, family, .. } = table;
        let is_in = |route: &&Route| route.fib == *fib && route.family == *family;
        let routes: Vec<&Route> = self.all().iter().filter(is_in).collect();
        if routes.is_empty() && table.problems.is_empty() {
            return Ok(());
        }
        match self.fibs {
            Some(0 | 1) => page.title(family.title())?,
            _ => page.title(&format!("{}, FIB {fib}", family.title()))?,
        }
        let lines = routes.iter().map(|route| Line { route, wide: self.wide });
        let lines: Elements<'_, Line<'_>> = lines.collect::<Vec<_>>().into();
        page.table(&columns(self.wide), &lines)?;
        call_outs::lay_out(page, [("the table", &*table.problems)])?;
        call_outs::lay_out(page, routes.iter().map(|route| (route.title(), &*route.problems)))
    }
}

/// How many entries a table has: those with several next hops count once.
fn distinct(table: &Table) -> usize {
    let addresses = table.routes.iter().map(|route| route.address);
    let mut last = None;
    addresses.filter(|address| last.replace(*address) != Some(*address)).count()
}

/// Leaves only the route that packets to `to` take, with all of its next hops.
fn keep_best(table: &mut Table, to: IpAddr) {
    let bits = |route: &views::Route| {
        route.destination.as_ref().ok().and_then(|destination| destination.covers(to))
    };
    let best = table.routes.iter().filter_map(bits).max();
    table.routes.retain(|route| best.is_some() && bits(route) == best);
}

impl Answer for Routes {
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        if page.medium() != Medium::People {
            let routes: Elements<'_, &Route> = self.all().iter().collect::<Vec<_>>().into();
            return page.table(&[], &routes);
        }
        self.tables.iter().try_for_each(|table| self.lay_out_table(table, page))
    }

    fn problems(&self) -> Problems {
        self.problems.clone()
    }

    fn unreadable(&self) -> usize {
        self.all().iter().map(Element::unreadable).sum()
    }

    fn nothing(&self) -> Option<String> {
        let nothing = self.routes.as_ref().is_some_and(Vec::is_empty);
        let sick = self.tables.iter().any(|table| !table.problems.is_empty());
        (nothing && !sick).then(|| "there are no routes".to_owned())
    }
}

fn columns(wide: bool) -> Vec<Column> {
    let start = [
        Column::left("DESTINATION"),
        Column::left("GATEWAY"),
        Column::left("FLAGS"),
        Column::left("NETIF"),
    ];
    let numbers = ["NHOP", "MTU", "WEIGHT", "REFS"].map(Column::right);
    let numbers = numbers.into_iter().filter(|_| wide);
    let expire = [Column::right("EXPIRE")];
    let address = wide.then(|| Column::left("ROUTE"));
    start.into_iter().chain(numbers).chain(expire).chain(address).collect()
}

/// A route in a table for people.
#[derive(Serialize)]
struct Line<'a> {
    route: &'a Route,
    wide: bool,
}

impl Row for Line<'_> {
    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        vec![if self.wide { self.route.wide() } else { self.route.narrow() }]
    }
}
