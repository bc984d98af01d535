//! Which changes the policies match, and what they say of them.

use super::{Effect, Match, MoneyMatch, Policy, Ruling};
use crate::kinds::selector::Selector;
use crate::kinds::{Block, Risk, World};
use crate::model::scalar::Line;
use crate::model::{Money, ResourceId, code};
use crate::plan::PlanInput;
use crate::plan::belonging::Belonging;
use crate::plan::change::{Action, FieldChange, Money as Moved, MoneyEffect, Warning};
use crate::plan::draft::{Draft, Drafts};
use crate::plan::money::{effect, number};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

type Labels = BTreeMap<String, String>;

/// What a policy sees of a change.
struct Seen<'a> {
    id: &'a ResourceId,
    action: Action,
    fields: &'a [FieldChange],
    /// As accepted and as declared: nobody takes a label away and does without it what it forbids.
    labels: Vec<&'a Labels>,
    customers: &'a [ResourceId],
    customer_labels: Vec<&'a Labels>,
    risk: Risk,
    money: &'a Moved,
}

/// Puts every change before every policy. `ideal` is the world in which nothing is held back: a policy
/// judges what a change would do.
pub fn rule(input: &PlanInput, drafts: &mut Drafts, before: &World, ideal: &World) {
    if input.policies.rules.is_empty() {
        return;
    }
    let unlabelled = Labels::new();
    let (all, none) = (labels(input), vec![&unlabelled]);
    let belonging = Belonging::new(&drafts.changing, before, ideal);
    for draft in &mut drafts.changing {
        let customers = belonging.customers(&draft.id);
        let of = |id: &ResourceId| all.get(id).unwrap_or(&none).iter().copied();
        let pair = draft.pair.clone();
        let accepted = pair.stored.iter().map(|row| row.metadata.labels.as_ref());
        let entry = input.kinds.get(draft.id.kind.as_str());
        let money = entry.map(|entry| effect(entry, draft, &draft.transition(input), ideal));
        let seen = Seen {
            id: &draft.id,
            action: draft.action,
            fields: &draft.fields,
            labels: accepted.chain([draft.metadata.labels.as_ref()]).collect(),
            customer_labels: customers.iter().flat_map(of).collect(),
            customers: &customers,
            risk: draft.risk(input),
            money: &money.unwrap_or_default(),
        };
        let rules = input.policies.rules.iter().map(|(policy, _)| policy);
        draft.policies = rules.filter_map(|policy| ruling(policy, &seen)).collect();
    }
}

/// Blocks what is denied, and warns.
pub fn put(draft: &mut Draft, warnings: &mut Vec<Warning>) {
    for ruling in &draft.policies {
        let message = ruling.sentence();
        match ruling.effect {
            Effect::Deny => {
                let hint = format!(
                    "do without it, or change the policy {} in partnerctl.yaml",
                    ruling.policy
                );
                draft.blocked.push(Block::new(code::BLOCK_POLICY, message, hint));
            }
            Effect::Warn => warnings.push(Warning { resource: Some(draft.id.clone()), message }),
            Effect::RequireApproval => {}
        }
    }
}

/// True when one of them asks for an approval.
#[must_use]
pub fn wants_approval(rulings: &[Ruling]) -> bool {
    rulings.iter().any(|ruling| ruling.effect == Effect::RequireApproval)
}

/// The labels of every customer: as they were accepted, and as declared.
fn labels(input: &PlanInput) -> BTreeMap<&ResourceId, Vec<&Labels>> {
    let stored = input.stored.iter().map(|row| (&row.id, row.metadata.labels.as_ref()));
    let desired = input.desired.iter().map(|one| (&one.id, one.metadata.labels.as_ref()));
    let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (id, labels) in stored.chain(desired).filter(|(id, _)| id.kind.as_str() == "Customer") {
        all.entry(id).or_default().push(labels);
    }
    all
}

fn ruling(policy: &Policy, seen: &Seen<'_>) -> Option<Ruling> {
    matches(&policy.matching, seen).then(|| Ruling {
        policy: policy.name.to_string(),
        effect: policy.effect,
        by: policy.by,
        message: policy.says(),
    })
}

fn matches(matching: &Match, seen: &Seen<'_>) -> bool {
    let Match { kinds, actions, fields, labels, customers, customer_labels, risk_at_least, money } =
        matching;
    let kind = |kinds: &Vec<_>| kinds.iter().any(|kind| is(kind, seen.id.kind.as_str()));
    let differs = |fields: &Vec<_>| fields.iter().any(|field| seen.has(field));
    let customer = |names: &Vec<_>| {
        let mut customers = seen.customers.iter();
        customers.any(|id| names.iter().any(|one| is(one, id.name.as_str())))
    };
    let any =
        |of: &[&Labels], selector: &Selector| of.iter().any(|labels| selector.matches(labels));
    let chooses = |selector: &Selector| any(&seen.labels, selector);
    let chooses_customer = |selector: &Selector| any(&seen.customer_labels, selector);
    kinds.as_ref().is_none_or(kind)
        && actions.as_ref().is_none_or(|actions| actions.contains(&seen.action))
        && fields.as_ref().is_none_or(differs)
        && labels.as_ref().is_none_or(chooses)
        && customers.as_ref().is_none_or(customer)
        && customer_labels.as_ref().is_none_or(chooses_customer)
        && risk_at_least.is_none_or(|least| seen.risk >= least)
        && money.as_ref().is_none_or(|money| moves(money, seen.money))
}

