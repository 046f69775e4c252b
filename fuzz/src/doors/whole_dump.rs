//! A whole dump, of which fields and pages are changed, and every view of it.

use vnetkvm::budget::Allowance;
use vnetkvm::source::Source;

use super::{edits, images, views};

/// More than ten times what the most expensive question needs of an image as it is. So small that what
/// does not spend from it stands out by its time.
const ENOUGH: Allowance = Allowance { work: 2 << 20, bytes: 64 << 20 };

/// First bytes of inputs for which documents and other dumps are written, which ask for everything again.
const WITH_DOCUMENTS: u8 = 64;

/// Opens the image that the first byte of the input chooses, after the changes that the rest says, and asks
/// everything.
pub fn whole_dump(input: &[u8]) {
    let Some((number, changes)) = input.split_first() else { return };
    let whole = images::image(usize::from(*number));
    let mut file = whole.file.clone();
    edits::apply(changes, &mut file, &whole.fields);
    let Ok(session) = whole.session.with_dump(Source::from_vec("vmcore", file)) else { return };
    session.budget().renew(ENOUGH);
    views::all(&session);
    if *number < WITH_DOCUMENTS {
        views::documents(&session);
    }
}
