//! Reservations at a provider program: bought, moved, exchanged and cancelled there, once each, and
//! not at all where that became worse than was planned.

use crate::common::{TestEnv, today};
use crate::crash::killer;
use crate::outside::{killed, ledger, parked, tell, workspace};
use chrono::Days;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const CUSTOMER: &str = "\
apiVersion: partnerctl.dev/v1
kind: Customer
metadata: {name: contoso}
spec: {companyName: Contoso, domain: contoso.example, country: NL, currency: USD}
---
apiVersion: partnerctl.dev/v1
kind: Subscription
metadata: {name: azure}
spec: {customerRef: {name: contoso}, offer: {type: AzurePlan}}
---
apiVersion: partnerctl.dev/v1
kind: Subscription
metadata: {name: test}
spec: {customerRef: {name: contoso}, offer: {type: AzureGlobal}}
";

fn reservation(name: &str, price: &str, more: &str) -> String {
    format!(
        "---
apiVersion: partnerctl.dev/v1
kind: Reservation
metadata: {{name: {name}}}
spec:
  subscriptionRef: {{name: azure}}
  product: {{type: VirtualMachines, sku: {name}, region: westeurope}}
  quantity: 1
  term: P1Y
  price: {{amount: \"{price}\", currency: USD}}
{more}"
    )
}

fn declare(env: &TestEnv, reservations: &[String]) {
    env.write("manifests/all.yaml", format!("{CUSTOMER}{}", reservations.concat()));
}

fn apply(env: &TestEnv) -> std::process::Output {
    env.run(&["apply", "--yes", "--approve", "costly", "--quiet"])
}

fn applied(env: &TestEnv) {
    let output = apply(env);
    let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
}

/// A workspace with reservations that were bought today, unless the faults say when.
fn bought(reservations: &[String], faults: &Value) -> TestEnv {
    today();
    let env = workspace(&format!("{CUSTOMER}{}", reservations.concat()), faults);
    applied(&env);
    env.assert_settled();
    env
}

/// `action name state` of every effect on a reservation from a line of the ledger on.
fn effects(env: &TestEnv, from: usize) -> Vec<String> {
    let entries = ledger(env).split_off(from);
    let reservations = entries.iter().filter(|entry| entry["kind"] == "Reservation");
    let told = reservations.map(|entry| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (action, name) = (text(&entry["action"]), text(&entry["name"]));
        format!("{action} {name} {}", text(&entry["thing"]["spec"]["state"]))
    });
    told.collect()
}

fn operations(env: &TestEnv) -> Vec<String> {
    let log: Value = serde_json::from_str(&env.ok(&["log", "-o", "json"])).unwrap();
    let all = log.as_array().unwrap().iter();
    let of_reservations =
        all.filter(|one| one["resource"].as_str().unwrap().starts_with("Reservation/"));
    of_reservations
        .map(|one| {
            let text = |key: &str| one[key].as_str().unwrap();
            format!("{} {} {}", text("operation"), text("resource"), text("outcome"))
        })
        .collect()
}

/// What is observed of a reservation.
fn observed(env: &TestEnv, name: &str) -> Value {
    let list = env.ok(&["get", "reservations", name, "-o", "json"]);
    let list: Value = serde_json::from_str(&list).unwrap();
    list["items"][0]["status"]["observed"].clone()
}

#[test]
fn a_reservation_is_bought_moved_exchanged_and_cancelled_at_the_provider() {
    let web = |more: &str| reservation("web", "3650.00", more);
    let large = |more: &str| reservation("large", "7300.00", more);
    let env = bought(&[web("")], &json!({}));
    assert_eq!(effects(&env, 0), ["create web Active"]);
    let there = observed(&env, "web");
    assert_eq!(
        (&there["orderId"], &there["payer"]),
        (&json!("order-of-reservation-4"), &json!("partner"))
    );

    let moved = web("  scope: Single\n  autoRenew: true\n").replace("name: azure", "name: test");
    declare(&env, &[moved]);
    applied(&env);
    env.assert_settled();
    assert_eq!(effects(&env, 4), ["update web Active"]);
    let there = observed(&env, "web");
    assert_eq!((&there["scope"], &there["autoRenew"]), (&json!("Single"), &json!(true)));
    assert_eq!(there["subscriptionRef"], json!({"name": "test"}));
    assert_eq!(there["orderId"], "order-of-reservation-4", "what only the provider knows stays");

    let gone = web("  scope: Single\n  autoRenew: true\n  state: Cancelled\n");
    let gone = gone.replace("name: azure", "name: test");
    declare(&env, &[gone.clone(), large("  exchange: {from: [{name: web}]}\n")]);
    applied(&env);
    env.assert_settled();
    assert_eq!(effects(&env, 5), ["create large Active"], "the exchange is one effect");
    assert_eq!(observed(&env, "web")["state"], "Exchanged");
    let new = observed(&env, "large");
    assert_eq!(new["exchangeCredit"], "3650.00 USD");
    assert_eq!(new["exchangePayable"], "3650.00 USD");

    declare(&env, &[gone, large("  state: Cancelled\n  exchange: {from: [{name: web}]}\n")]);
    applied(&env);
    env.assert_settled();
    assert_eq!(effects(&env, 6), ["update large Cancelled"]);
    assert_eq!(observed(&env, "large")["refund"], "7300.00 USD");
    assert_eq!(
        operations(&env),
        [
            "Create order Reservation/web succeeded",
            "Update reservation Reservation/web succeeded",
            "Create order Reservation/large succeeded",
            "Exchange reservation Reservation/web succeeded",
            "Return reservation Reservation/large succeeded",
        ]
    );
}

/// What is done in one apply: one is bought in exchange for another, a third is cancelled.
fn everything_at_once() -> [Vec<String>; 2] {
    let old = |more: &str| reservation("old", "3650.00", more);
    let spare = |more: &str| reservation("spare", "730.00", more);
    let new = reservation("new", "7300.00", "  exchange: {from: [{name: old}]}\n");
    let cancelled = "  state: Cancelled\n";
    [vec![old(""), spare("")], vec![old(cancelled), spare(cancelled), new]]
}

/// Each of them happened, once, and the price of what was exchanged did not come back as well.
fn assert_each_once(env: &TestEnv, from: usize, what: &str) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    effects(env, from).into_iter().for_each(|effect| *counts.entry(effect).or_default() += 1);
    let expected = ["create new Active", "update spare Cancelled"];
    let expected: BTreeMap<String, usize> =
        expected.into_iter().map(|effect| (effect.to_owned(), 1)).collect();
    assert_eq!(counts, expected, "{what}");
    let old = observed(env, "old");
    assert_eq!((&old["state"], &old["refund"]), (&json!("Exchanged"), &Value::Null), "{what}");
    env.ok(&["log", "verify"]);
}

