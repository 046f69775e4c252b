//! Where the kernel keeps packets: in mbufs, and in their clusters.
//!
//! Both are items of zones of UMA, and the slabs of a zone's keg have all items that there are, free
//! ones too (`sys/kern/kern_mbuf.c`, 10 to main). A keg is found by its name: while a kernel
//! dumps over the network, its variables (`zone_mbuf`) point to zones without a keg.

mod keg;
mod mbuf;

use std::ops::Range;

use self::keg::Keg;
use self::mbuf::Mbuf;
use crate::addr::VirtAddr;
use crate::target::Target;
use crate::walk::Problem;

/// The memory of one zone.
#[derive(Debug)]
pub struct Storage<'t> {
    /// The name of the zone: `mbuf_cluster`.
    pub name: &'static str,
    kegs: Vec<Keg<'t>>,
    /// What of an item is no packet; `None` if all of it may be one.
    mbuf: Option<Mbuf<'t>>,
}

/// Their names, and the variables that point to them.
const ZONES: [(&str, &str); 5] = [
    ("mbuf", "zone_mbuf"),
    ("mbuf_cluster", "zone_clust"),
    ("mbuf_jumbo_page", "zone_jumbop"),
    ("mbuf_jumbo_9k", "zone_jumbo9"),
    ("mbuf_jumbo_16k", "zone_jumbo16"),
];

/// The zones of packets that the kernel has.
///
/// # Errors
/// What leaves unknown where all of them are.
pub fn storage(target: &Target) -> Result<Vec<Storage<'_>>, Problem> {
    let kegs = keg::all(target)?;
    let mut found = Vec::new();
    for (name, variable) in ZONES {
        let mut named = Vec::new();
        for keg in &kegs {
            if &*keg::name(keg)? == name {
                named.push(Keg::read(*keg, name)?);
            }
        }
        if named.is_empty() && is_in_use(target, variable)? {
            let why = format!("it points to a zone, and no keg has the name {name}");
            return Err(Problem::new(variable, why));
        }
        let mbuf = (name == "mbuf").then(|| Mbuf::of(target)).transpose()?;
        found.push(Storage { name, kegs: named, mbuf });
    }
    Ok(found)
}

impl Storage<'_> {
    /// Calls `each` with all memory that may hold bytes of packets, used or free. What UMA keeps in
    /// the same pages, and the headers of mbufs, are not in it.
    ///
    /// # Errors
    /// The error of `each`, or what leaves unknown where the rest is.
    pub fn contents<E: From<Problem>>(
        &self,
        mut each: impl FnMut(Range<VirtAddr>) -> Result<(), E>,
    ) -> Result<(), E> {
        for keg in &self.kegs {
            for slab in keg.slabs()? {
                let memory = keg.memory(slab)?;
                match &self.mbuf {
                    None => each(memory)?,
                    Some(mbuf) => {
                        let mut end = memory.start;
                        for item in keg.items(&memory) {
                            for part in mbuf.contents(&item) {
                                each(part)?;
                            }
                            end = item.end;
                        }
                        each(end..memory.end)?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn is_in_use(target: &Target, variable: &str) -> Result<bool, Problem> {
    let unreadable = |why| Problem::unreadable(variable, why);
    let at = target.address_of(variable).map_err(unreadable)?;
    let zone = target.memory().pointer(at).map_err(|why| unreadable(why.into()))?;
    Ok(!zone.is_null())
}
