//! What the functions at an address are called, and where they are in the source.

use crate::addr::VirtAddr;
use crate::threads::stack::Call;
use crate::types::code::SourceFrame;
use crate::views::backtrace::Tracer;
use crate::views::backtrace::model::StackFrame;

impl Tracer<'_> {
    /// The functions of a call, innermost first. `place` is the address that is looked up.
    pub(super) fn named(&self, call: &Call, place: VirtAddr) -> Vec<StackFrame> {
        let source = self.code.at(place).map(|at| at.code.source(at.linked)).unwrap_or_default();
        let module = match self.target.module_at(place) {
            Some(module) => Some(module.name.clone()),
            None => self.symbol(place).map(|_| "kernel".into()),
        };
        let one = |source: &SourceFrame, inlined: bool| StackFrame {
            function: source.function.clone(),
            file: source.file.clone(),
            line: source.line,
            module: module.clone(),
            inlined,
            ..self.bare(call)
        };
        let count = source.len().max(1);
        let mut frames: Vec<StackFrame> =
            source.iter().enumerate().map(|(at, it)| one(it, at + 1 < count)).collect();
        if frames.is_empty() {
            frames.push(one(&SourceFrame::default(), false));
        }
        if let (Some(outer), Some((name, start))) = (frames.last_mut(), self.symbol(place)) {
            // The symbol is what the kernel itself prints.
            outer.function = Some(name);
            outer.offset = call.address.offset_from(start);
        }
        frames
    }

    /// The name and the address of the function, as symbols have them.
    fn symbol(&self, place: VirtAddr) -> Option<(Box<str>, VirtAddr)> {
        if let Some((symbol, _)) = self.target.symbolize(place) {
            return Some((symbol.name.into(), symbol.address));
        }
        // Labels in assembly have no size.
        let text = self.target.kernel().section_range(".text")?;
        let label = self.target.kernel().label(place).filter(|_| text.contains(&place))?;
        Some((label.name.into(), label.address))
    }
}