fn is(line: &Line, text: &str) -> bool {
    line.as_str() == text
}

impl Seen<'_> {
    /// True when a field differs, or one in it; or what it is in, where that differs as a whole.
    fn has(&self, path: &Line) -> bool {
        let covers = |outer: &str, inner: &str| {
            let rest = inner.strip_prefix(outer);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let path = path.as_str();
        self.fields.iter().any(|field| covers(path, &field.path) || covers(&field.path, path))
    }
}

/// True when a change moves all the money that is named.
fn moves(wanted: &MoneyMatch, moved: &Moved) -> bool {
    let grows =
        |effect: &MoneyEffect| number(&effect.monthly_after) - number(&effect.monthly_before);
    let amounts: [&dyn Fn(&MoneyEffect) -> Decimal; 5] = [
        &grows,
        &|effect| -grows(effect),
        &|effect| number(&effect.one_time),
        &|effect| number(&effect.refund),
        &|effect| number(&effect.fee),
    ];
    let over = |limits: &[Money], amount: &dyn Fn(&MoneyEffect) -> Decimal| {
        limits.iter().any(|limit| {
            let effect = moved.get(limit.currency.as_str());
            effect.is_some_and(|effect| amount(effect) > limit.amount.value())
        })
    };
    let opens = moved.values().any(|effect| effect.liability.is_some());
    wanted.opens_liability.is_none_or(|wanted| wanted == opens)
        && wanted
            .lists()
            .into_iter()
            .zip(amounts)
            .all(|((_, limits), amount)| limits.is_none_or(|limits| over(limits, amount)))
}

#[cfg(test)]
mod tests {
    use super::{Seen, matches};
    use crate::kinds::Risk;
    use crate::model::ResourceId;
    use crate::plan::change::{Action, FieldChange, MoneyEffect};
    use crate::plan::policy::Match;
    use serde_json::{Value, json};
    use std::collections::BTreeMap;

    /// Whether a match is about the update of a gold customer's budget from 100 to 600 EUR.
    fn is_about(matching: Value) -> bool {
        let matching: Match = serde_json::from_value(matching).unwrap();
        let labels = |value: &str| BTreeMap::from([("tier".to_owned(), value.to_owned())]);
        let path = "spec.monthly.amount".to_owned();
        let text = |text: &str| Some(text.to_owned());
        let effect = MoneyEffect {
            monthly_before: text("100.00"),
            monthly_after: text("600.00"),
            ..MoneyEffect::default()
        };
        let (silver, gold) = (labels("silver"), labels("gold"));
        let seen = Seen {
            id: &ResourceId::new("Budget", "spend"),
            action: Action::Update,
            fields: &[FieldChange::new(path, None, None)],
            labels: vec![&silver],
            customers: &[ResourceId::new("Customer", "contoso")],
            customer_labels: vec![&gold],
            risk: Risk::Costly,
            money: &[("EUR".to_owned(), Box::new(effect))].into(),
        };
        matches(&matching, &seen)
    }

    #[test]
    fn everything_given_must_hold_and_of_a_list_any_one() {
        let over = |name: &str, amount: &str, currency: &str| json!({"money": {name: [{"amount": amount, "currency": currency}]}});
        for (matching, holds) in [
            (json!({"kinds": ["Customer", "Budget"]}), true),
            (json!({"kinds": ["Customer"]}), false),
            (json!({"actions": ["create", "update"]}), true),
            (json!({"kinds": ["Budget"], "actions": ["delete"]}), false),
            (json!({"fields": ["spec.monthly.amount"]}), true),
            (json!({"fields": ["spec.monthly"]}), true),
            (json!({"fields": ["spec.month"]}), false),
            (json!({"fields": ["spec.monthly.amount.cents"]}), true),
            (json!({"labels": {"matchLabels": {"tier": "silver"}}}), true),
            (json!({"labels": {"matchLabels": {"tier": "gold"}}}), false),
            (json!({"customerLabels": {"matchLabels": {"tier": "gold"}}}), true),
            (json!({"customers": ["fabrikam", "contoso"]}), true),
            (json!({"customers": ["spend"]}), false),
            (json!({"riskAtLeast": "reversible"}), true),
            (json!({"riskAtLeast": "costly"}), true),
            (json!({"riskAtLeast": "irreversible"}), false),
            (over("monthlyIncreaseOver", "499.99", "EUR"), true),
            (over("monthlyIncreaseOver", "500", "EUR"), false),
            (over("monthlyIncreaseOver", "1", "USD"), false),
            (over("monthlyDecreaseOver", "0", "EUR"), false),
            (over("oneTimeOver", "0", "EUR"), false),
            (json!({"money": {"opensLiability": false}}), true),
            (json!({"money": {"opensLiability": true}}), false),
        ] {
            assert_eq!(is_about(matching.clone()), holds, "{matching}");
        }
    }
}
