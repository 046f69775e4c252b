//! Variables by name: finds a stack's copy of a variable by its path.

use std::ops::Range;

use super::Runtime;
use super::scope::Scope;
use crate::addr::VirtAddr;
use crate::expr::{self, Name, Path};
use crate::image::ImageError;
use crate::image::literal::Literal;
use crate::image::object::Object;
use crate::types::Variable;

/// Prefix of the symbols in the set, `VNET_SYMPREFIX`.
const PREFIX: &str = "vnet_entry_";

/// What stands for a file to choose the kernel's own variable, not a module's.
const KERNEL: &str = "kernel";

impl Runtime {
    /// The object at the end of `path`: `ipforwarding`, `V_tcbinfo.ipi_count`,
    /// `ipv4_hashtbl@in_gif.c`, or with [`Scope::Kernel`] any variable of the kernel.
    ///
    /// # Errors
    /// The kernel has no such variable or member, or it has several and no file was given.
    pub fn find(&self, scope: Scope, path: &str) -> Result<Object, ImageError> {
        let parsed = self.parse_path(path)?;
        let variable = self.master(PREFIX, self.kernel.kernel().set_vnet(), &parsed.name)?;
        let object = match (scope, variable) {
            (Scope::Vnet(vnet), Some(master)) => {
                Object { address: self.in_vnet(vnet, master.address)?, ..master }
            }
            (Scope::Kernel, Some(master)) => master,
            (Scope::Kernel, None) => self.plain(&parsed.name)?,
            (Scope::Vnet(_), None) => {
                let why = "the kernel has no virtualized variable of that name";
                return Err(ImageError::Value { target: path.into(), why: why.into() });
            }
        };
        parsed.steps.iter().try_fold(object, |at, step| self.kernel.step(at, step))
    }

    /// Stores `value` in the object at the end of `path`.
    ///
    /// # Errors
    /// As [`Runtime::find`], or its type cannot hold the value.
    pub fn set(&mut self, scope: Scope, path: &str, value: &Literal) -> Result<(), ImageError> {
        let object = self.find(scope, path)?;
        self.assign_at(object, path, value)
    }

    pub(super) fn parse_path(&self, path: &str) -> Result<Path, ImageError> {
        expr::parse_path(path)
            .map_err(|error| ImageError::Value { target: path.into(), why: error.to_string() })
    }

    /// Stores `value` in `object`, which errors call `path`.
    pub(super) fn assign_at(
        &mut self,
        object: Object,
        path: &str,
        value: &Literal,
    ) -> Result<(), ImageError> {
        self.kernel.assign(object, value).map_err(|error| match error {
            ImageError::Value { target, why } => {
                ImageError::Value { target: format!("{path} ({target})"), why }
            }
            other => other,
        })
    }

    /// The scope of the host's variables: vnet0, or the kernel's globals without VIMAGE.
    pub fn host(&self) -> Scope {
        self.vnet0().map_or(Scope::Kernel, Scope::Vnet)
    }

    /// The master of a variable in a linker set, by its symbol: the name after `prefix`. `set` is
    /// the kernel's own set at link addresses; the variables of modules are elsewhere.
    pub(super) fn master(
        &self,
        prefix: &str,
        set: Option<Range<VirtAddr>>,
        name: &Name,
    ) -> Result<Option<Object>, ImageError> {
        let plain = name.name.strip_prefix("V_").unwrap_or(&name.name);
        let symbol = format!("{prefix}{plain}");
        let named = self.kernel.kernel().symbols().named(&symbol).map(|symbol| symbol.address);
        let inside = |at: &VirtAddr| set.as_ref().is_some_and(|set| set.contains(at));
        let mut addresses: Vec<VirtAddr> = named.filter(inside).collect();
        addresses.sort_unstable();
        addresses.dedup();
        let mut modules: Vec<Object> = Vec::new();
        for (module, variable) in self.module_variables(&symbol) {
            let file = variable.file.as_deref();
            if matches_file(name.file.as_deref(), Some(module))
                || matches_file(name.file.as_deref(), file)
            {
                modules.push(Object::new(variable.address, variable.type_id));
            }
        }
        match (&addresses[..], &modules[..], &name.file) {
            ([], [], _) => return Ok(None),
            ([], [one], _) | (_, [one], Some(_)) => return Ok(Some(*one)),
            (_, [], _) => {}
            _ => return Err(self.unusable(name, "several files define it; write NAME@file.c")),
        }
        let mut found = Vec::new();
        for address in addresses {
            let variable = self.described(address, &symbol);
            let file = variable.as_ref().and_then(|variable| variable.file.as_deref());
            if name.file.as_deref() == Some(KERNEL) || matches_file(name.file.as_deref(), file) {
                found.push(variable);
            }
        }
        match found.as_slice() {
            [] => Err(self.unusable(name, "no file of that name defines it")),
            [Some(variable)] => {
                Ok(Some(Object::new(self.kernel.running(variable.address), variable.type_id)))
            }
            [None] => Err(self.unusable(name, "the debug information does not describe it")),
            _ => Err(self.unusable(name, "several files define it; write NAME@file.c")),
        }
    }

    /// The variable at `address`. If one without a size is there too, the one with the right name.
    fn described(&self, address: VirtAddr, symbol: &str) -> Option<Variable> {
        let types = self.kernel.types();
        let right = |variable: &Variable| *variable.name == *symbol;
        types.variable_linked_at(address).filter(right).or_else(|| {
            let range = address..address.checked_add(1)?;
            types.variables_linked_in(&range).into_iter().find(right)
        })
    }

    fn plain(&self, name: &Name) -> Result<Object, ImageError> {
        let name = name.name.strip_prefix("V_").unwrap_or(&name.name);
        self.kernel.variable(name)
    }

    fn unusable(&self, name: &Name, why: &str) -> ImageError {
        ImageError::Value { target: name.to_string(), why: why.into() }
    }
}

/// Does `file` end with the given path?
fn matches_file(wanted: Option<&str>, file: Option<&str>) -> bool {
    let Some(wanted) = wanted else { return true };
    file.and_then(|file| file.strip_suffix(wanted))
        .is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::matches_file;

    #[test]
    fn files_match_by_whole_path_components() {
        assert!(matches_file(None, None));
        assert!(matches_file(Some("in_gif.c"), Some("netinet/in_gif.c")));
        assert!(matches_file(Some("netinet/in_gif.c"), Some("netinet/in_gif.c")));
        assert!(!matches_file(Some("gif.c"), Some("netinet/in_gif.c")));
        assert!(!matches_file(Some("in_gif.c"), None));
    }
}
