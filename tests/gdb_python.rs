//! The Python script that `vnetkvm gdb --python` writes, in the real gdb: its functions, commands,
//! printers and its unwinder, with the answers of vnetkvm beside them.

#![cfg(all(feature = "cli", feature = "gdb-server"))]

mod debugged;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use debugged::{Files, MACHINES, PROGRAM, fixtures, functions, text};
use serde_json::Value;
use vnetkvm::image::Format;

impl Files {
    /// Writes the script beside the dump.
    fn script(&self) -> PathBuf {
        let script = self.directory.path().join("vnet.py");
        let written = Command::new(PROGRAM).args(["gdb", "--python"]).output().unwrap();
        assert!(written.status.success() && written.stderr.is_empty());
        std::fs::write(&script, written.stdout).unwrap();
        script
    }

    /// Gives commands to a gdb that has the script and the server at the other end of a pipe. An
    /// error ends no command but its own.
    fn gdb(&self, program: &str, commands: &[impl AsRef<str>]) -> String {
        self.gdb_at(program, &self.remote(), commands)
    }

    fn remote(&self) -> String {
        let (kernel, core) = (self.kernel.display(), self.core.display());
        format!("target remote | {PROGRAM} -N {kernel} -M {core} gdb-server --stdio")
    }

    /// The same with another target.
    fn gdb_at(&self, program: &str, target: &str, commands: &[impl AsRef<str>]) -> String {
        let source = format!("source {}", self.script().display());
        let commands = commands.iter().map(AsRef::as_ref);
        let lines = [target, &source].into_iter().chain(commands);
        let script: String = lines.map(|line| format!("{line}\n")).collect();
        text(&self.run_gdb(program, &["-iex", "set osabi none"], &script))
    }

    fn run_gdb(&self, program: &str, options: &[&str], script: &str) -> Output {
        let commands = self.directory.path().join("commands.gdb");
        std::fs::write(&commands, script).unwrap();
        // Commands on standard input go on after an error.
        Command::new(program)
            .args(["-nx", "-q", "-iex", "set pagination off", "-iex", "set width 0"])
            // Of a busy machine.
            .args(["-iex", "set remotetimeout 60"])
            .args(["-iex", "set confirm off", "-iex", "set style enabled off"])
            .args(options)
            .arg(&self.kernel)
            .stdin(std::fs::File::open(commands).unwrap())
            .output()
            .unwrap()
    }
}

/// The lines between two commands that print these words.
fn between<'a>(told: &'a str, from: &str, to: &str) -> &'a str {
    let told = told.split_once(&format!("{from}\n")).unwrap_or_else(|| panic!("{from}: {told}")).1;
    told.split_once(&format!("{to}\n")).unwrap_or_else(|| panic!("{to}: {told}")).0
}

impl Files {
    /// Compares gdb's backtrace of a thread with vnetkvm's, without functions that were inlined: gdb
    /// looks all frames up before their address, also those that a trap interrupted.
    fn check_stack(&self, told: &str, tid: &str) {
        let stack = self.ask_json(&["bt", "--tid", tid]);
        let frames = stack["stacks"][0]["frames"].as_array().unwrap();
        let named = |inlined: bool| {
            let some = frames.iter().filter(move |frame| frame["inlined"] == inlined);
            some.map(|frame| frame["function"].as_str().unwrap())
        };
        let is_inlined =
            |name: &&str| name.ends_with("_one") || named(true).any(|inlined| inlined == *name);
        let ours: Vec<&str> = named(false).filter(|name| !is_inlined(name)).collect();
        let gdb: Vec<&str> = functions(told).into_iter().filter(|name| !is_inlined(name)).collect();
        let (known, rest) = gdb.split_at(ours.len().min(gdb.len()));
        assert_eq!(known, ours, "{tid}: {told}");
        // What ran in user space, and the end.
        assert!(rest.len() <= 2 && rest.iter().all(|name| *name == "??"), "{tid}: {told}");
        assert!(!told.contains("Backtrace stopped"), "{tid}: {told}");
    }
}

