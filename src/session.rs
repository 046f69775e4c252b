//! The facade: an opened kernel and dump, and every question that can be asked
//! about them, as libkvm's `kvm_t` is for live kernels.
//!
//! Answers are worked out when they are first asked for, and kept. The order of questions makes no
//! difference, because the files never change. What is kept of a running machine is of the time
//! when it was asked for first; values are read anew each time.

mod choice;
pub mod counters;
mod cpus;
mod diff;
mod dumps;
mod evidence;
mod find_kernel;
mod jails;
mod kernel_files;
mod messages;
mod modules;
mod network;
mod open;
mod open_core;
mod options;
mod print;
mod savecore_info;
mod select;
mod sysctls;
mod typing;
mod whatis;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustc_hash::FxHashSet;
use serde::{Serialize, Serializer};

use crate::addr::{PhysAddr, VirtAddr};
use crate::budget::Budget;
use crate::dump::{self, Core, DumpIdentity};
use crate::error::Error;
use crate::kernel::{LinkerSet, RunningKernel};
use crate::memory::KernelMemory;
use crate::parallel;
use crate::source::unpack::Progress;
use crate::target::{KernelMatch, ReadError, Target, TargetError};
use crate::threads::{self, Thread};
use crate::types::{Format, Types};
use crate::value::{Counters, Limits, Plans, Value, ValueReader};
use crate::views::construction::Workers;
use crate::views::cpus::Cpus;
use crate::views::crashed_thread::CrashedThread;
use crate::views::jails::{Jail, Jails};
use crate::views::machine::Machine;
use crate::views::messages::MessageRing;
use crate::views::unlisted::{self, Unlisted};
use crate::vnet::by_address::VnetsByAddress;
use crate::vnet::scan::{self, Scanned};
use crate::vnet::variables::plain_globals;
use crate::vnet::{Copies, SetVariable, Stack, Variables, Vnet, VnetError, VnetList};
use crate::walk::{Problem, Problems, Walk};

pub use choice::{Choice, not_found};
pub use cpus::{CopyOf, DefaultCpu};
pub use dumps::{dump_files, lost_dump, open_dump};
use kernel_files::prepare;
pub use kernel_files::{DebugFile, MissingTypes, Refused, not_a_kernel, open_kernel};
pub use messages::Messages;
use modules::Loaded;
pub use options::Options;
pub use print::{Evaluation, Names, Place};
pub use savecore_info::SavecoreInfo;
pub use select::{Selection, Selector};

/// An opened kernel and dump.
#[derive(Debug)]
pub struct Session {
    /// The kernel and its memory, without modules.
    alone: Target,
    core_path: PathBuf,
    debug_dirs: Vec<PathBuf>,
    wanted_types: Option<Format>,
    /// Where the kernel's first segment was loaded, if the user said so.
    kernel_phys: Option<PhysAddr>,
    /// Files that are not the kernel's other half, and why.
    refused: Vec<String>,
    savecore_info: Option<SavecoreInfo>,
    loaded: OnceLock<Loaded>,
    counters: OnceLock<Counters>,
    /// How values are read, worked out type by type.
    plans: Plans,
    /// Those of each linker set.
    variables: [OnceLock<Result<Variables, VnetError>>; LinkerSet::ALL.len()],
    cpus: OnceLock<Result<Cpus, ReadError>>,
    list: OnceLock<Result<VnetList, VnetError>>,
    /// The vnets of the list and those found otherwise, each with its jails.
    vnets: OnceLock<Vnets>,
    vnets_by_address: VnetsByAddress,
    jails: OnceLock<Result<Jails, ReadError>>,
    threads: OnceLock<Result<threads::Listed, ReadError>>,
    crashed: OnceLock<Result<Option<CrashedThread>, ReadError>>,
}

/// Vnets, and why others may be missing.
#[derive(Debug, Clone, Default)]
pub struct Vnets {
    /// Those on the list, in order of creation, and then the others.
    pub all: Vec<Vnet>,
    /// Jails that are on no list because they are being removed, and that still have one of them.
    pub removed: Vec<Jail>,
    /// What keeps further vnets from being known.
    pub problems: Problems,
    /// How many bytes of memory were searched for others; `None` without a scan.
    pub searched: Option<u64>,
}

