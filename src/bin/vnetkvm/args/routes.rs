//! The arguments of `routes` and `neighbors`.

use std::net::IpAddr;

use clap::{Args, ValueEnum};
use vnetkvm::answers::routes::Question;
use vnetkvm::views::family::Family;

/// Which family to list.
#[derive(Debug, Args)]
pub struct FamilyArgs {
    /// List only IPv4
    #[arg(short = '4', conflicts_with_all = ["inet6", "family"])]
    inet: bool,

    /// List only IPv6
    #[arg(short = '6', conflicts_with = "family")]
    inet6: bool,

    /// List only this family
    #[arg(short = 'f', long, value_name = "FAMILY")]
    family: Option<Named>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Named {
    Inet,
    Inet6,
}

impl FamilyArgs {
    /// The family to list; `None` is both.
    pub fn family(&self) -> Option<Family> {
        match (self.inet, self.inet6, self.family) {
            (true, ..) | (.., Some(Named::Inet)) => Some(Family::Inet),
            (_, true, _) | (.., Some(Named::Inet6)) => Some(Family::Inet6),
            _ => None,
        }
    }
}

/// Which routes to list, and how.
#[derive(Debug, Args)]
pub struct RoutesArgs {
    /// List only the routes of this FIB
    #[arg(long, value_name = "N")]
    fib: Option<u64>,

    #[command(flatten)]
    family: FamilyArgs,

    /// List only the route that packets to this address take, in each FIB
    #[arg(long, value_name = "ADDRESS")]
    to: Option<IpAddr>,

    /// Show all columns: also the number of the next hop, MTU, weight, references, and the
    /// address of the struct rtentry
    #[arg(short, long, visible_short_alias = 'W')]
    wide: bool,
}

impl RoutesArgs {
    /// The question that they ask.
    pub fn question(&self) -> Question {
        Question { fib: self.fib, family: self.family.family(), to: self.to, wide: self.wide }
    }
}
