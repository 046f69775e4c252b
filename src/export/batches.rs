//! Rows to Arrow record batches, a bounded number of rows and bytes at a time.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Int64Builder, StringBuilder, StringDictionaryBuilder,
    TimestampMillisecondBuilder, UInt64Builder,
};
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, TimeUnit};

use super::column::{Cell, Column, Kind};

/// The version of the tables. It changes when a column goes, or means something else; not when one
/// is added.
pub const SCHEMA_VERSION: u32 = 1;

/// The key of that number in a file's metadata.
pub const SCHEMA_VERSION_KEY: &str = "vnetkvm.schema_version";

/// Takes the rows of one table, a batch after the other.
pub trait Writer {
    /// Takes the next rows.
    ///
    /// # Errors
    /// What it writes to fails.
    fn write(&mut self, batch: &RecordBatch) -> io::Result<()>;
}

/// Takes rows and forgets them.
#[derive(Debug, Clone, Copy)]
pub struct Discarded;

impl Writer for Discarded {
    fn write(&mut self, _: &RecordBatch) -> io::Result<()> {
        Ok(())
    }
}

/// The most rows of a batch.
const ROWS: usize = 8 << 10;

/// A batch is complete when its texts have this many bytes, however few its rows are.
const BYTES: usize = 4 << 20;

/// These columns as Arrow has them, with the version of the schema.
#[must_use]
pub fn schema(columns: &[Column]) -> Schema {
    let fields = columns.iter().map(|column| Field::new(column.name, kind(column), true));
    let version = (SCHEMA_VERSION_KEY.to_owned(), SCHEMA_VERSION.to_string());
    Schema::new_with_metadata(fields.collect::<Vec<_>>(), HashMap::from([version]))
}

fn kind(column: &Column) -> DataType {
    match column.kind {
        Kind::Unsigned => DataType::UInt64,
        Kind::Signed => DataType::Int64,
        Kind::Text => DataType::Utf8,
        Kind::Name => DataType::Dictionary(DataType::Int32.into(), DataType::Utf8.into()),
        Kind::Boolean => DataType::Boolean,
        Kind::Time => DataType::Timestamp(TimeUnit::Millisecond, Some(UTC.into())),
    }
}

const UTC: &str = "UTC";

/// The rows of a table that have not been written yet.
pub(super) struct Batches<'w> {
    columns: &'static [Column],
    schema: Arc<Schema>,
    builders: Vec<Builder>,
    rows: usize,
    bytes: usize,
    /// All rows, also those that were written.
    total: u64,
    out: &'w mut dyn Writer,
}

impl<'w> Batches<'w> {
    /// No rows yet of these columns, which `out` will take.
    pub fn new(columns: &'static [Column], out: &'w mut dyn Writer) -> Self {
        Self {
            columns,
            schema: Arc::new(schema(columns)),
            builders: columns.iter().map(Builder::new).collect(),
            rows: 0,
            bytes: 0,
            total: 0,
            out,
        }
    }

    /// Adds a row, which has a cell for each column.
    pub fn add(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        if cells.len() != self.columns.len() {
            let wanted = self.columns.len();
            return Err(io::Error::other(format!("a row has {} of {wanted} cells", cells.len())));
        }
        for ((builder, cell), column) in self.builders.iter_mut().zip(cells).zip(self.columns) {
            builder.add(cell, column)?;
            if let Cell::Text(text) = cell {
                self.bytes += text.len();
            }
        }
        self.rows += 1;
        self.total += 1;
        if self.rows >= ROWS || self.bytes >= BYTES { self.flush() } else { Ok(()) }
    }

    /// Writes what is left, and gives the number of all rows.
    pub fn finish(mut self) -> io::Result<u64> {
        self.flush()?;
        Ok(self.total)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        (self.rows, self.bytes) = (0, 0);
        let arrays = self.builders.iter_mut().map(Builder::finish).collect();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays);
        self.out.write(&batch.map_err(io::Error::other)?)
    }
}

/// The values of one column.
enum Builder {
    Unsigned(UInt64Builder),
    Signed(Int64Builder),
    Text(StringBuilder),
    Name(StringDictionaryBuilder<Int32Type>),
    Boolean(BooleanBuilder),
    Time(TimestampMillisecondBuilder),
}

impl Builder {
    fn new(column: &Column) -> Self {
        match column.kind {
            Kind::Unsigned => Self::Unsigned(UInt64Builder::new()),
            Kind::Signed => Self::Signed(Int64Builder::new()),
            Kind::Text => Self::Text(StringBuilder::new()),
            Kind::Name => Self::Name(StringDictionaryBuilder::new()),
            Kind::Boolean => Self::Boolean(BooleanBuilder::new()),
            Kind::Time => Self::Time(TimestampMillisecondBuilder::new().with_timezone(UTC)),
        }
    }

    fn add(&mut self, cell: &Cell<'_>, column: &Column) -> io::Result<()> {
        match (self, cell) {
            (Self::Unsigned(it), Cell::Unsigned(number)) => it.append_value(*number),
            (Self::Unsigned(it), Cell::Null) => it.append_null(),
            (Self::Signed(it), Cell::Signed(number)) => it.append_value(*number),
            (Self::Signed(it), Cell::Null) => it.append_null(),
            (Self::Text(it), Cell::Text(text)) => it.append_value(text),
            (Self::Text(it), Cell::Null) => it.append_null(),
            (Self::Name(it), Cell::Text(text)) => {
                it.append(text).map_err(io::Error::other)?;
            }
            (Self::Name(it), Cell::Null) => it.append_null(),
            (Self::Boolean(it), Cell::Boolean(yes)) => it.append_value(*yes),
            (Self::Boolean(it), Cell::Null) => it.append_null(),
            (Self::Time(it), Cell::Time(seconds)) => {
                // A damaged time may be past the end of time.
                let milliseconds = seconds.checked_mul(1000).and_then(|it| it.try_into().ok());
                it.append_option(milliseconds);
            }
            (Self::Time(it), Cell::Null) => it.append_null(),
            (_, cell) => {
                let what = format!("the column {} of kind {:?}", column.name, column.kind);
                return Err(io::Error::other(format!("{what} is given {cell:?}")));
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Unsigned(it) => Arc::new(it.finish()),
            Self::Signed(it) => Arc::new(it.finish()),
            Self::Text(it) => Arc::new(it.finish()),
            Self::Name(it) => Arc::new(it.finish()),
            Self::Boolean(it) => Arc::new(it.finish()),
            Self::Time(it) => Arc::new(it.finish()),
        }
    }
}
