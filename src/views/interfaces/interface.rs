//! An interface, as its struct ifnet has it.

use super::addresses::{Addresses, InterfaceAddress};
use super::traffic::Traffic;
use super::{Field, type_name};
use crate::addr::VirtAddr;
use crate::target::ReadError;
use crate::value::Object;
use crate::value::counter::Counters;
use crate::value::model::{ErrorKind, ValueError};
use crate::value::queue::{self, List};
use crate::walk::Problems;

/// An interface.
#[derive(Debug, Clone)]
pub struct Interface {
    /// The address of its struct ifnet.
    pub address: VirtAddr,
    /// `epair0b`
    pub name: Field<Box<str>>,
    /// The driver's name for its kind: `epair`.
    pub driver: Field<Option<Box<str>>>,
    /// Its number among those of the driver; `None` if it has none.
    pub unit: Field<Option<u64>>,
    /// Its index in its vnet, or since 14 among all interfaces.
    pub index: Field<u64>,
    /// if_flags and if_drv_flags, as userland is shown them.
    pub flags: Field<u64>,
    /// In bytes.
    pub mtu: Field<u64>,
    /// if_type: IFT_ETHER is 6.
    pub kind: Field<u64>,
    /// LINK_STATE_UNKNOWN is 0, DOWN 1, UP 2.
    pub link_state: Field<u64>,
    /// The routing table that it uses.
    pub fib: Field<u64>,
    /// IP addresses, as far as they can be read.
    pub addresses: Vec<InterfaceAddress>,
    /// The link-level address.
    pub hardware: Option<String>,
    /// What its administrator calls it.
    pub description: Field<Option<Box<str>>>,
    /// The groups that it is in.
    pub groups: Field<Vec<Box<str>>>,
    /// The vnet that it is in; `None` if it is in none.
    pub vnet: Field<Option<VirtAddr>>,
    /// The vnet that it was created in.
    pub home: Field<Option<VirtAddr>>,
    /// What it has counted.
    pub traffic: Traffic,
    /// What could not be read of its addresses.
    pub problems: Problems,
}

/// IF_DUNIT_NONE (`sys/net/if.h`).
const NO_UNIT: u64 = 0xffff_ffff;

impl Interface {
    /// Reads it. Of one whose memory is freed, nothing is known.
    #[must_use]
    pub fn read(object: &Object<'_>, counters: &Counters) -> Self {
        let at = Reader::of(object);
        let name = at.text("if_xname");
        let title = title_of(object, &name);
        let addresses = match at.freed {
            Some(_) => Addresses::default(),
            None => Addresses::read(object, &title),
        };
        let traffic = match &at.freed {
            Some(why) => Traffic::unknown(why),
            None => Traffic::read(object, counters),
        };
        let unit = at.uint(&["if_dunit"]).map(|unit| (unit != NO_UNIT).then_some(unit));
        Self {
            address: object.address,
            name,
            driver: at.pointed_text("if_dname"),
            unit,
            index: at.uint(&["if_index"]),
            flags: at.flags(),
            mtu: at.uint(&["if_mtu", "if_data.ifi_mtu"]),
            kind: at.uint(&["if_type", "if_data.ifi_type"]),
            link_state: at.uint(&["if_link_state", "if_data.ifi_link_state"]),
            fib: at.uint(&["if_fib"]),
            addresses: addresses.ip,
            hardware: addresses.hardware,
            description: at.pointed_text("if_description"),
            groups: at.groups(&title),
            vnet: at.pointer("if_vnet"),
            home: at.pointer("if_home_vnet"),
            traffic,
            problems: addresses.problems,
        }
    }

    /// What cannot be read of its addresses: [`Interface::problems`] without the rest.
    pub fn problems(object: &Object<'_>) -> Problems {
        match name(object) {
            Err(why) if why.kind == ErrorKind::Freed => Problems::default(),
            name => Addresses::read(object, &title_of(object, &name)).problems,
        }
    }

