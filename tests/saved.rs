//! Saved plans: applied exactly as they were written and only where they still fit, else refused
//! without any effect.

use crate::common::{TestEnv, customer};
use crate::crash::killer;
use crate::stale::{LICENCE, TAILSPIN};
use partnerctl::plan::{Plan, digest_of, saved};
use serde_json::Value;
use std::collections::BTreeSet;

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A workspace with two customers, applied.
pub fn applied() -> TestEnv {
    let env = TestEnv::workspace(&(customer("contoso") + "---\n" + &customer("fabrikam")));
    env.ok(&["apply", "--yes"]);
    env
}

pub fn replace(env: &TestEnv, from: &str, to: &str) {
    let path = env.path().join("manifests/all.yaml");
    let manifests = std::fs::read_to_string(&path).unwrap();
    assert!(manifests.contains(from), "{from}");
    std::fs::write(path, manifests.replace(from, to)).unwrap();
}

pub fn append(env: &TestEnv, manifest: &str) {
    let path = env.path().join("manifests/all.yaml");
    let manifests = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, format!("{manifests}---\n{manifest}")).unwrap();
}

/// The outside says what is there.
pub fn outside(env: &TestEnv, kind: &str, name: &str, state: &str) {
    let item = format!(
        "apiVersion: partnerctl.dev/v1\nkind: {kind}\nmetadata: {{name: {name}}}\n{state}\n"
    );
    env.write("state.yaml", item);
    env.ok(&["ingest", "state", "state.yaml"]);
}

pub fn log(env: &TestEnv) -> Vec<Value> {
    serde_json::from_str(&env.ok(&["log", "-o", "json"])).unwrap()
}

/// Everything the store holds, in words.
fn held(env: &TestEnv) -> String {
    env.ok(&["log", "-o", "json"]) + &env.ok(&["get", "all", "-o", "json"])
}

pub const APPLY: [&str; 5] = ["apply", "plan.json", "--yes", "--approve", "irreversible"];

/// Demands that the saved plan is refused as a conflict that speaks of something, and does nothing.
pub fn assert_refused(env: &TestEnv, why: &str, what: &str) {
    let before = held(env);
    let output = env.run(&APPLY);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{what}: {}{stderr}", text(&output.stdout));
    assert!(stderr.contains(why), "{what}: `{why}` is not in {stderr}");
    assert!(stderr.contains("\n  → "), "{what}: no way out in {stderr}");
    assert_eq!(before, held(env), "{what}");
}

pub fn plan_of(env: &TestEnv) -> Plan {
    saved::read(&std::fs::read_to_string(env.path().join("plan.json")).unwrap()).unwrap()
}

/// The saved plan as somebody would write it who knows how.
pub fn forge(env: &TestEnv, alter: impl FnOnce(&mut Plan)) {
    let mut plan = plan_of(env);
    alter(&mut plan);
    plan.digest = digest_of(&mut plan);
    env.write("plan.json", saved::text(&plan));
}

#[test]
fn every_byte_of_a_saved_plan_counts() {
    let env = TestEnv::workspace(&customer("contoso"));
    env.ok(&["plan", "--out", "plan.json"]);
    let good = std::fs::read(env.path().join("plan.json")).unwrap();
    assert!(saved::read(&text(&good)).is_ok());
    let mut flipped = good.clone();
    for at in 0..good.len() {
        for bit in [0x01, 0x20] {
            flipped[at] = good[at] ^ bit;
            let read = saved::read(std::str::from_utf8(&flipped).unwrap());
            assert!(read.is_err(), "byte {at}, {:?} for {:?}", flipped[at], good[at]);
        }
        flipped[at] = good[at];
    }
    let refused_with = |code: i32, bytes: &[u8], what: &str| {
        env.write("plan.json", bytes);
        let output = env.run(&APPLY);
        assert_eq!(output.status.code(), Some(code), "{what}: {}", text(&output.stderr));
        assert!(!env.path().join(".partnerctl").exists(), "{what}: a store was made");
    };
    let refused = |bytes: &[u8], what: &str| refused_with(4, bytes, what);
    for at in (0..good.len()).step_by(good.len() / 12) {
        flipped[at] = good[at] ^ 0x01;
        refused(&flipped, &format!("byte {at}"));
        flipped[at] = good[at] ^ 0x80;
        refused(&flipped, &format!("byte {at}, no UTF-8"));
        flipped[at] = good[at];
    }
    let version = format!("[{:?}]", partnerctl::plan::change::PLAN_API_VERSION);
    refused(version.as_bytes(), "a list");
    let nested = [b"[".repeat(10_000), version.into_bytes(), b"]".repeat(10_000)].concat();
    refused(&nested, "nested");
    for other in ["", "null", "{}", "apiVersion: partnerctl.dev/v1\n"] {
        refused_with(1, other.as_bytes(), other);
    }
    env.write("plan.json", &good);
    env.ok(&APPLY);
}

