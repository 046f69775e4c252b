//! The reader of CTF, versions 2 and 3, which every stock kernel and module of FreeBSD has in its
//! section `.SUNW_ctf`.
//!
//! How: the section is inflated once (`container.rs`). One pass finds where each type's record
//! begins (`table.rs`). A record becomes a type when something asks for it (`load.rs`).
//! Variables are the data symbols of the file, which has a type id for each
//! (`objects.rs`).
//!
//! What it refuses to do: it trusts no id if their number is not that of the symbols, and no
//! type whose size contradicts its symbol. docs/formats/ctf.md describes the format, and
//! what it cannot tell.

mod container;
mod load;
mod names;
mod objects;
mod table;

use std::sync::{Arc, OnceLock};

use crate::arch::Arch;
use crate::budget::Budget;
use crate::kernel::{CTF_SECTION, ElfFile, Kernel, KernelError, Symbols};
use crate::types::TypeError;
use crate::types::dwarf::SectionAddress;
use crate::types::format::Origin;
use crate::types::ids::FileNumber;
use crate::types::model::{Type, TypeId};

use container::Container;
use objects::Objects;
use table::{Entry, Table};

/// The CTF of one file.
#[derive(Debug)]
pub struct CtfFile {
    arch: Arch,
    /// Which file this is.
    number: FileNumber,
    container: Container,
    table: Table,
    /// The kernel's container, if this one continues it.
    parent: Option<Arc<CtfFile>>,
    symbols: Arc<Symbols>,
    /// Are the symbols those of .symtab, and not of another table?
    has_symtab: bool,
    is_module: bool,
    objects: OnceLock<Result<Objects, TypeError>>,
}

impl CtfFile {
    /// The CTF of a kernel, which is in `elf`.
    ///
    /// # Errors
    /// The file has none, or it is damaged.
    pub fn of_kernel(kernel: &Kernel, elf: &ElfFile) -> Result<Self, TypeError> {
        let symbols = kernel.symbols_of(elf).map_err(unreadable)?;
        Self::read_file(elf, FileNumber::default(), None, symbols)
    }

    /// That of a module. `kernel` is the kernel's, which it may continue.
    ///
    /// # Errors
    /// The file has none, or it is damaged.
    pub fn of_module(
        elf: &ElfFile,
        number: FileNumber,
        kernel: Option<Arc<Self>>,
        placed: SectionAddress<'_>,
    ) -> Result<Self, TypeError> {
        let symbols = objects::of_module(elf, placed).map_err(unreadable)?;
        Ok(Self { is_module: true, ..Self::read_file(elf, number, kernel, symbols)? })
    }

    fn read_file(
        elf: &ElfFile,
        number: FileNumber,
        kernel: Option<Arc<Self>>,
        symbols: Arc<Symbols>,
    ) -> Result<Self, TypeError> {
        let section = elf.section(CTF_SECTION).ok_or(TypeError::NoCtf)?;
        let section = elf.section_bytes(section).map_err(unreadable)?;
        let container = Container::read(section, elf.arch().endian())?;
        let table = Table::read(&container)?;
        let is_parent = |kernel: &Arc<Self>| {
            let (_, label) = container.parent()?;
            Some(kernel.container.label() == Some(label))
        };
        let parent = kernel.filter(|kernel| is_parent(kernel) == Some(true));
        Ok(Self {
            arch: elf.arch(),
            number,
            container,
            table,
            parent,
            symbols,
            has_symtab: elf.has_symtab(),
            is_module: false,
            objects: OnceLock::new(),
        })
    }

    /// Where the types come from.
    pub fn origin(&self) -> Origin {
        Origin::Ctf {
            version: self.container.version.number(),
            types: self.table.len(),
            label: self.container.label().map(Box::from),
        }
    }

    /// The type with that id.
    ///
    /// # Errors
    /// There is none, or it is damaged.
    pub fn read(&self, id: TypeId, budget: &Budget) -> Result<Type, TypeError> {
        let number = id.place().map_or(0, |(_, place)| place);
        self.type_of(u32::try_from(number).unwrap_or(0), budget)
    }

    /// The id of a type, which may be one of the parent.
    fn id(&self, id: u32) -> Option<TypeId> {
        let parent = self.parent.as_ref().filter(|_| self.table.is_of_parent(id));
        TypeId::in_file(parent.map_or(self.number, |parent| parent.number), id.into())
    }

