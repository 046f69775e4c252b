//! The remote stub, asked packet by packet: what it says of a dump, and what it does with packets
//! that make no sense.

#![cfg(all(feature = "gdb-server", feature = "image"))]

use std::io::{Read, Write};
use std::ops::Deref;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::{self, JoinHandle};

use tempfile::TempDir;
use vnetkvm::addr::VirtAddr;
use vnetkvm::answers;
use vnetkvm::gdbserver::{Monitor, Server};
use vnetkvm::image::{self, Format, Scenario};
use vnetkvm::session::{Options, Selector, Session};

/// What `monitor` is asked comes back.
struct Echo;

impl Monitor for Echo {
    fn start(&mut self) {}

    fn run(&mut self, command: &str) -> String {
        format!("<{command}>\n")
    }
}

/// A server of a dump, and a client without acknowledgements.
struct Client {
    stream: UnixStream,
    server: Option<JoinHandle<()>>,
}

impl Client {
    fn new(scenario: &str, format: Format) -> Self {
        let session = open(scenario, format);
        let (stream, theirs) = UnixStream::pair().unwrap();
        let server = thread::spawn(move || {
            let mut echo = Echo;
            Server::new(&session, &mut echo).serve(&theirs, &theirs).unwrap();
        });
        let mut client = Self { stream, server: Some(server) };
        assert_eq!(client.ask("QStartNoAckMode"), "OK");
        client.stream.write_all(b"+").unwrap();
        client
    }

    /// The answer to a packet.
    fn ask(&mut self, packet: &str) -> String {
        self.send(packet);
        self.answer()
    }

    fn send(&mut self, packet: &str) {
        let sum = packet.bytes().fold(0_u8, u8::wrapping_add);
        self.stream.write_all(format!("${packet}#{sum:02x}").as_bytes()).unwrap();
    }

    /// The next packet, with repeated characters written out.
    fn answer(&mut self) -> String {
        let mut byte = [0];
        let mut next = || {
            self.stream.read_exact(&mut byte).unwrap();
            byte[0]
        };
        while next() != b'$' {}
        let (mut text, mut sum) = (String::new(), 0_u8);
        loop {
            match next() {
                b'#' => break,
                b'*' => {
                    let count = next();
                    sum = sum.wrapping_add(b'*').wrapping_add(count);
                    let last = text.chars().last().unwrap();
                    text.extend(std::iter::repeat_n(last, usize::from(count) - 29));
                }
                byte => {
                    sum = sum.wrapping_add(byte);
                    text.push(char::from(byte));
                }
            }
        }
        let said = [next(), next()];
        assert_eq!(String::from_utf8_lossy(&said), format!("{sum:02x}"), "{text}");
        text
    }

    /// All of an object that is read in parts.
    fn object(&mut self, name: &str) -> String {
        let mut whole = String::new();
        loop {
            let part = self.ask(&format!("qXfer:{name}:{:x},100", whole.len()));
            match part.split_at(1) {
                ("m", part) => whole.push_str(part),
                ("l", part) => return whole + part,
                _ => panic!("{name}: {part}"),
            }
        }
    }

    /// The registers of a thread in gdb's order, by their widths in bits.
    fn registers(&mut self, tid: i64, widths: &[(String, usize)]) -> Vec<(String, Option<u64>)> {
        assert_eq!(self.ask(&format!("Hgp1.{tid:x}")), "OK");
        let all = self.ask("g");
        let mut at = 0;
        let mut known = Vec::new();
        for (name, bits) in widths {
            let digits = &all[at..at + bits / 4];
            at += bits / 4;
            let bytes = hex(digits).filter(|_| *bits <= 64);
            let value = bytes.map(|bytes| {
                bytes.iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte))
            });
            known.push((name.clone(), value));
        }
        assert_eq!(at, all.len(), "every register has its bytes");
        known
    }
}

impl Drop for Client {
    /// The server ends when its client leaves.
    fn drop(&mut self) {
        self.stream.shutdown(std::net::Shutdown::Both).unwrap();
        if let Some(server) = self.server.take()
            && !thread::panicking()
        {
            server.join().unwrap();
        }
    }
}

/// A session, and the files that it may open later.
struct Dump {
    session: Session,
    _directory: TempDir,
}

