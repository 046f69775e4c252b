//! What a report is laid out on: a page with a front, sections and pictures.

use std::io;

use super::sections::Section;
use crate::answers::modspace::ModuleSpaceMap;
use crate::answers::sysinit::Stage;
use crate::answers::topology::{EdgeKind, NodeKind, Topology};
use crate::answers::{Page, Remark};
use crate::walk::Problems;

/// A page with sections, which may have pictures. Parts of an answer can be folded; those with
/// call-outs are open.
pub trait Document: Page {
    /// Writes what stands before the first section.
    ///
    /// # Errors
    /// The output cannot be written; the same holds for all methods below.
    fn front(&mut self, front: &Front) -> io::Result<()>;

    /// Begins a section, and ends the one before.
    fn section(&mut self, section: &'static Section) -> io::Result<()>;

    /// So many parts of the section will follow, which share the room that is left.
    fn parts(&mut self, count: usize);

    /// What a reader should know before the answer that follows.
    fn remark(&mut self, remark: &Remark) -> io::Result<()>;

    /// What could not be read.
    fn problems(&mut self, problems: &Problems) -> io::Result<()>;

    /// Why a section has no answer, or an empty one.
    fn nothing(&mut self, why: &str) -> io::Result<()>;

    /// A picture of what is told in words beside it.
    fn picture(&mut self, picture: &Picture<'_>) -> io::Result<()>;

    /// Ends the last section and the document.
    fn end(&mut self) -> io::Result<()>;
}

/// What a report begins with.
#[derive(Debug, Clone)]
pub struct Front {
    /// The panic message, or what happened instead.
    pub title: String,
    /// The host and its kernel.
    pub about: String,
    /// What all checks say, in a line.
    pub verdict: Option<String>,
    /// The sections that follow.
    pub sections: Vec<&'static Section>,
}

/// Something that is easier to see than to read.
#[derive(Debug, Clone, Copy)]
pub enum Picture<'a> {
    /// How the network stacks are wired.
    Wiring(&'a Topology),
    /// What module space is used for.
    ModuleSpace(&'a ModuleSpaceMap),
    /// How far the construction of each vnet has come.
    Construction(&'a [Built]),
}

/// How far one vnet has come, with its name.
#[derive(Debug, Clone)]
pub struct Built {
    /// The vnet and its jails.
    pub title: String,
    /// How far it has come.
    pub stage: Stage,
}

impl Picture<'_> {
    /// What it shows, in a sentence, for those who cannot see it.
    #[must_use]
    pub fn about(&self) -> String {
        match self {
            Self::Wiring(topology) => {
                let count = |kind| topology.nodes.iter().filter(|node| node.kind == kind).count();
                let (vnets, interfaces) = (count(NodeKind::Vnet), count(NodeKind::Interface));
                let ties = topology.edges.iter().filter(|edge| edge.kind != EdgeKind::Holds);
                let ties = ties.count();
                format!(
                    "A drawing of {vnets} vnets with {interfaces} interfaces and {ties} ties \
                     between them. The text below says the same."
                )
            }
            Self::ModuleSpace(space) => format!(
                "A bar of {} bytes with the regions of the table below.",
                space.modspace.size
            ),
            Self::Construction(vnets) => {
                format!("A time line of {} vnets. The text below says the same.", vnets.len())
            }
        }
    }
}
