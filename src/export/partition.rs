//! Where the files of a dump lie in a directory of many dumps: `TABLE/host=HOST/dump=NAME/part-0.parquet`.
//!
//! What is behind `=` is the value of a column that is not in the file, as Hive has it (partition
//! columns). Characters that are special there are written as `%` and two hexadecimal digits, as
//! Hive and Spark do (`FileUtils.escapePathName` and `ExternalCatalogUtils.escapePathName`).

use std::path::PathBuf;

use super::table::Table;

/// In place of a value that is unknown.
const UNKNOWN: &str = "__HIVE_DEFAULT_PARTITION__";

/// The most bytes of a file's name on the usual file systems.
const NAME_MAX: usize = 255;

/// The part of each table that is one dump's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    host: String,
    dump: String,
}

impl Partition {
    /// Of this machine, if its name is known, and of the dump that is called so. Of a text that is
    /// too long for a directory's name, the beginning counts.
    #[must_use]
    pub fn new(host: Option<&str>, dump: &str) -> Self {
        Self { host: directory("host", host.unwrap_or_default()), dump: directory("dump", dump) }
    }

    /// The file with its rows of `table`, below the directory of all dumps.
    #[must_use]
    pub fn file(&self, table: &Table) -> PathBuf {
        [table.name, &self.host, &self.dump, "part-0.parquet"].iter().collect()
    }
}

/// `host=gw.example.org`
fn directory(column: &str, value: &str) -> String {
    let mut name = format!("{column}=");
    if value.is_empty() {
        return name + UNKNOWN;
    }
    for character in value.chars() {
        let piece = match is_special(character) {
            true => format!("%{:02X}", u32::from(character)),
            false => character.to_string(),
        };
        if name.len() + piece.len() > NAME_MAX {
            break;
        }
        name += &piece;
    }
    name
}

fn is_special(character: char) -> bool {
    character.is_ascii_control() || "\"#%'*/:=?\\{[]^".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_hive_does() {
        assert_eq!(directory("host", "gw.example.org"), "host=gw.example.org");
        assert_eq!(directory("dump", "a/b=c%\n\u{7f}"), "dump=a%2Fb%3Dc%25%0A%7F");
        assert_eq!(directory("dump", ".."), "dump=..");
        assert_eq!(directory("host", "müller x"), "host=müller x");
        assert_eq!(directory("host", ""), "host=__HIVE_DEFAULT_PARTITION__");
    }

    #[test]
    fn a_name_fits_a_directory() {
        assert_eq!(directory("host", &"x".repeat(300)).len(), NAME_MAX);
        // Neither a character nor its escape is cut in two.
        assert_eq!(directory("host", &"/".repeat(300)).len(), "host=".len() + 83 * 3);
        assert_eq!(directory("host", &format!("x{}", "ü".repeat(300))).len(), NAME_MAX - 1);
    }
}
