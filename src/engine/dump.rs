//! From what is there to what a manifest would declare of it: for `dump` and `adopt`.

use crate::engine::Gathered;
use crate::kinds::{KindEntry, Kinds, ReferenceTo, Standing, World};
use crate::manifest::write::Writer;
use crate::model::resource::{EXTERNAL_ID, PREVIOUS_NAME};
use crate::model::{
    KindName, Metadata, Observed, Resource, ResourceId, ResourceName, Source, Spec,
};
use crate::provider::Directory;
use std::collections::{BTreeMap, BTreeSet};

/// Which values are declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// Those last accepted: what nobody declared stays undeclared.
    Accepted,
    /// Those observed, of every field that can be declared.
    Observed,
}

/// Manifests to be written, by kind in dependency order and by name.
#[derive(Debug, Default)]
pub struct Dump {
    /// What to declare.
    pub resources: Vec<Resource>,
    /// Budgets that a selector made, by their name and the one they are declared under.
    pub moved: Vec<(ResourceId, ResourceId)>,
    /// What could not be declared as it is, in words.
    pub warnings: Vec<String>,
}

/// Makes manifests from one state of the store.
pub struct Dumper<'a> {
    kinds: &'a Kinds,
    gathered: &'a Gathered,
    directory: Directory,
    writer: Writer,
    /// Names that are in use or given away.
    taken: BTreeSet<ResourceId>,
    /// What a manifest declares, or will, of things that are still unmanaged.
    adopted: BTreeMap<(KindName, String), ResourceId>,
}

impl<'a> Dumper<'a> {
    /// Looks at a state of the store.
    #[must_use]
    pub fn new(kinds: &'a Kinds, gathered: &'a Gathered) -> Self {
        let directory = gathered.directory(kinds);
        let taken = gathered.stored.iter().map(|row| row.id.clone()).collect();
        let (writer, adopted) = (Writer::new(kinds), BTreeMap::new());
        Self { kinds, gathered, directory, writer, taken, adopted }
    }

    /// Keeps free what manifests declare already, and refers to what they take over by their names.
    pub fn declared(&mut self, resources: &[Resource]) {
        for Resource { id, metadata, .. } in resources {
            self.taken.insert(id.clone());
            if let Some(external) = metadata.annotation(EXTERNAL_ID) {
                self.adopted.insert((id.kind.clone(), external.to_owned()), id.clone());
            }
        }
    }

    /// What a set owns. A budget that a selector made cannot be declared under its name: it becomes
    /// one of its customer, under a name that is free.
    pub fn owned(&mut self, set: &str, values: Values) -> Dump {
        let mut dump = Dump::default();
        let gathered = self.gathered;
        for entry in self.kinds.iter() {
            let of_kind = |id: &ResourceId| id.kind.as_str() == entry.facts.kind;
            for row in gathered.stored.iter().filter(|row| *row.set == *set && of_kind(&row.id)) {
                let spec = match (values, &row.observed) {
                    (Values::Accepted, _) => self.settled(entry, row, &mut dump),
                    (Values::Observed, Some(observed)) => self.observed(entry, observed),
                    (Values::Observed, None) => {
                        let what = "is not there any more, and is left out";
                        dump.warnings.push(format!("{} {what}", row.id));
                        continue;
                    }
                };
                let (mut id, mut metadata) = (row.id.clone(), row.metadata.clone());
                if id.name.is_generated() {
                    id = self.free(entry, &id.name.as_str().replace('/', "-"));
                    // They spoke of the selector's manifest.
                    let mut annotations = metadata.annotations.as_ref().clone();
                    annotations.retain(|key, _| key != PREVIOUS_NAME && key != EXTERNAL_ID);
                    metadata.annotations = annotations.into();
                    dump.moved.push((row.id.clone(), id.clone()));
                }
                dump.resources.push(Resource { id, metadata, spec, source: Source::default() });
            }
        }
        // A budget may have got a name of another place.
        dump.resources.sort_by_key(|r| (self.kinds.rank(r.id.kind.as_str()), r.id.clone()));
        let known = |id: &ResourceId| self.kinds.get(id.kind.as_str()).is_some();
        let strange = gathered.stored.iter().filter(|row| *row.set == *set && !known(&row.id));
        dump.warnings.extend(strange.map(|row| {
            format!("{} is of a kind that this version does not know, and is left out", row.id)
        }));
        dump
    }

