//! `explain`: kinds, fields and codes, from what the program itself goes by.

use crate::cli::error::{CommandError, Exit};
use crate::cli::output::Output;
use crate::cli::settings::Settings;
use crate::cli::ui::Ui;
use crate::kinds::{Kinds, Weight, agent};
use crate::manifest::codes::{self, CodeText};
use crate::manifest::explain::{FieldExplained, KindExplained, explain, find};
use crate::model::Code;
use crate::model::code::CODES;
use crate::plan::diff::show;
use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt::Write as _;

/// Explain a kind, a field of it, or a code
///
/// Without an argument: the kinds. `codes` lists every code of errors, warnings and blocked changes.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  partnerctl explain budget\n  partnerctl explain budget.monthly\n  \
    partnerctl explain budget --recursive\n  partnerctl explain E0203\n  partnerctl explain codes"
)]
pub struct ExplainArgs {
    /// KIND, KIND.FIELD, a code such as E0203, or `codes`
    what: Option<String>,
    /// Show the fields in fields, too
    #[arg(long)]
    recursive: bool,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// A code as `-o json` prints it.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "partnerctl explain CODE -o json")]
pub struct CodeExplained {
    /// The code.
    code: String,
    /// What it says, in one line.
    title: String,
    /// The rest; left out in the list of all codes.
    #[serde(flatten)]
    text: Option<CodeText>,
}

/// The width of what is explained: as wide as help texts.
const WIDTH: usize = 100;

pub fn run(args: &ExplainArgs, settings: &Settings, ui: &mut Ui) -> Result<Exit, CommandError> {
    let json = args.output == Output::Json;
    let Some(what) = &args.what else {
        let kinds: Vec<KindExplained> = settings.kinds.iter().map(explain).collect();
        if json {
            ui.json(&kinds)?;
        } else {
            ui.data(&list_of_kinds(&kinds));
        }
        return Ok(Exit::Done);
    };
    if what.eq_ignore_ascii_case("codes") {
        let all: Vec<_> = CODES.iter().map(|(code, title)| explained(*code, title, None)).collect();
        if json {
            ui.json(&all)?;
        } else {
            all.iter().for_each(|one| ui.data(&format!("{}  {}\n", one.code, one.title)));
        }
        return Ok(Exit::Done);
    }
    if codes::is_code(what) {
        return code(what, json, ui);
    }
    let (kind, path) = what.split_once('.').unwrap_or((what, ""));
    let entry = settings.kinds.find(kind).ok_or_else(|| unknown(kind, &settings.kinds))?;
    let explained = explain(entry);
    if path.is_empty() {
        if json {
            ui.json(&explained)?;
        } else {
            ui.data(&kind_text(&explained, args.recursive));
        }
        return Ok(Exit::Done);
    }
    let field = find(&explained.fields, path).map_err(|(step, near)| {
        let kind = entry.facts.kind;
        let error = CommandError::new(format!("{kind} has no field `{step}` in `{path}`"));
        match near {
            Some(near) => error
                .hint(format!("did you mean `partnerctl explain {}.{near}`?", kind.to_lowercase())),
            None => error.hint(format!(
                "`partnerctl explain {} --recursive` lists all of them",
                kind.to_lowercase()
            )),
        }
    })?;
    if json {
        ui.json(field)?;
    } else {
        ui.data(&field_text(field, &explained, args.recursive));
    }
    Ok(Exit::Done)
}

fn unknown(word: &str, kinds: &Kinds) -> CommandError {
    CommandError::new(format!("there is no kind `{word}`"))
        .hint(kinds.hint(word))
        .hint("for a code write it as E0203; `partnerctl explain codes` lists them")
}

fn code(word: &str, json: bool, ui: &mut Ui) -> Result<Exit, CommandError> {
    let Some((code, title)) = codes::find(word) else {
        let error = CommandError::new(format!("there is no code {}", word.to_uppercase()));
        return Err(match codes::near(word) {
            Some(near) => error.hint(format!("did you mean {near}?")),
            None => error,
        }
        .hint("`partnerctl explain codes` lists all of them"));
    };
    let text = codes::texts().remove(code.0);
    let explained = explained(code, title, text);
    if json {
        ui.json(&explained)?;
    } else {
        ui.data(&code_text(&explained));
    }
    Ok(Exit::Done)
}

fn explained(code: Code, title: &str, text: Option<CodeText>) -> CodeExplained {
    CodeExplained { code: code.to_string(), title: title.to_owned(), text }
}

fn code_text(explained: &CodeExplained) -> String {
    let mut out = format!("{}  {}\n", explained.code, explained.title);
    let Some(text) = &explained.text else { return out };
    let _ = write!(out, "\n{}\n{}", filled(&text.means, ""), filled(&text.mend, "→ "));
    let mut example = |title: &str, example: &str| {
        let _ = write!(out, "\n{title}\n\n{}", indented(example));
    };
    if let Some(state) = &text.state {
        let by = text.set.as_ref().map(|set| format!(" by the set `{set}`")).unwrap_or_default();
        example(&format!("Applied before{by}:"), state);
    }
    if let Some(outside) = &text.ingest {
        example("Then the outside says:", outside);
    }
    let later = text.later.map(|days| format!(", {days} days later")).unwrap_or_default();
    let prune = if text.prune { ", planned with --prune" } else { "" };
    example(&format!("Wrong{later}{prune}:"), &text.wrong);
    example(&format!("Right{later}{prune}:"), &text.right);
    out
}

fn list_of_kinds(kinds: &[KindExplained]) -> String {
    let width = kinds.iter().map(|kind| kind.kind.len()).max().unwrap_or_default();
    let mut out = String::new();
    for kind in kinds {
        let names = kind.names.join(", ");
        let _ = writeln!(out, "{:width$}  {} ({names})", kind.kind, kind.about);
    }
    out.push_str(
        "\n`partnerctl explain KIND` tells more; `partnerctl explain codes` lists codes.\n",
    );
    out
}

fn kind_text(kind: &KindExplained, recursive: bool) -> String {
    let mut out = format!("{} ({})  {}\n", kind.kind, kind.names.join(", "), kind.api_version);
    let _ = writeln!(out, "{}.", kind.about);
    out.push('\n');
    let identity = kind.identity.as_deref().unwrap_or(
        "only its name; one that looks like another is held back until you say whether it is a rename",
    );
    let roles = agent::one_of(&kind.roles);
    let note = &kind.roles_note;
    let roles = if note.is_empty() { roles } else { format!("{roles}; {note}") };
    let mut facts =
        vec![("The same thing", identity.to_owned()), ("Deleting", kind.deleting.clone())];
    if kind.replaceable {
        facts.push(("Changing ▲", "makes a new one, then removes the old".to_owned()));
    }
    let risks: Vec<_> = kind
        .risks
        .iter()
        .map(|rule| format!("{} is {}", rule.change, rule.risk.as_str()))
        .collect();
    let risks = if risks.is_empty() {
        "every change is reversible".to_owned()
    } else {
        format!("{}; everything else is reversible", risks.join("; "))
    };
    facts.push(("Risk", risks));
    facts.push(("May change it", roles));
    for (title, text) in facts {
        out.push_str(&filled(&text, &format!("{:<16}", format!("{title}:"))));
    }
    if !kind.prerequisites.is_empty() {
        out.push_str("\nPrerequisites:\n");
    }
    for prerequisite in &kind.prerequisites {
        let weight = match prerequisite.weight {
            Weight::Blocks => "",
            Weight::Waits => " (until then changes wait)",
            Weight::Warns => " (else a warning)",
            Weight::Refuses => " (else the manifest is refused)",
        };
        out.push_str(&filled(&format!("{}{weight}", prerequisite.says), "  - "));
    }
    out.push_str("\nFields (★ required, ▲ fixed once made):\n");
    let metadata_last = |field: &&FieldExplained| field.name == "metadata";
    if let Some(spec) = kind.fields.iter().find(|field| field.name == "spec") {
        one_of(&mut out, spec, "  ");
        fields_text(&mut out, spec.fields.iter(), recursive, 1);
    }
    if recursive {
        fields_text(&mut out, kind.fields.iter().filter(metadata_last), true, 1);
    } else {
        let _ = writeln!(out, "\n`--recursive` shows the fields in fields, and those of metadata.");
    }
    let _ = write!(out, "\nExample:\n\n{}", indented(&kind.example));
    out
}

fn fields_text<'a>(
    out: &mut String,
    fields: impl Iterator<Item = &'a FieldExplained>,
    recursive: bool,
    depth: usize,
) {
    for field in fields {
        let indent = "  ".repeat(depth);
        let _ = writeln!(out, "{indent}{}", headline(field, &field.name));
        out.push_str(&filled(&field.meaning, &format!("{indent}    ")));
        if recursive {
            one_of(out, field, &format!("{indent}    "));
            fields_text(out, field.fields.iter(), true, depth + 1);
        }
    }
}

