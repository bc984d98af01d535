//! `repair`: operations whose end nobody knows, and the ways to end them.

use crate::cli::carry_out::{Place, under_lease};
use crate::cli::error::{CommandError, Exit};
use crate::cli::output::Output;
use crate::cli::session::{self, LockArgs};
use crate::cli::settings::{FileArgs, Settings};
use crate::cli::ui::Ui;
use crate::engine::lease::SharedStore;
use crate::engine::operate::{Ended, adopt, give_up, retry};
use crate::engine::{Gathered, Workspace};
use crate::model::text::{counted, printable};
use crate::model::{Effect, Verb};
use crate::plan::intent::Intent;
use crate::provider::conclude::{is_alike, question};
use crate::provider::{Candidate, Outside, Question};
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::sync::Arc;

/// Show operations whose end nobody knows, and end them
///
/// Without arguments they are listed, each with what it may have made. A person who found out,
/// in the portal or by asking, then ends each one: --adopt says that it was done and names the
/// thing, --retry says that it was not and asks for it again under the same request key, --abandon
/// says that it was not and shall not be. The log keeps who said so and why.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  partnerctl repair\n  \
    partnerctl repair 7d9f53ea-8f4b-8d7b-a4c5-e029d9fb4a43\n  \
    partnerctl repair 7d9f53ea-8f4b-8d7b-a4c5-e029d9fb4a43 --adopt subscription-2 --reason 'seen in the portal'\n  \
    partnerctl repair 7d9f53ea-8f4b-8d7b-a4c5-e029d9fb4a43 --retry --reason 'support says it never arrived'\n  \
    partnerctl repair 7d9f53ea-8f4b-8d7b-a4c5-e029d9fb4a43 --abandon --reason 'bought elsewhere'")]
pub struct RepairArgs {
    /// The operation; the first characters are enough
    operation: Option<String>,
    /// It was done: this is the provider's id of what it made or changed
    #[arg(long, value_name = "EXTERNAL-ID", requires_all = ["operation", "reason"], group = "way")]
    adopt: Option<String>,
    /// It was not done: ask for it again
    #[arg(long, requires_all = ["operation", "reason"], group = "way")]
    retry: bool,
    /// It was not done, and shall not be
    #[arg(long, requires_all = ["operation", "reason"], group = "way")]
    abandon: bool,
    /// How you know; goes into the log
    #[arg(long, value_name = "TEXT", requires = "way")]
    reason: Option<String>,
    /// How to print them
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
    #[command(flatten)]
    lock: LockArgs,
}

pub fn run(args: &RepairArgs, settings: &Settings, ui: &mut Ui) -> Result<Exit, CommandError> {
    let workspace = settings.workspace(&FileArgs::default(), ui)?;
    session::demand_lasting(settings, &workspace)?;
    let store = SharedStore::new(session::open_existing(settings, &workspace)?);
    if args.adopt.is_none() && !args.retry && !args.abandon {
        return show(args, settings, &workspace, &store, ui);
    }
    let with = (session::provider(settings, &workspace)?, store);
    let (here, how) = ((settings, &workspace), ("repair", args.lock.timeout()));
    let (intent, ended) = under_lease(here, with, how, ui, |place, ui| {
        let gathered = place.gather(ui)?;
        end(args, place, &gathered)
    })?;
    let what = format!("{} {}", operation(&intent), intent.resource());
    match ended {
        Ended::Done => {
            ui.data(&printable(&format!("{what}: done, and recorded.")));
            ui.data("\n");
            Ok(Exit::Done)
        }
        Ended::Failed(_) if args.abandon => {
            ui.data(&printable(&format!("{what}: given up; the next plan goes on without it.")));
            ui.data("\n");
            Ok(Exit::Done)
        }
        Ended::Failed(why) => Err(CommandError::new(format!("{what}: it was not done: {why}"))),
        Ended::Unknown(why) => Err(CommandError::new(format!("{what}: nobody knows again: {why}"))
            .exit(Exit::Partly)
            .hint("`partnerctl repair` shows what it may have done")),
        Ended::Withdrawn => Err(CommandError::new(format!("{what}: interrupted"))),
    }
}

