//! The list of vnets: `vnet_head`, newest first, vnet0 last.
//!
//! A vnet is linked after all its constructors ran and unlinked before its
//! destructors run, so there are vnets off the list; but those on it should
//! be intact. Damage is reported with the vnet and never hides the others.

use std::cell::OnceCell;

use serde::Serialize;

use crate::addr::VirtAddr;
use crate::constants::{VNET_MAGIC_DESTROYED, VNET_MAGICS};
use crate::fault::Fault;
use crate::target::Target;
use crate::value::freed;
use crate::value::queue::List;
use crate::vnet::VnetError;
use crate::vnet::condition::Condition;
use crate::vnet::enum_names::EnumNames;
use crate::vnet::layout::VnetLayout;
use crate::vnet::state::VnetState;
use crate::walk::{Problem, Problems, Trail, Walk, settle};

/// A vnet as the dump has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vnet {
    /// Its number in order of creation, 0 for vnet0; `None` if the list does not show it.
    pub index: Option<usize>,
    /// The address of its struct vnet.
    pub address: VirtAddr,
    /// Whether it is vnet0, the host's.
    pub default: bool,
    /// `vnet_magic_n`: 0x3e0d8f29 in a vnet that is not destroyed.
    pub magic: u32,
    /// `None` before 11.0.
    pub state: Option<VnetState>,
    /// Whether vnet_destroy has marked it, in kernels that do.
    pub shutdown: Option<bool>,
    /// The number of interfaces in it, as the kernel counts them; `None` if its memory is freed.
    pub ifcnt: Option<u64>,
    /// The number of sockets in it, as the kernel counts them; `None` if its memory is freed.
    pub sockcnt: Option<u64>,
    /// The block that holds its copy of the set.
    pub data_mem: VirtAddr,
    /// What is added to a variable's address in the set to get its copy's, modulo the word size.
    pub data_base: VirtAddr,
    /// Whether it is filled with the pattern of freed memory. Then its numbers mean
    /// nothing.
    pub filled: bool,
    /// Its condition if it is not on the list; `None` if it is.
    pub condition: Option<Condition>,
    /// What led to it if it is not on the list: `td_vnet of thread 100123 (ifconfig)`.
    pub found_by: Vec<Box<str>>,
    /// The jails that live in it, by id; `None` if the jails are unknown,
    /// as they are without debug information.
    pub jails: Option<Vec<JailRef>>,
    /// What is wrong with it, a sentence each.
    pub problems: Vec<Box<str>>,
}

/// A jail, by its number and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JailRef {
    /// The jail's number; 0 is the host.
    pub jid: i64,
    /// The full name, with those of its parents.
    pub name: Box<str>,
    /// Its state in words: `being removed`; `None` if it is alive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'static str>,
}

impl JailRef {
    /// Its name, and its state unless it is alive: `tmp98 (being removed)`.
    #[must_use]
    pub fn title(&self) -> String {
        match self.state {
            Some(state) => format!("{} ({state})", self.name),
            None => self.name.to_string(),
        }
    }

    /// The same with its number: `jail 98 (tmp98), being removed`.
    #[must_use]
    pub fn long_title(&self) -> String {
        let state = self.state.map_or(String::new(), |state| format!(", {state}"));
        format!("jail {} ({}){state}", self.jid, self.name)
    }
}

/// All vnets on the list, in order of creation, and what is wrong with the list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VnetList {
    /// Those that could be read.
    pub vnets: Vec<Vnet>,
    /// What keeps further vnets from being known.
    pub problems: Problems,
}

const VNETS: List<'_> = List { name: &"the list of vnets", element: "vnet" };

impl VnetList {
    /// Walks `vnet_head`.
    ///
    /// # Errors
    /// The kernel has no VIMAGE, or the shape of its struct vnet is not known.
    pub fn read(target: &Target) -> Result<Self, VnetError> {
        if target.kernel().set_vnet().is_none() {
            return Err(VnetError::without_set(target.kernel()));
        }
        let memory = target.memory();
        let pointer = |name| Ok::<_, VnetError>(memory.pointer(target.address_of(name)?));
        let (first, vnet0) = (pointer("vnet_head")?, pointer("vnet0")?);
        let mut list = Self::default();
        let Some(any) = [&first, &vnet0].into_iter().find_map(|p| p.as_ref().ok()?.non_null())
        else {
            list.note_empty(&first);
            return list.or_why();
        };
        let reader = Reader::new(target, any)?;
        let head = target.address_of("vnet_head")?;
        let same = |one: &Vnet, other: &Vnet| one.address == other.address;
        let mut trail = Trail::new(target.budget());
        let found = settle(memory.is_live(), &mut trail, same, |trail| {
            let mut found = Self::default();
            found.walk(&reader, head, vnet0.clone().ok(), trail);
            Walk::new(found.vnets, found.problems)
        });
        let whole = found.is_whole();
        list.vnets = found.take(&mut list.problems);
        list.vnets.reverse();
        if whole {
            for (index, vnet) in list.vnets.iter_mut().enumerate() {
                vnet.index = Some(index);
            }
        }
        list.add_vnet0(&reader, vnet0.ok());
        list.or_why()
    }

