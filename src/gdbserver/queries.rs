//! Packets that gdbstub does not know, or whose answers cannot say what is to be said.
//!
//! `m` and `p`: memory is sent fast and as far as it goes, and a single register may be unknown.
//! `qXfer:threads` gives gdb all threads at once. `jThreadsInfo` and `qMemoryRegionInfo` are
//! lldb's (`lldb/docs/resources/lldbgdbremote.md`, lldb 14 to 19).

use gdbstub::common::Tid;
use serde::Serialize;

use super::packet::{escaped, hex};
use super::registers::Source;
use super::stub::{NO_MEMORY, Stub};
use crate::addr::VirtAddr;
use crate::render::markup::Markup;

/// What is added to the answer to qSupported.
pub(super) const FEATURES: &[u8] = b";qXfer:threads:read+";

/// The most bytes of memory in an answer.
const MOST_MEMORY: usize = super::PACKET / 2 - 8;
/// Mappings that are looked at to see where a region ends.
const MOST_MAPPINGS: usize = 1 << 12;

impl Stub<'_, '_> {
    /// The answer to a packet with these contents; `None` if gdbstub has one.
    pub fn answer(&mut self, contents: &[u8]) -> Option<Vec<u8>> {
        let text = std::str::from_utf8(contents).ok()?;
        if let Some(thread) = text.strip_prefix("Hg") {
            self.chosen = tid(thread);
            return None;
        }
        if let Some(range) = text.strip_prefix("qXfer:threads:read::") {
            let (offset, len) = pair(range)?;
            return Some(part_of(self.thread_list().as_bytes(), offset, len));
        }
        if let Some(at) = text.strip_prefix("qMemoryRegionInfo:") {
            return Some(self.region(number(at)?).into_bytes());
        }
        match text {
            "jThreadsInfo" => Some(escaped(&self.thread_objects())),
            _ => match text.split_at_checked(1)? {
                ("m", range) => {
                    let (at, len) = pair(range)?;
                    Some(self.bytes(at, len))
                }
                ("p", register) => Some(self.register(number(register)?)),
                _ => None,
            },
        }
    }

    /// Memory from `at` on, up to the first byte that cannot be read.
    fn bytes(&self, at: u64, len: u64) -> Vec<u8> {
        let len = usize::try_from(len).unwrap_or(usize::MAX).min(MOST_MEMORY);
        let mut bytes = vec![0; len];
        let at = VirtAddr::new(self.arch.wrap(at));
        match self.session.memory().read_prefix(at, &mut bytes) {
            (0, Some(_)) => format!("E{NO_MEMORY:02x}").into_bytes(),
            (read, _) => hex(bytes.get(..read).unwrap_or_default()),
        }
    }

    /// One register of the chosen thread. A single `xx` says that it is unknown: lldb takes as
    /// many as it has bytes for a value.
    fn register(&self, number: u64) -> Vec<u8> {
        let known = self.threads.registers(self.chosen.unwrap_or(self.stopped()));
        let register = self.registers.iter().find(|register| u64::from(register.number) == number);
        match register.map(|register| register.bytes(self.arch, &known)) {
            Some(Some(bytes)) => hex(&bytes),
            Some(None) => b"xx".to_vec(),
            None => format!("E{NO_REGISTER:02x}").into_bytes(),
        }
    }

    /// gdb's list of threads.
    fn thread_list(&mut self) -> &str {
        self.thread_list.get_or_insert_with(|| {
            let mut xml = Markup::default();
            xml.tag("threads", &[]);
            for id in self.threads.ids() {
                let about = self.threads.about(*id);
                let (id, cpu) = (format_args!("p1.{id:x}"), about.cpu.unwrap_or_default());
                match about.cpu {
                    Some(_) => {
                        xml.tag("thread", &[("id", &id), ("name", &about.name), ("core", &cpu)])
                    }
                    None => xml.tag("thread", &[("id", &id), ("name", &about.name)]),
                };
                xml.text(&about.line).end("thread");
            }
            xml.end("threads").as_str().to_owned()
        })
    }

    /// lldb's list of threads.
    fn thread_objects(&self) -> Vec<u8> {
        let all: Vec<ThreadObject<'_>> =
            self.threads.ids().iter().map(|id| self.object(*id)).collect();
        // Writing numbers and text to a Vec cannot fail.
        serde_json::to_vec(&all).unwrap_or_default()
    }

    fn object(&self, id: Tid) -> ThreadObject<'_> {
        let known = self.threads.registers(id);
        // What a stack begins with; lldb asks for the others when it needs them.
        let first =
            self.registers.iter().filter(|register| matches!(register.source, Source::Counter));
        let registers = first
            .filter_map(|register| {
                let bytes = hex(&register.bytes(self.arch, &known)?);
                Some((register.number.to_string(), String::from_utf8(bytes).ok()?))
            })
            .collect();
        ThreadObject {
            tid: id.get(),
            name: &self.threads.about(id).line,
            reason: "none",
            registers,
        }
    }

    /// The mapped memory around `at`, or the hole, in lldb's words. Which rights the kernel has
    /// is not told.
    fn region(&self, at: u64) -> String {
        let memory = self.session.memory();
        let start = self.arch.wrap(at);
        let next = |at: u64| memory.next_mapping(VirtAddr::new(at));
        let (end, rights) = match next(start) {
            Some((mapped, _)) if mapped.get() > start => (mapped.get(), ""),
            Some(_) => {
                let mut end = start;
                for _ in 0..MOST_MAPPINGS {
                    match next(end) {
                        Some((mapped, mapping))
                            if mapped.get() == end && end.checked_add(mapping.len).is_some() =>
                        {
                            end += mapping.len;
                        }
                        _ => break,
                    }
                }
                (end, "permissions:rx;")
            }
            None => (0, ""),
        };
        format!("start:{start:x};size:{:x};{rights}", end.wrapping_sub(start))
    }
}

/// EINVAL: the machine has no such register.
const NO_REGISTER: u8 = 22;

/// A thread as lldb takes it.
#[derive(Serialize)]
struct ThreadObject<'a> {
    tid: usize,
    name: &'a str,
    reason: &'static str,
    registers: std::collections::BTreeMap<String, String>,
}

/// A part of an object that is transferred in parts: `m` and `l` say whether more follows.
fn part_of(whole: &[u8], offset: u64, len: u64) -> Vec<u8> {
    let rest = usize::try_from(offset).ok().and_then(|offset| whole.get(offset..));
    let rest = rest.unwrap_or_default();
    let len = usize::try_from(len).unwrap_or(usize::MAX).min(MOST_MEMORY);
    match rest.split_at_checked(len) {
        Some((part, more)) if !more.is_empty() => [b"m", &*escaped(part)].concat(),
        _ => [b"l", &*escaped(rest)].concat(),
    }
}

/// Two numbers with a comma.
fn pair(text: &str) -> Option<(u64, u64)> {
    let (first, second) = text.split_once(',')?;
    Some((number(first)?, number(second)?))
}

fn number(digits: &str) -> Option<u64> {
    u64::from_str_radix(digits, 16).ok()
}

/// A thread's number, with or without that of its process. -1 and 0 are any thread.
fn tid(text: &str) -> Option<Tid> {
    let digits = match text.strip_prefix('p') {
        Some(both) => both.split_once('.')?.1,
        None => text,
    };
    Tid::new(usize::from_str_radix(digits, 16).ok()?)
}
