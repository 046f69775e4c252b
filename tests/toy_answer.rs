//! The smallest answer: what a new question takes, and every form that it gets for it.

#![cfg(feature = "cli")]

use std::io;

use serde::Serialize;
use vnetkvm::Session;
use vnetkvm::answers::{Answer, Cell, Column, Element, List, Medium, Row};
use vnetkvm::error::Error;
use vnetkvm::image;
use vnetkvm::render::json::{self, Document};
use vnetkvm::render::page::TextPage;
use vnetkvm::render::table::Style;

/// The question: which vnets have more than one interface?
fn crowded(session: &Session) -> Result<List<'static, Crowded>, Error> {
    let vnets = session.vnets()?;
    let crowded = vnets.all.iter().filter(|vnet| vnet.ifcnt > Some(2));
    let crowded =
        crowded.filter_map(|vnet| Some(Crowded { vnet: vnet.index?, interfaces: vnet.ifcnt? }));
    let columns = vec![Column::right("VNET"), Column::right("IFS")];
    let list = List::new(columns, crowded.collect::<Vec<_>>());
    Ok(list.with_problems(vnets.problems.clone()).or_nothing(|| "no vnet has two".to_owned()))
}

#[derive(Debug, Serialize)]
struct Crowded {
    vnet: usize,
    interfaces: u64,
}

impl Element for Crowded {
    const ARRAY: &'static str = "crowded";
}

impl Row for Crowded {
    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        vec![vec![self.vnet.into(), self.interfaces.into()]]
    }
}

#[test]
fn an_element_and_a_function_give_every_form() {
    let demo = image::demo().unwrap();
    let session = Session::from_sources(demo.kernel, demo.core).unwrap();
    let answer = crowded(&session).unwrap();
    assert_eq!(laid_out(&answer, Medium::People).unwrap(), "VNET  IFS\n   0  4\n");
    assert_eq!(laid_out(&answer, Medium::Columns).unwrap(), "0\t4\n");
    assert_eq!(laid_out(&answer, Medium::Lines).unwrap(), "{\"vnet\":0,\"interfaces\":4}\n");
    let mut out = Vec::new();
    json::write_document(&mut out, &Document::new(&answer)).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "{\"schema_version\":1,\"crowded\":[\n{\"vnet\":0,\"interfaces\":4}],\"problems\":[]}\n"
    );
}

fn laid_out(answer: &impl Answer, medium: Medium) -> io::Result<String> {
    let mut out = Vec::new();
    let mut page = TextPage::new(&mut out, medium, Style::default());
    answer.lay_out(&mut page)?;
    page.finish()?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}
