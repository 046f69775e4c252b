//! What `info` is about.

use std::path::PathBuf;
use std::sync::Arc;

use vnetkvm::dump::Core;
use vnetkvm::session::Session;

use crate::args::Cli;
use crate::context;

/// What there is to tell about.
pub enum Subject {
    Session(&'static Session),
    /// A dump whose kernel is not known: none was found, or the one given does not fit.
    Dump(Arc<Core>, PathBuf, vnetkvm::Error),
}

impl Subject {
    /// Opens it. A dump alone can say which kernel to look for.
    pub fn open(cli: &Cli) -> anyhow::Result<Self> {
        if cli.input.demo || cli.input.kernel.is_some() {
            return match context::open(cli) {
                Ok(session) => Ok(Self::Session(session)),
                Err(error) => match error.downcast() {
                    Ok(why @ vnetkvm::Error::Target(_)) => {
                        let (core, path) = context::dump_alone(&context::options(cli)?)?;
                        Ok(Self::Dump(core, path, why))
                    }
                    Ok(error) => Err(error.into()),
                    Err(error) => Err(error),
                },
            };
        }
        let options = context::options(cli)?;
        let (core, path) = context::dump_alone(&options)?;
        match Session::of_dump(Arc::clone(&core), &options) {
            Ok(session) => Ok(Self::Session(context::keep(cli, session))),
            Err(error) => {
                context::log_search(cli, &error);
                Ok(Self::Dump(core, path, error))
            }
        }
    }
}
