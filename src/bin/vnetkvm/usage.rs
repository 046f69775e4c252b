//! Which options apply to which command. All are defined once in `args` and may come before
//! or after the command. The help of a command omits the options that do not apply to it, and
//! giving one is an error.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, CommandFactory, FromArgMatches, ValueEnum};

use crate::args::{Format, Globals};
use crate::cli::Cli;
use crate::hints;
use crate::stdout::cannot_write;

const INPUT: &[&str] = &[
    "kernel",
    "core",
    "dump",
    "crash_dir",
    "demo",
    "debug_dir",
    "types",
    "memory_map",
    "kernel_phys",
];
/// The options of INPUT that name the memory, not the kernel.
const DUMP: &[&str] = &["core", "dump", "crash_dir", "demo", "memory_map", "kernel_phys"];
/// The options of INPUT that the demonstration does not read.
const WITHOUT_DEMO: &[&str] =
    &["kernel", "core", "dump", "crash_dir", "debug_dir", "types", "memory_map", "kernel_phys"];
/// The options that name one dump, or tell of it.
const ONE_DUMP: &[&str] = &["core", "dump", "demo", "memory_map", "kernel_phys"];
const TYPES: &[&str] = &["types"];
const VNET: &[&str] = &["vnet", "jail", "pid", "tid", "all_vnets"];
const FORMAT: &[&str] = &["format", "json"];
const LIMITS: &[&str] = &["max_elements", "max_depth"];
const STRICT: &[&str] = &["strict"];
const WATCH: &[&str] = &["watch", "count"];
const REST: &[&str] = &["verbose"];

/// Whether an option is about which dump is opened, and how often, or about the program as a whole.
#[cfg(feature = "shell")]
pub fn is_of_opening(option: &str) -> bool {
    [INPUT, WATCH, REST, &["color"]].concat().contains(&option)
}

/// The options that do not apply to a command.
fn unused_options(command: &str) -> Vec<&'static str> {
    let groups: &[&[&str]] = match command {
        "completions" | "man" => &[INPUT, VNET, FORMAT, LIMITS, STRICT, WATCH, REST],
        "lldb" => &[VNET, FORMAT, LIMITS, STRICT, WATCH],
        "report" => &[VNET, &["json"], LIMITS, STRICT, WATCH],
        "image" => &[DUMP, TYPES, VNET, FORMAT, LIMITS, STRICT, WATCH],
        "info" | "vnets" | "modules" | "modspace" | "locks" | "eventhandlers" | "recursions" => {
            &[VNET, LIMITS]
        }
        "pcpu" => &[VNET],
        // It reads no memory.
        "type" => &[VNET, LIMITS, STRICT, WATCH],
        "check" | "counters" | "diff" | "interfaces" | "jails" | "neighbors" | "read"
        | "routes" | "sockets" | "sysinit" | "threads" | "topology" | "whatis" => &[LIMITS],
        "convert" => &[LIMITS, WATCH],
        "export" => &[VNET, WATCH],
        "triage" => &[ONE_DUMP, VNET, LIMITS, WATCH],
        "gdb-server" => &[VNET, FORMAT, LIMITS, STRICT, WATCH],
        "shell" => &[&["all_vnets"], FORMAT, LIMITS, STRICT, WATCH],
        "gdb" => &[FORMAT, LIMITS, STRICT, WATCH],
        _ => &[],
    };
    groups.concat()
}

/// The definition of the command line; each command offers only the options that apply to it.
pub fn command() -> Command {
    hide_unused_options(Cli::command())
}

