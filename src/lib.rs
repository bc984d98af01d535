//! partnerctl: a declarative reconciler for Microsoft Cloud Solution Provider partners.
//!
//! Manifests say what should be; [`engine`] gathers that and what is, [`plan`] compares the two, and
//! the engine carries the plan out. The layers in reading order, each importing only those above it:

pub mod model;

pub mod kinds;

pub mod manifest;

pub mod finance;

pub mod plan;

pub mod store;

pub mod provider;

pub mod engine;

pub mod cli;
