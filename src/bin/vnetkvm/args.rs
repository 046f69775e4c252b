//! The command line. Help, man pages and completions all come from here.

mod values;

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use vnetkvm::addr::PhysAddr;
use vnetkvm::dump::MemorySegment;

pub use values::VnetChoice;
use values::{
    address, byte, count, dump_number, length, memory_segment, name_and_type, number, pid, tid,
    vnet_choice,
};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Inspects the virtual network stacks (VNET) of a FreeBSD kernel in a crash dump
///
/// vnetkvm reads a kernel with its debug information and a memory image that the
/// kernel left behind, finds the virtual network stacks in it, and shows the
/// virtualized variables of each, typed and named. It runs anywhere: the kernel
/// need not be that of this machine, and nothing is ever written to.
#[derive(Debug, Parser)]
#[command(
    name = "vnetkvm",
    version,
    styles = STYLES,
    max_term_width = 100,
    after_help = EXAMPLES,
    arg_required_else_help = true,
    propagate_version = false,
    infer_subcommands = false
)]
pub struct Cli {
    #[command(flatten)]
    pub input: InputArgs,
    #[command(flatten)]
    pub vnet: VnetArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(subcommand)]
    pub command: Command,
    /// -N was given, and does not come from the environment.
    #[arg(skip)]
    pub kernel_named: bool,
    /// -M was given, and does not come from the environment.
    #[arg(skip)]
    pub core_named: bool,
}

const EXAMPLES: &str = "\
Examples:
  vnetkvm --demo vars --vnet 1
  vnetkvm -N kernel.debug -M vmcore.0 vnets
  vnetkvm -N kernel.debug -M vmcore.0 --jail web01 print 'V_ifnet.cstqh_first->if_xname'

Exit status: 0 answered; 1 nothing matched; 2 wrong usage or failure.";

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

/// Which sysctls, and what of them.
#[derive(Debug, Args)]
pub struct SysctlArgs {
    /// Sysctls and nodes to show: net.inet.ip.ttl, net.inet.ip; * ? [...] and {a,b} are
    /// wildcards, and * stands for dots too
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,

    /// All there are
    #[arg(short, long)]
    pub all: bool,

    /// Their descriptions instead of their values
    #[arg(short, long)]
    pub descriptions: bool,

    /// Their types instead of their values
    #[arg(short, long, conflicts_with = "descriptions")]
    pub types: bool,

    /// Names alone
    #[arg(long = "names", conflicts_with_all = ["only_values", "descriptions", "types"])]
    pub only_names: bool,

    /// Values alone, without names
    #[arg(long = "values")]
    pub only_values: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say what the dump is, whose kernel wrote it, and whether both belong together
    #[command(after_help = INFO_EXAMPLES)]
    Info {
        /// Print the kernel's message buffer instead, as dmesg(8) would
        #[arg(long)]
        dmesg: bool,
    },

    /// List the virtual network stacks
    ///
    /// Vnets are numbered in order of creation. One that was being created or
    /// destroyed at the time of the dump is on no list of the kernel; where
    /// something still points at it, it is shown without a number.
    #[command(after_help = "Examples:\n  vnetkvm --demo vnets\n  vnetkvm --demo vnets --wide")]
    Vnets {
        /// Search all of the kernel's memory for vnets that nothing points at any
        /// more. Takes as long as it takes to read the dump
        #[arg(long)]
        scan: bool,

        /// All columns, which do not fit a terminal of 80: whether it shuts down, where its
        /// variables lie (BLOCK), and what is added to a master's address (BASE)
        #[arg(short, long)]
        wide: bool,
    },

    /// List the virtualized variables of a vnet with their values
    ///
    /// Columns: name, address in that vnet, size, type, module, value. Where
    /// several files define a variable of one name, each is shown as NAME@FILE, or as
    /// NAME@MODULE if it is a module's.
    #[command(after_help = VARS_EXAMPLES)]
    Vars {
        /// Names to show; * ? [...] and {a,b} are wildcards
        #[arg(value_name = "PATTERN")]
        patterns: Vec<String>,
    },

    /// List the files that make up the running kernel: itself and its modules
    ///
    /// Columns: number, name, address, size, references, class of the kernel's linker, where
    /// in module space the virtualized variables lie, in how many bytes, how many they are,
    /// whether a file with their types was found, and where the module was loaded from.
    #[command(after_help = "Example:\n  vnetkvm -N kernel.debug -M vmcore.0 modules")]
    Modules,

