//! What a command is about that can also answer about a dump without a kernel.

use std::path::PathBuf;
use std::sync::Arc;

use vnetkvm::dump::Core;
use vnetkvm::session::Session;

use crate::args::Globals;
use crate::context;

/// A dump, with its kernel if that is known.
pub enum Subject<'r> {
    Session(&'r Session),
    /// A dump whose kernel is not known: none was found, or the given one does not match.
    Dump(Arc<Core>, PathBuf, vnetkvm::Error),
}

impl<'r> Subject<'r> {
    /// Opens the files that the command line names, or the files found by default.
    pub fn open(globals: &'r Globals) -> anyhow::Result<Self> {
        if let Some(session) = globals.run.session() {
            return Ok(Self::Session(session));
        }
        let named = globals.input.demo || globals.input.kernel.is_some();
        if !globals.input.demo && context::is_device(&context::options(globals)?.core) {
            return Ok(Self::Session(context::open(globals)?));
        }
        if named {
            return match context::open(globals) {
                Ok(session) => Ok(Self::Session(session)),
                Err(error) => match error.downcast() {
                    Ok(why @ vnetkvm::Error::Target(_)) => {
                        let (core, path) = context::dump_alone(&context::options(globals)?)?;
                        Ok(Self::Dump(core, path, why))
                    }
                    Ok(error) => Err(error.into()),
                    Err(error) => Err(error),
                },
            };
        }
        let options = context::options(globals)?;
        let (core, path) = context::dump_alone(&options)?;
        match Session::of_dump(Arc::clone(&core), &options) {
            Ok(session) => Ok(Self::Session(context::keep(globals, session))),
            Err(error) => Ok(Self::Dump(core, path, error)),
        }
    }
}
