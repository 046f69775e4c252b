//! An interface as ifconfig(8) shows it, for people.

use std::io;

use super::entry::{Address, Entry};
use crate::answers::Page;
use crate::views::interfaces::{COUNTERS, Field, flag_names};

/// Lays out everything that is known of the interface.
pub(super) fn lay_out(page: &mut impl Page, entry: &Entry) -> io::Result<()> {
    let it = &entry.interface;
    let flags = told(&it.flags, |flags| format!("{flags:x}<{}>", flag_names(*flags).join(",")));
    let mtu = told(&it.mtu, u64::to_string);
    page.title(&format!("{}: flags={flags} mtu {mtu}", entry.title()))?;
    for line in lines(entry) {
        page.line(&format!("  {line}"))?;
    }
    Ok(())
}

fn lines(entry: &Entry) -> Vec<String> {
    let it = &entry.interface;
    let mut lines = Vec::new();
    match &it.description {
        Ok(Some(text)) => lines.push(format!("description: {text}")),
        Ok(None) => {}
        Err(why) => lines.push(format!("description: unknown: {why}")),
    }
    lines.extend(it.hardware.iter().map(|ether| format!("ether {ether}")));
    lines.extend(entry.addresses.iter().map(address));
    lines.extend(entry.ties_in_words());
    let unit = it.unit.as_ref().ok().copied().flatten();
    let unit = unit.map_or(String::new(), |unit| format!(" unit {unit}"));
    let driver = told(&it.driver, |driver| driver.as_deref().unwrap_or("none").to_owned());
    let kind = it.type_name().map_or_else(|| told(&it.kind, u64::to_string), str::to_owned);
    lines.push(format!("driver {driver}{unit}, type {kind}, link {}", it.link().unwrap_or("?")));
    // Everything is in the group of all.
    let groups = told(&it.groups, |groups| {
        groups
            .iter()
            .filter(|group| ***group != *"all")
            .map(|it| &**it)
            .collect::<Vec<_>>()
            .join(" ")
    });
    if !groups.is_empty() {
        lines.push(format!("groups: {groups}"));
    }
    let index = told(&it.index, u64::to_string);
    let home = told(&entry.home, |home| match home {
        Some(home) => format!("vnet {home}"),
        None => "none".to_owned(),
    });
    lines.push(format!("index {index}, at {}, home {home}", it.address));
    let count = |name| match it.traffic.get(name) {
        Some(Ok(count)) => count.to_string(),
        Some(Err(_)) if it.traffic.counted_by.is_some() => "?".to_owned(),
        Some(Err(why)) => format!("(unknown: {why})"),
        None => "-".to_owned(),
    };
    for (title, packets, bytes, errors, drops) in [
        ("in", "ipackets", "ibytes", "ierrors", "iqdrops"),
        ("out", "opackets", "obytes", "oerrors", "oqdrops"),
    ] {
        let [packets, bytes, errors, drops] = [packets, bytes, errors, drops].map(count);
        lines.push(format!(
            "{title}: {packets} packets, {bytes} bytes, {errors} errors, {drops} drops"
        ));
    }
    let unknown = COUNTERS.iter().any(|name| matches!(it.traffic.get(name), Some(Err(_))));
    let by = it.traffic.counted_by.iter().filter(|_| unknown);
    lines.extend(by.map(|function| format!("? is counted by the driver's {function}")));
    lines
}

fn address(found: &Address) -> String {
    let Address { text, family, peer, broadcast, flags, vhid, .. } = found;
    let mut line = format!("{family} {text}");
    for (what, text) in [("-->", peer), ("broadcast", broadcast)] {
        if let Some(text) = text {
            line.push_str(&format!(" {what} {text}"));
        }
    }
    for flag in flags {
        line.push_str(&format!(" {flag}"));
    }
    if let Some(vhid) = vhid {
        line.push_str(&format!(" vhid {vhid}"));
    }
    line
}

fn told<T>(read: &Field<T>, text: impl FnOnce(&T) -> String) -> String {
    match read {
        Ok(read) => text(read),
        Err(why) => format!("(unknown: {why})"),
    }
}