#[test]
fn a_saved_plan_that_was_cut_or_written_again_is_refused() {
    let env = TestEnv::workspace(&customer("contoso"));
    env.ok(&["plan", "--out", "plan.json"]);
    let good = std::fs::read_to_string(env.path().join("plan.json")).unwrap();
    for at in 0..good.len() {
        assert!(saved::read(&good[..at]).is_err(), "cut at {at}");
    }
    for more in ["\n", " ", "\0", "{}", "null", &good] {
        assert!(saved::read(&format!("{good}{more}")).is_err(), "{more:?} behind");
        assert!(saved::read(&format!("{more}{good}")).is_err(), "{more:?} before");
    }
    let value: Value = serde_json::from_str(&good).unwrap();
    let mut indented = Vec::new();
    let style = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut writer = serde_json::Serializer::with_formatter(&mut indented, style);
    serde::Serialize::serialize(&value, &mut writer).unwrap();
    for (again, what) in [
        (serde_json::to_string(&value).unwrap(), "on one line"),
        (serde_json::to_string_pretty(&value).unwrap() + "\n", "keys in another order"),
        (text(&indented), "indented by four"),
        (good.replace('\n', "\r\n"), "other ends of lines"),
        (format!("\u{feff}{good}"), "a mark of the order of bytes"),
        (good.replacen("contoso", "c\\u006fntoso", 1), "an escape"),
        (good.replacen("\"actor\"", "\"actor\": \"x\",\n  \"actor\"", 1), "a key twice"),
        (good.replacen("\"actor\"", "\"more\": 1,\n  \"actor\"", 1), "a key too many"),
        (good.replacen("\"uid\": null,", "", 1), "a key left out"),
    ] {
        assert_ne!(again, good, "{what}");
        assert!(saved::read(&again).is_err(), "{what}");
    }
}

#[test]
fn a_forged_plan_does_not_pass_under_the_id_of_another() {
    let env = applied();
    replace(&env, "1500.00", "1600.00");
    env.ok(&["plan", "--out", "plan.json"]);
    let budget = |plan: &mut Plan| {
        let field = &mut plan.changes[0].fields[0];
        field.after = Some("9999.00".into());
    };
    forge(&env, budget);
    assert_refused(&env, "its id is not that of its changes", "changes");
}

#[test]
fn a_plan_dated_ahead_and_one_that_is_too_old_are_refused() {
    let env = applied();
    replace(&env, "1500.00", "1600.00");
    env.ok(&["plan", "--out", "plan.json"]);
    let dated = |hours: i64, minutes: i64| {
        let at = chrono::Utc::now() + chrono::TimeDelta::minutes(hours * 60 + minutes);
        let at = at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        forge(&env, |plan| plan.created_at = at);
    };
    dated(0, 5);
    assert_refused(&env, "ahead of the clock here", "ahead");
    dated(-24, -5);
    assert_refused(&env, "longer than 24 hours ago", "old");
    forge(&env, |plan| plan.created_at = "yesterday".to_owned());
    assert_refused(&env, "createdAt is not an instant", "no instant");
    dated(-2, -5);
    let short = env.run(&[&APPLY[..], &["--plan-ttl", "2"]].concat());
    assert_eq!(short.status.code(), Some(4), "{}", text(&short.stderr));
    env.ok(&[&APPLY[..], &["--plan-ttl", "3"]].concat());
}

