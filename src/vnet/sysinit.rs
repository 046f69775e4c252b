//! Constructors and destructors of network stacks: VNET_SYSINIT and VNET_SYSUNINIT.
//!
//! What: the static lists `vnet_constructors` and `vnet_destructors` of
//! `struct vnet_sysinit` (`sys/net/vnet.c`, `sys/net/vnet.h`, 9.3 to main), in the
//! order in which a stack runs them: constructors as they are listed, destructors
//! from the end of their list to its head.
//!
//! How: members by the kernel's debug information, names of subsystems and orders
//! from its own enums, functions by its symbols.
//!
//! What it refuses to do: it does not say how far a stack has come; that is
//! `views::construction`.

use crate::addr::VirtAddr;
use crate::target::{ReadError, Target};
use crate::value::Object;
use crate::value::model::{PointerValue, SymbolAt, ValueError};
use crate::value::queue::{self, List};
use crate::vnet::VnetError;
use crate::vnet::enum_names::{EnumNames, EnumValue};
use crate::vnet::unloaded::Unloaded;
use crate::walk::{Problem, Problems};

/// A constructor or destructor. Members that cannot be read are errors.
#[derive(Debug, Clone, PartialEq)]
pub struct VnetSysinit {
    /// The address of its struct vnet_sysinit.
    pub address: VirtAddr,
    /// When it runs: an `enum sysinit_sub_id` of `sys/sys/kernel.h`.
    pub subsystem: Result<EnumValue, ValueError>,
    /// When it runs within its subsystem: an `enum sysinit_elem_order`.
    pub order: Result<EnumValue, ValueError>,
    /// What is called.
    pub function: Result<PointerValue, ValueError>,
    /// What the function is called with.
    pub argument: Result<PointerValue, ValueError>,
    /// The owner of the function: `kernel`, or a module's file name.
    pub module: Option<Box<str>>,
}

/// Both lists, each in the order in which it is run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sysinits {
    /// Run by vnet_alloc, first to last.
    pub constructors: Vec<VnetSysinit>,
    /// Run by vnet_destroy, first to last.
    pub destructors: Vec<VnetSysinit>,
    /// What is wrong with the lists, a sentence each.
    pub problems: Problems,
}

impl Sysinits {
    /// Reads both lists.
    ///
    /// # Errors
    /// The kernel has no VIMAGE, no such lists, or no debug information about them.
    pub fn read(target: &Target, unloaded: &Unloaded) -> Result<Self, VnetError> {
        if target.kernel().set_vnet().is_none() {
            return Err(VnetError::without_set(target.kernel()));
        }
        let mut problems = Problems::default();
        let constructors = read_list(target, unloaded, "vnet_constructors", &mut problems)?;
        let mut destructors = read_list(target, unloaded, "vnet_destructors", &mut problems)?;
        destructors.reverse();
        Ok(Self { constructors, destructors, problems })
    }

    /// All of both, constructors first.
    pub fn iter(&self) -> impl Iterator<Item = &VnetSysinit> {
        self.constructors.iter().chain(&self.destructors)
    }

    /// The name of the function of the `struct vnet_sysinit` at `address`.
    #[must_use]
    pub fn function_at(&self, address: VirtAddr) -> Option<String> {
        let sysinit = self.iter().find(|sysinit| sysinit.address == address)?;
        Some(sysinit.function.as_ref().ok()?.target_name())
    }
}

impl VnetSysinit {
    /// The value of its subsystem, if that could be read.
    #[must_use]
    pub fn subsystem_value(&self) -> Option<u64> {
        self.subsystem.as_ref().ok().map(|subsystem| subsystem.value)
    }

    fn read(
        sysinit: &Object<'_>,
        unloaded: &Unloaded,
        subsystems: &EnumNames,
        orders: &EnumNames,
    ) -> Self {
        let target = sysinit.target();
        let number = |member, names: &EnumNames| -> Result<EnumValue, ValueError> {
            Ok(names.name(sysinit.uint(member)?))
        };
        let function = sysinit.pointer("func").map_err(ValueError::from);
        let argument = sysinit.pointer("arg").map_err(ValueError::from);
        let (function, argument) = (
            function.and_then(|address| unloaded.function(address)),
            argument.and_then(|address| unloaded.argument(address)),
        );
        let owner = function.as_ref().ok().and_then(|address| owner(target, *address));
        Self {
            address: sysinit.address,
            subsystem: number("subsystem", subsystems),
            order: number("order", orders),
            function: function.map(|address| symbolic(target, address, true)),
            argument: argument.map(|address| symbolic(target, address, false)),
            module: owner,
        }
    }

    /// The kernel's sort key.
    fn rank(&self) -> Option<(u64, u64)> {
        Some((self.subsystem_value()?, self.order.as_ref().ok()?.value))
    }
}

/// A pointer with the symbol that it points into.
#[must_use]
pub fn symbolic(target: &Target, address: VirtAddr, function: bool) -> PointerValue {
    let symbol = target.symbolize(address);
    let symbol = symbol.map(|(symbol, offset)| SymbolAt { name: symbol.name.into(), offset });
    PointerValue::new(address, function).with_symbol(symbol)
}

/// Whose code lies at `address`.
#[must_use]
pub fn owner(target: &Target, address: VirtAddr) -> Option<Box<str>> {
    let mut image = target.kernel().segments();
    let holds = image.any(|segment| {
        address.offset_from(segment.virt).is_some_and(|offset| offset < segment.mem_size)
    });
    let module = || Some(target.module_at(address)?.name.clone());
    if holds { Some("kernel".into()) } else { module() }
}

/// The elements of one list, as they are linked.
fn read_list(
    target: &Target,
    unloaded: &Unloaded,
    name: &str,
    problems: &mut Problems,
) -> Result<Vec<VnetSysinit>, ReadError> {
    let subsystems = EnumNames::of_element(target, name, "subsystem")?;
    let orders = EnumNames::of_element(target, name, "order")?;
    let naming = List { name: &name, element: "vnet_sysinit" };
    let head = Object::global(target, name)?;
    if !queue::is_made(&head) {
        problems.add(Problem::new(name, queue::NOT_MADE));
    }
    let elements = queue::walk(head, "link", naming).take(problems);
    let read = |element| VnetSysinit::read(element, unloaded, &subsystems, &orders);
    let list: Vec<_> = elements.iter().map(read).collect();
    let mut pairs = list.iter().zip(list.iter().skip(1));
    if let Some((_, late)) = pairs.find(|(a, b)| a.rank().zip(b.rank()).is_some_and(|(a, b)| a > b))
    {
        let at = late.address;
        let why = format!("{at} should come before the element that precedes it");
        problems.add(Problem::contradiction(name, at, why));
    }
    Ok(list)
}
