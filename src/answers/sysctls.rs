//! `sysctl`: the values that sysctl(8) would have printed in the chosen vnets.

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::{
    Answer, Cell, Chosen, Column, Element, List, Medium, Page, Part, PerVnet, Remark, Row,
};
use crate::addr::VirtAddr;
use crate::error::Error;
use crate::session::{Selector, Session};
use crate::value::Limits;
use crate::value::model::{Value, ValueError};
use crate::value::serialize::or_error;
use crate::views::sysctls::{Oid, Sysctl, SysctlReader};
use crate::vnet::{Stack, Vnet, VnetRef};
use crate::walk::Problems;

/// A sysctl in a vnet.
#[derive(Debug, Clone)]
pub struct SysctlValue {
    /// Its entry in the kernel's tree.
    pub oid: Arc<Oid>,
    /// `None` for a sysctl that belongs to no vnet.
    pub vnet: Option<VnetRef>,
    /// Its value in the vnet.
    pub sysctl: Sysctl,
    show: Show,
}

/// What tables and rows show of a sysctl.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Show {
    /// `net.inet.ip.ttl: 64`
    #[default]
    NamesAndValues,
    /// Names alone, as with sysctl -N.
    Names,
    /// Values alone, as with sysctl -n.
    Values,
    /// Descriptions instead of values; names too, unless `alone`.
    Descriptions {
        /// Without names.
        alone: bool,
    },
    /// Types instead of values; names too, unless `alone`.
    Types {
        /// Without names.
        alone: bool,
    },
}

/// The sysctls in each of the chosen vnets.
pub struct Sysctls<'s> {
    /// All of them in each vnet.
    pub per_vnet: PerVnet<'s, List<'s, SysctlValue>>,
    /// First those that belong to no vnet, then those of each vnet, if several were chosen.
    parts: Box<dyn Fn(Stack<'s>, Which) -> List<'s, SysctlValue> + 's>,
}

/// Selects sysctls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    All,
    OfNoVnet,
    OfVnets,
}

/// The sysctls of these names, and those below them, in the vnets that `selector` selects;
/// without names, all. If none of them belongs to a vnet, no vnet is chosen, unless the user
/// chose one.
///
/// # Errors
/// As [`Session::sysctls`] and [`Session::select`].
pub fn sysctls<'s>(
    session: &'s Session,
    selector: &Selector,
    names: &[String],
    show: Show,
    limits: &Limits,
) -> Result<Sysctls<'s>, Error> {
    let tree = session.sysctls(names)?;
    let missed = session.missed_sysctls(&tree, names)?.into_iter().map(Error::from).collect();
    let chosen = match tree.oids.iter().any(Oid::differs) || *selector != Selector::Default {
        true => Chosen::ask(session, selector)?,
        false => Chosen::none(),
    };
    let nothing = tree.oids.is_empty().then(|| match tree.problems.none() {
        Ok(()) => "no sysctl was found".to_owned(),
        Err(why) => format!("the sysctls are unknown, because {why}"),
    });
    let unknown = tree.oids.is_empty() && !tree.problems.is_empty();
    let oids: Rc<[Arc<Oid>]> = tree.oids.into_iter().map(Arc::new).collect();
    let reader = Rc::new(session.sysctl_reader(limits));
    let list = move |stack: Stack<'s>, which: Which| {
        let wanted = oids.iter().filter(|oid| which.has(oid));
        let values: Vec<SysctlValue> =
            wanted.map(|oid| SysctlValue::read(&reader, stack, oid, show)).collect();
        List { unknown, ..List::new(columns(), values) }
    };
    let all = list.clone();
    let per_vnet = PerVnet::new(chosen, move |stack| all(stack, Which::All));
    let per_vnet = PerVnet { problems: tree.problems, missed, nothing, ..per_vnet };
    Ok(Sysctls { per_vnet, parts: Box::new(list) })
}

fn columns() -> Vec<Column> {
    vec![Column::left("NAME"), Column::left("TYPE"), Column::left("VALUE")]
}

impl Which {
    fn has(self, oid: &Oid) -> bool {
        match self {
            Self::All => true,
            Self::OfNoVnet => !oid.differs(),
            Self::OfVnets => oid.differs(),
        }
    }
}

impl<'s> Sysctls<'s> {
    /// Every sysctl once: first those that belong to no vnet, then those of each of the chosen
    /// vnets. Of a single vnet, all are one list.
    pub fn each_once(&self) -> impl Iterator<Item = (Stack<'s>, List<'s, SysctlValue>)> {
        let stacks = &self.per_vnet.chosen.stacks[..];
        let of_none = match stacks {
            [first, _, ..] => Some((Stack::Unchosen, *first, Which::OfNoVnet)),
            [] | [_] => None,
        };
        let which = if stacks.len() == 1 { Which::All } else { Which::OfVnets };
        let of_vnets = stacks.iter().map(move |stack| (*stack, *stack, which));
        let parts = of_none.into_iter().chain(of_vnets);
        parts.map(|(shown, asked, which)| (shown, (self.parts)(asked, which)))
    }

