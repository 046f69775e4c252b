//! UMA: the zones that packets are in, their kegs and slabs.
//!
//! `sys/vm/uma_core.c`. A slab of one page is in the direct map, if there is one; a larger one is
//! in the kernel map. The header of a slab is at the end of its pages if the items leave room for
//! it, and otherwise an object of its own.

use super::Runtime;
use super::queue::Queue;
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::kernel::LoadedKernel;
use crate::image::object::Object;

/// The zones of the kernel.
#[derive(Debug)]
pub(super) struct Zones {
    all: Vec<Zone>,
}

#[derive(Debug)]
struct Zone {
    name: &'static str,
    keg: Object,
    /// Bytes of an item, items of a slab, and bytes of a slab.
    item_size: u64,
    items: u64,
    size: u64,
    /// Where a slab has its header; `None` if the header is an object of its own.
    header: Option<u64>,
    slabs: Vec<Slab>,
}

#[derive(Debug)]
struct Slab {
    /// Its `struct uma_slab`.
    at: VirtAddr,
    data: VirtAddr,
    /// How many of its items were ever taken, and which of them are free again.
    taken: u64,
    freed: Vec<u64>,
    /// The list that it is on.
    list: Option<&'static str>,
}

/// The name of a zone, the variable that points to it, and the bytes of an item (`kmeminit` and
/// `mbuf_init`, `sys/kern/kern_mbuf.c`, with pages of 4 KB).
const ZONES: [(&str, &str, u64); 5] = [
    ("mbuf", "zone_mbuf", 256),
    ("mbuf_cluster", "zone_clust", 2048),
    ("mbuf_jumbo_page", "zone_jumbop", 4096),
    ("mbuf_jumbo_9k", "zone_jumbo9", 9216),
    ("mbuf_jumbo_16k", "zone_jumbo16", 16384),
];

impl Runtime {
    /// `mbuf_init`: the zones of packets, in a kernel that shows what a slab is.
    pub(super) fn create_zones(&mut self) -> Result<(), ImageError> {
        if self.kernel.types().find("struct uma_slab").is_err() {
            return Ok(());
        }
        let mut all = Vec::new();
        for (name, variable, item_size) in ZONES {
            let (zone, made) = self.create_zone(name, item_size)?;
            self.kernel.set_symbol(variable, zone.get())?;
            all.push(made);
        }
        self.zones = Some(Zones { all });
        Ok(())
    }

    /// uma_zcreate. Returns the address of the `struct uma_zone` too.
    fn create_zone(
        &mut self,
        name: &'static str,
        item_size: u64,
    ) -> Result<(VirtAddr, Zone), ImageError> {
        let text = self.literal(name)?;
        let kernel = &mut self.kernel;
        let page = kernel.machine().page_size();
        let size = item_size.next_multiple_of(page);
        let items = size / item_size;
        let header_size = header_size(kernel, items)?;
        // At most a tenth of a slab may be wasted, and 15 mbufs leave less.
        let fewer = (size - header_size) / item_size;
        let is_inside = items - fewer <= items / 10;
        let header = is_inside.then_some(size - header_size);
        let items = if is_inside { fewer } else { items };

        let domain = kernel.types().find("struct uma_domain")?;
        let domain = kernel.types().size_of(domain)?;
        let keg_type = kernel.types().find("struct uma_keg")?;
        let keg = kernel.types().size_of(keg_type)? + domain;
        let keg = Object::new(kernel.machine_mut().malloc("UMA Kegs", keg)?, keg_type);
        kernel.set(keg, "uk_size", item_size)?;
        kernel.set(keg, "uk_rsize", item_size)?;
        kernel.set(keg, "uk_ipers", items)?;
        kernel.set(keg, "uk_ppera", size / page)?;
        kernel.set(keg, "uk_pgoff", header.unwrap_or(0))?;
        kernel.set_pointer(keg, "uk_name", text)?;
        let kegs = kernel.variable("uma_kegs")?;
        let queue = Queue::of(kernel, kegs.type_id, keg_type, "uk_link")?;
        queue.insert_head(kernel.machine_mut(), kegs.address, keg.address)?;

        let zone = kernel.malloc("UMA Zones", "struct uma_zone")?;
        kernel.set_pointer(zone, "uz_name", text)?;
        kernel.set(zone, "uz_size", item_size)?;
        kernel.set_if_any(zone, "uz_keg", keg.address.get())?;
        if kernel.has(zone, "uz_klink") {
            let link = kernel.member(zone, "uz_klink")?;
            kernel.set_pointer(zone, "uz_klink.kl_keg", keg.address)?;
            kernel.set_pointer(zone, "uz_kegs.lh_first", link.address)?;
        }
        let slabs = Vec::new();
        Ok((zone.address, Zone { name, keg, item_size, items, size, header, slabs }))
    }

    /// uma_zalloc: the next item of the zone `name`. Items that are free again are not reused.
    ///
    /// # Errors
    /// There is no such zone, or no memory is left.
    pub fn zone_alloc(&mut self, name: &str) -> Result<VirtAddr, ImageError> {
        let (kernel, zone) = self.zone(name)?;
        if zone.slabs.last().is_none_or(|slab| slab.taken == zone.items) {
            zone.add_slab(kernel)?;
        }
        let place = zone.slabs.len() - 1;
        let slab = &mut zone.slabs[place];
        let item = slab.data.wrapping_add(slab.taken * zone.item_size);
        slab.taken += 1;
        zone.settle(kernel, place)?;
        Ok(item)
    }

