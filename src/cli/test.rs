//! `test`: the cases of a workspace, each with the plan that is expected of it.

use crate::cli::error::{CommandError, Exit};
use crate::cli::get;
use crate::cli::session;
use crate::cli::settings::{FileArgs, Settings, shown};
use crate::cli::ui::{PLAN_WIDTH, Ui};
use crate::engine::Workspace;
use crate::engine::cases::{self, CASE_FILE, Case, Failure, Ground, Outcome, PLAN_FILE};
use crate::engine::machine::write_whole;
use crate::model::ResourceName;
use crate::model::parallel::each;
use crate::model::text::{counted, entity, printable};
use anyhow::Context;
use chrono::Utc;
use clap::{Args, ValueEnum};
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The version of the machine format.
const API_VERSION: &str = "partnerctl.dev/test/v1";

/// Run the cases of the workspace
///
/// A case is a folder of tests/ with case.yaml: what there is (state.json, as `get all -o json` prints
/// it), what is declared (manifests/, else those of the workspace), the date, and what is expected:
/// plan.txt, the plan as text, or `expect:` in case.yaml. A case may also be one file, tests/NAME.yaml,
/// with all of it. Limits and policies are those of the workspace. Nothing else is read, neither store
/// nor provider nor clock, so a case says the same each time and everywhere.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  partnerctl test --new raises-are-held\n  partnerctl test\n  \
    partnerctl test --only raises\n  partnerctl test --update && git diff tests\n  \
    partnerctl test -o junit > cases.xml")]
pub struct TestArgs {
    /// Folder of the cases; default: tests/ of the workspace
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Only cases with this in their name; may be repeated
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// Write the plans as they are now into plan.txt
    #[arg(long)]
    update: bool,
    /// Make a case of what there is now: the store's state, and the plan of the manifests
    #[arg(long, value_name = "NAME", conflicts_with_all = ["only", "update", "output"])]
    new: Option<String>,
    /// How to tell what came of them
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq)]
enum Output {
    /// For people
    Text,
    /// One document
    Json,
    /// For the test reports of CI systems
    Junit,
}

/// What came of all cases.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "partnerctl test -o json")]
pub struct TestReport {
    /// `partnerctl.dev/test/v1`
    api_version: String,
    /// How many are as expected.
    passed: usize,
    /// How many are not.
    failed: usize,
    /// Each, by name.
    cases: Vec<CaseReport>,
}

/// What came of one.
#[derive(Debug, Serialize, JsonSchema)]
struct CaseReport {
    /// Its name.
    name: String,
    /// True when everything is as expected.
    passed: bool,
    /// What is not.
    failures: Vec<Failure>,
}

pub fn run(args: &TestArgs, settings: &Settings, ui: &mut Ui) -> Result<Exit, CommandError> {
    let workspace = settings.workspace(&FileArgs::default(), ui)?;
    let ground = Ground { kinds: &settings.kinds, workspace: &workspace, width: PLAN_WIDTH };
    let folder = args.folder.clone().unwrap_or_else(|| shown(&workspace.folder.join("tests")));
    if let Some(name) = &args.new {
        return new(name, &folder, settings, &ground, ui);
    }
    if args.folder.is_none() && !folder.is_dir() {
        no_cases(&folder, ui);
        return report(args.output, &[], ui);
    }
    let cases = cases::find(&folder)
        .with_context(|| format!("the cases in {} cannot be read", folder.display()))?;
    let chosen = chosen(args, cases, &folder)?;
    if chosen.is_empty() {
        no_cases(&folder, ui);
    }
    let mut outcomes = each(chosen, |case| cases::run(&case, &ground));
    if args.update {
        for outcome in &mut outcomes {
            update(outcome, ui)?;
        }
    }
    report(args.output, &outcomes, ui)
}

fn no_cases(folder: &Path, ui: &mut Ui) {
    let folder = printable(&folder.display().to_string());
    ui.say(&format!(
        "there are no cases in {folder}\n  → `partnerctl test --new first` makes one of what there is \
         now; `partnerctl help test` tells what a case is"
    ));
}

/// The cases that are wanted.
fn chosen(args: &TestArgs, cases: Vec<Case>, folder: &Path) -> Result<Vec<Case>, CommandError> {
    if args.only.is_empty() {
        return Ok(cases);
    }
    let names = cases.iter().map(|case| case.name.clone()).collect::<Vec<_>>().join(", ");
    let wanted = |case: &Case| args.only.iter().any(|text| case.name.contains(text.as_str()));
    let chosen: Vec<Case> = cases.into_iter().filter(wanted).collect();
    if chosen.is_empty() {
        let message = format!("no case of {} has such a name", folder.display());
        return Err(CommandError::new(message).hint(format!("there are: {names}")));
    }
    Ok(chosen)
}

/// Writes the plan that came of a case, where one is expected or nothing else is.
fn update(outcome: &mut Outcome, ui: &mut Ui) -> Result<(), CommandError> {
    let (Some(folder), Some(text)) = (&outcome.case.folder, &outcome.text) else { return Ok(()) };
    let path = folder.join(PLAN_FILE);
    let before = std::fs::read_to_string(&path).ok();
    if before.as_ref() == Some(text) || (before.is_none() && outcome.has_expectations) {
        return Ok(());
    }
    write_whole(&path, text.as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))?;
    ui.say(&printable(&format!("wrote {}", path.display())));
    let written = |failure: &Failure| {
        failure.what == PLAN_FILE || (failure.what == "case" && before.is_none())
    };
    outcome.failures.retain(|failure| !written(failure));
    Ok(())
}

