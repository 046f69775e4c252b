//! Jails: `struct prison`, the list of them, and the stack that each one uses.
//!
//! `sys/kern/kern_jail.c`. A prison is on `allprison`, sorted by id (prison0 is
//! not, in 12.1 and main), and among its parent's children. Without PR_VNET it
//! shares its parent's stack. `pr_name` of a nested jail starts with its parent's.

use super::construction::{HalfWay, Stop};
use super::queue::Queue;
use super::scope::Vnet;
use super::{Runtime, Scope};
use crate::addr::VirtAddr;
use crate::expr::Step;
use crate::image::ImageError;
use crate::image::literal::Literal;
use crate::image::object::Object;

/// A jail to create.
#[derive(Debug, Clone, PartialEq)]
pub struct JailOptions {
    /// Its own name, or its full name: a child of `web` is called `web.name`.
    pub name: String,
    /// The jail id; `None` for the next free one.
    pub jid: Option<u64>,
    /// The full name of its parent; `None` for the one in its own name, or else the host.
    pub parent: Option<String>,
    /// Does it have its own network stack?
    pub vnet: bool,
    /// The host name in the jail; `None` for the parent's.
    pub hostname: Option<String>,
    /// The root directory.
    pub path: String,
    /// What it may do beside what every jail may: `raw_sockets`, as in jail(8).
    pub allow: Vec<String>,
}

impl JailOptions {
    /// A jail of that name with a network stack of its own.
    pub fn new(name: impl Into<String>) -> Self {
        let (jid, parent, hostname) = (None, None, None);
        let (path, allow) = ("/".into(), Vec::new());
        Self { name: name.into(), jid, parent, vnet: true, hostname, path, allow }
    }

    /// Its name prefixed with its parent's, unless it already is.
    pub fn full_name(&self) -> String {
        let parent = self.parent.as_deref().filter(|parent| *parent != HOST);
        let begins_with = |parent: &str| {
            let rest = self.name.strip_prefix(parent);
            rest.is_some_and(|rest| rest.starts_with('.'))
        };
        match parent {
            Some(parent) if !begins_with(parent) => format!("{parent}.{}", self.name),
            _ => self.name.clone(),
        }
    }
}

#[derive(Debug)]
pub(super) struct Jail {
    /// Full name.
    pub(super) name: String,
    jid: u64,
    pub(super) prison: VirtAddr,
    /// Full name of the parent; `None` for prison0.
    pub(super) parent: Option<String>,
    pub(super) own: bool,
    pub(super) vnet: Option<Vnet>,
    /// Already removed from the lists?
    pub(super) unlinked: bool,
}

pub(super) const PR_PERSIST: u64 = 0x1;
const PR_HOST: u64 = 0x2;
const PR_VNET: u64 = 0x10;
/// Source addresses are chosen as on the host, which is the default.
const PR_SADDRSEL: u64 = 0x180;
/// The permission that every jail has.
const SET_HOSTNAME: &str = "set_hostname";
/// The name of the host in scenarios. prison0's own pr_name is "0".
const HOST: &str = "0";

impl Runtime {
    /// prison0, and vnet0 in it.
    pub(super) fn first_prison(&mut self) -> Result<(), ImageError> {
        let prison0 = self.kernel.variable("prison0")?;
        let list = self.kernel.variable("allprison")?;
        let queue = Queue::of(&self.kernel, list.type_id, prison0.type_id, "pr_list")?;
        queue.init(self.kernel.machine_mut(), list.address)?;
        self.kernel.set(prison0, "pr_id", 0)?;
        self.kernel.assign(self.kernel.member(prison0, "pr_name")?, &text(HOST))?;
        self.set_alive(prison0)?;
        let mut vnet = None;
        if self.vnets.is_some() {
            let vnet0 = self.vnet_alloc()?;
            self.kernel.set_pointer(prison0, "pr_vnet", vnet0.0)?;
            let flags = self.kernel.get(prison0, "pr_flags")?;
            self.kernel.set(prison0, "pr_flags", flags | PR_VNET)?;
            vnet = Some(vnet0);
        } else {
            self.init_interface_list(Scope::Kernel)?;
        }
        let (name, prison) = (HOST.to_owned(), prison0.address);
        self.jails.push(Jail {
            name,
            jid: 0,
            prison,
            parent: None,
            own: vnet.is_some(),
            vnet,
            unlinked: false,
        });
        Ok(())
    }

    /// jail_set(2) with `create` and `persist`: the prison is put on the lists first, then its
    /// stack
    /// is built, as in the kernel. Returns its full name.
    ///
    /// # Errors
    /// The name or id is taken, the parent does not exist, or a text is too long.
    pub fn create_jail(&mut self, options: &JailOptions) -> Result<String, ImageError> {
        let (prison, jail) = self.begin_jail(options)?;
        let vnet = if jail.own { Some(self.vnet_alloc()?) } else { jail.vnet };
        if let Some(vnet) = vnet {
            self.kernel.set_pointer(prison, "pr_vnet", vnet.0)?;
        }
        self.set_alive(prison)?;
        let name = jail.name.clone();
        self.jails.push(Jail { vnet, ..jail });
        Ok(name)
    }

