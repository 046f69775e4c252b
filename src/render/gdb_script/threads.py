# The kernel's thread behind the debugger's.

threads_seen = {}


def thread_by_id(tid):
    """A struct thread * by its number; None if there is none."""
    known = threads_seen.get(tid)
    if known is not None and int(known["td_tid"]) == tid:
        return known
    for process in some(variable("allproc"), "p_list", "processes")[0]:
        for thread in some(process["p_threads"], "td_plist", "threads")[0]:
            if int(thread["td_tid"]) == tid:
                threads_seen[tid] = thread
                return thread
    return None


def current_thread():
    """The selected thread; None if none is selected, or it is no thread of the kernel."""
    selected = gdb.selected_thread()
    for tid in (selected.ptid[2], selected.ptid[1]) if selected is not None else ():
        found = thread_by_id(tid) if tid > 0 else None
        if found is not None:
            return found
    return None
