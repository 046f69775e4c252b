//! `sysctl`: the values that sysctl(8) would have printed in the chosen vnets.

use std::io::Write;

use serde::Serialize;
use vnetkvm::render::json::JsonSysctl;
use vnetkvm::render::table::{Align, Table};
use vnetkvm::render::{c, sanitize, sysctl as text};
use vnetkvm::value::Limits;
use vnetkvm::views::sysctls::{Oid, Sysctl};
use vnetkvm::vnet::{Stack, Vnet};

use crate::args::{Cli, Format, SysctlArgs};
use crate::context;
use crate::exit::{self, Failure, Outcome};
use crate::output::Output;

pub fn run(cli: &Cli, args: &SysctlArgs) -> anyhow::Result<Outcome> {
    if args.names.is_empty() && !args.all {
        let failure = Failure::new("no sysctl was named");
        return Err(failure.hint("name one, or a node such as net.inet.ip; -a shows all").into());
    }
    let session = context::open(cli)?;
    let tree = session.sysctls(&args.names)?;
    exit::report_missed(session.missed_sysctls(&tree, &args.names)?, !tree.oids.is_empty())?;
    let mut output = Output::new(&cli.output);
    output.problems(&tree.problems);
    // Which vnet does not matter to what belongs to none.
    let stacks = match tree.oids.iter().any(Oid::differs) || context::is_vnet_chosen(cli) {
        true => context::chosen(cli, session, &mut output)?,
        false => vec![Stack::Unchosen],
    };
    let limits = context::limits(cli, output.format(), Limits::default().elements);
    let reader = session.sysctl_reader(&limits);
    let mut listings = Vec::with_capacity(stacks.len());
    for stack in stacks {
        let read = |oid| (oid, reader.read(stack, oid));
        let sysctls: Vec<(&Oid, Sysctl)> = tree.oids.iter().map(read).collect();
        let values = sysctls.iter().filter_map(|(_, sysctl)| sysctl.value.as_ref());
        values.for_each(|value| output.inspect(value));
        listings.push(Listing { vnet: stack.vnet(), sysctls });
    }
    let all = cli.vnet.all_vnets;
    match output.format() {
        Format::Json => {
            #[derive(Serialize)]
            struct Body<'a> {
                sysctls: Option<Vec<JsonSysctl<'a>>>,
            }
            let known = !tree.oids.is_empty() || tree.problems.is_empty();
            let parts = listings
                .iter()
                .map(|one| (one.vnet, Body { sysctls: known.then(|| one.json().collect()) }));
            output.vnet_documents(parts, all)?;
        }
        Format::Jsonl => {
            for listing in Listing::each_once(&listings) {
                listing.json().try_for_each(|one| output.json_line(&one))?;
            }
        }
        Format::Table => {
            let listings = Listing::each_once(&listings);
            for listing in listings.iter().filter(|listing| !listing.sysctls.is_empty()) {
                match listing.vnet {
                    None if all => output.title("every vnet")?,
                    vnet if all => output.vnet_title(vnet)?,
                    _ => {}
                }
                listing.lines(args).try_for_each(|line| writeln!(output.text(), "{line}"))?;
            }
        }
        Format::Plain => {
            let mut table = Table::new(&COLUMNS);
            for listing in Listing::each_once(&listings) {
                let which = listing.vnet.map_or("-".to_owned(), context::short_title);
                let rows = listing.rows(args);
                rows.for_each(|row| table.row(all.then(|| which.clone()).into_iter().chain(row)));
            }
            output.table(table)?;
        }
    }
    let none = match tree.problems.none() {
        Ok(()) => "no sysctl was found".to_owned(),
        Err(why) => format!("which sysctls there are is unknown, because {why}"),
    };
    output.finish(Outcome::of(!tree.oids.is_empty(), none))
}

const COLUMNS: [(&str, Align); 3] =
    [("NAME", Align::Left), ("TYPE", Align::Left), ("VALUE", Align::Left)];

/// Sysctls as one vnet sees them.
struct Listing<'a> {
    vnet: Option<&'a Vnet>,
    sysctls: Vec<(&'a Oid, Sysctl)>,
}

impl<'a> Listing<'a> {
    /// For several vnets: what belongs to none comes first, and once.
    fn each_once(listings: &[Self]) -> Vec<Listing<'a>> {
        let part = |listing: &Self, vnet, differs| {
            let kept = listing.sysctls.iter().filter(|(oid, _)| oid.differs() == differs);
            Listing { vnet, sysctls: kept.cloned().collect() }
        };
        match listings {
            [first, _, ..] => {
                let own = listings.iter().map(|listing| part(listing, listing.vnet, true));
                [part(first, None, false)].into_iter().chain(own).collect()
            }
            _ => listings
                .iter()
                .map(|one| Listing { vnet: one.vnet, sysctls: one.sysctls.clone() })
                .collect(),
        }
    }

    fn json(&self) -> impl Iterator<Item = JsonSysctl<'_>> {
        self.sysctls.iter().map(|(oid, sysctl)| JsonSysctl::new(oid, self.vnet, sysctl))
    }

    /// `net.inet.ip.ttl: 64`
    fn lines(&self, args: &SysctlArgs) -> impl Iterator<Item = String> {
        self.sysctls.iter().map(|(oid, sysctl)| {
            let name = sanitize::line(&oid.name);
            let label = if args.only_values { String::new() } else { format!("{name}: ") };
            match args.only_names {
                true => name.into_owned(),
                false => {
                    let mark = mark(args, oid, sysctl).map(|mark| format!(" {mark}"));
                    let answer = answer(args, oid, sysctl, Some(&label));
                    format!("{label}{answer}{}", mark.unwrap_or_default())
                }
            }
        })
    }

    fn rows(&self, args: &SysctlArgs) -> impl Iterator<Item = Vec<String>> {
        self.sysctls.iter().map(|(oid, sysctl)| {
            let (name, kind) = (oid.name.to_string(), oid.kind.name().to_owned());
            match (args.only_names, args.only_values) {
                (true, _) => vec![name],
                (_, true) => vec![answer(args, oid, sysctl, None)],
                _ => {
                    let mark = mark(args, oid, sysctl);
                    [name, kind, answer(args, oid, sysctl, None)].into_iter().chain(mark).collect()
                }
            }
        })
    }
}

/// What a value that was read behind its handler is marked with.
fn mark(args: &SysctlArgs, oid: &Oid, sysctl: &Sysctl) -> Option<String> {
    let shown = !args.types && !args.descriptions && !args.only_values;
    text::mark(oid, sysctl).filter(|_| shown)
}

/// What was asked for of an oid, on one line if it has no label.
fn answer(args: &SysctlArgs, oid: &Oid, sysctl: &Sysctl, label: Option<&str>) -> String {
    if args.types {
        return oid.kind.words().to_owned();
    }
    if !args.descriptions {
        return text::value(oid, sysctl, label);
    }
    match &oid.description {
        Ok(description) => sanitize::line(description).into_owned(),
        Err(error) => c::error(error),
    }
}
