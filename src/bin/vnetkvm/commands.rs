//! The commands: the arguments of each, and its help.

mod examples;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use vnetkvm::views::sockets::Kind;

use crate::args::diff::DiffArgs;
use crate::args::routes::{FamilyArgs, RoutesArgs};
use crate::args::values::{CheckName, name_and_type, number, socket_kind};
use crate::cmd;
use examples::*;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what the dump is, which kernel wrote it, and whether dump and kernel match
    #[command(after_help = INFO_EXAMPLES)]
    Info {
        /// Print the kernel's message buffer instead, as dmesg(8) does
        #[arg(long)]
        dmesg: bool,
    },

    /// List the virtual network stacks
    ///
    /// Vnets are numbered in order of creation. A vnet that was being created or destroyed at
    /// the time of the dump is not on the kernel's list. It is shown without a number if
    /// something still points to it.
    #[command(after_help = "Examples:\n  vnetkvm --demo vnets\n  vnetkvm --demo vnets --wide")]
    Vnets {
        /// Also search all kernel memory for vnets that nothing points to (this reads the
        /// whole dump)
        #[arg(long)]
        scan: bool,

        /// Show all columns: also whether the vnet is shutting down, where its variables lie
        /// (BLOCK), and the offset from a master's address (BASE)
        #[arg(short, long)]
        wide: bool,
    },

    /// List the jails as a tree, and what holds those that are dying
    ///
    /// Each jail has its number, name, state, vnet (its own or inherited), processes, references,
    /// host name, path and flags. Below the tree stands what still holds a jail that has been
    /// removed: processes, sockets, child jails, other references, or the destruction of its vnet.
    /// A line with ! is a fault: a jail that points at a freed or unlisted vnet, or that
    /// the list and the tree of jails disagree about. By default all jails are listed; --jail,
    /// --vnet, --pid and --tid choose among them.
    #[command(after_help = JAILS_EXAMPLES)]
    Jails,

    /// List the threads: what each was doing, in which jail and in which vnet
    ///
    /// The thread that wrote the dump comes first. Each thread has its process, jail, state, what
    /// it waits for, CPU, its current vnet (curvnet), and its jail's vnet, from which
    /// the former may differ: threads of the kernel work in the vnets of jails. A line with
    /// ! is a fault: a curvnet that is freed, destroyed, unlisted or no vnet, or that is NULL where
    /// the network stack needs one. By default only threads that have to do with a vnet are
    /// listed: they work in one, or their jail's is not the host's. --vnet chooses by either,
    /// --jail, --pid and --tid by the thread itself.
    #[command(after_help = THREADS_EXAMPLES)]
    Threads {
        /// List all threads, also those that have nothing to do with a vnet
        #[arg(short, long)]
        all: bool,
    },

    /// Show the kernel stacks of threads
    ///
    /// By default, this is the stack of the thread that wrote the dump. Each frame has its
    /// address, function, source line and, where the debug information locates them in known
    /// places, arguments. [inlined] marks functions that were inlined into the next one, [cfi]
    /// frames that call frame information found where the chain of frame pointers does not
    /// lead, and ? words of the stack that only look like return addresses. Traps, interrupts
    /// and system calls are shown as the kernel prints them. Stacks that are alike are shown
    /// once. --vnet chooses the threads that work in a vnet or whose jail's vnet it is.
    #[command(after_help = BT_EXAMPLES)]
    Bt {
        /// Show the threads that ran on a processor
        #[arg(long, conflicts_with = "all")]
        running: bool,

        /// Show all threads
        #[arg(short, long)]
        all: bool,

        /// Show in which vnet each frame works
        #[arg(long)]
        vnets: bool,
    },

    /// Show the interfaces of a vnet, as ifconfig(8) and netstat(1) do
    ///
    /// The columns are name, index, flags, MTU, packets received and sent, home (the vnet that
    /// it was created in), addresses, and what it is tied to: the other end of an epair, the
    /// members of a bridge, the parent of a VLAN. A ? among the packets means that the
    /// driver has a function of its own that counts them. What is wrong is called out below the
    /// table.
    #[command(after_help = INTERFACES_EXAMPLES)]
    Interfaces {
        /// Interfaces to show in full; * ? [...] and {a,b} are wildcards (default: all)
        #[arg(value_name = "NAME")]
        names: Vec<String>,

        /// Show everything that is known of each interface, also if none is named
        #[arg(short, long)]
        long: bool,
    },

    /// Show how all network stacks are wired, across vnets
    ///
    /// The tree has each vnet with its jails and interfaces, and each interface with what it is
    /// tied to: the other end of an epair, members of a bridge, the parent of a VLAN, ports of a
    /// lagg, the outer addresses of a tunnel. If vnets are chosen, those are shown. Broken ties
    /// are called out below the tree, and are red in a drawing.
    #[command(after_help = TOPOLOGY_EXAMPLES)]
    Topology {
        /// The form to show it in
        #[arg(long = "as", value_enum, value_name = "FORM", default_value = "tree")]
        form: cmd::topology::Form,
    },

    /// List the sockets and connections of a vnet, as netstat -an and sockstat do
    ///
    /// The columns are protocol, bytes that wait to be read and to be sent, local and remote
    /// address, state, address of the control block, and the processes that hold the socket
    /// (COMMAND[PID]:DESCRIPTOR). A state LISTEN is followed by the connections that wait to
    /// be accepted, those that are incomplete, and the limit. The last line compares the
    /// sockets that were found with the kernel's own count.
    #[command(after_help = SOCKETS_EXAMPLES)]
    Sockets {
        /// Only sockets that wait for connections, or for packets from anyone
        #[arg(short, long)]
        listen: bool,

        /// Only sockets of these protocols
        #[arg(short, long, value_name = "NAME", value_delimiter = ',', value_parser = socket_kind())]
        protocol: Vec<Kind>,
    },

    /// List the routes of a vnet, as netstat -rn does
    ///
    /// Each FIB and family has a table of its own. A route with several next hops has a row for
    /// each. NETIF is the interface that packets leave by; EXPIRE is in seconds. Below a table
    /// stands what is wrong with it: routes through interfaces that are freed, or that are on
    /// no list or on that of another vnet; counts that disagree.
    #[command(after_help = ROUTES_EXAMPLES)]
    Routes(RoutesArgs),

    /// List the neighbours of a vnet, as arp -an and ndp -an do
    ///
    /// The columns are network address, link-level address (- if it is not known yet),
    /// interface, seconds until the entry expires (- if it is permanent), state, and flags.
    #[command(after_help = NEIGHBORS_EXAMPLES)]
    Neighbors(FamilyArgs),

    /// List the virtualized variables of a vnet with their values
    ///
    /// The columns are name, address in that vnet, size, type, module and value. If several
    /// files define variables of the same name, each is shown as NAME@FILE, or as
    /// NAME@MODULE if a module defines it. A pattern that matches nothing gives a warning;
    /// the rest are listed.
    #[command(after_help = VARS_EXAMPLES)]
    Vars {
        /// Names to list; * ? [...] and {a,b} are wildcards (default: all)
        #[arg(value_name = "PATTERN")]
        patterns: Vec<String>,

        /// Show all vnets side by side: a row for each variable, a column for each vnet
        #[arg(long)]
        pivot: bool,
    },

    /// List the variables that each CPU has a copy of (DPCPU), with their values
    ///
    /// The columns are those of vars: name, address on that CPU, size, type, module and value; with
    /// several CPUs, the CPU comes first. By default this is the CPU that the crashing thread ran
    /// on, or CPU 0 if that is unknown. The other numbers of a CPU are in its struct pcpu:
    /// print 'cpu(1)'.
    #[command(after_help = PCPU_EXAMPLES)]
    Pcpu(PcpuArgs),

    /// Show what a vnet changed, and what differs between two vnets or two dumps
    ///
    /// Each variable is compared member by member; what differs is shown with the old value and the
    /// new one, equal changes of neighbouring elements once. By default a vnet is compared with
    /// the values that it started with: the pristine copy that newer kernels keep, else those in
    /// the files of the kernel and its modules, else the master copy in memory. Given twice,
    /// --vnet or --jail compares the second vnet with the first. --against compares the vnet with
    /// itself in another dump. What differs between any two vnets is only counted: locks, counters,
    /// times, generation numbers, pointers that lead to equal things, and heads of empty
    /// lists; --all shows it. What cannot be read is no difference, and is listed apart. The exit
    /// status is 1 if something differs, and 2 if nothing matches: no variable, vnet or jail.
    #[command(after_help = DIFF_EXAMPLES)]
    Diff(DiffArgs),

    /// Evaluate C expressions in a vnet
    ///
    /// An expression can name virtualized variables, with or without V_, and ordinary globals.
    /// The operators are . -> [] * & casts, sizeof and arithmetic. NAME@FILE.c or
    /// NAME@MODULE.ko picks one of several variables of that name. LIST[*] is all elements of a
    /// list, LIST[.MEMBER == 1] those that fit, and count(LIST) their number. DPCPU(NAME) is a
    /// CPU's copy of a DPCPU variable, DPCPU(NAME, N) that of CPU N, and cpu(N) its struct pcpu.
    /// Put -- before an expression that begins with a minus.
    ///
    /// Letters before expressions say how values are written, as in gdb: /x and /z hexadecimal,
    /// /o octal, /t binary, /d signed, /u unsigned, /c characters, /a addresses with symbols, /s
    /// bytes as strings, /r nothing as what it means.
    #[command(after_help = PRINT_EXAMPLES)]
    Print(cmd::print::PrintArgs),

    /// Show the declaration of a type with offsets, sizes and holes
    ///
    /// If source files define different types of the same name, all are shown. NAME@FILE
    /// picks the type of one file, by the end of its path.
    #[command(
        name = "type",
        after_help = "Examples:\n  vnetkvm -N kernel.debug type struct vnet\n  vnetkvm -N kernel.debug type ifnet inpcb u_int\n  vnetkvm -N kernel.debug type elf_file@link_elf.c"
    )]
    Type {
        /// Names of structs, unions, enums or typedefs; the word "struct" is optional
        #[arg(value_name = "NAME", required = true, num_args = 1..)]
        names: Vec<String>,
    },

    /// Dump kernel memory in hex
    ///
    /// Unreadable bytes are shown as -- (not mapped), .. (not in the dump), ~~ (missing from a
    /// truncated dump) or ?? (not kernel memory, or freed), never as zeros.
    #[command(after_help = READ_EXAMPLES)]
    Read(cmd::read::ReadArgs),

    /// Tell what addresses are: whose variable, which struct, which function, whose stack
    ///
    /// An address may be in a vnet's copy of a variable, in the master copy, in module space, in
    /// the image of the kernel or a module, on a thread's kernel stack, in a CPU's variables or
    /// counters, or in a struct: of a vnet, jail, process, thread, interface or socket, or one that
    /// pointers of a vnet's variables lead to (--deep). Each has one line. If nothing is
    /// known, the line has the mapping, and whether the dump has the page. Numbers may be
    /// written with 0x or as debuggers print them; other texts are expressions, as in print.
    #[command(after_help = WHATIS_EXAMPLES)]
    Whatis(cmd::whatis::WhatisArgs),

    /// Sum the per-CPU counters of a vnet
    ///
    /// Statistics such as ipstat are arrays of counters. The members of struct ipstat name
    /// them; the struct is found by the array's name and size. Patterns name variables, as in
    /// vars. A counter has no sum if it is not allocated or its memory may be freed.
    #[command(after_help = COUNTERS_EXAMPLES)]
    Counters {
        /// Variables to sum; * ? [...] and {a,b} are wildcards (default: all with counters)
        #[arg(value_name = "PATTERN")]
        patterns: Vec<String>,

        /// Also show the count of each CPU
        #[arg(long)]
        per_cpu: bool,

        /// Take the names of an array's counters from this struct (repeatable)
        #[arg(long = "type", value_name = "NAME=STRUCT", value_parser = name_and_type)]
        structs: Vec<(String, String)>,
    },

    /// Print the values that sysctl(8) would have printed in a vnet
    ///
    /// The name of a node stands for all sysctls below it. Some sysctls are computed by a
    /// function of the kernel and have no value in memory; the function is named instead.
    #[command(after_help = SYSCTL_EXAMPLES)]
    Sysctl(SysctlArgs),

    /// List the kernel file and the loaded modules
    ///
    /// The columns are number, name, address, size, references and linker class of the file;
    /// address in module space, size and count of its virtualized variables; whether a file
    /// with their types was found; and the path that the module was loaded from.
    #[command(after_help = "Example:\n  vnetkvm -N kernel.debug -M vmcore.0 modules")]
    Modules,

    /// Show the regions of module space, where modules' virtualized variables lie
    ///
    /// A region belongs to a module, is on the kernel's free list, or is lost (neither).
    /// Faults of the free list are reported on standard error.
    #[command(after_help = MODSPACE_EXAMPLES)]
    Modspace {
        /// Show where modules' DPCPU variables lie instead
        #[arg(long)]
        pcpu: bool,
    },

    /// List the functions that run when a vnet is created or destroyed
    ///
    /// Constructors and destructors (VNET_SYSINIT, VNET_SYSUNINIT) are listed in the order in
    /// which they run. If a vnet is chosen, the list shows how far that vnet has come: which
    /// subsystems are done, in progress or still to come, and which function is running if a
    /// thread's stack shows it.
    #[command(after_help = SYSINIT_EXAMPLES)]
    Sysinit,

    /// Show who holds the locks of the VNET subsystem, and what that means
    ///
    /// The locks protect the list of vnets, the constructors and destructors, and module
    /// space. While a lock is held exclusively, what it protects may be half changed.
    #[command(after_help = "Example:\n  vnetkvm --demo locks")]
    Locks,

    /// List the event handlers that are called once for each vnet
    ///
    /// The kernel registers an iterator for each of them; the function that the iterator
    /// calls is listed. A kernel may have none.
    #[command(
        after_help = "Example:\n  vnetkvm -N kernel.debug -M vmcore.0 eventhandlers vm_lowmem"
    )]
    Eventhandlers {
        /// Events whose handlers to list (default: all)
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },

    /// Show what a kernel with VNET_DEBUG recorded about curvnet
    ///
    /// List the functions that set curvnet when it was already set and, for each thread with
    /// a curvnet, the function that set it last.
    #[command(after_help = "Example:\n  vnetkvm -N kernel.debug -M vmcore.0 recursions")]
    Recursions,

    /// Check the kernel's network stacks: every invariant that the dump can be held to
    ///
    /// Each check gives a verdict: ok, warning, fault, or cannot tell if the dump does not show it.
    /// A sound kernel has no fault and no warning. Vnets that are ok share a line. With --vnet,
    /// --jail, --pid or --tid, what was found about other vnets is left out; what concerns the
    /// kernel as a whole is not. The exit status is 1 if there is a fault, and 2 if there is no such
    /// vnet or jail, or no check is about it.
    #[command(after_help = CHECK_EXAMPLES)]
    Check {
        /// Checks to make; * ? [...] and {a,b} are wildcards (default: all)
        #[arg(value_name = "NAME", value_parser = CheckName, hide_possible_values = true)]
        names: Vec<String>,

        /// List the checks instead; this needs no dump
        #[arg(short, long)]
        list: bool,
    },

    /// Show many dumps, a line each, and which of them are the same crash
    ///
    /// A line has the host, the time, the panic, the function that panicked or crashed with its
    /// vnet and jail, and the worst verdict of all checks. The signature is a number that is made
    /// of the panic message without its numbers and of the innermost functions outside the
    /// panic: equal crashes have the same one, whatever the addresses and the build. A dump that
    /// cannot be read is a line too. The kernel of each dump is searched for as usual: beside
    /// it, in the directories of --debug-dir, and where FreeBSD installs kernels.
    #[command(after_help = TRIAGE_EXAMPLES)]
    Triage(cmd::triage::TriageArgs),

    /// Write a bug report: one HTML file, or Markdown
    ///
    /// The report has the dump, the panic and the crashing thread's stack with its vnet and jail;
    /// then the vnets, jails, threads, interfaces, sockets and routes, the wiring and
    /// module space with a picture each, and the message buffer. What is wrong is marked, and the
    /// parts that have it are open. The HTML file needs no other file and no server, and stays
    /// below 2 MB: what has no room is counted.
    #[command(after_help = REPORT_EXAMPLES)]
    Report(cmd::report::ReportArgs),

    /// Write the dump in another form, for programs that cannot read it as it is
    ///
    /// The new dump holds the same memory, and vnetkvm has the same answers for it. What the dump
    /// does not hold is not made up. With --vnet, --jail, --pid or --tid, the variables of all
    /// other vnets are left out.
    #[command(after_help = CONVERT_EXAMPLES)]
    Convert(cmd::convert::ConvertArgs),

    /// Write what is known of the dump as tables, for programs that query many dumps
    ///
    /// All vnets are in the tables, also those that are not on the kernel's list. With -o, each
    /// table is a Parquet file in a directory of many dumps, in the layout of Hive: DuckDB, Spark
    /// and others read all of them as one table. What cannot be read is null in its place, and a
    /// row of the table errors. A dump that cannot be read at all has rows only in dumps and errors;
    /// this is no failure without --strict. An array of more elements than --max-elements says
    /// (default: 64) has one row, which counts them.
    #[cfg(feature = "export")]
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(cmd::export::ExportArgs),

    /// Write a script that gives gdb and kgdb the variables of a vnet
    ///
    /// The script sets $V_NAME to a typed pointer to the vnet's own copy of NAME, and $vnet to
    /// the struct vnet. With --python it knows all vnets, and finds the variables itself.
    #[command(after_help = GDB_EXAMPLES)]
    Gdb(cmd::gdb::GdbArgs),

    /// Write a Python script that gives lldb the variables of all vnets
    ///
    /// It needs neither a dump nor a kernel. In lldb, `help vnet` says more.
    #[command(after_help = LLDB_EXAMPLES)]
    Lldb(cmd::lldb::LldbArgs),

    /// Let gdb and lldb look at the dump
    ///
    /// The debugger sees the dump's memory, a thread for each thread of the kernel, and the
    /// modules. `monitor COMMAND` asks a command of vnetkvm: `monitor vnets`. Nothing can be
    /// changed. The server prints the command lines for gdb and lldb; it ends with Ctrl-C. lldb's
    /// line names a copy of the kernel with which lldb goes across trap frames; it is removed at
    /// the end.
    #[cfg(feature = "gdb-server")]
    #[command(after_help = GDB_SERVER_EXAMPLES)]
    GdbServer(cmd::gdb_server::GdbServerArgs),

    /// Ask one dump many questions: a prompt, or a script on standard input
    ///
    /// A line is a command of vnetkvm without the program's name, with its options, or else an
    /// expression. A vnet that is chosen by `vnet 2` or `jail web01` is that of the lines that
    /// follow. `help` says more. On a terminal, long answers are shown page by page, and Ctrl-C
    /// ends an answer. Otherwise the lines of standard input are a script: an error goes to
    /// standard error, the script goes on, and the exit status is that of the last line.
    #[cfg(feature = "shell")]
    #[command(after_help = SHELL_EXAMPLES)]
    Shell(crate::shell::ShellArgs),

    /// Build kernel memory images for tests and demonstrations
    #[command(subcommand)]
    Image(cmd::image::ImageCommand),

    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  vnetkvm completions zsh > ~/.zfunc/_vnetkvm")]
    Completions {
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },

    /// Write the manual pages to a directory
    #[command(after_help = "Example:\n  vnetkvm man /usr/local/share/man/man1")]
    Man {
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        directory: PathBuf,
    },
}

