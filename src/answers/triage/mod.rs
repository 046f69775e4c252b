//! `triage`: one line for each of many dumps, and which of them are the same crash.
//!
//! What: what crashed where, what the checks say, and a [signature](crate::views::signature) that
//! equal crashes share. How: each dump is opened in a session of its own, a few at a time, and
//! closed before the next, so that memory does not grow with their number. What it refuses to do:
//! end because of a dump. One that cannot be read is an element with an error.

mod crash;
mod element;
mod groups;
mod one;

use std::cell::RefCell;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::{Answer, Elements, List, Page};
use crate::error::Error;
use crate::parallel;
use crate::session::{self, Options};

pub use crash::Crash;
pub use element::{Checked, Triaged};
pub use groups::Group;

/// Which dumps, and how to read them.
#[derive(Debug, Clone)]
pub struct Question {
    /// The dumps, and directories whose files are dumps.
    pub paths: Vec<PathBuf>,
    /// How to open each. The dump that this names is not looked at.
    pub options: Options,
    /// How many are read at the same time; `None` is one for each processor.
    pub jobs: Option<NonZeroUsize>,
    /// The most steps of work for a dump; `None` is what its size justifies.
    pub work: Option<u64>,
    /// The most bytes of memory for what the files describe, for each dump at a time; `None`
    /// is what its size justifies.
    pub bytes: Option<u64>,
}

/// Why there is no answer, if there is none.
const NO_DUMP: &str = "there is no file that could be a dump";

/// The dumps in the order of the question, each read when its turn comes and then kept.
pub struct Triage<'a> {
    /// What is known of each.
    pub dumps: Elements<'a, Triaged>,
    /// There are none.
    is_empty: bool,
}

/// What is known of each dump. `progress` is told how many are done, and how many there are.
///
/// # Errors
/// A directory cannot be read.
pub fn triage<'a>(
    question: &'a Question,
    progress: impl FnMut(usize, usize) + 'a,
) -> Result<Triage<'a>, Error> {
    let paths = session::dump_files(&question.paths)?;
    let is_empty = paths.is_empty();
    let (done, progress) = (RefCell::new(Vec::new()), RefCell::new(progress));
    let dumps = Elements::made_twice(move |f| {
        let mut done = done.borrow_mut();
        if !done.iter().all(&mut *f) {
            return;
        }
        let left = paths.get(done.len()..).unwrap_or_default();
        let before = done.len();
        parallel::for_each(
            left,
            question.jobs.unwrap_or_else(parallel::processors),
            |path| one::read(path, question),
            |read| {
                let wants_more = f(&read);
                done.push(read);
                (progress.borrow_mut())(done.len(), before + left.len());
                wants_more
            },
        );
    });
    Ok(Triage { dumps, is_empty })
}

impl Triage<'_> {
    /// The crashes that they are about: equal ones are one. The most frequent come first, and
    /// last the dumps that could not be read, by the reasons.
    #[must_use]
    pub fn groups(&self) -> List<'static, Group> {
        groups::of(&self.dumps.to_vec())
    }
}

impl Answer for Triage<'_> {
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        page.table(&element::columns(), &self.dumps)
    }

    fn nothing(&self) -> Option<String> {
        self.is_empty.then(|| NO_DUMP.to_owned())
    }

    fn unreadable(&self) -> usize {
        let mut count = 0;
        self.dumps.for_each(|dump| count += usize::from(dump.error.is_some()));
        count
    }
}

impl Serialize for Triage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("dumps", &self.dumps)?;
        map.end()
    }
}

/// The name that a dump has in answers.
fn shown(path: &Path) -> String {
    path.display().to_string()
}
