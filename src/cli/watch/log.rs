//! The log of a watch: through tracing, as text or JSON, on stderr.

use crate::cli::error::CommandError;
use crate::cli::ui::{Tone, Ui};
use crate::model::activity::instant;
use chrono::Utc;
use clap::ValueEnum;
use std::cell::RefCell;
use std::rc::Rc;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

/// How a log line looks.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq)]
pub enum LogFormat {
    /// For people
    Text,
    /// For machines: one JSON object a line
    Json,
}

/// Times as everything else writes them.
struct Milliseconds;

impl FormatTime for Milliseconds {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        writer.write_str(&instant(Utc::now()))
    }
}

/// Begins the log; it holds for the whole process.
pub fn begin(format: LogFormat, level: LevelFilter) -> Result<(), CommandError> {
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_target(false)
        .with_timer(Milliseconds)
        .with_writer(std::io::stderr);
    let begun = match format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().flatten_event(true).with_current_span(false).try_init(),
    };
    begun.map_err(|error| CommandError::new(format!("the log cannot be kept: {error}")))
}

/// What was said during a pass that is not for the log at once: each cause is told once, so it is
/// kept until the pass has ended.
#[derive(Clone, Default)]
pub struct Heard {
    texts: Rc<RefCell<Vec<(Tone, String)>>>,
}

impl Heard {
    /// A terminal whose words go to the log: what happens at once, the rest later.
    pub fn ui(&self) -> Ui {
        let texts = self.texts.clone();
        Ui::to(Box::new(move |tone, text| match tone {
            Tone::Say => tracing::info!("{text}"),
            Tone::Caution | Tone::Warn => texts.borrow_mut().push((tone, text.to_owned())),
        }))
    }

    /// What was heard since the last time: what may be wrong, and what is.
    pub fn take(&self) -> (Vec<String>, Vec<String>) {
        let heard = self.texts.take();
        let (cautions, warnings): (Vec<_>, Vec<_>) =
            heard.into_iter().partition(|(tone, _)| *tone == Tone::Caution);
        // In a log the level says that it is a warning.
        let plain =
            |text: String| text.strip_prefix("warning: ").map_or(text.clone(), str::to_owned);
        let texts =
            |heard: Vec<(Tone, String)>| heard.into_iter().map(|(_, text)| plain(text)).collect();
        (texts(cautions), texts(warnings))
    }
}
