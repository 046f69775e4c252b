//! The few numbers that a kernel's debug information cannot show because they are
//! macros in its source. Everything else comes from DWARF.

/// `vnet_magic_n` of a live vnet (VNET_MAGIC_N, `sys/net/vnet.h`): the first value up to
/// 12 and in 13-CURRENT of 2019, the second in kernels with `vnet_shutdown`.
pub const VNET_MAGICS: [u32; 2] = [0x3e0d_8f29, 0x5e4a_6f28];

/// `vnet_magic_n` of a vnet that `vnet_destroy` has just given up.
pub const VNET_MAGIC_DESTROYED: u32 = 0xdead_beef;

/// `vnet_state` of a vnet whose constructors have all run (SI_SUB_VNET_DONE,
/// `sys/sys/kernel.h`), for kernels whose enum is not available.
pub const SI_SUB_VNET_DONE: u64 = 0xdc0_0000;

/// `msg_magic` of the message buffer (MSG_MAGIC, `sys/sys/msgbuf.h`).
pub const MSG_MAGIC: u64 = 0x06_3062;

/// `pr_flags`: the prison has its own vnet (`sys/sys/jail.h`).
pub const PR_VNET: u64 = 0x10;

/// The bits of `oid_kind` that hold the type of a sysctl (`sys/sys/sysctl.h`, 9.3 to main,
/// like the next three).
pub const CTLTYPE: u64 = 0xf;

/// `oid_kind`: each vnet has its own value.
pub const CTLFLAG_VNET: u64 = 0x0002_0000;

/// `oid_kind`: omitted from listings.
pub const CTLFLAG_SKIP: u64 = 0x0100_0000;

/// `oid_kind`: not active yet (12 and later).
pub const CTLFLAG_DORMANT: u64 = 0x2000_0000;