    /// The record of a type, which may be one of the parent.
    fn entry(&self, id: u32) -> Result<Entry, TypeError> {
        match &self.parent {
            Some(parent) if self.table.is_of_parent(id) => parent.entry(id),
            None if self.table.is_of_parent(id) => {
                let (name, _) = self.container.parent().unwrap_or_default();
                let whose = if name.is_empty() { "another container" } else { name };
                let why = format!("type {id:#x} is one of {whose}, whose CTF this one continues");
                Err(TypeError::UnreadableCtf { why })
            }
            _ => self.table.entry(&self.container, id),
        }
    }
}

fn unreadable(why: KernelError) -> TypeError {
    TypeError::UnreadableCtf { why: why.to_string() }
}

/// Containers made by hand, in both versions and both byte orders.
#[cfg(test)]
mod tests {
    use std::sync::{Arc, OnceLock};

    use super::*;
    use crate::budget::Allowance;
    use crate::bytes::Endian;
    use crate::kernel::SectionBytes;
    use crate::types::model::*;

    /// Writes types one after the other.
    struct Made {
        version: u8,
        endian: Endian,
        types: Vec<u8>,
        strings: Vec<u8>,
        /// The offset of the parent's name.
        parent: u32,
    }

    impl Made {
        fn new(version: u8, endian: Endian) -> Self {
            Self { version, endian, types: Vec::new(), strings: vec![0], parent: 0 }
        }

        fn name(&mut self, name: &str) -> u32 {
            let at = self.strings.len() as u32;
            self.strings.extend(name.bytes().chain([0]));
            if name.is_empty() { 0 } else { at }
        }

        /// A number of `size` bytes at the end of the types.
        fn put(&mut self, number: u32, size: u64) -> &mut Self {
            self.types.extend(self.endian.bytes(number.into(), size));
            self
        }

        /// A number as wide as an id.
        fn id(&mut self, number: u32) -> &mut Self {
            self.put(number, if self.version == 2 { 2 } else { 4 })
        }

        fn head(&mut self, kind: u32, name: &str, count: u32, size_or_type: u32) -> &mut Self {
            let name = self.name(name);
            let info = if self.version == 2 { kind << 11 | count } else { kind << 26 | count };
            self.put(name, 4).id(info).id(size_or_type)
        }

        fn integer(&mut self, name: &str, size: u32, encoding: u32, bits: u32) -> &mut Self {
            self.head(1, name, 0, size).put(encoding << 24 | bits, 4)
        }

        fn member(&mut self, name: &str, type_id: u32, offset: u32) -> &mut Self {
            let name = self.name(name);
            self.put(name, 4).id(type_id).id(offset)
        }

        fn big_member(&mut self, name: &str, type_id: u32, high: u32, low: u32) -> &mut Self {
            let name = self.name(name);
            self.put(name, 4).id(type_id);
            if self.version == 2 {
                self.put(0, 2);
            }
            self.put(high, 4).put(low, 4)
        }

        fn section(&self) -> Vec<u8> {
            let mut section = self.endian.bytes(0xcff1, 2);
            section.extend([self.version, 0]);
            let (types, strings) = (self.types.len() as u32, self.strings.len() as u32);
            let words = [self.parent, self.parent, 0, 0, 0, 0, types, strings];
            words.iter().for_each(|word| section.extend(self.endian.bytes((*word).into(), 4)));
            section.extend(self.types.iter().chain(&self.strings));
            section
        }

        fn file(&self, arch: Arch, number: FileNumber, parent: Option<Arc<CtfFile>>) -> CtfFile {
            let bytes = SectionBytes::Unpacked(self.section().into());
            let container = Container::read(bytes, self.endian).unwrap();
            let table = Table::read(&container).unwrap();
            CtfFile {
                arch,
                number,
                container,
                table,
                parent,
                symbols: Symbols::none().into(),
                has_symtab: true,
                is_module: false,
                objects: OnceLock::new(),
            }
        }
    }

    fn read(file: &CtfFile, id: u32) -> Result<Type, TypeError> {
        file.type_of(id, &Budget::new(Allowance::for_files(1 << 20)))
    }

    fn id(number: u64) -> TypeId {
        TypeId::in_file(FileNumber::default(), number).unwrap()
    }

    /// The ways to write a container.
    fn forms() -> impl Iterator<Item = (Made, Arch)> {
        [2, 3].into_iter().flat_map(|version| {
            [(Endian::Little, Arch::Amd64), (Endian::Big, Arch::Powerpc64)]
                .map(|(endian, arch)| (Made::new(version, endian), arch))
        })
    }

