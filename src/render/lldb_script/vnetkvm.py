# Questions to vnetkvm: over the wire if it serves the debugger, or else to the program.


def ask_vnetkvm(words):
    if not serves_debugger():
        return ask_program(words)
    if words == "bt":
        return monitor("bt --tid %d" % process().GetSelectedThread().GetThreadID())
    if find("vnet0") is not None:
        monitor("vnet 0x%x" % number(current_vnet()))
    told = monitor(words)
    monitor("vnet none")
    if told.startswith("error: unrecognized subcommand"):
        fail("There is no jail and no command %s." % words.split()[0])
    return told


def monitor(words):
    """What vnetkvm answers over the wire."""
    told = run_command("process plugin packet monitor " + words)
    # The debugger adds the packet, and what it was answered.
    return re.sub(r"\n? *packet: qRcmd,[0-9a-f]*\n *response:.*$", "", told, flags=re.S)


def serves_debugger():
    """Whether the debugger's target is vnetkvm."""
    told = monitor("vnet") if process().IsValid() else ""
    return re.match(r"(vnet \d+|unlisted vnet) |this kernel has no vnets", told) is not None


def ask_program(words):
    kernel = target().GetExecutable().fullpath or "KERNEL"
    program, core = shutil.which("vnetkvm"), os.environ.get("VNETKVM_CORE")
    if program is None or core is None:
        missing = "it is not in PATH" if program is None else "VNETKVM_CORE does not name the dump"
        fail(
            "No jail has that name, and vnetkvm cannot be asked: %s. Connect to vnetkvm gdb-server,"
            " or run: vnetkvm -N %s -M VMCORE %s" % (missing, kernel, words)
        )
    chosen = [] if Choice.address is None else ["--vnet", "0x%x" % Choice.address]
    asked = [program, "-N", kernel, "-M", core] + shlex.split(words)
    done = run_program(asked + chosen)
    if done.returncode == 2 and chosen and "--vnet" in done.stderr:
        # The command takes no vnet.
        done = run_program(asked)
    return done.stdout + done.stderr


def run_program(words):
    pipe = subprocess.PIPE
    return subprocess.run(
        words, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, universal_newlines=True
    )
