//! Constructors and destructors of network stacks: VNET_SYSINIT and VNET_SYSUNINIT.
//!
//! `sys/net/vnet.c`. Two tail queues of `struct vnet_sysinit`, sorted by subsystem and order,
//! first come first on ties. Registering a constructor runs it on every listed stack; so does
//! deregistering a destructor, before it is unlinked. A new stack runs constructors forward, a
//! dying one runs destructors in reverse: `construction.rs`. Without VIMAGE a VNET_SYSINIT is a
//! plain SYSINIT: it runs once, and is on no list.

use std::collections::BTreeMap;

use super::constructors::Effect;
use super::module::FoundSymbol;
use super::scope::Vnet;
use super::vnet::no_vimage;
use super::{Queue, Runtime};
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::kernel::LoadedKernel;
use crate::image::literal::Literal;
use crate::image::object::Object;
use crate::types::TypeId;
use crate::types::model::Type;

/// One of the two lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SysinitKind {
    /// VNET_SYSINIT, on `vnet_constructors`.
    Constructor,
    /// VNET_SYSUNINIT, on `vnet_destructors`.
    Destructor,
}

/// A constructor or destructor to register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SysinitOptions {
    /// The macro's `ident`, which also identifies the registration for removal.
    pub name: String,
    /// An enumerator of sysinit_sub_id (`SI_SUB_PROTO_IF`) or a number.
    pub subsystem: String,
    /// An enumerator of sysinit_elem_order (`SI_ORDER_ANY`) or a number.
    pub order: String,
    /// Symbol of the function, or its address in hex.
    pub function: String,
    /// Its argument.
    pub argument: u64,
}

/// A registered constructor or destructor in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sysinit {
    /// Address of its `struct vnet_sysinit`.
    pub address: VirtAddr,
    /// The subsystem, a value of sysinit_sub_id.
    pub subsystem: u64,
    /// The order within the subsystem, a value of sysinit_elem_order.
    pub order: u64,
    /// The address of the function.
    pub function: VirtAddr,
    /// The argument of the function.
    pub argument: VirtAddr,
}

/// The two lists, and what the runtime knows beyond the contents of memory.
#[derive(Debug)]
pub(super) struct Sysinits {
    type_id: TypeId,
    constructors: VirtAddr,
    destructors: VirtAddr,
    queue: Queue,
    /// Entries registered by name.
    named: Vec<(SysinitKind, String, VirtAddr)>,
    /// The effects of functions for which one was declared.
    pub(super) effects: BTreeMap<VirtAddr, Effect>,
}

/// `SI_SUB_VNET` of `sys/sys/kernel.h`, where the debug information has no enum.
const SI_SUB_VNET: u64 = 0x021e_0000;

impl Sysinits {
    /// Both lists, empty; `None` in a kernel that has none.
    pub fn prepare(kernel: &mut LoadedKernel) -> Result<Self, ImageError> {
        let type_id = kernel.types().find("struct vnet_sysinit")?;
        let constructors = kernel.variable("vnet_constructors")?;
        let destructors = kernel.variable("vnet_destructors")?.address;
        let queue = Queue::of(kernel, constructors.type_id, type_id, "link")?;
        let constructors = constructors.address;
        queue.init(kernel.machine_mut(), constructors)?;
        queue.init(kernel.machine_mut(), destructors)?;
        let (named, effects) = (Vec::new(), BTreeMap::new());
        Ok(Self { type_id, constructors, destructors, queue, named, effects })
    }

    fn head(&self, kind: SysinitKind) -> VirtAddr {
        match kind {
            SysinitKind::Constructor => self.constructors,
            SysinitKind::Destructor => self.destructors,
        }
    }

    fn read(&self, kernel: &LoadedKernel, address: VirtAddr) -> Result<Sysinit, ImageError> {
        let entry = Object::new(address, self.type_id);
        Ok(Sysinit {
            address,
            subsystem: kernel.get(entry, "subsystem")?,
            order: kernel.get(entry, "order")?,
            function: VirtAddr::new(kernel.get(entry, "func")?),
            argument: VirtAddr::new(kernel.get(entry, "arg")?),
        })
    }

    fn list(&self, kernel: &LoadedKernel, kind: SysinitKind) -> Result<Vec<Sysinit>, ImageError> {
        let entries = self.queue.elements(kernel.machine(), self.head(kind))?;
        entries.into_iter().map(|entry| self.read(kernel, entry)).collect()
    }

