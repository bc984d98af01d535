//! `adopt`: manifests that take over what nobody manages.

use crate::cli::dump::SCHEMA_LINE;
use crate::cli::error::{CommandError, Exit};
use crate::cli::session;
use crate::cli::settings::{FileArgs, Settings};
use crate::cli::ui::Ui;
use crate::engine::Workspace;
use crate::engine::dump::Dumper;
use crate::engine::gather::{Gathered, load};
use crate::engine::tree::{Texts, read_roots};
use crate::kinds::KindEntry;
use crate::manifest::{Manifests, read_file, report};
use crate::model::code;
use crate::model::problem::did_you_mean;
use crate::model::resource::EXTERNAL_ID;
use crate::model::text::{counted, printable};
use crate::model::{Observed, Resource, ResourceId, ResourceName, Severity};
use anyhow::Context;
use clap::Args;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Write the manifest that takes over something unmanaged
///
/// Prints it, or appends it to a file. The manifest declares what is there as it is, with the
/// annotation partnerctl.dev/external-id, so that the next plan shows `adopt` without a difference.
/// Nothing is taken over yet: this command never writes to the store, `apply` does.
///
/// `partnerctl get all --unmanaged` lists what can be taken over.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  partnerctl adopt customer/contoso\n  \
    partnerctl adopt sub/azure --external-id 1234 --as-name contoso-azure -f manifests/contoso.yaml\n  \
    partnerctl adopt --all --customer contoso -f manifests/contoso.yaml")]
pub struct AdoptArgs {
    /// What to take over; KIND alone is enough with --external-id
    #[arg(value_name = "KIND/NAME", required_unless_present = "all", conflicts_with = "all")]
    resource: Option<String>,
    /// Which, where several have the name
    #[arg(long, value_name = "ID", conflicts_with = "all")]
    external_id: Option<String>,
    /// Name to declare it under; default: its own
    #[arg(long, value_name = "NAME", conflicts_with = "all")]
    as_name: Option<String>,
    /// Append to this file instead of printing
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    filename: Option<PathBuf>,
    /// Everything that nobody manages
    #[arg(long)]
    all: bool,
    /// With --all: only what belongs to this customer
    #[arg(long, value_name = "NAME", requires = "all")]
    customer: Option<String>,
}

/// What the new manifests are called in messages before they are in a file.
const ADOPTED: &str = "<adopted>";

pub fn run(args: &AdoptArgs, settings: &Settings, ui: &mut Ui) -> Result<Exit, CommandError> {
    if let Some(file) = &args.filename {
        check_file(file)?;
    }
    let workspace = settings.workspace(&FileArgs::default(), ui)?;
    let store = session::open_existing(settings, &workspace)?;
    let gathered = session::look(settings, &workspace, store.as_ref(), true)?;
    let texts = texts(&workspace);
    let declared = checked(settings, texts.clone(), &gathered, "the manifests", ui)?;
    let name = args.as_name.as_deref().map(ResourceName::parse).transpose();
    let name = name.map_err(|invalid| CommandError::new(invalid.message).hint(invalid.hint))?;
    let chosen = choose(args, settings, &gathered)?;
    if let (Some(name), Some(thing)) = (&name, chosen.first()) {
        let id = ResourceId { kind: thing.kind.clone(), name: name.clone() };
        let stored = gathered.stored.iter().any(|row| row.id == id);
        if stored || declared.resources.iter().any(|resource| resource.id == id) {
            return Err(CommandError::new(format!("there is a {id} already"))
                .hint("choose another name with --as-name"));
        }
    }
    let adoption =
        Adoption { args, settings, gathered: &gathered, declared: &declared.resources, name };
    let (documents, left_out) = adoption.documents(chosen, ui)?;
    if documents.is_empty() {
        ui.say("nothing to adopt");
        return Ok(if left_out == 0 { Exit::Done } else { Exit::Held });
    }
    let addition = documents.join("---\n");
    let mut together = texts;
    together.texts.insert(ADOPTED.into(), addition.as_str().into());
    checked(settings, together, &gathered, "the manifests with what would be adopted", ui)?;
    match &args.filename {
        None => ui.data(&addition),
        Some(file) => {
            append(file, &addition)?;
            let count = counted(documents.len(), "manifest");
            ui.say(&format!("appended {count} to {}", file.display()));
            let within =
                |folder: PathBuf| file.canonicalize().ok()?.strip_prefix(folder).ok().map(drop);
            let manifests = workspace.manifests().canonicalize().ok();
            ui.say(match manifests.and_then(within) {
                Some(()) => "`partnerctl plan` shows what they mean",
                None => "it is not among the workspace's manifests: name it to plan with -f",
            });
        }
    }
    Ok(if left_out == 0 { Exit::Done } else { Exit::Held })
}

