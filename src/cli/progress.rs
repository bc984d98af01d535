//! Progress of work that takes longer than a second: on a terminal only, on stderr, and gone without
//! a trace when the work ends.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

/// Work that is done sooner shows nothing: a bar that flashes by is noise.
const SILENT_FOR: Duration = Duration::from_secs(1);
/// How often the time that went by is drawn anew.
const TICK: Duration = Duration::from_millis(200);

/// Work under way; it can be shared between threads. Dropping it ends the drawing as well, so that
/// an error on the way leaves nothing behind.
#[derive(Default)]
pub struct Progress {
    shown: Option<Arc<Shown>>,
}

/// What is drawn, and the thread that begins to draw when the time has come.
struct Shown {
    bar: ProgressBar,
    beginning: Mutex<Option<(Sender<()>, JoinHandle<()>)>>,
}

impl Progress {
    /// Draws on stderr after a second. `total` is the number of steps; 0 when nobody knows it.
    pub fn on_terminal(label: &str, total: u64) -> Self {
        Self::begin(label, total, SILENT_FOR, ProgressDrawTarget::stderr)
    }

    fn begin(
        label: &str,
        total: u64,
        silent_for: Duration,
        target: impl FnOnce() -> ProgressDrawTarget + Send + 'static,
    ) -> Self {
        let length = (total > 0).then_some(total);
        let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::hidden());
        let template = if total > 0 {
            "{msg} [{bar:30}] {pos}/{len}  {elapsed}"
        } else {
            "{msg} {spinner} {elapsed}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(label.to_owned());
        let (ended, wait) = channel();
        let drawn = bar.clone();
        let thread = std::thread::spawn(move || {
            if wait.recv_timeout(silent_for) == Err(RecvTimeoutError::Timeout) {
                drawn.set_draw_target(target());
                drawn.enable_steady_tick(TICK);
            }
        });
        let beginning = Mutex::new(Some((ended, thread)));
        Self { shown: Some(Arc::new(Shown { bar, beginning })) }
    }

    /// So many more steps are done.
    pub fn advance(&self, steps: u64) {
        if let Some(shown) = &self.shown {
            shown.bar.inc(steps);
        }
    }

    /// Ends the drawing; nothing of it stays on the screen.
    pub fn finish(&self) {
        let Some(shown) = &self.shown else { return };
        let beginning = shown.beginning.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The thread ends at once without its sender, or it has just begun to draw.
        if let Some((ended, thread)) = beginning {
            drop(ended);
            let _ended = thread.join();
        }
        shown.bar.finish_and_clear();
    }

    /// For whoever prints while the work is under way.
    pub fn watched(&self) -> Watched {
        Watched { shown: self.shown.as_ref().map(Arc::downgrade).unwrap_or_default() }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Progress that may be under way while something is printed.
#[derive(Default)]
pub struct Watched {
    shown: Weak<Shown>,
}

impl Watched {
    /// Prints something; what is drawn makes room for it.
    pub fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        match self.shown.upgrade() {
            Some(shown) => shown.bar.suspend(print),
            None => print(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Progress;
    use indicatif::{InMemoryTerm, ProgressDrawTarget};
    use std::time::Duration;

    fn progress(total: u64, silent_for: Duration) -> (Progress, InMemoryTerm) {
        let screen = InMemoryTerm::new(10, 80);
        let terminal = screen.clone();
        let target = move || ProgressDrawTarget::term_like(Box::new(terminal));
        (Progress::begin("applying", total, silent_for, target), screen)
    }

    /// Waits until this is drawn; while it is being drawn, a part of it may show. What shows in the
    /// end is compared.
    fn drawn(screen: &InMemoryTerm, wanted: &str) -> String {
        let mut looks = 0..6_000;
        while !screen.contents().contains(wanted) && looks.next().is_some() {
            std::thread::sleep(Duration::from_millis(5));
        }
        screen.contents()
    }

    #[test]
    fn work_that_is_done_soon_draws_nothing() {
        let (progress, screen) = progress(3, Duration::from_secs(3600));
        progress.advance(3);
        progress.finish();
        drop(progress);
        assert_eq!(screen.moves_since_last_check(), "");
    }

    #[test]
    fn longer_work_shows_its_steps_makes_room_for_words_and_leaves_nothing_behind() {
        let (progress, screen) = progress(3, Duration::ZERO);
        progress.advance(2);
        let shown = drawn(&screen, " 2/3 ");
        assert!(shown.starts_with("applying [====") && shown.contains(" 2/3 "), "{shown}");
        let during = progress.watched().aside(|| screen.contents());
        assert_eq!(during, "");
        progress.finish();
        assert_eq!(screen.contents(), "");
        assert_eq!(progress.watched().aside(|| 7), 7);
    }

    #[test]
    fn an_error_on_the_way_leaves_nothing_behind_either() {
        let (progress, screen) = progress(0, Duration::ZERO);
        let watched = progress.watched();
        assert!(drawn(&screen, "applying ").starts_with("applying "));
        drop(progress);
        assert_eq!(screen.contents(), "");
        assert_eq!(watched.aside(|| 7), 7);
    }
}
