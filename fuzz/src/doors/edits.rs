//! Changes to a file as a fuzzer writes them: a list of records of a few bytes each. A change of one byte
//! of the input changes one field of the file, however large the file is.

use super::fields::Field;

/// The most changes that count: more destroy so much that nothing is left to be read.
const MOST: usize = 64;

/// Bytes of one record: what to do, which field, how, and a value.
const RECORD: usize = 12;

/// Makes the changes that `input` says.
pub fn apply(input: &[u8], file: &mut Vec<u8>, fields: &[Field]) {
    for record in input.chunks_exact(RECORD).take(MOST) {
        let [kind, how, a, b, value @ ..] = record else { continue };
        let number = usize::from(u16::from_le_bytes([*a, *b]));
        let value = u64::from_le_bytes(value.try_into().unwrap_or_default());
        match kind % 8 {
            0..=4 => edit_field(file, fields, number, *how, value),
            5 => overwrite(file, value as usize, &[*a, *b].repeat(usize::from(how % 64) + 1)),
            6 => copy_page(file, number, value as usize),
            _ if kind / 8 == 31 => file.truncate(value as usize % (file.len() + 1)),
            _ => bytes(file, value as usize, &[*how, *a, *b]),
        }
    }
}

/// Sets a field to what a program that trusts it would trip over.
fn edit_field(file: &mut [u8], fields: &[Field], number: usize, how: u8, value: u64) {
    let Some(field) = nth(fields, number) else { return };
    let other = nth(fields, value as usize).unwrap_or(field);
    let new = match how % 16 {
        0 => 0,
        1 => u64::MAX,
        // Another object, a place within it, or itself.
        2 => other.address,
        3 => other.address.wrapping_add(value >> 16 & 0xff),
        4 => field.address,
        5 => other.read(file),
        6 => field.read(file).wrapping_add_signed(i64::from(value as i16)),
        7 => field.read(file) ^ 1 << (value % 64),
        8 => 0xdead_c0de_dead_c0de,
        9 => i32::MAX as u64,
        10 => 1 << (value % 64),
        // The last bytes of a page, and of all addresses.
        11 => other.address | 0xfff,
        12 => u64::MAX - (value & 0xff),
        13 => field.read(file).rotate_left(8 * (value as u32 % 8)),
        _ => value,
    };
    field.write(file, new);
}

fn nth(fields: &[Field], number: usize) -> Option<Field> {
    fields.get(number % fields.len().max(1)).copied()
}

fn overwrite(file: &mut [u8], at: usize, with: &[u8]) {
    let at = at % file.len().max(1);
    let end = file.len().min(at + with.len());
    let place = &mut file[at..end];
    place.copy_from_slice(&with[..place.len()]);
}

/// A pattern that ends nowhere, such as a name without its end.
fn bytes(file: &mut [u8], at: usize, pattern: &[u8]) {
    overwrite(file, at, &pattern.repeat(300));
}

fn copy_page(file: &mut [u8], from: usize, to: usize) {
    const PAGE: usize = 4096;
    let pages = file.len() / PAGE;
    if pages > 0 {
        let (from, to) = (from % pages * PAGE, to % pages * PAGE);
        file.copy_within(from..from + PAGE, to);
    }
}
