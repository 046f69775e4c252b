//! The file with the lines that were typed, which is kept from one run to the next. If it cannot
//! be written, the lines are kept only as long as the program runs.

use std::env;
use std::ffi::OsString;
use std::fs::DirBuilder;
use std::path::PathBuf;

use rustyline::Editor;
use rustyline::Helper;
use rustyline::history::FileHistory;

/// Where lines are kept.
pub struct Kept(Option<PathBuf>);

impl Kept {
    /// Reads the lines of earlier runs into the editor.
    pub fn load<H: Helper>(editor: &mut Editor<H, FileHistory>) -> Self {
        let path = path(|name| env::var_os(name));
        if let Some(path) = &path {
            // At first there is none.
            let _ = editor.load_history(path);
        }
        Self(path)
    }

    /// Adds a line. What begins with a space is kept nowhere.
    pub fn add<H: Helper>(&mut self, editor: &mut Editor<H, FileHistory>, line: &str) {
        let is_new = editor.add_history_entry(line).unwrap_or(false);
        let Some(path) = self.0.as_ref().filter(|_| is_new) else { return };
        let made = path.parent().map_or(Ok(()), |parent| directory().create(parent));
        if made.is_err() || editor.append_history(path).is_err() {
            self.0 = None;
        }
    }
}

fn directory() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// `$XDG_STATE_HOME/vnetkvm/history`, as the XDG Base Directory Specification has it.
fn path(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("vnetkvm/history"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_where_the_user_keeps_such_files() {
        let path_of = |state: Option<&str>, home: Option<&str>| {
            let path = path(|name| match name {
                "XDG_STATE_HOME" => state.map(Into::into),
                _ => home.map(Into::into),
            });
            path.map(|path| path.to_str().unwrap().to_owned())
        };
        assert_eq!(path_of(Some("/s"), Some("/h")).as_deref(), Some("/s/vnetkvm/history"));
        let home = Some("/h/.local/state/vnetkvm/history");
        assert_eq!(path_of(Some("relative"), Some("/h")).as_deref(), home);
        assert_eq!(path_of(Some(""), Some("/h")).as_deref(), home);
        assert_eq!(path_of(None, None), None);
    }
}
