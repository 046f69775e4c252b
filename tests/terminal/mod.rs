//! A pseudo-terminal with a program on it, and what it shows.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::io::Read;
use std::num::NonZeroU16;
use std::process::Child;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::{Command, Pty, open};
use vt100::{Parser, Screen};

const VNETKVM: &str = env!("CARGO_BIN_EXE_vnetkvm");

/// The longest that anything takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A terminal with a program on it.
pub struct Terminal {
    pub keyboard: Pty,
    output: Receiver<Vec<u8>>,
    pub parser: Parser,
    /// What was written and seen so far, and what was not seen yet.
    pub written: Vec<u8>,
    unseen: Vec<u8>,
    pub child: Child,
}

impl Terminal {
    pub fn start(size: (u16, u16), arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::start_program(VNETKVM, size, arguments, environment)
    }

    pub fn start_program(
        program: &str,
        size: (u16, u16),
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let (keyboard, terminal) = open().unwrap();
        keyboard.resize(Size::new(size.0, size.1)).unwrap();
        let mut command = Command::new(program).args(arguments).env("TERM", "xterm-256color");
        // What the tests themselves run in says nothing about this terminal.
        for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLORTERM", "CI"] {
            command = command.env_remove(variable);
        }
        let child = command.envs(environment.iter().copied()).spawn(terminal).unwrap();
        let mut reader =
            std::fs::File::from(std::os::fd::AsFd::as_fd(&keyboard).try_clone_to_owned().unwrap());
        let (sender, output) = mpsc::channel();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            // At the end, reading fails.
            while let Ok(len @ 1..) = reader.read(&mut bytes) {
                if sender.send(bytes[..len].to_vec()).is_err() {
                    break;
                }
            }
        });
        let parser = parser(size);
        Self { keyboard, output, parser, written: Vec::new(), unseen: Vec::new(), child }
    }

    /// Waits until the screen looks so at the end of a drawing.
    pub fn wait(&mut self, what: &str, looks: impl Fn(&Screen) -> bool) {
        let started = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(started.elapsed());
            if self.see_drawing() {
                if looks(self.parser.screen()) {
                    return;
                }
                continue;
            }
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.unseen.extend(bytes),
                Err(why) => panic!("{what}: {why}\n{}", self.parser.screen().contents()),
            }
        }
    }

    /// Sees what was written up to the end of a drawing, if it was written. However late this is,
    /// no drawing is missed.
    fn see_drawing(&mut self) -> bool {
        const END: &[u8] = b"\x1b[?25h";
        let Some(end) = memchr::memmem::find(&self.unseen, END) else { return false };
        let drawing: Vec<u8> = self.unseen.drain(..end + END.len()).collect();
        self.see(&drawing);
        true
    }

    /// Waits until the screen looks so.
    pub fn wait_for(&mut self, what: &str, looks: impl Fn(&Screen) -> bool) {
        let started = Instant::now();
        while !looks(self.parser.screen()) {
            let left = PATIENCE.saturating_sub(started.elapsed());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.see(&bytes),
                Err(why) => panic!("{what}: {why}\n{}", self.parser.screen().contents()),
            }
        }
    }

    fn see(&mut self, bytes: &[u8]) {
        self.written.extend_from_slice(bytes);
        self.parser.process(bytes);
    }

    /// All that is written until the program ends.
    pub fn rest(&mut self) {
        let unseen = std::mem::take(&mut self.unseen);
        self.see(&unseen);
        loop {
            match self.output.recv_timeout(PATIENCE) {
                Ok(bytes) => self.see(&bytes),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(why) => panic!("{why}"),
            }
        }
    }

    pub fn lines(&self) -> Vec<String> {
        let (_, width) = self.parser.screen().size();
        let rows = self.parser.screen().rows(0, width.get());
        rows.map(|row| row.trim_end().to_owned()).collect()
    }

    /// What stands out on the line that begins so.
    pub fn highlighted(&self, start: &str) -> String {
        let row = self.lines().iter().position(|line| line.starts_with(start)).unwrap();
        let cells = (0..200).filter_map(|column| self.parser.screen().cell(row as u16, column));
        cells.filter(|cell| cell.inverse()).map(|cell| cell.contents()).collect()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn parser(size: (u16, u16)) -> Parser {
    let number = |number| NonZeroU16::new(number).unwrap();
    Parser::new(number(size.0), number(size.1), 200)
}
