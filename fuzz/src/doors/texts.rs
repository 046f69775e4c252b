//! What is text, or comes over a wire: expressions, scenarios, `info.N`, and the packets of debuggers.

use std::io;
use std::sync::LazyLock;

use vnetkvm::budget::Allowance;
use vnetkvm::dump::{DumpIdentity, InfoFile};
use vnetkvm::gdbserver::{Monitor, Server};
use vnetkvm::image::{self, Scenario};
use vnetkvm::kernel::Kernel;
use vnetkvm::session::{Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::value::Limits;
use vnetkvm::{expr, image::Format};

/// More than a hundred times what the longest sensible expression needs of the demonstration.
const ENOUGH: Allowance = Allowance { work: 200_000, bytes: 16 << 20 };

static DEMO: LazyLock<Session> = LazyLock::new(|| {
    let demo = image::demo().expect("the demonstration is built");
    let session = Session::from_sources(demo.kernel, demo.core).expect("it can be opened");
    // The index of names is made once, and not for one of the inputs.
    session.types().expect("it has types").find("struct ifnet").expect("it has interfaces");
    session
});

/// An expression, parsed, and evaluated over the demonstration's memory in each of its vnets.
pub fn expression(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = (expr::parse(text).map_err(|why| why.caret()), expr::parse_type(text).is_ok());
    let _ = expr::parse_path(text).is_ok();
    for number in 0..2 {
        let Ok(selection) = DEMO.select(&Selector::Index(number)) else { continue };
        DEMO.budget().renew(ENOUGH);
        for stack in selection.stacks {
            let _ = DEMO.print(stack, text, &Limits::default()).map_err(|why| why.story());
        }
    }
}

/// A scenario: what is one is built on a small machine and written as a dump.
pub fn scenario(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(scenario) = Scenario::parse(text) else { return };
    let kernel = Source::from_vec("kernel", KERNEL.clone());
    let Ok(kernel) = Kernel::open(kernel, None) else { return };
    match image::build(&scenario, kernel) {
        Ok(image) => {
            let _ = image.write(Format::MinidumpV2, &mut io::Cursor::new(Vec::new()));
        }
        Err(why) => drop(why.to_string()),
    }
}

static KERNEL: LazyLock<Vec<u8>> =
    LazyLock::new(|| image::demo().expect("the demonstration is built").kernel.bytes().to_vec());

/// `info.N`, beside the demonstration's dump.
pub fn info_file(bytes: &[u8]) {
    let Some(info) = InfoFile::parse(bytes) else { return };
    let known = DumpIdentity {
        host: Some("gw.example.org".into()),
        panic: Some("tcp_usr_send: inp == NULL".into()),
        version: Some("FreeBSD 12.1-RELEASE".into()),
    };
    for known in [known, DumpIdentity::default()] {
        let _ = info.disagreements(DEMO.core(), &known);
    }
}

/// What a debugger sends, to the remote stub of the demonstration.
pub fn gdb_packets(bytes: &[u8]) {
    DEMO.budget().renew(ENOUGH);
    // A packet's checksum would keep almost all of what a fuzzer makes from being read.
    let sealed = bytes.split(|byte| *byte == b'\n').map(|contents| {
        let sum = contents.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        [b"$", contents, format!("#{sum:02x}").as_bytes()].concat()
    });
    let raw = [b"+", bytes].concat();
    for packets in [sealed.collect::<Vec<_>>().concat(), raw] {
        let _ = Server::new(&DEMO, &mut Echo).serve(&packets[..], io::sink());
    }
}

/// What `monitor` is asked comes back.
struct Echo;

impl Monitor for Echo {
    fn start(&mut self) {}

    fn run(&mut self, command: &str) -> String {
        command.to_owned()
    }
}
