//! How many bytes a section, and each of its parts, may take.

/// A part of a section gets at least this many bytes while there are any.
const LEAST_PART: u64 = 2 << 10;

/// A part leaves so much to each of those behind it.
const LEFT_TO_OTHERS: u64 = 1 << 10;

/// Less is not worth beginning a part for.
const LEAST: u64 = 512;

/// The room that is left, by the number of bytes written so far.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// Where the section's room ends.
    section: u64,
    /// Where the room of the part ends, if there is one.
    part: Option<u64>,
    /// The number of parts that are still to come.
    parts: u64,
}

impl Room {
    /// A section begins at `at`.
    pub fn begin(&mut self, at: u64, room: u64) {
        *self = Self { section: at.saturating_add(room), part: None, parts: 0 };
    }

    /// So many parts will share what is left.
    pub fn share(&mut self, parts: u64) {
        self.parts = parts;
    }

    /// A part begins at `at`; false if there is no room for it.
    pub fn begin_part(&mut self, at: u64) -> bool {
        let left = self.section.saturating_sub(at);
        // A machine often has one large stack, the host's, and many small ones.
        let others = self.parts.saturating_sub(1).saturating_mul(LEFT_TO_OTHERS);
        let share = (left / self.parts.max(1)).max(left.saturating_sub(others));
        let share = share.max(LEAST_PART).min(left);
        self.parts = self.parts.saturating_sub(1);
        self.part = Some(at.saturating_add(share));
        share >= LEAST
    }

    /// The part has ended.
    pub fn end_part(&mut self) {
        self.part = None;
    }

    /// How many bytes are left at `at`.
    pub fn left(&self, at: u64) -> u64 {
        self.part.unwrap_or(self.section).saturating_sub(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_share_what_is_left_and_the_last_may_have_none() {
        let mut room = Room::default();
        room.begin(1000, 10_000);
        assert_eq!(room.left(1500), 9_500);
        room.share(2);
        assert!(room.begin_part(1000));
        assert_eq!(room.left(1000), 10_000 - LEFT_TO_OTHERS);
        room.end_part();
        // What the first did not need is the second's.
        assert!(room.begin_part(1100));
        assert_eq!(room.left(1100), 9_900);
        room.share(9);
        assert!(room.begin_part(1000));
        assert_eq!(room.left(1000), LEAST_PART);
        room.share(100);
        assert!(room.begin_part(1000));
        assert_eq!(room.left(1000), LEAST_PART);
        assert!(!room.begin_part(10_900));
    }
}
