//! The struct that a driver keeps for an interface.

use crate::addr::VirtAddr;
use crate::target::Target;
use crate::types::TypeError;
use crate::value::Object;
use crate::value::model::{ErrorKind, ValueError};
use crate::views::interfaces::Field;
use crate::walk::{Problems, Walk};

/// A driver's struct, and the module that has it where it is not compiled into the kernel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub type_name: &'static str,
    pub module: &'static str,
}

impl Kind {
    /// The struct that if_softc of `interface` points to.
    pub fn of<'t>(self, interface: &Object<'t>) -> Field<Object<'t>> {
        self.at(interface.target(), interface.pointer("if_softc")?)
    }

    /// The struct at `at`.
    pub fn at<'t>(self, target: &'t Target, at: VirtAddr) -> Field<Object<'t>> {
        let type_id = target.types()?.find(self.type_name).map_err(|why| self.unknown(why))?;
        let softc = Object::new(target, type_id, at);
        if at.is_null() {
            let message = format!("there is no {}: the pointer to it is NULL", self.type_name);
            return Err(error(ErrorKind::BadAddress, None, message));
        }
        softc.check_freed()?;
        softc.probe()?;
        Ok(softc)
    }

    fn unknown(self, why: TypeError) -> ValueError {
        match why.is_no_match() {
            true => error(ErrorKind::NoType, None, format!("no types of {}", self.module)),
            false => why.into(),
        }
    }
}

/// An error in the place of what a driver's struct would say.
pub(super) fn error(kind: ErrorKind, at: Option<VirtAddr>, message: String) -> ValueError {
    ValueError { kind, address: at, message: message.into() }
}

/// The elements of a list that can be read to its end; else the error in its place.
pub(super) fn whole<T>(walk: Walk<T>) -> Field<Vec<T>> {
    let mut problems = Problems::default();
    let found = walk.take(&mut problems);
    problems.none()?;
    Ok(found)
}
