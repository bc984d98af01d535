//! Folders and files to texts. Whatever cannot be read is a problem: absence of information never
//! becomes a delete.

use crate::engine::memory::Stat;
use crate::model::code::{self, Code};
use crate::model::parallel::{each, sort_by, while_found};
use crate::model::problem::Problem;
use crate::model::tree::Span;
use ignore::{Walk, WalkBuilder};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest file that is read.
pub const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// The file with patterns of what is no manifest, in the syntax of gitignore.
pub const IGNORE_FILE: &str = ".partnerctlignore";
/// Files whose stats a hand asks for at a time.
const HANDFUL: usize = 128;
/// The workspace's own file, never a manifest.
pub const WORKSPACE_FILE: &str = "partnerctl.yaml";

/// Texts by the name users see, and what could not be read.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    /// In order of their names.
    pub texts: BTreeMap<Arc<str>, Arc<str>>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

/// Manifests that were found, and as much of them as was read.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The files, in order of their names.
    pub files: Vec<Found>,
    /// What was read until now: standard input at once, the files when they are asked for.
    pub texts: Texts,
    /// True when one was found by a link: it may move where nobody looks.
    pub linked: bool,
}

/// A file that was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its name as users see it.
    pub name: Arc<str>,
    /// Its path.
    pub path: PathBuf,
    /// Its stat, before it was read; `None` when there is none: reading it says why.
    pub stat: Option<Stat>,
}

impl Found {
    /// Its path below a folder; `None` where it is not below it, or its name is no text.
    #[must_use]
    pub fn below(&self, folder: &Path) -> Option<&str> {
        let below = self.path.to_str()?.strip_prefix(folder.to_str()?)?;
        Some(below.trim_start_matches('/'))
    }
}

/// Reads every manifest below the roots. Each root is on its own: links may not lead out of it.
#[must_use]
pub fn read_roots(roots: &[PathBuf], stdin: &mut dyn Read) -> Texts {
    find(roots, stdin).read()
}

/// Finds every manifest below the roots.
#[must_use]
pub fn find(roots: &[PathBuf], stdin: &mut dyn Read) -> Sources {
    let mut texts = Texts::default();
    let mut linked = false;
    let find = |give: &mut dyn FnMut(Vec<PathBuf>)| {
        for root in roots {
            if root.as_os_str() == "-" {
                // Standard input can be read once, however often it is named.
                if !texts.texts.contains_key("<stdin>") {
                    texts.stdin(stdin);
                }
            } else if root.is_dir() {
                linked |= texts.walk(root, give);
            } else {
                linked |= root.is_symlink();
                give(vec![root.clone()]);
            }
        }
    };
    let stat = |path: PathBuf| {
        let stat = path.metadata().ok().map(|metadata| Stat::of(&metadata));
        Found { name: path.to_string_lossy().into(), path, stat }
    };
    let stats = |paths: Vec<PathBuf>| paths.into_iter().map(stat).collect::<Vec<_>>();
    let ((), found) = while_found(find, stats);
    let mut files: Vec<Found> = found.into_iter().flatten().collect();
    sort_by(&mut files, |a, b| a.name.cmp(&b.name));
    // Roots may overlap: a file is read once, under the name that sorts first.
    let mut seen = BTreeSet::new();
    if roots.len() > 1 {
        files.retain(|file| {
            seen.insert(file.path.canonicalize().unwrap_or_else(|_| file.path.clone()))
        });
    }
    Sources { files, texts, linked }
}

impl Sources {
    /// Reads some of the files, by their places among them.
    pub fn read_some(&mut self, wanted: &[usize]) {
        let paths: Vec<(usize, PathBuf)> =
            wanted.iter().map(|place| (*place, self.files[*place].path.clone())).collect();
        let read = each(paths, |(place, path)| (place, read_file(&path)));
        for (place, result) in read {
            let file = &self.files[place];
            match result {
                Ok(text) => {
                    self.texts.texts.insert(file.name.clone(), text.into());
                }
                Err(refused) => self.texts.refuse(&file.path, refused),
            }
        }
    }

    /// Everything, reading what was not read yet.
    #[must_use]
    pub fn read(mut self) -> Texts {
        self.read_rest();
        self.texts
    }

    /// Reads what was not read yet.
    pub fn read_rest(&mut self) {
        let refused: BTreeSet<&str> = self
            .texts
            .problems
            .iter()
            .flat_map(|problem| problem.locations.iter().map(|at| at.file.as_ref()))
            .collect();
        let missing = |file: &Found| {
            !self.texts.texts.contains_key(&file.name) && !refused.contains(file.name.as_ref())
        };
        let rest: Vec<usize> =
            (0..self.files.len()).filter(|place| missing(&self.files[*place])).collect();
        self.read_some(&rest);
    }
}

/// Why a file was not read.
pub struct Refused {
    code: Code,
    message: String,
    hint: &'static str,
    line: u32,
}

impl Refused {
    pub(super) fn new(code: Code, message: impl Into<String>, hint: &'static str) -> Self {
        Self { code, message: message.into(), hint, line: 1 }
    }
}

impl Texts {
    pub(super) fn refuse(&mut self, file: &Path, refused: Refused) {
        let Refused { code, message, hint, line } = refused;
        let span = Span { line, ..Span::START };
        self.problems.push(Problem::at(code, &file.to_string_lossy().into(), span, message, hint));
    }

