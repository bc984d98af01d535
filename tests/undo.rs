//! Undoing brings back what was, and refuses what has moved on or never comes back.

use crate::common::TestEnv;
use crate::outside;
use serde_json::{Value, json};

const CONTOSO: &str = "
apiVersion: partnerctl.dev/v1
kind: Customer
metadata: {name: contoso}
spec: {companyName: Contoso, domain: contoso.example, country: NL}
---
apiVersion: partnerctl.dev/v1
kind: Subscription
metadata: {name: azure}
spec: {customerRef: {name: contoso}, offer: {type: AzurePlan}}
---
apiVersion: partnerctl.dev/v1
kind: Budget
metadata: {name: contoso, labels: {tier: silver}}
spec: {customerRef: {name: contoso}, monthly: {amount: 10, currency: EUR}}
---
apiVersion: partnerctl.dev/v1
kind: RoleAssignment
metadata: {name: reader}
spec: {scope: {subscriptionRef: {name: azure}}, principal: {type: User, name: a@contoso.example}, role: Reader}
";

fn workspace() -> TestEnv {
    let env = TestEnv::workspace(CONTOSO);
    env.ok(&["apply", "--yes"]);
    env
}

/// What there is, without what counts how often it was written.
fn state(env: &TestEnv) -> Vec<Value> {
    let list: Value = serde_json::from_str(&env.ok(&["get", "all", "-o", "json"])).unwrap();
    let state = |item: &Value| {
        let labels = &item["metadata"]["labels"];
        serde_json::json!([
            item["kind"],
            item["metadata"]["name"],
            labels,
            item["spec"],
            item["status"]["observed"]
        ])
    };
    list["items"].as_array().unwrap().iter().map(state).collect()
}

fn log(env: &TestEnv) -> Vec<Value> {
    serde_json::from_str(&env.ok(&["log", "-o", "json"])).unwrap()
}

fn last(env: &TestEnv, field: &str) -> String {
    log(env).last().unwrap()[field].as_str().unwrap().to_owned()
}

