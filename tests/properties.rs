//! Properties over random desired states.

use crate::common::{AT, TestEnv, carry_out};
use partnerctl::engine::dump::{Dumper, Values};
use partnerctl::engine::gather::load;
use partnerctl::engine::tree::Texts;
use partnerctl::engine::{Gathered, gather};
use partnerctl::kinds::Kinds;
use partnerctl::kinds::selector::Selector;
use partnerctl::model::{KindName, ResourceId};
use partnerctl::plan::saved;
use partnerctl::plan::{Action, Limits, Plan, PlanInput, Scope, Selection, plan, render};
use partnerctl::provider::embedded::Embedded;
use partnerctl::store::{Filter, Missing, Store, open};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// A customer with what hangs on it, as random as manifests may be.
#[derive(Debug, Clone)]
pub struct Customer {
    number: u8,
    rename: bool,
    tier: u8,
    currency: bool,
    invited: bool,
    subscriptions: Vec<(u8, bool, bool)>,
    budget: Option<(u32, Option<u8>)>,
    allowed: Option<bool>,
    owners: Vec<u8>,
    annotation: u8,
    /// Which product, whether it is given back, whether it is paid monthly.
    reservation: Option<(u8, bool, bool)>,
}

fn customer() -> impl Strategy<Value = Customer> {
    (
        (0..6u8, any::<bool>(), 0..3u8, any::<bool>(), prop::bool::weighted(0.1)),
        prop::collection::vec((0..3u8, any::<bool>(), any::<bool>()), 0..3),
        prop::option::of((0..99_999u32, prop::option::of(1..200u8))),
        prop::option::of(any::<bool>()),
        prop::collection::vec(0..4u8, 0..3),
        (0..8u8, prop::option::weighted(0.4, (0..2u8, any::<bool>(), any::<bool>()))),
    )
        .prop_map(
            |(
                (number, rename, tier, currency, invited),
                subscriptions,
                budget,
                allowed,
                owners,
                (annotation, reservation),
            )| {
                Customer {
                    number,
                    rename,
                    tier,
                    currency,
                    invited,
                    subscriptions,
                    budget,
                    allowed,
                    owners,
                    annotation,
                    reservation,
                }
            },
        )
}

/// Customers, and the tier that a selector budget chooses.
pub type State = (Vec<Customer>, Option<u8>);

pub fn state() -> impl Strategy<Value = State> {
    (prop::collection::vec(customer(), 0..5), prop::option::of(0..3u8))
}

