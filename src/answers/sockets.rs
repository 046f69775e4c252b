//! `sockets`: the sockets and connections of the chosen vnets.

use std::io;
use std::sync::Arc;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::per_vnet::Summary;
use super::{Answer, Cell, Chosen, Column, Elements, Medium, Page, PerVnet, Row, call_outs};
use crate::error::Error;
use crate::session::Session;
use crate::views;
use crate::views::sockets::{Census, Count, Holder, Kind, ListenQueue, Socket};
use crate::vnet::Stack;
use crate::walk::Problems;

/// The sockets of one vnet, and how many the kernel has counted.
#[derive(Debug, Clone)]
pub struct Sockets {
    /// Those that were asked for.
    pub sockets: Arc<[Socket]>,
    /// All sockets of the vnet, whichever were asked for.
    pub count: Count,
    /// Whether all were asked for.
    complete: bool,
    /// What keeps others from being known.
    problems: Problems,
}

/// Selects sockets.
#[derive(Debug, Clone, Copy, Default)]
pub struct Question<'a> {
    /// Only those that wait for connections, or for packets from anyone.
    pub listening: bool,
    /// Only these kinds; empty means all.
    pub kinds: &'a [Kind],
}

/// The sockets of each of the chosen vnets.
///
/// # Errors
/// The kernel is not the dump's, or has no debug information.
pub fn sockets<'s>(
    session: &'s Session,
    chosen: Chosen<'s>,
    question: Question<'_>,
) -> Result<PerVnet<'s, Sockets>, Error> {
    session.matching_target()?.types()?;
    // Of all stacks: a socket of one vnet may be found through another.
    let census = Census::read(session.target(), &session.all_copies()?);
    let jails = session.jails().ok();
    let problems = census.problems.clone();
    let Question { listening, kinds } = question;
    let (kinds, copies) = (kinds.to_vec(), session.copier()?);
    let all = All { nothing: question.nothing(), empty: true };
    let ask = move |stack: Stack<'s>| {
        let copies = copies(stack);
        let mut problems = census.problems_of(stack.vnet().map(|vnet| vnet.address));
        let mut sockets = views::sockets::sockets(&census, copies, jails, &mut problems);
        let question = Question { listening, kinds: &kinds };
        sockets.retain(|socket| question.fits(socket));
        let (count, complete) = (census.count(&copies), kinds.is_empty() && !listening);
        Sockets { sockets: sockets.into(), count, complete, problems }
    };
    Ok(PerVnet { problems, ..PerVnet::at_once(session, chosen, ask, all)? })
}

/// The sockets of all chosen vnets.
struct All {
    /// What is said if there are none.
    nothing: String,
    empty: bool,
}

impl Summary<Sockets> for All {
    fn see(&mut self, sockets: &Sockets) {
        self.empty &= sockets.is_empty();
    }

    fn nothing(&self, _: &Problems) -> Option<String> {
        self.empty.then(|| self.nothing.clone())
    }
}

impl Sockets {
    /// Whether the vnet has none of those that were asked for.
    fn is_empty(&self) -> bool {
        let counted = self.complete && self.count.counted.is_some_and(|counted| counted > 0);
        self.sockets.is_empty() && self.count.whole && !counted
    }
}

impl Question<'_> {
    fn fits(&self, socket: &Socket) -> bool {
        let kind = self.kinds.is_empty() || self.kinds.contains(&socket.kind);
        kind && (!self.listening || socket.is_listening())
    }

    fn nothing(&self) -> String {
        let kinds: Vec<&str> = self.kinds.iter().map(|kind| kind.name()).collect();
        let listen = if self.listening { " that listens" } else { "" };
        match &*kinds {
            [] => format!("there is no socket{listen}"),
            kinds => format!("there is no socket of {}{listen}", kinds.join(" or ")),
        }
    }
}

impl Answer for Sockets {
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        let rows: Elements<'_, &Socket> = self.sockets.iter().collect::<Vec<_>>().into();
        page.table(&columns(page.medium()), &rows)?;
        let names: Vec<String> = self.sockets.iter().map(Socket::title).collect();
        let named = names.iter().map(|name| &**name);
        let found = self.sockets.iter().map(|socket| &*socket.problems);
        call_outs::lay_out(page, named.zip(found))?;
        call_outs::lay_out(page, [("sockets", &*self.count.problems)])?;
        // Of none of what was asked for, the count says nothing.
        let counts = self.complete && self.count.counted.is_some_and(|counted| counted > 0);
        if counts || !self.sockets.is_empty() {
            page.line(&in_words(&self.count, self.complete))?;
        }
        Ok(())
    }

    fn problems(&self) -> Problems {
        self.problems.clone()
    }

    fn unreadable(&self) -> usize {
        self.sockets.iter().map(Socket::unreadable).sum()
    }
}

