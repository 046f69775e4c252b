//! Variables of the running kernel: by symbol, by address, and those that only the debug
//! information has. [`Types`](crate::types::Types) know link addresses; here
//! addresses are those in memory.

use std::ops::Range;

use super::Target;
use crate::addr::VirtAddr;
use crate::target::ReadError;
use crate::types::{Kept, NameKind, Piece, Static, TypeError, TypeId, Variable};

impl Target {
    /// The address of a symbol, or of a static variable without a symbol of its name.
    ///
    /// # Errors
    /// The kernel has no such symbol or variable.
    pub fn address_of(&self, name: &str) -> Result<VirtAddr, ReadError> {
        let symbol = self.kernel.symbol(name).map(|symbol| symbol.address);
        let found = symbol.or_else(|| Some(self.whole_static(name)?.address));
        found.ok_or_else(|| ReadError::NoSymbol { name: name.to_owned() })
    }

    /// A global variable by name, with its address from the symbols and its type from
    /// the unit that defines it. If no symbol has the name, because the compiler renamed it,
    /// both come from the debug information.
    ///
    /// # Errors
    /// There is no such variable, or no debug information about it.
    pub fn global(&self, name: &str) -> Result<Variable, ReadError> {
        let symbol = self.kernel.symbol(name);
        let found = match symbol {
            Some(symbol) => {
                self.types()?;
                self.variable_at(symbol.address)
            }
            None => self.whole_static(name),
        };
        if symbol.is_none() && found.is_none() {
            return Err(ReadError::NoSymbol { name: name.to_owned() });
        }
        found.ok_or_else(|| {
            TypeError::NotFound {
                what: NameKind::Variable,
                name: name.to_owned(),
                near: Vec::new(),
            }
            .into()
        })
    }

    /// The value of an integer variable of the kernel. The size is that of its symbol.
    ///
    /// # Errors
    /// There is no such symbol, or its memory cannot be read.
    pub fn integer(&self, name: &str) -> Result<u64, ReadError> {
        let symbol = self.kernel.symbol(name);
        let symbol = symbol.ok_or_else(|| ReadError::NoSymbol { name: name.to_owned() })?;
        let size = if matches!(symbol.size, 1 | 2 | 8) { symbol.size } else { 4 };
        Ok(self.memory.uint(symbol.address, size as usize)?)
    }

    /// The kernel's variable at exactly this address; `None` without types.
    #[must_use]
    pub fn variable_at(&self, address: VirtAddr) -> Option<Variable> {
        let types = self.types.as_ref().ok()?;
        types
            .variable_linked_at(self.kernel.linked_at(address))
            .map(|variable| self.moved(variable))
    }

    /// What tells the kernel's variable at this address from others of its name, as
    /// [`Variable::file`] does; `None` without types.
    #[must_use]
    pub fn source_of(&self, address: VirtAddr) -> Option<Box<str>> {
        self.types.as_ref().ok()?.source_linked_at(self.kernel.linked_at(address))
    }

    /// The kernel's variables in the address range, sorted by address and name;
    /// empty without types.
    #[must_use]
    pub fn variables_in(&self, range: &Range<VirtAddr>) -> Vec<Variable> {
        let Ok(types) = &self.types else { return Vec::new() };
        let linked = self.kernel.linked_at(range.start)..self.kernel.linked_at(range.end);
        types
            .variables_linked_in(&linked)
            .into_iter()
            .map(|variable| self.moved(variable))
            .collect()
    }

    /// The type with that name in the unit that defines the kernel's variable at `address`.
    /// Several units may have different types with one name.
    #[must_use]
    pub fn type_beside(&self, address: VirtAddr, name: &str) -> Option<TypeId> {
        self.types.as_ref().ok()?.find_beside(self.kernel.linked_at(address), name)
    }

    /// The static variables with that name that have a location. Those of files come before those
    /// of functions. Empty without types.
    #[must_use]
    pub fn statics(&self, name: &str) -> Vec<Static> {
        self.types.as_ref().map_or_else(|_| Vec::new(), |types| types.statics(name))
    }

    /// Where the bytes of a static variable are.
    ///
    /// # Errors
    /// Its location is damaged, or needs memory that cannot be read.
    pub fn pieces(&self, variable: &Static) -> Result<Vec<Piece>, ReadError> {
        let read = |at, size: u64| Ok(self.memory.uint(at, size.min(8) as usize)?);
        self.types()?.pieces(variable, self.kernel.slide(), &read)
    }

    /// The file-level variable with this name that lies in memory in one piece.
    fn whole_static(&self, name: &str) -> Option<Variable> {
        let of_files = self.statics(name).into_iter().filter(|found| found.function.is_none());
        of_files.into_iter().find_map(|found| match self.pieces(&found).ok()?.as_slice() {
            [Piece { kept: Kept::At(address), .. }] => {
                let Static { name, type_id, file, .. } = found;
                Some(Variable { name, type_id, address: *address, file })
            }
            _ => None,
        })
    }

    fn moved(&self, linked: Variable) -> Variable {
        Variable { address: self.kernel.running_at(linked.address), ..linked }
    }
}