#[test]
fn a_plan_of_another_store_or_set_is_refused() {
    let env = applied();
    replace(&env, "1500.00", "1600.00");
    env.ok(&["plan", "--out", "plan.json"]);
    let other = applied();
    std::fs::copy(env.path().join("plan.json"), other.path().join("plan.json")).unwrap();
    assert_refused(&other, "the plan is for the store", "another store");
    let none = TestEnv::workspace("");
    std::fs::copy(env.path().join("plan.json"), none.path().join("plan.json")).unwrap();
    let output = none.run(&APPLY);
    assert_eq!(output.status.code(), Some(4));
    assert!(text(&output.stderr).contains("and there is no store"), "{}", text(&output.stderr));
    assert!(!none.path().join(".partnerctl").exists());
    env.write("partnerctl.yaml", "set: other\n");
    assert_refused(&env, "the plan is for the set test", "another set");
}

#[test]
fn a_plan_made_without_a_store_is_for_an_empty_one_only() {
    let env = TestEnv::workspace(&customer("contoso"));
    env.ok(&["plan", "--out", "plan.json"]);
    // A store that something was refused by is still empty.
    assert_eq!(env.run(&["apply"]).status.code(), Some(3));
    env.ok(&APPLY);
    for (what, fill) in [
        ("an apply", &(|env: &TestEnv| env.ok(&["apply", "--yes"])) as &dyn Fn(&TestEnv) -> String),
        ("what is there", &|env| {
            assert_eq!(env.run(&["apply"]).status.code(), Some(3));
            let spec = "spec: {companyName: F, domain: f.example, country: NL}";
            outside(env, "Customer", "f", spec);
            String::new()
        }),
    ] {
        let env = TestEnv::workspace(&customer("contoso"));
        env.ok(&["plan", "--out", "plan.json"]);
        fill(&env);
        assert_refused(&env, "the store is not empty now", what);
    }
}

#[test]
fn a_plan_is_applied_once() {
    let env = applied();
    replace(&env, "1500.00", "1600.00");
    env.ok(&["plan", "--out", "plan.json"]);
    env.ok(&APPLY);
    assert_refused(&env, "the plan was applied 20", "at once");
    // Also when everything is as it was before.
    replace(&env, "1600.00", "1500.00");
    env.ok(&["apply", "--yes"]);
    assert_refused(&env, "the plan was applied 20", "after it was undone");
}

#[test]
fn of_two_who_apply_the_same_plan_at_once_one_does() {
    let env = applied();
    replace(&env, "1500.00", "1600.00");
    env.ok(&["plan", "--out", "plan.json"]);
    let before = log(&env).len();
    let quiet = std::process::Stdio::null;
    let start = || {
        let mut command = env.command(env!("CARGO_BIN_EXE_partnerctl"));
        command.args(APPLY).stdout(quiet()).stderr(quiet()).spawn().unwrap()
    };
    let children = [start(), start(), start()];
    let mut codes = children.map(|mut child| child.wait().unwrap().code());
    codes.sort();
    assert_eq!(codes, [Some(0), Some(4), Some(4)]);
    // The budget of each of the two customers.
    assert_eq!(log(&env).len(), before + 2);
}

