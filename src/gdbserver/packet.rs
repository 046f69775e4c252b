//! Packets as they go over the wire: `$`, the contents, `#` and a checksum of two hexadecimal
//! digits.

use std::mem;

/// What a client sends, byte by byte.
#[derive(Debug)]
pub(super) struct Incoming {
    /// The bytes since the last whole packet.
    bytes: Vec<u8>,
    /// How many bytes a packet may have.
    most: usize,
}

impl Incoming {
    /// Takes packets of up to `most` bytes as whole.
    pub fn new(most: usize) -> Self {
        Self { bytes: Vec::new(), most }
    }

    /// Adds a byte. Returns the bytes that have become whole: a packet, or something else that is
    /// of no use to wait for.
    pub fn add(&mut self, byte: u8) -> Option<Vec<u8>> {
        if self.bytes.is_empty() && byte != b'$' {
            return Some(vec![byte]);
        }
        self.bytes.push(byte);
        let sum_follows = self.bytes.len().checked_sub(3).and_then(|at| self.bytes.get(at));
        let is_whole = sum_follows == Some(&b'#') || self.bytes.len() >= self.most;
        is_whole.then(|| mem::take(&mut self.bytes))
    }
}

/// How many of the first bytes of a client are packets whose answers it no longer waits for.
///
/// While a dump is opened, nobody answers. gdb then sends its packet again every two seconds, and
/// some time later the next one; in the end it waits for one answer. A client that repeats
/// nothing has sent several packets on purpose.
pub(super) fn given_up(bytes: &[u8]) -> usize {
    let mut incoming = Incoming::new(bytes.len());
    let ends = bytes.iter().zip(1..).filter_map(|(byte, end)| Some((incoming.add(*byte)?, end)));
    let packets: Vec<(Vec<u8>, usize)> =
        ends.filter(|(packet, _)| contents(packet).is_some()).collect();
    match &packets[..] {
        [(first, _), (second, _), ..] if first == second => {
            packets.last().map_or(0, |(last, end)| end - last.len())
        }
        _ => 0,
    }
}

/// The contents of a packet; `None` if it is none, or if its checksum is wrong.
pub(super) fn contents(packet: &[u8]) -> Option<&[u8]> {
    let (body, sum) = packet.strip_prefix(b"$")?.split_last_chunk::<3>()?;
    (sum == &checksum(body)).then_some(body)
}

/// The packet with these contents.
pub(super) fn packet(contents: &[u8]) -> Vec<u8> {
    [b"$", contents, &checksum(contents)].concat()
}

/// What follows the contents.
fn checksum(contents: &[u8]) -> [u8; 3] {
    let [high, low] = digits(contents.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)));
    [b'#', high, low]
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| digits(*byte)).collect()
}

fn digits(byte: u8) -> [u8; 2] {
    let digit = |value: u8| value.wrapping_add(if value < 10 { b'0' } else { b'a' - 10 });
    [digit(byte >> 4), digit(byte & 0xf)]
}

/// Bytes that stand for themselves but for those that a packet cannot contain.
pub(super) fn escaped(bytes: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'#' | b'$' | b'}' | b'*' => escaped.extend([b'}', byte ^ 0x20]),
            _ => escaped.push(*byte),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_packet_of_a_client_that_repeats_is_awaited() {
        let [a, b] = [packet(b"qSupported"), packet(b"?")];
        let plus = b"+".to_vec();
        for (sent, awaited) in [
            (vec![&plus, &a, &a, &a], &a),
            (vec![&a, &a, &plus, &a, &b, &b], &b),
            (vec![&a, &a], &a),
        ] {
            let sent = sent.into_iter().flatten().copied().collect::<Vec<u8>>();
            assert_eq!(sent[given_up(&sent)..], awaited[..]);
        }
        assert_eq!(given_up(&[&a[..], &b].concat()), 0);
        assert_eq!(given_up(b"$$$$#"), 0);
        assert_eq!(given_up(b""), 0);
    }

    fn taken(bytes: &[u8], most: usize) -> Vec<Vec<u8>> {
        let mut incoming = Incoming::new(most);
        bytes.iter().filter_map(|byte| incoming.add(*byte)).collect()
    }

    #[test]
    fn packets_are_told_from_what_is_between_them() {
        assert_eq!(taken(b"+$g#67-\x03$", 99), [&b"+"[..], b"$g#67", b"-", b"\x03"]);
        assert_eq!(taken(b"$abcdef#12", 4), [&b"$abc"[..], b"d", b"e", b"f", b"#", b"1", b"2"]);
    }

    #[test]
    fn a_packet_has_the_sum_of_its_contents() {
        assert_eq!(packet(b"OK"), b"$OK#9a");
        assert_eq!(contents(b"$OK#9a"), Some(&b"OK"[..]));
        for wrong in [&b"$OK#9b"[..], b"OK#9a", b"$#", b"$", b"+"] {
            assert_eq!(contents(wrong), None);
        }
        assert_eq!(contents(b"$#00"), Some(&b""[..]));
    }

    #[test]
    fn what_a_packet_cannot_contain_is_escaped() {
        assert_eq!(escaped(b"{\"a\":1}#"), b"{\"a\":1}]}\x03");
        assert_eq!(hex(&[0, 0x9a, 0xff]), b"009aff");
    }
}
