//! Prerequisites as data: one table for each kind, read by validation, by planning, by `explain` and
//! by `why`, so that a rule is written once.

use crate::kinds::{AgentRole, Block, Risk, Standing, Transition, World};
use crate::model::problem::Finding;
use crate::model::{Code, ResourceId, Spec, Value, code};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Asks a rule of a resource in a world.
pub type Check = fn(&Transition<'_>, &World) -> Verdict;

/// One prerequisite of a kind.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// What must hold, in general: for `explain`.
    pub says: &'static str,
    /// What comes of it when it does not hold.
    pub weight: Weight,
    /// The code of a change that it blocks.
    pub block: Code,
    /// The code and the field when manifests alone show that it does not hold.
    pub validated: Option<(Code, &'static str)>,
    /// Who can mend it, where that is not who may change the kind.
    pub roles: &'static [AgentRole],
    /// True when the rule is asked of a resource at all.
    pub asked: fn(&Transition<'_>) -> bool,
    /// Whether it holds.
    pub check: Check,
}

/// One sort of change of a kind that is not reversible (design section 5).
#[derive(Debug, Clone, Copy)]
pub struct RiskRule {
    /// The change in words, for `explain`.
    pub says: &'static str,
    /// How much it risks.
    pub risk: Risk,
    /// Whether a transition is such a change.
    pub is: fn(&Transition<'_>) -> bool,
}

/// What comes of a rule that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// The change is blocked.
    Blocks,
    /// The change waits.
    Waits,
    /// A warning.
    Warns,
    /// The manifest is refused before anything is planned.
    Refuses,
}

/// The answer of a rule.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It cannot be asked here: something it needs is not there.
    Moot,
    /// It holds; what was found, in a few words.
    Holds(String),
    /// It does not hold, for these reasons.
    Fails(Vec<Missing>),
}

/// What is missing for a rule to hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Missing {
    /// What is missing, one sentence.
    pub message: String,
    /// What would mend it, one sentence.
    pub hint: String,
    /// What would mend it, as YAML to be.
    pub mend: Option<Mend>,
}

impl Missing {
    /// Something missing that no manifest mends by itself.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), mend: None }
    }

    /// The same with what would mend it.
    #[must_use]
    pub fn mend(self, mend: Mend) -> Self {
        Self { mend: Some(mend), ..self }
    }

    /// The verdict when only this is missing.
    #[must_use]
    pub fn fails(self) -> Verdict {
        Verdict::Fails(vec![self])
    }
}

/// What would mend something: a manifest to add, or a field to change.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Mend {
    /// The resource to declare or to change.
    #[schemars(with = "String")]
    pub resource: ResourceId,
    /// True for a new manifest, false for fields of one that is declared.
    pub new: bool,
    /// The spec: whole for a new manifest, else only the fields to change.
    #[schemars(with = "Value")]
    pub spec: Spec,
    /// Annotations to set.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// What to look at before it is used; may be empty.
    pub note: String,
}

impl Mend {
    /// A manifest to add.
    #[must_use]
    pub fn declare(resource: ResourceId, spec: Json, note: &str) -> Self {
        let (spec, annotations) = (Spec::from_value(spec), BTreeMap::new());
        Self { resource, new: true, spec, annotations, note: note.to_owned() }
    }

    /// A field to change, by its path below `spec`.
    #[must_use]
    pub fn change(resource: &ResourceId, path: &str, value: Value) -> Self {
        let mut spec = Spec::default();
        spec.set(path, value);
        let (resource, annotations) = (resource.clone(), BTreeMap::new());
        Self { resource, new: false, spec, annotations, note: String::new() }
    }

    /// An annotation to set.
    #[must_use]
    pub fn annotate(resource: &ResourceId, key: &str, value: &str) -> Self {
        let annotations = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        let (resource, spec) = (resource.clone(), Spec::default());
        Self { resource, new: false, spec, annotations, note: String::new() }
    }

    /// The same with something to look at first.
    #[must_use]
    pub fn note(self, note: &str) -> Self {
        Self { note: note.to_owned(), ..self }
    }
}

fn always(_: &Transition<'_>) -> bool {
    true
}

