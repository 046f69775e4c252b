//! `recursions`: what a kernel with VNET_DEBUG records about curvnet.

use std::io;

use serde::Serialize;

use super::{Answer, Cell, Column, Elements, Medium, Page, Row};
use crate::addr::VirtAddr;
use crate::error::Error;
use crate::session::Session;
use crate::threads::ThreadName;
use crate::value::model::ValueError;
use crate::value::serialize::or_error;
use crate::views::recursions;
use crate::vnet::{VnetRef, VnetRefs};
use crate::walk::Problems;

/// Everything recorded about curvnet.
#[derive(Debug, Serialize)]
pub struct Curvnets {
    /// The newest first.
    pub recursions: Elements<'static, Recursion>,
    /// Threads whose curvnet is set.
    pub threads: Elements<'static, Thread>,
    #[serde(skip)]
    problems: Problems,
}

/// A place that set curvnet although it was set. `None` is a null pointer.
#[derive(Debug, Clone, Serialize)]
pub struct Recursion {
    /// The address of its struct vnet_recursion.
    pub address: VirtAddr,
    /// The function that had set it before.
    #[serde(serialize_with = "or_error")]
    pub previous: Result<Option<Box<str>>, ValueError>,
    /// The function that set it again, and the line of the source.
    #[serde(serialize_with = "or_error")]
    pub function: Result<Option<Box<str>>, ValueError>,
    /// The line in the source file.
    #[serde(serialize_with = "or_error")]
    pub line: Result<i64, ValueError>,
    /// The curvnet before.
    #[serde(serialize_with = "or_error")]
    pub old_vnet: Result<Option<VnetRef>, ValueError>,
    /// The curvnet after.
    #[serde(serialize_with = "or_error")]
    pub new_vnet: Result<Option<VnetRef>, ValueError>,
}

/// A thread that works in a vnet.
#[derive(Debug, Clone, Serialize)]
pub struct Thread {
    /// The thread and its process.
    pub thread: ThreadName,
    /// Its curvnet (`td_vnet`).
    pub vnet: VnetRef,
    /// The function that set it.
    #[serde(serialize_with = "or_error")]
    pub set_by: Result<Option<Box<str>>, ValueError>,
}

/// What the kernel recorded of curvnet; `None` without VNET_DEBUG.
///
/// # Errors
/// The kernel is not the dump's, has no VIMAGE, or has no debug information.
pub fn recursions(session: &Session) -> Result<Option<Curvnets>, Error> {
    let vnets = &VnetRefs::of(&session.vnets()?.all);
    let recorded = recursions::Recursions::read(session.matching_target()?)?.map(|recorded| {
        let recursions = recorded.recursions.into_iter().map(|one| Recursion::new(one, vnets));
        let recursions: Vec<Recursion> = recursions.collect();
        let threads = recorded.threads.into_iter().map(|one| Thread::new(one, vnets));
        let threads: Vec<Thread> = threads.collect();
        let (recursions, threads) = (recursions.into(), threads.into());
        Curvnets { recursions, threads, problems: recorded.problems }
    });
    Ok(recorded)
}

impl Recursion {
    /// Adds the numbers of the vnets in `vnets`.
    fn new(recursion: recursions::Recursion, vnets: &VnetRefs) -> Self {
        let recursions::Recursion { address, previous, function, line, old_vnet, new_vnet } =
            recursion;
        let vnet = |address: Option<VirtAddr>| Some(vnets.at(address?));
        let (old_vnet, new_vnet) = (old_vnet.map(vnet), new_vnet.map(vnet));
        Self { address, previous, function, line, old_vnet, new_vnet }
    }
}

impl Thread {
    fn new(curvnet: recursions::Curvnet, vnets: &VnetRefs) -> Self {
        let recursions::Curvnet { thread, vnet, set_by } = curvnet;
        Self { thread, vnet: vnets.at(vnet), set_by }
    }
}

impl Answer for Curvnets {
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        let any = |kept: Option<usize>| kept.is_some_and(|len| len > 0);
        let people = page.medium() == Medium::People;
        if !people || any(self.recursions.kept().map(<[_]>::len)) {
            page.title("Recursions: curvnet was already set")?;
            page.table(&recursion_columns(), &self.recursions)?;
        }
        if people && any(self.threads.kept().map(<[_]>::len)) {
            page.title("Threads in a vnet")?;
            page.table(&thread_columns(), &self.threads)?;
        }
        Ok(())
    }

    fn problems(&self) -> Problems {
        self.problems.clone()
    }

    fn nothing(&self) -> Option<String> {
        let (recursions, threads) = (self.recursions.kept()?, self.threads.kept()?);
        let nothing = recursions.is_empty() && threads.is_empty();
        nothing.then(|| "no recursion was found, and no thread in a vnet".to_owned())
    }

    fn unreadable(&self) -> usize {
        let of = |one: &Recursion| {
            let errors = [
                one.previous.is_err(),
                one.function.is_err(),
                one.line.is_err(),
                one.old_vnet.is_err(),
                one.new_vnet.is_err(),
            ];
            errors.into_iter().filter(|error| *error).count()
        };
        self.recursions.kept().unwrap_or_default().iter().map(of).sum()
    }
}

fn recursion_columns() -> [Column; 6] {
    [
        Column::left("FUNCTION"),
        Column::right("LINE"),
        Column::right("FROM"),
        Column::right("TO"),
        Column::left("SET BEFORE BY"),
        Column::left("ADDRESS"),
    ]
}

fn thread_columns() -> [Column; 3] {
    [Column::right("VNET"), Column::left("SET BY"), Column::left("THREAD")]
}

impl Row for Recursion {
    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        vec![vec![
            text(&self.function),
            Cell::read(&self.line, |line| (*line).into()),
            vnet(&self.old_vnet),
            vnet(&self.new_vnet),
            text(&self.previous),
            self.address.into(),
        ]]
    }
}

impl Row for Thread {
    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        let (vnet, thread) = (self.vnet.to_string(), self.thread.to_string());
        vec![vec![vnet.into(), text(&self.set_by), thread.into()]]
    }
}

fn vnet(vnet: &Result<Option<VnetRef>, ValueError>) -> Cell<'_> {
    Cell::read(vnet, |vnet| vnet.map_or("NULL".into(), |vnet| vnet.to_string().into()))
}

fn text(text: &Result<Option<Box<str>>, ValueError>) -> Cell<'_> {
    Cell::read(text, |text| text.as_deref().into())
}
