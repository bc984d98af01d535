//! `watch`: what it does by itself, what it holds, tells and leaves alone, and how it ends.

use crate::common::watching::{
    MANIFESTS, Watch, activities, amount, assert_as_one_apply, deletes, state, wait, watch,
    watch_to,
};
use crate::common::{TestEnv, customer};
use crate::outside::{LICENCE, tell, workspace};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read as _, Write as _};

/// The licence, and a role on it: what depends on what is costly.
fn with_licence(amount: &str) -> String {
    let role = "---\napiVersion: partnerctl.dev/v1\nkind: RoleAssignment\nmetadata: {name: on-licence}\n\
        spec: {scope: {subscriptionRef: {name: contoso-e3}}, principal: {type: User, name: b@contoso.example}, role: Reader}\n";
    self::amount(amount) + LICENCE + role
}

#[test]
fn what_costs_money_is_held_with_what_depends_on_it_until_it_is_approved() {
    let env = TestEnv::workspace(&customer("contoso"));
    let mut watch = watch(&env, &[]);
    watch.outcome("done");
    env.write(MANIFESTS, with_licence("1600.00"));
    let status = watch.outcome("held");
    let held = &status["held"];
    let names: Vec<_> =
        held["changes"].as_array().unwrap().iter().map(|change| &change["resource"]).collect();
    assert_eq!(names, ["Subscription/contoso-e3", "RoleAssignment/on-licence"], "{}", watch.log());
    assert_eq!(activities(&env).len(), 6, "the rest was applied");
    // It is the plan that `plan` shows.
    let plan: Value = serde_json::from_str(&env.ok(&["plan", "-o", "json"])).unwrap();
    assert_eq!(plan["id"], held["planId"]);
    // Everything else goes on, and nothing is said twice.
    env.write("manifests/second.yaml", customer("fabrikam"));
    let status = watch.until("the second customer", |status| status["applied"] == 11);
    assert_eq!(status["lastPass"]["outcome"], "held");
    assert_eq!(status["held"]["planId"], held["planId"]);
    assert_eq!(watch.said("held for approval"), 1, "{}", watch.log());
    // The command is the one that the log shows; it wakes the watch.
    let command = held["command"].as_str().unwrap();
    assert!(watch.log().contains(&format!("→ {command}\n")), "{command}\n{}", watch.log());
    let approved = env.command("sh").args(["-c", command]).output().unwrap();
    assert!(approved.status.success(), "{command}: {}", String::from_utf8_lossy(&approved.stderr));
    let status = watch.outcome("done");
    assert_eq!(status["held"], Value::Null);
    watch.settled(false);
    assert_eq!(activities(&env).len(), 13);
    // An approval is for one plan: the next licence is held again.
    env.write(MANIFESTS, with_licence("1600.00").replace("quantity: 5", "quantity: 6"));
    watch.outcome("held");
    assert_eq!(activities(&env).len(), 13);
    watch.end();
}

#[test]
fn a_workspace_may_allow_what_costs_money_and_what_cannot_be_undone() {
    let env = TestEnv::workspace(&with_licence("1500.00"));
    env.write("partnerctl.yaml", "set: test\nwatch: {allow: [costly]}\n");
    let mut watch = watch(&env, &["--prune"]);
    watch.settled(true);
    assert_eq!(watch.said("held for approval"), 0);
    env.write(MANIFESTS, customer("contoso") + LICENCE);
    env.write("manifests/second.yaml", customer("fabrikam"));
    watch.settled(true);
    fs::remove_file(env.path().join("manifests/second.yaml")).unwrap();
    let status = watch.outcome("held");
    let held: Vec<_> = status["held"]["changes"].as_array().unwrap().iter().collect();
    assert!(held.iter().all(|change| change["action"] == "delete"), "{held:?}");
    // The settings are read again like the manifests.
    env.write("partnerctl.yaml", "set: test\nwatch: {allow: [irreversible]}\n");
    watch.settled(true);
    assert_as_one_apply(&env);
    watch.end();
}

