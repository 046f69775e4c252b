//! Numbers whose type or place in a struct says more than that they are numbers.

use crate::types::Types;
use crate::types::model::{Qualified, Type, TypeId, Typedef};
use crate::value::format::Bits;
use crate::value::meaning::time;

/// What a number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberMeaning {
    /// An `sbintime_t` (`sys/sys/time.h`, 10 to main).
    Sbintime,
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

    /// The number, and what it means: `6442450944 (1.500000000 s)`. 0 means no more than it is.
    pub fn text(self, bits: Bits) -> Option<String> {
        let number = bits.whole();
        if number == 0 {
            return None;
        }
        Some(match self {
            Self::Sbintime => format!("{number} ({})", time::of_sbintime(number)),
        })
    }
}
