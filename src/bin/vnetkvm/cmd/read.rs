//! `read`: kernel memory as it is.

use std::io::{self, Write};
use std::ops::ControlFlow;

use serde::Serialize;
use vnetkvm::addr::VirtAddr;
use vnetkvm::error::Fault;
use vnetkvm::memory::KernelMemory;
use vnetkvm::render::c;
use vnetkvm::render::hex::HexDump;
use vnetkvm::render::json::{Hex, JsonFault, JsonVnetRef};
use vnetkvm::render::table::Table;
use vnetkvm::session::Session;
use vnetkvm::value::{Limits, Value};
use vnetkvm::vnet::Vnet;

use crate::args::{Cli, Format};
use crate::context;
use crate::exit::{Failure, Outcome};
use crate::output::Output;
use crate::say::warning;
use crate::stdout::cannot_write;

/// How much is read at a time.
const CHUNK: usize = 1 << 20;

/// More than this is not shown; `--raw` has no limit.
const MOST_SHOWN: u64 = 256 << 20;

/// More than this is not made up of fill bytes: no machine has as much memory.
const MOST_FILLED: u64 = 1 << 40;

pub struct Request<'a> {
    pub address: &'a str,
    pub length: u64,
    pub raw: bool,
    pub fill: Option<u8>,
}

pub fn run(cli: &Cli, request: &Request<'_>) -> anyhow::Result<Outcome> {
    let mut output = Output::new(&cli.output);
    let number = request.address.parse::<VirtAddr>().ok();
    if number.is_none() && is_bare_hex(request.address) {
        let address = request.address;
        return Err(Failure::new(format!("{address} is neither a number nor a name"))
            .hint(format!("addresses begin with 0x: 0x{address}"))
            .into());
    }
    let alone = match number {
        Some(_) => memory_alone(cli)?,
        None => None,
    };
    let (memory, start, vnet) = match (alone, number) {
        (Some(memory), Some(start)) => (memory, start, None),
        (_, number) => {
            let session = context::open(cli)?;
            session.require_match()?;
            let (start, vnet) = match number {
                Some(number) => (number, None),
                None => address(cli, session, request.address, &mut output)?,
            };
            (session.memory(), start, vnet)
        }
    };
    if request.length == 0 {
        return Ok(Outcome::NothingMatched("no bytes were asked for".into()));
    }
    if start.checked_add(request.length - 1).is_none() {
        let most = (u64::MAX - start.get()).saturating_add(1);
        return Err(Failure::new("the end of the range lies beyond 2^64")
            .hint(format!("ask for {most:#x} bytes: there are no more addresses behind {start}"))
            .into());
    }
    if request.fill.is_some() && request.length > MOST_FILLED {
        return Err(Failure::new("more than 1T is not written with --fill")
            .hint("ask for what is mapped, in parts")
            .into());
    }
    if request.raw {
        if cli.output.json || cli.output.format != Format::Table {
            let hint = "leave out --raw, or --json and --format";
            return Err(Failure::new("raw bytes have no format").hint(hint).into());
        }
        return write_raw(memory, start, request);
    }
    if request.length > MOST_SHOWN {
        let what = format!("{} bytes are too many to show", request.length);
        return Err(Failure::new(what).hint("use --raw to copy memory into a file").into());
    }
    if cli.output.strict {
        all_readable(memory, start, request.length)?;
    }
    match output.format() {
        Format::Table => {
            let mut dump = HexDump::new(output.text(), start);
            finished(each_run(memory, start, request.length, |_, run| match run {
                Run::Bytes(bytes) => go_on(dump.bytes(bytes)),
                Run::Gap(fault, len) => go_on(dump.gap(fault.kind, len)),
            }))?;
            dump.finish()?;
        }
        Format::Plain => output.table(plain(&stretches(memory, start, request.length)))?,
        Format::Json => {
            let stretches = stretches(memory, start, request.length);
            let (address, length, ranges) = (start, request.length, ranges(&stretches));
            let vnet = vnet.map(JsonVnetRef::from);
            output.document(Body { vnet, memory: Memory { address, length, ranges } })?;
        }
        Format::Jsonl => {
            let stretches = stretches(memory, start, request.length);
            ranges(&stretches).iter().try_for_each(|range| output.vnet_line(vnet, range))?;
        }
    }
    output.finish(Outcome::Answered)
}

