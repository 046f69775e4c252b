//! C's integer arithmetic: the types that it is done in, promotions and conversions,
//! and what the operators give (ISO C11, 6.3.1.1, 6.3.1.8, 6.4.4.1 and 6.5).
//!
//! Signed overflow wraps around, as it does in gdb. Nothing here knows a kernel's
//! types: the caller says which of C's types an operand is promoted to.

use std::cmp::Ordering;

use super::operators::Binary;
use crate::arch::Arch;

/// The integer types that arithmetic uses; narrower ones are promoted to `int`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    Int,
    Long,
    LongLong,
    /// The compilers' `__int128`.
    Int128,
}

/// A type of [`Rank`], signed or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IntegerType {
    pub rank: Rank,
    pub unsigned: bool,
}

/// An integer of one of these types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Integer {
    /// The number. Of an `unsigned __int128` of 2^127 or more, the same bits as a
    /// negative one.
    pub value: i128,
    pub of: IntegerType,
}

/// An integer constant as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Literal {
    pub value: u64,
    /// Neither hexadecimal nor octal: such a constant is never unsigned by itself.
    pub decimal: bool,
    /// It has the suffix U.
    pub unsigned: bool,
    /// What the suffix L or LL asks for, or more.
    pub rank: Rank,
}

/// Why an operation on two integers has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undefined {
    DivisionByZero,
    /// A shift by a negative number, or by the width of the type or more.
    Shift {
        count: i128,
        of: IntegerType,
    },
}

impl IntegerType {
    pub const INT: Self = Self { rank: Rank::Int, unsigned: false };

    /// The type of sizes, `size_t`: as wide as a pointer. That of pointers as
    /// numbers is the same (FreeBSD's `sys/ARCH/include/_types.h`).
    pub fn size(arch: Arch) -> Self {
        let rank = if arch.pointer_size() == 8 { Rank::Long } else { Rank::Int };
        Self { rank, unsigned: true }
    }

    /// The type of the distance between two pointers, `ptrdiff_t`.
    pub fn distance(arch: Arch) -> Self {
        Self { unsigned: false, ..Self::size(arch) }
    }

    /// The type that an integer of this many bytes has after promotion; `long` is distinguished
    /// from `long long` of the same size by its name.
    pub fn promoted(size: u64, unsigned: bool, name: &str, arch: Arch) -> Self {
        let rank = match size {
            // `int` holds all values of narrower types.
            0..4 => return Self::INT,
            9.. => Rank::Int128,
            _ if name.contains("long long") => Rank::LongLong,
            _ if name.contains("long") => Rank::Long,
            4 => Rank::Int,
            _ if arch.pointer_size() == 8 => Rank::Long,
            _ => Rank::LongLong,
        };
        Self { rank, unsigned }
    }

    /// The type that a bit-field of this many bits has after promotion, if its
    /// declared type is promoted to `self`: that of its width decides, also for types
    /// wider than `int`, as in clang and gcc.
    pub fn of_bits(self, width: u64, unsigned: bool) -> Self {
        match width {
            0..32 => Self::INT,
            32 => Self { rank: Rank::Int, unsigned },
            _ => self,
        }
    }

    pub fn bits(self, arch: Arch) -> u32 {
        match self.rank {
            Rank::Int => 32,
            Rank::Long => arch.pointer_size() as u32 * 8,
            Rank::LongLong => 64,
            Rank::Int128 => 128,
        }
    }

    /// As C spells it.
    pub fn name(self) -> &'static str {
        match (self.rank, self.unsigned) {
            (Rank::Int, false) => "int",
            (Rank::Int, true) => "unsigned int",
            (Rank::Long, false) => "long",
            (Rank::Long, true) => "unsigned long",
            (Rank::LongLong, false) => "long long",
            (Rank::LongLong, true) => "unsigned long long",
            (Rank::Int128, false) => "__int128",
            (Rank::Int128, true) => "unsigned __int128",
        }
    }

    /// Converts a number to this type: modulo 2 to the number of bits.
    pub fn wrap(self, number: i128, arch: Arch) -> Integer {
        let spare = 128 - self.bits(arch);
        let value = match (self.unsigned, spare) {
            (true, 1..) => ((number as u128) << spare >> spare) as i128,
            _ => number << spare >> spare,
        };
        Integer { value, of: self }
    }

    /// The order of two numbers of this type.
    pub fn order(self, a: i128, b: i128) -> Ordering {
        if self.unsigned { (a as u128).cmp(&(b as u128)) } else { a.cmp(&b) }
    }

    /// The common type of two operands: the usual arithmetic conversions.
    fn common(self, other: Self, arch: Arch) -> Self {
        let (high, low) = if self.rank >= other.rank { (self, other) } else { (other, self) };
        let holds_all = high.bits(arch) > low.bits(arch);
        let unsigned = high.unsigned || (low.unsigned && !holds_all);
        Self { rank: high.rank, unsigned }
    }
}

