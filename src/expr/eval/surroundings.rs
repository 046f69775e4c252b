//! What an expression can ask about the machine around the memory that it reads.

use crate::addr::VirtAddr;
use crate::expr::eval::ExprError;
use crate::value::model::ValueError;
use crate::vnet::{Stack, Variables, VnetError};

/// The CPUs, vnets, jails and threads that an expression can name. Each is found out when an
/// expression asks for it.
pub trait Surroundings<'t> {
    /// The DPCPU variables.
    ///
    /// # Errors
    /// The kernel has none.
    fn dpcpu_variables(&self) -> Result<&'t Variables, VnetError>;

    /// The id of the CPU with that number.
    ///
    /// # Errors
    /// There is none, or it is unknown which there are.
    fn cpu(&self, number: i128) -> Result<u64, VnetError>;

    /// The id of the CPU whose copies are meant if none is named. If nobody chose it, which it is
    /// and why.
    ///
    /// # Errors
    /// There is no such CPU, or it is unknown.
    fn chosen_cpu(&self) -> Result<(u64, Option<String>), VnetError>;

    /// A CPU's copy of what lies at `master` in the set.
    ///
    /// # Errors
    /// There is no such CPU, or it is unknown.
    fn copy_of(&self, cpu: u64, master: VirtAddr) -> Result<CopyOfCpu, VnetError>;

    /// The struct vnet with that number, in order of creation.
    ///
    /// # Errors
    /// There is none, or it is unknown.
    fn vnet(&self, number: i128) -> Result<VirtAddr, ExprError>;

    /// The network stack whose struct vnet lies at `address`; `None` if that is none.
    fn stack(&self, address: VirtAddr) -> Option<Stack<'t>>;

    /// The struct prison of the jail with that name or number.
    ///
    /// # Errors
    /// There is none, or it is unknown.
    fn prison(&self, wanted: &str) -> Result<VirtAddr, ExprError>;

    /// The struct thread with that number.
    ///
    /// # Errors
    /// There is none, or it is unknown.
    fn thread(&self, tid: i128) -> Result<VirtAddr, ExprError>;

    /// The struct thread of the thread that wrote the dump.
    ///
    /// # Errors
    /// No thread did, or it is unknown which.
    fn current_thread(&self) -> Result<VirtAddr, ExprError>;
}

/// A CPU's copy of a variable.
#[derive(Debug)]
pub struct CopyOfCpu {
    /// Where it lies, or why there is none.
    pub address: Result<VirtAddr, ValueError>,
    /// Why it may lie elsewhere, in a sentence.
    pub doubt: Option<String>,
}
