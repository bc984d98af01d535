//! The tree of what a resource rests on: every cause told once, with its remedy.

use crate::kinds::{
    self, AgentRole, Block, KindEntry, Mend, ReferenceTo, Rule, Transition, Verdict, Weight, permit,
};
use crate::model::resource::{DELETION_POLICY, PREVIOUS_NAME};
use crate::model::{ResourceId, Source, Spec, code};
use crate::plan::change::{FieldChange, Plan};
use crate::plan::draft::{Draft, Drafts};
use crate::plan::judge::Worlds;
use crate::plan::why::{Mark, Node};
use crate::plan::{Action, Change, PlanInput};
use std::collections::BTreeSet;

/// The plan with what it was made from, and the resources told of already.
pub(super) struct Asked<'a> {
    input: &'a PlanInput,
    plan: &'a Plan,
    drafts: &'a Drafts,
    worlds: &'a Worlds,
    seen: BTreeSet<ResourceId>,
    /// Causes told of already: each is told once, with its remedy.
    said: BTreeSet<String>,
}

impl<'a> Asked<'a> {
    /// Nothing told of yet.
    pub(super) fn new(
        input: &'a PlanInput,
        plan: &'a Plan,
        drafts: &'a Drafts,
        worlds: &'a Worlds,
    ) -> Self {
        let (seen, said) = (BTreeSet::new(), BTreeSet::new());
        Self { input, plan, drafts, worlds, seen, said }
    }

    pub(super) fn change(&self, id: &ResourceId) -> Option<&'a Change> {
        self.plan.changes.iter().find(|change| change.id == *id)
    }

    fn draft(&self, id: &ResourceId) -> Option<&'a Draft> {
        self.drafts.changing.iter().find(|draft| draft.id == *id)
    }

    /// What a resource rests on: where it refers to, what its kind needs, what else comes first, and
    /// what stands against its change beyond that.
    pub(super) fn below(&mut self, id: &ResourceId, depth: usize) -> Vec<Node> {
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
            .map(|block| match self.policy(change, block) {
                // No role changes a policy: whoever keeps the file does.
                Some(place) => Node {
                    hint: format!("{}, at {place}", block.hint),
                    ..Node::of(Mark::Fails, block.message.clone())
                },
                None => Node {
                    hint: block.hint.clone(),
                    roles: self.roles(entry, id, block).to_vec(),
                    mend: self.mend(entry, change, block),
                    ..Node::of(Mark::Fails, block.message.clone())
                },
            })
            .collect()
    }

    /// Who can do something about a block that no rule of a kind makes.
    fn roles(&self, entry: &KindEntry, id: &ResourceId, block: &Block) -> &'static [AgentRole] {
        let facts = &entry.facts;
        let Some(draft) = self.draft(id).filter(|_| block.code == code::BLOCK_ROLE.0) else {
            return facts.roles;
        };
        let transition = draft.transition(self.input);
        let asked = permit::asked(facts.kind, facts.roles, draft.release, &transition);
        let its = asked.iter().find(|permit| block.message.starts_with(permit.what));
        its.map_or(facts.roles, |permit| permit.roles)
    }

    /// Where the policy stands that makes a block.
    fn policy(&self, change: &Change, block: &Block) -> Option<&Source> {
        let ruling = change.policies.iter().find(|ruling| ruling.sentence() == block.message)?;
        let matched = &self.plan.policies.as_ref()?.matched;
        matched.iter().find(|one| one.policy == ruling.policy).map(|one| &one.source)
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
