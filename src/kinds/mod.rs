//! The kinds: one file each, and the registry that everything else walks.
//!
//! A new kind is one file with its spec and its [`Kind`] implementation, and one line in [`KINDS`].
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod agent;
mod billing_profile;
mod budget;
mod customer;
pub mod expiry;
mod fields;
mod partner_user;
pub mod permit;
pub mod reference;
mod registry;
pub mod reservation;
mod reservation_permission;
mod role_assignment;
pub mod rule;
pub mod selector;
pub mod staff;
pub mod state;
mod subscription;
pub mod transition;
pub mod world;

pub use agent::AgentRole;
pub use expiry::{Dated, Ending};
pub use fields::{Column, Compare, Field, Reference, ReferenceTo};
pub use permit::Permit;
pub use registry::Kinds;
pub use rule::{Mend, Missing, RiskRule, Rule, Verdict, Weight};
pub use staff::Staff;
pub use transition::{AfterEnd, Block, Liability, Operation, Risk, Transition};
pub use world::{Standing, World};

use crate::model::decode::{Decoded, decode};
use crate::model::problem::Finding;
use crate::model::tree::Node;
use crate::model::{Money, Resource, ResourceId, Spec, Value};
use chrono::{DateTime, NaiveDate, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The kinds of this build, in dependency order. Tests walk it.
pub const KINDS: &[KindEntry] = &[
    KindEntry::of::<customer::Customer>(),
    KindEntry::of::<subscription::Subscription>(),
    KindEntry::of::<budget::Budget>(),
    KindEntry::of::<billing_profile::BillingProfile>(),
    KindEntry::of::<reservation::Reservation>(),
    KindEntry::of::<role_assignment::RoleAssignment>(),
    KindEntry::of::<reservation_permission::ReservationPermission>(),
    KindEntry::of::<partner_user::PartnerUser>(),
];

/// What is fixed about a kind.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// `Budget`.
    pub kind: &'static str,
    /// `budgets`.
    pub plural: &'static str,
    /// Short names for the command line.
    pub short: &'static [&'static str],
    /// One line on what it is.
    pub about: &'static str,
    /// What deleting means, in the words users see.
    pub deleting: &'static str,
    /// What makes two of them the same thing, in words; empty for a kind without identity.
    pub identity: &'static str,
    /// Who may change it. Where the table of [`permit`] speaks of the kind, its rows are checked.
    pub roles: &'static [AgentRole],
    /// Where other roles are needed; may be empty.
    pub roles_note: &'static str,
    /// Fields with rules beyond the schema.
    pub fields: &'static [Field],
    /// Fields that refer to other resources.
    pub references: &'static [Reference],
    /// True when a change of an immutable field is done by making a new one and removing the old.
    pub replaceable: bool,
    /// Columns of `get` after NAME.
    pub columns: &'static [Column],
    /// A small valid manifest.
    pub example: &'static str,
}

/// Says what a person must hand on of what is observed.
pub type Handout = fn(&Spec) -> Option<String>;

/// Gives the monthly amount that a state stands for.
pub type Monthly = fn(&Spec) -> Option<Money>;

/// A kind: its spec as a type, and its rules. The rules see canonical [`Spec`]s, because observed
/// state may lack what a manifest must have.
pub trait Kind: Serialize + DeserializeOwned + JsonSchema {
    /// What is fixed.
    const FACTS: Facts;

    /// What must hold for it: prerequisites beyond the references, which must lead somewhere.
    const RULES: &'static [Rule] = &[];

    /// The changes that are not reversible (design section 5).
    const RISKS: &'static [RiskRule] = &[];

    /// True when deleting only ends management and changes nothing outside.
    const ONLY_RELEASED: bool = false;

