//! stdout for data, stderr for everything else. A closed pipe is silent.

use crate::cli::error::CommandError;
use crate::model::text::printable;
use anstream::ColorChoice;
use std::io::{self, BufRead, IsTerminal, Write};

/// The terminal, or what stands in for it.
pub struct Ui {
    /// Whether stdout may have colours.
    pub colours: bool,
    quiet: bool,
    failed: Option<io::Error>,
}

impl Ui {
    /// Colours only on a terminal, and not under `NO_COLOR` or `--no-color`.
    pub fn new(no_color: bool, quiet: bool) -> Self {
        let choice = anstream::AutoStream::choice(&io::stdout());
        let colours = !no_color && choice != ColorChoice::Never && io::stdout().is_terminal();
        Self { colours, quiet, failed: None }
    }

    /// Writes data to stdout. A failure is remembered: work under way is not cut off by it.
    pub fn data(&mut self, text: &str) {
        if self.failed.is_none()
            && let Err(error) = io::stdout().lock().write_all(text.as_bytes())
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
        if !self.quiet {
            self.warn(text);
        }
    }

    /// Says something on stderr, also with `--quiet`.
    pub fn warn(&mut self, text: &str) {
        // Where stderr is gone, nobody is left to tell.
        let _gone = writeln!(io::stderr().lock(), "{text}");
    }

    /// Prints an error with its causes and hints.
    pub fn error(&mut self, error: &CommandError) {
        let mut chain: Vec<String> = Vec::new();
        for cause in error.error.chain() {
            chain.push(printable(&cause.to_string()));
        }
        self.warn(&format!("error: {}", chain.join(": ")));
        for hint in &error.hints {
            self.warn(&format!("  → {}", printable(hint)));
        }
    }

    /// Asks on the terminal. `None` when nobody is there to answer.
    pub fn ask(&mut self, question: &str) -> Option<String> {
        if !io::stdin().is_terminal() {
            return None;
        }
        let _gone = write!(io::stderr().lock(), "{question} ");
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).ok()?;
        Some(answer.trim().to_owned())
    }

    /// Ends the output: what could not be written is an error, unless the reader went away.
    pub fn finish(&mut self) -> Result<(), CommandError> {
        if self.failed.is_none()
            && let Err(error) = io::stdout().lock().flush()
        {
            self.failed = Some(error);
        }
        self.seen()
    }
}
