//! The state of a TCP connection (`sys/netinet/tcp_fsm.h`, `tcp_var.h`).
//!
//! Up to 13 the `struct tcpcb` is apart, at inp_ppcb, and points back; for a connection in
//! TIME_WAIT a `struct tcptw` is there instead. Since 14 a tcpcb begins with its inpcb.

use crate::addr::VirtAddr;
use crate::target::ReadError;
use crate::types::TypeId;
use crate::value::Object;
use crate::views::call_out::CallOut;
use crate::vnet::Copies;

/// The names of t_state, in its order.
const STATES: [&str; 11] = [
    "CLOSED",
    LISTEN,
    "SYN_SENT",
    SYN_RCVD,
    "ESTABLISHED",
    "CLOSE_WAIT",
    "FIN_WAIT_1",
    "CLOSING",
    "LAST_ACK",
    "FIN_WAIT_2",
    TIME_WAIT,
];
pub const LISTEN: &str = "LISTEN";
pub const SYN_RCVD: &str = "SYN_RCVD";
const TIME_WAIT: &str = "TIME_WAIT";

/// Flags in inp_flags (`sys/netinet/in_pcb.h`); the first means something else since 14.
const INP_TIMEWAIT: u64 = 0x0100_0000;
const INP_DROPPED: u64 = 0x0400_0000;

/// How this kernel joins TCP's control blocks with those of the internet.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tcp {
    control: Option<TypeId>,
    /// A tcpcb begins with its inpcb.
    embeds: bool,
    /// What is left of a connection in TIME_WAIT, if that is a struct of its own.
    time_wait: Option<TypeId>,
}

impl Tcp {
    /// Finds the types: those of the unit that defines V_tcbinfo, whose master is at `master`, or by
    /// name; and that of the list of connections in TIME_WAIT.
    pub fn of(copies: &Copies<'_>, master: Option<VirtAddr>) -> Self {
        let target = copies.target();
        let Ok(types) = target.types() else { return Self::default() };
        const NAME: &str = "struct tcpcb";
        let beside = master.and_then(|master| target.type_beside(master, NAME));
        let control = beside.or_else(|| types.find(NAME).ok());
        let field = control.and_then(|control| types.member(control, "t_inpcb").ok());
        let embeds = field.is_some_and(|field| types.pointee(field.type_id).is_err());
        let waiting = copies.get("twq_2msl").ok().flatten();
        let first = waiting.and_then(|head| types.member(head.type_id, "tqh_first").ok());
        let time_wait = first.and_then(|first| types.pointee(first.type_id).ok());
        Self { control, embeds, time_wait }
    }

    /// The state of the connection of `block`; `None` if it has no control block of TCP. What
    /// does not point back to `block` is added to `call_outs`.
    pub fn state(
        &self,
        block: &Object<'_>,
        call_outs: &mut Vec<CallOut>,
    ) -> Result<Option<Box<str>>, ReadError> {
        let target = block.target();
        let Some(control) = self.control else {
            target.types()?.find("struct tcpcb")?;
            return Ok(None);
        };
        if self.embeds {
            return state_of(&Object::new(target, control, block.address)).map(Some);
        }
        let flags = block.uint("inp_flags")?;
        let own = block.pointer("inp_ppcb")?.non_null();
        if flags & INP_TIMEWAIT != 0 {
            if let (Some(own), Some(time_wait)) = (own, self.time_wait) {
                let own = Object::new(target, time_wait, own);
                call_outs.extend(elsewhere(block, &own, "tw_inpcb", "struct tcptw"));
            }
            return Ok(Some(TIME_WAIT.into()));
        }
        let Some(own) = own else { return Ok(None) };
        let own = Object::new(target, control, own);
        own.check_freed()?;
        call_outs.extend(elsewhere(block, &own, "t_inpcb", "struct tcpcb"));
        state_of(&own).map(Some)
    }
}

/// Has the protocol let go of the control block?
pub fn is_dropped(block: &Object<'_>) -> bool {
    block.uint("inp_flags").is_ok_and(|flags| flags & INP_DROPPED != 0)
}

fn state_of(control: &Object<'_>) -> Result<Box<str>, ReadError> {
    let number = control.uint("t_state")?;
    let name = usize::try_from(number).ok().and_then(|number| STATES.get(number));
    Ok(name.map_or_else(|| format!("state {number}").into(), |name| (*name).into()))
}

/// The connection that points to another inpcb than the one that leads to it. NULL is one that
/// is just being made or freed.
fn elsewhere(
    block: &Object<'_>,
    own: &Object<'_>,
    member: &str,
    type_name: &str,
) -> Option<CallOut> {
    let back = own.pointer(member).ok()?.non_null()?;
    (back != block.address).then(|| {
        let why = format!(
            "its {type_name} at {} belongs to another control block: its {member} is {back}",
            own.address
        );
        CallOut::new("wrong-control-block", own.address, why)
    })
}
