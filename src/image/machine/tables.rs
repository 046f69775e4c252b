//! Page tables in simulated memory, for any architecture.

use super::frames::Frames;
use super::ram::Ram;
use super::space::{Entry, Level, Rights, Space};
use crate::addr::{PhysAddr, VirtAddr};
use crate::image::ImageError;
use crate::writing::entry_bytes;

/// The kernel's page tables.
#[derive(Debug)]
pub struct PageTables {
    space: &'static dyn Space,
    root: PhysAddr,
}

impl PageTables {
    /// Builds empty tables. The topmost one is at `root` if that is given.
    pub fn new(
        space: &'static dyn Space,
        root: Option<PhysAddr>,
        ram: &mut Ram,
        frames: &mut Frames,
    ) -> Result<Self, ImageError> {
        let top = space.levels().first().copied().unwrap_or(Level { span: 1, entries: 1 });
        let bytes = top.entries * space.layout().entry_size;
        let root = match root {
            Some(root) => root,
            None => frames.take_low_run(bytes, bytes)?,
        };
        let tables = Self { space, root };
        if let Some((slot, entry)) = space.self_map(root) {
            tables.store(ram, tables.slot(root, slot), entry);
        }
        if space.top_is_full() {
            let size = space.layout().page;
            let first = frames.take_low_run(size * top.entries, size)?;
            for slot in 0..top.entries {
                let table = first.wrapping_add(slot * size);
                tables.store(ram, tables.slot(root, slot), space.table_entry(0, table));
            }
        }
        Ok(tables)
    }

    /// The topmost table.
    pub fn root(&self) -> PhysAddr {
        self.root
    }

    /// Maps the page of `size` bytes at `at` to `to`. `size` is what an entry of some level covers,
    /// and both addresses are aligned to it.
    pub fn map(
        &self,
        ram: &mut Ram,
        frames: &mut Frames,
        at: VirtAddr,
        to: PhysAddr,
        size: u64,
        rights: Rights,
    ) -> Result<(), ImageError> {
        let mut table = self.root;
        for (number, level) in self.space.levels().iter().enumerate() {
            if level.span <= size {
                let entry = self.space.page_entry(number, to, rights);
                self.store(ram, self.slot(table, level.index(at)), entry);
                break;
            }
            table = self.table_below(ram, frames, table, number, level.index(at))?;
        }
        Ok(())
    }

    /// Removes the smallest page at `at` from the tables.
    pub fn unmap(&self, ram: &mut Ram, at: VirtAddr) {
        let last = self.space.levels().len().saturating_sub(1);
        if let (Some(table), Some(level)) = (self.table(ram, at, last), self.space.levels().last())
        {
            self.store(ram, self.slot(table, level.index(at)), 0);
        }
    }

    /// The level `level` table that covers `at`; `None` if there is none.
    pub fn table(&self, ram: &Ram, at: VirtAddr, level: usize) -> Option<PhysAddr> {
        let above = self.space.levels().iter().enumerate().take(level);
        above.into_iter().try_fold(self.root, |table, (number, level)| {
            match self.space.decode(number, self.load(ram, self.slot(table, level.index(at)))) {
                Entry::Table(next) => Some(next),
                _ => None,
            }
        })
    }

    /// The entries of the level `level` table that covers `at`. A larger page
    /// is split, as in the kernel's dump code.
    pub fn entries(&self, ram: &Ram, at: VirtAddr, level: usize) -> Option<Vec<u64>> {
        let mut table = self.root;
        let wanted = self.space.levels().get(level)?;
        for (number, above) in self.space.levels().iter().enumerate().take(level) {
            let entry = self.load(ram, self.slot(table, above.index(at)));
            match self.space.decode(number, entry) {
                Entry::Nothing => return None,
                Entry::Table(next) => table = next,
                Entry::Page(start) => {
                    let covered = wanted.span * wanted.entries;
                    let first = at.page_start(covered).page_offset(above.span);
                    let part = |i| start.wrapping_add(first + i * wanted.span);
                    let split = |i| self.space.page_entry(level, part(i), Rights::DATA);
                    return Some((0..wanted.entries).map(split).collect());
                }
            }
        }
        Some((0..wanted.entries).map(|slot| self.load(ram, self.slot(table, slot))).collect())
    }

    fn table_below(
        &self,
        ram: &mut Ram,
        frames: &mut Frames,
        table: PhysAddr,
        level: usize,
        index: u64,
    ) -> Result<PhysAddr, ImageError> {
        if let Entry::Table(found) =
            self.space.decode(level, self.load(ram, self.slot(table, index)))
        {
            return Ok(found);
        }
        let page = self.space.layout().page;
        let below = self
            .space
            .levels()
            .get(level + 1)
            .map_or(page, |below| below.entries * self.space.layout().entry_size);
        // Tables smaller than a page are allocated a page at a time, for neighbouring slots.
        let pageful = (page / below).max(1);
        let new = frames.take_low_run(below.max(page), below)?;
        let first = index - index % pageful;
        for number in 0..pageful {
            let slot = self.slot(table, first + number);
            if self.space.decode(level, self.load(ram, slot)) == Entry::Nothing {
                let entry = self.space.table_entry(level, new.wrapping_add(number * below));
                self.store(ram, slot, entry);
            }
        }
        Ok(new.wrapping_add((index - first) * below))
    }

    fn slot(&self, table: PhysAddr, index: u64) -> PhysAddr {
        table.wrapping_add(index * self.space.layout().entry_size)
    }

    fn load(&self, ram: &Ram, at: PhysAddr) -> u64 {
        let layout = self.space.layout();
        let mut word = [0; 8];
        let word = &mut word[..layout.entry_size.min(8) as usize];
        ram.read(at, word);
        layout.entry_endian.uint(word) as u64
    }

    fn store(&self, ram: &mut Ram, at: PhysAddr, entry: u64) {
        let layout = self.space.layout();
        ram.write(at, &entry_bytes(entry, layout.entry_size, layout.entry_endian));
    }
}
