//! What reservations give back and cost: refunds, exchanges and their caps, reckoned for a plan.

use crate::finance::{self, Cancelled, QuoteError, Terms, reading};
use crate::kinds::{Block, World, reservation};
use crate::model::{ResourceId, Spec, code};
use crate::plan::PlanInput;
use crate::plan::draft::{Draft, Drafts};
use crate::plan::pair::Pairs;
use std::collections::{BTreeMap, BTreeSet};

/// Marks what is declared Cancelled because another takes its place: it is exchanged, not refunded.
/// That other one may be there already: whoever was stopped between the two halves of an exchange must
/// not get the price of the old one a second time.
pub fn mark_exchanged(drafts: &mut Drafts, pairs: &Pairs) {
    let goes = |draft: &Draft| draft.after.as_ref().is_some_and(is_cancelled);
    if !drafts.changing.iter().any(goes) {
        return;
    }
    let new = drafts.changing.iter().filter(|draft| draft.before.is_none());
    let rows = pairs.outside.iter().chain(&pairs.foreign);
    let there = pairs.own.iter().filter_map(|pair| pair.observed());
    let there = there.chain(rows.filter_map(|row| row.observed.as_ref()));
    let there = there.chain(pairs.unmanaged.iter().map(|(_, thing)| &thing.spec));
    let takers = new.filter_map(|draft| draft.after.as_ref()).chain(there);
    let olds: BTreeSet<ResourceId> = takers.flat_map(reservation::exchanged_for).collect();
    for draft in drafts.changing.iter_mut().filter(|draft| olds.contains(&draft.id)) {
        let state = draft.fields.iter_mut().find(|field| field.path == "spec.state");
        let (Some(state), Some(after)) = (state, &mut draft.after) else { continue };
        if is_cancelled(after) {
            state.after = Some("Exchanged".into());
            after.set("state", "Exchanged".into());
        }
    }
}

fn is_cancelled(spec: &Spec) -> bool {
    spec.text("state") == Some("Cancelled")
}

/// The cancellations of reservations among the drafts.
pub fn give_back<'a>(input: &'a PlanInput, drafts: &'a Drafts) -> impl Iterator<Item = &'a Draft> {
    let is_one =
        |draft: &&Draft| is_reservation(draft) && reservation::cancels(&draft.transition(input));
    drafts.changing.iter().filter(is_one)
}

/// True when something else holds it back than that it cannot be reckoned: that depends on others.
#[must_use]
pub fn holds_otherwise(draft: &Draft) -> bool {
    let otherwise = |block: &Block| block.code != code::BLOCK_QUOTE.0;
    draft.waiting.is_some() || draft.blocked.iter().any(otherwise)
}

fn is_reservation(draft: &Draft) -> bool {
    draft.id.kind.as_str() == "Reservation" && !draft.release
}

/// Reckons what each change gives back or costs. Of several cancellations of one customer those with
/// the smaller name come first, and count for those that follow. What cannot be reckoned is blocked.
pub fn settle(input: &PlanInput, drafts: &mut Drafts, before: &World, ideal: &World) {
    let mut places: Vec<usize> = (0..drafts.changing.len())
        .filter(|place| is_reservation(&drafts.changing[*place]))
        .filter(|place| drafts.changing[*place].proceeds())
        .collect();
    places.sort_by(|a, b| drafts.changing[*a].id.cmp(&drafts.changing[*b].id));
    let mut histories: BTreeMap<Option<ResourceId>, Vec<Cancelled>> = BTreeMap::new();
    for place in places {
        let draft = &mut drafts.changing[place];
        let customer = ideal.customer_of(&draft.id).or_else(|| before.customer_of(&draft.id));
        let earlier =
            histories.entry(customer.clone()).or_insert_with(|| history(customer.as_ref(), before));
        let wrong = one(input, draft, before, earlier).err();
        if let Some(error) = wrong {
            draft.blocked.push(Block::new(code::BLOCK_QUOTE, error.to_string(), error.hint()));
        }
        if let Some(quote) = &draft.refund {
            earlier.push(Cancelled {
                on: quote.at.date(),
                refund: quote.refund,
                commitment: quote.cancelled_commitment,
            });
        }
    }
}

fn one(
    input: &PlanInput,
    draft: &mut Draft,
    before: &World,
    earlier: &[Cancelled],
) -> Result<(), QuoteError> {
    let transition = draft.transition(input);
    let (cancels, buys) = (reservation::cancels(&transition), reservation::buys(&transition));
    let at = input.at.date_naive();
    let terms = || -> Result<Terms<'_>, QuoteError> {
        let policy = input.refunds.policies.on(at)?;
        Ok(Terms { policy, rates: &input.refunds.rates, earlier })
    };
    let name = draft.id.to_string();
    if let (true, Some(there)) = (cancels, &draft.before) {
        let held = reading::returnable(&name, there, at)?;
        draft.refund = Some(Box::new(finance::refund(&held, at, &terms()?)?));
    }
    let (true, Some(new)) = (buys, &draft.after) else { return Ok(()) };
    let olds = reservation::exchanged_for(new);
    if olds.is_empty() {
        return Ok(());
    }
    let mut held = Vec::new();
    for old in olds {
        let name = old.to_string();
        // One that is not there is blocked elsewhere.
        let Some(there) = before.get(&old) else { return Ok(()) };
        held.push(reading::returnable(&name, &there.spec, at)?);
    }
    let Some(wanted) = reading::wanted(&name, new) else { return Ok(()) };
    draft.exchange = Some(Box::new(finance::exchange(&held, &wanted, at, &terms()?)?));
    Ok(())
}

/// The cancellations of a customer until now, whoever manages the reservations.
#[must_use]
pub fn history(customer: Option<&ResourceId>, world: &World) -> Vec<Cancelled> {
    let Some(customer) = customer else { return Vec::new() };
    let reservations = world.below(customer, "Reservation", "Subscription").into_iter();
    reservations.filter_map(|standing| reading::cancelled(&standing.spec)).collect()
}