#[test]
fn a_brake_holds_the_plan_and_is_said_once_with_the_command_that_lets_it_go() {
    let env = TestEnv::workspace(&customer("contoso"));
    let mut watch = watch(&env, &["--prune", "--interval", "1s"]);
    watch.outcome("done");
    fs::remove_file(env.path().join(MANIFESTS)).unwrap();
    let status = watch.outcome("refused");
    watch.more_passes(3);
    assert_eq!((watch.said("refused: plan"), deletes(&env)), (1, 0), "{}", watch.log());
    let note = status["notes"].as_array().unwrap().iter().find_map(|note| {
        note.as_str().unwrap().split_once("if all of it is meant: ").map(|(_, command)| command)
    });
    let ended = env.command("sh").args(["-c", note.unwrap()]).output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    watch.outcome("done");
    assert_eq!(state(&env)["items"], json!([]));
    watch.end();
}

/// Changes a budget outside.
fn drift(env: &TestEnv, from: &str, to: &str) {
    let budget = env.ok(&["get", "budget", "contoso", "-o", "json"]);
    env.write("drift.json", budget.replace(from, to));
    env.ok(&["ingest", "state", "drift.json"]);
}

#[test]
fn what_was_changed_outside_is_left_alone_and_told_and_put_back_only_by_healing() {
    let env = TestEnv::workspace(&customer("contoso"));
    let mut plain = watch(&env, &["--interval", "1s"]);
    plain.outcome("done");
    drift(&env, "1500.00", "1900.00");
    plain.until_said(
        "Budget/contoso: changed outside, and left alone: spec.monthly.amount is 1900.00",
    );
    plain.more_passes(2);
    assert_eq!(plain.said("left alone"), 1, "{}", plain.log());
    // When it was seen first is kept: further passes do not move it.
    let seen = || {
        let drift: Value = serde_json::from_str(&env.ok(&["drift", "-o", "json"])).unwrap();
        drift["drifted"][0]["seen"].as_str().map(str::to_owned)
    };
    let first = seen().expect("a watch wrote it down");
    plain.more_passes(2);
    assert_eq!(seen().as_ref(), Some(&first));
    // Another field of the same resource is changed; what drifted stays as it is.
    let other = customer("contoso").replace("currency: EUR}}\n---\napiVersion: partnerctl.dev/v1\nkind: RoleAssignment",
            "currency: EUR}, alertThresholds: [90]}\n---\napiVersion: partnerctl.dev/v1\nkind: RoleAssignment");
    assert!(other.contains("[90]"));
    env.write(MANIFESTS, other);
    wait("the other field", || {
        let budget = env.ok(&["get", "budget", "contoso", "-o", "json"]);
        let budget: Value = serde_json::from_str(&budget).unwrap();
        let observed = &budget["items"][0]["status"]["observed"];
        (observed["alertThresholds"] == json!([90])).then(|| {
            assert_eq!(observed["monthly"]["amount"], "1900.00", "{}", plain.log());
        })
    });
    plain.end();
    assert_eq!(seen(), Some(first));
    let mut healing = watch(&env, &["--heal", "--heal-money", "--interval", "1s"]);
    healing.settled(false);
    drift(&env, "1500.00", "1800.00");
    healing.settled(false);
    assert_as_one_apply(&env);
    healing.end();
}

#[test]
fn what_vanished_outside_is_made_again_only_by_healing() {
    let env = TestEnv::workspace(&customer("contoso"));
    env.ok(&["apply", "--yes"]);
    let budget = env.ok(&["get", "budget", "contoso", "-o", "json"]);
    env.write("gone.json", budget.replace("\"observed\": {", "\"observed\": null, \"was\": {"));
    env.ok(&["ingest", "state", "gone.json"]);
    let output = env.run(&["watch", "--once"]);
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(log.contains("Budget/contoso: it vanished outside, and is left alone"), "{log}");
    assert_eq!(
        activities(&env).iter().filter(|one| one["resource"] == "Budget/contoso").count(),
        1
    );
    let output = env.run(&["watch", "--once", "--heal"]);
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(log.contains("Budget/contoso: it vanished outside, and is left alone"), "{log}");
    let healed = env.run(&["watch", "--once", "--heal", "--heal-money"]);
    assert_eq!(healed.status.code(), Some(0));
    env.assert_settled();
}

