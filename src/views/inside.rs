//! Which threads are in a function, by their kernel stacks.

use std::fmt;

use crate::addr::VirtAddr;
use crate::parallel;
use crate::target::Target;
use crate::threads::stack::{Call, Stack};
use crate::threads::{Thread, ThreadName};
use crate::value::Object;

/// A thread in a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inside {
    /// The thread.
    pub thread: ThreadName,
    /// The innermost of the functions that were asked for.
    pub function: &'static str,
    /// A chain of frames leads into the function. Otherwise only a word on the stack says so,
    /// which an earlier call may have left there.
    pub certain: bool,
}

/// Functions of the kernel, by name.
#[derive(Debug)]
pub struct Functions<'t, const N: usize> {
    target: &'t Target,
    known: [(&'static str, Option<VirtAddr>); N],
}

impl<'t, const N: usize> Functions<'t, N> {
    /// Those that the kernel has.
    pub fn named(target: &'t Target, names: [&'static str; N]) -> Self {
        let start = |name| target.kernel().symbol(name).map(|symbol| symbol.address);
        Self { target, known: names.map(|name| (name, start(name))) }
    }

    /// The one that the thread is in, and whether that is certain.
    #[must_use]
    pub fn of(&self, thread: &Object<'_>) -> Option<(&'static str, bool)> {
        let stack = Stack::of(thread).ok()?;
        let function = |call: &Call| {
            let start = Stack::function(self.target, call)?;
            self.known.iter().find(|(_, known)| *known == Some(start)).map(|(name, _)| *name)
        };
        let certain = stack.calls.iter().find_map(function);
        let function = certain.or_else(|| stack.words.iter().find_map(function))?;
        Some((function, certain.is_some()))
    }

    /// Those of `threads` that are in any of them, those that certainly are first.
    #[must_use]
    pub(crate) fn threads(&self, threads: &[Thread<'_>]) -> Vec<Inside> {
        let ask = |thread: &Thread<'_>| {
            let (function, certain) = self.of(&thread.thread)?;
            Some(Inside { thread: thread.name(), function, certain })
        };
        let mut inside: Vec<Inside> = Vec::new();
        parallel::for_each(threads, parallel::jobs_for(threads.len()), ask, |found| {
            inside.extend(found);
            true
        });
        inside.sort_by_key(|inside| !inside.certain);
        inside
    }
}

impl fmt::Display for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is = if self.certain { "is" } else { "may be" };
        write!(f, "{} {is} in {}", self.thread, self.function)
    }
}
