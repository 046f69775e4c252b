//! Where the kernel stack of a thread lies, and its words.

use crate::addr::VirtAddr;
use crate::target::ReadError;
use crate::value::Object;

/// The address of a thread's kernel stack, and its size in bytes.
///
/// # Errors
/// The thread cannot be read, or the kernel's types lack something.
pub fn range(thread: &Object<'_>) -> Result<(VirtAddr, u64), ReadError> {
    let pages = thread.uint("td_kstack_pages")?.min(MOST_PAGES);
    Ok((thread.pointer("td_kstack")?, pages * thread.target().memory().page_size()))
}

/// The words of the stack from `pointer` on, or all of them, and where they begin.
pub fn words(
    thread: &Object<'_>,
    pointer: Option<VirtAddr>,
) -> Result<(VirtAddr, Vec<VirtAddr>), ReadError> {
    let target = thread.target();
    let (base, len) = range(thread)?;
    let used = pointer.and_then(|pointer| pointer.offset_from(base));
    let used = used.filter(|used| *used < len).unwrap_or(0);
    let mut bytes = vec![0; (len - used) as usize];
    let start = base.wrapping_add(used);
    let (read, _) = target.memory().read_prefix(start, &mut bytes);
    let (word, endian) = (target.arch().pointer_size(), target.arch().endian());
    let words = bytes.get(..read).unwrap_or_default().chunks_exact(word as usize);
    Ok((start, words.map(|bytes| VirtAddr::new(endian.uint(bytes) as u64)).collect()))
}

/// Pages of the largest kernel stack: KSTACK_PAGES is 2 to 6.
const MOST_PAGES: u64 = 64;
