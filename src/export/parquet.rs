//! A table as a Parquet file: compressed by zstd, in row groups of bounded size.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};

use super::batches::{SCHEMA_VERSION, SCHEMA_VERSION_KEY, Writer, schema};
use super::table::Table;

/// The key of the dump's file in a file's metadata.
const DUMP_KEY: &str = "vnetkvm.dump";

/// The most rows of a row group.
const GROUP_ROWS: usize = 64 << 10;

/// The most bytes of a row group, encoded: they are held until it is complete.
const GROUP_BYTES: usize = 16 << 20;

/// Writes a Parquet file.
pub struct ParquetWriter<W: Write + Send>(ArrowWriter<W>);

impl<W: Write + Send> ParquetWriter<W> {
    /// A file without rows yet, about the dump in the file `dump`.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(table: &Table, dump: &Path, out: W) -> io::Result<Self> {
        let version = KeyValue::new(SCHEMA_VERSION_KEY.to_owned(), SCHEMA_VERSION.to_string());
        let dump = KeyValue::new(DUMP_KEY.to_owned(), dump.display().to_string());
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_max_row_group_bytes(Some(GROUP_BYTES))
            .set_created_by(concat!("vnetkvm ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_key_value_metadata(Some(vec![version, dump]))
            .build();
        let writer = ArrowWriter::try_new(out, Arc::new(schema(table.columns)), Some(properties));
        Ok(Self(writer.map_err(error)?))
    }

    /// Completes the file, also one without rows.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn finish(self) -> io::Result<W> {
        self.0.into_inner().map_err(error)
    }
}

impl<W: Write + Send> Writer for ParquetWriter<W> {
    fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        self.0.write(batch).map_err(error)
    }
}

/// The file of the dump that a Parquet file is about; `None` if it does not say so.
///
/// # Errors
/// It cannot be read, or is no Parquet file.
pub fn dump_of(file: impl ChunkReader + 'static) -> io::Result<Option<String>> {
    let reader = SerializedFileReader::new(file).map_err(error)?;
    let told = reader.metadata().file_metadata().key_value_metadata();
    let dump = told.and_then(|told| told.iter().find(|told| told.key == DUMP_KEY));
    Ok(dump.and_then(|dump| dump.value.clone()))
}

/// The error of the file, if that is its cause.
fn error(why: ParquetError) -> io::Error {
    match why {
        ParquetError::External(cause) => match cause.downcast() {
            Ok(cause) => *cause,
            Err(cause) => io::Error::other(cause),
        },
        why => io::Error::other(why),
    }
}