    /// uma_zfree: what was in the item stays.
    ///
    /// # Errors
    /// It is no item of the zone `name`.
    pub fn zone_free(&mut self, name: &str, item: VirtAddr) -> Result<(), ImageError> {
        let (kernel, zone) = self.zone(name)?;
        let size = zone.size;
        let inside = |slab: &Slab| item.offset_from(slab.data).is_some_and(|at| at < size);
        let place = zone.slabs.iter().position(inside).ok_or(ImageError::BadFree(item))?;
        let slab = &mut zone.slabs[place];
        slab.freed.push(item.offset_from(slab.data).unwrap_or(0) / zone.item_size);
        zone.settle(kernel, place)
    }

    /// The headers of the slabs of the zone `name`, in the order in which they were made.
    ///
    /// # Errors
    /// There is no such zone.
    pub fn zone_slabs(&self, name: &str) -> Result<Vec<VirtAddr>, ImageError> {
        let zones = self.zones.as_ref().map_or(&[][..], |zones| &zones.all);
        let zone = zones.iter().find(|zone| zone.name == name).ok_or_else(|| no_zone(name))?;
        Ok(zone.slabs.iter().map(|slab| slab.at).collect())
    }

    /// The bytes of an item of the zone `name`.
    pub(super) fn zone_item_size(&mut self, name: &str) -> Result<u64, ImageError> {
        self.zone(name).map(|(_, zone)| zone.item_size)
    }

    fn zone(&mut self, name: &str) -> Result<(&mut LoadedKernel, &mut Zone), ImageError> {
        let none = || no_zone(name);
        let zones = self.zones.as_mut().ok_or_else(none)?;
        let zone = zones.all.iter_mut().find(|zone| zone.name == name).ok_or_else(none)?;
        Ok((&mut self.kernel, zone))
    }
}

impl Zone {
    /// `keg_alloc_slab`.
    fn add_slab(&mut self, kernel: &mut LoadedKernel) -> Result<(), ImageError> {
        let page = kernel.machine().page_size();
        let data = match self.size > page {
            true => kernel.machine_mut().malloc("UMA Slabs", self.size)?,
            false => kernel.machine_mut().malloc_contiguous("UMA Slabs", self.size)?,
        };
        let at = match self.header {
            Some(header) => data.wrapping_add(header),
            None => {
                let size = header_size(kernel, self.items)?;
                match kernel.types().find("struct uma_hash_slab") {
                    Ok(outer) => {
                        let inner = kernel.types().member(outer, "uhs_slab")?.offset;
                        let at = kernel.machine_mut().malloc("UMA Hash", inner + size)?;
                        kernel.set_pointer(Object::new(at, outer), "uhs_data", data)?;
                        at.wrapping_add(inner)
                    }
                    Err(_) => kernel.machine_mut().malloc("UMA Hash", size)?,
                }
            }
        };
        let slab = kernel.object(at, "struct uma_slab")?;
        kernel.set_if_any(slab, "us_data", data.get())?;
        kernel.set_if_any(slab, "us_keg", self.keg.address.get())?;
        self.slabs.push(Slab { at, data, taken: 0, freed: Vec::new(), list: None });
        Ok(())
    }

    /// Records which items are free, and puts the slab on the list where it belongs.
    fn settle(&mut self, kernel: &mut LoadedKernel, place: usize) -> Result<(), ImageError> {
        let slab = &mut self.slabs[place];
        let object = kernel.object(slab.at, "struct uma_slab")?;
        let free = |item: &u64| *item >= slab.taken || slab.freed.contains(item);
        let free: Vec<u64> = (0..self.items).filter(free).collect();
        kernel.set(object, "us_freecount", free.len() as u64)?;
        let bits = kernel.member(object, "us_free")?.address;
        let word = kernel.machine().arch().pointer_size();
        for number in 0..self.items.div_ceil(8 * word) {
            let mine = free.iter().filter(|item| **item / (8 * word) == number);
            let value = mine.fold(0, |sum, item| sum | 1 << (item % (8 * word)));
            kernel.machine_mut().set_uint(bits.wrapping_add(number * word), word, value)?;
        }
        let list = match free.len() as u64 {
            0 => "ud_full_slab",
            count if count == self.items => "ud_free_slab",
            _ => "ud_part_slab",
        };
        if slab.list == Some(list) {
            return Ok(());
        }
        let domain = kernel.member(self.keg, "uk_domain")?.address;
        let domain = kernel.object(domain, "struct uma_domain")?;
        let is_direct = kernel.has(object, "us_link");
        let link = if is_direct { "us_link" } else { "us_type._us_link" };
        for (list, is_new) in [(slab.list.replace(list), false), (Some(list), true)] {
            let Some(list) = list else { continue };
            let head = kernel.member(domain, list)?;
            let queue = Queue::of(kernel, head.type_id, object.type_id, link)?;
            match is_new {
                true => queue.insert_head(kernel.machine_mut(), head.address, slab.at)?,
                false => queue.remove(kernel.machine_mut(), head.address, slab.at)?,
            }
        }
        Ok(())
    }
}

fn no_zone(name: &str) -> ImageError {
    ImageError::Refused(format!("the kernel has no zone {name}"))
}

/// The bytes of a header: since 13 a bit for each item follows the struct, in whole words.
fn header_size(kernel: &LoadedKernel, items: u64) -> Result<u64, ImageError> {
    let slab = kernel.types().find("struct uma_slab")?;
    let size = kernel.types().size_of(slab)?;
    let word = kernel.machine().arch().pointer_size();
    let has_bits = kernel.types().has_member(slab, "us_data");
    let bits = if has_bits { 0 } else { items.div_ceil(8 * word) * word };
    Ok((size + bits).next_multiple_of(word))
}
