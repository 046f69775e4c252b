# The unwinder for trap frames. Behind a call from one of the kernel's entry points there is no call
# but a struct trapframe, with the registers of what was interrupted.

PUSH_FRAME_POINTER = b"\x55"
MOST_INTERRUPTED = 10000


class FrameId:
    """What gdb takes for the identity of a frame."""

    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


class TrapFrames(gdb.unwinder.Unwinder):
    """Unwinds from the kernel's entry points to what was interrupted."""

    def __init__(self):
        super().__init__("vnetkvm")
        # Functions by address, since gdb asks for the same again and again, and where the kernel is.
        self.functions, self.kernel = {}, None
        # What was interrupted, by its counter and stack pointer: the trap frame if that is in user
        # space, else None.
        self.interrupted = {}

    def __call__(self, pending):
        try:
            return self.unwind(pending)
        except (gdb.error, ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            # What cannot be read is left to gdb.
            return None

    def unwind(self, pending):
        machine = machine_of(pending.architecture().name())
        if machine is None or anchor() is None:
            return None
        self.notice_move(number(anchor().value().address))
        counter, stack = register(pending, machine.counter), register(pending, machine.stack)
        if (counter, stack) in self.interrupted:
            trap = self.interrupted[counter, stack]
            if trap is not None:
                # gdb refuses a stack that does not rise, so this one begins above the trap frame.
                return outermost(pending, machine, trap + 1)
            return self.caller_of_entered(pending, machine, counter, stack)
        name = machine.entry(self.function_at, signed_off(counter))
        if name is None or knows_trap_frames():
            return None
        if name == FORK:
            return outermost(pending, machine, stack)
        return self.behind(pending, machine, name, stack)

    def notice_move(self, kernel):
        """A kernel that was loaded or moved has other functions."""
        if self.kernel != kernel:
            self.forget()
            self.kernel = kernel

    def forget(self, event=None):
        self.functions.clear()
        self.interrupted.clear()

    def behind(self, pending, machine, entry, stack):
        """What was interrupted where the kernel was entered."""
        place = machine.place(pending, stack)
        frame = at(place, gdb.lookup_type("struct trapframe"))
        saved, from_user = machine.saved(frame), machine.from_user(frame, entry)
        if not from_user:
            called_null(machine, saved)
        if len(self.interrupted) > MOST_INTERRUPTED:
            self.interrupted.clear()
        key = number(saved[machine.counter]), number(saved[machine.stack])
        self.interrupted[key] = place if from_user else None
        return unwound(pending, machine, place, saved)

    def caller_of_entered(self, pending, machine, counter, stack):
        """The caller of a function that was interrupted before it had a frame. gdb takes the counter for
        a return address, and looks at the instruction before it."""
        name, offset = self.function_at(counter)
        pushed = offset == 1 and read(counter - 1, 1) == PUSH_FRAME_POINTER
        if offset != 0 and not (machine.link is None and pushed):
            return None
        saved = machine.read_all(pending)
        if machine.link is not None:
            saved[machine.counter] = pending.read_register(machine.link)
            return unwound(pending, machine, stack, saved)
        word = address_type().sizeof
        if pushed:
            saved[machine.frame] = at(stack, address_type())
            stack += word
        saved[machine.counter] = at(stack, address_type())
        saved[machine.stack] = gdb.Value(stack + word)
        return unwound(pending, machine, stack, saved)

    def function_at(self, address):
        """The name of the function at an address, and the offset in it; "" if there is none."""
        known = self.functions.get(address)
        if known is None:
            told = gdb.execute("info symbol 0x%x" % (address & mask()), to_string=True)
            found = re.match(r"(\S+)(?: \+ (\d+))? in section", told)
            known = (found.group(1), int(found.group(2) or 0)) if found else ("", None)
            self.functions[address] = known
        return known


def knows_trap_frames():
    """Whether the debugger is a kgdb that has an unwinder of its own for them."""
    return "kernel" in gdb.execute("show osabi", to_string=True)


def called_null(machine, saved):
    """If a null pointer was called, what was interrupted is its caller."""
    if number(saved[machine.counter]) != 0:
        return
    if machine.link is not None:
        saved[machine.counter] = saved[machine.link]
        return
    top = number(saved[machine.stack])
    saved[machine.counter] = at(top, address_type())
    saved[machine.stack] = gdb.Value(top + address_type().sizeof)


def signed_off(counter):
    """An address of code without the signature that arm64 has in its upper bits."""
    return counter | 0xFFFF << 48 if counter >> 55 & 1 else counter


def register(pending, name):
    return number(pending.read_register(name))


def outermost(pending, machine, place):
    """The end of a stack: gdb goes no further than a counter of 0."""
    saved = {machine.stack: gdb.Value(place)}
    saved.update((name, gdb.Value(0)) for name in machine.ends)
    return unwound(pending, machine, place, saved)


def unwound(pending, machine, place, saved):
    frame = FrameId(gdb.Value(place), pending.read_register(machine.counter))
    info = pending.create_unwind_info(frame)
    for name, value in saved.items():
        its_type = pending.read_register(name).type
        # gdb casts no number to flags, and asks only for their size.
        if its_type.code == gdb.TYPE_CODE_FLAGS:
            its_type = gdb.lookup_type("unsigned int")
        info.add_saved_register(name, gdb.Value(number(value)).cast(its_type))
    return info
