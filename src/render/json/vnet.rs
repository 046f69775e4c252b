//! Vnets and their variables as JSON.

use serde::{Serialize, Serializer};

use super::JsonValue;
use super::value::Reason;
use crate::addr::VirtAddr;
use crate::value::Value;
use crate::vnet::{Condition, Vnet, VnetState, VnetVariable};

/// A reference to a vnet, the same in every answer; `index` is null for one
/// that is on no list.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct JsonVnetRef {
    index: Option<usize>,
    address: VirtAddr,
}

impl From<&Vnet> for JsonVnetRef {
    fn from(vnet: &Vnet) -> Self {
        Self { index: vnet.index, address: vnet.address }
    }
}

impl JsonVnetRef {
    /// The vnet at `address`, with the number that it has in `vnets`.
    pub fn at(address: VirtAddr, vnets: &[Vnet]) -> Self {
        let known = vnets.iter().find(|vnet| vnet.address == address);
        Self { index: known.and_then(|vnet| vnet.index), address }
    }
}

/// A vnet with all that its struct says.
#[derive(Debug, Clone, Copy)]
pub struct JsonVnet<'a>(pub &'a Vnet);

impl Serialize for JsonVnet<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'a> {
            index: Option<usize>,
            address: VirtAddr,
            default: bool,
            magic: String,
            state: Option<JsonVnetState<'a>>,
            shutdown: Option<bool>,
            ifcnt: Option<u64>,
            sockcnt: Option<u64>,
            data_mem: VirtAddr,
            data_base: VirtAddr,
            listed: bool,
            /// Null for one that is on the list.
            condition: Option<&'static str>,
            found_by: &'a [Box<str>],
            /// Null where they are not known.
            jails: Option<Vec<Jail<'a>>>,
            problems: &'a [Box<str>],
        }
        #[derive(Serialize)]
        struct Jail<'a> {
            jid: i64,
            name: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            state: Option<&'a str>,
        }
        let vnet = self.0;
        let jails = vnet.jails.as_ref().map(|jails| {
            jails
                .iter()
                .map(|jail| Jail { jid: jail.jid, name: &jail.name, state: jail.state })
                .collect()
        });
        Fields {
            index: vnet.index,
            address: vnet.address,
            default: vnet.default,
            magic: format!("{:#x}", vnet.magic),
            state: vnet.state.as_ref().map(JsonVnetState::from),
            shutdown: vnet.shutdown,
            ifcnt: vnet.ifcnt,
            sockcnt: vnet.sockcnt,
            data_mem: vnet.data_mem,
            data_base: vnet.data_base,
            listed: vnet.is_listed(),
            condition: vnet.condition.map(Condition::name),
            found_by: &vnet.found_by,
            jails,
            problems: &vnet.problems,
        }
        .serialize(serializer)
    }
}

/// What `vnet_state` says.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct JsonVnetState<'a> {
    value: u64,
    name: Option<&'a str>,
    meaning: &'a str,
}

impl<'a> From<&'a VnetState> for JsonVnetState<'a> {
    fn from(state: &'a VnetState) -> Self {
        Self { value: state.value, name: state.name.as_deref(), meaning: &state.meaning }
    }
}

/// A virtualized variable and its value in one vnet.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct JsonVariable<'a> {
    name: &'a str,
    symbol: &'a str,
    address: VirtAddr,
    master: VirtAddr,
    size: u64,
    /// Null in a kernel without debug information.
    #[serde(rename = "type")]
    type_name: Option<&'a str>,
    module: &'a str,
    file: Option<&'a str>,
    value: JsonValue<'a>,
}

impl<'a> JsonVariable<'a> {
    pub fn new(
        variable: &'a VnetVariable,
        type_name: Option<&'a str>,
        address: VirtAddr,
        value: &'a Value,
    ) -> Self {
        Self {
            name: &variable.name,
            symbol: &variable.symbol,
            address,
            master: variable.master,
            size: variable.size,
            type_name,
            module: &variable.module,
            file: variable.file.as_deref(),
            value: JsonValue(value),
        }
    }
}

