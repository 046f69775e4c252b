//! Jails: prison0 and the list `allprison` (`sys/kern/kern_jail.c`).

use crate::addr::VirtAddr;
use crate::constants::PR_VNET;
use crate::error::ReadError;
use crate::target::Target;
use crate::value::{Object, queue};

/// A jail as the dump has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jail {
    /// Of its struct prison.
    pub address: VirtAddr,
    pub jid: i64,
    pub name: Box<str>,
    /// `None` for prison0.
    pub parent: Option<VirtAddr>,
    /// `None` while its vnet is being built.
    pub vnet: Option<VirtAddr>,
    /// Does it have a vnet of its own, rather than live in its parent's?
    pub own_vnet: bool,
}

/// All jails, prison0 first, and what is wrong with their list.
#[derive(Debug, Clone, Default)]
pub struct Jails {
    pub jails: Vec<Jail>,
    pub problems: Vec<Box<str>>,
}

/// Jail ids are ints, but no host runs as many jails as this.
const MAX_JAILS: usize = 1 << 20;

impl Jails {
    /// Reads prison0 and walks `allprison`.
    ///
    /// # Errors
    /// The kernel has no such symbols, or no debug information.
    pub fn read(target: &Target) -> Result<Self, ReadError> {
        let host = Object::global(target, "prison0")?;
        let walk = queue::walk(Object::global(target, "allprison")?, "pr_list", MAX_JAILS);
        let mut jails = Self::default();
        jails.add(&host, true);
        // Some releases have prison0 on the list, others do not.
        for prison in walk.elements.iter().filter(|prison| prison.address != host.address) {
            jails.add(prison, false);
        }
        jails.problems.extend(walk.broken.map(|why| format!("allprison: {why}").into()));
        Ok(jails)
    }

    /// The jail of that number or name.
    pub fn find(&self, wanted: &str) -> Option<&Jail> {
        let jid: Option<i64> = wanted.parse().ok();
        let by_name = |jail: &&Jail| *jail.name == *wanted;
        let by_jid = |jail: &&Jail| Some(jail.jid) == jid;
        self.jails.iter().find(by_jid).or_else(|| self.jails.iter().find(by_name))
    }

    fn add(&mut self, prison: &Object<'_>, host: bool) {
        match Jail::read(prison, host) {
            Ok(jail) => self.jails.push(jail),
            Err(why) => {
                let problem = format!("the prison at {} cannot be read: {why}", prison.address);
                self.problems.push(problem.into());
            }
        }
    }
}

impl Jail {
    fn read(prison: &Object<'_>, host: bool) -> Result<Self, ReadError> {
        let pointer = |path| prison.pointer(path).map(VirtAddr::non_null);
        let mut name = prison.text("pr_name")?;
        if host && name.is_empty() {
            name = "0".into();
        }
        Ok(Self {
            address: prison.address,
            jid: prison.int("pr_id")?,
            name: name.into(),
            parent: pointer("pr_parent")?,
            vnet: pointer("pr_vnet")?,
            own_vnet: host || prison.uint("pr_flags")? & PR_VNET != 0,
        })
    }
}
