//! The structs of vnets, jails and threads that an expression names by their numbers.

use crate::addr::VirtAddr;
use crate::expr::Function;
use crate::expr::eval::{ExprError, Operand, Operator, Scope};
use crate::types::{TypeId, Types};

impl Scope<'_> {
    /// `cpu(3)`, `vnet(2)`, `jail("web01")` or `thread(100123)`.
    pub(super) fn found_by(
        &self,
        function: Function,
        argument: &Operand,
    ) -> Result<Operand, ExprError> {
        let record = match function {
            Function::Vnet => "struct vnet",
            Function::Jail => "struct prison",
            Function::Thread => "struct thread",
            _ => "struct pcpu",
        };
        if self.unevaluated.get() {
            return self.struct_at(record, VirtAddr::default());
        }
        if let (Function::Jail, Operand::Text(name)) = (function, argument) {
            return self.struct_at(record, self.around.prison(name)?);
        }
        if let Operand::Text(_) = argument {
            return Err(self.wrong(Operator::Called(function.name()), argument));
        }
        let number = self.integer(argument)?.value;
        match function {
            Function::Vnet => self.struct_at(record, self.around.vnet(number)?),
            Function::Jail => self.struct_at(record, self.around.prison(&number.to_string())?),
            Function::Thread => self.struct_at(record, self.around.thread(number)?),
            _ => self.struct_pcpu(number),
        }
    }

    /// `curvnet` and `curthread`, which are macros in the kernel; `None` of other names.
    pub(super) fn current(&self, name: &str) -> Option<Result<Operand, ExprError>> {
        let (record, address) = match name {
            "curvnet" => {
                let vnet = self.stack.vnet().map(|vnet| vnet.address);
                let none = || ExprError::NoVnet { name: name.to_owned() };
                ("struct vnet", vnet.ok_or_else(none))
            }
            "curthread" => ("struct thread", self.around.current_thread()),
            _ => return None,
        };
        let address = if self.unevaluated.get() { Ok(VirtAddr::default()) } else { address };
        Some(address.and_then(|address| {
            let to = self.types()?.find(record)?;
            let type_id = self.types()?.pointer_to(to);
            Ok(Operand::Number { value: address.get().into(), type_id })
        }))
    }

    /// `vnet(2).V_ifnet`: a variable of the vnet whose struct it is; `None` if the name or the
    /// struct is another.
    pub(super) fn variable_of(
        &self,
        type_id: TypeId,
        address: VirtAddr,
        name: &str,
    ) -> Option<Result<Operand, ExprError>> {
        let bare = name.strip_prefix("V_").filter(|_| self.is_vnet(type_id))?;
        let found = self.variables?.one(bare, None);
        let variable = match found {
            Ok(variable) => variable?,
            Err(why) => return Some(Err(why.into())),
        };
        let stack = self.around.stack(address);
        Some(match stack {
            Some(stack) => self.variable(variable, stack),
            None => Err(ExprError::NoVnet { name: name.to_owned() }),
        })
    }

    /// Whether the name is that of a variable of vnets, without its `V_`, and the struct is a vnet's.
    pub(super) fn is_variable_of(&self, type_id: TypeId, name: &str) -> bool {
        let known = self.variables.and_then(|variables| variables.matching(name).ok());
        self.is_vnet(type_id) && known.is_some_and(|known| !known.is_empty())
    }

    fn is_vnet(&self, type_id: TypeId) -> bool {
        let name = |types: &Types| Some(types.name(types.resolve(type_id).ok()?.0));
        self.target.types().ok().and_then(name).as_deref() == Some("struct vnet")
    }

    fn struct_at(&self, record: &str, address: VirtAddr) -> Result<Operand, ExprError> {
        let type_id = self.types()?.find(record)?;
        Ok(Operand::place(type_id, address))
    }
}
