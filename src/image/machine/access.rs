//! Reads and writes of the machine's memory, by virtual and by physical address.

use std::ops::Range;

use super::Machine;
use crate::addr::{PhysAddr, VirtAddr};
use crate::image::ImageError;
use crate::writing::entry_bytes;

impl Machine {
    /// Copies the bytes at kernel address `at` into `buf`.
    ///
    /// # Errors
    /// Some of them are not mapped.
    pub fn read(&self, at: VirtAddr, buf: &mut [u8]) -> Result<(), ImageError> {
        let mut done = 0;
        while done < buf.len() {
            let here = at.wrapping_add(done as u64);
            let (phys, run) = self.translate(here).ok_or(ImageError::NotMapped(here))?;
            let end = buf.len().min(done.saturating_add(run as usize));
            self.ram.read(phys, &mut buf[done..end]);
            done = end;
        }
        Ok(())
    }

    /// Stores `bytes` at kernel address `at`.
    ///
    /// # Errors
    /// Some of the memory is not mapped. The bytes before that have been written.
    pub fn write(&mut self, at: VirtAddr, bytes: &[u8]) -> Result<(), ImageError> {
        let mut done = 0;
        while done < bytes.len() {
            let here = at.wrapping_add(done as u64);
            let (phys, run) = self.translate(here).ok_or(ImageError::NotMapped(here))?;
            let end = bytes.len().min(done.saturating_add(run as usize));
            self.ram.write(phys, &bytes[done..end]);
            done = end;
        }
        Ok(())
    }

    /// The unsigned number of `size` bytes (1 to 8) at `at`, in the machine's byte order.
    pub fn uint(&self, at: VirtAddr, size: u64) -> Result<u64, ImageError> {
        let mut buf = [0; 8];
        let bytes = &mut buf[..size.min(8) as usize];
        self.read(at, bytes)?;
        Ok(self.arch.endian().uint(bytes) as u64)
    }

    /// Stores the low `size` bytes (1 to 8) of `value` at `at`, in the machine's byte order.
    pub fn set_uint(&mut self, at: VirtAddr, size: u64, value: u64) -> Result<(), ImageError> {
        self.write(at, &entry_bytes(value, size, self.arch.endian()))
    }

    /// The pointer stored at `at`.
    pub fn pointer(&self, at: VirtAddr) -> Result<VirtAddr, ImageError> {
        self.uint(at, self.arch.pointer_size()).map(VirtAddr::new)
    }

    /// Stores a pointer at `at`.
    pub fn set_pointer(&mut self, at: VirtAddr, to: VirtAddr) -> Result<(), ImageError> {
        self.set_uint(at, self.arch.pointer_size(), to.get())
    }

    /// Fills `len` bytes at `at` with the 32-bit `pattern`, in the machine's byte order.
    pub fn fill(&mut self, at: VirtAddr, len: u64, pattern: u32) -> Result<(), ImageError> {
        let word = entry_bytes(pattern.into(), 4, self.arch.endian());
        let mut bytes = word.repeat(len.div_ceil(4) as usize);
        bytes.truncate(len as usize);
        self.write(at, &bytes)
    }

    /// The physical address of the kernel address `at`; `None` if nothing is mapped there.
    pub fn physical(&self, at: VirtAddr) -> Option<PhysAddr> {
        self.translate(at).map(|(phys, _)| phys)
    }

    /// The address of physical `at` in the direct map; `None` if it is not covered.
    pub fn direct_address(&self, at: PhysAddr) -> Option<VirtAddr> {
        let map = self.space.layout().direct_map.as_ref()?;
        Some(map.start.wrapping_add(at.offset_from(self.direct.start)?))
    }

    /// The pages mapped outside the direct map, in order of virtual address, with their physical
    /// addresses.
    pub fn mapped_pages(&self) -> impl Iterator<Item = (VirtAddr, PhysAddr)> {
        let page = self.page_size();
        self.mapped.iter().flat_map(move |(at, run)| {
            let count = run.len.div_ceil(page);
            let at = VirtAddr::new(*at);
            let to = run.to;
            (0..count).map(move |n| (at.wrapping_add(n * page), to.wrapping_add(n * page)))
        })
    }

    /// Installed physical memory, ascending.
    pub fn memory_ranges(&self) -> impl Iterator<Item = Range<PhysAddr>> {
        self.frames.ranges()
    }

    /// The physical pages that the kernel uses, ascending: the content of a minidump.
    pub fn frames_in_use(&self) -> impl Iterator<Item = PhysAddr> {
        self.frames.taken()
    }

    /// Reads physical memory at `at`. Addresses without memory read as zeros.
    pub fn read_physical(&self, at: PhysAddr, buf: &mut [u8]) {
        self.ram.read(at, buf);
    }

    /// Writes `bytes` to physical memory at `at`.
    pub fn write_physical(&mut self, at: PhysAddr, bytes: &[u8]) {
        self.ram.write(at, bytes);
    }

    /// Was any byte of the page at `at` ever written?
    pub fn is_touched(&self, at: PhysAddr) -> bool {
        self.ram.is_touched(at, self.page_size())
    }

    /// The entries of the level `level` table (0 is the topmost) that covers `at`.
    /// Larger pages are split, as in the kernel's dump code.
    pub fn entries(&self, at: VirtAddr, level: usize) -> Option<Vec<u64>> {
        self.tables.entries(&self.ram, at, level)
    }

    /// The physical address of `at`, and how many bytes from there on are contiguous.
    fn translate(&self, at: VirtAddr) -> Option<(PhysAddr, u64)> {
        if let Some(map) = self.space.layout().direct_map.as_ref().filter(|map| map.contains(&at)) {
            let phys = self.direct.start.checked_add(at.offset_from(map.start)?)?;
            let range = self.frames.ranges().find(|range| range.contains(&phys))?;
            return Some((phys, range.end.offset_from(phys)?));
        }
        let (start, run) = self.mapped.range(..=at.get()).next_back()?;
        let within = at.get() - start;
        (within < run.len).then(|| (run.to.wrapping_add(within), run.len - within))
    }
}

#[cfg(test)]
mod tests {
    use super::super::MachineOptions;
    use super::*;
    use crate::arch::Arch;

    #[test]
    fn numbers_cross_pages() {
        let mut machine = Machine::new(Arch::Amd64, MachineOptions::default(), &[], None).unwrap();
        let block = machine.malloc("test", 2 * 4096).unwrap();
        let at = block.wrapping_add(4096 - 3);
        machine.set_uint(at, 8, 0x0102_0304_0506_0708).unwrap();
        assert_eq!(machine.uint(at, 8).unwrap(), 0x0102_0304_0506_0708);
        assert_eq!(machine.uint(at, 2).unwrap(), 0x0708);
    }
}
