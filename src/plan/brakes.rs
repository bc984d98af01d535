//! Brakes: plans that do too much at once are printed, and not applied.

use crate::model::text::{counted, few};
use crate::plan::change::{Action, Change, MoneyEffect, Plan, Reason, Refusal};
use crate::plan::judge::Worlds;
use crate::plan::money::number;
use crate::plan::{PlanInput, Scope};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};

/// An amount of a plan's money.
type Measure = fn(&MoneyEffect) -> Decimal;

/// The brakes that hold a plan.
#[must_use]
pub fn refusals(input: &PlanInput, plan: &Plan, worlds: &Worlds) -> Vec<Refusal> {
    let owned = input.owned();
    let count = |actions: &[Action]| {
        // What ends on a declared day was meant to: a brake would keep access open.
        let counts = |c: &&Change| !c.release && c.reason != Reason::Expired;
        plan.proceeding().filter(|c| actions.contains(&c.action)).filter(counts).count()
    };
    let refuse = |setting: &str, value: String, message: String| Refusal {
        setting: setting.to_owned(),
        value,
        message,
        override_with: format!("--override {}", plan.id),
    };
    // A provider that loses sight of much at once must not have it all made again.
    let again = plan
        .proceeding()
        .filter(|c| c.action == Action::Create && c.reason == Reason::Gone)
        .count();
    let limits = &input.limits;
    let mut refusals = Vec::new();
    if input.scope == Scope::WholeAndPrune && input.declares_nothing() && owned > 0 {
        let owned = counted(owned, "resource");
        let message = format!("there are no manifests, while the set owns {owned}");
        refusals.push(refuse("the brake on empty input", "always on".to_owned(), message));
    }
    let vanished = vanished(input, plan, worlds);
    if vanished.len() > limits.vanished_folders && !input.declares_nothing() {
        let message = match vanished.as_slice() {
            [one] => format!("{one} would be deleted"),
            _ => format!("these would be deleted: {}", few(vanished)),
        };
        refusals.push(refuse(
            "limits.vanishedFolders",
            limits.vanished_folders.to_string(),
            message,
        ));
    }
    for (setting, percent, number, what) in [
        ("limits.deletePercent", limits.delete_percent, count(&[Action::Delete]), "deleted"),
        (
            "limits.updatePercent",
            limits.update_percent,
            count(&[Action::Update, Action::Replace]) + again,
            if again > 0 { "updated or made again" } else { "updated" },
        ),
    ] {
        if number >= limits.at_least && number * 100 > percent as usize * owned {
            let message = format!("{number} of the {owned} resources of the set would be {what}");
            refusals.push(refuse(setting, format!("{percent} %"), message));
        }
    }
    for (setting, limits, amount, what) in [
        (
            "limits.monthlyIncrease",
            &limits.monthly_increase,
            (|effect| number(&effect.monthly_after) - number(&effect.monthly_before)) as Measure,
            "monthly budgets would grow by",
        ),
        ("limits.oneTime", &limits.one_time, |effect| number(&effect.one_time), "it would cost"),
        ("limits.refund", &limits.refund, |effect| number(&effect.refund), "it would give back"),
    ] {
        for limit in limits {
            let code = limit.currency.as_str();
            let amount = plan.money.get(code).map(|effect| amount(effect)).unwrap_or_default();
            if amount > limit.amount.value() {
                let message = format!("{what} {amount} {code}");
                refusals.push(refuse(setting, limit.to_string(), message));
            }
        }
    }
    refusals
}

/// Customers of which nothing is declared any more and everything is deleted, because their folders
/// are gone: more likely a checkout or a disk that went wrong than a wish. One sentence for each.
fn vanished(input: &PlanInput, plan: &Plan, worlds: &Worlds) -> Vec<String> {
    if input.vanished_folders.is_empty() {
        return Vec::new();
    }
    let mut gone: BTreeMap<&str, (BTreeSet<&str>, usize)> = BTreeMap::new();
    for change in plan.proceeding().filter(|c| c.action == Action::Delete && !c.release) {
        let folder = change.source.file.as_deref().and_then(|file| Some(file.rsplit_once('/')?.0));
        let folder = folder.filter(|folder| input.vanished_folders.contains(*folder));
        if let (Some(folder), Some(customer)) = (folder, &change.customer) {
            let (folders, number) = gone.entry(customer).or_default();
            folders.insert(folder);
            *number += 1;
        }
    }
    for resource in &input.desired {
        if let Some(customer) = worlds.customer_of(&resource.id) {
            gone.remove(customer.name.as_str());
        }
    }
    let told = |(customer, (folders, number)): (&str, (BTreeSet<&str>, usize))| {
        let folders: Vec<_> = folders.into_iter().collect();
        let number = counted(number, "resource");
        format!("{number} of the customer {customer}, whose folder {} is gone,", folders.join(", "))
    };
    gone.into_iter().map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::refusals;
    use crate::model::{Amount, Currency, Money};
    use crate::plan::change::MoneyEffect;
    use crate::plan::{Limits, PlanInput, plan};

    fn euros(amount: &str) -> Money {
        let currency = Currency::from_text("EUR").unwrap();
        Money::new(Amount::from_text(amount).unwrap(), currency).unwrap()
    }

    #[test]
    fn money_over_a_limit_is_refused_with_its_setting_and_what_lets_it_go() {
        let limits = Limits {
            monthly_increase: vec![euros("10")],
            one_time: vec![euros("20")],
            refund: vec![euros("30")],
            ..Limits::default()
        };
        let input = PlanInput {
            actor: "a".to_owned(),
            desired: Vec::new(),
            limits,
            ..PlanInput::new(Default::default(), chrono::DateTime::UNIX_EPOCH, "test")
        };
        let mut planned = plan(&input);
        let worlds = crate::plan::judge::Worlds::default();
        let mut told = |monthly: &str, one_time: &str, refund: &str| {
            let text = |text: &str| Some(text.to_owned());
            let effect = MoneyEffect {
                monthly_before: text("1.00"),
                monthly_after: text(monthly),
                one_time: text(one_time),
                refund: text(refund),
                ..MoneyEffect::default()
            };
            planned.money = [("EUR".to_owned(), Box::new(effect))].into();
            let refused = refusals(&input, &planned, &worlds).into_iter();
            refused
                .map(|r| format!("{}: {} ({})", r.setting, r.message, r.value))
                .collect::<Vec<_>>()
        };
        assert_eq!(told("11.00", "20.00", "30.00"), [""; 0]);
        assert_eq!(
            told("11.01", "20.01", "30.01"),
            [
                "limits.monthlyIncrease: monthly budgets would grow by 10.01 EUR (10.00 EUR)",
                "limits.oneTime: it would cost 20.01 EUR (20.00 EUR)",
                "limits.refund: it would give back 30.01 EUR (30.00 EUR)",
            ]
        );
    }
}
