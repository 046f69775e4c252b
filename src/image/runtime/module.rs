//! Modules: what the kernel's linker does when one is loaded and unloaded.
//!
//! `sys/kern/kern_linker.c`, `link_elf.c` and `link_elf_obj.c`, 12.1. A module is
//! put into kernel memory and relocated. Its set of virtualized variables is placed in
//! module space and copied to every listed stack, that of the CPUs' variables to every CPU. A `struct elf_file`, which
//! begins with a `struct linker_file`, is added to the end of `linker_files`, with a
//! copy of the symbol table. The kernel has its own entry on that list.

mod file;
mod object;
mod placed;
mod set_space;
mod sets;
mod shared;
mod symbols;

use std::collections::BTreeMap;

use super::{Queue, Runtime};
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::kernel::LoadedKernel;
use crate::image::object::Object;
use crate::source::Source;
use crate::types::{TypeError, TypeId, Types, Variable};

pub use self::file::ModuleFile;

use self::placed::{MALLOC_TYPE, Placed, Table};
pub(super) use self::symbols::FoundSymbol;

/// What the kernel's linker knows.
#[derive(Debug)]
pub(super) struct Linker {
    head: VirtAddr,
    queue: Queue,
    /// `struct linker_file`
    file_type: TypeId,
    kernel_file: VirtAddr,
    last_id: u64,
    /// `struct kobj_ops` of each class, by the address of the class.
    ops: BTreeMap<VirtAddr, VirtAddr>,
    pub(super) modules: Vec<LoadedModule>,
}

/// A module in the kernel's memory.
#[derive(Debug)]
pub(super) struct LoadedModule {
    pub name: String,
    elf_file: VirtAddr,
    placed: Placed,
    /// Other allocations that are freed with it.
    blocks: Vec<VirtAddr>,
    /// Its variables in linker sets, if it has a debug file.
    pub variables: Vec<Variable>,
}

/// Where modules are installed.
const DIRECTORY: &str = "/boot/kernel";

impl Linker {
    /// linker_init and link_elf_init: the list has only the kernel. `None` if the
    /// kernel's types do not show how modules are kept.
    pub fn of(kernel: &mut LoadedKernel) -> Result<Option<Self>, ImageError> {
        if class(kernel, false).is_none() {
            return Ok(None);
        }
        let (head, file_type) = match list(kernel) {
            Ok(found) => found,
            Err(ImageError::Type(TypeError::NotFound { .. } | TypeError::Incomplete { .. })) => {
                return Ok(None);
            }
            Err(other) => return Err(other),
        };
        let queue = Queue::of(kernel, head.type_id, file_type, "link")?;
        queue.init(kernel.machine_mut(), head.address)?;
        let mut linker = Self {
            head: head.address,
            queue,
            file_type,
            kernel_file: VirtAddr::new(0),
            last_id: 0,
            ops: BTreeMap::new(),
            modules: Vec::new(),
        };
        let image = kernel.machine().image();
        let placed = Placed {
            base: image.start,
            size: image.end.offset_from(image.start).unwrap_or(0),
            ..Placed::default()
        };
        let file = linker.new_file(kernel, false, "kernel", "/boot/kernel/kernel", &placed)?;
        linker.kernel_file = file.address;
        kernel.set_symbol("linker_kernel_file", file.address.get())?;
        Ok(Some(linker))
    }

    /// linker_make_file: a new `struct elf_file` of that class, last on the list.
    fn new_file(
        &mut self,
        kernel: &mut LoadedKernel,
        is_object: bool,
        name: &str,
        path: &str,
        placed: &Placed,
    ) -> Result<Object, ImageError> {
        let class = class(kernel, is_object).ok_or_else(|| {
            ImageError::Refused(format!("the kernel has no linker for files like {name}"))
        })?;
        let type_id = elf_file(kernel.types(), class, is_object)?;
        let class = kernel.running(class);
        let size = kernel.types().size_of(type_id)?;
        let at = kernel.machine_mut().malloc(MALLOC_TYPE, size)?;
        let elf_file = Object::new(at, type_id);
        let file = kernel.member(elf_file, "lf")?;
        let ops = self.ops(kernel, class)?;
        kernel.set_pointer(file, "ops", ops)?;
        self.last_id += 1;
        kernel.set(file, "id", self.last_id)?;
        kernel.set(file, "refs", 1)?;
        kernel.set(file, "userrefs", u64::from(self.last_id > 1))?;
        let (name, path) =
            (kernel.malloc_text(MALLOC_TYPE, name)?, kernel.malloc_text(MALLOC_TYPE, path)?);
        kernel.set_pointer(file, "filename", name)?;
        kernel.set_pointer(file, "pathname", path)?;
        kernel.set_pointer(file, "address", placed.base)?;
        kernel.set(file, "size", placed.size)?;
        self.queue.insert_tail(kernel.machine_mut(), self.head, file.address)?;
        Ok(elf_file)
    }

