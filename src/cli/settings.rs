//! Settings: flags, then the environment, then `partnerctl.yaml`, then defaults. The only place
//! that reads the environment.

use crate::cli::error::CommandError;
use crate::cli::ui::{Manner, Ui};
use crate::engine::machine;
use crate::engine::workspace::{self, Workspace};
use crate::kinds::{KindEntry, Kinds};
use crate::manifest::report;
use crate::model::ResourceId;
pub use crate::model::moment::parse as parse_at;
use clap::Args;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Options of every command.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Options of every command")]
pub struct GlobalArgs {
    /// Folder of the workspace; default: the nearest one upward with a partnerctl.yaml
    #[arg(long, global = true, value_name = "DIR")]
    pub workspace: Option<PathBuf>,
    /// Where the state is kept, sqlite:PATH; default: .partnerctl/state.db in the workspace
    #[arg(long, global = true, value_name = "URL", env = "PARTNERCTL_STORE")]
    pub store: Option<String>,
    /// Who acts; a claim for the log, no authentication
    #[arg(long = "as", global = true, value_name = "UPN", env = "PARTNERCTL_ACTOR")]
    pub actor: Option<String>,
    /// Never use colours
    #[arg(long, global = true)]
    pub no_color: bool,
    /// Print data and errors only
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Columns to fit tables and plans into; default: those of the terminal, in a pipe no limit
    #[arg(long, global = true, hide = true, value_name = "COLUMNS", value_parser = parse_width)]
    pub width: Option<usize>,
}

/// Manifests to read.
#[derive(Args, Debug, Clone, Default)]
pub struct FileArgs {
    /// File or folder with manifests, or - for standard input; default: manifests/ of the workspace
    #[arg(short = 'f', long = "filename", value_name = "PATH")]
    pub filename: Vec<PathBuf>,
}

/// Everything resolved.
pub struct Settings {
    /// The kinds.
    pub kinds: Kinds,
    given: GlobalArgs,
}

impl Settings {
    /// Takes the options; the workspace is looked for when a command needs it.
    pub fn new(mut given: GlobalArgs) -> Self {
        // A pipeline sets its variable to nothing where its secret is kept from it.
        given.store = given.store.filter(|url| !url.is_empty());
        Self { kinds: Kinds::default(), given }
    }

    /// A kind by what people type.
    pub fn kind(&self, word: &str) -> Result<&KindEntry, CommandError> {
        self.kinds.find(word).ok_or_else(|| {
            CommandError::new(format!("there is no kind `{word}`")).hint(self.kinds.hint(word))
        })
    }

    /// The resource that KIND/NAME means.
    pub fn resource(&self, text: &str) -> Result<ResourceId, CommandError> {
        let (kind, name) = text.split_once('/').ok_or_else(|| {
            CommandError::new(format!("`{text}` is not KIND/NAME")).hint("write Budget/contoso")
        })?;
        Ok(ResourceId::new(self.kind(kind)?.facts.kind, name))
    }

    /// How the terminal is spoken to.
    pub fn manner(&self) -> Manner {
        let GlobalArgs { no_color, quiet, width, .. } = self.given;
        Manner { no_color, quiet, width: width.or_else(width_of_terminal) }
    }

    /// True when only data and errors are wanted.
    pub fn is_quiet(&self) -> bool {
        self.given.quiet
    }

