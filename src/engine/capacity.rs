//! `ingest reservations`: the list of reservations that Azure Resource Manager gives
//! (Microsoft.Capacity, partner-center-api.md 11.1), read into the embedded provider's state.

use crate::kinds::Kinds;
use crate::kinds::reservation::purchased_on;
use crate::manifest::yaml;
use crate::model::activity::{Draft, Outcome};
use crate::model::code::{self, Code};
use crate::model::problem::Problem;
use crate::model::tree::{Node, Span, Value as Tree};
use crate::model::{Amount, KindName, Observed, ResourceId, ResourceName, Source, Spec, Value};
use crate::provider::{Directory, Ids};
use crate::store::Write;
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// The most values in one list.
const VALUES_MAX: usize = 20_000_000;

/// What Azure calls a reservation while it is bought, and once it is.
const ACTIVE: &[&str] = &[
    "Creating",
    "PendingResourceHold",
    "ConfirmedResourceHold",
    "PendingBilling",
    "ConfirmedBilling",
    "Created",
    "Succeeded",
];
/// What never was one, or is now others of the list.
const NONE: &[&str] = &["BillingFailed", "Failed", "Split", "Merged"];

/// What a list says is there.
#[derive(Debug, Default)]
pub struct Taken {
    /// The writes: to the provider's state, and to the log for what a customer bought.
    pub writes: Vec<Write>,
    /// How many reservations it speaks of.
    pub count: usize,
    /// What customers bought themselves and nobody had seen, with who bought it.
    pub bought: Vec<(ResourceId, String)>,
    /// What goes on with a reservation under management whose term is over, with that one.
    pub renewed: Vec<(ResourceId, ResourceId)>,
}

/// By what a list is read.
#[derive(Debug, Clone)]
pub struct Reading<'a> {
    /// The set of the workspace.
    pub set: &'a str,
    /// Now.
    pub at: DateTime<Utc>,
}

/// Reads a list, `{value: […]}`. What it does not speak of stays.
///
/// A reservation that nobody had seen and that a user of the customer bought gets an activity with that
/// user as actor: the partner pays for it and was not told (domain.md 4).
///
/// # Errors
/// Everything wrong with the file; nothing of it is taken then.
pub fn read(
    kinds: &Kinds,
    (file, text): (&Arc<str>, &str),
    reading: &Reading<'_>,
    directory: &mut Directory,
    ids: &mut Ids,
) -> Result<Taken, Vec<Problem>> {
    let (trees, faults) = yaml::read_within(text, VALUES_MAX);
    let mut list = List {
        kinds,
        file,
        reading,
        directory,
        ids,
        problems: faults.into_iter().map(|fault| fault.within(file)).collect(),
        taken: Taken::default(),
    };
    for tree in trees.iter().filter(|tree| tree.whole) {
        match tree.root.get("value").map(|value| &value.value) {
            Some(Tree::Sequence(items)) => items.iter().for_each(|item| list.item(item)),
            _ => list.problem(
                code::MISSING_FIELD,
                tree.root.span,
                "this is no list of reservations",
                "give what GET /providers/Microsoft.Capacity/reservations answers: `{value: […]}`",
            ),
        }
    }
    if list.problems.is_empty() { Ok(list.taken) } else { Err(list.problems) }
}

struct List<'a> {
    kinds: &'a Kinds,
    file: &'a Arc<str>,
    reading: &'a Reading<'a>,
    directory: &'a mut Directory,
    ids: &'a mut Ids,
    problems: Vec<Problem>,
    taken: Taken,
}

/// The text at a path of an item.
fn text<'n>(item: &'n Node, path: &str) -> Option<&'n str> {
    item.at(path).and_then(Node::given)
}

/// The last part of an Azure path, in lower case: `/subscriptions/4444…`.
fn last(path: &str) -> String {
    path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase()
}

