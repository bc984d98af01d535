//! The provider in Python of `examples/provider-python`: its tour, its answers to what it cannot do,
//! and what is left when it or partnerctl is killed.
//!
//! Where there is no Python these tests have nothing to run; with `REQUIRE_PYTHON=1`, as in
//! `.ci/run`, that fails.

use crate::common::{TestEnv, transcript};
use crate::crash::killer;
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The interpreter itself, whatever stands before it on the path of whoever runs the tests.
fn interpreter() -> Option<PathBuf> {
    let script = "import sys, sqlite3; assert sys.version_info >= (3, 8); print(sys.executable)";
    let found = Command::new("python3").args(["-c", script]).output().ok();
    let found = found.filter(|output| output.status.success());
    let required = std::env::var("REQUIRE_PYTHON").is_ok_and(|value| value == "1");
    assert!(found.is_some() || !required, "REQUIRE_PYTHON is set, and python3 (3.8) is missing");
    Some(String::from_utf8(found?.stdout).unwrap().trim().into())
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/provider-python")
}

/// The example in a folder of its own, with that interpreter as `python3`; `None` without Python.
fn workspace() -> Option<TestEnv> {
    let python = interpreter()?;
    let mut env = TestEnv::new();
    for file in ["partnerctl.yaml", "provider.py", "portal.py", "manifests/contoso.yaml"] {
        env.write(file, std::fs::read(example().join(file)).unwrap());
    }
    env.write(".tools/python3", format!("#!/bin/sh\nexec '{}' \"$@\"\n", python.display()));
    let tools = env.path().join(".tools");
    let made = Command::new("chmod").arg("+x").arg(tools.join("python3")).status().unwrap();
    assert!(made.success());
    env.tools = Some(tools);
    Some(env)
}

