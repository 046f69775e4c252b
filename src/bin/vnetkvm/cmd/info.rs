//! `info`: opens the files. Without a kernel, the dump alone says which kernel to look for.

use vnetkvm::answers;

use crate::args::Globals;
use crate::context;
use crate::exit::{Failure, Outcome};
use crate::hints;
use crate::output::show;
use crate::say::{hint, warning};
use crate::subject::Subject;

pub fn run(globals: &Globals, dmesg: bool) -> anyhow::Result<Outcome> {
    match Subject::open(globals)? {
        Subject::Session(session) if dmesg => {
            let hint = "finding it in memory needs a kernel with debug information";
            show(globals, answers::messages(session).ok_or_else(|| no_messages(hint))?)
        }
        Subject::Session(session) => show(globals, answers::info(session)),
        Subject::Dump(core, path, why) => {
            let doubts = context::dump_warnings(&core, &path);
            doubts.iter().for_each(|why| warning(why));
            if dmesg {
                let hint = "name the kernel with -N FILE: without one, only a minidump's message buffer is found";
                let messages = answers::messages_of_dump(&core);
                return show(globals, messages.ok_or_else(|| no_messages(hint))?);
            }
            warning(&story(&why));
            hints::of_library(&why).iter().for_each(|text| hint(text));
            show(globals, answers::info_of_dump(&core, &path, doubts, &why))
        }
    }
}

fn no_messages(hint: &str) -> Failure {
    Failure::new("the message buffer cannot be read").hint(hint)
}

/// An error and its cause in one sentence.
fn story(error: &vnetkvm::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
