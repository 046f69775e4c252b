//! Suggests names for one that does not exist, for hints in errors.

/// Sorts the names by similarity to `wanted`, the most similar first.
pub fn sort_by_similarity(names: &mut [String], wanted: &str) {
    // No struct has that many members, and comparing them all takes seconds.
    const MOST_NAMES: usize = 1 << 16;
    if wanted.len() > LONGEST_NAME || names.len() > MOST_NAMES {
        return;
    }
    names.sort_by_cached_key(|name| similarity(name, wanted));
}

/// The few items whose names are similar to `wanted`, the likeliest first;
/// empty if none is similar.
pub fn most_similar<T>(items: Vec<T>, name_of: impl Fn(&T) -> &str, wanted: &str) -> Vec<T> {
    const MOST: usize = 3;
    if wanted.len() > LONGEST_NAME {
        return Vec::new();
    }
    let near = items.into_iter().filter_map(|item| {
        let name = name_of(&item);
        let distance = similarity(name, wanted);
        may_be_meant(name, wanted, distance).then_some((distance, item))
    });
    let mut near: Vec<(Similarity, T)> = near.collect();
    near.sort_by_key(|(distance, _)| *distance);
    // A difference only in case is certain to be a match.
    if near.first().is_some_and(|(first, _)| first.distance == 0) {
        near.retain(|(similarity, _)| similarity.distance == 0);
    }
    near.into_iter().map(|(_, item)| item).take(MOST).collect()
}

/// Longer names are not compared: nobody mistypes one, and it takes seconds.
const LONGEST_NAME: usize = 64;

/// Smaller is more similar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Similarity {
    /// The edit distance, reduced if one name contains the other.
    weighed: usize,
    distance: usize,
    /// Neither contains the other.
    apart: bool,
}

/// Is at most a third of it wrong, or does one contain the other?
fn may_be_meant(name: &str, wanted: &str, similarity: Similarity) -> bool {
    /// A shorter text is part of nearly every name.
    const SHORTEST_PART: usize = 3;
    let shorter = name.len().min(wanted.len());
    let part = shorter >= SHORTEST_PART && !similarity.apart;
    part || similarity.distance * 3 <= name.len().max(wanted.len())
}

/// The edit distance without regard to case, with a bonus if one name
/// contains the other.
fn similarity(name: &str, wanted: &str) -> Similarity {
    let far = name.len() + wanted.len();
    if name.len() > LONGEST_NAME {
        return Similarity { weighed: far, distance: far, apart: true };
    }
    let (name, wanted) = (name.to_ascii_lowercase(), wanted.to_ascii_lowercase());
    let distance = strsim::levenshtein(&name, &wanted);
    let apart = !name.contains(&wanted) && !wanted.contains(&name);
    let bonus = if apart { 0 } else { name.len().min(wanted.len()) };
    Similarity { weighed: distance.saturating_sub(bonus), distance, apart }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_similar_name_comes_first() {
        let mut names: Vec<String> =
            ["if_addr", "if_xname", "if_dname", "x"].map(String::from).to_vec();
        sort_by_similarity(&mut names, "if_name");
        assert!(["if_xname", "if_dname"].contains(&names[0].as_str()), "{names:?}");
        sort_by_similarity(&mut names, "xnam");
        assert_eq!(names[0], "if_xname");
    }

    #[test]
    fn nothing_unlike_is_offered() {
        let names = ["ip_defttl", "ip6_defhlim", "ifnet", "ifnets", "tcbinfo", "x", "ipstat"];
        let like = |wanted| most_similar(names.to_vec(), |name| name, wanted);
        assert_eq!(like("ip_deftll"), ["ip_defttl"]);
        assert_eq!(like("IFNET"), ["ifnet"]);
        assert_eq!(like("tcb"), ["tcbinfo"]);
        assert_eq!(like("the_tcbinfo"), ["tcbinfo"]);
        assert_eq!(like("no_such_thing"), [""; 0]);
        assert_eq!(like(&"x".repeat(1000)), [""; 0]);
    }
}
