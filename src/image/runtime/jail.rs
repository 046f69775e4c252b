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
}

impl JailOptions {
    /// A jail of that name with a network stack of its own.
    pub fn new(name: impl Into<String>) -> Self {
        let (jid, parent, hostname) = (None, None, None);
        Self { name: name.into(), jid, parent, vnet: true, hostname, path: "/".into() }
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
    name: String,
    jid: u64,
    prison: VirtAddr,
    /// Full name of the parent; `None` for prison0.
    parent: Option<String>,
    own: bool,
    vnet: Option<Vnet>,
    /// Already removed from the lists?
    dying: bool,
}

const PR_PERSIST: u64 = 0x1;
const PR_VNET: u64 = 0x10;
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
            dying: false,
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
        let flags = PR_PERSIST | if options.vnet { PR_VNET } else { 0 };
        self.kernel.set(prison, "pr_flags", flags)?;
        self.set_text(prison, "pr_name", &name)?;
        self.set_text(prison, "pr_path", &options.path)?;
        self.set_text(prison, "pr_hostname", options.hostname.as_deref().unwrap_or(&name))?;
        self.link(prison, mother_prison, jid)?;
        let own = options.vnet && self.vnets.is_some();
        let (address, parent) = (prison.address, Some(parent));
        Ok((prison, Jail { name, jid, prison: address, parent, own, vnet, dying: false }))
    }

    /// prison_deref of the last reference: removes it from the lists, destroys its stack, and frees
    /// it.
    ///
    /// # Errors
    /// It has child jails or processes, or it is the host.
    pub fn destroy_jail(&mut self, name: &str) -> Result<(), ImageError> {
        let (prison, vnet) = self.begin_removal(name)?;
        if let Some(vnet) = vnet {
            self.vnet_destroy(vnet)?;
        }
        self.kernel.machine_mut().free(prison.address)?;
        self.jails.retain(|jail| jail.prison != prison.address);
        Ok(())
    }

    /// The same by `thread`, a `struct thread` that does not return from one of the
    /// destructors of the jail's stack.
    ///
    /// # Errors
    /// As [`Runtime::destroy_jail`]; or it has no stack of its own, or there is no such
    /// destructor.
    pub fn destroy_jail_until(
        &mut self,
        name: &str,
        stop: &Stop,
        thread: Object,
    ) -> Result<HalfWay, ImageError> {
        let (prison, vnet) = self.begin_removal(name)?;
        let vnet = vnet.ok_or_else(|| {
            ImageError::Refused(format!("{name} has no stack, so its removal cannot stop"))
        })?;
        let half = self.vnet_destroy_until(vnet, stop)?;
        if let Some(jail) = self.jails.iter_mut().find(|jail| jail.prison == prison.address) {
            jail.dying = true;
        }
        self.hang(thread, &half)?;
        Ok(half)
    }

    /// The part of prison_deref before it destroys the stack. Returns the stack if it is the
    /// jail's own.
    fn begin_removal(&mut self, name: &str) -> Result<(Object, Option<Vnet>), ImageError> {
        let jail = self.jail(name)?;
        let (prison, own, vnet) = (self.prison_at(jail.prison)?, jail.own, jail.vnet);
        let Some(parent) = jail.parent.clone() else {
            return Err(ImageError::Refused("the host is no jail that can be removed".into()));
        };
        if jail.dying {
            return Err(ImageError::Refused(format!("{name} is being removed already")));
        }
        if self.jails.iter().any(|child| child.parent.as_deref() == Some(name)) {
            return Err(ImageError::Refused(format!("{name} has child jails")));
        }
        // prison_deref drops one reference for the jail itself; every process holds another.
        if self.kernel.get(prison, "pr_ref")? > 1 {
            return Err(ImageError::Refused(format!("{name} still has processes")));
        }
        self.kernel.set(prison, "pr_ref", 0)?;
        self.kernel.set(prison, "pr_uref", 0)?;
        self.set_state(prison, "pr_state", "PRISON_STATE_DYING")?;
        let mother = self.prison_at(self.jail(&parent)?.prison)?;
        self.unlink(prison, mother)?;
        Ok((prison, vnet.filter(|_| own)))
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

    /// The host's name, `kern.hostname`.
    pub fn set_hostname(&mut self, hostname: &str) -> Result<(), ImageError> {
        let prison0 = self.prison(HOST)?;
        self.set_text(prison0, "pr_hostname", hostname)
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

    fn jail(&self, name: &str) -> Result<&Jail, ImageError> {
        let found = self.jails.iter().find(|jail| jail.name == name);
        found.ok_or_else(|| ImageError::NoJail(name.to_owned()))
    }

    fn prison_at(&self, address: VirtAddr) -> Result<Object, ImageError> {
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
        for other in queue.elements(self.kernel.machine(), list.address)? {
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

    fn unlink(&mut self, prison: Object, mother: Object) -> Result<(), ImageError> {
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
