//! `threads`: what each thread was doing, in which jail and in which vnet.

use std::io;

use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Serialize, Serializer};

use super::{Answer, Cell, Column, Elements, Medium, Page, Row, call_outs, serialize_known};
use crate::addr::VirtAddr;
use crate::error::Error;
use crate::session::{self, Choice, Selector, Session};
use crate::threads::ThreadName;
use crate::value::Limits;
use crate::value::model::ValueError;
use crate::value::serialize::or_error;
use crate::views::backtrace::Tracer;
use crate::views::call_out::CallOut;
use crate::views::jails::Jails;
use crate::views::threads::{Doing, State, ThreadView, Threads, Wait};
use crate::vnet::list::JailRef;
use crate::vnet::{Condition, Vnet, VnetRef, VnetRefs, WantedThread};
use crate::walk::{Problem, Problems};

/// The threads, the one that wrote the dump first.
#[derive(Debug)]
pub struct AllThreads {
    /// Those that were chosen.
    pub threads: Vec<Thread>,
    problems: Problems,
    /// How many threads there are that were not chosen.
    others: usize,
}

/// A thread.
#[derive(Debug, Clone, Serialize)]
pub struct Thread {
    /// Its names and numbers, and those of its process.
    #[serde(flatten)]
    pub thread: ThreadName,
    /// The address of its struct proc.
    pub process: VirtAddr,
    /// The jail of its credential.
    #[serde(serialize_with = "or_error")]
    pub jail: Result<Option<JailRef>, ValueError>,
    /// Whether it runs, and if not, why; `None` if that cannot be read.
    #[serde(serialize_with = "or_error")]
    pub state: Result<&'static str, ValueError>,
    /// All that keeps it from running.
    pub inhibitors: Vec<&'static str>,
    /// What it waits for, as ps(1) shows it: the message of its sleep, or `*` and a lock's name.
    #[serde(serialize_with = "or_error")]
    pub wchan: Result<Option<Box<str>>, ValueError>,
    /// What it waits for.
    pub wait: Waiting,
    /// The processor that it runs on.
    pub cpu: Option<u64>,
    /// The processor that it ran on last.
    pub last_cpu: Option<u64>,
    /// The vnet that it works in; `None` outside the network stack.
    #[serde(serialize_with = "or_error")]
    pub curvnet: Result<Option<VnetRef>, ValueError>,
    /// The condition of a curvnet that is not on the kernel's list: `being-destroyed`; `None` if
    /// it is, or if it is no vnet.
    pub curvnet_condition: Option<&'static str>,
    /// Its jail's vnet.
    #[serde(serialize_with = "or_error")]
    pub vnet: Result<Option<VnetRef>, ValueError>,
    /// How its curvnet compares with that: `same`, `other` or `none`; `None` if that is unknown.
    pub compared: Option<&'static str>,
    /// The function that set its curvnet; only with VNET_DEBUG.
    #[serde(serialize_with = "or_error")]
    pub set_by: Result<Option<Box<str>>, ValueError>,
    /// It wrote the dump.
    pub dumping: bool,
    /// What is wrong with it.
    pub problems: Vec<CallOut>,
    /// The same for people.
    #[serde(skip)]
    condition: Option<Condition>,
    /// The kernel records which functions set curvnet.
    #[serde(skip)]
    records: bool,
}

/// What a thread waits for.
#[derive(Debug, Clone, Serialize)]
pub struct Waiting {
    /// The message of its sleep.
    #[serde(serialize_with = "or_error")]
    pub message: Result<Option<Box<str>>, ValueError>,
    /// What it sleeps on.
    #[serde(serialize_with = "or_error")]
    pub channel: Result<Option<VirtAddr>, ValueError>,
    /// The lock that it waits for.
    pub lock: Option<WaitedLock>,
}

/// A lock that a thread waits for.
#[derive(Debug, Clone, Serialize)]
pub struct WaitedLock {
    /// Its name.
    #[serde(serialize_with = "or_error")]
    pub name: Result<Option<Box<str>>, ValueError>,
    /// Its address; `None` if it cannot be found.
    pub address: Option<VirtAddr>,
}

