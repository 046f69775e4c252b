//! A whole dump, of which fields and pages are changed, and every view of it.

use std::sync::LazyLock;

use vnetkvm::budget::Allowance;
use vnetkvm::image;
use vnetkvm::session::Session;
use vnetkvm::source::Source;

use super::fields::{self, Field};
use super::{edits, views};

/// More than ten times what the most expensive question needs of the image as it is. So small that what
/// does not spend from it stands out by its time.
const ENOUGH: Allowance = Allowance { work: 2 << 20, bytes: 64 << 20 };

/// The image before it is changed. Its kernel is read once.
struct Whole {
    session: Session,
    file: Vec<u8>,
    fields: Vec<Field>,
}

static WHOLE: LazyLock<Whole> = LazyLock::new(|| {
    let demo = image::demo().expect("the demonstration is built");
    let file = demo.core.bytes().to_vec();
    let session = Session::from_sources(demo.kernel, demo.core).expect("it can be opened");
    let fields = fields::of_minidump(&session, &file);
    Whole { session, file, fields }
});

/// Opens the demonstration's dump after the changes that the input says, and asks everything.
pub fn whole_dump(input: &[u8]) {
    let mut file = WHOLE.file.clone();
    edits::apply(input, &mut file, &WHOLE.fields);
    let Ok(session) = WHOLE.session.with_dump(Source::from_vec("vmcore", file)) else { return };
    session.budget().renew(ENOUGH);
    views::all(&session);
}