fn report(output: Output, outcomes: &[Outcome], ui: &mut Ui) -> Result<Exit, CommandError> {
    let failed = outcomes.iter().filter(|outcome| !outcome.failures.is_empty()).count();
    let passed = outcomes.len() - failed;
    match output {
        Output::Text => {
            outcomes.iter().for_each(|outcome| ui.data(&text(outcome)));
            if !outcomes.is_empty() {
                let count = counted(outcomes.len(), "case");
                ui.data(&format!("{count}: {passed} as expected, {failed} not\n"));
            }
        }
        Output::Json => {
            let case = |outcome: &Outcome| CaseReport {
                name: outcome.case.name.clone(),
                passed: outcome.failures.is_empty(),
                failures: outcome.failures.clone(),
            };
            let cases = outcomes.iter().map(case).collect();
            let api_version = API_VERSION.to_owned();
            ui.json(&TestReport { api_version, passed, failed, cases })?;
        }
        Output::Junit => ui.data(&junit(outcomes, failed)),
    }
    let plans =
        |outcome: &Outcome| outcome.failures.iter().any(|failure| failure.what == PLAN_FILE);
    if output == Output::Text && outcomes.iter().any(plans) {
        ui.say("  → if the plans are right as they are now: `partnerctl test --update`");
    }
    Ok(if failed == 0 { Exit::Done } else { Exit::Error })
}

fn text(outcome: &Outcome) -> String {
    let name = printable(&outcome.case.name);
    if outcome.failures.is_empty() {
        return format!("ok    {name}\n");
    }
    let mut out = format!("FAIL  {name}\n");
    for failure in &outcome.failures {
        let _ = writeln!(out, "      {}", printable(&failure.message));
        for line in failure.detail.lines() {
            let line = printable(line);
            let _ = writeln!(out, "{}", format!("        {line}").trim_end());
        }
    }
    out
}

fn junit(outcomes: &[Outcome], failed: usize) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let tests = outcomes.len();
    let _ =
        writeln!(out, "<testsuite name=\"partnerctl\" tests=\"{tests}\" failures=\"{failed}\">");
    for outcome in outcomes {
        let name = escape(&outcome.case.name);
        if outcome.failures.is_empty() {
            let _ = writeln!(out, "  <testcase classname=\"partnerctl\" name=\"{name}\"/>");
            continue;
        }
        let _ = writeln!(out, "  <testcase classname=\"partnerctl\" name=\"{name}\">");
        for Failure { what: _, message, detail } in &outcome.failures {
            let (message, detail) = (escape(message), escape(detail));
            let _ = writeln!(out, "    <failure message=\"{message}\">{detail}</failure>");
        }
        out.push_str("  </testcase>\n");
    }
    out.push_str("</testsuite>\n");
    out
}

/// Text as XML may have it: no control characters but line breaks.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for line in text.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        for character in printable(line).chars() {
            match entity(character) {
                Some(entity) => out.push_str(entity),
                None => out.push(character),
            }
        }
        out.push_str(end);
    }
    out
}

/// Makes a case of what there is now.
fn new(
    name: &str,
    folder: &Path,
    settings: &Settings,
    ground: &Ground<'_>,
    ui: &mut Ui,
) -> Result<Exit, CommandError> {
    if ResourceName::parse(name).is_err() {
        return Err(CommandError::new(format!("`{name}` is no name for a case"))
            .hint("use small letters, digits and `-`: raises-are-held"));
    }
    let folder = folder.join(name);
    if folder.exists() {
        return Err(CommandError::new(format!("{} exists already", folder.display()))
            .hint("choose another name, or `partnerctl test --update` to write its plan anew"));
    }
    let mut files = vec![(CASE_FILE, settings_of_case())];
    files.extend(state(settings, ground.workspace)?);
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    for (file, text) in &files {
        let path = folder.join(file);
        write_whole(&path, text.as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))?;
        ui.say(&printable(&format!("wrote {}", path.display())));
    }
    let case = Case { name: name.to_owned(), file: folder.join(CASE_FILE), folder: Some(folder) };
    let mut outcome = cases::run(&case, ground);
    update(&mut outcome, ui)?;
    report(Output::Text, &[outcome], ui)
}

fn settings_of_case() -> String {
    let today = Utc::now().format("%Y-%m-%d");
    format!(
        "# What this case shows:\ndescription: What there was, and what would be done\n\
         # The plan is made as of this day:\nat: {today}\n\
         # Beside plan.txt, what matters can be said by itself:\n\
         # expect:\n#   blocked: {{Budget/contoso: [B0120]}}\n"
    )
}

/// The state of the store as files of a case; none where there is no store.
fn state(
    settings: &Settings,
    workspace: &Workspace,
) -> Result<Vec<(&'static str, String)>, CommandError> {
    let Some(store) = session::open(settings, workspace, crate::store::Missing::Leave)? else {
        return Ok(Vec::new());
    };
    let gathered = session::look(settings, workspace, store.as_ref(), true)?;
    let mut files = Vec::new();
    for (file, unmanaged) in [("state.json", false), ("unmanaged.json", true)] {
        if let Some(list) = get::everything(settings, &gathered, unmanaged) {
            let text =
                serde_json::to_string_pretty(&list).context("the state cannot be written")?;
            files.push((file, text + "\n"));
        }
    }
    Ok(files)
}
