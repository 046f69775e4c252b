//! Formats of printf(9)'s `%b`, which name the bits of a number, among a kernel's constants.
//!
//! What: a format is a C string. Its first byte is the base in which the number is printed, 8 or
//! 16. Groups follow: a byte with the number of a bit, from 1 to 32, and its name, which ends
//! before the next byte that is not above a space (`sys/kern/subr_prf.c`, the same from 4.4BSD to
//! main). How: constants are searched for such strings, wherever one may begin. What this refuses
//! to do: guess what a format is for. Nothing in a kernel leads from a member to its format.
//! Strings with names that are empty, long, or not of printable ASCII are no formats, nor are
//! those that name a bit twice.

use crate::budget::{Budget, Exhausted};
use crate::kernel::Kernel;

/// One format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BitFormat<'k> {
    names: Vec<(u32, &'k str)>,
}

/// The names of the kernel have at most 18 bytes.
const LONGEST_NAME: usize = 64;

/// The number of the highest bit that printf(9) looks at.
const HIGHEST_BIT: u8 = 32;

impl<'k> BitFormat<'k> {
    /// The format at the beginning of `bytes`, up to its NUL.
    pub fn parse(bytes: &'k [u8]) -> Option<Self> {
        let (8 | 16, mut rest) = bytes.split_first()? else { return None };
        let mut names: Vec<(u32, &str)> = Vec::new();
        while *rest.first()? != 0 {
            let (bit, behind) = rest.split_first()?;
            let bit = u32::from(*bit);
            if bit > HIGHEST_BIT.into() || names.iter().any(|(known, _)| *known == bit) {
                return None;
            }
            let end = behind.iter().take(LONGEST_NAME + 1).position(|byte| *byte <= b' ')?;
            let name = behind.get(..end).filter(|name| name.iter().all(u8::is_ascii_graphic))?;
            names.push((bit, std::str::from_utf8(name).ok().filter(|name| !name.is_empty())?));
            rest = behind.get(end..)?;
        }
        (!names.is_empty()).then_some(Self { names })
    }

    /// Numbers of bits, the lowest of which is 1, and their names, in the order of the format.
    pub fn names(&self) -> &[(u32, &'k str)] {
        &self.names
    }

    /// The name of the bit with that number.
    pub fn name(&self, bit: u32) -> Option<&'k str> {
        self.names.iter().find(|(known, _)| *known == bit).map(|(_, name)| *name)
    }
}

impl Kernel {
    /// Gives `found` every format in the read-only data of the kernel, in the order of the file.
    /// The same format may come several times. A debug file alone has none.
    ///
    /// # Errors
    /// The budget ends before the data does.
    pub(crate) fn each_bit_format<'k>(
        &'k self,
        budget: &Budget,
        mut found: impl FnMut(BitFormat<'k>),
    ) -> Result<(), Exhausted> {
        let Some(elf) = self.contents() else { return Ok(()) };
        for section in elf.sections().filter(|section| section.is_read_only_data()) {
            each_format(elf.raw_bytes(section).unwrap_or_default(), budget, &mut found)?;
        }
        Ok(())
    }
}

/// How many bytes are searched at once.
const PIECE: usize = 1 << 16;

/// How many bytes a step of work stands for.
const BYTES_A_STEP: u64 = 64;

/// No byte is read often: a format has no base with the number of a bit behind it but at its
/// beginning, so that two never overlap.
fn each_format<'k>(
    bytes: &'k [u8],
    budget: &Budget,
    found: &mut impl FnMut(BitFormat<'k>),
) -> Result<(), Exhausted> {
    for (piece, start) in bytes.chunks(PIECE).zip((0..).step_by(PIECE)) {
        budget.work((piece.len() as u64).div_ceil(BYTES_A_STEP))?;
        let bases = memchr::memchr2_iter(8, 16, piece);
        bases.filter_map(|at| BitFormat::parse(bytes.get(start + at..)?)).for_each(&mut *found);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Allowance;

    fn in_bytes(bytes: &[u8]) -> Vec<Vec<(u32, &str)>> {
        let mut found = Vec::new();
        each_format(bytes, &Budget::default(), &mut |format| found.push(format.names)).unwrap();
        found
    }

    #[test]
    fn a_format_is_a_base_and_groups_of_a_bit_and_its_name() {
        assert_eq!(in_bytes(b"\x10\x01FIN\x02SYN\0"), [[(1, "FIN"), (2, "SYN")]]);
        // In octal, from the highest bit to the lowest; bit 32 is a space, bit 16 looks like a base.
        let found = in_bytes(b"text\0\x08 top\x10middle\x08eight\x01low\0\x10");
        assert_eq!(found, [[(32, "top"), (16, "middle"), (8, "eight"), (1, "low")]]);
        // What the compiler puts in front of it need not be text.
        assert_eq!(in_bytes(b"\xff\x01\x10\x03A+\0"), [[(3, "A+")]]);
        let format = BitFormat::parse(b"\x10\x01FIN\x02SYN\0").unwrap();
        assert_eq!((format.name(2), format.name(3)), (Some("SYN"), None));
    }

    #[test]
    fn other_strings_are_no_formats() {
        let long = [b"\x10\x01".as_slice(), &[b'a'; LONGEST_NAME + 1], b"\0"].concat();
        for bytes in [
            b"\x10\0".as_slice(),
            b"\x10",
            b"\x10\x01",
            b"\x10\x01A",
            // No bit, no name, and the same bit twice.
            b"\x10A\0",
            b"\x10\x01\x02B\0",
            b"\x10\x01A\x01B\0",
            // Characters that have no place in a name.
            b"\x10\x01A\x7f\0",
            b"\x10\x01\xc3\xa4\0",
            b"\x0a\x01A\0",
            &long,
        ] {
            assert_eq!(BitFormat::parse(bytes), None, "{bytes:?}");
        }
        let longest = &[b"\x10\x01".as_slice(), &[b'a'; LONGEST_NAME], b"\0"].concat();
        assert!(BitFormat::parse(longest).is_some());
    }

    #[test]
    fn a_format_may_lie_across_two_pieces() {
        let mut bytes = vec![b'.'; PIECE - 3];
        bytes.extend(b"\x10\x01FIN\x02SYN\0");
        assert_eq!(in_bytes(&bytes), [[(1, "FIN"), (2, "SYN")]]);
    }

    #[test]
    fn a_file_full_of_formats_costs_what_its_bytes_cost() {
        let bytes = b"\x10\x01A\x10\x01A\x10\x08".repeat(1 << 17);
        let budget = Budget::new(Allowance { work: 1 << 20, bytes: 0 });
        let mut count = 0;
        each_format(&bytes, &budget, &mut |_| count += 1).unwrap();
        assert_eq!(count, 0);
        assert_eq!(budget.work_done(), bytes.len() as u64 / BYTES_A_STEP);

        let budget = Budget::new(Allowance { work: 2 * PIECE as u64 / BYTES_A_STEP, bytes: 0 });
        let bytes = b"\x10\x01A\0".repeat(1 << 17);
        assert!(each_format(&bytes, &budget, &mut |_| count += 1).is_err());
        assert_eq!(count, 2 * PIECE / 4);
    }
}
