//! The events of an apply, one JSON object a line, for machines that follow it.

use crate::cli::error::{CommandError, Exit};
use crate::cli::ui::Ui;
use crate::engine::executor::Status;
use crate::engine::progress::Progress;
use crate::engine::work::Notice;
use crate::model::ResourceId;
use crate::model::activity::instant;
use crate::plan::{Change, Plan, Summary};
use anyhow::Context;
use chrono::Utc;
use schemars::JsonSchema;
use serde::Serialize;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

/// The version of the format.
const API_VERSION: &str = "partnerctl.dev/event/v1";

/// One line.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "partnerctl apply -o json, one line")]
pub struct Event {
    /// `partnerctl.dev/event/v1`
    api_version: String,
    /// When, RFC 3339 in UTC.
    at: String,
    /// What happened.
    #[serde(rename = "type")]
    kind: EventType,
    /// The plan.
    plan_id: String,
    /// What it is about, `Kind/name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    resource: Option<ResourceId>,
    /// The operation in the portal's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<String>,
    /// Why, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// How long a call waits, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pause_milliseconds: Option<u64>,
    /// What the plan counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<Summary>,
    /// The exit code.
    #[serde(skip_serializing_if = "Option::is_none")]
    exit: Option<u8>,
}

/// What happened.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum EventType {
    /// The plan stands.
    Planned,
    /// A call is made.
    Started,
    /// A call will be made again after a pause.
    Paused,
    /// A change is done and written down.
    Succeeded,
    /// A change was not done.
    Failed,
    /// Nobody knows whether a change was done.
    Unknown,
    /// A change was not begun, because another one was not done.
    Skipped,
    /// The end.
    Finished,
}

/// Where events go: to stdout, to a file, to both or nowhere.
pub struct Events {
    plan_id: String,
    stdout: bool,
    file: Option<File>,
}

impl Events {
    /// Opens the sinks that are wanted.
    pub fn open(stdout: bool, file: Option<&Path>) -> Result<Self, CommandError> {
        let file = file
            .map(|path| {
                File::create(path)
                    .with_context(|| format!("cannot write the events to {}", path.display()))
            })
            .transpose()?;
        Ok(Self { plan_id: String::new(), stdout, file })
    }

    /// True when stdout carries events and nothing else.
    pub fn own_stdout(&self) -> bool {
        self.stdout
    }

    /// The plan stands.
    pub fn planned(&mut self, plan: &Plan, ui: &mut Ui) {
        self.plan_id.clone_from(&plan.id);
        let event = self.event(EventType::Planned);
        self.put(&Event { summary: Some(plan.summary), ..event }, ui);
    }

    /// Something happened to a change.
    pub fn progress(&mut self, progress: &Progress<'_>, ui: &mut Ui) {
        let event = match progress {
            Progress::Notice(Notice::Started { resource, operation }) => Event {
                resource: Some(resource.clone()),
                operation: Some(operation.clone()),
                ..self.event(EventType::Started)
            },
            Progress::Notice(Notice::Paused { resource, time, why }) => Event {
                resource: Some(resource.clone()),
                message: Some(why.clone()),
                pause_milliseconds: u64::try_from(time.as_millis()).ok(),
                ..self.event(EventType::Paused)
            },
            Progress::Ended(change, status) => self.ended(change, status),
        };
        self.put(&event, ui);
    }

    /// A change that was not begun.
    pub fn skipped(&mut self, resource: &ResourceId, because: &ResourceId, ui: &mut Ui) {
        let message = Some(format!("{because} was not done"));
        let resource = Some(resource.clone());
        let event = Event { resource, message, ..self.event(EventType::Skipped) };
        self.put(&event, ui);
    }

    /// The end.
    pub fn finished(&mut self, exit: Exit, error: Option<&anyhow::Error>, ui: &mut Ui) {
        let message = error.map(|error| format!("{error:#}"));
        let event = Event { exit: Some(exit as u8), message, ..self.event(EventType::Finished) };
        self.put(&event, ui);
    }

    fn ended(&self, change: &Change, status: &Status) -> Event {
        let (kind, message) = match status {
            Status::Failed(why) => (EventType::Failed, Some(why.clone())),
            Status::Unknown(why) => (EventType::Unknown, Some(why.clone())),
            _ => (EventType::Succeeded, None),
        };
        Event {
            resource: Some(change.id.clone()),
            operation: Some(change.operation.to_string()),
            message,
            ..self.event(kind)
        }
    }

    fn event(&self, kind: EventType) -> Event {
        Event {
            api_version: API_VERSION.to_owned(),
            at: instant(Utc::now()),
            kind,
            plan_id: self.plan_id.clone(),
            resource: None,
            operation: None,
            message: None,
            pause_milliseconds: None,
            summary: None,
            exit: None,
        }
    }

    fn put(&mut self, event: &Event, ui: &mut Ui) {
        if !self.stdout && self.file.is_none() {
            return;
        }
        let line = serde_json::to_string(event).unwrap_or_default();
        if self.stdout {
            ui.data(&format!("{line}\n"));
        }
        // Work under way is not cut off because nobody can follow it any more; but it is said once.
        if let Some(file) = &mut self.file
            && let Err(error) = writeln!(file, "{line}")
        {
            ui.warn(&format!("warning: the events cannot be written any more: {error}"));
            self.file = None;
        }
    }
}
