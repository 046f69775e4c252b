//! From an offset in a type to the member or element there.

use crate::budget;
use crate::types::model::{Array, Member, Record, RecordKind, Type};
use crate::types::{TypeError, TypeId, Types};

/// A part of a variable or object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartAt {
    /// As C writes it after the name of the whole: `.ipi_listhead`, `[3].prio`; empty for the
    /// whole.
    pub path: String,
    /// Bytes from its start to the offset. What has no members can be entered too; in a struct
    /// this is padding.
    pub beyond: u64,
    /// Its type.
    pub type_id: TypeId,
}

/// The deepest nesting of members. Real types stay far below it.
const DEEPEST: usize = 64;

/// How many members are looked at in one step of work.
const MEMBERS_A_STEP: u64 = 64;

impl Types {
    /// The part of a type that begins at an offset, or else the smallest that holds it. Of several
    /// that begin there, the largest: the start of a struct is the struct, not its first member. Of
    /// the members of a union, the first that is large enough.
    ///
    /// # Errors
    /// An entry is damaged, or the budget is exhausted.
    pub fn part_at(&self, id: TypeId, offset: u64) -> Result<PartAt, TypeError> {
        let mut part = PartAt { path: String::new(), beyond: offset, type_id: id };
        // The last part that has a name, if the current one has none.
        let mut around: Option<PartAt> = None;
        for level in 0.. {
            if part.beyond == 0 && around.is_none() {
                break;
            }
            budget::level("the nesting of members", level, DEEPEST)?;
            match &*self.resolve(part.type_id)?.1 {
                Type::Record(record) => {
                    let Some(member) = self.member_at(record, part.beyond)? else { break };
                    match &member.name {
                        Some(name) => {
                            around = None;
                            part.path.push('.');
                            part.path.push_str(name);
                        }
                        None => around = around.or_else(|| Some(part.clone())),
                    }
                    part.beyond -= member.offset;
                    part.type_id = member.type_id;
                    if member.bits.is_some() {
                        break;
                    }
                }
                Type::Array(array) => {
                    if !self.enter_element(array, &mut part)? {
                        break;
                    }
                }
                _ => break,
            }
        }
        Ok(around.unwrap_or(part))
    }

    /// The member that holds the byte at an offset.
    fn member_at<'r>(
        &self,
        record: &'r Record,
        offset: u64,
    ) -> Result<Option<&'r Member>, TypeError> {
        self.budget().work(1 + record.members.len() as u64 / MEMBERS_A_STEP)?;
        let before = || record.members.iter().filter(|member| member.offset <= offset);
        // In a struct, only the last member before it can reach so far.
        let last = match record.kind {
            RecordKind::Union => 0,
            RecordKind::Struct | RecordKind::Class => {
                before().map(|member| member.offset).max().unwrap_or(0)
            }
        };
        let holds = |member: &&Member| {
            let len = match member.bits {
                Some(bits) => bits.bit_offset.saturating_add(bits.bit_size).div_ceil(8),
                None => self.size_of(member.type_id).unwrap_or(0),
            };
            member.offset >= last && offset - member.offset < len
        };
        Ok(before().find(holds))
    }

    /// Goes on to the element that holds the byte; false if the array does not reach so far.
    fn enter_element(&self, array: &Array, part: &mut PartAt) -> Result<bool, TypeError> {
        let size = self.size_of(array.element)?;
        let Some(mut index) = part.beyond.checked_div(size) else { return Ok(false) };
        let mut indexes = Vec::new();
        for (dimension, count) in array.counts.iter().enumerate().rev() {
            match (dimension, count) {
                (0, Some(count)) if index >= *count => return Ok(false),
                (0, _) => indexes.push(index),
                (_, Some(count @ 1..)) => {
                    indexes.push(index % count);
                    index /= count;
                }
                _ => return Ok(false),
            }
        }
        indexes.iter().rev().for_each(|index| part.path.push_str(&format!("[{index}]")));
        part.beyond %= size;
        part.type_id = array.element;
        Ok(true)
    }
}