impl Integer {
    pub fn int(value: i32) -> Self {
        Self { value: value.into(), of: IntegerType::INT }
    }

    /// What a comparison gives: 1 or 0, an `int`.
    pub fn truth(value: bool) -> Self {
        Self::int(value.into())
    }

    pub fn negate(self, arch: Arch) -> Self {
        self.of.wrap(self.value.wrapping_neg(), arch)
    }

    pub fn complement(self, arch: Arch) -> Self {
        self.of.wrap(!self.value, arch)
    }

    /// The result of a binary operator on two integers.
    ///
    /// # Errors
    /// C leaves it undefined: a division by zero, or a shift out of the type.
    pub fn binary(self, op: Binary, other: Self, arch: Arch) -> Result<Self, Undefined> {
        if let Binary::ShiftLeft | Binary::ShiftRight = op {
            return self.shift(op, other, arch);
        }
        let of = self.of.common(other.of, arch);
        let (a, b) = (of.wrap(self.value, arch).value, of.wrap(other.value, arch).value);
        let divides = matches!(op, Binary::Divide | Binary::Remainder);
        if divides && b == 0 {
            return Err(Undefined::DivisionByZero);
        }
        let value = match op {
            Binary::Multiply => a.wrapping_mul(b),
            Binary::Divide if of.unsigned => (a as u128).wrapping_div(b as u128) as i128,
            Binary::Divide => a.wrapping_div(b),
            Binary::Remainder if of.unsigned => (a as u128).wrapping_rem(b as u128) as i128,
            Binary::Remainder => a.wrapping_rem(b),
            Binary::Add => a.wrapping_add(b),
            Binary::Subtract => a.wrapping_sub(b),
            Binary::And => a & b,
            Binary::Xor => a ^ b,
            Binary::Or => a | b,
            Binary::ShiftLeft | Binary::ShiftRight => a,
            Binary::Equal => return Ok(Self::truth(a == b)),
            Binary::NotEqual => return Ok(Self::truth(a != b)),
            Binary::Less => return Ok(Self::truth(of.order(a, b).is_lt())),
            Binary::LessOrEqual => return Ok(Self::truth(of.order(a, b).is_le())),
            Binary::Greater => return Ok(Self::truth(of.order(a, b).is_gt())),
            Binary::GreaterOrEqual => return Ok(Self::truth(of.order(a, b).is_ge())),
        };
        Ok(of.wrap(value, arch))
    }

    /// The result has the type of the left operand; the type of the count does not matter.
    fn shift(self, op: Binary, count: Self, arch: Arch) -> Result<Self, Undefined> {
        let fits = u32::try_from(count.value).ok().filter(|count| *count < self.of.bits(arch));
        let Some(by) = fits else {
            return Err(Undefined::Shift { count: count.value, of: self.of });
        };
        let value = match op {
            Binary::ShiftLeft => self.value << by,
            _ if self.of.unsigned => (self.value as u128 >> by) as i128,
            _ => self.value >> by,
        };
        Ok(self.of.wrap(value, arch))
    }
}

