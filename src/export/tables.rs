//! All tables: of each, what it has rows of, its columns, and what fills it.

mod addresses;
mod checks;
mod common;
mod counters;
mod dumps;
mod errors;
mod interfaces;
mod jails;
mod modules;
mod scalars;
mod sockets;
mod sysctls;
mod threads;
mod variables;
mod vnets;

use super::table::Table;

/// All tables.
pub static TABLES: &[Table] = &[
    dumps::TABLE,
    vnets::TABLE,
    jails::TABLE,
    variables::TABLE,
    counters::TABLE,
    sysctls::TABLE,
    interfaces::TABLE,
    addresses::TABLE,
    sockets::TABLE,
    threads::TABLE,
    modules::TABLE,
    checks::TABLE,
    errors::TABLE,
];

/// The table of that name.
#[must_use]
pub fn table_named(name: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == name)
}
