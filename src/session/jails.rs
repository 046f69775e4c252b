//! Which jails live in which vnets, and the jail that a user names.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Selection, Session};
use crate::addr::VirtAddr;
use crate::error::Error;
use crate::target::Target;
use crate::threads::stack::Stack;
use crate::threads::{self, Thread, VnetPointer};
use crate::types;
use crate::value::Object;
use crate::views::jails::{Jail, Jails, Life, PrisonShape, search_prisons};
use crate::vnet::list::JailRef;
use crate::vnet::{Condition, Vnet, VnetCandidate, VnetError};

/// Adds to each vnet the jails that live in it. A vnet that is not on the list and that no
/// jail points to is being created or destroyed. Its jail is searched for where the kernel
/// still has it: in credentials, on the stack of the thread that works in it, and
/// anywhere in memory if that is small or `everywhere` is asked for. Returns those that are on no
/// list.
pub fn add_jails(
    session: &Session,
    vnets: &mut [Vnet],
    jails: &Jails,
    everywhere: bool,
) -> Vec<Jail> {
    let target = session.target();
    let mut inside: FxHashMap<VirtAddr, Vec<JailRef>> = FxHashMap::default();
    for (jail, vnet) in jails.all().iter().filter_map(|jail| Some((jail, jail.vnet?))) {
        inside.entry(vnet).or_default().push(jail.into());
    }
    for vnet in vnets.iter_mut() {
        let inside = inside.remove(&vnet.address).unwrap_or_default();
        // No known jail does not mean no jail.
        // A jail ends before its vnet is freed.
        let settled = vnet.is_freed() || (vnet.is_listed() && jails.problems.is_empty());
        let known = !inside.is_empty() || settled;
        vnet.jails = known.then_some(inside);
    }
    let unknown = vnets.iter_mut().filter(|vnet| !vnet.is_listed() && vnet.jails.is_none());
    let unknown: Vec<&mut Vnet> = unknown.collect();
    if unknown.is_empty() {
        return Vec::new();
    }
    let by_threads = ThreadJails::of(target, session.known_threads());
    let in_threads = unknown.iter().map(|vnet| by_threads.jails_in(vnet.address, jails));
    let mut found: Vec<Jails> = in_threads.collect();
    if everywhere || target.memory().held() <= SMALL {
        add_jails_in_memory(target, &unknown, &mut found);
    }
    let mut removed = Vec::new();
    for (vnet, found) in unknown.into_iter().zip(found) {
        if !found.all().is_empty() {
            vnet.jails = Some(found.all().iter().map(JailRef::from).collect());
        }
        let gone = found.all().iter().filter(|jail| jail.life == Life::BeingRemoved);
        removed.extend(gone.cloned());
    }
    removed
}

/// Bytes of memory that are searched in one step of work.
const BYTES_A_STEP: u64 = 4096;

/// The most bytes that are searched in the time that a question may take.
const SMALL: u64 = 1 << 30;

impl Session {
    /// The jail that a number or a name selects, and its vnet.
    pub(super) fn jail(
        &self,
        wanted: &str,
        selection: &mut Selection<'_>,
    ) -> Result<VnetPointer, Error> {
        let jails = self.jails()?;
        let known = jails.find(wanted);
        if let Ok(Some(jail)) = known {
            selection.remarks.extend(same_name_remark(jails, jail, wanted));
            let vnet = self.vnet_of(jail)?;
            return match vnet {
                None if jail.own_vnet => Err(self.vnet_not_made(jail)?),
                _ => Ok(VnetPointer { holder: jail.title().into(), vnet }),
            };
        }
        // It may be being removed. Then only its vnet still leads to it.
        selection.problems.extend(jails.problems.clone());
        let removed = self.vnets()?.all.iter().find_map(|vnet| {
            let mut jails = vnet.jails.as_ref()?.iter();
            let is_meant =
                |jail: &&JailRef| *jail.name == *wanted || jail.jid.to_string() == wanted;
            let who = jails.find(is_meant)?.long_title();
            Some(VnetPointer { holder: who.into(), vnet: Some(vnet.address) })
        });
        match (removed, known) {
            (Some(found), _) => Ok(found),
            (None, Err(because)) => {
                Err(VnetError::unknown(format!("jail {wanted}"), because).into())
            }
            (None, Ok(_)) => Err(no_such_jail(wanted, jails)),
        }
    }

    /// The vnet of a jail; of one that is being created, the vnet that is created for it.
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