/// Hides the options that do not apply to a command, from it and from its subcommands.
fn hide_unused_options(mut command: Command) -> Command {
    let globals: Vec<Arg> =
        command.get_arguments().filter(|arg| arg.is_global_set()).cloned().collect();
    let names: Vec<String> =
        command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
    for name in names {
        let unused = unused_options(&name);
        let is_hidden = |arg: &&Arg| arg.is_hide_set() || unused.contains(&arg.get_id().as_str());
        let hidden = globals.iter().filter(is_hidden).map(|arg| arg.clone().hide(true));
        let is_format = |arg: &&Arg| arg.get_id() == "format" && name == "report";
        let format = globals.iter().find(is_format).map(report_format);
        command = command
            .mut_subcommand(name, |inner| hide_unused_options(inner.args(hidden.chain(format))));
    }
    command
}

/// The option --format of a command that has its own formats.
fn report_format(format: &Arg) -> Arg {
    let values = Format::value_variants()
        .iter()
        .filter_map(|format| Some(format.to_possible_value()?.hide(!format.fits("report"))));
    let parser = PossibleValuesParser::new(values);
    let parser = parser.try_map(|name| Format::from_str(&name, false));
    // It takes no template.
    let help = "Output format";
    format.clone().value_parser(parser).default_value("html").help(help).long_help(help)
}

/// Reads the command line. If it asks for help or the version, this writes the answer and
/// returns `None`. A wrong command line ends the program here, with status 2 and a message.
///
/// # Errors
/// Standard output cannot be written to.
pub fn parse() -> io::Result<Option<Cli>> {
    match parse_from(std::env::args_os()) {
        Ok(cli) => Ok(Some(cli)),
        Err(error) if error.use_stderr() => error.exit(),
        Err(help) => {
            help.print().and_then(|()| io::stdout().flush()).map_err(cannot_write)?;
            Ok(None)
        }
    }
}

/// Reads a command line.
pub fn parse_from<W: Into<OsString> + Clone>(
    words: impl IntoIterator<Item = W>,
) -> Result<Cli, clap::Error> {
    let matches = command().try_get_matches_from(words);
    let matches = matches.map_err(|error| explain_unknown(error, LEFT_OUT))?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    cli.globals.kernel_named = named(&matches, "kernel");
    cli.globals.core_named = named(&matches, "core");
    check(&cli.globals, &matches)?;
    if !named(&matches, "format") && matches.subcommand_name() == Some("report") {
        cli.globals.output.format = Format::Html;
    }
    let input = &mut cli.globals.input;
    for path in [&mut input.kernel, &mut input.core, &mut input.crash_dir] {
        // An empty variable of the environment counts as unset, as everywhere.
        *path = path.take().filter(|path| !path.as_os_str().is_empty());
    }
    Ok(cli)
}

/// Commands that this program was built without, which bear the names of their features.
const LEFT_OUT: &[&str] = &[
    #[cfg(not(feature = "export"))]
    "export",
    #[cfg(not(feature = "gdb-server"))]
    "gdb-server",
    #[cfg(not(feature = "shell"))]
    "shell",
];

/// A command that is missing here is no typing error, and neither is the name of another program or of a
/// dump.
fn explain_unknown(mut error: clap::Error, left_out: &[&str]) -> clap::Error {
    let given = |kind| match error.get(kind) {
        Some(ContextValue::String(name)) => Some(name.clone()),
        _ => None,
    };
    let command = given(ContextKind::InvalidSubcommand);
    let is_argument = error.kind() == ErrorKind::UnknownArgument;
    let argument = given(ContextKind::InvalidArg).filter(|_| is_argument);
    let Some(name) = command.as_ref().or(argument.as_ref()) else { return error };
    let instead = hints::instead_of(name);
    let tip = if command.is_some() && left_out.contains(&&**name) {
        format!("this program was built without it: build it with --features {name}")
    } else if Path::new(name).is_file() {
        format!("it is a file: name a dump by -M {name}, or a kernel by -N {name}")
    } else {
        if command.is_some() && !instead.is_empty() {
            error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(instead));
        }
        return error;
    };
    error.remove(ContextKind::SuggestedSubcommand);
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    error
}

