//! The list `linker_files` and what `struct linker_file` says of each file.
//!
//! With debug information by the struct's members; without it by the four
//! numbers that the kernel keeps for debuggers, `kld_off_address` and so on
//! (`sys/kern/kern_linker.c`, 12.1), which say less.

use std::fmt::Display;

use crate::addr::VirtAddr;
use crate::fault::Fault;
use crate::target::{ReadError, Target};
use crate::value::Object;
use crate::value::queue;
use crate::walk::{Problems, Trail, Walk, settle};

/// One element of the list.
#[derive(Debug)]
pub struct LinkerFile {
    pub at: VirtAddr,
    pub id: Option<i64>,
    pub name: Box<str>,
    pub path: Box<str>,
    pub address: VirtAddr,
    pub size: Option<u64>,
    pub refs: Option<i64>,
    pub is_kernel: bool,
    pub problems: Vec<Box<str>>,
}

/// The list, and why the rest of it is unknown.
#[derive(Debug, Default)]
pub struct List {
    pub files: Vec<LinkerFile>,
    pub problems: Problems,
}

const LINKER_FILES: queue::List<'_> = queue::List { name: &"the modules", element: "linker_file" };

/// The longest path that the kernel itself accepts (MAXPATHLEN).
const LONGEST_PATH: usize = 1024;

/// Whether there is a second file on the list. This is asked for every listing of variables, and
/// needs no debug information if the kernel itself says
/// where the link lies.
pub fn more_than_the_kernel(target: &Target) -> bool {
    let Ok(head) = target.address_of("linker_files") else { return false };
    let memory = target.memory();
    let Ok(next) = offset(target, "kld_off_next") else { return true };
    let second = memory.pointer(head).and_then(|first| {
        if first.is_null() { Ok(first) } else { memory.pointer(first.wrapping_add(next)) }
    });
    // If that cannot be read, the walk will say so.
    !second.is_ok_and(VirtAddr::is_null)
}

/// Walks the list.
pub fn walk(target: &Target) -> List {
    if target.address_of("linker_files").is_err() {
        return List::default();
    }
    match Object::global(target, "linker_files") {
        Ok(head) => by_members(target, head),
        Err(ReadError::Type(_)) => by_offsets(target),
        Err(why) => List::ended_at(VirtAddr::default(), why),
    }
}

fn by_members(target: &Target, head: Object<'_>) -> List {
    let kernel = kernel_file(target);
    let mut list = List::default();
    for file in queue::walk(head, "link", LINKER_FILES).take(&mut list.problems) {
        let mut problems = Vec::new();
        let texts = (file.text("filename"), file.text("pathname"));
        let (name, path) = match named(texts, &mut problems) {
            Ok(names) => names,
            Err(why) => {
                list.problems.add(LINKER_FILES.unreadable(file.address, why));
                return list;
            }
        };
        list.files.push(LinkerFile {
            at: file.address,
            id: file.int("id").ok(),
            name,
            path,
            address: or_problem(file.pointer("address"), "address", &mut problems),
            size: file.uint("size").ok(),
            refs: file.int("refs").ok(),
            is_kernel: kernel == Some(file.address),
            problems,
        });
    }
    list
}

/// The name of a file and the path it came from, of which the name is the last part
/// (`linker_basename`, `sys/kern/kern_linker.c`). An entry with neither is not a file: a link
/// that leads astray often leads to zeros.
fn named<E: Display>(
    (name, path): (Result<String, E>, Result<String, E>),
    problems: &mut Vec<Box<str>>,
) -> Result<(Box<str>, Box<str>), E> {
    match (name, path) {
        (Err(why), Err(_)) => Err(why),
        (Err(why), Ok(path)) => {
            problems.push(format!("its filename cannot be read: {why}").into());
            let name = path.rsplit('/').next().unwrap_or_default();
            Ok((name.into(), path.into()))
        }
        (Ok(name), path) => Ok((name.into(), or_problem(path, "pathname", problems))),
    }
}

