# Walks of queue(3) lists. Every walk has a bound and notices when it comes back.

# The pointer to the first element, to the last one, and in each element to the next and back.
QUEUES = (
    ("tqh_first", "tqh_last", "tqe_next", "tqe_prev"),
    ("lh_first", None, "le_next", "le_prev"),
    ("slh_first", None, "sle_next", None),
    ("stqh_first", "stqh_last", "stqe_next", None),
    ("clh_first", None, "cle_next", "cle_prev"),
    ("cslh_first", None, "csle_next", None),
    ("cstqh_first", "cstqh_last", "cstqe_next", None),
)
MOST_ELEMENTS = 65536


class Broken(Exception):
    """Why a walk cannot go on."""


def queue_of(its_type):
    """Which kind of list begins with a struct of this type; None if it is no head."""
    its_type = its_type.strip_typedefs()
    if its_type.code != gdb.TYPE_CODE_STRUCT:
        return None
    fields = its_type.fields()
    known = fields[0].name if 0 < len(fields) <= 3 else None
    return next((queue for queue in QUEUES if queue[0] == known), None)


def elements(head, link, most=MOST_ELEMENTS):
    """Pointers to the elements, in order. Raises Broken where the list cannot be followed."""
    first, _, following, _ = queue_of(head.type)
    seen, place = set(), head[first]
    while True:
        address = number(place)
        if address == 0:
            return
        if address in seen:
            raise Broken("comes back to 0x%x" % address)
        if len(seen) >= most:
            raise Broken("has more than %d elements" % most)
        seen.add(address)
        try:
            after = follow(place.dereference(), link)[following]
            after.fetch_lazy()
        except gdb.error:
            raise Broken("leads to 0x%x, which cannot be read" % address)
        yield place
        place = after


def follow(element, link):
    """An element's link, by its name or by the members that lead to it."""
    for member in (link,) if isinstance(link, str) else link:
        element = element[member]
    return element


def some(head, link, name):
    """The elements, and what is wrong with the list or None."""
    found = []
    try:
        for place in elements(head, link):
            found.append(place)
    except (Broken, gdb.error) as why:
        return found, "The list of %s %s." % (name, why)
    return found, None
