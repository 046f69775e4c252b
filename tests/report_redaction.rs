//! Reports for bug trackers: nothing that tells whose machine it was is left in them, and what
//! leads through kernel memory is.

#![cfg(feature = "cli")]

mod report_images;

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use report_images::{build, build_file, fixture, report, vnetkvm};

const SCENARIOS: [&str; 8] =
    ["demo", "network", "sockets", "sockets-newer", "routes", "routes-newer", "jails", "machinery"];

#[test]
fn nothing_that_a_scenario_names_is_left() {
    for scenario in SCENARIOS {
        let directory = tempfile::tempdir().unwrap();
        let path = fixture("scenarios").join(scenario).with_extension("toml");
        let secrets = Secrets::of(&path);
        assert!(secrets.names.len() > 2, "{scenario}: {secrets:?}");
        let built = build_file(&path, directory.path());
        for format in ["html", "markdown"] {
            let text = report(&built, &["--redact", "--format", format]);
            let text = unescaped(&text);
            secrets.assert_absent(&text, &format!("{scenario} as {format}"));
            let placeholder = text.contains("<jail-1>") && text.contains("<host-1>");
            assert!(placeholder, "{scenario} as {format}");
        }
    }
}

#[test]
fn addresses_of_kernel_memory_stay() {
    let directory = tempfile::tempdir().unwrap();
    let built = build_file(&fixture("scenarios/sockets.toml"), directory.path());
    let [plain, redacted] = [&[][..], &["--redact"][..]].map(|words| {
        let text = report(&built, &[&["--format", "markdown"], words].concat());
        // The values of structs, which have further ones, are left out.
        text.split("\n## Differences").next().unwrap().to_owned()
    });
    let addresses = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_alphanumeric());
        words.filter(|word| word.starts_with("0x")).map(str::to_owned).collect()
    };
    assert!(addresses(&plain).len() > 100);
    assert_eq!(addresses(&redacted), addresses(&plain));
}

#[test]
fn both_forms_and_every_run_have_the_same_placeholders() {
    let directory = tempfile::tempdir().unwrap();
    let built = build_file(&fixture("scenarios/routes.toml"), directory.path());
    let markdown = report(&built, &["--redact", "--format", "markdown"]);
    assert_eq!(markdown, report(&built, &["--redact", "--format", "markdown"]));
    let html = unescaped(&report(&built, &["--redact"]));
    // The lines of the wiring, of which each has an interface with its addresses.
    let lines: Vec<&str> = markdown.lines().filter(|line| line.starts_with(['├', '└'])).collect();
    assert!(lines.len() > 3, "{markdown}");
    for line in lines {
        assert!(html.lines().any(|other| other == line), "{line}");
    }
}

/// What messages and versions say about other machines, and where files lie.
#[test]
fn messages_paths_and_hosts_that_are_not_known_before_are_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let image = directory.path().join("customer");
    fs::create_dir(&image).unwrap();
    let built = build(
        "hostname = \"gw.example.org\"\npanic = \"no route to 198.51.100.7 from gw\"\ninfo = \"v4\"\n\
         formats = [\"minidump-v2\"]\n\
         messages = [\"    root@builder.example.net:/usr/obj/usr/src/amd64.amd64/sys/SECRET\", \
         \"sshd: from 203.0.113.9 port 40022, db7.example.org 02:00:5e:10:00:0b /home/jane/core\"]\n\
         [[step]]\ndo = \"jail\"\nname = \"web01\"\njid = 1\nhostname = \"webhost\"\n",
        &image,
    );
    for format in ["html", "markdown"] {
        let text = unescaped(&report(&built, &["--redact", "--format", format]));
        for secret in [
            "198.51.100.7",
            "203.0.113.9",
            "40022",
            "db7",
            "example",
            "builder",
            "root@",
            "jane",
            "02:00:5e",
            "web01",
            "webhost",
            "gw",
            "customer",
        ] {
            assert!(!has_word(&text, secret), "{format}: {secret}\n{text}");
        }
        for kept in ["vmcore.minidump-v2", "no route to <ip4-1> from <host-1>", "<user>@<host-"] {
            assert!(text.contains(kept), "{format}: {kept}\n{text}");
        }
    }
}

