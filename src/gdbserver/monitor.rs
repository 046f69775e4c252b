//! What a client asks of whoever serves it.

/// Answers a `monitor` command.
pub trait Monitor {
    /// A client has come. What the one before chose no longer counts.
    fn start(&mut self);

    /// The answer, or why there is none, as lines of text.
    fn run(&mut self, command: &str) -> String;
}
