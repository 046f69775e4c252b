//! What could not be read, as JSON.

use serde::{Serialize, Serializer};

use crate::addr::VirtAddr;
use crate::walk::Problem;

/// `{"what": "allprison", "where": "0x…", "why": "…"}`
#[derive(Debug, Clone, Copy)]
pub struct JsonProblem<'a>(pub &'a Problem);

impl Serialize for JsonProblem<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'a> {
            what: &'a str,
            r#where: Option<VirtAddr>,
            why: String,
        }
        Fields { what: &self.0.what, r#where: self.0.at, why: self.0.reason().to_string() }
            .serialize(serializer)
    }
}
