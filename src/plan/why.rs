//! Why a plan does what it does with one resource: its references, its prerequisites, what it waits
//! for down to the root of it, who can mend it, and the manifest that would.

use crate::kinds::{
    self, AgentRole, Block, KindEntry, Mend, ReferenceTo, Rule, Transition, Verdict, Weight,
};
use crate::model::resource::{DELETION_POLICY, PREVIOUS_NAME};
use crate::model::{ResourceId, Source, Spec, code};
use crate::plan::change::{FieldChange, Plan};
use crate::plan::draft::{Draft, Drafts, draft};
use crate::plan::judge::{Worlds, judge};
use crate::plan::pair::{Pairs, pair};
use crate::plan::{Action, Change, PlanInput, Reason};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;

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
    let mut asked = Asked {
        input,
        plan,
        drafts: &drafts,
        worlds: &worlds,
        seen: BTreeSet::new(),
        said: BTreeSet::new(),
    };
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
        Reason::Unmanaged => "it is there already and declared for the first time",
    }
}

/// The plan with what it was made from, and the resources told of already.
struct Asked<'a> {
    input: &'a PlanInput,
    plan: &'a Plan,
    drafts: &'a Drafts,
    worlds: &'a Worlds,
    seen: BTreeSet<ResourceId>,
    /// Causes told of already: each is told once, with its remedy.
    said: BTreeSet<String>,
}

