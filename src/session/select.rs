//! Which vnets a question is about: by number, address, jail, process or thread.

use super::Session;
use crate::addr::VirtAddr;
use crate::error::Error;
use crate::threads::{self, Thread, VnetPointer};
use crate::vnet::{Stack, Vnet, VnetError, WantedThread, WantedVnet};
use crate::walk::{Problem, Problems};

/// Which vnets a question is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// The crashing thread's vnet if it had one, else vnet0.
    Default,
    /// By order of creation; 0 is vnet0.
    Index(usize),
    /// By the address of its struct vnet.
    Address(VirtAddr),
    /// By the name or number of a jail that lives in it.
    Jail(String),
    /// The vnet of a process's jail, by the pid.
    Pid(i64),
    /// A thread's curvnet, by the tid.
    Tid(i64),
    /// Every vnet whose memory is not freed: those on the list in order of creation, then the
    /// others.
    All,
}

/// The network stacks that a question is about, and the problems of finding them.
#[derive(Debug)]
pub struct Selection<'s> {
    /// One, or all vnets.
    pub stacks: Vec<Stack<'s>>,
    /// What could not be read while they were looked for.
    pub problems: Problems,
    /// What a person should know about the choice, a sentence each.
    pub remarks: Vec<String>,
}

impl Session {
    /// The selected vnets, without their jails; [`Stack::Only`] in a kernel without VIMAGE.
    ///
    /// # Errors
    /// There is no such vnet, jail, process or thread, or it has no vnet; or this is
    /// unknown, because of what cannot be read.
    pub fn select(&self, which: &Selector) -> Result<Selection<'_>, Error> {
        self.require_match()?;
        let whole =
            |stacks| Selection { stacks, problems: Problems::default(), remarks: Vec::new() };
        if self.kernel().set_vnet().is_none() {
            return match which {
                Selector::Default | Selector::All | Selector::Index(0) => {
                    Ok(whole(vec![Stack::Only]))
                }
                // Such a kernel has a network stack only for the host's jail.
                Selector::Jail(name) if name == "0" => Ok(whole(vec![Stack::Only])),
                _ => Err(VnetError::without_set(self.target().kernel()).into()),
            };
        }
        // An address needs no list.
        if let (Err(_), Selector::Address(address)) = (self.list(), which)
            && let Some(vnet) = self.vnet_at(&[], *address)
        {
            return Ok(whole(vec![Stack::Vnet(vnet)]));
        }
        let list = self.list()?;
        let vnets = &list.vnets;
        let mut selection = Selection { problems: list.problems.clone(), ..whole(Vec::new()) };
        let one = match which {
            Selector::All => {
                let problems = self.vnets()?.problems.clone();
                return Ok(Selection { problems, ..whole(self.stacks()?) });
            }
            Selector::Default => self.default_vnet(vnets, &mut selection.problems),
            Selector::Index(index) => {
                let found = vnets.iter().find(|vnet| vnet.index == Some(*index));
                match (found, list.problems.none()) {
                    (None, Err(because)) => {
                        return Err(VnetError::unknown(format!("vnet {index}"), because).into());
                    }
                    (found, _) => found,
                }
            }
            Selector::Address(address) => self.vnet_at(vnets, *address),
            Selector::Jail(wanted) => {
                let found = self.jail(wanted, &mut selection)?;
                self.follow(vnets, &found)?
            }
            Selector::Pid(pid) => match threads::process(self.target(), *pid)? {
                Some(found) => self.follow(vnets, &found)?,
                None => return Err(no_such_thread(WantedThread::Process(*pid))),
            },
            Selector::Tid(tid) => match self.thread(*tid)? {
                Some(Thread { thread, .. }) => {
                    let name = thread.text("td_name").unwrap_or_default();
                    let vnet = thread.pointer("td_vnet").map_err(VnetError::from)?.non_null();
                    let holder = format!("thread {tid} ({name})").into();
                    self.follow(vnets, &VnetPointer { holder, vnet })?
                }
                None => return Err(no_such_thread(WantedThread::Thread(*tid))),
            },
        };
        match one {
            Some(vnet) => {
                selection.stacks.push(Stack::Vnet(vnet));
                Ok(selection)
            }
            None => Err(match which {
                Selector::Index(index) => VnetError::NoSuchVnet(WantedVnet::Index(*index)),
                Selector::Address(address) => VnetError::NoSuchVnet(WantedVnet::Address(*address)),
                _ => VnetError::NoneYet,
            }
            .into()),
        }
    }

    fn default_vnet<'s>(&'s self, vnets: &'s [Vnet], problems: &mut Problems) -> Option<&'s Vnet> {
        let crashed = self.known_crashed_thread().ok().flatten();
        let crashed = crashed.and_then(|crashed| {
            problems.extend(crashed.problems.clone());
            let curvnet = crashed.curvnet?;
            let found = self.vnet_at(vnets, curvnet);
            if found.is_none() {
                let what = format!("td_vnet of the crashed thread {}", crashed.tid);
                let why = format!("it leads to {curvnet}, which is not a vnet");
                problems.add(Problem { at: Some(curvnet), ..Problem::new(what, why) });
            }
            found
        });
        crashed.or_else(|| vnets.iter().find(|vnet| vnet.default))
    }

    fn follow<'s>(
        &'s self,
        vnets: &'s [Vnet],
        pointer: &VnetPointer,
    ) -> Result<Option<&'s Vnet>, Error> {
        let Some(address) = pointer.vnet else {
            return Err(VnetError::InNoVnet { who: pointer.holder.to_string() }.into());
        };
        match self.vnet_at(vnets, address) {
            Some(vnet) => Ok(Some(vnet)),
            None => {
                let who = pointer.holder.to_string();
                Err(VnetError::StrayVnet { who, address }.into())
            }
        }
    }

    /// The vnet whose struct lies at `address`, on the list or not.
    pub fn vnet(&self, address: VirtAddr) -> Option<&Vnet> {
        self.vnet_at(&self.list().ok()?.vnets, address)
    }

    fn vnet_at<'s>(&'s self, vnets: &'s [Vnet], address: VirtAddr) -> Option<&'s Vnet> {
        let listed = vnets.iter().find(|vnet| vnet.address == address);
        let read = || Vnet::unlisted(self.target(), address);
        listed.or_else(|| self.vnets_by_address.at(address, read))
    }
}

fn no_such_thread(wanted: WantedThread) -> Error {
    VnetError::NoSuchThread(wanted).into()
}
