//! queue(3) in simulated kernel memory: LIST, SLIST, STAILQ, TAILQ and their CK_ variants.
//!
//! The four kinds differ only in whether an element points back (to the
//! pointer that points to it) and whether the head stores its last pointer.
//! So one [`Queue`] with two optional offsets implements all of the macros.

use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::kernel::LoadedKernel;
use crate::image::machine::Machine;
use crate::types::{TypeError, TypeId, WantedKind};

/// The pointers of a queue, as offsets in bytes from the start of its head and its elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// In the head: the first element.
    pub first: u64,
    /// In the head: the address of the last element's `next` (tail queues only).
    pub last: Option<u64>,
    /// In an element: the next element.
    pub next: u64,
    /// In an element: the address of the pointer that points to it.
    pub prev: Option<u64>,
}

/// What the macros of sys/queue.h call the members of each kind.
struct Names {
    first: &'static str,
    last: Option<&'static str>,
    next: &'static str,
    prev: Option<&'static str>,
}

const KINDS: [Names; 7] = [
    Names { first: "lh_first", last: None, next: "le_next", prev: Some("le_prev") },
    Names { first: "clh_first", last: None, next: "cle_next", prev: Some("cle_prev") },
    Names { first: "slh_first", last: None, next: "sle_next", prev: None },
    Names { first: "cslh_first", last: None, next: "csle_next", prev: None },
    Names { first: "stqh_first", last: Some("stqh_last"), next: "stqe_next", prev: None },
    Names { first: "cstqh_first", last: Some("cstqh_last"), next: "cstqe_next", prev: None },
    Names { first: "tqh_first", last: Some("tqh_last"), next: "tqe_next", prev: Some("tqe_prev") },
];

/// The longest list. A longer one has a cycle, because of wrong types.
const MOST_ELEMENTS: usize = 1 << 20;

impl Queue {
    /// The queue whose head has type `head` and whose elements have type `element` and are linked
    /// by their member `link`. The kernel's own types show which kind it is.
    ///
    /// # Errors
    /// The head is none of the kinds, or the element has no such link.
    pub fn of(
        kernel: &LoadedKernel,
        head: TypeId,
        element: TypeId,
        link: &str,
    ) -> Result<Self, ImageError> {
        let types = kernel.types();
        let kind = KINDS.iter().find(|kind| types.has_member(head, kind.first));
        let kind = kind.ok_or_else(|| TypeError::WrongKind {
            type_name: types.name(head),
            wanted: WantedKind::QueueHead,
        })?;
        let link = types.path(element, link)?;
        let in_link = |name| types.member(link.type_id, name).map(|f| link.offset + f.offset);
        Ok(Self {
            first: types.member(head, kind.first)?.offset,
            last: kind.last.map(|name| types.member(head, name)).transpose()?.map(|f| f.offset),
            next: in_link(kind.next)?,
            prev: kind.prev.map(in_link).transpose()?,
        })
    }

    /// `TAILQ_INIT` and so on.
    pub fn init(&self, m: &mut Machine, head: VirtAddr) -> Result<(), ImageError> {
        let first = head.wrapping_add(self.first);
        m.set_pointer(first, VirtAddr::new(0))?;
        self.set_last(m, head, first)
    }

    /// `LIST_INSERT_HEAD` and so on.
    pub fn insert_head(
        &self,
        m: &mut Machine,
        head: VirtAddr,
        element: VirtAddr,
    ) -> Result<(), ImageError> {
        self.insert_at(m, head, head.wrapping_add(self.first), element)
    }

    /// `TAILQ_INSERT_TAIL` and so on. A list without a last pointer is walked.
    pub fn insert_tail(
        &self,
        m: &mut Machine,
        head: VirtAddr,
        element: VirtAddr,
    ) -> Result<(), ImageError> {
        let slot = match self.last {
            Some(last) => m.pointer(head.wrapping_add(last))?,
            None => match self.elements(m, head)?.last() {
                Some(last) => last.wrapping_add(self.next),
                None => head.wrapping_add(self.first),
            },
        };
        self.insert_at(m, head, slot, element)
    }

    /// `TAILQ_INSERT_BEFORE` and so on.
    pub fn insert_before(
        &self,
        m: &mut Machine,
        head: VirtAddr,
        before: VirtAddr,
        element: VirtAddr,
    ) -> Result<(), ImageError> {
        let slot = self.slot_of(m, head, before)?;
        self.insert_at(m, head, slot, element)
    }

    /// `TAILQ_REMOVE` and so on. The element's own pointers stay as they were.
    pub fn remove(
        &self,
        m: &mut Machine,
        head: VirtAddr,
        element: VirtAddr,
    ) -> Result<(), ImageError> {
        let slot = self.slot_of(m, head, element)?;
        let next = m.pointer(element.wrapping_add(self.next))?;
        m.set_pointer(slot, next)?;
        match (next.is_null(), self.prev) {
            (true, _) => self.set_last(m, head, slot),
            (false, Some(prev)) => m.set_pointer(next.wrapping_add(prev), slot),
            (false, None) => Ok(()),
        }
    }

