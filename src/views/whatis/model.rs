//! What an address can be.

use std::rc::Rc;

use serde::{Serialize, Serializer};

use crate::addr::{PhysAddr, VirtAddr};
use crate::threads::ThreadName;
use crate::views::known_vnets::VnetFault;
use crate::vnet::VnetRef;

/// What is known of an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Described {
    /// The address.
    pub address: VirtAddr,
    /// What it is.
    #[serde(flatten)]
    pub meaning: Meaning,
    /// The pattern of freed memory that is there; `None` if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freed: Option<VirtAddr>,
    /// How the kernel maps it, and whether the dump has it.
    pub mapping: Mapping,
}

/// What an address is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Meaning {
    /// A vnet's copy of a variable.
    VnetVariable {
        /// The vnet.
        vnet: Owner,
        /// The variable, and the part of it.
        #[serde(flatten)]
        variable: VariablePart,
    },
    /// The master copy: what a new vnet starts with.
    Master(VariablePart),
    /// The copy of the set as it was before any module was loaded (newer kernels).
    Pristine(VariablePart),
    /// In a copy of the set, but in no variable.
    VnetBlock {
        /// Which copy.
        #[serde(flatten)]
        copy: SetCopy,
        /// Bytes from the start of the block.
        offset: u64,
        /// The last variable before it.
        after: Option<Box<str>>,
    },
    /// A struct vnet.
    Vnet {
        /// The vnet.
        vnet: Owner,
        /// The part of the struct.
        #[serde(flatten)]
        part: ObjectPart,
    },
    /// Module space that no variable has.
    Modspace {
        /// In which copy of the set.
        #[serde(flatten)]
        copy: SetCopy,
        /// Who has it: `free`, or the name of a module.
        holder: Box<str>,
        /// Bytes from the start of module space.
        offset: u64,
    },
    /// A CPU's copy of a DPCPU variable, or the master copy.
    Dpcpu {
        /// The CPU's id; `None` for the master copy.
        cpu: Option<u64>,
        /// The variable without the prefix; `None` between variables.
        variable: Option<Box<str>>,
        /// The file or module that tells it from others of its name.
        #[serde(skip_serializing_if = "Option::is_none")]
        qualifier: Option<Box<str>>,
        /// The module that defines it; `None` for the kernel.
        #[serde(skip_serializing_if = "Option::is_none")]
        module: Option<Box<str>>,
        /// The part of it.
        #[serde(flatten)]
        part: ObjectPart,
    },
    /// A function or a variable of the kernel or a module.
    Symbol(SymbolPart),
    /// In the image of the kernel or a module, where no symbol is.
    Image {
        /// `kernel`, or the file name of a module.
        module: Box<str>,
        /// Bytes from the start of the section, or of the module.
        offset: u64,
        /// The section, if it is known.
        section: Option<Box<str>>,
    },
    /// A thread's kernel stack.
    Stack(StackPart),
    /// A struct that the kernel keeps on its lists: of a thread, a process, a jail, an
    /// interface, a socket.
    Object {
        /// `thread 100100 (nginx) of process 812 (nginx)`, `interface epair0b`
        name: Box<str>,
        /// The vnet that it belongs to.
        vnet: Option<Owner>,
        /// The part of the struct.
        #[serde(flatten)]
        part: ObjectPart,
    },
    /// A CPU's slot of a per-CPU counter.
    Counter {
        /// The vnet.
        vnet: Owner,
        /// The variable without the prefix.
        variable: Box<str>,
        /// The counter's name in it; empty if the variable is the counter.
        counter: Box<str>,
        /// The CPU's id.
        cpu: u64,
    },
    /// An object that typed pointers lead to, from a variable of a vnet.
    Heap {
        /// The vnet.
        vnet: Owner,
        /// The C expression that leads there: `V_ifnet.cstqh_first->if_addrhead.cstqh_first`.
        via: Box<str>,
        /// The part of the object.
        #[serde(flatten)]
        part: ObjectPart,
    },
    /// Nothing is known, but the memory is filled with the pattern of freed memory.
    Freed,
    /// Nothing is known.
    Unknown,
}

/// A copy of the set of virtualized variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetCopy {
    /// A vnet's.
    Vnet(Owner),
    /// The one in the kernel's image.
    Master,
    /// The one that was made before any module was loaded.
    Pristine,
}

impl Serialize for SetCopy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'a> {
            copy: &'static str,
            vnet: Option<&'a Owner>,
        }
        let (copy, vnet) = match self {
            Self::Vnet(owner) => ("vnet", Some(owner)),
            Self::Master => ("master", None),
            Self::Pristine => ("pristine", None),
        };
        Fields { copy, vnet }.serialize(serializer)
    }
}

