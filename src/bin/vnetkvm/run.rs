//! What one run of a command holds: the files that it opened, and its answer if that is kept.

use std::cell::{OnceCell, RefCell};
use std::fmt;
use std::io::Write;
use std::rc::Rc;

use vnetkvm::memory::KernelMemory;
use vnetkvm::session::Session;

/// One run of a command. What the command asks borrows from it.
#[derive(Default)]
pub struct Run {
    sessions: Kept<Rc<Session>>,
    memories: Kept<KernelMemory>,
    /// The answer, if it does not go to standard output.
    answer: Option<RefCell<Vec<u8>>>,
    /// What shows the answer in place of standard output.
    pager: Option<Rc<RefCell<dyn Write>>>,
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

    /// A run that asks files that are open already, and whose answer is shown by a pager, or else
    /// goes to standard output.
    #[cfg(feature = "shell")]
    pub fn of_shell(session: Rc<Session>, pager: Option<Rc<RefCell<dyn Write>>>) -> Self {
        let run = Self { pager, ..Self::default() };
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
struct Kept<T>(OnceCell<Box<(T, Kept<T>)>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(OnceCell::new())
    }
}

impl<T> Kept<T> {
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
