# A variable has a master copy, and each vnet or CPU has its own at a distance from it.
#
# A module's variables were moved when it was loaded (sys/kern/link_elf.c, link_elf_obj.c). The
# debugger is told where its sections are, so that its symbols have their addresses too.

# Where the linker sets of modules are, by the module's name and that of the set.
MOVED = {}


class Placed:
    """The process whose modules have their places, and how many there were; None at first."""

    last = None


def place_modules():
    """Tells the debugger where the sections of modules are."""
    now = process().GetUniqueID(), target().GetNumModules()
    if Placed.last == now:
        return
    Placed.last = now
    files = {module_name(module): module for module in target().module_iter()}
    if len(files) < 2 or find("linker_files") is None:
        return
    kernel = number(variable("linker_kernel_file"))
    for file in some(variable("linker_files"), "tqh_first", "link.tqe_next", "modules")[0]:
        try:
            module = files.get(os.path.basename(text_of(member(file, "filename"))))
            if number(file) != kernel and module is not None:
                place_module(module, file)
        except Failure:
            continue


def module_name(module):
    file = module.GetFileSpec().GetFilename() or ""
    return file[: -len(".debug")] if file.endswith(".debug") else file


def place_module(module, file):
    is_object = text_of(member(file, "ops.cls.name")).endswith("_obj")
    found = target().FindTypes("elf_file")
    types = [found.GetTypeAtIndex(place) for place in range(found.GetSize())]
    its_type = next((each for each in types if has(each, "progtab") == is_object), None)
    if its_type is None:
        fail("The kernel's debug information has no struct elf_file.")
    loaded = at(number(file), its_type, "module")
    if is_object:
        place_sections(module, loaded)
        return
    target().SetModuleLoadAddress(module, number(member(file, "address")))
    for name, base in (("set_vnet", "vnet_base"), ("set_pcpu", "pcpu_base")):
        # A base of 0 means that there is none.
        if has(its_type, base) and number(member(loaded, base)) != 0:
            MOVED[module_name(module), name] = number(member(loaded, base))


def place_sections(module, loaded):
    """Those of an object file, each of which has a place of its own."""
    left = list(module.section_iter())
    table = member(loaded, "progtab")
    entry, start = table.GetType().GetPointeeType(), number(table)
    for place in range(min(number(member(loaded, "nprogtab")), MOST_ELEMENTS)):
        section = at(start + place * entry.GetByteSize(), entry, "section")
        named = text_of(member(section, "name"), 64)
        own = next((each for each in left if each.GetName() == named), None)
        if own is not None:
            left.remove(own)
            target().SetSectionLoadAddress(own, number(member(section, "addr")))
            MOVED[module_name(module), named] = number(member(section, "addr"))


def master(prefix, wanted):
    """The master copy of a variable, which may be that of a file or a module: name@file.c"""
    name, *files = wanted.split("@")
    found = [each for each in variables(prefix + name) if all(is_of(each, file) for file in files)]
    if not found:
        fail("There is no variable %s." % wanted)
    places = {each.GetAddress().GetFileAddress(): each for each in found}
    if len(places) > 1:
        names = sorted(name + "@" + "@".join(files_of(each)) for each in places.values())
        fail("Several files define %s: %s." % (name, ", ".join(names)))
    return found[0]


def place_of(value):
    """The address of a master copy."""
    address = value.GetAddress()
    module, section = address.GetModule(), address.GetSection()
    base = MOVED.get((module_name(module), section.GetName()))
    if base is not None:
        return base + address.GetFileAddress() - section.GetFileAddress()
    known = value.GetLoadAddress()
    if known == lldb.LLDB_INVALID_ADDRESS:
        fail("It is not known where %s was loaded." % value.GetName())
    return known


def files_of(value):
    """The file that defines a variable, and its module."""
    module = value.GetAddress().GetModule()
    is_kernel = module == target().GetModuleAtIndex(0)
    file = value.GetDeclaration().GetFileSpec().GetFilename() or "?"
    return [file, "kernel" if is_kernel else module_name(module)]


def is_of(value, file):
    return file in files_of(value)


def copy(name, value, distance):
    """The copy of a variable at a distance from its master."""
    bits = 8 * target().GetAddressByteSize()
    address = place_of(value) + distance & (1 << bits) - 1
    return at(address, value.GetType(), name)


def V(name, vnet=None):
    """A variable in a vnet, by default the chosen one: V("ip_defttl", "web01")"""
    check()
    pointer = current_vnet() if vnet is None else vnet_of(vnet)
    distance = number(member(pointer, "vnet_data_base"))
    return copy(name, master("vnet_entry_", name), distance)


def DPCPU(name, cpu):
    """A per-CPU variable of a CPU: DPCPU("nws", 0)"""
    check()
    offsets = variable("dpcpu_off")
    offset = offsets.GetChildAtIndex(int(cpu), lldb.eNoDynamicValues, True)
    known = number(offset) if offset.IsValid() and int(cpu) < offsets.GetNumChildren() else 0
    if known == 0:
        fail("There is no CPU %s." % cpu)
    return copy(name, master("pcpu_entry_", name), known)


def cpus():
    """The numbers of the CPUs."""
    offsets = variable("dpcpu_off")
    return [place for place in range(offsets.GetNumChildren())
            if number(offsets.GetChildAtIndex(place)) != 0]
