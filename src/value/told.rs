//! What a reader for people adds to the values that it reads.

use crate::value::format::{Bits, Format, Letter};
use crate::value::meaning::NumberMeaning;
use crate::value::model::{Shown, Told, Value, ValueError};
use crate::value::plan::ArrayPlan;
use crate::value::read::ValueReader;

impl ValueReader<'_> {
    /// A number as the reader's format shows it; `bits` are those of `value`.
    pub(in crate::value) fn told(&self, value: Value, bits: impl FnOnce() -> Bits) -> Value {
        let Some(letter) = self.letter() else { return value };
        // Elements are values one by one here, and so are the reasons in their places.
        if let Value::Error(why) = &value {
            let kept = size_of::<ValueError>() + why.message.len();
            return match self.target.budget().bytes(kept as u64) {
                Ok(()) => value,
                Err(why) => ValueError::from(why).into(),
            };
        }
        let bits = bits();
        match (letter, bits.text(letter, self.target)) {
            (_, Some(text)) => self.told_as(value, Shown::Text(text.into())),
            (Letter::Character, None) => self.told_as(value, Shown::Character(bits.character())),
            // A byte among others is a character of a string.
            (_, None) => match value {
                Value::Int(number) if bits.width == 8 => Value::Char(number),
                value => value,
            },
        }
    }

    /// A number that people are shown with what it means.
    pub(in crate::value) fn meant(
        &self,
        value: Value,
        meaning: NumberMeaning,
        bits: impl FnOnce() -> Bits,
    ) -> Value {
        let is_number = matches!(value, Value::Int(_) | Value::Char(_));
        let means = is_number && self.format.is_some_and(Format::means);
        if !means {
            return value;
        }
        match meaning.text(bits(), self.target, self.plans.formats()) {
            Ok(Some(text)) => self.told_as(value, Shown::Text(text.into())),
            Ok(None) => value,
            Err(why) => ValueError::from(why).into(),
        }
    }

    /// A value in the place of which people are shown another of the same bytes, whose parts are
    /// paid for.
    pub(in crate::value) fn shown_as(&self, value: Value, shown: Value) -> Value {
        Value::Told(Told { value, shown: Shown::Value(shown) }.into())
    }

    /// A value that people are shown in another form, within what the budget has memory for.
    fn told_as(&self, value: Value, shown: Shown) -> Value {
        let text = match &shown {
            Shown::Text(text) => text.len(),
            Shown::Value(_) | Shown::Character(_) => 0,
        };
        match self.target.budget().bytes((size_of::<Told>() + text) as u64) {
            Ok(()) => Value::Told(Told { value, shown }.into()),
            Err(why) => ValueError::from(why).into(),
        }
    }

    /// Is an array of this plan shown in another form than its type says?
    pub(in crate::value) fn tells_row(&self, array: &ArrayPlan) -> bool {
        !matches!(self.letter(), None | Some(Letter::String))
            || self.is_string(array) != array.characters
    }

    /// Are structs shown with what they mean?
    pub(in crate::value) fn tells_meaning(&self) -> bool {
        self.format.is_none_or(Format::means)
    }

    /// Is an array of this plan shown as a string?
    pub(in crate::value) fn is_string(&self, array: &ArrayPlan) -> bool {
        match self.letter() {
            None => array.characters,
            Some(Letter::String) => array.number.is_some_and(|number| number.is_byte()),
            Some(_) => false,
        }
    }

    pub(in crate::value) fn letter(&self) -> Option<Letter> {
        self.format.and_then(|format| format.letter)
    }
}
