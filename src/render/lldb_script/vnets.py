# The vnets, the jails in them, and which vnet is chosen.


def vnets():
    """The vnets in the order of their creation, and what is wrong with the list or None."""
    check()
    if find("vnet_head") is None:
        fail("This kernel has no VIMAGE and no vnets.")
    found, wrong = some(variable("vnet_head"), "lh_first", "vnet_le.le_next", "vnets")
    found.reverse()
    vnet0 = variable("vnet0")
    if number(vnet0) != 0 and number(vnet0) not in map(number, found):
        found.insert(0, vnet0)
        wrong = wrong or "The list of vnets lacks vnet0."
    if not found:
        fail(wrong or "There are no vnets yet.")
    # A list that is cut does not show which numbers the others have.
    known = [place if wrong is None or each is vnet0 else None for place, each in enumerate(found)]
    return [Vnet(*both) for both in zip(known, found)], wrong


def vnet_state(vnet):
    magic = number(member(vnet, "vnet_magic_n"))
    if magic == MAGIC_OF_DESTROYED:
        return "destroyed"
    if magic not in MAGICS:
        return "no vnet: its magic is 0x%x" % magic
    if not has(struct("vnet"), "vnet_state"):
        return "-"
    state = member(vnet, "vnet_state")
    if number(state) == 0:
        return "up" if number(vnet) == number(variable("vnet0")) else "never set"
    name = state.GetValue() or ""
    return "up" if name == "SI_SUB_VNET_DONE" or number(state) == SI_SUB_VNET_DONE else name


def jails():
    """Pointers to all jails, the host first, and what is wrong with their list or None."""
    found, wrong = some(variable("allprison"), "tqh_first", "pr_list.tqe_next", "jails")
    host = variable("prison0").AddressOf()
    return [host] + [each for each in found if number(each) != number(host)], wrong


def jail_name(jail):
    return "(host)" if number(member(jail, "pr_id")) == 0 else text_of(member(jail, "pr_name"))


def jails_by_vnet():
    """The names of the jails in each vnet, by its address."""
    inside = collections.defaultdict(list)
    for jail in jails()[0]:
        try:
            inside[number(member(jail, "pr_vnet"))].append(jail_name(jail))
        except Failure:
            continue
    return inside


def jail_named(wanted):
    """A struct prison * by name or number."""
    check()
    found, wrong = jails()
    for jail in found:
        if wanted in (text_of(member(jail, "pr_name")), str(number(member(jail, "pr_id")))):
            return jail
    return fail("There is no jail %s.%s" % (wanted, " " + wrong if wrong else ""))


def vnet_at(address):
    value = at(address, struct("vnet"), "vnet")
    try:
        known = number(member(value, "vnet_magic_n")) in MAGICS
    except Failure:
        known = False
    return value.AddressOf() if known else fail("There is no vnet at 0x%x." % address)


def vnet_of(wanted):
    """A vnet by number, address, jail's name, or by a value of the debugger's."""
    if isinstance(wanted, lldb.SBValue):
        is_jail = "prison" in (wanted.GetType().GetPointeeType().GetName() or "")
        return vnet_at(number(member(wanted, "pr_vnet") if is_jail else wanted))
    word = str(wanted)
    if re.match(r"0[xX][0-9a-fA-F]+$", word) or word.isdigit() and int(word) >= MOST_VNETS:
        check()
        return vnet_at(int(word, 0))
    if not word.isdigit():
        pointer = member(jail_named(word), "pr_vnet")
        return pointer if number(pointer) != 0 else fail("The jail %s has no vnet." % word)
    all_vnets, wrong = vnets()
    for vnet in all_vnets:
        if vnet.number == int(word):
            return vnet.pointer
    return fail(wrong or "No vnet has the number %s." % word)


def current_vnet():
    """The chosen vnet, else that of the selected thread, else vnet0."""
    check()
    if Choice.address is not None:
        return vnet_at(Choice.address)
    if find("vnet0") is None:
        fail("This kernel has no VIMAGE and no vnets.")
    vnet = thread_vnet()
    return variable("vnet0") if vnet is None else vnet


def thread_vnet():
    """The curvnet of the selected thread; None if it has none."""
    wanted = process().GetSelectedThread().GetThreadID()
    processes, _ = some(variable("allproc"), "lh_first", "p_list.le_next", "processes")
    for each in processes:
        for thread in some(member(each, "p_threads"), "tqh_first", "td_plist.tqe_next", "threads")[0]:
            if number(member(thread, "td_tid")) == wanted:
                vnet = member(thread, "td_vnet")
                return vnet if number(vnet) != 0 else None
    return None
