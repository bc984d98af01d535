//! `drift accept`: manifests that declare what is there.

use crate::cli::drift::{Chosen, plan};
use crate::cli::error::{CommandError, Exit};
use crate::cli::session;
use crate::cli::settings::{FileArgs, Settings};
use crate::cli::ui::Ui;
use crate::engine::{Workspace, machine};
use crate::manifest::edit::{self, Unfit};
use crate::model::resource::ACCEPT_DRIFT;
use crate::model::text::{counted, printable};
use crate::model::{Accepted, ResourceId};
use crate::plan::diff::show;
use crate::plan::drift::{Drifted, DriftedField, drift};
use crate::plan::selection::Selection;
use anyhow::Context as _;
use chrono::{NaiveDate, Utc};
use clap::Args;
use similar::TextDiff;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Declare what is there in place of what was declared
///
/// Writes the observed values into the manifests, each in place of the old one: comments, layout and
/// quotes stay as they are. What was written is shown as a diff. Nothing is written when one of them
/// cannot be; neither the store nor anything outside is touched. With --except the declared value
/// stays, and the annotation `partnerctl.dev/accept-drift` says until when and why it may differ:
/// until then a plan leaves the field as it is and says so, then it is drift again.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  partnerctl drift accept budget/contoso --dry-run\n  \
    partnerctl drift accept budget/contoso --field spec.monthly.amount\n  \
    partnerctl drift accept budget/contoso --except --until 2026-12-31 --reason 'agreed, ticket 7'\n  \
    partnerctl drift accept --all && git commit -am 'accept what was changed in the portal'")]
pub struct AcceptArgs {
    #[command(flatten)]
    chosen: Chosen,
    /// Only this field; may be repeated
    #[arg(long, value_name = "PATH")]
    field: Vec<String>,
    /// Keep what is declared, and accept until a day that it differs
    #[arg(long, requires_all = ["until", "reason"])]
    except: bool,
    /// The day as which it is drift again (UTC)
    #[arg(long, value_name = "DATE", requires = "except")]
    until: Option<NaiveDate>,
    /// Why it may differ
    #[arg(long, value_name = "TEXT", requires = "except")]
    reason: Option<String>,
    /// Show what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
}

/// Until when and why a field may differ.
struct Exception {
    until: NaiveDate,
    reason: String,
}

impl AcceptArgs {
    fn exception(&self) -> Result<Option<Exception>, CommandError> {
        let Some((until, reason)) = self.until.zip(self.reason.as_ref()) else { return Ok(None) };
        let reason = reason.trim().to_owned();
        if until <= Utc::now().date_naive() {
            let message = format!("{until} has begun already: nothing would be accepted");
            return Err(CommandError::new(message).hint("give a later --until"));
        }
        if reason.is_empty() || reason.contains(';') {
            return Err(CommandError::new("the reason is empty, or has a `;` in it")
                .hint("say it in other words: `;` stands between two exceptions"));
        }
        Ok(Some(Exception { until, reason }))
    }
}

/// A file before and after.
struct Edited {
    path: PathBuf,
    before: String,
    after: String,
}

pub fn run(args: &AcceptArgs, settings: &Settings, ui: &mut Ui) -> Result<Exit, CommandError> {
    let (files, exception) = (FileArgs::default(), args.exception()?);
    let workspace = settings.workspace(&files, ui)?;
    let store = session::open_existing(settings, &workspace)?;
    let planned = plan(settings, &workspace, (&files, Selection::default()), store.as_ref(), ui)?;
    let drifted = args.chosen.of(drift(&planned.plan), settings)?;
    let mut edits = Edits { settings, workspace: &workspace, files: BTreeMap::new() };
    let (mut accepted, mut refused) = (0, 0);
    for one in &drifted {
        let fields: Vec<&DriftedField> = one
            .fields
            .iter()
            .filter(|field| args.field.is_empty() || args.field.contains(&field.path))
            .collect();
        if args.chosen.all && !args.field.is_empty() && fields.is_empty() {
            continue;
        }
        if let Some((why, hint)) = in_the_way(one, &fields) {
            refuse(&one.resource, why, hint, ui);
            refused += 1;
            continue;
        }
        let mut is_fit = true;
        for field in fields {
            match edits.take(one, field, exception.as_ref())? {
                Ok(()) => accepted += 1,
                Err(unfit) => {
                    let value = field.observed.as_ref().map_or_else(|| "nothing".to_owned(), show);
                    let hint =
                        format!("write {}: {value} into {} yourself", field.path, one.source);
                    refuse(&one.resource, &format!("{}: {unfit}", field.path), &hint, ui);
                    is_fit = false;
                }
            }
        }
        refused += usize::from(!is_fit);
    }
    if refused > 0 {
        let message = format!("{} cannot be accepted", counted(refused, "resource"));
        let others = if accepted > 0 { "; name the others alone" } else { "" };
        return Err(CommandError::new(message).hint(format!("nothing was written{others}")));
    }
    edits.finish(args.dry_run, ui)?;
    if accepted == 0 {
        ui.say("nothing to accept");
    } else if args.dry_run {
        ui.say("nothing was written, as --dry-run");
    } else {
        let what = if exception.is_some() { "exception" } else { "value" };
        let values = counted(accepted, what);
        ui.say(&format!("wrote {values}; `partnerctl plan` shows that nothing is left of it"));
    }
    Ok(Exit::Done)
}

