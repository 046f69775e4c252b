//! The options of all commands.

pub mod diff;
mod format;
pub mod routes;
pub mod values;
pub mod watch;

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, ValueEnum, ValueHint};
use vnetkvm::addr::PhysAddr;
use vnetkvm::dump::MemorySegment;
use vnetkvm::types;

use crate::run::Run;

pub use format::Format;
use format::FormatParser;
pub use values::VnetChoice;
use values::{address, count, dump_number, memory_segment, number, pid, tid, vnet_choice};
use watch::WatchArgs;

/// The options, which may stand before or after any command.
#[derive(Debug, Args)]
pub struct Globals {
    #[command(flatten)]
    pub input: InputArgs,
    #[command(flatten)]
    pub vnet: VnetArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub watch: WatchArgs,
    /// Whether -N was given on the command line, not by the environment.
    #[arg(skip)]
    pub kernel_named: bool,
    /// Whether -M was given on the command line, not by the environment.
    #[arg(skip)]
    pub core_named: bool,
    /// What the command holds while it runs.
    #[arg(skip)]
    pub run: Run,
}

/// Which files to inspect.
#[derive(Debug, Args)]
#[command(next_help_heading = "Input")]
pub struct InputArgs {
    /// Kernel ELF file with debug information, or with a separate debug file beside it
    ///
    /// By default, search for the kernel that wrote the dump: beside the dump, in the
    /// directories of --debug-dir, and where FreeBSD installs kernels.
    #[arg(short = 'N', long, value_name = "FILE", env = "VNETKVM_KERNEL", hide_env_values = true)]
    #[arg(global = true, value_hint = ValueHint::FilePath, value_parser = path())]
    pub kernel: Option<PathBuf>,

    /// Crash dump (compressed or not), memory image, or memory device
    ///
    /// The default is vmcore.last in the crash directory.
    #[arg(short = 'M', long, value_name = "FILE", env = "VNETKVM_CORE", hide_env_values = true)]
    #[arg(global = true, value_hint = ValueHint::FilePath, value_parser = path())]
    pub core: Option<PathBuf>,

    /// Use dump number N in the crash directory: vmcore.N, vmcore.N.zst, or vmcore.N.gz
    #[arg(short = 'n', long = "dump", value_name = "N", global = true, value_parser = dump_number)]
    pub dump: Option<u32>,

    /// Directory where savecore(8) saves dumps, if not /var/crash
    #[arg(long, value_name = "DIR", env = "VNETKVM_CRASH_DIR", hide_env_values = true)]
    #[arg(global = true, value_hint = ValueHint::DirPath, value_parser = path())]
    pub crash_dir: Option<PathBuf>,

    /// Inspect the built-in demonstration image instead of a kernel and a core
    #[arg(long, global = true)]
    pub demo: bool,

    /// Directory to search for debug files (repeatable)
    ///
    /// These directories are searched before the kernel's own directory and the places where
    /// FreeBSD installs debug files.
    #[arg(long, value_name = "DIR", global = true, value_hint = ValueHint::DirPath)]
    pub debug_dir: Vec<PathBuf>,

    /// Read types only in this format
    ///
    /// By default, debug information (DWARF) is used if it is found, else the CTF that is in
    /// every FreeBSD kernel and module.
    #[arg(long, value_enum, value_name = "FORMAT", global = true)]
    pub types: Option<TypeFormat>,

    /// Map part of a raw memory file: PHYSICAL+LENGTH@OFFSET (repeatable)
    ///
    /// Use this for the memory file of a hypervisor that leaves out holes. By default, the
    /// offset of a byte in the file is its physical address.
    #[arg(long, value_name = "MAP", global = true, value_parser = memory_segment)]
    pub memory_map: Vec<MemorySegment>,

    /// Physical address of the kernel's first segment
    ///
    /// This is rarely needed: full dumps and raw memory are searched for the kernel's own
    /// bytes.
    #[arg(long, value_name = "ADDRESS", global = true, value_parser = address::<PhysAddr>)]
    pub kernel_phys: Option<PhysAddr>,

