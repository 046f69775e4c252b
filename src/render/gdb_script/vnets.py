# The vnets, the jails in them, and which vnet is chosen.


def vnets():
    """The vnets in the order of their creation, and what is wrong with the list or None."""
    check()
    if find("vnet_head") is None:
        fail("This kernel has no VIMAGE and no vnets.")
    found, wrong = some(variable("vnet_head"), "vnet_le", "vnets")
    found.reverse()
    vnet0 = variable("vnet0")
    listed = any(number(each) == number(vnet0) for each in found)
    if number(vnet0) != 0 and not listed:
        found.insert(0, vnet0)
        wrong = wrong or "The list of vnets lacks vnet0."
    if not found:
        fail(wrong or "There are no vnets yet, or there is no dump.")
    return [Vnet(vnet_number(place, each, vnet0, wrong), each)
            for place, each in enumerate(found)], wrong


def vnet_number(place, vnet, vnet0, wrong):
    """Its number; None if the list does not show it."""
    if number(vnet) == number(vnet0):
        return 0
    return place if wrong is None else None


def vnet_state(vnet):
    magic = int(vnet["vnet_magic_n"])
    if magic == MAGIC_OF_DESTROYED:
        return "destroyed"
    if magic not in MAGICS:
        return "no vnet: its magic is 0x%x" % magic
    if "vnet_state" not in members(vnet.type.target()):
        return "-"
    state = int(vnet["vnet_state"])
    if state == 0:
        return "up" if number(vnet) == number(variable("vnet0")) else "never set"
    enumerators = type_named("enum sysinit_sub_id")
    names = {field.enumval: field.name for field in enumerators.fields()} if enumerators else {}
    done = names.get(state) == "SI_SUB_VNET_DONE" or state == SI_SUB_VNET_DONE
    return "up" if done else names.get(state, "0x%x" % state)


def jails():
    """Pointers to all jails, the host first, and what is wrong with their list or None."""
    found, wrong = some(variable("allprison"), "pr_list", "jails")
    host = variable("prison0").address
    return [host] + [each for each in found if number(each) != number(host)], wrong


def jail_name(jail):
    return "(host)" if int(jail["pr_id"]) == 0 else text_of(jail["pr_name"])


def jails_by_vnet():
    """The names of the jails in each vnet, by its address."""
    found = collections.defaultdict(list)
    for jail in jails()[0]:
        try:
            found[number(jail["pr_vnet"])].append(jail_name(jail))
        except gdb.error:
            continue
    return found


def jail_named(wanted):
    """A struct prison * by name or number."""
    check()
    found, wrong = jails()
    for jail in found:
        if wanted in (text_of(jail["pr_name"]), str(int(jail["pr_id"]))):
            return jail
    fail("There is no jail %s.%s" % (wanted, " " + wrong if wrong else ""))


def vnet_at(address):
    vnet = at(address, gdb.lookup_type("struct vnet")).address
    try:
        known = int(vnet["vnet_magic_n"]) in MAGICS
    except gdb.error:
        known = False
    return vnet if known else fail("There is no vnet at 0x%x." % address)


def vnet_numbered(wanted):
    all_vnets, wrong = vnets()
    for vnet in all_vnets:
        if vnet.number == wanted:
            return vnet.pointer
    fail(wrong or "No vnet has the number %d." % wanted)


def vnet_of_word(word):
    """A vnet by number, address or jail."""
    if re.match(r"0[xX][0-9a-fA-F]+$", word):
        return vnet_at(int(word, 16))
    return vnet_numbered(int(word)) if word.isdigit() else vnet_of_jail(jail_named(word))


def vnet_of_jail(jail):
    if number(jail["pr_vnet"]) == 0:
        fail("The jail %s has no vnet." % jail_name(jail))
    return jail["pr_vnet"]


def vnet_of_value(value):
    """A vnet by a value of the debugger's: a pointer, a number or a jail's name."""
    its_type = value.type.strip_typedefs()
    if its_type.code == gdb.TYPE_CODE_ARRAY:
        return vnet_of_word(value.string())
    if its_type.code == gdb.TYPE_CODE_PTR:
        if its_type.target().strip_typedefs().name in ("prison", "struct prison"):
            return vnet_of_jail(value)
        return vnet_at(number(value))
    wanted = int(value)
    return vnet_numbered(wanted) if 0 <= wanted < MOST_VNETS else vnet_at(wanted & mask())


def current_vnet():
    """The chosen vnet, else that of the selected thread, else vnet0."""
    check()
    if Choice.address is not None:
        return vnet_at(Choice.address)
    if find("vnet0") is None:
        fail("This kernel has no VIMAGE and no vnets.")
    thread = current_thread()
    vnet = thread["td_vnet"] if thread is not None else None
    return vnet if vnet is not None and number(vnet) != 0 else variable("vnet0")
