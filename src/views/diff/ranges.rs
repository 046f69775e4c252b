//! Neighbouring elements of an array that changed in the same way are told once.

use crate::views::diff::finding::Finding;

/// Elements in a row about which the same is found.
#[derive(Debug, Default)]
pub struct Ranges {
    /// The first and the last index, and what is found about each.
    current: Option<(u64, u64, Vec<Finding>)>,
    done: Vec<Finding>,
}

impl Ranges {
    /// Adds what is found about the next element.
    pub fn add(&mut self, index: u64, found: Vec<Finding>) {
        if let Some((_, last, known)) = &mut self.current
            && last.checked_add(1) == Some(index)
            && is_same(known, &found)
        {
            *last = index;
            return;
        }
        self.end();
        if !found.is_empty() {
            self.current = Some((index, index, found));
        }
    }

    /// What is found about all elements.
    pub fn finish(mut self) -> Vec<Finding> {
        self.end();
        self.done
    }

    fn end(&mut self) {
        let Some((first, last, mut found)) = self.current.take() else { return };
        let step = if first == last { format!("[{first}]") } else { format!("[{first}..{last}]") };
        found.iter_mut().for_each(|finding| finding.below(&step));
        self.done.append(&mut found);
    }
}

fn is_same(one: &[Finding], other: &[Finding]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.says_the_same(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::VirtAddr;
    use crate::value::Value;
    use crate::views::diff::finding::What;

    fn differs(path: &str, at: u64, new: i128) -> Finding {
        let what = What::Differs { old: Value::Int(0), new: Value::Int(new), folded: None };
        let (path, address) = (path.to_owned(), Some(VirtAddr::new(at)));
        Finding { path, type_name: "int".into(), address, what }
    }

    fn paths(elements: Vec<Vec<Finding>>) -> Vec<String> {
        let mut ranges = Ranges::default();
        for (index, found) in elements.into_iter().enumerate() {
            ranges.add(index as u64, found);
        }
        ranges.finish().into_iter().map(|finding| finding.path).collect()
    }

    #[test]
    fn equal_changes_of_neighbours_are_one() {
        let same = |at| vec![differs(".a", at, 1), differs(".b", at + 8, 2)];
        assert_eq!(paths(vec![same(0), same(16), same(32)]), ["[0..2].a", "[0..2].b"]);
        assert_eq!(paths(vec![same(0), Vec::new(), same(32)]).len(), 4);
        let other = vec![differs(".a", 16, 1), differs(".b", 24, 3)];
        assert_eq!(paths(vec![same(0), other]), ["[0].a", "[0].b", "[1].a", "[1].b"]);
        assert_eq!(paths(vec![vec![differs("", 0, 1)]]), ["[0]"]);
        assert!(paths(vec![Vec::new()]).is_empty());
    }
}
