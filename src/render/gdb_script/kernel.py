# What the debugger knows of the kernel: its variables, its types, the size of its pointers.

import collections
import ipaddress
import os
import re
import shutil
import subprocess

import gdb
import gdb.printing
import gdb.unwinder

# Variables of every kernel, in some file that has static ones as well.
ANCHORS = ("vnet0", "proc0", "thread0", "prison0", "mp_maxid")
# Integers as wide as a pointer. The debugger has their size from the kernel's debug information.
ADDRESSES = ("uintptr_t", "vm_offset_t", "size_t")


def fail(why):
    """Ends a command or a function with a message."""
    raise gdb.GdbError(why)


def anchor():
    """A variable of the kernel; None if its symbols are not loaded."""
    found = (gdb.lookup_global_symbol(name) for name in ANCHORS)
    return next((symbol for symbol in found if symbol is not None), None)


def type_named(name):
    try:
        return gdb.lookup_type(name)
    except gdb.error:
        return None


def address_type():
    found = (type_named(name) for name in ADDRESSES)
    return next((known for known in found if known is not None), None)


def wrong_pointers():
    """Why this debugger cannot use the kernel's addresses; None if it can or has no kernel."""
    known = address_type() if anchor() is not None else None
    ours = gdb.lookup_type("char").pointer().sizeof
    if known is None or known.sizeof == ours:
        return None
    return (
        "The kernel's pointers have %d bytes, this debugger's %d: read docs/kgdb.md of vnetkvm."
        % (known.sizeof, ours)
    )


def check():
    """Refuses to go on without a kernel that fits the debugger."""
    if anchor() is None:
        fail("The kernel's symbols are not loaded: use `file kernel.debug`.")
    wrong = wrong_pointers()
    if wrong is not None:
        fail(wrong)


def find(name):
    """A variable's symbol, static or not; None if the kernel has no such variable."""
    symbol = gdb.lookup_global_symbol(name)
    start = anchor()
    if symbol is None and start is not None:
        symbol = gdb.lookup_symbol(name, start.symtab.static_block())[0]
    return symbol


def variable(name):
    symbol = find(name)
    if symbol is None:
        fail("The kernel has no variable %s." % name)
    return symbol.value()


def mask():
    return (1 << 8 * gdb.lookup_type("char").pointer().sizeof) - 1


def number(value):
    """A pointer or an integer as an address, without a sign."""
    return int(value.cast(address_type())) & mask()


def at(address, its_type):
    """What lies at an address."""
    return gdb.Value(address & mask()).cast(its_type.pointer()).dereference()


def members(its_type):
    return {field.name: field for field in its_type.strip_typedefs().fields()}


def read(address, size):
    return bytes(gdb.selected_inferior().read_memory(address, size))


def order():
    """The order of the target's bytes."""
    return "little" if "little" in gdb.execute("show endian", to_string=True) else "big"


def text_of(value, longest=1024):
    """A C string, of which bytes that are no UTF-8 are replaced."""
    if value.type.strip_typedefs().code == gdb.TYPE_CODE_ARRAY:
        place, longest = value.address, min(longest, value.type.strip_typedefs().sizeof)
    else:
        place = value
    known = c_string(number(place), longest).decode("utf-8", "replace")
    return "".join(each if each.isprintable() else "?" for each in known)


def c_string(address, longest):
    found = b""
    while len(found) < longest:
        # Up to the end of a small block: the next one may not be there.
        size = min(64 - address % 64, longest - len(found))
        part = read(address, size)
        end = part.find(b"\0")
        if end >= 0:
            return found + part[:end]
        found, address = found + part, address + size
    return found