    /// The vnet whose struct lies at `address`.
    #[must_use]
    pub fn at(&self, address: VirtAddr) -> Option<&Vnet> {
        self.vnets.iter().find(|vnet| vnet.address == address)
    }

    /// Adds the vnets, newest first, and what keeps the walk from the end of the list.
    fn walk(
        &mut self,
        reader: &Reader<'_>,
        head: VirtAddr,
        vnet0: Option<VirtAddr>,
        trail: &mut Trail<'_>,
    ) {
        let Reader { target, layout, .. } = reader;
        let mut next = target.memory().pointer(head);
        let mut last = head;
        loop {
            let at = match next {
                Ok(at) if at.is_null() => return,
                Ok(at) => at,
                Err(fault) => return self.note(VNETS.unreadable(last, fault.into())),
            };
            if let Err(why) = trail.visit(at) {
                return self.note(VNETS.problem(at, why));
            }
            match reader.read(at, vnet0 == Some(at), true) {
                Ok(vnet) => self.vnets.push(vnet),
                Err(fault) => return self.note(VNETS.unreadable(at, fault.into())),
            }
            if let Err(fault) = freed::check(target.memory(), at, layout.size) {
                return self.note(VNETS.unreadable(at, fault.into()));
            }
            self.check_link(target, layout, at, last);
            last = at.wrapping_add(layout.next);
            next = target.memory().pointer(at.wrapping_add(layout.next));
        }
    }

    /// Checks that the vnet at `at` points back to the link that led to it. If not, vnets between
    /// are missing.
    fn check_link(
        &mut self,
        target: &Target,
        layout: &VnetLayout,
        at: VirtAddr,
        led_here: VirtAddr,
    ) {
        match target.memory().pointer(at.wrapping_add(layout.prev)) {
            Ok(previous) if previous != led_here => {
                let why = format!(
                    "the vnet at {at} follows the link at {previous}, but the list led to it from {led_here}"
                );
                self.note(Problem::contradiction(VNETS.what(), at, why));
            }
            _ => {}
        }
    }

    /// vnet0 is found by its own pointer, wherever the list leads.
    fn add_vnet0(&mut self, reader: &Reader<'_>, vnet0: Option<VirtAddr>) {
        let Some(vnet0) = vnet0.and_then(VirtAddr::non_null) else { return };
        match self.vnets.iter_mut().find(|vnet| vnet.address == vnet0) {
            Some(vnet) => vnet.index = vnet.index.or(Some(0)),
            None => {
                self.note(Problem::new(VNETS.what(), format!("vnet0, at {vnet0}, is not on it")));
                if let Ok(mut vnet) = reader.read(vnet0, true, false) {
                    if self.vnets.iter().all(|other| other.index.is_none()) {
                        vnet.index = Some(0);
                    }
                    vnet.found_by.push("the pointer vnet0".into());
                    self.vnets.insert(0, vnet);
                }
            }
        }
    }

    /// An empty list is an error with a reason.
    fn or_why(self) -> Result<Self, VnetError> {
        match self.problems.none() {
            Err(why) if self.vnets.is_empty() => Err(VnetError::NoList { because: Box::new(why) }),
            _ => Ok(self),
        }
    }

    fn note_empty(&mut self, first: &Result<VirtAddr, Fault>) {
        match first {
            Ok(_) => self.note(Problem::new(
                VNETS.what(),
                "it is empty: the kernel had not created vnet0 yet",
            )),
            Err(fault) => self.note(Problem::unreadable("vnet_head", fault.clone().into())),
        };
    }

    /// Notes a problem; the list is then incomplete.
    fn note(&mut self, problem: Problem) {
        self.problems.add(problem);
    }
}

/// Reads vnets of one layout.
struct Reader<'t> {
    target: &'t Target,
    layout: VnetLayout,
    /// The names of their states, once they are asked for.
    states: OnceCell<EnumNames>,
}

impl<'t> Reader<'t> {
    fn new(target: &'t Target, first: VirtAddr) -> Result<Self, VnetError> {
        Ok(Self { target, layout: VnetLayout::of(target, first)?, states: OnceCell::new() })
    }

    fn states(&self) -> &EnumNames {
        self.states.get_or_init(|| VnetState::names(self.target))
    }