/// The chosen threads. By default these are the one that wrote the dump and those with something
/// to do with a vnet: they work in one, or their jail's is not the host's. `all`: every thread.
///
/// # Errors
/// The kernel is not the dump's or has no debug information, or there is no such vnet, jail,
/// process or thread.
pub fn threads(session: &Session, which: &Selector, all: bool) -> Result<AllThreads, Error> {
    let target = session.matching_target()?;
    let choice = session.choice(which)?;
    let known = session.known_vnets().ok().flatten();
    let tracer = Tracer::new(target, session.reader(&Limits::default()));
    let Threads { threads, mut problems } = Threads::read(target, known.as_ref(), &tracer)?;
    let mut jails = session.all_jails().unwrap_or_default();
    let prisons: FxHashSet<VirtAddr> = threads
        .iter()
        .filter_map(|thread| thread.prison.as_ref().ok().copied().flatten())
        .collect();
    prisons.into_iter().for_each(|prison| jails.add_unlisted_at(target, prison));
    problems.extend(jails.problems.clone());
    let vnets = session.vnets().ok();
    if let Some(vnets) = vnets {
        problems.extend(vnets.problems.clone());
    }
    let names = Names::new(&jails, vnets.map(|vnets| &vnets.all[..]).unwrap_or_default());
    let count = threads.len();
    // Without VIMAGE no thread has anything to do with a vnet.
    let all = all || known.is_none();
    let is_chosen = |thread: &ThreadView| match &choice {
        Choice::All => all || names.is_in_a_vnet(thread),
        Choice::Vnet(vnet) => {
            let is_it = |of: &Result<Option<VirtAddr>, ValueError>| *of == Ok(Some(*vnet));
            is_it(&thread.curvnet) || is_it(&thread.jail_vnet)
        }
        Choice::Jail(prison) => thread.prison == Ok(Some(*prison)),
        Choice::Pid(pid) => thread.name.pid == Some(*pid),
        Choice::Tid(tid) => thread.name.tid == Some(*tid),
    };
    let chosen: Vec<ThreadView> = threads.into_iter().filter(is_chosen).collect();
    match choice {
        Choice::Pid(pid) if chosen.is_empty() => {
            return Err(session::not_found(WantedThread::Process(pid), &problems));
        }
        Choice::Tid(tid) if chosen.is_empty() => {
            return Err(session::not_found(WantedThread::Thread(tid), &problems));
        }
        _ => {}
    }
    let others = count.saturating_sub(chosen.len());
    for thread in &chosen {
        if let Some(why) = &thread.unknown {
            let what = format!("whether {} needed a curvnet, which is NULL", thread.name);
            problems.add(Problem::new(what, why.clone()));
        }
    }
    let records = chosen.iter().any(|thread| thread.set_by != Ok(None));
    let threads = chosen.into_iter().map(|thread| names.thread(thread, records)).collect();
    Ok(AllThreads { threads, problems, others })
}

/// What jails and vnets are called.
struct Names {
    jails: FxHashMap<VirtAddr, JailRef>,
    vnets: VnetRefs,
    /// Those that are not on the list.
    conditions: FxHashMap<VirtAddr, Condition>,
    /// vnet0.
    host: Option<VirtAddr>,
}

impl Names {
    fn new(jails: &Jails, vnets: &[Vnet]) -> Self {
        Self {
            jails: jails.all().iter().map(|jail| (jail.address, jail.into())).collect(),
            vnets: VnetRefs::of(vnets),
            conditions: vnets
                .iter()
                .filter_map(|vnet| Some((vnet.address, vnet.condition?)))
                .collect(),
            host: vnets.iter().find(|vnet| vnet.default).map(|vnet| vnet.address),
        }
    }

    /// Whether a thread works in a vnet, or its jail is not in the host's. What cannot be read
    /// may be so.
    fn is_in_a_vnet(&self, thread: &ThreadView) -> bool {
        let elsewhere = match &thread.jail_vnet {
            Ok(Some(vnet)) => Some(*vnet) != self.host,
            Ok(None) => false,
            Err(_) => true,
        };
        thread.dumping || elsewhere || thread.curvnet != Ok(None)
    }

