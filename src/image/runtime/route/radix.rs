//! The radix tree (`sys/net/radix.c`): nodes, insertion, and the tree of masks.
//!
//! Keys are strings of bytes whose first is their length. An inner node tests one bit of a key,
//! and its children are the keys without and with it. Leaves of one key with different masks hang
//! behind each other, the most specific first. The lists of masks that the kernel's searches
//! climb along (rn_mklist) are left empty: nothing here searches, and no reader needs them.

use std::cmp::Ordering;

use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::kernel::LoadedKernel;
use crate::image::object::Object;

pub const KEY: &str = "rn_u.rn_leaf.rn_Key";
pub const DUPED: &str = "rn_u.rn_leaf.rn_Dupedkey";
pub const LEFT: &str = "rn_u.rn_node.rn_L";
pub const RIGHT: &str = "rn_u.rn_node.rn_R";
const MASK: &str = "rn_u.rn_leaf.rn_Mask";
const OFFSET: &str = "rn_u.rn_node.rn_Off";

/// RNF_NORMAL: the bits of its mask are contiguous.
const NORMAL: u64 = 1;
/// RNF_ROOT: a node of the empty tree.
const ROOT: u64 = 2;
/// RNF_ACTIVE
const ACTIVE: u64 = 4;

/// RADIX_MAX_KEY_LEN
const LONGEST_KEY: usize = 32;

/// A tree, by its top.
#[derive(Debug, Clone, Copy)]
pub struct Tree {
    pub top: Object,
}

/// A mask in the tree of masks; `None` in a leaf is a host.
#[derive(Debug, Clone)]
pub struct Mask {
    /// Where its bytes are, the length first.
    key: VirtAddr,
    bytes: Vec<u8>,
    /// rn_bit of its leaf: -1 and the number of its first zero bit, negative.
    bit: i64,
    normal: bool,
}

/// rn_inithead: the three nodes of an empty tree, which are an array. `offset` is the number of
/// the first bit of keys that counts.
///
/// # Errors
/// The kernel lacks rn_zeros or rn_ones.
pub fn init_head(
    kernel: &mut LoadedKernel,
    nodes: Object,
    offset: u64,
) -> Result<Tree, ImageError> {
    let (zeros, ones) = (kernel.variable("rn_zeros")?, kernel.variable("rn_ones")?);
    let [left, top, right] = [0, 1, 2].map(|number| element(kernel, nodes, number));
    let (left, top, right) = (left?, top?, right?);
    new_pair(kernel, zeros.address, offset, left, top)?;
    kernel.set_pointer(top, RIGHT, right.address)?;
    kernel.set_pointer(top, "rn_parent", top.address)?;
    kernel.set(top, "rn_flags", ROOT | ACTIVE)?;
    for (end, key) in [(left, zeros), (right, ones)] {
        kernel.set(end, "rn_bit", (-1 - offset as i64).cast_unsigned())?;
        kernel.set(end, "rn_flags", ROOT | ACTIVE)?;
        kernel.set_pointer(end, "rn_parent", top.address)?;
        kernel.set_pointer(end, KEY, key.address)?;
    }
    Ok(Tree { top })
}

fn element(kernel: &LoadedKernel, array: Object, index: u64) -> Result<Object, ImageError> {
    kernel.step(array, &crate::expr::Step::Index(index))
}

/// rn_newpair: a leaf with this key below an inner node that tests `bit`.
fn new_pair(
    kernel: &mut LoadedKernel,
    key: VirtAddr,
    bit: u64,
    leaf: Object,
    node: Object,
) -> Result<(), ImageError> {
    kernel.set(node, "rn_bit", bit)?;
    kernel.set(node, "rn_bmask", 0x80 >> (bit & 7))?;
    kernel.set_pointer(node, LEFT, leaf.address)?;
    kernel.set(node, OFFSET, bit >> 3)?;
    kernel.set(node, "rn_flags", ACTIVE)?;
    kernel.set(leaf, "rn_bit", (-1_i64).cast_unsigned())?;
    kernel.set_pointer(leaf, KEY, key)?;
    kernel.set_pointer(leaf, "rn_parent", node.address)?;
    kernel.set(leaf, "rn_flags", ACTIVE)
}

/// rn_addroute: a route's leaf and inner node, which are an array of two, enter the tree.
///
/// # Errors
/// The tree has the key with that mask.
pub fn add_route(
    kernel: &mut LoadedKernel,
    tree: Tree,
    key: VirtAddr,
    mask: Option<&Mask>,
    nodes: Object,
) -> Result<(), ImageError> {
    let (leaf, node) = (element(kernel, nodes, 0)?, element(kernel, nodes, 1)?);
    if let Some(first) = insert(kernel, tree, key, leaf, node)? {
        add_behind(kernel, first, key, mask, leaf)?;
    }
    if let Some(mask) = mask {
        kernel.set_pointer(leaf, MASK, mask.key)?;
        kernel.set(leaf, "rn_bit", mask.bit.cast_unsigned())?;
        let flags = kernel.get(leaf, "rn_flags")?;
        let normal = if mask.normal { NORMAL } else { 0 };
        kernel.set(leaf, "rn_flags", flags | normal)?;
    }
    Ok(())
}