    /// linker_file_add_dependency: every module references the kernel.
    fn depend_on_kernel(
        &self,
        kernel: &mut LoadedKernel,
        elf_file: Object,
    ) -> Result<VirtAddr, ImageError> {
        let file = kernel.member(elf_file, "lf")?;
        let pointer = kernel.machine().arch().pointer_size();
        let deps = kernel.machine_mut().malloc(MALLOC_TYPE, pointer)?;
        kernel.machine_mut().set_pointer(deps, self.kernel_file)?;
        kernel.set(file, "ndeps", 1)?;
        kernel.set_pointer(file, "deps", deps)?;
        self.count_reference(kernel, 1)?;
        Ok(deps)
    }

    /// Changes the number of references to the kernel.
    fn count_reference(&self, kernel: &mut LoadedKernel, by: i64) -> Result<(), ImageError> {
        let file = Object::new(self.kernel_file, self.file_type);
        let refs = kernel.get(file, "refs")?;
        kernel.set(file, "refs", refs.wrapping_add_signed(by))
    }

    /// The compiled methods of a class, made at first use (kobj_class_compile).
    fn ops(&mut self, kernel: &mut LoadedKernel, class: VirtAddr) -> Result<VirtAddr, ImageError> {
        if let Some(ops) = self.ops.get(&class) {
            return Ok(*ops);
        }
        let ops = kernel.malloc("kobj", "struct kobj_ops")?;
        kernel.set_pointer(ops, "cls", class)?;
        self.ops.insert(class, ops.address);
        Ok(ops.address)
    }
}

impl Runtime {
    /// kldload(2): loads a module and runs its constructors on every listed stack. Its
    /// dependencies must be loaded already.
    ///
    /// # Errors
    /// It is for another architecture, needs an undefined symbol, is already loaded, or there is
    /// no room for its virtualized variables or for those of CPUs (ENOSPC). Then nothing of it
    /// remains.
    pub fn load_module(&mut self, file: &ModuleFile) -> Result<(), ImageError> {
        let linker = self.linker.as_ref().ok_or_else(no_linker)?;
        if linker.modules.iter().any(|module| module.name == file.name()) {
            return Err(ImageError::Refused(format!("{} is loaded already", file.name())));
        }
        file.check(&self.kernel)?;
        let imports = self.imports(file)?;
        let sets = self.place_sets(file)?;
        let loaded = match file.is_object() {
            true => self.load_object(file, &imports, &sets),
            false => self.load_shared(file, &imports, &sets),
        };
        let mut placed = match loaded {
            Ok(placed) => placed,
            Err(error) => {
                self.free_sets(&sets)?;
                return Err(error);
            }
        };
        self.copy_sets(&sets)?;
        let path = format!("{DIRECTORY}/{}", file.name());
        let mut blocks = Vec::new();
        let kernel = &mut self.kernel;
        let table = match placed.own_table {
            Some(table) => table,
            None => keep_symbols(kernel, &mut placed, &mut blocks)?,
        };
        let linker = self.linker.as_mut().ok_or_else(no_linker)?;
        let elf_file = linker.new_file(kernel, file.is_object(), file.name(), &path, &placed)?;
        blocks.push(elf_file.address);
        kernel.set_pointer(elf_file, "address", placed.base)?;
        kernel.set_pointer(elf_file, "ddbsymtab", table.symbols)?;
        kernel.set(elf_file, "ddbsymcnt", table.count)?;
        kernel.set_pointer(elf_file, "ddbstrtab", table.strings)?;
        kernel.set(elf_file, "ddbstrcnt", table.strings_size)?;
        match file.is_object() {
            true => object::set_sections(kernel, elf_file, file, &placed, &mut blocks)?,
            false => shared::set_bounds(kernel, elf_file, file, &placed)?,
        }
        blocks.push(linker.depend_on_kernel(kernel, elf_file)?);
        let variables = file.variables(kernel, &placed.sets)?;
        let name = file.name().to_owned();
        let sysinits = placed.sysinits.clone();
        linker.modules.push(LoadedModule {
            name,
            elf_file: elf_file.address,
            placed,
            blocks,
            variables,
        });
        self.files.push(file.clone());
        for (kind, entry) in sysinits {
            self.vnet_register(kind, entry)?;
        }
        Ok(())
    }

    /// The files of all modules that were ever loaded, by name.
    pub(in crate::image) fn module_files(&self) -> impl Iterator<Item = (String, &Source)> {
        self.files.iter().flat_map(ModuleFile::parts)
    }

    /// Is a module with that name loaded?
    pub fn is_loaded(&self, name: &str) -> bool {
        self.linker.iter().flat_map(|linker| &linker.modules).any(|module| module.name == name)
    }

