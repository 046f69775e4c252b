# Printers of values: sums of counters, elements of lists, addresses. `print/r` shows the members.

MOST_SHOWN = 1000
ADDRESSES_BY_TYPE = {
    "in_addr": in_addr,
    "in6_addr": in6_addr,
    "ether_addr": ether_addr,
    "sockaddr": sockaddr,
    "sockaddr_in": sockaddr,
    "sockaddr_in6": sockaddr,
    "sockaddr_dl": sockaddr,
    "sockaddr_storage": sockaddr,
}


class Text:
    """Shows a value as one text."""

    def __init__(self, text):
        self.text = text

    def to_string(self):
        return self.text


class QueuePrinter:
    """Shows a list as pointers to its elements."""

    def __init__(self, head, link):
        self.found, self.wrong = [], None
        try:
            for place in elements(head, link, MOST_SHOWN):
                self.found.append(place)
        except Broken as why:
            self.wrong = str(why)

    def to_string(self):
        told = "1 element" if len(self.found) == 1 else "%d elements" % len(self.found)
        return "%s, then it %s" % (told, self.wrong) if self.wrong else told

    def children(self):
        return (("[%d]" % place, each) for place, each in enumerate(self.found))

    def display_hint(self):
        return "array"


class Kind:
    """A group of printers, as gdb enables and disables them."""

    def __init__(self, name, printer):
        self.name, self.printer, self.enabled = name, printer, True


class Printers:
    """All of them."""

    def __init__(self):
        self.name, self.enabled = "vnetkvm", True
        self.subprinters = [
            Kind("counter", counter_printer),
            Kind("queue", queue_printer),
            Kind("address", address_printer),
        ]

    def __call__(self, value):
        for kind in self.subprinters:
            try:
                found = kind.printer(value) if kind.enabled else None
            except (gdb.error, gdb.GdbError, ArithmeticError, LookupError, TypeError, ValueError):
                # gdb shows the members of what cannot be read.
                found = None
            if found is not None:
                return found
        return None


def counter_printer(value):
    its_type = value.type.unqualified()
    while its_type.code == gdb.TYPE_CODE_TYPEDEF:
        if its_type.name == "counter_u64_t":
            total = counter_sum(number(value))
            return Text("not allocated" if total is None else str(total))
        its_type = its_type.target().unqualified()
    return None


def queue_printer(value):
    its_type = value.type.strip_typedefs()
    # A head has two pointers, and a name in a debugging kernel.
    is_small = its_type.code == gdb.TYPE_CODE_STRUCT and its_type.sizeof <= 64
    queue = queue_of(its_type) if is_small else None
    link = queue_link(value, queue) if queue is not None else None
    return QueuePrinter(value, link) if link is not None else None


def queue_link(head, queue):
    """The link of the elements that leads through this list; None if that cannot be told."""
    first, last, following, back = queue
    links = list(links_of(head[first].type.target(), following))
    if number(head[first]) == 0:
        # An empty tail queue ends at its own head, and never at NULL.
        return links[0] if links and (last is None or number(head[last]) != 0) else None
    if len(links) <= 1:
        return links[0] if links else None
    if back is not None:
        element = head[first].dereference()
        fits = [each for each in links if number(follow(element, each)[back]) == number(head.address)]
    elif last is not None:
        fits = [each for each in links if ends_at(head, each, following) == number(head[last])]
    else:
        fits = []
    return fits[0] if len(fits) == 1 else None


def links_of(its_type, following, element=None):
    """The ways to the links of an element, which point at the next one."""
    its_type = its_type.strip_typedefs()
    element = element or its_type
    for field in its_type.fields():
        inner = field.type.strip_typedefs()
        if inner.code not in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
            continue
        known = members(inner).get(following)
        if known is not None and known.type.target().strip_typedefs() == element:
            yield (field,)
        elif not field.name:
            # A struct or union without a name.
            for path in links_of(inner, following, element):
                yield (field,) + path


def ends_at(head, link, following):
    """Where the last element's pointer to the next lies; None if the list is broken."""
    end = None
    try:
        for place in elements(head, link, MOST_SHOWN):
            end = number(follow(place.dereference(), link)[following].address)
    except Broken:
        return None
    return end


def address_printer(value):
    its_type = value.type.strip_typedefs()
    if its_type.code not in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION) or value.address is None:
        return None
    shown = ADDRESSES_BY_TYPE.get(its_type.name)
    text = shown(value) if shown is not None else None
    return Text(text) if text is not None else None
