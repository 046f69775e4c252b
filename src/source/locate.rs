//! Where the other half of a kernel may be: its debug file, or the kernel from which
//! a debug file was split. Also where the files of its modules may be.

use std::path::{Component, Path, PathBuf};

/// Where FreeBSD installs debug files. The path of the stripped file is repeated below it.
const SYSTEM_DEBUG_DIR: &str = "/usr/lib/debug";

/// What to search for.
#[derive(Debug, Clone)]
pub struct Search<'a> {
    /// The file that the user named.
    pub file: &'a Path,
    /// Possible file names of the other half, the likeliest first.
    pub names: Vec<String>,
    /// The build-id of the file, for debug files in `.build-id/`; `None` if it has none.
    pub build_id: Option<&'a [u8]>,
    /// Directories to search before the usual ones.
    pub dirs: &'a [PathBuf],
}

/// The paths that exist, in the order in which to try them.
pub fn candidates(search: &Search<'_>) -> Vec<PathBuf> {
    places(search).into_iter().filter(|path| path.is_file()).collect()
}

/// All paths to try, in order, whether they exist or not.
pub fn places(search: &Search<'_>) -> Vec<PathBuf> {
    let beside = search.file.parent().unwrap_or(Path::new("")).to_owned();
    let mut found: Vec<PathBuf> = Vec::new();
    let mut add = |path: PathBuf| {
        if !same_file(&path, search.file) && !found.contains(&path) {
            found.push(path);
        }
    };
    for dir in search.dirs {
        in_debug_dir(dir, search, &mut add);
        unpacked(dir).iter().for_each(|dir| in_debug_dir(dir, search, &mut add));
    }
    for name in &search.names {
        add(beside.join(name));
        add(beside.join(".debug").join(name));
    }
    if let Some(id) = search.build_id {
        build_id_path(&beside, id).into_iter().for_each(&mut add);
    }
    in_debug_dir(Path::new(SYSTEM_DEBUG_DIR), search, &mut add);
    // The reverse: from below the debug directory to the file itself.
    if let Ok(installed) = beside.strip_prefix(SYSTEM_DEBUG_DIR) {
        search.names.iter().for_each(|name| add(Path::new("/").join(installed).join(name)));
    }
    found
}

/// What to search for when the types of a module are needed.
#[derive(Debug, Clone, Copy)]
pub struct ModuleSearch<'a> {
    /// The module's file name, as the dump has it. It must be a single plain name, or it is
    /// ignored.
    pub name: &'a str,
    /// The path that the module was loaded from, as the dump has it.
    pub path: &'a str,
    /// The kernel's file.
    pub kernel: &'a Path,
    /// Directories to search before the usual ones.
    pub dirs: &'a [PathBuf],
}

/// Files that may be a module or its debug file, in the order in which to try them.
/// `NAME.debug` (`NAME.symbols` until 11) comes before the module itself, the
/// directories given by the user before the kernel's own, and that before the
/// places where FreeBSD installs modules.
pub fn modules(search: &ModuleSearch<'_>) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    if !is_plain(Path::new(search.name), 1) {
        return found;
    }
    let installed = Path::new(search.path).strip_prefix("/").ok().and_then(Path::parent);
    let installed = installed.filter(|path| is_plain(path, MOST_COMPONENTS));
    let usual = ["boot/kernel", "boot/modules"].map(Path::new);
    let beside = search.kernel.parent().unwrap_or(Path::new(""));
    let names = [".debug", ".symbols", ""].map(|ending| format!("{}{ending}", search.name));
    let mut add = |directory: &Path| {
        for name in &names {
            let path = directory.join(name);
            if path.is_file() && !found.contains(&path) {
                found.push(path);
            }
        }
    };
    for root in search.dirs {
        add(root);
        for root in std::iter::once(root).chain(&unpacked(root)) {
            installed.into_iter().chain(usual).for_each(|below| add(&root.join(below)));
        }
    }
    [beside, &beside.join(".debug"), &beside.join("modules")].into_iter().for_each(&mut add);
    for root in [Path::new(SYSTEM_DEBUG_DIR), Path::new("/")] {
        installed.into_iter().chain(usual).for_each(|below| add(&root.join(below)));
    }
    found
}

/// Deeper directories are not searched.
const MOST_COMPONENTS: usize = 16;

