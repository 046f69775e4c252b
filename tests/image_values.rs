//! Values set through a kernel's types, against what the C compiler made of them:
//! each variable is cleared in a new vnet, set again from text, and must then
//! equal the initial value that the compiler put into the kernel file.

#![cfg(feature = "image")]

use vnetkvm::image::Scenario;
use vnetkvm::image::kernel::LoadedKernel;
use vnetkvm::image::machine::MachineOptions;
use vnetkvm::image::runtime::{Runtime, Scope};
use vnetkvm::kernel::Kernel;
use vnetkvm::source::Source;

/// From fixtures/kernel/sys/dev/features: the same values, written as a scenario.
const VALUES: &str = r#"
[host.values]
feat_anonymous = { first = 1, word = 0x04030201, tag = 116, inner = { x = 10, y = 20 }, last = 99 }
feat_holes = { a = 1, b = 2, c = 3, d = 4, e = 5, g = 7 }
feat_packed = { a = 1, b = 0x1122334455667788, c = -3 }
feat_aligned = { a = 1, b = 2 }
feat_union = { word = 0x3ff8000040490fdb }
feat_empty = { before = 1, after = 2 }
feat_deep = { "a.b.c.d.e.f.bottom" = 6 }
feat_nameless = { only = 77 }
feat_matrix = [[1, 2, 3], [4, 5, 6]]
"feat_cube[0][0]" = [1, 2, 3, 4]
"feat_cube[1][2]" = [9, 10, 11, 12]
feat_names = ["alpha", "beta", "gamma"]
feat_structs = [{ x = 1, y = 2 }, { x = 3, y = 4 }]
feat_bytes = [0, 1, 0x7f, 0x80, 0xff]
feat_rows = [[1, 2, 3, 4], [5, 6, 7, 8]]
feat_enum = "FEAT_TOP"
feat_enum_signed = "FEAT_MINUS_TWO"
feat_enum_wide = "FEAT_WIDE"
feat_enum_wide_signed = "FEAT_LEAST"
feat_enum_byte = 200
feat_enum_flags = "FEAT_F1 | FEAT_F4"
feat_enum_unknown = 64
feat_enum_typedef = "FEAT_BUSY"
feat_enum_nameless = "FEAT_Y"
feat_enums = ["FEAT_PLUS", "FEAT_MINUS_ONE"]
feat_in_addr = "192.0.2.1"
feat_in6_addr = "2001:db8::1"
feat_in6_loopback = "::1"
feat_in6_mapped = "::ffff:198.51.100.7"
feat_in6_list = ["2001:db8::10", "2001:db8::20"]
feat_sockaddr_in = "203.0.113.5:8080"

[host.values.feat_bits]
one = 1
three = 5
minus = -11
flag = true
color = "FEAT_BLUE"
sign = "FEAT_NEGATIVE"
wide = 0x7654321
fresh = 9
late = 0x155
huge = 0xfedcba9876
negative = -2
byte = 200
half = 1025
plain = -5
last = 0x89abcdef

[host.values.feat_packed_bits]
a = 5
straddles = 0x2aaaaaaa
longer = 0x123456789ab
b = -300
c = 99
d = 0x1ffff

[host.values.feat_nested_bits]
lead = 1
in_nameless = 33
beside = 0x3000001
all = 0xabc
"#;

/// Set only in part: the rest keeps the compiler's value.
const IN_PART: [&str; 1] = ["feat_holes"];

fn boot(name: &str) -> Runtime {
    let source = Source::open(format!("fixtures/kernel/{name}")).unwrap();
    let kernel = Kernel::open(source, None).unwrap();
    Runtime::boot(LoadedKernel::load(kernel, MachineOptions::default()).unwrap(), &[0]).unwrap()
}

#[test]
fn values_set_by_name_equal_what_the_compiler_made() {
    let values = Scenario::parse(VALUES).unwrap().host.values;
    for kernel in [
        "classic-clang-dwarf2",
        "classic-clang-dwarf4",
        "classic-clang-dwarf5",
        "classic-gcc-dwarf4",
        "classic-gcc-dwarf5",
        "small-types-gcc-dwarf5",
    ] {
        let mut runtime = boot(kernel);
        let vnet = Scope::Vnet(runtime.vnet_alloc().unwrap());
        let variable = |path: &str| path.split('[').next().unwrap_or(path).to_owned();
        for path in values.keys().filter(|path| !IN_PART.contains(&path.as_str())) {
            let object = runtime.find(vnet, &variable(path)).unwrap();
            let size = runtime.kernel().types().size_of(object.type_id).unwrap();
            let zeros = vec![0; size as usize];
            runtime.kernel_mut().machine_mut().write(object.address, &zeros).unwrap();
        }
        for (path, value) in &values {
            runtime.set(vnet, path, value).unwrap_or_else(|error| panic!("{kernel}: {error}"));
        }
        for path in values.keys() {
            let name = variable(path);
            let bytes = |scope| {
                let object = runtime.find(scope, &name).unwrap();
                let size = runtime.kernel().types().size_of(object.type_id).unwrap();
                let mut bytes = vec![0; size as usize];
                runtime.kernel().machine().read(object.address, &mut bytes).unwrap();
                bytes
            };
            assert_eq!(bytes(vnet), bytes(Scope::Kernel), "{kernel}: {name}");
        }
    }
}
