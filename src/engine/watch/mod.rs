//! Watching a folder: when a pass runs ([`state`], pure), what its files look like ([`snapshot`]),
//! how one hears that they moved ([`ears`]), and what was said already ([`told`], pure).
//!
//! What is heard only wakes: the pass after it reads everything for itself, as `apply` does.

pub mod ears;
pub mod snapshot;
pub mod state;
pub mod told;
