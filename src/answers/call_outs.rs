//! How answers show what is wrong in the kernel's own state.

use std::io;

use super::{Cell, Page};
use crate::views::call_out::CallOut;

/// A line for each call-out, below the table that shows its element; only for people. `named` are
/// the elements, each by what people call it.
///
/// # Errors
/// The output cannot be written.
pub(super) fn lay_out<'a>(
    page: &mut impl Page,
    named: impl IntoIterator<Item = (&'a str, &'a [CallOut])>,
) -> io::Result<()> {
    for (name, call_outs) in named {
        for CallOut { at, why, .. } in call_outs {
            match at {
                Some(at) => page.call_out(&format!("{name}: {why} ({at})"))?,
                None => page.call_out(&format!("{name}: {why}"))?,
            }
        }
    }
    Ok(())
}

/// The call-outs of one element, for the column PROBLEMS of a table for scripts.
pub(super) fn cell(call_outs: &[CallOut]) -> Cell<'static> {
    let why: Vec<&str> = call_outs.iter().map(|call_out| &*call_out.why).collect();
    if why.is_empty() { Cell::Nothing } else { Cell::text(why.join("; ")) }
}
