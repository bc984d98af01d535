//! `validate`: everything wrong with the manifests, in one run.

use crate::cli::error::{CommandError, Exit};
use crate::cli::pass::Pass;
use crate::cli::session::{self, PassArgs, SelectionArgs};
use crate::cli::settings::{FileArgs, Settings};
use crate::cli::ui::Ui;
use crate::engine::gather::load;
use crate::manifest::{Manifests, report};
use crate::model::Severity;
use crate::model::text::counted;
use crate::store::Missing;
use chrono::Utc;
use clap::{Args, ValueEnum};

/// Check manifests: every problem in every file, in one run
///
/// Each with a code, its place and a remedy. References may lead to resources of the store, when there
/// is one.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  partnerctl validate\n  partnerctl validate -f manifests/contoso.yaml\n  \
    kustomize build . | partnerctl validate -f - --format github"
)]
pub struct ValidateArgs {
    #[command(flatten)]
    files: FileArgs,
    /// How to print what is found
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Do not look into the store
    #[arg(long)]
    offline: bool,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq)]
enum Format {
    /// Source lines with carets
    Text,
    /// One document
    Json,
    /// Workflow commands of GitHub Actions
    Github,
    /// SARIF 2.1.0
    Sarif,
}

pub fn run(args: &ValidateArgs, settings: &Settings, ui: &mut Ui) -> Result<Exit, CommandError> {
    let workspace = settings.workspace(&args.files, ui)?;
    let store =
        if args.offline { None } else { session::open(settings, &workspace, Missing::Leave)? };
    let (files, selection) = (args.files.clone(), SelectionArgs::default());
    let asked = PassArgs { files, selection, ..PassArgs::of_everything() };
    let mut input = session::read(settings, &workspace, &asked)?;
    let progress = ui.progress("checking manifests", 0);
    if let Some(store) = store.as_deref()
        && let Ok(provider) = session::provider(settings, &workspace)
    {
        let (provider, at) = (provider.as_ref(), Utc::now());
        let pass = Pass::new(settings, &workspace, &asked, provider, at);
        if let Some(declared) = pass.declared(&mut input, store)? {
            progress.finish();
            return tell(args, &Manifests::default(), (declared, input.sources.files.len()), ui);
        }
    }
    let stored = store.map_or_else(|| Ok(Vec::new()), |store| store.resources())?;
    let texts = input.sources.read();
    let files = texts.texts.len();
    let manifests = load(&settings.kinds, texts, &stored);
    progress.finish();
    tell(args, &manifests, (manifests.resources.len(), files), ui)
}

/// Prints what is wrong with manifests, and how many there are: resources, files.
fn tell(
    args: &ValidateArgs,
    manifests: &Manifests,
    (resources, files): (usize, usize),
    ui: &mut Ui,
) -> Result<Exit, CommandError> {
    let problems = &manifests.problems;
    match args.format {
        Format::Text => ui.data(&report::text(problems, &manifests.texts, ui.colours)),
        Format::Json => ui.json(&report::json(problems))?,
        Format::Github => ui.data(&report::github(problems)),
        Format::Sarif => ui.json(&report::sarif(problems))?,
    }
    let count = |severity| problems.iter().filter(|p| p.severity() == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    ui.say(&format!(
        "{} in {}: {}, {}",
        counted(resources, "resource"),
        counted(files, "file"),
        counted(errors, "error"),
        counted(warnings, "warning"),
    ));
    if let (Format::Text, Some(first)) = (args.format, problems.first()) {
        ui.say(&format!("`partnerctl explain {}` tells more", first.code));
    }
    Ok(if errors == 0 { Exit::Done } else { Exit::Error })
}
