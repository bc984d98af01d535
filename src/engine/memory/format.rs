//! The bytes of a memory: a head, the files, a back with every resource, and a front. Files and front
//! say whether anything moved.
//!
//! Each has a checksum of its own, so that a pass with nothing to do does not read the back, and a file
//! that was torn or changed is as good as none. The front is written last: until then the files and
//! most of the back can be written while the rest of the pass goes on.

use crate::engine::memory::{Listing, Page, Window};
use crate::store::Version;
use foldhash::quality::{FixedState, FoldHasher};
use serde::{Deserialize, Serialize};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Seek, Write};

/// What a memory is of: another program, store, set or folder has its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// The program that made it: what counts as settled is its judgement.
    pub program: String,
    /// The store's lineage.
    pub lineage: String,
    /// The set.
    pub set: String,
    /// The folder of the manifests, from the workspace.
    pub folder: String,
}

/// What is needed to see that nothing moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Front {
    /// What it is of.
    pub key: Key,
    /// The store's version when it was made.
    pub version: Version,
    /// When the pass that made it began to read, in nanoseconds since 1970.
    pub begun: i64,
    /// Resources about which there is nothing to say.
    pub settled: usize,
    /// Rows of other sets.
    pub foreign: usize,
    /// True when nothing else is known than settled resources, rows of other sets, and what nobody
    /// manages: then the plan is empty while nothing moves.
    pub quiet: bool,
    /// The times between which it holds.
    pub window: Window,
    /// The kinds that the back's numbers mean.
    pub kinds: Vec<String>,
}

/// Every resource, in the shortest form that serves.
#[derive(Debug, Default, PartialEq)]
pub struct Back<'a> {
    /// What each file declares, in the order of the files.
    pub pages: Vec<Page<'a>>,
    /// What belongs to no file.
    pub rest: Rest<'a>,
}

/// What belongs to no file.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rest<'a> {
    /// Manifests that choose others by a selector, as JSON, each with the number of its file.
    #[serde(borrow)]
    pub selectors: Vec<(usize, &'a str)>,
    /// What is known beyond what the manifests declare.
    #[serde(borrow)]
    pub others: Vec<Other<'a>>,
}

/// A row or a thing that the manifests do not declare.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Other<'a> {
    /// Whose it is.
    pub whose: Whose,
    /// The number of its kind.
    pub kind: u8,
    /// The name of the row; of a thing that nobody manages its external id.
    pub name: &'a str,
    /// What it is called by and calls others by.
    pub keys: &'a [u8],
}

/// Whose a row or thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Whose {
    /// The set's, no longer declared.
    Undeclared,
    /// Of another set.
    Foreign,
    /// Nobody's.
    Unmanaged,
}

/// The beginning of every memory of this form.
const MAGIC: &[u8; 8] = b"pctlmem5";

/// One of the three parts of a memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// How many bytes it has.
    pub length: u64,
    sum: u64,
}

impl Part {
    const LENGTH: usize = 8 + 8;

    fn of(bytes: &[u8]) -> Option<Self> {
        let number = |bytes: &[u8]| bytes.first_chunk().copied().map(u64::from_le_bytes);
        Some(Self { length: number(bytes)?, sum: number(bytes.get(8..)?)? })
    }

    /// True when these are the bytes that were written.
    #[must_use]
    pub fn is(&self, bytes: &[u8]) -> bool {
        let mut sum = empty_sum();
        bytes.chunks(PIECE).for_each(|piece| sum.write(piece));
        sum.finish() == self.sum
    }

    /// The value that these bytes stand for; `None` when they are not those that were written.
    #[must_use]
    pub fn value<T: serde::de::DeserializeOwned>(&self, bytes: &[u8]) -> Option<T> {
        self.is(bytes).then(|| postcard::from_bytes(bytes).ok())?
    }
}

/// What a memory begins with: its parts, in the order in which they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The files.
    pub files: Part,
    /// Every resource.
    pub back: Part,
    /// The rest.
    pub front: Part,
}

impl Head {
    /// How many bytes it takes.
    pub const LENGTH: usize = MAGIC.len() + 3 * Part::LENGTH;

    fn bytes(&self) -> Vec<u8> {
        let parts = [self.files, self.back, self.front];
        let parts =
            parts.iter().flat_map(|part| [part.length, part.sum].map(u64::to_le_bytes).concat());
        MAGIC.iter().copied().chain(parts).collect()
    }

