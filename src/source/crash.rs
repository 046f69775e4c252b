//! Where savecore(8) leaves dumps, and where the kernels are that may have written them.
//!
//! The files are `vmcore.N`, with `.gz` or `.zst` appended if compressed, `info.N` beside it,
//! and links named `last` to the newest of them (`sbin/savecore/savecore.c`, 14.0).
//! netdumpd(8) puts the host's name before the number: `vmcore.gw.example.org.N`.
//! Only names are examined here, never the contents of files.

use std::ffi::OsString;
use std::fs::{self, DirEntry, FileType};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Access, SourceError};

/// Where savecore(8) puts dumps unless dumpdir in rc.conf(5) says otherwise.
pub const DIRECTORY: &str = "/var/crash";

/// Selects a dump in a crash directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The newest, to which the links named `last` point.
    Last,
    /// The dump with this number.
    Number(u32),
}

/// The names of dumps in order of preference. The last two are named only in errors.
const DUMPS: [(&str, &str); 5] = [
    ("vmcore.", ""),
    ("vmcore.", ".zst"),
    ("vmcore.", ".gz"),
    ("vmcore_encrypted.", ""),
    ("textdump.tar.", ""),
];

/// The result of the search for a dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Search {
    /// The path of the dump.
    Found(PathBuf),
    /// The names of dumps of several hosts. Any of them may be meant.
    Several(Vec<String>),
    /// No dump has that number.
    None,
}

/// Finds a dump in `directory`. A link is replaced with its target. If several dumps
/// of one host have the same number, the newest is chosen.
pub fn dump(directory: &Path, which: Which) -> Search {
    let name = match which {
        Which::Last => "last".to_owned(),
        Which::Number(number) => number.to_string(),
    };
    let path = |(dump, suffix): (&str, &str)| directory.join(format!("{dump}{name}{suffix}"));
    if let Some(newest) = newest(DUMPS.into_iter().map(path)) {
        return Search::Found(match fs::read_link(&newest) {
            Ok(target) => directory.join(target),
            Err(_) => newest,
        });
    }
    from_net(directory, which)
}

/// The dump with that number from the network, or the last dump of the only host.
fn from_net(directory: &Path, which: Which) -> Search {
    let all = dumps(directory);
    let all = all.iter().filter_map(|name| Some((name, parts(name)?)));
    let all = all.filter(|(_, parts)| !parts.host.is_empty());
    let mut meant: Vec<_> = match which {
        Which::Number(number) => all.filter(|(_, parts)| parts.number == number).collect(),
        Which::Last => all.collect(),
    };
    let Some(host) = meant.first().map(|(_, parts)| parts.host) else { return Search::None };
    if meant.iter().any(|(_, parts)| parts.host != host) {
        return Search::Several(meant.into_iter().map(|(name, _)| name.clone()).collect());
    }
    let last = meant.iter().map(|(_, parts)| parts.number).max();
    meant.retain(|(_, parts)| Some(parts.number) == last);
    let paths = meant.into_iter().map(|(name, _)| directory.join(name));
    newest(paths.rev()).map_or(Search::None, Search::Found)
}

/// The first of equal ones.
fn newest(paths: impl DoubleEndedIterator<Item = PathBuf>) -> Option<PathBuf> {
    // `max_by_key` returns the last of several equal elements.
    paths.filter(|path| path.is_file()).rev().max_by_key(|path| modified(path))
}

/// The parts of a dump's name.
struct Parts<'a> {
    /// Empty in savecore(8)'s names.
    host: &'a str,
    number: u32,
}

fn parts(name: &str) -> Option<Parts<'_>> {
    let names = DUMPS.iter().filter_map(|(dump, suffix)| {
        let middle = name.strip_prefix(dump)?.strip_suffix(suffix)?;
        let (host, number) = middle.rsplit_once('.').unwrap_or(("", middle));
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        Some(Parts { host, number: number.parse().ok().filter(|_| digits)? })
    });
    names.into_iter().next()
}