    fn thread(&self, view: ThreadView, records: bool) -> Thread {
        let compared = match (&view.curvnet, &view.jail_vnet) {
            (Ok(None), _) => Some("none"),
            (Ok(curvnet), Ok(vnet)) => Some(if curvnet == vnet { "same" } else { "other" }),
            _ => None,
        };
        let vnet = |of: Result<Option<VirtAddr>, ValueError>| {
            of.map(|vnet| vnet.map(|vnet| self.vnets.at(vnet)))
        };
        let curvnet = view.curvnet.as_ref().ok().copied().flatten();
        let condition = curvnet.and_then(|curvnet| self.conditions.get(&curvnet).copied());
        let jail = |prison: Option<VirtAddr>| self.jails.get(&prison?).cloned();
        let (state, inhibitors) = match view.doing {
            Ok(Doing { state, inhibitors }) => {
                (Ok(state), inhibitors.into_iter().map(State::name).collect())
            }
            Err(why) => (Err(why), Vec::new()),
        };
        let runs = state == Ok(State::Running);
        Thread {
            thread: view.name,
            process: view.process,
            jail: view.prison.map(jail),
            state: state.map(State::name),
            inhibitors,
            wchan: wchan(&view.wait),
            wait: view.wait.into(),
            cpu: view.cpu.filter(|_| runs),
            last_cpu: view.last_cpu,
            curvnet: vnet(view.curvnet),
            curvnet_condition: condition.map(Condition::name),
            vnet: vnet(view.jail_vnet),
            compared,
            set_by: view.set_by,
            dumping: view.dumping,
            problems: view.call_outs,
            condition,
            records,
        }
    }
}

/// What ps(1) shows: a lock, or else the message of a sleep.
fn wchan(wait: &Wait) -> Result<Option<Box<str>>, ValueError> {
    match &wait.lock {
        Some(lock) => Ok(lock.name.clone()?.map(|name| format!("*{name}").into())),
        None => wait.message.clone(),
    }
}

impl From<Wait> for Waiting {
    fn from(wait: Wait) -> Self {
        let lock = wait.lock.map(|lock| WaitedLock { name: lock.name, address: lock.address });
        Self { message: wait.message, channel: wait.channel, lock }
    }
}

impl Answer for AllThreads {
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        let elements: Elements<'_, &Thread> = self.threads.iter().collect::<Vec<_>>().into();
        let records = self.threads.iter().any(|thread| thread.records);
        page.table(&columns(page.medium(), records), &elements)?;
        let named: Vec<_> =
            self.threads.iter().map(|it| (it.thread.to_string(), &it.problems)).collect();
        call_outs::lay_out(page, named.iter().map(|(name, found)| (&**name, &found[..])))
    }

    fn problems(&self) -> Problems {
        self.problems.clone()
    }

    fn nothing(&self) -> Option<String> {
        self.threads.is_empty().then(|| match self.others {
            _ if !self.problems.is_empty() => {
                "the threads are unknown: their lists cannot be read completely".to_owned()
            }
            0 => "no thread was found".to_owned(),
            others => format!("none of the {others} threads is in a vnet that was asked for"),
        })
    }

    fn unreadable(&self) -> usize {
        self.threads.iter().map(Thread::unreadable).sum()
    }
}

impl Serialize for AllThreads {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let empty = self.threads.is_empty();
        serialize_known(serializer, "threads", &self.threads, empty, &self.problems)
    }
}

impl Thread {
    fn unreadable(&self) -> usize {
        let errors = [
            self.jail.is_err(),
            self.state.is_err(),
            self.wchan.is_err(),
            self.curvnet.is_err(),
            self.vnet.is_err(),
            self.set_by.is_err(),
        ];
        errors.into_iter().filter(|error| *error).count()
    }