/// Ends an operation the way that was chosen.
fn end(
    args: &RepairArgs,
    place: &Place<'_>,
    gathered: &Gathered,
) -> Result<(Intent, Ended), CommandError> {
    let intent = chosen(args, &gathered.intents)?.clone();
    if intent.state.is_open() {
        return Err(CommandError::new(format!(
            "operation {} is only open, nobody has looked yet what became of it",
            intent.operation_id
        ))
        .hint("`partnerctl resume` finds out"));
    }
    let outside = place.outside()?;
    if !args.abandon && intent.provider != outside.identity() {
        let message = format!("the operation was asked of another provider, `{}`", intent.provider);
        return Err(CommandError::new(message)
            .exit(Exit::Conflict)
            .hint("put that provider back into partnerctl.yaml to end it"));
    }
    let (work, _told) = place.work(gathered, None, None, &note(args));
    let ended = if args.abandon {
        give_up(&work, &intent)?
    } else if args.retry {
        retry(&work, outside, intent.clone())?
    } else {
        let effect = effect(&intent)?;
        if let (Some(meant), Some(word)) = (&effect.external_id, &args.adopt)
            && meant != word
        {
            return Err(CommandError::new(format!("the operation is about {meant}, not {word}"))
                .hint(format!("--adopt {meant} says that it was done")));
        }
        let thing = named(args, outside, effect)?;
        if let Some(thing) = &thing
            && work.directory().is_managed(&thing.observed.kind, &thing.observed.external_id)
            && effect.verb == Verb::Create
        {
            let id = &thing.observed.external_id;
            return Err(CommandError::new(format!("{id} belongs to another resource already"))
                .hint("`partnerctl repair` shows the candidates"));
        }
        let entry = work.directory().entry(effect.kind.as_str()).map_err(CommandError::new)?;
        if let (Some(thing), Verb::Create, Some(after)) = (&thing, effect.verb, &effect.after)
            && !is_alike(&entry, after, &thing.observed.spec)
        {
            let id = &thing.observed.external_id;
            return Err(CommandError::new(format!("{id} is not what the operation asked for"))
                .hint("`partnerctl repair` shows the candidates"));
        }
        adopt(&work, outside, intent.clone(), thing.map(|thing| thing.observed))?
    };
    Ok((intent, ended))
}

fn note(args: &RepairArgs) -> String {
    let way = match (&args.adopt, args.retry) {
        (Some(_), _) => "adopted",
        (None, true) => "tried again",
        (None, false) => "given up",
    };
    format!("repair: {way}: {}", args.reason.as_deref().unwrap_or_default())
}

/// The thing that --adopt names; `None` for one that was to be taken away and is gone.
fn named(
    args: &RepairArgs,
    outside: &dyn Outside,
    effect: &Effect,
) -> Result<Option<Candidate>, CommandError> {
    let external_id = args.adopt.clone().unwrap_or_default();
    let kind = effect.kind.clone();
    let question = Question::Id { kind: kind.clone(), external_id: external_id.clone() };
    let found = outside.find(&question).map_err(CommandError::new)?.into_iter().next();
    match (effect.verb, found) {
        (Verb::Delete, None) => Ok(None),
        (Verb::Delete, Some(_)) => {
            Err(CommandError::new(format!("{kind} {external_id} is still there"))
                .hint("--retry takes it away, --abandon leaves it"))
        }
        (_, Some(found)) => Ok(Some(found)),
        (_, None) => Err(CommandError::new(format!("the provider has no {kind} {external_id}"))
            .hint("`partnerctl repair` shows the candidates")),
    }
}

fn effect(intent: &Intent) -> Result<&Effect, CommandError> {
    intent.effect().ok_or_else(|| CommandError::new("the operation has no effect left"))
}

fn operation(intent: &Intent) -> String {
    intent.effect().map(|effect| effect.operation.to_string()).unwrap_or_default()
}

/// The operation that was named.
fn chosen<'i>(args: &RepairArgs, intents: &'i [Intent]) -> Result<&'i Intent, CommandError> {
    let word = args.operation.as_deref().unwrap_or_default();
    let fits: Vec<&Intent> =
        intents.iter().filter(|intent| intent.operation_id.starts_with(word)).collect();
    match fits.as_slice() {
        [one] => Ok(one),
        [] => Err(CommandError::new(format!("no operation `{word}` is without an end"))
            .hint("`partnerctl repair` lists those that are")),
        _ => Err(CommandError::new(format!("several operations begin with `{word}`"))
            .hint("write more of it")),
    }
}

/// An intent with what it may have made.
struct Shown<'i> {
    intent: &'i Intent,
    candidates: Result<Vec<Candidate>, String>,
}