    /// The error for a jail whose vnet is being created, with the vnets that may be that one.
    fn vnet_not_made(&self, jail: &Jail) -> Result<Error, Error> {
        let made = self.vnets()?.all.iter();
        let made = made.filter(|vnet| vnet.condition == Some(Condition::UnderConstruction));
        let candidates = made.map(|vnet| {
            let found_by = vnet.found_by.first().map_or("", |found| &**found).into();
            VnetCandidate { address: vnet.address, found_by }
        });
        Ok(VnetError::NotMade {
            who: format!("jail {} ({})", jail.jid, jail.name),
            candidates: candidates.collect(),
        }
        .into())
    }
}

/// Which of several jails with one name is used.
fn same_name_remark(jails: &Jails, meant: &Jail, wanted: &str) -> Option<String> {
    let others = jails.named(wanted).filter(|other| other.address != meant.address);
    let others: Vec<String> = others.map(Jail::title).collect();
    (!others.is_empty() && *meant.name == *wanted)
        .then(|| format!("using {}, not {}", meant.title(), others.join(" or ")))
}

/// The error for a jail that is not among `jails`.
pub fn no_such_jail(wanted: &str, jails: &Jails) -> Error {
    let names = jails.all().iter().filter(|jail| jail.jid != 0).map(|jail| jail.name.to_string());
    let near = types::most_similar(names.collect(), |name: &String| name, wanted);
    VnetError::NoSuchJail { name: wanted.to_owned(), near }.into()
}

/// Searches memory for the jails of those of `vnets` for which none is `found`. There may be thousands,
/// so all are searched for at once.
fn add_jails_in_memory(target: &Target, vnets: &[&mut Vnet], found: &mut [Jails]) {
    let mut missing = FxHashMap::default();
    for (vnet, found) in vnets.iter().zip(found) {
        if found.all().is_empty() {
            missing.insert(vnet.address, found);
        }
    }
    let cost = target.memory().held() / BYTES_A_STEP;
    if missing.is_empty() || target.budget().work(cost).is_err() {
        return;
    }
    for (vnet, prison) in search_prisons(target, &missing.keys().copied().collect()) {
        if let Some(found) = missing.get_mut(&vnet) {
            found.add_unlisted(&prison);
        }
    }
}

/// What threads show about vnets, by the vnet.
struct ThreadJails<'t> {
    shape: Option<PrisonShape<'t>>,
    /// The prisons of threads' credentials.
    prisons: FxHashMap<VirtAddr, Vec<Object<'t>>>,
    /// The threads at work in it.
    working: FxHashMap<VirtAddr, Vec<Object<'t>>>,
}

impl<'t> ThreadJails<'t> {
    fn of(target: &'t Target, threads: Vec<Thread<'t>>) -> Self {
        let (prisons, working) = (FxHashMap::default(), FxHashMap::default());
        let mut all = Self { shape: PrisonShape::of(target), prisons, working };
        let mut seen = FxHashSet::default();
        for Thread { thread, .. } in threads {
            if let Ok(Some(prison)) = threads::prison(&thread, "td_ucred")
                && seen.insert(prison.address)
                && let Ok(vnet) = prison.pointer("pr_vnet")
            {
                all.prisons.entry(vnet).or_default().push(prison);
            }
            if let Ok(vnet) = thread.pointer("td_vnet") {
                all.working.entry(vnet).or_default().push(thread);
            }
        }
        all
    }

    /// The jails that, by the threads, live in the vnet at `vnet`.
    fn jails_in(&self, vnet: VirtAddr, jails: &Jails) -> Jails {
        let mut found = Jails::default();
        for prison in self.prisons.get(&vnet).into_iter().flatten() {
            found.add_unlisted(prison);
        }
        for thread in self.working.get(&vnet).into_iter().flatten() {
            if let Ok(stack) = Stack::of(thread) {
                self.add_jails_on_stack(&stack, vnet, jails, &mut found);
            }
        }
        found
    }

    /// The jails that stack words of a thread at work in `vnet` point to: one that
    /// still has the vnet, or one that has none yet and waits for it.
    fn add_jails_on_stack(&self, stack: &Stack, vnet: VirtAddr, jails: &Jails, found: &mut Jails) {
        for &word in stack.values() {
            if let Some(prison) = self.shape.and_then(|shape| shape.of_vnet(word, vnet)) {
                found.add_unlisted(&prison);
            } else if let Some(jail) =
                jails.at(word).filter(|jail| jail.own_vnet && jail.vnet.is_none())
                && found.at(word).is_none()
            {
                found.push(Jail { life: Life::Starting, ..jail.clone() });
            }
        }
    }
}
