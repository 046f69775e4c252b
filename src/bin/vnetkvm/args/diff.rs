//! The arguments of `diff`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

/// What to compare with what.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// Variables to compare; * ? [...] and {a,b} are wildcards (default: all)
    #[arg(value_name = "PATTERN")]
    pub patterns: Vec<String>,

    /// Also show what differs between any two vnets, such as locks and counters
    #[arg(short, long)]
    pub all: bool,

    /// Compare with the same vnet in this dump
    ///
    /// The same vnet is that of the jail with the same name, or else the one with the same number.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub against: Option<PathBuf>,

    /// The kernel that wrote the other dump
    ///
    /// The default is the same kernel if it wrote both, else the kernel that is found like that of
    /// the first dump. It may be another build.
    #[arg(long, value_name = "FILE", requires = "against", value_hint = ValueHint::FilePath)]
    pub against_kernel: Option<PathBuf>,
}