#[test]
fn the_script_needs_neither_dump_nor_kernel_and_is_for_all_vnets() {
    let run = |arguments: &[&str]| Command::new(PROGRAM).args(arguments).output().unwrap();
    let output = run(&["gdb", "--python"]);
    assert!(output.status.success() && output.stderr.is_empty());
    let script = String::from_utf8(output.stdout).unwrap();
    assert!(script.contains("def _vnetkvm():\n") && script.ends_with("\n_vnetkvm()\n"));
    let output = run(&["gdb", "--python", "--jail", "web01"]);
    assert_eq!(output.status.code(), Some(2));
    let why = String::from_utf8(output.stderr).unwrap();
    assert!(why.starts_with("error: the Python script is for all vnets\n"), "{why}");
    assert_eq!(run(&["gdb", "--python", "ifnet"]).status.code(), Some(2));
}

#[test]
#[ignore = "needs gdb"]
fn backtraces_lead_across_trap_frames() {
    let files = Files::scenario("stacks.toml", Format::MinidumpV2);
    let tids = ["100901", "100910", "100012", "100921", "100040"];
    let commands: Vec<String> = tids
        .iter()
        .flat_map(|tid| {
            let choose = format!(
                "python [t.switch() for t in gdb.selected_inferior().threads() if t.ptid[1] == {tid}]"
            );
            [format!("echo from{tid}\\n"), choose, "bt".into(), format!("echo to{tid}\\n")]
        })
        .collect();
    let flags = ["frame function tcp_destroy", "print/x $eflags", "print/x $cs"];
    let choose =
        "python [t.switch() for t in gdb.selected_inferior().threads() if t.ptid[1] == 100901]";
    let flags = std::iter::once(choose).chain(flags).map(str::to_owned);
    let told = files.gdb("gdb", &commands.into_iter().chain(flags).collect::<Vec<_>>());
    assert!(told.contains("$1 = 0x10246\n$2 = 0x20\n"), "{told}");
    for tid in tids {
        let told = between(&told, &format!("from{tid}"), &format!("to{tid}"));
        files.check_stack(told, tid);
    }
    assert!(functions(&told).contains(&"calltrap"), "{told}");
}

#[test]
#[ignore = "needs gdb-multiarch"]
fn every_architecture_has_functions_commands_and_stacks() {
    for machine in &MACHINES {
        let (about, files) = (machine.kernel, machine.files());
        let told = files.gdb(
            "gdb-multiarch",
            &[
                "echo stack\\n",
                "bt",
                "echo stack2\\n",
                "python gdb.selected_inferior().threads()[0].switch()",
                "python [t.switch() for t in gdb.selected_inferior().threads() if t.ptid[1] == 100502]",
                "bt",
                "echo stack3\\n",
                "python [t.switch() for t in gdb.selected_inferior().threads() if t.ptid[1] == 100503]",
                "bt",
                "echo end\\n",
                "info vnets",
                "echo vnets\\n",
                "print $V(\"ip_defttl\", 1)",
                "print &$V(\"ip_defttl\", \"web\")",
                "print $V(\"ifnet\").cstqh_first == $V(\"ifnet\", $vnet(0)).cstqh_first",
                "print $PCPU(\"cpuid\", 1)",
                "print $jail(\"web\")->pr_vnet == $vnet(1)",
            ],
        );
        files.check_stack(between(&told, "stack", "stack2"), "100500");
        files.check_stack(between(&told, "stack2", "stack3"), "100502");
        files.check_stack(between(&told, "stack3", "end"), "100503");
        assert_eq!(between(&told, "end", "vnets"), files.ask(&["vnets"]), "{about}: {told}");
        let place = files.ask_json(&["print", "--vnet", "1", "ip_defttl"]);
        let place = place["results"][0]["address"].as_str().unwrap();
        for expected in ["$1 = 64", place, "$3 = 1", "$4 = 1", "$5 = 1"] {
            assert!(told.contains(expected), "{about}: {expected}: {told}");
        }
    }
}