    /// Stop after this many steps (members, elements, entries)
    ///
    /// A damaged or hostile file can ask for more work than anyone would wait for. The
    /// default depends on the sizes of the files.
    #[arg(long, value_name = "STEPS", global = true, value_parser = number)]
    pub max_work: Option<u64>,

    /// Use at most about this many bytes of memory for what the files describe
    ///
    /// The files themselves are mapped and do not count. The default depends on their
    /// sizes.
    #[arg(long, value_name = "BYTES", global = true, value_parser = number)]
    pub max_memory: Option<u64>,
}

/// A path. It may be empty, because a variable of the environment may be.
fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// Which vnet to use. At most one of these options may be given.
#[derive(Debug, Args)]
#[command(next_help_heading = "Choosing vnets")]
pub struct VnetArgs {
    /// Use the vnet with this number (in order of creation) or at this address
    ///
    /// Vnet 0 is the host's. Numbers shift when an older vnet is destroyed. To compare two
    /// dumps, an address or a jail's name is safer.
    #[arg(long, value_name = "N|0xADDR", global = true, value_parser = vnet_choice)]
    pub vnet: Vec<VnetChoice>,

    /// Use the vnet of the jail with this name or number
    #[arg(long, value_name = "NAME|JID", global = true)]
    pub jail: Vec<String>,

    /// Use the vnet of this process
    #[arg(long, value_name = "PID", global = true, value_parser = pid)]
    pub pid: Option<i64>,

    /// Use the current vnet (curvnet) of this thread
    #[arg(long, value_name = "TID", global = true, value_parser = tid)]
    pub tid: Option<i64>,

    /// Use every vnet in turn
    #[arg(long, global = true)]
    pub all_vnets: bool,
}

impl InputArgs {
    /// The only format that types are read from, if one was chosen.
    pub fn wanted_types(&self) -> Option<types::Format> {
        self.types.map(|format| match format {
            TypeFormat::Dwarf => types::Format::Dwarf,
            TypeFormat::Ctf => types::Format::Ctf,
        })
    }
}

impl VnetArgs {
    /// Whether any vnet was chosen.
    pub fn is_given(&self) -> bool {
        let Self { vnet, jail, pid, tid, all_vnets } = self;
        !vnet.is_empty() || !jail.is_empty() || pid.is_some() || tid.is_some() || *all_vnets
    }
}

/// How to write answers.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Output format, or a template such as '{vnet.index}\t{name}'
    ///
    /// A template writes a line for each element of the answer. {PATH} is what the element has there
    /// as a line of jsonl: {name}, {addresses[0]}, {frames[*].function}, or {} for all of it.
    /// {{ and }} are braces, and the escapes are \t, \n, \0 and \\.
    #[arg(long, value_parser = FormatParser, value_name = "FORMAT", default_value = "table")]
    #[arg(global = true, hide_possible_values = false)]
    pub format: Format,

    /// Same as --format json
    #[arg(long, global = true)]
    pub json: bool,

    /// When to use colours; NO_COLOR in the environment turns them off
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto", global = true)]
    pub color: Color,

    /// Show at most this many elements of an array (default: 200; 32 in the table of vars;
    /// all in plain and JSON)
    #[arg(long, value_name = "N", global = true, value_parser = count)]
    pub max_elements: Option<usize>,

    /// Show at most this many levels of nested structures
    #[arg(long, value_name = "N", default_value_t = 20, global = true, value_parser = count)]
    pub max_depth: usize,

    /// Fail with status 2, without an answer, if any part of it could not be read
    ///
    /// A name that matches nothing does not count if others match.
    #[arg(long, global = true)]
    pub strict: bool,

    /// Show how the kernel, its debug file and the dump were found
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TypeFormat {
    /// Debug information, which has source files, lines and code too
    Dwarf,
    /// What a FreeBSD kernel has in itself: types, and those of its variables
    Ctf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}
