# $V, $vnet, $jail, $PCPU and $DPCPU.


class VFunction(gdb.Function):
    """A virtualized variable's value in a vnet: $V("NAME"[, VNET]).

    VNET is a number, a pointer to a struct vnet, or a jail's name. By default it is the vnet chosen
    by the command vnet, or else the selected thread's, or else vnet0. Of a NAME that several files
    define, the file follows: $V("ipv4_hashtbl@in_gif.c")."""

    def __init__(self):
        super().__init__("V")

    def invoke(self, name, vnet=None):
        check()
        name = name.string()
        name = name[2:] if name.startswith("V_") else name
        if find("vnet_head") is None:
            # Without VIMAGE there is one copy, by its own name.
            return variable(name)
        where = current_vnet() if vnet is None else vnet_of_value(vnet)
        address, its_type = master(VNET, name)
        base = number(where["vnet_data_base"])
        if number(where["vnet_data_mem"]) == 0:
            fail("The vnet at 0x%x has no variables." % number(where))
        return at(base + address, its_type)


class VnetFunction(gdb.Function):
    """A pointer to a struct vnet: $vnet([VNET]), by number, address or jail."""

    def __init__(self):
        super().__init__("vnet")

    def invoke(self, vnet=None):
        check()
        return current_vnet() if vnet is None else vnet_of_value(vnet)


class JailFunction(gdb.Function):
    """A pointer to a struct prison: $jail(NAME), by name or number."""

    def __init__(self):
        super().__init__("jail")

    def invoke(self, jail):
        by_name = jail.type.strip_typedefs().code == gdb.TYPE_CODE_ARRAY
        return jail_named(jail.string() if by_name else str(int(jail)))


class PcpuFunction(gdb.Function):
    """A member of a CPU's struct pcpu: $PCPU("MEMBER"[, CPU]), without pc_.

    By default the CPU is that of the selected thread. Another name is that of a DPCPU variable."""

    def __init__(self):
        super().__init__("PCPU")

    def invoke(self, name, cpu=None):
        check()
        place = pcpu(current_cpu() if cpu is None else int(cpu))
        member = "pc_" + name.string()
        return place[member] if member in members(place.type) else copy_of_cpu(place, name.string())


class DpcpuFunction(gdb.Function):
    """A DPCPU variable's value on a CPU: $DPCPU("NAME"[, CPU]).

    By default the CPU is that of the selected thread."""

    def __init__(self):
        super().__init__("DPCPU")

    def invoke(self, name, cpu=None):
        check()
        return copy_of_cpu(pcpu(current_cpu() if cpu is None else int(cpu)), name.string())


def copy_of_cpu(place, name):
    address, its_type = master(DPCPU, name)
    return at(number(place["pc_dynamic"]) + address, its_type)
