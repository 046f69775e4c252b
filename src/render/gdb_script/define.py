# Defines all of it, unless the debugger does not fit the kernel.


def define():
    wrong = wrong_pointers()
    if wrong is not None:
        gdb.write(wrong + "\n")
        return
    for each in (VFunction, VnetFunction, JailFunction, PcpuFunction, DpcpuFunction):
        each()
    InfoVnets()
    VnetCommand()
    gdb.printing.register_pretty_printer(gdb.current_progspace(), Printers(), replace=True)
    unwinder = TrapFrames()
    gdb.unwinder.register_unwinder(gdb.current_progspace(), unwinder, replace=True)
    gdb.events.new_objfile.connect(unwinder.forget)


define()
