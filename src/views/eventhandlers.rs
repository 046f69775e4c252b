//! Event handlers that are called once for each vnet.
//!
//! What: the entries of all lists whose function is
//! `vnet_global_eventhandler_iterator_func` (`sys/net/vnet.c`, 9.3 to main), with the
//! function and argument that it calls in each vnet.
//!
//! How: `eventhandler_lists` has a list for each event, and that an entry for each
//! handler, by priority (`sys/kern/subr_eventhandler.c`). An entry is embedded in a
//! `struct eventhandler_entry_generic` with its function; the argument of the iterator
//! is a `struct eventhandler_entry_vimage` with the real ones (`sys/sys/eventhandler.h`).

use crate::addr::VirtAddr;
use crate::target::{ReadError, Target};
use crate::types::TypeId;
use crate::value::Object;
use crate::value::model::{PointerValue, ValueError};
use crate::value::queue::{self, List};
use crate::views::call_out::CallOut;
use crate::vnet::VnetError;
use crate::vnet::sysinit::symbolic;
use crate::vnet::unloaded::Unloaded;
use crate::walk::{Problem, Problems};

/// A handler that is called for each vnet. Members that cannot be read are errors.
#[derive(Debug, Clone, PartialEq)]
pub struct VnetHandler {
    /// The name of the event: `ifnet_arrival_event`.
    pub event: Result<Box<str>, ValueError>,
    /// The address of its struct eventhandler_entry, which is its tag.
    pub address: VirtAddr,
    /// Lower ones are called first.
    pub priority: Result<i64, ValueError>,
    /// What is called in each vnet.
    pub function: Result<PointerValue, ValueError>,
    /// What the function gets as its first argument.
    pub argument: Result<PointerValue, ValueError>,
}

/// All of them, in the kernel's order: by event and priority.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VnetHandlers {
    /// Those that are called for each vnet.
    pub handlers: Vec<VnetHandler>,
    /// The number of all handlers, including those that are not called for each vnet.
    pub registered: usize,
    /// What is wrong with those that are not called for each vnet.
    pub call_outs: Vec<CallOut>,
    /// Why others may be missing.
    pub problems: Problems,
}

/// EHE_DEAD_PRIORITY: deregistered while the list was in use.
const DEAD: i64 = -1;

const ITERATOR: &str = "vnet_global_eventhandler_iterator_func";

const LISTS: List<'_> = List { name: &"eventhandler_lists", element: "list of handlers" };

impl VnetHandlers {
    /// Walks all lists.
    ///
    /// # Errors
    /// The kernel has no VIMAGE, no such lists, or no debug information about them.
    pub fn read(target: &Target, unloaded: &Unloaded) -> Result<Self, VnetError> {
        if target.kernel().set_vnet().is_none() {
            return Err(VnetError::without_set(target.kernel()));
        }
        let reader = Reader::new(target, unloaded)?;
        let lists = Object::global(target, "eventhandler_lists")?;
        let mut all = Self::default();
        if !queue::is_made(&lists) {
            all.problems.add(Problem::new(LISTS.what(), queue::NOT_MADE));
        }
        for list in queue::walk(lists, "el_link", LISTS).take(&mut all.problems) {
            all.add_list(&reader, &list);
        }
        Ok(all)
    }

    fn add_list(&mut self, reader: &Reader<'_>, list: &Object<'_>) {
        let event = list.text("el_name").map(Box::from).map_err(ValueError::from);
        let name = match &event {
            Ok(event) => format!("the handlers of {event}"),
            Err(_) => format!("the handlers of the list at {}", list.address),
        };
        let handlers = List { name: &name, element: "handler" };
        let entries = match list.member("el_entries") {
            Ok(head) => queue::walk(head, "ee_link", handlers).take(&mut self.problems),
            Err(why) => return self.problems.add(handlers.unreadable(list.address, why)),
        };
        self.registered += entries.len();
        for entry in &entries {
            match reader.iterates(entry) {
                Ok(false) => self.call_outs.extend(reader.stale(&name, entry)),
                Ok(true) => self.handlers.push(reader.handler(event.clone(), entry)),
                Err(why) => self.problems.add(handlers.element(entry.address, why)),
            }
        }
    }
}

impl VnetHandler {
    /// Whether it was deregistered while its event was being handled.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.priority == Ok(DEAD)
    }
}

/// What identifies entries, and the types to read them with.
struct Reader<'t> {
    target: &'t Target,
    unloaded: &'t Unloaded,
    iterator: VirtAddr,
    generic: TypeId,
    vimage: TypeId,
}

impl<'t> Reader<'t> {
    fn new(target: &'t Target, unloaded: &'t Unloaded) -> Result<Self, ReadError> {
        Ok(Self {
            target,
            unloaded,
            iterator: target.address_of(ITERATOR)?,
            generic: target.types()?.find("struct eventhandler_entry_generic")?,
            vimage: target.types()?.find("struct eventhandler_entry_vimage")?,
        })
    }

    /// Whether the entry's function is the one that iterates over all vnets.
    fn iterates(&self, entry: &Object<'_>) -> Result<bool, ReadError> {
        Ok(self.function(entry)? == self.iterator)
    }

    fn function(&self, entry: &Object<'_>) -> Result<VirtAddr, ReadError> {
        let before = self.target.types()?.member(self.generic, "ee")?.offset;
        let start = entry.address.wrapping_add(before.wrapping_neg());
        Object::new(self.target, self.generic, start).pointer("func")
    }

    /// The call-out about an entry whose function is not loaded. A dead one is never called.
    fn stale(&self, list: &str, entry: &Object<'_>) -> Option<CallOut> {
        if entry.int("ee_priority") == Ok(DEAD) {
            return None;
        }
        let why = self.unloaded.function(self.function(entry).ok()?).err()?;
        let why = format!("{list}: {}", why.message);
        Some(CallOut::new("stale-function", entry.address, why))
    }

    fn handler(&self, event: Result<Box<str>, ValueError>, entry: &Object<'_>) -> VnetHandler {
        let real = entry.pointer("ee_arg").map(|at| Object::new(self.target, self.vimage, at));
        let pointer = |member, function| -> Result<PointerValue, ValueError> {
            let address = real.clone()?.pointer(member)?;
            let address = match function {
                true => self.unloaded.function(address)?,
                false => self.unloaded.argument(address)?,
            };
            Ok(symbolic(self.target, address, function))
        };
        VnetHandler {
            event,
            address: entry.address,
            priority: entry.int("ee_priority").map_err(ValueError::from),
            function: pointer("func", true),
            argument: pointer("ee_arg", false),
        }
    }
}
