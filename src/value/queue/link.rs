//! Which member links the elements of a list, where nobody says it.
//!
//! A struct may be on several lists and carries a link for each. The right one is found by what
//! queue(3) keeps: the first element of a LIST or TAILQ points back at the head, the last one of
//! a STAILQ holds the place that the head's last pointer leads to, and the root of a tree has no
//! parent (`sys/sys/queue.h`, `sys/sys/tree.h`).

use crate::target::ReadError;
use crate::types::model::{Record, Type};
use crate::types::{TypeId, Types};
use crate::value::object::Object;
use crate::value::queue::List;
use crate::value::queue::kind::KINDS;
use crate::walk::{Problem, Problems, Trail, Walk};

/// The root of a red-black or splay tree, and a member that every link of such a tree has.
const TREES: [(&str, &str); 3] =
    [("rbh_root", "rbe_left"), ("rbh_root", "rbe_link"), ("sph_root", "spe_left")];

/// The deepest struct within an element that may hold its link.
const DEEPEST: usize = 3;

/// Why no link was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoLink {
    /// It is not the head of a list.
    NotAList,
    /// The elements have no member that could link them.
    None {
        /// Their type.
        element: TypeId,
    },
    /// Several members could, and the list does not show which does; their paths.
    Several(Vec<String>),
    /// The list cannot be read.
    Read(ReadError),
}

impl From<ReadError> for NoLink {
    fn from(why: ReadError) -> Self {
        Self::Read(why)
    }
}

/// Whether the object is the head of a list or tree.
#[must_use]
pub fn is_head(object: &Object<'_>) -> bool {
    first_of(object).is_some()
}

/// The path of the member that links the elements of the list at `head`; `None` if the list is
/// empty, so that none is needed.
///
/// # Errors
/// It is no list, or the link is not known.
pub fn link_of(head: &Object<'_>) -> Result<Option<String>, NoLink> {
    let first = first_of(head).ok_or(NoLink::NotAList)?;
    let Some(element) = head.follow_anywhere(first)? else { return Ok(None) };
    let mut found = links(head)?;
    if found.len() == 1 {
        return Ok(found.pop());
    }
    let mut unread = None;
    let mut right: Vec<&String> = Vec::new();
    for link in &found {
        match is_right(head, first, &element, link) {
            Ok(true) => right.push(link),
            Ok(false) => {}
            Err(why) => _ = unread.get_or_insert(why),
        }
    }
    match (&right[..], unread) {
        ([link], _) => Ok(Some((*link).clone())),
        (_, Some(why)) => Err(why.into()),
        _ => Err(NoLink::Several(found)),
    }
}

/// The paths of all members that could link the elements of the list at `head`.
///
/// # Errors
/// It is no list, or has no such member.
pub fn links(head: &Object<'_>) -> Result<Vec<String>, NoLink> {
    let first = first_of(head).ok_or(NoLink::NotAList)?;
    let types = head.target().types().map_err(ReadError::from)?;
    let element = element_of(types, head.type_id).ok_or(NoLink::NotAList)?;
    let lists = KINDS.iter().map(|kind| (kind.first, kind.next));
    let kinds = lists.chain(TREES).filter(|kind| kind.0 == first);
    let nexts: Vec<&str> = kinds.map(|kind| kind.1).collect();
    let mut found = Vec::new();
    candidates(types, element, &nexts, "", DEEPEST, &mut found)?;
    if found.is_empty() { Err(NoLink::None { element }) } else { Ok(found) }
}

