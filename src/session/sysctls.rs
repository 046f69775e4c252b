//! The session's answers about sysctls.

use crate::error::{Error, VnetError};
use crate::session::Session;
use crate::value::Limits;
use crate::views::sysctls::{SysctlReader, SysctlTree};

impl Session {
    /// The sysctls of these names or patterns and those below them; without names, all.
    ///
    /// # Errors
    /// There is none of a name; the tree or the debug information is missing.
    pub fn sysctls(&self, names: &[String]) -> Result<SysctlTree, Error> {
        self.require_kinship()?;
        self.know_modules();
        let tree = SysctlTree::read(self.target(), names)?;
        match names.iter().find(|name| !tree.has(name)) {
            None => Ok(tree),
            Some(name) => {
                let near = SysctlTree::read(self.target(), &[])?.near(name);
                Err(VnetError::NoSuchSysctl { name: name.clone(), near }.into())
            }
        }
    }

    /// What reads the values of sysctls.
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
