//! The copies that one network stack has of the virtualized variables.

use std::fmt;

use super::{SetVariable, Stack, Variables, Vnet};
use crate::addr::VirtAddr;
use crate::target::Target;
use crate::value::Object;
use crate::walk::Problem;

/// The copies that one network stack has of the virtualized variables. In a kernel without
/// VIMAGE, these are the variables themselves.
#[derive(Debug, Clone, Copy)]
pub struct Copies<'t> {
    target: &'t Target,
    stack: Stack<'t>,
    /// `None` in a kernel without VIMAGE.
    variables: Option<&'t Variables>,
}

/// A variable and its stack, in words.
#[derive(Debug, Clone, Copy)]
pub struct CopyName<'a> {
    variable: &'a str,
    /// `None` without VIMAGE.
    vnet: Option<&'a Vnet>,
}

impl<'t> Copies<'t> {
    /// The copies of `stack`. `variables` are all virtualized ones; `None` without VIMAGE.
    #[must_use]
    pub fn new(target: &'t Target, stack: Stack<'t>, variables: Option<&'t Variables>) -> Self {
        Self { target, stack, variables }
    }

    /// The stack's copy of the variable of that name; `None` if the kernel has no such variable.
    ///
    /// # Errors
    /// The stack has no copy that can be believed, or the variable's type is unknown.
    pub fn get(&self, name: &str) -> Result<Option<Object<'t>>, Problem> {
        let Some(variables) = self.variables else {
            let found = self.target.kernel().symbol(name).is_some();
            let global = || Object::global(self.target, name);
            return found.then(global).transpose().map_err(|why| self.problem(name, why));
        };
        let Some((variable, address)) = self.copy(variables, name)? else { return Ok(None) };
        match variable.type_id {
            Some(type_id) => Ok(Some(Object::new(self.target, type_id, address))),
            None => Err(self.problem(name, "its type is unknown")),
        }
    }

    /// The address of the stack's copy, for a variable whose type the debug information may lack;
    /// `None` if the kernel has no such variable.
    ///
    /// # Errors
    /// The stack has no copy that can be believed.
    pub fn address(&self, name: &str) -> Result<Option<VirtAddr>, Problem> {
        let Some(variables) = self.variables else {
            return Ok(self.target.kernel().symbol(name).map(|symbol| symbol.address));
        };
        Ok(self.copy(variables, name)?.map(|(_, address)| address))
    }

    /// A virtualized variable, and where the stack's copy is.
    fn copy(
        &self,
        variables: &'t Variables,
        name: &str,
    ) -> Result<Option<(&'t SetVariable, VirtAddr)>, Problem> {
        let variable = variables.one(name, None).map_err(|why| self.problem(name, why))?;
        let Some(variable) = variable else { return Ok(None) };
        let copy = self.stack.copy_of(self.target, variable.master);
        copy.map(|address| Some((variable, address))).map_err(|why| self.problem(name, why))
    }

    fn problem(&self, name: &str, why: impl ToString) -> Problem {
        Problem::new(self.name(name), why.to_string())
    }

    /// The variable and its stack, for messages: `V_ifnet of vnet 2`.
    #[must_use]
    pub fn name<'a>(&self, variable: &'a str) -> CopyName<'a>
    where
        't: 'a,
    {
        CopyName { variable, vnet: self.vnet() }
    }

    /// The target that they are read from.
    #[must_use]
    pub fn target(&self) -> &'t Target {
        self.target
    }

    /// The vnet; `None` without VIMAGE.
    #[must_use]
    pub fn vnet(&self) -> Option<&'t Vnet> {
        self.stack.vnet()
    }
}

impl fmt::Display for CopyName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.vnet {
            Some(vnet) => write!(f, "V_{} of {}", self.variable, vnet.title()),
            None => f.write_str(self.variable),
        }
    }
}

impl From<CopyName<'_>> for Box<str> {
    fn from(name: CopyName<'_>) -> Self {
        name.to_string().into()
    }
}