/// The value of one expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Printed {
    /// As it was written.
    pub expression: Box<str>,
    /// The type as C spells it; empty if it is not known.
    pub type_name: Box<str>,
    /// Where the value lies; `None` if it was computed rather than read.
    pub address: Option<VirtAddr>,
    /// What it evaluates to; an error value if that memory cannot be read.
    pub value: Value,
    /// What explains it, a sentence each.
    pub notes: Vec<Box<str>>,
    /// Doubts about it, a sentence each.
    pub remarks: Vec<Box<str>>,
}

/// What some patterns match.
#[derive(Debug, Default)]
pub struct Matches {
    /// In order of their names, each once.
    pub variables: Vec<SetVariable>,
    /// For each pattern that matches none, why.
    pub missed: Vec<VnetError>,
    /// Why other variables may be missing.
    pub problems: Problems,
}

impl Session {
    /// The kernel with its modules, joined to the dump's memory.
    pub fn target(&self) -> &Target {
        &self.loaded().target
    }

    /// The budget of work and memory for answers; it starts with what the sizes of the files
    /// justify.
    pub fn budget(&self) -> &Arc<Budget> {
        self.alone.budget()
    }

    /// Ends a question that nobody waits for any more.
    ///
    /// # Errors
    /// [`Budget::stop`] was called.
    pub(crate) fn go_on(&self) -> Result<(), Error> {
        Ok(self.budget().wanted().map_err(ReadError::from)?)
    }

    /// The kernel at the addresses where it ran.
    pub fn kernel(&self) -> &RunningKernel {
        self.alone.kernel()
    }

    /// The kernel's virtual memory.
    pub fn memory(&self) -> &KernelMemory {
        self.alone.memory()
    }

    /// The dump, as bytes and translation hints.
    pub fn core(&self) -> &Core {
        self.memory().core()
    }

    /// The dump's file.
    pub fn core_path(&self) -> &Path {
        &self.core_path
    }

    /// How many seconds the machine had been up; `None` if the kernel does not say.
    pub fn uptime(&self) -> Option<u64> {
        self.target().integer("time_uptime").ok()
    }

    /// The time of the last tick of the clock, in seconds since 1970-01-01 UTC (`time_second`,
    /// `sys/kern/kern_tc.c`, where it is 1 until the clock is set); `None` if the kernel does not say.
    pub fn time(&self) -> Option<u64> {
        self.target().integer("time_second").ok().filter(|seconds| *seconds > 1)
    }

    /// The kernel's types.
    ///
    /// # Errors
    /// Why they are unknown.
    pub fn types(&self) -> Result<&Types, Error> {
        Ok(self.target().types()?)
    }

