//! The bytes of a memory: a front that says whether anything moved, and a back with every resource.
//!
//! Both carry a digest of their own, so that a pass with nothing to do reads the front only, and a
//! file that was torn or changed is as good as none.

use crate::engine::memory::Window;
use crate::engine::memory::stat::Stat;
use crate::store::Version;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

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
    /// The files, in order of their paths below the folder.
    pub files: Vec<File>,
}

/// A file that was read without problems.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct File {
    /// Its path below the folder.
    pub path: String,
    /// Its stat before it was read.
    pub stat: Stat,
    /// SHA-256 of its bytes.
    pub digest: [u8; 32],
}

/// Every resource, in the shortest form that serves.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Back<'a> {
    /// What each file declares, in the order of the files.
    #[serde(borrow)]
    pub declared: Vec<Vec<Declared<'a>>>,
    /// Manifests that choose others by a selector, as JSON, each with the number of its file.
    #[serde(borrow)]
    pub selectors: Vec<(usize, &'a str)>,
    /// What is known beyond that.
    #[serde(borrow)]
    pub others: Vec<Other<'a>>,
}

impl Back<'_> {
    /// How many bytes it takes at most.
    fn size_max(&self) -> usize {
        let declared = self.declared.iter().flatten();
        let declared = declared.map(|one| {
            let texts = one.name.len() + one.resource.len();
            1 + texts + one.keys.len() + one.mark.len() + 4 * NUMBER_MAX
        });
        let others = self.others.iter();
        let others = others.map(|one| one.name.len() + one.keys.len() + 2 + 2 * NUMBER_MAX);
        let selectors = self.selectors.iter().map(|(_, text)| text.len() + 2 * NUMBER_MAX);
        let counts = NUMBER_MAX * (3 + self.declared.len());
        declared.chain(others).chain(selectors).sum::<usize>() + counts
    }
}

/// A declared resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Declared<'a> {
    /// The number of its kind.
    pub kind: u8,
    /// Its name.
    pub name: &'a str,
    /// The resource as JSON. Empty for a settled one: the store's row says the same.
    pub resource: &'a str,
    /// What it is called by and calls others by, eight bytes each; its own name comes first.
    pub keys: &'a [u8],
    /// A digest of what its manifest says and where, for a settled one; empty where that is not known.
    pub mark: &'a [u8],
}

impl Declared<'_> {
    /// True when there is nothing to say about it.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.resource.is_empty()
    }
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
const MAGIC: &[u8; 8] = b"pctlmem2";
/// The most bytes that a number takes, or the length of a text.
const NUMBER_MAX: usize = 10;
/// Magic, length of the front, digest of the front, digest of the back.
const HEAD: usize = 8 + 8 + 32 + 32;

/// A memory as bytes; `None` when it cannot be written, which never happens to what is in memory.
#[must_use]
pub fn encode(front: &Front, back: &Back<'_>) -> Option<Vec<u8>> {
    let front = postcard::to_stdvec(front).ok()?;
    let mut bytes = Vec::with_capacity(HEAD + front.len());
    bytes.extend(MAGIC);
    bytes.extend((front.len() as u64).to_le_bytes());
    bytes.extend(Sha256::digest(&front));
    bytes.extend([0; 32]);
    bytes.extend(front);
    let start = bytes.len();
    bytes.resize(start + back.size_max(), 0);
    let length = postcard::to_slice(back, &mut bytes[start..]).ok()?.len();
    bytes.truncate(start + length);
    let digest = Sha256::digest(&bytes[start..]);
    bytes[HEAD - 32..HEAD].copy_from_slice(&digest);
    Some(bytes)
}

/// The length of the front, and of all that stands before it, from the first bytes of a memory.
#[must_use]
pub fn front_end(bytes: &[u8]) -> Option<usize> {
    let length = bytes.strip_prefix(MAGIC)?.get(..8)?.try_into().ok()?;
    usize::try_from(u64::from_le_bytes(length)).ok()?.checked_add(HEAD)
}

/// The front; `None` when the bytes are not those that were written.
#[must_use]
pub fn front(bytes: &[u8]) -> Option<Front> {
    let front = bytes.get(HEAD..front_end(bytes)?)?;
    (Sha256::digest(front)[..] == bytes[16..48]).then(|| postcard::from_bytes(front).ok())?
}

/// The back; `None` when the bytes are not those that were written.
#[must_use]
pub fn back(bytes: &[u8]) -> Option<Back<'_>> {
    let back = bytes.get(front_end(bytes)?..)?;
    (Sha256::digest(back)[..] == bytes[48..80]).then(|| postcard::from_bytes(back).ok())?
}

#[cfg(test)]
mod tests {
    use super::{Back, Declared, Front, Key, Window, back, encode, front};
    use crate::store::Version;

    fn memory() -> Vec<u8> {
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
            files: Vec::new(),
        };
        let one = Declared { kind: 0, name: "a", resource: "", keys: &[1, 2, 3], mark: &[4] };
        encode(&front, &Back { declared: vec![vec![one]], ..Back::default() }).unwrap()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let bytes = memory();
        assert_eq!(front(&bytes).unwrap().begun, 5);
        assert_eq!(back(&bytes).unwrap().declared[0][0].keys, [1, 2, 3]);
    }

    #[test]
    fn a_torn_or_changed_memory_is_none() {
        let bytes = memory();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(front(&changed).is_none() || back(&changed).is_none(), "byte {at}");
            let torn = &bytes[..at];
            assert!(front(torn).is_none() || back(torn).is_none(), "torn at {at}");
        }
    }
}