/// The leaf becomes one of those with its key: before all with less specific masks.
fn add_behind(
    kernel: &mut LoadedKernel,
    first: Object,
    key: VirtAddr,
    mask: Option<&Mask>,
    leaf: Object,
) -> Result<(), ImageError> {
    let (mut before, mut at) = (None, Some(first));
    while let Some(known) = at {
        let other = VirtAddr::new(kernel.get(known, MASK)?);
        let is_root = kernel.get(known, "rn_flags")? & ROOT != 0;
        if !is_root && other == mask.map_or(VirtAddr::new(0), |mask| mask.key) {
            return Err(ImageError::Refused("there is such a route".into()));
        }
        let other = (!other.is_null()).then(|| bytes_at(kernel, other)).transpose()?;
        let is_more = match (mask, other) {
            (None, _) => !is_root,
            (Some(_), None) => false,
            (Some(mask), Some(other)) => {
                mask.bit < signed_bit(kernel, known)?
                    || refines(&mask.bytes, &other)
                    || is_lexically_better(&mask.bytes, &other)
            }
        };
        if is_more {
            break;
        }
        before = Some(known);
        at = next(kernel, known, DUPED)?;
    }
    kernel.set_pointer(leaf, KEY, key)?;
    kernel.set(leaf, "rn_bit", (-1_i64).cast_unsigned())?;
    kernel.set(leaf, "rn_flags", ACTIVE)?;
    kernel.set_pointer(leaf, DUPED, at.map_or(VirtAddr::new(0), |at| at.address))?;
    if let Some(at) = at {
        if before.is_none() {
            let parent = VirtAddr::new(kernel.get(at, "rn_parent")?);
            let parent = Object::new(parent, leaf.type_id);
            let is_left = kernel.get(parent, LEFT)? == at.address.get();
            kernel.set_pointer(parent, if is_left { LEFT } else { RIGHT }, leaf.address)?;
            kernel.set_pointer(leaf, "rn_parent", parent.address)?;
        }
        kernel.set_pointer(at, "rn_parent", leaf.address)?;
    }
    if let Some(before) = before {
        kernel.set_pointer(before, DUPED, leaf.address)?;
        kernel.set_pointer(leaf, "rn_parent", before.address)?;
    }
    Ok(())
}

/// rn_insert: returns the first leaf with this key if there is one, and changes nothing then.
fn insert(
    kernel: &mut LoadedKernel,
    tree: Tree,
    key: VirtAddr,
    leaf: Object,
    node: Object,
) -> Result<Option<Object>, ImageError> {
    let wanted = bytes_at(kernel, key)?;
    let found = search(kernel, tree, &wanted)?;
    let found_key = VirtAddr::new(kernel.get(found, KEY)?);
    let mut other = vec![0; wanted.len()];
    kernel.machine().read(found_key, &mut other)?;
    let from = kernel.get(tree.top, OFFSET)? as usize;
    let differs = |place: &usize| wanted.get(*place) != other.get(*place);
    let Some(place) = (from..wanted.len()).find(differs) else { return Ok(Some(found)) };
    let changed = byte(&wanted, place) ^ byte(&other, place);
    let bit = place as u64 * 8 + u64::from(changed.leading_zeros());
    let mut below = tree.top;
    let parent = loop {
        let side = side(kernel, below, &wanted)?;
        let parent = below;
        below = next(kernel, below, side)?.unwrap_or(below);
        let tested = signed_bit(kernel, below)?;
        if tested < 0 || tested as u64 >= bit {
            break parent;
        }
    };
    new_pair(kernel, key, bit, leaf, node)?;
    let from_parent = side(kernel, parent, &wanted)?;
    kernel.set_pointer(parent, from_parent, node.address)?;
    kernel.set_pointer(below, "rn_parent", node.address)?;
    kernel.set_pointer(node, "rn_parent", parent.address)?;
    let (left, right) = match side(kernel, node, &wanted)? {
        LEFT => (leaf, below),
        _ => (below, leaf),
    };
    kernel.set_pointer(node, LEFT, left.address)?;
    kernel.set_pointer(node, RIGHT, right.address)?;
    Ok(None)
}