/// The value of an expression.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct JsonPrinted<'a> {
    expression: &'a str,
    /// Null where it is not known.
    #[serde(rename = "type")]
    type_name: Option<&'a str>,
    /// Null for what was computed rather than read.
    address: Option<VirtAddr>,
    value: Outcome<'a>,
}

/// A value, or why an expression has none.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
enum Outcome<'a> {
    Value(JsonValue<'a>),
    Failed { error: Reason<'a> },
}

impl<'a> JsonPrinted<'a> {
    pub fn new(
        expression: &'a str,
        type_name: Option<&'a str>,
        address: Option<VirtAddr>,
        value: &'a Value,
    ) -> Self {
        Self { expression, type_name, address, value: Outcome::Value(JsonValue(value)) }
    }

    /// An expression that could not be evaluated; `kind` is for scripts.
    pub fn failed(expression: &'a str, kind: &'a str, message: &'a str) -> Self {
        let error = Reason { kind, address: None, message };
        Self { expression, type_name: None, address: None, value: Outcome::Failed { error } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::json::write_line;
    use crate::vnet::list::JailRef;

    fn shown(element: &impl Serialize) -> String {
        let mut out = Vec::new();
        write_line(&mut out, element).unwrap();
        String::from_utf8(out).unwrap().trim_end().to_owned()
    }

    fn vnet() -> Vnet {
        Vnet {
            index: Some(1),
            address: VirtAddr::new(0xffff_f800_03a5_1800),
            default: false,
            magic: 0x3e0d_8f29,
            state: Some(VnetState {
                value: 231_735_296,
                name: Some("SI_SUB_VNET_DONE".into()),
                meaning: "up".into(),
            }),
            shutdown: None,
            ifcnt: Some(2),
            sockcnt: Some(4),
            filled: false,
            data_mem: VirtAddr::new(0xffff_fe00_0100_0000),
            data_base: VirtAddr::new(0x7eff_0000_0000),
            condition: None,
            found_by: Vec::new(),
            jails: Some(vec![JailRef { jid: 1, name: "web01".into(), state: None }]),
            problems: Vec::new(),
        }
    }

    #[test]
    fn a_vnet_follows_the_schema() {
        assert_eq!(
            shown(&JsonVnet(&vnet())),
            concat!(
                r#"{"index":1,"address":"0xfffff80003a51800","default":false,"magic":"0x3e0d8f29","#,
                r#""state":{"value":231735296,"name":"SI_SUB_VNET_DONE","meaning":"up"},"#,
                r#""shutdown":null,"ifcnt":2,"sockcnt":4,"data_mem":"0xfffffe0001000000","#,
                r#""data_base":"0x7eff00000000","listed":true,"condition":null,"found_by":[],"#,
                r#""jails":[{"jid":1,"name":"web01"}],"problems":[]}"#
            )
        );
        let unknown = shown(&JsonVnet(&Vnet { jails: None, ..vnet() }));
        assert!(unknown.contains(r#""jails":null"#), "{unknown}");
        let reference = JsonVnetRef::from(&vnet());
        assert_eq!(shown(&reference), r#"{"index":1,"address":"0xfffff80003a51800"}"#);
    }

    #[test]
    fn a_variable_follows_the_schema() {
        let variable = VnetVariable {
            name: "ip_id".into(),
            symbol: "vnet_entry_ip_id".into(),
            master: VirtAddr::new(0xffff_ffff_8220_1000),
            size: 4,
            type_id: None,
            module: "kernel".into(),
            file: None,
        };
        let value = Value::Int(7);
        let address = VirtAddr::new(0xffff_fe00_0100_1000);
        assert_eq!(
            shown(&JsonVariable::new(&variable, Some("int"), address, &value)),
            concat!(
                r#"{"name":"ip_id","symbol":"vnet_entry_ip_id","address":"0xfffffe0001001000","#,
                r#""master":"0xffffffff82201000","size":4,"type":"int","module":"kernel","#,
                r#""file":null,"value":7}"#
            )
        );
    }
}