/// Kernels of other releases and compilers, and one without VIMAGE.
#[test]
#[ignore = "needs gdb"]
fn kernels_of_all_releases_have_vnets() {
    let jail = "[[step]]\ndo = \"jail\"\nname = \"web\"\n";
    for kernel in ["classic-gcc-dwarf4", "stable13-clang-dwarf4", "stable15-clang-dwarf4"] {
        let files = Files::steps(kernel, jail, Format::Full);
        let told = files.gdb("gdb", &["info vnets", "print $V(\"ip_defttl\", \"web\")"]);
        assert!(told.contains(&files.ask(&["vnets"])), "{kernel}: {told}");
        assert_eq!(values(&told), ["64"], "{kernel}: {told}");
    }
    let files = Files::steps("plain-clang-dwarf4", "", Format::Full);
    let told = files.gdb("gdb", &["info vnets", "vnet 0", "print $V(\"ip_defttl\")"]);
    assert_eq!(told.matches("This kernel has no VIMAGE and no vnets.").count(), 2, "{told}");
    assert_eq!(values(&told), ["64"], "{told}");
}

/// Behind the call of a null pointer, the return address is on top of the stack.
#[test]
#[ignore = "needs gdb"]
fn the_call_of_a_null_pointer_leads_to_its_caller() {
    let files = |trap: &str| {
        let steps = format!(
            "[[step]]\ndo = \"process\"\nname = \"dumps\"\ntid = 100500\ndumping = true\n\
             [[step]]\ndo = \"stack\"\nprocess = \"dumps\"\nsyscall = 54\ncalls = [\"doadump\", \
             \"panic\", \"trap\", {{ entry = \"calltrap\", trap = {{ {trap} }} }}, \"soo_ioctl\", \
             \"kern_ioctl\", \"sys_ioctl\", \"amd64_syscall\", \"fast_syscall_common\"]\n"
        );
        Files::steps("classic-clang-dwarf4", &steps, Format::MinidumpV2)
    };
    // soo_ioctl returns, and what it returned to calls the null pointer.
    let first = files("trapno = 12");
    let frames = first.ask_json(&["bt", "--tid", "100500"]);
    let frames = frames["stacks"][0]["frames"].as_array().unwrap().clone();
    let registers = frames.iter().find_map(|frame| frame["registers"].as_object()).unwrap();
    let number = |value: &Value| {
        let text = value.as_str().unwrap().trim_start_matches("0x");
        u64::from_str_radix(text, 16).unwrap()
    };
    let frame = number(&registers["rbp"]);
    let saved = first.ask_json(&["print", &format!("*(unsigned long *){frame:#x}")]);
    let saved = saved["results"][0]["value"].as_u64().unwrap();
    let files = files(&format!("trapno = 12, rip = 0, rsp = {}, rbp = {saved}", frame + 8));
    let told = files.gdb("gdb", &["bt"]);
    let known: Vec<&str> =
        functions(&told).into_iter().filter(|name| !name.ends_with("_one")).collect();
    let expected = ["doadump", "panic", "trap", "calltrap", "kern_ioctl", "sys_ioctl"];
    assert_eq!(known[..6], expected, "{told}");
    assert!(!told.contains("Backtrace stopped"), "{told}");
}