fn check_file(file: &Path) -> Result<(), CommandError> {
    let yaml = file.extension().is_some_and(|e| e == "yaml" || e == "yml");
    if yaml {
        return Ok(());
    }
    Err(CommandError::new(format!("{} is no YAML file by its name", file.display()))
        .hint("name a file that ends in .yaml: manifests/adopted.yaml"))
}

/// The workspace's manifests; none where there is no folder yet.
fn texts(workspace: &Workspace) -> Texts {
    let folder = workspace.manifests();
    let folder = folder.strip_prefix(".").unwrap_or(&folder).to_owned();
    if folder.is_dir() { read_roots(&[folder], &mut std::io::empty()) } else { Texts::default() }
}

/// Reads manifests, which must be free of errors: what is declared already is not adopted twice.
fn checked(
    settings: &Settings,
    texts: Texts,
    gathered: &Gathered,
    what: &str,
    ui: &mut Ui,
) -> Result<Manifests, CommandError> {
    let manifests = load(&settings.kinds, texts, &gathered.stored);
    let errors = manifests.problems.iter().filter(|p| p.severity() == Severity::Error).count();
    if errors == 0 {
        return Ok(manifests);
    }
    ui.warn(report::text(&manifests.problems, &manifests.texts, false).trim_end());
    Err(CommandError::new(format!("{} in {what}", counted(errors, "error")))
        .hint("nothing was written; mend them first"))
}

/// The unmanaged things that are meant.
fn choose<'g>(
    args: &AdoptArgs,
    settings: &Settings,
    gathered: &'g Gathered,
) -> Result<Vec<&'g Observed>, CommandError> {
    let Some(text) = &args.resource else { return Ok(gathered.unmanaged.iter().collect()) };
    let (word, name) = match text.split_once('/') {
        Some((word, name)) => (word, Some(name)),
        None => (text.as_str(), None),
    };
    let entry = settings.kind(word)?;
    let of_kind = || gathered.unmanaged.iter().filter(|t| t.kind.as_str() == entry.facts.kind);
    let wanted = |thing: &&Observed| match &args.external_id {
        Some(external) => thing.external_id == *external,
        None => Some(thing.name.as_str()) == name,
    };
    if name.is_none() && args.external_id.is_none() {
        return Err(CommandError::new(format!("`{text}` is not KIND/NAME"))
            .hint(format!("write {}/contoso, or give --external-id", entry.facts.kind)));
    }
    let found: Vec<&Observed> = of_kind().filter(wanted).collect();
    match found.as_slice() {
        [one] if name.is_none_or(|name| name == one.name) => Ok(found),
        [one] => Err(CommandError::new(format!(
            "what has the external id {} is called {}",
            one.external_id, one.name
        ))
        .hint(format!("write {}, or the kind alone", shown(one)))),
        [] => Err(unknown(entry, name, args, gathered, of_kind())),
        several => {
            let message = format!("{} have this name", several.len());
            let candidates =
                several.iter().map(|thing| format!("--external-id {}", thing.external_id));
            Err(candidates.fold(CommandError::new(message), CommandError::hint))
        }
    }
}

/// Why there is nothing to take over: managed already, or not there.
fn unknown<'g>(
    entry: &KindEntry,
    name: Option<&str>,
    args: &AdoptArgs,
    gathered: &Gathered,
    of_kind: impl Iterator<Item = &'g Observed>,
) -> CommandError {
    let managed = gathered.stored.iter().find(|row| {
        row.id.kind.as_str() == entry.facts.kind
            && match &args.external_id {
                Some(external) => row.external_id.as_ref() == Some(external),
                None => Some(row.id.name.as_str()) == name,
            }
    });
    if let Some(row) = managed {
        return CommandError::new(format!("{} is managed already, by the set {}", row.id, row.set))
            .hint("`partnerctl get --unmanaged` lists what is not");
    }
    let what = args.external_id.as_deref().or(name).unwrap_or_default();
    let error = CommandError::new(format!("there is no unmanaged {} `{what}`", entry.facts.kind));
    let names: Vec<&str> = of_kind.map(|thing| thing.name.as_str()).collect();
    match did_you_mean(what, names) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => {
            error.hint(format!("`partnerctl get {} --unmanaged` lists them", entry.facts.plural))
        }
    }
}

fn shown(thing: &Observed) -> String {
    format!("{}/{}", thing.kind, thing.name)
}

