//! The kinds: one file each, and the registry that everything else walks.
//!
//! A new kind is one file with its spec and its [`Kind`] implementation, and one line in [`KINDS`].
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod agent;
mod billing_profile;
mod budget;
mod customer;
mod entry;
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
pub use entry::KindEntry;
pub use expiry::{Dated, Ending};
pub use fields::{Column, Compare, Field, Reference, ReferenceTo};
pub use permit::Permit;
pub use registry::Kinds;
pub use rule::{Mend, Missing, RiskRule, Rule, Verdict, Weight};
pub use staff::Staff;
pub use transition::{AfterEnd, Block, Liability, Operation, Risk, Transition};
pub use world::{Standing, World};

use crate::model::problem::Finding;
use crate::model::{Money, Resource, ResourceId, Spec};
use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
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
