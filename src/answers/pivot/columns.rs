//! The columns for people: vnets with the same values in all rows share one.

use std::collections::HashMap;

use serde::{Serialize, Serializer};

use super::row::{Pivoted, Shared};
use crate::answers::{Cell, Column, Medium, Row};
use crate::vnet::VnetRef;

/// A cell of a value has no more characters than this.
const MOST: usize = 40;

/// Vnets that have the same values.
pub(super) struct Columns(Vec<Group>);

struct Group {
    /// The places of the vnets among the chosen ones, ascending.
    places: Vec<usize>,
    /// `vnet 0`, `vnets 1-3, 7`
    title: String,
    /// `vnet 0`: the first of them.
    first: String,
}

/// A row under these columns.
pub(super) struct InColumns<'a> {
    pub row: Pivoted,
    pub columns: &'a Columns,
}

impl Columns {
    pub fn of(vnets: &[Option<VnetRef>], rows: impl Iterator<Item = Pivoted>) -> Self {
        let mut groups = vec![0; vnets.len()];
        for row in rows {
            refine(&mut groups, &row.places);
        }
        let mut members: Vec<Vec<usize>> = Vec::new();
        for (place, group) in groups.iter().enumerate() {
            if members.len() <= *group {
                members.resize_with(group + 1, Vec::new);
            }
            if let Some(members) = members.get_mut(*group) {
                members.push(place);
            }
        }
        Self(members.into_iter().map(|places| Group::new(places, vnets)).collect())
    }

    /// The title of each column.
    pub fn titles(&self) -> Vec<Column> {
        let groups = self.0.iter().map(|group| Column::left(group.title.clone()).at_most(MOST));
        std::iter::once(Column::left("NAME")).chain(groups).collect()
    }
}

/// Splits groups of vnets so that all vnets of a group have the same `value`. The groups are
/// numbered in the order of their first vnets.
fn refine(groups: &mut [usize], values: &[usize]) {
    let mut known = HashMap::new();
    for (group, value) in groups.iter_mut().zip(values) {
        let next = known.len();
        *group = *known.entry((*group, *value)).or_insert(next);
    }
}

impl Group {
    fn new(places: Vec<usize>, vnets: &[Option<VnetRef>]) -> Self {
        let of: Vec<VnetRef> =
            places.iter().filter_map(|place| vnets.get(*place).copied().flatten()).collect();
        let first = of.first().map(|vnet| format!("vnet {vnet}")).unwrap_or_default();
        let title = match &of[..] {
            [] => "VALUE".to_owned(),
            [_] => first.clone(),
            all => format!("vnets {}", ranges(all)),
        };
        Self { places, title, first }
    }
}

/// `1-3, 7`
fn ranges(vnets: &[VnetRef]) -> String {
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for index in vnets.iter().filter_map(|vnet| vnet.index) {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == index => *last = index,
            _ => parts.push((index, index)),
        }
    }
    let parts = parts.iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    let unlisted = vnets.iter().filter(|vnet| vnet.index.is_none()).map(ToString::to_string);
    let all = parts.chain(unlisted).collect::<Vec<_>>().join(", ");
    match all.len() <= MOST {
        true => all,
        false => format!("{} of them, from {}", vnets.len(), all.split(", ").next().unwrap_or("")),
    }
}

/// A value that an earlier column has is only told by that column's first vnet.
impl Row for InColumns<'_> {
    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        let mut shown: HashMap<usize, &str> = HashMap::new();
        let cells = self.columns.0.iter().map(|group| {
            let vnet = group.places.first().copied().unwrap_or_default();
            let place = self.row.places.get(vnet).copied().unwrap_or_default();
            match shown.get(&place) {
                Some(first) => format!("= {first}").into(),
                None => {
                    shown.insert(place, &group.first);
                    self.row.value(vnet).map(Shared::cell).into()
                }
            }
        });
        vec![std::iter::once((&*self.row.name).into()).chain(cells).collect()]
    }
}

impl Serialize for InColumns<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.row.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::VirtAddr;

    fn vnets(indices: &[usize]) -> Vec<VnetRef> {
        let vnet = |index: &usize| VnetRef { index: Some(*index), address: VirtAddr::new(0x1000) };
        indices.iter().map(vnet).collect()
    }

    #[test]
    fn vnets_are_told_apart_by_any_row() {
        let mut groups = vec![0; 4];
        refine(&mut groups, &[0, 0, 0, 1]);
        assert_eq!(groups, [0, 0, 0, 1]);
        refine(&mut groups, &[0, 1, 0, 0]);
        assert_eq!(groups, [0, 1, 0, 2]);
        refine(&mut groups, &[5, 5, 5, 5]);
        assert_eq!(groups, [0, 1, 0, 2]);
    }

    #[test]
    fn titles_name_ranges() {
        assert_eq!(ranges(&vnets(&[0, 1, 2, 5, 7, 8])), "0-2, 5, 7-8");
        let odd: Vec<usize> = (0..100).map(|index| index * 2).collect();
        assert_eq!(ranges(&vnets(&odd)), "100 of them, from 0");
        let unlisted = VnetRef { index: None, address: VirtAddr::new(0x2000) };
        assert_eq!(ranges(&[vnets(&[3]), vec![unlisted]].concat()), "3, 0x2000");
    }
}
