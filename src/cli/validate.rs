//! `validate`: everything wrong with the manifests, in one run.

use crate::cli::error::{CommandError, Exit};
use crate::cli::session;
use crate::cli::settings::{FileArgs, Settings};
use crate::cli::ui::Ui;
use crate::engine::gather::load;
use crate::engine::tree::read_roots;
use crate::manifest::report;
use crate::model::Severity;
use crate::model::text::counted;
use crate::store::Missing;
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
    let stored = if args.offline {
        Vec::new()
    } else {
        match session::open(settings, &workspace, Missing::Leave)? {
            Some(store) => store.resources()?,
            None => Vec::new(),
        }
    };
    let (roots, _) = settings.roots(&args.files, &workspace)?;
    let texts = read_roots(&roots, &mut std::io::stdin().lock());
    let files = texts.texts.len();
    let progress = ui.progress("checking manifests", 0);
    let manifests = load(&settings.kinds, texts, &stored);
    progress.finish();
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
        counted(manifests.resources.len(), "resource"),
        counted(files, "file"),
        counted(errors, "error"),
        counted(warnings, "warning"),
    ));
    if let (Format::Text, Some(first)) = (args.format, problems.first()) {
        ui.say(&format!("`partnerctl explain {}` tells more", first.code));
    }
    Ok(if errors == 0 { Exit::Done } else { Exit::Error })
}
