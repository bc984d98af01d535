//! What must hold of a reservation: on what it is bought, to where it moves, what it is exchanged for.

use crate::kinds::reservation::{Reservation, SUBSCRIPTION};
use crate::kinds::{
    Kind, Missing, Reference, ReferenceTo, Rule, Standing, Transition, Verdict, World, subscription,
};
use crate::model::{ResourceId, Spec, code};
use chrono::DateTime;

pub(super) const USAGE_BASED: Rule =
    Rule::blocks("its subscription is usage based, an AzurePlan or AzureGlobal", usage_based)
        .validated(code::NOT_USAGE_BASED, "spec.subscriptionRef")
        .asked(goes_on);
pub(super) const ACTIVE: Rule =
    Rule::blocks("to buy or move it: its subscription is active", active).asked(arrives);
pub(super) const SAME_CUSTOMER: Rule =
    Rule::blocks("to move it: the other subscription is of the same customer", same_customer)
        .asked(|transition| transition.before.is_some() && transition.changes(SUBSCRIPTION.path));
pub(super) const BOUGHT: Rule = Rule::blocks("to cancel it: it was bought", was_bought)
    .code(code::BLOCK_ENDED)
    .asked(|transition| transition.before.is_none());
pub(super) const GIVES_WAY: Rule =
    Rule::blocks("what it is exchanged for is not declared Active", gives_way)
        .validated(code::EXCHANGED_ACTIVE, "spec.exchange.from")
        .asked(exchanges);
pub(super) const OF_ITS_CUSTOMER: Rule =
    Rule::blocks("what it is exchanged for was bought for the same customer", of_its_customer)
        .asked(|transition| buys(transition) && exchanges(transition));
pub(super) const NAMED_ONCE: Rule =
    Rule::blocks("what it is exchanged for is named by no other reservation", named_once)
        .validated(code::EXCHANGED_TWICE, "spec.exchange.from")
        .asked(exchanges);

pub(super) fn is_active(spec: &Spec) -> bool {
    spec.text("state").is_none_or(|state| state == "Active")
}

pub(super) fn goes_on(transition: &Transition<'_>) -> bool {
    transition.after.is_some_and(is_active)
}

fn arrives(transition: &Transition<'_>) -> bool {
    goes_on(transition) && (transition.before.is_none() || transition.changes(SUBSCRIPTION.path))
}

fn exchanges(transition: &Transition<'_>) -> bool {
    transition.after.is_some_and(|spec| !exchanged_for(spec).is_empty())
}

/// True for a purchase: it was not there before.
#[must_use]
pub fn buys(transition: &Transition<'_>) -> bool {
    transition.before.is_none() && goes_on(transition)
}

/// True when it is given back for a refund.
#[must_use]
pub fn cancels(transition: &Transition<'_>) -> bool {
    transition.before.is_some_and(is_active) && transition.becomes("state", "Cancelled")
}

/// The reservation of the same customer that is cancelled before this one, by name.
pub(super) fn cancelled_before(
    id: &ResourceId,
    before: &World,
    after: &World,
) -> Option<ResourceId> {
    let customer = before.customer_of(id)?;
    let reservations = before.below(&customer, "Reservation", "Subscription").into_iter();
    let earlier = reservations.filter(|other| other.id < *id);
    let cancelled = earlier.filter(|other| {
        let after = after.get(&other.id).map(|standing| &standing.spec);
        cancels(&Transition {
            id: &other.id,
            before: Some(&other.spec),
            after,
            at: DateTime::UNIX_EPOCH,
        })
    });
    cancelled.map(|other| &other.id).max().cloned()
}

/// The reservations that one takes the place of.
#[must_use]
pub fn exchanged_for(spec: &Spec) -> Vec<ResourceId> {
    let references = Reservation::FACTS.references.iter().filter(|r| r.kind == "Reservation");
    let target = |reference: &Reference| match reference.target(spec)? {
        ReferenceTo::Resource(id) => Some(id),
        ReferenceTo::External(_) => None,
    };
    references.filter_map(target).collect()
}

fn named<'a>(spec: &Spec, world: &'a World) -> Option<&'a Standing> {
    match SUBSCRIPTION.target(spec)? {
        ReferenceTo::Resource(id) => world.get(&id),
        ReferenceTo::External(_) => None,
    }
}

