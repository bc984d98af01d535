//! `dump`: manifests of what is there.

use crate::cli::error::{CommandError, Exit};
use crate::cli::session;
use crate::cli::settings::{FileArgs, Settings};
use crate::cli::ui::Ui;
use crate::engine::dump::{Dump, Dumper, Values};
use crate::kinds::World;
use crate::model::Resource;
use crate::model::text::{counted, printable};
use anyhow::Context;
use clap::{Args, ValueEnum};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Write manifests of what the set owns
///
/// They declare what was last accepted: in place of the workspace's manifests they change nothing,
/// and the next plan is empty. With --unmanaged they also declare what nobody manages, so that
/// applying them takes it over.
///
/// One exception: a budget that a selector made cannot be declared under its name. It becomes a
/// budget of its customer, and the next plan shows it as an update of the name, which keeps its uid
/// and history. Plan the whole set then; the selector itself is not in the store.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  partnerctl dump > all.yaml\n  partnerctl dump --split customer --out dumped\n  \
    partnerctl dump --observed --unmanaged"
)]
pub struct DumpArgs {
    /// One file for each customer or each kind, in the folder of --out
    #[arg(long, value_enum, requires = "out")]
    split: Option<Split>,
    /// Folder for the files; must be empty or not exist
    #[arg(long, value_name = "DIR", requires = "split")]
    out: Option<PathBuf>,
    /// Write into a folder that holds something; files of other names stay
    #[arg(long, requires = "out")]
    force: bool,
    /// Also what is there and managed by nobody
    #[arg(long)]
    unmanaged: bool,
    /// Declare every field as it is observed
    #[arg(long)]
    observed: bool,
}

#[derive(ValueEnum, Debug, Clone, Copy)]
enum Split {
    /// contoso.yaml with everything of the customer contoso; other.yaml with what is of none
    Customer,
    /// customers.yaml, subscriptions.yaml, …
    Kind,
}

/// The first line of each file: editors complete and check by it.
pub const SCHEMA_LINE: &str = "# yaml-language-server: $schema=../manifest.schema.json\n";

/// The file for what belongs to no customer.
const NO_CUSTOMER: &str = "other";

pub fn run(args: &DumpArgs, settings: &Settings, ui: &mut Ui) -> Result<Exit, CommandError> {
    let workspace = settings.workspace(&FileArgs::default(), ui)?;
    let store = session::open_existing(settings, &workspace)?;
    let gathered = session::look(settings, &workspace, store.as_ref(), args.unmanaged)?;
    let set = workspace.set();
    let mut dumper = Dumper::new(&settings.kinds, &gathered);
    let values = if args.observed { Values::Observed } else { Values::Accepted };
    // First: what is owned refers to what will be by its name.
    let others = if args.unmanaged {
        dumper.unmanaged(&gathered.unmanaged.iter().collect::<Vec<_>>(), None)
    } else {
        Dump::default()
    };
    let owned = dumper.owned(&set, values);
    tell(&owned, ui);
    let mut resources = owned.resources;
    resources.extend(others.resources);
    let about = format!(
        "what the set {set} owns{}, as {}; written by partnerctl dump",
        if args.unmanaged { " and what nobody manages" } else { "" },
        if args.observed { "observed" } else { "last accepted" }
    );
    match (args.split, &args.out) {
        (Some(split), Some(folder)) => {
            let world = dumper.world(&resources);
            let mut files: BTreeMap<String, Vec<&Resource>> = BTreeMap::new();
            for resource in &resources {
                let file = file_of(split, settings, &world, resource);
                files.entry(file).or_default().push(resource);
            }
            write(args.force, folder, &dumper, &files, &about, ui)?;
        }
        _ => ui.data(&text(&dumper, &resources.iter().collect::<Vec<_>>(), &about)?),
    }
    Ok(Exit::Done)
}

fn tell(dump: &Dump, ui: &mut Ui) {
    for warning in &dump.warnings {
        ui.warn(&printable(&format!("warning: {warning}")));
    }
    for (made, declared) in &dump.moved {
        let line = format!("{made} was made by a selector: declared as {declared}");
        ui.say(&printable(&line));
    }
}

fn file_of(split: Split, settings: &Settings, world: &World, resource: &Resource) -> String {
    match split {
        Split::Customer => world
            .customer_of(&resource.id)
            .map_or_else(|| NO_CUSTOMER.to_owned(), |customer| customer.name.to_string()),
        Split::Kind => settings
            .kinds
            .get(resource.id.kind.as_str())
            .map_or(NO_CUSTOMER, |entry| entry.facts.plural)
            .to_owned(),
    }
}

/// The text of a file.
fn text(dumper: &Dumper<'_>, resources: &[&Resource], about: &str) -> Result<String, CommandError> {
    let documents: Result<Vec<String>, String> =
        resources.iter().map(|resource| dumper.document(resource)).collect();
    let documents = documents.map_err(CommandError::new)?;
    Ok(format!("{SCHEMA_LINE}# {}\n{}", printable(about), documents.join("---\n")))
}

fn write(
    force: bool,
    folder: &Path,
    dumper: &Dumper<'_>,
    files: &BTreeMap<String, Vec<&Resource>>,
    about: &str,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let shown = folder.display();
    if !force && folder.exists() {
        let mut entries =
            std::fs::read_dir(folder).with_context(|| format!("cannot read the folder {shown}"))?;
        if entries.next().is_some() {
            return Err(CommandError::new(format!("the folder {shown} is not empty"))
                .hint("choose another one, or write into it with --force"));
        }
    }
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {shown}"))?;
    for (name, resources) in files {
        let path = folder.join(format!("{name}.yaml"));
        let text = text(dumper, resources, &format!("{name}: {about}"))?;
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        ui.say(&format!("wrote {} with {}", path.display(), counted(resources.len(), "resource")));
    }
    Ok(())
}
