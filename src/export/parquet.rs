//! A table as a Parquet file: compressed by zstd, in row groups of bounded size.

use std::io::{self, Write};
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

/// The keys of the dump's file, and of the time when its machine crashed, in a file's metadata.
const DUMP_KEY: &str = "vnetkvm.dump";
const TIME_KEY: &str = "vnetkvm.time";

/// Which dump a file is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The path of the dump.
    pub path: String,
    /// When the machine crashed, in seconds since 1970-01-01 UTC; `None` if it is unknown.
    pub time: Option<u64>,
}

impl Origin {
    /// Whether both may be one dump. A path alone does not say it: the next dump of an emptied crash
    /// directory has the same.
    #[must_use]
    pub fn may_be(&self, other: &Self) -> bool {
        let same_time = self.time.zip(other.time).is_none_or(|(own, other)| own == other);
        self.path == other.path && same_time
    }
}

/// The most rows of a row group.
const GROUP_ROWS: usize = 64 << 10;

/// The most bytes of a row group, encoded: they are held until it is complete.
const GROUP_BYTES: usize = 16 << 20;

/// Writes a Parquet file.
pub struct ParquetWriter<W: Write + Send>(ArrowWriter<W>);

impl<W: Write + Send> ParquetWriter<W> {
    /// A file without rows yet, about the dump `origin`.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(table: &Table, origin: &Origin, out: W) -> io::Result<Self> {
        let version = KeyValue::new(SCHEMA_VERSION_KEY.to_owned(), SCHEMA_VERSION.to_string());
        let dump = KeyValue::new(DUMP_KEY.to_owned(), origin.path.clone());
        let time = origin.time.map(|time| KeyValue::new(TIME_KEY.to_owned(), time.to_string()));
        let told = [version, dump].into_iter().chain(time).collect();
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_max_row_group_bytes(Some(GROUP_BYTES))
            .set_created_by(concat!("vnetkvm ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_key_value_metadata(Some(told))
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

/// The dump that a Parquet file is about; `None` if it does not say so.
///
/// # Errors
/// It cannot be read, or is no Parquet file.
pub fn origin_of(file: impl ChunkReader + 'static) -> io::Result<Option<Origin>> {
    let reader = SerializedFileReader::new(file).map_err(error)?;
    let told = reader.metadata().file_metadata().key_value_metadata();
    let value = |key| told?.iter().find(|told| told.key == key)?.value.clone();
    let time = value(TIME_KEY).and_then(|time| time.parse().ok());
    Ok(value(DUMP_KEY).map(|path| Origin { path, time }))
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
