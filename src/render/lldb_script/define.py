# The names that commands have in the debugger.

COMMANDS = {
    "vnet": "vnet_command",
    "vnets": "vnets_command",
    "V": "V_command",
    "DPCPU": "DPCPU_command",
}


def __lldb_init_module(debugger, names):
    for name, function in COMMANDS.items():
        about = globals()[function].__doc__.splitlines()[0]
        words = "command script add -h '%s' -f %s.%s %s" % (about, __name__, function, name)
        debugger.HandleCommand(words)
    try:
        check()
    except Failure as why:
        print(why)
