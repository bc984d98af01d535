//! What the file system says of a file, to tell without reading whether it is the one that was read.

use serde::{Deserialize, Serialize};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// So long before a pass a file must have been changed last, for its stat to be trusted: clocks of
/// file systems tick in up to two seconds, and a change within one tick shows in no stat. The rule
/// is that of git's index.
const TICK: i64 = 2_000_000_000;

/// Size, times and place of a file. Times are nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stat {
    size: u64,
    modified: i64,
    changed: i64,
    inode: u64,
    device: u64,
}

impl Stat {
    /// Of a file.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        let nanoseconds = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000) + rest;
        Self {
            size: metadata.size(),
            modified: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
            device: metadata.dev(),
        }
    }

    /// All of it.
    #[must_use]
    pub fn bytes(&self) -> [u8; 40] {
        let Self { size, modified, changed, inode, device } = *self;
        let mut bytes = [0; 40];
        let parts = [size, modified.cast_unsigned(), changed.cast_unsigned(), inode, device];
        for (place, part) in bytes.chunks_exact_mut(8).zip(parts) {
            place.copy_from_slice(&part.to_le_bytes());
        }
        bytes
    }

    /// True when a file with this stat, read by a pass that began at `begun`, holds the same as long
    /// as its stat stays. `false` where a change just after may not show.
    #[must_use]
    pub fn holds_from(&self, begun: i64) -> bool {
        self.modified.max(self.changed).saturating_add(TICK) < begun
    }
}

#[cfg(test)]
mod tests {
    use super::{Stat, TICK};

    #[test]
    fn a_stat_is_trusted_only_when_the_file_had_rested() {
        let stat = Stat { size: 1, modified: 10, changed: 20, inode: 1, device: 1 };
        assert!(!stat.holds_from(20));
        assert!(!stat.holds_from(20 + TICK));
        assert!(stat.holds_from(21 + TICK));
    }
}
