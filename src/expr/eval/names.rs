//! The meaning of the names of variables and types.

use crate::addr::VirtAddr;
use crate::expr::eval::{ExprError, Operand, Scattered, Scope, place};
use crate::expr::{Derived, Expr, ExprKind, Name, TypeBase, TypeName};
use crate::kernel::{LinkerSet, Symbol, SymbolKind};
use crate::types::{self, Static, TypeId, Variable};
use crate::value::NumberMeaning;
use crate::vnet::{SetVariable, Stack, VnetError, variables};

impl Scope<'_> {
    pub(super) fn name(&self, name: &Name) -> Result<Operand, ExprError> {
        let bare = name.name.strip_prefix("V_").unwrap_or(&name.name);
        if let Some(variables) = self.variables
            && let Some(variable) = variables.one(bare, name.file.as_deref())?
        {
            return self.variable(variable, self.stack);
        }
        // Without VIMAGE, V_NAME is the plain global.
        let plain = if self.variables.is_none() { bare } else { &name.name };
        match &name.file {
            Some(file) => self.global_of(plain, bare, file),
            None => self.global(plain),
        }
    }

    /// The copy that a network stack has of a variable.
    pub(super) fn variable(
        &self,
        variable: &SetVariable,
        stack: Stack<'_>,
    ) -> Result<Operand, ExprError> {
        if self.unevaluated.get() {
            return Ok(place(variable.type_id, variable.master, variable.size));
        }
        let name = || variable.name.to_string();
        let Stack::Vnet(vnet) = stack else { return Err(ExprError::NoVnet { name: name() }) };
        let address = vnet
            .copy_of(self.target, variable.master)
            .map_err(|why| ExprError::NoCopy { name: name(), why: why.into() })?;
        Ok(place(variable.type_id, address, variable.size))
    }

    /// The global of that name. If static variables of several files have it, a
    /// global one is used, as in C; if there is none, any of them could be meant.
    fn global(&self, name: &str) -> Result<Operand, ExprError> {
        let symbols = self.symbols(name);
        let global = symbols.iter().find(|symbol| symbol.global);
        let Some(symbol) = global.or(symbols.first()) else {
            let found = self.static_named(name, None).or_else(|| self.current(name));
            return found
                .or_else(|| self.enumerator(name))
                .unwrap_or_else(|| Err(self.unknown(name)));
        };
        if global.is_none() && symbols.len() > 1 {
            let mut files = self.files(&symbols);
            files.dedup();
            if files.len() == symbols.len() {
                return Err(VnetError::Ambiguous { name: name.to_owned(), files }.into());
            }
            let (count, at) = (symbols.len(), symbol.address);
            self.remark(format!(
                "there are {count} variables named {name}; this is the one at {at}"
            ));
        }
        if symbol.kind == SymbolKind::Function {
            return Ok(Operand::Function { address: symbol.address });
        }
        let type_id = self.typed(symbol.address).map(|found| found.type_id);
        // What the symbol has may be no more than a part of the variable.
        if type_id.is_none()
            && let Some(Ok(found @ Operand::Scattered(_))) = self.static_named(name, None)
        {
            return Ok(found);
        }
        Ok(place(type_id, symbol.address, symbol.size).meaning(NumberMeaning::of_variable(name)))
    }

    /// The global of that name that a file defines.
    fn global_of(&self, name: &str, bare: &str, file: &str) -> Result<Operand, ExprError> {
        let symbols = self.symbols(name);
        for symbol in &symbols {
            let path = self.target.source_of(symbol.address);
            if path.is_some_and(|path| types::is_end_of_path(&path, file)) {
                let type_id = self.typed(symbol.address).map(|typed| typed.type_id);
                let found = place(type_id, symbol.address, symbol.size);
                return Ok(found.meaning(NumberMeaning::of_variable(name)));
            }
        }
        if let Some(found) = self.static_named(name, Some(file)) {
            return found;
        }
        let virtualized = self.variables.and_then(|variables| variables.matching(bare).ok());
        let virtualized = virtualized.unwrap_or_default();
        let statics = self.target.statics(name);
        if symbols.is_empty() && virtualized.is_empty() && statics.is_empty() {
            return Err(self.unknown(name));
        }
        let qualifiers =
            virtualized.iter().filter_map(|variable| variable.qualifier().map(String::from));
        let hidden = statics.iter().filter_map(|found| found.file.as_deref().map(String::from));
        let mut near: Vec<String> = qualifiers.chain(self.files(&symbols)).chain(hidden).collect();
        near.sort_unstable();
        near.iter_mut().for_each(|qualifier| *qualifier = format!("{bare}@{qualifier}"));
        if near.is_empty() {
            near.push(name.to_owned());
        }
        near.dedup();
        let (set, name) = (LinkerSet::Vnet, format!("{name}@{file}"));
        Err(VnetError::NoSuchVariable { set, name, near }.into())
    }

    /// The enum constant of that name.
    fn enumerator(&self, name: &str) -> Option<Result<Operand, ExprError>> {
        let (type_id, value) = self.target.types().ok()?.enumerator(name)?;
        Some(Ok(Operand::Number { value, type_id }))
    }

    /// The static variable of that name that no symbol leads to; of several the first,
    /// and a remark says so.
    fn static_named(&self, name: &str, file: Option<&str>) -> Option<Result<Operand, ExprError>> {
        let is_meant = |found: &Static| {
            file.is_none_or(|file| {
                found.file.as_deref().is_some_and(|path| types::is_end_of_path(path, file))
            })
        };
        let found: Vec<_> = self.target.statics(name).into_iter().filter(is_meant).collect();
        let operand = self.static_operand(found.first()?);
        if let [_, _, ..] = found[..] {
            let names = found.iter().map(|found| match (&found.function, &found.file) {
                (Some(function), _) => format!("{function}.{name}"),
                (None, Some(file)) => format!("{name}@{file}"),
                (None, None) => name.to_owned(),
            });
            let mut names: Vec<String> = names.collect();
            names.dedup();
            if names.len() > 1 {
                let count = names.len();
                let names = names.join(", ");
                let remark = format!(
                    "{count} static variables are called {name}: {names}; this is the first"
                );
                self.remark(remark);
            }
        }
        Some(operand)
    }

    /// `function.name`, as symbols call the static variable of a function.
    pub(super) fn static_of_function(
        &self,
        function: &Expr,
        name: &str,
    ) -> Option<Result<Operand, ExprError>> {
        let ExprKind::Name(Name { name: function, .. }) = &function.kind else { return None };
        let mut found = self.target.statics(name).into_iter();
        let found = found.find(|found| found.function.as_deref() == Some(function))?;
        Some(self.static_operand(&found))
    }

    fn static_operand(&self, found: &Static) -> Result<Operand, ExprError> {
        Operand::of_pieces(Scattered::of(self.target, found)?)
    }

    /// The symbols of that name, each address once.
    fn symbols(&self, name: &str) -> Vec<Symbol<'_>> {
        let mut symbols: Vec<_> = self.target.kernel().symbols_named(name).collect();
        symbols.sort_by_key(|symbol| symbol.address);
        symbols.dedup_by_key(|symbol| symbol.address);
        symbols
    }

    /// The files that define these symbols, sorted, as far as they are known.
    fn files(&self, symbols: &[Symbol<'_>]) -> Vec<String> {
        let files = symbols.iter().filter_map(|symbol| self.target.source_of(symbol.address));
        let mut files: Vec<String> = files.map(String::from).collect();
        files.sort_unstable();
        files
    }

    fn typed(&self, address: VirtAddr) -> Option<Variable> {
        self.target.variable_at(address)
    }

    fn unknown(&self, name: &str) -> ExprError {
        if let Ok(types) = self.target.types() {
            if types.has_variable(name) {
                return ExprError::OptimisedOut(name.to_owned());
            }
            if types.find(name).is_ok() {
                return ExprError::TypeNotValue(name.to_owned());
            }
        }
        if let Some(Err(because)) = self.variables.map(|variables| variables.problems().none()) {
            return VnetError::unknown_variable(name, because).into();
        }
        let bare = name.strip_prefix("V_").unwrap_or(name);
        let mut near = match self.variables.map(|variables| variables.matching(bare)) {
            Some(Err(VnetError::NoSuchVariable { near, .. })) => near,
            _ => Vec::new(),
        };
        // A name that begins with V_ was meant to be a vnet's.
        if self.variables.is_none() || bare == name {
            let named = variables::names_like(self.target.kernel(), bare);
            let is_copied =
                |name: &str| LinkerSet::ALL.iter().any(|set| name.starts_with(set.prefix()));
            near.extend(named.into_iter().filter(|name| !is_copied(name)));
            near.sort_unstable();
            near.dedup();
            near = types::most_similar(near, |known| known, bare);
        }
        // The kernel's symbol of a DPCPU variable has another name.
        let of_cpus = self.around.dpcpu_variables().ok();
        if of_cpus.is_some_and(|all| all.matching(bare).is_ok()) {
            near.insert(0, format!("DPCPU({bare})"));
        }
        if bare != name && self.target.kernel().symbol(bare).is_some() {
            near.insert(0, bare.to_owned());
        }
        ExprError::NoSuchName { name: name.to_owned(), near }
    }

    pub(super) fn type_named(&self, name: &TypeName) -> Result<TypeId, ExprError> {
        let types = self.types()?;
        let mut id = match &name.base {
            TypeBase::Named { name, file: Some(file) } => types.find(&format!("{name}@{file}"))?,
            TypeBase::Named { name, file: None } => self.one_of_several(name)?,
            TypeBase::Of(expr) => self.type_of(expr)?,
        };
        let mut derived = name.derived.iter().copied().peekable();
        while let Some(next) = derived.next() {
            id = match next {
                Derived::Pointer => types.pointer_to(id),
                Derived::Function => types.function_returning(id),
                Derived::Array(count) => {
                    // One type has all dimensions, the outermost first.
                    let mut counts = vec![Some(count)];
                    while let Some(Derived::Array(count)) = derived.peek().copied() {
                        derived.next();
                        counts.insert(0, Some(count));
                    }
                    types.rows_of(id, &counts)
                }
            };
        }
        Ok(id)
    }

    /// The type of that name; a remark if there are others.
    fn one_of_several(&self, name: &str) -> Result<TypeId, ExprError> {
        let definitions = self.types()?.definitions(name)?;
        if let [first, others @ ..] = &definitions[..]
            && !others.is_empty()
        {
            let full = |file: &str| format!("{name}@{file}");
            let this = first.file.as_deref().map_or("the first".to_owned(), full);
            let other = others.iter().find_map(|other| other.file.as_deref());
            let other = other.map_or(String::new(), |file| format!("; another is {}", full(file)));
            let count = definitions.len();
            self.remark(format!(
                "there are {count} different types named {name}; this is {this}{other}"
            ));
        }
        Ok(definitions.first().map_or(TypeId::VOID, |first| first.type_id))
    }
}
