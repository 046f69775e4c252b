//! What a driver and its link give an interface: name and number, type, link-level address,
//! groups, counters.
//!
//! `sys/net/if.c`: if_initname, if_attach_internal, if_addgroup; `sys/net/if_ethersubr.c`:
//! ether_ifattach.

use std::collections::BTreeMap;

use super::{Queue, Runtime, Scope};
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::object::Object;

/// What a driver and its link give an interface.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LinkOptions {
    /// The driver's name for its kind: `epair`. Its number is in the interface's name.
    pub driver: String,
    /// The Ethernet address; `None` if it has none.
    pub ether: Option<[u8; 6]>,
    /// if_link_state: 0 unknown, 1 down, 2 up.
    pub state: u64,
    /// What its administrator calls it.
    pub description: Option<String>,
    /// Groups beside that of all and that of its driver.
    pub groups: Vec<String>,
    /// Per-CPU counters by the names of if_data: `ibytes`, `iqdrops`.
    pub counters: BTreeMap<String, Vec<u64>>,
}

/// IFCOUNTER_ numbers, in their order (`sys/net/if.h`).
const COUNTERS: [&str; 12] = [
    "ipackets",
    "ierrors",
    "opackets",
    "oerrors",
    "collisions",
    "ibytes",
    "obytes",
    "imcasts",
    "omcasts",
    "iqdrops",
    "oqdrops",
    "noproto",
];

/// IFT_ numbers of drivers whose links are not Ethernet (`sys/net/if_types.h`).
const TYPES: [(&str, u64); 8] = [
    ("lo", 24),
    ("bridge", 209),
    ("vlan", 135),
    ("gif", 240),
    ("gre", 131),
    ("tun", 23),
    ("pflog", 246),
    ("enc", 244),
];
/// IFT_ETHER.
const ETHERNET: u64 = 6;
/// Drivers whose interfaces are made by if_clone, which puts them in a group.
const CLONED: [&str; 11] =
    ["epair", "bridge", "vlan", "lagg", "gif", "gre", "vxlan", "tun", "tap", "lo", "pflog"];

impl Runtime {
    /// What the driver does before if_attach: names, types and the link-level address, which is the
    /// first on the list `addresses` at `head`.
    pub(super) fn set_driver(
        &mut self,
        ifnet: Object,
        name: &str,
        link: &LinkOptions,
        (head, addresses): (VirtAddr, Queue),
    ) -> Result<(), ImageError> {
        let driver = self.literal(&link.driver)?;
        self.kernel.set_pointer(ifnet, "if_dname", driver)?;
        self.kernel.set(ifnet, "if_dunit", unit(name, &link.driver))?;
        let known = TYPES.iter().find(|(known, _)| *known == link.driver);
        let kind = known.map_or(ETHERNET, |(_, kind)| *kind);
        let in_data = !self.kernel.has(ifnet, "if_type");
        let member =
            |name: &str| if in_data { format!("if_data.ifi_{name}") } else { format!("if_{name}") };
        self.kernel.set(ifnet, &member("type"), kind)?;
        self.kernel.set(ifnet, &member("link_state"), link.state)?;
        let len = link.ether.map_or(0, |ether| ether.len() as u64);
        self.kernel.set(ifnet, &member("addrlen"), len)?;
        if let Some(text) = &link.description {
            let text = self.kernel.malloc_text("ifdescr", text)?;
            self.kernel.set_pointer(ifnet, "if_description", text)?;
        }
        let ifaddr = self.link_address(ifnet, name, kind, link.ether)?;
        self.kernel.set_pointer(ifnet, "if_addr", ifaddr.address)?;
        addresses.insert_tail(self.kernel.machine_mut(), head, ifaddr.address)
    }

    /// An ifaddr with a sockaddr_dl.
    fn link_address(
        &mut self,
        ifnet: Object,
        name: &str,
        kind: u64,
        ether: Option<[u8; 6]>,
    ) -> Result<Object, ImageError> {
        const AF_LINK: u64 = 18;
        let ifaddr = self.kernel.malloc("ifaddr", "struct ifaddr")?;
        let address = self.kernel.malloc("ifaddr", "struct sockaddr_dl")?;
        let size = self.kernel.types().size_of(address.type_id)?;
        let ether = ether.map(Vec::from).unwrap_or_default();
        let members = [
            ("sdl_len", size),
            ("sdl_family", AF_LINK),
            ("sdl_type", kind),
            ("sdl_nlen", name.len() as u64),
            ("sdl_alen", ether.len() as u64),
        ];
        for (member, value) in members {
            self.kernel.set(address, member, value)?;
        }
        let data = self.kernel.member(address, "sdl_data")?.address;
        self.kernel.machine_mut().write(data, name.as_bytes())?;
        self.kernel.machine_mut().write(data.wrapping_add(name.len() as u64), &ether)?;
        if !ether.is_empty() {
            let kept = self.kernel.machine_mut().malloc("ifaddr", ether.len() as u64)?;
            self.kernel.machine_mut().write(kept, &ether)?;
            self.kernel.set_pointer(ifnet, "if_hw_addr", kept)?;
        }
        self.kernel.set_pointer(ifaddr, "ifa_addr", address.address)?;
        self.kernel.set_pointer(ifaddr, "ifa_ifp", ifnet.address)?;
        self.kernel.set_if_any(ifaddr, "ifa_refcnt", 1)?;
        Ok(ifaddr)
    }