    /// What is odd about this kernel and dump but keeps no question from being
    /// answered, as sentences.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.core().warnings.clone();
        warnings.extend(not_a_kernel(self.kernel().linked()));
        if let Some(savecore_info) = &self.savecore_info {
            warnings.extend(savecore_info.disagreements(self.core(), self.dump_identity()));
        }
        if let KernelMatch::Unknown(why) = self.alone.kernel_match() {
            warnings.push(format!("it is unknown whether kernel and dump match: {why}"));
        }
        warnings.extend(self.refused.iter().cloned());
        match self.alone.types() {
            Ok(types) => warnings.extend(types.damage().map(ToString::to_string)),
            Err(_) => warnings.extend(self.missing_types().map(|missing| missing.to_string())),
        }
        warnings
    }

    /// The description of the dump that savecore(8) left beside it.
    pub fn savecore_info(&self) -> Option<&SavecoreInfo> {
        self.savecore_info.as_ref()
    }

    /// What the dump's memory says about its machine.
    fn dump_identity(&self) -> DumpIdentity {
        if matches!(self.alone.kernel_match(), KernelMatch::Different(_)) {
            return DumpIdentity::default();
        }
        let Machine { hostname, panic, version, .. } = Machine::read(&self.alone);
        DumpIdentity { host: hostname, panic, version }
    }

    /// What is missing if the kernel's types are unknown; `None` if they are known.
    pub fn missing_types(&self) -> Option<MissingTypes> {
        let why = self.alone.types().err()?;
        Some(MissingTypes::of(self.kernel().linked(), &why))
    }

    /// The vnets on the list, in order of creation, and then those that are not on
    /// it but that something points to; each with its jails, if those are known.
    ///
    /// # Errors
    /// The kernel is not the dump's, has no VIMAGE, or its list cannot be read at all.
    pub fn vnets(&self) -> Result<&Vnets, Error> {
        let list = self.list()?;
        Ok(self.vnets.get_or_init(|| {
            let none = Jails::default();
            let mut all = list.vnets.clone();
            let reader = unlisted::Reader::new(self.target(), &all, self.all_variables().ok());
            // Without debug information no jails are known; that is said elsewhere.
            let (told, (jails, threads)) =
                parallel::both(|| reader.read(&all), || (self.jails().ok(), self.listed_threads()));
            let jails_or_none = jails.unwrap_or(&none);
            let found = Unlisted::find(&reader, &mut all, told, jails_or_none, threads);
            all.extend(found.vnets);
            let mut problems = list.problems.clone();
            let mut removed = Vec::new();
            if let Some(jails) = jails {
                problems.extend(jails.problems.clone());
                removed = jails::add_jails(self, &mut all, jails, false);
            }
            problems.extend(found.problems);
            Vnets { all, removed, problems, searched: None }
        }))
    }

    /// The same, and then those that a scan of all kernel memory finds. This
    /// takes as long as reading the dump.
    ///
    /// # Errors
    /// As [`Session::vnets`].
    pub fn scan(&self) -> Result<Vnets, Error> {
        self.scan_with(&mut |_| ())
    }

    /// The same. `progress` is told now and then how much has been searched.
    ///
    /// # Errors
    /// As [`Session::vnets`].
    pub fn scan_with(&self, progress: &mut dyn FnMut(Progress)) -> Result<Vnets, Error> {
        let mut vnets = self.vnets()?.clone();
        let known: FxHashSet<VirtAddr> = vnets.all.iter().map(|vnet| vnet.address).collect();
        if !self.memory().can_be_searched() {
            let why =
                "the device does not say which addresses are mapped, so it cannot be searched";
            vnets.problems.add(Problem::new("kernel memory", why));
        }
        // Some of it is mapped twice, and some not at all.
        let total = self.memory().held();
        let mut tell = |done: u64| progress(Progress { done: done.min(total), total });
        let Scanned { vnets: found, bytes } = scan::scan(self.target(), self.list()?, &mut tell)?;
        vnets.searched = Some(bytes);
        vnets.all.extend(found.into_iter().filter(|vnet| !known.contains(&vnet.address)));
        if let Ok(jails) = self.jails() {
            vnets.removed = jails::add_jails(self, &mut vnets.all, jails, true);
        }
        Ok(vnets)
    }

    /// All jails, and why others may be missing.
    ///
    /// # Errors
    /// The kernel is not the dump's, or has no debug information.
    pub fn jails(&self) -> Result<&Jails, Error> {
        self.require_match()?;
        let jails = self.jails.get_or_init(|| Jails::read(self.target()));
        jails.as_ref().map_err(|why| why.clone().into())
    }

    /// All threads, and why others may be missing.
    ///
    /// # Errors
    /// The kernel has no debug information.
    pub(crate) fn threads(&self) -> Result<Walk<Thread<'_>>, ReadError> {
        Ok(self.listed_threads()?.all(self.target()))
    }

    fn listed_threads(&self) -> Result<&threads::Listed, ReadError> {
        let listed = self.threads.get_or_init(|| threads::Listed::read(self.target()));
        listed.as_ref().map_err(Clone::clone)
    }

    /// The threads on the part of the lists that can be read. For what comes after the problems of these
    /// lists have been told.
    pub(crate) fn known_threads(&self) -> Vec<Thread<'_>> {
        self.threads().map(|walk| walk.take(&mut Problems::default())).unwrap_or_default()
    }

    /// The threads among which are those that build vnets and tear them down.
    pub fn workers(&self) -> Workers<'_> {
        Workers::among(self.threads())
    }

    /// The thread that wrote the dump; `None` if the kernel says that none did, or is running.
    ///
    /// # Errors
    /// The kernel is not the dump's, or does not record it.
    pub fn crashed_thread(&self) -> Result<Option<&CrashedThread>, Error> {
        self.require_match()?;
        Ok(self.known_crashed_thread()?)
    }

    /// The same for a kernel that may not be the dump's.
    pub(crate) fn known_crashed_thread(&self) -> Result<Option<&CrashedThread>, ReadError> {
        let crashed = self
            .crashed
            .get_or_init(|| CrashedThread::find(self.target(), || self.listed_threads()));
        crashed.as_ref().map(Option::as_ref).map_err(Clone::clone)
    }

    /// The thread with this id.
    ///
    /// # Errors
    /// The kernel has no debug information, or the part of the lists that can be read has no such
    /// thread.
    pub(crate) fn thread(&self, tid: i64) -> Result<Option<Thread<'_>>, VnetError> {
        let unknown = |because| VnetError::unknown(format!("thread {tid}"), because);
        self.listed_threads()?.with_id(self.target(), tid).map_err(unknown)
    }

    /// The variables that match any of the patterns; without patterns, all of them.
    ///
    /// In a kernel without VIMAGE these are plain globals, and there must be a
    /// pattern, because nothing shows which would be virtualized.
    ///
    /// # Errors
    /// A pattern matches none.
    pub fn variables(&self, patterns: &[String]) -> Result<Vec<SetVariable>, Error> {
        let mut matches = self.matches(patterns)?;
        match matches.missed.is_empty() {
            true => Ok(matches.variables),
            false => Err(matches.missed.swap_remove(0).into()),
        }
    }

    /// The same, but a pattern that matches none is not an error.
    ///
    /// # Errors
    /// The variables are unknown.
    pub fn matches(&self, patterns: &[String]) -> Result<Matches, Error> {
        self.matches_in(LinkerSet::Vnet, patterns)
    }

    /// The same for the variables of either linker set. A kernel without DPCPU variables has
    /// nothing in place of them.
    ///
    /// # Errors
    /// The variables are unknown.
    pub fn matches_in(&self, set: LinkerSet, patterns: &[String]) -> Result<Matches, Error> {
        self.require_match()?;
        let without = set == LinkerSet::Vnet && self.kernel().set_vnet().is_none();
        let plain = without && !patterns.is_empty();
        let all = if plain { None } else { Some(self.variables_of(set)?) };
        let problems = all.map(|all| all.problems().clone()).unwrap_or_default();
        let mut matches = Matches { problems, ..Matches::default() };
        if let (Some(all), []) = (all, patterns) {
            matches.variables = all.all().to_vec();
            return Ok(matches);
        }
        for pattern in patterns {
            let found = match all {
                Some(all) => {
                    all.matching(pattern).map(|found| found.into_iter().cloned().collect())
                }
                None => plain_globals(self.target(), pattern),
            };
            match found {
                Ok(found) => matches.variables.extend(found),
                Err(why) => {
                    let problems = all.map(Variables::problems);
                    matches.missed.push(missed(pattern, why, problems));
                }
            }
        }
        matches.variables = in_order(matches.variables);
        Ok(matches)
    }

    /// All network stacks, except those that are destroyed.
    ///
    /// # Errors
    /// As [`Session::vnets`].
    pub fn stacks(&self) -> Result<Vec<Stack<'_>>, Error> {
        if self.kernel().set_vnet().is_none() {
            self.require_match()?;
            return Ok(vec![Stack::Only]);
        }
        let vnets = self.vnets()?.all.iter().filter(|vnet| !vnet.is_freed());
        Ok(vnets.map(Stack::Vnet).collect())
    }

    /// The variables of all of them.
    ///
    /// # Errors
    /// As [`Session::vnets`].
    pub fn all_copies(&self) -> Result<Vec<Copies<'_>>, Error> {
        Ok(self.stacks()?.into_iter().map(self.copier()?).collect())
    }

    /// The copies that a stack has of the virtualized variables.
    ///
    /// # Errors
    /// The kernel is not the dump's.
    pub fn copies<'s>(&'s self, stack: Stack<'s>) -> Result<Copies<'s>, Error> {
        Ok(self.copier()?(stack))
    }

    /// The same for one stack after the other.
    pub(crate) fn copier<'s>(&'s self) -> Result<impl Fn(Stack<'s>) -> Copies<'s>, Error> {
        let target = self.matching_target()?;
        let has_set = self.kernel().set_vnet().is_some();
        let variables = has_set.then(|| self.all_variables()).transpose()?;
        Ok(move |stack| Copies::new(target, stack, variables))
    }

    /// The address of a stack's copy of a variable; zero if it has none.
    pub fn address(&self, stack: Stack<'_>, variable: &SetVariable) -> VirtAddr {
        stack.copy_of(self.target(), variable.master).unwrap_or_default()
    }

    /// A stack's copy of a variable: its address and its value.
    pub fn value(
        &self,
        stack: Stack<'_>,
        variable: &SetVariable,
        limits: &Limits,
    ) -> (VirtAddr, Value) {
        self.value_by(&self.reader(limits), stack, variable)
    }

    /// The same for a stack's or a CPU's copy, with a reader that is reused.
    pub fn value_by<'s>(
        &self,
        reader: &ValueReader<'_>,
        of: impl Into<CopyOf<'s>>,
        variable: &SetVariable,
    ) -> (VirtAddr, Value) {
        let of = of.into();
        let address = match of.copy_of(self.target(), variable.master) {
            Ok(address) => address,
            Err(why) => return (VirtAddr::default(), why.into()),
        };
        let mut value = match variable.type_id {
            Some(type_id) => reader.read(type_id, address),
            None => reader.read_bytes(address, variable.size),
        };
        if let CopyOf::Stack(stack) = of
            && variable.type_id.is_some_and(|type_id| reader.may_hold_sums(type_id))
        {
            self.withdraw_stale_sums(stack, Some(&variable.name), &mut value);
        }
        (address, value)
    }

    /// Serialises a copy of a variable while it is read: what [`Session::value_by`] gives, without
    /// holding it.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize_value<S: Serializer>(
        &self,
        reader: &ValueReader<'_>,
        of: CopyOf<'_>,
        variable: &SetVariable,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        // Sums can be withdrawn only from what is held.
        let type_id = variable.type_id.filter(|id| !reader.may_hold_sums(*id));
        match (of.copy_of(self.target(), variable.master), type_id) {
            (Ok(address), Some(type_id)) => reader.serialize(type_id, address, serializer),
            _ => self.value_by(reader, of, variable).1.serialize(serializer),
        }
    }

    /// The lines of the kernel's message buffer, from memory if they can be read there;
    /// otherwise from a minidump's own copy; `None` if there is neither.
    pub fn messages(&self) -> Option<Messages> {
        let ring = match self.alone.kernel_match() {
            KernelMatch::Different(_) => None,
            KernelMatch::Same(_) | KernelMatch::Unknown(_) => {
                MessageRing::read(&self.alone).ok().flatten()
            }
        };
        match ring {
            Some(ring) => Some(Messages {
                in_memory: true,
                lines: dump::message_lines(&ring.bytes, ring.written),
            }),
            None => Messages::saved(self.core()),
        }
    }

    /// Every question about memory, except those about the files, asks this first.
    ///
    /// # Errors
    /// The kernel is not the one that wrote the dump.
    pub fn require_match(&self) -> Result<(), Error> {
        match self.alone.kernel_match() {
            KernelMatch::Different(why) => {
                Err(TargetError::OtherKernel { why: why.clone() }.into())
            }
            KernelMatch::Same(_) | KernelMatch::Unknown(_) => Ok(()),
        }
    }

    /// The target, if the kernel is the one that wrote the dump: what views are asked of.
    ///
    /// # Errors
    /// As [`Session::require_match`].
    pub fn matching_target(&self) -> Result<&Target, Error> {
        self.require_match()?;
        Ok(self.target())
    }

    /// A reader of this target's values.
    pub fn reader(&self, limits: &Limits) -> ValueReader<'_> {
        ValueReader::new(self.target(), self.counters(), &self.plans, limits.clone())
    }

    fn list(&self) -> Result<&VnetList, Error> {
        self.require_match()?;
        let list = self.list.get_or_init(|| VnetList::read(self.target()));
        list.as_ref().map_err(|why| why.clone().into())
    }

    fn all_variables(&self) -> Result<&Variables, Error> {
        Ok(self.variables_of(LinkerSet::Vnet)?)
    }

    fn variables_of(&self, set: LinkerSet) -> Result<&Variables, VnetError> {
        let variables = self.variables[set as usize].get_or_init(|| {
            let Loaded { target, modules, .. } = self.loaded();
            Variables::read(target, modules, set)
        });
        variables.as_ref().map_err(Clone::clone)
    }
}

/// Why a pattern matches nothing: nothing has the name, or that is unknown.
fn missed(pattern: &str, why: VnetError, problems: Option<&Problems>) -> VnetError {
    match (&why, problems.and_then(|problems| problems.none().err())) {
        (VnetError::NoSuchVariable { .. }, Some(because)) => {
            VnetError::unknown_variable(pattern, because)
        }
        _ => why,
    }
}

/// Each variable once, even if several patterns match it.
fn in_order(mut found: Vec<SetVariable>) -> Vec<SetVariable> {
    found.sort_by(|a, b| a.order().cmp(&b.order()));
    found.dedup();
    found
}
