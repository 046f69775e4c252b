//! Transcripts of the command line against the fixture images.
//!
//! Every directory of `tests/cli/` but `no-image` has the name of a scenario in
//! `fixtures/scenarios/`. Its transcripts are replayed against the scenario's
//! image in each of its formats, which must make no difference; those in a
//! directory with the name of a format, against that format alone.
//!
//! A transcript has commands (`$ vnetkvm vars`), what they print, what they say
//! on standard error (behind `! `), and their exit status unless it is 0
//! (`? 2`). `{image}` and `{fixtures}` stand for directories, `{core}` for the dump.
//!
//! `SNAPSHOTS=overwrite cargo test --test cli` writes what the commands print
//! now into the transcripts. Read the difference before it is committed.

#![cfg(feature = "cli")]

mod synth;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use snapbox::{Assert, Data};
use synth::DumpHeader;
use vnetkvm::image::{self, Scenario};

#[test]
fn transcripts_are_true() {
    let images = tempfile::tempdir().unwrap();
    for directory in directories(&root().join("tests/cli")) {
        let name = directory.file_name().unwrap().to_str().unwrap();
        if name == "no-image" {
            replay_all(&directory, images.path(), None);
            continue;
        }
        if name == "crash-directory" {
            continue;
        }
        let image = images.path().join(name);
        let scenario = root().join(format!("fixtures/scenarios/{name}.toml"));
        let scenario = Scenario::open(scenario).unwrap();
        let built = image::build(&scenario, scenario.open_kernel().unwrap()).unwrap();
        built.save_kernel(&image).unwrap();
        for format in &scenario.formats {
            let core = built.save(format, &image).unwrap();
            replay_all(&directory, &image, Some(&core));
            replay_all(&directory.join(format.name()), &image, Some(&core));
        }
    }
}

/// A crash directory as savecore(8) leaves it, and kernels to choose from. No file
/// is named to these commands.
#[test]
fn dumps_and_kernels_are_found() {
    let image = tempfile::tempdir().unwrap();
    let at = |path: &str| {
        let path = image.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    };
    let scenario = Scenario::open(root().join("fixtures/scenarios/demo.toml")).unwrap();
    let built = image::build(&scenario, scenario.open_kernel().unwrap()).unwrap();
    let mut plain = std::io::Cursor::new(Vec::new());
    built.write(image::Format::MinidumpV2, &mut plain).unwrap();
    let plain = plain.into_inner();
    built.save_kernel(&at("kernels/boot/kernel.old/kernel").with_file_name("")).unwrap();
    let other = root().join("fixtures/kernel/newer-clang-dwarf4");
    fs::copy(other, at("kernels/boot/kernel/kernel")).unwrap();

    fs::write(at("crash/vmcore.0"), &plain).unwrap();
    fs::write(at("crash/info.0"), INFO_0).unwrap();
    fs::write(at("crash/vmcore.1.gz"), stored_gzip(&plain)).unwrap();
    fs::write(at("crash/vmcore.2.zst"), zstd::encode_all(&plain[..], 1).unwrap()).unwrap();
    fs::write(at("crash/vmcore_encrypted.3"), "?").unwrap();
    fs::write(at("no-link/vmcore.5"), &plain).unwrap();
    fs::write(at("crash/core.txt.0"), "gw dumped core - see /var/crash/vmcore.0\n").unwrap();
    fs::write(at("crash/bounds"), "3\n").unwrap();
    fs::write(at("crash/minfree"), "2048\n").unwrap();
    fs::write(at("net/vmcore.gw.example.org.0"), &plain).unwrap();
    fs::write(at("nets/vmcore.fw.example.org.1"), "?").unwrap();
    fs::write(at("nets/vmcore.gw.example.org.1"), "?").unwrap();
    fs::write(at("no-dump/info.0"), INFO_0).unwrap();
    let (len, block) = (plain.len() as u64, 512);
    let header = DumpHeader { version: 4, block, key_len: 0, compression: 0, len, extent: len };
    fs::write(at("ada0p3.img"), header.device(&plain)).unwrap();
    std::os::unix::fs::symlink("vmcore.1.gz", at("crash/vmcore.last.gz")).unwrap();
    replay_all(&root().join("tests/cli/crash-directory"), image.path(), None);
}

const INFO_0: &str = "\
Dump header from device: /dev/ada0p3
  Architecture: amd64
  Architecture Version: 2
  Dump Length: 13869056
  Blocksize: 512
  Compression: none
  Dumptime: 2019-11-22 14:08:22 +0000
  Hostname: gw.example.org
  Magic: FreeBSD Kernel Dump
  Version String: FreeBSD 12.1-RELEASE-p10 r0+fixture VNET
    root@releng:/usr/obj/VNET
  Panic String: tcp_usr_send: inp == NULL
  Dump Parity: 305419896
  Bounds: 0
  Dump Status: good
";

/// Of a length that does not depend on how well something compresses.
fn stored_gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Replays the transcripts of one directory.
fn replay_all(directory: &Path, image: &Path, core: Option<&Path>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    for path in paths {
        let told = fs::read_to_string(&path).unwrap();
        let commands = told.lines().filter_map(|line| line.strip_prefix("$ "));
        let actual: String = commands.map(|command| replay(command, image, core)).collect();
        Assert::new().action_env("SNAPSHOTS").eq(actual, Data::read_from(&path, None).raw());
    }
}

/// Runs one command and writes down what it did.
fn replay(command: &str, image: &Path, core: Option<&Path>) -> String {
    let fixtures = root().join("fixtures");
    // The dump lies in the image's directory, so it is put back first.
    let core_place = core.unwrap_or(Path::new("/no/dump"));
    let places = [("{core}", core_place), ("{image}", image), ("{fixtures}", &fixtures)];
    let mut words = shlex::split(command).unwrap().into_iter();
    assert_eq!(words.next().as_deref(), Some("vnetkvm"), "{command}");
    let words = words.map(|word| {
        places.iter().fold(word, |word, (name, path)| word.replace(name, path.to_str().unwrap()))
    });
    let mut process = Command::new(env!("CARGO_BIN_EXE_vnetkvm"));
    process
        .args(words)
        .env_remove("NO_COLOR")
        .env_remove("VNETKVM_CRASH_DIR")
        .env_remove("RUST_BACKTRACE");
    let crash_dir = image.join("crash");
    if crash_dir.is_dir() {
        process.env("VNETKVM_CRASH_DIR", crash_dir);
    }
    match core {
        Some(core) => {
            process.env("VNETKVM_KERNEL", image.join("kernel")).env("VNETKVM_CORE", core);
        }
        None => {
            process.env_remove("VNETKVM_KERNEL").env_remove("VNETKVM_CORE");
        }
    }
    let output = process.output().unwrap();
    let mut told = format!("$ {command}\n");
    told += &without_export(&String::from_utf8_lossy(&output.stdout));
    if !told.ends_with('\n') {
        told += "\\ no newline\n";
    }
    for line in without_export(&String::from_utf8_lossy(&output.stderr)).lines() {
        told += &format!("! {line}\n");
    }
    if output.status.code() != Some(0) {
        told += &format!("? {}\n", output.status.code().unwrap());
    }
    places.iter().fold(told, |told, (name, path)| told.replace(path.to_str().unwrap(), name)) + "\n"
}

/// The transcripts are those of a program with the default features: this command is not listed.
fn without_export(said: &str) -> String {
    said.split_inclusive('\n').filter(|line| !line.starts_with("  export  ")).collect()
}

fn directories(of: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(of).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.is_dir());
    paths.sort();
    paths
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