    /// The addresses of the elements, first to last.
    pub fn elements(&self, m: &Machine, head: VirtAddr) -> Result<Vec<VirtAddr>, ImageError> {
        let mut elements = Vec::new();
        let mut element = m.pointer(head.wrapping_add(self.first))?;
        while !element.is_null() {
            if elements.len() == MOST_ELEMENTS {
                return Err(ImageError::Refused(format!("the list at {head} never ends")));
            }
            elements.push(element);
            element = m.pointer(element.wrapping_add(self.next))?;
        }
        Ok(elements)
    }

    /// Makes the pointer at `slot` point to `element`, and `element` to what it pointed to.
    fn insert_at(
        &self,
        m: &mut Machine,
        head: VirtAddr,
        slot: VirtAddr,
        element: VirtAddr,
    ) -> Result<(), ImageError> {
        let next = m.pointer(slot)?;
        let link = element.wrapping_add(self.next);
        m.set_pointer(link, next)?;
        m.set_pointer(slot, element)?;
        if let Some(prev) = self.prev {
            m.set_pointer(element.wrapping_add(prev), slot)?;
            if !next.is_null() {
                m.set_pointer(next.wrapping_add(prev), link)?;
            }
        }
        if next.is_null() { self.set_last(m, head, link) } else { Ok(()) }
    }

    /// The address of the pointer that points to `element`.
    fn slot_of(
        &self,
        m: &Machine,
        head: VirtAddr,
        element: VirtAddr,
    ) -> Result<VirtAddr, ImageError> {
        if let Some(prev) = self.prev {
            return m.pointer(element.wrapping_add(prev));
        }
        let elements = self.elements(m, head)?;
        match elements.iter().position(|other| *other == element) {
            Some(0) => Ok(head.wrapping_add(self.first)),
            Some(number) => Ok(elements[number - 1].wrapping_add(self.next)),
            None => Err(ImageError::NotOnList(element)),
        }
    }

    fn set_last(&self, m: &mut Machine, head: VirtAddr, slot: VirtAddr) -> Result<(), ImageError> {
        match self.last {
            Some(last) => m.set_pointer(head.wrapping_add(last), slot),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::Arch;
    use crate::image::machine::MachineOptions;

    const LIST: Queue = Queue { first: 0, last: None, next: 8, prev: Some(16) };
    const SLIST: Queue = Queue { first: 0, last: None, next: 8, prev: None };
    const STAILQ: Queue = Queue { first: 0, last: Some(8), next: 8, prev: None };
    const TAILQ: Queue = Queue { first: 0, last: Some(8), next: 8, prev: Some(16) };

    fn machine() -> (Machine, VirtAddr, [VirtAddr; 4]) {
        let mut m = Machine::new(Arch::Amd64, MachineOptions::default(), &[], None).unwrap();
        let head = m.malloc("head", 16).unwrap();
        let elements = std::array::from_fn(|_| m.malloc("element", 32).unwrap());
        (m, head, elements)
    }

    /// What the macros of sys/queue.h assert with QUEUE_MACRO_DEBUG.
    fn check(queue: Queue, m: &Machine, head: VirtAddr, expected: &[VirtAddr]) {
        assert_eq!(queue.elements(m, head).unwrap(), expected, "{queue:?}");
        let mut slot = head.wrapping_add(queue.first);
        for element in expected {
            if let Some(prev) = queue.prev {
                assert_eq!(m.pointer(element.wrapping_add(prev)).unwrap(), slot);
            }
            slot = element.wrapping_add(queue.next);
        }
        if let Some(last) = queue.last {
            assert_eq!(m.pointer(head.wrapping_add(last)).unwrap(), slot);
        }
    }

    #[test]
    fn every_kind_keeps_its_order() {
        for queue in [LIST, SLIST, STAILQ, TAILQ] {
            let (mut m, head, [a, b, c, d]) = machine();
            queue.init(&mut m, head).unwrap();
            check(queue, &m, head, &[]);
            queue.insert_head(&mut m, head, b).unwrap();
            queue.insert_head(&mut m, head, a).unwrap();
            queue.insert_tail(&mut m, head, d).unwrap();
            queue.insert_before(&mut m, head, d, c).unwrap();
            check(queue, &m, head, &[a, b, c, d]);
            queue.remove(&mut m, head, d).unwrap();
            queue.remove(&mut m, head, b).unwrap();
            check(queue, &m, head, &[a, c]);
            queue.remove(&mut m, head, a).unwrap();
            queue.remove(&mut m, head, c).unwrap();
            check(queue, &m, head, &[]);
            queue.insert_tail(&mut m, head, a).unwrap();
            check(queue, &m, head, &[a]);
        }
    }

    #[test]
    fn a_stranger_cannot_be_removed() {
        let (mut m, head, [a, b, ..]) = machine();
        SLIST.init(&mut m, head).unwrap();
        SLIST.insert_head(&mut m, head, a).unwrap();
        assert!(matches!(SLIST.remove(&mut m, head, b), Err(ImageError::NotOnList(at)) if at == b));
    }
}
