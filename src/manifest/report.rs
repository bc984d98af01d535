//! Problems as people, machines, GitHub and SARIF readers want them.

use crate::model::Severity;
use crate::model::code::CODES;
use crate::model::problem::{Location, Problem};
use crate::model::text::{in_columns, printable};
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Characters of a source line shown around the place.
const SHOWN_CHARACTERS: usize = 160;
/// Characters before the place from which these are chosen: a line may be megabytes long.
const SEEN_CHARACTERS: usize = 2_000;

/// Problems shown as text, with source lines; the machine formats have all.
const SHOWN_PROBLEMS: usize = 200;

/// The JSON form of `validate --format json`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "partnerctl validate --format json")]
pub struct Report {
    /// In order of file and place.
    pub diagnostics: Vec<Diagnostic>,
}

/// One finding.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Diagnostic {
    /// The stable code, `E0203`.
    pub code: String,
    /// Whether anything may be planned with it.
    pub severity: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// The place to mend first; then the other places it has to do with.
    pub locations: Vec<Place>,
}

/// A place in a file.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// As the user named it.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
}

/// Problems in the JSON form.
#[must_use]
pub fn json(problems: &[Problem]) -> Report {
    let place = |location: &Location| Place {
        file: location.file.to_string(),
        line: location.span.line,
        column: location.span.column,
    };
    let diagnostic = |problem: &Problem| Diagnostic {
        code: problem.code.to_string(),
        severity: word(problem.severity()).to_owned(),
        message: problem.message.clone(),
        hint: problem.hint.clone(),
        locations: problem.locations.iter().map(place).collect(),
    };
    Report { diagnostics: problems.iter().map(diagnostic).collect() }
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// Problems with their source lines, carets and hints.
#[must_use]
pub fn text(problems: &[Problem], texts: &BTreeMap<Arc<str>, Arc<str>>, colours: bool) -> String {
    let renderer = if colours { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(SHOWN_CHARACTERS + 40);
    let mut out = String::new();
    // The lines of a file are found once, however many problems it has.
    let mut lines: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for problem in problems.iter().take(SHOWN_PROBLEMS) {
        for location in &problem.locations {
            if let Some(text) = texts.get(&location.file) {
                lines.entry(&location.file).or_insert_with(|| text.lines().collect());
            }
        }
    }
    for problem in problems.iter().take(SHOWN_PROBLEMS) {
        let level = match problem.severity() {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(printable(&problem.message)).id(problem.code.0);
        let mut groups = vec![];
        let mut group = Group::with_title(title);
        for (index, location) in problem.locations.iter().enumerate() {
            let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
            match lines.get(&*location.file).and_then(|lines| line_around(lines, location)) {
                Some((line, range)) => {
                    let file = printable(&location.file);
                    group = group.element(
                        Snippet::source(line)
                            .line_start(location.span.line as usize)
                            .path(file)
                            .fold(false)
                            .annotation(kind.span(range)),
                    );
                }
                None => group = group.element(Origin::path(printable(&location.file))),
            }
        }
        if let Some(hint) = &problem.hint {
            group = group.element(Level::HELP.message(printable(hint)));
        }
        groups.push(group);
        out.push_str(&renderer.render(&groups));
        out.push_str("\n\n");
    }
    if let Some(more) = problems.len().checked_sub(SHOWN_PROBLEMS).filter(|more| *more > 0) {
        out.push_str(&format!("… and {more} more; `validate --format json` lists all\n\n"));
    }
    out
}

/// The line of a location, cut to what is worth showing, and the bytes to underline in it.
fn line_around(lines: &[&str], location: &Location) -> Option<(String, std::ops::Range<usize>)> {
    let line = lines.get(location.span.line.saturating_sub(1) as usize)?;
    let column = location.span.column.saturating_sub(1) as usize;
    let from = column.saturating_sub(SEEN_CHARACTERS);
    let seen = SEEN_CHARACTERS + SHOWN_CHARACTERS;
    let shown: Vec<char> = line.chars().skip(from).take(seen).collect();
    let start = (column - from).min(shown.len());
    let end = (start + location.span.width as usize).min(shown.len());
    let bytes = |part: &[char]| from + in_columns(&part.iter().collect::<String>()).len();
    let (start, end) = (bytes(&shown[..start]), bytes(&shown[..end]));
    // What is left out keeps its place, as the column is told from this.
    let line = " ".repeat(from) + &in_columns(&shown.into_iter().collect::<String>());
    Some((line, start..end.max(start)))
}

/// Workflow commands of GitHub Actions.
#[must_use]
pub fn github(problems: &[Problem]) -> String {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let mut out = String::new();
    for problem in problems {
        let place = problem.locations.first().map_or(String::new(), |location| {
            let (file, span) = (property(&printable(&location.file)), location.span);
            format!("file={file},line={},col={},", span.line, span.column)
        });
        let hint = problem.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        let message = data(&printable(&format!("{}{hint}", problem.message)));
        let severity = word(problem.severity());
        out.push_str(&format!("::{severity} {place}title={}::{message}\n", problem.code));
    }
    out
}

/// SARIF 2.1.0, for code scanning.
#[must_use]
pub fn sarif(problems: &[Problem]) -> serde_json::Value {
    let rules: Vec<_> = CODES
        .iter()
        .filter(|(code, _)| problems.iter().any(|problem| problem.code == *code))
        .map(|(code, title)| json!({"id": code.0, "shortDescription": {"text": title}}))
        .collect();
    let location = |location: &Location| {
        json!({"physicalLocation": {
            "artifactLocation": {"uri": location.file.replace(' ', "%20")},
            "region": {"startLine": location.span.line, "startColumn": location.span.column},
        }})
    };
    let results: Vec<_> = problems
        .iter()
        .map(|problem| {
            let hint = problem.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
            let mut locations = problem.locations.iter().map(location);
            let mut result = json!({
                "ruleId": problem.code.0,
                "level": word(problem.severity()),
                "message": {"text": format!("{}{hint}", problem.message)},
                "locations": locations.next().into_iter().collect::<Vec<_>>(),
            });
            let related: Vec<_> = locations.collect();
            if !related.is_empty() {
                result["relatedLocations"] = related.into();
            }
            result
        })
        .collect();
    json!({
        "version": "2.1.0",
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "runs": [{
            "tool": {"driver": {"name": "partnerctl", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}
