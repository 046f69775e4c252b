//! The sections of a report, in order.

/// A section of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section {
    /// What it is about.
    pub topic: Topic,
    /// A name that is unique in the report: `routes`.
    pub id: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What it shows, in a sentence.
    pub about: &'static str,
    /// About how many bytes of the document it may take, whatever is in the dump. What does not
    /// fit is counted.
    pub room: u64,
}

/// What a section is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// The dump, the kernel, and the thread that crashed.
    Summary,
    /// What is wrong in the kernel's own state.
    Faults,
    /// The network stacks.
    Vnets,
    /// The jails.
    Jails,
    /// How the stacks are wired.
    Wiring,
    /// The interfaces of each stack.
    Interfaces,
    /// The threads that have to do with a stack.
    Threads,
    /// Who holds the locks.
    Locks,
    /// How far the construction of each stack has come.
    Construction,
    /// What each stack changed since it was made.
    Differences,
    /// The loaded modules.
    Modules,
    /// Where the modules' variables lie.
    ModuleSpace,
    /// The sockets of each stack.
    Sockets,
    /// The routes of each stack.
    Routes,
    /// The neighbours of each stack.
    Neighbors,
    /// The message buffer.
    Messages,
}

const KB: u64 = 1 << 10;

/// All sections. Their rooms add up to less than 2 MB.
pub const SECTIONS: &[Section] = &[
    Section {
        topic: Topic::Summary,
        id: "summary",
        title: "Summary",
        about: "The dump, its kernel, and the kernel stack of the thread that wrote it.",
        room: 60 * KB,
    },
    Section {
        topic: Topic::Faults,
        id: "faults",
        title: "Checks",
        about: "What no sound kernel has, then what is worth a look, and what the dump does not show.",
        room: 120 * KB,
    },
    Section {
        topic: Topic::Vnets,
        id: "vnets",
        title: "Network stacks",
        about: "Every vnet, numbered in order of creation; 0 is the host's.",
        room: 80 * KB,
    },
    Section {
        topic: Topic::Jails,
        id: "jails",
        title: "Jails",
        about: "The jails as a tree, and what holds those that are dying.",
        room: 80 * KB,
    },
    Section {
        topic: Topic::Threads,
        id: "threads",
        title: "Threads",
        about: "The thread that wrote the dump, and those that have to do with a vnet.",
        room: 100 * KB,
    },
    Section {
        topic: Topic::Wiring,
        id: "wiring",
        title: "Wiring",
        about: "How the stacks are tied together: each vnet with its jails and interfaces.",
        room: 300 * KB,
    },
    Section {
        topic: Topic::Interfaces,
        id: "interfaces",
        title: "Interfaces",
        about: "The interfaces of each vnet.",
        room: 180 * KB,
    },
    Section {
        topic: Topic::Sockets,
        id: "sockets",
        title: "Sockets",
        about: "The sockets and connections of each vnet.",
        room: 120 * KB,
    },
    Section {
        topic: Topic::Routes,
        id: "routes",
        title: "Routes",
        about: "The routing tables of each vnet.",
        room: 120 * KB,
    },
    Section {
        topic: Topic::Neighbors,
        id: "neighbors",
        title: "Neighbours",
        about: "The link-level addresses of each vnet's neighbours.",
        room: 70 * KB,
    },
    Section {
        topic: Topic::Construction,
        id: "construction",
        title: "Construction",
        about: "How far each vnet has come with its constructors and destructors.",
        room: 120 * KB,
    },
    Section {
        topic: Topic::Differences,
        id: "differences",
        title: "Differences",
        about: "The variables of each vnet that no longer have their initial values.",
        room: 200 * KB,
    },
    Section {
        topic: Topic::ModuleSpace,
        id: "module-space",
        title: "Module space",
        about: "Where the virtualized variables of modules lie.",
        room: 60 * KB,
    },
    Section {
        topic: Topic::Modules,
        id: "modules",
        title: "Modules",
        about: "The kernel file and the loaded modules.",
        room: 40 * KB,
    },
    Section {
        topic: Topic::Locks,
        id: "locks",
        title: "Locks",
        about: "Who holds the locks that protect the vnets.",
        room: 20 * KB,
    },
    Section {
        topic: Topic::Messages,
        id: "messages",
        title: "Message buffer",
        about: "The kernel's last messages, the oldest first.",
        room: 200 * KB,
    },
];

/// What stands around the sections, style and script included, is less than 60 KB.
const _: () = {
    let (mut sum, mut at) = (0, 0);
    while at < SECTIONS.len() {
        sum += SECTIONS[at].room;
        at += 1;
    }
    assert!(sum < 1900 * KB);
};
