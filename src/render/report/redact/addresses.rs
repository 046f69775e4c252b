//! Addresses and ports in text.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Text(&'a str),
    Ip(IpAddr),
    /// A link-level address.
    Link(&'a str),
    Port(u16),
}

/// Takes a text apart. Together the pieces are the text.
pub(super) fn split(text: &str) -> Vec<Piece<'_>> {
    let mut splitter = Splitter { text, pieces: Vec::new(), start: 0 };
    let mut at = 0;
    while at < text.len() {
        let rest = text.get(at..).unwrap_or_default();
        let len = rest.bytes().take_while(|byte| is_part(*byte)).count();
        if len == 0 {
            at += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        }
        let before = text.get(..at).unwrap_or_default();
        let follows_word = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let run = rest.get(..len).unwrap_or_default();
        let run = match follows_word {
            // The digits of 0x10 are part of a word.
            true => run.get(run.find([':', '.']).unwrap_or(len)..).unwrap_or_default(),
            false => run,
        };
        let skipped = len - run.len();
        let ends_word = rest
            .get(len..)
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'));
        let run = match ends_word {
            true => run.get(..run.rfind([':', '.']).unwrap_or(0)).unwrap_or_default(),
            false => run,
        };
        splitter.run(at + skipped, run);
        at += len;
    }
    splitter.text_until(text.len());
    splitter.pieces
}

/// What addresses are made of.
fn is_part(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.')
}

struct Splitter<'a> {
    text: &'a str,
    pieces: Vec<Piece<'a>>,
    /// Where the text that is no piece yet begins.
    start: usize,
}

impl<'a> Splitter<'a> {
    fn text_until(&mut self, end: usize) {
        if let Some(text) = self.text.get(self.start..end).filter(|text| !text.is_empty()) {
            self.pieces.push(Piece::Text(text));
        }
        self.start = end;
    }

    fn piece(&mut self, start: usize, len: usize, piece: Piece<'a>) {
        self.text_until(start);
        self.pieces.push(piece);
        self.start = start + len;
    }

    /// Characters that an address may be made of, which begin at `at`.
    fn run(&mut self, at: usize, run: &'a str) {
        let before = self.text.get(..at).unwrap_or_default();
        if let Some(port) = run.strip_prefix(':').and_then(number)
            && (before.ends_with('*') || self.is_behind_brackets(at))
        {
            return self.piece(
                at + 1,
                run.trim_end_matches(['.', ':']).len() - 1,
                Piece::Port(port),
            );
        }
        if let Some(port) = number(run)
            && before.ends_with("port ")
        {
            return self.piece(at, run.trim_end_matches(['.', ':']).len(), Piece::Port(port));
        }
        // Punctuation of the sentence, on either side.
        for trimmed in [run, run.trim_end_matches(['.', ':'])] {
            let inner = if trimmed.starts_with("::") {
                trimmed
            } else {
                trimmed.trim_start_matches(['.', ':'])
            };
            let at = at + trimmed.len() - inner.len();
            if self.whole(at, inner) {
                return;
            }
        }
        // An IPv4 address among other things: 10.0.0.1:tcp.
        let mut at = at;
        for part in run.split_inclusive(':') {
            let inner = part.trim_end_matches([':', '.']);
            if let Ok(ip) = inner.parse() {
                self.piece(at, inner.len(), Piece::Ip(IpAddr::V4(ip)));
            }
            at += part.len();
        }
    }

    /// Whether an address in brackets, perhaps with a zone, ends at `at`.
    fn is_behind_brackets(&self, at: usize) -> bool {
        let after_last = self.text.get(self.start..at).and_then(|rest| rest.strip_suffix(']'));
        let is_zone = |text: &str| {
            text.strip_prefix('%').is_some_and(|zone| !zone.contains(['[', ' ', '\t']))
        };
        matches!(self.pieces.last(), Some(Piece::Ip(_)))
            && after_last.is_some_and(|rest| rest.is_empty() || is_zone(rest))
    }

    /// Takes a run that is an address, and perhaps a port, and nothing else.
    fn whole(&mut self, at: usize, run: &'a str) -> bool {
        if let Ok(ip) = run.parse() {
            self.piece(at, run.len(), Piece::Ip(ip));
        } else if let Ok(both) = run.parse::<SocketAddrV4>() {
            let len = run.find(':').unwrap_or(run.len());
            self.piece(at, len, Piece::Ip((*both.ip()).into()));
            self.piece(at + len + 1, run.len() - len - 1, Piece::Port(both.port()));
        } else if let Some((ip, port)) = run.rsplit_once('.')
            && let (Ok(ip), Some(port)) = (ip.parse::<Ipv4Addr>(), number(port))
        {
            let len = run.rfind('.').unwrap_or(run.len());
            self.piece(at, len, Piece::Ip(ip.into()));
            self.piece(at + len + 1, run.len() - len - 1, Piece::Port(port));
        } else if is_link(run) {
            self.piece(at, run.len(), Piece::Link(run));
        } else {
            return false;
        }
        true
    }
}

/// A port, perhaps with the end of a sentence.
fn number(text: &str) -> Option<u16> {
    text.trim_end_matches(['.', ':']).parse().ok()
}

/// Six or more bytes in hex. Ethernet has six, FireWire eight, InfiniBand twenty.
fn is_link(run: &str) -> bool {
    let is_byte = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    run.split(':').count() >= 6 && run.split(':').all(is_byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pieces_are_the_text() {
        for text in
            ["", "a", "::", ":::", "1.2.3.4:5", "x1.2.3.4y", "größe ::1é", "....", "[::1]:22."]
        {
            let together: String = split(text)
                .into_iter()
                .map(|piece| match piece {
                    Piece::Text(text) | Piece::Link(text) => text.to_owned(),
                    Piece::Ip(ip) => ip.to_string(),
                    Piece::Port(port) => port.to_string(),
                })
                .collect();
            assert_eq!(together, text);
        }
    }
}