fn refuse(id: &ResourceId, why: &str, hint: &str, ui: &mut Ui) {
    ui.warn(&printable(&format!("{id}: {why}")));
    ui.warn(&printable(&format!("  → {hint}")));
}

/// Why nothing of a resource can be accepted, and what helps.
fn in_the_way(one: &Drifted, fields: &[&DriftedField]) -> Option<(&'static str, &'static str)> {
    if one.gone {
        Some((
            "it is not there any more",
            "remove its manifest, or `partnerctl apply` makes it again",
        ))
    } else if fields.is_empty() {
        Some((
            "the named fields were not changed outside",
            "`partnerctl drift` lists those that were",
        ))
    } else if one.resource.name.is_generated() {
        Some((
            "a manifest with a selector stands for it and for others",
            "declare a budget with customerRef for this customer: that one beats the selector",
        ))
    } else {
        None
    }
}

/// The files that are edited.
struct Edits<'a> {
    settings: &'a Settings,
    workspace: &'a Workspace,
    files: BTreeMap<Arc<str>, Edited>,
}

impl Edits<'_> {
    /// Puts one observed value, or that it is an exception, into its file.
    fn take(
        &mut self,
        one: &Drifted,
        field: &DriftedField,
        exception: Option<&Exception>,
    ) -> Result<Result<(), Unfit>, CommandError> {
        let (Some(name), Some(value)) = (&one.source.file, &field.observed) else {
            return Ok(Err(Unfit::Gone));
        };
        let path = self.workspace.folder.join(name.as_ref());
        let edited = match self.files.remove(name) {
            Some(edited) => edited,
            None => {
                let what = || format!("cannot read {}", path.display());
                let path = path.canonicalize().with_context(what)?;
                let before = std::fs::read_to_string(&path).with_context(what)?;
                Edited { path, after: before.clone(), before }
            }
        };
        let (kinds, id, text) = (&self.settings.kinds, &one.resource, edited.after.as_str());
        let set = match exception {
            None => edit::set(kinds, name, text, (id, field.path.as_str()), value),
            Some(exception) => {
                let annotation = with_exception(text, id, &field.path, exception);
                edit::annotate(kinds, name, text, (id, ACCEPT_DRIFT), &annotation)
            }
        };
        let (done, after) = match set {
            Ok(after) => (Ok(()), after),
            Err(unfit) => (Err(unfit), edited.after),
        };
        self.files.insert(name.clone(), Edited { after, ..edited });
        Ok(done)
    }

    /// Shows what differs, and writes it.
    fn finish(&self, dry_run: bool, ui: &mut Ui) -> Result<(), CommandError> {
        for (name, Edited { path, before, after }) in &self.files {
            let diff = TextDiff::from_lines(before.as_str(), after.as_str());
            let text = diff.unified_diff().header(name, name).to_string();
            ui.data(&text.split_inclusive('\n').map(line).collect::<String>());
            if !dry_run {
                let what = || format!("cannot write {}", path.display());
                let permissions = path.metadata().with_context(what)?.permissions();
                machine::write_whole(path, after.as_bytes()).with_context(what)?;
                std::fs::set_permissions(path, permissions).with_context(what)?;
            }
        }
        Ok(())
    }
}

/// The annotation of a resource with one more exception in it, or another one for the field.
fn with_exception(text: &str, id: &ResourceId, path: &str, exception: &Exception) -> String {
    let old = edit::annotation(text, id, ACCEPT_DRIFT).unwrap_or_default();
    let mut all = Accepted::parse(&old).unwrap_or_default();
    all.retain(|one| one.path != path);
    let Exception { until, reason } = exception;
    all.push(Accepted { path: path.to_owned(), until: *until, reason: reason.clone() });
    Accepted::text(&all)
}

/// A line of a diff as a terminal may have it.
fn line(text: &str) -> String {
    format!("{}\n", printable(text.trim_end_matches(['\n', '\r'])))
}
