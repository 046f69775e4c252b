//! What the struct of a jail says about it, beside its name and its vnet.

use super::Jail;
use super::flags::{self, PR_HOST, Permissions};
use crate::target::{ReadError, Target};
use crate::value::model::ValueError;

/// Members of a `struct prison`, each read for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The root directory.
    pub path: Result<Box<str>, ValueError>,
    /// The host name, which the kernel copies from the parent if the jail has none of its own.
    pub hostname: Result<Box<str>, ValueError>,
    /// Whether the host name is its own.
    pub own_hostname: Result<bool, ValueError>,
    /// The names of the bits of `pr_flags`: `persist`, `vnet`.
    pub flags: Result<Vec<Box<str>>, ValueError>,
    /// The names of the bits of `pr_allow`: `raw_sockets`.
    pub allow: Result<Vec<Box<str>>, ValueError>,
    /// How many things hold it (`pr_ref`).
    pub references: Result<i64, ValueError>,
    /// How many of them keep it alive (`pr_uref`).
    pub user_references: Result<i64, ValueError>,
}

impl Record {
    /// Reads the prison of `jail`.
    ///
    /// # Errors
    /// The kernel has no debug information about prisons.
    pub fn read(
        target: &Target,
        jail: &Jail,
        permissions: &Permissions,
    ) -> Result<Self, ReadError> {
        let prison = jail.prison(target)?;
        let text = |member: &str| Ok(prison.text(member)?.into());
        let bits = |member: &str| prison.uint(member).map_err(ValueError::from);
        let number = |member: &str| prison.int(member).map_err(ValueError::from);
        Ok(Self {
            path: text("pr_path"),
            hostname: text("pr_hostname"),
            own_hostname: bits("pr_flags").map(|bits| jail.jid == 0 || bits & PR_HOST != 0),
            flags: bits("pr_flags").map(flags::flags),
            allow: bits("pr_allow").map(|bits| permissions.of(bits)),
            references: number("pr_ref"),
            user_references: number("pr_uref"),
        })
    }
}
