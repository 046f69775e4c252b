//! The commands: the part of the command line that is theirs, and what each of them asks.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use vnetkvm::answers::sysctls::Show;
use vnetkvm::answers::{self, Answer, Chosen};
use vnetkvm::error::Error;
use vnetkvm::session::Session;
use vnetkvm::value::Limits;

use crate::args::Globals;
use crate::args::values::{byte, length, name_and_type};
use crate::exit::{Failure, Outcome};
use crate::output::{self, show};
use crate::say::hint;
use crate::{cmd, context};

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
    Read(ReadArgs),

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

impl Command {
    /// Asks what the command stands for, and shows the answer.
    pub fn run(&self, globals: &Globals) -> anyhow::Result<Outcome> {
        match self {
            Self::Info { dmesg } => cmd::info::run(globals, *dmesg),
            Self::Vnets { scan, wide } => vnets(globals, *scan, *wide),
            Self::Vars { patterns } => ask_vnets(globals, SHOWN_ELEMENTS, |asked| {
                let Asked { session, chosen, limits } = asked;
                let variables = answers::variables(session, chosen, patterns, &limits);
                let hint = "name variables to show: `vnetkvm vars 'tcp*'`";
                variables.map_err(|why| context::without_vimage(why, hint))
            }),
            Self::Modules => modules(globals),
            Self::Modspace => ask(globals, answers::modspace),
            Self::Print { expressions } => print(globals, expressions),
            Self::Type { names } => cmd::type_::run(globals, names),
            Self::Read(args) => cmd::read::run(globals, args),
            Self::Sysinit if globals.vnet.is_given() => {
                ask_vnets(globals, 0, |asked| answers::construction(asked.session, asked.chosen))
            }
            Self::Sysinit => ask(globals, answers::sysinits),
            Self::Counters { patterns, per_cpu, types } => {
                let question = answers::counters::Question { patterns, types, per_cpu: *per_cpu };
                ask_vnets(globals, 0, |asked| {
                    let counters = answers::counters(asked.session, asked.chosen, question);
                    let hint = "name those to sum up: `vnetkvm counters ipstat tcpstat`";
                    counters.map_err(|why| context::without_vimage(why, hint))
                })
            }
            Self::Locks => ask(globals, answers::locks),
            Self::Eventhandlers { names } => {
                ask(globals, |session| answers::eventhandlers(session, names))
            }
            Self::Recursions => recursions(globals),
            Self::Sysctl(args) => sysctl(globals, args),
            Self::Gdb { patterns } => cmd::gdb::run(globals, patterns),
            Self::Image(command) => cmd::image::run(globals, command),
            Self::Completions { shell } => cmd::completions::run(*shell),
            Self::Man { directory } => cmd::man::run(directory),
        }
    }
}

/// A line of a table has room for a few elements of an array.
const SHOWN_ELEMENTS: usize = 32;

/// What a question about vnets is asked with.
struct Asked {
    session: &'static Session,
    chosen: Chosen<'static>,
    limits: Limits,
}

/// Asks a question of the whole dump.
fn ask<A: Answer>(
    globals: &Globals,
    question: impl FnOnce(&'static Session) -> Result<A, Error>,
) -> anyhow::Result<Outcome> {
    show(globals, question(context::open(globals)?)?)
}

/// Asks a question of the vnets that the command line means; of arrays, people are shown so many
/// elements unless they say how many.
fn ask_vnets<A: Answer, E: Into<anyhow::Error>>(
    globals: &Globals,
    elements: usize,
    question: impl FnOnce(Asked) -> Result<A, E>,
) -> anyhow::Result<Outcome> {
    let session = context::open(globals)?;
    let chosen = context::chosen(globals, session)?;
    let asked = Asked { session, chosen, limits: context::limits(globals, elements) };
    show(globals, question(asked).map_err(Into::into)?)
}

fn vnets(globals: &Globals, scan: bool, wide: bool) -> anyhow::Result<Outcome> {
    let vnets = answers::vnets(context::open(globals)?, scan, wide).map_err(|why| {
        context::without_vimage(why, "its variables are shown by name: `vnetkvm vars 'tcp*'`")
    })?;
    let hidden = vnets.may_hide.first().map(ToString::to_string);
    let outcome = show(globals, vnets)?;
    if let Some(reason) = hidden {
        hint(&format!("{reason}: `vnetkvm vnets --scan` finds vnets that nothing leads to"));
    }
    Ok(outcome)
}

fn modules(globals: &Globals) -> anyhow::Result<Outcome> {
    let modules = answers::modules(context::open(globals)?)?;
    if let (Some([]), Err(why)) = (modules.elements.kept(), modules.problems.none()) {
        let hint = "`vnetkvm info` shows whether the dump is whole";
        return Err(Failure::new(why.to_string()).hint(hint).into());
    }
    show(globals, modules)
}

/// What is said of the choice of vnets comes before what is said of expressions in them.
fn print(globals: &Globals, expressions: &[String]) -> anyhow::Result<Outcome> {
    ask_vnets(globals, Limits::default().elements, |Asked { session, chosen, limits }| {
        output::say_choice(&chosen);
        answers::expressions(session, chosen, expressions, &limits)
    })
}

fn recursions(globals: &Globals) -> anyhow::Result<Outcome> {
    match answers::recursions(context::open(globals)?)? {
        Some(recorded) => show(globals, recorded),
        None => {
            let what = "the kernel records no recursions: it was compiled without VNET_DEBUG";
            let hint = "vnetkvm vnets shows which thread works in a vnet that is on no list";
            Err(Failure::new(what).hint(hint).into())
        }
    }
}

fn sysctl(globals: &Globals, args: &SysctlArgs) -> anyhow::Result<Outcome> {
    if args.names.is_empty() && !args.all {
        let failure = Failure::new("no sysctl was named");
        return Err(failure.hint("name one, or a node such as net.inet.ip; -a shows all").into());
    }
    let (selector, limits) =
        (context::selector(globals), context::limits(globals, Limits::default().elements));
    ask(globals, |session| answers::sysctls(session, &selector, &args.names, args.show(), &limits))
}

impl SysctlArgs {
    fn show(&self) -> Show {
        let alone = self.only_values;
        match self {
            Self { only_names: true, .. } => Show::Names,
            Self { types: true, .. } => Show::Types { alone },
            Self { descriptions: true, .. } => Show::Descriptions { alone },
            Self { only_values: true, .. } => Show::Values,
            _ => Show::NamesAndValues,
        }
    }
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

/// Which memory, and in what form.
#[derive(Debug, Args)]
pub struct ReadArgs {
    /// Where to start: an address, or an expression whose value is one
    #[arg(value_name = "ADDR")]
    pub address: String,

    /// How many bytes: 64, 0x40, 4K, 2M; K, M, G and T are multiples
    #[arg(value_name = "LEN", value_parser = length)]
    pub length: u64,

    /// Write the bytes alone; stops with status 2 at the first unreadable one
    #[arg(long)]
    pub raw: bool,

    /// With --raw, put this byte in the place of unreadable ones and go on
    #[arg(long, value_name = "BYTE", value_parser = byte, requires = "raw")]
    pub fill: Option<u8>,
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