/// Where gdb has each variable, for two vnets: the address and the size.
#[test]
#[ignore = "needs gdb"]
fn every_variable_is_where_vnetkvm_finds_it() {
    let files = Files::scenario("stacks.toml", Format::MinidumpV2);
    for vnet in ["0", "2"] {
        let ours = files.ask_json(&["vars", "--vnet", vnet]);
        let ours = ours["variables"].as_array().unwrap();
        let names: Vec<String> =
            ours.iter().map(|each| each["name"].as_str().unwrap().into()).collect();
        let spelled = |each: &Value| {
            let name = each["name"].as_str().unwrap();
            let several = names.iter().filter(|other| *other == name).count() > 1;
            match several {
                true => {
                    let [file, module] = ["file", "module"].map(|key| each[key].as_str().unwrap());
                    format!("{name}@{file}@{module}")
                }
                false => name.to_owned(),
            }
        };
        let commands: Vec<String> = ours
            .iter()
            .map(|each| {
                let value = format!("gdb.parse_and_eval('$V(\"{}\", {vnet})')", spelled(each));
                format!("python v = {value}; print('%#x,%d' % (int(v.address), v.type.sizeof))")
            })
            .collect();
        let told = files.gdb(
            "gdb",
            &[&["echo begin\\n".to_owned()][..], &commands, &["echo end\\n".into()]].concat(),
        );
        let told: Vec<&str> = between(&told, "begin", "end").lines().collect();
        assert_eq!(told.len(), ours.len(), "{told:?}");
        for (told, ours) in told.iter().zip(ours) {
            let (address, size) = told.split_once(',').unwrap();
            assert_eq!(address, ours["address"], "{ours}");
            // A symbol has room for a flexible array, its type has not.
            let exact = !ours["name"].as_str().unwrap().starts_with("feat_flexible");
            assert!(!exact || size.parse::<u64>().ok() == ours["size"].as_u64(), "{told}: {ours}");
        }
        assert!(ours.len() > 500, "{}", ours.len());
    }
}

/// What `print` writes of values, without their numbers and types.
fn values(told: &str) -> Vec<&str> {
    let values = told.lines().filter_map(|line| line.strip_prefix('$')?.split_once(" = "));
    values.map(|(_, value)| value).collect()
}