    /// Lays out the sysctls of one vnet, or those that belong to none.
    fn lay_out_part(
        &self,
        page: &mut impl Page,
        stack: Stack<'_>,
        list: &List<'_, SysctlValue>,
    ) -> io::Result<()> {
        let all = self.per_vnet.chosen.all;
        // The elements themselves say which vnet they belong to.
        let part = (page.medium() != Medium::Lines).then(|| Part {
            vnet: stack.vnet().map(VnetRef::from),
            title: None,
            marked: all,
        });
        page.part(part)?;
        if page.medium() != Medium::People {
            return list.lay_out(page);
        }
        if list.elements.kept().is_some_and(<[_]>::is_empty) {
            return Ok(());
        }
        if all {
            page.title(&stack.vnet().map_or("every vnet".to_owned(), Vnet::title))?;
        }
        list.elements.try_for_each(|sysctl| sysctl.lay_out(page))
    }
}

impl Answer for Sysctls<'_> {
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        for (stack, list) in self.each_once() {
            self.lay_out_part(page, stack, &list)?;
        }
        page.part(None)
    }

    fn problems(&self) -> Problems {
        self.per_vnet.problems()
    }

    fn remarks(&self) -> Vec<Remark> {
        self.per_vnet.remarks()
    }

    fn chosen(&self) -> Option<&Chosen<'_>> {
        self.per_vnet.chosen()
    }

    fn take_missed(&mut self) -> Vec<Error> {
        self.per_vnet.take_missed()
    }

    fn nothing(&self) -> Option<String> {
        self.per_vnet.nothing()
    }

    fn unreadable(&self) -> usize {
        self.per_vnet.unreadable()
    }
}

impl Serialize for Sysctls<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.per_vnet.serialize(serializer)
    }
}

impl SysctlValue {
    fn read(reader: &SysctlReader<'_>, stack: Stack<'_>, oid: &Arc<Oid>, show: Show) -> Self {
        Self {
            sysctl: reader.read(stack, oid),
            vnet: stack.vnet().filter(|_| oid.differs()).map(VnetRef::from),
            oid: Arc::clone(oid),
            show,
        }
    }

    /// `net.inet.ip.ttl: 64`
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        let name = &self.oid.name;
        let label = match self.show {
            Show::Names => return page.line(name),
            Show::Values | Show::Descriptions { alone: true } | Show::Types { alone: true } => {
                String::new()
            }
            _ => format!("{name}: "),
        };
        page.entry(&label, &self.shown(), self.mark().as_deref())
    }

    /// The requested part of it.
    fn shown(&self) -> Cell<'_> {
        match self.show {
            Show::Types { .. } => self.oid.kind.words().into(),
            Show::Descriptions { .. } => {
                Cell::read(&self.oid.description, |description| (&**description).into())
            }
            _ => Cell::Sysctl(&self.oid, &self.sysctl),
        }
    }

    /// Marks a value that is not the handler's answer, but the variable behind it.
    fn mark(&self) -> Option<String> {
        let handler = self.oid.handler.as_ref().filter(|_| self.sysctl.behind_handler)?;
        (self.show == Show::NamesAndValues).then(|| format!("(behind {handler})"))
    }
}

impl Element for SysctlValue {
    const ARRAY: &'static str = "sysctls";

    fn unreadable(&self) -> usize {
        self.sysctl.value.as_ref().map_or(0, Value::unreadable)
    }
}

impl Row for SysctlValue {
    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        let name = Cell::from(&*self.oid.name);
        let row = match self.show {
            Show::Names => vec![name],
            Show::Values | Show::Descriptions { alone: true } | Show::Types { alone: true } => {
                vec![self.shown()]
            }
            _ => {
                let cells = [name, self.oid.kind.name().into(), self.shown()];
                cells.into_iter().chain(self.mark().map(Cell::from)).collect()
            }
        };
        vec![row]
    }
}

fn description<S: Serializer>(
    description: &&Result<Box<str>, ValueError>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    or_error(description, serializer)
}

impl Serialize for SysctlValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'a> {
            name: &'a str,
            r#type: &'a str,
            format: &'a str,
            vnet: Option<VnetRef>,
            address: Option<VirtAddr>,
            handler: Option<String>,
            behind_handler: Option<String>,
            #[serde(serialize_with = "description")]
            description: &'a Result<Box<str>, ValueError>,
            value: &'a Option<Value>,
        }
        let handler = self.oid.handler.as_ref().map(ToString::to_string);
        Fields {
            name: &self.oid.name,
            r#type: self.oid.kind.name(),
            format: &self.oid.format,
            vnet: self.vnet,
            address: self.sysctl.address,
            behind_handler: handler.clone().filter(|_| self.sysctl.behind_handler),
            handler,
            description: &self.oid.description,
            value: &self.sysctl.value,
        }
        .serialize(serializer)
    }
}