    #[test]
    fn every_kind_becomes_its_type() {
        for (mut made, arch) in forms() {
            made.integer("int", 4, 1, 32).integer("void", 0, 1, 0);
            made.head(3, "", 0, 2).head(12, "", 0, 1).head(10, "int_t", 0, 4);
            made.head(4, "", 0, 24).id(1).id(1).put(6, 4);
            made.head(4, "", 0, 0).id(6).id(1).put(0, 4);
            made.head(5, "", 3, 2).id(3).id(5).id(0);
            if made.version == 2 {
                made.put(0, 2);
            }
            let red = made.name("RED");
            made.head(8, "color", 1, 4).put(red, 4).put(u32::MAX, 4);
            made.head(9, "later", 0, 0)
                .head(0, "", 0, 0)
                .head(2, "double", 0, 8)
                .put(2 << 24 | 64, 4);
            let file = made.file(arch, FileNumber::default(), None);
            let read = |id| read(&file, id).unwrap();

            let Type::Base(int) = read(1) else { panic!() };
            assert_eq!((&*int.name, int.size, int.encoding), ("int", 4, Encoding::Signed));
            assert_eq!(read(2), Type::Void);
            assert_eq!(read(3), Type::Pointer(Pointer { target: TypeId::VOID, size: 8 }));
            let constant = Qualified { qualifier: Qualifier::Const, target: id(1) };
            assert_eq!(read(4), Type::Qualified(constant));
            assert_eq!(read(5), Type::Typedef(Typedef { name: "int_t".into(), target: id(4) }));
            let rows = Array { element: id(1), counts: vec![None, Some(6)] };
            assert_eq!(read(7), Type::Array(rows));
            let Type::Function(function) = read(8) else { panic!() };
            assert_eq!(function.parameters, [id(3), id(5)]);
            assert_eq!((function.returns, function.variadic), (TypeId::VOID, true));
            let Type::Enum(color) = read(9) else { panic!() };
            assert_eq!((color.size, color.signed, color.enumerators[0].value), (4, true, -1));
            let Type::Record(later) = read(10) else { panic!() };
            assert!(later.declaration && later.size.is_none());
            self::read(&file, 11).unwrap_err();
            assert!(matches!(read(12), Type::Base(Base { encoding: Encoding::Float, .. })));
            assert_eq!(file.table.len(), 12);
            self::read(&file, 13).unwrap_err();
            self::read(&file, 0).unwrap_err();
        }
    }

    #[test]
    fn bit_fields_have_their_widths() {
        for (mut made, arch) in forms() {
            let suffix = if made.version == 3 { " bitfield" } else { "" };
            made.integer(&format!("unsigned int{suffix}"), 4, 0, 3);
            made.integer("unsigned int", 4, 0, 32);
            made.head(8, "state", 0, 4);
            made.head(6, "flags", 5, 12);
            made.member("low", 1, 5).member("word", 2, 9).member("enum", 3, 41);
            made.member("next", 1, 44).member("last", 3, 64);
            let file = made.file(arch, FileNumber::default(), None);
            let Type::Record(flags) = read(&file, 4).unwrap() else { panic!() };
            let places = flags.members.iter().map(|m| (m.offset, m.bits)).collect::<Vec<_>>();
            let bits = |bit_offset, bit_size| Some(BitField { bit_offset, bit_size, exact: true });
            let expected =
                [(0, bits(5, 3)), (1, bits(1, 32)), (5, bits(1, 3)), (5, bits(4, 3)), (8, None)];
            assert_eq!(places, expected);
            // The name of the type is not that of the whole number.
            let Type::Base(base) = read(&file, 1).unwrap() else { panic!() };
            assert_eq!((&*base.name, base.size), ("unsigned int", 4));
            let index = file.index_names();
            assert!(
                index.others(crate::types::name_index::Class::Plain, "unsigned int").is_empty()
            );
        }
    }

    /// An enum says nothing of its width, and there may be padding behind it.
    #[test]
    fn an_enum_ends_for_sure_only_where_a_bit_field_follows() {
        for (mut made, arch) in forms() {
            let suffix = if made.version == 3 { " bitfield" } else { "" };
            made.integer(&format!("unsigned int{suffix}"), 4, 0, 3);
            made.integer("unsigned int", 4, 0, 32);
            made.integer(&format!("_Bool{suffix}"), 1, 5, 1);
            made.head(8, "state", 0, 4);
            made.head(6, "flags", 8, 24);
            made.member("before_bool", 4, 0).member("bool", 3, 8);
            made.member("before_word", 4, 9).member("word", 2, 32);
            made.member("before_bits", 4, 64).member("bits", 1, 77);
            made.member("before_unit", 4, 80).member("unit", 1, 96);
            made.head(6, "last", 1, 2).member("state", 4, 0);
            let file = made.file(arch, FileNumber::default(), None);
            let widths = |id| {
                let Type::Record(record) = read(&file, id).unwrap() else { panic!() };
                let enums = record.members.into_iter().filter(|m| m.type_id == self::id(4));
                enums.map(|m| m.bits.map(|bits| (bits.bit_size, bits.exact))).collect::<Vec<_>>()
            };
            let expected = [(8, true), (23, false), (13, true), (16, false)].map(Some);
            assert_eq!(widths(5), expected);
            assert_eq!(widths(6), [Some((16, false))]);
        }
    }