    /// Show what module space holds: the arena of modules' virtualized variables
    ///
    /// A region belongs to a module, is free by the kernel's own list, or is lost: neither.
    /// What is wrong with the list is said on standard error.
    #[command(after_help = "Example:\n  vnetkvm -N kernel.debug -M vmcore.0 modspace")]
    Modspace,

    /// Evaluate C expressions in a vnet
    ///
    /// Names are those of virtualized variables, with or without V_, and of
    /// ordinary globals. There are . -> [] * & casts, sizeof and arithmetic.
    /// NAME@FILE.c or NAME@MODULE.ko picks one of several variables of that name. Put --
    /// before an expression that begins with a minus.
    #[command(after_help = PRINT_EXAMPLES)]
    Print {
        #[arg(value_name = "EXPR", required = true)]
        expressions: Vec<String>,
    },

    /// Show the declaration of a type with offsets, sizes and holes
    ///
    /// Where source files have different types of one name, all are shown; NAME@FILE is
    /// that of one file, by the end of its path.
    #[command(
        name = "type",
        after_help = "Examples:\n  vnetkvm -N kernel.debug type struct vnet\n  vnetkvm -N kernel.debug type ifnet inpcb u_int\n  vnetkvm -N kernel.debug type elf_file@link_elf.c"
    )]
    Type {
        /// Structs, unions, enums, typedefs; the word "struct" may be left out
        #[arg(value_name = "NAME", required = true, num_args = 1..)]
        names: Vec<String>,
    },

    /// Dump kernel memory in hex
    ///
    /// Bytes that cannot be read are marked, one mark for each reason, and never
    /// shown as zeros.
    #[command(after_help = READ_EXAMPLES)]
    Read {
        /// Where to start: an address, or an expression whose value is one
        #[arg(value_name = "ADDR")]
        address: String,

        /// How many bytes: 64, 0x40, 4K, 2M; K, M, G and T are multiples
        #[arg(value_name = "LEN", value_parser = length)]
        length: u64,

        /// Write the bytes alone; stops with status 2 at the first unreadable one
        #[arg(long)]
        raw: bool,

        /// With --raw, put this byte in the place of unreadable ones and go on
        #[arg(long, value_name = "BYTE", value_parser = byte, requires = "raw")]
        fill: Option<u8>,
    },

    /// List what is run when a vnet is made and when it is destroyed
    ///
    /// Constructors and destructors (VNET_SYSINIT, VNET_SYSUNINIT) stand in the order in
    /// which they run. With a choice of vnet it is shown how far that vnet has come:
    /// which subsystems are done, in progress and to come, and which function runs, if
    /// the stack of a thread shows it.
    #[command(after_help = SYSINIT_EXAMPLES)]
    Sysinit,
    /// Sum the per-CPU counters of a vnet
    ///
    /// Statistics such as ipstat are arrays of counters; their names are those of the members
    /// of struct ipstat, found by the array's name and size. Patterns name variables, as in
    /// vars. A counter that is not allocated, or whose memory may be freed, has no sum.
    #[command(after_help = COUNTERS_EXAMPLES)]
    Counters {
        /// Variables to show; * ? and [...] are wildcards; all with counters if none is given
        #[arg(value_name = "PATTERN")]
        patterns: Vec<String>,

        /// What each CPU has counted, beside the sum
        #[arg(long)]
        per_cpu: bool,

        /// Name the counters of an array by a struct of another name (repeatable)
        #[arg(long = "type", value_name = "NAME=STRUCT", value_parser = name_and_type)]
        types: Vec<(String, String)>,
    },

    /// Say who holds the locks of the VNET machinery, and what that means
    ///
    /// A lock that is held exclusively tells that what it guards may be half changed:
    /// the list of vnets, the constructors and destructors, or module space.
    #[command(after_help = "Example:\n  vnetkvm --demo locks")]
    Locks,

    /// List the event handlers that are called once for each vnet
    ///
    /// They are registered with an iterator in their place: what is shown is the function
    /// that it calls. A kernel may have none.
    #[command(
        after_help = "Example:\n  vnetkvm -N kernel.debug -M vmcore.0 eventhandlers vm_lowmem"
    )]
    Eventhandlers {
        /// Events whose handlers to show; all if none is given
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },

    /// Show what a kernel with VNET_DEBUG recorded of curvnet
    ///
    /// Which functions set it though it was set already, and for each thread that works
    /// in a vnet, which function set it last.
    #[command(after_help = "Example:\n  vnetkvm -N kernel.debug -M vmcore.0 recursions")]
    Recursions,
    /// Print the values that sysctl(8) would have printed in a vnet
    ///
    /// A name is that of a sysctl, or of a node whose sysctls are meant. What only the
    /// kernel's own function could answer has no value in memory: the function is named.
    #[command(after_help = SYSCTL_EXAMPLES)]
    Sysctl(SysctlArgs),

    /// Write a script that gives gdb and kgdb the variables of a vnet
    ///
    /// It sets $V_NAME to a typed pointer to the vnet's own copy of NAME, and
    /// $vnet to the struct vnet.
    #[command(after_help = GDB_EXAMPLES)]
    Gdb {
        /// Variables to define; * ? [...] and {a,b} are wildcards; all if none is given
        #[arg(value_name = "PATTERN")]
        patterns: Vec<String>,
    },

    /// Build kernel memory images, for tests and demonstrations
    #[command(subcommand)]
    Image(ImageCommand),

    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  vnetkvm completions zsh > ~/.zfunc/_vnetkvm")]
    Completions {
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },

    /// Write the manual pages into a directory
    #[command(after_help = "Example:\n  vnetkvm man /usr/local/share/man/man1")]
    Man {
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        directory: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub enum ImageCommand {
    /// Build the memory images that a scenario describes
    #[command(
        after_help = "Example:\n  vnetkvm image build fixtures/scenarios/demo.toml -o /tmp/demo"
    )]
    Build {
        /// Scenario file (TOML)
        #[arg(value_name = "SCENARIO", value_hint = ValueHint::FilePath)]
        scenario: PathBuf,

        /// Directory to write into; made if it does not exist
        #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        output: PathBuf,
    },
}

