//! Why a plan does what it does with one resource: its references, its prerequisites, what it waits
//! for down to the root of it, who can mend it, and the manifest that would.

mod tree;

use crate::kinds::{AgentRole, Block, KindEntry, Mend};
use crate::model::{ResourceId, Source};
use crate::plan::change::{FieldChange, Plan};
use crate::plan::draft::Drafts;
use crate::plan::drafting::draft;
use crate::plan::judge::judge;
use crate::plan::pair::{Pairs, pair};
use crate::plan::{Action, Change, PlanInput, Reason};
use schemars::JsonSchema;
use serde::Serialize;
use tree::Asked;

/// The version of the machine format.
pub const WHY_API_VERSION: &str = "partnerctl.dev/why/v1";

/// The answer for one resource.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "partnerctl why -o json")]
pub struct Why {
    /// The format's version.
    pub api_version: String,
    /// `Kind/name`.
    #[schemars(with = "String")]
    pub resource: ResourceId,
    /// What its kind is.
    pub about: String,
    /// Where it is declared; empty when it is not.
    pub source: Source,
    /// Who may change it.
    pub roles: Vec<AgentRole>,
    /// Where other roles are needed; may be empty.
    pub roles_note: String,
    /// How it stands.
    pub mark: Mark,
    /// What the plan does with it.
    pub action: Option<Action>,
    /// Why, in one word.
    pub reason: Option<Reason>,
    /// Both in a sentence.
    pub sentence: String,
    /// The fields that differ.
    pub fields: Vec<FieldChange>,
    /// What stands against it.
    pub blocked: Vec<Block>,
    /// What it waits for, down to the root of it.
    pub waiting: Option<String>,
    /// Warnings about it.
    pub warnings: Vec<String>,
    /// References, prerequisites and dependencies.
    pub tree: Vec<Node>,
}

/// One thing it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// Whether it holds after the plan.
    pub mark: Mark,
    /// What it is, in a sentence.
    pub what: String,
    /// What to do; empty where nothing is to be done.
    pub hint: String,
    /// Who can mend it; empty where nothing is to be mended.
    pub roles: Vec<AgentRole>,
    /// What would mend it.
    pub mend: Option<Mend>,
    /// What this rests on in turn.
    pub below: Vec<Self>,
}

/// Whether something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// It holds after the plan.
    Holds,
    /// It does not.
    Fails,
    /// It would hold, but something it needs is held back.
    Waits,
    /// It does not hold, and nothing stops by that.
    Warns,
}

impl Why {
    /// What would mend it, each once, in the order of the tree.
    #[must_use]
    pub fn mends(&self) -> Vec<&Node> {
        fn gather<'a>(nodes: &'a [Node], into: &mut Vec<&'a Node>) {
            for node in nodes {
                if node.mend.is_some() && !into.iter().any(|known| known.mend == node.mend) {
                    into.push(node);
                }
                gather(&node.below, into);
            }
        }
        let mut mends = Vec::new();
        gather(&self.tree, &mut mends);
        mends
    }
}

/// Explains what a plan does with a resource; `None` for one that nobody knows.
#[must_use]
pub fn why(input: &PlanInput, plan: &Plan, id: &ResourceId) -> Option<Why> {
    let pairs = pair(input);
    let mut drafts = draft(input, &pairs);
    let worlds = judge(input, &pairs, &mut drafts);
    let mut asked = Asked::new(input, plan, &drafts, &worlds);
    let change = asked
        .change(id)
        .or_else(|| plan.changes.iter().find(|change| change.previous.as_ref() == Some(id)));
    let id = change.map_or(id, |change| &change.id);
    let entry = input.kinds.get(id.kind.as_str())?;
    let standing = Standing::of(&pairs, &drafts, change, id)?;
    let ailing = plan.warnings.iter().filter(|warning| warning.resource.as_ref() == Some(id));
    let warnings: Vec<String> = ailing.map(|warning| warning.message.clone()).collect();
    let (mark, sentence) = standing.sentence(entry, !warnings.is_empty());
    let tree = asked.below(id, 0);
    Some(Why {
        api_version: WHY_API_VERSION.to_owned(),
        resource: id.clone(),
        about: entry.facts.about.to_owned(),
        source: standing.source(&drafts, id),
        roles: entry.facts.roles.to_vec(),
        roles_note: entry.facts.roles_note.to_owned(),
        mark,
        action: change.map(|change| change.action),
        reason: change.map(|change| change.reason),
        sentence,
        fields: change.map(|change| change.fields.clone()).unwrap_or_default(),
        blocked: change.map(|change| change.blocked.clone()).unwrap_or_default(),
        waiting: change.and_then(|change| change.waiting.clone()),
        warnings,
        tree,
    })
}

