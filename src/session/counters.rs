//! The session's answers about counters.

use crate::addr::VirtAddr;
use crate::error::Error;
use crate::session::{Matches, Session};
use crate::value::Counters;
use crate::value::Value;
use crate::value::counter::{has_sums, mark_stale};
use crate::views::counters::names;
use crate::views::counters::{CounterSums, CounterVariable, Teardown};
use crate::vnet::{SetVariable, Stack, VnetError};
use crate::walk::Problems;

/// The variables with counters that some patterns match.
#[derive(Debug, Default)]
pub struct CounterMatches {
    /// Each once, in order of name.
    pub variables: Vec<CounterVariable>,
    /// For each pattern that matches none, why.
    pub missed: Vec<VnetError>,
    /// Why others may be missing.
    pub problems: Problems,
}

impl Session {
    /// The variables with counters that match any of the patterns; without a
    /// pattern, all of them. `types` names the statistics structs of arrays whose
    /// own names do not show it: pairs of a variable and a type.
    ///
    /// # Errors
    /// A pattern matches none, or none with counters; there is no such type, or
    /// it does not fit; the kernel has no debug information.
    pub fn counter_variables(
        &self,
        patterns: &[String],
        types: &[(String, String)],
    ) -> Result<Vec<CounterVariable>, Error> {
        let mut found = self.counter_matches(patterns, types)?;
        found.missed.pop().map_or(Ok(found.variables), |why| Err(why.into()))
    }

    /// The same, with the reason for each pattern that matches none with counters.
    ///
    /// # Errors
    /// There is no such type, or it does not fit; the kernel has no debug information.
    pub fn counter_matches(
        &self,
        patterns: &[String],
        types: &[(String, String)],
    ) -> Result<CounterMatches, Error> {
        self.target().types()?;
        let Matches { variables, mut missed, problems } = self.matches(patterns)?;
        let found = self.with_counters(variables, types)?;
        for pattern in patterns {
            let named = self.matches(std::slice::from_ref(pattern))?.variables;
            let has_some = found.iter().any(|has| named.contains(&has.variable));
            if !named.is_empty() && !has_some {
                missed.push(VnetError::NoCounters { name: pattern.clone() });
            }
        }
        for (name, type_name) in types {
            self.check_statistics(&found, bare(name), type_name)?;
        }
        Ok(CounterMatches { variables: found, missed, problems })
    }

    fn with_counters(
        &self,
        variables: Vec<SetVariable>,
        types: &[(String, String)],
    ) -> Result<Vec<CounterVariable>, Error> {
        let mut found = Vec::new();
        for variable in variables {
            let named = |(name, _): &&(String, String)| *bare(name) == *variable.name;
            let statistics = types.iter().find(named);
            let find = |(_, name): &(String, String)| {
                self.target().types()?.find(name).map_err(|why| match why.is_no_match() {
                    true => Error::NoSuchType(why),
                    false => Error::from(why),
                })
            };
            let statistics = statistics.map(find).transpose()?;
            found.extend(CounterVariable::of(self.target(), &variable, statistics)?);
        }
        Ok(found)
    }

    /// The sums of a variable's counters in a network stack.
    pub fn counter_sums(&self, stack: Stack<'_>, variable: &CounterVariable) -> CounterSums {
        variable.read(self.target(), self.counters(), stack)
    }

    /// How this kernel's counters are summed.
    pub fn counters(&self) -> &Counters {
        self.counters.get_or_init(|| Counters::of(self.target()))
    }

    /// The variable in whose copy an address lies.
    pub(super) fn variable_at(
        &self,
        stack: Stack<'_>,
        address: Option<VirtAddr>,
    ) -> Option<&SetVariable> {
        let (vnet, address) = stack.vnet().zip(address)?;
        let master = address.get().wrapping_sub(vnet.data_base.get());
        let master = VirtAddr::new(self.target().arch().wrap(master));
        let mut variables = self.all_variables().ok()?.all().iter();
        variables.find(|variable| {
            master.offset_from(variable.master).is_some_and(|offset| offset < variable.size)
        })
    }

    /// Replaces the sums in a value of a vnet whose counters may be freed by errors.
    pub(super) fn withdraw_stale_sums(
        &self,
        stack: Stack<'_>,
        variable: Option<&str>,
        value: &mut Value,
    ) {
        let Some(vnet) = stack.vnet().filter(|_| has_sums(value)) else { return };
        let why =
            Teardown::of(self.target(), vnet).and_then(|past| past.why(self.target(), variable));
        if let Some(why) = why {
            mark_stale(value, &why);
        }
    }

    /// Checks that the requested type names the counters of that variable.
    fn check_statistics(
        &self,
        found: &[CounterVariable],
        name: &str,
        type_name: &str,
    ) -> Result<(), Error> {
        let types = self.target().types()?;
        let other = |why: String| -> Error {
            let (name, type_name) = (name.to_owned(), type_name.to_owned());
            VnetError::OtherStatistics { name, type_name, why }.into()
        };
        let Some(variable) = found.iter().find(|found| *found.variable.name == *name) else {
            return Err(other(format!("{name} is not among the counters asked for")));
        };
        let array = variable.variable.type_id.map(|id| names::is_counter_array(types, id));
        if !array.transpose()?.unwrap_or(false) {
            return Err(other(format!("{name} is not an array of counters")));
        }
        let (size, count) = (types.size_of(types.find(type_name)?)?, variable.places.len() as u64);
        match count.checked_mul(8) {
            Some(wanted) if wanted == size => Ok(()),
            _ => Err(other(format!("it has {size} bytes, but {count} counters need 8 bytes each"))),
        }
    }
}

/// A variable's name as people copy it from C.
fn bare(name: &str) -> &str {
    name.strip_prefix("V_").unwrap_or(name)
}