#[test]
fn after_every_fault_each_is_bought_exchanged_and_cancelled_once() {
    for mode in [
        "transient",
        "dieBefore",
        "dieAfter",
        "unknown",
        "unknownAfter",
        "garbageAfter",
        "cutAfter",
        "emptyAfter",
    ] {
        let [before, after] = everything_at_once();
        let env = bought(&before, &json!({}));
        let from = ledger(&env).len();
        declare(&env, &after);
        tell(&env, &json!({"perform": [mode, "ok"]}));
        apply(&env);
        tell(&env, &json!({}));
        for _ in 0..2 {
            apply(&env);
        }
        env.assert_settled();
        assert_each_once(&env, from, mode);
        assert_eq!(parked(&env), Vec::<Value>::new(), "{mode}");
    }
}

#[test]
fn killed_at_every_write_each_is_bought_exchanged_and_cancelled_once() {
    let folder = tempfile::tempdir().unwrap();
    let library = killer(folder.path());
    let [before, after] = everything_at_once();
    let model = bought(&before, &json!({}));
    let from = ledger(&model).len();
    declare(&model, &after);
    let prepare = || {
        let env = TestEnv::new();
        let all = format!("{}/.", model.path().display());
        let copied = env.command("cp").args(["-r", &all, "."]).status().unwrap();
        assert!(copied.success());
        env
    };
    // Whether the old one is said to be exchanged or found to be: the provider did both at once.
    let done = |env: &TestEnv| {
        let mut done = operations(env);
        done.retain(|one| !one.starts_with("Exchange reservation Reservation/old"));
        done.sort();
        done
    };
    let killed = |env: &TestEnv, key: &str, value: &str| killed(env, &library, key, value);
    let whole = prepare();
    let count = folder.path().join("count");
    assert!(killed(&whole, "KILL_COUNT", count.to_str().unwrap()).status.success());
    assert_each_once(&whole, from, "not killed");
    let points: u32 = std::fs::read_to_string(&count).unwrap().parse().unwrap();
    assert!(points > 15, "{points}");
    for point in 1..=points {
        let env = prepare();
        killed(&env, "KILL_AT", &point.to_string());
        for _ in 0..2 {
            apply(&env);
        }
        env.assert_settled();
        assert_each_once(&env, from, &format!("killed at {point}"));
        assert_eq!(done(&env), done(&whole), "killed at {point}");
    }
}

