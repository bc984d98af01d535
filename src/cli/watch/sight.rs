//! Looking at what is watched, and what is said of a branch when it was looked at.

use crate::cli::commits::short;
use crate::cli::error::{CommandError, Exit};
use crate::cli::watch::driver::{Driver, log_word};
use crate::cli::watch::eyes::Eyes;
use crate::engine::follow::FollowError;
use crate::engine::watch::state::{Event, Seen};
use crate::model::text::printable;
use chrono::Utc;
use std::sync::PoisonError;

impl Driver<'_> {
    /// Looks at the files or the branch; of a branch is said when it moved, and when it is away.
    /// `anew` trusts nothing that was seen or heard of files.
    pub fn look(&mut self, anew: bool) -> Event {
        let branch = match &mut self.eyes {
            Eyes::Files(looks) if anew => return Event::Looked(looks.look_anew()),
            Eyes::Files(looks) => return Event::Looked(looks.look()),
            Eyes::Branch(branch) => branch,
        };
        let (seen, word, away) = match branch.look() {
            Ok((number, is_new)) => {
                if let Some(head) = branch.head().filter(|_| is_new) {
                    let (name, commit) = (branch.names().1, short(&head.id));
                    let text = format!("{name} is at {commit}, by {}", head.author);
                    tracing::info!("{}", printable(&text));
                }
                (Seen::Commit(number), self.told.near(), None)
            }
            Err(FollowError::Stopped) => return Event::Stop,
            Err(error) => {
                let text = self.away(error);
                (Seen::Away, self.told.away(&text), Some(text))
            }
        };
        word.into_iter().for_each(log_word);
        self.report_branch(away);
        Event::Looked(seen)
    }

    /// Writes down where the branch is, or why that is not known.
    fn report_branch(&mut self, away: Option<String>) {
        let Eyes::Branch(branch) = &self.eyes else { return };
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        match (&mut report.git, branch.head(), away) {
            (Some(git), _, Some(why)) => git.away = Some(why),
            (Some(git), Some(head), None) => git.seen(head, Utc::now()),
            _ => {}
        }
        drop(report);
        self.write_status();
    }

    /// What is said of a branch that cannot be looked at.
    fn away(&mut self, error: FollowError) -> String {
        self.exit = Exit::Error;
        let Eyes::Branch(branch) = &self.eyes else { return error.to_string() };
        let stays = branch.head().map(|head| format!("; {} stays in force", short(&head.id)));
        let stays = stays.unwrap_or_default();
        let (shown, error) = (printable(&branch.shown()), CommandError::from(error));
        let mut text = format!("the {shown} cannot be fetched{stays}: {}", error.chain());
        for hint in &error.hints {
            text.push_str(&format!("\n  → {hint}"));
        }
        text
    }
}
