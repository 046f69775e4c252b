//! The debug information about code, of the kernel and of its modules, by running addresses.

use std::cell::OnceCell;
use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::addr::VirtAddr;
use crate::target::Target;
use crate::types::Types;
use crate::types::code::Code;

/// The debug information of a module's code, which is found at the first question for it.
pub struct ModuleCode {
    found: OnceLock<Option<PlacedTypes>>,
    find: Box<dyn Fn() -> Option<PlacedTypes> + Send + Sync>,
}

/// Debug information, and the distance from its addresses to those in memory.
#[derive(Debug, Clone)]
pub struct PlacedTypes {
    /// The debug information.
    pub types: Arc<Types>,
    /// Bytes, modulo 2^64.
    pub slide: u64,
}

impl ModuleCode {
    /// Debug information that `find` returns, if the module's file is found.
    #[must_use]
    pub fn new(find: impl Fn() -> Option<PlacedTypes> + Send + Sync + 'static) -> Self {
        Self { found: OnceLock::new(), find: Box::new(find) }
    }

    fn get(&self) -> Option<&PlacedTypes> {
        self.found.get_or_init(&self.find).as_ref()
    }
}

impl fmt::Debug for ModuleCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModuleCode").field("found", &self.found).finish_non_exhaustive()
    }
}

/// Answers questions about addresses of code in memory.
#[derive(Debug)]
pub struct RunningCode<'t> {
    target: &'t Target,
    kernel: OnceCell<Option<Code<'t>>>,
    modules: Vec<OnceCell<Option<(Code<'t>, u64)>>>,
}

/// What is known of the code at one address.
#[derive(Debug, Clone, Copy)]
pub struct CodeAt<'a, 't> {
    /// The file that has it.
    pub code: &'a Code<'t>,
    /// The address there.
    pub linked: u64,
    /// The distance from its addresses to those in memory.
    pub slide: u64,
}

impl Target {
    /// What can be asked about code.
    #[must_use]
    pub fn code(&self) -> RunningCode<'_> {
        let modules = self.modules.iter().map(|_| OnceCell::new()).collect();
        RunningCode { target: self, kernel: OnceCell::new(), modules }
    }
}

impl<'t> RunningCode<'t> {
    /// The debug information that covers an address; `None` if there is none.
    #[must_use]
    pub fn at(&self, address: VirtAddr) -> Option<CodeAt<'_, 't>> {
        let target = self.target;
        let (code, slide) = match target.module_number(address) {
            Some(number) => {
                let find = || {
                    let placed = target.modules.get(number)?.code.as_ref()?.get()?;
                    Some((placed.types.code()?, placed.slide))
                };
                let (code, slide) = self.modules.get(number)?.get_or_init(find).as_ref()?;
                (code, *slide)
            }
            None => {
                let find = || target.types.as_ref().ok()?.code();
                (self.kernel.get_or_init(find).as_ref()?, target.kernel.slide())
            }
        };
        Some(CodeAt { code, linked: address.get().wrapping_sub(slide), slide })
    }
}
