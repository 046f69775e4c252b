//! The dumps that tests of reports are about.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Names that would be more than text: elements, ends of elements, attributes, Markdown, and
/// characters that reorder others.
#[allow(dead_code, reason = "each test has a use for some of them")]
pub const HOSTILE: [&str; 6] = [
    "<img src=x onerror=document.title='owned'>",
    "</script><script>document.title='owned'</script>",
    "\"><svg onload=alert(1)>",
    "`|a|`[x](http://example.net/)<b>\u{202e}gnp",
    "--></style></pre></title><h1>&lt;&#x3c;",
    "@someone ~~~ ``` \\| # *x*",
];

/// A machine whose jails, host, messages, processes and interfaces have such names.
#[allow(dead_code, reason = "each test has a use for some of them")]
pub fn hostile(directory: &Path) -> PathBuf {
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let mut scenario = format!(
        "cpus = 2\nmemory = \"64M\"\nformats = [\"minidump-v2\"]\nhostname = {}\n\
         panic = {}\nmessages = [{}]\n",
        quoted(HOSTILE[0]),
        quoted(HOSTILE[1]),
        quoted(&HOSTILE.join(" ")),
    );
    for (number, name) in HOSTILE.iter().enumerate() {
        let jid = number + 1;
        let name = quoted(&name.replace('.', ""));
        let _ = write!(
            scenario,
            "[[step]]\ndo = \"jail\"\nname = {name}\njid = {jid}\nhostname = {name}\npath = {name}\n\
             [[step]]\ndo = \"interface\"\nname = \"<i>`|{jid}\"\ndriver = \"em\"\njail = {name}\n\
             description = {name}\naddresses = [\"10.0.{jid}.1/24\"]\n\
             [[step]]\ndo = \"process\"\nname = \"<b>p{jid}\"\njail = {name}\n\
             [[step]]\ndo = \"socket\"\nprocess = \"<b>p{jid}\"\nkind = \"local-stream\"\npath = {name}\n",
        );
    }
    build(&scenario, directory)
}

/// A machine with so many vnets: each but the host's has an end of an epair, routes, and a process
/// with sockets.
#[allow(dead_code, reason = "each test has a use for some of them")]
pub fn many_vnets(vnets: usize, directory: &Path) -> PathBuf {
    let mut scenario =
        format!("cpus = 2\nmemory = \"{}M\"\nformats = [\"minidump-v2\"]\n", 256.max(vnets * 3));
    for number in 1..vnets {
        let (jail, a, b) = (format!("jail{number:04}"), number / 250, number % 250 + 1);
        let _ = write!(
            scenario,
            "[[step]]\ndo = \"jail\"\nname = \"{jail}\"\njid = {number}\nhostname = \"{jail}.example.org\"\n\
             [[step]]\ndo = \"interface\"\nname = \"lo0\"\ndriver = \"lo\"\nhome = \"{jail}\"\njail = \"{jail}\"\naddresses = [\"127.0.0.1/8\"]\n\
             [[step]]\ndo = \"epair\"\nname = \"epair{number}\"\na = {{ }}\n\
             b = {{ jail = \"{jail}\", addresses = [\"10.{a}.{b}.2/24\", \"fd00:{number}::2/64\"] }}\n\
             [[step]]\ndo = \"bring-up\"\njail = \"{jail}\"\ninterface = \"epair{number}b\"\nlink = \"02:00:5e:10:{a:02}:{:02x}\"\n\
             [[step]]\ndo = \"route\"\njail = \"{jail}\"\nto = \"default\"\ngateway = \"10.{a}.{b}.1\"\ninterface = \"epair{number}b\"\n\
             [[step]]\ndo = \"process\"\nname = \"nginx{number}\"\njail = \"{jail}\"\n",
            b,
        );
        for port in 0..8 {
            let _ = write!(
                scenario,
                "[[step]]\ndo = \"socket\"\nprocess = \"nginx{number}\"\nkind = \"tcp\"\n\
                 local = \"10.{a}.{b}.2:443\"\nremote = \"192.0.2.{port}:{}\"\n",
                50_000 + port
            );
        }
    }
    build(&scenario, directory)
}

/// Builds a scenario with a small kernel; the directory of its files.
pub fn build(scenario: &str, directory: &Path) -> PathBuf {
    let kernel = fixture("kernel/classic-clang-dwarf4");
    let path = directory.join("scenario.toml");
    fs::write(&path, format!("kernel = {:?}\n{scenario}", kernel.to_str().unwrap())).unwrap();
    build_file(&path, &directory.join("built"))
}

/// Builds a scenario of the project, or of a test.
pub fn build_file(scenario: &Path, built: &Path) -> PathBuf {
    let words = ["image", "build", scenario.to_str().unwrap(), "-o", built.to_str().unwrap()];
    let output = vnetkvm(&words);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    built.to_owned()
}

#[allow(dead_code, reason = "each test has a use for some of them")]
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// The report of an image, with these words after the command.
#[allow(dead_code, reason = "each test has a use for some of them")]
pub fn report(built: &Path, words: &[&str]) -> String {
    let mut files = fs::read_dir(built).unwrap().map(|entry| entry.unwrap().path());
    let core = files.find(|file| file.file_stem().unwrap() == "vmcore").unwrap();
    let kernel = built.join("kernel");
    report_of(kernel.to_str().unwrap(), core.to_str().unwrap(), words)
}

/// The report of two files.
pub fn report_of(kernel: &str, core: &str, words: &[&str]) -> String {
    let files = ["-N", kernel, "-M", core, "report"];
    let output = vnetkvm(&[&files, words].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub fn vnetkvm(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vnetkvm")).args(words).output().unwrap()
}
