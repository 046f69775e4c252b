//! Declarations as JSON, in the schema of docs/json-schema.md.

use serde::{Serialize, Serializer};

use crate::bytes::integer;
use crate::types::declaration::{Body, Declaration, DeclaredMember};
use crate::types::model::{self, RecordKind};

/// Members of anonymous members are listed among the others, as in values. A member whose
/// type is an unnamed record has that record's `members`.
impl Serialize for Declaration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (target, inner) = match &self.body {
            Body::Typedef { target, unnamed, .. } => (Some(target.as_str()), unnamed.as_deref()),
            body => (None, Some(body)),
        };
        let (members, enumerators) = match inner {
            Some(Body::Record { members, .. }) => (Some(flattened(members)), None),
            Some(Body::Enum { enumerators, .. }) => {
                (None, Some(enumerators.iter().map(Enumerator::from).collect()))
            }
            _ => (None, None),
        };
        Fields {
            name: &self.name,
            kind: kind(&self.body),
            size: self.size,
            file: self.file.as_deref(),
            target,
            members,
            enumerators,
        }
        .serialize(serializer)
    }
}

#[derive(Serialize)]
struct Fields<'a> {
    name: &'a str,
    kind: &'static str,
    /// Bytes; null if the type is incomplete.
    size: Option<u64>,
    /// The file that distinguishes it from others with its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    /// The type that a typedef names.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<Vec<Member<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enumerators: Option<Vec<Enumerator<'a>>>,
}

#[derive(Serialize)]
struct Member<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    type_name: &'a str,
    offset: u64,
    size: Option<u64>,
    bit_offset: Option<u64>,
    bit_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<Vec<Member<'a>>>,
}

#[derive(Serialize)]
struct Enumerator<'a> {
    name: &'a str,
    #[serde(serialize_with = "integer")]
    value: i128,
}

impl<'a> From<&'a model::Enumerator> for Enumerator<'a> {
    fn from(enumerator: &'a model::Enumerator) -> Self {
        Self { name: &enumerator.name, value: enumerator.value }
    }
}

fn kind(body: &Body) -> &'static str {
    match body {
        Body::Record { kind: RecordKind::Struct, .. } => "struct",
        Body::Record { kind: RecordKind::Union, .. } => "union",
        Body::Record { kind: RecordKind::Class, .. } => "class",
        Body::Enum { .. } => "enum",
        Body::Typedef { .. } => "typedef",
        Body::Plain => "type",
    }
}

fn flattened(members: &[DeclaredMember]) -> Vec<Member<'_>> {
    let mut flat = Vec::with_capacity(members.len());
    for member in members {
        let inner = member.unnamed.as_ref().map(|unnamed| flattened(&unnamed.members));
        match (member.name.as_deref(), inner) {
            (None, Some(inner)) => flat.extend(inner),
            (name, members) => flat.push(Member {
                name: name.unwrap_or(""),
                type_name: &member.type_name,
                offset: member.offset,
                size: member.size,
                bit_offset: member.bits.map(|bits| bits.bit_offset),
                bit_size: member.bits.and_then(|bits| bits.width()),
                members,
            }),
        }
    }
    flat
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::declaration::UnnamedRecord;
    use crate::types::model::{self, BitField};

    fn shown(declaration: &Declaration) -> String {
        serde_json::to_string(declaration).unwrap()
    }

    fn member(name: Option<&str>, offset: u64) -> DeclaredMember {
        DeclaredMember {
            name: name.map(Into::into),
            type_name: "int".into(),
            declaration: String::new(),
            offset,
            size: Some(4),
            bits: None,
            unnamed: None,
        }
    }

    #[test]
    fn members_of_anonymous_members_stand_among_the_others() {
        let unnamed = |members| {
            Some(UnnamedRecord {
                before: "struct".into(),
                after: String::new(),
                members,
                size: Some(8),
                behind_pointer: false,
            })
        };
        let bits = Some(BitField { bit_offset: 3, bit_size: 4, exact: true });
        let members = vec![
            DeclaredMember { unnamed: unnamed(vec![member(Some("a"), 0)]), ..member(None, 0) },
            DeclaredMember { unnamed: unnamed(vec![member(Some("b"), 8)]), ..member(Some("n"), 8) },
            DeclaredMember { bits, ..member(Some("c"), 16) },
        ];
        let body = Body::Record { kind: RecordKind::Struct, members, incomplete: false };
        let declaration = Declaration { name: "struct x".into(), file: None, size: Some(20), body };
        assert_eq!(
            shown(&declaration),
            concat!(
                r#"{"name":"struct x","kind":"struct","size":20,"members":["#,
                r#"{"name":"a","type":"int","offset":0,"size":4,"bit_offset":null,"bit_size":null},"#,
                r#"{"name":"n","type":"int","offset":8,"size":4,"bit_offset":null,"bit_size":null,"members":["#,
                r#"{"name":"b","type":"int","offset":8,"size":4,"bit_offset":null,"bit_size":null}]},"#,
                r#"{"name":"c","type":"int","offset":16,"size":4,"bit_offset":3,"bit_size":4}]}"#
            )
        );
    }

    #[test]
    fn enums_and_typedefs() {
        let enumerators = vec![model::Enumerator { name: "A".into(), value: -1 }];
        let body = Body::Enum { enumerators, incomplete: false };
        let typedef = Declaration {
            name: "e_t".into(),
            file: None,
            size: Some(4),
            body: Body::Typedef {
                declaration: "enum {...} e_t".into(),
                target: "enum {...}".into(),
                unnamed: Some(Box::new(body)),
            },
        };
        assert_eq!(
            shown(&typedef),
            r#"{"name":"e_t","kind":"typedef","size":4,"target":"enum {...}","enumerators":[{"name":"A","value":-1}]}"#
        );
        let file = Some("kern/a.c".into());
        let plain = Declaration { name: "int".into(), file, size: Some(4), body: Body::Plain };
        let json = r#"{"name":"int","kind":"type","size":4,"file":"kern/a.c"}"#;
        assert_eq!(shown(&plain), json);
    }
}
