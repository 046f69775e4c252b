//! The message buffer: from memory, and from a minidump's own copy of it.

#![cfg(feature = "image")]

use std::io::Cursor;

use vnetkvm::Session;
use vnetkvm::dump;
use vnetkvm::image::{self, Format, Image, Scenario};
use vnetkvm::kernel::Kernel;
use vnetkvm::source::Source;

const KERNEL: &str = "fixtures/kernel/classic-clang-dwarf4";

fn image(lines: &[String]) -> Image {
    let kernel = Kernel::open(Source::open(KERNEL).unwrap(), None).unwrap();
    let text = format!("kernel = \"{KERNEL}\"\nmemory = \"16M\"\nmessages = {lines:?}\n");
    image::build(&Scenario::parse(&text).unwrap(), kernel).unwrap()
}

fn dump(image: &Image, format: Format) -> Source {
    let mut file = Cursor::new(Vec::new());
    image.write(format, &mut file).unwrap();
    Source::from_vec("vmcore.0", file.into_inner())
}

/// Lines with and without a priority, and what is shown of them.
fn lines(count: usize) -> (Vec<String>, Vec<String>) {
    let line = |n| format!("em{n}: link state changed to UP");
    let written = |n| if n % 3 == 0 { format!("<6>{}", line(n)) } else { line(n) };
    ((0..count).map(written).collect(), (0..count).map(line).collect())
}

#[test]
fn a_full_dump_has_them_in_memory() {
    let (written, shown) = lines(20);
    let image = image(&written);
    let kernel = Source::open(KERNEL).unwrap();
    let session = Session::from_sources(kernel, dump(&image, Format::Full)).unwrap();
    let messages = session.messages().unwrap();
    assert!(messages.in_memory);
    assert!(messages.lines.ends_with(&shown), "{:?}", messages.lines);
    assert_eq!(session.core().saved_messages(), None);
}

#[test]
fn a_ring_that_was_full_begins_with_the_oldest_line() {
    let (written, shown) = lines(5000);
    let image = image(&written);
    let kernel = Source::open(KERNEL).unwrap();
    let source = dump(&image, Format::MinidumpV2);
    let session = Session::from_sources(kernel, source.clone()).unwrap();
    let in_memory = session.messages().unwrap();
    assert!(in_memory.in_memory);
    let saved = dump::open(source).unwrap().saved_messages().unwrap();
    for lines in [&in_memory.lines, &saved] {
        assert!(lines.len() > 2000 && lines.len() < 5000, "{}", lines.len());
        // The oldest line has lost its beginning.
        assert!(shown.ends_with(&lines[1..]));
    }
}
