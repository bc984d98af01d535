//! From a document tree to a typed value through serde, without stopping at the first error.
//!
//! serde ends at an error. So that one run reports everything, a pass that failed at a value (or
//! for a missing field) is repeated with a stand-in there, until nothing new is found. A document
//! without errors is read once.

mod canonical;
mod error;
mod reader;
mod stand_in;
mod value;

pub use canonical::canonical;

use crate::model::code::{self, Code};
use crate::model::problem::{Problem, did_you_mean};
use crate::model::tree::{Entry, Node, Span, Value};
use error::{Error, Place, What};
use reader::Reader;
use serde::Deserialize;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Passes over one document at most: bounds the work on hostile input.
const PASSES_MAX: usize = 128;

/// Unknown fields of one document for which a near name is looked for: bounds the work too.
const HINTS_MAX: usize = 50;

/// A problem at a place of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The stable code.
    pub code: Code,
    /// Where.
    pub span: Span,
    /// What is wrong.
    pub message: String,
    /// What to do; may be empty.
    pub hint: String,
}

impl Fault {
    /// The problem it is in a file.
    #[must_use]
    pub fn within(self, file: &Arc<str>) -> Problem {
        Problem::at(self.code, file, self.span, self.message, self.hint)
    }
}

/// What came out of a document.
#[derive(Debug)]
pub struct Decoded<T> {
    /// The value; with stand-ins where there are faults, and `None` when no stand-in would do.
    pub value: Option<T>,
    /// Everything found, in the order found.
    pub faults: Vec<Fault>,
    broken: BTreeSet<usize>,
    missing: BTreeSet<(usize, &'static str)>,
    meant: BTreeSet<(usize, String)>,
}

impl<T> Decoded<T> {
    /// Keeps the faults, changes the value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Decoded<U> {
        let Self { value, faults, broken, missing, meant } = self;
        Decoded { value: value.map(change), faults, broken, missing, meant }
    }

    /// True when a check about a path would only repeat a fault in other words: something at or
    /// above it was refused or is missing, or a field that the check speaks of stands there under a
    /// misspelt name.
    #[must_use]
    pub fn reported(&self, root: &Node, path: &str, message: &str) -> bool {
        let nodes = root.chain(path);
        let steps: Vec<&str> = path.split('.').filter(|step| !step.is_empty()).collect();
        nodes.iter().enumerate().any(|(depth, node)| {
            let address = address(node);
            let next = steps.get(depth).copied();
            matches!(node.value, Value::Unread)
                || self.broken.contains(&address)
                || self.missing.iter().any(|(at, field)| *at == address && next == Some(field))
                || self.meant.iter().any(|(at, field)| {
                    *at == address
                        && (next == Some(field) || message.contains(&format!("`{field}`")))
                })
        })
    }
}

/// Reads a typed value from a document tree, gathering all faults.
pub fn decode<'t, T: Deserialize<'t>>(root: &'t Node) -> Decoded<T> {
    let context = Context::default();
    let mut value = None;
    for pass in 0..=PASSES_MAX {
        if pass == PASSES_MAX {
            context.give_up(root);
            break;
        }
        match T::deserialize(Reader { node: root, context: &context }) {
            Ok(read) => {
                value = Some(read);
                break;
            }
            Err(error) => {
                if !context.record(error, root) {
                    break;
                }
            }
        }
    }
    let Findings { mut faults, broken, missing, meant, .. } = context.0.into_inner();
    faults.sort_by_key(|fault| fault.span);
    Decoded { value, faults, broken, missing, meant }
}

#[derive(Default)]
struct Findings {
    faults: Vec<Fault>,
    /// Values that were refused; a stand-in takes their place.
    broken: BTreeSet<usize>,
    /// Required fields that are not there, by mapping.
    missing: BTreeSet<(usize, &'static str)>,
    /// Unknown fields by mapping, reported once.
    unknown: BTreeSet<usize>,
    /// Fields that an unknown field was probably meant to be, by mapping.
    meant: BTreeSet<(usize, String)>,
}

#[derive(Default)]
struct Context(RefCell<Findings>);

/// Nodes do not move while a document is read, so their address names them.
fn address(node: &Node) -> usize {
    std::ptr::from_ref(node) as usize
}

impl Context {
    fn is_broken(&self, node: &Node) -> bool {
        matches!(node.value, Value::Unread) || self.0.borrow().broken.contains(&address(node))
    }

    fn missing_in(&self, node: &Node) -> Vec<&'static str> {
        let at = address(node);
        self.0.borrow().missing.iter().filter(|(map, _)| *map == at).map(|(_, f)| *f).collect()
    }

    /// Writes an error down; false when it leads nowhere new and reading must end.
    fn record(&self, error: Error, root: &Node) -> bool {
        let mut findings = self.0.borrow_mut();
        let place = error.place.unwrap_or(Place { address: address(root), span: root.span });
        match error.what {
            What::StandIn => false,
            What::Missing(field) => {
                if !findings.missing.insert((place.address, field)) {
                    return false;
                }
                if !findings.meant.contains(&(place.address, field.to_owned())) {
                    findings.faults.push(Fault {
                        code: code::MISSING_FIELD,
                        span: place.span,
                        message: format!("`{field}` is missing"),
                        hint: format!("add `{field}:` here"),
                    });
                }
                true
            }
            What::Refused { code, message, hint } => {
                if !findings.broken.insert(place.address) {
                    return false;
                }
                findings.faults.push(Fault { code, span: place.span, message, hint });
                true
            }
        }
    }

    fn give_up(&self, root: &Node) {
        let message = format!("this has more than {PASSES_MAX} problems; the rest is not shown");
        let hint = "mend the ones shown first".to_owned();
        let fault = Fault { code: code::INVALID_VALUE, span: root.span, message, hint };
        self.0.borrow_mut().faults.push(fault);
    }

    fn unknown_field(&self, map: &Node, entry: &Entry, fields: &'static [&'static str]) {
        let mut findings = self.0.borrow_mut();
        if !findings.unknown.insert(address(&entry.value)) {
            return;
        }
        let present: Vec<&str> = match &map.value {
            Value::Mapping(entries) if findings.unknown.len() <= HINTS_MAX => {
                entries.iter().map(|e| e.key.as_str()).collect()
            }
            _ => Vec::new(),
        };
        let searched = findings.unknown.len() <= HINTS_MAX;
        let free = fields.iter().copied().filter(|field| searched && !present.contains(field));
        let hint = if let Some(field) = did_you_mean(&entry.key, free) {
            findings.meant.insert((address(map), field.to_owned()));
            format!("did you mean `{field}`?")
        } else {
            format!("known fields: {}", fields.join(", "))
        };
        let shown: String = entry.key.chars().take(60).collect();
        findings.faults.push(Fault {
            code: code::UNKNOWN_FIELD,
            span: entry.key_span,
            message: format!("unknown field `{shown}`"),
            hint,
        });
    }
}
