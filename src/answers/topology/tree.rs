//! The wiring as a tree for people: each vnet with its jails and interfaces, each interface with
//! its ties.

use std::io;

use super::Wired;
use crate::answers::{Page, call_outs};

/// Lays out all stacks, and below what is wrong with their interfaces.
pub(super) fn lay_out(page: &mut impl Page, stacks: &[Wired]) -> io::Result<()> {
    for stack in stacks {
        page.title(&stack.title)?;
        let width = stack.entries.iter().map(|entry| entry.title().chars().count()).max();
        let width = width.unwrap_or(0).min(16);
        for (at, entry) in stack.entries.iter().enumerate() {
            let is_last = at + 1 == stack.entries.len();
            let (branch, below) = if is_last { ("└─", "  ") } else { ("├─", "│ ") };
            let addresses: Vec<&str> = entry.addresses.iter().map(|it| &*it.text).collect();
            let name = entry.title();
            let line = format!("{branch} {name:<width$}  {}", addresses.join(" "));
            page.line(line.trim_end())?;
            let ties = entry.ties_in_words();
            for (at, tie) in ties.iter().enumerate() {
                let leaf = if at + 1 == ties.len() { "└─" } else { "├─" };
                page.line(&format!("{below} {leaf} {tie}"))?;
            }
        }
    }
    let entries = || stacks.iter().flat_map(|stack| &stack.entries);
    let titles: Vec<String> = entries().map(|entry| entry.title()).collect();
    let named = titles.iter().zip(entries());
    call_outs::lay_out(page, named.map(|(title, entry)| (&**title, &*entry.call_outs)))
}
