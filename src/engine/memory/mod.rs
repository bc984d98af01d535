//! What the last pass read and judged, so that the next one looks only at what moved.
//!
//! A memory is a file beside the store. It may be taken away at any time and changes no plan: what it
//! cannot answer for is read again. It keeps the stat and digest of every manifest, and of every
//! resource its name and whether there was anything to say about it. A *settled* resource is declared
//! as its row stands, observed as declared, and without a condition, warning or record: its row is
//! all that need be kept of it.

pub mod format;
mod index;
pub mod kept;
pub mod stat;
pub mod window;

pub use format::{Back, Declared, File, Front, Key, Other, Whose};
pub use kept::Kept;
pub use stat::Stat;
pub use window::Window;

use crate::model::digest::Digest;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};

/// Where a memory is, and of what.
#[derive(Debug, Clone)]
pub struct Place {
    path: PathBuf,
    key: Key,
}

/// A memory that was found.
pub struct Memory {
    /// What it is of, and the files.
    pub front: Front,
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
        let mut file = std::fs::File::open(&self.path).ok()?;
        let mut bytes = vec![0; 16];
        file.read_exact(&mut bytes).ok()?;
        let length = file.metadata().ok()?.len();
        let end = u64::try_from(format::front_end(&bytes)?).ok().filter(|end| *end <= length)?;
        file.take(end - 16).read_to_end(&mut bytes).ok()?;
        let front = format::front(&bytes).filter(|front| front.key == self.key)?;
        Some(Memory { front, bytes })
    }

    /// Reads the rest of a memory; `None` when another has taken its place meanwhile.
    #[must_use]
    pub fn read_back(&self, memory: &mut Memory) -> Option<()> {
        let bytes = std::fs::read(&self.path).ok()?;
        if !bytes.starts_with(&memory.bytes) {
            return None;
        }
        memory.bytes = bytes;
        Some(())
    }

    /// Writes a memory in place of the last one. Where that fails there is none: it is not needed.
    pub fn write(&self, front: &Front, back: &Back<'_>) {
        let mut beside = self.path.as_os_str().to_owned();
        beside.push(format!(".{}", std::process::id()));
        let write = || -> std::io::Result<()> {
            let bytes = format::encode(front, back).ok_or(std::io::ErrorKind::InvalidData)?;
            std::fs::File::create(&beside)?.write_all(&bytes)?;
            std::fs::rename(&beside, &self.path)
        };
        if write().is_err() {
            let _none_is_left = std::fs::remove_file(&beside);
            self.forget();
        }
    }

    /// Writes the memory again with another front, where it is still the one of that version.
    pub fn renew(&self, front: &Front) {
        if let Some(mut memory) = self.read().filter(|last| last.front.version == front.version)
            && self.read_back(&mut memory).is_some()
            && let Some(back) = memory.back()
        {
            self.write(front, &back);
        }
    }

    /// Takes the memory away.
    pub fn forget(&self) {
        let _there_is_none = std::fs::remove_file(&self.path);
    }
}

impl Memory {
    /// Every resource; `None` when the file is not whole. [`Place::read_back`] comes before.
    #[must_use]
    pub fn back(&self) -> Option<Back<'_>> {
        format::back(&self.bytes)
    }
}