impl Rule {
    /// A rule whose breach blocks a change.
    #[must_use]
    pub const fn blocks(says: &'static str, check: Check) -> Self {
        Self {
            says,
            weight: Weight::Blocks,
            block: code::BLOCK_PREREQUISITE,
            validated: None,
            roles: &[],
            asked: always,
            check,
        }
    }

    /// A rule whose breach has another weight.
    #[must_use]
    pub const fn weighs(mut self, weight: Weight) -> Self {
        self.weight = weight;
        self
    }

    /// Blocks with this code.
    #[must_use]
    pub const fn code(mut self, block: Code) -> Self {
        self.block = block;
        self
    }

    /// Is also checked on manifests alone, with this code at this field.
    #[must_use]
    pub const fn validated(mut self, code: Code, path: &'static str) -> Self {
        self.validated = Some((code, path));
        self
    }

    /// Can be mended by these.
    #[must_use]
    pub const fn roles(mut self, roles: &'static [AgentRole]) -> Self {
        self.roles = roles;
        self
    }

    /// Is asked only of some.
    #[must_use]
    pub const fn asked(mut self, asked: fn(&Transition<'_>) -> bool) -> Self {
        self.asked = asked;
        self
    }

    /// What is missing; nothing where it holds or cannot be asked.
    fn missing(&self, transition: &Transition<'_>, world: &World) -> Vec<Missing> {
        match (self.check)(transition, world) {
            Verdict::Fails(missing) => missing,
            Verdict::Moot | Verdict::Holds(_) => Vec::new(),
        }
    }

    /// What stands in a manifest against what others declare.
    pub fn finding(&self, transition: &Transition<'_>, declared: &World) -> Vec<Finding> {
        let Some((code, path)) = self.validated else { return Vec::new() };
        let missing = self.missing(transition, declared).into_iter();
        missing.map(|missing| Finding::new(code, path, missing.message, missing.hint)).collect()
    }
}

/// What the rules of a weight find missing.
pub fn missing(
    rules: &[Rule],
    weight: Weight,
    transition: &Transition<'_>,
    world: &World,
) -> Vec<Missing> {
    let asked = rules.iter().filter(|rule| rule.weight == weight && (rule.asked)(transition));
    asked.flat_map(|rule| rule.missing(transition, world)).collect()
}

/// What the rules say against a transition, judged on the world after the plan.
#[must_use]
pub fn blocks(rules: &[Rule], transition: &Transition<'_>, after: &World) -> Vec<Block> {
    rules
        .iter()
        .filter(|rule| rule.weight == Weight::Blocks && (rule.asked)(transition))
        .flat_map(|rule| {
            let missing = rule.missing(transition, after).into_iter();
            missing.map(|missing| Block::new(rule.block, missing.message, missing.hint))
        })
        .collect()
}

/// What the rules find wrong in what manifests alone declare.
#[must_use]
pub fn findings(rules: &[Rule], transition: &Transition<'_>, declared: &World) -> Vec<Finding> {
    let asked = rules.iter().filter(|rule| (rule.asked)(transition));
    asked.flat_map(|rule| rule.finding(transition, declared)).collect()
}

/// What is wrong with a resource that stays as it is, in one sentence.
pub fn ailment(rules: &[Rule], weight: Weight, me: &Standing, world: &World) -> Option<String> {
    let missing = missing(rules, weight, &Transition::staying(&me.id, &me.spec), world);
    let messages: Vec<_> = missing.into_iter().map(|missing| missing.message).collect();
    (!messages.is_empty()).then(|| messages.join("; "))
}

/// A name that nothing of the kind has: the wanted one, else with a number behind it.
#[must_use]
pub fn free_name(world: &World, kind: &str, wanted: &str) -> ResourceId {
    let numbered = (2..=u32::from(u8::MAX)).map(|number| format!("{wanted}-{number}"));
    std::iter::once(wanted.to_owned())
        .chain(numbered)
        .map(|name| ResourceId::new(kind, &name))
        .find(|id| world.get(id).is_none())
        .unwrap_or_else(|| ResourceId::new(kind, wanted))
}

/// A reference by name, as manifests write it.
#[must_use]
pub fn named(id: &ResourceId) -> Value {
    Value::reference(id.name.as_str())
}
