//! A part of kernel memory, read run by run.

use std::ops::ControlFlow;

use crate::addr::VirtAddr;
use crate::answers::Remark;
use crate::fault::Fault;
use crate::memory::KernelMemory;
use crate::vnet::VnetRef;
use crate::walk::Problems;

/// Bytes that are read at a time.
pub(super) const CHUNK: usize = 1 << 20;

/// A part of kernel memory. It is read when it is shown, and not kept.
#[derive(Debug, Clone)]
pub struct Memory<'m> {
    pub(super) memory: &'m KernelMemory,
    /// The first byte.
    pub start: VirtAddr,
    /// Bytes; the range ends at or below 2^64.
    pub length: u64,
    /// The vnet in which the address was evaluated; `None` if none was needed.
    pub vnet: Option<VnetRef>,
    /// What could not be read on the way to the address.
    pub problems: Problems,
    /// Remarks about the address.
    pub remarks: Vec<Remark>,
}

/// The range extends past 2^64.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the range extends past 2^64")]
pub struct BeyondAllAddresses {
    /// The first byte of the range.
    pub start: VirtAddr,
    /// Bytes from there up to 2^64; `u64::MAX` for all of them.
    pub most: u64,
}

/// Bytes that can be read, or that cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run<'a> {
    /// They are these.
    Bytes(&'a [u8]),
    /// This many bytes of one page cannot be read, and why.
    Gap(&'a Fault, u64),
}

/// The `length` bytes of `memory` from `start`.
///
/// # Errors
/// The range extends past 2^64.
pub fn memory(
    memory: &KernelMemory,
    start: VirtAddr,
    length: u64,
) -> Result<Memory<'_>, BeyondAllAddresses> {
    if start.checked_add(length.saturating_sub(1)).is_none() {
        let most = (u64::MAX - start.get()).saturating_add(1);
        return Err(BeyondAllAddresses { start, most });
    }
    let (vnet, problems, remarks) = (None, Problems::default(), Vec::new());
    Ok(Memory { memory, start, length, vnet, problems, remarks })
}

impl<'m> Memory<'m> {
    /// Calls `f` with one run after the other, until `f` stops it. A run is no longer than a
    /// megabyte, and no run of what cannot be read crosses the end of a page.
    pub fn try_for_each_run<B>(
        &self,
        mut f: impl FnMut(VirtAddr, Run<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let mut buffer = vec![0; CHUNK.min(usize::try_from(self.length).unwrap_or(CHUNK))];
        let (mut at, mut left) = (self.start, self.length);
        while left > 0 {
            let wanted = usize::try_from(left).unwrap_or(CHUNK).min(buffer.len());
            let Some(part) = buffer.get_mut(..wanted) else { break };
            let (len, fault) = self.memory.read_prefix(at, part);
            let bytes = part.get(..len).unwrap_or(&[]);
            if !bytes.is_empty() {
                f(at, Run::Bytes(bytes))?;
            }
            let mut passed = bytes.len() as u64;
            if let Some(fault) = fault {
                let gap = self.gap_length(fault.address).min(left - passed);
                f(fault.address, Run::Gap(&fault, gap))?;
                passed += gap;
            }
            at = at.wrapping_add(passed);
            left -= passed;
        }
        ControlFlow::Continue(())
    }

    /// What cannot be read is missing up to the end of its page.
    fn gap_length(&self, at: VirtAddr) -> u64 {
        self.memory.page_size() - at.page_offset(self.memory.page_size())
    }

    /// Checks that all of it can be read.
    ///
    /// # Errors
    /// The first byte that cannot, and why.
    pub fn all_readable(&self) -> Result<(), Fault> {
        let missing = self.try_for_each_run(|_, run| match run {
            Run::Bytes(_) => ControlFlow::Continue(()),
            Run::Gap(fault, _) => ControlFlow::Break(fault.clone()),
        });
        match missing {
            ControlFlow::Break(fault) => Err(fault),
            ControlFlow::Continue(()) => Ok(()),
        }
    }
}
