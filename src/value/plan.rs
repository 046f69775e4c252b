//! How to read values of a type, worked out once.
//!
//! An array needs the same for every element, and every vnet has the same variables,
//! so what is behind typedefs, how large it is, and what its members are called is
//! kept, and each plan leads to those of its parts.

use std::sync::{Arc, PoisonError, RwLock};

use rustc_hash::FxHashMap;

use crate::bytes::Endian;
use crate::types::model::*;
use crate::types::{TypeError, Types, WantedKind};
use crate::value::counter::is_counter;
use crate::value::meaning::{FoundFormats, Meaning, NumberMeaning};
use crate::value::model::{ErrorKind, ValueError};
use crate::value::number::{Number, is_char, is_integer};
use crate::value::record::MemberNames;

/// The plans of one kernel's types, and the formats of its flags. Threads share them.
#[derive(Debug, Default)]
pub struct Plans {
    made: RwLock<FxHashMap<TypeId, Arc<Plan>>>,
    formats: FoundFormats,
}

/// How values of one type are read.
#[derive(Debug)]
pub(in crate::value) struct Plan {
    pub shape: Shape,
    /// Bytes.
    pub size: Result<u64, TypeError>,
    /// Is there a counter in it, or might there be one?
    pub counters: bool,
}

#[derive(Debug)]
pub(in crate::value) enum Shape {
    Counter,
    Number(Number),
    /// A number that means something.
    Meant(Number, NumberMeaning),
    /// A wider number, or one of an unknown encoding.
    Base(Base),
    Pointer(PointerPlan),
    Enum(Enumeration),
    Record(RecordPlan),
    Array(ArrayPlan),
    /// It has no values; the reason.
    Nothing(ValueError),
}

/// What a pointer points at.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::value) struct PointerPlan {
    pub to_function: bool,
    pub to_text: bool,
    /// To single bytes, which may be text too.
    pub to_byte: bool,
}

#[derive(Debug)]
pub(in crate::value) struct RecordPlan {
    pub members: Box<[MemberPlan]>,
    /// Of the members, and of those of [`Place::Among`].
    pub names: Arc<MemberNames>,
    pub meaning: Option<Meaning>,
    /// Bytes.
    pub size: u64,
}

#[derive(Debug)]
pub(in crate::value) struct MemberPlan {
    pub place: Place,
    /// Bytes from the start of the record.
    pub offset: usize,
    pub kind: MemberKind,
}

/// Where the value of a member stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::value) enum Place {
    /// Under its name.
    Named,
    /// It is an anonymous record with this many members, which stand among the others, and
    /// [`RecordPlan::names`] has their names.
    Among(usize),
    /// The same, but they bring their names.
    Apart,
}

#[derive(Debug)]
pub(in crate::value) enum MemberKind {
    Value(Part),
    Bits(BitField, BitType, Option<NumberMeaning>),
}

/// The type of a bit-field, behind typedefs.
pub(in crate::value) type BitType = Result<Arc<Type>, ValueError>;

#[derive(Debug)]
pub(in crate::value) struct ArrayPlan {
    pub element: Part,
    /// Bytes of one.
    pub size: u64,
    /// Number of elements in each dimension, the outermost first.
    pub counts: Box<[u64]>,
    /// Of elements that are numbers.
    pub number: Option<Number>,
    /// The elements are `char`.
    pub characters: bool,
}

/// The plan of a part.
#[derive(Debug, Clone)]
pub(in crate::value) enum Part {
    Known(Arc<Plan>),
    /// The plan is made when it is needed: in a damaged file a type may be part of
    /// itself.
    Later(TypeId),
}

impl Plans {
    /// The plan for a type.
    pub(in crate::value) fn of(&self, types: &Types, id: TypeId) -> Arc<Plan> {
        if let Some(known) = self.known(id) {
            return known;
        }
        let mut making = Making {
            plans: self,
            types,
            endian: types.arch().endian(),
            made: FxHashMap::default(),
            within: Vec::new(),
            cut: false,
        };
        match making.part(id) {
            Part::Known(plan) => {
                // A larger budget might allow it.
                if !making.cut {
                    let mut known = self.made.write().unwrap_or_else(PoisonError::into_inner);
                    known.extend(making.made);
                }
                plan
            }
            Part::Later(_) => Arc::new(Plan::nothing(TypeError::Unreadable {
                why: format!("{} is part of itself", types.name(id)),
            })),
        }
    }