    /// What becomes of one whose `until` has passed.
    const ENDING: Ending = Ending::Never;
    /// Fields of the real world that the log keeps, so that it tells of what is long gone.
    const RECORDED: &'static [&'static str] = &[];

    /// True when time alone can change what a plan says of one: such are looked at in every pass.
    const TIMED: bool = false;

    /// What a person must hand on of what is observed once it is made, as a sentence: the link of an
    /// invitation. Most kinds have none, and theirs are not looked at for it.
    const HANDOUT: Option<Handout> = None;

    /// For a kind that nobody refers to and no rule of another kind looks at: the kinds that its own
    /// rules look at, where they refer to what it refers to. When one moves, it is planned beside
    /// these and what it refers to, and nothing else is. `None`: whatever has to do with it in any way
    /// is planned anew.
    const LEAF: Option<&'static [&'static str]> = None;

    /// Checks of one document beyond types; paths begin with `spec`.
    fn check(&self) -> Vec<Finding> {
        Vec::new()
    }

    /// Checks against what else the manifests declare; only what they alone show to be wrong.
    fn check_among(me: &Resource, declared: &World) -> Vec<Finding> {
        rule::findings(Self::RULES, &Transition::staying(&me.id, &me.spec), declared)
    }

    /// What makes it the same thing under another name; `None` for kinds without identity.
    fn identity(_spec: &Spec) -> Option<String> {
        None
    }

    /// For kinds without identity: what would make a second one look like a rename of the first.
    fn likeness(_spec: &Spec) -> Option<String> {
        None
    }

    /// The resources one manifest stands for, given what else is declared. `None`: just itself.
    fn expand(_me: &Resource, _declared: &[Resource]) -> Option<Vec<Resource>> {
        None
    }

    /// What stands against a transition, judged on the world after the plan.
    fn judge(transition: &Transition<'_>, after: &World) -> Vec<Block> {
        rule::blocks(Self::RULES, transition, after)
    }

    /// What is wrong with a resource that does not change, as (reason, message) of `Ready=False`.
    fn ailment(_me: &Standing, _world: &World) -> Option<(&'static str, String)> {
        None
    }

    /// What is wrong with a state that the outside reports; manifests are checked otherwise.
    fn check_observed(_spec: &Spec) -> Option<String> {
        None
    }

    /// What everything under it waits for, as a sentence; `None` when nothing stands in the way.
    fn gate(_spec: &Spec) -> Option<String> {
        None
    }

    /// Partner users whose state it looks at, by what [`Kind::identity`] calls them.
    fn looks_at_staff(_spec: &Spec) -> Option<String> {
        None
    }

    /// Changes of other resources that must come first beyond what references say: a grant comes
    /// after the Owner, a revocation before the Owner goes.
    fn follows(_transition: &Transition<'_>, _before: &World, _after: &World) -> Vec<ResourceId> {
        Vec::new()
    }

    /// True when service stops: what `Protect` forbids.
    fn stops(transition: &Transition<'_>) -> bool {
        transition.after.is_none()
    }

    /// How much a transition risks: the most that [`Kind::RISKS`] says.
    fn risk(transition: &Transition<'_>) -> Risk {
        let said = Self::RISKS.iter().filter(|rule| (rule.is)(transition)).map(|rule| rule.risk);
        said.max().unwrap_or(Risk::Reversible)
    }

    /// The operation in the portal's words (domain.md 7).
    fn operation(_transition: &Transition<'_>) -> Operation;

    /// The monthly amount a state stands for. Most kinds have none, and theirs are not looked at for it.
    const MONTHLY: Option<Monthly> = None;

    /// What the partner answers for from now on.
    fn liability(_transition: &Transition<'_>, _after: &World) -> Option<Liability> {
        None
    }

    /// True when one that vanished may not be made again by itself, because that would buy it again.
    fn bought(_spec: &Spec) -> bool {
        false
    }

    /// When something happens by itself: an expiry, a renewal, the end of a window. `observed` is the
    /// state outside, where there is one. Of what happens again and again it is the first time from
    /// `from` on; what happens once may be before that.
    fn dates(_spec: &Spec, _observed: Option<&Spec>, _from: DateTime<Utc>) -> Vec<Dated> {
        Vec::new()
    }

    /// For a purchase that refund policies speak of: the day it was bought, while it can be given back.
    fn refundable_since(_observed: &Spec) -> Option<NaiveDate> {
        None
    }

    /// What a change has as its consequence later, by itself, as a sentence.
    fn later(_transition: &Transition<'_>) -> Option<&'static str> {
        None
    }

    /// For a thing that goes on with another one whose time is over: the external id of that one.
    fn continues(_observed: &Spec) -> Option<&str> {
        None
    }

    /// True when its time is over. The store keeps it as history, and it may still be referred to,
    /// but nothing is done about it any more.
    fn ended(_spec: &Spec, _at: DateTime<Utc>) -> bool {
        false
    }

    /// What comes of declaring one whose time is over.
    fn after_end(_observed: &Spec, _declared: &Spec, _at: DateTime<Utc>) -> AfterEnd {
        AfterEnd::Rests(String::new())
    }

    /// Makes an observed state one that a manifest may declare, where it says what none may.
    fn as_declared(_spec: &mut Spec) {}

    /// Fields that exist only in the real world, set when the embedded provider creates one.
    fn born(_spec: &mut Spec, _at: DateTime<Utc>) {}

    /// The same once its external id is known.
    fn registered(_spec: &mut Spec, _external_id: &str) {}
}

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
