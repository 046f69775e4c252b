//! A table as an Arrow IPC stream, for programs that read one from a pipe.

use std::io::{self, Write};

use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::ArrowError;

use super::batches::{Writer, schema};
use super::table::Table;

/// Writes an Arrow IPC stream.
pub struct ArrowStream<W: Write>(StreamWriter<W>);

impl<W: Write> ArrowStream<W> {
    /// A stream without rows yet.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(table: &Table, out: W) -> io::Result<Self> {
        Ok(Self(StreamWriter::try_new(out, &schema(table.columns)).map_err(error)?))
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn finish(self) -> io::Result<W> {
        self.0.into_inner().map_err(error)
    }
}

impl<W: Write> Writer for ArrowStream<W> {
    fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        self.0.write(batch).map_err(error)
    }
}

/// The error of the output, if that is its cause.
fn error(why: ArrowError) -> io::Error {
    match why {
        ArrowError::IoError(_, cause) => cause,
        why => io::Error::other(why),
    }
}