    /// The workspace: `--workspace`, else the nearest upward, else upward from the first `-f`, else
    /// the current folder.
    pub fn workspace(&self, files: &FileArgs, ui: &mut Ui) -> Result<Workspace, CommandError> {
        let from_file = || {
            let first = files.filename.iter().find(|path| path.as_os_str() != "-")?;
            let folder = if first.is_dir() { Some(first.as_path()) } else { first.parent() };
            workspace::find_upward(
                folder.filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new(".")),
            )
        };
        let folder = match &self.given.workspace {
            Some(folder) if !folder.is_dir() => {
                let message = format!("the workspace {} is no folder", folder.display());
                return Err(CommandError::new(message).hint("make one with `partnerctl init`"));
            }
            Some(folder) => folder.clone(),
            None => workspace::find_upward(Path::new("."))
                .or_else(from_file)
                .map_or_else(|| PathBuf::from("."), |folder| from_here(&folder)),
        };
        workspace::open(&self.kinds, &folder).map_err(|(problems, text)| {
            let texts: BTreeMap<_, _> = problems
                .iter()
                .flat_map(|problem| &problem.locations)
                .map(|location| (location.file.clone(), text.as_str().into()))
                .collect();
            ui.warn(report::text(&problems, &texts, false).trim_end());
            CommandError::invalid("the workspace's settings are not valid")
                .hint("mend partnerctl.yaml")
        })
    }

    /// The address of the store. A relative path of `partnerctl.yaml` is below the workspace, one
    /// of the command line below the current folder.
    pub fn store_url(&self, workspace: &Workspace) -> String {
        if let Some(url) = &self.given.store {
            return url.clone();
        }
        let url = workspace.file.store.as_ref().map(ToString::to_string);
        let url = url.unwrap_or_else(|| "sqlite:.partnerctl/state.db".to_owned());
        match url.strip_prefix("sqlite:") {
            Some(path) if !path.is_empty() => {
                format!("sqlite:{}", workspace.folder.join(path).display())
            }
            _ => url,
        }
    }

    /// The global options of this call, to repeat them in a proposed one.
    pub fn repeated(&self) -> Vec<String> {
        let GlobalArgs { workspace, store, actor, no_color: _, quiet: _, width: _ } = &self.given;
        let mut words = Vec::new();
        if let Some(folder) = workspace {
            words.extend(["--workspace".to_owned(), folder.display().to_string()]);
        }
        // What the environment gave, it gives again.
        let from_environment =
            |name: &str, value: &str| std::env::var(name).as_deref() == Ok(value);
        if let Some(url) = store.as_ref().filter(|url| !from_environment("PARTNERCTL_STORE", url)) {
            words.extend(["--store".to_owned(), url.clone()]);
        }
        if let Some(name) =
            actor.as_ref().filter(|name| !from_environment("PARTNERCTL_ACTOR", name))
        {
            words.extend(["--as".to_owned(), name.clone()]);
        }
        words
    }

    /// Who acts: `--as`, `PARTNERCTL_ACTOR`, the workspace, else the user of the system.
    pub fn actor(&self, workspace: &Workspace) -> String {
        let from_system = || {
            ["USER", "LOGNAME", "USERNAME"]
                .iter()
                .find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty()))
                .unwrap_or_else(machine::user)
        };
        let given = self.given.actor.clone().filter(|actor| !actor.is_empty());
        given
            .or_else(|| workspace.file.actor.as_ref().map(ToString::to_string))
            .unwrap_or_else(from_system)
    }

    /// The roots to read, and whether they are the whole set.
    pub fn roots(
        &self,
        files: &FileArgs,
        workspace: &Workspace,
    ) -> Result<(Vec<PathBuf>, bool), CommandError> {
        let manifests = workspace.manifests();
        if files.filename.is_empty() {
            if !manifests.is_dir() {
                let message = format!("there is no folder {}", shown(&manifests).display());
                return Err(CommandError::new(message).hint(
                    "name manifests with -f or a workspace with --workspace, or make one with `partnerctl init my-partner`",
                ));
            }
            return Ok((vec![shown(&manifests)], true));
        }
        let same = |a: &Path, b: &Path| {
            a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b))
        };
        let whole = match files.filename.as_slice() {
            [one] => manifests.is_dir() && (same(one, &manifests) || same(one, &workspace.folder)),
            _ => false,
        };
        Ok((files.filename.clone(), whole))
    }
}

/// A variable of the environment.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// This process's environment, for a program that works for it.
pub fn environment() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os()
}

/// Words behind others of a command line, each as a shell takes it.
pub fn appended(words: &[String]) -> String {
    words.iter().map(|word| format!(" {}", quoted(word))).collect()
}

/// A word as a shell takes it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// The folder in which the command was called: one that is taken away and made again is found again
/// by its path.
pub struct Here(Option<PathBuf>);

impl Here {
    /// The current folder.
    pub fn now() -> Self {
        Self(std::env::current_dir().ok())
    }

    /// Goes to where the folder is now; stays where there is none.
    pub fn back(&self) {
        use std::os::unix::fs::MetadataExt;
        let identity = |path: &Path| path.metadata().ok().map(|found| (found.dev(), found.ino()));
        if let Some(here) = &self.0
            && identity(here) != identity(Path::new("."))
        {
            // Where it is not there yet, it is tried again.
            let _not_yet = std::env::set_current_dir(here);
        }
    }
}

/// A path without a leading `./`.
pub fn shown(path: &Path) -> PathBuf {
    path.strip_prefix(".").map_or_else(|_| path.to_owned(), Path::to_owned)
}

/// A folder as seen from the current one, where it lies below it.
fn from_here(folder: &Path) -> PathBuf {
    let here = std::env::current_dir().and_then(|here| here.canonicalize());
    match here.ok().and_then(|here| folder.strip_prefix(&here).ok().map(Path::to_owned)) {
        Some(below) if below.as_os_str().is_empty() => PathBuf::from("."),
        Some(below) => below,
        None => folder.to_owned(),
    }
}

/// The columns of the terminal: `COLUMNS`, else what it says. `None` in a pipe: programs read there,
/// and get everything.
fn width_of_terminal() -> Option<usize> {
    let out = std::io::stdout();
    let from_environment = || parse_width(&std::env::var("COLUMNS").ok()?).ok();
    let from_terminal = || {
        let columns = usize::from(rustix::termios::tcgetwinsize(&out).ok()?.ws_col);
        (columns > 0).then_some(columns.max(WIDTH_MIN))
    };
    out.is_terminal().then(|| from_environment().or_else(from_terminal)).flatten()
}

/// Fewer columns than this are taken for this many: nothing would be left to read.
const WIDTH_MIN: usize = 20;

fn parse_width(text: &str) -> Result<usize, String> {
    let columns = text.parse::<usize>().ok().filter(|columns| (1..=10_000).contains(columns));
    columns.map(|columns| columns.max(WIDTH_MIN)).ok_or("write a number of columns".to_owned())
}

/// Which build of this program runs: what another one judged is not taken over.
pub fn program() -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let file = std::env::current_exe().ok()?.metadata().ok()?;
    let version = env!("CARGO_PKG_VERSION");
    Some(format!("{version} {} {}.{}", file.len(), file.mtime(), file.mtime_nsec()))
}
