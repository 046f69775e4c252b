//! Sums of counters as JSON.

use serde::{Serialize, Serializer};

use super::JsonError;
use crate::addr::VirtAddr;
use crate::value::model::ValueError;
use crate::views::counters::{CounterSums, CounterVariable};

/// The counters of a variable in a vnet.
#[derive(Debug, Clone, Serialize)]
pub struct JsonCounters<'a> {
    name: &'a str,
    /// The struct that names them, else the variable's own type.
    #[serde(rename = "type")]
    type_name: &'a str,
    /// Null where the vnet has no copy.
    address: Option<VirtAddr>,
    file: Option<&'a str>,
    members: Vec<JsonMember<'a>>,
}

#[derive(Debug, Clone, Serialize)]
struct JsonMember<'a> {
    name: &'a str,
    value: Sum<'a>,
    /// Only where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpus: Option<Vec<JsonCpu<'a>>>,
}

#[derive(Debug, Clone, Serialize)]
struct JsonCpu<'a> {
    cpu: u64,
    value: Sum<'a>,
}

/// A number, or the error in its place.
#[derive(Debug, Clone)]
struct Sum<'a>(&'a Result<u64, ValueError>);

impl Serialize for Sum<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Ok(sum) => serializer.serialize_u64(*sum),
            Err(error) => JsonError(error).serialize(serializer),
        }
    }
}

impl<'a> JsonCounters<'a> {
    /// With `per_cpu`, what each CPU has counted is told as well.
    pub fn new(variable: &'a CounterVariable, sums: &'a CounterSums, per_cpu: bool) -> Self {
        let members = variable.places.iter().zip(&sums.members);
        let members = members.map(|(place, member)| JsonMember {
            name: &place.name,
            value: Sum(&member.value),
            cpus: per_cpu.then(|| {
                let cpus = member.cpus.iter();
                cpus.map(|slot| JsonCpu { cpu: slot.cpu, value: Sum(&slot.value) }).collect()
            }),
        });
        Self {
            name: &variable.variable.name,
            type_name: &variable.type_name,
            address: sums.address,
            file: variable.variable.file.as_deref(),
            members: members.collect(),
        }
    }
}
