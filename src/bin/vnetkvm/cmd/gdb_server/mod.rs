//! `gdb-server`: lets gdb and lldb look at the dump.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::rc::Rc;

mod door;
mod kernel_for_lldb;
mod monitor;

use clap::Args;
use vnetkvm::gdbserver::Server;
use vnetkvm::session::Session;

use crate::args::Globals;
use crate::exit::{Failure, Outcome};
use crate::say::note;
use crate::{context, output};
use door::{Door, reachable};
use kernel_for_lldb::KernelForLldb;
use monitor::Commands;

/// Where the debugger is.
#[derive(Debug, Args)]
pub struct GdbServerArgs {
    /// Where to wait for a debugger
    ///
    /// By default only programs on this machine can connect, at a port that is free.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0")]
    listen: String,

    /// The debugger is at standard input and output
    #[arg(long, conflicts_with = "listen")]
    stdio: bool,
}

pub fn run(globals: &Globals, args: &GdbServerArgs) -> anyhow::Result<Outcome> {
    let session = context::open(globals)?;
    let mut commands = Commands::new(Rc::clone(session));
    let mut server = Server::new(session, &mut commands);
    output::say_problems(server.problems());
    if args.stdio {
        server.serve(io::stdin().lock(), io::stdout().lock())?;
        return Ok(Outcome::Answered);
    }
    let listener = TcpListener::bind(&args.listen).map_err(|why| {
        Failure::new(format!("cannot listen at {}", args.listen))
            .hint("choose another port with --listen, or leave it out")
            .because(why)
    })?;
    let address = reachable(listener.local_addr()?);
    write_gdb_command(globals, session, address)?;
    // gdb may connect meanwhile.
    let kernel = KernelForLldb::write(session);
    write_lldb_command(kernel.path(), address)?;
    let door = Door::open(listener)?;
    loop {
        let guest = door.next()?;
        note(&format!("note: a debugger at {} has connected", guest.from));
        guest.stream.set_nodelay(true)?;
        if let Err(why) = server.serve(&guest.stream, &guest.stream) {
            note(&format!("note: the connection broke: {why}"));
        }
        note("note: the debugger has left");
    }
}

/// gdb loads the script that knows vnets and trap frames over the wire.
const LOAD_SCRIPT: &str = "python exec(gdb.execute(\"monitor gdb --python\", to_string=True))";

fn write_gdb_command(globals: &Globals, session: &Session, address: SocketAddr) -> io::Result<()> {
    let mut out = io::stdout().lock();
    write!(out, "gdb -iex 'set osabi none' -ex 'target remote {address}' -ex '{LOAD_SCRIPT}'")?;
    // gdb fetches a kernel that is in no file.
    if !globals.input.demo {
        let kernel = session.kernel().linked();
        let file = kernel.debug_file().unwrap_or(kernel.main()).source().path();
        // The debugger may be started in another directory.
        let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        write!(out, " {}", shell_word(&file))?;
    }
    writeln!(out)?;
    out.flush()
}

fn write_lldb_command(kernel: &Path, address: SocketAddr) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "lldb -o 'gdb-remote {address}' {}", shell_word(kernel))?;
    out.flush()
}

fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    match text.chars().all(plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}
