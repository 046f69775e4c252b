//! The images that changes are made in: of several architectures, releases and forms of types, each in
//! another format of dumps. Each is made when an input first asks for it.

use std::io::Cursor;
use std::path::Path;
use std::sync::OnceLock;

use vnetkvm::image::{self, Format, Scenario};
use vnetkvm::kernel::Kernel;
use vnetkvm::session::Session;
use vnetkvm::source::Source;

use super::fields::{self, Field};

/// An image before it is changed. Its kernel is read once.
pub struct Whole {
    pub session: Session,
    pub file: Vec<u8>,
    pub fields: Vec<Field>,
}

/// What an image is made of.
struct Recipe {
    kernel: &'static [u8],
    scenario: &'static str,
    format: Format,
}

macro_rules! fixture {
    ($include:ident, $name:literal) => {
        $include!(concat!("../../../fixtures/", $name))
    };
}

/// Jails, interfaces, routes, neighbours, sockets, threads and a stack. All kernels can have them but those
/// whose `epair` is a module.
const DEMO: &str = fixture!(include_str, "scenarios/demo.toml");
/// Drivers of every kind, modules, and interfaces of which something is wrong.
const NETWORK: &str = fixture!(include_str, "scenarios/network.toml");
const NETWORK_14: &str = fixture!(include_str, "scenarios/network-newer.toml");
const ROUTES_14: &str = fixture!(include_str, "scenarios/routes-newer.toml");
const STACKS_14: &str = fixture!(include_str, "scenarios/stacks-newer.toml");
const PACKETS: &str = fixture!(include_str, "scenarios/packets-newer.toml");
const RECURSIONS: &str = fixture!(include_str, "scenarios/vnet-debug.toml");
const CPUS: &str = r#"
hostname = "pcpu.example.org"
cpus = [0, 1, 3]
memory = "64M"
panic = "spin lock held too long"
[[step]]
do = "jail"
name = "web"
[[step]]
do = "interface"
name = "lo0"
home = "web"
addresses = ["127.0.0.1/8", "::1/128"]
[[step]]
do = "process"
name = "nginx"
jail = "web"
in_network_stack = true
dumping = true
"#;

/// How many images there are.
pub const COUNT: usize = RECIPES.len();

const RECIPES: [Recipe; 16] = [
    recipe(fixture!(include_bytes, "kernel/classic-clang-dwarf4"), DEMO, Format::MinidumpV2),
    recipe(fixture!(include_bytes, "kernel/i386-zones"), DEMO, Format::MinidumpV2),
    recipe(fixture!(include_bytes, "kernel/powerpc64-zones"), DEMO, Format::MinidumpV2),
    recipe(fixture!(include_bytes, "kernel/arm64"), DEMO, Format::MinidumpV1),
    recipe(fixture!(include_bytes, "kernel/stable14-clang-dwarf4"), NETWORK_14, Format::MinidumpV3),
    recipe(fixture!(include_bytes, "kernel/newer-zones-dwarf5"), PACKETS, Format::Full),
    recipe(fixture!(include_bytes, "kernel/i386-pcpu"), CPUS, Format::Virtual),
    recipe(fixture!(include_bytes, "kernel/armv7"), DEMO, Format::MinidumpV2),
    recipe(fixture!(include_bytes, "kernel/riscv64"), DEMO, Format::Raw),
    recipe(fixture!(include_bytes, "kernel/ctf/classic-ctf2"), DEMO, Format::Qemu),
    recipe(fixture!(include_bytes, "kernel/powerpc64"), DEMO, Format::Full),
    recipe(fixture!(include_bytes, "kernel/arm64-newer"), DEMO, Format::Full),
    recipe(fixture!(include_bytes, "kernel/classic-clang-dwarf4"), NETWORK, Format::MinidumpV2),
    recipe(fixture!(include_bytes, "kernel/stable14-clang-dwarf4"), ROUTES_14, Format::Full),
    recipe(fixture!(include_bytes, "kernel/stable14-clang-dwarf4"), STACKS_14, Format::MinidumpV3),
    recipe(
        fixture!(include_bytes, "kernel/small-vnet-debug-dwarf4"),
        RECURSIONS,
        Format::MinidumpV3,
    ),
];

const fn recipe(kernel: &'static [u8], scenario: &'static str, format: Format) -> Recipe {
    Recipe { kernel, scenario, format }
}

static IMAGES: [OnceLock<Whole>; COUNT] = [const { OnceLock::new() }; COUNT];

/// The image with that number, modulo their count.
pub fn image(number: usize) -> &'static Whole {
    let number = number % COUNT;
    IMAGES[number].get_or_init(|| RECIPES[number].make())
}

impl Recipe {
    fn make(&self) -> Whole {
        // A full dump is as long as the memory, and is copied for each input.
        let text: Vec<&str> =
            self.scenario.lines().filter(|line| !line.starts_with("memory = ")).collect();
        let text = format!("memory = \"16M\"\n{}", text.join("\n"));
        let text = text.replace("\"../kernel/", &format!("\"{}/kernel/", fixtures()));
        let scenario = Scenario::parse(&text).expect("the scenario is sound");
        let source = || Source::from_vec("kernel", self.kernel.to_vec());
        let kernel = Kernel::open(source(), None).expect("the kernel can be opened");
        let image = image::build(&scenario, kernel).expect("the image can be built");
        let mut file = Cursor::new(Vec::new());
        image.write(self.format, &mut file).expect("it can be written");
        let file = file.into_inner();
        let core = Source::from_vec("vmcore", file.clone());
        let session = Session::from_sources(source(), core).expect("it can be opened");
        let fields = fields::of_dump(&session, &file);
        Whole { session, file, fields }
    }
}

/// The folder of the fixtures, where the files of modules are. Tests and fuzz targets are built in different folders
/// of the project.
fn fixtures() -> String {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut fixtures = folders.map(|folder| folder.join("fixtures"));
    let found = fixtures.find(|folder| folder.is_dir()).expect("the project has fixtures");
    found.to_str().expect("its path is text").to_owned()
}

#[cfg(test)]
mod tests {
    use vnetkvm::addr::VirtAddr;

    use super::*;

    #[test]
    fn fields_are_where_the_session_reads_them() {
        for number in 0..COUNT {
            let Whole { session, file, fields } = image(number);
            let in_memory = fields.iter().filter(|field| field.address != 0);
            let wrong = in_memory.clone().filter(|field| {
                let read = session.memory().uint(VirtAddr::new(field.address), field.len);
                read.ok() != Some(field.read(file))
            });
            assert_eq!(wrong.count(), 0, "image {number}");
            assert!(in_memory.count() > 1000, "image {number}");
        }
    }
}