#[test]
fn a_dump_without_its_kernel_is_redacted_too() {
    let directory = tempfile::tempdir().unwrap();
    let built = build_file(&fixture("scenarios/demo.toml"), directory.path());
    let (kernel, core) = (fixture("kernel/newer-clang-dwarf4"), built.join("vmcore.minidump-v2"));
    let words =
        ["-N", kernel.to_str().unwrap(), "-M", core.to_str().unwrap(), "report", "--redact"];
    let output = vnetkvm(&words);
    let text = unescaped(&String::from_utf8(output.stdout).unwrap());
    let directory = directory.path().file_name().unwrap().to_str().unwrap();
    assert!(!text.contains(directory) && text.contains("vmcore.minidump-v2"), "{text}");
}

/// Without all names, nobody can tell which words of a message are one.
#[test]
fn what_the_kernel_wrote_is_left_out_if_not_all_names_are_known() {
    let directory = tempfile::tempdir().unwrap();
    let image = directory.path().join("whole");
    fs::create_dir(&image).unwrap();
    let built = build(
        "hostname = \"gw.corp.example.net\"\npanic = \"oops in jail acme\"\nformats = [\"minidump-v2\"]\n\
         messages = [\"jail acme started\", \"GW refused a login\"]\n\
         [[step]]\ndo = \"jail\"\nname = \"acme\"\nhostname = \"mail.corp.example.net\"\n",
        &image,
    );
    let core = fs::read(built.join("vmcore.minidump-v2")).unwrap();
    let cut = directory.path().join("cut");
    fs::write(&cut, &core[..core.len() * 95 / 100]).unwrap();
    let alone = directory.path().join("alone");
    fs::create_dir(&alone).unwrap();
    fs::write(alone.join("vmcore"), &core).unwrap();
    let kernel = built.join("kernel");
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let cases = [
        vec!["-N".to_owned(), path(&kernel), "-M".to_owned(), path(&cut)],
        vec!["-M".to_owned(), path(&alone.join("vmcore"))],
    ];
    for case in cases {
        for format in ["html", "markdown"] {
            let mut words: Vec<&str> = case.iter().map(String::as_str).collect();
            words.extend(["report", "--redact", "--format", format]);
            let output = vnetkvm(&words);
            let text = unescaped(&String::from_utf8(output.stdout).unwrap());
            for secret in ["acme", "corp", "refused", "oops"] {
                assert!(!text.contains(secret), "{words:?}: {secret}\n{text}");
            }
            assert!(text.contains("the panic message and the message buffer are left out"));
            let said = String::from_utf8(output.stderr).unwrap();
            let wanted = "warning: the panic message and the message buffer are left out";
            assert!(said.contains(wanted), "{said}");
        }
    }
    let whole = report(&built, &["--redact", "--format", "markdown"]);
    assert!(whole.contains("oops in jail <jail-1>"), "{whole}");
    assert!(whole.contains("<host-1> refused a login"), "{whole}");
}

/// What a scenario names.
#[derive(Debug, Default)]
struct Secrets {
    names: BTreeSet<String>,
    ports: BTreeSet<String>,
}

impl Secrets {
    fn of(scenario: &Path) -> Self {
        let text = fs::read_to_string(scenario).unwrap();
        let mut secrets = Self::default();
        secrets.add_table(&text.parse::<toml::Table>().unwrap());
        secrets
    }

