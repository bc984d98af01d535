//! Brakes: plans that do too much at once are printed, and not applied.

use crate::model::text::counted;
use crate::plan::change::{Action, Plan, Reason, Refusal};
use crate::plan::judge::Worlds;
use crate::plan::money::number;
use crate::plan::{PlanInput, Scope};
use std::collections::{BTreeMap, BTreeSet};

/// The brakes that hold a plan.
#[must_use]
pub fn refusals(input: &PlanInput, plan: &Plan, worlds: &Worlds) -> Vec<Refusal> {
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
    let vanished = vanished(input, plan, worlds);
    if vanished.len() > limits.vanished_folders && !input.declares_nothing() {
        let message = match vanished.as_slice() {
            [one] => format!("{one} would be deleted"),
            several => format!("these would be deleted: {}", several.join("; ")),
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