    /// The same by `thread`, a `struct thread` that does not return from one of the
    /// constructors of the new stack. The prison is on the lists and its pr_vnet is still NULL.
    ///
    /// # Errors
    /// As [`Runtime::create_jail`]; or the jail gets no stack of its own, or there is no such
    /// constructor.
    pub fn create_jail_until(
        &mut self,
        options: &JailOptions,
        stop: &Stop,
        thread: Object,
    ) -> Result<HalfWay, ImageError> {
        let (_, jail) = self.begin_jail(options)?;
        if !jail.own {
            let why = format!("{} gets no stack, so its creation cannot stop", jail.name);
            return Err(ImageError::Refused(why));
        }
        let half = self.vnet_alloc_until(stop)?;
        self.jails.push(Jail { vnet: Some(half.vnet), ..jail });
        self.hang(thread, &half)?;
        Ok(half)
    }

    /// The part of jail_set(2) before it makes a stack. The jail's `vnet` is then its parent's.
    fn begin_jail(&mut self, options: &JailOptions) -> Result<(Object, Jail), ImageError> {
        let name = options.full_name();
        // kern_jail_set finds the parent by everything before the last dot.
        let parent = name.rsplit_once('.').map_or(HOST, |(parent, _)| parent).to_owned();
        let mother = self.jail(&parent)?;
        let (mother_prison, vnet) = (self.prison_at(mother.prison)?, mother.vnet);
        let jid = options.jid.unwrap_or(self.last_jid.wrapping_add(1));
        if self.jails.iter().any(|jail| jail.name == name || jail.jid == jid) {
            let why = format!("a jail with the name {name} or the id {jid} exists");
            return Err(ImageError::Refused(why));
        }
        self.last_jid = self.last_jid.max(jid);

        let prison = self.kernel.malloc("prison", "struct prison")?;
        self.kernel.set(prison, "pr_id", jid)?;
        self.kernel.set_pointer(prison, "pr_parent", mother_prison.address)?;
        self.kernel.set(prison, "pr_ref", 1)?;
        self.set_state(prison, "pr_state", "PRISON_STATE_INVALID")?;
        let own_flags = [(options.vnet, PR_VNET), (options.hostname.is_some(), PR_HOST)];
        let own_flags = own_flags.into_iter().filter(|(own, _)| *own);
        let flags = own_flags.fold(PR_PERSIST | PR_SADDRSEL, |flags, (_, flag)| flags | flag);
        self.kernel.set(prison, "pr_flags", flags)?;
        self.set_permissions(prison, &options.allow)?;
        self.set_text(prison, "pr_name", &name)?;
        self.set_text(prison, "pr_path", &options.path)?;
        let hostname = match &options.hostname {
            Some(hostname) => hostname.clone(),
            None => self.hostname(mother_prison)?,
        };
        self.set_text(prison, "pr_hostname", &hostname)?;
        self.hold_prison(mother_prison)?;
        self.link(prison, mother_prison, jid)?;
        let own = options.vnet && self.vnets.is_some();
        let (address, parent) = (prison.address, Some(parent));
        Ok((prison, Jail { name, jid, prison: address, parent, own, vnet, unlinked: false }))
    }

    /// The stack that the jail uses: its own or an ancestor's; `None` without VIMAGE, or while its
    /// own is being built.
    ///
    /// # Errors
    /// There is no such jail.
    pub fn jail_vnet(&self, name: &str) -> Result<Option<Vnet>, ImageError> {
        self.jail(name).map(|jail| jail.vnet)
    }

    /// The scope in which the jail's variables are set.
    ///
    /// # Errors
    /// There is no such jail.
    pub fn jail_scope(&self, name: &str) -> Result<Scope, ImageError> {
        Ok(self.jail_vnet(name)?.map_or(Scope::Kernel, Scope::Vnet))
    }

    /// The jail's `struct prison`; `"0"` is prison0.
    ///
    /// # Errors
    /// There is no such jail.
    pub fn prison(&self, name: &str) -> Result<Object, ImageError> {
        self.prison_at(self.jail(name)?.prison)
    }

    /// The host's name, `kern.hostname`, which jails without a name of their own get too.
    pub fn set_hostname(&mut self, hostname: &str) -> Result<(), ImageError> {
        let prison0 = self.prison(HOST)?;
        self.set_text(prison0, "pr_hostname", hostname)?;
        for jail in self.jails.iter().map(|jail| jail.prison).collect::<Vec<_>>() {
            let prison = self.prison_at(jail)?;
            if self.kernel.get(prison, "pr_flags")? & PR_HOST == 0 && jail != prison0.address {
                self.set_text(prison, "pr_hostname", hostname)?;
            }
        }
        Ok(())
    }