/// Whether the option was given on the command line, not by the environment.
fn named(matches: &ArgMatches, option: &str) -> bool {
    matches.value_source(option) == Some(ValueSource::CommandLine)
}

fn check(globals: &Globals, matches: &ArgMatches) -> Result<(), clap::Error> {
    let Some((name, _)) = matches.subcommand() else { return Ok(()) };
    let conflict = |what: String| {
        let mut definition = command();
        definition.build();
        let inner = definition.find_subcommand_mut(name).cloned();
        inner.unwrap_or(definition).error(ErrorKind::ArgumentConflict, what)
    };
    if let Some(option) = unused_options(name).into_iter().find(|option| named(matches, option)) {
        let option = option.replace('_', "-");
        return Err(conflict(format!("--{option} does not apply to {name}")));
    }
    let format = &globals.output.format;
    if named(matches, "format") && !format.fits(name) {
        return Err(other_format(name, format));
    }
    let input = &globals.input;
    let paths = [("kernel", &input.kernel), ("core", &input.core), ("crash_dir", &input.crash_dir)];
    for (option, path) in paths {
        let empty = path.as_ref().is_some_and(|path| path.as_os_str().is_empty());
        if empty && named(matches, option) {
            let option = option.replace('_', "-");
            return Err(conflict(format!("--{option} is empty")));
        }
    }
    if input.demo
        && let Some(option) = WITHOUT_DEMO.iter().find(|option| named(matches, option))
    {
        let option = option.replace('_', "-");
        return Err(conflict(format!(
            "--{option} does not apply with --demo, which has its own kernel and dump"
        )));
    }
    if globals.output.json && named(matches, "format") && globals.output.format != Format::Json {
        return Err(conflict(
            "--json conflicts with the given --format: use one of them".to_owned(),
        ));
    }
    let (vnets, jails) = (globals.vnet.vnet.len(), globals.vnet.jail.len());
    if vnets.max(jails) > 1 && name != "diff" {
        let option = if vnets > 1 { "--vnet <N|0xADDR>" } else { "--jail <NAME|JID>" };
        return Err(conflict(format!("the argument '{option}' cannot be used multiple times")));
    }
    if globals.watch.count.is_some() && globals.watch.watch.is_none() {
        return Err(conflict("--count has no effect without --watch".to_owned()));
    }
    let vnets = VNET.iter().filter(|option| named(matches, option)).count();
    if vnets > 1 {
        let what =
            "more than one choice of vnet: use one of --vnet, --jail, --pid, --tid and --all-vnets";
        return Err(conflict(what.to_owned()));
    }
    Ok(())
}

