//! Brakes: plans that do too much at once are printed, and not applied.

use crate::model::text::counted;
use crate::plan::change::{Action, Change, Plan, Reason, Refusal};
use crate::plan::money::number;
use crate::plan::{PlanInput, Scope};

/// The brakes that hold a plan.
#[must_use]
pub fn refusals(input: &PlanInput, plan: &Plan) -> Vec<Refusal> {
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
    for limit in &limits.monthly_increase {
        let code = limit.currency.to_string();
        let Some(effect) = plan.money.get(&code) else { continue };
        let increase = number(&effect.monthly_after) - number(&effect.monthly_before);
        if increase > limit.amount.value() {
            let message = format!("monthly budgets would grow by {increase} {code}");
            refusals.push(refuse("limits.monthlyIncrease", limit.to_string(), message));
        }
    }
    refusals
}