    fn known(&self, id: TypeId) -> Option<Arc<Plan>> {
        self.made.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// The formats by which the kernel prints flags.
    pub(in crate::value) fn formats(&self) -> &FoundFormats {
        &self.formats
    }
}

impl Plan {
    fn nothing(why: TypeError) -> Self {
        let shape = Shape::Nothing(why.clone().into());
        Self { shape, size: Err(why), counters: false }
    }

    /// The same of a number that means something.
    pub fn meaning(self: Arc<Self>, meaning: NumberMeaning) -> Arc<Self> {
        match self.shape {
            Shape::Number(number) => {
                let shape = Shape::Meant(number, meaning);
                Arc::new(Self { shape, size: self.size.clone(), counters: false })
            }
            _ => self,
        }
    }
}

impl PointerPlan {
    /// A pointer to that type.
    ///
    /// # Errors
    /// An entry is damaged.
    pub fn to(types: &Types, pointee: TypeId) -> Result<Self, TypeError> {
        let (_, found) = types.strip(pointee)?;
        let to_text = matches!(&*found, Type::Base(base) if is_char(base));
        let to_byte = matches!(&*found, Type::Base(base) if base.size == 1 && is_integer(base));
        Ok(Self { to_function: matches!(&*found, Type::Function(_)), to_text, to_byte })
    }
}

impl Part {
    /// The same of a number that means something.
    fn meaning(self, meaning: NumberMeaning) -> Self {
        match self {
            Self::Known(plan) => Self::Known(plan.meaning(meaning)),
            Self::Later(_) => self,
        }
    }

    fn may_hold_counters(&self) -> bool {
        match self {
            Self::Known(plan) => plan.counters,
            Self::Later(_) => true,
        }
    }
}

/// The deepest nesting of parts; real types are far shallower.
const DEEPEST: usize = 64;

/// Of more names a record has no copies.
const MOST_NAMES: usize = 4096;

/// The way down through the parts of one type.
struct Making<'a> {
    plans: &'a Plans,
    types: &'a Types,
    endian: Endian,
    made: FxHashMap<TypeId, Arc<Plan>>,
    /// What is being made.
    within: Vec<TypeId>,
    /// The budget was not enough for some of them.
    cut: bool,
}

