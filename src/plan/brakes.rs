//! Brakes: plans that do too much at once are printed, and not applied.

use crate::model::text::counted;
use crate::plan::change::{Action, MoneyEffect, Plan, Reason, Refusal};
use crate::plan::money::number;
use crate::plan::{PlanInput, Scope};
use rust_decimal::Decimal;

/// An amount of a plan's money.
type Measure = fn(&MoneyEffect) -> Decimal;

/// The brakes that hold a plan.
#[must_use]
pub fn refusals(input: &PlanInput, plan: &Plan) -> Vec<Refusal> {
    let owned = input.owned();
    let count = |actions: &[Action]| {
        plan.proceeding().filter(|c| actions.contains(&c.action) && !c.release).count()
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
        (
            "limits.oneTime",
            &limits.one_time,
            |effect| number(&effect.one_time),
            "it would cost once",
        ),
        ("limits.refund", &limits.refund, |effect| number(&effect.refund), "it would give back"),
    ] {
        for limit in limits {
            let code = limit.currency.as_str();
            let amount = plan.money.get(code).map(amount).unwrap_or_default();
            if amount > limit.amount.value() {
                let message = format!("{what} {amount} {code}");
                refusals.push(refuse(setting, limit.to_string(), message));
            }
        }
    }
    refusals
}