    fn read(&self, address: VirtAddr, default: bool, listed: bool) -> Result<Vnet, Fault> {
        let Self { target, layout, .. } = self;
        let memory = target.memory();
        let word = |offset| memory.u32(address.wrapping_add(offset));
        let pointer = |offset| memory.pointer(address.wrapping_add(offset));
        let filled = freed::check(memory, address, layout.size).is_err();
        let value = layout.state.map(word).transpose()?.filter(|_| !filled);
        let shutdown = layout.shutdown.map(|at| memory.u8(address.wrapping_add(at))).transpose()?;
        let shutdown = shutdown.filter(|_| !filled).map(|byte| byte != 0);
        let magic = word(layout.magic)?;
        let freed = filled || magic == VNET_MAGIC_DESTROYED;
        // A destroyed vnet is not up, though the list still leads to it.
        let told =
            (!listed || freed).then(|| Condition::of(target, layout, address, freed, shutdown));
        let count = |offset| Ok(Some(u64::from(word(offset)?)).filter(|_| !filled));
        let block = |offset| Ok(if filled { VirtAddr::default() } else { pointer(offset)? });
        let state = |value: u32| VnetState::new(self.states(), value.into(), default, told);
        let mut vnet = Vnet {
            index: None,
            address,
            default,
            magic,
            state: value.map(state),
            shutdown,
            ifcnt: count(layout.ifcnt)?,
            sockcnt: count(layout.sockcnt)?,
            data_mem: block(layout.data_mem)?,
            data_base: block(layout.data_base)?,
            filled,
            condition: told.filter(|_| !listed),
            found_by: Vec::new(),
            jails: None,
            problems: Vec::new(),
        };
        vnet.check(target);
        Ok(vnet)
    }
}

impl Vnet {
    /// The vnet at an address that is not on the list: mostly one under
    /// construction or being destroyed. `None` if nothing there looks like a vnet.
    #[must_use]
    pub fn unlisted(target: &Target, address: VirtAddr) -> Option<Self> {
        let vnet = Reader::new(target, address).ok()?.read(address, false, false).ok()?;
        (vnet.is_freed() || VNET_MAGICS.contains(&vnet.magic)).then_some(vnet)
    }

    /// Whether it is on the kernel's list.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        self.condition.is_none()
    }

    /// Whether vnet_destroy has freed it. Its block is then freed memory.
    #[must_use]
    pub fn is_freed(&self) -> bool {
        self.filled || self.magic == VNET_MAGIC_DESTROYED
    }

    /// Its number and address: `vnet 1 (0xfffff80003a51800)`.
    #[must_use]
    pub fn title(&self) -> String {
        match self.index {
            Some(index) => format!("vnet {index} ({})", self.address),
            None => format!("unlisted vnet {}", self.address),
        }
    }

    /// The same with its jails: `vnet 1 (0xfffff80003a51800): web01, web01.php`.
    #[must_use]
    pub fn title_with_jails(&self) -> String {
        let name = |jail: &JailRef| if jail.jid == 0 { "host".to_owned() } else { jail.title() };
        let jails = match &self.jails {
            None => "jails unknown".to_owned(),
            Some(jails) if jails.is_empty() => "no jail".to_owned(),
            Some(jails) => jails.iter().map(name).collect::<Vec<_>>().join(", "),
        };
        format!("{}: {jails}", self.title())
    }

    /// The address of this vnet's copy of what lies at `master` in the set.
    ///
    /// # Errors
    /// Why there is no copy, in words: the vnet has no block, or it is freed.
    pub fn copy_of(&self, target: &Target, master: VirtAddr) -> Result<VirtAddr, &'static str> {
        if self.is_freed() {
            return Err("the vnet is destroyed: its copy of the variables is freed");
        }
        if self.data_mem.is_null() {
            return Err("the vnet has no block of variables");
        }
        if self.data_base.get() != self.expected_base(target) {
            return Err("the vnet's data_base does not match its data_mem: one of them is damaged");
        }
        let address = self.data_base.get().wrapping_add(master.get());
        Ok(VirtAddr::new(target.arch().wrap(address)))
    }

    /// What data_base must be for the block at data_mem, modulo the word size.
    fn expected_base(&self, target: &Target) -> u64 {
        let start = target.kernel().set_vnet().map_or(0, |set| set.start.get());
        target.arch().wrap(self.data_mem.get().wrapping_sub(start))
    }

    fn check(&mut self, target: &Target) {
        let problems = [self.wrong_magic(), self.wrong_base(target)];
        self.problems.extend(problems.into_iter().flatten().map(String::into_boxed_str));
    }

    /// What is wrong with its magic, in words; `None` if it is that of a vnet.
    #[must_use]
    pub fn wrong_magic(&self) -> Option<String> {
        let magic = self.magic;
        if self.filled {
            Some("it is freed memory".to_owned())
        } else if self.is_freed() {
            Some(format!("it is destroyed: its magic is {magic:#x}"))
        } else {
            let wrong = !VNET_MAGICS.contains(&magic);
            wrong.then(|| format!("its magic {magic:#x} is not a vnet's"))
        }
    }

    /// How its data_base contradicts its data_mem, in words; `None` if it does not, or if the vnet
    /// is freed or has no block yet.
    #[must_use]
    pub fn wrong_base(&self, target: &Target) -> Option<String> {
        let expected = self.expected_base(target);
        // A vnet under construction may have no block yet.
        let early = self.condition.is_some() && self.data_mem.is_null() && self.data_base.is_null();
        let wrong = !self.is_freed() && !early && expected != self.data_base.get();
        wrong.then(|| {
            format!(
                "its data_base {} does not match its data_mem {}, which implies {expected:#x}",
                self.data_base, self.data_mem
            )
        })
    }
}