#[test]
fn a_saved_plan_is_applied_once_also_when_it_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let library = killer(folder.path());
    let prepare = || {
        let env = applied();
        replace(&env, "1500.00", "1600.00");
        env.ok(&["plan", "--out", "plan.json"]);
        env
    };
    let killed = |env: &TestEnv, key: &str, value: &str| {
        let mut command = env.command(env!("CARGO_BIN_EXE_partnerctl"));
        command.args(APPLY).env("LD_PRELOAD", &library).env(key, value).output().unwrap()
    };
    let whole = prepare();
    let count = folder.path().join("count");
    assert!(killed(&whole, "KILL_COUNT", count.to_str().unwrap()).status.success());
    let points: usize = std::fs::read_to_string(&count).unwrap().parse().unwrap();
    let mut codes = BTreeSet::new();
    for point in 1..=points {
        let env = prepare();
        killed(&env, "KILL_AT", &point.to_string());
        let done = log(&env).len() == log(&whole).len();
        let code = env.run(&APPLY).status.code();
        assert_eq!(code, Some(if done { 4 } else { 0 }), "killed at {point}");
        assert_eq!(log(&env).len(), log(&whole).len(), "killed at {point}");
        codes.insert(code);
    }
    assert_eq!(codes, BTreeSet::from([Some(0), Some(4)]));
}

#[test]
fn what_is_made_and_is_well_says_so_although_the_plan_has_no_record_of_it() {
    let env = TestEnv::workspace(&customer("contoso"));
    env.ok(&["plan", "--out", "plan.json"]);
    let plan = plan_of(&env);
    assert!(plan.summary.create > 3 && plan.records.is_empty() && plan.basis.is_empty());
    env.ok(&APPLY);
    for change in &plan.changes {
        let one = env.ok(&["get", change.kind.as_str(), &change.name, "-o", "json"]);
        let one: Value = serde_json::from_str(&one).unwrap();
        let conditions = one["items"][0]["status"]["conditions"].as_array().unwrap();
        let said: Vec<_> =
            conditions.iter().map(|c| format!("{} {}", c["type"], c["status"])).collect();
        assert_eq!(said, [r#""Ready" "True""#, r#""Synced" "True""#], "{}", change.id);
    }
    env.assert_settled();
}

#[test]
fn what_is_done_is_what_the_saved_plan_shows() {
    let env = applied();
    append(&env, LICENCE);
    append(&env, TAILSPIN);
    replace(&env, "1500.00", "1600.00");
    replace(&env, "purchase: Allowed", "purchase: Denied");
    replace(&env, "name: fabrikam, labels", "name: fabrikam-nl, labels");
    replace(&env, "customerRef: {name: fabrikam}", "customerRef: {name: fabrikam-nl}");
    env.ok(&["plan", "--prune", "--out", "plan.json"]);
    // What the manifests say by now does not count.
    env.write("manifests/all.yaml", "not: even a manifest\n");
    let before = log(&env).len();
    env.ok(&APPLY);
    let plan = plan_of(&env);
    let shown: BTreeSet<String> = plan
        .proceeding()
        .map(|change| {
            let side = |pick: fn(
                &partnerctl::plan::change::FieldChange,
            ) -> &Option<partnerctl::model::Value>| {
                let fields = change.fields.iter();
                let map: serde_json::Map<_, _> = fields
                    .filter_map(|field| Some((field.path.clone(), pick(field).as_ref()?.to_json())))
                    .collect();
                map
            };
            let (mut old, mut new) = (side(|field| &field.before), side(|field| &field.after));
            if let Some(previous) = &change.previous {
                old.insert("metadata.name".to_owned(), previous.name.as_str().into());
                new.insert("metadata.name".to_owned(), change.name.as_ref().into());
            }
            let none = |map: serde_json::Map<_, _>| match map.is_empty() {
                true => Value::Null,
                false => Value::Object(map),
            };
            format!("{} {}: {} -> {}", change.operation, change.id, none(old), none(new))
        })
        .collect();
    let done: BTreeSet<String> = log(&env)[before..]
        .iter()
        .map(|done| {
            assert_eq!(done["planId"], plan.id);
            let word = |key: &str| done[key].as_str().unwrap().to_owned();
            let (operation, resource) = (word("operation"), word("resource"));
            format!("{operation} {resource}: {} -> {}", done["before"], done["after"])
        })
        .collect();
    assert_eq!(shown, done);
    assert_eq!(done.len(), plan.summary.changes());
    assert!(plan.summary.rename == 1 && plan.summary.create == 2 && plan.summary.update >= 4);
}
