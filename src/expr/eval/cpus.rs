//! The copies that CPUs have: of DPCPU variables, and their structs pcpu.

use crate::expr::eval::{CopyOfCpu, ExprError, Operand, Scope, place};
use crate::expr::{Expr, Name};
use crate::kernel::LinkerSet;
use crate::value::cpus;
use crate::vnet::{Variables, VnetError};

impl Scope<'_> {
    /// `DPCPU(name)` or `DPCPU(name, cpu)`.
    pub(super) fn dpcpu(&self, name: &Name, cpu: Option<&Expr>) -> Result<Operand, ExprError> {
        let variables = self.around.dpcpu_variables()?;
        let wanted = name.to_string();
        let symbol = LinkerSet::Pcpu.prefix();
        let bare = name.name.strip_prefix(symbol).unwrap_or(&name.name);
        let Some(variable) = variables.one(bare, name.file.as_deref())? else {
            return Err(self.no_dpcpu(variables, wanted));
        };
        if self.unevaluated.get() {
            return Ok(place(variable.type_id, variable.master, variable.size));
        }
        let cpu = match cpu {
            Some(number) => self.cpu(number)?,
            None => {
                let (cpu, why) = self.around.chosen_cpu()?;
                self.note(why);
                cpu
            }
        };
        let CopyOfCpu { address, doubt } = self.around.copy_of(cpu, variable.master)?;
        doubt.into_iter().for_each(|doubt| self.remark(doubt));
        let address = address.map_err(|why| ExprError::NoCopyOfCpu { name: wanted, why })?;
        Ok(place(variable.type_id, address, variable.size))
    }

    /// `cpu(number)`.
    pub(super) fn struct_pcpu(&self, number: i128) -> Result<Operand, ExprError> {
        let cpu = self.around.cpu(number)?;
        let found = cpus::struct_pcpu(self.target, cpu)?.ok_or(ExprError::NoPcpu { cpu })?;
        Ok(place(Some(found.type_id), found.address, 0))
    }

    /// The id of the CPU that an expression names.
    fn cpu(&self, number: &Expr) -> Result<u64, ExprError> {
        let number = self.integer(&self.eval(number)?)?.value;
        Ok(self.around.cpu(number)?)
    }

    fn no_dpcpu(&self, variables: &Variables, name: String) -> ExprError {
        // The pattern of a name that is no variable's gives names like it.
        match (variables.problems().none(), variables.matching(&name)) {
            (Err(because), _) => VnetError::unknown_variable(name, because).into(),
            (Ok(()), Err(why)) => why.into(),
            (Ok(()), Ok(_)) => {
                let (set, near) = (LinkerSet::Pcpu, Vec::new());
                VnetError::NoSuchVariable { set, name, near }.into()
            }
        }
    }

    fn note(&self, note: Option<String>) {
        let Some(note) = note.map(|cpu| format!("DPCPU variables are those of {cpu}")) else {
            return;
        };
        let mut notes = self.notes.borrow_mut();
        if !notes.iter().any(|said| **said == *note) {
            notes.push(note.into());
        }
    }
}
