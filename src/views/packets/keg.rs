//! Kegs of UMA and their slabs (`sys/vm/uma_int.h`, `sys/vm/uma_core.c`).
//!
//! A slab is `uk_ppera` pages with `uk_ipers` items. Its header is in the same pages, `uk_pgoff`
//! bytes from their start; or elsewhere, if `uk_pgoff` is 0. Up to 12 the header says where the
//! items are (`us_data`). Since 13 only one that is elsewhere does (`struct uma_hash_slab`).

use std::ops::Range;

use crate::addr::VirtAddr;
use crate::target::{ReadError, Target};
use crate::value::Object;
use crate::value::queue::{self, List};
use crate::walk::{Problem, Problems, Trail};

const KEGS: List<'_> = List { name: &"uma_kegs", element: "keg" };

/// The kegs that the kernel has.
pub(super) fn all(target: &Target) -> Result<Vec<Object<'_>>, Problem> {
    let head = Object::global(target, "uma_kegs");
    let head = head.map_err(|why| Problem::unreadable(KEGS.what(), why))?;
    let mut problems = Problems::default();
    let kegs = queue::walk(head, "uk_link", KEGS).take(&mut problems);
    problems.none()?;
    Ok(kegs)
}

/// The name of a keg, which is that of the zone it was made for.
pub(super) fn name(keg: &Object<'_>) -> Result<Box<str>, Problem> {
    let name = keg.text_behind("uk_name").map_err(|why| KEGS.element(keg.address, why))?;
    Ok(name.unwrap_or_default())
}

/// A keg.
#[derive(Debug)]
pub(super) struct Keg<'t> {
    object: Object<'t>,
    list: &'static str,
    /// The size of a slab, in bytes.
    size: u64,
    /// How many items a slab has, and how many bytes apart they are.
    items: u64,
    item_size: u64,
    /// Where in a slab its header is; `None` if it is elsewhere.
    header: Option<u64>,
}

/// The lists of slabs, since 12.0 in each memory domain and before in the keg itself.
const IN_DOMAIN: [&str; 3] = ["ud_part_slab", "ud_free_slab", "ud_full_slab"];
const IN_KEG: [&str; 3] = ["uk_part_slab", "uk_free_slab", "uk_full_slab"];

impl<'t> Keg<'t> {
    /// The keg of the zone `name`.
    pub(super) fn read(object: Object<'t>, name: &'static str) -> Result<Self, Problem> {
        let number = |member| object.uint(member).map_err(|why| KEGS.element(object.address, why));
        let page = object.target().memory().page_size();
        let (items, item_size) = (number("uk_ipers")?, number("uk_rsize")?);
        let size = number("uk_ppera")?.saturating_mul(page);
        let header = Some(number("uk_pgoff")?).filter(|at| *at != 0);
        let room = header.unwrap_or(size).min(size);
        // No more is wasted of a slab than another item would take.
        let left = room.checked_sub(items.saturating_mul(item_size));
        if items == 0 || left.is_none_or(|left| left >= item_size.saturating_add(page)) {
            let why = format!("{items} items of {item_size} bytes do not fill {room} bytes");
            return Err(Problem::contradiction(format!("the keg {name}"), object.address, why));
        }
        Ok(Self { object, list: name, size, items, item_size, header })
    }

    /// The headers of all slabs.
    pub(super) fn slabs(&self) -> Result<Vec<Object<'t>>, Problem> {
        let unreadable = |why| KEGS.element(self.object.address, why);
        let name = format!("the slabs of {}", self.list);
        let list = List { name: &name, element: "slab" };
        // A slab is on one list only.
        let mut trail = Trail::new(self.object.target().budget());
        let (mut slabs, mut problems) = (Vec::new(), Problems::default());
        for holder in self.domains().map_err(unreadable)? {
            let is_keg = holder.address == self.object.address;
            for member in if is_keg { IN_KEG } else { IN_DOMAIN } {
                let head = holder.member(member).map_err(unreadable)?;
                let link = link(&head).map_err(unreadable)?;
                slabs.extend(queue::walk_on(head, link, list, &mut trail).take(&mut problems));
            }
        }
        problems.none()?;
        Ok(slabs)
    }

    /// What has the lists: each domain, or the keg.
    fn domains(&self) -> Result<Vec<Object<'t>>, ReadError> {
        let target = self.object.target();
        let Ok(array) = self.object.member("uk_domain") else { return Ok(vec![self.object]) };
        let types = target.types()?;
        let domain = types.find("struct uma_domain")?;
        let size = types.size_of(domain)?;
        let count = target.integer("vm_ndomains")?;
        target.budget().work(count)?;
        let at = |number: u64| array.address.wrapping_add(number.wrapping_mul(size));
        Ok((0..count).map(|number| Object::new(target, domain, at(number))).collect())
    }

    /// The memory of a slab that is not its header.
    pub(super) fn memory(&self, slab: Object<'t>) -> Result<Range<VirtAddr>, Problem> {
        let what = || format!("a slab of {}", self.list);
        let inside = self.header.map(|header| slab.address.wrapping_add(header.wrapping_neg()));
        let said = match (slab.has("us_data"), inside) {
            (true, _) => slab.pointer("us_data"),
            (false, Some(inside)) => Ok(inside),
            (false, None) => outside(slab),
        };
        let start = said.map_err(|why| Problem::unreadable(what(), why))?;
        let page = slab.target().memory().page_size();
        let is_wrong = start.is_null() || start.page_offset(page) != 0;
        let end = start.checked_add(self.header.unwrap_or(self.size));
        let end = end.filter(|_| !is_wrong && inside.is_none_or(|inside| inside == start));
        end.map(|end| start..end).ok_or_else(|| {
            let why = format!("its items cannot be at {start}");
            Problem::contradiction(what(), slab.address, why)
        })
    }

    /// The items in the memory of a slab.
    pub(super) fn items(&self, memory: &Range<VirtAddr>) -> impl Iterator<Item = Range<VirtAddr>> {
        let start = memory.start;
        let at = move |number: u64| start.wrapping_add(number * self.item_size);
        (0..self.items).map(move |number| at(number)..at(number + 1))
    }
}

/// The member that links the slabs of a list.
fn link(head: &Object<'_>) -> Result<&'static str, ReadError> {
    let types = head.target().types()?;
    let slab = types.pointee(types.member(head.type_id, "lh_first")?.type_id)?;
    Ok(if types.has_member(slab, "us_link") { "us_link" } else { "us_type._us_link" })
}

/// Where the items of a slab are whose header, in a `struct uma_hash_slab`, is elsewhere.
fn outside(slab: Object<'_>) -> Result<VirtAddr, ReadError> {
    let types = slab.target().types()?;
    let outer = types.find("struct uma_hash_slab")?;
    let inner = types.member(outer, "uhs_slab")?.offset;
    let at = slab.address.wrapping_add(inner.wrapping_neg());
    Object::new(slab.target(), outer, at).pointer("uhs_data")
}
