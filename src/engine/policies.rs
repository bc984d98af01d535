//! The policies of `partnerctl.yaml`, checked against the kinds: a rule that can never match guards
//! nothing, so a kind or a field that does not exist is an error.

use crate::engine::Gathered;
use crate::engine::tree::WORKSPACE_FILE;
use crate::kinds::staff::KIND as PARTNER_USER;
use crate::kinds::{AgentRole, KindEntry, Kinds, Staff};
use crate::manifest::explain;
use crate::model::decode::Decoded;
use crate::model::problem::{Finding, Location, Problem};
use crate::model::tree::Node;
use crate::model::{KindName, Source, code};
use crate::plan::policy::{Match, Policies, Policy};
use crate::store::{Store, StoreError};
use std::collections::{BTreeMap, BTreeSet};

/// The partner's staff as policies ask of whoever approves, when they ask for any of these roles. It is
/// read as for plans, but where partner users are managed and all are gone outside, nobody may approve:
/// a plan could not bring them back then, an approval can wait until it did.
///
/// # Errors
/// When the store fails.
pub fn staff(
    roles: &BTreeSet<AgentRole>,
    gathered: &Gathered,
    store: &dyn Store,
) -> Result<Staff, StoreError> {
    let staff = Staff::of("", &gathered.staff);
    if roles.is_empty() || staff.is_checked() {
        return Ok(staff);
    }
    let are_managed = store.manages_any(&KindName::new(PARTNER_USER))?;
    Ok(if are_managed { staff.managed() } else { staff })
}

/// Checks the policies of a settings file. `read` is that file, `policies` are those it has; the
/// places of problems are in `file`.
pub fn check<T>(
    kinds: &Kinds,
    root: &Node,
    read: &Decoded<T>,
    policies: Vec<Policy>,
    file: &str,
) -> (Policies, Vec<Problem>) {
    let mut problems = Vec::new();
    let at = |path: &str| Location { file: file.into(), span: root.place(path) };
    let mut firsts: BTreeMap<String, usize> = BTreeMap::new();
    let mut rules = Vec::new();
    for (index, policy) in policies.into_iter().enumerate() {
        let findings = policy.check().into_iter().chain(check_match(kinds, &policy.matching));
        for Finding { code, path, message, hint, rests_on: _ } in findings {
            let path = format!("policies.[{index}].{path}");
            if !read.reported(root, &path, &message) {
                problems.push(Problem::new(code, vec![at(&path)], message, hint));
            }
        }
        let path = format!("policies.[{index}].name");
        let name = policy.name.to_string();
        match firsts.get(&name).filter(|_| !read.reported(root, &path, "")) {
            Some(first) => {
                let places = vec![at(&path), at(&format!("policies.[{first}].name"))];
                let message = format!("another policy is called {name} already");
                let hint = "give it a name of its own: plans show policies by name";
                problems.push(Problem::new(code::DUPLICATE_POLICY, places, message, hint));
            }
            None => {
                firsts.insert(name, index);
            }
        }
        let line = Some(root.place(&path).line);
        rules.push((
            policy,
            Source { file: Some(WORKSPACE_FILE.into()), line, ..Source::default() },
        ));
    }
    (Policies { rules }, problems)
}

/// Kinds and fields that do not exist.
fn check_match(kinds: &Kinds, matching: &Match) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut named: Vec<&KindEntry> = Vec::new();
    for (index, word) in matching.kinds.iter().flatten().enumerate() {
        match kinds.get(word.as_str()) {
            Some(entry) => named.push(entry),
            None => {
                let path = format!("match.kinds.[{index}]");
                let message = format!("there is no kind `{word}`");
                let hint = kinds.find(word.as_str()).map_or_else(
                    || kinds.hint(word.as_str()),
                    |entry| format!("did you mean `{}`?", entry.facts.kind),
                );
                findings.push(Finding::new(code::UNKNOWN_KIND, &path, message, hint));
            }
        }
    }
    if !findings.is_empty() {
        return findings;
    }
    let among: Vec<&KindEntry> = if named.is_empty() { kinds.iter().collect() } else { named };
    for (index, field) in matching.fields.iter().flatten().enumerate() {
        if let Err(hint) = find(&among, field.as_str()) {
            let path = format!("match.fields.[{index}]");
            let message = match among.as_slice() {
                [one] => format!("a {} has no field `{field}`", one.facts.kind),
                _ => format!("no kind that is meant has a field `{field}`"),
            };
            findings.push(Finding::new(code::UNKNOWN_FIELD, &path, message, hint));
        }
    }
    findings
}

/// Whether one of the kinds has a field; else the field that may be meant.
fn find(among: &[&KindEntry], path: &str) -> Result<(), String> {
    let mut near = None;
    for map in ["metadata.labels", "metadata.annotations"] {
        let rest = path.strip_prefix(map);
        if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
            return Ok(());
        }
    }
    for entry in among {
        let fields = explain::fields(entry);
        match explain::find(&fields, path) {
            Ok(found) if found.path == path => return Ok(()),
            Ok(found) => near = near.or_else(|| Some(found.path.clone())),
            Err((_, meant)) => near = near.or(meant),
        }
    }
    Err(match near {
        Some(path) => format!("did you mean `{path}`?"),
        None => "`partnerctl explain KIND --recursive` lists the fields of a kind".to_owned(),
    })
}
