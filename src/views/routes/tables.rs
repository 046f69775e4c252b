//! Where a stack's routing tables are: V_rt_tables (`sys/net/route.c`,
//! `sys/net/route/route_tables.c`), an array of pointers with a place for each FIB and family.

use crate::target::ReadError;
use crate::types::model::{Array, Type};
use crate::types::{TypeError, TypeId, Types, WantedKind};
use crate::value::Object;
use crate::views::family::Family;
use crate::vnet::Copies;
use crate::walk::{Problem, Problems};

/// The place of a routing table, and its head.
pub struct Head<'t> {
    pub fib: u64,
    pub family: Family,
    /// A struct rib_head, or a struct radix_node_head up to 10.
    pub head: Object<'t>,
}

/// The tables of a stack.
#[derive(Default)]
pub struct Heads<'t> {
    /// How many FIBs the stack has; `None` if that is unknown.
    pub fibs: Option<u64>,
    /// Each FIB's tables, IPv4 first.
    pub heads: Vec<Head<'t>>,
    pub problems: Problems,
}

const TABLES: &str = "rt_tables";

/// More than a kernel has (RT_MAXFIBS, `sys/net/route.h`, is 65536 since 11.2).
const MOST_FIBS: u64 = 65536;

impl<'t> Heads<'t> {
    /// Those of the stack of `copies`.
    pub fn of(copies: &Copies<'t>) -> Self {
        let mut found = Self::default();
        let name = copies.name(TABLES);
        let variable = match copies.get(TABLES) {
            Ok(Some(variable)) => variable,
            Ok(None) => {
                found.problems.add(Problem::new(name, "the kernel has no such variable"));
                return found;
            }
            Err(why) => {
                found.problems.add(why);
                return found;
            }
        };
        if let Err(why) = found.read(copies, &variable) {
            found.problems.add(Problem::unreadable(name, why));
        }
        found
    }

    fn read(&mut self, copies: &Copies<'t>, variable: &Object<'t>) -> Result<(), ReadError> {
        let target = copies.target();
        let (memory, types) = (target.memory(), target.types()?);
        let first = memory.pointer(variable.address)?;
        if first.is_null() {
            // Not made yet, or gone.
            return Ok(());
        }
        let (head, families) = (pointed_at(types, variable.type_id)?, families(types)?);
        Object::new(target, head, first).check_freed()?;
        let fibs = fibs(copies)?;
        self.fibs = Some(fibs);
        if fibs > MOST_FIBS {
            let why = format!("the number of FIBs is {fibs}, and {MOST_FIBS} are read");
            self.problems.add(Problem::new(copies.name(TABLES), why));
        }
        for fib in 0..fibs.min(MOST_FIBS) {
            for family in Family::ALL {
                target.budget().work(1)?;
                let place = fib.saturating_mul(families).saturating_add(family.number().into());
                let place = place.wrapping_mul(target.arch().pointer_size());
                let at = first.wrapping_add(place);
                match memory.pointer(at) {
                    Ok(table) if table.is_null() => {}
                    Ok(table) => {
                        let head = Object::new(target, head, table);
                        self.heads.push(Head { fib, family, head });
                    }
                    Err(fault) => {
                        let what = format!("the {family} routes of FIB {fib}");
                        self.problems.add(Problem::unreadable(what, fault.into()));
                    }
                }
            }
        }
        Ok(())
    }
}

/// The struct behind all pointers: the variable is an array of pointers, whatever its type says.
fn pointed_at(types: &Types, variable: TypeId) -> Result<TypeId, ReadError> {
    let mut id = types.pointee(variable)?;
    while let Ok(inner) = types.pointee(id) {
        if inner == id {
            break;
        }
        id = inner;
    }
    Ok(id)
}

/// How many places each FIB has: AF_MAX + 1. An interface has AF_MAX pointers for its families.
fn families(types: &Types) -> Result<u64, ReadError> {
    let interface = types.find("struct ifnet")?;
    let field = types.member(interface, "if_afdata")?;
    let (_, found) = types.resolve(field.type_id)?;
    match &*found {
        Type::Array(Array { counts, .. }) if matches!(counts[..], [Some(1..)]) => {
            Ok(counts.iter().flatten().sum::<u64>().saturating_add(1))
        }
        _ => {
            let type_name = types.name(field.type_id);
            Err(TypeError::WrongKind { type_name, wanted: WantedKind::Array }.into())
        }
    }
}

/// Since 13 each vnet has its own number; before, the kernel has one.
fn fibs(copies: &Copies<'_>) -> Result<u64, ReadError> {
    let target = copies.target();
    if let Ok(Some(own)) = copies.get("_rt_numfibs") {
        let size = target.types()?.size_of(own.type_id)?.min(8) as usize;
        return Ok(target.memory().uint(own.address, size)?);
    }
    target.integer("rt_numfibs")
}
