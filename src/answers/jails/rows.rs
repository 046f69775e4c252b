//! How the jails are laid out: a tree for people, one row for each jail for scripts.

use std::io;

use serde::{Serialize, Serializer};

use super::super::serialize_known;
use super::super::{Answer, Cell, Column, Elements, Medium, Page, Remark, Row, call_outs};
use super::{AllJails, Jail};
use crate::value::model::ValueError;
use crate::views::jails::Life;
use crate::walk::Problems;

/// Deeper jails are not moved further to the right.
const DEEPEST: usize = 16;

impl Answer for AllJails {
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        let elements: Elements<'_, &Jail> = self.jails.iter().collect::<Vec<_>>().into();
        page.table(&columns(page.medium()), &elements)?;
        for jail in &self.jails {
            if let Some(line) = jail.held_line() {
                page.line(&line)?;
            }
        }
        let named: Vec<_> = self.jails.iter().map(|jail| (jail.title(), &jail.problems)).collect();
        call_outs::lay_out(page, named.iter().map(|(name, found)| (&**name, &found[..])))
    }

    fn problems(&self) -> Problems {
        self.problems.clone()
    }

    fn remarks(&self) -> Vec<Remark> {
        self.remarks.clone()
    }

    fn nothing(&self) -> Option<String> {
        let why = match self.problems.is_empty() {
            true => "there is no such jail",
            false => "the jails are unknown: their list cannot be read completely",
        };
        self.jails.is_empty().then(|| why.to_owned())
    }

    fn unreadable(&self) -> usize {
        self.jails.iter().map(Jail::unreadable).sum()
    }
}

impl Serialize for AllJails {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let empty = self.jails.is_empty();
        serialize_known(serializer, "jails", &self.jails, empty, &self.problems)
    }
}

impl Jail {
    fn title(&self) -> String {
        format!("jail {} ({})", self.jid, self.name)
    }

    /// How far the creation or destruction of its vnet has come, in words.
    fn vnet_progress(&self) -> Option<String> {
        self.progress.as_ref().map(|progress| format!("its vnet is {}", progress.title()))
    }

    /// What people should know about a jail that is not alive.
    fn held_line(&self) -> Option<String> {
        let mut said = Vec::new();
        if let Some(held) = &self.held_by {
            let parts = held.parts();
            let who = match parts.is_empty() {
                true => "nothing was found that holds it".to_owned(),
                false => format!("held by {}", parts.join("; ")),
            };
            // A jail off the list waits for nothing but its vnet.
            if !(parts.is_empty() && self.life == Life::BeingRemoved) {
                said.push(who);
            }
        }
        said.extend(self.vnet_progress());
        let state = self.life.meaning()?;
        (!said.is_empty()).then(|| format!("{}, {state}: {}", self.title(), said.join("; ")))
    }

    fn unreadable(&self) -> usize {
        let errors = [
            self.path.is_err(),
            self.hostname.is_err(),
            self.flags.is_err(),
            self.allow.is_err(),
            self.references.is_err(),
            self.user_references.is_err(),
        ];
        errors.into_iter().filter(|error| *error).count()
    }

    /// Its vnet, and whether it is another's: `1`, `0 (inherited)`.
    fn vnet_title(&self) -> Option<String> {
        let vnet = self.vnet?;
        Some(if self.own_vnet { vnet.to_string() } else { format!("{vnet} (inherited)") })
    }

    fn short(&self) -> Vec<Cell<'_>> {
        let indent = "  ".repeat(self.depth.min(DEEPEST));
        vec![
            self.jid.into(),
            format!("{indent}{}", self.name).into(),
            self.life.meaning().unwrap_or("alive").into(),
            self.vnet_title().into(),
            self.processes.into(),
            Cell::read(&self.references, |count| (*count).into()),
            text(&self.hostname),
            text(&self.path),
            list(&self.flags),
        ]
    }

    fn full(&self) -> Vec<Cell<'_>> {
        let held = self.held_by.as_ref().map(|held| held.parts().join("; "));
        let vnet = self.vnet.map(|vnet| vnet.to_string());
        let own = self.vnet.map(|_| if self.own_vnet { "own" } else { "inherited" });
        vec![
            self.jid.into(),
            (&*self.name).into(),
            self.address.into(),
            self.parent.into(),
            self.state.into(),
            vnet.into(),
            own.into(),
            self.processes.into(),
            Cell::read(&self.references, |count| (*count).into()),
            Cell::read(&self.user_references, |count| (*count).into()),
            text(&self.hostname),
            text(&self.path),
            list(&self.flags),
            list(&self.allow),
            held.filter(|held| !held.is_empty()).into(),
            self.vnet_progress().into(),
            call_outs::cell(&self.problems),
        ]
    }
}

impl Row for Jail {
    fn rows(&self, medium: Medium) -> Vec<Vec<Cell<'_>>> {
        vec![if medium == Medium::People { self.short() } else { self.full() }]
    }
}

fn columns(medium: Medium) -> Vec<Column> {
    if medium == Medium::People {
        return vec![
            Column::right("JID"),
            Column::left("NAME"),
            Column::left("STATE"),
            Column::left("VNET"),
            Column::right("PROCS"),
            Column::right("REFS"),
            Column::left("HOSTNAME"),
            Column::left("PATH"),
            Column::left("FLAGS"),
        ];
    }
    let titles = [
        "JID",
        "NAME",
        "ADDRESS",
        "PARENT",
        "STATE",
        "VNET",
        "OWN VNET",
        "PROCS",
        "REFS",
        "USER REFS",
        "HOSTNAME",
        "PATH",
        "FLAGS",
        "ALLOW",
        "HELD BY",
        "PROGRESS",
        "PROBLEMS",
    ];
    titles.into_iter().map(Column::left).collect()
}

fn text(text: &Result<Box<str>, ValueError>) -> Cell<'_> {
    Cell::read(text, |text| (&**text).into())
}

fn list(names: &Result<Vec<Box<str>>, ValueError>) -> Cell<'_> {
    Cell::read(names, |names| match &names[..] {
        [] => Cell::Nothing,
        names => names.join(",").into(),
    })
}
