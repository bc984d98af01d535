//! What a plan is known by: its id, which unchanged work keeps, and the digest of all of it.

use crate::model::Source;
use crate::model::digest::Digest;
use crate::model::parallel::parts;
use crate::plan::Plan;
use crate::plan::change::{Change, PLAN_API_VERSION};
use serde::Serialize;

/// Digests over the changes of a plan, from which its id and its digest go on.
pub(super) struct Hashed {
    /// Over what is done.
    id: Digest,
    /// Over what the document says beside it.
    whole: Digest,
}

/// Hashes changes whose sources stand beside them: where a change comes from is part of the document
/// but not of the id, since documents moved between files are the same plan. A change is written out and
/// hashed once, as the digest covers what the id does; that is most of what a large plan's identity
/// costs.
pub(super) fn hash(
    lineage: Option<&str>,
    set: &str,
    changes: &[Change],
    sources: &[Source],
) -> Hashed {
    let mut id = Digest::default().text(PLAN_API_VERSION).optional(lineage).text(set);
    let mut whole = Digest::default().text(PLAN_API_VERSION).number(length(changes));
    id = texts(id, changes);
    for Source { file, line, commit, author } in sources {
        let line = line.map(i64::from);
        whole = whole.optional(file.as_deref()).number(line).optional(commit.as_deref());
        if let Some(author) = author {
            whole = whole.text(author.as_ref());
        }
    }
    Hashed { id, whole }
}

/// So many items are written out before they are hashed: that is done on all cores, and hashing on
/// one.
const WRITTEN_AT_ONCE: usize = 4_096;

/// Adds the JSON of each item.
fn texts<T: Serialize + Sync>(mut digest: Digest, items: &[T]) -> Digest {
    for items in items.chunks(WRITTEN_AT_ONCE) {
        for written in parts(items, Written::of) {
            digest = written.texts().fold(digest, Digest::bytes);
        }
    }
    digest
}

/// Some items, written out.
struct Written {
    all: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Written {
    fn of<T: Serialize>(items: &[T]) -> Self {
        let mut written = Self { all: Vec::new(), ends: Vec::with_capacity(items.len()) };
        for item in items {
            // Writing into memory does not fail, and every part of a plan has a JSON.
            let _done = serde_json::to_writer(&mut written.all, item);
            written.ends.push(written.all.len());
        }
        written
    }

    fn texts(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts.zip(&self.ends).map(|(start, end)| &self.all[*start..*end])
    }
}

fn length<T>(items: &[T]) -> Option<i64> {
    i64::try_from(items.len()).ok()
}

impl Hashed {
    /// Those of a plan as it stands.
    pub(super) fn of(plan: &mut Plan) -> Self {
        let sources: Vec<Source> =
            plan.changes.iter_mut().map(|change| std::mem::take(&mut change.source)).collect();
        let hashed = hash(plan.lineage.as_deref(), &plan.set, &plan.changes, &sources);
        put_back(&mut plan.changes, sources);
        hashed
    }

    /// The hash of lineage, set, changes with their revisions, and money.
    pub(super) fn id(&self, plan: &Plan) -> String {
        let money = serde_json::to_string(&plan.money).unwrap_or_default();
        self.id.clone().text(&money).hex()[..12].to_owned()
    }

    /// SHA-256 over everything in the document but its digest.
    pub(super) fn digest(self, plan: &Plan) -> String {
        let Plan {
            api_version,
            id,
            lineage,
            created_at,
            actor,
            set,
            summary,
            changes: _,
            money,
            refused,
            warnings,
            undeclared,
            outside,
            only_observed,
            ended_suspensions,
            policies,
            basis,
            records,
            digest: _,
        } = plan;
        let mut whole =
            self.whole.text(&self.id.hex()).text(api_version).text(id).optional(lineage.as_deref());
        whole = whole.text(created_at).text(actor).text(set);
        let small = (summary, money, refused, outside);
        whole = each(whole, std::slice::from_ref(&small));
        whole = each(whole, warnings);
        whole = each(whole, undeclared);
        whole = each(whole, only_observed);
        // A document without any has the digest it had before there were suspensions.
        if !ended_suspensions.is_empty() {
            whole = each(whole, ended_suspensions);
        }
        whole = each(whole, basis);
        whole = each(whole, records);
        policies.iter().fold(whole, |whole, said| each(whole, std::slice::from_ref(said))).hex()
    }
}

/// Adds the JSON of each item, and before them how many there are.
fn each<T: Serialize + Sync>(digest: Digest, items: &[T]) -> Digest {
    texts(digest.number(length(items)), items)
}

/// Gives changes their sources again.
pub(super) fn put_back(changes: &mut [Change], sources: Vec<Source>) {
    for (change, source) in changes.iter_mut().zip(sources) {
        change.source = source;
    }
}

/// The id of a plan, as it stands.
pub(super) fn id_of(plan: &mut Plan) -> String {
    Hashed::of(plan).id(plan)
}

/// The id before there was a store: such a plan names no lineage; nothing else differs while it is
/// empty.
pub(super) fn first_id_of(plan: &mut Plan) -> String {
    let lineage = plan.lineage.take();
    let id = id_of(plan);
    plan.lineage = lineage;
    id
}

/// SHA-256 over the whole document but its digest.
#[must_use]
pub fn digest_of(plan: &mut Plan) -> String {
    Hashed::of(plan).digest(plan)
}