    /// The modules' variables with that name, including the prefix of their symbols, each with the
    /// module's name. Only variables in a debug file are found.
    pub(super) fn module_variables<'a>(
        &'a self,
        symbol: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Variable)> {
        let modules = self.linker.iter().flat_map(|linker| &linker.modules);
        modules.flat_map(move |module| {
            let named = module.variables.iter().filter(move |variable| *variable.name == *symbol);
            named.map(|variable| (&*module.name, variable))
        })
    }

    /// kldunload(2): runs a module's destructors on every listed stack, takes it off the list and
    /// frees its memory.
    ///
    /// # Errors
    /// No such module is loaded.
    pub fn unload_module(&mut self, name: &str) -> Result<(), ImageError> {
        let modules = &self.linker.as_ref().ok_or_else(no_linker)?.modules;
        let Some(number) = modules.iter().position(|module| module.name == name) else {
            return Err(ImageError::Refused(format!("no module {name} is loaded")));
        };
        for (kind, entry) in modules[number].placed.sysinits.clone().into_iter().rev() {
            self.vnet_deregister_at(kind, entry)?;
        }
        let linker = self.linker.as_mut().ok_or_else(no_linker)?;
        let module = linker.modules.remove(number);
        linker.queue.remove(self.kernel.machine_mut(), linker.head, module.elf_file)?;
        linker.count_reference(&mut self.kernel, -1)?;
        let file = Object::new(module.elf_file, linker.file_type);
        let text = |name| self.kernel.get(file, name).map(VirtAddr::new);
        let texts = [text("filename")?, text("pathname")?];
        for block in module.blocks.into_iter().chain(texts).chain([module.placed.base]) {
            self.kernel.machine_mut().free(block)?;
        }
        self.free_sets(&module.placed.sets)
    }

    /// The symbols that a module needs from the kernel and other modules.
    fn imports(&self, file: &ModuleFile) -> Result<BTreeMap<String, VirtAddr>, ImageError> {
        let names = file.undefined()?;
        let found = names.into_iter().map(|(name, is_weak)| match self.lookup_symbol(&name) {
            Some(at) => Ok((name, at)),
            None if is_weak => Ok((name, VirtAddr::new(0))),
            None => {
                let why = format!("link_elf: symbol {name} undefined ({})", file.name());
                Err(ImageError::Refused(why))
            }
        });
        found.collect()
    }
}

/// Copies of the symbol table and its strings, in memory of their own.
fn keep_symbols(
    kernel: &mut LoadedKernel,
    placed: &mut Placed,
    blocks: &mut Vec<VirtAddr>,
) -> Result<Table, ImageError> {
    let mut copy = |bytes: &[u8]| {
        let at = kernel.machine_mut().malloc(MALLOC_TYPE, bytes.len() as u64)?;
        kernel.machine_mut().write(at, bytes)?;
        blocks.push(at);
        Ok::<_, ImageError>(at)
    };
    let (symbols, strings) = (copy(&placed.symbols)?, copy(&placed.strings)?);
    let (size, strings_size) = (placed.symbols.len() as u64, placed.strings.len() as u64);
    let entry = if kernel.machine().arch().pointer_size() == 8 { 24 } else { 16 };
    Ok(Table { symbols, count: size / entry, strings, strings_size })
}

/// The linker's class for object files, or the one for shared objects and the kernel itself, at
/// its link address. Releases call both `link_elf_class`, so the name in them decides.
fn class(kernel: &LoadedKernel, is_object: bool) -> Option<VirtAddr> {
    let names = ["link_elf_class", "link_elf_obj_class"];
    let mut classes = names.into_iter().flat_map(|name| kernel.kernel().symbols().named(name));
    let found = classes.find(|symbol| {
        let name = || {
            let variable = kernel.types().variable_linked_at(symbol.address)?;
            let class = Object::new(kernel.running(symbol.address), variable.type_id);
            let at = VirtAddr::new(kernel.get(class, "name").ok()?);
            let mut name = [0; 16];
            kernel.machine().read(at, &mut name).ok()?;
            Some(name)
        };
        name().is_some_and(|name| {
            let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
            name[..end].ends_with(b"_obj") == is_object
        })
    });
    found.map(|symbol| symbol.address)
}

/// The `struct elf_file` of a class. Two structs have this name: that of the unit which defines
/// the class is right. If no unit is known, only the one of object files has `progtab`.
fn elf_file(types: &Types, class: VirtAddr, is_object: bool) -> Result<TypeId, TypeError> {
    const NAME: &str = "struct elf_file";
    if let Some(beside) = types.find_beside(class, NAME) {
        return Ok(beside);
    }
    let fits = |id: TypeId| types.has_member(id, "progtab") == is_object;
    let found = types.definitions(NAME)?.into_iter().map(|found| found.type_id);
    found.into_iter().find(|id| fits(*id)).map_or_else(|| types.find(NAME), Ok)
}

/// The head of the list, and the type of its elements.
fn list(kernel: &LoadedKernel) -> Result<(Object, TypeId), ImageError> {
    let head = kernel.variable("linker_files")?;
    let first = kernel.types().member(head.type_id, "tqh_first")?;
    let file = kernel.types().pointee(first.type_id)?;
    kernel.types().size_of(file)?;
    Ok((head, file))
}

fn no_linker() -> ImageError {
    ImageError::Refused("this kernel's types do not tell how it keeps modules".into())
}
