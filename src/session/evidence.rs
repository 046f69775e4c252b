//! What checks are made of.

use super::Session;
use crate::error::Error;
use crate::value::Limits;
use crate::views::backtrace::Tracer;
use crate::views::checks::{Evidence, Known};
use crate::vnet::VnetError;
use crate::walk::{Problem, Problems};

impl Session {
    /// What checks are made of. What is unknown is unknown to them too.
    ///
    /// # Errors
    /// The kernel is not the dump's.
    pub fn evidence(&self) -> Result<Evidence<'_>, Error> {
        let target = self.matching_target()?;
        let vnets = self.vnets();
        let vnet_problems = match (&vnets, self.kernel().set_vnet()) {
            (Ok(vnets), _) => vnets.problems.clone(),
            (Err(why), Some(_)) => unknown("the list of vnets", why).into(),
            // Without VIMAGE there is one stack, and no list of them.
            (Err(_), None) => Problems::default(),
        };
        Ok(Evidence::new(Known {
            target,
            list: self.list().map_err(|why| unknown("the list of vnets", &why)),
            vnets: vnets
                .map(|vnets| &vnets.all[..])
                .map_err(|why| unknown("the list of vnets", &why)),
            vnet_problems,
            jails: self.all_jails().map_err(|why| unknown("the jails", &why)),
            copies: self.all_copies().map_err(|why| unknown("the variables", &why)),
            variables: self.all_variables().map_err(|why| unknown("the variables", &why)),
            all_threads: self.known_threads(),
            modules: self.modules()?,
            unloaded: self.unloaded(),
            counters: self.counters(),
            tracer: Tracer::new(target, self.reader(&Limits::default())),
        }))
    }
}

/// Why something is unknown.
fn unknown(what: &str, why: &Error) -> Problem {
    match why {
        Error::Vnet(VnetError::NoList { because }) => (**because).clone(),
        Error::Read(why) | Error::Vnet(VnetError::Read(why)) => {
            Problem::unreadable(what, why.clone())
        }
        other => Problem::new(what, other.to_string()),
    }
}
