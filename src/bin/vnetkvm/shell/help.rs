//! What `help` says in the shell.

use std::fmt::Write as _;

use super::definition::Definition;

const OWN: &[(&str, &str)] = &[
    ("EXPRESSION", "Print its value: V_ifnet, tcbinfo.ipi_count; also p EXPRESSION"),
    ("vnet N, vnet 0xADDR, jail NAME", "Choose the vnet of the lines that follow"),
    ("vnet none", "Forget the choice; vnet alone says which it is"),
    ("let NAME = EXPRESSION", "Keep the value as $NAME; $1 is the first value, $ the last"),
    ("source FILE", "Run the lines of a file"),
    ("help COMMAND", "The details of a command"),
    ("quit, exit", "End the shell, as Ctrl-D does"),
];

const NOTES: &str = "\
A line is a command with its options, or else an expression. If a name is both, the
command wins, and `print NAME` prints the variable. print takes the rest of the line as
one expression, and its options stand before it. # begins a comment.
";

/// The lines that the shell knows itself, and the commands.
pub fn text(definition: &Definition) -> String {
    let own = OWN.iter().map(|(line, what)| ((*line).to_owned(), (*what).to_owned()));
    let own: Vec<_> = own.collect();
    let commands: Vec<_> = definition.offered().collect();
    format!("Lines\n{}\nCommands\n{}\n{NOTES}", rows(&own), rows(&commands))
}

fn rows(lines: &[(String, String)]) -> String {
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for (name, what) in lines {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {name:<width$}  {what}");
    }
    text
}
