//! What the last pass read and judged, so that the next one looks only at what moved.
//!
//! A memory is a file beside the store. It may be taken away at any time and changes no plan: what it
//! cannot answer for is read again. It keeps the stat and digest of every manifest, and of every
//! resource its name and whether there was anything to say about it. A *settled* resource is declared
//! as its row stands, observed as declared, and without a condition, warning or record: its row is
//! all that need be kept of it.

pub mod files;
pub mod format;
mod index;
pub mod kept;
pub mod page;
pub mod stat;
pub mod window;

pub use files::{File, Files, Listing};
pub use format::{Back, Front, Key, Other, Rest, Whose};
use format::{Head, Writing};
pub use kept::Kept;
pub use page::{Declared, Near, Page};
pub use stat::Stat;
pub use window::Window;

use crate::model::ResourceId;
use crate::model::digest::Digest;
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Where a memory is, and of what.
#[derive(Debug, Clone)]
pub struct Place {
    path: PathBuf,
    key: Key,
}

/// A memory that was found.
pub struct Memory {
    /// What it is of.
    pub front: Front,
    /// The files.
    pub files: Files,
    /// Every resource.
    pub body: Body,
}

/// Every resource of a memory, once it was read.
pub struct Body {
    head: Head,
    /// Stays the same when another takes its place.
    file: fs::File,
    files: usize,
    bytes: Vec<u8>,
}

impl Place {
    /// The place of a key's memory beside a store.
    #[must_use]
    pub fn beside(store: &Path, key: Key) -> Self {
        let mut name = store.as_os_str().to_owned();
        let of = Digest::default().text(&key.set).text(&key.folder).hex();
        name.push(format!("-{}.cache", &of[..8]));
        Self { path: name.into(), key }
    }

    /// What it is of.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The memory; `None` when there is none that is whole and of the same key.
    #[must_use]
    pub fn read(&self) -> Option<Memory> {
        Memory::at(&self.path).filter(|memory| memory.front.key == self.key)
    }

    /// Begins to write another memory: the pages of files that are known already. Where that fails there
    /// is none: it is not needed.
    #[must_use]
    pub fn begin(&self, files: Listing<'_>, pages: &[(usize, &Page<'_>)]) -> Option<Begun<'_>> {
        let mut beside = self.path.as_os_str().to_owned();
        beside.push(format!(".{}", std::process::id()));
        let (place, path) = (self, PathBuf::from(beside));
        let begin = || -> std::io::Result<Writing<fs::File>> {
            let mut writing = Writing::begin(fs::File::create(&path)?, files)?;
            writing.pages(pages)?;
            Ok(writing)
        };
        let writing = begin().ok();
        let begun = Begun { place, path, writing };
        begun.writing.is_some().then_some(begun)
    }

    /// Writes a memory in place of the last one, or takes that one away.
    pub fn write(&self, front: &Front, files: Listing<'_>, back: &Back<'_>) {
        let pages: Vec<(usize, &Page<'_>)> = back.pages.iter().enumerate().collect();
        match self.begin(files, &pages) {
            Some(begun) => begun.end(&[], &back.rest, front),
            None => self.forget(),
        }
    }

    /// Writes the memory again with another front and the same files as they stand now, where it is still
    /// the one of that version.
    pub fn renew(&self, front: &Front, files: Listing<'_>) {
        if let Some(mut memory) = self.read().filter(|last| last.front.version == front.version)
            && memory.body.read().is_some()
            && memory.body.is_whole()
            && let Some(back) = memory.body.back()
        {
            self.write(front, files, &back);
        }
    }

    /// Takes the memory away.
    pub fn forget(&self) {
        let _there_is_none = fs::remove_file(&self.path);
    }
}

/// A memory that is not written to its end: until it is, the last one stays.
pub struct Begun<'p> {
    place: &'p Place,
    path: PathBuf,
    writing: Option<Writing<fs::File>>,
}

impl Begun<'_> {
    /// Writes the rest, and puts it in place of the last one. Where that fails there is none.
    pub fn end(mut self, pages: &[(usize, &Page<'_>)], rest: &Rest<'_>, front: &Front) {
        let Some(mut writing) = self.writing.take() else { return };
        let (from, to) = (&self.path, &self.place.path);
        let end = move || -> std::io::Result<()> {
            writing.pages(pages)?;
            writing.end(rest, front)?;
            // One file put in place of another goes to the disk at once, and every commit behind it
            // waits for that. This one need not outlive a power cut: there is none for a moment.
            let _there_is_none = fs::remove_file(to);
            fs::rename(from, to)
        };
        if end().is_err() {
            self.place.forget();
        }
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        // Where it was put in place there is nothing here any more.
        let _none_is_left = fs::remove_file(&self.path);
    }
}

impl Memory {
    /// The memory in a file, of whatever it is; `None` when it is none, or its front is not whole.
    #[must_use]
    pub fn at(path: &Path) -> Option<Self> {
        let mut file = fs::File::open(path).ok()?;
        let mut head = [0; Head::LENGTH];
        file.read_exact(&mut head).ok()?;
        let head = Head::of(&head)?;
        let Head { files, back, front } = head;
        let lengths = [Head::LENGTH as u64, files.length, back.length, front.length];
        let length = lengths.into_iter().try_fold(0, u64::checked_add)?;
        if file.metadata().ok()?.len() != length {
            return None;
        }
        let mut part = |at: u64, length: u64| -> Option<Vec<u8>> {
            let mut bytes = Vec::with_capacity(usize::try_from(length).ok()?);
            file.seek(SeekFrom::Start(at)).ok()?;
            (&file).take(length).read_to_end(&mut bytes).ok()?;
            Some(bytes)
        };
        let all = part(Head::LENGTH as u64, files.length)?;
        let files = files.is(&all).then(|| Files::new(all))??;
        let front: Front = front.value(&part(length - front.length, front.length)?)?;
        let body = Body { head, file, files: files.count(), bytes: Vec::new() };
        Some(Self { front, files, body })
    }
}

impl Body {
    /// Reads it, once; `None` when it cannot be read.
    #[must_use]
    pub fn read(&mut self) -> Option<()> {
        let Head { files, back, front: _ } = self.head;
        let length = usize::try_from(back.length).ok()?;
        if self.bytes.len() == length {
            return Some(());
        }
        self.bytes = Vec::with_capacity(length);
        self.file.seek(SeekFrom::Start(Head::LENGTH as u64 + files.length)).ok()?;
        (&self.file).take(back.length).read_to_end(&mut self.bytes).ok().map(drop)
    }

    /// Every resource, as far as the file is whole.
    #[must_use]
    pub fn back(&self) -> Option<Back<'_>> {
        format::back(&self.bytes, self.files)
    }

    /// True when every resource stands as it was written: nothing that rests on another is to be
    /// believed.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.head.back.is(&self.bytes)
    }
}

/// The id that a memory means by a kind's number and a name.
#[must_use]
pub fn id_of(kinds: &[String], kind: u8, name: &str) -> ResourceId {
    let kind = kinds.get(usize::from(kind)).map_or("", String::as_str);
    ResourceId::new(kind, name)
}