impl List<'_> {
    fn problem(&mut self, code: Code, span: Span, message: impl Into<String>, hint: &str) {
        self.problems.push(Problem::at(code, self.file, span, message, hint));
    }

    /// The text at a path; that it is missing is a problem.
    fn needed<'n>(&mut self, item: &'n Node, path: &str) -> Option<&'n str> {
        let found = text(item, path);
        if found.is_none() {
            let message = format!("the reservation has no `{path}`");
            self.problem(code::MISSING_FIELD, item.place(path), message, "take the whole list in");
        }
        found
    }

    fn item(&mut self, item: &Node) {
        let state = match text(item, "properties.provisioningState") {
            Some(state) if NONE.contains(&state) => return,
            Some("Cancelled") => "Cancelled",
            Some("Expired") => "Expired",
            Some(state) if ACTIVE.contains(&state) => "Active",
            other => {
                let message =
                    format!("`{}` is no state of a reservation", other.unwrap_or("nothing"));
                let place = item.place("properties.provisioningState");
                return self.problem(code::UNKNOWN_VALUE, place, message, "check the list");
            }
        };
        let Some(id) = self.needed(item, "id") else { return };
        let (reservation, order) = match id.rsplit('/').collect::<Vec<_>>().as_slice() {
            [reservation, _, order, ..] => (reservation.to_string(), order.to_string()),
            _ => {
                let message = format!("`{id}` is no id of a reservation");
                let hint = "it ends with /reservationOrders/{order}/reservations/{id}";
                return self.problem(code::INVALID_VALUE, item.place("id"), message, hint);
            }
        };
        let Some(mut spec) = self.state(item) else { return };
        spec.set("state", state.into());
        spec.set("reservationId", reservation.as_str().into());
        spec.set("orderId", order.as_str().into());
        let kind = KindName::new("Reservation");
        let before = self.directory.actual(&kind, &reservation).cloned();
        self.keep(&mut spec, before.as_ref());
        if let Some(wrong) = self.kinds.get("Reservation").and_then(|e| (e.check_observed)(&spec)) {
            return self.problem(code::INVALID_VALUE, item.place("properties"), wrong, "mend it");
        }
        let name = match &before {
            Some(before) => before.name.clone(),
            None => name(text(item, "properties.displayName").unwrap_or_default(), &reservation),
        };
        let buyer = spec.text("buyer").map(str::to_owned);
        let renews = text(item, "properties.renewSource").map(|id| self.renewed(id, &mut spec));
        let observed = Arc::new(Observed { kind, external_id: reservation, name, spec });
        match (&before, renews) {
            (None, Some(Some(old))) => self.renewal(&observed, old, buyer),
            (None, None) => self.bought(&observed, buyer),
            _ => {}
        }
        self.directory.put_actual(observed.clone());
        self.taken.writes.push(Write::PutActual(observed));
        self.taken.count += 1;
    }

    /// The fields of a reservation as its item has them.
    fn state(&mut self, item: &Node) -> Option<Spec> {
        let mut spec = Spec::default();
        let billed = self.needed(item, "properties.billingScopeId").map(last);
        let single = text(item, "properties.appliedScopeType") == Some("Single");
        let applied = text(item, "properties.appliedScopeProperties.subscriptionId").map(last);
        let subscription = applied.filter(|_| single).or(billed)?;
        if self.directory.actual(&KindName::new("Subscription"), &subscription).is_none() {
            let message = format!("its subscription {subscription} is not there");
            let hint = "take the subscription in first, with `partnerctl ingest state` and its id as status.externalId";
            let place = item.place("properties.billingScopeId");
            self.problem(code::DANGLING_REFERENCE, place, message, hint);
            return None;
        }
        spec.set("subscriptionRef", Value::one("external", subscription.into()));
        for (field, path) in [
            ("product.type", "properties.reservedResourceType"),
            ("product.sku", "sku.name"),
            ("product.region", "location"),
            ("term", "properties.term"),
        ] {
            spec.set(field, self.needed(item, path)?.into());
        }
        let quantity = self.needed(item, "properties.quantity")?;
        let Ok(quantity) = quantity.parse::<u32>() else {
            let message = format!("`{quantity}` is no quantity");
            let place = item.place("properties.quantity");
            self.problem(code::WRONG_TYPE, place, message, "write a whole number");
            return None;
        };
        spec.set("quantity", Value::from(serde_json::Value::from(quantity)));
        let plan = text(item, "properties.billingPlan").unwrap_or("Upfront");
        spec.set("billingPlan", plan.into());
        spec.set("scope", if single { "Single" } else { "Shared" }.into());
        spec.set("autoRenew", (text(item, "properties.renew") == Some("true")).into());
        let day = |exact: &str, day: &str| {
            text(item, exact).or_else(|| text(item, day)).map(str::to_owned)
        };
        let purchased = day("properties.purchaseDateTime", "properties.purchaseDate");
        let expires = day("properties.expiryDateTime", "properties.expiryDate");
        if let Some(purchased) = purchased {
            spec.set("purchasedAt", purchased.into());
        }
        if let Some(expires) = expires {
            spec.set("expiresOn", expires.get(..10).unwrap_or(&expires).into());
        }
        if let Some(buyer) = text(item, "systemData.createdBy") {
            spec.set("buyer", buyer.into());
        }
        spec.set("payer", "partner".into());
        self.utilization(item, &mut spec);
        Some(spec)
    }

    /// How much of it was used, and whether at all since it was bought.
    fn utilization(&self, item: &Node, spec: &mut Spec) {
        let Some(Tree::Sequence(aggregates)) =
            item.at("properties.utilization.aggregates").map(|list| &list.value)
        else {
            return;
        };
        let whole = |text: &str| text.split('.').next().and_then(|text| text.parse::<i64>().ok());
        let mut seen: Vec<(i64, &str)> = aggregates
            .iter()
            .filter_map(|one| Some((whole(text(one, "grain")?)?, text(one, "value")?)))
            .collect();
        seen.sort_unstable();
        let Some((days, percent)) = seen.last() else { return };
        spec.set("utilization", (*percent).into());
        let today = self.reading.at.date_naive();
        spec.set("utilizationOn", today.to_string().into());
        let is_zero = |text: &str| Amount::from_text(text).is_ok_and(|n| n.value().is_zero());
        let since = purchased_on(spec).map(|bought| (today - bought).num_days());
        if seen.iter().any(|(_, percent)| !is_zero(percent)) {
            spec.set("used", "true".into());
        } else if since.is_some_and(|since| since <= *days) {
            spec.set("used", "false".into());
        }
    }

    /// What Azure does not tell and was known before.
    fn keep(&self, spec: &mut Spec, before: Option<&Observed>) {
        let Some(before) = before else { return };
        for (field, value) in before.spec.leaves() {
            if spec.get(&field).is_none() {
                spec.set(&field, value.clone());
            }
        }
        // An exchange ends a reservation as a cancellation does.
        if (before.spec.text("state"), spec.text("state")) == (Some("Exchanged"), Some("Cancelled"))
        {
            spec.set("state", "Exchanged".into());
        }
    }

    /// Notes which reservation it goes on with: the one that Azure renewed at the end of its term.
    /// Gives the resource that manages that one.
    fn renewed(&self, source: &str, spec: &mut Spec) -> Option<ResourceId> {
        let id = source.rsplit('/').next().unwrap_or_default();
        // The letters of ids come in either case.
        let mut known = self.directory.things("Reservation");
        let old = known.find(|thing| thing.external_id.eq_ignore_ascii_case(id));
        spec.set("renewedFrom", old.map_or(id, |old| &old.external_id).into());
        self.directory.name(old?).cloned()
    }

    /// Writes down that Azure bought a reservation anew, as it was told to.
    fn renewal(&mut self, thing: &Observed, old: ResourceId, buyer: Option<String>) {
        let reason = format!("renews {old} at the end of its term; the partner pays");
        let id = self.order(thing, buyer.unwrap_or_else(|| "Azure".to_owned()), reason);
        self.taken.renewed.push((id, old));
    }

    /// Writes down what a user of the customer bought.
    fn bought(&mut self, thing: &Observed, buyer: Option<String>) {
        let Some(buyer) = buyer.filter(|buyer| self.is_customers(thing, buyer)) else { return };
        let reason = "bought by the customer; the partner pays".to_owned();
        let id = self.order(thing, buyer.clone(), reason);
        self.taken.bought.push((id, buyer));
    }

    /// The activity of an order that was placed outside.
    fn order(&mut self, thing: &Observed, actor: String, reason: String) -> ResourceId {
        let id = ResourceId::new("Reservation", &thing.name);
        let fields = thing.spec.leaves().into_iter();
        let fields = fields.map(|(path, value)| (format!("spec.{path}"), value.clone()));
        self.taken.writes.push(Write::Append(Box::new(Draft {
            at: self.reading.at,
            actor: actor.into(),
            source: Source { file: Some(self.file.clone()), ..Source::default() },
            command: "ingest".into(),
            set: self.reading.set.into(),
            resource: id.clone(),
            operation: "Create order".into(),
            before: None,
            after: Some(Value::Object(fields.collect())),
            plan_id: "".into(),
            operation_id: self.ids.next("operation"),
            outcome: Outcome::Succeeded,
            reason: reason.into(),
        })));
        id
    }

    /// True when who bought it is a user of the customer: of the customer's domain.
    fn is_customers(&self, thing: &Observed, buyer: &str) -> bool {
        let external =
            |spec: &Spec, path: &str| spec.get(path)?.get("external")?.as_str().map(str::to_owned);
        let domain = || {
            let subscription = external(&thing.spec, "subscriptionRef")?;
            let subscription =
                self.directory.actual(&KindName::new("Subscription"), &subscription)?;
            let customer = external(&subscription.spec, "customerRef")?;
            let customer = self.directory.actual(&KindName::new("Customer"), &customer)?;
            customer.spec.text("domain").map(str::to_lowercase)
        };
        let at = buyer.rsplit_once('@').map(|(_, domain)| domain.to_lowercase());
        at.is_some() && at == domain()
    }
}

/// A name to call it by: as it is displayed, in the letters of names, else its id.
fn name(displayed: &str, reservation: &str) -> String {
    let letters = displayed.to_ascii_lowercase();
    let letters: String = letters
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' })
        .collect();
    let name = letters.trim_matches(['-', '.']).to_owned();
    if ResourceName::parse(&name).is_ok() { name } else { reservation.to_ascii_lowercase() }
}