/// The names of all dumps in `directory`, sorted.
pub fn dumps(directory: &Path) -> Vec<String> {
    let is_dump = |name: &String| parts(name).is_some() && directory.join(name).is_file();
    let mut names: Vec<String> = names(directory).into_iter().filter(is_dump).collect();
    names.sort_by_key(|name| (name.len(), name.clone()));
    names
}

/// The names of the files in `directory`, sorted. If there are very many, only some.
pub fn files(directory: &Path) -> Vec<String> {
    const MOST: usize = 12;
    let mut names: Vec<String> = names(directory);
    names.retain(|name| directory.join(name).is_file());
    names.sort();
    names.truncate(MOST);
    names
}

/// The files in `directory` and below that may be dumps, whatever their names: all but kernels, modules
/// and what savecore(8) and crashinfo(8) write beside dumps. Links come after the files beside them, and
/// directories after these; links to directories are not followed. A directory below that cannot be
/// read is in the list itself: whoever opens it learns why.
///
/// # Errors
/// `directory` cannot be read.
pub fn possible_dumps(directory: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let failed = |cause| SourceError { access: Access::Open, path: directory.to_owned(), cause };
    let entries = fs::read_dir(directory).map_err(failed)?;
    let entries = entries.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let of_kind = |is_meant: fn(&FileType) -> bool| {
        let is_meant = |entry: &&DirEntry| entry.file_type().is_ok_and(|kind| is_meant(&kind));
        let mut names: Vec<OsString> =
            entries.iter().filter(is_meant).map(DirEntry::file_name).collect();
        names.sort_by_key(|name| by_number(&name.to_string_lossy()));
        names
    };
    // A link may be a second name of a dump that is there, which comes first.
    let links = of_kind(FileType::is_symlink).into_iter();
    let links = links.filter(|name| directory.join(name).is_file());
    let files = of_kind(FileType::is_file).into_iter().chain(links);
    let files = files.filter(|name| !is_beside_dumps(&name.to_string_lossy()));
    let mut found: Vec<PathBuf> = files.map(|name| directory.join(name)).collect();
    for name in of_kind(FileType::is_dir) {
        let below = directory.join(name);
        found.extend(possible_dumps(&below).unwrap_or_else(|_| vec![below]));
    }
    Ok(found)
}

/// The key that sorts dumps of a host by their numbers, and other files by their names.
fn by_number(name: &str) -> (String, u32, String) {
    match parts(name) {
        Some(Parts { host, number }) => (format!("vmcore.{host}"), number, name.to_owned()),
        None => (name.to_owned(), 0, String::new()),
    }
}

/// Whether a file of this name is no dump, but what may lie beside dumps.
fn is_beside_dumps(name: &str) -> bool {
    let of_savecore = ["bounds", "minfree"].contains(&name);
    let of_a_dump =
        ["info.", "core.txt.", "textdump.tar."].iter().any(|kind| name.starts_with(kind));
    let of_kernel = [".ko", ".debug", ".symbols"].iter().any(|kind| name.ends_with(kind));
    of_savecore || of_a_dump || of_kernel || KERNELS.contains(&name)
}

/// The `info.N` that savecore(8) left beside the dump `core`; `None` if there is none.
pub fn info_beside(core: &Path) -> Option<PathBuf> {
    let name = core.file_name()?.to_str()?;
    let number = name.strip_prefix("vmcore.").or(name.strip_prefix("vmcore_encrypted."))?;
    let bare = number.strip_suffix(".zst").or(number.strip_suffix(".gz")).unwrap_or(number);
    // savecore(8) omits what follows the number. If it is kept, it tells several dumps apart.
    let infos = [number, bare].map(|name| core.with_file_name(format!("info.{name}")));
    infos.into_iter().find(|info| info.is_file())
}

/// Kernels that may have written the dump `core`, the likeliest first: those
/// beside it, those in or below `dirs`, and the installed ones.
pub fn kernels(core: &Path, dirs: &[PathBuf]) -> Vec<PathBuf> {
    let mut found = Found::default();
    for place in kernel_places(core, dirs) {
        let below = if place.below { below(&place.dir) } else { vec![place.dir] };
        for dir in below {
            KERNELS.iter().for_each(|name| found.add(dir.join(name)));
        }
    }
    found.paths
}

