//! Limits on the members, elements and nesting of one value.

use std::cell::Cell;

use crate::budget::{Budget, Exhausted, Share};
use crate::value::model::Value;

/// The remaining budget for members and elements.
///
/// A struct that holds itself twice has twice as many members with each level, and
/// so its size must be wrong. The members and elements of a value are therefore no more
/// than its bytes justify: [`PARTS_A_BYTE`] of them, since each bit of a byte may have a
/// name, in each of several unions. Those that there is a byte for cost nothing.
pub struct Parts<'b> {
    budget: &'b Budget,
    share: Share<'b>,
    count: Cell<u64>,
    /// As many as there are bytes.
    free: u64,
}

const PARTS_A_BYTE: u64 = 64;
/// The number of parts that a value without bytes may have.
const LEAST_PARTS: u64 = 4096;
/// Beyond this number, the memory for parts is counted too.
pub const CHEAP_PARTS: u64 = 1 << 16;

impl<'b> Parts<'b> {
    /// # Errors
    /// The budget does not cover even the bytes.
    pub fn of(budget: &'b Budget, size: usize) -> Result<Self, Exhausted> {
        const BYTES_A_STEP: u64 = 256;
        let free = size as u64;
        budget.work(free / BYTES_A_STEP)?;
        let most = LEAST_PARTS.saturating_add(free.saturating_mul(PARTS_A_BYTE));
        Ok(Self { budget, share: budget.share("the value", most), count: Cell::new(0), free })
    }

    /// Spends one part.
    ///
    /// # Errors
    /// None is left.
    pub fn spend(&self) -> Result<(), Exhausted> {
        let count = self.count.get();
        if count >= self.free.min(CHEAP_PARTS) {
            self.pay(count)?;
        }
        self.count.set(count + 1);
        Ok(())
    }

    /// What one more than `count` costs.
    #[cold]
    fn pay(&self, count: u64) -> Result<(), Exhausted> {
        if count >= self.free {
            self.share.work(1)?;
        }
        if count >= CHEAP_PARTS && count.is_multiple_of(CHEAP_PARTS) {
            self.budget.bytes(CHEAP_PARTS * size_of::<Value>() as u64)?;
        }
        Ok(())
    }

    /// Spends steps of work other than parts.
    ///
    /// # Errors
    /// The budget has fewer left.
    pub fn work(&self, steps: u64) -> Result<(), Exhausted> {
        self.budget.work(steps)
    }
}

/// The current depth within a value: in records, and in records and arrays.
#[derive(Debug, Clone, Copy, Default)]
pub struct Depth {
    pub records: usize,
    pub levels: usize,
}

impl Depth {
    pub fn of_record(self) -> Self {
        Self { records: self.records + 1, levels: self.levels + 1 }
    }

    pub fn of_array(self) -> Self {
        Self { levels: self.levels + 1, ..self }
    }
}