fn by_offsets(target: &Target) -> List {
    let offset = |name| offset(target, name);
    let found = (|| {
        let offsets = [offset("kld_off_filename")?, offset("kld_off_pathname")?];
        Ok::<_, ReadError>((offset("kld_off_next")?, offset("kld_off_address")?, offsets))
    })();
    let (next, address, [name, path]) = match found {
        Ok(found) => found,
        Err(why) => return List::ended_at(VirtAddr::default(), why),
    };
    let members = Members { next, address, name, path };
    let same = |one: &LinkerFile, other: &LinkerFile| one.at == other.at;
    let mut trail = Trail::new(target.budget());
    let walk = settle(target.memory().is_live(), &mut trail, same, |trail| {
        let List { files, problems } = members.walk(target, trail);
        Walk::new(files, problems)
    });
    let mut list = List::default();
    list.files = walk.take(&mut list.problems);
    list
}

/// Offsets in bytes of members of struct linker_file.
struct Members {
    next: u64,
    address: u64,
    name: u64,
    path: u64,
}

impl Members {
    fn walk(&self, target: &Target, trail: &mut Trail<'_>) -> List {
        let memory = target.memory();
        let text = |at: VirtAddr| -> Result<String, Fault> {
            let text = memory.c_string(memory.pointer(at)?, LONGEST_PATH)?;
            Ok(String::from_utf8_lossy(&text).into_owned())
        };
        let kernel = kernel_file(target);
        let mut list = List::default();
        let mut link = target.address_of("linker_files").map_or(VirtAddr::default(), |head| head);
        loop {
            let at = match memory.pointer(link) {
                Ok(at) if at.is_null() => return list,
                Ok(at) => at,
                Err(why) => return list.ended(link, why.into()),
            };
            if let Err(why) = trail.visit(at) {
                list.problems.add(LINKER_FILES.problem(at, why));
                return list;
            }
            let mut problems = Vec::new();
            let member = |offset: u64| at.wrapping_add(offset);
            let texts = (text(member(self.name)), text(member(self.path)));
            let (name, path) = match named(texts, &mut problems) {
                Ok(names) => names,
                Err(why) => return list.ended(at, why.into()),
            };
            let address = memory.pointer(member(self.address));
            list.files.push(LinkerFile {
                at,
                id: None,
                name,
                path,
                address: or_problem(address, "address", &mut problems),
                size: None,
                refs: None,
                is_kernel: kernel == Some(at),
                problems,
            });
            link = member(self.next);
        }
    }
}

impl List {
    /// A list that cannot be read at all.
    fn ended_at(at: VirtAddr, why: ReadError) -> Self {
        Self::default().ended(at, why)
    }

    /// The list as far as it was read.
    fn ended(mut self, at: VirtAddr, why: ReadError) -> Self {
        self.problems.add(LINKER_FILES.unreadable(at, why));
        self
    }
}

/// An offset that the kernel keeps for debuggers, in bytes.
fn offset(target: &Target, name: &str) -> Result<u64, ReadError> {
    /// No member of struct linker_file lies farther in.
    const FARTHEST: u64 = 4096;
    let at = target.address_of(name)?;
    let offset = u64::from(target.memory().u32(at)?);
    let no_symbol = || ReadError::NoSymbol { name: name.to_owned() };
    (offset < FARTHEST).then_some(offset).ok_or_else(no_symbol)
}

/// The kernel's own entry.
fn kernel_file(target: &Target) -> Option<VirtAddr> {
    target.memory().pointer(target.address_of("linker_kernel_file").ok()?).ok()
}

/// What was read; if it could not be read, nothing, and a note of the reason.
fn or_problem<T, U: From<T> + Default>(
    read: Result<T, impl Display>,
    what: &str,
    problems: &mut Vec<Box<str>>,
) -> U {
    match read {
        Ok(value) => value.into(),
        Err(why) => {
            problems.push(format!("its {what} cannot be read: {why}").into());
            U::default()
        }
    }
}