/// rn_search: the only leaf that may have this key.
fn search(kernel: &LoadedKernel, tree: Tree, key: &[u8]) -> Result<Object, ImageError> {
    let mut node = tree.top;
    while signed_bit(kernel, node)? >= 0 {
        let side = side(kernel, node, key)?;
        node = next(kernel, node, side)?.ok_or(ImageError::NotMapped(node.address))?;
    }
    Ok(node)
}

/// The child of an inner node that a key belongs to.
fn side(kernel: &LoadedKernel, node: Object, key: &[u8]) -> Result<&'static str, ImageError> {
    let tested = byte(key, kernel.get(node, OFFSET)? as usize);
    let mask = kernel.get(node, "rn_bmask")? as u8;
    Ok(if tested & mask == 0 { LEFT } else { RIGHT })
}

fn signed_bit(kernel: &LoadedKernel, node: Object) -> Result<i64, ImageError> {
    Ok(i64::from(kernel.get(node, "rn_bit")? as u16 as i16))
}

pub fn next(
    kernel: &LoadedKernel,
    node: Object,
    pointer: &str,
) -> Result<Option<Object>, ImageError> {
    let to = VirtAddr::new(kernel.get(node, pointer)?);
    Ok((!to.is_null()).then(|| Object::new(to, node.type_id)))
}

fn byte(bytes: &[u8], place: usize) -> u8 {
    bytes.get(place).copied().unwrap_or(0)
}

/// A key or mask: as many bytes as its first one says.
fn bytes_at(kernel: &LoadedKernel, at: VirtAddr) -> Result<Vec<u8>, ImageError> {
    let mut bytes = vec![0; kernel.machine().uint(at, 1)? as usize];
    kernel.machine().read(at, &mut bytes)?;
    Ok(bytes)
}

/// rn_addmask: the mask of these bytes, which begin with a length and have `skip` bytes before
/// those that count. Every tree has a mask once.
///
/// # Errors
/// The machine has no memory left.
pub fn add_mask(
    kernel: &mut LoadedKernel,
    masks: Tree,
    given: &[u8],
    skip: usize,
) -> Result<Mask, ImageError> {
    let skip = skip.max(1);
    let mut bytes = vec![0; LONGEST_KEY];
    for (place, own) in bytes.iter_mut().enumerate() {
        *own = if place < skip { 0xff } else { byte(given, place) };
    }
    let len = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes.truncate(len);
    if len <= skip {
        let key = kernel.variable("rn_zeros")?.address;
        return Ok(Mask { key, bytes: vec![0], bit: -1, normal: false });
    }
    if let Some(first) = bytes.first_mut() {
        *first = len as u8;
    }
    let zero = bytes.iter().skip(skip).position(|byte| *byte != 0xff).map(|place| place + skip);
    let last = zero.map_or(0xff, |place| byte(&bytes, place));
    let normal = zero
        .is_none_or(|place| place + 1 == len && last.leading_ones() + last.trailing_zeros() == 8);
    let zero_bit = zero.map_or(len * 8, |place| place * 8 + last.leading_ones() as usize);
    let bit = -1 - zero_bit as i64;
    let known = search(kernel, masks, &bytes)?;
    let known_key = VirtAddr::new(kernel.get(known, KEY)?);
    if bytes_at(kernel, known_key).is_ok_and(|known| known == bytes) {
        return Ok(Mask { key: known_key, bytes, bit, normal });
    }
    let node = kernel.types().size_of(known.type_id)?;
    let start = kernel.machine_mut().malloc("routetbl", LONGEST_KEY as u64 + 2 * node)?;
    let key = start.wrapping_add(2 * node);
    kernel.machine_mut().write(key, &bytes)?;
    let (leaf, inner) =
        (Object::new(start, known.type_id), Object::new(start.wrapping_add(node), known.type_id));
    insert(kernel, masks, key, leaf, inner)?;
    kernel.set(leaf, "rn_bit", bit.cast_unsigned())?;
    let flags = ACTIVE | if normal { NORMAL } else { 0 };
    kernel.set(leaf, "rn_flags", flags)?;
    Ok(Mask { key, bytes, bit, normal })
}

/// The first mask is a refinement of the second and not the same.
fn refines(mask: &[u8], other: &[u8]) -> bool {
    let len = mask.len().max(other.len());
    let pairs = || (1..len).map(|place| (byte(mask, place), byte(other, place)));
    pairs().all(|(own, other)| other & !own == 0) && pairs().any(|(own, other)| own != other)
}

/// The order of masks of which none refines the other: the longer first, then by their bytes.
fn is_lexically_better(mask: &[u8], other: &[u8]) -> bool {
    match mask.len().cmp(&other.len()) {
        Ordering::Greater => true,
        Ordering::Less => false,
        Ordering::Equal => mask.iter().zip(other).any(|(own, other)| own > other),
    }
}
