//! `read`: finds the memory that was asked for, and writes raw bytes.

use std::io::{self, Write};
use std::ops::ControlFlow;

use clap::Args;
use vnetkvm::answers::memory::{self, Address, AddressError, BeyondAllAddresses, Memory, Run};
use vnetkvm::memory::KernelMemory;
use vnetkvm::vnet::VnetRef;

use crate::args::values::{byte, length};
use crate::args::{Format, Globals};
use crate::context;
use crate::exit::{Failure, Outcome};
use crate::limits;
use crate::output::{self, show};
use crate::say::warning;
use crate::stdout::{cannot_write, stopped};

/// Which memory to read, and how to write it.
#[derive(Debug, Args)]
pub struct ReadArgs {
    /// Address to start at, or an expression whose value is an address
    #[arg(value_name = "ADDR")]
    pub address: String,

    /// Number of bytes, such as 64, 0x40 or 4K; the suffixes are K, M, G and T
    #[arg(value_name = "LEN", value_parser = length)]
    pub length: u64,

    /// Write only the bytes; stop with status 2 at the first unreadable one
    #[arg(long)]
    pub raw: bool,

    /// With --raw, write this byte in place of unreadable ones and go on
    #[arg(long, value_name = "BYTE", value_parser = byte, requires = "raw")]
    pub fill: Option<u8>,
}

/// More than this is not shown; `--raw` has no limit.
const MOST_SHOWN: u64 = 256 << 20;

/// More than this is not written with `--fill`: no machine has as much memory.
const MOST_FILLED: u64 = 1 << 40;

pub fn run(globals: &Globals, args: &ReadArgs) -> anyhow::Result<Outcome> {
    let memory = match args.address.parse().map_err(explained)? {
        Address::Number(start) => {
            let memory = match memory_alone(globals)? {
                Some(memory) => memory,
                None => {
                    let session = context::open(globals)?;
                    session.require_match()?;
                    session.memory()
                }
            };
            memory::memory(memory, start, args.length)
        }
        Address::Expression(expression) => at_expression(globals, &expression, args.length)?,
    };
    if args.length == 0 {
        return Ok(Outcome::NothingMatched("no bytes were asked for".into()));
    }
    let memory = memory.map_err(|why| {
        let BeyondAllAddresses { most, .. } = why;
        let hint = format!("ask for at most {most:#x} bytes: the address space ends there");
        Failure::new(why.to_string()).hint(hint)
    })?;
    if args.fill.is_some() && args.length > MOST_FILLED {
        return Err(Failure::new("--fill writes at most 1T")
            .hint("read the mapped ranges one by one")
            .into());
    }
    if args.raw {
        if *output::format(&globals.output) != Format::Table {
            let hint = "leave out --raw, or --json and --format";
            return Err(Failure::new("--raw conflicts with --json and --format").hint(hint).into());
        }
        return write_raw(&memory, args.fill);
    }
    if args.length > MOST_SHOWN {
        let what = format!("cannot show {} bytes at once", args.length);
        return Err(Failure::new(what).hint("use --raw to copy memory to a file").into());
    }
    if globals.output.strict {
        memory.all_readable().map_err(|fault| {
            Failure::new("part of the range cannot be read")
                .hint("without --strict, it is shown with marks for unreadable bytes")
                .because(fault)
        })?;
    }
    show(globals, memory)
}

/// The memory of a dump that translates addresses itself, if no kernel was given.
fn memory_alone(globals: &Globals) -> anyhow::Result<Option<&KernelMemory>> {
    if globals.input.demo || globals.input.kernel.is_some() || !globals.input.memory_map.is_empty()
    {
        return Ok(None);
    }
    if globals.run.session().is_some() {
        return Ok(None);
    }
    let options = context::options(globals)?;
    if context::is_device(&options.core) {
        return Ok(None);
    }
    let (core, path) = context::dump_alone(&options)?;
    context::dump_warnings(&core, &path).iter().for_each(|why| warning(why));
    let memory = KernelMemory::without_kernel(core);
    Ok(memory.map(|memory| globals.run.keep_memory(memory)))
}

/// The memory at the value of an expression in the chosen vnet.
fn at_expression<'r>(
    globals: &'r Globals,
    expression: &str,
    length: u64,
) -> anyhow::Result<Result<Memory<'r>, memory::BeyondAllAddresses>> {
    let session = context::open(globals)?;
    session.require_match()?;
    let chosen = context::chosen(globals, session)?;
    output::say_choice(&chosen);
    let [stack] = chosen.stacks[..] else {
        return Err(Failure::new("read takes a single vnet")
            .hint("choose one with --vnet or --jail")
            .into());
    };
    let place = context::place(globals, stack);
    let place = memory::address(session, place, expression).map_err(explained)?;
    let memory = memory::memory(session.memory(), place.address, length);
    Ok(memory.map(|mut memory| {
        memory.vnet = stack.vnet().map(VnetRef::from);
        memory.problems = chosen.problems;
        memory.remarks = place.remarks;
        memory
    }))
}

/// Adds a hint to an error.
pub fn explained(why: AddressError) -> anyhow::Error {
    let failure = Failure::new(why.to_string());
    match why {
        AddressError::Other(why) => why.into(),
        AddressError::BareHex { text } => {
            failure.hint(format!("addresses begin with 0x: 0x{text}")).into()
        }
        AddressError::NotAnAddress { expression, .. } => {
            failure.hint(format!("use '&{expression}' for the address of a variable")).into()
        }
        _ => failure.into(),
    }
}

/// Writes only the bytes: with `fill` in place of unreadable ones, or up to the first of these.
fn write_raw(memory: &Memory<'_>, fill: Option<u8>) -> anyhow::Result<Outcome> {
    let mut stdout = io::stdout().lock();
    let copied = memory.try_for_each_run(|_, run| match (run, fill) {
        _ if limits::is_stopped() => go_on(Err(stopped())),
        (Run::Bytes(bytes), _) => go_on(stdout.write_all(bytes)),
        (Run::Gap(_, len), Some(fill)) => {
            // A gap is no longer than a page.
            go_on(stdout.write_all(&vec![fill; usize::try_from(len).unwrap_or(0)]))
        }
        (Run::Gap(fault, _), None) => {
            let copied = fault.address.get().wrapping_sub(memory.start.get());
            let what = format!("copied only {copied} of {} bytes", memory.length);
            let hint = "--fill BYTE replaces unreadable bytes and goes on";
            ControlFlow::Break(Failure::new(what).hint(hint).because(fault.clone()))
        }
    });
    stdout.flush()?;
    match copied {
        ControlFlow::Continue(()) => Ok(Outcome::Answered),
        ControlFlow::Break(why) => Err(why),
    }
}

/// Continues unless writing failed.
fn go_on(written: io::Result<()>) -> ControlFlow<anyhow::Error> {
    match written {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(cannot_write(error).into()),
    }
}
