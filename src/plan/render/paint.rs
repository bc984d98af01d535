//! Colours, where they are wanted.

use anstyle::{AnsiColor, Style};

/// Paints, or leaves text as it is.
#[derive(Clone, Copy)]
pub(super) struct Paint(pub(super) bool);

impl Paint {
    fn style(self, style: Style, text: &str) -> String {
        if self.0 { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.style(Style::new().bold(), text)
    }

    pub(super) fn colour(self, colour: AnsiColor, text: &str) -> String {
        self.style(colour.on_default(), text)
    }
}
