//! stdout for data, stderr for everything else. A closed pipe is silent. A command that keeps a log
//! hears everything instead.

use crate::cli::error::CommandError;
use crate::cli::progress::{Progress, Watched};
use crate::cli::table::Table;
use crate::model::display;
use crate::model::text::printable;
use anstream::ColorChoice;
use std::io::{self, BufRead, IsTerminal, Write};

/// What a plan is wrapped at where no terminal says otherwise.
pub const PLAN_WIDTH: usize = 100;

/// In which tone something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// What happens.
    Say,
    /// What may be wrong.
    Caution,
    /// What is wrong.
    Warn,
}

/// Where everything goes that is said, in place of the terminal.
pub type Listener = Box<dyn FnMut(Tone, &str)>;

/// How the terminal is spoken to, as it was asked for.
pub struct Manner {
    /// Whether colours are never wanted.
    pub no_color: bool,
    /// Whether only data and errors are.
    pub quiet: bool,
    /// The columns that tables and texts must fit; `None` in a pipe.
    pub width: Option<usize>,
}

/// The terminal, or what stands in for it.
pub struct Ui {
    /// Whether stdout may have colours.
    pub colours: bool,
    /// The columns that tables and texts must fit; `None` in a pipe.
    pub width: Option<usize>,
    quiet: bool,
    left_out: Vec<String>,
    failed: Option<io::Error>,
    progress: Watched,
    listener: Option<Listener>,
}

impl Ui {
    /// Colours only on a terminal, and not under `NO_COLOR` or `--no-color`.
    pub fn new(manner: &Manner) -> Self {
        let Manner { no_color, quiet, width } = *manner;
        let choice = anstream::AutoStream::choice(&io::stdout());
        let colours = !no_color && choice != ColorChoice::Never && io::stdout().is_terminal();
        Self {
            colours,
            width,
            quiet,
            left_out: Vec::new(),
            failed: None,
            progress: Watched::default(),
            listener: None,
        }
    }

    /// Everything that is said goes to a listener, and nothing to the terminal.
    pub fn to(listener: Listener) -> Self {
        Self {
            colours: false,
            width: None,
            quiet: false,
            left_out: Vec::new(),
            failed: None,
            progress: Watched::default(),
            listener: Some(listener),
        }
    }

    /// True when a log is kept, in which nothing that happened is not worth a word.
    pub fn is_log(&self) -> bool {
        self.listener.is_some()
    }

    /// The columns that a plan is wrapped at: a pipe has room for a readable line.
    pub fn plan_width(&self) -> usize {
        self.width.unwrap_or(PLAN_WIDTH)
    }

    /// A text with its lines wrapped where there is a width to fit.
    pub fn wrapped(&self, text: &str, hang: impl Fn(&str) -> usize) -> String {
        self.width.map_or_else(|| text.to_owned(), |width| display::wrapped(text, width, hang))
    }

    /// A table that fits; what had to be left out is said at the end.
    pub fn fitted(&mut self, table: &Table) -> String {
        let fitted = table.fit(self.width);
        for heading in fitted.left_out {
            if !self.left_out.contains(&heading) {
                self.left_out.push(heading);
            }
        }
        fitted.text
    }

    /// Shows work under way that takes longer than a second; not in a pipe and not with `--quiet`.
    /// `total` is the number of steps, 0 when nobody knows it.
    pub fn progress(&mut self, label: &str, total: u64) -> Progress {
        let draws = !self.quiet && self.listener.is_none() && io::stderr().is_terminal();
        let progress =
            if draws { Progress::on_terminal(label, total) } else { Progress::default() };
        self.progress = progress.watched();
        progress
    }

    /// Writes data to stdout. A failure is remembered: work under way is not cut off by it.
    pub fn data(&mut self, text: &str) {
        if let Some(listener) = &mut self.listener {
            return listener(Tone::Say, text.trim_end());
        }
        if self.failed.is_none()
            && let Err(error) =
                self.progress.aside(|| io::stdout().lock().write_all(text.as_bytes()))
        {
            self.failed = Some(error);
        }
    }

    /// Demands that everything could be written so far: nothing is done that nobody could see.
    pub fn seen(&mut self) -> Result<(), CommandError> {
        match self.failed.take_if(|error| error.kind() != io::ErrorKind::BrokenPipe) {
            Some(error) => Err(CommandError::new(format!("the output cannot be written: {error}"))),
            None => Ok(()),
        }
    }

    /// Writes a value as JSON to stdout.
    pub fn json(&mut self, value: &impl serde::Serialize) -> Result<(), CommandError> {
        let mut text = serde_json::to_string_pretty(value)
            .map_err(|error| CommandError::new(format!("the output cannot be written: {error}")))?;
        text.push('\n');
        self.data(&text);
        Ok(())
    }

    /// Says something on stderr; not with `--quiet`.
    pub fn say(&mut self, text: &str) {
        self.tell(Tone::Say, text);
    }

    /// Says what may be wrong on stderr; not with `--quiet`.
    pub fn caution(&mut self, text: &str) {
        self.tell(Tone::Caution, text);
    }

    /// Says something on stderr, also with `--quiet`.
    pub fn warn(&mut self, text: &str) {
        self.tell(Tone::Warn, text);
    }

    fn tell(&mut self, tone: Tone, text: &str) {
        if let Some(listener) = &mut self.listener {
            return listener(tone, text);
        }
        if self.quiet && tone != Tone::Warn {
            return;
        }
        // Where stderr is gone, nobody is left to tell.
        let _gone = self.progress.aside(|| writeln!(io::stderr().lock(), "{text}"));
    }

    /// Prints an error with its causes and hints.
    pub fn error(&mut self, error: &CommandError) {
        self.warn(&format!("error: {}", error.chain()));
        for hint in &error.hints {
            self.warn(&format!("  → {}", printable(hint)));
        }
    }

    /// Asks on the terminal. `None` when nobody is there to answer.
    pub fn ask(&mut self, question: &str) -> Option<String> {
        if self.listener.is_some() || !io::stdin().is_terminal() {
            return None;
        }
        let _gone = write!(io::stderr().lock(), "{question} ");
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).ok()?;
        Some(answer.trim().to_owned())
    }

    /// Ends the output: what could not be written is an error, unless the reader went away.
    pub fn finish(&mut self) -> Result<(), CommandError> {
        if !self.left_out.is_empty() {
            let headings = std::mem::take(&mut self.left_out).join(", ");
            self.say(&format!(
                "no room for {headings}\n  → a wider terminal shows them, a pipe shows everything"
            ));
        }
        if self.failed.is_none()
            && let Err(error) = io::stdout().lock().flush()
        {
            self.failed = Some(error);
        }
        self.seen()
    }
}
