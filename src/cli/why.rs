//! `why`: what the plan does with one resource, why, and what would mend it.

use crate::cli::error::{CommandError, Exit};
use crate::cli::output::{self, Output};
use crate::cli::pass::Pass;
use crate::cli::session::{self, PassArgs, SelectionArgs};
use crate::cli::settings::{FileArgs, Settings, parse_at};
use crate::cli::ui::Ui;
use crate::kinds::{Mend, agent};
use crate::manifest::document::API_VERSION;
use crate::model::text::printable;
use crate::model::{ResourceId, Source};
use crate::plan::change::FieldChange;
use crate::plan::diff::show;
use crate::plan::why::{Mark, Node, Why, why};
use crate::plan::{Action, PlanInput, plan};
use crate::store::Missing;
use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Tell why the plan does what it does with one resource, and what would mend it
///
/// Shows what it rests on, marked ✔ (holds), ✘ (does not), … (waits) or ! (worth knowing), who can
/// mend what does not hold, and the YAML to paste. Nothing is written. The exit code is 0 also when
/// something is ✘: it is an answer.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  partnerctl why reservationpermission/contoso\n  \
    partnerctl why rp contoso\n  partnerctl why sub/azure --prune\n  partnerctl why rp/contoso -o json")]
pub struct WhyArgs {
    /// Kind, plural or short name; or KIND/NAME
    kind: String,
    /// The name
    name: Option<String>,
    #[command(flatten)]
    files: FileArgs,
    /// Plan with --prune
    #[arg(long)]
    prune: bool,
    /// Plan as if it were this day or instant; default: now
    #[arg(long, value_name = "DATE|RFC3339", value_parser = parse_at)]
    at: Option<DateTime<Utc>>,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub fn run(args: &WhyArgs, settings: &Settings, ui: &mut Ui) -> Result<Exit, CommandError> {
    let (kind, name) = match (&args.name, args.kind.split_once('/')) {
        (Some(name), _) => (args.kind.as_str(), name.as_str()),
        (None, Some(pair)) => pair,
        (None, None) => {
            return Err(
                CommandError::new("which one?").hint(format!("partnerctl why {} NAME", args.kind))
            );
        }
    };
    let entry = settings.kind(kind)?;
    let (files, selection) = (args.files.clone(), SelectionArgs::default());
    let asked =
        PassArgs { files, selection, prune: args.prune, full: true, ..PassArgs::of_everything() };
    let workspace = settings.workspace(&asked.files, ui)?;
    let mut read = session::read(settings, &workspace, &asked)?;
    let store = session::open(settings, &workspace, Missing::Leave)?;
    let provider = session::provider(settings, &workspace)?;
    let gathered = session::observe(store.as_deref(), provider.as_ref(), ui)?;
    let at = args.at.unwrap_or_else(Utc::now);
    let manifests = session::manifests(settings, &mut read, &gathered.stored, ui)?;
    let provider = provider.as_ref();
    let pass = Pass::new(settings, &workspace, &asked, provider, at);
    let input = pass.whole_input(&read, manifests, &gathered, ui)?;
    let id = ResourceId::new(entry.facts.kind, name);
    let answer = why(&input, &plan(&input), &id).ok_or_else(|| nobody_knows(&input, &id))?;
    match args.output {
        Output::Text => ui.data(&text(&answer, &sources(&input))?),
        Output::Json => ui.json(&answer)?,
    }
    Ok(Exit::Done)
}

fn nobody_knows(input: &PlanInput, id: &ResourceId) -> CommandError {
    let declared = input.desired.iter().map(|resource| &resource.id);
    let stored = input.stored.iter().map(|stored| &stored.id);
    let error = CommandError::new(format!("{id} is neither declared nor in the store"));
    match session::near(id, declared.chain(stored)) {
        Some(near) => error.hint(near),
        None => error.hint("`partnerctl get all` lists what is in the store"),
    }
}

/// Where each resource is declared.
fn sources(input: &PlanInput) -> BTreeMap<&ResourceId, &Source> {
    let stored = input.stored.iter().map(|stored| (&stored.id, &stored.source));
    stored.chain(input.desired.iter().map(|declared| (&declared.id, &declared.source))).collect()
}

fn text(why: &Why, sources: &BTreeMap<&ResourceId, &Source>) -> Result<String, CommandError> {
    let mut out = String::new();
    let place = why.source.to_string();
    let place = if place.is_empty() { place } else { format!("  {place}") };
    let mut line = |text: &str| {
        let _ = writeln!(out, "{}", printable(text));
    };
    line(&format!("{}{place}", why.resource));
    let note = Some(&why.roles_note).filter(|note| !note.is_empty());
    let note = note.map(|note| format!(" ({note})")).unwrap_or_default();
    line(&format!("{}.", why.about));
    line(&format!("{} may change it{note}.", agent::one_of(&why.roles)));
    line("");
    line(&format!("{} {}", sign(why.mark), why.sentence));
    let changed =
        |field: &&FieldChange| field.before.is_some() && why.action != Some(Action::Delete);
    for field in why.fields.iter().filter(changed) {
        let value = |value: &Option<crate::model::Value>| {
            value.as_ref().map_or("(not set)".to_owned(), show)
        };
        line(&format!("    {}: {} → {}", field.path, value(&field.before), value(&field.after)));
    }
    for block in &why.blocked {
        line(&format!("    {} {}", block.code, block.message));
    }
    if let Some(waiting) = why.waiting.as_ref().filter(|_| why.blocked.is_empty()) {
        line(&format!("    waits for {waiting}"));
    }
    for warning in &why.warnings {
        line(&format!("    ! {warning}"));
    }
    if !why.tree.is_empty() {
        line("");
        line("It rests on:");
        nodes(&mut line, &why.tree, 1);
    }
    let mends = why.mends();
    if !mends.is_empty() {
        line("");
        line("What would mend it:");
    }
    for node in mends {
        if let Some(mend) = &node.mend {
            out.push('\n');
            out.push_str(&yaml(mend, node, sources)?);
        }
    }
    if let Some(block) = why.blocked.first() {
        let _ =
            writeln!(out, "\n`partnerctl explain {}` tells more about {}.", block.code, block.code);
    }
    Ok(out)
}

fn nodes(line: &mut impl FnMut(&str), tree: &[Node], depth: usize) {
    let indent = "  ".repeat(depth);
    for node in tree {
        line(&format!("{indent}{} {}", sign(node.mark), node.what));
        if !node.hint.is_empty() {
            line(&format!("{indent}    → {}", node.hint));
        }
        if !node.roles.is_empty() {
            line(&format!("{indent}    can be mended by: {}", agent::one_of(&node.roles)));
        }
        nodes(line, &node.below, depth + 1);
    }
}

fn sign(mark: Mark) -> &'static str {
    match mark {
        Mark::Holds => "✔",
        Mark::Fails => "✘",
        Mark::Waits => "…",
        Mark::Warns => "!",
    }
}

