//! The interfaces on a vnet's list, `V_ifnet` (`sys/net/if.c`).

mod addresses;
mod condition;
mod interface;
mod kind;
mod traffic;

use rustc_hash::FxHashSet;

use crate::target::Target;
use crate::value::Object;
use crate::value::model::ValueError;
use crate::value::queue::{self, List};
use crate::views::call_out::CallOut;
use crate::vnet::{Copies, Stack, Variables, Vnet};
use crate::walk::{Problem, Problems, Trail, Walk, Why};

pub use crate::value::interface_flags::flag_names;
pub use addresses::InterfaceAddress;
pub use condition::Conditions;
pub use interface::{Interface, name, place, title};
pub use kind::type_name;
pub(in crate::views) use traffic::sum;
pub use traffic::{COUNTERS, Traffic};

/// What was read, or the reason why it is unknown.
pub type Field<T> = Result<T, ValueError>;

/// Each `struct ifnet` on the list of `vnet`, with what `see` reads of it.
pub fn of<'t, T>(
    target: &'t Target,
    vnet: &'t Vnet,
    variables: &'t Variables,
    see: impl FnMut(&Object<'t>) -> T,
) -> Walk<(Object<'t>, T)> {
    let copies = Copies::new(target, Stack::Vnet(vnet), Some(variables));
    match head(&copies) {
        Ok(head) => walk(&copies, head, see),
        Err(problem) => Walk::failed(problem),
    }
}

/// The head of the list of a stack.
fn head<'t>(copies: &Copies<'t>) -> Result<Object<'t>, Problem> {
    let why = "the kernel has no such variable";
    copies.get("ifnet")?.ok_or_else(|| Problem::new(copies.name("ifnet"), why))
}

/// The interfaces of a network stack.
#[derive(Debug, Clone, Default)]
pub struct OnList<'t> {
    /// Each struct ifnet, in order of attachment.
    pub interfaces: Vec<Object<'t>>,
    /// The one that the list leads to although its memory is freed. Nothing is known of those
    /// after it.
    pub freed: Option<Object<'t>>,
    /// Whether several have the same name.
    pub has_namesakes: bool,
    /// What keeps others from being known.
    pub problems: Problems,
}

impl<'t> OnList<'t> {
    /// Walks the list of the stack of `copies`.
    pub fn read(copies: &Copies<'t>) -> Self {
        let head = match head(copies) {
            Ok(head) => head,
            Err(problem) => return Self { problems: problem.into(), ..Self::default() },
        };
        let mut problems = Problems::default();
        let (mut names, mut has_namesakes) = (FxHashSet::default(), false);
        // Names are short, and the memory is at hand.
        let see = |interface: &Object<'_>| {
            has_namesakes |= interface.text("if_xname").is_ok_and(|name| !names.insert(name));
        };
        let interfaces = walk(copies, head, see).map(|(interface, ())| interface);
        let interfaces = interfaces.take(&mut problems);
        let freed = problems.iter().find_map(|problem| match &problem.why {
            Why::Unreadable { why, .. } if why.is_freed() => problem.at,
            _ => None,
        });
        let target = copies.target();
        let ifnet = freed.and_then(|_| target.types().ok()?.find("struct ifnet").ok());
        let freed = freed.zip(ifnet).map(|(at, ifnet)| Object::new(target, ifnet, at));
        Self { interfaces, freed, has_namesakes, problems }
    }

    /// How the list contradicts vnet_ifcnt, which if_link_ifnet and if_unlink_ifnet change with it
    /// (`sys/net/if.c`; if_attach and if_detach up to 12). `None` if that is unknown, or without
    /// VIMAGE.
    #[must_use]
    pub fn miscounted(&self, copies: &Copies<'t>) -> Option<CallOut> {
        let vnet = copies.vnet()?;
        let (counted, found) = (vnet.ifcnt?, self.interfaces.len() as u64);
        let why = || format!("vnet_ifcnt is {counted}, but {found} interfaces are on the list");
        (self.problems.is_empty() && counted != found)
            .then(|| CallOut::new("interface-count", vnet.address, why()))
    }

    /// All of them, and then the freed one.
    pub fn all(&self) -> impl Iterator<Item = Object<'t>> {
        self.interfaces.iter().copied().chain(self.freed)
    }
}

fn walk<'t, T>(
    copies: &Copies<'t>,
    head: Object<'t>,
    mut see: impl FnMut(&Object<'t>) -> T,
) -> Walk<(Object<'t>, T)> {
    let name = copies.name("ifnet");
    let list = List { name: &name, element: "interface" };
    let mut trail = Trail::new(copies.target().budget());
    queue::walk_with(head, "if_link", list, &mut trail, |interface, _: &mut Trail<'_>| {
        see(interface)
    })
}
