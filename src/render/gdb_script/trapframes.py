# Entry points of the kernel and struct trapframe of each architecture (sys/*/*/db_trace.c and the
# assembler sources, 12.1 and 14.0).


FORK = "fork_trampoline"


def is_known(value):
    try:
        number(value)
        return True
    except gdb.error:
        return False


class Amd64:
    entries = re.compile(
        r"(calltrap|mchk_calltrap|nmi_calltrap|Xdblfault|Xtimerint|Xipi_intr_bitmap_handler|Xcpustop"
        r"|Xcpususpend|Xrendezvous|Xxen_intr_upcall|Xfast_syscall|fast_syscall_common"
        r"|Xint0x80_syscall|Xlcall_syscall|Xatpic_intr\d*|Xapic_isr\d*)(_pti)?$"
    )
    counter, stack, frame, link = "rip", "rsp", "rbp", None
    # What is 0 where a stack ends.
    ends = ("rip", "rbp")
    registers = "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip".split()

    def entry(self, function_at, back):
        """The entry point that a call returns to; None if it is another function."""
        name, _ = function_at(back - 1)
        return name if name == FORK or self.entries.match(name) else None

    def read_all(self, pending):
        """The registers of a frame, as far as they are known."""
        read_ones = ((name, pending.read_register(name)) for name in self.registers)
        return {name: value for name, value in read_ones if is_known(value)}

    def place(self, pending, stack):
        """Where the trap frame is."""
        return stack

    def saved(self, frame):
        """The registers that it has."""
        found = {name: frame["tf_" + name] for name in self.registers}
        found.update(eflags=frame["tf_rflags"], cs=frame["tf_cs"], ss=frame["tf_ss"])
        return found

    def from_user(self, frame, entry):
        """Whether it has what ran in user space."""
        return int(frame["tf_cs"]) & 3 == 3


class I386(Amd64):
    counter, stack, frame = "eip", "esp", "ebp"
    ends = ("eip", "ebp")
    registers = "eax ebx ecx edx esi edi ebp eip esp".split()

    def place(self, pending, stack):
        # Since 12 ebp leads to it, past an argument of the call.
        base = register(pending, "ebp")
        return base if 0 <= base - stack <= 16 else stack

    def saved(self, frame):
        found = {name: frame["tf_" + name] for name in self.registers + ["eflags", "cs"]}
        # Within the kernel the processor pushes no stack pointer: the stack goes on there.
        place = gdb.Value(number(frame["tf_esp"].address))
        found["esp"] = frame["tf_esp"] if self.from_user(frame, None) else place
        return found


class Arm64(Amd64):
    entries = re.compile(r"handle_el(1h_sync|1h_irq|0_sync|0_irq|0_error)$")
    counter, stack, frame, link = "pc", "sp", "x29", "x30"
    ends = ("pc", "x29")
    registers = ["x%d" % each for each in range(31)] + ["sp", "pc"]

    def place(self, pending, stack):
        # The entry point makes a frame right above it.
        return register(pending, "x29") - gdb.lookup_type("struct trapframe").sizeof

    def saved(self, frame):
        found = {"x%d" % each: frame["tf_x"][each] for each in range(30)}
        found.update(x30=frame["tf_lr"], sp=frame["tf_sp"], pc=frame["tf_elr"])
        return found

    def from_user(self, frame, entry):
        return "_el0_" in entry


class Riscv64(Amd64):
    entries = re.compile(r"cpu_exception_handler_(supervisor|user)$")
    counter, stack, frame, link = "pc", "sp", "fp", "ra"
    ends = ("pc", "fp")
    registers = ["ra", "sp", "gp", "tp", "fp", "pc"] + [
        letter + str(each)
        for letter, first, last in (("t", 0, 6), ("s", 1, 11), ("a", 0, 7))
        for each in range(first, last + 1)
    ]

    def place(self, pending, stack):
        return stack

    def saved(self, frame):
        found = {name: frame["tf_" + name] for name in ("ra", "sp", "gp", "tp")}
        for letter, count in (("t", 7), ("s", 12), ("a", 8)):
            for each in range(count):
                name = "fp" if (letter, each) == ("s", 0) else letter + str(each)
                found[name] = frame["tf_" + letter][each]
        found["pc"] = frame["tf_sepc"]
        return found

    def from_user(self, frame, entry):
        return entry.endswith("_user")


class Powerpc64(Amd64):
    counter, stack, frame, link = "pc", "r1", "r31", "lr"
    ends = ("pc", "lr", "r1")
    registers = ["r%d" % each for each in range(32)] + ["pc", "lr"]

    labels = ("trapexit", "asttrapexit")

    def entry(self, function_at, back):
        name, _ = function_at(back - 1)
        if name == FORK:
            return name
        # A label is behind the call of the handler, and the word after it.
        found = (number(gdb.parse_and_eval("&" + label)) for label in self.labels)
        return name if back + 4 in found else None

    def place(self, pending, stack):
        return stack + 48

    def saved(self, frame):
        found = {"r%d" % each: frame["fixreg"][each] for each in range(32)}
        found.update(pc=frame["srr0"], lr=frame["lr"])
        return found

    def from_user(self, frame, entry):
        # PSL_PR
        return int(frame["srr1"]) & 0x4000 != 0


def machine_of(name):
    """The machine that the debugger calls so; None if its trap frames are not known."""
    for start, machine in (
        ("i386:x86-64", Amd64),
        ("i386", I386),
        ("aarch64", Arm64),
        ("riscv:rv64", Riscv64),
        ("powerpc:common64", Powerpc64),
    ):
        if name.startswith(start):
            return machine()
    return None
