//! Walks of red-black and splay trees (`sys/sys/tree.h`).
//!
//! Red-black trees have two shapes: links with `rbe_left` and `rbe_right` (up to 13), and links that
//! are an array, `rbe_link[3]`: the parent, whose low bits are tags, then left and
//! right (14 and later). Splay trees have `spe_left` and `spe_right`. Parents and colours are not looked at: a walk from the
//! root needs neither, and finds what the kernel itself would find.

use crate::addr::VirtAddr;
use crate::target::ReadError;
use crate::types::model::Type;
use crate::types::{TypeError, WantedKind};
use crate::value::object::Object;
use crate::value::queue::List;
use crate::walk::{Problem, Problems, Trail, Walk};

/// Heads' pointers to the root.
const ROOTS: [&str; 2] = ["rbh_root", "sph_root"];

/// Whether the object is the head of a tree.
pub fn is_head(object: &Object<'_>) -> bool {
    ROOTS.into_iter().any(|root| object.has(root))
}

/// Walks the tree at `head`, whose elements are linked by their member `link`, in order, and
/// are unknown to `trail`.
///
/// If a subtree cannot be read, only that subtree is lost.
pub fn walk<'t>(
    head: Object<'t>,
    link: &str,
    list: List<'_>,
    trail: &mut Trail<'_>,
) -> Walk<Object<'t>> {
    let (mut elements, mut problems) = (Vec::new(), Problems::default());
    // Elements whose left subtree is being walked: they come after it.
    let mut above: Vec<Object<'t>> = Vec::new();
    let root = ROOTS.into_iter().find(|root| head.has(root)).unwrap_or(ROOTS[0]);
    let mut next = match head.follow_anywhere(root) {
        Ok(root) => root,
        Err(why) => return Walk::failed(list.unreadable(head.address, why)),
    };
    loop {
        while let Some(element) = next.take() {
            if let Err(problem) = enter(&element, trail, list) {
                problems.add(problem);
                break;
            }
            next = step(&element, link, Side::Left, list, &mut problems);
            if next.is_none() && element.probe().is_err() {
                break;
            }
            above.push(element);
        }
        let Some(element) = above.pop() else { return Walk::new(elements, problems) };
        next = step(&element, link, Side::Right, list, &mut problems);
        elements.push(element);
    }
}

/// Whether it is an element that was not visited before.
fn enter(element: &Object<'_>, trail: &mut Trail<'_>, list: List<'_>) -> Result<(), Problem> {
    let at = element.address;
    trail.visit(at).map_err(|why| list.problem(at, why))?;
    list.check(element)
}

fn step<'t>(
    element: &Object<'t>,
    link: &str,
    side: Side,
    list: List<'_>,
    problems: &mut Problems,
) -> Option<Object<'t>> {
    child(element, link, side).unwrap_or_else(|why| {
        problems.add(list.unreadable(element.address, why));
        None
    })
}

#[derive(Debug, Clone, Copy)]
enum Side {
    Left,
    Right,
}

fn child<'t>(
    element: &Object<'t>,
    link: &str,
    side: Side,
) -> Result<Option<Object<'t>>, ReadError> {
    let links = element.member(link)?;
    if !links.has("rbe_link") {
        let splay = links.has("spe_left");
        return links.follow_anywhere(match (side, splay) {
            (Side::Left, false) => "rbe_left",
            (Side::Right, false) => "rbe_right",
            (Side::Left, true) => "spe_left",
            (Side::Right, true) => "spe_right",
        });
    }
    let array = links.member("rbe_link")?;
    let target = element.target();
    let types = target.types()?;
    let (_, shape) = types.resolve(array.type_id)?;
    let Type::Array(shape) = &*shape else {
        let type_name = types.name(array.type_id);
        return Err(TypeError::WrongKind { type_name, wanted: WantedKind::Array }.into());
    };
    let index = match side {
        Side::Left => 1,
        Side::Right => 2,
    };
    let place = array.address.wrapping_add(index * target.arch().pointer_size());
    let child: VirtAddr = target.memory().pointer(place)?;
    let pointee = types.pointee(shape.element)?;
    Ok((!child.is_null()).then(|| Object::new(target, pointee, child)))
}
