//! gather → plan → apply, and what that needs from the machine.

pub mod apply;
pub mod capacity;
pub mod cases;
pub mod cold;
pub mod commit;
pub mod dump;
pub mod executor;
pub mod follow;
pub mod gather;
pub mod git;
pub mod ingest;
pub mod islands;
pub mod lease;
pub mod machine;
pub mod memory;
pub mod moved;
pub mod narrow;
pub mod operate;
pub mod operation;
pub mod pause;
pub mod pieces;
pub mod policies;
pub mod reach;
pub mod records;
pub mod remember;
pub mod reread;
pub mod resume;
pub mod spread;
pub mod stale;
pub mod tree;
pub mod wake;
pub mod watch;
pub mod work;
pub mod workspace;

pub use gather::{Gathered, gather};
pub use workspace::Workspace;
