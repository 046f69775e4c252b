//! What is released is whole: the source package has what the build reads, an installed
//! vnetkvm has its manual pages and completions, the Debian package installs and runs, and
//! no dependency has a licence that deny.toml does not allow.

#![cfg(feature = "cli")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const VNETKVM: &str = env!("CARGO_BIN_EXE_vnetkvm");
const VERSION: &str = env!("CARGO_PKG_VERSION");

#[test]
fn licences_of_all_dependencies_are_allowed() {
    let deny: toml::Table = read("deny.toml").parse().unwrap();
    let allowed: BTreeSet<&str> =
        deny["licenses"]["allow"].as_array().unwrap().iter().filter_map(|it| it.as_str()).collect();
    assert!(allows(&allowed, "(MIT OR GPL-3.0) AND Unicode-3.0"));
    for refused in ["GPL-3.0", "(MIT OR Zlib) AND GPL-3.0", "MIT AND (GPL-3.0 OR SSPL-1.0)", ""] {
        assert!(!allows(&allowed, refused), "{refused}");
    }

    let packages = dependencies();
    assert!(packages.len() > 90, "only {} packages", packages.len());
    let exceptions = deny["licenses"]["exceptions"].as_array().unwrap();
    for package in packages {
        let (name, licence) = (&package["name"], package["license"].as_str().unwrap_or_default());
        let exception = exceptions.iter().find(|it| it["crate"].as_str() == name.as_str());
        let more = exception.and_then(|it| it["allow"].as_array()).into_iter().flatten();
        let allowed = allowed.iter().copied().chain(more.filter_map(|it| it.as_str())).collect();
        assert!(allows(&allowed, licence), "{name}: {licence:?}");
    }

    let mut tree = with_export(cargo("tree"));
    tree.args(["--edges", "normal,build", "--prefix", "none", "--format", "{lib}"]);
    let released = stdout(&mut tree);
    assert!(released.contains("\ngimli\n"), "{released}");
    for exception in exceptions {
        let name = exception["crate"].as_str().unwrap().replace('-', "_");
        assert!(!released.lines().any(|it| it == name), "{name} is not only of tests");
    }
}

/// clippy tells of newer functions of the standard library, but not of dependencies.
#[test]
fn no_dependency_needs_a_newer_rust() {
    let number = |version: &str| -> Vec<u32> {
        version.split('.').chain(["0"]).take(3).map(|part| part.parse().unwrap()).collect()
    };
    let ours = number(env!("CARGO_PKG_RUST_VERSION"));
    for package in dependencies() {
        let theirs = package["rust_version"].as_str().map(number);
        assert!(theirs.is_none_or(|it| it <= ours), "{} {}", package["name"], package["version"]);
    }
}

/// This package and all that it and its tests are built from on this machine.
fn dependencies() -> Vec<Value> {
    let host = stdout(Command::new("rustc").arg("-vV"));
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let mut cargo = with_export(cargo("metadata"));
    cargo.args(["--format-version", "1", "--filter-platform", host]);
    let mut metadata: Value = serde_json::from_str(&stdout(&mut cargo)).unwrap();
    serde_json::from_value(metadata["packages"].take()).unwrap()
}

/// Is one of the licences among which an SPDX expression gives the choice allowed?
fn allows(allowed: &BTreeSet<&str>, expression: &str) -> bool {
    let expression = expression.trim();
    // An older way to write OR.
    let or = expression.replace('/', " OR ");
    for (operator, every) in [(" OR ", false), (" AND ", true)] {
        let parts = outside_parentheses(&or, operator);
        if parts.len() > 1 {
            let mut answers = parts.iter().map(|part| allows(allowed, part));
            return if every { answers.all(|it| it) } else { answers.any(|it| it) };
        }
    }
    match expression.strip_prefix('(').and_then(|it| it.strip_suffix(')')) {
        Some(inside) => allows(allowed, inside),
        None => allowed.contains(expression),
    }
}