/// The answer of a sysctl handler whose rule is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandlerAnswer {
    /// The int at arg1, in ticks of `hz`, as milliseconds.
    MillisecondsOfTicks,
    /// The sbintime_t at arg1, in units of 1/`per_second` of a second.
    OfSbintime { per_second: u32 },
    /// The number of pages in this variable, in bytes.
    BytesOfPages { variable: &'static str },
    /// A text member of the struct that a virtualized pointer points to.
    NameBehind { variable: &'static str, member: &'static str },
    /// The text in the caller's prison, arg1 bytes from its start, at most arg2 bytes.
    PrisonTextAtArgument,
    /// A text member of the caller's prison.
    PrisonText { member: &'static str },
    /// A numeric member of the caller's prison.
    PrisonNumber { member: &'static str },
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

/// Offsets of the members of `struct vnet`, in bytes, for a kernel without debug
/// information (`sys/net/vnet.h`, 9.3 to main).
#[derive(Debug, Clone, Copy)]
pub struct BareVnet {
    pub pointer_size: u64,
    pub magic: u64,
    pub ifcnt: u64,
    pub sockcnt: u64,
    /// Absent before 11.0 where pointers have 4 bytes, and padding where they have 8.
    pub state: Option<u64>,
    pub data_mem: u64,
    pub data_base: u64,
}

/// The known layouts. The members themselves show which one fits: a magic
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

/// The flags in the word of a rwlock or sx lock beside its lowest bits. The lowest bits have
/// never changed (`sys/sys/rwlock.h`, `sys/sys/sx.h`): LOCK_SHARED and the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockFlags {
    /// A writer is spinning for it.
    pub spinner: u64,
    /// Its owner holds it more than once.
    pub recursed: u64,
    /// How many bits are flags. The bits above them hold the number of readers or the owner's
    /// address.
    pub count: u32,
}

/// Not held, or held by readers. Without this bit the word holds the address of the owning
/// thread.
pub const LOCK_SHARED: u64 = 1;
/// Readers are waiting for it.
pub const LOCK_SHARED_WAITERS: u64 = 2;
/// Writers are waiting for it.
pub const LOCK_EXCLUSIVE_WAITERS: u64 = 4;
/// The whole word of a destroyed lock.
pub const LOCK_DESTROYED: u64 = 6;

/// Since 12.0, in which threads are aligned to 32 bytes.
pub const LOCK_FLAGS: LockFlags = LockFlags { spinner: 8, recursed: 0x10, count: 5 };
/// Rwlocks of older kernels.
pub const OLD_RW_FLAGS: LockFlags = LockFlags { spinner: 8, recursed: 0, count: 4 };
/// Sx locks of older kernels.
pub const OLD_SX_FLAGS: LockFlags = LockFlags { spinner: 0, recursed: 8, count: 4 };
/// The first `osreldate` whose locks use [`LOCK_FLAGS`].
pub const LOCK_FLAGS_SINCE: u64 = 1_200_000;
/// Locks of lockmgr up to 12 (`sys/sys/lockmgr.h`). Later ones use [`LOCK_FLAGS`].
pub const OLD_LOCKMGR_FLAGS: LockFlags = LockFlags { spinner: 8, recursed: 0, count: 4 };
/// The first `osreldate` whose locks of lockmgr use [`LOCK_FLAGS`]: 13.0.
pub const LOCKMGR_FLAGS_SINCE: u64 = 1_300_139;

/// The words of a mutex without an owner (`sys/sys/mutex.h`). Otherwise its word is the owner's
/// address and some of [`MUTEX_FLAGS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MutexWords {
    /// MTX_UNOWNED
    pub free: u64,
    /// MTX_DESTROYED
    pub destroyed: u64,
}

/// The owner has it more than once.
pub const MUTEX_RECURSED: u64 = 1;
/// Others wait for it.
pub const MUTEX_CONTESTED: u64 = 2;
/// It has no owner.
pub const MUTEX_NOT_OWNED: u64 = 4;
/// All flags.
pub const MUTEX_FLAGS: u64 = 7;

/// Since 12.0.
pub const MUTEX_WORDS: MutexWords = MutexWords { free: 0, destroyed: 4 };
/// Up to 10.
pub const OLD_MUTEX_WORDS: MutexWords = MutexWords { free: 4, destroyed: 6 };
/// What is certain in 11, whose releases use one and the other: 4 may mean both.
pub const MIXED_MUTEX_WORDS: MutexWords = MutexWords { free: 0, destroyed: 6 };
/// The first `osreldate` whose mutexes use [`MUTEX_WORDS`].
pub const MUTEX_WORDS_SINCE: u64 = 1_200_000;
/// The first `osreldate` that may use them: 11.0.
pub const MIXED_MUTEX_WORDS_SINCE: u64 = 1_100_000;

/// `lo_flags` of every kind of lock (`sys/sys/lock.h`, 9 to main): it is initialised, and not
/// destroyed.
pub const LO_INITIALIZED: u64 = 0x1_0000;
/// `lo_flags`: it may be held while its owner sleeps.
pub const LO_SLEEPABLE: u64 = 0x10_0000;

/// The first `osreldate` whose minidumps have a dump_avail (MINIDUMP_VERSION in
/// `sys/*/include/minidump.h`): 13.0.
pub const DUMP_AVAIL_SINCE: u64 = 1_300_139;

/// The first `osreldate` whose arm64 minidumps have flags (`sys/arm64/include/minidump.h`): 14.0.
pub const ARM64_MINIDUMP_FLAGS_SINCE: u64 = 1_400_097;

/// `m_flags`: the data of an mbuf is elsewhere; and it begins a packet (`sys/sys/mbuf.h`, 10 to main).
pub const M_EXT: u64 = 1;
/// See [`M_EXT`].
pub const M_PKTHDR: u64 = 2;
/// `m_flags`: the data of an mbuf is in pages that have no address (13 and later, where
/// `struct m_ext` has `extpg_pa`). It may come without [`M_EXT`].
pub const M_EXTPG: u64 = 0x100;
/// The names of `m_flags` up to 12 (`sys/sys/mbuf.h`, 10 to 12).
pub const MBUF_FLAGS: [(u64, &str); 23] = [
    (M_EXT, "M_EXT"),
    (M_PKTHDR, "M_PKTHDR"),
    (0x4, "M_EOR"),
    (0x8, "M_RDONLY"),
    (0x10, "M_BCAST"),
    (0x20, "M_MCAST"),
    (0x40, "M_PROMISC"),
    (0x80, "M_VLANTAG"),
    (0x200, "M_NOFREE"),
    (0x400, "M_TSTMP"),
    (0x800, "M_TSTMP_HPREC"),
    (0x1000, "M_PROTO1"),
    (0x2000, "M_PROTO2"),
    (0x4000, "M_PROTO3"),
    (0x8000, "M_PROTO4"),
    (0x1_0000, "M_PROTO5"),
    (0x2_0000, "M_PROTO6"),
    (0x4_0000, "M_PROTO7"),
    (0x8_0000, "M_PROTO8"),
    (0x10_0000, "M_PROTO9"),
    (0x20_0000, "M_PROTO10"),
    (0x40_0000, "M_PROTO11"),
    (0x80_0000, "M_PROTO12"),
];
/// Those that are certain in 13 and later, where the higher ones moved by a bit.
pub const MBUF_FLAGS_SINCE_PAGES: [(u64, &str); 12] = [
    (M_EXT, "M_EXT"),
    (M_PKTHDR, "M_PKTHDR"),
    (0x4, "M_EOR"),
    (0x8, "M_RDONLY"),
    (0x10, "M_BCAST"),
    (0x20, "M_MCAST"),
    (0x40, "M_PROMISC"),
    (0x80, "M_VLANTAG"),
    (M_EXTPG, "M_EXTPG"),
    (0x200, "M_NOFREE"),
    (0x400, "M_TSTMP"),
    (0x800, "M_TSTMP_HPREC"),
];
/// `m_type` of an mbuf that is free.
pub const MT_NOTMBUF: u64 = 0;
/// The names of `m_type` (`sys/sys/mbuf.h`, 10 to main). 15 means one thing in old kernels and
/// another in new ones.
pub const MBUF_TYPE_NAMES: [(u64, &str); 12] = [
    (MT_NOTMBUF, "MT_NOTMBUF"),
    (1, "MT_DATA"),
    (4, "MT_VENDOR1"),
    (5, "MT_VENDOR2"),
    (6, "MT_VENDOR3"),
    (7, "MT_VENDOR4"),
    (8, "MT_SONAME"),
    (9, "MT_EXP1"),
    (10, "MT_EXP2"),
    (11, "MT_EXP3"),
    (12, "MT_EXP4"),
    (14, "MT_CONTROL"),
];
/// More of them, in 13 and later.
pub const MBUF_TYPE_NAMES_SINCE_PAGES: [(u64, &str); 2] =
    [(15, "MT_EXTCONTROL"), (16, "MT_OOBDATA")];
/// The names of `ext_type` (`sys/sys/mbuf.h`, 10 to main). 8 means one thing in 11 and another in
/// 12 and later.
pub const EXTERNAL_STORAGE: [(u64, &str); 19] = [
    (1, "EXT_CLUSTER"),
    (2, "EXT_SFBUF"),
    (3, "EXT_JUMBOP"),
    (4, "EXT_JUMBO9"),
    (5, "EXT_JUMBO16"),
    (6, "EXT_PACKET"),
    (7, "EXT_MBUF"),
    (224, "EXT_VENDOR1"),
    (225, "EXT_VENDOR2"),
    (226, "EXT_VENDOR3"),
    (227, "EXT_VENDOR4"),
    (244, "EXT_EXP1"),
    (245, "EXT_EXP2"),
    (246, "EXT_EXP3"),
    (247, "EXT_EXP4"),
    (252, "EXT_NET_DRV"),
    (253, "EXT_MOD_TYPE"),
    (254, "EXT_DISPOSABLE"),
    (255, "EXT_EXTREF"),
];
/// `m_type` of mbufs in use: MT_DATA and those after it. MT_NOTMBUF is 0.
pub const MBUF_TYPES: std::ops::Range<u64> = 1..32;

/// `flags` of a page: it is not to be dumped (`sys/vm/vm_page.h`, 13 to main, where the flags have 8
/// bits; and before, where they have 16).
pub const PG_NODUMP: u64 = 0x10;
/// See [`PG_NODUMP`].
pub const OLD_PG_NODUMP: u64 = 0x80;
