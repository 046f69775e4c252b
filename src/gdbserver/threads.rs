//! The kernel's threads, as gdb shows them.

use std::num::NonZeroUsize;
use std::sync::OnceLock;

use rustc_hash::FxHashMap;

use crate::addr::VirtAddr;
use crate::answers::{self, threads::Thread};
use crate::session::{Selector, Session};
use crate::threads;
use crate::threads::ranked::as_id;
use crate::threads::registers::Registers;
use crate::value::Object;
use crate::walk::{Problem, Problems};

/// gdb's number of a thread that is none of the kernel's. gdb leaves if the first thread has no
/// program counter, so this one stands in where no thread's registers are known. Its program
/// counter is 0, where nothing is.
const NOBODY: NonZeroUsize = NonZeroUsize::MIN;
const ABOUT_NOBODY: &str = "no thread: no registers of any are known";

/// What is said of a thread.
#[derive(Debug, Default)]
pub(super) struct About {
    /// Its own name or, if it has none, that of its process.
    pub name: String,
    /// Its process, names, jail, processor and state, on one line.
    pub line: String,
    /// The processor that it runs on.
    pub cpu: Option<u64>,
}

/// The threads of a dump.
pub(super) struct Threads<'s> {
    session: &'s Session,
    /// The one that wrote the dump, then those that ran, then the others; but the first is one
    /// whose program counter is known.
    ids: Vec<NonZeroUsize>,
    objects: FxHashMap<NonZeroUsize, Object<'s>>,
    /// What is said of each; collected when somebody asks.
    about: OnceLock<FxHashMap<NonZeroUsize, About>>,
    /// Why others may be missing.
    pub problems: Problems,
}

impl<'s> Threads<'s> {
    /// Lists them.
    pub fn read(session: &'s Session) -> Self {
        let mut problems = Problems::default();
        let found = match threads::ranked(session.target()) {
            Ok(found) => found.take(&mut problems),
            Err(why) => {
                problems.add(Problem::unreadable("the threads", why));
                Vec::new()
            }
        };
        let mut ids: Vec<NonZeroUsize> = found.iter().map(|thread| thread.id).collect();
        let objects = found.into_iter().map(|thread| (thread.id, thread.thread.thread)).collect();
        let mut threads =
            Self { session, ids: Vec::new(), objects, about: OnceLock::new(), problems };
        match ids.iter().position(|id| threads.registers(*id).counter.is_some()) {
            Some(first) => ids.get_mut(..=first).unwrap_or_default().rotate_right(1),
            None => ids.insert(0, NOBODY),
        }
        threads.ids = ids;
        threads
    }

    /// Their numbers, which are the kernel's.
    pub fn ids(&self) -> &[NonZeroUsize] {
        &self.ids
    }

    /// Whether there is such a thread.
    pub fn has(&self, id: NonZeroUsize) -> bool {
        self.objects.contains_key(&id) || self.ids.first() == Some(&id)
    }

    /// What is known of a thread's registers.
    pub fn registers(&self, id: NonZeroUsize) -> Registers {
        if id == NOBODY {
            return Registers { counter: Some(VirtAddr::default()), ..Registers::default() };
        }
        let known = self.objects.get(&id).and_then(|thread| Registers::all_of(thread).ok()?);
        known.map(|(registers, _)| registers).unwrap_or_default()
    }

    /// What is said of a thread.
    pub fn about(&self, id: NonZeroUsize) -> &About {
        let about = self.about.get_or_init(|| {
            let all = answers::threads(self.session, &Selector::Default, true);
            let all = all.map(|all| all.threads).unwrap_or_default();
            let known = all.iter().filter_map(|it| Some((as_id(it.thread.tid?)?, About::of(it))));
            let nobody = About { line: ABOUT_NOBODY.to_owned(), ..About::default() };
            known.chain([(NOBODY, nobody)]).collect()
        });
        about.get(&id).unwrap_or(&NOTHING)
    }
}

/// What is said of a thread that there is not.
static NOTHING: About = About { name: String::new(), line: String::new(), cpu: None };

impl About {
    fn of(thread: &Thread) -> Self {
        let names = &thread.thread;
        let name = names.name.as_deref().or(names.command.as_deref()).unwrap_or_default();
        Self { name: name.to_owned(), line: line(thread), cpu: thread.cpu }
    }
}

fn line(thread: &Thread) -> String {
    let names = &thread.thread;
    let mut parts = Vec::new();
    let pid = names.pid.map_or("?".to_owned(), |pid| pid.to_string());
    parts.push(format!("pid {pid} {}", names.command.as_deref().unwrap_or("?")));
    if names.name.is_some() && names.name != names.command {
        parts.extend(names.name.as_deref().map(str::to_owned));
    }
    match &thread.jail {
        Ok(Some(jail)) if jail.jid != 0 => parts.push(format!("jail {}", jail.name)),
        _ => {}
    }
    parts.extend(thread.cpu.map(|cpu| format!("CPU {cpu}")));
    let mut state = thread.state.as_ref().map_or("?", |state| state).to_owned();
    if let Ok(Some(wchan)) = &thread.wchan {
        state = format!("{state} on {wchan}");
    }
    parts.push(state);
    if thread.dumping {
        parts.push("wrote the dump".to_owned());
    }
    parts.join(", ")
}
