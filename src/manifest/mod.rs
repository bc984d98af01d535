//! From texts to resources and problems: `text -> tree -> typed spec -> checks across files`.
//!
//! Nothing here stops at the first problem, and nothing here reads a file: texts come in, values
//! go out.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod check;
pub mod codes;
pub mod document;
pub mod edit;
pub mod explain;
pub mod report;
pub mod schema;
pub mod write;
pub mod yaml;

pub use check::{Beyond, Manifests, check};
pub use document::{Document, FileRead, read_file};
