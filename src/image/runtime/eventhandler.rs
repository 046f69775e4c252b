//! Event handlers, for one caller or for all network stacks.
//!
//! `sys/kern/subr_eventhandler.c`: there is a list for each event, made when its first handler is
//! registered, newest list first. Its entries are sorted by priority. A handler for all stacks is
//! registered as an iterator (`vnet_global_eventhandler_iterator_func`,
//! `sys/net/vnet.c`), whose argument is a `struct eventhandler_entry_vimage` with the real
//! function. That happens only if curvnet is vnet0, because a constructor that registers it runs
//! once for each stack.

use super::curvnet::Place;
use super::trace::Event;
use super::{Queue, Runtime, Scope};
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::object::Object;

/// A handler to register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandlerOptions {
    /// Name of the event: `ifnet_arrival_event`.
    pub event: String,
    /// Symbol of the function, or its address in hex.
    pub function: String,
    /// The first argument of the function.
    pub argument: u64,
    /// Lower ones are called first: EVENTHANDLER_PRI_FIRST is 0, _ANY 10000, _LAST 20000.
    pub priority: u64,
}

/// EVENTHANDLER_PRI_ANY.
pub const PRIORITY_ANY: u64 = 10_000;
/// EHE_DEAD_PRIORITY, an int of -1: deregistered while the list was in use.
const DEAD: u64 = 0xffff_ffff;
/// EHL_INITTED of `sys/sys/eventhandler.h`.
const INITIALISED: u64 = 1;

const ITERATOR: &str = "vnet_global_eventhandler_iterator_func";
const GENERIC: &str = "struct eventhandler_entry_generic";
const VIMAGE: &str = "struct eventhandler_entry_vimage";

impl Runtime {
    /// EVENTHANDLER_REGISTER. Returns the tag: the address of its `struct eventhandler_entry`.
    ///
    /// # Errors
    /// The kernel has no such function.
    pub fn eventhandler_register(
        &mut self,
        options: &HandlerOptions,
    ) -> Result<VirtAddr, ImageError> {
        let function = self.function(&options.function)?;
        let entry = self.kernel.malloc("eventhandler", GENERIC)?;
        self.kernel.set_pointer(entry, "func", function)?;
        self.kernel.set(entry, "ee.ee_arg", options.argument)?;
        self.insert_handler(options, entry)
    }

    /// VNET_GLOBAL_EVENTHANDLER_REGISTER and _TAG: a handler that is called for each
    /// stack. Returns `None` and registers nothing if `curvnet` is not vnet0. Without VIMAGE it is
    /// a
    /// plain EVENTHANDLER_REGISTER.
    ///
    /// # Errors
    /// The kernel has no such function.
    pub fn vnet_global_eventhandler_register(
        &mut self,
        curvnet: Scope,
        options: &HandlerOptions,
    ) -> Result<Option<VirtAddr>, ImageError> {
        let vnet = match curvnet {
            Scope::Vnet(vnet) => Some(vnet),
            Scope::Kernel => None,
        };
        if !self.is_default_vnet(vnet) {
            return Ok(None);
        }
        if self.vnets.is_none() {
            return self.eventhandler_register(options).map(Some);
        }
        let (function, iterator) = (self.function(&options.function)?, self.function(ITERATOR)?);
        // struct eventhandler_entry_generic_vimage: one after the other.
        let types = self.kernel.types();
        let (generic, vimage) = (types.find(GENERIC)?, types.find(VIMAGE)?);
        let (first, second) = (types.size_of(generic)?, types.size_of(vimage)?);
        let size = first.saturating_add(second);
        let at = self.kernel.machine_mut().malloc("eventhandler", size)?;
        let entry = Object::new(at, generic);
        let real = Object::new(at.wrapping_add(first), vimage);
        self.kernel.set_pointer(real, "func", function)?;
        self.kernel.set(real, "ee_arg", options.argument)?;
        self.kernel.set_pointer(entry, "func", iterator)?;
        self.kernel.set_pointer(entry, "ee.ee_arg", real.address)?;
        self.insert_handler(options, entry).map(Some)
    }

    /// EVENTHANDLER_DEREGISTER of the handler with this tag by a handler of the same event. The
    /// list is in use (el_runcount), so the entry stays in place, marked dead.
    ///
    /// # Errors
    /// The event has no such handler.
    pub fn eventhandler_kill(&mut self, event: &str, tag: VirtAddr) -> Result<(), ImageError> {
        let list = self.event_list(event)?.ok_or(ImageError::NotOnList(tag))?;
        if self.kernel.has(list, "el_runcount") {
            let count = self.kernel.get(list, "el_runcount")?;
            self.kernel.set(list, "el_runcount", count.max(1))?;
        }
        let entry = self.kernel.object(tag, "struct eventhandler_entry")?;
        self.kernel.set(entry, "ee_priority", DEAD)
    }

    /// EVENTHANDLER_DEREGISTER of the handler with this tag.
    ///
    /// # Errors
    /// The event has no such handler.
    pub fn eventhandler_deregister(
        &mut self,
        event: &str,
        tag: VirtAddr,
    ) -> Result<(), ImageError> {
        let list = self.event_list(event)?.ok_or(ImageError::NotOnList(tag))?;
        let (head, queue) = self.entries(list)?;
        if !queue.elements(self.kernel.machine(), head)?.contains(&tag) {
            return Err(ImageError::NotOnList(tag));
        }
        queue.remove(self.kernel.machine_mut(), head, tag)?;
        self.kernel.machine_mut().free(tag)
    }

