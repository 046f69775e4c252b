//! How a network stack is built and destroyed: vnet_alloc, vnet_destroy, and both interrupted.
//!
//! `sys/net/vnet.c`. A new stack first runs all constructors and is then put on the list. A
//! dying one is first taken off the list and then runs all destructors in reverse. `vnet_state`,
//! which was added in 11.0, is set to the subsystem before each call. So a stack that hangs in a
//! call is on no list, and only the thread that builds or destroys it has its address.

use super::scope::Vnet;
use super::sysinit::{Sysinit, SysinitKind};
use super::trace::Event;
use super::{Runtime, Scope};
use crate::image::ImageError;
use crate::image::object::Object;

/// Where construction or destruction stops: at the start of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The call of this function.
    Function(String),
    /// The first call of this subsystem, by enumerator.
    Subsystem(String),
}

impl Stop {
    /// `SI_SUB_…` is a subsystem, anything else a function.
    pub fn parse(text: &str) -> Self {
        match text.starts_with("SI_SUB_") {
            true => Self::Subsystem(text.to_owned()),
            false => Self::Function(text.to_owned()),
        }
    }
}

/// A stack whose construction or destruction was interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HalfWay {
    /// The stack.
    pub vnet: Vnet,
    /// The list that is being run.
    pub kind: SysinitKind,
    /// The entry whose function was called and has not returned.
    pub within: Sysinit,
}

impl Runtime {
    /// vnet_alloc: a new stack with the initial values of every variable, after all
    /// constructors have run.
    ///
    /// The first stack becomes vnet0. Its state stays 0, because the kernel registers (and runs)
    /// all
    /// constructors only after it exists.
    ///
    /// # Errors
    /// The kernel has no VIMAGE, or the machine no memory left.
    pub fn vnet_alloc(&mut self) -> Result<Vnet, ImageError> {
        let vnet = self.allocate_vnet()?;
        let constructors = self.sysinits(SysinitKind::Constructor)?;
        for entry in &constructors {
            self.set_state_of(vnet, entry.subsystem)?;
            self.call_entry(SysinitKind::Constructor, *entry, vnet)?;
        }
        if self.vnet0() != Some(vnet) {
            // By the last one, vnet_sysinit_done, which then does nothing.
            self.set_state_of(vnet, self.done_state())?;
        }
        let is_if_init = |entry: &Sysinit| self.function_name(entry.function) == "vnet_if_init";
        if !constructors.iter().any(is_if_init) {
            self.init_interface_list(Scope::Vnet(vnet))?;
        }
        self.link_vnet(vnet)?;
        Ok(vnet)
    }

    /// vnet_alloc by a thread that does not return from one of the constructors.
    ///
    /// # Errors
    /// As [`Runtime::vnet_alloc`], or `stop` matches no constructor.
    pub fn vnet_alloc_until(&mut self, stop: &Stop) -> Result<HalfWay, ImageError> {
        let constructors = self.sysinits(SysinitKind::Constructor)?;
        let place = self.place_of(stop, &constructors)?;
        let vnet = self.allocate_vnet()?;
        self.run_until(SysinitKind::Constructor, &constructors, place, vnet)
    }

    /// vnet_destroy: takes it off the list, runs all destructors in reverse, then poisons and
    /// frees `struct vnet` and its data.
    ///
    /// # Errors
    /// It is vnet0, is not on the list, or still has sockets (then the kernel panics).
    pub fn vnet_destroy(&mut self, vnet: Vnet) -> Result<(), ImageError> {
        self.retire(vnet)?;
        let mut destructors = self.sysinits(SysinitKind::Destructor)?;
        destructors.reverse();
        for entry in destructors {
            self.set_state_of(vnet, entry.subsystem)?;
            self.call_entry(SysinitKind::Destructor, entry, vnet)?;
        }
        self.free_interfaces(Scope::Vnet(vnet), "")?;
        self.free_vnet(vnet)
    }

    /// vnet_destroy by a thread that does not return from one of the destructors.
    ///
    /// # Errors
    /// As [`Runtime::vnet_destroy`], or `stop` matches no destructor.
    pub fn vnet_destroy_until(&mut self, vnet: Vnet, stop: &Stop) -> Result<HalfWay, ImageError> {
        let mut destructors = self.sysinits(SysinitKind::Destructor)?;
        destructors.reverse();
        let place = self.place_of(stop, &destructors)?;
        self.retire(vnet)?;
        self.run_until(SysinitKind::Destructor, &destructors, place, vnet)
    }

