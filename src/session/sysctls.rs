//! The session's answers about sysctls.

use crate::error::Error;
use crate::session::Session;
use crate::value::Limits;
use crate::views::sysctls::{SysctlReader, SysctlTree};
use crate::vnet::VnetError;

impl Session {
    /// The sysctls of these names or patterns and those below them; without names, all.
    /// [`Session::missed_sysctls`] gives the names that match none.
    ///
    /// # Errors
    /// The tree or the debug information is missing.
    pub fn sysctls(&self, names: &[String]) -> Result<SysctlTree, Error> {
        self.require_match()?;
        Ok(SysctlTree::read(self.target(), names)?)
    }

    /// For each of `names` that matches no sysctl of `tree`, why.
    ///
    /// # Errors
    /// The tree is missing.
    pub fn missed_sysctls(
        &self,
        tree: &SysctlTree,
        names: &[String],
    ) -> Result<Vec<VnetError>, Error> {
        let missed: Vec<&String> = names.iter().filter(|name| !tree.has(name)).collect();
        if missed.is_empty() {
            return Ok(Vec::new());
        }
        let all = SysctlTree::read(self.target(), &[])?;
        let why = |name: &String| match tree.problems.none() {
            Ok(()) => VnetError::NoSuchSysctl { name: name.clone(), near: all.near(name) },
            Err(problem) => {
                VnetError::SysctlUnknown { name: name.clone(), because: Box::new(problem) }
            }
        };
        Ok(missed.into_iter().map(why).collect())
    }

    /// A reader for the values of sysctls.
    pub fn sysctl_reader(&self, limits: &Limits) -> SysctlReader<'_> {
        SysctlReader::new(
            self.target(),
            self.counters(),
            self.reader(limits),
            self.all_variables().ok(),
            self.unloaded(),
        )
    }
}