/// Walks from `first` along the pointers that each element has in its member `next`.
pub fn chain<'t>(first: Object<'t>, next: &str, list: List<'_>) -> Walk<Object<'t>> {
    let mut trail = Trail::new(first.target().budget());
    let (mut elements, mut at) = (Vec::new(), Some(first));
    let mut step = |element: Object<'t>| -> Result<Option<Object<'t>>, Problem> {
        trail.visit(element.address).map_err(|why| list.problem(element.address, why))?;
        list.check(&element)?;
        let next = element.follow_anywhere(next);
        elements.push(element);
        next.map_err(|why| list.unreadable(element.address, why))
    };
    while let Some(element) = at {
        match step(element) {
            Ok(next) => at = next,
            Err(problem) => return Walk::new(elements, Problems::from(problem)),
        }
    }
    Walk::whole(elements)
}

/// The type of the elements of lists and trees whose heads have the type `head`; `None` if none
/// have.
#[must_use]
pub fn element_of(types: &Types, head: TypeId) -> Option<TypeId> {
    let first = firsts().find(|first| types.has_member(head, first))?;
    types.pointee(types.member(head, first).ok()?.type_id).ok()
}

/// The name of a head's pointer to the first element.
fn first_of(head: &Object<'_>) -> Option<&'static str> {
    firsts().find(|first| head.has(first))
}

fn firsts() -> impl Iterator<Item = &'static str> {
    let lists = KINDS.iter().map(|kind| kind.first);
    lists.chain(TREES.into_iter().map(|(first, _)| first))
}

/// The paths of members that are links of this kind.
fn candidates(
    types: &Types,
    id: TypeId,
    nexts: &[&str],
    before: &str,
    deepest: usize,
    found: &mut Vec<String>,
) -> Result<(), ReadError> {
    let Type::Record(Record { members, .. }) = &*types.resolve(id)?.1 else { return Ok(()) };
    types.budget().work(members.len() as u64).map_err(crate::types::TypeError::from)?;
    for member in members.iter().filter(|member| member.bits.is_none()) {
        let Ok((inner, kind)) = types.resolve(member.type_id) else { continue };
        if !matches!(*kind, Type::Record(_)) {
            continue;
        }
        let path = match &member.name {
            Some(name) if before.is_empty() => name.to_string(),
            Some(name) => format!("{before}.{name}"),
            None => before.to_owned(),
        };
        // An anonymous member has the names of its own members.
        if member.name.is_some() && nexts.iter().any(|next| types.has_member(inner, next)) {
            found.push(path);
        } else if deepest > 0 {
            candidates(types, inner, nexts, &path, deepest - 1, found)?;
        }
    }
    Ok(())
}

/// Does the first or last element show that the list goes along `link`?
fn is_right(
    head: &Object<'_>,
    first: &str,
    element: &Object<'_>,
    link: &str,
) -> Result<bool, ReadError> {
    let kind = first.trim_end_matches("_first");
    Ok(match kind {
        "lh" | "clh" | "tqh" => {
            let back = format!("{link}.{}e_prev", kind.trim_end_matches('h'));
            element.pointer(&back)? == head.member(first)?.address
        }
        "stqh" | "cstqh" => is_last(head, element, link, kind.trim_end_matches('h')),
        "rbh_root" if element.has(&format!("{link}.rbe_parent")) => {
            element.pointer(&format!("{link}.rbe_parent"))?.is_null()
        }
        // The first of three pointers is the parent's; its lowest bits are the colours.
        "rbh_root" => {
            let links = element.member(&format!("{link}.rbe_link"))?;
            links.target().memory().pointer(links.address)?.get() & !3 == 0
        }
        _ => false,
    })
}

/// Does the chain along `link` end where the head's last pointer leads to?
fn is_last(head: &Object<'_>, element: &Object<'_>, link: &str, kind: &str) -> bool {
    let next = format!("{link}.{kind}e_next");
    let walk = chain(*element, &next, List { name: &"", element: "" });
    let mut problems = Problems::default();
    let elements = walk.take(&mut problems);
    let end = elements.last().and_then(|last| last.member(&next).ok());
    let last = head.pointer(&format!("{kind}h_last"));
    problems.is_empty() && end.is_some_and(|end| last == Ok(end.address))
}