/// For --strict: the first fault in the range, if there is one.
fn all_readable(memory: &KernelMemory, start: VirtAddr, length: u64) -> anyhow::Result<()> {
    let missing = each_run(memory, start, length, |_, run| match run {
        Run::Bytes(_) => ControlFlow::Continue(()),
        Run::Gap(fault, _) => ControlFlow::Break(fault.clone()),
    });
    match missing {
        ControlFlow::Break(fault) => Err(Failure::new("not all of the range can be read")
            .hint("without --strict it is shown, with marks for what is missing")
            .because(fault)),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// Without a kernel given, the memory of a dump that needs none to find an address in it.
fn memory_alone(cli: &Cli) -> anyhow::Result<Option<&'static KernelMemory>> {
    if cli.input.demo || cli.input.kernel.is_some() || !cli.input.memory_map.is_empty() {
        return Ok(None);
    }
    let (core, path) = context::dump_alone(&context::options(cli)?)?;
    context::dump_warnings(&core, &path).iter().for_each(|why| warning(why));
    let memory = KernelMemory::without_kernel(core);
    Ok(memory.map(|memory| &*Box::leak(Box::new(memory))))
}

/// An address as debuggers and panic messages print it; no name is that long and odd.
fn is_bare_hex(text: &str) -> bool {
    (8..=16).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The value of an expression, and the vnet that it was asked for in.
fn address<'s>(
    cli: &Cli,
    session: &'s Session,
    text: &str,
    output: &mut Output,
) -> anyhow::Result<(VirtAddr, Option<&'s Vnet>)> {
    let stacks = context::chosen(cli, session, output)?;
    let [stack] = stacks.as_slice() else {
        return Err(Failure::new("an address is wanted in one vnet only")
            .hint("choose it with --vnet or --jail")
            .into());
    };
    let printed = session.print(*stack, text, &Limits::default())?;
    printed.remarks.iter().for_each(|remark| warning(&format!("{text}: {remark}")));
    // No kernel maps its first page: what holds such a number is a variable, whose own
    // address was meant.
    let lowest = session.memory().page_size();
    match printed.value {
        Value::Pointer(pointer) => Ok((pointer.address, stack.vnet())),
        Value::Int(number) => match u64::try_from(number) {
            Ok(number) if printed.address.is_none() || number >= lowest => {
                Ok((VirtAddr::new(number), stack.vnet()))
            }
            _ => Err(no_address(text, &format!("is {number}, of type {}", printed.type_name))),
        },
        Value::Error(error) => {
            let what = format!("the value of {text} cannot be read: {}", error.message);
            Err(Failure::new(what).into())
        }
        _ => Err(no_address(text, &format!("has the type {}", printed.type_name))),
    }
}

fn no_address(text: &str, what: &str) -> anyhow::Error {
    Failure::new(format!("{text} {what}: no address"))
        .hint(format!("use '&{text}' for the address of a variable"))
        .into()
}

/// A stretch of memory that can be read, or one that cannot.
enum Run<'a> {
    Bytes(&'a [u8]),
    Gap(&'a Fault, u64),
}

/// Calls `f` with one run after the other, from `start` over `length` bytes,
/// until it breaks off.
fn each_run<B>(
    memory: &KernelMemory,
    start: VirtAddr,
    length: u64,
    mut f: impl FnMut(VirtAddr, Run<'_>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let mut buffer = vec![0; CHUNK.min(usize::try_from(length).unwrap_or(CHUNK))];
    let (mut at, mut left) = (start, length);
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(CHUNK).min(buffer.len());
        let Some(part) = buffer.get_mut(..wanted) else { break };
        let (len, fault) = memory.read_prefix(at, part);
        let bytes = part.get(..len).unwrap_or(&[]);
        if !bytes.is_empty() {
            f(at, Run::Bytes(bytes))?;
        }
        let mut passed = bytes.len() as u64;
        if let Some(fault) = fault {
            let gap = gap_length(memory, fault.address).min(left - passed);
            f(fault.address, Run::Gap(&fault, gap))?;
            passed += gap;
        }
        at = at.wrapping_add(passed);
        left -= passed;
    }
    ControlFlow::Continue(())
}

/// What cannot be read is missing up to the end of its page.
fn gap_length(memory: &KernelMemory, at: VirtAddr) -> u64 {
    memory.page_size() - at.page_offset(memory.page_size())
}

/// Goes on unless writing failed.
fn go_on(written: io::Result<()>) -> ControlFlow<anyhow::Error> {
    match written {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(cannot_write(error).into()),
    }
}

fn finished(flow: ControlFlow<anyhow::Error>) -> anyhow::Result<()> {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

fn write_raw(
    memory: &KernelMemory,
    start: VirtAddr,
    request: &Request<'_>,
) -> anyhow::Result<Outcome> {
    let mut stdout = io::stdout().lock();
    let copied = each_run(memory, start, request.length, |_, run| match (run, request.fill) {
        (Run::Bytes(bytes), _) => go_on(stdout.write_all(bytes)),
        (Run::Gap(_, len), Some(fill)) => {
            // A gap is no longer than a page.
            go_on(stdout.write_all(&vec![fill; usize::try_from(len).unwrap_or(0)]))
        }
        (Run::Gap(fault, _), None) => {
            let copied = fault.address.get().wrapping_sub(start.get());
            let what = format!("the copy ends after {copied} of {} bytes", request.length);
            let hint = "--fill BYTE goes on past what cannot be read";
            ControlFlow::Break(Failure::new(what).hint(hint).because(fault.clone()))
        }
    });
    stdout.flush().map_err(cannot_write)?;
    finished(copied)?;
    Ok(Outcome::Answered)
}

/// Adjacent memory that can be read, or that cannot for one reason.
struct Stretch {
    address: VirtAddr,
    length: u64,
    content: Result<Vec<u8>, Fault>,
}

fn stretches(memory: &KernelMemory, start: VirtAddr, length: u64) -> Vec<Stretch> {
    let mut found: Vec<Stretch> = Vec::new();
    let _ = each_run(memory, start, length, |address, run| -> ControlFlow<()> {
        let last = found.last_mut();
        match (run, last) {
            (Run::Bytes(more), Some(Stretch { length, content: Ok(bytes), .. })) => {
                bytes.extend_from_slice(more);
                *length += more.len() as u64;
            }
            (Run::Gap(fault, more), Some(Stretch { length, content: Err(first), .. }))
                if first.kind == fault.kind =>
            {
                *length += more;
            }
            (Run::Bytes(bytes), _) => {
                let (length, content) = (bytes.len() as u64, Ok(bytes.to_vec()));
                found.push(Stretch { address, length, content });
            }
            (Run::Gap(fault, length), _) => {
                found.push(Stretch { address, length, content: Err(fault.clone()) });
            }
        }
        ControlFlow::Continue(())
    });
    found
}

#[derive(Serialize)]
struct Body<'a> {
    /// Null where no vnet was needed to know the address.
    vnet: Option<JsonVnetRef>,
    memory: Memory<'a>,
}

#[derive(Serialize)]
struct Memory<'a> {
    address: VirtAddr,
    length: u64,
    ranges: Vec<Range<'a>>,
}

#[derive(Serialize)]
struct Range<'a> {
    address: VirtAddr,
    length: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<Hex<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<JsonFault<'a>>,
}

fn ranges<'a>(stretches: &'a [Stretch]) -> Vec<Range<'a>> {
    let range = |stretch: &'a Stretch| -> Range<'a> {
        let Stretch { address, length, content } = stretch;
        let (address, length) = (*address, *length);
        let (bytes, error) = (content.as_ref().ok(), content.as_ref().err());
        Range { address, length, bytes: bytes.map(|bytes| Hex(bytes)), error: error.map(JsonFault) }
    };
    stretches.iter().map(range).collect()
}

/// Columns: address, length, and the bytes in hex or why there are none.
fn plain(stretches: &[Stretch]) -> Table {
    let mut table = Table::new(&[]);
    for Stretch { address, length, content } in stretches {
        let content = match content {
            Ok(bytes) => Hex(bytes).to_string(),
            Err(fault) => c::error(&fault.clone().into()),
        };
        table.row([address.to_string(), length.to_string(), content]);
    }
    table
}
