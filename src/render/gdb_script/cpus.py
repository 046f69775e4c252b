# The CPUs, and the struct pcpu of each.

MOST_CPUS = 4096


def last_cpu():
    return min(int(variable("mp_maxid")), MOST_CPUS - 1)


def cpus():
    """The numbers of the CPUs that exist."""
    numbers = range(last_cpu() + 1)
    if find("all_cpus") is None:
        return list(numbers)
    words = variable("all_cpus")["__bits"]
    bits = 8 * words.type.strip_typedefs().target().sizeof
    return [cpu for cpu in numbers if int(words[cpu // bits]) >> (cpu % bits) & 1]


def pcpu(cpu):
    """The struct pcpu of a CPU."""
    if not 0 <= cpu <= last_cpu():
        fail("There is no CPU %d; the last one is %d." % (cpu, last_cpu()))
    if find("cpuid_to_pcpu") is not None:
        found = variable("cpuid_to_pcpu")[cpu]
        return found.dereference() if number(found) != 0 else fail("There is no CPU %d." % cpu)
    return variable("__pcpu")[cpu]


def current_cpu():
    thread = current_thread()
    cpu = int(thread["td_oncpu"]) if thread is not None else -1
    # 255 is none in old kernels.
    if not 0 <= cpu <= last_cpu():
        fail('The selected thread is on no CPU: name one, as in $PCPU("curthread", 0).')
    return cpu