    /// The link-level address has the index of the interface.
    pub(super) fn set_link_index(&mut self, ifnet: Object) -> Result<(), ImageError> {
        let ifaddr = VirtAddr::new(self.kernel.get(ifnet, "if_addr")?);
        if ifaddr.is_null() {
            return Ok(());
        }
        let ifaddr = self.kernel.object(ifaddr, "struct ifaddr")?;
        let address = VirtAddr::new(self.kernel.get(ifaddr, "ifa_addr")?);
        let address = self.kernel.object(address, "struct sockaddr_dl")?;
        let index = self.kernel.get(ifnet, "if_index")?;
        self.kernel.set(address, "sdl_index", index)
    }

    /// What follows if_attach: the groups, of the stack that it is in, and what it has counted.
    pub(super) fn finish_link(
        &mut self,
        ifnet: Object,
        scope: Scope,
        link: &LinkOptions,
    ) -> Result<(), ImageError> {
        let cloned = CLONED.contains(&&*link.driver).then(|| link.driver.clone());
        let groups = std::iter::once("all".to_owned()).chain(cloned).chain(link.groups.clone());
        for group in groups {
            self.if_addgroup(ifnet, scope, &group)?;
        }
        for (name, values) in &link.counters {
            self.count_traffic(ifnet, name, values)?;
        }
        if link.driver == "lagg"
            && let Some(function) = self.kernel.address_of("lagg_get_counter")
        {
            self.kernel.set_pointer(ifnet, "if_get_counter", function)?;
        }
        Ok(())
    }

    /// if_inc_counter on each CPU in turn.
    fn count_traffic(
        &mut self,
        ifnet: Object,
        name: &str,
        values: &[u64],
    ) -> Result<(), ImageError> {
        let index = COUNTERS.iter().position(|known| *known == name);
        let none = || ImageError::Refused(format!("no interface counts {name}"));
        let index = index.ok_or_else(none)?;
        if !self.kernel.has(ifnet, "if_counters") {
            let sum = values.iter().fold(0, |sum: u64, value| sum.wrapping_add(*value));
            return self.kernel.set(ifnet, &format!("if_data.ifi_{name}"), sum);
        }
        let counter = self.kernel.member(ifnet, &format!("if_counters[{index}]"))?;
        self.add_to_counter(counter, values)
    }

    /// if_addgroup: the group is made if the stack has none of that name.
    fn if_addgroup(&mut self, ifnet: Object, scope: Scope, name: &str) -> Result<(), ImageError> {
        let types = self.kernel.types();
        let (group, member) = (types.find("struct ifg_group")?, types.find("struct ifg_member")?);
        let entry = types.find("struct ifg_list")?;
        let all = self.find(scope, "ifg_head")?;
        let groups = Queue::of(&self.kernel, all.type_id, group, "ifg_next")?;
        let machine = self.kernel.machine();
        if let Some(last) = groups.last
            && machine.pointer(all.address.wrapping_add(last))?.is_null()
        {
            groups.init(self.kernel.machine_mut(), all.address)?;
        }
        let mut found = None;
        for at in groups.elements(self.kernel.machine(), all.address)? {
            let known = self.kernel.member(Object::new(at, group), "ifg_group")?.address;
            if self.kernel.text(known)? == name {
                found = Some(Object::new(at, group));
            }
        }
        let group = match found {
            Some(group) => group,
            None => {
                let made = self.kernel.malloc("ifnet", "struct ifg_group")?;
                self.set_text(made, "ifg_group", name)?;
                let members = self.kernel.member(made, "ifg_members")?;
                let queue = Queue::of(&self.kernel, members.type_id, member, "ifgm_next")?;
                queue.init(self.kernel.machine_mut(), members.address)?;
                groups.insert_tail(self.kernel.machine_mut(), all.address, made.address)?;
                made
            }
        };
        let count = self.kernel.get(group, "ifg_refcnt")?;
        self.kernel.set(group, "ifg_refcnt", count + 1)?;
        let link = self.kernel.malloc("ifnet", "struct ifg_list")?;
        self.kernel.set_pointer(link, "ifgl_group", group.address)?;
        let head = self.kernel.member(ifnet, "if_groups")?;
        let queue = Queue::of(&self.kernel, head.type_id, entry, "ifgl_next")?;
        queue.insert_tail(self.kernel.machine_mut(), head.address, link.address)?;
        let added = self.kernel.malloc("ifnet", "struct ifg_member")?;
        self.kernel.set_pointer(added, "ifgm_ifp", ifnet.address)?;
        let members = self.kernel.member(group, "ifg_members")?;
        let queue = Queue::of(&self.kernel, members.type_id, member, "ifgm_next")?;
        queue.insert_tail(self.kernel.machine_mut(), members.address, added.address)
    }

    /// The empty list of an interface's groups.
    pub(super) fn init_groups(&mut self, ifnet: Object) -> Result<(), ImageError> {
        let head = self.kernel.member(ifnet, "if_groups")?;
        let entry = self.kernel.types().find("struct ifg_list")?;
        let queue = Queue::of(&self.kernel, head.type_id, entry, "ifgl_next")?;
        queue.init(self.kernel.machine_mut(), head.address)
    }
}

/// The number in an interface's name: 0 of `epair0b`.
fn unit(name: &str, driver: &str) -> u64 {
    /// IF_DUNIT_NONE.
    const NONE: u64 = 0xffff_ffff;
    let rest = name.strip_prefix(driver).unwrap_or_default();
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..digits).and_then(|digits| digits.parse().ok()).unwrap_or(NONE)
}
