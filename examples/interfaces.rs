//! Walks the network interfaces of a jail, as `V_ifnet` has them (`sys/net/if_var.h`).
//!
//! ```sh
//! cargo run --example interfaces -- kernel.debug vmcore.0 web01
//! ```

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;

use vnetkvm::Session;
use vnetkvm::session::{Options, Selector};
use vnetkvm::value::queue::{self, List};
use vnetkvm::value::{Limits, Object};
use vnetkvm::walk::Problems;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kernel, core, jail] = arguments.as_slice() else {
        return Err("usage: interfaces KERNEL CORE JAIL".into());
    };
    run(Path::new(kernel), Path::new(core), jail, &mut io::stdout().lock())
}

pub fn run(
    kernel: &Path,
    core: &Path,
    jail: &str,
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let options = Options { kernel: Some(kernel.into()), core: core.into(), ..Options::default() };
    let session = Session::open(&options)?;
    let stack = session.select(&Selector::Jail(jail.to_owned()))?.stacks[0];

    // The head of the list is this stack's copy of the variable `ifnet`.
    let ifnet = &session.variables(&["ifnet".to_owned()])?[0];
    let type_id = ifnet.type_id.ok_or("the kernel has no debug information")?;
    let address = session.address(stack, ifnet);
    let head = Object::new(session.target(), type_id, address);

    // A list that is damaged gives the elements that can be reached, and the problems.
    let mut problems = Problems::default();
    let list = List { name: &"V_ifnet", element: "interface" };
    for interface in queue::walk(head, "if_link", list).take(&mut problems) {
        let name = interface.text("if_xname")?;
        let (index, mtu) = (interface.uint("if_index")?, interface.uint("if_mtu")?);
        writeln!(out, "{index}: {name} mtu {mtu}")?;
        for address in addresses(&session, &interface, &mut problems)? {
            writeln!(out, "    {address}")?;
        }
    }
    for problem in problems.iter() {
        writeln!(out, "problem: {problem}")?;
    }
    Ok(())
}

/// The network addresses of a `struct ifnet`.
fn addresses(
    session: &Session,
    interface: &Object<'_>,
    problems: &mut Problems,
) -> Result<Vec<String>, Box<dyn Error>> {
    let head = interface.member("if_addrhead")?;
    let list = List { name: &"if_addrhead", element: "address" };
    let reader = session.reader(&Limits::default());
    let mut found = Vec::new();
    for ifaddr in queue::walk(head, "ifa_link", list).take(problems) {
        let Some(sockaddr) = ifaddr.follow("ifa_addr")? else { continue };
        // Values of structs with a network address know how it is written.
        let value = reader.read(sockaddr.type_id, sockaddr.address);
        found.extend(value.as_record().and_then(|record| record.note()).map(String::from));
    }
    Ok(found)
}