fn outside_parentheses<'a>(expression: &'a str, operator: &str) -> Vec<&'a str> {
    let (mut parts, mut from) = (Vec::new(), 0);
    for (at, _) in expression.match_indices(operator) {
        let before = &expression[..at];
        if before.matches('(').count() == before.matches(')').count() {
            parts.push(&expression[from..at]);
            from = at + operator.len();
        }
    }
    parts.push(&expression[from..]);
    parts
}

/// crates.io takes 10 MB, and the FreeBSD port is built from what it has.
#[test]
fn the_source_package_has_what_the_build_reads() {
    let listed = stdout(cargo("package").args(["--list", "--allow-dirty"]));
    let listed: BTreeSet<&Path> = listed.lines().map(Path::new).collect();
    let mut read_by_the_build = 0;
    for source in files_below(&root().join("src")) {
        let code = fs::read_to_string(&source).unwrap_or_default();
        for macro_name in ["include_str!(\"", "include_bytes!(\""] {
            for name in code.split(macro_name).skip(1).filter_map(|rest| rest.split('"').next()) {
                let path = source.parent().unwrap().join(name).canonicalize().unwrap();
                let path = path.strip_prefix(root()).unwrap();
                assert!(listed.contains(path), "{} is left out", path.display());
                read_by_the_build += 1;
            }
        }
    }
    assert!(read_by_the_build > 20, "only {read_by_the_build} files were found");
    for file in ["LICENSE", "Cargo.lock", "packaging/stage.sh"] {
        assert!(listed.contains(Path::new(file)), "{file} is left out");
    }
    let sizes = listed.iter().filter_map(|path| fs::metadata(root().join(path)).ok());
    let size: u64 = sizes.map(|metadata| metadata.len()).sum();
    assert!(size < 10 << 20, "{size} bytes before they are compressed");
}

/// The port's list of files is what `packaging/stage.sh` lays out.
#[test]
fn the_port_installs_what_it_lists() {
    let prefix = tempfile::tempdir().unwrap();
    stage(prefix.path());
    let installed: Vec<String> = files_below(prefix.path())
        .iter()
        .map(|path| path.strip_prefix(prefix.path()).unwrap().to_str().unwrap().to_owned())
        .collect();
    // The port says by PORTDOCS that all documentation is listed.
    let (docs, installed): (BTreeSet<_>, _) =
        installed.into_iter().partition(|path| path.starts_with("share/doc/vnetkvm/"));
    assert!(docs.contains("share/doc/vnetkvm/docs/formats/elf-core.md"), "{docs:?}");
    // Ports compress manual pages.
    let listed = read("packaging/freebsd/pkg-plist");
    let mut listed: BTreeSet<String> =
        listed.lines().map(|line| line.trim_end_matches(".gz").to_owned()).collect();
    if !cfg!(feature = "export") {
        listed.remove("share/man/man1/vnetkvm-export.1");
    }
    assert_eq!(installed, listed, "packaging/freebsd/pkg-plist");
}

#[test]
fn packages_have_the_version_and_licence_of_the_project() {
    let port = read("packaging/freebsd/Makefile");
    assert!(port.contains(&format!("DISTVERSION=\t{VERSION}\n")), "packaging/freebsd/Makefile");
    let changelog = read("packaging/debian/changelog");
    assert!(changelog.starts_with(&format!("vnetkvm ({VERSION}-")), "packaging/debian/changelog");
    let words = |text: &str| {
        let words = text.split_whitespace().filter(|word| *word != ".");
        words.collect::<Vec<_>>().join(" ")
    };
    let licence = words(&read("LICENSE"));
    let (_, terms) = licence.split_once("the vnetkvm developers ").unwrap();
    assert!(words(&read("packaging/debian/copyright")).ends_with(terms));
}

