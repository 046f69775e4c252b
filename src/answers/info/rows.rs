//! A description of a dump as keys and values, for people and for scripts.

use super::{CoreInfo, KernelInfo, LiveInfo, Overview, Unused};
use crate::answers::date;
use crate::types::Origin;

/// Keys and values, in order.
#[derive(Default)]
struct Rows(Vec<(&'static str, String)>);

impl Overview {
    /// What is known, a key and a value each.
    pub(super) fn key_values(&self) -> Vec<(&'static str, String)> {
        let mut rows = Rows::default();
        rows.core(&self.core);
        rows.info_file(self);
        let core = &self.core;
        let cut_off = (core.pages_cut_off > 0).then(|| format!("{} pages", core.pages_cut_off));
        rows.add("cut off", cut_off);
        // The following lines say who built it.
        let first_line = |text: &String| text.lines().next().unwrap_or_default().to_owned();
        rows.add("version", core.version.as_ref().map(first_line));
        rows.add("host", self.host.clone());
        rows.add("panic", self.panic.clone());
        rows.add("cpus", self.cpus.map(|cpus| cpus.to_string()));
        match &self.kernel {
            Some(kernel) => rows.kernel(kernel),
            None => rows.add("kernel", self.no_kernel.to_owned()),
        }
        rows.add("variables", self.variables.shown());
        rows.add("vnets", self.vnets.shown());
        let removed = match self.removed_jails {
            0 => String::new(),
            count => format!(", {count} being removed"),
        };
        rows.add("jails", self.jails.shown().map(|count| format!("{count}{removed}")));
        // Whoever wrote the dump without a panic did not crash.
        let thread = if self.panic.is_some() { "crashed" } else { "dumped by" };
        rows.add(thread, self.crashed.as_ref().map(|crashed| crashed.title.clone()));
        rows.add("default vnet", self.default_vnet_title.clone());
        rows.0
    }
}

impl Rows {
    /// A value, if it is known.
    fn add(&mut self, key: &'static str, value: impl Into<Option<String>>) {
        self.0.extend(value.into().map(|value| (key, value)));
    }

    fn core(&mut self, core: &CoreInfo) {
        self.add("core", core.path.clone());
        let pages = format!(", {} pages of {} bytes", core.pages, core.page_size);
        let pages = Some(pages).filter(|_| !matches!(core.live, Some(LiveInfo { ranges: None })));
        let pages = pages.unwrap_or_default();
        self.add("format", format!("{}, {}{pages}", core.format, core.arch));
        self.add("live", core.live.as_ref().map(in_words));
        let compressed = core.compressed.as_ref();
        self.add(
            "compressed",
            compressed.map(|it| format!("{}, {} bytes of {}", it.form, it.size, core.size)),
        );
        let memory = core.memory_pages.map(|pages| {
            let megabytes = pages.saturating_mul(core.page_size) >> 20;
            format!("{pages} pages ({megabytes} MB) of physical memory")
        });
        self.add("memory", memory);
        if let Some(minidump) = &core.minidump {
            self.add("kernbase", minidump.kernbase.to_string());
            let map = minidump.direct_map.as_ref();
            let map =
                map.map(|map| format!("{}..{}, physical {}", map.start, map.end, map.physical));
            self.add("direct map", map.unwrap_or("none".to_owned()));
            self.add("messages", format!("{} bytes", minidump.message_buffer_size));
        }
        self.add("dumped at", core.time.map(date::utc));
    }

    fn info_file(&mut self, overview: &Overview) {
        if let Some(saved) = &overview.info_file {
            let status = saved.status.as_ref().map(|status| format!("status {status}"));
            let told: Vec<String> = [status, saved.time.clone()].into_iter().flatten().collect();
            self.add("info file", format!("{}: {}", saved.path, told.join(", ")));
        }
    }

    /// Where types come from, and what is not known because of that.
    fn types(&mut self, kernel: &KernelInfo) {
        let file = kernel.debug_file.as_ref().filter(|file| **file != kernel.path);
        let file = file.map_or(String::new(), |file| format!(" in {file}"));
        let units = match &kernel.types {
            Some(Origin::Dwarf { units }) => format!("{units} units"),
            Some(Origin::Ctf { .. }) => {
                "not used: source files, lines and arguments of calls are unknown".to_owned()
            }
            None => {
                let state = match kernel.unused {
                    Unused::None => "none",
                    Unused::NotWanted => "not used",
                    Unused::Unreadable => "cannot be read",
                };
                format!("{state}: types and jails are unknown, and values are shown as bytes")
            }
        };
        self.add("debug info", format!("{units}{file}"));
        if let Some(ctf @ Origin::Ctf { .. }) = &kernel.types {
            self.add("types", ctf.to_string());
        }
    }

    fn kernel(&mut self, kernel: &KernelInfo) {
        self.add("kernel", kernel.path.clone());
        self.add("ident", kernel.ident.clone());
        self.add("osreldate", kernel.osreldate.map(|date| date.to_string()));
        self.add("build id", kernel.build_id.clone());
        self.types(kernel);
        self.add("belongs", format!("{}: {}", kernel.belongs.verdict, kernel.belongs.why));
        let vimage = match kernel.vimage {
            Some(true) => "yes",
            Some(false) => "no: one network stack, whose variables are ordinary globals",
            None => "unknown: the file has none of a kernel's symbols",
        };
        self.add("VIMAGE", vimage.to_owned());
        let set = kernel.set_vnet.as_ref();
        let set = set.map(|set| format!("{}..{} ({} bytes)", set.start, set.stop, set.size));
        self.add("set_vnet", set);
    }
}

/// What is read of a running machine.
fn in_words(live: &LiveInfo) -> String {
    const SHOWN: usize = 8;
    let Some(ranges) = &live.ranges else {
        return "yes: the device says which addresses are mapped".to_owned();
    };
    let shown = ranges.iter().take(SHOWN).map(|range| format!("{}..{}", range.start, range.end));
    let shown = shown.collect::<Vec<_>>().join(", ");
    let more = match ranges.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("yes: only {shown}{more} is read")
}
