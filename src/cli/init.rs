//! `init`: a new workspace.

use crate::cli::error::{CommandError, Exit};
use crate::cli::pipelines::{Forge, Pipeline};
use crate::cli::session::nonce;
use crate::cli::settings::quoted;
use crate::cli::ui::Ui;
use crate::engine::tree::WORKSPACE_FILE;
use crate::model::ResourceName;
use anyhow::Context;
use clap::Args;
use std::path::{Component, Path, PathBuf};

/// Make a workspace: settings, an example manifest, .gitignore
///
/// The workspace validates at once. Nothing that exists is overwritten. With --ci it gets a pipeline as
/// well, or one is added to a workspace that is there: a pull request shows its plan in a comment, the
/// merge saves a plan that is applied once a person lets it, and every night drift is looked for.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  partnerctl init my-partner && cd my-partner && partnerctl plan\n  \
    partnerctl init --ci github"
)]
pub struct InitArgs {
    /// Folder to make it in
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Write the pipeline of this forge; its head says what it needs
    #[arg(long, value_enum, value_name = "FORGE")]
    ci: Option<Forge>,
}

const SETTINGS: &str = include_str!("init/partnerctl.yaml");
const MANIFEST: &str = include_str!("../../examples/quickstart/manifests/contoso.yaml");

pub fn run(args: &InitArgs, ui: &mut Ui) -> Result<Exit, CommandError> {
    let folder = &args.folder;
    let settings = folder.join(WORKSPACE_FILE);
    let is_there = settings.exists();
    if is_there && args.ci.is_none() {
        return Err(CommandError::new(format!("{} is a workspace already", folder.display()))
            .hint(format!("edit {}", settings.display())));
    }
    // Looked for before anything is made: what is refused leaves nothing behind.
    let pipeline = args.ci.map(|forge| Pipeline::of(forge, folder)).transpose()?;
    if !is_there {
        make(folder, settings, ui)?;
    }
    if let Some(pipeline) = pipeline {
        let path = pipeline.write()?.display();
        ui.say(&format!("made {path}"));
        ui.say("The head of the pipeline says what it needs: a runner, a store, who approves.");
    }
    Ok(Exit::Done)
}

/// Makes the workspace.
fn make(folder: &Path, settings: PathBuf, ui: &mut Ui) -> Result<(), CommandError> {
    std::fs::create_dir_all(folder.join("manifests"))
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let set = set_name(folder);
    let text = SETTINGS.replacen("set: SET", &format!("set: {set}"), 1);
    let files = [
        (folder.join("manifests/contoso.yaml"), MANIFEST.to_owned()),
        (folder.join(".gitignore"), "# The local store\n.partnerctl/\n".to_owned()),
        (settings, text),
    ];
    for (path, text) in &files {
        if path.exists() {
            ui.say(&format!("kept {}", path.display()));
            continue;
        }
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
        ui.say(&format!("made {}", path.display()));
    }
    let there = folder.components().all(|part| part == Component::CurDir);
    let path = quoted(&folder.display().to_string());
    let go = if there { String::new() } else { format!("`cd {path}`, ") };
    ui.say(&format!("The set is called {set}."));
    ui.say(&format!("Next: {go}read and edit manifests/contoso.yaml, then `partnerctl plan`."));
    Ok(())
}

/// The folder's name and six digits, so that two workspaces of one name own different sets.
fn set_name(folder: &Path) -> String {
    let name = folder.canonicalize().ok().and_then(|path| {
        let name = path.file_name()?.to_string_lossy().to_lowercase();
        let name: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        ResourceName::parse(name.trim_matches('-')).ok()
    });
    let name = name.map_or_else(|| "set".to_owned(), |name| name.to_string());
    format!("{name}-{:06x}", nonce() & 0xff_ffff)
}