    fn run_until(
        &mut self,
        kind: SysinitKind,
        entries: &[Sysinit],
        place: usize,
        vnet: Vnet,
    ) -> Result<HalfWay, ImageError> {
        for (number, entry) in entries.iter().enumerate() {
            self.set_state_of(vnet, entry.subsystem)?;
            if number == place {
                let function = self.function_name(entry.function);
                self.note(Event::Called { kind, function, vnet: Some(vnet) });
                return Ok(HalfWay { vnet, kind, within: *entry });
            }
            self.call_entry(kind, *entry, vnet)?;
        }
        Err(ImageError::Refused("there is nothing to stop in".into()))
    }

    fn place_of(&self, stop: &Stop, entries: &[Sysinit]) -> Result<usize, ImageError> {
        let (place, what) = match stop {
            Stop::Function(name) => {
                let named = |entry: &Sysinit| self.function_name(entry.function) == *name;
                (entries.iter().position(named), name)
            }
            Stop::Subsystem(name) => {
                let value = self.enumerator(name);
                let within = |entry: &Sysinit| Some(entry.subsystem) == value;
                (entries.iter().position(within), name)
            }
        };
        place.ok_or_else(|| {
            ImageError::Refused(format!("nothing that runs then is registered for {what}"))
        })
    }

    fn set_state_of(&mut self, vnet: Vnet, state: u64) -> Result<(), ImageError> {
        let object = self.vnet_object(vnet)?;
        if self.kernel.has(object, "vnet_state") {
            self.kernel.set(object, "vnet_state", state)?;
            self.note(Event::State { vnet, state });
        }
        Ok(())
    }

    /// The part of vnet_destroy before the destructors run.
    fn retire(&mut self, vnet: Vnet) -> Result<(), ImageError> {
        if self.vnet0() == Some(vnet) {
            return Err(ImageError::Refused("vnet0 is never destroyed".into()));
        }
        if !self.vnets()?.contains(&vnet) {
            return Err(ImageError::NotOnList(vnet.0));
        }
        let object = self.vnet_object(vnet)?;
        if self.kernel.get(object, "vnet_sockcnt")? != 0 {
            return Err(ImageError::Assertion("vnet_destroy: vnet still has sockets".into()));
        }
        self.unlink_vnet(vnet)?;
        if self.kernel.has(object, "vnet_shutdown") {
            self.kernel.set(object, "vnet_shutdown", 1)?;
            self.note(Event::Shutdown(vnet));
        }
        // Since 11 vnet_if_return is a destructor; before, vnet_destroy did it itself.
        if self.kernel.address_of("vnet_if_return").is_none() {
            self.return_interfaces(Scope::Vnet(vnet))?;
        }
        Ok(())
    }

    /// Leaves `thread`, a `struct thread`, inside the interrupted call: curvnet is the
    /// stack, its kernel stack shows the calls, and it shares the lock on the registrations.
    ///
    /// # Errors
    /// The kernel lacks a type, or the machine has no memory left.
    pub fn hang(&mut self, thread: Object, half: &HalfWay) -> Result<(), ImageError> {
        let callers = match half.kind {
            SysinitKind::Constructor => {
                self.note_curvnet(thread, half.vnet, "vnet_alloc")?;
                CONSTRUCTION
            }
            SysinitKind::Destructor => {
                self.note_curvnet(thread, half.vnet, "vnet_destroy")?;
                DESTRUCTION
            }
        };
        self.hold_shared("vnet_sysinit_sxlock")?;
        self.sleep_in(thread, half.within.function, callers)
    }
}

/// The callers of constructors, innermost first. Functions that a kernel does not have, or has
/// inlined, are left out (`sys/kern/kern_jail.c`, `sys/amd64/amd64/trap.c`).
const CONSTRUCTION: &[&str] =
    &["vnet_sysinit", "vnet_alloc", "kern_jail_set", "sys_jail_set", "amd64_syscall"];
const DESTRUCTION: &[&str] = &[
    "vnet_sysuninit",
    "vnet_destroy",
    "prison_deref",
    "prison_remove_one",
    "sys_jail_remove",
    "amd64_syscall",
];