/// Which DPCPU variables to list, and of which CPUs.
#[derive(Debug, Args)]
pub struct PcpuArgs {
    /// Names to list; * ? [...] and {a,b} are wildcards (default: all)
    #[arg(value_name = "PATTERN")]
    pub patterns: Vec<String>,

    /// List those of this CPU (repeatable)
    #[arg(long = "cpu", value_name = "N", value_parser = number)]
    pub cpus: Vec<u64>,

    /// List those of every CPU
    #[arg(long, conflicts_with = "cpus")]
    pub all_cpus: bool,
}

/// Which sysctls to print, and what of each.
#[derive(Debug, Args)]
pub struct SysctlArgs {
    /// Sysctls and nodes to print, such as net.inet.ip.ttl and net.inet.ip; * ? [...] and
    /// {a,b} are wildcards, and * matches dots too
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,

    /// Print all sysctls
    #[arg(short, long)]
    pub all: bool,

    /// Print descriptions instead of values
    #[arg(short, long)]
    pub descriptions: bool,

    /// Print types instead of values
    #[arg(short = 't', long = "show-types", conflicts_with = "descriptions")]
    pub only_types: bool,

    /// Print only names
    #[arg(long = "names", conflicts_with_all = ["only_values", "descriptions", "only_types"])]
    pub only_names: bool,

    /// Print only values
    #[arg(long = "values")]
    pub only_values: bool,
}