#[test]
fn healing_leaves_alone_what_moves_money_unless_it_is_told_to() {
    let env = TestEnv::workspace(&customer("contoso"));
    env.ok(&["apply", "--yes"]);
    let budget = env.ok(&["get", "budget", "contoso", "-o", "json"]);
    let mut budget: Value = serde_json::from_str(&budget).unwrap();
    let observed = &mut budget["items"][0]["status"]["observed"];
    observed["monthly"]["amount"] = json!("9000.00");
    observed["alertThresholds"] = json!([55]);
    env.write("state.json", budget.to_string());
    let customers = env.ok(&["get", "customer", "contoso", "-o", "json"]);
    env.write(
        "customer.json",
        customers.replace("\"companyName\": \"", "\"companyName\": \"Other "),
    );
    env.ok(&["ingest", "state", "state.json"]);
    env.ok(&["ingest", "state", "customer.json"]);
    let output = env.run(&["watch", "--once", "--heal"]);
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{log}");
    assert!(log.contains("Customer/contoso"), "{log}");
    assert!(
        log.contains("changed outside, and left alone: spec.monthly.amount is 9000.00"),
        "{log}"
    );
    let drift: Value = serde_json::from_str(&env.ok(&["drift", "-o", "json"])).unwrap();
    let left: Vec<&Value> = drift["drifted"].as_array().unwrap().iter().collect();
    assert_eq!((left.len(), &left[0]["resource"]), (1, &json!("Budget/contoso")));
    assert_eq!(left[0]["fields"].as_array().unwrap().len(), 1);
    env.run(&["watch", "--once", "--heal", "--heal-money"]);
    env.assert_settled();
}

#[test]
fn once_is_one_pass_with_the_exit_codes_of_apply() {
    let env = TestEnv::workspace(&customer("contoso"));
    let once = |arguments: &[&str]| {
        let output = env.run(&[&["watch", "--once"], arguments].concat());
        assert_eq!(output.stdout, b"", "stdout is for data");
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, log) = once(&["--dry-run"]);
    assert!(code == 0 && log.contains("not applied, as --dry-run: Plan "), "{code} {log}");
    assert!(!env.path().join(".partnerctl").exists(), "planning makes no store");
    assert_eq!(once(&[]).0, 0);
    env.assert_settled();
    let (code, log) = once(&["--quiet"]);
    assert_eq!((code, log.as_str()), (0, ""), "nothing to say");
    env.write(MANIFESTS, customer("contoso") + LICENCE);
    assert_eq!(once(&[]).0, 3, "held");
    env.write(
        MANIFESTS,
        customer("contoso")
            .replace("purchase: Allowed, acknowledgeLiability: true", "purchase: Denied")
            .replace("role: Owner", "role: Reader"),
    );
    assert_eq!(once(&[]).0, 3, "blocked: the last owner");
    env.write(MANIFESTS, "kind: Budgets\n");
    assert_eq!(once(&[]).0, 1, "not valid");
    fs::rename(env.path().join("manifests"), env.path().join("away")).unwrap();
    assert_eq!(once(&[]).0, 1, "missing");
    for wrong in [["--listen", "0.0.0.0:80"], ["--interval", "5"], ["-f", "-"], ["-f", "nowhere"]] {
        assert_eq!(once(&wrong).0, 1, "{wrong:?}");
    }
    fs::rename(env.path().join("away"), env.path().join("manifests")).unwrap();
    assert_eq!(once(&["--status-file", "manifests/status.json"]).0, 1, "it would wake itself");
}

