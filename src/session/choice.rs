//! Which jails and threads a question is about. By default these are all of them.

use rustc_hash::FxHashMap;

use super::jails::no_such_jail;
use super::{Selector, Session};
use crate::addr::VirtAddr;
use crate::error::Error;
use crate::target::ReadError;
use crate::threads;
use crate::views::jails::{Holders, Jails};
use crate::views::known_vnets::KnownVnets;
use crate::vnet::{VnetError, WantedThread};
use crate::walk::{Problem, Problems};

/// What a selector chooses among jails and threads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Nothing was chosen.
    All,
    /// What is in the vnet at this address.
    Vnet(VirtAddr),
    /// The jail whose struct prison lies at this address, and what is in it.
    Jail(VirtAddr),
    /// The process with this number.
    Pid(i64),
    /// The thread with this number.
    Tid(i64),
}

impl Session {
    /// What is chosen among jails and threads.
    ///
    /// # Errors
    /// There is no such vnet or jail, or this is unknown.
    pub fn choice(&self, which: &Selector) -> Result<Choice, Error> {
        self.require_match()?;
        Ok(match which {
            Selector::Default | Selector::All => Choice::All,
            Selector::Jail(wanted) => Choice::Jail(self.chosen_jail(wanted)?),
            Selector::Pid(pid) => Choice::Pid(*pid),
            Selector::Tid(tid) => Choice::Tid(*tid),
            Selector::Index(_) | Selector::Address(_) => {
                let selection = self.select(which)?;
                let vnet = selection.stacks.iter().find_map(|stack| stack.vnet());
                vnet.map_or(Choice::All, |vnet| Choice::Vnet(vnet.address))
            }
        })
    }

    /// All jails: those on the list, and then those that are being removed and that something
    /// still leads to.
    ///
    /// # Errors
    /// As [`Session::jails`].
    pub fn all_jails(&self) -> Result<Jails, Error> {
        let mut all = self.jails()?.clone();
        if let Ok(vnets) = self.vnets() {
            for removed in &vnets.removed {
                if all.at(removed.address).is_none() {
                    all.push(removed.clone());
                }
            }
        }
        Ok(all)
    }

    /// The vnets that pointers are checked against; `None` in a kernel without VIMAGE.
    ///
    /// # Errors
    /// As [`Session::vnets`].
    pub fn known_vnets(&self) -> Result<Option<KnownVnets<'_>>, Error> {
        if self.kernel().set_vnet().is_none() {
            return Ok(None);
        }
        let whole = self.list()?.problems.is_empty();
        Ok(Some(KnownVnets::new(self.target(), &self.vnets()?.all, whole)))
    }

    /// What holds each of `jails`, by the address of its prison. What cannot be read is added to
    /// `problems`.
    ///
    /// # Errors
    /// The kernel is not the dump's.
    pub fn holders(
        &self,
        jails: &Jails,
        problems: &mut Problems,
    ) -> Result<FxHashMap<VirtAddr, Holders>, Error> {
        let target = self.matching_target()?;
        let stacks = self.all_copies().unwrap_or_default();
        Ok(Holders::find(target, jails, &stacks, problems))
    }

    /// The prison of the process or thread that is chosen; `None` if it has none.
    ///
    /// # Errors
    /// There is no such process or thread, or it cannot be read.
    pub fn prison_of(&self, wanted: WantedThread) -> Result<Option<VirtAddr>, Error> {
        let target = self.matching_target()?;
        let mut problems = Problems::default();
        let processes = threads::by_process(target)?.take(&mut problems);
        let found = processes.iter().find_map(|found| match wanted {
            WantedThread::Process(pid) => {
                let is_meant = found.process.int("p_pid") == Ok(pid);
                is_meant.then_some((&found.process, "p_ucred"))
            }
            WantedThread::Thread(tid) => {
                let mut own = found.threads.iter();
                let thread = own.find(|thread| thread.int("td_tid") == Ok(tid))?;
                Some((thread, "td_ucred"))
            }
        });
        let Some((holder, member)) = found else {
            return Err(not_found(wanted, &problems));
        };
        let prison = threads::prison(holder, member);
        Ok(prison.map_err(|why: ReadError| Error::from(why))?.map(|prison| prison.address))
    }

    pub(super) fn chosen_jail(&self, wanted: &str) -> Result<VirtAddr, Error> {
        let all = self.all_jails()?;
        match all.find(wanted) {
            Ok(Some(jail)) => Ok(jail.address),
            Ok(None) => Err(no_such_jail(wanted, &all)),
            Err(because) => Err(VnetError::unknown(format!("jail {wanted}"), because).into()),
        }
    }
}

/// The error for a process or thread that was not found.
pub fn not_found(wanted: WantedThread, problems: &Problems) -> Error {
    match problems.none() {
        Ok(()) => VnetError::NoSuchThread(wanted).into(),
        Err(because) => unknown(wanted, because).into(),
    }
}

fn unknown(wanted: WantedThread, because: Problem) -> VnetError {
    VnetError::unknown(wanted.to_string(), because)
}
