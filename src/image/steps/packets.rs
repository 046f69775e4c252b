//! Steps about packets, and about pages that are not the kernel's.

use serde::Deserialize;

use crate::image::ImageError;
use crate::image::runtime::{MbufKind, PageUse, Runtime};

/// A cluster is taken from its zone.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::image) struct ClusterStep {
    /// Default: `mbuf_cluster`.
    pub(in crate::image) zone: Option<String>,
    text: String,
    /// It is given back, with its text.
    #[serde(default)]
    free: bool,
}

/// An mbuf is taken from its zone.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::image) struct MbufStep {
    holds: MbufName,
    text: String,
    /// It is given back, with its text.
    #[serde(default)]
    free: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum MbufName {
    Data,
    Packet,
    Cluster,
    Pages,
    Nothing,
}

/// A page gets another use than the kernel's own.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::image) struct PageStep {
    of: PageName,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PageName {
    Process,
    File,
    Buffer,
    Cache,
    Nothing,
}

pub(in crate::image) fn cluster(
    runtime: &mut Runtime,
    step: &ClusterStep,
) -> Result<(), ImageError> {
    let zone = step.zone.as_deref().unwrap_or("mbuf_cluster");
    check(&step.text)?;
    let item = runtime.cluster(zone, &step.text)?;
    if step.free { runtime.zone_free(zone, item) } else { Ok(()) }
}

pub(in crate::image) fn mbuf(runtime: &mut Runtime, step: &MbufStep) -> Result<(), ImageError> {
    let kind = match step.holds {
        MbufName::Data => MbufKind::Data,
        MbufName::Packet => MbufKind::Packet,
        MbufName::Cluster => MbufKind::Cluster,
        MbufName::Pages => MbufKind::Pages,
        MbufName::Nothing => MbufKind::Nothing,
    };
    check(&step.text)?;
    let item = runtime.mbuf(kind, &step.text)?;
    if step.free { runtime.zone_free("mbuf", item) } else { Ok(()) }
}

pub(in crate::image) fn page(runtime: &mut Runtime, step: &PageStep) -> Result<(), ImageError> {
    let used = match step.of {
        PageName::Process => PageUse::Process,
        PageName::File => PageUse::File,
        PageName::Buffer => PageUse::Buffer,
        PageName::Cache => PageUse::Cache,
        PageName::Nothing => PageUse::Free,
    };
    check(&step.text)?;
    runtime.page(used, &step.text).map(|_| ())
}

fn check(text: &str) -> Result<(), ImageError> {
    if text.is_empty() { Err(ImageError::Refused("the text is empty".to_owned())) } else { Ok(()) }
}
