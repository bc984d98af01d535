//! All tests outside the library: one binary.

mod common;
mod conformance;
mod crash;
mod generated;
mod hostile;
mod locks;
mod manifests;
mod properties;
mod stories;
mod tamper;
mod tidy;
mod toy_kind;