/// What the portal prints.
fn portal(env: &TestEnv, words: &[&str]) -> String {
    let output = env.command("python3").arg("portal.py").args(words).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Its answers to some requests, and that it ends with its input.
fn answers(env: &TestEnv, requests: &[Value]) -> Vec<Value> {
    let mut command = env.command("python3");
    command.arg("provider.py").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines: String = requests.iter().map(|request| format!("{request}\n")).collect();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_tour_of_the_python_provider_prints_what_it_says() {
    if let Some(env) = workspace() {
        transcript::check(&example().join("README.md"), &env);
    }
}

fn perform(id: u32, key: &str, action: &str, kind: &str, external_id: Option<&str>) -> Value {
    let after = (action != "delete").then(|| json!({"domain": "contoso.example"}));
    json!({"id": id, "method": "perform", "params": {"requestKey": key, "action": action,
        "operation": "", "kind": kind, "name": "n", "externalId": external_id, "before": null,
        "after": after}})
}

#[test]
fn the_python_provider_types_its_errors_and_knows_its_keys() {
    let Some(env) = workspace() else { return };
    let lookup = |id: u32, key: &str| json!({"id": id, "method": "lookup", "params": {"by": "requestKey", "requestKey": key}});
    let said = answers(
        &env,
        &[
            perform(1, "a", "create", "Customer", None),
            perform(2, "a", "create", "Customer", None),
            perform(3, "b", "create", "Printer", None),
            perform(4, "c", "update", "Customer", Some("customer-9")),
            perform(5, "d", "delete", "Customer", Some("customer-9")),
            lookup(6, "a"),
            lookup(7, "c"),
            json!({"id": 8, "method": "dance", "params": {}}),
            json!({"id": 9, "method": "lookup", "params": {"by": "colour"}}),
            perform(10, "e", "delete", "Customer", Some("customer-1")),
            lookup(11, "a"),
        ],
    );
    let ids: Vec<_> = said.iter().map(|answer| answer["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, (1..=11).collect::<Vec<_>>(), "every request is answered, in order");
    let made = json!({"kind": "Customer", "externalId": "customer-1", "name": "n", "requestKey": "a",
        "spec": {"domain": "contoso.example", "relationship": "Granted"}});
    assert_eq!(said[0]["result"]["thing"], made);
    assert_eq!(said[1]["result"], said[0]["result"], "the same key, the same thing");
    let codes: Vec<_> = [2, 3, 7, 8].iter().map(|at| &said[*at]["error"]["code"]).collect();
    assert_eq!(codes, ["refused", "conflict", "unsupported", "unsupported"]);
    assert_eq!(said[4]["result"], json!({"thing": null}));
    assert_eq!(said[5]["result"], json!({"outcome": "performed", "thing": made}));
    assert_eq!(said[6]["result"]["outcome"], "notPerformed");
    assert_eq!(said[10]["result"], json!({"outcome": "performed", "thing": null}));
}

#[test]
fn the_python_provider_gives_pages_of_one_snapshot_and_another_one_after_a_change() {
    let Some(env) = workspace() else { return };
    let create = |n: u32| perform(n, &n.to_string(), "create", "Customer", None);
    answers(&env, &(1..=230).map(create).collect::<Vec<_>>());
    let page = |page: Value| json!({"id": 1, "method": "observe", "params": {"page": page}});
    let pages = answers(
        &env,
        &[
            page(Value::Null),
            page("100".into()),
            page("200".into()),
            perform(1, "x", "delete", "Customer", Some("customer-7")),
            page(Value::Null),
        ],
    );
    let said = |at: usize| {
        let result = &pages[at]["result"];
        let items = result["items"].as_array().unwrap().len();
        (result["snapshot"].clone(), result["total"].clone(), items, result["next"].clone())
    };
    let first = said(0).0;
    assert_eq!(said(0), (first.clone(), 230.into(), 100, "100".into()));
    assert_eq!(said(1), (first.clone(), 230.into(), 100, "200".into()));
    assert_eq!(said(2), (first.clone(), 230.into(), 30, Value::Null));
    assert_ne!(said(4).0, first);
    assert_eq!(said(4).1, 229);
}

#[test]
fn copies_of_the_python_provider_that_run_at_once_do_everything_once() {
    let Some(env) = workspace() else { return };
    let create = |n: u32| perform(n, &n.to_string(), "create", "Customer", None);
    let requests: Vec<Value> = (1..=40).map(create).collect();
    let said: Vec<Vec<Value>> = std::thread::scope(|scope| {
        let copies: Vec<_> = (0..4).map(|_| scope.spawn(|| answers(&env, &requests))).collect();
        copies.into_iter().map(|copy| copy.join().unwrap()).collect()
    });
    assert!(said.iter().all(|copy| *copy == said[0]), "every copy says the same");
    assert_eq!(portal(&env, &["show"]).lines().count(), 40);
}

const LICENCE: &str = "apiVersion: partnerctl.dev/v1\nkind: Subscription\nmetadata: {name: office}\n\
    spec: {customerRef: {name: contoso}, offer: {type: License, id: \"X:1\"}, quantity: 5}\n";

/// The example applied, then a licence to buy and a budget to change.
fn with_something_to_do() -> Option<TestEnv> {
    let env = workspace()?;
    env.ok(&["apply", "--yes"]);
    env.write("manifests/office.yaml", LICENCE);
    let file = example().join("manifests/contoso.yaml");
    let changed = std::fs::read_to_string(file).unwrap().replace("1500.00", "1600.00");
    env.write("manifests/contoso.yaml", changed);
    Some(env)
}

/// An apply with the killing library before `program`.
fn apply(env: &TestEnv, library: &Path, program: &str, key: &str, value: &str) -> Option<i32> {
    let mut command = env.command(env!("CARGO_BIN_EXE_partnerctl"));
    command.args(["apply", "--yes", "--approve", "costly", "--quiet", "--parallelism", "1"]);
    command.env("LD_PRELOAD", library).env("KILL_PROGRAM", program).env(key, value);
    command.output().unwrap().status.code()
}

/// Kills a program at some of its writes, then lets apply end what is left, and compares.
fn killed_at_some_points(program: &str, points_min: usize, step: usize) {
    let Some(whole) = with_something_to_do() else { return };
    let folder = tempfile::tempdir().unwrap();
    let library = killer(folder.path());
    let count = folder.path().join("count");
    let code = apply(&whole, &library, program, "KILL_COUNT", count.to_str().unwrap());
    assert_eq!(code, Some(0));
    let (effects, activities) = (portal(&whole, &["effects"]), log(&whole));
    assert_eq!(effects.lines().count(), 5, "{effects}");
    let points: usize = std::fs::read_to_string(&count).unwrap().parse().unwrap();
    assert!(points > points_min, "only {points} points");
    let mut codes = Vec::new();
    for point in (1..=points).step_by(step) {
        let what = format!("{program} killed at {point} of {points}");
        let env = with_something_to_do().unwrap();
        codes.push(apply(&env, &library, program, "KILL_AT", &point.to_string()));
        env.ok(&["resume"]);
        env.ok(&["apply", "--yes", "--approve", "costly"]);
        env.assert_settled();
        assert_eq!(env.ok(&["repair", "-o", "json"]).trim(), "[]", "{what}");
        assert_eq!(sorted(&portal(&env, &["effects"])), sorted(&effects), "{what}");
        assert_eq!(log(&env), activities, "{what}");
    }
    assert!(codes.iter().any(|code| *code != Some(0)), "nothing was killed: {codes:?}");
}

/// What was done, whatever came first and whatever number it got by that.
fn sorted(effects: &str) -> Vec<String> {
    let mut lines: Vec<String> = effects
        .lines()
        .map(|line| line.chars().filter(|c| !c.is_ascii_digit()).collect())
        .collect();
    lines.sort();
    lines
}

/// How many activities succeeded, the log being whole.
fn log(env: &TestEnv) -> usize {
    env.ok(&["log", "verify"]);
    let log: Vec<Value> = serde_json::from_str(&env.ok(&["log", "-o", "json"])).unwrap();
    log.iter().filter(|activity| activity["outcome"] == "succeeded").count()
}

#[test]
fn with_the_python_provider_a_killed_partnerctl_does_everything_once() {
    killed_at_some_points("partnerctl", 20, 9);
}

#[test]
fn a_python_provider_that_is_killed_does_everything_once() {
    let Some(python) = interpreter() else { return };
    killed_at_some_points(python.file_name().unwrap().to_str().unwrap(), 20, 13);
}