/// Says of which fields exactly one must be given.
fn one_of(out: &mut String, field: &FieldExplained, indent: &str) {
    if !field.exactly_one_of.is_empty() {
        let _ = writeln!(out, "{indent}exactly one of: {}", field.exactly_one_of.join(", "));
    }
}

/// Name, marks, sort and default of a field.
fn headline(field: &FieldExplained, name: &str) -> String {
    let required = if field.required { " ★" } else { "" };
    let immutable = if field.immutable { " ▲" } else { "" };
    let to = field.refers_to.as_ref().map(|kind| format!(" → {kind}")).unwrap_or_default();
    let default = field.default.as_ref();
    let default = default
        .map(|value| format!("  default {}", show(&value.clone().into())))
        .unwrap_or_default();
    format!("{name}{required}{immutable}  <{}{to}>{default}", field.sort)
}

fn field_text(field: &FieldExplained, kind: &KindExplained, recursive: bool) -> String {
    let mut out = format!("{}\n\n", headline(field, &format!("{} {}", kind.kind, field.path)));
    out.push_str(&filled(&field.meaning, ""));
    if let Some(instead) = &field.instead {
        out.push_str(&filled(instead, "\n▲ Fixed once it is made: "));
    }
    let allowed: Vec<_> = field.allowed.iter().collect();
    if allowed.iter().any(|allowed| !allowed.meaning.is_empty()) {
        out.push_str("\nAllowed values:\n");
        for allowed in allowed {
            out.push_str(&filled(&allowed.meaning, &format!("  {}: ", allowed.value)));
        }
    } else if !allowed.is_empty() {
        let values: Vec<_> = allowed.iter().map(|allowed| allowed.value.as_str()).collect();
        out.push('\n');
        out.push_str(&filled(&values.join(", "), "Allowed values: "));
    }
    if !field.form.is_empty() {
        let or = if field.allowed.is_empty() { "Form" } else { "Or any that" };
        let _ = writeln!(out, "\n{or}: {}", field.form.join("; "));
    }
    if !field.fields.is_empty() {
        out.push_str("\nFields (★ required, ▲ fixed once made):\n");
        one_of(&mut out, field, "  ");
        fields_text(&mut out, field.fields.iter(), recursive, 1);
    }
    out
}

/// A sentence in lines of the width, the first behind a lead and the others below it.
fn filled(text: &str, lead: &str) -> String {
    let hang = " ".repeat(lead.trim_start_matches('\n').chars().count());
    let mut out = String::new();
    let mut line = lead.to_owned();
    let mut empty = true;
    for word in text.split_whitespace() {
        let used = line.trim_start_matches('\n').chars().count();
        if !empty && used + 1 + word.chars().count() > WIDTH {
            out.push_str(line.trim_end());
            out.push('\n');
            line = hang.clone();
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    out.push_str(line.trim_end());
    out.push('\n');
    out
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}").trim_end().to_owned() + "\n").collect()
}