    /// Its state, with all that keeps it from running.
    fn state_cell(&self) -> Cell<'_> {
        Cell::read(&self.state, |state| {
            let others = self.inhibitors.iter().filter(|other| *other != state);
            let mut words: Vec<&str> = std::iter::once(state).chain(others).copied().collect();
            words.extend(self.dumping.then_some("dumping"));
            words.join(",").into()
        })
    }

    /// Its curvnet, and why that is not on the list.
    fn curvnet_cell(&self) -> Cell<'_> {
        Cell::read(&self.curvnet, |curvnet| match (curvnet, self.condition) {
            (Some(curvnet), Some(condition)) => {
                format!("{curvnet} ({})", condition.meaning()).into()
            }
            (curvnet, _) => curvnet.map(|curvnet| curvnet.to_string()).into(),
        })
    }

    fn short(&self) -> Vec<Cell<'_>> {
        let set_by = self.records.then(|| text(&self.set_by));
        let cells = [
            self.thread.pid.into(),
            self.thread.tid.into(),
            self.thread.command.as_deref().into(),
            self.thread.name.as_deref().into(),
            self.jail_cell(),
            self.state_cell(),
            text(&self.wchan),
            self.cpu.into(),
            self.curvnet_cell(),
            vnet(&self.vnet),
        ];
        cells.into_iter().chain(set_by).collect()
    }

    fn jail_cell(&self) -> Cell<'_> {
        Cell::read(&self.jail, |jail| match jail {
            Some(jail) if jail.jid == 0 => "(host)".into(),
            jail => jail.as_ref().map(JailRef::title).into(),
        })
    }

    fn full(&self) -> Vec<Cell<'_>> {
        let jid = |jail: &Option<JailRef>| jail.as_ref().map(|jail| jail.jid);
        vec![
            self.thread.pid.into(),
            self.thread.tid.into(),
            self.thread.command.as_deref().into(),
            self.thread.name.as_deref().into(),
            Cell::read(&self.jail, |jail| jid(jail).into()),
            Cell::read(&self.jail, |jail| jail.as_ref().map(|jail| &*jail.name).into()),
            self.state_cell(),
            text(&self.wchan),
            Cell::read(&self.wait.channel, |channel| (*channel).into()),
            self.wait.lock.as_ref().and_then(|lock| lock.address).into(),
            self.cpu.into(),
            self.last_cpu.into(),
            vnet(&self.curvnet),
            vnet(&self.vnet),
            self.compared.into(),
            text(&self.set_by),
            self.thread.address.into(),
            self.process.into(),
            call_outs::cell(&self.problems),
        ]
    }
}

impl Row for Thread {
    fn rows(&self, medium: Medium) -> Vec<Vec<Cell<'_>>> {
        vec![if medium == Medium::People { self.short() } else { self.full() }]
    }
}

fn columns(medium: Medium, records: bool) -> Vec<Column> {
    let (right, left) = (Column::right, Column::left);
    let mut columns = vec![right("PID"), right("TID"), left("COMMAND"), left("THREAD")];
    if medium == Medium::People {
        columns.extend([left("JAIL"), left("STATE"), left("WAITS FOR"), right("CPU")]);
        columns.extend([left("CURVNET"), left("JAIL'S VNET")]);
        columns.extend(records.then(|| left("SET BY")));
        return columns;
    }
    let titles = [
        "JID",
        "JAIL",
        "STATE",
        "WAITS FOR",
        "CHANNEL",
        "LOCK",
        "CPU",
        "LAST CPU",
        "CURVNET",
        "JAIL'S VNET",
        "COMPARED",
        "SET BY",
        "ADDRESS",
        "PROCESS",
        "PROBLEMS",
    ];
    columns.extend(titles.into_iter().map(left));
    columns
}

fn text(text: &Result<Option<Box<str>>, ValueError>) -> Cell<'_> {
    Cell::read(text, |text| text.as_deref().into())
}

fn vnet(vnet: &Result<Option<VnetRef>, ValueError>) -> Cell<'_> {
    Cell::read(vnet, |vnet| vnet.map(|vnet| vnet.to_string()).into())
}