fn show(
    args: &RepairArgs,
    settings: &Settings,
    workspace: &Workspace,
    store: &SharedStore,
    ui: &mut Ui,
) -> Result<Exit, CommandError> {
    let intents = store.lock().intents()?;
    let wanted: Vec<&Intent> = match &args.operation {
        Some(_) => vec![chosen(args, &intents)?],
        None => intents.iter().collect(),
    };
    let provider = session::provider(settings, workspace)?;
    let rows = store.lock().resources()?;
    let managed = |candidate: &Candidate| {
        rows.iter().any(|row| {
            row.id.kind == candidate.observed.kind
                && row.external_id.as_ref() == Some(&candidate.observed.external_id)
        })
    };
    let look = |intent: &Intent| -> Result<Vec<Candidate>, String> {
        let outside = provider.outside().ok_or("the workspace has no provider to ask")?;
        let effect = intent.effect().ok_or("it has no effect left")?;
        let mut found = outside.find(&question(effect)).map_err(|error| error.to_string())?;
        let entry = settings.kinds.get(effect.kind.as_str()).ok_or("its kind is not known")?;
        let alike = |candidate: &Candidate| {
            let after = effect.after.as_ref();
            after.is_none_or(|after| is_alike(entry, after, &candidate.observed.spec))
        };
        found.retain(|candidate| {
            effect.verb != Verb::Create || (!managed(candidate) && alike(candidate))
        });
        Ok(found)
    };
    let shown: Vec<Shown<'_>> =
        wanted.into_iter().map(|intent| Shown { intent, candidates: look(intent) }).collect();
    match args.output {
        Output::Json => ui.json(&Arc::new(shown.iter().map(json).collect::<Vec<Value>>()))?,
        Output::Text if shown.is_empty() => ui.say("every operation has ended"),
        Output::Text => shown.iter().for_each(|shown| ui.data(&text(shown))),
    }
    Ok(Exit::Done)
}

fn json(shown: &Shown<'_>) -> Value {
    let Shown { intent, candidates } = shown;
    let candidates: Vec<Value> = candidates
        .iter()
        .flatten()
        .map(|candidate| {
            json!({"externalId": candidate.observed.external_id, "name": candidate.observed.name,
                "spec": candidate.observed.spec, "requestKey": candidate.request_key})
        })
        .collect();
    json!({
        "operationId": intent.operation_id, "state": intent.state.as_str(),
        "operation": operation(intent), "resource": intent.resource(),
        "action": intent.effect().map(|effect| effect.verb), "requestKey": intent.request_key(),
        "actor": intent.actor, "planId": intent.plan_id,
        "begunAt": crate::model::activity::instant(intent.begun_at),
        "message": intent.message, "candidates": candidates,
    })
}

fn text(shown: &Shown<'_>) -> String {
    let Shown { intent, candidates } = shown;
    let mut out = String::new();
    let mut line = |text: String| {
        let _ = writeln!(out, "{}", printable(&text));
    };
    let begun = intent.begun_at.format("%Y-%m-%d %H:%M:%S");
    line(format!("{}  {} {}", intent.operation_id, operation(intent), intent.resource()));
    line(format!("  begun {begun} UTC by {}, plan {}", intent.actor, intent.plan_id));
    if intent.state.is_open() {
        line("  it is open: `partnerctl resume` finds out what became of it".to_owned());
        return out;
    }
    line(format!("  {}", intent.message));
    let short = intent.operation_id.split('-').next().unwrap_or_default();
    match candidates {
        Err(why) => line(format!("  what it may have done cannot be seen: {why}")),
        Ok(found) if found.is_empty() => {
            line("  nothing that it may have made is there".to_owned());
        }
        Ok(found) => {
            line(format!("  {} may be what it made or changed:", counted(found.len(), "thing")));
            for candidate in found {
                let thing = &candidate.observed;
                let spec = thing.spec.canonical();
                line(format!("    {}  {}  {spec}", thing.external_id, thing.name));
            }
        }
    }
    line(format!(
        "  → it was done:      partnerctl repair {short} --adopt EXTERNAL-ID --reason TEXT"
    ));
    line(format!("  → it was not:       partnerctl repair {short} --retry --reason TEXT"));
    line(format!("  → it shall not be:  partnerctl repair {short} --abandon --reason TEXT"));
    out
}
