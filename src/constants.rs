//! The few numbers that a kernel's debug information cannot show, because its
//! source has them as macros. Everything else is taken from DWARF.

/// `vnet_magic_n` of a vnet that is alive (VNET_MAGIC_N, `sys/net/vnet.c`): up
/// to 12 and in 13-CURRENT of 2019, and in kernels with `vnet_shutdown`.
pub const VNET_MAGICS: [u32; 2] = [0x3e0d_8f29, 0x5e4a_6f28];

/// `vnet_magic_n` of a vnet that vnet_destroy has just given up.
pub const VNET_MAGIC_DESTROYED: u32 = 0xdead_beef;

/// `vnet_state` of a vnet whose constructors have all run (SI_SUB_VNET_DONE,
/// `sys/sys/kernel.h`), where the kernel's own enum cannot be asked.
pub const SI_SUB_VNET_DONE: u64 = 0xdc0_0000;

/// `msg_magic` of the message buffer (MSG_MAGIC, `sys/sys/msgbuf.h`).
pub const MSG_MAGIC: u64 = 0x06_3062;

/// `pr_flags`: the prison has a vnet of its own (`sys/sys/jail.h`).
pub const PR_VNET: u64 = 0x10;

/// The bits of `oid_kind` that are the type of a sysctl (`sys/sys/sysctl.h`, 9.3 to main,
/// as the following).
pub const CTLTYPE: u64 = 0xf;

/// `oid_kind`: each vnet has a value of its own.
pub const CTLFLAG_VNET: u64 = 0x0002_0000;

/// `oid_kind`: left out of listings.
pub const CTLFLAG_SKIP: u64 = 0x0100_0000;

/// `oid_kind`: not active yet (12 and later).
pub const CTLFLAG_DORMANT: u64 = 0x2000_0000;

/// What the handler of a sysctl answers, where its rule is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandlerAnswer {
    /// The int at arg1, in ticks of `hz`, as milliseconds.
    MillisecondsOfTicks,
    /// The sbintime_t at arg1 in units of which a second has so many.
    OfSbintime {
        per_second: u32,
    },
    /// The bytes of as many pages as this variable says.
    BytesOfPages {
        variable: &'static str,
    },
    /// A text of the struct that a virtualized pointer leads to.
    NameBehind {
        variable: &'static str,
        member: &'static str,
    },
    /// The text in the prison of who asks, arg1 bytes from its start, arg2 bytes at most.
    PrisonTextAtArgument,
    PrisonText {
        member: &'static str,
    },
    PrisonNumber {
        member: &'static str,
    },
}

/// Handlers by name (`sys/kern/kern_sysctl.c`, `sys/kern/kern_mib.c`,
/// `sys/netinet/cc/cc.c`, 10 to main).
pub const SYSCTL_HANDLERS: [(&str, HandlerAnswer); 11] = {
    use HandlerAnswer::*;
    [
        ("sysctl_msec_to_ticks", MillisecondsOfTicks),
        ("sysctl_msec_to_sbintime", OfSbintime { per_second: 1_000 }),
        ("sysctl_usec_to_sbintime", OfSbintime { per_second: 1_000_000 }),
        ("sysctl_hw_physmem", BytesOfPages { variable: "physmem" }),
        ("sysctl_hw_realmem", BytesOfPages { variable: "realmem" }),
        ("cc_default_algo", NameBehind { variable: "default_cc_ptr", member: "name" }),
        // Host name, domain name and host UUID.
        ("sysctl_hostname", PrisonTextAtArgument),
        ("sysctl_hostid", PrisonNumber { member: "pr_hostid" }),
        ("sysctl_kern_securelvl", PrisonNumber { member: "pr_securelevel" }),
        ("sysctl_osrelease", PrisonText { member: "pr_osrelease" }),
        ("sysctl_osreldate", PrisonNumber { member: "pr_osreldate" }),
    ]
};

/// Where the members of `struct vnet` lie in a kernel without debug
/// information (`sys/net/vnet.h`, 9.3 to main).
#[derive(Debug, Clone, Copy)]
pub struct BareVnet {
    pub pointer_size: u64,
    pub magic: u64,
    pub ifcnt: u64,
    pub sockcnt: u64,
    /// Absent before 11.0 where pointers have 4 bytes; padding where they have 8.
    pub state: Option<u64>,
    pub data_mem: u64,
    pub data_base: u64,
}

/// The known shapes. Which one fits is told by the members themselves: a magic
/// number, and a data_base that follows from data_mem.
pub const BARE_VNETS: [BareVnet; 3] = [
    BareVnet {
        pointer_size: 8,
        magic: 16,
        ifcnt: 20,
        sockcnt: 24,
        state: Some(28),
        data_mem: 32,
        data_base: 40,
    },
    BareVnet {
        pointer_size: 4,
        magic: 8,
        ifcnt: 12,
        sockcnt: 16,
        state: Some(20),
        data_mem: 24,
        data_base: 28,
    },
    BareVnet {
        pointer_size: 4,
        magic: 8,
        ifcnt: 12,
        sockcnt: 16,
        state: None,
        data_mem: 20,
        data_base: 24,
    },
];

/// What the word of a rwlock or sx lock holds beside its lowest bits, which have
/// always been the same (`sys/sys/rwlock.h`, `sys/sys/sx.h`): LOCK_SHARED and the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockFlags {
    /// A writer spins for it.
    pub spinner: u64,
    /// Its owner holds it more than once.
    pub recursed: u64,
    /// Bits of flags; above them is the number of readers, or the owner's address.
    pub count: u32,
}

/// Not held, or held by readers; else by the thread whose address the word has.
pub const LOCK_SHARED: u64 = 1;
/// Readers wait for it.
pub const LOCK_SHARED_WAITERS: u64 = 2;
/// Writers wait for it.
pub const LOCK_EXCLUSIVE_WAITERS: u64 = 4;
/// The whole word of a lock that was destroyed.
pub const LOCK_DESTROYED: u64 = 6;

/// Since 12.0, where threads are aligned to 32 bytes.
pub const LOCK_FLAGS: LockFlags = LockFlags { spinner: 8, recursed: 0x10, count: 5 };
/// Rwlocks of earlier kernels.
pub const OLD_RW_FLAGS: LockFlags = LockFlags { spinner: 8, recursed: 0, count: 4 };
/// Sx locks of earlier kernels.
pub const OLD_SX_FLAGS: LockFlags = LockFlags { spinner: 0, recursed: 8, count: 4 };
/// The first `osreldate` whose locks have [`LOCK_FLAGS`].
pub const LOCK_FLAGS_SINCE: u64 = 1_200_000;
