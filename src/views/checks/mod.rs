//! Checks: every invariant of the network stacks that a dump can be held to.
//!
//! Each check has a name, and gives a verdict about the kernel, or one about each vnet. What a view
//! already calls out is not worked out again: checks turn call-outs and problems into findings.
//!
//! What they refuse to do: what a dump hides is unknown, never a fault; and what a sound kernel of
//! any release may have is neither a fault nor a warning.

mod evidence;
mod finding;
mod function_pointers;
mod interfaces;
mod jails;
mod list_links;
mod machinery;
mod modspace;
mod routes;
mod sockets;
mod threads;
mod ties;
mod variables;
mod vnet_list;
mod vnets;

use crate::vnet::Vnet;

pub use evidence::{Evidence, Known};
pub use finding::{Finding, Findings, Verdict};

/// One invariant.
#[derive(Debug)]
pub struct Check {
    /// What users and scripts call it: `vnet-magic`.
    pub name: &'static str,
    /// What holds in a sound kernel, a sentence without a full stop.
    pub summary: &'static str,
    /// It is about vnets: a kernel without VIMAGE has nothing that it could check.
    needs_vnets: bool,
    run: Run,
}

/// What a check does.
///
/// # Errors
/// What keeps it from finding out anything.
type Run = fn(&Evidence<'_>) -> Result<Findings, crate::walk::Problem>;

/// All checks, in the order in which they are reported.
pub static CHECKS: &[Check] = &[
    Check {
        name: "vnet-list",
        summary: "the links of the list of vnets agree in both directions",
        needs_vnets: true,
        run: vnet_list::links,
    },
    Check {
        name: "vnet-magic",
        summary: "every vnet has the magic of a vnet",
        needs_vnets: true,
        run: vnet_list::magic,
    },
    Check {
        name: "vnet-data-base",
        summary: "vnet_data_base is vnet_data_mem minus the start of the set",
        needs_vnets: true,
        run: vnet_list::data_base,
    },
    Check {
        name: "vnet-block",
        summary: "the block of each vnet is memory of its own",
        needs_vnets: true,
        run: vnets::blocks,
    },
    Check {
        name: "vnet-pristine",
        summary: "the copy of the initial values is memory",
        needs_vnets: true,
        run: variables::pristine,
    },
    Check {
        name: "vnet-zero",
        summary: "vnet0 is the oldest vnet on the list, and that of prison0",
        needs_vnets: true,
        run: vnets::vnet0,
    },
    Check {
        name: "vnet-state",
        summary: "every vnet on the list is up",
        needs_vnets: true,
        run: vnets::state,
    },
    Check {
        name: "vnet-unlisted",
        summary: "a vnet off the list is being built or destroyed by a thread",
        needs_vnets: true,
        run: vnets::unlisted,
    },
    Check {
        name: "vnet-construction",
        summary: "no thread crashed while it was building or destroying a vnet",
        needs_vnets: true,
        run: vnets::construction,
    },
    Check {
        name: "vnet-jail",
        summary: "every vnet on the list belongs to exactly one jail",
        needs_vnets: true,
        run: jails::owners,
    },
    Check {
        name: "jail-vnet",
        summary: "every jail is in a vnet on the list, its own or its parent's",
        needs_vnets: true,
        run: jails::vnets,
    },
    Check {
        name: "jail-tree",
        summary: "the list of jails and their tree agree",
        needs_vnets: false,
        run: jails::tree,
    },
    Check {
        name: "thread-curvnet",
        summary: "the curvnet of every thread is a vnet on the list, or one that it builds or destroys",
        needs_vnets: true,
        run: threads::curvnet,
    },
    Check {
        name: "thread-null-curvnet",
        summary: "the thread that crashed had a curvnet if it needed one",
        needs_vnets: true,
        run: threads::null_curvnet,
    },
    Check {
        name: "module-list",
        summary: "the list of loaded modules is whole",
        needs_vnets: false,
        run: modspace::files,
    },
    Check {
        name: "list-links",
        summary: "the lists of jails, processes, modules and constructors agree in both directions",
        needs_vnets: false,
        run: list_links::links,
    },
    Check {
        name: "modspace",
        summary: "every byte of module space is free or a module's",
        needs_vnets: true,
        run: modspace::space,
    },
    Check {
        name: "sysinit-order",
        summary: "constructors and destructors are in order, and their functions are loaded",
        needs_vnets: true,
        run: machinery::sysinits,
    },
    Check {
        name: "locks",
        summary: "every lock of the VNET code is free, or held by a thread that exists",
        needs_vnets: true,
        run: machinery::locks,
    },
    Check {
        name: "eventhandlers",
        summary: "event handlers are functions that are loaded",
        needs_vnets: true,
        run: machinery::eventhandlers,
    },
    Check {
        name: "counters",
        summary: "counters that a constructor allocates are allocated in every vnet that is up",
        needs_vnets: true,
        run: variables::counters,
    },
    Check {
        name: "function-pointers",
        summary: "function pointers in variables of vnets are NULL or lead to code",
        needs_vnets: true,
        run: variables::function_pointers,
    },
    Check {
        name: "sysctl-arguments",
        summary: "sysctls of vnets lead to variables that exist, and to handlers that are loaded",
        needs_vnets: true,
        run: variables::sysctls,
    },
    Check {
        name: "interface-list",
        summary: "the list of each stack's interfaces is whole, and all on it are its own",
        needs_vnets: false,
        run: interfaces::list,
    },
    Check {
        name: "interface-count",
        summary: "vnet_ifcnt is the number of interfaces on the list",
        needs_vnets: true,
        run: interfaces::count,
    },
    Check {
        name: "interface-vnet",
        summary: "each interface is in the vnet whose list it is on, and its home is a vnet",
        needs_vnets: true,
        run: interfaces::vnet,
    },
    Check {
        name: "interface-names",
        summary: "no two interfaces of a stack have one name",
        needs_vnets: false,
        run: interfaces::names,
    },
    Check {
        name: "interface-index",
        summary: "the table of indexes has each interface at its index, and none that is freed",
        needs_vnets: false,
        run: interfaces::index,
    },
    Check {
        name: "epair-peers",
        summary: "both ends of an epair point at each other",
        needs_vnets: false,
        run: ties::epairs,
    },
    Check {
        name: "bridge-members",
        summary: "bridges and their members point at each other, and are in one vnet",
        needs_vnets: false,
        run: ties::bridges,
    },
    Check {
        name: "vlan-parents",
        summary: "VLANs and their parents point at each other",
        needs_vnets: false,
        run: ties::vlans,
    },
    Check {
        name: "lagg-ports",
        summary: "laggs and their ports point at each other",
        needs_vnets: false,
        run: ties::laggs,
    },
    Check {
        name: "route-tables",
        summary: "each routing table is a tree, is its stack's, and has as many routes as it counts",
        needs_vnets: false,
        run: routes::tables,
    },
    Check {
        name: "route-next-hops",
        summary: "routes have next hops of their own stack that are not freed",
        needs_vnets: false,
        run: routes::next_hops,
    },
    Check {
        name: "route-interfaces",
        summary: "routes lead to interfaces of their own stack that are not freed",
        needs_vnets: false,
        run: routes::interfaces,
    },
    Check {
        name: "neighbor-tables",
        summary: "each table of neighbours is whole, and has as many as it counts",
        needs_vnets: false,
        run: routes::neighbor_tables,
    },
    Check {
        name: "neighbor-interfaces",
        summary: "each table of neighbours is that of an interface of its stack",
        needs_vnets: false,
        run: routes::neighbor_interfaces,
    },
    Check {
        name: "pcb-lists",
        summary: "the lists of control blocks are whole, and as long as ipi_count says",
        needs_vnets: false,
        run: sockets::pcb_lists,
    },
    Check {
        name: "pcb-sockets",
        summary: "internet sockets and their control blocks point at each other",
        needs_vnets: false,
        run: sockets::pcb_sockets,
    },
    Check {
        name: "unix-sockets",
        summary: "local sockets are on a whole list and connected both ways",
        needs_vnets: false,
        run: sockets::local,
    },
    Check {
        name: "socket-pointers",
        summary: "what leads to a socket leads to one that is not freed",
        needs_vnets: false,
        run: sockets::pointers,
    },
    Check {
        name: "socket-vnet",
        summary: "each socket is in the vnet whose list it is on, and in one that exists",
        needs_vnets: true,
        run: sockets::vnet,
    },
    Check {
        name: "socket-count",
        summary: "vnet_sockcnt is the number of sockets",
        needs_vnets: true,
        run: sockets::count,
    },
];

impl Check {
    /// Whether the kernel has what it is about.
    #[must_use]
    pub fn applies(&self, evidence: &Evidence<'_>) -> bool {
        !self.needs_vnets || evidence.has_vnets()
    }

    /// What it finds, never nothing, and what could not be read.
    pub fn run(&self, evidence: &Evidence<'_>) -> Findings {
        match (self.run)(evidence) {
            Ok(findings) if findings.is_empty() => {
                findings.or_ok(|| "there is nothing to check".to_owned())
            }
            Ok(findings) => findings,
            Err(problem) => {
                let mut findings = Findings::from(Finding::unknown(problem.to_string()));
                findings.note(&problem.into());
                findings
            }
        }
    }

    /// What it says of a vnet that is destroyed and on no list, if somebody asks for that. What
    /// leads to it is wrong, not that it is destroyed, so that others need not hear of it.
    #[must_use]
    pub fn of_destroyed(&self, vnet: &Vnet) -> Option<Finding> {
        let destroyed = vnet.wrong_magic().filter(|_| vnet.is_freed() && !vnet.is_listed())?;
        let why = match (self.name, &vnet.found_by[..]) {
            ("vnet-magic", _) => destroyed,
            ("vnet-unlisted", []) => "it is destroyed, and on no list".to_owned(),
            ("vnet-unlisted", [first, ..]) => {
                format!("it is destroyed, and on no list; {first} leads to it")
            }
            _ => return None,
        };
        Some(Finding::warning(why).at([vnet.address]).of(Some(vnet.into())))
    }
}
