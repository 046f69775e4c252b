//! Which vnet of the other dump, or of the same one, a vnet is compared with.

use crate::answers::Remark;
use crate::session::Session;
use crate::vnet::{Stack, Vnet};

/// The vnet that one is compared with.
#[derive(Debug, Clone)]
pub struct Partner<'s> {
    pub session: &'s Session,
    pub stack: Stack<'s>,
    /// Why it is this one, if it is of another dump.
    why: Option<String>,
}

impl<'s> Partner<'s> {
    /// A vnet of the same dump.
    pub fn new(session: &'s Session, stack: Stack<'s>) -> Self {
        Self { session, stack, why: None }
    }

    /// Whether it is of another dump.
    pub fn is_of_other_dump(&self) -> bool {
        self.why.is_some()
    }

    /// Says which it is, and why.
    pub fn remark(&self, stack: Stack<'_>) -> Remark {
        let title = |stack: Stack<'_>| {
            stack.vnet().map_or_else(|| "the network stack".to_owned(), Vnet::title)
        };
        let (new, old) = (title(stack), title(self.stack));
        Remark::Note(match &self.why {
            None => format!("compared: {new} with {old}"),
            Some(why) => {
                let core = self.session.core_path().display();
                format!("compared: {new} with {old} of {core}: {why}")
            }
        })
    }
}

/// The vnet of `other` that corresponds to a vnet of `session`: the host's to the host's, a
/// jail's to that of the jail of the same name, else the one with the same number.
///
/// # Errors
/// There is none; why, in words.
pub fn of<'s>(
    session: &Session,
    stack: Stack<'_>,
    other: &'s Session,
) -> Result<Partner<'s>, String> {
    let found = |stack, why: String| Ok(Partner { session: other, stack, why: Some(why) });
    let Some(vnet) = stack.vnet() else {
        return match other.kernel().set_vnet() {
            None => found(Stack::Only, "both kernels have only one".to_owned()),
            Some(_) => Err("the other kernel has vnets, and this one has none".to_owned()),
        };
    };
    let vnets = other.vnets().map_err(|why| why.to_string())?;
    if vnet.default {
        let host = vnets.all.iter().find(|vnet| vnet.default);
        return match host {
            Some(host) => found(Stack::Vnet(host), "both are the host's".to_owned()),
            None => Err(format!("{}: the other dump has no vnet0", vnet.title())),
        };
    }
    let named: Vec<Box<str>> = jails(session, vnet);
    let same = vnets.all.iter().find_map(|candidate| {
        let jails = candidate.jails.as_deref().unwrap_or_default();
        let jail = jails.iter().find(|jail| named.contains(&jail.name))?;
        Some((candidate, jail))
    });
    if let Some((candidate, jail)) = same {
        return found(Stack::Vnet(candidate), format!("both are those of jail {}", jail.name));
    }
    let numbered = vnets.all.iter().find(|other| vnet.index.is_some() && other.index == vnet.index);
    match numbered {
        Some(candidate) => found(
            Stack::Vnet(candidate),
            match &named[..] {
                [] => "they have the same number".to_owned(),
                [jail, ..] => format!("there is no jail {jail}, but they have the same number"),
            },
        ),
        None => Err(match named.first() {
            Some(jail) => format!("{}: the other dump has no vnet of a jail {jail}", vnet.title()),
            None => format!("{}: the other dump has no such vnet", vnet.title()),
        }),
    }
}

/// The jails that live in a vnet.
fn jails(session: &Session, vnet: &Vnet) -> Vec<Box<str>> {
    let all = session.vnets().map(|vnets| &vnets.all[..]).unwrap_or_default();
    let known = all.iter().find(|known| known.address == vnet.address).unwrap_or(vnet);
    let jails = known.jails.as_deref().unwrap_or_default();
    jails.iter().map(|jail| jail.name.clone()).collect()
}
