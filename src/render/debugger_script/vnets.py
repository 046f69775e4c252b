# What the scripts of all debuggers have in common about vnets.

MAGICS = (0x3E0D8F29, 0x5E4A6F28)
MAGIC_OF_DESTROYED = 0xDEADBEEF
SI_SUB_VNET_DONE = 0xDC00000
# Numbers that could not be an address.
MOST_VNETS = 65536


class Choice:
    """The address of the vnet that `vnet` chose; None if none was."""

    address = None


Vnet = collections.namedtuple("Vnet", "number pointer")


def vnet_title(vnet, all_vnets, inside):
    """Its number, its address and its jails."""
    known = {number(each.pointer): each.number for each in all_vnets}
    which = known.get(number(vnet))
    name = "vnet %d" % which if which is not None else "vnet"
    names = inside.get(number(vnet), ["no jail"])
    names = ", ".join("host" if jail == "(host)" else jail for jail in names)
    return "%s (0x%x): %s" % (name, number(vnet), names)


def vnet_table(rows):
    """The lines of a table of vnets, from the cells of each."""
    rows = [("VNET", "STATE", "IFS", "SOCKS", "ADDRESS", "JAILS"), *rows]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        cells = (
            cell.rjust(width) if column in (0, 2, 3) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths))
        )
        yield "  ".join([*cells, row[5]]).rstrip()