/// How a resource stands in a plan.
enum Standing<'a> {
    Changes(&'a Change),
    Unchanged,
    Undeclared,
    Foreign(String),
    Unmanaged,
}

impl<'a> Standing<'a> {
    fn of(
        pairs: &Pairs,
        drafts: &Drafts,
        change: Option<&'a Change>,
        id: &ResourceId,
    ) -> Option<Self> {
        if let Some(change) = change {
            Some(Self::Changes(change))
        } else if drafts.unchanged.iter().any(|pair| pair.id() == Some(id)) {
            Some(Self::Unchanged)
        } else if drafts.undeclared.iter().chain(&pairs.outside).any(|stored| stored.id == *id) {
            Some(Self::Undeclared)
        } else if let Some(stored) = pairs.foreign.iter().find(|stored| stored.id == *id) {
            Some(Self::Foreign(stored.set.to_string()))
        } else {
            pairs.unmanaged.iter().any(|(other, _)| other == id).then_some(Self::Unmanaged)
        }
    }

    fn source(&self, drafts: &Drafts, id: &ResourceId) -> Source {
        let unchanged = || {
            let pair = drafts.unchanged.iter().find(|pair| pair.id() == Some(id));
            pair.and_then(|pair| Some(pair.desired.as_ref()?.source.clone()))
        };
        let undeclared = || drafts.undeclared.iter().find(|stored| stored.id == *id);
        match self {
            Self::Changes(change) => change.source.clone(),
            Self::Undeclared => undeclared().map(|s| s.source.clone()).unwrap_or_default(),
            _ => unchanged().unwrap_or_default(),
        }
    }

    fn sentence(&self, entry: &KindEntry, ails: bool) -> (Mark, String) {
        let deleting = entry.facts.deleting;
        match self {
            Self::Changes(change) => {
                let (action, reason) = (change.action.as_str(), told(change.reason));
                if !change.blocked.is_empty() {
                    (
                        Mark::Fails,
                        format!("the plan would {action} it ({reason}), but that is blocked"),
                    )
                } else if change.waiting.is_some() {
                    (Mark::Waits, format!("the plan would {action} it ({reason}), but that waits"))
                } else if let Some(effect) = &change.effect {
                    (Mark::Holds, format!("the plan would {action} it ({effect}): {reason}"))
                } else {
                    (Mark::Holds, format!("the plan would {action} it: {reason}"))
                }
            }
            Self::Unchanged if ails => {
                (Mark::Warns, "it is as declared, but not as it should be".to_owned())
            }
            Self::Unchanged => (Mark::Holds, "nothing is to be done: it is as declared".to_owned()),
            Self::Undeclared => (
                Mark::Holds,
                format!("it is no longer declared and left alone; --prune would {deleting}"),
            ),
            Self::Foreign(set) => {
                (Mark::Holds, format!("it belongs to the set {set}; this plan does not touch it"))
            }
            Self::Unmanaged => (
                Mark::Holds,
                "it is there and managed by nobody; declare it to take it over".to_owned(),
            ),
        }
    }
}

/// A reason in a few words.
fn told(reason: Reason) -> &'static str {
    match reason {
        Reason::New => "it is declared and not there yet",
        Reason::Changed => "it is declared otherwise than it is",
        Reason::Drifted => "it was changed outside",
        Reason::Gone => "it was there and vanished outside",
        Reason::Undeclared => "it is no longer declared",
        Reason::Renamed => "it is declared under another name",
        Reason::Expired => "its declared end has come",
        Reason::Unmanaged => "it is there already and declared for the first time",
        Reason::Renewed => "its time is over, and it was renewed outside as another one",
        Reason::Taken => "another set owns it until now, and it is taken over",
    }
}