const INFO_EXAMPLES: &str = "\
Examples:
  vnetkvm -N kernel.debug -M vmcore.0 info
  vnetkvm -n 3 info --dmesg";

const VARS_EXAMPLES: &str = "\
Examples:
  vnetkvm --demo vars --vnet 1
  vnetkvm --demo vars --jail web01 'tcp*' ip_id
  vnetkvm --demo vars --all-vnets --json ipstat";

const COUNTERS_EXAMPLES: &str = "\
Examples:
  vnetkvm --demo counters --vnet 1 ipstat
  vnetkvm --demo counters --all-vnets --per-cpu 'tcp*' --json
  vnetkvm --demo counters --type ipstat='struct ipstat' ipstat";

const SYSCTL_EXAMPLES: &str = "\
Examples:
  vnetkvm --demo sysctl --vnet 1 net.inet.ip.ttl
  vnetkvm --demo sysctl --all-vnets net.inet.tcp
  vnetkvm --demo sysctl -d net.inet";

const PRINT_EXAMPLES: &str = "\
Examples:
  vnetkvm --demo print V_ifnet tcbinfo.ipi_count
  vnetkvm --demo print --vnet 1 'V_ifnet.cstqh_first->if_xname'
  vnetkvm --demo print '*(struct ifnet *)0xfffff80003a51800'";

const READ_EXAMPLES: &str = "\
Examples:
  vnetkvm --demo read 0xffffffff81234560 64
  vnetkvm --demo read '&V_tcbinfo' 0x40 --vnet 1
  vnetkvm --demo read --raw --fill 0xff 0xfffff80000000000 1M > low.bin";

const SYSINIT_EXAMPLES: &str = "\
Examples:
  vnetkvm --demo sysinit
  vnetkvm -N kernel.debug -M vmcore.0 sysinit --vnet 0xfffff80003a51800";

const GDB_EXAMPLES: &str = "\
Example:
  vnetkvm -N kernel.debug -M vmcore.0 --jail web01 gdb > web01.gdb
  kgdb -x web01.gdb kernel.debug vmcore.0
  (kgdb) print *$V_tcbinfo";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn global_options_stand_before_or_behind_the_command() {
        let before = Cli::try_parse_from(["vnetkvm", "--vnet", "1", "--json", "vars"]).unwrap();
        let behind = Cli::try_parse_from(["vnetkvm", "vars", "--vnet", "1", "--json"]).unwrap();
        assert_eq!(before.vnet.vnet, Some(VnetChoice::Index(1)));
        assert_eq!(behind.vnet.vnet, before.vnet.vnet);
        assert!(before.output.json && behind.output.json);
    }
}
