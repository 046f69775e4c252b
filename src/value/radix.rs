//! The leaves of a radix tree (`sys/net/radix.c`, 10 to main).
//!
//! A node with a negative rn_bit is a leaf, any other has two children. A leaf may be followed by
//! others of the same key with shorter masks (rn_Dupedkey). Two leaves are the tree's ends and no
//! entries, but entries may follow them: the default route always follows the left one.

use crate::target::ReadError;
use crate::value::object::Object;
use crate::value::queue::List;
use crate::walk::{Problem, Problems, Trail, Walk, Why, settle};

/// The pointer to the top: of a struct rib_head, of a newer and of an older radix_node_head.
const TOPS: [&str; 3] = ["head.rnh_treetop", "rh.rnh_treetop", "rnh_treetop"];

/// RNF_ROOT, in rn_flags: a node of the empty tree.
const ROOT: u64 = 2;

const DUPED: &str = "rn_u.rn_leaf.rn_Dupedkey";

/// Whether the object is the head of such a tree.
#[must_use]
pub fn is_head(object: &Object<'_>) -> bool {
    TOPS.into_iter().any(|top| object.has(top))
}

/// The leaves below `head` in the kernel's own order, without the tree's ends.
pub fn leaves<'t>(head: Object<'t>, list: List<'_>) -> Walk<Object<'t>> {
    let target = head.target();
    let same = |one: &Object<'_>, other: &Object<'_>| one.address == other.address;
    let mut trail = Trail::new(target.budget());
    settle(target.memory().is_live(), &mut trail, same, |trail| leaves_once(head, list, trail))
}

fn leaves_once<'t>(head: Object<'t>, list: List<'_>, trail: &mut Trail<'_>) -> Walk<Object<'t>> {
    let top = TOPS.into_iter().find(|top| head.has(top)).unwrap_or(TOPS[0]);
    let mut found = Leaves { list, trail, leaves: Vec::new(), problems: Problems::default() };
    match head.follow_anywhere(top) {
        Ok(Some(top)) => found.walk(top),
        Ok(None) => {
            found.problems.add(Problem::contradiction(
                list.what(),
                head.address,
                "the tree has no top",
            ));
        }
        Err(why) => found.problems.add(list.unreadable(head.address, why)),
    }
    Walk::new(found.leaves, found.problems)
}

struct Leaves<'t, 'l, 'r, 'b> {
    list: List<'l>,
    trail: &'r mut Trail<'b>,
    leaves: Vec<Object<'t>>,
    problems: Problems,
}

/// The walk cannot go on anywhere.
struct Over;

impl<'t> Leaves<'t, '_, '_, '_> {
    fn walk(&mut self, top: Object<'t>) {
        let mut nodes = vec![top];
        while let Some(node) = nodes.pop() {
            let Ok(reached) = self.reach(node) else { return };
            let Some(bit) = reached else { continue };
            if bit < 0 {
                if self.chain(node).is_err() {
                    return;
                }
                continue;
            }
            for side in ["rn_u.rn_node.rn_R", "rn_u.rn_node.rn_L"] {
                match node.follow_anywhere(side) {
                    Ok(Some(child)) => nodes.push(child),
                    Ok(None) => self.odd(node, "an inner node has no child on one side"),
                    Err(why) => self.unreadable(node, why),
                }
            }
        }
    }

    /// A leaf, and those of the same key behind it.
    fn chain(&mut self, first: Object<'t>) -> Result<(), Over> {
        let mut leaf = first;
        loop {
            match leaf.uint("rn_flags") {
                Ok(flags) if flags & ROOT != 0 => {}
                Ok(_) => self.leaves.push(leaf),
                Err(why) => self.unreadable(leaf, why),
            }
            let next = match leaf.follow_anywhere(DUPED) {
                Ok(Some(next)) => next,
                Ok(None) => return Ok(()),
                Err(why) => {
                    self.unreadable(leaf, why);
                    return Ok(());
                }
            };
            match self.reach(next)? {
                Some(bit) if bit < 0 => leaf = next,
                Some(_) => {
                    self.odd(next, "a leaf is followed by a node that is none");
                    return Ok(());
                }
                None => return Ok(()),
            }
        }
    }

    /// Its rn_bit; `None` if the node cannot be read, or was reached before.
    fn reach(&mut self, node: Object<'t>) -> Result<Option<i64>, Over> {
        if let Err(why) = self.trail.visit(node.address) {
            let over = matches!(why, Why::Limit(_));
            match why {
                Why::Cycle => {
                    let why =
                        format!("two pointers of the tree lead to the node at {}", node.address);
                    self.odd(node, why);
                }
                why => self.problems.add(self.list.problem(node.address, why)),
            }
            return if over { Err(Over) } else { Ok(None) };
        }
        let bit = node.check_freed().map_err(ReadError::from).and_then(|()| node.int("rn_bit"));
        Ok(match bit {
            Ok(bit) => Some(bit),
            Err(why) => {
                self.unreadable(node, why);
                None
            }
        })
    }

    fn odd(&mut self, node: Object<'_>, why: impl Into<Box<str>>) {
        self.problems.add(Problem::contradiction(self.list.what(), node.address, why));
    }

    fn unreadable(&mut self, node: Object<'_>, why: ReadError) {
        let node_list = List { element: "node", ..self.list };
        self.problems.add(node_list.element(node.address, why));
    }
}
