//! Declarations as rows for scripts.

use crate::answers::{Cell, Medium, Row};
use crate::types::declaration::{Body, Declaration, DeclaredMember};

/// Each row has the declaration's name in front. Of a struct or union: member, type, offset,
/// size, and for bit-fields bit offset and bit size, where a member of an unnamed member has
/// the path to it; of an enum: enumerator and value; of all others: what it stands for, and the
/// size. What is not known is empty. One of several types of a name is named with its file.
impl Row for Declaration {
    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        let name = || Cell::text(self.full_name());
        let body = match &self.body {
            Body::Typedef { unnamed: Some(body), .. } => body,
            body => body,
        };
        match body {
            Body::Record { members, .. } => {
                let mut rows = Vec::new();
                member_rows(&mut rows, self, "", members);
                rows
            }
            Body::Enum { enumerators, .. } => {
                let each = enumerators.iter();
                let row =
                    each.map(|each| vec![name(), (&*each.name).into(), Cell::Number(each.value)]);
                row.collect()
            }
            Body::Typedef { target, .. } => {
                vec![vec![name(), Cell::text(target), number(self.size)]]
            }
            Body::Plain => vec![vec![name(), "".into(), number(self.size)]],
        }
    }
}

fn member_rows<'a>(
    rows: &mut Vec<Vec<Cell<'a>>>,
    of: &'a Declaration,
    path: &str,
    members: &'a [DeclaredMember],
) {
    for member in members {
        let name = format!("{path}{}", member.name.as_deref().unwrap_or_default());
        if member.name.is_some() {
            rows.push(vec![
                Cell::text(of.full_name()),
                name.clone().into(),
                Cell::text(&member.type_name),
                member.offset.into(),
                number(member.size),
                number(member.bits.map(|bits| bits.bit_offset)),
                number(member.bits.and_then(|bits| bits.width())),
            ]);
        }
        // Those behind a pointer or in an array have no offset of their own.
        let inside = member
            .unnamed
            .as_ref()
            .filter(|unnamed| !unnamed.behind_pointer && member.size == unnamed.size);
        if let Some(unnamed) = inside {
            let path = if member.name.is_some() { format!("{name}.") } else { path.to_owned() };
            member_rows(rows, of, &path, &unnamed.members);
        }
    }
}

fn number(number: Option<u64>) -> Cell<'static> {
    number.map_or(Cell::text(""), Cell::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::declaration::UnnamedRecord;
    use crate::types::model::{BitField, RecordKind};

    fn member(name: Option<&str>, offset: u64) -> DeclaredMember {
        DeclaredMember {
            name: name.map(Into::into),
            type_name: "int".into(),
            declaration: String::new(),
            offset,
            size: Some(8),
            bits: None,
            unnamed: None,
        }
    }

    fn shown(members: Vec<DeclaredMember>, file: Option<&str>) -> Vec<String> {
        let body = Body::Record { kind: RecordKind::Struct, members, incomplete: false };
        let (name, file) = ("struct vnet".into(), file.map(Into::into));
        let declaration = Declaration { name, file, size: Some(16), body };
        let text = |cell: &Cell<'_>| match cell {
            Cell::Text(text) => text.to_string(),
            Cell::Number(number) => number.to_string(),
            other => panic!("{other:?}"),
        };
        let rows = declaration.rows(Medium::Columns);
        rows.iter().map(|row| row.iter().map(text).collect::<Vec<_>>().join("|")).collect()
    }

    #[test]
    fn rows_for_scripts_name_every_member() {
        let unnamed = |name: Option<&str>| DeclaredMember {
            unnamed: Some(UnnamedRecord {
                before: "struct".into(),
                after: String::new(),
                members: vec![member(Some("m"), 0)],
                size: Some(8),
                behind_pointer: false,
            }),
            ..member(name, 0)
        };
        let bits = Some(BitField { bit_offset: 3, bit_size: 2, exact: true });
        let bit_field = DeclaredMember { bits, size: None, ..member(Some("b"), 8) };
        assert_eq!(
            shown(vec![unnamed(Some("le")), unnamed(None), bit_field], None),
            [
                "struct vnet|le|int|0|8||",
                "struct vnet|le.m|int|0|8||",
                "struct vnet|m|int|0|8||",
                "struct vnet|b|int|8||3|2",
            ]
        );
    }

    #[test]
    fn one_of_several_has_its_file() {
        let rows = shown(vec![member(Some("m"), 0)], Some("kern/a.c"));
        assert_eq!(rows, ["struct vnet@kern/a.c|m|int|0|8||"]);
    }
}