    /// EVENTHANDLER_INVOKE by `thread`: calls all handlers that are not dead, global ones once
    /// for each listed stack, with curvnet set to it and the list locked.
    ///
    /// # Errors
    /// A thread holds the list of stacks exclusively.
    pub fn eventhandler_invoke(&mut self, event: &str, thread: Object) -> Result<(), ImageError> {
        let Some(list) = self.event_list(event)? else { return Ok(()) };
        let (head, queue) = self.entries(list)?;
        let iterator = self.kernel.address_of(ITERATOR);
        for at in queue.elements(self.kernel.machine(), head)? {
            let entry = self.kernel.object(at, GENERIC)?;
            if self.kernel.get(entry, "ee.ee_priority")? == DEAD {
                continue;
            }
            let function = VirtAddr::new(self.kernel.get(entry, "func")?);
            if Some(function) != iterator {
                let function = self.function_name(function);
                self.note(Event::Handler { event: event.to_owned(), function, vnet: None });
                continue;
            }
            let real = VirtAddr::new(self.kernel.get(entry, "ee.ee_arg")?);
            let real = self.kernel.object(real, VIMAGE)?;
            let function = VirtAddr::new(self.kernel.get(real, "func")?);
            self.invoke_on_all(event, &self.function_name(function), thread)?;
        }
        Ok(())
    }

    fn invoke_on_all(
        &mut self,
        event: &str,
        function: &str,
        thread: Object,
    ) -> Result<(), ImageError> {
        let place = Place { file: "/usr/src/sys/net/vnet.c", line: 664, function: ITERATOR };
        self.vnet_list_rlock()?;
        for scope in self.vnet_foreach()? {
            let Scope::Vnet(vnet) = scope else { continue };
            let saved = self.curvnet_set(thread, vnet.0, place)?;
            let (event, function) = (event.to_owned(), function.to_owned());
            self.note(Event::Handler { event, function, vnet: Some(vnet) });
            self.curvnet_restore(saved, place)?;
        }
        self.vnet_list_runlock()
    }

    /// The position after all entries whose priority is not greater.
    fn insert_handler(
        &mut self,
        options: &HandlerOptions,
        entry: Object,
    ) -> Result<VirtAddr, ImageError> {
        self.kernel.set(entry, "ee.ee_priority", options.priority)?;
        let list = match self.event_list(&options.event)? {
            Some(list) => list,
            None => self.new_event_list(&options.event)?,
        };
        let (head, queue) = self.entries(list)?;
        let mut behind = None;
        for at in queue.elements(self.kernel.machine(), head)? {
            let other = self.kernel.object(at, "struct eventhandler_entry")?;
            let priority = self.kernel.get(other, "ee_priority")?;
            if priority != DEAD && priority > options.priority && behind.is_none() {
                behind = Some(at);
            }
        }
        let machine = self.kernel.machine_mut();
        match behind {
            Some(other) => queue.insert_before(machine, head, other, entry.address)?,
            None => queue.insert_tail(machine, head, entry.address)?,
        }
        Ok(entry.address)
    }

    /// The list of an event's handlers; `None` if there is none.
    fn event_list(&self, event: &str) -> Result<Option<Object>, ImageError> {
        let (head, queue) = self.event_lists()?;
        for at in queue.elements(self.kernel.machine(), head)? {
            let list = self.kernel.object(at, "struct eventhandler_list")?;
            let name = VirtAddr::new(self.kernel.get(list, "el_name")?);
            if self.kernel.text(name)? == event {
                return Ok(Some(list));
            }
        }
        Ok(None)
    }

    /// The name follows the list, in the same allocation.
    fn new_event_list(&mut self, event: &str) -> Result<Object, ImageError> {
        let type_id = self.kernel.types().find("struct eventhandler_list")?;
        let size = self.kernel.types().size_of(type_id)?;
        let whole = size.saturating_add(event.len() as u64 + 1);
        let at = self.kernel.machine_mut().malloc("eventhandler", whole)?;
        let (list, name) = (Object::new(at, type_id), at.wrapping_add(size));
        self.kernel.machine_mut().write(name, event.as_bytes())?;
        self.kernel.set_pointer(list, "el_name", name)?;
        self.kernel.set_if_any(list, "el_flags", INITIALISED)?;
        let (entries, queue) = self.entries(list)?;
        queue.init(self.kernel.machine_mut(), entries)?;
        let (head, queue) = self.event_lists()?;
        queue.insert_head(self.kernel.machine_mut(), head, list.address)?;
        Ok(list)
    }

    fn event_lists(&self) -> Result<(VirtAddr, Queue), ImageError> {
        let head = self.kernel.variable("eventhandler_lists")?;
        let list = self.kernel.types().find("struct eventhandler_list")?;
        Ok((head.address, Queue::of(&self.kernel, head.type_id, list, "el_link")?))
    }

    fn entries(&self, list: Object) -> Result<(VirtAddr, Queue), ImageError> {
        let head = self.kernel.member(list, "el_entries")?;
        let entry = self.kernel.types().find("struct eventhandler_entry")?;
        Ok((head.address, Queue::of(&self.kernel, head.type_id, entry, "ee_link")?))
    }
}
