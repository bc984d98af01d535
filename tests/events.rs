//! The events of an apply: every line fits the schema, and they come in an order one can rely on.

use crate::common::{TestEnv, customer};
use crate::generated::schema;
use crate::outside::{everything, ledger, tell, workspace};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Runs an apply and checks its events: their shapes, their order, and that the file has the same.
/// Gives `type resource` of each.
fn events(env: &TestEnv, arguments: &[&str]) -> (Vec<String>, Option<i32>) {
    let all = [&["apply", "-o", "json", "--events", "events.ndjson"], arguments].concat();
    let output = env.run(&all);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text, std::fs::read_to_string(env.path().join("events.ndjson")).unwrap());
    (checked(&text, output.status.code()), output.status.code())
}

fn checked(text: &str, code: Option<i32>) -> Vec<String> {
    let schema = schema("event.v1.schema.json");
    let events: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let word = |event: &Value, key: &str| event[key].as_str().unwrap_or_default().to_owned();
    let mut stands: BTreeMap<String, &str> = BTreeMap::new();
    for (place, event) in events.iter().enumerate() {
        let errors: Vec<_> = schema.iter_errors(event).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}\n{event}");
        let kind = word(event, "type");
        let last = place + 1 == events.len();
        assert_eq!(kind == "finished", last, "the end comes last, and always\n{text}");
        assert!(kind != "planned" || place == 0, "the plan comes first\n{text}");
        assert!(place == 0 || event["planId"] == events[0]["planId"], "{text}");
        let known = stands.get(word(event, "resource").as_str()).copied();
        let fits = match kind.as_str() {
            // Of one change there may be several calls.
            "started" => matches!(known, None | Some("started" | "paused")),
            "paused" => known == Some("started"),
            "succeeded" | "failed" | "unknown" => {
                matches!(known, None | Some("started" | "paused"))
            }
            "skipped" => known.is_none(),
            _ => true,
        };
        assert!(fits, "{kind} after {known:?}\n{text}");
        let stand = ["started", "paused"].into_iter().find(|k| *k == kind).unwrap_or("ended");
        if event["resource"].is_string() {
            stands.insert(word(event, "resource"), stand);
        }
    }
    assert_eq!(events.last().unwrap()["exit"].as_i64(), code.map(i64::from), "{text}");
    let short = |event: &Value| {
        let (kind, resource) = (word(event, "type"), word(event, "resource"));
        if resource.is_empty() { kind } else { format!("{kind} {resource}") }
    };
    events.iter().map(short).collect()
}

#[test]
fn an_apply_tells_of_its_plan_its_changes_and_its_end() {
    let env = TestEnv::workspace(&customer("contoso"));
    let told = [
        "planned",
        "succeeded Customer/contoso",
        "succeeded Budget/contoso",
        "succeeded Subscription/contoso-azure",
        "succeeded RoleAssignment/contoso-owner",
        "succeeded ReservationPermission/contoso",
        "finished",
    ];
    let mut found = events(&env, &["--yes"]).0;
    found[1..6].sort();
    let mut wanted = told.map(str::to_owned);
    wanted[1..6].sort();
    assert_eq!(found, wanted);
    assert_eq!(
        events(&env, &["--yes"]),
        (vec!["planned".to_owned(), "finished".to_owned()], Some(0))
    );
}

#[test]
fn every_call_is_told_before_its_end_however_many_there_are_at_once() {
    let licences: String = (0..40)
        .map(|n| format!("---\napiVersion: partnerctl.dev/v1\nkind: Subscription\nmetadata: {{name: l{n}}}\n\
            spec: {{customerRef: {{name: contoso}}, offer: {{type: License, id: \"X:{n}\"}}, quantity: 5}}\n"))
        .collect();
    let env = workspace(&(customer("contoso") + &licences), &json!({}));
    let (told, code) = events(&env, &["--yes", "--approve", "costly", "--parallelism", "32"]);
    assert_eq!(code, Some(0));
    let count = |kind: &str| told.iter().filter(|event| event.starts_with(kind)).count();
    assert_eq!((count("started"), count("succeeded")), (45, 45));
}

#[test]
fn what_fails_and_what_nobody_knows_is_told() {
    for (faults, wanted, exit) in [
        (json!({"perform": ["refused"]}), ["failed Customer/contoso", "skipped Budget/contoso"], 1),
        (
            json!({"perform": ["throttled"]}),
            ["paused Customer/contoso", "failed Customer/contoso"],
            1,
        ),
        (
            json!({"requestKeys": "none", "lookup": "lie", "perform": ["unknown"]}),
            ["unknown Customer/contoso", "skipped Subscription/contoso-e3"],
            5,
        ),
    ] {
        let env = workspace(&everything(), &faults);
        let (told, code) = events(&env, &["--yes", "--approve", "costly"]);
        assert_eq!(code, Some(exit), "{told:?}");
        for event in wanted {
            assert!(told.iter().any(|t| t == event), "{event} in {told:?}");
        }
        assert!(told.contains(&"started Customer/contoso".to_owned()), "{told:?}");
    }
}

#[test]
fn what_is_held_or_refused_is_told_as_well() {
    let env = TestEnv::workspace(&everything());
    let held = (vec!["planned".to_owned(), "finished".to_owned()], Some(3));
    assert_eq!(events(&env, &["--yes"]), held, "no approval");
    assert_eq!(events(&env, &["--approve", "costly"]), held, "nobody to ask");
    env.ok(&["plan", "--out", "plan.json"]);
    env.ok(&["apply", "--yes", "--approve", "costly"]);
    let refused = |code| (vec!["finished".to_owned()], Some(code));
    assert_eq!(events(&env, &["plan.json", "--yes", "--approve", "costly"]), refused(4), "stale");
    env.write("plan.json", "{}");
    assert_eq!(events(&env, &["plan.json", "--yes"]), refused(1), "no plan");
    env.write("plan.json", "{\"apiVersion\": \"partnerctl.dev/plan/v1\"}");
    assert_eq!(events(&env, &["plan.json", "--yes"]), refused(4), "altered");
    assert_eq!(events(&env, &["--prune", "--kind", "budget"]), refused(1), "a selection");
    env.write("manifests/all.yaml", "kind: Budgets\n");
    assert_eq!(events(&env, &["--yes"]), refused(1), "bad manifests");
}

#[test]
fn an_interrupted_apply_tells_its_end() {
    let env = workspace(&customer("contoso"), &json!({}));
    assert!(env.run(&["apply", "--yes"]).status.success());
    env.write("manifests/all.yaml", everything());
    tell(&env, &json!({"throttle": "create"}));
    let before = ledger(&env).len();
    let mut command = env.command(env!("CARGO_BIN_EXE_partnerctl"));
    command.args(["apply", "--yes", "--approve", "costly", "--events", "events.ndjson", "--quiet"]);
    let quiet = std::process::Stdio::null;
    let mut child = command.stdout(quiet()).stderr(quiet()).spawn().unwrap();
    let read = || std::fs::read_to_string(env.path().join("events.ndjson")).unwrap_or_default();
    while !read().contains("paused") {
        assert_eq!(child.try_wait().unwrap(), None, "it ended without a pause");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let pid = child.id().to_string();
    assert!(env.command("kill").args(["-INT", &pid]).status().unwrap().success());
    let code = child.wait().unwrap().code();
    assert_eq!(code, Some(5));
    let licence = |what: &str| format!("{what} Subscription/contoso-e3");
    let told = ["planned".to_owned(), licence("started"), licence("paused"), "finished".to_owned()];
    assert_eq!(checked(&read(), code), told);
    assert_eq!(ledger(&env).len(), before);
}
