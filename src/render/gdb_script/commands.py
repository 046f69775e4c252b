# `info vnets` and `vnet`.


class InfoVnets(gdb.Command):
    """List the kernel's vnets: number, state, interfaces, sockets, address and jails."""

    def __init__(self):
        super().__init__("info vnets", gdb.COMMAND_STATUS)

    def invoke(self, arguments, from_tty):
        all_vnets, wrong = vnets()
        inside = jails_by_vnet()
        for line in vnet_table([vnet_row(vnet, inside) for vnet in all_vnets]):
            gdb.write(line + "\n")
        if wrong:
            gdb.write(wrong + "\n")


def vnet_row(vnet, inside):
    """The cells of a vnet's row."""
    shown = "?" if vnet.number is None else str(vnet.number)
    address = number(vnet.pointer)
    try:
        counts = [str(int(vnet.pointer[name])) for name in ("vnet_ifcnt", "vnet_sockcnt")]
        state = vnet_state(vnet.pointer)
    except gdb.error:
        state, counts = "unreadable", ["?", "?"]
    return (shown, state, *counts, "0x%x" % address, ",".join(inside.get(address, [])))


class VnetCommand(gdb.Command):
    """Choose the vnet of $V, or ask vnetkvm.

    vnet                    say which vnet is chosen
    vnet VNET               choose one, by number, address or jail
    vnet foreach COMMAND    run a command once for each vnet, with $V and $_vnet in it
    vnet none               choose none: $V then follows the selected thread
    vnet COMMAND            any command of vnetkvm, for that vnet: vnet check, vnet routes"""

    def __init__(self):
        super().__init__("vnet", gdb.COMMAND_DATA)

    def invoke(self, arguments, from_tty):
        arguments = arguments.strip()
        first, _, rest = arguments.partition(" ")
        if first == "foreach":
            for_each_vnet(rest.strip())
            return
        if not arguments:
            check()
        elif arguments == "none":
            Choice.address = None
        elif is_vnet(arguments):
            Choice.address = number(vnet_of_word(arguments))
        else:
            ask_vnetkvm(arguments)
            return
        told = current_vnet()
        set_convenience(told)
        chosen = "" if Choice.address is not None else " (not chosen)"
        gdb.write(vnet_title(told, vnets()[0], jails_by_vnet()) + chosen + "\n")


def is_vnet(word):
    """Whether a word names a vnet; any other is for vnetkvm."""
    if re.match(r"(0[xX][0-9a-fA-F]+|\d+)$", word):
        return True
    check()
    return any(text_of(jail["pr_name"]) == word for jail in jails()[0])


def set_convenience(vnet):
    gdb.execute("set $_vnet = (struct vnet *) 0x%x" % number(vnet), to_string=True)


def for_each_vnet(command):
    if not command:
        fail('A command is wanted: vnet foreach print $V("ip_defttl")')
    all_vnets, wrong = vnets()
    inside, before, is_served = jails_by_vnet(), Choice.address, serves_debugger()
    try:
        for vnet in all_vnets:
            Choice.address = number(vnet.pointer)
            if is_served:
                tell_vnetkvm(Choice.address)
            gdb.write(vnet_title(vnet.pointer, all_vnets, inside) + "\n")
            set_convenience(vnet.pointer)
            try:
                gdb.execute(command)
            except gdb.error as why:
                gdb.write("%s\n" % why)
    finally:
        Choice.address = before
        if is_served:
            tell_vnetkvm(None)
    set_convenience(current_vnet())
    if wrong:
        gdb.write(wrong + "\n")