    fn stdin(&mut self, stdin: &mut dyn Read) {
        let mut bytes = Vec::new();
        match stdin.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes) {
            Ok(_) => match decode(bytes) {
                Ok(text) => {
                    self.texts.insert("<stdin>".into(), text.into());
                }
                Err(refused) => self.refuse(Path::new("<stdin>"), refused),
            },
            Err(error) => {
                let message = format!("standard input cannot be read: {error}");
                self.refuse(Path::new("<stdin>"), Refused::new(code::UNREADABLE, message, ""));
            }
        }
    }

    /// Finds the manifests below a folder: `.yaml`, `.yml`, `.json`, no dot-files, nothing that is
    /// ignored; gives them by handfuls. True when there are links below it.
    fn walk(&mut self, root: &Path, give: &mut dyn FnMut(Vec<PathBuf>)) -> bool {
        let within = match root.canonicalize() {
            Ok(path) => path,
            Err(error) => {
                let message = format!("the folder cannot be read: {error}");
                self.refuse(root, Refused::new(code::UNREADABLE, message, "check its rights"));
                return false;
            }
        };
        let escaped = Arc::new(std::sync::Mutex::new(Vec::new()));
        let linked = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let walker = walker(root, within, escaped.clone(), linked.clone());
        let mut files = Vec::with_capacity(HANDFUL);
        for entry in walker {
            let entry = match entry {
                Ok(entry) => entry,
                // A link to nowhere matters only where a manifest should be.
                Err(error)
                    if path_of(&error)
                        .is_some_and(|path| !is_manifest(path) && path.is_symlink()) =>
                {
                    continue;
                }
                Err(error) => {
                    self.refuse(
                        path_of(&error).unwrap_or(root),
                        Refused::new(code::UNREADABLE, error.to_string(), "mend or remove it"),
                    );
                    continue;
                }
            };
            if let Some(error) = entry.error() {
                let message = format!("{IGNORE_FILE}: {error}");
                self.refuse(
                    entry.path(),
                    Refused::new(code::IGNORE_PATTERN, message, "mend the pattern"),
                );
            }
            let path = entry.path();
            let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
            if !is_folder && is_manifest(path) {
                files.push(path.to_owned());
            }
            if files.len() == HANDFUL {
                give(std::mem::replace(&mut files, Vec::with_capacity(HANDFUL)));
            }
        }
        give(files);
        let escaped = escaped.lock().map(|escaped| escaped.clone()).unwrap_or_default();
        for path in escaped {
            let message = "the link leads out of the folder that was given";
            let hint = "copy the files, or name the other folder with -f";
            self.refuse(&path, Refused::new(code::OUTSIDE_ROOT, message, hint));
        }
        linked.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// Walks a folder and what its links lead to, as far as that is within it; tells of links that lead
/// out of it, and whether there are any.
fn walker(
    root: &Path,
    within: PathBuf,
    escaped: Arc<std::sync::Mutex<Vec<PathBuf>>>,
    linked: Arc<std::sync::atomic::AtomicBool>,
) -> Walk {
    WalkBuilder::new(root)
        .standard_filters(false)
        .hidden(true)
        .parents(true)
        .follow_links(true)
        .add_custom_ignore_filename(IGNORE_FILE)
        .filter_entry(move |entry| {
            if entry.depth() > 0 && entry.path_is_symlink() {
                linked.store(true, std::sync::atomic::Ordering::Relaxed);
            }
            let inside = !entry.path_is_symlink()
                || entry.depth() == 0
                || !(entry.path().is_dir() || is_manifest(entry.path()))
                || entry.path().canonicalize().is_ok_and(|to| to.starts_with(&within));
            if !inside && let Ok(mut escaped) = escaped.lock() {
                escaped.push(entry.path().to_owned());
            }
            inside
        })
        .build()
}

/// By its name: `.yaml`, `.yml` or `.json`, no dot-file, not the workspace's own file.
#[must_use]
pub fn is_manifest(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    let extension = path.extension().unwrap_or_default();
    ["yaml", "yml", "json"].iter().any(|known| extension == *known)
        && !name.to_string_lossy().starts_with('.')
        && name != WORKSPACE_FILE
}

/// What an error of the walk is about.
fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
            path_of(err)
        }
        ignore::Error::Loop { child, .. } => Some(child),
        _ => None,
    }
}

/// Reads one file within the bounds.
///
/// # Errors
/// What is wrong with it.
pub fn read_file(path: &Path) -> Result<String, Refused> {
    let unreadable = |error: std::io::Error| {
        let hint = if error.kind() == std::io::ErrorKind::NotFound {
            "check the path"
        } else {
            "check its rights"
        };
        Refused::new(code::UNREADABLE, format!("it cannot be read: {error}"), hint)
    };
    let metadata = path.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        let message = "it is no regular file";
        return Err(Refused::new(code::NOT_A_FILE, message, "only files and folders are read"));
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(too_large());
    }
    // With room for all of it, and the end is seen with the next read.
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default() + 1);
    let file = File::open(path).map_err(unreadable)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    decode(bytes)
}

pub(super) fn too_large() -> Refused {
    Refused::new(code::TOO_LARGE, "it is larger than 16 MiB", "split it into several files")
}

pub(super) fn decode(bytes: Vec<u8>) -> Result<String, Refused> {
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(too_large());
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let lines = error.as_bytes()[..good].iter().filter(|byte| **byte == b'\n').count();
        let refused = Refused::new(code::NOT_UTF8, "it is not UTF-8", "save it as UTF-8");
        Refused { line: u32::try_from(lines + 1).unwrap_or(u32::MAX), ..refused }
    })
}