struct Adoption<'a> {
    args: &'a AdoptArgs,
    settings: &'a Settings,
    gathered: &'a Gathered,
    declared: &'a [Resource],
    name: Option<ResourceName>,
}

/// What becomes of a thing that was chosen.
enum Fate {
    Written(String),
    Declared,
    LeftOut,
}

impl Adoption<'_> {
    /// The manifests of what was chosen, and how many cannot be written. What is not written is
    /// told and not referred to by name by the others: they are made again without it.
    fn documents(
        &self,
        mut chosen: Vec<&Observed>,
        ui: &mut Ui,
    ) -> Result<(Vec<String>, usize), CommandError> {
        let mut left_out = 0;
        loop {
            let mut dumper = Dumper::new(&self.settings.kinds, self.gathered);
            dumper.declared(self.declared);
            let mut resources = dumper.unmanaged(&chosen, self.name.as_ref()).resources;
            if let Some(customer) = &self.args.customer {
                resources = of_customer(&dumper, resources, customer);
            }
            let mut documents = Vec::new();
            let mut dropped = BTreeSet::new();
            for resource in resources {
                let external = resource.metadata.annotation(EXTERNAL_ID);
                let same = |thing: &&&Observed| {
                    thing.kind == resource.id.kind && Some(thing.external_id.as_str()) == external
                };
                let Some(thing) = chosen.iter().find(same) else { continue };
                match self.fate(&dumper, &resource, thing, ui)? {
                    Fate::Written(text) => documents.push(text),
                    fate => {
                        left_out += usize::from(matches!(fate, Fate::LeftOut));
                        dropped.insert((thing.kind.clone(), thing.external_id.clone()));
                    }
                }
            }
            if dropped.is_empty() {
                return Ok((documents, left_out));
            }
            chosen.retain(|thing| {
                !dropped.contains(&(thing.kind.clone(), thing.external_id.clone()))
            });
        }
    }

    /// What is there may be declared already, or lack what a manifest must have.
    fn fate(
        &self,
        dumper: &Dumper<'_>,
        resource: &Resource,
        thing: &Observed,
        ui: &mut Ui,
    ) -> Result<Fate, CommandError> {
        let entry = self.settings.kinds.get(resource.id.kind.as_str());
        let identity = |spec| entry.and_then(|entry| (entry.identity)(spec));
        let mine = identity(&resource.spec);
        let declared = self.declared.iter().find(|other| {
            other.id.kind == resource.id.kind
                && (other.metadata.annotation(EXTERNAL_ID) == Some(thing.external_id.as_str())
                    || (mine.is_some() && identity(&other.spec) == mine))
        });
        if let Some(Resource { id, source, .. }) = declared {
            let line = format!("{} is declared already, as {id} in {source}", shown(thing));
            ui.say(&printable(&line));
            return Ok(Fate::Declared);
        }
        let text = dumper.document(resource).map_err(CommandError::new)?;
        let read = read_file(&self.settings.kinds, &ADOPTED.into(), &text);
        for problem in &read.problems {
            let line = format!("{} is left out: {}", shown(thing), problem.message);
            ui.warn(&printable(&line));
            if let Some(hint) = &problem.hint {
                ui.warn(&printable(&format!("  → {hint}")));
            }
        }
        if read.problems.iter().any(|problem| problem.code == code::MISSING_FIELD) {
            ui.warn(
                "  → `partnerctl dump --unmanaged` writes its manifest, to be completed by hand",
            );
        }
        Ok(if read.problems.is_empty() { Fate::Written(text) } else { Fate::LeftOut })
    }
}

/// Those that belong to a customer.
fn of_customer(dumper: &Dumper<'_>, resources: Vec<Resource>, customer: &str) -> Vec<Resource> {
    let world = dumper.world(&resources);
    let belongs = |resource: &Resource| {
        world.customer_of(&resource.id).is_some_and(|owner| owner.name.as_str() == customer)
    };
    resources.into_iter().filter(belongs).collect()
}

/// Appends in one write, so that what is in the file is never cut.
fn append(file: &Path, addition: &str) -> Result<(), CommandError> {
    let what = || format!("cannot write {}", file.display());
    let before = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(anyhow::Error::from(error).context(what()).into()),
    };
    let mut text = String::new();
    if before.trim().is_empty() {
        text.push_str(SCHEMA_LINE);
    } else {
        text.push_str(if before.ends_with('\n') { "---\n" } else { "\n---\n" });
    }
    text.push_str(addition);
    let mut open =
        std::fs::OpenOptions::new().append(true).create(true).open(file).with_context(what)?;
    open.write_all(text.as_bytes()).and_then(|()| open.sync_all()).with_context(what)?;
    Ok(())
}