#[test]
fn an_exchange_that_was_stopped_half_way_is_ended_and_gives_no_refund_beside_it() {
    let [before, after] = everything_at_once();
    let env = bought(&before, &json!({}));
    let from = ledger(&env).len();
    declare(&env, &after);
    // This provider leaves the old one to the call that follows.
    tell(&env, &json!({"apart": true, "refuse": "update"}));
    assert_eq!(apply(&env).status.code(), Some(5));
    assert_eq!(effects(&env, from), ["create new Active"]);
    assert_eq!(observed(&env, "old")["state"], "Active");
    tell(&env, &json!({"apart": true}));
    let plan = env.ok(&["plan"]);
    assert!(plan.contains("spec.state: Active → Exchanged"), "{plan}");
    applied(&env);
    env.assert_settled();
    let mut rest = effects(&env, from + 1);
    rest.sort();
    assert_eq!(rest, ["update old Exchanged", "update spare Cancelled"]);
    assert_eq!(observed(&env, "old")["refund"], Value::Null);
}

#[test]
fn what_renewed_at_the_provider_takes_the_place_of_what_is_over_and_nothing_is_bought() {
    let web = reservation("web", "3650.00", "  autoRenew: true\n");
    let env = bought(std::slice::from_ref(&web), &json!({}));
    let before = ledger(&env);
    let over = || before.iter().find(|entry| entry["name"] == "web").unwrap().clone();
    // The provider by itself: the term ended, and a new order was placed at another price.
    let (mut old, mut new) = (over(), over());
    old["thing"]["spec"]["state"] = "Expired".into();
    new["thing"]["spec"]["price"]["amount"] = "3700.00".into();
    new["thing"]["spec"]["renewedFrom"] = old["externalId"].clone();
    for (entry, key) in [(&mut old, "a"), (&mut new, "b")] {
        entry["key"] = key.into();
    }
    new["externalId"] = "reservation-77".into();
    new["thing"]["externalId"] = "reservation-77".into();
    let path = env.path().join("fake/ledger");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}{old}\n")).unwrap();
    let plan = env.ok(&["plan"]);
    assert!(plan.contains("it renews by itself") && plan.contains("nothing to do"), "{plan}");
    std::fs::write(&path, format!("{text}{old}\n{new}\n")).unwrap();
    let plan = env.ok(&["plan"]);
    assert!(plan.contains("adopt Reservation/web  (renewed)"), "{plan}");
    assert!(plan.contains("cannot be changed from 3700.00 to 3650.00"), "{plan}");
    declare(&env, &[web.replace("3650.00", "3700.00")]);
    applied(&env);
    env.assert_settled();
    assert_eq!(effects(&env, before.len() + 2), Vec::<String>::new());
    assert_eq!(observed(&env, "web")["renewedFrom"], old["externalId"]);
}