impl Making<'_> {
    fn part(&mut self, id: TypeId) -> Part {
        let known = self.made.get(&id).cloned().or_else(|| self.plans.known(id));
        if let Some(plan) = known {
            return Part::Known(plan);
        }
        if self.within.len() >= DEEPEST || self.within.contains(&id) {
            return Part::Later(id);
        }
        self.within.push(id);
        let plan = self.plan(id);
        self.within.pop();
        if let Part::Known(plan) = &plan {
            self.made.insert(id, Arc::clone(plan));
        }
        plan
    }

    fn plan(&mut self, id: TypeId) -> Part {
        if is_counter(self.types, id) {
            let size = self.types.size_of(id);
            return self.checked(Plan { shape: Shape::Counter, size, counters: true });
        }
        let meaning = NumberMeaning::of(self.types, id);
        match self.types.resolve(id) {
            Ok((_, found)) if meaning.is_some() => {
                let size = self.types.size_of(id);
                let mut plan = self.of_type(id, &found, size);
                if let (Shape::Number(number), Some(meaning)) = (&plan.shape, meaning) {
                    plan.shape = Shape::Meant(*number, meaning);
                }
                self.checked(plan)
            }
            // What a typedef stands for has a plan of its own.
            Ok((resolved, _)) if resolved != id => self.part(resolved),
            Ok((_, found)) => {
                let size = self.types.size_of(id);
                let plan = self.of_type(id, &found, size);
                self.checked(plan)
            }
            Err(why) => self.checked(Plan::nothing(why)),
        }
    }

    fn checked(&mut self, plan: Plan) -> Part {
        self.cut |= matches!(plan.size, Err(TypeError::Limit(_)));
        Part::Known(Arc::new(plan))
    }

    fn of_type(&mut self, id: TypeId, found: &Type, size: Result<u64, TypeError>) -> Plan {
        let types = self.types;
        let shape = match found {
            Type::Base(base) => match Number::of(base, self.endian) {
                Some(number) => Shape::Number(number),
                None => Shape::Base(base.clone()),
            },
            Type::Pointer(pointer) => Shape::Pointer(self.pointer(pointer)),
            Type::Enum(enumeration) => Shape::Enum(enumeration.clone()),
            Type::Record(record) if record.declaration => {
                Shape::Nothing(TypeError::Incomplete { type_name: types.name(id) }.into())
            }
            Type::Record(record) => match self.record(id, record) {
                Ok(record) => Shape::Record(record),
                Err(why) => return Plan::nothing(why),
            },
            Type::Array(array) => match self.array(array) {
                Ok(array) => Shape::Array(array),
                Err(why) => Shape::Nothing(why.into()),
            },
            Type::Typedef(_) | Type::Qualified(_) | Type::Void | Type::Function(_) => {
                let wanted = WantedKind::Valued;
                Shape::Nothing(TypeError::WrongKind { type_name: types.name(id), wanted }.into())
            }
        };
        let counters = match &shape {
            Shape::Record(record) => record.members.iter().any(|member| match &member.kind {
                MemberKind::Value(part) => part.may_hold_counters(),
                MemberKind::Bits(..) => false,
            }),
            Shape::Array(array) => array.element.may_hold_counters(),
            _ => false,
        };
        Plan { shape, size, counters }
    }

    fn pointer(&mut self, pointer: &Pointer) -> PointerPlan {
        let plan = PointerPlan::to(self.types, pointer.target);
        self.cut |= matches!(plan, Err(TypeError::Limit(_)));
        plan.unwrap_or_default()
    }

    fn array(&mut self, array: &Array) -> Result<ArrayPlan, TypeError> {
        let element = self.part(array.element);
        let size = match &element {
            Part::Known(plan) => plan.size.clone(),
            Part::Later(id) => self.types.size_of(*id),
        }?;
        let number = match &element {
            Part::Known(plan) => match plan.shape {
                Shape::Number(number) => Some(number),
                _ => None,
            },
            Part::Later(_) => None,
        };
        let characters = match self.types.resolve(array.element) {
            Ok((_, found)) => size == 1 && matches!(&*found, Type::Base(base) if is_char(base)),
            Err(_) => false,
        };
        let counts = array.counts.iter().map(|count| count.unwrap_or(0)).collect();
        Ok(ArrayPlan { element, size, counts, number, characters })
    }

    fn record(&mut self, id: TypeId, record: &Record) -> Result<RecordPlan, TypeError> {
        let mut names: Vec<Arc<str>> = Vec::new();
        let mut members = Vec::with_capacity(record.members.len());
        for member in &record.members {
            let meaning = record.name.as_deref().zip(member.name.as_deref());
            let meaning = meaning.and_then(|(record, member)| {
                NumberMeaning::of_member(self.types, id, record, member)
            });
            let kind = match (member.bits, meaning) {
                (Some(field), _) => {
                    MemberKind::Bits(field, self.bit_field(member.type_id), meaning)
                }
                (None, None) => MemberKind::Value(self.part(member.type_id)),
                (None, Some(meaning)) => {
                    MemberKind::Value(self.part(member.type_id).meaning(meaning))
                }
            };
            let inner = match &kind {
                MemberKind::Value(Part::Known(plan)) => match &plan.shape {
                    Shape::Record(inner) => Some(&inner.names.names),
                    _ => None,
                },
                _ => None,
            };
            let place = match (&member.name, inner) {
                (Some(name), _) => {
                    names.push(Arc::from(&**name));
                    Place::Named
                }
                (None, Some(inner)) if inner.len() <= MOST_NAMES => {
                    names.extend(inner.iter().cloned());
                    Place::Among(inner.len())
                }
                (None, _) => Place::Apart,
            };
            let offset = usize::try_from(member.offset).unwrap_or(usize::MAX);
            members.push(MemberPlan { place, offset, kind });
        }
        let kept = members.len() * size_of::<MemberPlan>() + names.len() * size_of::<Arc<str>>();
        self.types.budget().bytes(kept as u64)?;
        let meaning = Meaning::of(self.types, id, record);
        let address = match meaning {
            Some(Meaning::Address(address)) => Some(address),
            _ => None,
        };
        Ok(RecordPlan {
            members: members.into(),
            names: Arc::new(MemberNames { names: names.into(), address }),
            meaning,
            size: record.size.unwrap_or(0),
        })
    }

    fn bit_field(&mut self, id: TypeId) -> BitType {
        let found = bit_field(self.types, id);
        self.cut |= matches!(&found, Err(why) if why.kind == ErrorKind::Limit);
        found
    }
}

/// The type of a bit-field.
pub(in crate::value) fn bit_field(types: &Types, id: TypeId) -> BitType {
    types.resolve(id).map(|(_, found)| found).map_err(ValueError::from)
}
