//! The options of all commands.

pub mod values;

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, ValueEnum, ValueHint};
use vnetkvm::addr::PhysAddr;
use vnetkvm::dump::MemorySegment;

pub use values::VnetChoice;
use values::{address, count, dump_number, memory_segment, number, pid, tid, vnet_choice};

/// The options, which stand before or behind any command.
#[derive(Debug, Args)]
pub struct Globals {
    #[command(flatten)]
    pub input: InputArgs,
    #[command(flatten)]
    pub vnet: VnetArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    /// -N was given, and does not come from the environment.
    #[arg(skip)]
    pub kernel_named: bool,
    /// -M was given, and does not come from the environment.
    #[arg(skip)]
    pub core_named: bool,
}

/// What is inspected.
#[derive(Debug, Args)]
#[command(next_help_heading = "Input")]
pub struct InputArgs {
    /// Kernel ELF file with debug information, or with a separate debug file beside it
    ///
    /// Without it the kernel that wrote the dump is looked for: beside the dump, in the
    /// directories of --debug-dir, and where FreeBSD installs kernels.
    #[arg(short = 'N', long, value_name = "FILE", env = "VNETKVM_KERNEL", hide_env_values = true)]
    #[arg(global = true, value_hint = ValueHint::FilePath, value_parser = path())]
    pub kernel: Option<PathBuf>,

    /// Crash dump, compressed or not, memory image, or memory device
    ///
    /// Without it, vmcore.last in the crash directory.
    #[arg(short = 'M', long, value_name = "FILE", env = "VNETKVM_CORE", hide_env_values = true)]
    #[arg(global = true, value_hint = ValueHint::FilePath, value_parser = path())]
    pub core: Option<PathBuf>,

    /// The dump with this number in the crash directory: vmcore.N, vmcore.N.zst, vmcore.N.gz
    #[arg(short = 'n', long = "dump", value_name = "N", global = true, value_parser = dump_number)]
    pub dump: Option<u32>,

    /// Where savecore(8) puts dumps, if not in /var/crash
    #[arg(long, value_name = "DIR", env = "VNETKVM_CRASH_DIR", hide_env_values = true)]
    #[arg(global = true, value_hint = ValueHint::DirPath, value_parser = path())]
    pub crash_dir: Option<PathBuf>,

    /// Inspect the built-in demonstration image instead of a kernel and a core
    #[arg(long, global = true)]
    pub demo: bool,

    /// Directory to search for debug files (repeatable)
    ///
    /// Comes before the places where FreeBSD installs them and the kernel's own directory.
    #[arg(long, value_name = "DIR", global = true, value_hint = ValueHint::DirPath)]
    pub debug_dir: Vec<PathBuf>,

    /// Where raw memory lies: PHYSICAL+LENGTH@OFFSET (repeatable)
    ///
    /// For the memory file of a hypervisor that leaves out holes. Without it a byte's place
    /// in the file is its physical address.
    #[arg(long, value_name = "MAP", global = true, value_parser = memory_segment)]
    pub memory_map: Vec<MemorySegment>,

    /// Physical address of the kernel's first segment
    ///
    /// In full dumps and raw memory it is found by the kernel's own bytes, as a rule.
    #[arg(long, value_name = "ADDRESS", global = true, value_parser = address::<PhysAddr>)]
    pub kernel_phys: Option<PhysAddr>,

    /// Take no more than this many steps to answer: members, elements, entries
    ///
    /// A damaged or hostile file can make them more than anybody waits for. Without the
    /// option, the sizes of the files say how many are justified.
    #[arg(long, value_name = "STEPS", global = true, value_parser = number)]
    pub max_work: Option<u64>,

    /// Take no more than about this many bytes of memory for what the files describe
    ///
    /// The files themselves are mapped, and do not count. Without the option, their sizes
    /// say how many are justified.
    #[arg(long, value_name = "BYTES", global = true, value_parser = number)]
    pub max_memory: Option<u64>,
}

/// A path, or what an empty variable of the environment has in its place.
fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// Which vnet is meant. At most one of these may be given.
#[derive(Debug, Args)]
#[command(next_help_heading = "Choosing vnets")]
pub struct VnetArgs {
    /// The vnet with this number, in order of creation, or at this address
    ///
    /// Vnet 0 is the host's. Numbers shift when an older vnet is destroyed, so
    /// between two dumps an address or a jail's name is the safer choice.
    #[arg(long, value_name = "N|0xADDR", global = true, value_parser = vnet_choice)]
    pub vnet: Option<VnetChoice>,

    /// The vnet of the jail with this name or number
    #[arg(long, value_name = "NAME|JID", global = true)]
    pub jail: Option<String>,

    /// The vnet of this process
    #[arg(long, value_name = "PID", global = true, value_parser = pid)]
    pub pid: Option<i64>,

    /// The vnet in which this thread was working
    #[arg(long, value_name = "TID", global = true, value_parser = tid)]
    pub tid: Option<i64>,

    /// Every vnet in turn
    #[arg(long, global = true)]
    pub all_vnets: bool,
}

impl VnetArgs {
    /// Was any vnet asked for?
    pub fn is_given(&self) -> bool {
        let Self { vnet, jail, pid, tid, all_vnets } = self;
        vnet.is_some() || jail.is_some() || pid.is_some() || tid.is_some() || *all_vnets
    }
}

/// How answers are written.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table", global = true)]
    #[arg(hide_possible_values = false)]
    pub format: Format,

    /// Short for --format json
    #[arg(long, global = true)]
    pub json: bool,

    /// Whether to use colours; NO_COLOR in the environment is honoured
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto", global = true)]
    pub color: Color,

    /// Show no more than this many elements of an array (default: 200, in the
    /// table of vars 32, in plain and JSON all)
    #[arg(long, value_name = "N", global = true, value_parser = count)]
    pub max_elements: Option<usize>,

    /// Follow structures within structures no deeper than this
    #[arg(long, value_name = "N", default_value_t = 20, global = true, value_parser = count)]
    pub max_depth: usize,

    /// Fail, with status 2, if any part of the answer could not be read
    #[arg(long, global = true)]
    pub strict: bool,

    /// Tell how the kernel, its debug file and the dump were found
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns, cut to the width of a terminal
    Table,
    /// Columns separated by tabs, without titles, never cut
    Plain,
    /// One JSON object
    Json,
    /// One JSON object a line for each element of the answer
    Jsonl,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}