    #[test]
    fn members_of_large_structs_have_wide_offsets() {
        for (mut made, arch) in forms() {
            made.integer("char", 1, 3, 8);
            let large = if made.version == 2 { 0xffff } else { u32::MAX };
            made.head(6, "huge", 2, large).put(1, 4).put(8, 4);
            made.big_member("first", 1, 0, 0).big_member("last", 1, 8, 56);
            if made.version == 2 {
                made.head(6, "big", 1, 8192).big_member("only", 1, 0, 0x1_0000);
            }
            let file = made.file(arch, FileNumber::default(), None);
            let Type::Record(huge) = read(&file, 2).unwrap() else { panic!() };
            assert_eq!(huge.size, Some((1 << 32) + 8));
            assert_eq!(huge.members[1].offset, (1 << 32) + 7);
            if made.version == 2 {
                let Type::Record(big) = read(&file, 3).unwrap() else { panic!() };
                assert_eq!(big.members[0].offset, 0x2000);
            }
            assert!(file.may_be_of(2, (1 << 32) + 8) && !file.may_be_of(2, 8));
        }
    }

    #[test]
    fn a_container_may_continue_that_of_the_kernel() {
        for (mut made, arch) in forms() {
            let (version, endian) = (made.version, made.endian);
            made.integer("int", 4, 1, 32);
            let kernel = Arc::new(made.file(arch, FileNumber::default(), None));
            let mut made = Made::new(version, endian);
            made.parent = made.name("kernel.full");
            let own = if version == 2 { 0x8000 } else { 1 << 31 };
            made.head(10, "own_t", 0, 1).head(3, "", 0, own | 1);
            let module = FileNumber::of_module(1).unwrap();
            let child = made.file(arch, module, Some(kernel));
            let Type::Typedef(typedef) = read(&child, own | 1).unwrap() else { panic!() };
            assert_eq!(typedef.target, id(1));
            let Type::Pointer(pointer) = read(&child, own | 2).unwrap() else { panic!() };
            assert_eq!(pointer.target, TypeId::in_file(module, (own | 1).into()).unwrap());
            assert!(child.may_be_of(own | 1, 4));
            assert_eq!(child.name_of(pointer.target).as_deref(), Some("own_t"));
            // Without the kernel's the own types are known.
            let alone = made.file(arch, module, None);
            read(&alone, own | 1).unwrap();
            let why = read(&alone, 1).unwrap_err().to_string();
            assert!(why.contains("is one of kernel.full, whose CTF"), "{why}");
            // A damaged header has an offset where no name is.
            made.parent = u32::MAX;
            let why = read(&made.file(arch, module, None), 1).unwrap_err().to_string();
            let wanted = "the CTF cannot be read: type 0x1 is one of another container, whose CTF";
            assert!(why.starts_with(wanted), "{why}");
        }
    }

    #[test]
    fn a_symbol_of_another_size_has_no_type() {
        for (mut made, arch) in forms() {
            made.integer("int", 4, 1, 32).head(10, "int_t", 0, 1);
            made.head(4, "", 0, 0).id(1).id(1).put(0, 4);
            made.head(6, "open", 2, 4).member("n", 1, 0).member("rest", 3, 32);
            made.head(3, "", 0, 1).head(5, "", 0, 1).head(9, "never", 0, 0).head(10, "self", 0, 8);
            let file = made.file(arch, FileNumber::default(), None);
            for (id, size, may_be) in [
                (2, 4, true),
                (2, 1, false),
                (2, 8, false),
                (2, 0, true),
                (3, 40, true),
                (4, 4, true),
                (4, 44, true),
                (4, 3, false),
                (5, 8, true),
                (5, 4, false),
                (6, 8, false),
                (7, 0, true),
                (7, 8, false),
                (8, 0, false),
                (9, 4, false),
            ] {
                assert_eq!(file.may_be_of(id, size), may_be, "{id} {size}");
            }
        }
    }
}
