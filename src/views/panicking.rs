//! Which functions only bring a machine down: those that a panic calls, and those that lead from
//! a fault to it.

/// Those that show that the machine did not go on.
pub(super) const DYING: [&str; 3] = ["panic", "vpanic", "trap_fatal"];

/// Whether a function is one that a panic calls, or one that leads from a fault to a panic.
pub(super) fn is_panicking(function: &str) -> bool {
    PANICKING.contains(&function)
}

/// `sys/kern/kern_shutdown.c`, `sys/kern/kern_dump.c`, `sys/kern/subr_kdb.c`, `sys/ddb`,
/// `sys/*/*/trap.c` and the assembler sources (12.1 to 15.0).
const PANICKING: [&str; 32] = [
    "doadump",
    "dumpsys",
    "dumpsys_generic",
    "minidumpsys",
    "cpu_minidumpsys",
    "savectx",
    "kern_reboot",
    "vpanic",
    "panic",
    "kassert_panic",
    "db_call",
    "db_command",
    "db_command_loop",
    "db_dump",
    "db_fncall",
    "db_script_exec",
    "db_trap",
    "kdb_enter",
    "kdb_reenter",
    "kdb_trap",
    "trap",
    "trap_fatal",
    "trap_pfault",
    "calltrap",
    // arm64
    "data_abort",
    "do_el1h_sync",
    "handle_el1h_sync",
    // riscv64
    "cpu_exception_handler_supervisor",
    "do_trap_supervisor",
    "page_fault_handler",
    // powerpc
    "generictrap",
    "powerpc_interrupt",
];