impl Deref for Dump {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

fn open(scenario: &str, format: Format) -> Dump {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scenarios").join(scenario);
    let scenario = Scenario::open(&path).unwrap();
    let image = image::build(&scenario, scenario.open_kernel().unwrap()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let kernel = image.save_kernel(directory.path()).unwrap().swap_remove(0);
    let core = image.save(format, directory.path()).unwrap();
    let options = Options { kernel: Some(kernel), core, ..Options::default() };
    Dump { session: Session::open(&options).unwrap(), _directory: directory }
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

fn text(digits: &str) -> String {
    String::from_utf8(hex(digits).unwrap()).unwrap()
}

/// The registers that a target description lists, and their widths.
fn described(xml: &str) -> Vec<(String, usize)> {
    let value = |tag: &str, name: &str| {
        let rest = tag.split_once(&format!(" {name}=\"")).unwrap().1;
        rest.split_once('"').unwrap().0.to_owned()
    };
    let tags = xml.split("<reg").skip(1);
    tags.map(|tag| (value(tag, "name"), value(tag, "bitsize").parse().unwrap())).collect()
}

/// While a dump is opened, gdb asks again and again, and goes on to its next packet.
#[test]
fn what_a_client_has_given_up_is_not_answered() {
    let session = open("trouble.toml", Format::Full);
    let (stream, theirs) = UnixStream::pair().unwrap();
    let mut client = Client { stream, server: None };
    for packet in ["qSupported:xmlRegisters=i386", "qSupported:xmlRegisters=i386", "?", "?"] {
        client.send(packet);
    }
    client.server = Some(thread::spawn(move || {
        let mut echo = Echo;
        Server::new(&session, &mut echo).serve(&theirs, &theirs).unwrap();
    }));
    assert!(client.answer().starts_with('T'));
    assert!(client.ask("qSupported:xmlRegisters=i386").starts_with("PacketSize="));
}

#[test]
fn memory_is_that_of_the_dump() {
    let session = open("stacks.toml", Format::MinidumpV2);
    let mut client = Client::new("stacks.toml", Format::MinidumpV2);
    let version = session.kernel().symbol("version").unwrap().address;
    let mut bytes = vec![0; 300];
    session.memory().read(version, &mut bytes).unwrap();
    assert_eq!(hex(&client.ask(&format!("m{:x},12c", version.get()))), Some(bytes));
    // Nothing is at NULL: EFAULT.
    assert_eq!(client.ask("m0,8"), "E0e");
    // A read that reaches into what is not there ends there.
    let end = last_mapped(&session, version);
    assert_eq!(client.ask(&format!("m{:x},10", end - 4)).len(), 8);
    assert_eq!(client.ask(&format!("m{end:x},1")), "E0e");
}

/// More than a packet has room for is cut, at the end of a byte.
#[test]
fn long_reads_are_cut() {
    let session = open("stacks.toml", Format::MinidumpV2);
    let mut client = Client::new("stacks.toml", Format::MinidumpV2);
    let image = session.kernel().symbol("btext").unwrap().address;
    let all = client.ask(&format!("m{:x},ffffffffffffffff", image.get()));
    let mut bytes = vec![0; all.len() / 2];
    assert!(bytes.len() > 60_000, "{}", bytes.len());
    session.memory().read(image, &mut bytes).unwrap();
    assert!(hex(&all) == Some(bytes));
    // 300 KB before the end of what is mapped.
    let end = last_mapped(&session, image);
    let reads =
        |client: &mut Client, at: u64| client.ask(&format!("m{at:x},fffff")).len() as u64 / 2;
    let mut at = end - 300_000;
    while at < end {
        at += reads(&mut client, at);
    }
    assert_eq!(at, end);
    // A packet with a wrong sum asks for nothing.
    client.stream.write_all(format!("$m{:x},1#00", image.get()).as_bytes()).unwrap();
    assert_eq!(client.answer(), "");
    assert_eq!(client.ask("m0,8"), "E0e");
}

/// lldb asks where memory is, and steps from region to region.
#[test]
fn memory_regions_are_those_of_the_kernel() {
    let session = open("stacks.toml", Format::MinidumpV2);
    let mut client = Client::new("stacks.toml", Format::MinidumpV2);
    let version = session.kernel().symbol("version").unwrap().address;
    let end = last_mapped(&session, version);
    let start = version.get();
    assert_eq!(
        client.ask(&format!("qMemoryRegionInfo:{start:x}")),
        format!("start:{start:x};size:{:x};permissions:rx;", end - start)
    );
    assert_eq!(client.ask("qMemoryRegionInfo:0"), "start:0;size:fffff80000000000;");
    let mut at = 0_u64;
    let mut mapped = 0;
    loop {
        let told = client.ask(&format!("qMemoryRegionInfo:{at:x}"));
        let fields: Vec<&str> = told.split([':', ';']).collect();
        assert_eq!((fields[0], fields[1], fields[2]), ("start", &*format!("{at:x}"), "size"));
        mapped += usize::from(told.contains("permissions"));
        at = at.wrapping_add(u64::from_str_radix(fields[3], 16).unwrap());
        if at == 0 {
            break;
        }
    }
    assert!((3..1000).contains(&mapped), "{mapped}");
}

/// The first address behind a mapped one that is not mapped.
fn last_mapped(session: &Session, from: VirtAddr) -> u64 {
    let mut page = (from.get() & !0xfff) + 0x1000;
    while session.memory().read(VirtAddr::new(page), &mut [0]).is_ok() {
        page += 0x1000;
    }
    page
}

#[test]
fn threads_are_those_of_the_kernel_and_the_one_that_wrote_the_dump_comes_first() {
    let session = open("stacks.toml", Format::MinidumpV2);
    let mut client = Client::new("stacks.toml", Format::MinidumpV2);
    let stopped = client.ask("?");
    assert!(stopped.starts_with("T05thread:"), "{stopped}");
    assert!(stopped.contains(&format!("{:x}", 100_901)), "{stopped}");

    let mut listed = Vec::new();
    let mut part = client.ask("qfThreadInfo");
    while let Some(ids) = part.strip_prefix('m') {
        let tid = |id: &str| i64::from_str_radix(id.rsplit('.').next().unwrap(), 16).unwrap();
        listed.extend(ids.split(',').map(tid));
        part = client.ask("qsThreadInfo");
    }
    assert_eq!((part.as_str(), listed[0]), ("l", 100_901));
    let known = answers::threads(&session, &Selector::Default, true).unwrap().threads;
    let mut expected: Vec<i64> = known.iter().filter_map(|thread| thread.thread.tid).collect();
    expected.sort_unstable();
    listed.sort_unstable();
    assert_eq!(listed, expected);

    let mut about = |tid: i64| text(&client.ask(&format!("qThreadExtraInfo,p1.{tid:x}")));
    assert_eq!(about(100_901), "pid 901 jail, jail web01, CPU 0, running, wrote the dump");
    assert_eq!(about(100_040), "pid 0 thread taskq, sleeping on select");
    assert_eq!(client.ask(&format!("T{:x}", 100_901)), "OK");
    assert_ne!(client.ask("T7"), "OK");
}

/// gdb and lldb each get all threads in one packet.
#[test]
fn lists_of_threads_have_names() {
    let mut client = Client::new("stacks.toml", Format::MinidumpV2);
    assert!(client.ask("qSupported:multiprocess+").ends_with(";qXfer:threads:read+"));
    let xml = client.object("threads:read:");
    let first = "<threads><thread id=\"p1.18a25\" name=\"jail\" core=\"0\">pid 901 jail, jail web01, \
                 CPU 0, running, wrote the dump</thread>";
    assert!(xml.starts_with(first), "{xml}");
    let sleeping = "name=\"thread taskq\">pid 0 thread taskq, sleeping on select</thread>";
    assert!(xml.contains(sleeping), "{xml}");
    assert!(xml.ends_with("</threads>"), "{xml}");

    let mut json = client.ask("jThreadsInfo");
    for escaped in ['#', '$', '}', '*'] {
        let other = char::from(escaped as u8 ^ 0x20);
        json = json.replace(&format!("}}{other}"), &escaped.to_string());
    }
    let all: serde_json::Value = serde_json::from_str(&json).unwrap();
    let all = all.as_array().unwrap();
    assert_eq!(all.len(), xml.matches("<thread ").count());
    assert_eq!(all[0]["tid"], 100_901);
    assert_eq!(all[0]["name"], "pid 901 jail, jail web01, CPU 0, running, wrote the dump");
    assert!(all[0]["registers"]["16"].as_str().unwrap().ends_with("ffffffff"), "{all:?}");
    let lost = all.iter().find(|thread| thread["tid"] == 100_944).unwrap();
    assert_eq!(lost["registers"], serde_json::json!({}));
}

/// As lldb reads them.
#[test]
fn single_registers_are_those_of_the_chosen_thread() {
    let mut client = Client::new("stacks.toml", Format::MinidumpV2);
    let widths = described(&client.object("features:read:target.xml"));
    for tid in [100_901, 100_040, 100_944] {
        let all = client.registers(tid, &widths);
        for (number, (name, value)) in all.iter().enumerate() {
            let one = client.ask(&format!("p{number:x}"));
            match value {
                Some(value) => {
                    let bytes = hex(&one).unwrap();
                    let told = bytes.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte));
                    assert_eq!((bytes.len() * 8, told), (widths[number].1, *value), "{name}");
                }
                None => assert_eq!(one, "xx", "{tid} {name}"),
            }
        }
    }
    assert_eq!(client.ask("p999"), "E16");
    // Any thread is the first.
    assert_eq!(client.ask("Hg0"), "OK");
    assert_ne!(client.ask("p10"), "xx");
}

#[test]
fn registers_that_nothing_saved_are_unavailable() {
    let mut client = Client::new("stacks.toml", Format::MinidumpV2);
    let xml = client.object("features:read:target.xml");
    assert!(xml.contains("<architecture>i386:x86-64</architecture><osabi>none</osabi>"), "{xml}");
    let widths = described(&xml);
    let dumping = client.registers(100_901, &widths);
    let value = |of: &[(String, Option<u64>)], name: &str| {
        of.iter().find(|(known, _)| known == name).unwrap().1
    };
    let session = open("stacks.toml", Format::MinidumpV2);
    let pcb = session.print(
        session.select(&Selector::Default).unwrap().stacks[0],
        "dumppcb.pcb_rip",
        &Default::default(),
    );
    let vnetkvm::value::Value::Int(rip) = pcb.unwrap().value else { panic!("a number") };
    assert_eq!(value(&dumping, "rip"), Some(rip as u64));
    assert!(value(&dumping, "rsp").is_some() && value(&dumping, "rbp").is_some());
    for name in ["rax", "eflags", "cs", "fctrl"] {
        assert_eq!(value(&dumping, name), None, "{name}");
    }
    // Thread 0 has a pcb that nothing was saved in.
    let lost = client.registers(100_944, &widths);
    assert!(lost.iter().all(|(_, value)| value.is_none()), "{lost:?}");
}

#[test]
fn a_dump_does_not_change() {
    let mut client = Client::new("stacks.toml", Format::MinidumpV2);
    let session = open("stacks.toml", Format::MinidumpV2);
    let version = session.kernel().symbol("version").unwrap().address.get();
    let before = client.ask(&format!("m{version:x},4"));
    // EROFS.
    assert_eq!(client.ask(&format!("M{version:x},4:00000000")), "E1e");
    assert_eq!(client.ask(&format!("X{version:x},2:ab")), "E1e");
    let registers = "0".repeat(16);
    assert_eq!(client.ask(&format!("G{registers}")), "E1e");
    assert_eq!(client.ask(&format!("m{version:x},4")), before);
    // It does not run either: whoever lets it run is told, and that it has stopped.
    client.send("vCont;c:p1.-1");
    assert_eq!(text(client.answer().strip_prefix('O').unwrap()), "A dump does not run.\n");
    assert!(client.answer().starts_with("T11"));
}

#[test]
fn monitor_gives_commands_to_whoever_serves() {
    let mut client = Client::new("stacks.toml", Format::MinidumpV2);
    let command: String = "vnets --wide".bytes().map(|byte| format!("{byte:02x}")).collect();
    client.send(&format!("qRcmd,{command}"));
    assert_eq!(text(client.answer().strip_prefix('O').unwrap()), "<vnets --wide>\n");
    assert_eq!(client.answer(), "OK");
}

#[test]
fn modules_have_the_places_of_their_sections() {
    let mut client = Client::new("stacks.toml", Format::MinidumpV2);
    let xml = client.object("libraries:read:");
    assert!(xml.contains("if_gif.ko.debug\"><section address=\"0x"), "{xml}");
    let session = open("stacks.toml", Format::MinidumpV2);
    let module = session.modules().unwrap().modules().next().unwrap();
    let text = module.sections.iter().find(|(name, _)| &**name == ".text").unwrap().1;
    assert!(xml.contains(&format!("<section address=\"{text}\"/>")), "{xml}");
}

/// A debugger reads the kernel and its modules through the server, and nothing else.
#[test]
fn files_are_those_of_the_kernel_and_its_modules() {
    let mut client = Client::new("stacks.toml", Format::MinidumpV2);
    let kernel = client.object("exec-file:read:1");
    let libraries = client.object("libraries:read:");
    let module = libraries.split('"').find(|path| path.ends_with("if_gif.ko.debug")).unwrap();
    let hex = |path: &str| path.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    for path in [&*kernel, module] {
        let opened = client.ask(&format!("vFile:open:{},0,0", hex(path)));
        let number = opened.strip_prefix('F').unwrap();
        assert_eq!(client.ask(&format!("vFile:pread:{number},4,0")), "F04;\x7fELF", "{path}");
        let len = std::fs::metadata(path).unwrap().len();
        assert_eq!(client.ask(&format!("vFile:pread:{number},4,{len:x}")), "F00;", "{path}");
        assert_eq!(client.ask(&format!("vFile:close:{number}")), "F0");
        // O_RDWR
        let refused = client.ask(&format!("vFile:open:{},2,0", hex(path)));
        assert_eq!(refused, "F-1,1e", "{path}");
    }
    let core = Path::new(&kernel).with_file_name("vmcore.minidump-v2");
    assert!(core.exists());
    let core = core.to_str().unwrap();
    assert_eq!(client.ask(&format!("vFile:open:{},0,0", hex(core))), "F-1,02");
    assert_eq!(client.ask("vFile:pread:77,4,0"), "F-1,09");
    assert_eq!(client.ask(&format!("vFile:unlink:{}", hex(module))), "");
}

/// Whatever a client sends, the next packet is answered.
#[test]
fn packets_that_make_no_sense_do_no_harm() {
    let mut client = Client::new("stacks.toml", Format::MinidumpV2);
    let long = "m".repeat(200_000);
    let odd = [
        "",
        "m",
        "mzz,4",
        "m0",
        "m0,ffffffffffffffff",
        "M0,4:0",
        "Hg",
        "Hgp",
        "Hgp1.zz",
        "T",
        "Z0",
        "vCont",
        "vCont;",
        "vCont;x",
        "qXfer:features:read:target.xml",
        "qRcmd,0",
        "qRcmd,zz",
        "qThreadExtraInfo,",
        "qThreadExtraInfo,p1.7",
        "G",
        "Gzz",
        "qSupported:;;=+",
        "vFile:open:",
        "qXfer:libraries:read::ffffffffffffffff,ffffffff",
        "\u{7f}",
        long.as_str(),
    ];
    for packet in odd {
        client.send(packet);
        // Answers to both may come; the last is to this one.
        client.send("qAttached");
        let shown = &packet[..packet.len().min(40)];
        let mut tries = 0;
        while client.answer() != "1" {
            tries += 1;
            assert!(tries < 400_000, "{shown}");
        }
    }
    for bytes in [&b"$m0,8#00"[..], b"\x00\xff\xfe$$$###", b"+-+-", b"}}}***"] {
        client.stream.write_all(bytes).unwrap();
        client.send("qAttached");
        while client.answer() != "1" {}
    }
}

#[test]
fn a_client_that_vanishes_ends_the_session_and_nothing_else() {
    let session = open("stacks.toml", Format::MinidumpV2);
    let mut echo = Echo;
    let mut server = Server::new(&session, &mut echo);
    for sent in [&b""[..], b"$m0,8", b"$qSupported#37", b"$?#3f$?#3f"] {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        ours.write_all(sent).unwrap();
        drop(ours);
        server.serve(&theirs, &theirs).unwrap();
    }
}
