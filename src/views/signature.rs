//! What a crash has in common with others: a signature that equal crashes share.
//!
//! What: [`Signature`] is made of the panic message and of the functions that led to it. How: of
//! the message, numbers, addresses and directories are left out, and of a stack, the machinery
//! of panics and what compilers add to names, so that neither another address nor another build
//! makes a difference. What it refuses: words of a stack that only look like calls are no
//! evidence.

use std::fmt;

use super::panicking::{DYING, is_panicking};

/// The functions of a stack that tell crashes apart. Of those further out, other builds leave
/// some out, because compilers turn last calls into jumps; and the outermost are the same for
/// too many.
const FUNCTIONS: usize = 3;

/// What tells crashes apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The panic message with `N` in place of numbers.
    pub message: String,
    /// The functions that were running, innermost first, at most three.
    pub functions: Vec<String>,
}

impl Signature {
    /// The signature of a crash: of its panic message, and of the functions on the stack of the
    /// thread that crashed, innermost first. `None` if neither is known.
    pub fn of<'f>(message: Option<&str>, stack: impl IntoIterator<Item = &'f str>) -> Option<Self> {
        let functions = outside_panic(stack.into_iter().map(source_name).collect());
        let functions = functions.into_iter().take(FUNCTIONS).map(str::to_owned).collect();
        let signature = Self { message: without_numbers(message.unwrap_or_default()), functions };
        (!signature.message.is_empty() || !signature.functions.is_empty()).then_some(signature)
    }

    /// A number that stands for it: the 64 bits of FNV-1a over the message and the functions, each
    /// followed by a line feed.
    #[must_use]
    pub fn number(&self) -> u64 {
        const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0100_0000_01b3;
        let lines = std::iter::once(&self.message).chain(&self.functions);
        let bytes = lines.flat_map(|line| line.bytes().chain([b'\n']));
        bytes.fold(BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
    }
}

/// 16 hexadecimal digits.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.number())
    }
}

/// The calls outside the machinery of panics. Of several panics, the outermost was the first, and
/// is the crash. A stack that ends in the machinery is all that is known.
fn outside_panic(functions: Vec<&str>) -> Vec<&str> {
    let first = functions.iter().rposition(|function| DYING.contains(function));
    let outside = functions.iter().skip(first.map_or(0, |first| first + 1));
    let outside: Vec<&str> = outside.copied().skip_while(|name| is_panicking(name)).collect();
    if outside.is_empty() { functions } else { outside }
}

/// A function's name in the source: compilers append `.isra.0`, `.part.1`, `.cold` or `.llvm.42` to
/// the parts and copies that they make.
fn source_name(function: &str) -> &str {
    let end = function.find('.').filter(|end| *end > 0).unwrap_or(function.len());
    function.get(..end).unwrap_or(function)
}

/// A panic message without what differs between machines and builds: each number is `N`, and of
/// a path only the name of the file is left.
fn without_numbers(message: &str) -> String {
    let words = message.split_whitespace().map(|word| {
        let name =
            if word.starts_with('/') { word.rsplit('/').next().unwrap_or(word) } else { word };
        word_without_numbers(name)
    });
    words.collect::<Vec<_>>().join(" ")
}

fn word_without_numbers(word: &str) -> String {
    let mut left = word;
    let mut without = String::new();
    while let Some(start) = left.find(|c: char| c.is_ascii_digit()) {
        let (before, number) = left.split_at(start);
        without.push_str(before);
        without.push('N');
        left = after_number(number);
    }
    without + left
}

/// What follows the number that `text` begins with.
fn after_number(text: &str) -> &str {
    let hex = text
        .strip_prefix("0x")
        .map(|digits| digits.trim_start_matches(|c: char| c.is_ascii_hexdigit()));
    hex.unwrap_or_else(|| text.trim_start_matches(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(message: &str, stack: &[&str]) -> Signature {
        Signature::of(Some(message), stack.iter().copied()).unwrap()
    }

    #[test]
    fn another_address_or_build_is_the_same_crash() {
        let one = signature(
            "mtx_lock() of destroyed mutex 0xfffff80003a51800 @ /usr/src/sys/net/if.c:1047",
            &["doadump", "vpanic", "panic", "__mtx_lock_flags", "if_detach.isra.0", "vnet_destroy"],
        );
        let other = signature(
            "mtx_lock() of destroyed mutex 0xfffff80103b6c000 @ /home/me/sys/net/if.c:1051",
            &["kern_reboot", "vpanic", "panic", "__mtx_lock_flags", "if_detach", "vnet_destroy"],
        );
        assert_eq!(one.message, "mtx_lock() of destroyed mutex N @ if.c:N");
        assert_eq!(one.functions, ["__mtx_lock_flags", "if_detach", "vnet_destroy"]);
        assert_eq!((&one, one.number()), (&other, other.number()));
    }

    #[test]
    fn another_function_or_message_is_another_crash() {
        let one =
            signature("page fault", &["panic", "trap", "calltrap", "in_pcbfree", "tcp_close"]);
        let function =
            signature("page fault", &["panic", "trap", "calltrap", "in_pcbdrop", "tcp_close"]);
        let message = signature("page fault in vm", &["panic", "in_pcbfree", "tcp_close"]);
        assert_ne!(one.number(), function.number());
        assert_ne!(one.number(), message.number());
    }

    #[test]
    fn the_first_of_several_panics_is_the_crash() {
        let nested =
            ["vpanic", "panic", "sched_switch", "mi_switch", "vpanic", "panic", "vnet_destroy"];
        assert_eq!(signature("x", &nested).functions, ["vnet_destroy"]);
        // A fault in user space that led to a panic is no part of the panic.
        let user = ["vpanic", "panic", "vm_fault", "trap_pfault", "trap", "calltrap"];
        assert_eq!(signature("x", &user).functions, ["vm_fault", "trap_pfault", "trap"]);
        // What lies outside the panic may be missing.
        assert_eq!(signature("x", &["kdb_enter", "vpanic"]).functions, ["kdb_enter", "vpanic"]);
    }

    #[test]
    fn only_the_innermost_functions_count() {
        let deep = ["panic", "a", "b", "c", "d", "e", "f"];
        assert_eq!(signature("x", &deep).functions, ["a", "b", "c"]);
    }

    #[test]
    fn the_number_is_that_of_the_published_algorithm() {
        // FNV-1a of the empty string is its basis; the message adds a line feed.
        let empty = Signature { message: String::new(), functions: Vec::new() };
        assert_eq!(
            empty.number(),
            (0xcbf2_9ce4_8422_2325 ^ 0x0a_u64).wrapping_mul(0x0100_0000_01b3)
        );
        let foobar = Signature { message: "foobar".to_owned(), functions: Vec::new() };
        let published = 0x8594_4171_f739_67e8_u64;
        assert_eq!(foobar.number(), (published ^ 0x0a).wrapping_mul(0x0100_0000_01b3));
    }

    #[test]
    fn numbers_of_all_kinds_are_left_out() {
        assert_eq!(
            without_numbers("vm_fault: fault on nofault entry, addr: 0xDEADbeef"),
            "vm_fault: fault on nofault entry, addr: N"
        );
        assert_eq!(without_numbers("epair12b:  if 3, x0x5"), "epairNb: if N, xN");
        assert_eq!(
            without_numbers("lock at /usr/src/sys/kern/kern_mutex.c:123"),
            "lock at kern_mutex.c:N"
        );
        assert_eq!(without_numbers("0x"), "N");
        assert_eq!(Signature::of(None, []), None);
    }
}
