//! All tests outside the library: one binary.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test that cannot go on fails"
)]

mod approvals;
mod codes;
mod commits;
mod common;
mod conformance;
mod crash;
mod events;
mod generated;
mod hostile;
mod locks;
mod manifests;
mod markdown;
mod memory;
mod operations;
mod outside;
mod outside_reservations;
mod pipelines;
mod properties;
mod python;
mod refunds;
mod reservations;
mod roles;
mod saved;
mod stale;
mod stories;
mod suspensions;
mod tamper;
mod terminal;
mod tidy;
mod toy_kind;
mod undo;
mod watch;
mod watch_git;
mod watch_rules;