/// Is it a relative path of at most this many names, without `..`?
fn is_plain(path: &Path, most: usize) -> bool {
    let mut components = path.components();
    let plain = components.by_ref().take(most).all(|c| matches!(c, Component::Normal(_)));
    plain && components.next().is_none() && !path.as_os_str().is_empty()
}

/// The debug directory in `root`, if `root` is what FreeBSD's archive of debug files unpacks to.
fn unpacked(root: &Path) -> Option<PathBuf> {
    let dir = root.join(SYSTEM_DEBUG_DIR.trim_start_matches('/'));
    dir.is_dir().then_some(dir)
}

fn in_debug_dir(dir: &Path, search: &Search<'_>, add: &mut impl FnMut(PathBuf)) {
    if let Some(id) = search.build_id {
        build_id_path(dir, id).into_iter().for_each(&mut *add);
    }
    let installed = search.file.canonicalize().ok();
    let installed = installed.as_deref().and_then(Path::parent);
    let installed = installed.and_then(|path| path.strip_prefix("/").ok());
    for name in &search.names {
        add(dir.join(name));
        installed.map(|path| dir.join(path).join(name)).into_iter().for_each(&mut *add);
        add(dir.join("boot/kernel").join(name));
    }
}

/// `DIR/.build-id/ab/cdef….debug`
fn build_id_path(dir: &Path, id: &[u8]) -> Option<PathBuf> {
    let (first, rest) = id.split_first()?;
    let rest: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(dir.join(".build-id").join(format!("{first:02x}")).join(format!("{rest}.debug")))
}

fn same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn named_directories_come_before_what_lies_beside() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        for path in ["k/kernel", "k/kernel.debug", "d/kernel.debug", "d/.build-id/ab/cdef.debug"] {
            fs::create_dir_all(at(path).parent().unwrap()).unwrap();
            fs::write(at(path), "").unwrap();
        }
        let (file, dirs) = (at("k/kernel"), [at("d")]);
        let search = Search {
            file: &file,
            names: vec!["kernel.debug".into()],
            build_id: Some(&[0xab, 0xcd, 0xef]),
            dirs: &dirs,
        };
        let expected = ["d/.build-id/ab/cdef.debug", "d/kernel.debug", "k/kernel.debug"].map(at);
        assert_eq!(candidates(&search), expected);
    }

    #[test]
    fn modules_are_found_by_the_path_that_the_dump_has() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        let paths = ["k/if_gif.ko", "d/boot/test/if_gif.ko.debug", "d/if_gif.ko", "if_gif.ko"];
        for path in paths {
            fs::create_dir_all(at(path).parent().unwrap()).unwrap();
            fs::write(at(path), "").unwrap();
        }
        let (kernel, dirs) = (at("k/kernel"), [at("d")]);
        let find = |name, path| modules(&ModuleSearch { name, path, kernel: &kernel, dirs: &dirs });
        let expected = ["d/if_gif.ko", "d/boot/test/if_gif.ko.debug", "k/if_gif.ko"].map(at);
        assert_eq!(find("if_gif.ko", "/boot/test/if_gif.ko"), expected);
        assert_eq!(find("if_gif.ko", "/boot/../if_gif.ko"), [at("d/if_gif.ko"), at("k/if_gif.ko")]);
        for hostile in ["../if_gif.ko", "", "/etc/passwd", "a/b", ".."] {
            assert!(find(hostile, "/boot/test/if_gif.ko").is_empty(), "{hostile}");
        }
    }

    #[test]
    fn what_an_archive_of_debug_files_unpacks_to_is_a_debug_directory() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        let debug = ["kernel.debug", "if_gif.ko.debug"]
            .map(|name| at(&format!("d/usr/lib/debug/boot/kernel/{name}")));
        for path in debug.iter().chain(&[at("k/kernel")]) {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let (file, dirs) = (at("k/kernel"), [at("d")]);
        let names = vec!["kernel.debug".into()];
        let search = Search { file: &file, names, build_id: None, dirs: &dirs };
        assert_eq!(candidates(&search), debug[..1]);
        let (name, path) = ("if_gif.ko", "/boot/kernel/if_gif.ko");
        let search = ModuleSearch { name, path, kernel: &file, dirs: &dirs };
        assert_eq!(modules(&search), debug[1..]);
    }

    #[test]
    fn the_file_itself_is_not_its_other_half() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("kernel");
        fs::write(&file, "").unwrap();
        let search =
            Search { file: &file, names: vec!["kernel".into()], build_id: None, dirs: &[] };
        assert!(candidates(&search).is_empty());
    }
}
