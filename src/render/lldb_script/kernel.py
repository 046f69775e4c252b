# What the debugger knows of the kernel: its variables, its types, the size of its pointers.

import collections
import os
import re
import shlex
import shutil
import subprocess

import lldb

# Variables of every kernel.
ANCHORS = ("vnet0", "proc0", "thread0", "prison0", "mp_maxid")
# Integers as wide as a pointer.
ADDRESSES = ("uintptr_t", "vm_offset_t", "size_t")
MOST_ELEMENTS = 1 << 16
MAX_FOUND = 64


class Failure(Exception):
    """Ends a command or a function with a message."""


def fail(why):
    raise Failure(why)


def target():
    return lldb.debugger.GetSelectedTarget()


def process():
    return target().GetProcess()


def check():
    """Refuses to go on without a kernel that fits the debugger, and without its memory."""
    if not any(target().FindFirstGlobalVariable(name).IsValid() for name in ANCHORS):
        fail("The kernel's symbols are not loaded: use `target create kernel.debug`.")
    if not process().IsValid() or process().GetState() == lldb.eStateExited:
        fail("There is no dump: connect to vnetkvm gdb-server, or open a core.")
    found = (target().FindFirstType(name) for name in ADDRESSES)
    size = next((known.GetByteSize() for known in found if known.IsValid()), None)
    ours = target().GetAddressByteSize()
    if size is not None and size != ours:
        fail(
            "The kernel's pointers have %d bytes, this debugger's %d: read docs/kgdb.md of vnetkvm."
            % (size, ours)
        )
    place_modules()


def variables(name):
    """All variables of that name, static ones too."""
    found = target().FindGlobalVariables(name, MAX_FOUND)
    return [found.GetValueAtIndex(place) for place in range(found.GetSize())]


def find(name):
    """A variable; None if the kernel has none of that name."""
    return next(iter(variables(name)), None)


def variable(name):
    return find(name) or fail("The kernel has no variable %s." % name)


def struct(name):
    its_type = target().FindFirstType(name)
    return its_type if its_type.IsValid() else fail("The kernel has no struct %s." % name)


def at(address, its_type, name="value"):
    """What lies at an address."""
    place = lldb.SBAddress(address, target())
    value = target().CreateValueFromAddress(name, place, its_type)
    return value if value.IsValid() else fail("There is no memory at 0x%x." % address)


def number(value):
    """A pointer or an integer, without a sign."""
    error = lldb.SBError()
    known = value.GetValueAsUnsigned(error, 0)
    if not value.IsValid() or error.Fail():
        fail("%s cannot be read." % (value.GetName() or "A value"))
    return known


def integer(value):
    return value.GetValueAsSigned(0)


def member(value, path):
    """A member of a struct, or of what a pointer leads to: vnet_le.le_next"""
    for name in path.split("."):
        value = value.GetChildMemberWithName(name)
    return value if value.IsValid() else fail("There is no member %s." % path)


def has(its_type, name):
    fields = (its_type.GetFieldAtIndex(place) for place in range(its_type.GetNumberOfFields()))
    return any(field.GetName() == name for field in fields)


def text_of(value, longest=1024):
    """A C string, or what an array of characters holds."""
    error = lldb.SBError()
    is_pointer = value.GetType().GetCanonicalType().IsPointerType()
    address = number(value) if is_pointer else value.GetLoadAddress()
    text = process().ReadCStringFromMemory(address, longest, error) if address else ""
    return "".join(each if each.isprintable() else "?" for each in text or "")


def some(head, first, following, what):
    """Pointers to the elements of a list, and what is wrong with it or None."""
    found, seen = [], set()
    element = member(head, first)
    while number(element) != 0:
        if number(element) in seen:
            return found, "The list of %s comes back to 0x%x." % (what, number(element))
        if len(found) >= MOST_ELEMENTS:
            return found, "The list of %s has more than %d elements." % (what, MOST_ELEMENTS)
        seen.add(number(element))
        found.append(element)
        try:
            element = member(element, following)
            number(element)
        except Failure:
            place = number(found[-1])
            found.pop()
            return found, "The list of %s leads to 0x%x, which cannot be read." % (what, place)
    return found, None