/// A mend as YAML that stands at the margin, so that it can be pasted as it is.
fn yaml(
    mend: &Mend,
    node: &Node,
    sources: &BTreeMap<&ResourceId, &Source>,
) -> Result<String, CommandError> {
    let id = &mend.resource;
    let source = sources.get(id).map(|source| source.to_string()).unwrap_or_default();
    let what = if mend.new {
        format!("{id}: a new manifest")
    } else if source.is_empty() {
        format!("{id}: what to change")
    } else {
        format!("{id}: what to change, in {source}")
    };
    let mut out = format!("# {}; by {}\n", printable(&what), agent::one_of(&node.roles));
    if !mend.note.is_empty() {
        let _ = writeln!(out, "# {}", printable(&mend.note));
    }
    let mut metadata = json!({"annotations": mend.annotations});
    let value = if mend.new {
        metadata = json!({"name": id.name.as_str()});
        out.push_str("---\n");
        json!({"apiVersion": API_VERSION, "kind": id.kind.as_str(), "metadata": metadata, "spec": mend.spec})
    } else if mend.annotations.is_empty() {
        json!({"spec": mend.spec})
    } else {
        json!({"metadata": metadata})
    };
    let text = output::yaml(&value)?;
    out.extend(text.lines().map(|line| printable(line) + "\n"));
    Ok(out)
}