    fn hostname(&self, prison: Object) -> Result<String, ImageError> {
        self.kernel.text(self.kernel.member(prison, "pr_hostname")?.address)
    }

    /// pr_allow, by the names in the kernel's own table; kernels before 12 have another one.
    fn set_permissions(&mut self, prison: Object, allow: &[String]) -> Result<(), ImageError> {
        let mut bits = 0;
        for name in [SET_HOSTNAME].into_iter().chain(allow.iter().map(String::as_str)) {
            match self.permission(name)? {
                Some(bit) => bits |= bit,
                None if name == SET_HOSTNAME => {}
                None => {
                    let why = format!("the kernel knows no permission {name}");
                    return Err(ImageError::Refused(why));
                }
            }
        }
        self.kernel.set(prison, "pr_allow", bits)
    }

    fn permission(&self, name: &str) -> Result<Option<u64>, ImageError> {
        let Ok(table) = self.kernel.variable("pr_flag_allow") else { return Ok(None) };
        for index in 0..self.kernel.elements(table)?.unwrap_or(0) {
            let entry = self.kernel.step(table, &Step::Index(index))?;
            let known = VirtAddr::new(self.kernel.get(entry, "name")?);
            if !known.is_null() && self.kernel.text(known)? == format!("allow.{name}") {
                return self.kernel.get(entry, "flag").map(Some);
            }
        }
        Ok(None)
    }

    pub(super) fn set_text(
        &mut self,
        object: Object,
        member: &str,
        value: &str,
    ) -> Result<(), ImageError> {
        let member = self.kernel.member(object, member)?;
        self.kernel.assign(member, &text(value))
    }

    pub(super) fn jail(&self, name: &str) -> Result<&Jail, ImageError> {
        // Most steps are about the newest.
        let found = self.jails.iter().rev().find(|jail| jail.name == name);
        found.ok_or_else(|| ImageError::NoJail(name.to_owned()))
    }

    pub(super) fn prison_at(&self, address: VirtAddr) -> Result<Object, ImageError> {
        self.kernel.object(address, "struct prison")
    }

    fn set_alive(&mut self, prison: Object) -> Result<(), ImageError> {
        self.kernel.set(prison, "pr_ref", 1)?;
        self.kernel.set(prison, "pr_uref", 1)?;
        self.set_state(prison, "pr_state", "PRISON_STATE_ALIVE")
    }

    fn link(&mut self, prison: Object, mother: Object, jid: u64) -> Result<(), ImageError> {
        let list = self.kernel.variable("allprison")?;
        let queue = Queue::of(&self.kernel, list.type_id, prison.type_id, "pr_list")?;
        let mut behind = None;
        // The list is walked only if it may have a higher number: there may be thousands of jails.
        let is_highest = self.jails.iter().all(|known| known.jid < jid);
        let walked = (!is_highest).then(|| queue.elements(self.kernel.machine(), list.address));
        for other in walked.transpose()?.unwrap_or_default() {
            let other = Object { address: other, ..prison };
            if self.kernel.get(other, "pr_id")? > jid {
                behind = Some(other.address);
                break;
            }
        }
        let machine = self.kernel.machine_mut();
        match behind {
            Some(other) => queue.insert_before(machine, list.address, other, prison.address)?,
            None => queue.insert_tail(machine, list.address, prison.address)?,
        }
        let children = self.kernel.member(mother, "pr_children")?;
        let queue = Queue::of(&self.kernel, children.type_id, prison.type_id, "pr_sibling")?;
        queue.insert_head(self.kernel.machine_mut(), children.address, prison.address)?;
        self.count_children(mother, 1)
    }

    pub(super) fn unlink(&mut self, prison: Object, mother: Object) -> Result<(), ImageError> {
        let list = self.kernel.variable("allprison")?;
        let queue = Queue::of(&self.kernel, list.type_id, prison.type_id, "pr_list")?;
        queue.remove(self.kernel.machine_mut(), list.address, prison.address)?;
        let children = self.kernel.member(mother, "pr_children")?;
        let queue = Queue::of(&self.kernel, children.type_id, prison.type_id, "pr_sibling")?;
        queue.remove(self.kernel.machine_mut(), children.address, prison.address)?;
        self.count_children(mother, -1)
    }

    /// pr_childcount counts all descendants, so every ancestor's changes.
    fn count_children(&mut self, mother: Object, by: i64) -> Result<(), ImageError> {
        let mut prison = mother;
        while !prison.address.is_null() {
            let count = self.kernel.get(prison, "pr_childcount")?;
            self.kernel.set(prison, "pr_childcount", count.wrapping_add_signed(by))?;
            let parent = self.kernel.get(prison, "pr_parent")?;
            prison = Object { address: VirtAddr::new(parent), ..prison };
        }
        Ok(())
    }
}

pub(super) fn text(value: &str) -> Literal {
    Literal::Text(value.to_owned())
}