#[test]
fn another_apply_is_waited_for() {
    let env = TestEnv::workspace(&customer("contoso"));
    env.ok(&["apply", "--yes"]);
    let lease = |renewed_at: &str| {
        let connection =
            rusqlite::Connection::open(env.path().join(".partnerctl/state.db")).unwrap();
        let sql = "UPDATE leases SET host = 'elsewhere', boot_id = 'b', pid = 1, started = '1', \
            actor = 'somebody', renewed_at = $1, held = 1";
        assert_eq!(connection.execute(sql, [renewed_at]), Ok(1));
    };
    lease("9999-01-01T00:00:00Z");
    env.write(MANIFESTS, amount("1600.00"));
    let mut watch = watch(&env, &[]);
    watch.outcome("locked");
    watch.more_passes(1);
    assert_eq!(
        watch.said("waiting for another apply: somebody on elsewhere"),
        1,
        "{}",
        watch.log()
    );
    lease("2020-01-01T00:00:00Z");
    watch.settled(false);
    watch.end();
}

#[test]
fn a_store_that_is_gone_is_not_begun_anew() {
    let env = TestEnv::workspace(&customer("contoso"));
    let mut watch = watch(&env, &["--interval", "1s"]);
    watch.outcome("done");
    fs::rename(env.path().join(".partnerctl"), env.path().join("kept")).unwrap();
    let status = watch.outcome("failed");
    let error = status["errors"][0].as_str().unwrap();
    assert!(error.contains("and now nothing is there"), "{error}");
    watch.more_passes(1);
    assert!(!env.path().join(".partnerctl").exists());
    fs::rename(env.path().join("kept"), env.path().join(".partnerctl")).unwrap();
    watch.outcome("done");
    assert_eq!(watch.said("and now nothing is there"), 1, "{}", watch.log());
    assert_eq!(watch.said("recovered:"), 1);
    watch.end();
}

#[test]
fn a_provider_that_fails_is_asked_again_and_the_watch_goes_on() {
    let env = workspace(&customer("contoso"), &json!({"observe": "fail"}));
    let mut watch = watch(&env, &[]);
    watch.outcome("failed");
    watch.more_passes(1);
    assert_eq!(watch.said("closed for lunch"), 1, "{}", watch.log());
    tell(&env, &json!({"perform": ["refused"]}));
    wait("a refusal", || watch.log().contains("failed: Customer/contoso").then_some(()));
    tell(&env, &json!({}));
    watch.settled(false);
    watch.outcome("done");
    assert_eq!(crate::outside::ledger(&env).len(), 5, "each once");
    watch.end();
}

#[test]
fn what_is_held_before_there_is_a_store_can_be_approved() {
    let env =
        TestEnv::workspace(&LICENCE.replace("{name: contoso}, offer", "{external: c-1}, offer"));
    let mut watch = watch(&env, &[]);
    let status = watch.outcome("held");
    let command = status["held"]["command"].as_str().unwrap();
    let approved = env.command("sh").args(["-c", command]).output().unwrap();
    assert!(approved.status.success(), "{}", String::from_utf8_lossy(&approved.stderr));
    let plan: Value = serde_json::from_str(&env.ok(&["plan", "-o", "json"])).unwrap();
    assert_eq!(plan["id"], status["held"]["planId"], "{}", watch.log());
    watch.end();
}

#[test]
fn two_watches_over_one_store_do_everything_once() {
    let env = TestEnv::workspace(&customer("contoso"));
    let mut first = watch(&env, &["--prune"]);
    first.outcome("done");
    let mut second = watch_to("second.json", &env, &["--prune"]);
    second.outcome("done");
    for number in 0..5 {
        env.write(MANIFESTS, amount(&format!("{}.00", 1600 + number)));
        first.settled(true);
        second.assert_lives();
    }
    assert_eq!(activities(&env).len(), 10);
    assert_as_one_apply(&env);
    assert_eq!(second.signal("-TERM").code(), Some(0));
    assert_eq!(first.signal("-TERM").code(), Some(0));
}

/// What a process holds: kilobytes of memory, open files.
fn holds(watch: &Watch<'_>) -> (u64, usize) {
    let process = format!("/proc/{}", watch.child.id());
    let status = fs::read_to_string(format!("{process}/status")).unwrap();
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let memory = memory.trim().split(' ').next().unwrap().parse().unwrap();
    (memory, fs::read_dir(format!("{process}/fd")).unwrap().count())
}