/// The manifests of a state, one document each.
#[expect(clippy::too_many_lines, reason = "one document after another")]
pub fn documents((customers, selector): &State) -> Vec<String> {
    let by_number: BTreeMap<u8, &Customer> = customers.iter().map(|c| (c.number, c)).collect();
    let mut documents = Vec::new();
    let mut document = |kind: &str, metadata: &str, spec: &str| {
        documents.push(format!(
            "apiVersion: partnerctl.dev/v1\nkind: {kind}\nmetadata: {metadata}\nspec: {spec}\n"
        ));
    };
    for c in by_number.values() {
        let name = format!("c{}{}", c.number, if c.rename { "-new" } else { "" });
        let annotation = match c.annotation {
            0 => "partnerctl.dev/deletion-policy: Retain",
            1 => "partnerctl.dev/management: CreateOnly",
            2 => "partnerctl.dev/reason: because",
            3 => "other.example/x: y",
            _ => "",
        };
        let currency = if c.currency { ", currency: EUR" } else { "" };
        let onboarding = if c.invited { ", onboarding: Invite" } else { "" };
        document(
            "Customer",
            &format!(
                "{{name: {name}, labels: {{tier: t{}}}, annotations: {{{annotation}}}}}",
                c.tier
            ),
            &format!(
                "{{companyName: N{}, domain: c{}.example, country: NL{currency}{onboarding}}}",
                c.tier, c.number
            ),
        );
        let mut usage = None;
        let mut seen = std::collections::BTreeSet::new();
        for (offer, suspended, named) in &c.subscriptions {
            if !seen.insert(*offer) {
                continue;
            }
            // Now under one name, now under another, with nothing said about it.
            let sub =
                format!("c{}-s{offer}{}", c.number, if c.annotation % 2 == 1 { "-x" } else { "" });
            let state = if *suspended { ", state: Suspended" } else { "" };
            let friendly = if *named { ", friendlyName: Name" } else { "" };
            let (kind, rest) = match offer {
                0 => ("AzurePlan", ""),
                1 => ("AzureGlobal", ""),
                _ => ("License, id: \"X:1\"", ", quantity: 5"),
            };
            document(
                "Subscription",
                &format!("{{name: {sub}}}"),
                &format!(
                    "{{customerRef: {{name: {name}}}, offer: {{type: {kind}}}{rest}{state}{friendly}}}"
                ),
            );
            if *offer < 2 && !suspended {
                usage = Some(sub);
            }
        }
        if let Some((cents, threshold)) = c.budget {
            let threshold =
                threshold.map(|t| format!(", alertThresholds: [{t}]")).unwrap_or_default();
            document(
                "Budget",
                &format!("{{name: b{}}}", c.number),
                &format!(
                    "{{customerRef: {{name: {name}}}, monthly: {{amount: \"{}.{:02}\", currency: EUR}}{threshold}}}",
                    cents / 100,
                    cents % 100
                ),
            );
        }
        if let (Some(sub), Some((product, cancelled, monthly))) = (&usage, c.reservation) {
            let state = if cancelled { ", state: Cancelled" } else { "" };
            let plan = if monthly { ", billingPlan: Monthly" } else { "" };
            document(
                "Reservation",
                &format!("{{name: c{}-r{product}}}", c.number),
                &format!(
                    "{{subscriptionRef: {{name: {sub}}}, product: {{type: VM, sku: S{product}, region: eu}}, quantity: 1, term: P1Y, price: {{amount: \"120\", currency: USD}}{state}{plan}}}"
                ),
            );
        }
        if let Some(sub) = usage {
            let owners: std::collections::BTreeSet<_> = c.owners.iter().collect();
            for owner in &owners {
                let kind = if **owner == 3 { "ServicePrincipal" } else { "User" };
                document(
                    "RoleAssignment",
                    &format!("{{name: {sub}-o{owner}}}"),
                    &format!(
                        "{{scope: {{subscriptionRef: {{name: {sub}}}}}, principal: {{type: {kind}, name: P{}}}, role: Owner}}",
                        u8::from(c.rename) * 10 + **owner
                    ),
                );
            }
            if let Some(allowed) = c.allowed {
                let purchase =
                    if allowed { "Allowed, acknowledgeLiability: true" } else { "Denied" };
                document(
                    "ReservationPermission",
                    &format!("{{name: c{}}}", c.number),
                    &format!(
                        "{{customerRef: {{name: {name}}}, subscriptionRef: {{name: {sub}}}, purchase: {purchase}}}"
                    ),
                );
            }
        }
    }
    if let Some(tier) = selector {
        document(
            "Budget",
            "{name: by-tier}",
            &format!(
                "{{customerSelector: {{matchLabels: {{tier: t{tier}}}}}, monthly: {{amount: \"9\", currency: EUR}}}}"
            ),
        );
    }
    documents
}

