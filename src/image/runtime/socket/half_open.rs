//! Connections that are half open: V_tcp_syncache (`sys/netinet/tcp_syncache.c`).

use std::net::SocketAddr;

use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::object::Object;
use crate::image::runtime::{Queue, Runtime, Scope};

/// A connection that is half open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HalfOpen {
    /// The address that a socket listens on.
    pub local: SocketAddr,
    /// The address that the SYN came from.
    pub remote: SocketAddr,
}

/// The number of buckets: a power of two.
const BUCKETS: u64 = 16;
const INC_ISIPV6: u64 = 1;

impl Runtime {
    /// syncache_add: a SYN arrives for a socket that listens, in the stack of `thread`'s process,
    /// which holds that socket.
    ///
    /// # Errors
    /// The kernel has no such table.
    pub fn syncache_add(
        &mut self,
        thread: Object,
        connection: HalfOpen,
    ) -> Result<Object, ImageError> {
        let vnet = self.td_to_vnet(thread)?;
        let cred = self.credential(thread, "td_ucred")?;
        let cache = self.find(vnet.map_or(Scope::Kernel, Scope::Vnet), "tcp_syncache")?;
        let first = self.syncache_buckets(cache)?;
        let stride = self.kernel.types().size_of(first.type_id)?;
        let bucket = u64::from(connection.remote.port()) % BUCKETS;
        let bucket = Object { address: first.address.wrapping_add(bucket * stride), ..first };

        let entry = self.kernel.malloc("syncache", "struct syncache")?;
        let inc = self.kernel.member(entry, "sc_inc")?;
        let flags = if connection.local.is_ipv6() { INC_ISIPV6 } else { 0 };
        self.kernel.set(inc, "inc_flags", flags)?;
        self.set_ends(inc, Some(connection.local), Some(connection.remote))?;
        self.kernel.set_pointer(entry, "sc_cred", cred.address)?;
        self.hold_credential(cred, 1)?;
        let (head, queue) = self.syncache_queue(bucket, entry.type_id)?;
        queue.insert_head(self.kernel.machine_mut(), head, entry.address)?;
        let count = self.kernel.get(bucket, "sch_length")?;
        self.kernel.set(bucket, "sch_length", count.wrapping_add(1))?;
        Ok(entry)
    }

    /// The first bucket. syncache_init makes them.
    fn syncache_buckets(&mut self, cache: Object) -> Result<Object, ImageError> {
        let type_id = self.kernel.types().find("struct syncache_head")?;
        let at = VirtAddr::new(self.kernel.get(cache, "hashbase")?);
        if !at.is_null() {
            return Ok(Object::new(at, type_id));
        }
        let stride = self.kernel.types().size_of(type_id)?;
        let at = self.kernel.machine_mut().malloc("syncache", stride * BUCKETS)?;
        let entry = self.kernel.types().find("struct syncache")?;
        for number in 0..BUCKETS {
            let bucket = Object::new(at.wrapping_add(number * stride), type_id);
            let (head, queue) = self.syncache_queue(bucket, entry)?;
            queue.init(self.kernel.machine_mut(), head)?;
            self.kernel.set_pointer(bucket, "sch_sc", cache.address)?;
        }
        self.kernel.set_pointer(cache, "hashbase", at)?;
        self.kernel.set(cache, "hashsize", BUCKETS)?;
        self.kernel.set(cache, "hashmask", BUCKETS - 1)?;
        Ok(Object::new(at, type_id))
    }

    fn syncache_queue(
        &self,
        bucket: Object,
        entry: crate::types::TypeId,
    ) -> Result<(VirtAddr, Queue), ImageError> {
        let head = self.kernel.member(bucket, "sch_bucket")?;
        Ok((head.address, Queue::of(&self.kernel, head.type_id, entry, "sc_hash")?))
    }
}
