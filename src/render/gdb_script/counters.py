# counter_u64_t (counter(9)): each CPU adds to a slot of its own, and the value is the sum. Where the
# slots lie differs by release (sys/amd64/include/counter.h, 10.4, 12.1, main).


def counter_sum(pointer):
    """The sum over all CPUs, modulo 2^64; None if the counter is not allocated."""
    places = [find(name).value() for name in ("__pcpu", "pcpu0") if find(name) is not None]
    if not places:
        fail("The kernel has no __pcpu.")
    start, each, by_pointer = first_pcpu(places[0])
    dummy = members(each).get("pc_early_dummy_counter")
    # On amd64, 13 and later, counters are offsets from __pcpu.
    is_amd64 = "tf_rip" in members(gdb.lookup_type("struct trapframe"))
    base = start if by_pointer and is_amd64 else 0
    early = [first_pcpu(place)[0] + dummy.bitpos // 8 - base for place in places] if dummy else []
    if pointer == 0 or pointer in (address & mask() for address in early):
        return None
    # Up to 11 there is no early counter, and slots are as far apart as a struct pcpu is long.
    stride = page_size() if dummy else each.sizeof
    counting = cpus() if dummy else range(min(int(variable("mp_ncpus")), MOST_CPUS))
    word = gdb.lookup_type("unsigned long long")
    total = sum(int(at(pointer + base + cpu * stride, word)) for cpu in counting)
    return total & (1 << 64) - 1


def first_pcpu(place):
    """The address of the first struct pcpu, its type, and whether a pointer leads to it."""
    by_pointer = False
    while True:
        its_type = place.type.strip_typedefs()
        if its_type.code == gdb.TYPE_CODE_PTR:
            place, by_pointer = place.dereference(), True
        elif its_type.code == gdb.TYPE_CODE_ARRAY:
            place = place[0]
        else:
            return number(place.address), its_type, by_pointer


def page_size():
    known = int(variable("pagesizes")[0]) if find("pagesizes") is not None else 0
    return known or 4096
