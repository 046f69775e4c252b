//! Programs and their commands by which people look for what a command shows.

/// A program, and the commands that show of a dump what it shows of a running machine.
const PROGRAMS: [(&str, &[&str]); 11] = [
    ("arp", &["neighbors"]),
    ("dmesg", &["info --dmesg"]),
    ("ifconfig", &["interfaces"]),
    ("jls", &["jails"]),
    ("kldstat", &["modules"]),
    ("ndp", &["neighbors"]),
    ("netstat", &["sockets", "routes", "interfaces", "counters"]),
    // As gdb has it.
    ("p", &["print"]),
    ("ps", &["threads"]),
    ("route", &["routes"]),
    ("sockstat", &["sockets"]),
];

/// The commands for what the program of that name shows; empty if it is not known.
pub fn instead_of(program: &str) -> Vec<String> {
    let known = PROGRAMS.iter().filter(|(name, _)| *name == program);
    known.flat_map(|(_, commands)| commands.iter().map(ToString::to_string)).collect()
}
