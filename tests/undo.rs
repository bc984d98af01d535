//! Undoing brings back what was, and refuses what has moved on or never comes back.

use crate::common::TestEnv;
use serde_json::Value;

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
    // Released, and taken over again.
    let retain = "name: other, annotations: {partnerctl.dev/deletion-policy: Retain}, labels";
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