    /// The position after all entries whose subsystem and order are not greater.
    fn insert(
        &self,
        kernel: &mut LoadedKernel,
        kind: SysinitKind,
        new: Sysinit,
    ) -> Result<(), ImageError> {
        let key = |entry: &Sysinit| (entry.subsystem, entry.order);
        let list = self.list(kernel, kind)?;
        let (head, machine) = (self.head(kind), kernel.machine_mut());
        match list.iter().find(|other| key(other) > key(&new)) {
            Some(other) => self.queue.insert_before(machine, head, other.address, new.address),
            None => self.queue.insert_tail(machine, head, new.address),
        }
    }

    /// Those of the kernel file, in the order in which mi_startup registers them.
    fn of_kernel(&self, kernel: &LoadedKernel) -> Result<Vec<(SysinitKind, Sysinit)>, ImageError> {
        let size = kernel.types().size_of(self.type_id)?;
        let mut found = Vec::new();
        for symbol in kernel.kernel().symbols().iter().filter(|symbol| symbol.size == size) {
            let kind = match symbol.name {
                name if name.ends_with("_vnet_init") => SysinitKind::Constructor,
                name if name.ends_with("_vnet_uninit") => SysinitKind::Destructor,
                _ => continue,
            };
            found.push((kind, self.read(kernel, kernel.running(symbol.address))?));
        }
        found.sort_by_key(|(_, entry)| (entry.subsystem, entry.order, entry.address));
        found.dedup_by_key(|(_, entry)| entry.address);
        Ok(found)
    }
}

impl Runtime {
    /// The SYSINITs behind VNET_SYSINIT and VNET_SYSUNINIT, at boot.
    pub(super) fn register_kernel_sysinits(&mut self) -> Result<(), ImageError> {
        let Some(sysinits) = &self.sysinits else { return Ok(()) };
        for (kind, entry) in sysinits.of_kernel(&self.kernel)? {
            self.vnet_register(kind, entry.address)?;
        }
        Ok(())
    }

    /// VNET_SYSINIT or VNET_SYSUNINIT of a module: makes its `struct vnet_sysinit` and registers
    /// it. A constructor runs on every listed stack at once.
    ///
    /// # Errors
    /// There is no such subsystem, order or function; the name is taken; or the subsystem is not
    /// after SI_SUB_VNET, which the kernel asserts.
    pub fn vnet_sysinit(
        &mut self,
        kind: SysinitKind,
        options: &SysinitOptions,
    ) -> Result<VirtAddr, ImageError> {
        self.vnet_sysinit_with(kind, options, None)
    }

    pub(super) fn vnet_sysinit_with(
        &mut self,
        kind: SysinitKind,
        options: &SysinitOptions,
        effect: Option<Effect>,
    ) -> Result<VirtAddr, ImageError> {
        let function = self.function(&options.function)?;
        let Some(sysinits) = &self.sysinits else {
            // A module's SYSINIT runs when it is loaded, its SYSUNINIT when it is unloaded.
            if kind == SysinitKind::Constructor {
                self.call(kind, function, effect, None)?;
            }
            return Ok(VirtAddr::new(0));
        };
        let same = |known: &(SysinitKind, String, _)| known.0 == kind && known.1 == options.name;
        if sysinits.named.iter().any(same) {
            let why = format!("a VNET_SYSINIT named {} is registered", options.name);
            return Err(ImageError::Refused(why));
        }
        let entry = self.kernel.malloc("sysinit", "struct vnet_sysinit")?;
        for (member, text) in [("subsystem", &options.subsystem), ("order", &options.order)] {
            let member = self.kernel.member(entry, member)?;
            self.kernel.assign(member, &Literal::Text(text.clone()))?;
        }
        self.kernel.set_pointer(entry, "func", function)?;
        self.kernel.set(entry, "arg", options.argument)?;
        if let Some(sysinits) = &mut self.sysinits {
            sysinits.named.push((kind, options.name.clone(), entry.address));
            sysinits.effects.extend(effect.map(|effect| (entry.address, effect)));
        }
        self.vnet_register(kind, entry.address)?;
        Ok(entry.address)
    }

    /// vnet_register_sysinit or vnet_register_sysuninit of the `struct vnet_sysinit` at `entry`.
    ///
    /// # Errors
    /// Its subsystem is not after SI_SUB_VNET, which the kernel asserts; or there is no VIMAGE.
    pub fn vnet_register(&mut self, kind: SysinitKind, entry: VirtAddr) -> Result<(), ImageError> {
        let sysinits = self.sysinits.as_ref().ok_or_else(no_vimage)?;
        let entry = sysinits.read(&self.kernel, entry)?;
        let least = self.enumerator("SI_SUB_VNET").unwrap_or(SI_SUB_VNET);
        if kind == SysinitKind::Constructor && entry.subsystem <= least {
            return Err(ImageError::Assertion("vnet sysinit too early".into()));
        }
        sysinits.insert(&mut self.kernel, kind, entry)?;
        if kind == SysinitKind::Constructor {
            self.call_on_all(kind, entry)?;
        }
        Ok(())
    }

