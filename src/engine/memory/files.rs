//! The files of a memory: read one after the other where they stand, and written from what was found.

use crate::engine::memory::Stat;
use crate::engine::memory::page::as_bytes;
use crate::engine::tree::Found;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A file that was read without problems.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct File<'a> {
    /// Its path below the folder.
    pub path: &'a str,
    /// Its stat before it was read.
    pub stat: Stat,
    /// SHA-256 of its bytes.
    #[serde(serialize_with = "as_bytes")]
    digest: &'a [u8],
}

impl File<'_> {
    /// SHA-256 of its bytes; `None` where it is no such digest.
    #[must_use]
    pub fn digest(&self) -> Option<[u8; 32]> {
        self.digest.try_into().ok()
    }
}

/// The files of a memory, in order of their paths, as bytes: a pass looks at each of them once.
pub struct Files {
    bytes: Vec<u8>,
    first: usize,
    count: usize,
}

impl Files {
    /// The files that bytes stand for.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        let (count, rest) = postcard::take_from_bytes(&bytes).ok()?;
        let first = bytes.len() - rest.len();
        Some(Self { bytes, first, count })
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = File<'_>> {
        let mut rest = &self.bytes[self.first..];
        (0..self.count).map_while(move |_| {
            let (file, more) = postcard::take_from_bytes(rest).ok()?;
            rest = more;
            Some(file)
        })
    }
}

/// Files as they were found below a folder, and what each holds.
#[derive(Clone, Copy)]
pub struct Listing<'a> {
    /// The folder.
    pub folder: &'a Path,
    /// The files, in order of their names.
    pub found: &'a [Found],
    /// SHA-256 of the bytes of each.
    pub digests: &'a [[u8; 32]],
}

impl<'a> Listing<'a> {
    /// As they are written into a memory; `None` for one that cannot be remembered.
    pub fn iter(self) -> impl ExactSizeIterator<Item = Option<File<'a>>> {
        self.found.iter().zip(self.digests).map(move |(found, digest)| {
            Some(File { path: found.below(self.folder)?, stat: found.stat?, digest })
        })
    }
}
