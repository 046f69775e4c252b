//! What VNET_DEBUG records, as JSON.

use serde::Serialize;

use super::value::{JsonNumber, JsonText, OrError};
use super::{JsonError, JsonThread, JsonVnetRef};
use crate::addr::VirtAddr;
use crate::value::model::ValueError;
use crate::views::recursions::{Curvnet, Recursion};
use crate::vnet::Vnet;

/// A place that set curvnet though it was set.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct JsonRecursion<'a> {
    address: VirtAddr,
    previous: OrError<'a, Option<JsonText<'a>>>,
    function: OrError<'a, Option<JsonText<'a>>>,
    line: OrError<'a, JsonNumber>,
    old_vnet: OrError<'a, Option<JsonVnetRef>>,
    new_vnet: OrError<'a, Option<JsonVnetRef>>,
}

/// A thread and its curvnet.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct JsonCurvnet<'a> {
    thread: JsonThread<'a>,
    vnet: JsonVnetRef,
    set_by: OrError<'a, Option<JsonText<'a>>>,
}

impl<'a> JsonRecursion<'a> {
    /// With the numbers that `vnets` gives.
    pub fn new(recursion: &'a Recursion, vnets: &[Vnet]) -> Self {
        let vnet = |read: &'a Result<Option<VirtAddr>, ValueError>| match read {
            Ok(address) => OrError::Value(address.map(|address| JsonVnetRef::at(address, vnets))),
            Err(why) => OrError::Error(JsonError(why)),
        };
        Self {
            address: recursion.address,
            previous: text(&recursion.previous),
            function: text(&recursion.function),
            line: OrError::new(&recursion.line),
            old_vnet: vnet(&recursion.old_vnet),
            new_vnet: vnet(&recursion.new_vnet),
        }
    }
}

impl<'a> JsonCurvnet<'a> {
    /// With the numbers that `vnets` gives.
    pub fn new(curvnet: &'a Curvnet, vnets: &[Vnet]) -> Self {
        Self {
            thread: JsonThread::from(&curvnet.thread),
            vnet: JsonVnetRef::at(curvnet.vnet, vnets),
            set_by: text(&curvnet.set_by),
        }
    }
}

fn text(read: &Result<Option<Box<str>>, ValueError>) -> OrError<'_, Option<JsonText<'_>>> {
    match read {
        Ok(text) => OrError::Value(text.as_ref().map(JsonText::from)),
        Err(why) => OrError::Error(JsonError(why)),
    }
}