    /// vnet_deregister_sysinit, which only unlinks; or vnet_deregister_sysuninit, which first
    /// runs the destructor on every listed stack. `name` is the name given at registration.
    ///
    /// # Errors
    /// No entry with that name is registered.
    pub fn vnet_deregister(&mut self, kind: SysinitKind, name: &str) -> Result<(), ImageError> {
        let sysinits = self.sysinits.as_mut().ok_or_else(no_vimage)?;
        let place = sysinits.named.iter().position(|known| known.0 == kind && known.1 == name);
        let place = place.ok_or_else(|| {
            ImageError::Refused(format!("no VNET_SYSINIT named {name} is registered"))
        })?;
        let (.., address) = sysinits.named.remove(place);
        self.vnet_deregister_at(kind, address)?;
        self.kernel.machine_mut().free(address)
    }

    /// The same for the `struct vnet_sysinit` at `entry`, as unloading a module does.
    ///
    /// # Errors
    /// It is not on the list.
    pub fn vnet_deregister_at(
        &mut self,
        kind: SysinitKind,
        entry: VirtAddr,
    ) -> Result<(), ImageError> {
        let known = self.sysinits(kind)?.into_iter().find(|known| known.address == entry);
        let entry = known.ok_or(ImageError::NotOnList(entry))?;
        if kind == SysinitKind::Destructor {
            self.call_on_all(kind, entry)?;
        }
        let Some(sysinits) = &mut self.sysinits else { return Ok(()) };
        sysinits.effects.remove(&entry.address);
        let head = sysinits.head(kind);
        sysinits.queue.remove(self.kernel.machine_mut(), head, entry.address)
    }

    /// The registered entries, in the order of the list.
    pub fn sysinits(&self, kind: SysinitKind) -> Result<Vec<Sysinit>, ImageError> {
        self.sysinits.as_ref().map_or(Ok(Vec::new()), |all| all.list(&self.kernel, kind))
    }

    /// VNET_FOREACH around a call, newest stack first.
    fn call_on_all(&mut self, kind: SysinitKind, entry: Sysinit) -> Result<(), ImageError> {
        for vnet in self.vnets()?.into_iter().rev() {
            self.call_entry(kind, entry, vnet)?;
        }
        Ok(())
    }

    /// Calls a constructor or destructor with curvnet set to `vnet`.
    pub(super) fn call_entry(
        &mut self,
        kind: SysinitKind,
        entry: Sysinit,
        vnet: Vnet,
    ) -> Result<(), ImageError> {
        let effects = self.sysinits.as_ref().map(|sysinits| &sysinits.effects);
        let effect = effects.and_then(|effects| effects.get(&entry.address)).cloned();
        self.call(kind, entry.function, effect, Some(vnet))
    }

    fn call(
        &mut self,
        kind: SysinitKind,
        function: VirtAddr,
        effect: Option<Effect>,
        vnet: Option<Vnet>,
    ) -> Result<(), ImageError> {
        let name = self.function_name(function);
        self.note_call(kind, &name, vnet);
        let scope = vnet.map_or(super::Scope::Kernel, super::Scope::Vnet);
        match effect.or_else(|| self.effect_of(&name)) {
            Some(effect) => self.take_effect(&effect, scope),
            None => Ok(()),
        }
    }

    /// The address of a function, by its symbol or in hex.
    pub(super) fn function(&self, name: &str) -> Result<VirtAddr, ImageError> {
        let hex = name.strip_prefix("0x").and_then(|hex| u64::from_str_radix(hex, 16).ok());
        let found = self.lookup_symbol(name).or(hex.map(VirtAddr::new));
        let why = || format!("neither the kernel nor a loaded module has a function {name}");
        found.ok_or_else(|| ImageError::Refused(why()))
    }

    /// The symbol of a function, or its address.
    pub(super) fn function_name(&self, function: VirtAddr) -> String {
        match self.symbol_at(function) {
            Some(FoundSymbol { name, offset: 0, .. }) => name.to_owned(),
            Some(FoundSymbol { name, offset, .. }) => format!("{name}+{offset:#x}"),
            None => function.to_string(),
        }
    }

    /// The value of an enumerator of sysinit_sub_id, from the type of registrations.
    pub(super) fn enumerator(&self, name: &str) -> Option<u64> {
        let types = self.kernel.types();
        let sysinits = self.sysinits.as_ref()?;
        let member = types.member(sysinits.type_id, "subsystem").ok()?;
        let (_, found) = types.resolve(member.type_id).ok()?;
        let Type::Enum(enumeration) = &*found else { return None };
        let known = enumeration.enumerators.iter().find(|known| &*known.name == name)?;
        u64::try_from(known.value).ok()
    }
}
