//! A machine that runs: an image's memory as a device, and a kernel that says where memory is.

#![allow(dead_code)]

use std::io::{self, Cursor};
use std::ops::Range;
use std::sync::{Arc, Mutex};

use vnetkvm::addr::PhysAddr;
use vnetkvm::bytes::Endian;
use vnetkvm::dump;
use vnetkvm::image::{Format, Image, Scenario, build};
use vnetkvm::kernel::Kernel;
use vnetkvm::session::Session;
use vnetkvm::source::{Device, Source};

/// A kernel whose loader may put it anywhere.
pub const NEWER: &str = "newer-clang-dwarf4";

const PAGE: u64 = 4096;

/// The fixture kernels do not list their memory. This one has the list in the place of a
/// structure that nothing reads.
pub fn kernel(name: &str) -> Vec<u8> {
    let mut bytes = std::fs::read(format!("fixtures/kernel/{name}")).unwrap();
    let (other, list) = (b"\0inetdomain\0", b"\0dump_avail\0");
    let places: Vec<_> = memchr::memmem::find_iter(&bytes, other).collect();
    assert!(!places.is_empty(), "{name}");
    for place in places {
        bytes[place..place + list.len()].copy_from_slice(list);
    }
    bytes
}

/// Its memory: bytes at physical addresses, and what reads of them do.
#[derive(Debug, Clone)]
pub struct Machine {
    pub kernel: Vec<u8>,
    /// Pieces of whole pages, ascending.
    pub ram: Pieces,
    /// The kernel's own list.
    pub list: PhysAddr,
    /// Bytes of an address in its list.
    pub word: usize,
    pub big_endian: bool,
}

impl Machine {
    /// The machine of a scenario, with this kernel.
    pub fn new(name: &str, scenario: &str) -> Self {
        let bytes = kernel(name);
        let of_kernel = || Source::from_vec("kernel", bytes.clone());
        let image = image(Kernel::open(of_kernel(), None).unwrap(), scenario);
        let mut file = Cursor::new(Vec::new());
        image.write(Format::Full, &mut file).unwrap();
        let full = Source::from_vec("vmcore", file.into_inner());
        let core = dump::open(full.clone()).unwrap();
        let read = |range: Range<PhysAddr>| {
            let mut bytes = vec![0; range.end.offset_from(range.start).unwrap() as usize];
            core.memory().read(range.start, &mut bytes).unwrap();
            (range.start.get(), bytes)
        };
        let ram = core.memory().ranges().into_iter().map(read).collect();
        let session = Session::from_sources(of_kernel(), full).unwrap();
        let list = session.kernel().symbol("dump_avail").unwrap().address;
        let list = session.memory().translate(list).unwrap();
        let arch = session.memory().arch();
        let word = arch.pointer_size() as usize;
        let big_endian = arch.endian() == Endian::Big;
        let mut machine = Self { kernel: bytes, ram, list, word, big_endian };
        let all: Vec<_> = machine.ram.iter().map(|(at, bytes)| (*at, at + len(bytes))).collect();
        machine.says(&all);
        machine
    }

    /// Its kernel lists these pieces of memory, with begin and end, and no others.
    pub fn says(&mut self, pieces: &[(u64, u64)]) {
        /// Bytes that the list has room for, of a 32-bit kernel: struct domain.
        const ROOM: usize = 56;
        let word = self.word;
        let bytes = |value: &u64| match self.big_endian {
            true => value.to_be_bytes()[8 - word..].to_vec(),
            false => value.to_le_bytes()[..word].to_vec(),
        };
        let words = pieces.iter().flat_map(|(start, end)| [*start, *end]);
        let mut list: Vec<u8> = words.flat_map(|value| bytes(&value)).collect();
        assert!(list.len() <= ROOM - 2 * word);
        list.resize(ROOM, 0);
        self.write(self.list.get(), &list);
    }

    /// Overwrites memory.
    pub fn write(&mut self, at: u64, bytes: &[u8]) {
        write(&mut self.ram, at, bytes);
    }

    /// The kernel's file.
    pub fn kernel_source(&self) -> Source {
        Source::from_vec("kernel", self.kernel.clone())
    }

    /// Its memory as a device, and the log of what is read.
    pub fn device(&self) -> (Ram, Log) {
        self.device_that(|_, _, _| {})
    }

    /// The same, with something that happens before each read: given the number of the read, its
    /// offset, and memory.
    pub fn device_that(
        &self,
        happens: impl FnMut(usize, u64, &mut Pieces) + Send + 'static,
    ) -> (Ram, Log) {
        let log = Log::default();
        let happens = Mutex::new(Box::new(happens) as Box<Happens>);
        let ram = Mutex::new(self.ram.clone());
        (Ram { ram, happens, log: Arc::clone(&log) }, log)
    }

    /// A session of it while it runs, and the log of what is read.
    pub fn session(&self) -> (Session, Log) {
        let (device, log) = self.device();
        (
            Session::from_sources(self.kernel_source(), Source::from_device("mem", device))
                .unwrap(),
            log,
        )
    }
}

fn image(kernel: Kernel, scenario: &str) -> Image {
    build(&Scenario::parse(scenario).unwrap(), kernel).unwrap()
}

/// Every read: its offset, and how many bytes it asked for.
pub type Log = Arc<Mutex<Vec<(u64, usize)>>>;

/// Bytes at physical addresses.
pub type Pieces = Vec<(u64, Vec<u8>)>;

type Happens = dyn FnMut(usize, u64, &mut Pieces) + Send;

/// Memory that is read as a device is: what is not there is EFAULT.
pub struct Ram {
    ram: Mutex<Pieces>,
    happens: Mutex<Box<Happens>>,
    log: Log,
}

impl std::fmt::Debug for Ram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ram")
    }
}

impl Device for Ram {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        const EFAULT: i32 = 14;
        let mut log = self.log.lock().unwrap();
        log.push((offset, buf.len()));
        let mut ram = self.ram.lock().unwrap();
        self.happens.lock().unwrap()(log.len(), offset, &mut ram);
        let piece = ram.iter().find(|(at, bytes)| (*at..at + len(bytes)).contains(&offset));
        let (at, bytes) = piece.ok_or(io::Error::from_raw_os_error(EFAULT))?;
        let held = &bytes[(offset - at) as usize..];
        let read = held.len().min(buf.len());
        buf[..read].copy_from_slice(&held[..read]);
        Ok(read)
    }
}

/// Overwrites memory, which is there.
pub fn write(ram: &mut [(u64, Vec<u8>)], at: u64, bytes: &[u8]) {
    let piece = ram.iter_mut().find(|(start, held)| (*start..*start + len(held)).contains(&at));
    let (start, held) = piece.unwrap();
    let place = (at - *start) as usize;
    held[place..place + bytes.len()].copy_from_slice(bytes);
}

fn len(bytes: &[u8]) -> u64 {
    bytes.len() as u64
}

/// Whether a read lies within one page.
pub fn is_within_a_page((offset, len): (u64, usize)) -> bool {
    len > 0 && offset % PAGE + len as u64 <= PAGE
}
