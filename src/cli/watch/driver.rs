//! The hands of the watch: what the state machine commands is done here, and what happens is told
//! to it. Nothing is decided here.

use crate::cli::error::{CommandError, Exit};
use crate::cli::settings::{Here, quoted};
use crate::cli::ui::Ui;
use crate::cli::watch::choice::{Commands, Held, LetGo};
use crate::cli::watch::eyes::Eyes;
use crate::cli::watch::listen::SharedReport;
use crate::cli::watch::log::Heard;
use crate::cli::watch::millis;
use crate::cli::watch::pass::{Passed, Passes};
use crate::cli::watch::report::{Ended, Outcome, WatchState};
use crate::cli::watch::stopped::Stopped;
use crate::engine::watch::ears::Ears;
use crate::engine::watch::state;
use crate::engine::watch::state::{Command, Event, Millis, Notice, State, Timing, step};
use crate::engine::watch::told::{Told, Trouble, Word};
use chrono::{DateTime, Utc};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::PoisonError;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How often to look where nothing is heard.
pub const POLL: Millis = 2_000;
/// How often to see whether the roots are still those that are listened to.
const HEARTBEAT: Millis = 1_000;

/// What reaches the watch from other threads.
#[derive(Debug, Clone, Copy)]
pub enum Message {
    /// Something may have moved.
    Woken,
    /// Everything is to end.
    Stop,
}

/// Everything that a watch works with.
pub struct Driver<'a> {
    /// Times.
    pub timing: Timing,
    /// Eyes.
    pub eyes: Eyes,
    /// Ears; none with `--poll` and of a branch.
    pub ears: Option<Ears>,
    /// How passes are made.
    pub passes: Passes<'a>,
    /// Where the command was called.
    pub here: Here,
    /// What was said.
    pub told: Told,
    /// How it stands, for others.
    pub report: SharedReport,
    /// Where that is written.
    pub status_file: Option<PathBuf>,
    /// What passes say goes here.
    pub ui: Ui,
    /// And comes out there.
    pub heard: Heard,
    /// What is held for approval.
    pub held: Option<Held>,
    /// How the last pass would exit.
    pub exit: Exit,
    /// When something that is declared, or a suspension, ends next, as the last pass saw it.
    pub next_end: Option<DateTime<Utc>>,
}

