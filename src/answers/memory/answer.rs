//! A part of kernel memory as an answer: a hex dump, or ranges.

use std::io;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::block::Memory;
use super::range::{Content, Range, columns, ranges};
use crate::addr::VirtAddr;
use crate::answers::{Answer, Elements, Medium, Page, Part, Remark};
use crate::walk::Problems;

impl Answer for Memory<'_> {
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        if page.medium() == Medium::People {
            return page.memory(self);
        }
        page.part(Some(Part { vnet: self.vnet, title: None, marked: false }))?;
        page.table(&columns(), &ranges(self))?;
        page.part(None)
    }

    fn problems(&self) -> Problems {
        self.problems.clone()
    }

    fn remarks(&self) -> Vec<Remark> {
        self.remarks.clone()
    }

    fn nothing(&self) -> Option<String> {
        (self.length == 0).then(|| "no bytes were asked for".to_owned())
    }

    fn unreadable(&self) -> usize {
        let mut count = 0;
        ranges(self).for_each(|range| {
            count += usize::from(matches!(range.content, Content::Unreadable(_)));
        });
        count
    }
}

/// `{"vnet": …, "memory": {"address": …, "length": …, "ranges": […]}}`
impl Serialize for Memory<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'a, 'm> {
            address: VirtAddr,
            length: u64,
            ranges: Elements<'a, Range<'m>>,
        }
        let fields = Fields { address: self.start, length: self.length, ranges: ranges(self) };
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("vnet", &self.vnet)?;
        map.serialize_entry("memory", &fields)?;
        map.end()
    }
}
