//! A progress bar on the terminal, for work that takes a noticeable time.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use vnetkvm::source::unpack::Progress;

/// Work that ends sooner needs no bar.
const PATIENCE: Duration = Duration::from_millis(500);
const REDRAW: Duration = Duration::from_millis(100);
const WIDTH: usize = 30;

/// Draws on standard error if that is a terminal, and erases itself at the end.
pub struct Bar {
    /// What is being done: `unpacking`.
    what: &'static str,
    terminal: bool,
    started: Instant,
    /// How long it had taken when the bar was last drawn.
    drawn: Option<Duration>,
}

impl Bar {
    pub fn new(what: &'static str) -> Self {
        Self { what, terminal: io::stderr().is_terminal(), started: Instant::now(), drawn: None }
    }

    pub fn show(&mut self, progress: Progress) {
        if let Some(line) = self.draw(progress, self.started.elapsed()) {
            let _ = write!(io::stderr(), "\r{line}");
        }
    }

    /// The line to draw after `elapsed`, if it is time to redraw.
    fn draw(&mut self, progress: Progress, elapsed: Duration) -> Option<String> {
        let next = self.drawn.map_or(PATIENCE, |drawn| drawn + REDRAW);
        if !self.terminal || elapsed < next {
            return None;
        }
        self.drawn = Some(elapsed);
        Some(line(self.what, progress, elapsed))
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn line(what: &str, progress: Progress, elapsed: Duration) -> String {
    let share = progress.done as f64 / progress.total.max(1) as f64;
    let share = share.min(1.0);
    let full = (share * WIDTH as f64) as usize;
    let left = elapsed.mul_f64((1.0 - share) / share.max(0.001)).as_secs();
    let megabytes = |bytes: u64| bytes >> 20;
    format!(
        "{what} [{:<WIDTH$}] {:3.0}%  {} of {} MB  {left} s left \x1b[K",
        "#".repeat(full),
        share * 100.0,
        megabytes(progress.done),
        megabytes(progress.total),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_shows_share_and_time_left() {
        let progress = Progress { done: 1 << 30, total: 4 << 30 };
        let line = line("unpacking", progress, Duration::from_secs(5));
        assert!(line.contains("unpacking [#######                       ]"), "{line}");
        assert!(line.contains(" 25%  1024 of 4096 MB  15 s left"), "{line}");
    }

    #[test]
    fn it_is_drawn_on_a_terminal_after_half_a_second_and_ten_times_a_second() {
        let drawn = |terminal| {
            let mut bar = Bar { what: "unpacking", terminal, started: Instant::now(), drawn: None };
            let times = [0, 499, 500, 510, 599, 600, 1000, 1099, 1100];
            let progress = Progress { done: 1, total: 2 };
            let due = |ms: &u64| bar.draw(progress, Duration::from_millis(*ms)).is_some();
            let due = times.into_iter().filter(due).collect::<Vec<_>>();
            bar.terminal = false;
            bar.drawn = None;
            due
        };
        assert_eq!(drawn(true), [500, 600, 1000, 1100]);
        assert_eq!(drawn(false), [0; 0]);
    }

    #[test]
    fn an_empty_file_does_not_divide_by_zero() {
        assert!(line("writing", Progress { done: 0, total: 0 }, Duration::ZERO).contains("0%"));
    }
}