    fn add_table(&mut self, table: &toml::Table) {
        if table.get("do").and_then(toml::Value::as_str) == Some("destroy") {
            // Its name is in no memory that is still used.
            let jail = table.get("jail").and_then(toml::Value::as_str).unwrap_or_default();
            self.names.remove(jail);
        }
        let is_jail = table.get("do").and_then(toml::Value::as_str) == Some("jail");
        for (key, value) in table {
            match (&**key, value) {
                ("name", toml::Value::String(name)) if is_jail => {
                    let parent = table.get("parent").and_then(toml::Value::as_str);
                    let parent = parent.map_or(String::new(), |parent| format!("{parent}."));
                    self.add_name(&format!("{parent}{name}"));
                }
                ("hostname" | "description" | "path", toml::Value::String(name)) => {
                    self.add_name(name);
                }
                ("ether" | "link", toml::Value::String(name)) => self.add_name(name),
                ("local" | "remote", toml::Value::String(end)) => {
                    self.ports.extend(end.rsplit_once(':').map(|(_, port)| port.to_owned()));
                }
                (_, toml::Value::Table(table)) => self.add_table(table),
                (_, toml::Value::Array(all)) => {
                    all.iter().filter_map(toml::Value::as_table).for_each(|it| self.add_table(it));
                }
                _ => {}
            }
        }
    }

    fn add_name(&mut self, name: &str) {
        if name != "/" && !name.is_empty() {
            self.names.insert(name.to_owned());
        }
    }

    fn assert_absent(&self, text: &str, what: &str) {
        // The picture of module space has a word that is also the name of a jail.
        let own = |name: &&String| !(what == "jails as html" && *name == "lost");
        for name in self.names.iter().filter(own) {
            assert!(!has_word(text, name), "{what}: {name} is left");
        }
        for line in text.lines() {
            for run in line.split(|c: char| !c.is_ascii_hexdigit() && c != ':' && c != '.') {
                let run = run.trim_end_matches(['.', ':']);
                for part in [Some(run), run.rsplit_once(':').map(|(address, _)| address)] {
                    let Some(Ok(ip)) = part.map(str::parse::<IpAddr>) else { continue };
                    let is_mask = run.starts_with("255.");
                    let is_common = ip.is_loopback() || ip.is_unspecified() || is_mask;
                    assert!(is_common, "{what}: {ip} is left: {line}");
                }
            }
            // `net/vnet.c:80` is a line of a file, `sshd[640]:3` a descriptor of a process.
            let is_descriptor = |before: &str| {
                let pid = before.strip_suffix(']').and_then(|before| before.rsplit_once('['));
                pid.is_some_and(|(_, pid)| pid.bytes().all(|byte| byte.is_ascii_digit()))
            };
            let is_other =
                |before: &str| before.ends_with(['c', 'h', 'S']) || is_descriptor(before);
            let ports = line.match_indices(':').filter(|(at, _)| !is_other(&line[..*at]));
            for (at, _) in ports {
                let digits: String =
                    line[at + 1..].chars().take_while(char::is_ascii_digit).collect();
                let is_port = self.ports.contains(&digits) && digits != "0";
                assert!(!is_port, "{what}: port {digits} is left: {line}");
            }
        }
    }
}

/// Whether a text has this as a word of its own.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !is_part(before) && !is_part(after)
    })
}

/// The text of a report, with that of its pictures, and without its style and script.
fn unescaped(text: &str) -> String {
    let mut text = text.to_owned();
    for (start, end) in [("<style>", "</style>"), ("<script>", "</script>")] {
        if let (Some(start), Some(end)) = (text.find(start), text.find(end)) {
            text.replace_range(start..end, "");
        }
    }
    let named = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    let mut out = String::new();
    let mut pieces = text.split('%');
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        match piece.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if byte.is_ascii() => {
                out.push(char::from(byte));
                out.push_str(&piece[2..]);
            }
            _ => {
                out.push('%');
                out.push_str(piece);
            }
        }
    }
    named.iter().fold(out, |out, (from, to)| out.replace(from, to))
}