    /// The head of a file; `None` when it has none of this form.
    #[must_use]
    pub fn of(bytes: &[u8; Self::LENGTH]) -> Option<Self> {
        let mut parts = bytes.strip_prefix(MAGIC)?.chunks_exact(Part::LENGTH).map(Part::of);
        let (files, back, front) = (parts.next()??, parts.next()??, parts.next()??);
        Some(Self { files, back, front })
    }
}

/// The back, as it stands there, of so many files; `None` when it is not of this form.
#[must_use]
pub fn back(bytes: &[u8], files: usize) -> Option<Back<'_>> {
    let mut pages = vec![Page::default(); files];
    let mut rest = bytes;
    for _ in 0..PARTS {
        let (count, more) = postcard::take_from_bytes::<usize>(rest).ok()?;
        rest = more;
        for _ in 0..count {
            let ((number, page), more) = postcard::take_from_bytes::<(usize, _)>(rest).ok()?;
            *pages.get_mut(number)? = page;
            rest = more;
        }
    }
    Some(Back { pages, rest: postcard::from_bytes(rest).ok()? })
}

/// Pages are written in two parts.
const PARTS: usize = 2;

/// A memory that is being written into an empty file. What was not written to its end has no head, and
/// is none.
pub struct Writing<W> {
    files: Part,
    back: Hashing<W>,
    parts: usize,
}

impl<W: Write + Seek> Writing<W> {
    /// Begins one, of these files.
    ///
    /// # Errors
    /// When the file cannot be written, or one of these cannot be remembered; below, when the file
    /// cannot be written.
    pub fn begin(mut file: W, files: Listing<'_>) -> io::Result<Self> {
        file.write_all(&[0; Head::LENGTH])?;
        let mut hashing = Hashing::new(file);
        let files = files.iter();
        hashing.put(&files.len())?;
        for file in files {
            hashing.put(&file.ok_or(io::ErrorKind::InvalidData)?)?;
        }
        let (file, files) = hashing.end()?;
        Ok(Self { files, back: Hashing::new(file), parts: 0 })
    }

