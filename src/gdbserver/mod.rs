//! A remote stub for gdb and lldb over a dump, by the GDB Remote Serial Protocol.
//!
//! What: the dump's memory, a thread for each thread of the kernel with the registers that were
//! saved of it, the modules, and commands of our own (`monitor`).
//!
//! How: the crate gdbstub speaks the protocol, but for what it cannot say (`queries.rs`). A debugger
//! reads what it needs to unwind stacks and to print variables; nothing is prepared but the list
//! of threads.
//!
//! What it refuses to do: it changes nothing, and says so to whoever tries. A register that was
//! not saved is unavailable, and never 0. A packet that makes no sense gets an empty answer, and
//! the next one is read.

mod connection;
mod description;
mod files;
mod host_io;
mod libraries;
mod monitor;
mod packet;
mod queries;
mod registers;
mod stub;
mod threads;

use std::io::{self, BufRead, BufReader, Read, Write};

use gdbstub::common::Signal;
use gdbstub::conn::Connection;
use gdbstub::stub::state_machine::GdbStubStateMachine;
use gdbstub::stub::{GdbStub, MultiThreadStopReason};

use crate::session::Session;
use crate::walk::Problems;
use connection::Writer;
use packet::Incoming;
use stub::Stub;

pub use monitor::Monitor;

/// The most bytes of a packet. gdb reads memory in pieces of half of that.
const PACKET: usize = 128 << 10;

/// A dump that debuggers can look at.
pub struct Server<'s, 'm> {
    stub: Stub<'s, 'm>,
}

type Machine<'a, 'w, 's, 'm> = GdbStubStateMachine<'a, Stub<'s, 'm>, &'a mut Writer<'w>>;

impl<'s, 'm> Server<'s, 'm> {
    /// Lists the threads and modules.
    pub fn new(session: &'s Session, monitor: &'m mut dyn Monitor) -> Self {
        Self { stub: Stub::new(session, monitor) }
    }

    /// Why threads may be missing.
    pub fn problems(&self) -> &Problems {
        &self.stub.threads.problems
    }

    /// Answers one client until it leaves.
    ///
    /// # Errors
    /// Reading or writing failed for another reason than that the client is gone.
    pub fn serve(&mut self, from: impl Read, mut to: impl Write) -> io::Result<()> {
        self.stub.start();
        let mut from = BufReader::new(from);
        if let Ok(bytes) = from.fill_buf() {
            let given_up = packet::given_up(bytes);
            from.consume(given_up);
        }
        let mut writer = Writer::new(&mut to);
        // A client that sends nothing but nonsense is not worth one for each packet.
        let mut buffer = vec![0; PACKET];
        loop {
            // After an error gdbstub is of no more use, but the client may be.
            let ended = self.until_error(&mut from, &mut writer, &mut buffer);
            let ended = ended.and_then(|ended| match ended {
                Ended::Confused => writer.say_nothing().map(|()| ended),
                Ended::Left => Ok(ended),
            });
            match ended {
                Ok(Ended::Left) => return Ok(()),
                Ok(Ended::Confused) => {}
                Err(error) if is_gone(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn until_error(
        &mut self,
        from: &mut impl BufRead,
        writer: &mut Writer<'_>,
        buffer: &mut [u8],
    ) -> io::Result<Ended> {
        let stub = GdbStub::builder(writer).with_packet_buffer(buffer).build();
        let stub = stub.map_err(io::Error::other)?;
        let mut machine = match stub.run_state_machine(&mut self.stub) {
            Ok(machine) => machine,
            Err(error) => return Err(io::Error::other(error.to_string())),
        };
        let mut incoming = Incoming::new(PACKET);
        loop {
            let byte = match from.fill_buf() {
                Ok(bytes) => bytes.first().copied(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let Some(byte) = byte else { return Ok(Ended::Left) };
            // What follows is for the next packet, even if this one makes no sense.
            from.consume(1);
            let Some(bytes) = incoming.add(byte) else { continue };
            if self.answer(&mut machine, &bytes)? {
                continue;
            }
            for byte in bytes {
                machine = match self.step(machine, byte)? {
                    Some(GdbStubStateMachine::Disconnected(_)) => return Ok(Ended::Left),
                    Some(machine) => machine,
                    None => return Ok(Ended::Confused),
                };
            }
        }
    }

    /// Answers what gdbstub has no answer to. Returns whether it did.
    fn answer(&mut self, machine: &mut Machine<'_, '_, 's, 'm>, bytes: &[u8]) -> io::Result<bool> {
        let GdbStubStateMachine::Idle(idle) = machine else { return Ok(false) };
        let Some(contents) = packet::contents(bytes) else { return Ok(false) };
        match self.stub.answer(contents) {
            Some(answer) => idle.borrow_conn().answer(&answer).map(|()| true),
            None => {
                idle.borrow_conn().expect_answer_to(contents);
                Ok(false)
            }
        }
    }

    /// Gives a byte to gdbstub; `None` after an error that is not the connection's.
    fn step<'a, 'w>(
        &mut self,
        machine: Machine<'a, 'w, 's, 'm>,
        byte: u8,
    ) -> io::Result<Option<Machine<'a, 'w, 's, 'm>>> {
        let next = match machine {
            GdbStubStateMachine::Idle(idle) => idle.incoming_data(&mut self.stub, byte),
            other => Ok(other),
        };
        let next = next.and_then(|machine| match machine {
            // Nothing ever runs, so who waits for it to stop is told at once.
            GdbStubStateMachine::Running(mut running) => {
                let stopped = MultiThreadStopReason::SignalWithThread {
                    tid: self.stub.stopped(),
                    // After SIGTRAP gdb would go on with a `step`, for ever.
                    signal: Signal::SIGSTOP,
                };
                // It is written with what follows; an error is too.
                let _ = running.borrow_conn().write_all(&console(NOTHING_RUNS));
                running.report_stop(&mut self.stub, stopped)
            }
            GdbStubStateMachine::CtrlCInterrupt(interrupted) => {
                interrupted.interrupt_handled(&mut self.stub, None::<MultiThreadStopReason<u64>>)
            }
            other => Ok(other),
        });
        match next {
            Ok(machine) => Ok(Some(machine)),
            Err(error) if error.is_connection_error() => match error.into_connection_error() {
                Some((error, _)) => Err(error),
                None => Ok(None),
            },
            Err(_) => Ok(None),
        }
    }
}

const NOTHING_RUNS: &str = "A dump does not run.\n";

/// The packet by which a stub prints a line in the debugger's console.
fn console(text: &str) -> Vec<u8> {
    packet::packet(&[b"O", &*packet::hex(text.as_bytes())].concat())
}

/// How it ended.
enum Ended {
    /// The client has left.
    Left,
    /// It sent something that makes no sense.
    Confused,
}

fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::*;
    matches!(error.kind(), BrokenPipe | ConnectionReset | ConnectionAborted | UnexpectedEof)
}