#[test]
fn passes_leave_nothing_behind() {
    let env = TestEnv::workspace(&customer("contoso"));
    let mut watch = watch(&env, &["--debounce", "10ms"]);
    watch.outcome("done");
    let mut number = 0;
    let mut passes = |watch: &mut Watch<'_>, count: u64| {
        let wanted = watch.passes() + count;
        while watch.passes() < wanted {
            number += 1;
            // Every third is wrong.
            let text =
                if number % 3 == 0 { "kind: X\n" } else { &*amount(&format!("{number}.00")) };
            env.write(MANIFESTS, text);
            watch.more_passes(1);
        }
    };
    passes(&mut watch, 30);
    let before = holds(&watch);
    passes(&mut watch, 120);
    let after = holds(&watch);
    // Allocators keep a little, and each connection pages up to two megabytes.
    assert!(after.0 < before.0 + 3_000, "{before:?} {after:?}");
    assert!(after.1 <= before.1 + 3, "{before:?} {after:?}");
    watch.end();
}

#[test]
fn signals_end_it_cleanly() {
    for signal in ["-TERM", "-INT"] {
        let env = TestEnv::workspace(&customer("contoso"));
        let mut watch = watch(&env, &[]);
        watch.outcome("done");
        let status = watch.signal(signal);
        assert_eq!(status.code(), Some(0), "{signal}");
        assert_eq!(watch.status().unwrap()["state"], "ended");
        env.assert_settled();
    }
}

#[test]
fn a_signal_in_the_middle_of_a_pass_finishes_what_is_in_flight() {
    let env = workspace(&customer("contoso"), &json!({"throttle": "create"}));
    let mut watch = watch(&env, &[]);
    watch.until_said("again in");
    assert_eq!(watch.signal("-TERM").code(), Some(0), "{}", watch.log());
    tell(&env, &json!({}));
    env.ok(&["apply", "--yes"]);
    env.assert_settled();
}

/// Asks over HTTP; gives the status and the body.
fn ask(address: &str, path: &str) -> (u16, String) {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[test]
fn it_says_how_it_stands_over_http() {
    let env = TestEnv::workspace(&customer("contoso"));
    let mut watch = watch(&env, &["--listen", "127.0.0.1:0"]);
    watch.outcome("done");
    let log = watch.log();
    let address = log.split("listening on http://").nth(1).unwrap().lines().next().unwrap();
    assert_eq!(ask(address, "/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(ask(address, "/readyz"), (200, "ready\n".to_owned()));
    let (status, metrics) = ask(address, "/metrics");
    assert_eq!(status, 200);
    for line in [
        "partnerctl_watch_passes_total{outcome=\"done\"} 1",
        "partnerctl_watch_changes_applied_total 5",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}\n{metrics}");
    }
    env.write(MANIFESTS, "kind: Budgets\n");
    watch.outcome("invalid");
    assert_eq!(ask(address, "/readyz"), (503, "the last pass ended invalid\n".to_owned()));
    assert_eq!(ask(address, "/healthz").0, 200);
    assert_eq!(ask(address, "/").0, 404);
    watch.end();
}

#[test]
fn the_log_for_machines_is_one_object_a_line_and_the_status_fits_its_schema() {
    let env = TestEnv::workspace(&(customer("contoso") + LICENCE));
    let schema = crate::generated::schema("watch.v1.schema.json");
    let mut watch = watch(&env, &["--log-format", "json", "-v"]);
    for (manifests, outcome) in
        [("", "held"), ("kind: X\n", "invalid"), (&*customer("contoso"), "done")]
    {
        if !manifests.is_empty() {
            env.write(MANIFESTS, manifests);
        }
        let status = watch.outcome(outcome);
        let errors: Vec<_> = schema.iter_errors(&status).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}\n{status:#}");
    }
    for line in watch.end().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["timestamp"].is_string() && line["level"].is_string(), "{line}");
        assert!(line["message"].is_string(), "{line}");
    }
}
