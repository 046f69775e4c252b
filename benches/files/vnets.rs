//! A machine with many network stacks, each of a jail with interfaces, routes, a process and sockets.

use std::fmt::Write as _;

/// A machine with so many vnets.
pub fn scenario(vnets: usize) -> String {
    let mut scenario = format!("cpus = 2\nmemory = \"{}M\"\n{}", 256.max(vnets * 3), loopback(""));
    for number in 1..vnets {
        let (high, low) = (number >> 8, number & 0xff);
        let ether = format!("02:00:00:{high:02x}:{low:02x}");
        let _ = write!(
            scenario,
            r#"
[[step]]
do = "jail"
name = "j{number}"
jid = {number}
{loopback}
[[step]]
do = "epair"
name = "epair{number}"
a = {{ ether = "{ether}:0a", addresses = ["10.{high}.{low}.1/24"] }}
b = {{ jail = "j{number}", ether = "{ether}:0b", addresses = ["10.{high}.{low}.2/24"] }}
[[step]]
do = "bring-up"
interface = "epair{number}b"
jail = "j{number}"
link = "{ether}:0b"
[[step]]
do = "process"
name = "p{number}"
jail = "j{number}"
[[step]]
do = "socket"
process = "p{number}"
kind = "tcp"
local = "0.0.0.0:80"
[[step]]
do = "socket"
process = "p{number}"
kind = "udp"
local = "0.0.0.0:53"
"#,
            loopback = loopback(&format!("home = \"j{number}\"\n")),
        );
    }
    scenario
}

fn loopback(home: &str) -> String {
    format!(
        "[[step]]\ndo = \"interface\"\nname = \"lo0\"\ndriver = \"lo\"\n{home}flags = 0x8049\n\
         mtu = 16384\naddresses = [\"127.0.0.1/8\"]\n"
    )
}