/// A vnet, and what people call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The vnet.
    pub vnet: VnetRef,
    /// `vnet 2 (jail db02)`, and what is wrong with it
    pub title: Rc<str>,
    /// What is wrong with it; `None` if it is a vnet on the kernel's list, or nothing is known.
    pub fault: Option<VnetFault>,
}

impl Serialize for Owner {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'a> {
            #[serde(flatten)]
            vnet: &'a VnetRef,
            #[serde(skip_serializing_if = "Option::is_none")]
            condition: Option<&'static str>,
        }
        let condition = self.fault.map(|fault| match fault {
            VnetFault::Unlisted(condition) => condition.name(),
            fault => fault.name(),
        });
        Fields { vnet: &self.vnet, condition }.serialize(serializer)
    }
}

/// A part of a virtualized variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VariablePart {
    /// Without the prefix: `tcbinfo`.
    pub variable: Box<str>,
    /// The file or module that tells it from others of its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qualifier: Option<Box<str>>,
    /// The module that defines it; `None` for the kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<Box<str>>,
    /// Bytes from the start of the variable.
    pub offset: u64,
    /// The part that begins there or holds it.
    #[serde(flatten)]
    pub part: PartPath,
}

/// A part of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObjectPart {
    /// `struct ifnet`
    #[serde(rename = "type")]
    pub type_name: Box<str>,
    /// Where it begins.
    pub start: VirtAddr,
    /// Bytes from there.
    pub offset: u64,
    /// The part that begins there or holds it.
    #[serde(flatten)]
    pub part: PartPath,
}

/// A part of a whole, by the names of members.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PartPath {
    /// `.ipi_listhead`, `[3].prio`; empty for the whole.
    #[serde(serialize_with = "path")]
    pub path: Box<str>,
    /// Bytes from the start of that part.
    pub beyond: u64,
}

/// A function or a variable with a symbol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SymbolPart {
    /// Its symbol.
    pub symbol: Box<str>,
    /// `kernel`, or the file name of a module.
    pub module: Box<str>,
    /// Whether it is a function.
    pub function: bool,
    /// Bytes from its start.
    pub offset: u64,
    /// The part of a variable.
    #[serde(flatten)]
    pub part: PartPath,
    /// The source file below `sys/`: of the code at the address, or the one that defines the
    /// variable.
    pub file: Option<Box<str>>,
    /// The line of code.
    pub line: Option<u32>,
    /// The line of the code before the address, if it is another. If the address is a return
    /// address, the call is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<SourceLine>,
}

/// A line of code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceLine {
    /// The source file below `sys/`.
    pub file: Box<str>,
    /// Its line.
    pub line: u32,
}

/// A place on a kernel stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StackPart {
    /// Whose it is.
    pub thread: ThreadName,
    /// The lowest address of the stack.
    pub start: VirtAddr,
    /// Bytes from there.
    pub offset: u64,
    /// Bytes from there to the end, where the first call begins.
    pub depth: u64,
    /// The function in whose frame it is; `None` if that is not known.
    pub frame: Option<Box<str>>,
    /// It lies below the stack pointer: nothing there is in use.
    pub unused: bool,
}

/// How the kernel maps an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mapping {
    /// `direct-map`, `kernel-map`, or `none` if it is not mapped; `unknown` where the dump lacks
    /// what would tell.
    pub map: &'static str,
    /// Where it lies in physical memory.
    pub physical: Option<PhysAddr>,
    /// Whether the dump has the byte.
    pub dumped: bool,
    /// Why it cannot be read, in words.
    pub why: Option<Box<str>>,
}

impl Meaning {
    /// Whether anything is known.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown)
    }

    /// Whether it is code of a function.
    #[must_use]
    pub fn is_function(&self) -> bool {
        matches!(self, Self::Symbol(symbol) if symbol.function)
    }

    /// The kind as JSON has it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::VnetVariable { .. } => "vnet-variable",
            Self::Master(_) => "master",
            Self::Pristine(_) => "pristine",
            Self::VnetBlock { .. } => "vnet-block",
            Self::Vnet { .. } => "vnet",
            Self::Modspace { .. } => "modspace",
            Self::Dpcpu { .. } => "dpcpu",
            Self::Symbol(_) => "symbol",
            Self::Image { .. } => "image",
            Self::Stack(_) => "stack",
            Self::Object { .. } => "object",
            Self::Counter { .. } => "counter",
            Self::Heap { .. } => "heap",
            Self::Freed => "freed",
            Self::Unknown => "unknown",
        }
    }
}

/// A path without the dot that joins it to its whole; null for the whole.
fn path<S: Serializer>(path: &str, serializer: S) -> Result<S::Ok, S::Error> {
    let bare = path.strip_prefix('.').unwrap_or(path);
    Some(bare).filter(|bare| !bare.is_empty()).serialize(serializer)
}