impl Driver<'_> {
    /// Watches until the end; gives how the last pass would exit.
    pub fn run(&mut self, messages: &Receiver<Message>) -> Exit {
        let begun = Instant::now();
        let now = || millis(begun.elapsed());
        let mut state = State::new(self.timing);
        let mut deaf_until = 0;
        let mut events = VecDeque::from([Event::Begin]);
        loop {
            while let Some(event) = events.pop_front() {
                let (next, commands) = step(state, now(), event);
                state = next;
                for command in commands {
                    match command {
                        Command::Look => {
                            self.listen(&mut state, now(), &mut deaf_until);
                            events.push_back(self.look(false));
                        }
                        Command::LookAnew => {
                            self.listen(&mut state, now(), &mut deaf_until);
                            events.push_back(self.look(true));
                        }
                        Command::Pass(tree) => {
                            events.push_back(Event::Passed(self.pass(tree)));
                            let left = self.next_end.map(|end| end - Utc::now());
                            let left =
                                left.map(|left| left.num_milliseconds().try_into().unwrap_or(0));
                            state.expect(left.map(|left: Millis| now().saturating_add(left + 1)));
                        }
                        Command::Ask => events.push_back(Event::Asked(self.ask())),
                        Command::Say(notice) => self.say(notice),
                        Command::End => {
                            self.passes.end();
                            self.stand(WatchState::Ended);
                            tracing::info!("ended");
                            return self.exit;
                        }
                    }
                }
            }
            let due = state.due().unwrap_or(Millis::MAX);
            let wait = due.saturating_sub(now()).min(HEARTBEAT);
            match messages.recv_timeout(Duration::from_millis(wait)) {
                Ok(Message::Woken) => {
                    if let Some(ears) = &self.ears {
                        ears.taken();
                    }
                    events.push_back(Event::Woken);
                }
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => {
                    events.push_back(Event::Stop);
                }
                Err(RecvTimeoutError::Timeout) if due <= now() => events.push_back(Event::Timer),
                Err(RecvTimeoutError::Timeout) => {
                    let stale = self.ears.as_ref().is_some_and(Ears::is_stale);
                    if stale && now() >= deaf_until && !state.is_paused() {
                        events.push_back(Event::Woken);
                    }
                }
            }
        }
    }

    /// Begins to listen, or begins anew where something was lost.
    fn listen(&mut self, state: &mut State, now: Millis, deaf_until: &mut Millis) {
        self.here.back();
        let Some(ears) = self.ears.as_mut().filter(|ears| ears.is_stale()) else { return };
        if now < *deaf_until {
            return;
        }
        match ears.listen() {
            Ok(()) => state.hear(),
            Err(error) => {
                ears.close();
                state.go_deaf(now, POLL);
                *deaf_until = now.saturating_add(self.timing.interval);
                self.remark(format!(
                    "the system does not tell of changes ({error}); looking every 2 s"
                ));
            }
        }
    }

    fn say(&mut self, notice: Notice) {
        match notice {
            Notice::Missing => {
                tracing::warn!(
                    "paused: the manifests are missing; nothing is applied until they are back"
                );
                self.exit = Exit::Error;
                self.stand(WatchState::Paused);
            }
            Notice::Back => {
                tracing::info!("resumed: the manifests are back");
                self.stand(WatchState::Watching);
            }
            Notice::Restless => tracing::warn!(
                "the manifests have kept changing for 30 s; nothing is applied until they rest"
            ),
        }
    }

    fn stand(&mut self, standing: WatchState) {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).state = standing;
        self.write_status();
    }

    fn ask(&mut self) -> bool {
        let Some(held) = &self.held else { return false };
        let asked = self.passes.is_approved(held, &mut self.ui);
        let (cautions, warnings) = self.heard.take();
        match asked {
            Ok(approved) => {
                cautions.into_iter().chain(warnings).for_each(|text| self.remark(text));
                approved
            }
            // Where it cannot be asked now, it is asked again.
            Err(error) => {
                let plan = &held.plan_id;
                let why = whole(&error, &warnings);
                self.remark(format!("whether plan {plan} is approved cannot be asked now\n{why}"));
                false
            }
        }
    }

    fn pass(&mut self, tree: u64) -> state::Outcome {
        let began = Utc::now();
        self.next_end = None;
        let result = self.passes.run(&mut self.eyes, tree, &mut self.ui);
        let (cautions, warnings) = self.heard.take();
        match result {
            Err(Stopped::Moved) => {
                tracing::debug!("the manifests moved; looking again");
                state::Outcome::Moved
            }
            Err(Stopped::Locked(lease)) => {
                self.exit = Exit::Conflict;
                let trouble = Trouble::Locked(format!("waiting for another apply: {lease}"));
                self.stopped(began, Outcome::Locked, trouble)
            }
            Err(Stopped::Error(error)) => self.failed(began, &error, &warnings),
            Ok(passed) => self.passed(began, passed, cautions, warnings),
        }
    }

    fn failed(
        &mut self,
        began: DateTime<Utc>,
        error: &CommandError,
        warnings: &[String],
    ) -> state::Outcome {
        self.exit = error.exit;
        let text = whole(error, warnings);
        if error.is_rejected() {
            self.stopped(began, Outcome::Rejected, Trouble::Rejected(text))
        } else if error.is_invalid() {
            self.stopped(began, Outcome::Invalid, Trouble::Invalid(text))
        } else {
            self.stopped(began, Outcome::Failed, Trouble::Failed(text))
        }
    }

    /// A pass that did not get through.
    fn stopped(
        &mut self,
        began: DateTime<Utc>,
        outcome: Outcome,
        trouble: Trouble,
    ) -> state::Outcome {
        let (Trouble::Invalid(text)
        | Trouble::Failed(text)
        | Trouble::Locked(text)
        | Trouble::Rejected(text)) = &trouble;
        let errors = [text.clone()];
        for word in self.told.trouble(trouble) {
            log_word(word);
        }
        let ended = Ended { began, outcome, plan_id: None, applied: 0 };
        self.record(ended, |report| report.trouble(&errors));
        match outcome {
            Outcome::Invalid | Outcome::Rejected => state::Outcome::Invalid,
            _ => state::Outcome::Failed,
        }
    }

    fn passed(
        &mut self,
        began: DateTime<Utc>,
        passed: Passed,
        cautions: Vec<String>,
        warnings: Vec<String>,
    ) -> state::Outcome {
        let Passed { exit, choice, applied } = passed;
        self.exit = exit;
        self.next_end = choice.planned.next_end;
        let whole = choice.whole();
        let held = choice.held.clone().filter(|_| whole.refused.is_empty());
        let plan_id = Some(whole.id.clone());
        let outcome = match exit {
            Exit::Error => Outcome::Failed,
            Exit::Partly => Outcome::Partly,
            _ if !whole.refused.is_empty() => Outcome::Refused,
            _ if held.is_some() => Outcome::Held,
            _ if whole.summary.blocked > 0 => Outcome::Blocked,
            _ if self.passes.dry_run && !whole.is_empty() => Outcome::Planned,
            _ => Outcome::Done,
        };
        let commands = self.commands();
        let mut causes = choice.causes(&commands);
        causes.extend(cautions);
        if self.passes.dry_run {
            causes.extend(choice.proposal());
        }
        let remarks: Vec<_> = choice.remarks().collect();
        drop(choice);
        let failed = matches!(outcome, Outcome::Failed | Outcome::Partly);
        let mut words: Vec<Word> = remarks.into_iter().flat_map(|r| self.told.remark(r)).collect();
        let mut errors = Vec::new();
        if failed {
            errors.push(warnings.join("\n"));
            words.extend(self.told.trouble(Trouble::Failed(warnings.join("\n"))));
        } else {
            causes.extend(warnings);
            words.extend(self.told.passed(&causes));
        }
        words.into_iter().for_each(log_word);
        let told_held =
            held.as_ref().map(|held| (held, format!("{} {}", commands.approve, held.plan_id)));
        let ended = Ended { began, outcome, plan_id, applied };
        self.record(ended, |report| report.stands(told_held, &errors, &causes));
        if applied > 0 {
            self.rest();
        }
        let waits = held.is_some();
        self.held = held;
        match outcome {
            Outcome::Failed | Outcome::Partly => state::Outcome::Failed,
            _ if waits => state::Outcome::Held,
            _ => state::Outcome::Settled,
        }
    }

    /// The commands that are proposed.
    fn commands(&self) -> Commands {
        let prune = || self.passes.args.prune.then(|| "--prune".to_owned());
        let let_go = match &self.eyes {
            Eyes::Files(_) => {
                let files = self.passes.args.files.filename.iter();
                let files = files.flat_map(|path| ["-f".to_owned(), path.display().to_string()]);
                LetGo::Apply(self.command("apply", files.chain(prune())))
            }
            Eyes::Branch(branch) => {
                let heal = self.passes.heal.then(|| "--heal".to_owned());
                let money = self.passes.heal_money.then(|| "--heal-money".to_owned());
                let once = ["--once".to_owned()].into_iter().chain(prune()).chain(heal);
                let once = once.chain(money);
                LetGo::Once(self.command("watch", branch.repeated().into_iter().chain(once)))
            }
        };
        Commands { approve: self.command("approve", []), let_go }
    }

    /// A command of this workspace, as a shell takes it.
    fn command(&self, word: &str, options: impl IntoIterator<Item = String>) -> String {
        let mut all = vec!["partnerctl".to_owned(), word.to_owned()];
        all.extend(self.passes.settings.repeated());
        all.extend(options);
        all.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
    }

    fn record(
        &mut self,
        ended: Ended,
        stands: impl FnOnce(&mut crate::cli::watch::report::Report),
    ) {
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        tracing::debug!(outcome = ended.outcome.as_str(), "pass {} ended", report.passes + 1);
        stands(&mut report);
        report.ended(ended, Utc::now());
        drop(report);
        self.write_status();
    }

    pub fn write_status(&mut self) {
        let Some(path) = &self.status_file else { return };
        let report = self.report.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Err(error) = report.write(path) {
            self.remark(format!("the status file {} cannot be written: {error}", path.display()));
        }
    }

    /// Lets the store rest, and tells when that failed the last time: a later commit does it then.
    fn rest(&mut self) {
        if let Err(error) = self.passes.stores.rest() {
            self.remark(format!("between two passes: {:#}", anyhow::Error::from(error)));
        }
    }

    fn remark(&mut self, text: String) {
        if let Some(word) = self.told.remark(text) {
            log_word(word);
        }
    }
}

/// An error with what was said on the way to it, and what to do.
fn whole(error: &CommandError, warnings: &[String]) -> String {
    let mut lines = warnings.to_vec();
    lines.push(error.chain());
    lines.extend(error.hints.iter().map(|hint| format!("  → {hint}")));
    lines.join("\n")
}

pub fn log_word(word: Word) {
    match word {
        Word::Trouble(Trouble::Locked(text)) => tracing::info!("{text}"),
        Word::Trouble(Trouble::Invalid(text)) => {
            tracing::error!("the manifests are not valid; what was applied stays\n{text}");
        }
        Word::Trouble(Trouble::Failed(text)) => tracing::error!("{text}"),
        Word::Trouble(Trouble::Rejected(text)) => {
            tracing::error!("the commit is not applied; what was applied stays\n{text}");
        }
        Word::Away(text) => tracing::warn!("{text}"),
        Word::Near => tracing::info!("the branch can be fetched again"),
        Word::Mended => tracing::info!("mended: the manifests are valid again"),
        Word::Recovered => tracing::info!("recovered: what failed before went well"),
        Word::Cause(text) => tracing::warn!("{text}"),
        Word::Remark(text) => tracing::info!("{text}"),
    }
}