impl<'a> Asked<'a> {
    fn change(&self, id: &ResourceId) -> Option<&'a Change> {
        self.plan.changes.iter().find(|change| change.id == *id)
    }

    fn draft(&self, id: &ResourceId) -> Option<&'a Draft> {
        self.drafts.changing.iter().find(|draft| draft.id == *id)
    }

    /// What a resource rests on: where it refers to, what its kind needs, what else comes first, and
    /// what stands against its change beyond that.
    fn below(&mut self, id: &ResourceId, depth: usize) -> Vec<Node> {
        self.seen.insert(id.clone());
        let Some(entry) = self.input.kinds.get(id.kind.as_str()).copied() else {
            return Vec::new();
        };
        let draft = self.draft(id);
        let standing = self.worlds.ideal.get(id).or_else(|| self.worlds.before.get(id));
        let spec = match draft {
            Some(draft) => draft.after.clone().or_else(|| draft.before.clone()),
            None => standing.map(|standing| standing.spec.clone()),
        };
        let spec = spec.unwrap_or_default();
        let transition = match draft {
            Some(draft) => draft.transition(self.input),
            None => Transition::staying(id, &spec),
        };
        let goes = transition.after.is_none();
        let mut rules: Vec<Node> =
            entry.rules.iter().flat_map(|rule| self.rule(&entry, rule, &transition)).collect();
        let blocks = self.blocks(&entry, id, &rules);
        rules.extend(blocks);
        rules.retain(|node| node.mark == Mark::Holds || self.said.insert(node.what.clone()));
        let mut nodes = Vec::new();
        if !goes {
            nodes.extend(self.references(&entry, &spec, depth));
        }
        nodes.extend(self.held(id, depth));
        nodes.extend(rules);
        if depth > 0 {
            nodes.retain(|node| node.mark != Mark::Holds || !node.below.is_empty());
        }
        nodes
    }

    fn references(&mut self, entry: &KindEntry, spec: &Spec, depth: usize) -> Vec<Node> {
        let mut nodes = Vec::new();
        for reference in entry.facts.references {
            match reference.target(spec) {
                Some(ReferenceTo::Resource(target)) => {
                    nodes.push(self.resource(&target, &format!("{}: ", reference.path), depth));
                }
                Some(ReferenceTo::External(external)) => nodes.push(Node::of(
                    Mark::Holds,
                    format!("{}: external {external}, taken on trust", reference.path),
                )),
                None => {}
            }
        }
        nodes
    }

    /// Changes that must come first and are held back, beyond what is referred to.
    fn held(&mut self, id: &ResourceId, depth: usize) -> Vec<Node> {
        let first = self.change(id).map(|change| change.depends_on.clone()).unwrap_or_default();
        let held = first.into_iter().filter(|first| {
            !self.seen.contains(first) && self.change(first).is_some_and(|c| !c.proceeds())
        });
        let held: Vec<ResourceId> = held.collect();
        held.iter().map(|first| self.resource(first, "comes first: ", depth)).collect()
    }

    /// Another resource that something rests on.
    fn resource(&mut self, id: &ResourceId, lead: &str, depth: usize) -> Node {
        let (mark, what) = self.how(id);
        let mut node = Node::of(mark, format!("{lead}{what}"));
        if !self.seen.contains(id) {
            node.below = self.below(id, depth + 1);
        }
        // What stands below says it with its remedy.
        let said = |below: &Node| what.ends_with(&below.what);
        if node.below.iter().any(said) {
            let short = if mark == Mark::Fails { "is blocked" } else { "waits" };
            node.what = format!("{lead}{id} {short}");
        }
        node
    }

    fn how(&self, id: &ResourceId) -> (Mark, String) {
        let gate = || {
            let standing = self.worlds.after.get(id)?;
            (self.input.kinds.get(id.kind.as_str())?.gate)(&standing.spec)
        };
        match self.change(id) {
            Some(change) if !change.blocked.is_empty() && self.worlds.after.get(id).is_some() => {
                (Mark::Warns, format!("{id} exists, but its own change is blocked"))
            }
            Some(change) if !change.blocked.is_empty() => {
                let first = &change.blocked[0];
                (Mark::Fails, format!("{id} is blocked: {}", first.message))
            }
            Some(Change { waiting: Some(waiting), .. }) => {
                (Mark::Waits, format!("{id} waits for {waiting}"))
            }
            Some(change) if change.action == Action::Delete && !change.release => {
                (Mark::Fails, format!("{id} goes with this plan"))
            }
            change => match (self.worlds.after.get(id), gate()) {
                (None, _) => (Mark::Fails, format!("{id} does not exist")),
                (Some(_), Some(reason)) => (Mark::Waits, format!("{id}: {reason}")),
                (Some(standing), None) => {
                    let state = standing.spec.text("state").or(standing.spec.text("relationship"));
                    let state = state.map(|state| format!(" and is {state}")).unwrap_or_default();
                    let made = match change.map(|change| change.action) {
                        Some(Action::Create) => "is made by this plan",
                        Some(_) => "is changed by this plan",
                        None => "exists",
                    };
                    (Mark::Holds, format!("{id} {made}{state}"))
                }
            },
        }
    }

    /// A prerequisite, judged on the world as the plan would like it and as it will be.
    fn rule(&self, entry: &KindEntry, rule: &Rule, transition: &Transition<'_>) -> Vec<Node> {
        if !(rule.asked)(transition) {
            return Vec::new();
        }
        let ideal = (rule.check)(transition, &self.worlds.ideal);
        // What is held back is asked of as if it were there: it is what the question is about.
        let mut after = self.worlds.after.clone();
        if let Some(spec) = transition.after {
            let standing = kinds::Standing { id: transition.id.clone(), spec: spec.clone() };
            after.put(&self.input.kinds, standing);
        }
        let after = (rule.check)(transition, &after);
        let blocked = self.change(transition.id).is_some_and(|change| !change.blocked.is_empty());
        let (mark, missing) = match (ideal, after) {
            // Something that is held back would end it; for a change of its own, that is the point.
            (Verdict::Fails(_), Verdict::Holds(found)) if !blocked => {
                let found = format!("{found}, as long as what is held back stays so");
                return vec![Node::of(Mark::Holds, found)];
            }
            (Verdict::Fails(missing), _) => (
                match rule.weight {
                    Weight::Blocks | Weight::Refuses => Mark::Fails,
                    Weight::Waits => Mark::Waits,
                    Weight::Warns => Mark::Warns,
                },
                missing,
            ),
            (Verdict::Holds(found), Verdict::Holds(_)) => {
                let now = (rule.check)(transition, &self.worlds.before);
                let later = if matches!(now, Verdict::Holds(_)) { "" } else { ", with this plan" };
                return vec![Node::of(Mark::Holds, format!("{found}{later}"))];
            }
            (Verdict::Holds(found), _) => {
                let later = "once what is held back goes ahead";
                return vec![Node::of(Mark::Waits, format!("{found}, {later}"))];
            }
            (Verdict::Moot, _) => return Vec::new(),
        };
        let roles = if rule.roles.is_empty() { entry.facts.roles } else { rule.roles };
        missing
            .into_iter()
            .map(|missing| Node {
                hint: missing.hint,
                roles: roles.to_vec(),
                mend: missing.mend,
                ..Node::of(mark, missing.message)
            })
            .collect()
    }

    /// What stands against a change that no prerequisite and no reference says.
    fn blocks(&self, entry: &KindEntry, id: &ResourceId, rules: &[Node]) -> Vec<Node> {
        let Some(change) = self.change(id) else { return Vec::new() };
        let said = |block: &&Block| {
            !rules.iter().any(|rule| rule.what == block.message)
                && !block.message.ends_with(" does not exist")
        };
        change
            .blocked
            .iter()
            .filter(said)
            .map(|block| Node {
                hint: block.hint.clone(),
                roles: entry.facts.roles.to_vec(),
                mend: self.mend(entry, change, block),
                ..Node::of(Mark::Fails, block.message.clone())
            })
            .collect()
    }

    /// What would mend a block that no rule of a kind makes.
    fn mend(&self, entry: &KindEntry, change: &Change, block: &Block) -> Option<Mend> {
        let is = |code: crate::model::Code| block.code == code.0;
        if is(code::BLOCK_PROTECTED) {
            let mend = Mend::annotate(&change.id, DELETION_POLICY, "Delete");
            return Some(mend.note("apply this by itself first"));
        }
        if is(code::BLOCK_AMBIGUOUS) {
            let likeness = |spec: &Spec| (entry.likeness)(spec);
            let own = likeness(&change.desired.as_ref()?.spec);
            let gone = self.drafts.undeclared.iter();
            let old = gone
                .filter(|old| old.id.kind == change.id.kind)
                .find(|old| likeness(&old.spec) == own)?;
            let mend = Mend::annotate(&change.id, PREVIOUS_NAME, old.id.name.as_str());
            return Some(mend.note("if this is its new name, and no second purchase"));
        }
        if !is(code::BLOCK_IMMUTABLE) && !is(code::BLOCK_NO_DEFAULT) {
            return None;
        }
        let named = |field: &&FieldChange| {
            let path = field.path.strip_prefix("spec.").unwrap_or_default();
            let fixed = entry.field(path).is_some_and(|field| field.immutable);
            fixed && block.message.starts_with(&format!("`{path}` "))
        };
        let field = change.fields.iter().find(named)?;
        let path = field.path.strip_prefix("spec.")?;
        Some(Mend::change(&change.id, path, field.before.clone()?).note("the value that it has"))
    }
}

impl Node {
    fn of(mark: Mark, what: String) -> Self {
        Self { mark, what, hint: String::new(), roles: Vec::new(), mend: None, below: Vec::new() }
    }
}
