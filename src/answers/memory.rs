//! `read`: raw kernel memory.

mod address;
mod answer;
mod block;
mod range;
mod stretch;

pub use address::{Address, AddressError, Place, address};
pub use block::{BeyondAllAddresses, Memory, Run, memory};
pub use range::{Content, Range, ranges};
pub use stretch::Stretch;

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;
    use crate::addr::VirtAddr;
    use std::ops::ControlFlow;

    use crate::answers::testing::{assert_keys, demo, json, laid_out};
    use crate::answers::{Answer, Medium};
    use crate::session::Selector;
    use crate::vnet::VnetRef;

    /// The last bytes of the kernel's version and what lies behind its page's end, or
    /// what else there is: `bytes` of `V_tcbinfo`.
    fn tcbinfo(length: u64) -> Memory<'static> {
        let session = demo();
        let stack = session.select(&Selector::Index(1)).unwrap().stacks[0];
        let place = address(session, stack, "&V_tcbinfo").unwrap();
        let vnet = stack.vnet().map(VnetRef::from);
        Memory { vnet, ..memory(session.memory(), place.address, length).unwrap() }
    }

    #[test]
    fn readable_memory_is_one_range() {
        let answer = tcbinfo(8);
        let document = json(&answer);
        assert_keys(&document, &["vnet", "memory"]);
        assert_eq!(document["vnet"]["index"], 1);
        assert_keys(&document["memory"], &["address", "length", "ranges"]);
        let ranges = document["memory"]["ranges"].as_array().unwrap();
        assert_eq!(ranges.len(), 1);
        assert_keys(&ranges[0], &["address", "length", "bytes"]);
        let bytes = ranges[0]["bytes"].as_str().unwrap();
        assert_eq!(bytes.len(), 16);

        let start = answer.start;
        assert_eq!(laid_out(&answer, Medium::Columns), format!("{start}\t8\t{bytes}\n"));
        let line = format!(
            "{{\"vnet\":{{\"index\":1,\"address\":{}}},\"address\":\"{start}\",\"length\":8,\
             \"bytes\":\"{bytes}\"}}\n",
            document["vnet"]["address"]
        );
        assert_eq!(laid_out(&answer, Medium::Lines), line);
        let people = laid_out(&answer, Medium::People);
        assert!(people.starts_with(&format!("{start:#018x}  ")), "{people}");
        assert_eq!(answer.all_readable(), Ok(()));
    }

    #[test]
    fn what_cannot_be_read_is_a_range_with_its_reason() {
        let answer = memory(demo().memory(), VirtAddr::new(0), 0x3000).unwrap();
        assert_eq!(answer.all_readable().unwrap_err().address, VirtAddr::new(0));
        assert!(answer.unreadable() > 0);
        let document = json(&answer);
        assert!(document["vnet"].is_null());
        let first = &document["memory"]["ranges"][0];
        assert_keys(first, &["address", "length", "error"]);
        assert_eq!(first["error"]["kind"], "bad-address");
        assert!(laid_out(&answer, Medium::People).contains("??"));
        assert!(laid_out(&answer, Medium::Columns).contains("<"));
        assert!(laid_out(&answer, Medium::Lines).starts_with(r#"{"vnet":null,"address":"0x0","#));
    }

    #[test]
    fn a_long_stretch_reads_as_its_parts_do() {
        let long = tcbinfo(3 << 20);
        let mut bytes = String::new();
        ranges(&long).for_each(|range| match &range.content {
            Content::Readable { bytes: stretch } => bytes.push_str(&stretch.to_string()),
            Content::Unreadable(_) => bytes.push_str(&"--".repeat(range.length as usize)),
        });
        let mut wanted = String::new();
        let _ = long.try_for_each_run(|_, run| -> ControlFlow<()> {
            match run {
                Run::Bytes(bytes) => {
                    wanted.extend(bytes.iter().map(|byte| format!("{byte:02x}")));
                }
                Run::Gap(_, len) => wanted.push_str(&"--".repeat(len as usize)),
            }
            ControlFlow::Continue(())
        });
        assert_eq!(bytes.len(), 2 * (3 << 20));
        assert!(bytes == wanted);
    }

    #[test]
    fn a_range_ends_where_addresses_do() {
        let memory_at = |start, length| memory(demo().memory(), VirtAddr::new(start), length);
        assert!(memory_at(u64::MAX, 1).is_ok());
        assert_eq!(memory_at(u64::MAX - 1, 3).unwrap_err().most, 2);
        assert_eq!(memory_at(5, 0).unwrap().nothing().unwrap(), "no bytes were asked for");
    }
}
