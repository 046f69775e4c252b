//! Vnets as JSON, by the schema that scripts rely on (docs/json-schema.md).

use serde::{Serialize, Serializer};

use crate::addr::VirtAddr;
use crate::vnet::list::JailRef;
use crate::vnet::{Condition, Vnet, VnetState};

impl Serialize for Vnet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'a> {
            index: Option<usize>,
            address: VirtAddr,
            default: bool,
            magic: String,
            state: &'a Option<VnetState>,
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
            jails: &'a Option<Vec<JailRef>>,
            problems: &'a [Box<str>],
        }
        Fields {
            index: self.index,
            address: self.address,
            default: self.default,
            magic: format!("{:#x}", self.magic),
            state: &self.state,
            shutdown: self.shutdown,
            ifcnt: self.ifcnt,
            sockcnt: self.sockcnt,
            data_mem: self.data_mem,
            data_base: self.data_base,
            listed: self.is_listed(),
            condition: self.condition.map(Condition::name),
            found_by: &self.found_by,
            jails: &self.jails,
            problems: &self.problems,
        }
        .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::VirtAddr;
    use crate::vnet::VnetRef;

    fn shown(element: &impl Serialize) -> String {
        serde_json::to_string(element).unwrap()
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
            shown(&vnet()),
            concat!(
                r#"{"index":1,"address":"0xfffff80003a51800","default":false,"magic":"0x3e0d8f29","#,
                r#""state":{"value":231735296,"name":"SI_SUB_VNET_DONE","meaning":"up"},"#,
                r#""shutdown":null,"ifcnt":2,"sockcnt":4,"data_mem":"0xfffffe0001000000","#,
                r#""data_base":"0x7eff00000000","listed":true,"condition":null,"found_by":[],"#,
                r#""jails":[{"jid":1,"name":"web01"}],"problems":[]}"#
            )
        );
        let unknown = shown(&Vnet { jails: None, ..vnet() });
        assert!(unknown.contains(r#""jails":null"#), "{unknown}");
        let reference = VnetRef::from(&vnet());
        assert_eq!(shown(&reference), r#"{"index":1,"address":"0xfffff80003a51800"}"#);
    }
}