impl Serialize for Sockets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        let known = self.count.whole || !self.sockets.is_empty();
        map.serialize_entry("sockets", &known.then_some(&*self.sockets))?;
        map.serialize_entry("count", &self.count)?;
        map.end()
    }
}

/// As netstat(1) has them; scripts get everything.
fn columns(medium: Medium) -> Vec<Column> {
    let ends = [Column::left("LOCAL"), Column::left("REMOTE"), Column::left("STATE")];
    let queues = [Column::left("PROTO"), Column::right("RECV-Q"), Column::right("SEND-Q")];
    let rest = match medium {
        Medium::People => vec![Column::left("PCB"), Column::left("HELD BY")],
        _ => vec![
            Column::left("LISTEN"),
            Column::left("PCB"),
            Column::left("SOCKET"),
            Column::left("HELD BY"),
            Column::left("JAIL"),
            Column::left("PROBLEMS"),
        ],
    };
    queues.into_iter().chain(ends).chain(rest).collect()
}

impl Row for Socket {
    fn rows(&self, medium: Medium) -> Vec<Vec<Cell<'_>>> {
        let people = medium == Medium::People;
        let queue = Cell::read(&self.listen_queue, |queue| queue.as_ref().map(lengths).into());
        let state = match (&self.state, &self.listen_queue) {
            (Ok(Some(state)), Ok(Some(queue))) if people => {
                format!("{state} {}", lengths(queue)).into()
            }
            (state, _) => Cell::read(state, |state| state.as_deref().into()),
        };
        let start = [
            (&*self.protocol).into(),
            Cell::read(&self.recv_queue, |bytes| (*bytes).into()),
            Cell::read(&self.send_queue, |bytes| (*bytes).into()),
            Cell::read(&self.local, |end| end.as_deref().into()),
            // A local socket without a name is known by its control block.
            Cell::read(&self.remote, |end| match end {
                Some(end) => (&**end).into(),
                None => self.peer.into(),
            }),
            state,
        ];
        let holders =
            self.holders.as_deref().map_or(Cell::text("?"), |holders| held(holders, people));
        let rest = match people {
            true => vec![self.pcb.into(), holders],
            false => vec![
                queue,
                self.pcb.into(),
                self.socket.into(),
                holders,
                self.jail.as_ref().map(|jail| jail.title()).into(),
                call_outs::cell(&self.problems),
            ],
        };
        vec![start.into_iter().chain(rest).collect()]
    }
}

/// As `netstat -L` writes them.
fn lengths(queue: &ListenQueue) -> String {
    format!("{}/{}/{}", queue.complete, queue.incomplete, queue.limit)
}

impl Holder {
    /// Command, process and descriptor: `sshd[812]:3`.
    #[must_use]
    pub fn title(&self) -> String {
        let pid = self.pid.map_or("?".to_owned(), |pid| pid.to_string());
        format!("{}[{pid}]:{}", self.command.as_deref().unwrap_or("?"), self.fd)
    }
}

/// Who holds it; for people the first few.
fn held(holders: &[Holder], people: bool) -> Cell<'static> {
    const FEW: usize = 3;
    let most = if people { FEW } else { usize::MAX };
    let mut named: Vec<String> = holders.iter().take(most).map(Holder::title).collect();
    if let Some(more) = holders.len().checked_sub(most).filter(|more| *more > 0) {
        named.push(format!("{more} more"));
    }
    if named.is_empty() { Cell::Nothing } else { Cell::text(named.join(", ")) }
}

/// `found 3 sockets (tcp 2, unix 1); vnet_sockcnt is 4`
/// `complete`: the table has all of them.
fn in_words(count: &Count, complete: bool) -> String {
    let kinds: Vec<String> = count.by_kind.iter().map(|(kind, n)| format!("{kind} {n}")).collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
    let found = match count.found {
        Some(1) => "found 1 socket".to_owned(),
        Some(found) => format!("found {found} sockets"),
        None => "no socket was found, but the lists could not be read".to_owned(),
    };
    let found = if complete { found } else { format!("in all, {found}") };
    match count.counted {
        Some(counted) => format!("{found}{kinds}; vnet_sockcnt is {counted}"),
        None => format!("{found}{kinds}"),
    }
}