/// A store in memory of the file system, with the pure pass around it.
struct World {
    kinds: Kinds,
    store: Box<dyn Store>,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("state.db").display());
        Self {
            kinds: Kinds::default(),
            store: open(&url, Missing::Create).unwrap().unwrap(),
            _folder: folder,
        }
    }

    fn gathered(&self) -> Gathered {
        gather(Some(self.store.as_ref()), &Embedded).unwrap()
    }

    fn plan(&self, files: &[(String, String)], scope: Scope) -> Plan {
        self.plan_of(files, scope, Selection::default())
    }

    fn plan_of(&self, files: &[(String, String)], scope: Scope, selection: Selection) -> Plan {
        let gathered = self.gathered();
        let texts = files.iter().map(|(f, t)| (f.as_str().into(), t.as_str().into())).collect();
        let manifests = load(&self.kinds, Texts { texts, problems: Vec::new() }, &gathered.stored);
        assert!(!manifests.has_errors(), "{:#?}\n{files:?}", manifests.problems);
        plan(&PlanInput {
            lineage: gathered.lineage.clone(),
            actor: "a".to_owned(),
            desired: manifests.resources,
            stored: gathered.stored,
            unmanaged: gathered.unmanaged,
            scope,
            selection,
            limits: Limits { at_least: usize::MAX, ..Limits::default() },
            beside: gathered.beside,
            ..PlanInput::new(self.kinds.clone(), AT.parse().unwrap(), "test")
        })
    }

    /// Subscriptions of one customer and offer, and reservations of one subscription and product that
    /// were not given back, of which there is more than one.
    fn bought_twice(&self) -> Vec<String> {
        let mut count: BTreeMap<String, usize> = BTreeMap::new();
        for thing in &self.gathered().actual {
            let (of, what) = match thing.kind.as_str() {
                "Subscription" => ("customerRef", "offer"),
                "Reservation" if thing.spec.text("state") == Some("Active") => {
                    ("subscriptionRef", "product")
                }
                _ => continue,
            };
            let (of, what) = (thing.spec.get(of), thing.spec.get(what));
            *count.entry(format!("{of:?} {what:?}")).or_default() += 1;
        }
        count.into_iter().filter(|(_, count)| *count > 1).map(|(what, _)| what).collect()
    }

    /// What `dump` writes.
    fn dump(&self, values: Values, unmanaged: bool) -> Vec<(String, String)> {
        let gathered = self.gathered();
        let mut dumper = Dumper::new(&self.kinds, &gathered);
        let chosen: Vec<_> = gathered.unmanaged.iter().filter(|_| unmanaged).collect();
        let others = dumper.unmanaged(&chosen, None).resources;
        let resources = [dumper.owned("test", values).resources, others].concat();
        let documents: Vec<_> =
            resources.iter().map(|resource| dumper.document(resource).unwrap()).collect();
        files(&documents)
    }

    /// Applies a state until nothing goes ahead any more.
    fn settle(&mut self, files: &[(String, String)]) {
        for _ in 0..3 {
            self.apply(&self.plan(files, Scope::Whole));
        }
    }

    fn apply(&mut self, plan: &Plan) {
        carry_out(&self.kinds, self.store.as_mut(), plan);
    }
}

/// A part of what there is, chosen in each of the ways there are.
fn selection() -> impl Strategy<Value = Selection> {
    let kind = prop::sample::select(vec![
        "Customer",
        "Subscription",
        "Budget",
        "Reservation",
        "RoleAssignment",
        "ReservationPermission",
    ]);
    (
        prop::option::of(0..3u8),
        prop::collection::btree_set(0..6u8, 0..2),
        prop::collection::btree_set(kind.clone(), 0..3),
        prop::collection::btree_set((kind.clone(), 0..6u8), 0..3),
        prop::collection::btree_set(kind, 0..2),
    )
        .prop_map(|(tier, customers, kinds, exclude, exclude_kinds)| {
            let name = |kind: &str, number: u8| match kind {
                "Subscription" => format!("c{number}-s0"),
                "RoleAssignment" => format!("c{number}-s0-o1"),
                "Budget" => format!("b{number}"),
                "Reservation" => format!("c{number}-r0"),
                _ => format!("c{number}"),
            };
            Selection {
                labels: tier.map(|tier| Selector::parse(&format!("tier=t{tier}")).unwrap()),
                customers: customers.iter().map(|number| format!("c{number}")).collect(),
                kinds: kinds.into_iter().map(KindName::new).collect(),
                exclude: exclude
                    .into_iter()
                    .map(|(kind, number)| ResourceId::new(kind, &name(kind, number)))
                    .collect(),
                exclude_kinds: exclude_kinds.into_iter().map(KindName::new).collect(),
                ..Selection::default()
            }
        })
}

fn files(documents: &[String]) -> Vec<(String, String)> {
    vec![("all.yaml".to_owned(), documents.join("---\n"))]
}

/// Everything of a plan but where its changes come from.
fn without_sources(plan: &Plan) -> String {
    let mut plan = plan.clone();
    plan.digest.clear();
    for change in &mut plan.changes {
        change.source = partnerctl::model::Source::default();
    }
    for undeclared in &mut plan.undeclared {
        undeclared.source = partnerctl::model::Source::default();
    }
    plan.records.retain_mut(|record| {
        record.source = None;
        record.desired.is_some() || !record.conditions.is_empty()
    });
    serde_json::to_string(&plan).unwrap()
}