/// The error for a format that is one of other commands.
fn other_format(command: &str, format: &Format) -> clap::Error {
    let fitting = Format::value_variants().iter().filter(|format| format.fits(command));
    let mut error = clap::Error::new(ErrorKind::InvalidValue).with_cmd(&self::command());
    let string = ContextValue::String;
    error.insert(ContextKind::InvalidArg, string("--format <FORMAT>".to_owned()));
    error.insert(ContextKind::InvalidValue, string(format.name()));
    let fitting = fitting.map(Format::name).collect();
    error.insert(ContextKind::ValidValue, ContextValue::Strings(fitting));
    let tip = match format {
        Format::Html | Format::Markdown => "'report' writes HTML and Markdown",
        _ => "each part of a report has a command of its own, which has the other formats",
    };
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(words: &str) -> Option<String> {
        let words = std::iter::once("vnetkvm").chain(words.split(' '));
        let error = parse_from(words).err()?;
        Some(error.to_string().lines().next().unwrap_or_default().to_owned())
    }

    #[test]
    fn the_definition_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn a_command_that_was_left_out_is_no_typing_error() {
        let error = || command().try_get_matches_from(["vnetkvm", "reports"]).unwrap_err();
        let told = explain_unknown(error(), &["reports"]).to_string();
        assert!(told.contains("was built without it: build it with --features reports"), "{told}");
        assert!(!told.contains("similar"), "{told}");
        let told = explain_unknown(error(), &["export"]).to_string();
        assert!(told.contains("similar") && !told.contains("built"), "{told}");
    }

    #[test]
    fn a_file_is_no_command() {
        let told = parse_from(["vnetkvm", "Cargo.toml", "vnets"]).unwrap_err().to_string();
        assert!(told.contains("-M Cargo.toml") && !told.contains("similar"), "{told}");
        let told = parse_from(["vnetkvm", "vnets", "Cargo.toml"]).unwrap_err().to_string();
        assert!(told.contains("unexpected") && told.contains("-M Cargo.toml"), "{told}");
    }

    #[test]
    fn another_program_leads_to_the_commands_for_what_it_shows() {
        let told = parse_from(["vnetkvm", "ifconfig"]).unwrap_err().to_string();
        assert!(told.contains("'interfaces'") && !told.contains("'diff'"), "{told}");
    }

    #[test]
    fn options_that_do_not_apply_are_refused() {
        for (words, option) in [
            ("--vnet 1 info", "--vnet"),
            ("info --vnet 1", "--vnet"),
            ("vnets --all-vnets", "--all-vnets"),
            ("modules --vnet 1", "--vnet"),
            ("modspace --jail web01", "--jail"),
            ("type --jail web01 vnet", "--jail"),
            ("gdb --json", "--json"),
            ("man --demo /tmp", "--demo"),
            ("image build x.toml -o /tmp --tid 3", "--tid"),
            ("completions -N kernel zsh", "--kernel"),
            ("--watch 1 type vnet", "--watch"),
            ("report --watch 1", "--watch"),
            ("gdb --watch 1", "--watch"),
            ("--watch 1 man /tmp", "--watch"),
            ("image build x.toml -o /tmp --watch 1", "--watch"),
            ("vnets --count 2", "--count"),
        ] {
            let message = refused(words).unwrap_or_else(|| panic!("{words} is accepted"));
            assert!(message.contains(option), "{words}: {message}");
        }
        for words in ["--vnet 1 vars", "vars --vnet 1", "image build x -o y -N k", "type x --json"]
        {
            assert_eq!(refused(words), None);
        }
    }

    #[test]
    fn demo_conflicts_with_options_that_name_files() {
        for words in [
            "--demo -N k info",
            "vars --demo -M c",
            "-n 3 vnets --demo",
            "--demo --debug-dir /nowhere vnets",
            "--demo --crash-dir /nowhere vnets",
        ] {
            assert!(refused(words).is_some_and(|why| why.contains("--demo")), "{words}");
        }
        assert_eq!(refused("--demo vars"), None);
        assert!(refused("-N= vars").is_some_and(|why| why.contains("--kernel is empty")));
    }

    #[test]
    fn help_omits_options_that_do_not_apply() {
        let help = |name: &str| {
            let mut definition = command();
            definition.build();
            let mut inner = &mut definition;
            for name in name.split(' ') {
                inner = inner.find_subcommand_mut(name).unwrap();
            }
            inner.render_long_help().to_string()
        };
        assert!(help("vars").contains("--jail") && help("vars").contains("--kernel"));
        assert!(!help("type").contains("--jail") && help("type").contains("--kernel"));
        assert!(!help("image build").contains("--core"), "{}", help("image build"));
        assert!(help("image build").contains("--kernel"));
        assert!(!help("man").contains("--kernel"));
        assert!(help("vars").contains("template") && !help("report").contains("template"));
    }

    #[test]
    fn two_formats_or_two_vnets_conflict() {
        assert!(refused("vars --json --format plain").is_some());
        assert!(refused("--json vars --format jsonl").is_some());
        assert_eq!(refused("vars --json --format json"), None);
        assert!(refused("--vnet 1 vars --jail web01").is_some());
    }
}
