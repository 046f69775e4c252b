# The commands: vnet, vnets, V, DPCPU.


def command(function):
    """A function as a command: it is given its words, and what it returns is shown."""

    def invoke(debugger, words, context, result, names):
        try:
            told = function(words.strip())
            result.AppendMessage(told.rstrip("\n") if isinstance(told, str) else "")
        except Failure as why:
            result.SetError(str(why))

    invoke.__doc__ = function.__doc__
    return invoke


@command
def vnets_command(words):
    """List all vnets: number, state, interfaces, sockets, address and jails."""
    all_vnets, wrong = vnets()
    inside = jails_by_vnet()
    lines = list(vnet_table([vnet_row(vnet, inside) for vnet in all_vnets]))
    return "\n".join(lines + ([wrong] if wrong else []))


def vnet_row(vnet, inside):
    """The cells of a vnet's row."""
    shown = "?" if vnet.number is None else str(vnet.number)
    address = number(vnet.pointer)
    try:
        counts = [str(integer(member(vnet.pointer, name))) for name in ("vnet_ifcnt", "vnet_sockcnt")]
        state = vnet_state(vnet.pointer)
    except Failure:
        state, counts = "unreadable", ["?", "?"]
    return (shown, state, *counts, "0x%x" % address, ",".join(inside.get(address, [])))


@command
def vnet_command(words):
    """Choose the vnet of V, or ask vnetkvm.

    vnet                    say which vnet is chosen
    vnet VNET               choose one, by number, address or jail
    vnet foreach COMMAND    run a command once for each vnet, with V in it
    vnet none               choose none: V then follows the selected thread
    vnet bt                 the selected thread's calls, across trap frames, as vnetkvm has them
    vnet COMMAND            any command of vnetkvm, for that vnet: vnet check, vnet routes"""
    first, _, rest = words.partition(" ")
    if first == "foreach":
        return for_each_vnet(rest.strip())
    if words == "none":
        Choice.address = None
    elif words and is_vnet(words):
        Choice.address = number(vnet_of(words))
    elif words:
        return ask_vnetkvm(words)
    told = vnet_title(current_vnet(), vnets()[0], jails_by_vnet())
    return told + ("" if Choice.address is not None else " (not chosen)")


def is_vnet(word):
    """Whether a word names a vnet; any other is for vnetkvm."""
    if re.match(r"(0[xX][0-9a-fA-F]+|\d+)$", word):
        return True
    check()
    return any(text_of(member(jail, "pr_name")) == word for jail in jails()[0])


def for_each_vnet(words):
    if not words:
        fail("A command is wanted: vnet foreach V ip_defttl")
    all_vnets, wrong = vnets()
    inside, before, lines = jails_by_vnet(), Choice.address, []
    try:
        for vnet in all_vnets:
            Choice.address = number(vnet.pointer)
            lines += [vnet_title(vnet.pointer, all_vnets, inside), run_command(words)]
    finally:
        Choice.address = before
    return "\n".join(lines + ([wrong] if wrong else []))


def run_command(words):
    """What a command of the debugger prints."""
    result = lldb.SBCommandReturnObject()
    lldb.debugger.GetCommandInterpreter().HandleCommand(words, result)
    return ((result.GetOutput() or "") + (result.GetError() or "")).rstrip("\n")


@command
def V_command(words):
    """Print a variable in a vnet, by default the chosen one.

    V ip_defttl             by its type
    V tcbinfo.ipi_count     a member
    V ip_defttl web01       in the vnet with that number, address or jail
    V ipv4_hashtbl@in_gif.c of several, that of a file or a module"""
    name, path, vnet = parts(words, "V NAME [VNET]")
    return show(V(name, vnet), path)


@command
def DPCPU_command(words):
    """Print a per-CPU variable: DPCPU NAME [CPU]. Without a CPU, of all."""
    name, path, cpu = parts(words, "DPCPU NAME [CPU]")
    check()
    if cpu is None:
        return "\n".join("CPU %d: %s" % (each, show(DPCPU(name, each), path)) for each in cpus())
    return show(DPCPU(name, cpu), path) if cpu.isdigit() else fail("%s is no CPU." % cpu)


def parts(words, usage):
    """The name of a variable, the path to a part of it, and the word that follows or None."""
    given = words.split()
    if not 1 <= len(given) <= 2:
        fail("Usage: " + usage)
    found = re.match(r"(\w+(?:@[\w./-]+)*)(.*)$", given[0])
    if found is None:
        fail("%s is no name of a variable." % given[0])
    return found.group(1), found.group(2), given[1] if len(given) == 2 else None


def show(value, path):
    part = value.GetValueForExpressionPath(path) if path else value
    if not part.IsValid():
        fail("%s has no %s." % (value.GetName(), path))
    if part.GetError().Fail():
        fail("%s%s cannot be read: %s" % (value.GetName(), path, part.GetError().GetCString()))
    return str(part)
