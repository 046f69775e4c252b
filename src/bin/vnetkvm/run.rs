//! What one run of a command holds: the files that it opened, and its answer if that is kept.

use std::cell::{OnceCell, RefCell};
use std::fmt;
use std::io::{self, Write};
use std::rc::Rc;

use vnetkvm::expr::{Kept, KeptValue};
use vnetkvm::memory::KernelMemory;
use vnetkvm::session::Session;

/// One run of a command. What the command asks borrows from it.
#[derive(Default)]
pub struct Run {
    sessions: Growing<Rc<Session>>,
    memories: Growing<KernelMemory>,
    /// The answer, if it does not go to standard output.
    answer: Option<RefCell<Vec<u8>>>,
    /// What shows the answer in place of standard output.
    pager: Option<Rc<RefCell<dyn Write>>>,
    /// The values that a shell kept of earlier lines.
    kept: Option<Rc<Kept>>,
    /// The value that it is to keep of this one.
    value: RefCell<Option<KeptValue>>,
    /// When the question was asked, if the answer says it.
    stamp: Option<String>,
    /// The answer is shown elsewhere, not on this program's terminal.
    elsewhere: bool,
}

impl Run {
    /// A run whose answer is kept in memory. As JSON, it says that it was asked at this time.
    pub fn keeping_answer(stamp: String) -> Self {
        Self { answer: Some(RefCell::default()), stamp: Some(stamp), ..Self::default() }
    }

    /// A run that asks files that are open already, and keeps its answer for somebody elsewhere.
    #[cfg(feature = "gdb-server")]
    pub fn of_open_files(session: Rc<Session>) -> Self {
        let run = Self { answer: Some(RefCell::default()), elsewhere: true, ..Self::default() };
        run.sessions.keep(session);
        run
    }

    /// A run that asks files that are open already, whose answer is shown by a pager, or else goes
    /// to standard output, and whose expressions may name values that were kept.
    #[cfg(feature = "shell")]
    pub fn of_shell(
        session: Rc<Session>,
        pager: Option<Rc<RefCell<dyn Write>>>,
        kept: Rc<Kept>,
    ) -> Self {
        let run = Self { pager, kept: Some(kept), ..Self::default() };
        run.sessions.keep(session);
        run
    }

    /// Keeps a session as long as the run.
    pub fn keep_session(&self, session: Session) -> &Rc<Session> {
        self.sessions.keep(Rc::new(session))
    }

    /// The session that was opened first.
    pub fn session(&self) -> Option<&Rc<Session>> {
        self.sessions.first()
    }

    /// Keeps a dump's memory as long as the run.
    pub fn keep_memory(&self, memory: KernelMemory) -> &KernelMemory {
        self.memories.keep(memory)
    }

    /// Where the answer is kept, if it does not go to standard output.
    pub fn answer(&self) -> Option<&RefCell<Vec<u8>>> {
        self.answer.as_ref()
    }

    /// What shows the answer in place of standard output.
    pub fn pager(&self) -> Option<&RefCell<dyn Write>> {
        self.pager.as_deref()
    }

    /// The values that were kept of earlier questions.
    pub fn kept(&self) -> Option<&Kept> {
        self.kept.as_deref()
    }

    /// Keeps the value of the expression that is asked for. If it is `shown` by a pager, its number
    /// stands before it.
    pub fn keep_value(&self, value: KeptValue, shown: bool) -> io::Result<()> {
        self.value.replace(Some(value));
        match (&self.pager, &self.kept) {
            (Some(pager), Some(kept)) if shown => {
                write!(pager.borrow_mut(), "${}: ", kept.len() + 1)
            }
            _ => Ok(()),
        }
    }

    /// The value that was kept.
    #[cfg(feature = "shell")]
    pub fn take_value(&self) -> Option<KeptValue> {
        self.value.take()
    }

    /// The answer that was kept.
    pub fn take_answer(&self) -> String {
        let bytes = self.answer.as_ref().map(RefCell::take).unwrap_or_default();
        String::from_utf8(bytes)
            .unwrap_or_else(|why| String::from_utf8_lossy(why.as_bytes()).into_owned())
    }

    /// Whether the answer is shown elsewhere, not on this program's terminal.
    pub fn is_elsewhere(&self) -> bool {
        self.elsewhere
    }

    /// When the question was asked, if the answer says it.
    pub fn stamp(&self) -> Option<&str> {
        self.stamp.as_deref()
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").finish_non_exhaustive()
    }
}

/// A list that grows while its elements are borrowed.
struct Growing<T>(OnceCell<Box<(T, Growing<T>)>>);

impl<T> Default for Growing<T> {
    fn default() -> Self {
        Self(OnceCell::new())
    }
}

impl<T> Growing<T> {
    fn first(&self) -> Option<&T> {
        self.0.get().map(|first| &first.0)
    }

    fn keep(&self, value: T) -> &T {
        match self.0.get() {
            Some(first) => first.1.keep(value),
            None => &self.0.get_or_init(|| Box::new((value, Self::default()))).0,
        }
    }
}
