//! Builds the image of a machine that panicked, and reads it back.
//!
//! ```sh
//! cargo run --example image -- fixtures/kernel/classic-clang-dwarf4 /tmp/image
//! ```

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;

use vnetkvm::Session;
use vnetkvm::image::{self, Format, Scenario};
use vnetkvm::kernel::Kernel;
use vnetkvm::session::{Options, Selector};
use vnetkvm::source::Source;
use vnetkvm::value::Limits;

/// What happened to the machine; docs/scenarios.md explains every key.
const SCENARIO: &str = r#"
hostname = "gw.example.org"
panic = "page fault"

[[step]]
do = "jail"
name = "web01"
values = { ip_defttl = 42, "tcbinfo.ipi_count" = 3 }

[[step]]
do = "interface"
name = "epair0b"
jail = "web01"
addresses = ["172.16.0.2/24"]
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kernel, directory] = arguments.as_slice() else {
        return Err("usage: image KERNEL DIRECTORY".into());
    };
    run(Path::new(kernel), Path::new(directory), &mut io::stdout().lock())
}

pub fn run(kernel: &Path, directory: &Path, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    // Any FreeBSD kernel with debug information will do: all layouts come from it.
    let kernel = Kernel::open(Source::open(kernel)?, None)?;
    let built = image::build(&Scenario::parse(SCENARIO)?, kernel)?;

    // What the machine held is known, without reading a dump.
    let web01 = built.runtime().jail_scope("web01")?;
    let ttl = built.runtime().find(web01, "ip_defttl")?;
    let written = built.runtime().kernel().load_uint(ttl)?;

    let files = built.save_kernel(directory)?;
    let kernel = files.first().ok_or("the kernel has no file")?;
    let core = built.save(Format::MinidumpV2, directory)?;
    writeln!(out, "{}\n{}", kernel.display(), core.display())?;

    let options = Options { kernel: Some(kernel.clone()), core, ..Options::default() };
    let session = Session::open(&options)?;
    let stack = session.select(&Selector::Jail("web01".to_owned()))?.stacks[0];
    let printed = session.print(stack, "V_ip_defttl", &Limits::default())?;
    let read = printed.value.as_u64().ok_or("it cannot be read")?;
    writeln!(out, "ip_defttl of web01: {written} was written, {read} was read")?;
    Ok(())
}