/// Why the only operation that was asked for cannot be undone.
fn why(env: &TestEnv, what: &str) -> String {
    let output = env.run(&["undo", what, "-o", "json"]);
    assert_eq!(output.status.code(), Some(3), "{what}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["plan"], Value::Null, "{what}");
    let refused = report["notUndone"].as_array().unwrap();
    assert_eq!(refused.len(), 1, "{what}");
    refused[0]["why"].as_str().unwrap().to_owned()
}

fn seq(env: &TestEnv) -> String {
    log(env).last().unwrap()["seq"].to_string()
}

#[test]
fn a_plan_that_was_applied_is_brought_back_whole_and_again() {
    let env = workspace();
    let before = state(&env);
    let changed = CONTOSO
        .replace("amount: 10", "amount: 20")
        .replace("silver", "gold")
        .replace("companyName: Contoso", "companyName: Contoso B.V.")
        .replace("a@contoso", "b@contoso");
    env.write("manifests/all.yaml", &changed);
    env.ok(&["apply", "--yes"]);
    let after = state(&env);
    let undo = |expected: &[Value]| {
        env.ok(&["undo", &last(&env, "planId"), "--out", "undo.json"]);
        env.ok(&["apply", "undo.json", "--yes"]);
        assert_eq!(state(&env), expected);
    };
    undo(&before);
    undo(&after);
    undo(&before);
    env.write("manifests/all.yaml", CONTOSO);
    env.assert_settled();
}

#[test]
fn either_half_of_a_replacement_stands_for_both() {
    let env = workspace();
    env.write("manifests/all.yaml", CONTOSO.replace("a@contoso", "b@contoso"));
    env.ok(&["apply", "--yes"]);
    assert_eq!(log(&env).len(), 6);
    let (made, removed) = (env.ok(&["undo", "5"]), env.ok(&["undo", "6"]));
    assert_eq!(made, removed);
    assert!(made.contains("b@contoso.example → a@contoso.example"), "{made}");
    assert_eq!(env.ok(&["undo", &last(&env, "operationId")]), made);
}

#[test]
fn what_was_changed_outside_since_is_left_to_whoever_changed_it() {
    let env = workspace();
    env.write("manifests/all.yaml", CONTOSO.replace("amount: 10", "amount: 20"));
    env.ok(&["apply", "--yes"]);
    let ingest = |amount: &str| {
        let list = env.ok(&["get", "budget", "contoso", "-o", "json"]);
        env.write("state.json", list.replace("\"20.00\"", amount));
        env.ok(&["ingest", "state", "state.json"]);
    };
    ingest("\"30.00\"");
    assert_eq!(
        why(&env, &seq(&env)),
        "spec.monthly.amount was changed outside since: it is 30.00, and was left at 20.00"
    );
    // Another field that drifted is no reason, and is not touched.
    env.ok(&["apply", "--yes"]);
    let list = env.ok(&["get", "customer", "contoso", "-o", "json"]);
    env.write("state.json", list.replace("\"Contoso\"", "\"Other\""));
    env.ok(&["ingest", "state", "state.json"]);
    let plan = env.ok(&["undo", &seq(&env)]);
    assert!(!plan.contains("~ update Customer"), "{plan}");
}

#[test]
fn what_vanished_moved_on_or_belongs_to_another_set_is_refused() {
    let env = workspace();
    env.write("other/partnerctl.yaml", "set: other\nstore: sqlite:../.partnerctl/state.db\n");
    env.write("other/manifests/none.yaml", "");
    let other = env.run(&["--workspace", "other", "undo", "3"]);
    assert_eq!(other.status.code(), Some(3));
    let told = String::from_utf8(other.stdout).unwrap();
    assert!(told.contains("it is of the set test"), "{told}");
    env.write("gone.yaml", "{apiVersion: partnerctl.dev/v1, kind: RoleAssignment, metadata: {name: reader}, status: {observed: null}}");
    env.ok(&["ingest", "state", "gone.yaml"]);
    assert_eq!(why(&env, "4"), "it has vanished outside since");
    env.write("manifests/all.yaml", CONTOSO.split("---").take(3).collect::<Vec<_>>().join("---"));
    env.ok(&["apply", "--yes", "--prune"]);
    assert_eq!(why(&env, "4"), "there is no RoleAssignment/reader any more");
    assert_eq!(why(&env, &seq(&env)), "it was only released from management");
}

#[test]
fn what_was_adopted_or_renamed_is_refused() {
    let env = workspace();
    let budget = "metadata: {name: contoso, labels";
    env.write("manifests/all.yaml", CONTOSO.replace(budget, "metadata: {name: other, labels"));
    env.ok(&["apply", "--yes"]);
    assert_eq!(why(&env, &seq(&env)), "it only got another name");
    let dearer = CONTOSO.replace(budget, "metadata: {name: third, labels");
    env.write("manifests/all.yaml", dearer.replace("amount: 10", "amount: 90"));
    env.ok(&["apply", "--yes"]);
    assert_eq!(
        why(&env, &seq(&env)),
        "it got another name, and with it changed spec.monthly.amount: 10.00 → 90.00"
    );
    // Released, and taken over again.
    let retain = "name: third, annotations: {partnerctl.dev/deletion-policy: Retain}, labels";
    env.write("manifests/all.yaml", CONTOSO.replace("name: contoso, labels", retain));
    env.ok(&["apply", "--yes"]);
    let without: Vec<&str> = CONTOSO.split("---").filter(|one| !one.contains("Budget")).collect();
    env.write("manifests/all.yaml", without.join("---"));
    env.ok(&["apply", "--yes", "--prune"]);
    env.write("manifests/all.yaml", CONTOSO);
    env.ok(&["apply", "--yes"]);
    assert_eq!(
        why(&env, &seq(&env)),
        "it was there before and was adopted: undoing that must not change it"
    );
}

#[test]
fn what_was_removed_is_made_again() {
    let env = workspace();
    let before = state(&env);
    env.write("manifests/all.yaml", CONTOSO.split("---").take(2).collect::<Vec<_>>().join("---"));
    env.ok(&["apply", "--yes", "--prune"]);
    env.ok(&["undo", &last(&env, "planId"), "--out", "undo.json"]);
    env.ok(&["apply", "undo.json", "--yes"]);
    let without_labels = |state: Vec<Value>| -> Vec<Value> {
        state.into_iter().map(|one| serde_json::json!([one[0], one[1], one[4]])).collect()
    };
    assert_eq!(without_labels(state(&env)), without_labels(before));
}

#[test]
fn a_brake_holds_an_undo_and_is_let_go_for_that_one_plan() {
    let env = workspace();
    env.write("partnerctl.yaml", "set: test\nlimits: {atLeast: 1, deletePercent: 5}\n");
    let plan = env.ok(&["undo", "4", "--out", "undo.json"]);
    assert!(plan.contains("1 of the 4 resources of the set would be deleted"), "{plan}");
    assert_eq!(env.run(&["apply", "undo.json", "--yes"]).status.code(), Some(3));
    let (_, id) = plan.rsplit_once("--override ").unwrap();
    env.ok(&["undo", "4", "--out", "undo.json", "--override", id.trim()]);
    env.ok(&["apply", "undo.json", "--yes"]);
    assert!(!env.ok(&["get", "all", "-o", "name"]).contains("reader"));
}

/// What a provider program has, by kind and name, in the order in which it was made or changed last.
fn things(env: &TestEnv) -> Vec<(String, Value)> {
    let mut things: Vec<(String, String, Value)> = Vec::new();
    for entry in outside::ledger(env) {
        let id = entry["externalId"].as_str().unwrap().to_owned();
        let known = things.iter().find(|(known, ..)| *known == id).map(|(_, name, _)| name.clone());
        things.retain(|(known, ..)| *known != id);
        let of_new = format!("{}/{}", entry["kind"], entry["name"]).replace('"', "");
        if !entry["thing"].is_null() {
            things.push((id, known.unwrap_or(of_new), entry["thing"]["spec"].clone()));
        }
    }
    let mut things: Vec<(String, Value)> =
        things.into_iter().map(|(_, name, spec)| (name, spec)).collect();
    things.sort_by(|a, b| a.0.cmp(&b.0));
    things
}

#[test]
fn a_provider_program_gets_what_was_back_and_each_effect_once() {
    let env = outside::workspace(CONTOSO, &json!({}));
    env.ok(&["apply", "--yes"]);
    let (before, made) = (things(&env), outside::ledger(&env).len());
    let changed = CONTOSO
        .replace("amount: 10", "amount: 20")
        .replace("companyName: Contoso", "companyName: Contoso B.V.")
        .replace("a@contoso", "b@contoso");
    env.write("manifests/all.yaml", &changed);
    env.ok(&["apply", "--yes"]);
    let after = things(&env);
    assert_ne!(before, after);
    for expected in [&before, &after, &before] {
        env.ok(&["undo", &last(&env, "planId"), "--out", "undo.json"]);
        let ledger = outside::ledger(&env).len();
        env.ok(&["apply", "undo.json", "--yes"]);
        assert_eq!(things(&env), *expected);
        // Two updates, and a role assignment made and one removed.
        assert_eq!(outside::ledger(&env).len(), ledger + 4);
    }
    assert_eq!(outside::ledger(&env).len(), made + 4 * 4);
    env.write("manifests/all.yaml", CONTOSO);
    env.assert_settled();
    env.ok(&["log", "verify"]);
}

#[test]
fn what_was_made_and_removed_outside_goes_and_comes_again_but_nothing_is_bought() {
    let text = CONTOSO.to_owned() + outside::LICENCE;
    let env = outside::workspace(&text, &json!({}));
    env.ok(&["apply", "--yes", "--approve", "costly"]);
    let before = things(&env);
    let seq_of = |name: &str, word: &str| {
        let all = log(&env);
        let mut of = all.iter().filter(|one| one["resource"] == name && one["reason"] == word);
        of.next_back().unwrap_or_else(|| panic!("{all:?}"))["seq"].to_string()
    };
    let bought = seq_of("Subscription/contoso-e3", "new");
    assert_eq!(why(&env, &bought), "it was bought: an undo gives nothing back");
    let undo = |seq: &str| {
        env.ok(&["undo", seq, "--out", "undo.json"]);
        env.ok(&["apply", "undo.json", "--yes"]);
    };
    undo(&seq_of("RoleAssignment/reader", "new"));
    let names: Vec<String> = things(&env).into_iter().map(|(name, _)| name).collect();
    assert!(!names.iter().any(|name| name == "RoleAssignment/reader"), "{names:?}");
    undo(&seq(&env));
    assert_eq!(things(&env), before);
    env.assert_settled();
}

#[test]
fn an_undo_leaves_what_somebody_changed_behind_a_provider_program_and_what_has_not_ended() {
    let env = outside::workspace(CONTOSO, &json!({}));
    env.ok(&["apply", "--yes"]);
    env.write("manifests/all.yaml", CONTOSO.replace("amount: 10", "amount: 20"));
    env.ok(&["apply", "--yes"]);
    let raised = seq(&env);
    let ledger = std::fs::read_to_string(env.path().join("fake/ledger")).unwrap();
    let line = ledger.lines().last().unwrap();
    let by_hand = line.replace("\"20.00\"", "\"30.00\"");
    assert_ne!(line, by_hand);
    env.write("fake/ledger", format!("{ledger}{by_hand}\n"));
    assert_eq!(
        why(&env, &raised),
        "spec.monthly.amount was changed outside since: it is 30.00, and was left at 20.00"
    );
    env.write("fake/ledger", ledger);
    // Undoing is an operation like any: what nobody heard the end of is not asked for twice.
    env.ok(&["undo", &raised, "--out", "undo.json"]);
    outside::tell(&env, &json!({"perform": ["unknownAfter"], "lookup": "fail"}));
    let begun = env.run(&["apply", "undo.json", "--yes"]);
    assert_eq!(begun.status.code(), Some(5), "{}", String::from_utf8_lossy(&begun.stderr));
    let effects = outside::ledger(&env).len();
    outside::tell(&env, &json!({}));
    env.write("manifests/all.yaml", CONTOSO);
    env.ok(&["apply", "--yes"]);
    assert_eq!(outside::ledger(&env).len(), effects);
    env.assert_settled();
}
