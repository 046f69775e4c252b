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
    /// What is counted, and how much is one of it.
    unit: (&'static str, u64),
    terminal: bool,
    started: Instant,
    /// How long it had taken when the bar was last drawn.
    drawn: Option<Duration>,
}

impl Bar {
    /// A bar of work that is counted in bytes.
    pub fn new(what: &'static str) -> Self {
        Self::of(what, ("MB", 1 << 20))
    }

    /// A bar of work on so many things.
    pub fn counting(what: &'static str, things: &'static str) -> Self {
        Self::of(what, (things, 1))
    }

    fn of(what: &'static str, unit: (&'static str, u64)) -> Self {
        let terminal = io::stderr().is_terminal();
        Self { what, unit, terminal, started: Instant::now(), drawn: None }
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
        Some(line(self.what, self.unit, progress, elapsed))
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn line(what: &str, unit: (&str, u64), progress: Progress, elapsed: Duration) -> String {
    let share = progress.done as f64 / progress.total.max(1) as f64;
    let share = share.min(1.0);
    let full = (share * WIDTH as f64) as usize;
    let left = elapsed.mul_f64((1.0 - share) / share.max(0.001)).as_secs();
    let (unit, one) = unit;
    format!(
        "{what} [{:<WIDTH$}] {:3.0}%  {} of {} {unit}  {left} s left \x1b[K",
        "#".repeat(full),
        share * 100.0,
        progress.done / one,
        progress.total / one,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_shows_share_and_time_left() {
        let progress = Progress { done: 1 << 30, total: 4 << 30 };
        let line = line("unpacking", ("MB", 1 << 20), progress, Duration::from_secs(5));
        assert!(line.contains("unpacking [#######                       ]"), "{line}");
        assert!(line.contains(" 25%  1024 of 4096 MB  15 s left"), "{line}");
        let progress = Progress { done: 3, total: 12 };
        let line = super::line("reading", ("dumps", 1), progress, Duration::from_secs(1));
        assert!(line.contains(" 25%  3 of 12 dumps  3 s left"), "{line}");
    }

    #[test]
    fn it_is_drawn_on_a_terminal_after_half_a_second_and_ten_times_a_second() {
        let drawn = |terminal| {
            let mut bar = Bar { terminal, ..Bar::new("unpacking") };
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
        assert!(
            line("writing", ("MB", 1 << 20), Progress { done: 0, total: 0 }, Duration::ZERO)
                .contains("0%")
        );
    }
}
