//! Sysctls as JSON.

use serde::Serialize;

use super::{JsonError, JsonValue, JsonVnetRef};
use crate::addr::VirtAddr;
use crate::value::model::Value;
use crate::views::sysctls::{Oid, Sysctl};
use crate::vnet::Vnet;

/// A sysctl in a vnet.
#[derive(Debug, Clone, Serialize)]
pub struct JsonSysctl<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    format: &'a str,
    /// Null for one that belongs to no vnet.
    vnet: Option<JsonVnetRef>,
    /// Where the value lies; null where it is in no one place.
    address: Option<VirtAddr>,
    /// The function that answers for it; null in a node without one.
    handler: Option<String>,
    /// The same where it does more than copy, and `value` is what it would have answered.
    behind_handler: Option<String>,
    description: Description<'a>,
    /// Null where only the handler could tell.
    value: Option<JsonValue<'a>>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
enum Description<'a> {
    Text(&'a str),
    Error(JsonError<'a>),
}

impl<'a> JsonSysctl<'a> {
    pub fn new(oid: &'a Oid, vnet: Option<&Vnet>, sysctl: &'a Sysctl) -> Self {
        let handler = oid.handler.as_ref().map(ToString::to_string);
        Self {
            name: &oid.name,
            kind: oid.kind.name(),
            format: &oid.format,
            vnet: vnet.filter(|_| oid.differs()).map(JsonVnetRef::from),
            address: sysctl.address,
            behind_handler: handler.clone().filter(|_| sysctl.behind_handler),
            handler,
            description: match &oid.description {
                Ok(text) => Description::Text(text),
                Err(error) => Description::Error(JsonError(error)),
            },
            value: sysctl.value.as_ref().map(|value: &Value| JsonValue(value)),
        }
    }
}
