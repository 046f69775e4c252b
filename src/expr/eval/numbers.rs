//! Operands as numbers: read, promoted as C promotes them, and cast.

use crate::addr::VirtAddr;
use crate::expr::eval::{ExprError, Operand, Operator, Scattered, Scope};
use crate::expr::integer::{Integer, IntegerType};
use crate::types::TypeId;
use crate::types::model::{BitField, Encoding, Type};
use crate::value::bits;

impl Scope<'_> {
    /// The number that an operand is, promoted: an integer, enum or bool; of a pointer or
    /// function, the address.
    pub(super) fn integer(&self, operand: &Operand) -> Result<Integer, ExprError> {
        let arch = self.target.arch();
        let (type_id, field) = match *operand {
            Operand::Integer(integer) => return Ok(integer),
            Operand::Function { address } => {
                return Ok(IntegerType::size(arch).wrap(address.get().into(), arch));
            }
            Operand::Untyped { address, size: size @ (1 | 2 | 4 | 8) } => {
                let of = IntegerType::promoted(size, true, "", arch);
                return Ok(of.wrap(self.read(address, size)? as i128, arch));
            }
            Operand::Untyped { .. }
            | Operand::Text(_)
            | Operand::Many(_)
            | Operand::Unreadable(_) => {
                return Err(self.wrong(Operator::Arithmetic, operand));
            }
            Operand::Number { type_id, .. } => (type_id, None),
            Operand::Place { type_id, bits, .. } => (type_id, bits),
            Operand::Scattered(Scattered { type_id, bits, .. }) => (type_id, bits),
        };
        let of = self.promoted(type_id, field)?;
        let of = of.ok_or_else(|| self.wrong(Operator::Arithmetic, operand))?;
        let value = match *operand {
            Operand::Number { value, .. } => value,
            Operand::Place { address, .. } => self.value_at(type_id, address, field)?,
            Operand::Scattered(ref part) if !self.unevaluated.get() => {
                let (raw, width) = part.uint(self.target)?;
                self.extended(type_id, raw, width)?
            }
            _ => 0,
        };
        Ok(of.wrap(value, arch))
    }

    /// An address without a type.
    pub(super) fn address_alone(&self, address: u64) -> Operand {
        let arch = self.target.arch();
        Operand::Integer(IntegerType::size(arch).wrap(address.into(), arch))
    }

    /// A value of another type. Looking at a struct's bytes as those of another C forbids
    /// and every debugger allows.
    pub(super) fn cast(&self, to: TypeId, operand: &Operand) -> Result<Operand, ExprError> {
        let types = self.types()?;
        let (_, kind) = types.resolve(to)?;
        let refused = || self.wrong(Operator::Cast(types.name(to)), operand);
        let width = match &*kind {
            Type::Record(_) | Type::Array(_) => {
                let address = operand.address().ok_or_else(refused)?;
                self.doubt_cast(to, operand);
                return Ok(Operand::place(to, address));
            }
            Type::Base(base) if is_integer(base.encoding) => base.size.saturating_mul(8),
            Type::Base(_) => return Err(refused()),
            _ => types.size_of(to)?.saturating_mul(8),
        };
        let value = self.scalar(operand)?.value;
        let is_bool = matches!(&*kind, Type::Base(base) if base.encoding == Encoding::Bool);
        let value = if is_bool {
            i128::from(value != 0)
        } else if types.is_signed(to)? || width >= 128 {
            bits::sign_extend(value as u128, width)
        } else {
            value & ((1i128 << width) - 1)
        };
        Ok(Operand::Number { value, type_id: to })
    }

    /// A cast to a struct takes the memory of its operand for one, as in gdb. If it is larger than
    /// the operand, a pointer was probably meant, or parentheses.
    fn doubt_cast(&self, to: TypeId, operand: &Operand) {
        let Ok(types) = self.types() else { return };
        let Operand::Place { type_id: of, .. } = *operand else { return };
        if let (Ok(had), Ok(size)) = (types.size_of(of), types.size_of(to))
            && size > had
        {
            let (to, of) = (types.name(to), types.name(of));
            self.remark(format!(
                "the cast to {to} ({size} bytes) reads past the {of} ({had} bytes)"
            ));
        }
    }

    /// The type that C's arithmetic takes a value of this type for; `None` if it takes
    /// none. Pointers are numbers of their size, which C would not allow.
    fn promoted(
        &self,
        type_id: TypeId,
        field: Option<BitField>,
    ) -> Result<Option<IntegerType>, ExprError> {
        let types = self.types()?;
        let arch = self.target.arch();
        let signed = types.is_signed(type_id)?;
        let of = match &*types.resolve(type_id)?.1 {
            Type::Base(base) if is_integer(base.encoding) => {
                IntegerType::promoted(base.size, !signed, &base.name, arch)
            }
            Type::Enum(enumeration) => IntegerType::promoted(enumeration.size, !signed, "", arch),
            Type::Pointer(_) => IntegerType::size(arch),
            _ => return Ok(None),
        };
        Ok(Some(field.map_or(of, |field| of.of_bits(field.bit_size, !signed))))
    }

    /// The number at an address, by a type of numbers.
    fn value_at(
        &self,
        type_id: TypeId,
        address: VirtAddr,
        field: Option<BitField>,
    ) -> Result<i128, ExprError> {
        let types = self.types()?;
        let (raw, width) = match field {
            Some(field) => {
                let field = field.known()?;
                let mut bytes = [0; 16];
                let bytes = &mut bytes[..bits::bytes_of(field)];
                self.read_into(address, bytes)?;
                (bits::extract(self.target.arch().endian(), bytes, field), field.bit_size)
            }
            None => {
                let size = types.size_of(type_id)?;
                (self.read(address, size)?, size.saturating_mul(8))
            }
        };
        self.extended(type_id, raw, width)
    }

    fn extended(&self, type_id: TypeId, raw: u128, width: u64) -> Result<i128, ExprError> {
        let signed = self.types()?.is_signed(type_id)?;
        Ok(if signed { bits::sign_extend(raw, width) } else { raw as i128 })
    }

    /// The unsigned number of `size` bytes, 16 at most, at an address.
    fn read(&self, address: VirtAddr, size: u64) -> Result<u128, ExprError> {
        let mut bytes = [0; 16];
        let bytes = &mut bytes[..size.min(16) as usize];
        self.read_into(address, bytes)?;
        Ok(self.target.arch().endian().uint(bytes))
    }

    fn read_into(&self, address: VirtAddr, bytes: &mut [u8]) -> Result<(), ExprError> {
        if !self.unevaluated.get() {
            self.target.memory().read(address, bytes)?;
        }
        Ok(())
    }
}

/// The kernel computes with integers alone, and so do expressions.
fn is_integer(encoding: Encoding) -> bool {
    !matches!(encoding, Encoding::Float | Encoding::Other)
}