#[test]
fn without_a_promise_about_keys_a_purchase_of_unknown_end_is_left_to_a_person() {
    let env = bought(&[], &json!({"requestKeys": "none"}));
    declare(&env, &[reservation("web", "3650.00", "")]);
    for mode in ["unknownAfter", "unknown"] {
        tell(&env, &json!({"requestKeys": "none", "perform": [mode]}));
        assert_eq!(apply(&env).status.code(), Some(if mode == "unknown" { 3 } else { 5 }));
    }
    tell(&env, &json!({"requestKeys": "none"}));
    assert_eq!(apply(&env).status.code(), Some(3));
    assert_eq!(effects(&env, 0), ["create web Active"]);
    let [one] = parked(&env).try_into().unwrap();
    let (operation, made) = (&one["operationId"], &one["candidates"][0]["externalId"]);
    let arguments = [operation, made].map(|value| value.as_str().unwrap().to_owned());
    env.ok(&["repair", &arguments[0], "--adopt", &arguments[1], "--reason", "seen in the portal"]);
    env.assert_settled();
    assert_eq!(effects(&env, 0), ["create web Active"]);
}

#[test]
fn a_cancellation_that_was_done_is_not_asked_for_again_also_without_a_promise_about_keys() {
    let env = bought(&[reservation("web", "3650.00", "")], &json!({"requestKeys": "none"}));
    declare(&env, &[reservation("web", "3650.00", "  state: Cancelled\n")]);
    for mode in ["unknownAfter", "dieAfter", "cutAfter"] {
        tell(&env, &json!({"requestKeys": "none", "perform": [mode]}));
        apply(&env);
        assert_eq!(effects(&env, 4), ["update web Cancelled"], "{mode}");
    }
    tell(&env, &json!({"requestKeys": "none"}));
    env.assert_settled();
    assert_eq!(operations(&env)[1..], ["Return reservation Reservation/web succeeded"]);
}

#[test]
fn a_price_that_rose_and_a_refund_that_fell_at_the_provider_stop_the_change() {
    let [before, after] = everything_at_once();
    let env = bought(&before, &json!({}));
    let from = ledger(&env).len();
    declare(&env, &after);
    tell(&env, &json!({"price": "7400.00", "refund": "700.00"}));
    let output = apply(&env);
    assert_eq!(output.status.code(), Some(1), "nothing was done at all");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    for why in [
        "it costs 7400.00 now, and 7300.00 was to be paid",
        "700.00 would come back, and 730.00 was asked for",
    ] {
        assert!(told.contains(why), "{told}");
    }
    assert_eq!(effects(&env, from), Vec::<String>::new(), "nor is the old one given up");
    assert_eq!(observed(&env, "old")["state"], "Active");
}