impl Literal {
    /// Its value in the first type of C's list that can hold it. If none can, it has an
    /// unsigned type, as in gdb.
    pub fn integer(self, arch: Arch) -> Integer {
        let value = i128::from(self.value);
        let ranks = [Rank::Int, Rank::Long, Rank::LongLong];
        let types = ranks.into_iter().filter(|rank| *rank >= self.rank).flat_map(|rank| {
            let signed = (!self.unsigned).then_some(IntegerType { rank, unsigned: false });
            let unsigned = self.unsigned || !self.decimal;
            signed.into_iter().chain(unsigned.then_some(IntegerType { rank, unsigned: true }))
        });
        let widest = || {
            let fits = |rank: &Rank| IntegerType { rank: *rank, unsigned: true }.bits(arch) == 64;
            let rank = ranks.into_iter().filter(|rank| *rank >= self.rank).find(fits);
            IntegerType { rank: rank.unwrap_or(Rank::LongLong), unsigned: true }
        };
        let of = types.into_iter().find(|of| of.wrap(value, arch).value == value);
        Integer { value, of: of.unwrap_or_else(widest) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LP64: Arch = Arch::Amd64;
    const ILP32: Arch = Arch::I386;

    const fn of(rank: Rank, unsigned: bool) -> IntegerType {
        IntegerType { rank, unsigned }
    }

    #[test]
    fn operands_meet_in_the_type_that_c_says() {
        use Rank::*;
        for (arch, a, b, common) in [
            (LP64, of(Int, false), of(Int, true), of(Int, true)),
            (LP64, of(Int, true), of(Long, false), of(Long, false)),
            (LP64, of(Long, true), of(LongLong, false), of(LongLong, true)),
            (LP64, of(Long, false), of(LongLong, false), of(LongLong, false)),
            (LP64, of(Int128, false), of(LongLong, true), of(Int128, false)),
            // A long of 32 bits does not hold all that an unsigned int does.
            (ILP32, of(Int, true), of(Long, false), of(Long, true)),
            (ILP32, of(Long, true), of(LongLong, false), of(LongLong, false)),
        ] {
            assert_eq!(a.common(b, arch), common, "{a:?} and {b:?}");
            assert_eq!(b.common(a, arch), common, "{b:?} and {a:?}");
        }
    }

    #[test]
    fn what_overflows_wraps_around() {
        let most = Integer { value: i32::MAX.into(), of: IntegerType::INT };
        let least = Integer { value: i32::MIN.into(), of: IntegerType::INT };
        let minus = Integer::int(-1);
        assert_eq!(most.binary(Binary::Add, Integer::int(1), LP64), Ok(least));
        assert_eq!(least.binary(Binary::Divide, minus, LP64), Ok(least));
        assert_eq!(least.binary(Binary::Remainder, minus, LP64), Ok(Integer::int(0)));
        assert_eq!(least.negate(LP64), least);
        let wide = of(Rank::Int128, true).wrap(-1, LP64);
        let half = wide.binary(Binary::Divide, Integer::int(2), LP64).unwrap();
        assert_eq!(half.value, i128::MAX);
        assert_eq!(wide.binary(Binary::ShiftRight, Integer::int(1), LP64), Ok(half));
    }

    #[test]
    fn what_c_leaves_undefined_has_no_result() {
        let (one, zero) = (Integer::int(1), Integer::int(0));
        for op in [Binary::Divide, Binary::Remainder] {
            assert_eq!(one.binary(op, zero, LP64), Err(Undefined::DivisionByZero));
        }
        let shifted = |of: IntegerType, count| {
            of.wrap(1, LP64).binary(Binary::ShiftLeft, Integer::int(count), LP64)
        };
        assert!(shifted(of(Rank::Long, false), 63).is_ok());
        for (of, count) in [(of(Rank::Long, false), 64), (IntegerType::INT, 32)] {
            let count = i128::from(count);
            assert_eq!(shifted(of, count as i32), Err(Undefined::Shift { count, of }));
        }
        assert!(shifted(IntegerType::INT, -1).is_err());
    }

    #[test]
    fn constants_have_the_first_type_that_holds_them() {
        let name = |value, decimal, unsigned, rank, arch| {
            Literal { value, decimal, unsigned, rank }.integer(arch).of.name()
        };
        for (value, decimal, unsigned, rank, wide, narrow) in [
            (1 << 31, true, false, Rank::Int, "long", "long long"),
            (1 << 31, false, false, Rank::Int, "unsigned int", "unsigned int"),
            (1 << 31, true, true, Rank::Int, "unsigned int", "unsigned int"),
            (1 << 31, false, false, Rank::Long, "long", "unsigned long"),
            (1 << 63, false, false, Rank::Int, "unsigned long", "unsigned long long"),
            (1 << 63, true, false, Rank::Int, "unsigned long", "unsigned long long"),
            (1, true, false, Rank::LongLong, "long long", "long long"),
        ] {
            assert_eq!(name(value, decimal, unsigned, rank, LP64), wide, "{value}");
            assert_eq!(name(value, decimal, unsigned, rank, ILP32), narrow, "{value}");
        }
    }
}
