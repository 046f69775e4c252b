//! What an address is, on one line.

use std::fmt::{self, Display, Formatter};

use super::model::{Described, Mapping, Meaning, ObjectPart, PartPath, StackPart, SymbolPart};
use super::model::{Owner, SetCopy, SourceLine, VariablePart};

/// `V_tcbinfo.ipi_listhead, vnet 2 (jail db02)`
impl Display for Described {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (&self.meaning, self.freed) {
            (Meaning::Freed | Meaning::Unknown, Some(fill)) => {
                write!(f, "freed memory: {fill} ({})", self.mapping)
            }
            (Meaning::Freed | Meaning::Unknown, None) => {
                write!(f, "nothing known: {}", self.mapping)
            }
            (meaning, freed) => {
                meaning.fmt(f)?;
                if let Some(fill) = freed {
                    write!(f, "; freed memory: {fill}")?;
                }
                match &self.mapping.why {
                    Some(why) => write!(f, "; {why}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl Display for Meaning {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::VnetVariable { vnet, variable } => write!(f, "{variable}, {vnet}"),
            Self::Master(variable) => write!(f, "{variable}, master copy"),
            Self::Pristine(variable) => write!(f, "{variable}, pristine copy"),
            Self::VnetBlock { copy, after: Some(after), .. } => {
                write!(f, "behind V_{after}, in no variable, {copy}")
            }
            Self::VnetBlock { copy, after: None, .. } => {
                write!(f, "before the first variable, {copy}")
            }
            Self::Vnet { vnet, part } => write!(f, "{part}, {vnet}"),
            Self::Modspace { copy, holder, offset } => {
                write!(f, "module space+{offset:#x}, {holder}, {copy}")
            }
            Self::Dpcpu { cpu, variable: Some(variable), qualifier, module, part } => {
                write!(f, "DPCPU({variable}")?;
                qualifier.iter().try_for_each(|qualifier| write!(f, "@{qualifier}"))?;
                write!(f, "){}", part.part)?;
                let module = module.as_ref().filter(|_| qualifier.is_none());
                module.iter().try_for_each(|module| write!(f, ", {module}"))?;
                write!(f, ", {}", CpuCopy(*cpu))
            }
            Self::Dpcpu { cpu, variable: None, part, .. } => {
                write!(f, "DPCPU variables+{:#x}, in none of them, {}", part.offset, CpuCopy(*cpu))
            }
            Self::Symbol(symbol) => symbol.fmt(f),
            Self::Image { module, offset, section } => match section {
                Some(section) => write!(f, "{module}: {section}+{offset:#x}, in no symbol"),
                None => write!(f, "{module}+{offset:#x}, in no symbol"),
            },
            Self::Stack(stack) => stack.fmt(f),
            Self::Object { name, vnet, part } => {
                write!(f, "{part}, {name}")?;
                vnet.as_ref().map_or(Ok(()), |vnet| write!(f, ", {vnet}"))
            }
            Self::Counter { vnet, variable, counter, cpu } => {
                let dot = if counter.is_empty() || counter.starts_with('[') { "" } else { "." };
                write!(f, "V_{variable}{dot}{counter}, counted by CPU {cpu}, {vnet}")
            }
            Self::Heap { vnet, via, part } => {
                // A member of it, or all of it.
                match part.part.path.is_empty() {
                    true => write!(f, "*{via}{}", part.part)?,
                    false => write!(f, "{via}{}", Arrow(&part.part))?,
                }
                write!(f, ", {}, {vnet}", part.type_name)
            }
            Self::Freed => f.write_str("freed memory"),
            Self::Unknown => f.write_str("nothing known"),
        }
    }
}

/// A CPU's copy of the DPCPU variables, or the master copy.
struct CpuCopy(Option<u64>);

impl Display for CpuCopy {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(cpu) => write!(f, "CPU {cpu}"),
            None => f.write_str("master copy"),
        }
    }
}

impl Display for SetCopy {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vnet(owner) => owner.fmt(f),
            Self::Master => f.write_str("master copy"),
            Self::Pristine => f.write_str("pristine copy"),
        }
    }
}

impl Display for Owner {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title)
    }
}

/// `V_tcbinfo.ipi_listhead`, as expressions have it.
impl Display for VariablePart {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "V_{}", self.variable)?;
        if let Some(qualifier) = &self.qualifier {
            write!(f, "@{qualifier}")?;
        }
        self.part.fmt(f)?;
        match (&self.module, &self.qualifier) {
            (Some(module), None) => write!(f, ", {module}"),
            _ => Ok(()),
        }
    }
}

/// `struct ifnet.if_xname`
impl Display for ObjectPart {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.type_name, self.part)
    }
}

/// `.ipi_listhead`, `[3]+0x4`
impl Display for PartPath {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        match self.beyond {
            0 => Ok(()),
            beyond => write!(f, "+{beyond:#x}"),
        }
    }
}

/// A member of what a pointer points to.
struct Arrow<'a>(&'a PartPath);

impl Display for Arrow<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        match text.strip_prefix('.') {
            Some(member) => write!(f, "->{member}"),
            None => f.write_str(&text),
        }
    }
}

/// `tcp_output+0x12 (netinet/tcp_output.c:310)`, `prison0.pr_name`
///
/// Debuggers look up return addresses one byte before. Where that is another line, it follows.
impl Display for SymbolPart {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.symbol)?;
        match self.function {
            true if self.offset > 0 => write!(f, "+{:#x}", self.offset)?,
            true => {}
            false => write!(f, "{}", self.part)?,
        }
        if &*self.module != "kernel" {
            write!(f, ", {}", self.module)?;
        }
        if let (Some(file), Some(line)) = (&self.file, self.line) {
            write!(f, " ({file}:{line})")?;
        }
        match &self.call {
            Some(SourceLine { file, line }) => write!(f, "; as a return address {file}:{line}"),
            None => Ok(()),
        }
    }
}

/// `kernel stack of thread 100100 (nginx), 0x1f8 bytes deep, in the frame of tcp_output`
impl Display for StackPart {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "kernel stack of {}, {:#x} bytes deep", self.thread, self.depth)?;
        match (&self.frame, self.unused) {
            (_, true) => f.write_str(", not in use"),
            (Some(frame), _) => write!(f, ", in the frame of {frame}"),
            (None, _) => Ok(()),
        }
    }
}

/// `direct map, physical 0x3a51800`
impl Display for Mapping {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let map = match self.map {
            "direct-map" => "direct map",
            "kernel-map" => "kernel map",
            _ => "",
        };
        f.write_str(map)?;
        if let Some(physical) = self.physical.filter(|_| !map.is_empty()) {
            write!(f, ", physical {physical}")?;
        }
        match &self.why {
            Some(why) if map.is_empty() => f.write_str(why),
            Some(why) => write!(f, ", {why}"),
            None => Ok(()),
        }
    }
}