    /// The kind of its link in words.
    #[must_use]
    pub fn type_name(&self) -> Option<&'static str> {
        self.kind.as_ref().ok().and_then(|kind| type_name(*kind))
    }

    /// The state of its link in words.
    #[must_use]
    pub fn link(&self) -> Option<&'static str> {
        match self.link_state {
            Ok(0) => Some("unknown"),
            Ok(1) => Some("down"),
            Ok(2) => Some("up"),
            _ => None,
        }
    }
}

/// The interface's name.
///
/// # Errors
/// It cannot be read.
pub fn name(interface: &Object<'_>) -> Field<Box<str>> {
    Reader::of(interface).text("if_xname")
}

fn title_of(interface: &Object<'_>, name: &Field<Box<str>>) -> String {
    name.as_ref().map_or_else(|_| interface.address.to_string(), ToString::to_string)
}

/// The interface's name, or its address.
#[must_use]
pub fn title(interface: &Object<'_>) -> String {
    match interface.check_freed() {
        Ok(()) => interface.text("if_xname").unwrap_or_else(|_| interface.address.to_string()),
        Err(_) => interface.address.to_string(),
    }
}

/// The interface for a message that says where it is: `epair0a at 0xfffff80003a51800`.
#[must_use]
pub fn place(interface: &Object<'_>) -> String {
    match interface.check_freed().ok().and_then(|()| interface.text("if_xname").ok()) {
        Some(name) => format!("{name} at {}", interface.address),
        None => format!("at {}", interface.address),
    }
}

struct Reader<'a, 't> {
    object: &'a Object<'t>,
    /// Why nothing of it is known.
    freed: Option<ValueError>,
}

impl<'a, 't> Reader<'a, 't> {
    fn of(object: &'a Object<'t>) -> Self {
        Self { object, freed: object.check_freed().err().map(ValueError::from) }
    }

    fn read<T>(&self, read: impl FnOnce(&Object<'_>) -> Result<T, ReadError>) -> Field<T> {
        match &self.freed {
            Some(why) => Err(why.clone()),
            None => Ok(read(self.object)?),
        }
    }

    /// The first of the members that this kernel has.
    fn uint(&self, paths: &[&str]) -> Field<u64> {
        let path = paths.iter().find(|path| self.object.has(path)).or(paths.first());
        self.read(|object| object.uint(path.copied().unwrap_or_default()))
    }

    fn text(&self, path: &str) -> Field<Box<str>> {
        self.read(|object| object.text(path).map(Into::into))
    }

    /// The text that a member points to; `None` if it is NULL.
    fn pointed_text(&self, path: &str) -> Field<Option<Box<str>>> {
        self.read(|object| match object.pointer(path)?.is_null() {
            true => Ok(None),
            false => Ok(Some(object.text(path)?.into())),
        })
    }

    fn pointer(&self, path: &str) -> Field<Option<VirtAddr>> {
        self.read(|object| Ok(object.pointer(path)?.non_null()))
    }

    fn flags(&self) -> Field<u64> {
        self.read(|object| Ok(object.uint("if_flags")? | object.uint("if_drv_flags")?))
    }

    fn groups(&self, title: &str) -> Field<Vec<Box<str>>> {
        let name = format!("if_groups of {title}");
        if let Some(why) = &self.freed {
            return Err(why.clone());
        }
        let head = self.object.member("if_groups")?;
        let mut problems = Problems::default();
        let list = List { name: &name, element: "group" };
        let found = queue::walk(head, "ifgl_next", list).take(&mut problems);
        let groups = found.iter().map(|member| match member.follow("ifgl_group")? {
            Some(group) => Ok(group.text("ifg_group")?.into()),
            None => Ok("".into()),
        });
        let groups = groups.collect::<Result<Vec<Box<str>>, ReadError>>()?;
        problems.none()?;
        Ok(groups)
    }
}
