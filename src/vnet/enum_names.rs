//! The names that the kernel's own enums have for its numbers.

use serde::Serialize;

use crate::target::{ReadError, Target};
use crate::types::model::Type;
use crate::types::{TypeError, TypeId};

/// A number of an enum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EnumValue {
    /// The enumerator of exactly this value; `None` if there is none.
    #[serde(rename = "enum")]
    pub name: Option<Box<str>>,
    pub value: u64,
    /// The name; else the nearest one and the distance from it, `SI_ORDER_ANY-1`, as
    /// kernel source writes it; else the number in hex.
    #[serde(skip)]
    pub label: Box<str>,
}

/// The enumerators of an enum, in the order of its declaration.
#[derive(Debug, Clone, Default)]
pub struct EnumNames(Vec<(Box<str>, u64)>);

/// The largest distance from a name: source adds only small numbers to one.
const NEAR: u64 = 100;

impl EnumNames {
    /// Those of the enum behind `id`; empty if it is not an enum.
    ///
    /// # Errors
    /// The debug information is damaged.
    pub fn of(target: &Target, id: TypeId) -> Result<Self, TypeError> {
        let (_, found) = target.types()?.resolve(id)?;
        let Type::Enum(found) = &*found else { return Ok(Self::default()) };
        let known = found.enumerators.iter();
        let known = known.filter_map(|e| Some((e.name.clone(), u64::try_from(e.value).ok()?)));
        Ok(Self(known.collect()))
    }

    /// Those of the member `member` of the elements of the list whose head is `list`.
    ///
    /// # Errors
    /// The kernel has no such list, or no debug information about it.
    pub fn of_element(target: &Target, list: &str, member: &str) -> Result<Self, ReadError> {
        let types = target.types()?;
        let head = target.global(list)?.type_id;
        let element = types.pointee(types.member(head, "tqh_first")?.type_id)?;
        Ok(Self::of(target, types.member(element, member)?.type_id)?)
    }

    /// `value` with its name.
    #[must_use]
    pub fn name(&self, value: u64) -> EnumValue {
        let exact = self.0.iter().find(|(_, known)| *known == value);
        let name = exact.map(|(name, _)| name.clone());
        let label = name.clone().unwrap_or_else(|| self.describe(value).into());
        EnumValue { value, name, label }
    }

    /// A value that has no name.
    fn describe(&self, value: u64) -> String {
        let near = self.0.iter().filter(|(_, known)| known.abs_diff(value) <= NEAR);
        match near.min_by_key(|(_, known)| known.abs_diff(value)) {
            Some((name, known)) if *known < value => format!("{name}+{}", value - known),
            Some((name, known)) => format!("{name}-{}", known - value),
            None => format!("{value:#x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_without_a_name_is_near_one_or_is_hex() {
        let orders = [("SI_ORDER_FIRST", 0), ("SI_ORDER_SECOND", 1), ("SI_ORDER_ANY", 0xfff_ffff)];
        let orders = EnumNames(orders.map(|(name, value)| (name.into(), value)).to_vec());
        let label = |value| orders.name(value).label.to_string();
        assert_eq!(label(1), "SI_ORDER_SECOND");
        assert_eq!(label(3), "SI_ORDER_SECOND+2");
        assert_eq!(label(0xfff_fffe), "SI_ORDER_ANY-1");
        assert_eq!(label(0x1000_0000), "SI_ORDER_ANY+1");
        assert_eq!(label(0x80_0000), "0x800000");
        assert_eq!(orders.name(3).name, None);
        assert_eq!(&*EnumNames::default().name(5).label, "0x5");
    }
}