/// The file names of kernels.
pub const KERNELS: [&str; 4] = ["kernel", "kernel.debug", "kernel.full", "kernel.symbols"];

/// A directory that may contain a kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelPlace {
    /// The directory.
    pub dir: PathBuf,
    /// Is the kernel in its subdirectories rather than in the directory itself?
    pub below: bool,
}

/// Where [`kernels`] looks for the kernel of the dump `core`, in order.
pub fn kernel_places(core: &Path, dirs: &[PathBuf]) -> Vec<KernelPlace> {
    let place = |dir: &Path, below| KernelPlace { dir: dir.to_owned(), below };
    let mut places = vec![place(core.parent().unwrap_or(Path::new("")), false)];
    for dir in dirs {
        places.extend([place(dir, false), place(dir, true), place(&dir.join("boot"), true)]);
        // FreeBSD's archive of debug files unpacks to this.
        let unpacked = dir.join("usr/lib/debug/boot");
        places.extend(unpacked.is_dir().then(|| place(&unpacked, true)));
    }
    places.extend(["/boot", "/usr/lib/debug/boot"].map(|dir| place(Path::new(dir), true)));
    places
}

/// Files, each listed once even if it has several names.
#[derive(Default)]
struct Found {
    paths: Vec<PathBuf>,
    real: Vec<PathBuf>,
}

impl Found {
    fn add(&mut self, path: PathBuf) {
        if !path.is_file() {
            return;
        }
        let real = path.canonicalize().unwrap_or_else(|_| path.clone());
        if !self.real.contains(&real) {
            self.real.push(real);
            self.paths.push(path);
        }
    }
}

