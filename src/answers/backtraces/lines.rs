//! Stacks for people, as debuggers write them.

use std::io;

use super::{Argument, Frame, Stack, Trap, WorksIn};
use crate::answers::Page;
use crate::value::Value;

/// Threads that a title names.
const NAMED: usize = 3;
/// Registers in a line.
const IN_LINE: usize = 4;

pub(super) fn write(page: &mut impl Page, stacks: &[Stack]) -> io::Result<()> {
    for stack in stacks {
        page.title(&title(stack))?;
        let end = format!("    end: {}", stack.end.message);
        let mut ended = false;
        for (number, frame) in stack.frames.iter().enumerate() {
            if frame.kind == "scan" && !ended {
                page.line(&end)?;
                page.line("    words further out that look like return addresses:")?;
                ended = true;
            }
            page.line(&line(number, frame))?;
            if let Some(trap) = &frame.trap {
                write_trap(page, trap)?;
            }
        }
        if !ended {
            page.line(&end)?;
        }
    }
    Ok(())
}

fn title(stack: &Stack) -> String {
    if let [thread] = &stack.threads[..] {
        return thread.to_string();
    }
    let named = stack.threads.iter().take(NAMED).map(ToString::to_string);
    let named = named.collect::<Vec<_>>().join("; ");
    let rest = stack.threads.len().saturating_sub(NAMED);
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("{} threads: {named}{more}", stack.threads.len())
}

fn line(number: usize, frame: &Frame) -> String {
    let mark = if frame.kind == "scan" { "?" } else { " " };
    let mut line = format!("#{number:<2}{mark}{} in ", frame.address);
    match frame.module.as_deref() {
        Some("kernel") | None => {}
        Some(module) => line += &format!("{module}:"),
    }
    line += frame.function.as_deref().unwrap_or("??");
    if let Some(offset) = frame.offset {
        line += &format!("+{offset:#x}");
    }
    if !frame.arguments.is_empty() {
        let shown = frame.arguments.iter().map(argument).collect::<Vec<_>>().join(", ");
        line += &format!(" ({shown})");
    }
    if let Some(file) = &frame.file {
        line += &format!(" at {}", source(file, frame.line));
    }
    if frame.inlined {
        line += " [inlined]";
    }
    if frame.kind == "cfi" {
        line += " [cfi]";
    }
    if let Some(vnet) = &frame.vnet {
        line += &format!(" [{}]", works_in(vnet));
    }
    line
}

/// `net/vnet.c:130`
pub(super) fn source(file: &str, line: Option<u32>) -> String {
    match line {
        Some(line) => format!("{file}:{line}"),
        None => file.to_owned(),
    }
}

/// `vnet 2`
pub(super) fn works_in(vnet: &WorksIn) -> String {
    match &vnet.0 {
        Ok(Some(vnet)) => format!("vnet {vnet}"),
        Ok(None) => "no vnet".to_owned(),
        Err(_) => "vnet unknown".to_owned(),
    }
}

fn argument(argument: &Argument) -> String {
    format!("{}={}", argument.name, value(&argument.value))
}

/// What fits into a line.
fn value(value: &Value) -> String {
    match value {
        Value::Int(number) => number.to_string(),
        Value::Char(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Enum(value) => match &value.name {
            Some(name) => name.to_string(),
            None => value.value.to_string(),
        },
        Value::Pointer(pointer) => match (pointer.text(), pointer.symbol()) {
            (Some(text), _) => format!("{} {text:?}", pointer.address),
            (None, Some(symbol)) => format!("{} <{symbol}>", pointer.address),
            (None, None) => pointer.address.to_string(),
        },
        _ => "{...}".to_owned(),
    }
}

/// The line that the kernel prints, and the registers of what was interrupted by a trap.
fn write_trap(page: &mut impl Page, trap: &Trap) -> io::Result<()> {
    page.line(&format!("--- {} ---", trap.description))?;
    let shown = trap.registers.as_deref().filter(|_| trap.kind == "trap" && !trap.from_user);
    for registers in shown.unwrap_or_default().chunks(IN_LINE) {
        let line = registers.iter().map(|(name, value)| format!("{name:>7} {value:#018x}"));
        page.line(&format!("    {}", line.collect::<String>().trim_end()))?;
    }
    Ok(())
}
