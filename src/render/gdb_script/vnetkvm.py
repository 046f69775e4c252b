# Questions to vnetkvm: over the wire if it serves the debugger, or else to the program.


def ask_vnetkvm(command):
    if serves_debugger():
        tell_vnetkvm(number(current_vnet()) if find("vnet0") is not None else None)
        told = gdb.execute("monitor " + command, to_string=True)
        tell_vnetkvm(None)
        if told.startswith("error: unrecognized subcommand"):
            fail("There is no jail and no command %s." % command.split()[0])
        gdb.write(told)
        return
    program, core = shutil.which("vnetkvm"), core_file()
    kernel = anchor().symtab.objfile.filename
    if program is None or core is None:
        missing = "it is not in PATH" if program is None else "there is no core file"
        fail(
            "No jail has that name, and vnetkvm cannot be asked: %s. Connect to vnetkvm gdb-server,"
            " or run: vnetkvm -N %s -M %s %s" % (missing, kernel, core or "VMCORE", command)
        )
    chosen = [] if Choice.address is None else ["--vnet", "0x%x" % Choice.address]
    words = [program, "-N", kernel, "-M", core] + gdb.string_to_argv(command)
    done = run(words + chosen)
    if done.returncode == 2 and chosen and "--vnet" in done.stderr:
        # The command takes no vnet.
        done = run(words)
    gdb.write(done.stdout + done.stderr)


def tell_vnetkvm(vnet):
    """Chooses the vnet of what `monitor` asks; None for none."""
    word = "none" if vnet is None else "0x%x" % vnet
    gdb.execute("monitor vnet " + word, to_string=True)


def run(words):
    pipe = subprocess.PIPE
    return subprocess.run(
        words, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, universal_newlines=True
    )


def serves_debugger():
    """Whether the debugger's target is vnetkvm."""
    try:
        told = gdb.execute("monitor vnet", to_string=True)
    except gdb.error:
        return False
    return re.match(r"(vnet \d+|unlisted vnet) |this kernel has no vnets", told or "") is not None


def core_file():
    told = gdb.execute("info files", to_string=True)
    # gdb quotes the name, with quotation marks that its locale has.
    found = re.search(r"core dump file:\s*\W?(/.+?)\W?(, file type .*)?$", told, re.M)
    return found.group(1) if found else None
