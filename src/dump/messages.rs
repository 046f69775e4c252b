//! The kernel's message buffer: turns the ring that the kernel writes into text.
//!
//! A minidump has the ring as a separate part. The struct msgbuf that records
//! where the oldest text begins is at the ring's end (`msgbufinit`,
//! `sys/kern/subr_msgbuf.c`), usually in the rest of the ring's last page.

use crate::arch::Arch;
use crate::bytes::Fields;
use crate::source::Region;

/// MSG_MAGIC (`sys/sys/msgbuf.h`).
const MAGIC: u32 = 0x06_3062;

/// The lines of the ring `bytes`, oldest first. `written` is how many bytes were
/// ever written into it (msg_wseq), modulo a multiple of its length.
///
/// Bytes that were never written (NULs) are dropped, and so is the priority
/// at the start of a line, such as `<118>`.
pub fn message_lines(bytes: &[u8], written: u64) -> Vec<String> {
    let at = usize::try_from(written % (bytes.len() as u64).max(1)).unwrap_or(0);
    // Only the next write position shows whether the ring has ever been full: after it comes
    // the oldest text, or NULs.
    let (newer, older) = bytes.split_at_checked(at).unwrap_or((bytes, &[]));
    let text: Vec<u8> = older.iter().chain(newer).copied().filter(|byte| *byte != 0).collect();
    let text = String::from_utf8_lossy(&text);
    text.lines().map(|line| without_priority(line).to_owned()).collect()
}

/// The text of a minidump's own copy of the ring. `after` is what follows the ring
/// in its last page. If a struct msgbuf is there, it says where the text begins.
pub(super) fn saved_lines(ring: &Region, after: &Region, arch: Arch) -> Vec<String> {
    let written = written(after.bytes(), ring.len(), arch);
    message_lines(ring.bytes(), written.unwrap_or(0))
}

/// msg_wseq of a struct msgbuf, which holds a pointer, the magic, the size, and then it.
fn written(bytes: &[u8], size: u64, arch: Arch) -> Option<u64> {
    let fields = Fields::new(bytes, arch.endian());
    let magic_at = usize::try_from(arch.pointer_size()).ok()?;
    let found = fields.u32(magic_at)? == MAGIC && u64::from(fields.u32(magic_at + 4)?) == size;
    found.then(|| fields.u32(magic_at + 8).map(u64::from)).flatten()
}

fn without_priority(line: &str) -> &str {
    let Some((priority, rest)) = line.strip_prefix('<').and_then(|rest| rest.split_once('>'))
    else {
        return line;
    };
    let is_number = !priority.is_empty() && priority.bytes().all(|byte| byte.is_ascii_digit());
    if is_number && priority.len() <= 4 { rest } else { line }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::addr::FileOffset;
    use crate::source::Source;

    #[test]
    fn a_ring_that_was_never_full_begins_at_its_start() {
        let ring = b"<6>Copyright\n<118>login: ok\n\0\0\0\0\0\0";
        assert_eq!(message_lines(ring, 28), ["Copyright", "login: ok"]);
    }

    #[test]
    fn a_full_ring_begins_where_it_would_be_written_next() {
        let ring = b"new\n<2>pageold\n<5>er";
        for written in [11, 11 + 20, 11 + 20 * 16] {
            assert_eq!(message_lines(ring, written), ["old", "ernew", "page"]);
        }
    }

    #[test]
    fn only_numbers_are_priorities() {
        let ring = b"<118>a\n<x>b\n<>c\n<12345>d\na<118>b\n<1";
        let lines = ["a", "<x>b", "<>c", "<12345>d", "a<118>b", "<1"];
        assert_eq!(message_lines(ring, 0), lines);
    }

    #[test]
    fn an_empty_ring_has_no_lines() {
        assert!(message_lines(b"", 5).is_empty());
        assert!(message_lines(&[0; 64], 5).is_empty());
    }

    #[test]
    fn a_saved_ring_is_unwrapped_by_the_struct_behind_it() {
        for (arch, pointer) in [(Arch::Amd64, 8), (Arch::I386, 4)] {
            let mut bytes = b"b\nc\na\n".to_vec();
            bytes.extend(vec![0xff; pointer]);
            for word in [MAGIC, 6, 4 + 6 * 3] {
                bytes.extend(word.to_le_bytes());
            }
            let len = bytes.len() as u64;
            let source = Arc::new(Source::from_vec("vmcore.0", bytes));
            let ring = Region::new(&source, FileOffset::new(0), 6).unwrap();
            let after = Region::new(&source, FileOffset::new(6), len - 6).unwrap();
            assert_eq!(saved_lines(&ring, &after, arch), ["a", "b", "c"]);
            let nothing = Region::new(&source, FileOffset::new(6), 0).unwrap();
            assert_eq!(saved_lines(&ring, &nothing, arch), ["b", "c", "a"]);
        }
    }
}
