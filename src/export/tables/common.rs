//! What several tables have in common: whose rows they have, and texts of several parts.

use std::io;

use crate::answers::{Answer, Chosen, PerVnet};
use crate::error::Error;
use crate::export::column::Cell;
use crate::export::rows::Rows;
use crate::export::table::Stop;
use crate::session::{Selector, Session};
use crate::views::call_out::CallOut;
use crate::vnet::Stack;

/// All network stacks: those on the list, and those that are not.
pub(super) fn all(session: &Session) -> Result<Chosen<'_>, Error> {
    Chosen::ask(session, &Selector::All)
}

/// Adds the rows of each stack by `add`, and what could not be read of any of them.
pub(super) fn each<'s, A: Answer>(
    rows: &mut Rows<'_, '_>,
    answer: &PerVnet<'s, A>,
    mut add: impl FnMut(&mut Rows<'_, '_>, Stack<'s>, &A) -> io::Result<()>,
) -> Result<(), Stop> {
    answer.try_for_each(|stack, answer| add(rows, stack, answer))?;
    Ok(rows.problems(&answer.problems())?)
}

/// Where a part of a variable is: `tcbinfo.ipi_count of vnet 1 (0x…)`.
pub(super) fn place(variable: &str, path: &str, stack: Stack<'_>) -> String {
    let joint = if path.is_empty() || path.starts_with('[') { "" } else { "." };
    let of_vnet = stack.vnet().map_or_else(String::new, |vnet| format!(" of {}", vnet.title()));
    format!("{variable}{joint}{path}{of_vnet}")
}

/// What is wrong with something, in one text; `None` if nothing is.
pub(super) fn told(call_outs: &[CallOut]) -> Option<String> {
    joined("; ", call_outs.iter().map(|call_out| &*call_out.why))
}

/// A text that may be missing.
pub(super) fn text(text: &Option<Box<str>>) -> Cell<'_> {
    text.as_deref().into()
}

/// Texts as one; `None` if there is none.
pub(super) fn joined<T: AsRef<str>>(
    separator: &str,
    texts: impl IntoIterator<Item = T>,
) -> Option<String> {
    let texts = texts.into_iter();
    texts.fold(None, |all, text| match all {
        None => Some(text.as_ref().to_owned()),
        Some(all) => Some(all + separator + text.as_ref()),
    })
}