/// Everything a plan of a dump may not have: all but budgets that move out of a selector and things
/// that are taken over, both without a difference.
fn beyond_a_dump(plan: &Plan) -> Vec<String> {
    let harmless = |change: &&partnerctl::plan::Change| {
        let moved = change.previous.as_ref().is_some_and(|old| old.name.is_generated());
        let kept = (change.action == Action::Update && moved) || change.action == Action::Adopt;
        kept && change.fields.is_empty() && change.blocked.is_empty()
    };
    let rest = plan.changes.iter().filter(|change| !harmless(change));
    let rest = rest.map(|c| format!("{:?} {} {:?} {:?}", c.action, c.id, c.fields, c.blocked));
    rest.chain(plan.undeclared.iter().map(|u| format!("undeclared {u:?}"))).collect()
}

/// What would still be done: held back changes apart.
fn left(plan: &Plan) -> Vec<String> {
    plan.proceeding()
        .map(|change| format!("{:?} {} {:?}", change.action, change.id, change.fields))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn plan_apply_plan_is_empty_through_any_history(states in prop::collection::vec(state(), 1..4), prune in any::<bool>()) {
        let mut world = World::new();
        let scope = if prune { Scope::WholeAndPrune } else { Scope::Whole };
        for state in &states {
            let files = files(&documents(state));
            let first = world.plan(&files, scope);
            world.apply(&first);
            let second = world.plan(&files, scope);
            prop_assert_eq!(left(&second), Vec::<String>::new(), "after\n{}\nin\n{}", render::text(&first, false, 100), files[0].1);
            prop_assert_eq!(world.bought_twice(), Vec::<String>::new(), "in\n{}", files[0].1);
            // Held back changes say why, and stay as they are.
            for change in second.changes.iter().filter(|change| !change.proceeds()) {
                prop_assert!(change.waiting.is_some() || !change.blocked.is_empty());
            }
        }
    }

    #[test]
    fn a_selected_plan_is_a_part_of_the_whole_and_leads_to_the_same_end(
        earlier in prop::collection::vec(state(), 0..3), last in state(), selection in selection(),
    ) {
        let (mut parts, mut at_once) = (World::new(), World::new());
        for state in &earlier {
            let files = files(&documents(state));
            for world in [&mut parts, &mut at_once] {
                world.apply(&world.plan(&files, Scope::Whole));
            }
        }
        let files = files(&documents(&last));
        let whole = parts.plan(&files, Scope::Whole);
        let part = parts.plan_of(&files, Scope::Whole, selection.clone());
        let shown = || format!("{selection:?}\n{}\nof\n{}", render::text(&part, false, 100), render::text(&whole, false, 100));
        if selection.is_everything() {
            prop_assert_eq!(&part, &whole);
        }
        // Everything is in it or outside of it, and alike.
        prop_assert_eq!(part.changes.len() + part.outside.unwrap_or_default(), whole.changes.len(), "{}", shown());
        let all: BTreeMap<_, _> = whole.changes.iter().map(|change| (&change.id, change)).collect();
        for change in &part.changes {
            let same = all[&change.id];
            prop_assert_eq!((change.action, &change.fields), (same.action, &same.fields), "{}", shown());
            let stored = parts.gathered().stored.iter().find(|row| row.id == change.id).cloned();
            let metadata = change.desired.as_ref().map(|desired| desired.metadata.clone());
            let metadata = metadata.or(stored.map(|row| row.metadata)).unwrap();
            let customer = change.customer.as_ref().map(|name| ResourceId::new("Customer", name));
            prop_assert!(selection.chooses(&change.id, &metadata, customer.as_ref()), "{} in {}", change.id, shown());
            // What goes ahead in the whole and not here rests on something outside, and says so.
            if same.proceeds() && !change.proceeds() {
                let waits = change.waiting.as_deref().unwrap_or_default();
                prop_assert!(waits.ends_with("it lies outside the selection"), "{waits} in {}", shown());
            }
        }
        prop_assert!(part.undeclared.is_empty() || selection.is_everything());
        prop_assert_eq!(&saved::read(&saved::text(&part)).unwrap(), &part);
        // Nothing but the part is done.
        let seq = parts.store.head().unwrap().seq;
        parts.apply(&part);
        let log = parts.store.activities(&Filter::default()).unwrap();
        let done: BTreeSet<_> = log.iter().filter(|a| a.seq > seq).map(|a| a.resource.clone()).collect();
        let meant: BTreeSet<_> = part.proceeding().map(|change| change.id.clone()).collect();
        prop_assert_eq!(done, meant);
        // And in the end it is as if there had been no parts.
        parts.settle(&files);
        at_once.settle(&files);
        prop_assert_eq!(parts.dump(Values::Observed, true), at_once.dump(Values::Observed, true), "{}", shown());
        prop_assert_eq!(parts.dump(Values::Accepted, true), at_once.dump(Values::Accepted, true), "{}", shown());
        prop_assert_eq!(parts.bought_twice(), Vec::<String>::new(), "{}", shown());
    }

    #[test]
    fn a_dump_in_place_of_the_manifests_changes_nothing(
        states in prop::collection::vec(state(), 1..4), prune in any::<bool>(),
        unmanaged in any::<bool>(),
    ) {
        let mut world = World::new();
        let scope = if prune { Scope::WholeAndPrune } else { Scope::Whole };
        for state in &states {
            world.apply(&world.plan(&files(&documents(state)), scope));
            for values in [Values::Accepted, Values::Observed] {
                let dump = world.dump(values, unmanaged);
                let plan = world.plan(&dump, Scope::WholeAndPrune);
                prop_assert_eq!(beyond_a_dump(&plan), Vec::<String>::new(), "in\n{}", dump[0].1);
            }
        }
        // Once what moves or is taken over has done so, nothing at all is left.
        let dump = world.dump(Values::Accepted, unmanaged);
        world.apply(&world.plan(&dump, Scope::WholeAndPrune));
        let again = world.dump(Values::Accepted, unmanaged);
        let plan = world.plan(&again, Scope::WholeAndPrune);
        let waiting = plan.changes.iter().filter(|change| change.waiting.is_some()).count();
        prop_assert_eq!(plan.changes.len(), waiting, "{}", render::text(&plan, false, 100));
        // What was taken over stands among what is owned now.
        let documents = |dump: &[(String, String)]| {
            let mut documents: Vec<_> = dump[0].1.split("---\n").map(str::to_owned).collect();
            documents.sort();
            documents
        };
        prop_assert!(waiting > 0 || documents(&dump) == documents(&again));
    }

    #[test]
    fn the_order_of_documents_and_files_changes_nothing_but_sources(
        state in state(), seed in any::<u64>(), parts in 1..4usize,
    ) {
        let world = World::new();
        let mut documents = documents(&state);
        let one = world.plan(&files(&documents), Scope::Whole);
        // A shuffle without a library: sort by a hash of position and seed.
        let mut keyed: Vec<(u64, String)> = documents.drain(..).enumerate().map(|(index, text)| {
            ((index as u64 + 1).wrapping_mul(seed | 1).rotate_left(17), text)
        }).collect();
        keyed.sort();
        let mut split: Vec<(String, String)> = Vec::new();
        for (index, (_, text)) in keyed.into_iter().enumerate() {
            let name = format!("f{}.yaml", index % parts);
            match split.iter_mut().find(|(file, _)| *file == name) {
                Some((_, all)) => { all.push_str("---\n"); all.push_str(&text); }
                None => split.push((name, text)),
            }
        }
        split.reverse();
        let other = world.plan(&split, Scope::Whole);
        prop_assert_eq!(without_sources(&one), without_sources(&other));
        prop_assert_eq!(&one.id, &other.id);
    }

    #[test]
    fn every_change_comes_after_what_it_depends_on(states in prop::collection::vec(state(), 1..3)) {
        let mut world = World::new();
        for state in &states {
            let plan = world.plan(&files(&documents(state)), Scope::WholeAndPrune);
            let mut seen = std::collections::BTreeSet::new();
            for change in &plan.changes {
                for first in &change.depends_on {
                    prop_assert!(seen.contains(first), "{} before {first}", change.id);
                }
                seen.insert(change.id.clone());
            }
            world.apply(&plan);
        }
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let env = TestEnv::workspace(&crate::common::customer("contoso"));
    let one = env.ok(&["plan", "-o", "json", "--at", AT]);
    assert_eq!(one, env.ok(&["plan", "-o", "json", "--at", AT]));
    env.ok(&["apply", "--yes"]);
    let moved = env.path().join("manifests/moved.yaml");
    std::fs::rename(env.path().join("manifests/all.yaml"), moved).unwrap();
    env.assert_settled();
    env.ok(&["apply", "--yes"]);
    assert!(env.ok(&["describe", "budget", "contoso"]).contains("manifests/moved.yaml:"));
}
