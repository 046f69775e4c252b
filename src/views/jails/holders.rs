//! Who holds a jail, so that it cannot go: processes, sockets, child jails.
//!
//! A prison is referred to by each `struct ucred` that names it, however many processes, threads
//! and sockets share that; by each of its children; and once by itself if it is persistent
//! (`sys/kern/kern_jail.c` and `kern_prot.c`, 10 to main). Other holders, such as open files and
//! mounts, are not looked for: they are what is left of `pr_ref`.

use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;

use super::flags::PR_PERSIST;
use super::{Jail, Jails};
use crate::addr::VirtAddr;
use crate::target::{ReadError, Target};
use crate::threads;
use crate::value::Object;
use crate::views::sockets::lists;
use crate::vnet::Copies;
use crate::vnet::list::JailRef;
use crate::walk::{Problem, Problems};

/// What was found to hold one jail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Holders {
    /// The processes in it.
    pub processes: Vec<ProcessRef>,
    /// The sockets whose credential is in it; empty unless they were looked for.
    pub sockets: Vec<SocketRef>,
    /// Its child jails.
    pub children: Vec<JailRef>,
    /// The number of different credentials of these, and of threads: each is one reference.
    pub credentials: usize,
    /// What is left of its references: how many other things hold it. `None` if it is unknown.
    pub others: Option<u64>,
}

/// A process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProcessRef {
    /// Its number; `None` if it cannot be read.
    pub pid: Option<i64>,
    /// Its name; `None` if it cannot be read.
    pub command: Option<Box<str>>,
    /// The address of its struct proc.
    pub address: VirtAddr,
    /// It has ended, and its parent has not asked for its status.
    pub zombie: bool,
}

/// A socket, by the structs that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SocketRef {
    /// The address of its struct socket; `None` if the descriptor is closed.
    pub socket: Option<VirtAddr>,
    /// The address of its protocol control block, if that led to it.
    pub pcb: Option<VirtAddr>,
}

impl Holders {
    /// Those of all jails, by the address of the prison. Sockets are looked for in `stacks`.
    ///
    /// What cannot be read is added to `problems`, and leaves the other holders unknown.
    pub fn find(
        target: &Target,
        jails: &Jails,
        stacks: &[Copies<'_>],
        problems: &mut Problems,
    ) -> FxHashMap<VirtAddr, Self> {
        let mut census = Census::new(target);
        census.count_processes();
        // Only what a jail waits for is worth looking for.
        if jails.all().iter().any(|jail| jail.life.is_ending()) {
            census.count_sockets(stacks);
        }
        let mut children: FxHashMap<VirtAddr, Vec<JailRef>> = FxHashMap::default();
        for jail in jails.all() {
            if let Some(parent) = jail.parent {
                children.entry(parent).or_default().push(jail.into());
            }
        }
        let known = jails.problems.is_empty() && census.problems.is_empty();
        let mut found = FxHashMap::default();
        for jail in jails.all() {
            let mut holders = census.held.remove(&jail.address).unwrap_or_default();
            holders.children = children.remove(&jail.address).unwrap_or_default();
            if known && jail.life.is_ending() {
                holders.others = others(target, jail, &holders);
            }
            found.insert(jail.address, holders);
        }
        problems.extend(census.problems);
        found
    }
}

/// How many references of the jail are not explained by what was found.
fn others(target: &Target, jail: &Jail, holders: &Holders) -> Option<u64> {
    let prison = jail.prison(target).ok()?;
    let references = u64::try_from(prison.int("pr_ref").ok()?).ok()?;
    let persists = references > 0 && prison.uint("pr_flags").ok()? & PR_PERSIST != 0;
    let found = holders.credentials + holders.children.len() + usize::from(persists);
    references.checked_sub(found as u64)
}

/// What holds which prison, as it is found.
struct Census<'t> {
    target: &'t Target,
    held: FxHashMap<VirtAddr, Holders>,
    /// The prison of each credential that was met.
    credentials: FxHashMap<VirtAddr, Option<VirtAddr>>,
    /// Control blocks that were met.
    blocks: FxHashSet<VirtAddr>,
    problems: Problems,
}

impl<'t> Census<'t> {
    fn new(target: &'t Target) -> Self {
        Self {
            target,
            held: FxHashMap::default(),
            credentials: FxHashMap::default(),
            blocks: FxHashSet::default(),
            problems: Problems::default(),
        }
    }

    fn count_processes(&mut self) {
        let processes = match threads::by_process(self.target) {
            Ok(walk) => walk.take(&mut self.problems),
            Err(why) => return self.problems.add(Problem::unreadable("allproc", why)),
        };
        for threads::Process { process, threads } in processes {
            if let Some(prison) = self.prison(&process, "p_ucred") {
                let found = ProcessRef {
                    address: process.address,
                    pid: process.int("p_pid").ok(),
                    command: process.text("p_comm").ok().map(Box::from),
                    zombie: threads::is_zombie(&process),
                };
                self.held.entry(prison).or_default().processes.push(found);
            }
            for thread in threads {
                self.prison(&thread, "td_ucred");
                if thread.has("td_realucred") {
                    self.prison(&thread, "td_realucred");
                }
            }
        }
    }

    fn count_sockets(&mut self, stacks: &[Copies<'t>]) {
        for copies in stacks {
            for list in lists::pcbs(copies).take(&mut self.problems) {
                for block in list.blocks {
                    let prison = self.prison(&block, "inp_cred");
                    self.add_socket(prison, &block, "inp_socket");
                }
            }
        }
        for block in lists::unix_blocks(self.target).take(&mut self.problems) {
            let Ok(Some(socket)) = block.follow("unp_socket") else { continue };
            let prison = self.prison(&socket, "so_cred");
            self.add_socket(prison, &block, "unp_socket");
        }
    }

    /// Adds a control block with its socket, which may have another credential.
    fn add_socket(&mut self, prison: Option<VirtAddr>, block: &Object<'t>, member: &str) {
        let socket = block.follow(member).ok().flatten();
        if let Some(socket) = &socket {
            self.prison(socket, "so_cred");
        }
        let socket = socket.map(|socket| socket.address);
        if let Some(prison) = prison
            && self.blocks.insert(block.address)
        {
            let found = SocketRef { socket, pcb: Some(block.address) };
            self.held.entry(prison).or_default().sockets.push(found);
        }
    }

    /// The prison of the credential that a member points to. Counts the credential.
    fn prison(&mut self, holder: &Object<'t>, member: &str) -> Option<VirtAddr> {
        let prison = self.read(holder, member);
        prison.unwrap_or_else(|why| {
            let what = format!("{member} of {}", holder.address);
            self.problems.add(Problem::unreadable(what, why));
            None
        })
    }

    fn read(&mut self, holder: &Object<'t>, member: &str) -> Result<Option<VirtAddr>, ReadError> {
        let Some(credential) = holder.pointer(member)?.non_null() else { return Ok(None) };
        if let Some(known) = self.credentials.get(&credential) {
            return Ok(*known);
        }
        let found = holder.follow(member)?;
        let prison = found.map(|found| found.pointer("cr_prison")).transpose()?;
        let prison = prison.and_then(VirtAddr::non_null);
        self.credentials.insert(credential, prison);
        if let Some(prison) = prison {
            self.held.entry(prison).or_default().credentials += 1;
        }
        Ok(prison)
    }
}
