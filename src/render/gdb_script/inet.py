# Addresses of the network as text.

AF_INET, AF_LINK, AF_INET6 = 2, 18, 28
SOCKADDRS = {
    AF_INET: "struct sockaddr_in",
    AF_LINK: "struct sockaddr_dl",
    AF_INET6: "struct sockaddr_in6",
}


def bytes_of(value):
    return read(number(value.address), value.type.sizeof)


def in_addr(value):
    return str(ipaddress.IPv4Address(bytes_of(value)))


def in6_addr(value):
    return in6_text(bytes_of(value), 0)


def in6_text(address, zone):
    """The kernel keeps the zone of a link-local address in its bytes 2 and 3."""
    first = address[0] << 8 | address[1]
    if first & 0xFFC0 == 0xFE80 or first in (0xFF01, 0xFF02):
        zone = zone or address[2] << 8 | address[3]
        address = address[:2] + b"\0\0" + address[4:]
    text = str(ipaddress.IPv6Address(address))
    return "%s%%%d" % (text, zone) if zone else text


def ether_addr(value):
    return ":".join("%02x" % each for each in bytes_of(value))


def sockaddr(value):
    """Any socket address, by its family; None if that is another one."""
    place = number(value.address)
    length, family = read(place, 2)
    known = type_named(SOCKADDRS.get(family, ""))
    if known is None:
        return None
    # What is behind the length is zero, whatever lies there: masks are cut.
    size = max(known.sizeof, length)
    raw = read(place, min(length, size)).ljust(size, b"\0")
    part = {
        name: raw[field.bitpos // 8 : field.bitpos // 8 + field.type.sizeof]
        for name, field in members(known).items()
    }
    if family == AF_INET:
        return with_port(str(ipaddress.IPv4Address(part["sin_addr"])), part["sin_port"])
    if family == AF_LINK:
        return link(raw, members(known)["sdl_data"].bitpos // 8, part)
    zone = int.from_bytes(part["sin6_scope_id"], order())
    text, port = in6_text(part["sin6_addr"], zone), with_port("", part["sin6_port"])
    return "[%s]%s" % (text, port) if port else text


def with_port(text, port):
    # In the order of the network, whatever the machine's is.
    port = int.from_bytes(port, "big")
    return "%s:%d" % (text, port) if port else text


def link(raw, data, part):
    """A link-level address: the interface's number, its name and its address."""
    name, address = part["sdl_nlen"][0], part["sdl_alen"][0]
    words = ["link#%d" % int.from_bytes(part["sdl_index"], order())]
    if name:
        words.append(raw[data : data + name].decode("ascii", "replace"))
    if address:
        words.append(":".join("%02x" % each for each in raw[data + name : data + name + address]))
    return " ".join(words)
