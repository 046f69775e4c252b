//! `convert`: the dump's memory in a file of another form.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use vnetkvm::answers;
use vnetkvm::answers::converted::Question;
use vnetkvm::convert::{Form, System};

use crate::args::Globals;
use crate::context;
use crate::exit::{Failure, Outcome};
use crate::output;
use crate::output_file::{OutputFile, kernel_files, refuse_input};
use crate::progress::Bar;

/// What is written, and where.
#[derive(Debug, Args)]
pub struct ConvertArgs {
    /// Write to this file, which is replaced when the new dump is complete
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: PathBuf,

    /// The form of the new dump
    #[arg(long, value_name = "FORM")]
    to: To,

    /// Write only the pages that a minidump of the kernel itself would have
    #[arg(long)]
    only_mapped: bool,

    /// Zero packets, the memory of processes and files, and free memory
    #[arg(long)]
    redact: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum To {
    /// An ELF core by the kernel's addresses, with its threads, for a gdb built for Linux
    Elf,
    /// The same with FreeBSD's notes, for lldb and for FreeBSD's gdb
    ElfFreebsd,
    /// Only the pages that are there, with a page map, as the kernel usually writes
    Minidump,
    /// An ELF core by physical addresses, as the kernel writes with debug.minidump=0
    Full,
    /// Physical memory, byte for byte, with holes
    Raw,
}

impl From<To> for Form {
    fn from(to: To) -> Self {
        match to {
            To::Elf => Self::Elf(System::Linux),
            To::ElfFreebsd => Self::Elf(System::FreeBsd),
            To::Minidump => Self::Minidump,
            To::Full => Self::Full,
            To::Raw => Self::Raw,
        }
    }
}

pub fn run(globals: &Globals, args: &ConvertArgs) -> anyhow::Result<Outcome> {
    let session = context::open(globals)?;
    let inputs = kernel_files(session.kernel().linked()).chain([session.core_path()]);
    inputs.into_iter().try_for_each(|input| refuse_input(input, &args.output, "-o"))?;
    if args.output.as_os_str() == "-" {
        return Err(Failure::new("a dump has holes, which standard output does not take")
            .hint("name a file with -o")
            .into());
    }
    let wanted = globals.vnet.is_given().then(|| context::chosen(globals, session)).transpose()?;
    let question = Question {
        form: args.to.into(),
        wanted: wanted.as_ref(),
        only_mapped: args.only_mapped,
        redact: args.redact,
    };
    let mut bar = Bar::new("writing");
    let answer = OutputFile::write_seekable(&args.output, |out| {
        answers::convert(session, question, out, &mut |progress| bar.show(progress))
    });
    drop(bar);
    let answer = answer?;
    output::show(globals, answer)
}
