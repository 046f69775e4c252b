//! Which jails live in which vnets, and the jail that a user names.

use super::{Error, Found, Selection, Session};
use crate::addr::VirtAddr;
use crate::error::VnetError;
use crate::target::Target;
use crate::types;
use crate::views::jails::{Jail, Jails, Life, prison_of_vnet};
use crate::views::stack::Stack;
use crate::views::threads;
use crate::vnet::Vnet;
use crate::vnet::list::JailRef;
use crate::walk::Problems;

/// Says of each vnet which jails live in it. A vnet that is not on the list and that no
/// jail names is being made or destroyed, and its jail is looked for where the kernel
/// still has it: in credentials, and on the stack of the thread that works in it.
pub fn add(target: &Target, vnets: &mut [Vnet], jails: &Jails) {
    for vnet in vnets.iter_mut() {
        let home = jails.jails.iter().filter(|jail| jail.vnet == Some(vnet.address));
        let home: Vec<JailRef> = home.map(JailRef::from).collect();
        // None that is known is not none.
        let unknown = home.is_empty() && !jails.problems.is_empty();
        vnet.jails = (!unknown).then_some(home);
    }
    let homeless = |vnet: &&mut Vnet| {
        !vnet.is_listed() && vnet.jails.as_ref().is_none_or(|jails| jails.is_empty())
    };
    for vnet in vnets.iter_mut().filter(homeless) {
        let found = witnesses(target, vnet.address, jails);
        if !found.is_empty() {
            vnet.jails = Some(found.iter().map(JailRef::from).collect());
        }
    }
}

impl Session {
    /// The jail that is meant by a number or a name, and its vnet.
    pub(super) fn jail(&self, wanted: &str, selection: &mut Selection<'_>) -> Result<Found, Error> {
        let jails = self.jails()?;
        let known = jails.find(wanted);
        if let Ok(Some(jail)) = known {
            let namesakes = jails.named(&jail.name).filter(|other| other.jid != jail.jid).count();
            if namesakes > 0 && *jail.name == *wanted {
                let others = if namesakes == 1 { "another jail is" } else { "other jails are" };
                selection.remarks.push(format!(
                    "jail {} is meant; {others} of the name {wanted}, and not alive",
                    jail.jid
                ));
            }
            let who = format!("jail {} ({})", jail.jid, jail.title());
            return Ok(Found { who: who.into(), vnet: self.vnet_of(jail)? });
        }
        // It may be on its way out: then only its vnet still tells.
        selection.problems.extend(jails.problems.clone());
        let vnets = self.vnets()?;
        let removed = vnets.all.iter().find_map(|vnet| {
            let jails = vnet.jails.as_ref()?;
            let jail = jails
                .iter()
                .find(|jail| *jail.name == *wanted || jail.jid.to_string() == wanted)?;
            let who = format!("jail {} ({})", jail.jid, jail.title());
            Some(Found { who: who.into(), vnet: Some(vnet.address) })
        });
        match (removed, known) {
            (Some(found), _) => Ok(found),
            (None, Err(because)) => {
                Err(VnetError::unknown(format!("jail {wanted}"), because).into())
            }
            (None, Ok(_)) => Err(no_such_jail(wanted, jails)),
        }
    }

    /// The vnet of a jail; of one that is being made, the one that is made for it.
    fn vnet_of(&self, jail: &Jail) -> Result<Option<VirtAddr>, Error> {
        if jail.vnet.is_some() || !jail.own_vnet {
            return Ok(jail.vnet);
        }
        let made = self.vnets()?.all.iter().find(|vnet| {
            let jails = vnet.jails.as_ref();
            jails.is_some_and(|jails| jails.iter().any(|known| known.jid == jail.jid))
        });
        Ok(made.map(|vnet| vnet.address))
    }
}

fn no_such_jail(wanted: &str, jails: &Jails) -> Error {
    let names = jails.jails.iter().filter(|jail| jail.jid != 0).map(|jail| jail.name.to_string());
    let near = types::most_like(names.collect(), |name: &String| name, wanted);
    VnetError::NoSuchJail { name: wanted.to_owned(), near }.into()
}

/// The jails that threads say live in the vnet at `vnet`.
fn witnesses(target: &Target, vnet: VirtAddr, jails: &Jails) -> Vec<Jail> {
    let mut found = Jails::default();
    // What is wrong with the threads was said when they led to the vnet.
    let mut told = Problems::default();
    let threads = threads::all(target).map(|walk| walk.take(&mut told)).unwrap_or_default();
    for thread in threads {
        if let Ok(Some(prison)) = threads::prison(&thread.thread, "td_ucred")
            && prison.pointer("pr_vnet") == Ok(vnet)
        {
            found.add_unlisted(&prison);
        }
        if thread.thread.pointer("td_vnet") == Ok(vnet)
            && let Ok(stack) = Stack::of(&thread.thread)
        {
            on_stack(target, &stack, vnet, jails, &mut found);
        }
    }
    found.jails
}

/// The jails that words of the stack of a thread at work in `vnet` point at: one that
/// still has the vnet, or one that has none yet and waits for it.
fn on_stack(target: &Target, stack: &Stack, vnet: VirtAddr, jails: &Jails, found: &mut Jails) {
    for &word in stack.values() {
        if let Some(prison) = prison_of_vnet(target, word, vnet) {
            found.add_unlisted(&prison);
        } else if let Some(jail) =
            jails.at(word).filter(|jail| jail.own_vnet && jail.vnet.is_none())
            && found.at(word).is_none()
        {
            found.jails.push(Jail { life: Life::Starting, ..jail.clone() });
        }
    }
}

impl JailRef {
    /// Its name, and how far it has come unless it is simply alive.
    pub fn title(&self) -> String {
        match self.state {
            Some(state) => format!("{} ({state})", self.name),
            None => self.name.to_string(),
        }
    }
}

impl From<&Jail> for JailRef {
    fn from(jail: &Jail) -> Self {
        Self { jid: jail.jid, name: jail.name.clone(), state: jail.life.meaning() }
    }
}