/// The package of this build of the program, which is not optimised.
#[test]
#[ignore = "needs cargo-deb and dpkg"]
fn the_debian_package_installs_and_runs() {
    let scratch = tempfile::tempdir().unwrap();
    let build = scratch.path().join("build");
    fs::create_dir_all(build.join("release")).unwrap();
    fs::copy(VNETKVM, build.join("release/vnetkvm")).unwrap();
    let staged = build.join("release/staged");
    stage(&staged);
    let pages = files_below(&staged.join("share/man/man1"));
    stdout(Command::new("gzip").arg("-9n").args(pages));
    let licences = stdout(&mut Command::new(root().join("packaging/third-party.sh")));
    assert!(licences.contains("\n==== gimli "), "{licences}");
    fs::write(staged.join("share/doc/vnetkvm/THIRD-PARTY-LICENSES"), licences).unwrap();
    let package = scratch.path().join("vnetkvm.deb");
    let mut deb = cargo("deb");
    deb.args(["--no-build", "--fast", "--no-strip", "--output"]).arg(&package);
    stdout(deb.env("CARGO_TARGET_DIR", &build));

    let installed = scratch.path().join("installed");
    for directory in ["var/lib/dpkg/info", "var/lib/dpkg/updates"] {
        fs::create_dir_all(installed.join(directory)).unwrap();
    }
    fs::write(installed.join("var/lib/dpkg/status"), "").unwrap();
    let mut dpkg = Command::new("dpkg");
    // The scratch directory has no C library to depend on.
    dpkg.args(["--force-depends", "--force-not-root", "--log=/dev/null", "--root"]);
    stdout(dpkg.arg(&installed).arg("--install").arg(&package));

    let vnets = stdout(Command::new(installed.join("usr/bin/vnetkvm")).args(["--demo", "vnets"]));
    assert_eq!(vnets, stdout(Command::new(VNETKVM).args(["--demo", "vnets"])));
    for file in [
        "usr/share/man/man1/vnetkvm.1.gz",
        "usr/share/man/man1/vnetkvm-vars.1.gz",
        "usr/share/bash-completion/completions/vnetkvm",
        "usr/share/zsh/vendor-completions/_vnetkvm",
        "usr/share/fish/vendor_completions.d/vnetkvm.fish",
        "usr/share/doc/vnetkvm/README.md",
        "usr/share/doc/vnetkvm/docs/guide.md",
        "usr/share/doc/vnetkvm/docs/formats/elf-core.md",
        "usr/share/doc/vnetkvm/copyright",
        "usr/share/doc/vnetkvm/changelog.Debian.gz",
        "usr/share/doc/vnetkvm/THIRD-PARTY-LICENSES",
    ] {
        let metadata = fs::metadata(installed.join(file));
        assert!(metadata.is_ok_and(|it| it.len() > 0), "{file} is not installed");
    }
    let copyright = fs::read_to_string(installed.join("usr/share/doc/vnetkvm/copyright")).unwrap();
    assert_eq!(copyright.trim_end(), read("packaging/debian/copyright").trim_end());
    let control = stdout(Command::new("dpkg-deb").arg("--field").arg(&package));
    assert!(control.contains("\nDepends: libc6 (>= "), "{control}");
    assert!(control.contains(&format!("\nVersion: {VERSION}-1\n")), "{control}");
}

/// Lays out an installed vnetkvm.
fn stage(prefix: &Path) {
    stdout(Command::new(root().join("packaging/stage.sh")).arg(VNETKVM).arg(prefix));
}

/// A cargo that downloads nothing and changes nothing.
fn cargo(command: &str) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([command, "--locked", "--offline"]).current_dir(root());
    cargo
}

/// A released program has this feature; what it needs may not have been downloaded.
fn with_export(mut cargo: Command) -> Command {
    if cfg!(feature = "export") {
        cargo.args(["--features", "export"]);
    }
    cargo
}

/// What a command that must succeed prints.
fn stdout(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