fn usage_based(transition: &Transition<'_>, world: &World) -> Verdict {
    let Some(named) = transition.after.and_then(|spec| named(spec, world)) else {
        return Verdict::Moot;
    };
    let offer = named.spec.text("offer.type").unwrap_or("an unknown offer");
    if subscription::is_usage_based(&named.spec) {
        return Verdict::Holds(format!("{} is billed by use ({offer})", named.id));
    }
    let message = format!("{} is a {offer}, not usage based", named.id);
    Missing::new(message, "name an AzurePlan or AzureGlobal subscription, or buy one first").fails()
}

fn active(transition: &Transition<'_>, world: &World) -> Verdict {
    let Some(named) = transition.after.and_then(|spec| named(spec, world)) else {
        return Verdict::Moot;
    };
    if subscription::is_active(&named.spec) {
        return Verdict::Holds(format!("{} is active", named.id));
    }
    Missing::new(format!("{} is suspended", named.id), "set its state to Active first").fails()
}

fn same_customer(transition: &Transition<'_>, world: &World) -> Verdict {
    let owner = |spec: &Spec| world.customer_of(&named(spec, world)?.id);
    let (Some(before), Some(after)) =
        (transition.before.and_then(owner), transition.after.and_then(owner))
    else {
        return Verdict::Moot;
    };
    if before == after {
        return Verdict::Holds(format!("both subscriptions are of {before}"));
    }
    let message = format!("it was bought for {before}, and the other subscription is of {after}");
    Missing::new(message, "name a subscription of the same customer").fails()
}

fn was_bought(transition: &Transition<'_>, _: &World) -> Verdict {
    if goes_on(transition) {
        return Verdict::Moot;
    }
    Missing::new(
        "it is declared Cancelled and was never bought here",
        "remove it; one that exists outside is taken over with the annotation external-id first",
    )
    .fails()
}

fn gives_way(transition: &Transition<'_>, world: &World) -> Verdict {
    let Some(after) = transition.after else { return Verdict::Moot };
    let still: Vec<Missing> = exchanged_for(after)
        .into_iter()
        .filter(|old| world.get(old).is_some_and(|old| is_active(&old.spec)))
        .map(|old| {
            let message = format!("{old} is exchanged for it, and would stay Active");
            Missing::new(message, format!("declare {old} with `state: Cancelled`"))
        })
        .collect();
    if still.is_empty() {
        Verdict::Holds("what it is exchanged for goes".to_owned())
    } else {
        Verdict::Fails(still)
    }
}

fn of_its_customer(transition: &Transition<'_>, world: &World) -> Verdict {
    let Some(after) = transition.after else { return Verdict::Moot };
    let owner = |spec: &Spec| world.customer_of(&named(spec, world)?.id);
    let Some(mine) = owner(after) else { return Verdict::Moot };
    let others: Vec<Missing> = exchanged_for(after)
        .into_iter()
        .filter_map(|old| {
            let theirs = owner(&world.get(&old)?.spec).filter(|theirs| *theirs != mine)?;
            let message = format!("{old} was bought for {theirs}, and this one is for {mine}");
            Some(Missing::new(message, "exchange it for one of the same customer"))
        })
        .collect();
    if others.is_empty() {
        Verdict::Holds("what it is exchanged for is of the same customer".to_owned())
    } else {
        Verdict::Fails(others)
    }
}

fn named_once(transition: &Transition<'_>, world: &World) -> Verdict {
    let Some(after) = transition.after else { return Verdict::Moot };
    let mine = transition.id;
    let twice: Vec<Missing> = exchanged_for(after)
        .into_iter()
        .filter_map(|old| {
            // Of two that are declared, the later one is told; a new one is told in any case.
            let mut others = world.referrers(&old, Some("Reservation")).filter(|other| {
                let earlier = other.id < *mine || transition.before.is_none();
                other.id != *mine && earlier && exchanged_for(&other.spec).contains(&old)
            });
            let other = &others.next()?.id;
            let message = format!("{old} is exchanged for {other} already");
            Some(Missing::new(message, "name it in one of the two only"))
        })
        .collect();
    if twice.is_empty() {
        Verdict::Holds("no other reservation is exchanged for the same".to_owned())
    } else {
        Verdict::Fails(twice)
    }
}
