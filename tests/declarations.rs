//! Declarations out of the fixture kernels' debug information, as they are shown.
//! The offsets are those that `ptype /o` of gdb 13 prints for the same files.

use vnetkvm::kernel::Kernel;
use vnetkvm::render::decl;
use vnetkvm::source::Source;
use vnetkvm::types::Types;

const VNET: &str = "\
struct vnet {                   /*   offset    size */
    struct {
        struct vnet *le_next;   /*        0       8 */
        struct vnet **le_prev;  /*        8       8 */
    } vnet_le;                  /*        0      16 */
    u_int vnet_magic_n;         /*       16       4 */
    u_int vnet_ifcnt;           /*       20       4 */
    u_int vnet_sockcnt;         /*       24       4 */
    u_int vnet_state;           /*       28       4 */
    void *vnet_data_mem;        /*       32       8 */
    uintptr_t vnet_data_base;   /*       40       8 */
};                              /* size 48 */
";

const RADIX_NODE: &str = "\
struct radix_node {                          /*   offset    size */
    struct radix_mask *rn_mklist;            /*        0       8 */
    struct radix_node *rn_parent;            /*        8       8 */
    short rn_bit;                            /*       16       2 */
    char rn_bmask;                           /*       18       1 */
    u_char rn_flags;                         /*       19       1 */
    /* hole of 4 bytes */
    union {
        struct {
            caddr_t rn_Key;                  /*       24       8 */
            caddr_t rn_Mask;                 /*       32       8 */
            struct radix_node *rn_Dupedkey;  /*       40       8 */
        } rn_leaf;                           /*       24      24 */
        struct {
            int rn_Off;                      /*       24       4 */
            /* hole of 4 bytes */
            struct radix_node *rn_L;         /*       32       8 */
            struct radix_node *rn_R;         /*       40       8 */
        } rn_node;                           /*       24      24 */
    } rn_u;                                  /*       24      24 */
};                                           /* size 48, 1 hole of 4 bytes */
";

fn shown(kernel: &str, name: &str) -> String {
    let path = format!("{}/fixtures/kernel/{kernel}", env!("CARGO_MANIFEST_DIR"));
    let kernel = Kernel::open(Source::open(path).unwrap(), None).unwrap();
    let types = Types::load(&kernel).unwrap();
    let declaration = types.declaration(types.find(name).unwrap()).unwrap();
    let mut out = Vec::new();
    decl::write_declaration(&mut out, &declaration).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn unnamed_members_are_shown_where_they_stand() {
    for kernel in ["classic-clang-dwarf2", "classic-clang-dwarf5", "classic-gcc-dwarf4"] {
        assert_eq!(shown(kernel, "struct vnet"), VNET, "{kernel}");
        assert_eq!(shown(kernel, "struct radix_node"), RADIX_NODE, "{kernel}");
    }
}

#[test]
fn bit_fields_have_their_place_in_every_encoding() {
    let expected = "    uint32_t t_state : 4;             /*     30:0  4 bits */\n";
    for kernel in ["classic-clang-dwarf2", "classic-clang-dwarf4", "classic-gcc-dwarf5"] {
        let text = shown(kernel, "struct tcpcb");
        assert!(text.contains(expected), "{kernel}: {text}");
    }
}

#[test]
fn long_declarations_keep_a_gap_before_their_comment() {
    let text = shown("classic-clang-dwarf4", "struct ifnet");
    let line = text.lines().find(|line| line.contains("(*if_output)")).unwrap();
    assert!(line.ends_with("struct route *);  /*      952       8 */"), "{line}");
}