#[test]
fn a_saved_plan_whose_refund_fell_meanwhile_is_not_applied() {
    // Six days ago: yesterday there was no fee.
    let (today, day) = (today(), |days| Days::new(days));
    let bought_on = format!("{}T08:00:00Z", today - day(6));
    let env = bought(&[reservation("web", "3650.00", "")], &json!({"bought": bought_on}));
    declare(&env, &[reservation("web", "3650.00", "  state: Cancelled\n")]);
    let yesterday = format!("{}T23:59:59Z", today - day(1));
    env.ok(&["plan", "--at", &yesterday, "--out", "plan.json"]);
    let output = env.run(&["apply", "plan.json", "--yes", "--approve", "costly"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{told}");
    assert!(told.contains("the figures are worse than the plan showed"), "{told}");
    assert_eq!(effects(&env, 4), Vec::<String>::new());
}

#[test]
fn a_resumed_cancellation_whose_refund_fell_is_left_to_a_person() {
    // Six days ago: under the terms of 2026-08 there is no fee, under the documents' table there is.
    let bought_on = format!("{}T08:00:00Z", today() - Days::new(6));
    let env = bought(&[reservation("web", "3650.00", "")], &json!({"bought": bought_on}));
    let settings = std::fs::read_to_string(env.path().join("partnerctl.yaml")).unwrap();
    let free = "refunds: {use: [{from: 2026-01-01, policy: terms-2026-08}]}\n";
    env.write("partnerctl.yaml", format!("{settings}{free}"));
    declare(&env, &[reservation("web", "3650.00", "  state: Cancelled\n")]);
    tell(&env, &json!({"perform": ["unknown"], "lookup": "fail"}));
    assert_eq!(apply(&env).status.code(), Some(5), "nobody knows what became of the call");
    assert_eq!(parked(&env)[0]["state"], "open", "the next run looks what became of it");

    env.write("partnerctl.yaml", &settings);
    tell(&env, &json!({}));
    let output = apply(&env);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(5), "{told}");
    assert!(told.contains("B0113"), "{told}");
    assert_eq!(apply(&env).status.code(), Some(3), "from then on it is only held");
    let [one] = parked(&env).try_into().unwrap();
    assert_eq!(one["state"], "unknown");
    let why = one["message"].as_str().unwrap();
    assert!(why.contains("where the plan showed"), "{why}");
    assert!(why.contains("but an earlier call was never answered"), "{why}");
    assert_eq!(operations(&env)[1..], ["Return reservation Reservation/web unknown"]);
    assert_eq!(effects(&env, 4), Vec::<String>::new(), "the provider was not asked again");

    // It is given up, planned anew with its fee, and done once.
    let operation = one["operationId"].as_str().unwrap();
    env.ok(&["repair", operation, "--abandon", "--reason", "it costs a fee now"]);
    applied(&env);
    env.assert_settled();
    assert_eq!(effects(&env, 4), ["update web Cancelled"]);
    assert_ne!(observed(&env, "web")["fee"], "0.00 USD");
}

#[test]
fn cancellations_of_one_customer_at_once_do_not_get_more_than_the_cap_together() {
    let both = |more: &str| ["a", "b"].map(|name| reservation(name, "36500.00", more));
    let env = bought(&both(""), &json!({}));
    declare(&env, &both("  state: Cancelled\n"));
    tell(&env, &json!({"perform": ["slow"]}));
    applied(&env);
    env.assert_settled();
    let refunds = ["a", "b"].map(|name| observed(&env, name)["refund"].clone());
    assert_eq!(refunds, [json!("36500.00 USD"), json!("13500.00 USD")]);
}

#[test]
fn an_exchange_is_not_bought_any_more_once_the_old_one_was_paid_back_outside() {
    let [before, after] = everything_at_once();
    let env = bought(&before, &json!({}));
    declare(&env, &after);
    tell(&env, &json!({"perform": ["unknown"], "lookup": "fail"}));
    assert_eq!(apply(&env).status.code(), Some(5), "nobody knows what became of the purchase");
    let from = ledger(&env).len();

    // In the portal, by hand, meanwhile.
    let mut old = ledger(&env).into_iter().find(|entry| entry["name"] == "old").unwrap();
    old["thing"]["spec"]["state"] = "Cancelled".into();
    old["key"] = "portal".into();
    let path = env.path().join("fake/ledger");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}{old}\n")).unwrap();
    tell(&env, &json!({}));
    let output = env.run(&["resume"]);
    let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{told}");
    let bought: Vec<String> = effects(&env, from + 1);
    assert!(bought.iter().all(|line| !line.starts_with("create")), "{bought:?}");
    let one = parked(&env).into_iter().find(|one| one["resource"] == "Reservation/new").unwrap();
    assert!(one["message"].as_str().unwrap().contains("has ended already"), "{one}");
}
