//! `schema`: JSON Schemas of manifests and machine formats.

use crate::cli::calendar::Calendar;
use crate::cli::completions::KindWord;
use crate::cli::drift::Report as DriftReport;
use crate::cli::error::{CommandError, Exit};
use crate::cli::events::Event;
use crate::cli::explain::CodeExplained;
use crate::cli::settings::Settings;
use crate::cli::status::Status;
use crate::cli::support::SupportRequest;
use crate::cli::test::TestReport;
use crate::cli::ui::Ui;
use crate::cli::undo::Report as UndoReport;
use crate::cli::watch::report::Report as WatchReport;
use crate::engine::cases::declared::CaseFile;
use crate::engine::workspace::WorkspaceFile;
use crate::finance::{self, ExchangeQuote, Quote};
use crate::kinds::Kinds;
use crate::manifest::explain::KindExplained;
use crate::manifest::report::Report;
use crate::manifest::schema::{combined, kind_schema};
use crate::model::{Activity, Condition, Suspension};
use crate::plan::Plan;
use crate::plan::compare::Comparison;
use crate::plan::why::Why;
use crate::provider::exec;
use crate::store::Checkpoint;
use anyhow::Context;
use clap::Args;
use schemars::generate::SchemaSettings;
use schemars::schema_for;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Print the JSON Schema of manifests, or of one kind
///
/// Editors complete and check manifests with it. The schemas of what machines read (saved plans,
/// lists, the log, reports) come with `--write`.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  partnerctl schema budget\n  partnerctl schema > .vscode/partnerctl.schema.json\n  \
    partnerctl schema --write schemas\n\nIn a manifest, for yaml-language-server:\n  \
    # yaml-language-server: $schema=schemas/manifest.schema.json"
)]
pub struct SchemaArgs {
    /// Kind, plural or short name; without it: any manifest
    #[arg(value_parser = KindWord { all: false }, hide_possible_values = true)]
    kind: Option<String>,
    /// Write every schema, of kinds and of machine formats, into this folder
    #[arg(long, value_name = "DIR", conflicts_with = "kind")]
    write: Option<PathBuf>,
}

pub fn run(args: &SchemaArgs, settings: &Settings, ui: &mut Ui) -> Result<Exit, CommandError> {
    if let Some(folder) = &args.write {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        for (name, text) in files(&settings.kinds) {
            let path = folder.join(name);
            std::fs::write(&path, text)
                .with_context(|| format!("cannot write {}", path.display()))?;
            ui.say(&format!("wrote {}", path.display()));
        }
        return Ok(Exit::Done);
    }
    let schema = match &args.kind {
        None => combined(&settings.kinds),
        Some(word) => kind_schema(settings.kind(word)?),
    };
    ui.json(&schema)?;
    Ok(Exit::Done)
}

/// Every schema by file name.
pub fn files(kinds: &Kinds) -> Vec<(String, String)> {
    let mut schemas: Vec<(String, Value)> =
        kinds.iter().map(|entry| (entry.facts.kind.to_lowercase(), kind_schema(entry))).collect();
    schemas.extend([
        ("manifest".to_owned(), combined(kinds)),
        ("workspace".to_owned(), schema_for!(WorkspaceFile).to_value()),
        ("plan.v1".to_owned(), schema_for!(Plan).to_value()),
        ("validate".to_owned(), schema_for!(Report).to_value()),
        ("log".to_owned(), schema_for!(Vec<Activity>).to_value()),
        ("checkpoint.v1".to_owned(), schema_for!(Checkpoint).to_value()),
        ("list".to_owned(), list_schema(kinds)),
        ("event.v1".to_owned(), schema_for!(Event).to_value()),
        ("status.v1".to_owned(), schema_for!(Status).to_value()),
        ("calendar.v1".to_owned(), schema_for!(Calendar).to_value()),
        ("drift.v1".to_owned(), schema_for!(DriftReport).to_value()),
        ("watch.v1".to_owned(), schema_for!(WatchReport).to_value()),
        ("undo.v1".to_owned(), schema_for!(UndoReport).to_value()),
        ("supportrequests".to_owned(), schema_for!(Vec<SupportRequest>).to_value()),
        ("quote-refund".to_owned(), schema_for!(Quote).to_value()),
        ("quote-exchange".to_owned(), schema_for!(ExchangeQuote).to_value()),
        ("quote-compare".to_owned(), schema_for!(finance::Comparison).to_value()),
        ("compare".to_owned(), schema_for!(Comparison).to_value()),
        ("case".to_owned(), schema_for!(CaseFile).to_value()),
        ("test.v1".to_owned(), schema_for!(TestReport).to_value()),
        ("why.v1".to_owned(), schema_for!(Why).to_value()),
        ("explain-kind".to_owned(), schema_for!(KindExplained).to_value()),
        ("explain-code".to_owned(), schema_for!(CodeExplained).to_value()),
    ]);
    schemas.extend(exec::schemas().into_iter().map(|(name, schema)| (name.to_owned(), schema)));
    schemas
        .into_iter()
        .map(|(name, schema)| {
            let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
            (format!("{name}.schema.json"), format!("{text}\n"))
        })
        .collect()
}

/// What `get -o json` prints.
fn list_schema(kinds: &Kinds) -> Value {
    let names: Vec<_> = kinds.iter().map(|entry| entry.facts.kind).collect();
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let condition = generator.subschema_for::<Condition>().to_value();
    let suspension = generator.subschema_for::<Suspension>().to_value();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "partnerctl get -o json",
        "type": "object",
        "required": ["apiVersion", "kind", "items"],
        "properties": {
            "apiVersion": {"const": "partnerctl.dev/v1"},
            "kind": {"const": "List"},
            "items": {"type": "array", "items": {
                "type": "object",
                "required": ["apiVersion", "kind", "metadata", "spec", "status"],
                "properties": {
                    "apiVersion": {"const": "partnerctl.dev/v1"},
                    "kind": {"enum": names},
                    "metadata": {"type": "object", "required": ["name"], "properties": {
                        "name": {"type": "string"},
                        "uid": {"type": "string"},
                        "set": {"type": "string"},
                        "generation": {"type": "integer"},
                        "revision": {"type": "integer"},
                    }},
                    "spec": {"type": "object"},
                    "status": {"type": "object", "required": ["observed", "externalId"], "properties": {
                        "observed": {"type": ["object", "null"], "description": "null: the provider no longer has it"},
                        "externalId": {"type": ["string", "null"]},
                        "lastApplied": {"type": ["object", "null"]},
                        "conditions": {"type": "array", "items": condition},
                        "suspended": suspension,
                    }},
                },
            }},
        },
        "$defs": generator.take_definitions(true),
    })
}
