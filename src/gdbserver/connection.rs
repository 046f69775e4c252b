//! The way to the client.

use std::io::{self, Write};

use gdbstub::conn::Connection;

use super::packet;
use super::queries::FEATURES;

/// Writes packets whole.
pub(super) struct Writer<'w> {
    to: &'w mut dyn Write,
    kept: Vec<u8>,
    /// Whether the client wants to hear that a packet has come.
    acknowledges: bool,
    /// The next packet is the answer to qSupported.
    tells_features: bool,
}

impl<'w> Writer<'w> {
    pub fn new(to: &'w mut dyn Write) -> Self {
        Self { to, kept: Vec::new(), acknowledges: true, tells_features: false }
    }

    /// Notes what the client asks gdbstub, as far as it changes what is written.
    pub fn expect_answer_to(&mut self, contents: &[u8]) {
        self.tells_features = contents.starts_with(b"qSupported");
        self.acknowledges &= contents != b"QStartNoAckMode";
    }

    /// Answers a packet with these contents.
    pub fn answer(&mut self, contents: &[u8]) -> io::Result<()> {
        let acknowledgement: &[u8] = if self.acknowledges { b"+" } else { b"" };
        self.to.write_all(acknowledgement)?;
        self.to.write_all(&packet::packet(contents))?;
        self.to.flush()
    }

    /// The answer to a packet that is not understood.
    pub fn say_nothing(&mut self) -> io::Result<()> {
        self.kept.clear();
        self.to.write_all(&packet::packet(b""))?;
        self.to.flush()
    }

    /// Adds our features to those that gdbstub told.
    fn tell_features(&mut self) {
        let Some(start) = self.kept.iter().position(|byte| *byte == b'$') else { return };
        let told = self.kept.split_off(start);
        match packet::contents(&told) {
            Some(told) => self.kept.extend(packet::packet(&[told, FEATURES].concat())),
            None => self.kept.extend(told),
        }
    }
}

impl Connection for &mut Writer<'_> {
    type Error = io::Error;

    fn write(&mut self, byte: u8) -> io::Result<()> {
        self.kept.push(byte);
        Ok(())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.kept.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.tells_features) {
            self.tell_features();
        }
        self.to.write_all(&self.kept)?;
        self.kept.clear();
        self.to.flush()
    }
}
