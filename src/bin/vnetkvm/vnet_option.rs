//! The option that chooses a vnet, where it is not on the command line.

use crate::args::{VnetArgs, VnetChoice};

/// An option that chooses one vnet, and its value.
#[derive(Debug, Clone)]
pub struct VnetOption {
    name: &'static str,
    value: String,
}

impl VnetOption {
    /// A vnet by number or address, or else by its jail.
    pub fn vnet(wanted: &str) -> Self {
        let is_number =
            wanted.starts_with("0x") || wanted.bytes().all(|byte| byte.is_ascii_digit());
        let name = if is_number { "--vnet" } else { "--jail" };
        Self { name, value: wanted.to_owned() }
    }

    /// The vnet of a jail, by name or number.
    #[cfg(feature = "shell")]
    pub fn jail(wanted: &str) -> Self {
        Self { name: "--jail", value: wanted.to_owned() }
    }

    /// The choice on the command line, if there is one.
    #[cfg(feature = "shell")]
    pub fn given(args: &VnetArgs) -> Option<Self> {
        let option = |name, value| Self { name, value };
        let by_vnet = args.vnet.last().map(|choice| match choice {
            VnetChoice::Index(index) => option("--vnet", index.to_string()),
            VnetChoice::Address(address) => option("--vnet", address.to_string()),
        });
        by_vnet
            .or_else(|| args.jail.last().cloned().map(|jail| option("--jail", jail)))
            .or_else(|| args.pid.map(|pid| option("--pid", pid.to_string())))
            .or_else(|| args.tid.map(|tid| option("--tid", tid.to_string())))
    }

    /// The option as one word.
    pub fn word(&self) -> String {
        format!("{}={}", self.name, self.value)
    }
}
