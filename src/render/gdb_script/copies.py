# Where the copies of a linker set's variables are: those of the kernel and those of modules.
#
# A variable has a master copy, and each vnet or CPU has its own at a distance from it. The debugger
# has the master's address for a variable of the kernel. That of a module was moved when the
# module was loaded (sys/kern/link_elf.c, link_elf_obj.c).

Set = collections.namedtuple("Set", "section prefix bounds")
VNET = Set("set_vnet", "vnet_entry_", "vnet")
DPCPU = Set("set_pcpu", "pcpu_entry_", "pcpu")

MOST_SECTIONS = 4096
LARGEST_TABLE = 1 << 26


def master(linker_set, wanted):
    """The address of a variable's master copy, and the variable's type."""
    name, *files = wanted.split("@")
    symbol = definition(linker_set.prefix + name, files)
    if symbol is None:
        found = None if files else untyped(linker_set, name)
        return found or fail("There is no variable %s in %s." % (wanted, linker_set.section))
    value = symbol.value()
    address = number(value.address)
    if module_of(symbol) != "kernel":
        address = moved(linker_set, symbol, address)
    return address, value.type


def definition(name, files):
    """The symbol of a variable; None if there is none. Of several it is the one of the files given: a
    source file, a module, or both."""
    found = {}
    for symbol in definitions(name):
        if all(file in files_of(symbol) for file in files):
            found.setdefault(number(symbol.value().address), symbol)
    if len(found) > 1:
        several = [files_of(symbol) for symbol in found.values()]
        unique = len({each[0] for each in several}) == len(several)
        plain = name.split("_entry_", 1)[1]
        names = ["@".join([plain, each[0]] + ([] if unique else each[-1:])) for each in several]
        fail("Several files define %s: %s." % (plain, ", ".join(sorted(names))))
    return next(iter(found.values()), None)


def definitions(name):
    found = [gdb.lookup_global_symbol(name)]
    if hasattr(gdb, "lookup_static_symbols"):
        found += gdb.lookup_static_symbols(name)
    else:
        # gdb before 10 tells one of several.
        found.append(find(name))
    return [symbol for symbol in found if symbol is not None]


def files_of(symbol):
    """Names of the file that defines a variable: its own, longer ones, and the module's."""
    parts = symbol.symtab.filename.split("/")
    return ["/".join(parts[-each:]) for each in range(1, len(parts) + 1)] + [module_of(symbol)]


def module_of(symbol):
    """kernel, or the name of a module: if_gif.ko."""
    if symbol.symtab.objfile == anchor().symtab.objfile:
        return "kernel"
    file = os.path.basename(symbol.symtab.objfile.filename)
    return file[: -len(".debug")] if file.endswith(".debug") else file


def modules():
    """The loaded modules that can be read, as the linker's own struct elf_file."""
    kernel = number(variable("linker_kernel_file"))
    for file in some(variable("linker_files"), "link", "modules")[0]:
        if number(file) == kernel:
            continue
        try:
            yield elf_file(file)
        except (gdb.error, gdb.GdbError):
            continue


def elf_file(file):
    """The struct behind a struct linker_file. Both of the kernel's linkers call theirs elf_file; the
    right one is of the file that defines the linker's class."""
    place = number(file["ops"]["cls"])
    name = gdb.execute("info symbol 0x%x" % place, to_string=True).split()[0]
    symbol = find(name)
    if symbol is None:
        fail("The linker of %s is unknown." % text_of(file["filename"]))
    its_type = gdb.lookup_type("struct elf_file", symbol.symtab.static_block())
    return file.cast(its_type.pointer()).dereference()


def parts(linker_set, module):
    """The parts of a module that were moved: start, size, and where the master copy is."""
    known = members(module.type)
    if "progtab" in known:
        for place in range(min(int(module["nprogtab"]), MOST_SECTIONS)):
            section = module["progtab"][place]
            named = number(section["name"])
            if named == 0 or text_of(section["name"], 64) != linker_set.section:
                continue
            size, base = int(section["size"]), number(section["addr"])
            # Since 15 the linker keeps where it was; a debugger may have it there or here.
            if "origaddr" in members(section.type):
                yield number(section["origaddr"]), size, base
            yield base, size, base
    elif linker_set.bounds + "_base" in known:
        start, stop, base = (
            number(module["%s_%s" % (linker_set.bounds, end)]) for end in ("start", "stop", "base")
        )
        # A base of 0 means that there is none, whatever the bounds say.
        if base != 0 and start <= stop:
            yield start, stop - start, base


def translate(linker_set, module, address):
    for start, size, base in parts(linker_set, module):
        if start <= address < start + size:
            return base + address - start
    return None


def moved(linker_set, symbol, address):
    """The address of a module's master copy. The debugger has the one from before the move."""
    file = module_of(symbol)
    loaded = list(modules())
    for module in loaded:
        found = translate(linker_set, module, address)
        if found is not None:
            return found
    for module in loaded:
        if os.path.basename(text_of(module["lf"]["filename"])) == file:
            found = in_table(linker_set, module, symbol.name)
            if found is not None:
                return found[0]
    fail("The kernel has not loaded %s of %s." % (symbol.name, file))


def untyped(linker_set, name):
    """A module's variable without a symbol in the debugger: its address, and bytes as its type."""
    for module in modules():
        found = in_table(linker_set, module, linker_set.prefix + name)
        if found is not None:
            return found[0], gdb.lookup_type("unsigned char").array(max(found[1], 1) - 1)
    return None


def in_table(linker_set, module, name):
    """A variable in the symbol table that the kernel keeps of a module: its address and size."""
    count, size = int(module["ddbsymcnt"]), module["ddbsymtab"].type.target().sizeof
    strings = int(module["ddbstrcnt"])
    if not (0 < count * size <= LARGEST_TABLE and 0 < strings <= LARGEST_TABLE):
        return None
    place = read(number(module["ddbstrtab"]), strings).find(b"\0" + name.encode() + b"\0") + 1
    if place == 0:
        return None
    table = read(number(module["ddbsymtab"]), count * size)
    for number_of in range(count):
        # st_name is the first member in all classes of ELF.
        named = int.from_bytes(table[number_of * size : number_of * size + 4], order())
        if named == place:
            symbol = module["ddbsymtab"][number_of]
            if int(symbol["st_shndx"]) != 0:
                value = number(symbol["st_value"])
                return address_in(linker_set, module, value), int(symbol["st_size"])
    return None


def address_in(linker_set, module, value):
    if "progtab" in members(module.type):
        return value
    address = value + number(module["address"]) & mask()
    found = translate(linker_set, module, address)
    return address if found is None else found
