//! A kind as the registry has it: one row, its type erased, so that everything else walks all alike.

use crate::kinds::{
    AfterEnd, Block, Dated, Ending, Facts, Field, Handout, Kind, Liability, Monthly, Operation,
    Risk, RiskRule, Rule, Standing, Transition, World,
};
use crate::model::decode::{Decoded, decode};
use crate::model::problem::Finding;
use crate::model::tree::Node;
use crate::model::{Resource, ResourceId, Spec, Value};
use chrono::{DateTime, NaiveDate, Utc};
use schemars::{Schema, SchemaGenerator};

/// Reads the `spec` of a document: its canonical form, and what [`Kind::check`] found.
type Decode = fn(&Node) -> (Decoded<Spec>, Vec<Finding>);

/// One row of the registry: a kind with its type erased.
#[derive(Clone, Copy)]
pub struct KindEntry {
    /// What is fixed.
    pub facts: Facts,
    /// See [`Kind::RULES`].
    pub rules: &'static [Rule],
    /// See [`Kind::RISKS`].
    pub risks: &'static [RiskRule],
    /// See [`Kind::ONLY_RELEASED`].
    pub only_released: bool,
    /// See [`Kind::ENDING`].
    pub ending: Ending,
    /// Reads the `spec` of a document and checks it; findings carry paths below the document.
    pub decode: Decode,
    /// See [`Kind::check_among`].
    pub check_among: fn(&Resource, &World) -> Vec<Finding>,
    /// See [`Kind::identity`].
    pub identity: fn(&Spec) -> Option<String>,
    /// See [`Kind::likeness`].
    pub likeness: fn(&Spec) -> Option<String>,
    /// See [`Kind::expand`].
    pub expand: fn(&Resource, &[Resource]) -> Option<Vec<Resource>>,
    /// See [`Kind::judge`].
    pub judge: fn(&Transition<'_>, &World) -> Vec<Block>,
    /// See [`Kind::ailment`].
    pub ailment: fn(&Standing, &World) -> Option<(&'static str, String)>,
    /// See [`Kind::check_observed`].
    pub check_observed: fn(&Spec) -> Option<String>,
    /// See [`Kind::gate`].
    pub gate: fn(&Spec) -> Option<String>,
    /// See [`Kind::looks_at_staff`].
    pub looks_at_staff: fn(&Spec) -> Option<String>,
    /// See [`Kind::follows`].
    pub follows: fn(&Transition<'_>, &World, &World) -> Vec<ResourceId>,
    /// See [`Kind::stops`].
    pub stops: fn(&Transition<'_>) -> bool,
    /// See [`Kind::risk`].
    pub risk: fn(&Transition<'_>) -> Risk,
    /// See [`Kind::operation`].
    pub operation: fn(&Transition<'_>) -> Operation,
    /// See [`Kind::MONTHLY`].
    pub monthly: Option<Monthly>,
    /// See [`Kind::liability`].
    pub liability: fn(&Transition<'_>, &World) -> Option<Liability>,
    /// See [`Kind::bought`].
    pub bought: fn(&Spec) -> bool,
    /// See [`Kind::HANDOUT`].
    pub handout: Option<Handout>,
    /// See [`Kind::dates`].
    pub dates: fn(&Spec, Option<&Spec>, DateTime<Utc>) -> Vec<Dated>,
    /// See [`Kind::refundable_since`].
    pub refundable_since: fn(&Spec) -> Option<NaiveDate>,
    /// See [`Kind::RECORDED`].
    pub recorded: &'static [&'static str],
    /// See [`Kind::later`].
    pub later: fn(&Transition<'_>) -> Option<&'static str>,
    /// See [`Kind::continues`].
    pub continues: fn(&Spec) -> Option<&str>,
    /// See [`Kind::TIMED`].
    pub timed: bool,
    /// See [`Kind::LEAF`].
    pub leaf: Option<&'static [&'static str]>,
    /// See [`Kind::ended`].
    pub ended: fn(&Spec, DateTime<Utc>) -> bool,
    /// See [`Kind::after_end`].
    pub after_end: fn(&Spec, &Spec, DateTime<Utc>) -> AfterEnd,
    /// See [`Kind::as_declared`].
    pub as_declared: fn(&mut Spec),
    /// See [`Kind::born`].
    pub born: fn(&mut Spec, DateTime<Utc>),
    /// See [`Kind::registered`].
    pub registered: fn(&mut Spec, &str),
    /// The JSON Schema of the spec.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
}

impl KindEntry {
    /// The row of a kind.
    #[must_use]
    pub const fn of<T: Kind>() -> Self {
        Self {
            facts: T::FACTS,
            rules: T::RULES,
            risks: T::RISKS,
            only_released: T::ONLY_RELEASED,
            ending: T::ENDING,
            decode: decode_spec::<T>,
            check_among: T::check_among,
            identity: T::identity,
            likeness: T::likeness,
            expand: T::expand,
            judge: T::judge,
            ailment: T::ailment,
            check_observed: T::check_observed,
            gate: T::gate,
            looks_at_staff: T::looks_at_staff,
            follows: T::follows,
            stops: T::stops,
            risk: T::risk,
            operation: T::operation,
            monthly: T::MONTHLY,
            liability: T::liability,
            bought: T::bought,
            handout: T::HANDOUT,
            dates: T::dates,
            refundable_since: T::refundable_since,
            recorded: T::RECORDED,
            later: T::later,
            continues: T::continues,
            timed: T::TIMED,
            leaf: T::LEAF,
            ended: T::ended,
            after_end: T::after_end,
            as_declared: T::as_declared,
            born: T::born,
            registered: T::registered,
            schema: SchemaGenerator::subschema_for::<T>,
        }
    }

    /// What tells a thing from others of its kind: its identity, else its likeness.
    #[must_use]
    pub fn sameness(&self, spec: &Spec) -> Option<String> {
        (self.identity)(spec).or_else(|| (self.likeness)(spec))
    }

    /// The rules of a field, by its path below `spec`.
    #[must_use]
    pub fn field(&self, path: &str) -> Option<&'static Field> {
        let covers = |field: &&Field| {
            path == field.path
                || path.strip_prefix(field.path).is_some_and(|rest| rest.starts_with('.'))
        };
        self.facts.fields.iter().filter(covers).max_by_key(|field| field.path.len())
    }

    /// A field's default as a value.
    #[must_use]
    pub fn default_of(&self, path: &str) -> Option<Value> {
        let field = self.facts.fields.iter().find(|field| field.path == path)?;
        serde_json::from_str(field.default?).ok()
    }

    /// A spec with the defaults of the fields it does not have.
    #[must_use]
    pub fn effective(&self, spec: &Spec) -> Spec {
        let mut effective = spec.clone();
        for field in self.facts.fields {
            if field.default.is_some()
                && spec.get(field.path).is_none()
                && let Some(default) = self.default_of(field.path)
            {
                effective.set(field.path, default);
            }
        }
        effective
    }

    /// The fields with a default, where the rest of the spec lets them have one.
    pub fn defaults(&self) -> impl Iterator<Item = (&'static str, Value)> + '_ {
        self.facts
            .fields
            .iter()
            .filter_map(|f| self.default_of(f.path).map(|value| (f.path, value)))
    }
}

fn decode_spec<T: Kind>(node: &Node) -> (Decoded<Spec>, Vec<Finding>) {
    let decoded = decode::<T>(node);
    let findings = decoded.value.as_ref().map(Kind::check).unwrap_or_default();
    (decoded.map(|typed| Spec::from_typed(&typed)), findings)
}