/// The directories in `directory`. The one named "kernel", which is booted by
/// default, comes first. Their number is limited to what a machine may have.
fn below(directory: &Path) -> Vec<PathBuf> {
    const MOST: usize = 100;
    let mut names = names(directory);
    names.sort_by_key(|name| (name != "kernel", name.clone()));
    let paths = names.into_iter().map(|name| directory.join(name));
    paths.filter(|path| path.is_dir()).take(MOST).collect()
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().ok()?.modified().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            fs::create_dir_all(dir.path().join(file).parent().unwrap()).unwrap();
            fs::write(dir.path().join(file), "").unwrap();
        }
        dir
    }

    #[test]
    fn dumps_go_by_number_whatever_their_form() {
        let files = ["vmcore.0", "vmcore.1.gz", "vmcore.2.zst", "vmcore.10", "vmcore_encrypted.3"];
        let dir = directory(&files);
        fs::write(dir.path().join("vmcore.old"), "").unwrap();
        let name = |number| {
            let Search::Found(path) = dump(dir.path(), Which::Number(number)) else { return None };
            Some(path.file_name().unwrap().to_str().unwrap().to_owned())
        };
        assert_eq!(name(0).as_deref(), Some("vmcore.0"));
        assert_eq!(name(1).as_deref(), Some("vmcore.1.gz"));
        assert_eq!(name(2).as_deref(), Some("vmcore.2.zst"));
        assert_eq!(name(3).as_deref(), Some("vmcore_encrypted.3"));
        assert_eq!(name(4), None);
        assert_eq!(dump(dir.path(), Which::Last), Search::None);
        let all = ["vmcore.0", "vmcore.10", "vmcore.1.gz", "vmcore.2.zst", "vmcore_encrypted.3"];
        assert_eq!(dumps(dir.path()), all);
        assert_eq!(dumps(Path::new("no/such/directory")), [""; 0]);
    }

    #[cfg(unix)]
    #[test]
    fn the_last_dump_is_what_the_link_leads_to() {
        use std::os::unix::fs::symlink;
        let dir = directory(&["vmcore.7.zst", "info.7"]);
        symlink("vmcore.7.zst", dir.path().join("vmcore.last.zst")).unwrap();
        symlink("vmcore.6", dir.path().join("vmcore.last")).unwrap();
        let last = dir.path().join("vmcore.7.zst");
        assert_eq!(dump(dir.path(), Which::Last), Search::Found(last.clone()));
        assert_eq!(info_beside(&last), Some(dir.path().join("info.7")));
        assert_eq!(info_beside(&dir.path().join("vmcore.8")), None);
        assert_eq!(info_beside(Path::new("/dev/mem")), None);
    }

    #[cfg(unix)]
    #[test]
    fn any_file_may_be_a_dump_but_what_lies_beside_one() {
        use std::os::unix::fs::symlink;
        let dir = directory(&[
            "vmcore.10",
            "vmcore.9",
            "bounds",
            "minfree",
            "info.9",
            "core.txt.9",
            "kernel.debug",
            "if_gif.ko",
            "vmcore.gw.10.zst",
            "vmcore.gw.2",
            "from-customer.core",
            "below/vmcore.2",
            "below/kernel",
            "below/deeper/vmcore.1",
        ]);
        symlink("vmcore.10", dir.path().join("vmcore.last")).unwrap();
        let found = possible_dumps(dir.path()).unwrap();
        let names = found.iter().map(|path| path.strip_prefix(dir.path()).unwrap());
        assert_eq!(
            names.map(|path| path.to_str().unwrap()).collect::<Vec<_>>(),
            [
                "from-customer.core",
                "vmcore.9",
                "vmcore.10",
                "vmcore.gw.2",
                "vmcore.gw.10.zst",
                "vmcore.last",
                "below/vmcore.2",
                "below/deeper/vmcore.1",
            ]
        );
        assert!(possible_dumps(Path::new("/no/such/directory")).is_err());
    }

    #[test]
    fn dumps_that_came_over_the_network_have_the_hosts_name() {
        let dir = directory(&[
            "vmcore.gw.example.org.0",
            "vmcore.gw.example.org.12",
            "info.gw.example.org.0",
        ]);
        let found = |which| match dump(dir.path(), which) {
            Search::Found(path) => path.file_name().unwrap().to_str().unwrap().to_owned(),
            Search::Several(names) => format!("several: {}", names.join(" ")),
            Search::None => "none".to_owned(),
        };
        assert_eq!(found(Which::Number(0)), "vmcore.gw.example.org.0");
        assert_eq!(found(Which::Last), "vmcore.gw.example.org.12");
        assert_eq!(found(Which::Number(1)), "none");
        let info = info_beside(&dir.path().join("vmcore.gw.example.org.0")).unwrap();
        assert!(info.ends_with("info.gw.example.org.0"));
        for name in ["vmcore.fw.0", "vmcore.fw.12.zst", "vmcore.fw.x"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(found(Which::Number(0)), "several: vmcore.fw.0 vmcore.gw.example.org.0");
        assert!(found(Which::Last).starts_with("several: "));
        // The dump of the machine itself is meant before all others.
        fs::write(dir.path().join("vmcore.0"), "").unwrap();
        assert_eq!(found(Which::Number(0)), "vmcore.0");
        assert_eq!(dumps(dir.path()).len(), 5);
    }

    #[test]
    fn kernels_are_looked_for_from_near_to_far() {
        let files = [
            "crash/kernel",
            "debug/boot/kernel/kernel.debug",
            "debug/boot/kernel.old/kernel.debug",
            "debug/boot/another/kernel.debug",
            "debug/builds/kernel",
            "debug/kernel.symbols",
        ];
        let dir = directory(&files);
        let core = dir.path().join("crash/vmcore.0");
        let found = kernels(&core, &[dir.path().join("debug"), dir.path().join("crash")]);
        let ours = found.iter().filter_map(|path| path.strip_prefix(dir.path()).ok());
        let expected = [
            "crash/kernel",
            "debug/kernel.symbols",
            "debug/builds/kernel",
            "debug/boot/kernel/kernel.debug",
            "debug/boot/another/kernel.debug",
            "debug/boot/kernel.old/kernel.debug",
        ];
        assert_eq!(ours.collect::<Vec<_>>(), expected.map(Path::new));
    }
}
