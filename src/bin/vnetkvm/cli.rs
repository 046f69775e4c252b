//! The command line. Help, man pages and completions all come from here.

use clap::Parser;
use clap::builder::styling::{AnsiColor, Styles};

use crate::args::Globals;
use crate::commands::Command;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Inspect the virtual network stacks (VNET) of a FreeBSD kernel in a crash dump
///
/// vnetkvm reads a kernel with its debug information and a memory image of that kernel. It
/// finds the virtual network stacks and shows the virtualized variables of each, with names,
/// types and values. It runs on any system, and it never writes to the kernel or the dump.
#[derive(Debug, Parser)]
#[command(
    name = "vnetkvm",
    version,
    styles = STYLES,
    max_term_width = 100,
    after_help = EXAMPLES,
    arg_required_else_help = true,
    propagate_version = false,
    infer_subcommands = false
)]
pub struct Cli {
    #[command(flatten)]
    pub globals: Globals,
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  vnetkvm --demo vars --vnet 1
  vnetkvm -N kernel.debug -M vmcore.0 vnets
  vnetkvm -N kernel.debug -M vmcore.0 --jail web01 print 'V_ifnet.cstqh_first->if_xname'

Exit status:
  0  the question was answered
  1  nothing matched; of check and diff: a fault or a difference was found
  2  wrong usage, or a failure; of check and diff: or nothing matched";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::VnetChoice;

    #[test]
    fn global_options_may_stand_before_or_after_the_command() {
        let before = Cli::try_parse_from(["vnetkvm", "--vnet", "1", "--json", "vars"]).unwrap();
        let after = Cli::try_parse_from(["vnetkvm", "vars", "--vnet", "1", "--json"]).unwrap();
        assert_eq!(before.globals.vnet.vnet, [VnetChoice::Index(1)]);
        assert_eq!(after.globals.vnet.vnet, before.globals.vnet.vnet);
        assert!(before.globals.output.json && after.globals.output.json);
    }
}
