//! The names of the bits of `pr_flags` and `pr_allow`.
//!
//! The names of permissions come from the kernel's own table, because bits have moved between
//! releases and modules add some at run time: `pr_flag_allow` since 12, `pr_allow_names` before
//! that (`sys/kern/kern_jail.c`).

use crate::target::{ReadError, Target};
use crate::value::Object;

/// PR_PERSIST and its kin (`sys/sys/jail.h`, 9.3 to main), without the prefix.
const FLAGS: [(u64, &str); 13] = [
    (0x1, "persist"),
    (0x2, "host"),
    (0x4, "ip4_user"),
    (0x8, "ip6_user"),
    (0x10, "vnet"),
    (0x20, "ip4_disable"),
    (0x40, "ip6_disable"),
    (0x80, "ip4_saddrsel"),
    (0x100, "ip6_saddrsel"),
    (0x0100_0000, "remove"),
    (0x0200_0000, "ip4"),
    (0x0400_0000, "ip6"),
    (0x0800_0000, "complete_proc"),
];

/// The jail exists without processes.
pub const PR_PERSIST: u64 = 0x1;
/// The host name and its kin are its own.
pub const PR_HOST: u64 = 0x2;

/// The most entries of a table: there are 32 bits.
const MOST: u64 = 64;

/// The longest name, in bytes.
const LONGEST: usize = 64;

/// The bits of `pr_allow` and their names, `set_hostname`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permissions(Vec<(u64, Box<str>)>);

/// The names of the bits of `pr_flags`. Bits without a name are one number.
pub fn flags(value: u64) -> Vec<Box<str>> {
    names(value, FLAGS.iter().map(|(bit, name)| (*bit, *name)))
}

impl Permissions {
    /// The kernel's own table; empty if it has none.
    pub fn read(target: &Target) -> Self {
        let new = table(target, "pr_flag_allow", |_, entry| {
            Ok((entry.uint("flag")?, entry.text("name")?))
        });
        let found = new.or_else(|_| {
            table(target, "pr_allow_names", |index, entry| {
                let bit = 1_u64.checked_shl(index as u32).unwrap_or_default();
                let name = target.memory().pointer(entry.address)?;
                let name = target.memory().c_string(name, LONGEST)?;
                Ok((bit, String::from_utf8_lossy(&name).into_owned()))
            })
        });
        let known = found.unwrap_or_default().into_iter().map(|(bit, name)| {
            let name = name.strip_prefix("allow.").unwrap_or(&name);
            (bit, name.into())
        });
        Self(known.filter(|(bit, name): &(u64, Box<str>)| *bit != 0 && !name.is_empty()).collect())
    }

    /// The names of the bits of `pr_allow`. Bits without a name are one number.
    pub fn of(&self, value: u64) -> Vec<Box<str>> {
        names(value, self.0.iter().map(|(bit, name)| (*bit, &**name)))
    }
}

/// The elements of an array, each read by `entry`.
fn table<'t>(
    target: &'t Target,
    name: &str,
    entry: impl Fn(u64, Object<'t>) -> Result<(u64, String), ReadError>,
) -> Result<Vec<(u64, String)>, ReadError> {
    let all = target.global(name)?;
    let types = target.types()?;
    let Some((entries, count)) = types.elements(all.type_id)? else { return Ok(Vec::new()) };
    let count = count.unwrap_or_default().min(MOST);
    let size = types.size_of(entries)?;
    let element = |index: u64| {
        let at = all.address.wrapping_add(size.wrapping_mul(index));
        // An entry that cannot be read, or has no name, names nothing.
        entry(index, Object::new(target, entries, at)).ok()
    };
    Ok((0..count).filter_map(element).collect())
}

fn names<'n>(value: u64, known: impl Iterator<Item = (u64, &'n str)>) -> Vec<Box<str>> {
    let mut left = value;
    let mut names = Vec::new();
    for (bit, name) in known {
        if value & bit == bit {
            left &= !bit;
            names.push(name.into());
        }
    }
    if left != 0 {
        names.push(format!("{left:#x}").into());
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_is_shown_by_name_or_as_a_number() {
        let joined = |names: Vec<Box<str>>| names.join(",");
        assert_eq!(joined(flags(0)), "");
        assert_eq!(joined(flags(0x13)), "persist,host,vnet");
        assert_eq!(joined(flags(0x0100_0010)), "vnet,remove");
        assert_eq!(joined(flags(0x3000_0001)), "persist,0x30000000");
        let allow = Permissions(vec![(1, "set_hostname".into()), (0x10, "mount".into())]);
        assert_eq!(joined(allow.of(0x31)), "set_hostname,mount,0x20");
        assert_eq!(joined(Permissions::default().of(0x3)), "0x3");
    }
}
