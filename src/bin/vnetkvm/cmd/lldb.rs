//! `lldb`: a script that gives lldb the vnets, and a kernel that it understands.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use vnetkvm::render::lldb_python::write_lldb_script;
use vnetkvm::threads::KernelCopy;
use vnetkvm::types::Types;

use crate::args::Globals;
use crate::exit::{Failure, Outcome};
use crate::output_file::{OutputFile, kernel_files, refuse_input};
use crate::{context, output};

/// What is written.
#[derive(Debug, Args)]
pub struct LldbArgs {
    /// Write a copy of the kernel to this file instead, for a bt that goes across trap frames
    ///
    /// A kernel's file does not say where traps leave the registers of what they interrupted, and
    /// the copy does. `gdb-server` writes one by itself.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    kernel_copy: Option<PathBuf>,
}

impl LldbArgs {
    /// Whether it writes a file.
    #[cfg(feature = "gdb-server")]
    pub fn writes_file(&self) -> bool {
        self.kernel_copy.is_some()
    }
}

pub fn run(globals: &Globals, args: &LldbArgs) -> anyhow::Result<Outcome> {
    match &args.kernel_copy {
        Some(path) => write_copy(globals, path),
        None => output::text(globals, |out| write_lldb_script(out)),
    }
}

fn write_copy(globals: &Globals, path: &Path) -> anyhow::Result<Outcome> {
    context::with_kernel(globals, |kernel| {
        kernel_files(kernel).try_for_each(|input| refuse_input(input, path, "--kernel-copy"))?;
        let copy = KernelCopy::of(kernel, &Types::load(kernel)?)?;
        let copy = copy.ok_or_else(|| {
            Failure::new("it is not known where this kernel's entry points leave trap frames")
                .hint("`vnetkvm bt` shows the stacks as far as they are known")
        })?;
        OutputFile::write(path, |out| copy.write(out))?;
        Ok(Outcome::Answered)
    })
}