    /// Writes pages, each with the number of its file.
    ///
    /// # Errors
    /// See [`Writing::begin`].
    pub fn pages(&mut self, pages: &[(usize, &Page<'_>)]) -> io::Result<()> {
        self.parts += 1;
        self.back.put(&pages.len())?;
        pages.iter().try_for_each(|numbered| self.back.put(numbered))
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// See [`Writing::begin`].
    pub fn end(mut self, rest: &Rest<'_>, front: &Front) -> io::Result<()> {
        while self.parts < PARTS {
            self.pages(&[])?;
        }
        self.back.put(rest)?;
        let (file, back) = self.back.end()?;
        let mut hashing = Hashing::new(file);
        hashing.put(front)?;
        let (mut file, front) = hashing.end()?;
        file.rewind()?;
        file.write_all(&Head { files: self.files, back, front }.bytes())
    }
}

/// What hashes as it writes, in large pieces: as one text in memory, a large memory would cost more
/// for its room than for its bytes.
struct Hashing<W> {
    to: W,
    waiting: Vec<u8>,
    sum: FoldHasher<'static>,
    written: u64,
}

/// So much is hashed and written at a time.
const PIECE: usize = 256 * 1024;

/// The checksum of no bytes. Pieces are added to it whole, as their limits count. It tells what was
/// torn from what is whole: nobody is kept out by it, as who could write a memory could sum it as well.
/// Another program may sum otherwise, which is no loss: it has its own memory.
fn empty_sum() -> FoldHasher<'static> {
    FixedState::default().build_hasher()
}

impl<W: Write> Hashing<W> {
    fn new(to: W) -> Self {
        Self { to, waiting: Vec::with_capacity(PIECE), sum: empty_sum(), written: 0 }
    }

    fn put<T: Serialize + ?Sized>(&mut self, value: &T) -> io::Result<()> {
        postcard::to_io(value, self).map(drop).map_err(io::Error::other)
    }

    fn write_piece(&mut self) -> io::Result<()> {
        self.sum.write(&self.waiting);
        self.to.write_all(&self.waiting)?;
        self.written += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }

    /// Where it went, and what.
    fn end(mut self) -> io::Result<(W, Part)> {
        if !self.waiting.is_empty() {
            self.write_piece()?;
        }
        Ok((self.to, Part { length: self.written, sum: self.sum.finish() }))
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.waiting.len() == PIECE {
            self.write_piece()?;
        }
        let fits = bytes.len().min(PIECE - self.waiting.len());
        self.waiting.extend_from_slice(&bytes[..fits]);
        Ok(fits)
    }

    /// Asked for after each value: nothing need be there before the end.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Back, Front, Hashing, Head, Key, PIECE, Part, Rest, Window, Writing, back};
    use crate::engine::memory::{Declared, Files, Listing, Page, Stat};
    use crate::engine::tree::Found;
    use crate::store::Version;
    use std::io::{Cursor, Write as _};
    use std::path::Path;

    fn found() -> Vec<Found> {
        let found = |name: &str| {
            let stat = Some(Stat::of(&Path::new("Cargo.toml").metadata().unwrap()));
            Found { name: name.into(), path: name.into(), stat }
        };
        vec![found("m/a.yaml"), found("m/b/c.yaml")]
    }

    fn memory() -> Vec<u8> {
        let (found, digests) = (found(), [[7; 32], [8; 32]]);
        let listing = Listing { folder: Path::new("m"), found: &found, digests: &digests };
        let key = Key {
            program: "p".to_owned(),
            lineage: "l".to_owned(),
            set: "s".to_owned(),
            folder: "f".to_owned(),
        };
        let front = Front {
            key,
            version: Version::default(),
            begun: 5,
            settled: 1,
            foreign: 0,
            quiet: true,
            window: Window::default(),
            kinds: vec!["Customer".to_owned()],
        };
        let page = |name| {
            let one = Declared { kind: 0, name, resource: "", keys: &[1, 2, 3], mark: &[4] };
            Page::Loose(vec![one])
        };
        let mut file = Cursor::new(Vec::new());
        let mut writing = Writing::begin(&mut file, listing).unwrap();
        writing.pages(&[(1, &page("b"))]).unwrap();
        writing.pages(&[(0, &page("a"))]).unwrap();
        writing.end(&Rest { selectors: vec![(1, "{}")], others: Vec::new() }, &front).unwrap();
        file.into_inner()
    }

    /// As it is read.
    fn read(bytes: &[u8]) -> Option<(Front, Files, Back<'_>)> {
        let head = Head::of(bytes.first_chunk()?)?;
        let mut rest = &bytes[Head::LENGTH..];
        let mut next = |part: &Part| {
            let (bytes, more) = rest.split_at_checked(usize::try_from(part.length).ok()?)?;
            rest = more;
            Some(bytes).filter(|bytes| part.is(bytes))
        };
        let (files, of_back) = (next(&head.files)?, next(&head.back)?);
        let front = head.front.value(next(&head.front)?)?;
        Some((front, Files::new(files.to_vec())?, back(of_back, 2)?))
    }

    #[test]
    fn what_is_written_is_read_again() {
        let bytes = memory();
        let (front, files, back) = read(&bytes).unwrap();
        assert_eq!(front.begun, 5);
        let stat = found()[0].stat.unwrap();
        let all: Vec<_> = files.iter().map(|f| (f.path, f.stat, f.digest().unwrap())).collect();
        assert_eq!(all, [("a.yaml", stat, [7; 32]), ("b/c.yaml", stat, [8; 32])]);
        assert_eq!(files.count(), 2);
        let names: Vec<_> = back.pages.iter().map(|page| page.open()[0].name).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(back.pages[0].open()[0].keys, [1, 2, 3]);
        assert_eq!(back.rest.selectors, [(1, "{}")]);
    }

    #[test]
    fn a_part_of_many_pieces_is_what_was_written_however_that_came() {
        let whole: Vec<u8> = (0..PIECE * 2 + 7).map(|at| u8::try_from(at % 251).unwrap()).collect();
        for at_once in [1, 999, PIECE - 1, PIECE, PIECE + 1, whole.len()] {
            let mut hashing = Hashing::new(Vec::new());
            whole.chunks(at_once).for_each(|bytes| hashing.write_all(bytes).unwrap());
            let (written, part) = hashing.end().unwrap();
            assert!(written == whole && part.is(&whole), "{at_once} at once");
            assert!(!part.is(&whole[1..]));
        }
        let exactly = Hashing::new(Vec::new());
        let (_, part) = exactly.end().unwrap();
        assert!(part.is(&[]) && !part.is(&[0]));
    }

    #[test]
    fn a_torn_or_changed_memory_is_none() {
        let bytes = memory();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(read(&changed).is_none(), "byte {at}");
            assert!(read(&bytes[..at]).is_none(), "torn at {at}");
        }
    }
}
