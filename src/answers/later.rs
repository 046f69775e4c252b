//! What is known of something only when all its parts have been made.

use crate::walk::Problems;

/// The problems of parts that are made one after the other, perhaps more than once.
#[derive(Debug, Clone, Default)]
pub(super) struct Later {
    /// How many parts were seen.
    seen: usize,
    pub problems: Problems,
}

impl Later {
    /// Adds the problems of the part at `place`, unless it was seen before or one before it was not. Returns
    /// whether it added them.
    pub fn see(&mut self, place: usize, problems: impl FnOnce() -> Problems) -> bool {
        if place != self.seen {
            return false;
        }
        self.seen += 1;
        self.problems.extend(problems());
        true
    }

    /// Whether that many parts were seen.
    pub fn has_seen(&self, parts: usize) -> bool {
        self.seen >= parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walk::Problem;

    #[test]
    fn each_part_is_seen_once_and_in_order() {
        let mut later = Later::default();
        let problem = |place: usize| Problem::new(format!("part {place}"), "it is broken").into();
        for places in [0..2, 0..1, 3..4, 0..3] {
            for place in places {
                later.see(place, || problem(place));
            }
        }
        let told: Vec<String> = later.problems.iter().map(|it| it.what.to_string()).collect();
        assert_eq!(told, ["part 0", "part 1", "part 2"]);
        assert!(later.has_seen(3) && !later.has_seen(4));
    }
}