#[test]
#[ignore = "needs gdb"]
fn the_command_vnet_chooses_and_asks() {
    let files = Files::scenario("stacks.toml", Format::MinidumpV2);
    let told = files.gdb(
        "gdb",
        &[
            "vnet",
            "print $_vnet == $vnet(\"web01\")",
            "vnet db01",
            "print $_vnet == $vnet(2)",
            "vnet foreach print $V(\"ip_defttl\") + ($_vnet == $vnet())",
            "vnet foreach print no_such_variable",
            "vnet",
            "vnet print ip_defttl",
            "vnet 0xfffff80000621000",
            "vnet none",
            "vnet 7",
            "vnet 0x1234",
            "vnet nobody",
            "print $V(\"nothing\")",
            "print $V(\"ip_defttl\", \"nobody\")",
            "print $V(\"ip_gif_ttl\")",
            "print $V(\"V_ip_defttl\", 0) + $V(\"ip_defttl\", vnet0)",
            "print $PCPU(\"cpuid\")",
            "print $PCPU(\"cpuid\", 9)",
            "print $jail(1)->pr_name",
        ],
    );
    let expected = [
        "vnet 1 (0xfffff80000621040): web01 (not chosen)",
        "vnet 2 (0xfffff80000621080): db01",
        "vnet 0 (0xfffff80000621000): host\n$3 = 65\n",
        "vnet 2 (0xfffff80000621080): db01\n$5 = 65\n",
        "vnet 2 (0xfffff80000621080): db01\nip_defttl = (int) 64\n",
        "vnet 0 (0xfffff80000621000): host\nvnet 1 (0xfffff80000621040): web01 (not chosen)\n",
        "No vnet has the number 7.",
        "There is no vnet at 0x1234.",
        "There is no jail and no command nobody.",
        "There is no variable nothing in set_vnet.",
        "There is no jail nobody.",
        "Several files define ip_gif_ttl: ip_gif_ttl@in_gif.c@if_gif.ko, ip_gif_ttl@in_gif.c@kernel.",
        "= 128\n",
        "There is no CPU 9; the last one is 3.",
        "= \"web01\"",
    ];
    for expected in expected {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    assert_eq!(told.matches("No symbol \"no_such_variable\" in current context.").count(), 3);
    assert!(!told.contains("Traceback"), "{told}");
}

/// The vnet of the script, chosen or not, is the one that vnetkvm is asked about.
#[test]
#[ignore = "needs gdb"]
fn the_script_and_vnetkvm_agree_on_the_vnet() {
    let files = Files::scenario("demo.toml", Format::MinidumpV2);
    let told = files.gdb(
        "gdb",
        &[
            "vnet db01",
            "vnet print ip_defttl",
            "vnet none",
            "vnet print ip_defttl",
            "vnet foreach monitor print ip_defttl",
            "monitor vnet db01",
            "monitor vnet none",
            "monitor print ip_defttl",
        ],
    );
    let values = told.lines().filter_map(|line| line.strip_prefix("ip_defttl = (int) "));
    assert_eq!(values.collect::<Vec<_>>(), ["128", "42", "64", "42", "128", "42"], "{told}");
}

#[test]
#[ignore = "needs gdb"]
fn printers_show_lists_and_addresses() {
    let files = Files::scenario("network.toml", Format::MinidumpV2);
    let addresses = "\
python
place = gdb.parse_and_eval('$V(\"ifnet\", 0)')['cstqh_first']
while int(place):
    each = place['if_addrhead']['cstqh_first']
    while int(each):
        mask = each['ifa_netmask']
        print(each['ifa_addr'].dereference(), mask.dereference() if int(mask) else '')
        each = each['ifa_link']['cstqe_next']
    place = place['if_link']['cstqe_next']
end";
    let lists =
        ["print $V(\"ifnet\", 0)", "print vnet_head", "print allprison", "print/r allprison"];
    let told = files.gdb("gdb", &[&lists[..], &[addresses]].concat());
    let told = told.replace('>', "");
    let shown = values(&told);
    let place = |expression: &str| {
        let told = files.ask_json(&["print", "--vnet", "0", expression]);
        told["results"][0]["value"].as_str().unwrap().to_owned()
    };
    let first = place("ifnet.cstqh_first");
    assert!(shown[0].starts_with(&format!("14 elements = {{{first}, 0x")), "{told}");
    assert_eq!(shown[0].matches("0x").count(), 14);
    assert!(shown[1].starts_with("4 elements = {0xfffff80000621100, 0x"), "{told}");
    assert!(shown[2].starts_with("3 elements = {0x"), "{told}");
    assert!(shown[3].starts_with("{tqh_first = 0x"), "{told}");
    for expected in [
        "127.0.0.1 255.0.0.0",
        "fe80::1%1 ffff:ffff:ffff:ffff::",
        "link#2 em0 02:00:5e:00:00:01",
        "198.51.100.1 255.255.255.252",
        "2001:db8::1 ffff:ffff:ffff:ffff::",
    ] {
        assert!(told.lines().any(|line| line.trim_end() == expected), "{expected}: {told}");
    }
}

/// Counters that are pointers and those that are offsets, in use, early and never allocated.
#[test]
#[ignore = "needs gdb"]
fn sums_of_counters_are_those_of_vnetkvm() {
    for scenario in ["machinery.toml", "machinery-newer.toml"] {
        let files = Files::scenario(scenario, Format::MinidumpV2);
        let sum =
            ["print $V(\"feat_sysctl_counter\", \"web\")", "print $V(\"arpstat\", \"web\")[0]"];
        let all = ["print $V(\"tcpstat\", \"web\")", "print $V(\"tcpstat\", 0)"];
        let told = files.gdb("gdb", &[sum, all].concat());
        let shown = values(&told);
        assert_eq!(shown.len(), 4, "{scenario}: {told}");
        assert_eq!(shown[..2], ["42", "not allocated"], "{scenario}: {told}");
        for (jail, shown) in [("web", shown[2]), ("", shown[3])] {
            let which = if jail.is_empty() { ["--vnet", "0"] } else { ["--jail", jail] };
            let ours = files.ask_json(&["print", which[0], which[1], "tcpstat[0]"]);
            let ours = &ours["results"][0];
            let first = shown.trim_start_matches('{').split([',', '}', ' ']).next().unwrap();
            match ours["value"]["counter"].as_u64() {
                Some(ours) => assert_eq!(first, ours.to_string(), "{scenario} {jail}: {told}"),
                None => assert_eq!(first, "not", "{scenario} {jail}: {ours} {told}"),
            }
        }
    }
}

#[test]
#[ignore = "needs gdb-multiarch"]
fn per_cpu_variables_are_where_vnetkvm_finds_them() {
    let scenarios = [
        ("pcpu-newer.toml", Format::MinidumpV3),
        ("pcpu-i386.toml", Format::Full),
        ("pcpu-powerpc64.toml", Format::Full),
    ];
    for (scenario, format) in scenarios {
        let files = Files::scenario(scenario, format);
        let ours = files.ask_json(&["pcpu", "--all-cpus"]);
        let mut places = Vec::new();
        for cpu in ours["cpus"].as_array().unwrap() {
            for each in cpu["variables"].as_array().unwrap() {
                let [name, file, module] =
                    ["name", "file", "module"].map(|key| each[key].as_str().unwrap_or_default());
                // Without the module's symbols it has a name alone.
                let spelled = match file {
                    "" => name.to_owned(),
                    file => format!("{name}@{file}@{module}"),
                };
                places.push((spelled, cpu["cpu"].clone(), each["address"].as_str().unwrap()));
            }
        }
        assert!(places.len() > 20, "{scenario}: {places:?}");
        let commands: Vec<String> = places
            .iter()
            .map(|(name, cpu, _)| format!("output/x (long) &$DPCPU(\"{name}\", {cpu})\necho \\n"))
            .collect();
        let ends = [&["echo begin\\n".to_owned()][..], &commands, &["echo end\\n".into()]].concat();
        let told = files.gdb("gdb-multiarch", &ends);
        let shown: Vec<&str> = between(&told, "begin", "end").lines().collect();
        let expected: Vec<&str> = places.iter().map(|(_, _, place)| *place).collect();
        assert_eq!(shown, expected, "{scenario}: {told}");
    }
}

/// Modules of both classes of the kernel's linker, with their symbols and without.
#[test]
#[ignore = "needs gdb-multiarch"]
fn variables_of_modules_are_found_where_they_were_moved() {
    for (scenario, format) in
        [("modules.toml", Format::MinidumpV2), ("modules-shared.toml", Format::MinidumpV1)]
    {
        let files = Files::scenario(scenario, format);
        let ours = files.ask_json(&["vars", "--vnet", "1", "gif_defects", "bridge_*"]);
        let ours = ours["variables"].as_array().unwrap();
        let ours: Vec<(&str, &str)> = ours
            .iter()
            .filter(|each| each["module"] != "kernel")
            .map(|each| (each["name"].as_str().unwrap(), each["address"].as_str().unwrap()))
            .collect();
        assert!(ours.len() > 3, "{scenario}: {ours:?}");
        let commands: Vec<String> =
            ours.iter().map(|(name, _)| format!("print/x (long) &$V(\"{name}\", 1)")).collect();
        let without = [&["nosharedlibrary".to_owned()][..], &commands].concat();
        for commands in [commands, without] {
            let told = files.gdb("gdb-multiarch", &commands);
            let places: Vec<&str> = ours.iter().map(|(_, place)| *place).collect();
            assert_eq!(values(&told), places, "{scenario}: {commands:?} {told}");
        }
    }
}

/// kgdb has a module's variables where they were before the linker moved them, outside of module
/// space.
#[test]
#[ignore = "needs gdb"]
fn variables_of_modules_are_found_from_where_they_were() {
    let files = Files::scenario("stacks.toml", Format::MinidumpV2);
    let ours = files.ask_json(&["print", "--vnet", "1", "gif_defects"]);
    let module = files.directory.path().join("if_gif.ko.debug");
    std::fs::copy(fixtures().join("kernel/modules/amd64/if_gif.ko.debug"), &module).unwrap();
    let add = format!(
        "add-symbol-file {} 0xffffffff80f00000 -s set_vnet 0xffffffff80f80000",
        module.display()
    );
    let commands = [
        "nosharedlibrary",
        &add,
        "print/x (long) &vnet_entry_gif_defects >= 0xffffffff80f80000",
        "print/x (long) &$V(\"gif_defects\", 1)",
        "print $V(\"gif_defects\", 1)",
    ];
    let told = files.gdb("gdb", &commands);
    let ours = &ours["results"][0];
    let value = ours["value"].to_string();
    assert_eq!(values(&told), ["0x1", ours["address"].as_str().unwrap(), &value], "{told}");
}

/// A core that gdb reads by itself has no connection that vnetkvm could be asked by.
#[test]
#[ignore = "needs gdb"]
fn a_core_that_gdb_reads_needs_no_server() {
    let files = Files::scenario("stacks.toml", Format::Virtual);
    let commands = format!(
        "core-file {}\nsource {}\ninfo vnets\nprint $V(\"ip_defttl\", \"db01\")\nvnet check\n",
        files.core.display(),
        files.script().display()
    );
    let options =
        ["-iex", "set osabi GNU/Linux", "-ex", "python import os; os.environ['PATH'] = ''"];
    let told = text(&files.run_gdb("gdb", &options, &commands));
    assert!(told.contains(&files.ask(&["vnets"])), "{told}");
    assert!(told.contains("$1 = 64"), "{told}");
    let what = format!("vnetkvm -N {} -M {} check", files.kernel.display(), files.core.display());
    assert!(told.contains("it is not in PATH") && told.contains(&what), "{told}");
    let path = Path::new(PROGRAM).parent().unwrap().display().to_string();
    let path = format!("python import os; os.environ['PATH'] = '{path}'");
    let told = text(&files.run_gdb("gdb", &[options[0], options[1], "-ex", &path], &commands));
    assert!(told.contains(&files.ask(&["check"])), "{told}");
}

#[test]
#[ignore = "needs gdb"]
fn a_debugger_with_other_pointers_is_told_and_nothing_is_defined() {
    let files = Files::scenario("stacks.toml", Format::MinidumpV2);
    let commands =
        format!("source {}\nprint $V(\"ifnet\")\ninfo vnets\n", files.script().display());
    let told = text(&files.run_gdb("gdb", &["-ex", "set architecture i386"], &commands));
    assert!(told.contains("The kernel's pointers have 8 bytes, this debugger's 4"), "{told}");
    assert!(!told.contains("VNET"), "{told}");
    // Without a kernel there is nothing to compare yet.
    let told = files.run_gdb("gdb", &["-ex", "symbol-file"], &commands);
    let told = text(&told);
    assert_eq!(told.matches("The kernel's symbols are not loaded").count(), 2, "{told}");
}

#[test]
#[ignore = "needs gdb"]
fn the_server_gives_the_script_over_the_wire() {
    let files = Files::scenario("demo.toml", Format::MinidumpV2);
    let load = "python exec(gdb.execute(\"monitor gdb --python\", to_string=True))";
    let commands = format!("{}\n{load}\ninfo vnets\n", files.remote());
    let told = text(&files.run_gdb("gdb", &["-iex", "set osabi none"], &commands));
    assert!(told.contains(&files.ask(&["vnets"])), "{told}");
}

/// Lists that come back, or lead nowhere, end with a message.
#[test]
#[ignore = "needs gdb"]
fn damaged_lists_end() {
    let damage = |what: &str, member: &str, to: &str| {
        let files = Files::damaged(what, member, to);
        let commands = [
            "info vnets",
            "vnet 1",
            "print vnet_head",
            "print allprison",
            "print $V(\"ip_defttl\", \"web\")",
            "print $V(\"ip_defttl\", vnet0)",
            "print $V(\"ip_defttl\", \"nobody\")",
        ];
        files.gdb("gdb", &commands)
    };
    let told = damage("vnet:web", "vnet_le.le_next", "to = \"vnet:db\"");
    assert!(told.contains("The list of vnets comes back to 0x"), "{told}");
    assert!(told.contains("   ?  up") && told.contains("   0  up"), "{told}");
    assert!(told.contains("2 elements, then it comes back to 0x"), "{told}");
    assert_eq!(told.matches("= 64").count(), 2, "{told}");
    let told = damage("vnet:web", "vnet_le.le_next", "value = 4096");
    assert!(told.contains("The list of vnets leads to 0x1000, which cannot be read"), "{told}");
    let told = damage("jail:db", "pr_list.tqe_next", "to = \"jail:web\"");
    assert!(told.contains("There is no jail nobody. The list of jails comes back to 0x"), "{told}");
    assert!(told.contains("2 elements, then it comes back to 0x"), "{told}");
}
