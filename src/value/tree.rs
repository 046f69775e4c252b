//! Walks of red-black trees (`sys/sys/tree.h`).
//!
//! Two shapes: links with `rbe_left` and `rbe_right` (up to 13), and links that
//! are an array, `rbe_link[3]`: the parent, whose low bits are tags, then left and
//! right (14 and later). Parents and colours are not looked at: a walk from the
//! root needs neither, and finds what the kernel itself would find.

use rustc_hash::FxHashSet;

use crate::addr::VirtAddr;
use crate::error::{ReadError, TypeError};
use crate::types::model::Type;
use crate::value::object::Object;
use crate::value::queue::{Broken, Walk};

/// Walks the tree at `head`, whose elements are linked by their member `link`,
/// in order, for no more than `limit` elements.
///
/// A subtree that cannot be read costs itself: what stands beside it is walked.
pub fn walk<'t>(head: Object<'t>, link: &str, limit: usize) -> Walk<'t> {
    let mut walk = Walk { elements: Vec::new(), broken: None };
    let mut seen = FxHashSet::default();
    // Elements whose left subtree is being walked: they come after it.
    let mut above: Vec<Object<'t>> = Vec::new();
    let mut next = match head.follow("rbh_root") {
        Ok(root) => root,
        Err(why) => {
            walk.broken = Some(Broken::Unreadable { at: head.address, why });
            return walk;
        }
    };
    loop {
        while let Some(element) = next.take() {
            if !seen.insert(element.address) {
                walk.broken.get_or_insert(Broken::Cycle { at: element.address });
                break;
            }
            if seen.len() > limit {
                walk.broken = Some(Broken::TooLong { limit });
                return walk;
            }
            match child(&element, link, Side::Left) {
                Ok(left) => next = left,
                Err(why) => {
                    let at = element.address;
                    walk.broken.get_or_insert(Broken::Unreadable { at, why });
                    if element.probe().is_err() {
                        break;
                    }
                }
            }
            above.push(element);
        }
        let Some(element) = above.pop() else { return walk };
        match child(&element, link, Side::Right) {
            Ok(right) => next = right,
            Err(why) => {
                let at = element.address;
                walk.broken.get_or_insert(Broken::Unreadable { at, why });
            }
        }
        walk.elements.push(element);
    }
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
    let named = match side {
        Side::Left => "rbe_left",
        Side::Right => "rbe_right",
    };
    if !links.has("rbe_link") {
        return links.follow(named);
    }
    let array = links.member("rbe_link")?;
    let target = element.target();
    let types = target.types()?;
    let (_, shape) = types.resolve(array.type_id)?;
    let Type::Array(shape) = &*shape else {
        let type_name = types.name(array.type_id);
        return Err(TypeError::WrongKind { type_name, wanted: "an array" }.into());
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
