//! The session's answers about CPUs and their copies of DPCPU variables.

use super::Session;
use crate::addr::VirtAddr;
use crate::error::Error;
use crate::target::Target;
use crate::value::model::{ErrorKind, ValueError};
use crate::views::cpus::{Cpu, Cpus};
use crate::vnet::{Stack, VnetError};

/// Whose copy of a variable is meant.
#[derive(Debug, Clone, Copy)]
pub enum CopyOf<'s> {
    /// A network stack's, of a virtualized variable.
    Stack(Stack<'s>),
    /// A CPU's, of a DPCPU variable.
    Cpu(&'s Cpu),
}

/// The CPU that is meant where none is chosen.
#[derive(Debug, Clone)]
pub struct DefaultCpu<'s> {
    /// The CPU.
    pub cpu: &'s Cpu,
    /// The CPU and the reason, in words: `CPU 1, where the crashing thread ran`
    pub title: String,
}

impl Session {
    /// The CPUs that exist, each with the place of its copies of DPCPU variables.
    ///
    /// # Errors
    /// The kernel is not the dump's, or does not say how many there are.
    pub fn cpus(&self) -> Result<&Cpus, Error> {
        self.require_match()?;
        Ok(self.known_cpus()?)
    }

    /// The CPU with that id.
    ///
    /// # Errors
    /// There is none, or as [`Session::cpus`].
    pub fn cpu(&self, id: u64) -> Result<&Cpu, Error> {
        Ok(self.cpus()?.require(id.into())?)
    }

    /// The CPU where the crashing thread ran; if that is unknown, CPU 0.
    ///
    /// # Errors
    /// As [`Session::cpus`]; or there is no CPU at all.
    pub fn default_cpu(&self) -> Result<DefaultCpu<'_>, Error> {
        self.require_match()?;
        Ok(self.crash_cpu()?)
    }

    pub(super) fn crash_cpu(&self) -> Result<DefaultCpu<'_>, VnetError> {
        let cpus = self.known_cpus()?;
        let crashed = self.known_crashed_thread().ok().flatten();
        let cpu = crashed.and_then(|crashed| cpus.get(crashed.cpu?));
        if let Some(cpu) = cpu {
            let title = format!("CPU {}, where the crashing thread ran", cpu.id);
            return Ok(DefaultCpu { cpu, title });
        }
        let cpu = cpus.all.first();
        let cpu = cpu.ok_or_else(|| VnetError::NoSuchCpu { cpu: 0, cpus: Vec::new() })?;
        let title = format!("CPU {}, because no crashing thread is known to have run", cpu.id);
        Ok(DefaultCpu { cpu, title })
    }

    pub(super) fn known_cpus(&self) -> Result<&Cpus, VnetError> {
        let cpus = self.cpus.get_or_init(|| Cpus::read(self.target()));
        cpus.as_ref().map_err(|why| why.clone().into())
    }
}

impl CopyOf<'_> {
    /// The address of the copy of what lies at `master` in the linker set.
    ///
    /// # Errors
    /// Why there is no copy.
    pub fn copy_of(self, target: &Target, master: VirtAddr) -> Result<VirtAddr, ValueError> {
        match self {
            Self::Stack(stack) => stack.copy_of(target, master).map_err(|why| ValueError {
                kind: ErrorKind::Stale,
                address: None,
                message: why.into(),
            }),
            Self::Cpu(cpu) => cpu.copy_of(target, master),
        }
    }
}

impl<'s> From<Stack<'s>> for CopyOf<'s> {
    fn from(stack: Stack<'s>) -> Self {
        Self::Stack(stack)
    }
}

impl<'s> From<&'s Cpu> for CopyOf<'s> {
    fn from(cpu: &'s Cpu) -> Self {
        Self::Cpu(cpu)
    }
}
