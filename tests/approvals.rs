//! Approvals: for one plan, for one apply, for a day.

use crate::common::watching::watch;
use crate::common::{TestEnv, customer};
use crate::outside::{self, LICENCE};
use serde_json::{Value, json};

/// A workspace with a customer, applied, and a licence to be bought: a costly change.
fn workspace() -> TestEnv {
    let env = TestEnv::workspace(&customer("contoso"));
    env.ok(&["apply", "--yes"]);
    env.write("manifests/licence.yaml", LICENCE);
    env
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn plan_id(env: &TestEnv) -> String {
    let plan: Value = serde_json::from_str(&env.ok(&["plan", "-o", "json"])).unwrap();
    plan["id"].as_str().unwrap().to_owned()
}

/// Demands that nobody has approved what is to be done now, and that nothing is.
fn assert_held(env: &TestEnv, what: &str) {
    let before = env.ok(&["log", "-o", "json"]);
    let output = env.run(&["apply", "--yes"]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{what}: {stderr}");
    assert!(stderr.contains("approval\n  → partnerctl apply"), "{what}: {stderr}");
    assert_eq!(before, env.ok(&["log", "-o", "json"]), "{what}");
}

/// Plans that are approved now.
fn approved(env: &TestEnv) -> Vec<String> {
    let list = env.ok(&["approve"]);
    list.lines().skip(1).map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn an_approval_by_id_lets_exactly_one_apply_through() {
    let env = workspace();
    assert_held(&env, "before");
    let id = plan_id(&env);
    env.ok(&["approve", &id.to_uppercase()]);
    assert_eq!(approved(&env), [id.as_str()]);
    // It stands in for --approve and not for --yes.
    assert_eq!(env.run(&["apply"]).status.code(), Some(3));
    assert_eq!(approved(&env), [id.as_str()]);
    env.ok(&["apply", "--yes"]);
    assert_eq!(approved(&env), Vec::<String>::new());
}

#[test]
fn an_approval_by_file_is_for_that_plan_saved_or_planned_again() {
    for saved in [true, false] {
        let env = workspace();
        env.ok(&["plan", "--out", "plan.json"]);
        let shown = env.ok(&["approve", "plan.json"]);
        assert!(shown.contains("+ create Subscription/contoso-e3"), "{shown}");
        let planfile = saved.then_some("plan.json");
        let arguments: Vec<&str> = ["apply", "--yes"].into_iter().chain(planfile).collect();
        env.ok(&arguments);
        assert_eq!(approved(&env), Vec::<String>::new());
    }
}

#[test]
fn an_approval_is_not_for_another_plan() {
    let env = workspace();
    env.ok(&["approve", &plan_id(&env)]);
    let dearer = LICENCE.replace("quantity: 5", "quantity: 500");
    env.write("manifests/licence.yaml", &dearer);
    assert_held(&env, "another quantity");
    env.write("manifests/licence.yaml", LICENCE.replace("X:1", "X:2"));
    assert_held(&env, "another offer");
    env.write(
        "manifests/licence.yaml",
        LICENCE.to_owned() + &LICENCE.replace("-e3", "-e5").replace("X:1", "X:5"),
    );
    assert_held(&env, "one more");
    env.write("manifests/licence.yaml", LICENCE);
    env.ok(&["apply", "--yes"]);
}

#[test]
fn an_approval_ends_after_its_time_and_when_it_is_withdrawn() {
    let env = workspace();
    let id = plan_id(&env);
    let dated = |hours: i64| {
        env.ok(&["approve", &id]);
        let at = chrono::Utc::now() - chrono::TimeDelta::minutes(hours * 60 + 5);
        let at = at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let path = env.path().join(".partnerctl/state.db");
        let connection = rusqlite::Connection::open(path).unwrap();
        assert_eq!(connection.execute("UPDATE approvals SET approved_at = $1", [at]), Ok(1));
    };
    dated(24);
    assert_held(&env, "a day later");
    dated(-2);
    assert_held(&env, "dated ahead");
    dated(2);
    let short = env.run(&["apply", "--yes", "--plan-ttl", "2"]);
    assert_eq!(short.status.code(), Some(3));
    env.ok(&["approve", &id, "--withdraw"]);
    assert_held(&env, "withdrawn");
    let again = env.run(&["approve", &id, "--withdraw"]);
    assert_eq!(again.status.code(), Some(1));
    dated(2);
    env.ok(&["apply", "--yes", "--plan-ttl", "3"]);
}

#[test]
fn a_plan_that_comes_again_needs_an_approval_again() {
    let env = workspace();
    let id = plan_id(&env);
    let remove = || {
        std::fs::remove_file(env.path().join("manifests/licence.yaml")).unwrap();
        env.ok(&["apply", "--prune", "--yes", "--approve", "irreversible"]);
        env.write("manifests/licence.yaml", LICENCE);
        assert_eq!(plan_id(&env), id, "the same work has the same id");
    };
    env.ok(&["approve", &id]);
    env.ok(&["apply", "--yes"]);
    remove();
    assert_held(&env, "used");
    // One that was not needed is used up as well.
    env.ok(&["approve", &id]);
    env.ok(&["apply", "--yes", "--approve", "costly"]);
    remove();
    assert_held(&env, "not needed");
}

#[test]
fn what_a_policy_holds_needs_an_approval_of_its_own_whatever_the_risk() {
    let env = workspace();
    let policy =
        "{name: licences, match: {kinds: [Subscription]}, effect: requireApproval, by: SalesAgent}";
    env.write("partnerctl.yaml", format!("set: test\npolicies:\n  - {policy}\n"));
    for (given, of, missing) in [
        (&[][..], " by policy licences", "--approve costly --approve policy"),
        (&["--approve", "costly"], " by policy licences", "--approve policy"),
        (&["--approve", "policy"], "", "--approve costly"),
    ] {
        let output = env.run(&[&["apply", "--yes"], given].concat());
        assert_eq!(output.status.code(), Some(3));
        let expected = format!(
            "nothing was applied: 1 change (create Subscription/contoso-e3) needs approval{of}\n  \
             → partnerctl apply --yes {missing}\n"
        );
        assert_eq!(text(&output.stderr), expected);
    }
    // One beforehand is for the plan with all that it risks, and all that its policies ask for.
    env.ok(&["approve", &plan_id(&env)]);
    env.ok(&["apply", "--yes"]);
    env.assert_settled();
}

const STAFF: &str = "---
apiVersion: partnerctl.dev/v1
kind: PartnerUser
metadata: {name: admin}
spec: {userPrincipalName: admin@partner.example, roles: [GlobalAdmin, AdminAgent]}
---
apiVersion: partnerctl.dev/v1
kind: PartnerUser
metadata: {name: sales}
spec: {userPrincipalName: sales@partner.example, roles: [SalesAgent, GlobalAdmin]}
";

/// A workspace before a provider program, with staff, and a renaming that an AdminAgent must approve.
fn renaming_outside() -> TestEnv {
    renaming(outside::workspace(&(customer("contoso") + STAFF), &json!({})))
}

/// The same in any workspace.
fn renaming(env: TestEnv) -> TestEnv {
    env.ok(&["apply", "--yes"]);
    let settings = std::fs::read_to_string(env.path().join("partnerctl.yaml")).unwrap();
    let policy =
        "{name: names, match: {kinds: [Customer]}, effect: requireApproval, by: AdminAgent}";
    env.write("partnerctl.yaml", format!("{settings}policies:\n  - {policy}\n"));
    let renamed = customer("contoso").replace("companyName: contoso", "companyName: Contoso B.V.");
    env.write("manifests/all.yaml", renamed + STAFF);
    env
}

/// How an apply by a seller ends, who may do it but not approve it, and what it says.
fn by_sales(env: &TestEnv, options: &[&str]) -> (Option<i32>, String) {
    let apply = ["apply", "--quiet", "--yes", "--as", "sales@partner.example"];
    let output = env.run(&[&apply, options].concat());
    (output.status.code(), text(&output.stderr))
}

#[test]
fn a_role_that_a_provider_program_tells_of_lets_its_holder_approve_and_nobody_else() {
    let env = renaming_outside();
    let id = plan_id(&env);
    let refused = format!(
        "nothing was applied: 1 change (update Customer/contoso) needs approval by policy names\n  \
         → you are not an AdminAgent: have one run `partnerctl approve {id}`, then apply again\n"
    );
    for options in [&[][..], &["--approve", "policy"]] {
        assert_eq!(by_sales(&env, options), (Some(3), refused.clone()), "{options:?}");
    }
    let watch = || {
        let output = env.run(&["watch", "--once"]);
        (output.status.code(), text(&output.stderr))
    };
    for (who, exit) in [("sales@partner.example", 3), ("Admin@partner.example", 0)] {
        env.ok(&["approve", &id, "--as", who]);
        let status: Value = serde_json::from_str(&env.ok(&["status", "-o", "json"])).unwrap();
        assert_eq!(status["approved"], exit == 0, "{who}");
        if exit == 0 {
            assert_eq!(by_sales(&env, &[]).0, Some(0));
        } else {
            assert_eq!(by_sales(&env, &[]), (Some(3), refused.clone()));
            let (code, said) = watch();
            assert_eq!(code, Some(3));
            assert!(
                said.contains(
                    "update Customer/contoso: Update customer billing profile (policy names)"
                ),
                "{said}"
            );
        }
    }
    env.assert_settled();
    // Whoever has the role may say so in the same breath.
    env.write("manifests/all.yaml", customer("contoso") + STAFF);
    env.ok(&["apply", "--yes", "--approve", "policy"]);
    env.assert_settled();
}

#[test]
fn a_watch_before_a_provider_program_goes_on_once_somebody_with_the_role_approves() {
    let env = renaming_outside();
    let mut watch = watch(&env, &["--interval", "1h"]);
    let held = watch.outcome("held");
    let (id, passes) = (held["held"]["planId"].as_str().unwrap(), watch.passes());
    env.ok(&["approve", id, "--as", "sales@partner.example"]);
    // It looks for an approval each second.
    std::thread::sleep(std::time::Duration::from_secs(3));
    watch.assert_lives();
    assert_eq!(watch.passes(), passes, "who may not approve wakes nobody");
    env.ok(&["approve", id]);
    watch.outcome("done");
    watch.end();
    env.assert_settled();
}

#[test]
fn a_watch_goes_on_once_somebody_who_approved_gets_the_role() {
    let env = renaming(TestEnv::workspace(&(customer("contoso") + STAFF)));
    let mut watch = watch(&env, &["--interval", "1h"]);
    let held = watch.outcome("held");
    env.ok(&["approve", held["held"]["planId"].as_str().unwrap(), "--as", "sales@partner.example"]);
    let state = env.ok(&["get", "pu", "sales", "-o", "json"]);
    env.write("state.json", state.replace("\"SalesAgent\"", "\"SalesAgent\", \"AdminAgent\""));
    env.ok(&["ingest", "state", "state.json"]);
    crate::common::watching::wait("that the name is changed", || {
        watch.assert_lives();
        env.ok(&["get", "customers"]).contains("Contoso B.V.").then_some(())
    });
    watch.end();
}

#[test]
fn where_all_partner_users_are_gone_outside_nobody_approves_what_a_role_must() {
    let env = renaming_outside();
    let mut ledger = std::fs::read_to_string(env.path().join("fake/ledger")).unwrap();
    for entry in outside::ledger(&env).iter().filter(|entry| entry["kind"] == "PartnerUser") {
        let gone =
            json!({"kind": "PartnerUser", "externalId": entry["externalId"], "key": "by hand"});
        ledger.push_str(&format!("{gone}\n"));
    }
    env.write("fake/ledger", ledger);
    // Neither by an option nor beforehand; what no policy holds goes on, and brings them back.
    let held = env.run(&["apply", "--yes", "--approve", "policy", "--customer", "contoso"]);
    assert_eq!(held.status.code(), Some(3), "{}", text(&held.stdout));
    env.ok(&["approve", &plan_id(&env)]);
    assert_eq!(env.run(&["apply", "--yes"]).status.code(), Some(3));
    env.ok(&["apply", "--yes", "--kind", "PartnerUser"]);
    env.ok(&["apply", "--yes", "--approve", "policy"]);
    env.assert_settled();
}
