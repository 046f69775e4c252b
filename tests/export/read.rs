//! Reads tables with the crates that other programs use, as JSON: a row is an object.

use std::collections::HashMap;
use std::fs::File;
use std::io::Cursor;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMillisecondType, UInt64Type};
use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::StreamReader;
use arrow_schema::{DataType, TimeUnit};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::{Value, json};

/// The rows of a Parquet file.
pub fn rows(path: &Path) -> Vec<Value> {
    let file = File::open(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    reader.flat_map(|batch| of_batch(&batch.unwrap())).collect()
}

/// The rows of an Arrow stream.
pub fn arrow_rows(bytes: &[u8]) -> Vec<Value> {
    let reader = StreamReader::try_new(Cursor::new(bytes), None).unwrap();
    reader.flat_map(|batch| of_batch(&batch.unwrap())).collect()
}

/// The keys and values of a Parquet file's metadata.
pub fn metadata(path: &Path) -> HashMap<String, String> {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let told = reader.metadata().file_metadata().key_value_metadata().cloned();
    told.unwrap().into_iter().map(|told| (told.key, told.value.unwrap())).collect()
}

fn of_batch(batch: &RecordBatch) -> Vec<Value> {
    let schema = batch.schema();
    let row = |at: usize| {
        let columns = schema.fields().iter().zip(batch.columns());
        columns.map(|(field, column)| (field.name().clone(), cell(column, at))).collect()
    };
    (0..batch.num_rows()).map(|at| Value::Object(row(at))).collect()
}

fn cell(column: &dyn Array, at: usize) -> Value {
    if column.is_null(at) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::UInt64 => json!(column.as_primitive::<UInt64Type>().value(at)),
        DataType::Int64 => json!(column.as_primitive::<Int64Type>().value(at)),
        DataType::Boolean => json!(column.as_boolean().value(at)),
        DataType::Utf8 => json!(column.as_string::<i32>().value(at)),
        DataType::Dictionary(..) => {
            let names = column.as_dictionary::<Int32Type>();
            json!(names.values().as_string::<i32>().value(names.key(at).unwrap()))
        }
        DataType::Timestamp(TimeUnit::Millisecond, Some(zone)) if &**zone == "UTC" => {
            json!(column.as_primitive::<TimestampMillisecondType>().value(at))
        }
        other => panic!("a column has the type {other}"),
    }
}
