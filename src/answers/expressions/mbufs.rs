//! `print --follow`: the mbufs that expressions lead to, one a line.

use std::io;
use std::rc::Rc;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::{Evaluations, Outcome};
use crate::addr::VirtAddr;
use crate::answers::{Answer, Cell, Column, Elements, Medium, Page, PerVnet, Row};
use crate::value::MbufHeader;
use crate::value::model::ValueError;
use crate::value::serialize::or_error;
use crate::views::mbufs::Mbuf;
use crate::walk::{Problem, Problems};

/// The mbufs that expressions lead to in one vnet.
#[derive(Debug, Clone)]
pub struct Chains(Rc<[Chain]>);

/// The mbufs that one expression leads to.
#[derive(Debug, Clone)]
struct Chain {
    expression: Box<str>,
    mbufs: Vec<Mbuf>,
    /// All of them are known.
    whole: bool,
}

impl<'s> Evaluations<'s> {
    /// The mbufs that the expressions lead to: the packet that begins there, and those after it.
    pub fn follow(self) -> PerVnet<'s, Chains> {
        let Self { session, chosen, asked, outcomes, mut missed, remarks } = self;
        let mut problems = Problems::default();
        let (mut answers, mut any) = (Vec::new(), false);
        for outcomes in &outcomes {
            let mut chains = Vec::new();
            for (outcome, asked) in outcomes.iter().zip(&asked) {
                let mbufs = match outcome {
                    Outcome::Value(evaluation) => session.mbufs(evaluation),
                    Outcome::Fault(why) => {
                        problems.add(Problem::new(&*asked.text, &*why.message));
                        continue;
                    }
                    // It was said already.
                    Outcome::Failure(_) => continue,
                };
                match mbufs {
                    Ok(walk) => {
                        any = true;
                        let whole = walk.is_whole();
                        let mbufs = walk.take(&mut problems);
                        chains.push(Chain { expression: asked.text.as_str().into(), mbufs, whole });
                    }
                    Err(why) => missed.push(why),
                }
            }
            answers.push(Chains(chains.into()));
        }
        let nothing = (!any).then(|| "no expression leads to mbufs".to_owned());
        PerVnet { problems, remarks, missed, nothing, ..PerVnet::kept(chosen, answers) }
    }
}

impl Chains {
    fn lines(&self) -> Elements<'_, Line<'_>> {
        self.0.iter().flat_map(Chain::lines).collect::<Vec<_>>().into()
    }
}

impl Answer for Chains {
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        if page.medium() != Medium::People {
            return page.table(&columns(page.medium()), &self.lines());
        }
        for chain in &*self.0 {
            let lines: Elements<'_, Line<'_>> = chain.lines().collect::<Vec<_>>().into();
            page.table(&columns(page.medium()), &lines)?;
            page.line(&chain.in_words())?;
        }
        Ok(())
    }

    fn unreadable(&self) -> usize {
        let all = self.0.iter().flat_map(|chain| &chain.mbufs);
        all.filter(|mbuf| mbuf.header.is_err() || mbuf.data.is_err()).count()
    }
}

/// All in one array, as JSON lines have them.
impl Serialize for Chains {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("mbufs", &self.lines())?;
        map.end()
    }
}

impl Chain {
    fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.mbufs.iter().map(|mbuf| Line::of(&self.expression, mbuf))
    }

    /// `V_q: 3 mbufs in 2 packets hold 180 bytes`
    fn in_words(&self) -> String {
        let several = |count: u64, what: &str| match count {
            1 => format!("1 {what}"),
            count => format!("{count} {what}s"),
        };
        let packets = self.mbufs.last().map_or(0, |mbuf| mbuf.packet + 1);
        let lens = self.mbufs.iter().map(|mbuf| Some(mbuf.header.as_ref().ok()?.as_ref()?.len));
        let bytes = lens.sum::<Option<i128>>().filter(|_| self.whole);
        let bytes = bytes.map_or_else(|| "an unknown number of".to_owned(), |sum| sum.to_string());
        let verb = if self.mbufs.len() == 1 { "holds" } else { "hold" };
        let mbufs = several(self.mbufs.len() as u64, "mbuf");
        format!(
            "{}: {mbufs} in {} {verb} {bytes} bytes",
            self.expression,
            several(packets, "packet")
        )
    }
}

/// An mbuf in a table, and in JSON.
#[derive(Debug, Serialize)]
struct Line<'a> {
    expression: &'a str,
    packet: u64,
    mbuf: VirtAddr,
    #[serde(serialize_with = "or_error")]
    length: Read<'a, i128>,
    #[serde(rename = "type", serialize_with = "or_error")]
    kind: Read<'a, String>,
    #[serde(serialize_with = "or_error")]
    flags: Read<'a, String>,
    /// Of the whole packet.
    #[serde(serialize_with = "or_error")]
    packet_length: Read<'a, i128>,
    #[serde(serialize_with = "or_error")]
    storage: Read<'a, String>,
    #[serde(serialize_with = "or_error")]
    data: Result<VirtAddr, &'a ValueError>,
}

/// `None` if the mbuf has no such thing.
type Read<'a, T> = Result<Option<T>, &'a ValueError>;

impl<'a> Line<'a> {
    fn of(expression: &'a str, mbuf: &'a Mbuf) -> Self {
        let header = mbuf.header.as_ref();
        fn of<'a, T>(
            header: Result<&'a Option<MbufHeader>, &'a ValueError>,
            part: impl FnOnce(&MbufHeader) -> Option<T>,
        ) -> Read<'a, T> {
            header.map(|header| header.as_ref().and_then(part))
        }
        Self {
            expression,
            packet: mbuf.packet,
            mbuf: mbuf.address,
            length: of(header, |header| Some(header.len)),
            kind: of(header, |header| Some(header.kind_name().into_owned())),
            flags: of(header, |header| Some(header.flag_names())),
            packet_length: of(header, |header| header.packet_len),
            storage: of(header, MbufHeader::storage_text),
            data: mbuf.data.as_ref().copied(),
        }
    }
}

fn columns(medium: Medium) -> Vec<Column> {
    let expression = (medium != Medium::People).then(|| Column::left("EXPRESSION"));
    let own = [
        Column::right("PACKET"),
        Column::left("MBUF"),
        Column::right("LENGTH"),
        Column::left("TYPE"),
        Column::left("FLAGS"),
        Column::right("PACKET LENGTH"),
        Column::left("STORAGE"),
        Column::left("DATA"),
    ];
    expression.into_iter().chain(own).collect()
}

impl Row for Line<'_> {
    fn rows(&self, medium: Medium) -> Vec<Vec<Cell<'_>>> {
        fn number<'a>(read: &Read<'a, i128>) -> Cell<'a> {
            read.map_or_else(Cell::Error, |read| read.map_or(Cell::Nothing, Cell::Number))
        }
        fn text<'a>(read: &'a Read<'_, String>) -> Cell<'a> {
            read.as_ref().map_or_else(|why| Cell::Error(why), |read| read.as_deref().into())
        }
        let expression = (medium != Medium::People).then(|| self.expression.into());
        let own = [
            self.packet.into(),
            self.mbuf.into(),
            number(&self.length),
            text(&self.kind),
            text(&self.flags),
            number(&self.packet_length),
            text(&self.storage),
            self.data.map_or_else(Cell::Error, Into::into),
        ];
        vec![expression.into_iter().chain(own).collect()]
    }
}
