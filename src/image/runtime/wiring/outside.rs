//! Interfaces whose other end is not an interface: tunnels (`sys/net/if_gif.c`, `if_gre.c`,
//! `if_vxlan.c`), and tun and tap (`if_tuntap.c`; up to 12 `if_tun.c`, `if_tap.c`).

use std::net::{IpAddr, SocketAddr};

use crate::image::ImageError;
use crate::image::object::Object;
use crate::image::runtime::{InterfaceOptions, Runtime};

/// The outer addresses of a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TunnelOptions {
    /// Of this end.
    pub source: IpAddr,
    /// Of the other end.
    pub destination: IpAddr,
    /// The number of the network (vxlan).
    pub vni: Option<u64>,
}

impl Runtime {
    /// The driver's constructor, and the ioctl that sets the outer addresses.
    ///
    /// # Errors
    /// As [`Runtime::create_interface`], or the addresses are of two families.
    pub fn create_tunnel(
        &mut self,
        options: &InterfaceOptions,
        driver: &str,
        outer: TunnelOptions,
    ) -> Result<Object, ImageError> {
        let tunnel = self.create_interface(options)?;
        if driver == "vxlan" {
            let softc = self.kernel.malloc("vxlan", "struct vxlan_softc")?;
            self.kernel.set_pointer(tunnel, "if_softc", softc.address)?;
            self.kernel.set_pointer(softc, "vxl_ifp", tunnel.address)?;
            self.kernel.set(softc, "vxl_vni", outer.vni.unwrap_or(0))?;
            for (member, ip) in
                [("vxl_src_addr", outer.source), ("vxl_dst_addr", outer.destination)]
            {
                let form = if ip.is_ipv4() { "in4" } else { "in6" };
                let place = self.kernel.member(softc, &format!("{member}.{form}"))?;
                self.kernel.assign_sockaddr(place, SocketAddr::new(ip, 0))?;
            }
            return Ok(tunnel);
        }
        let type_name = format!("struct {driver}_softc");
        let softc = self.kernel.malloc("tunnel", &type_name)?;
        self.kernel.set_pointer(tunnel, "if_softc", softc.address)?;
        self.kernel.set_pointer(softc, &format!("{driver}_ifp"), tunnel.address)?;
        let (family, header) = header(outer)?;
        let at = self.kernel.machine_mut().malloc("tunnel", header.len() as u64)?;
        self.kernel.machine_mut().write(at, &header)?;
        self.kernel.set(softc, &format!("{driver}_family"), family)?;
        self.kernel.set_pointer(softc, &format!("{driver}_uhdr.hdr"), at)?;
        Ok(tunnel)
    }

    /// tuncreate and tunopen, or those of tap: `process` has the device open.
    ///
    /// # Errors
    /// As [`Runtime::create_interface`], or there is no such process.
    pub fn create_tun(
        &mut self,
        options: &InterfaceOptions,
        driver: &str,
        process: Option<&str>,
    ) -> Result<Object, ImageError> {
        let pid = process.map(|process| self.pid_of(process)).transpose()?.unwrap_or(0);
        let ifnet = self.create_interface(options)?;
        let both = self.kernel.types().find("struct tuntap_softc").is_ok();
        let prefix = if both || driver == "tun" { "tun" } else { "tap" };
        let softc = if both { "tuntap" } else { prefix };
        let softc = self.kernel.malloc("tun", &format!("struct {softc}_softc"))?;
        self.kernel.set_pointer(ifnet, "if_softc", softc.address)?;
        self.kernel.set_pointer(softc, &format!("{prefix}_ifp"), ifnet.address)?;
        self.kernel.set(softc, &format!("{prefix}_pid"), pid)?;
        Ok(ifnet)
    }

    fn pid_of(&self, process: &str) -> Result<u64, ImageError> {
        let thread = self.thread(process)?;
        let process = self.kernel.get(thread, "td_proc")?;
        let process = self.kernel.object(crate::addr::VirtAddr::new(process), "struct proc")?;
        self.kernel.get(process, "p_pid")
    }
}

/// The family, and the header that is put in front of each packet.
fn header(outer: TunnelOptions) -> Result<(u64, Vec<u8>), ImageError> {
    match (outer.source, outer.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let mut header = vec![0x45];
            header.resize(12, 0);
            header.extend([source.octets(), destination.octets()].concat());
            Ok((2, header))
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let mut header = vec![0x60];
            header.resize(8, 0);
            header.extend([source.octets(), destination.octets()].concat());
            Ok((28, header))
        }
        _ => Err(ImageError::Refused("the two ends of a tunnel are of two families".into())),
    }
}
