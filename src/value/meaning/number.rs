//! Numbers whose type, or whose place in a struct, says more than that they are numbers.

use crate::budget::Exhausted;
use crate::target::Target;
use crate::types::Types;
use crate::types::model::{Qualified, Type, TypeId, Typedef};
use crate::value::format::Bits;
use crate::value::interface_flags::INTERFACE_FLAGS;
use crate::value::meaning::bit_names::{FoundFormats, KnownFormat};
use crate::value::meaning::mbuf::{self, Naming};
use crate::value::meaning::{flags, time};

/// What a number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberMeaning {
    /// An `sbintime_t` (`sys/sys/time.h`, 10 to main).
    Sbintime,
    /// `if_flags`, `if_drv_flags`
    InterfaceFlags,
    /// `m_flags`
    MbufFlags(Naming),
    /// `m_type`
    MbufType(Naming),
    /// `ext_type`
    Storage,
    /// Flags that the kernel has a format for.
    Printed(KnownFormat),
}

/// Typedefs of typedefs that are looked through.
const MOST_TYPEDEFS: usize = 16;

impl NumberMeaning {
    /// That of a type, by the name of a typedef.
    pub fn of(types: &Types, mut id: TypeId) -> Option<Self> {
        for _ in 0..MOST_TYPEDEFS {
            match types.get(id).as_deref() {
                Ok(Type::Typedef(Typedef { name, .. }))
                    if matches!(&**name, "sbintime_t" | "__sbintime_t") =>
                {
                    return Some(Self::Sbintime);
                }
                Ok(
                    Type::Typedef(Typedef { target, .. })
                    | Type::Qualified(Qualified { target, .. }),
                ) => id = *target,
                _ => return None,
            }
        }
        None
    }

    /// That of a member, by its name and that of its struct, whose type is `id`.
    pub fn of_member(types: &Types, id: TypeId, record: &str, member: &str) -> Option<Self> {
        match (record, member) {
            ("ifnet", "if_flags" | "if_drv_flags") => Some(Self::InterfaceFlags),
            ("mbuf", "m_flags") => Some(Self::MbufFlags(Naming::of(types, id))),
            ("mbuf", "m_type") => Some(Self::MbufType(Naming::of(types, id))),
            ("m_hdr", "mh_flags") => Some(Self::MbufFlags(Naming::Old)),
            ("m_hdr", "mh_type") => Some(Self::MbufType(Naming::Old)),
            ("m_ext", "ext_type") => Some(Self::Storage),
            _ => KnownFormat::of_member(record, member).map(Self::Printed),
        }
    }

    /// The same of a member of the type `id`, whatever that is.
    pub fn of_member_in(types: &Types, id: TypeId, member: &str) -> Option<Self> {
        let (id, found) = types.resolve(id).ok()?;
        match &*found {
            Type::Record(record) => Self::of_member(types, id, record.name.as_deref()?, member),
            _ => None,
        }
    }

    /// That of a global variable of the kernel.
    pub fn of_variable(name: &str) -> Option<Self> {
        KnownFormat::of_variable(name).map(Self::Printed)
    }

    /// The number, and what it means: `6442450944 (1.500000000 s)`. 0 means no more than it is,
    /// except as the type of an mbuf.
    ///
    /// # Errors
    /// The kernel has to be searched for a format, and the budget does not last.
    pub(in crate::value) fn text(
        self,
        bits: Bits,
        target: &Target,
        formats: &FoundFormats,
    ) -> Result<Option<String>, Exhausted> {
        let number = bits.whole();
        let raw = bits.raw as u64;
        let named = |name: Option<&str>| Some(format!("{number} ({})", name?));
        Ok(match self {
            Self::Sbintime if number == 0 => None,
            Self::Sbintime => Some(format!("{number} ({})", time::of_sbintime(number))),
            Self::InterfaceFlags => flags::with_names(raw, &INTERFACE_FLAGS),
            Self::MbufFlags(naming) => flags::with_names(raw, naming.flags()),
            Self::MbufType(naming) => named(naming.type_name(raw)),
            Self::Storage => named(mbuf::storage_name(raw)),
            Self::Printed(_) if raw == 0 => None,
            Self::Printed(known) => {
                let names = formats.names(known, target.kernel().linked(), target.budget())?;
                names.and_then(|names| flags::with_names(raw, names))
            }
        })
    }
}