    /// Manifests that take over what nobody manages, each with the annotation that says which it is.
    /// `name` is for a single thing.
    pub fn unmanaged(&mut self, chosen: &[&Observed], name: Option<&ResourceName>) -> Dump {
        let mut dump = Dump::default();
        let kinds = self.kinds;
        for entry in kinds.iter() {
            let of_kind = |thing: &&&Observed| thing.kind.as_str() == entry.facts.kind;
            for thing in chosen.iter().filter(of_kind) {
                let id = match name {
                    Some(name) => ResourceId { kind: thing.kind.clone(), name: name.clone() },
                    None => self.free(entry, &thing.name),
                };
                self.adopted.insert((thing.kind.clone(), thing.external_id.clone()), id.clone());
                let spec = self.observed(entry, &thing.spec);
                let external = (EXTERNAL_ID.to_owned(), thing.external_id.clone());
                let annotations = BTreeMap::from([external]).into();
                let metadata = Metadata { annotations, ..Metadata::default() };
                dump.resources.push(Resource { id, metadata, spec, source: Source::default() });
            }
        }
        dump
    }

    /// A resource as a YAML document.
    ///
    /// # Errors
    /// A sentence, when it cannot be written.
    pub fn document(&self, resource: &Resource) -> Result<String, String> {
        let written = self.writer.document(resource);
        written.map_err(|error| format!("{} cannot be written as YAML: {error}", resource.id))
    }

    /// The customer that each of some resources belongs to, managed ones and these together.
    #[must_use]
    pub fn world(&self, resources: &[Resource]) -> World {
        let stored = self.gathered.stored.iter().map(|row| (row.id.clone(), row.spec.clone()));
        let all = stored.chain(resources.iter().map(|r| (r.id.clone(), r.spec.clone())));
        World::new(self.kinds, all.map(|(id, spec)| Standing { id, spec }))
    }

    /// An observed state as a manifest may declare it, references by name where there is one.
    fn observed(&self, entry: &KindEntry, observed: &Spec) -> Spec {
        let mut spec = self.directory.inward(entry, observed);
        for reference in entry.facts.references {
            if let Some(ReferenceTo::External(external)) = reference.target(&spec)
                && let Some(id) = self.adopted.get(&(KindName::new(reference.kind), external))
            {
                spec.set(reference.path, crate::model::Value::reference(id.name.as_str()));
            }
        }
        (entry.as_declared)(&mut spec);
        self.writer.declarable(entry.facts.kind, &spec).unwrap_or(spec)
    }

    /// The accepted spec, with references that lead somewhere: a name that is no longer in the store
    /// gives way to what is observed in its place.
    fn settled(&self, entry: &KindEntry, row: &crate::model::Stored, dump: &mut Dump) -> Spec {
        let mut spec = row.spec.clone();
        let observed = row.observed.as_ref().map(|observed| self.observed(entry, observed));
        for reference in entry.facts.references {
            let Some(ReferenceTo::Resource(target)) = reference.target(&row.spec) else { continue };
            if self.directory.row(&target).is_some() {
                continue;
            }
            match observed.as_ref().and_then(|observed| observed.get(reference.path)) {
                Some(value) => spec.set(reference.path, value.clone()),
                None => dump.warnings.push(format!(
                    "{} refers to {target}, which is not in the store: change its spec.{}",
                    row.id, reference.path
                )),
            }
        }
        spec
    }

    /// A valid name like a text, which nothing of its kind has.
    fn free(&mut self, entry: &KindEntry, like: &str) -> ResourceId {
        let stem = name_like(like).unwrap_or_else(|| entry.facts.kind.to_lowercase());
        let mut id = ResourceId::new(entry.facts.kind, &stem);
        let mut number = 2;
        while !self.taken.insert(id.clone()) {
            id = ResourceId::new(entry.facts.kind, &format!("{stem}-{number}"));
            number += 1;
        }
        id
    }
}

/// The longest stem of a name that a number is put behind.
const STEM_MAX: usize = 240;

/// The name that a text comes nearest to.
fn name_like(text: &str) -> Option<String> {
    let plain: String = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { c })
        .map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' })
        .take(STEM_MAX)
        .collect();
    let parts = plain.split('.').map(|part| part.trim_matches('-')).filter(|part| !part.is_empty());
    let name = parts.collect::<Vec<_>>().join(".");
    ResourceName::parse(&name).ok().map(|name| name.to_string())
}

#[cfg(test)]
mod tests {
    use super::name_like;

    #[test]
    fn every_text_comes_near_to_a_name() {
        for (text, name) in [
            ("contoso", Some("contoso")),
            ("Contoso B.V.", Some("contoso-b.v")),
            ("gold-contoso.nl", Some("gold-contoso.nl")),
            ("a/b", Some("a-b")),
            ("..-.a..b-", Some("a.b")),
            ("ä", None),
            ("", None),
        ] {
            assert_eq!(name_like(text).as_deref(), name, "{text}");
        }
    }
}
