//! What is suspended is left alone, whatever a plan would do to it, and its end is told.

use crate::common::TestEnv;
use crate::common::watching::{wait, watch};
use partnerctl::engine::gather;
use partnerctl::provider::embedded::Embedded;
use partnerctl::store::{self, Missing};
use serde_json::Value;

const CUSTOMERS: &str = "
apiVersion: partnerctl.dev/v1
kind: Customer
metadata: {name: contoso}
spec: {companyName: Contoso, domain: contoso.example, country: NL}
---
apiVersion: partnerctl.dev/v1
kind: Customer
metadata: {name: fabrikam}
spec: {companyName: Fabrikam, domain: fabrikam.example, country: NL}
---
apiVersion: partnerctl.dev/v1
kind: Subscription
metadata: {name: azure}
spec: {customerRef: {name: contoso}, offer: {type: AzurePlan}}
---
";

const BUDGET: &str = "
apiVersion: partnerctl.dev/v1
kind: Budget
metadata: {name: contoso}
spec: {customerRef: {name: contoso}, monthly: {amount: 10, currency: EUR}}
";

fn workspace() -> TestEnv {
    let env = TestEnv::workspace(&format!("{CUSTOMERS}{BUDGET}"));
    env.ok(&["apply", "--yes"]);
    env
}

/// Lets every suspension end a minute ago.
fn end_all(env: &TestEnv) {
    let connection = rusqlite::Connection::open(env.path().join(".partnerctl/state.db")).unwrap();
    let at = chrono::Utc::now() - chrono::TimeDelta::minutes(1);
    let at = at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    assert!(connection.execute("UPDATE suspensions SET until = $1", [at]).unwrap() > 0);
}

fn amount(env: &TestEnv) -> String {
    let budget = env.ok(&["get", "budget", "contoso", "-o", "json"]);
    let budget: Value = serde_json::from_str(&budget).unwrap();
    budget["items"][0]["status"]["observed"]["monthly"]["amount"].as_str().unwrap().to_owned()
}

const ENDED: &str = "its suspension has ended";

fn says_that_it_ended(env: &TestEnv) -> bool {
    env.ok(&["plan"]).contains(ENDED)
}

#[test]
fn what_was_gathered_before_a_suspension_is_not_how_the_store_is_after_it() {
    let env = workspace();
    let url = format!("sqlite:{}", env.path().join(".partnerctl/state.db").display());
    let store = store::open(&url, Missing::Leave).unwrap().unwrap();
    let gathered = gather(Some(store.as_ref()), &Embedded).unwrap();
    assert!(gathered.is_still(store.as_ref()).unwrap());
    env.ok(&["suspend", "budget/contoso"]);
    assert!(!gathered.is_still(store.as_ref()).unwrap(), "a watch would write to it");
    env.ok(&["unsuspend", "budget/contoso"]);
    assert!(gathered.is_still(store.as_ref()).unwrap());
    env.write("manifests/all.yaml", format!("{CUSTOMERS}{BUDGET}").replace("10", "20"));
    env.ok(&["apply", "--yes"]);
    assert!(!gathered.is_still(store.as_ref()).unwrap());
}

#[test]
fn an_end_is_told_until_an_apply_of_everything_went_well() {
    let env = workspace();
    env.ok(&["suspend", "budget/contoso", "--until", "2098-01-01"]);
    env.write("manifests/all.yaml", format!("{CUSTOMERS}{BUDGET}").replace("10", "20"));
    env.ok(&["apply", "--yes"]);
    assert_eq!(amount(&env), "10.00");
    assert!(!says_that_it_ended(&env));
    end_all(&env);
    assert!(says_that_it_ended(&env));
    assert!(env.ok(&["status"]).contains("No longer so    Budget/contoso"));
    env.ok(&["apply", "--yes", "--customer", "fabrikam"]);
    assert!(says_that_it_ended(&env), "a part says nothing of the rest");
    env.ok(&["apply", "--yes"]);
    assert_eq!(amount(&env), "20.00");
    assert!(!says_that_it_ended(&env));
    assert_eq!(env.ok(&["suspend"]), "");
}

#[test]
fn a_watch_leaves_alone_what_is_suspended_says_when_that_ends_and_goes_on() {
    let env = workspace();
    let watch = || {
        let output = env.run(&["watch", "--once", "--heal", "--prune"]);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    env.ok(&["suspend", "--customer", "contoso", "--until", "2098-01-01", "--reason", "audit"]);
    env.write("manifests/all.yaml", format!("{CUSTOMERS}{BUDGET}").replace("10", "20"));
    let (code, told) = watch();
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("suspended: update Budget/contoso waits for the end of"), "{told}");
    assert_eq!(amount(&env), "10.00");
    end_all(&env);
    let (code, told) = watch();
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains(&format!("Customer/contoso: {ENDED}")), "{told}");
    assert_eq!(amount(&env), "20.00");
    let (_, told) = watch();
    assert!(!told.contains(ENDED), "{told}");
}

#[test]
fn a_watch_wakes_for_the_end_of_a_suspension() {
    let env = workspace();
    env.ok(&["suspend", "budget/contoso", "--until", "2098-01-01"]);
    let mut watch = watch(&env, &["--interval", "1h"]);
    watch.outcome("done");
    // Whether it looks at everything or only at what moved, the next end is what it rests for.
    for wanted in ["20", "30"] {
        let at = chrono::Utc::now() + chrono::TimeDelta::seconds(3);
        let until = at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        env.ok(&["suspend", "budget/contoso", "--until", &until]);
        let text = format!("{CUSTOMERS}{BUDGET}");
        env.write("manifests/all.yaml", text.replace("amount: 10", &format!("amount: {wanted}")));
        wait("that the budget is changed", || {
            watch.assert_lives();
            (amount(&env) == format!("{wanted}.00")).then_some(())
        });
        assert!(chrono::Utc::now() >= until.parse::<chrono::DateTime<chrono::Utc>>().unwrap());
        // It is forgotten once everything is applied: a commit later.
        wait("that the suspension is forgotten", || env.ok(&["suspend"]).is_empty().then_some(()));
    }
    watch.end();
}

#[test]
fn what_is_suspended_is_not_deleted_and_keeps_what_it_rests_on() {
    let env = workspace();
    env.ok(&["suspend", "sub/azure"]);
    env.write("manifests/all.yaml", CUSTOMERS.split("---").nth(1).unwrap());
    let prune = ["--prune", "--yes", "--approve", "irreversible"];
    let output = env.run(&[&["apply"], &prune[..]].concat());
    assert_eq!(output.status.code(), Some(0), "the customer waits for its subscription");
    let names = env.ok(&["get", "all", "-o", "name"]);
    assert_eq!(names, "Customer/contoso\nCustomer/fabrikam\nSubscription/azure\n");
    env.ok(&["unsuspend", "sub/azure"]);
    env.ok(&[&["apply"], &prune[..]].concat());
    assert_eq!(env.ok(&["get", "all", "-o", "name"]), "Customer/fabrikam\n");
}

#[test]
fn another_set_leaves_it_alone_as_well_and_hears_nothing_of_the_end() {
    let env = workspace();
    env.write("other/partnerctl.yaml", "set: other\nstore: sqlite:../.partnerctl/state.db\n");
    env.write("other/manifests/all.yaml", "apiVersion: partnerctl.dev/v1\nkind: RoleAssignment\nmetadata: {name: reader}\nspec: {scope: {subscriptionRef: {name: azure}}, principal: {type: User, name: a@contoso.example}, role: Reader}\n");
    env.ok(&["suspend", "--customer", "contoso", "--until", "2098-01-01"]);
    let plan = env.ok(&["--workspace", "other", "plan"]);
    assert!(plan.contains("Suspended\n  + create RoleAssignment/reader"), "{plan}");
    end_all(&env);
    let plan = env.ok(&["--workspace", "other", "plan"]);
    assert!(!plan.contains("uspen"), "{plan}");
}

#[test]
fn a_suspended_customer_is_left_alone_under_a_new_name_and_by_what_leaves_it() {
    let role = |scope: &str| {
        format!(
            "---\napiVersion: partnerctl.dev/v1\nkind: RoleAssignment\nmetadata: {{name: reader}}\nspec: {{scope: {{subscriptionRef: {{name: {scope}}}}}, principal: {{type: User, name: a@contoso.example}}, role: Reader}}\n"
        )
    };
    let other = "---\napiVersion: partnerctl.dev/v1\nkind: Subscription\nmetadata: {name: spare}\nspec: {customerRef: {name: fabrikam}, offer: {type: AzurePlan}}\n";
    let all = format!("{CUSTOMERS}{other}{}", role("azure"));
    let env = TestEnv::workspace(&all);
    env.ok(&["apply", "--yes"]);
    env.ok(&["suspend", "--customer", "contoso"]);
    let counts = |manifests: String, more: &[&str]| {
        env.write("manifests/all.yaml", manifests);
        let plan = env.ok(&[&["plan", "-o", "json"], more].concat());
        let plan: Value = serde_json::from_str(&plan).unwrap();
        let summary = &plan["summary"];
        (summary["create"].as_u64(), summary["delete"].as_u64(), summary["waiting"].as_u64())
    };
    // The customer waits for its new name; a role of it that is new, or gone, waits as well.
    let renamed = all.replace("name: contoso}", "name: contoso-bv}");
    let new = role("azure").replace("name: reader", "name: owner").replace("Reader", "Owner");
    assert_eq!(counts(format!("{renamed}{new}"), &[]), (Some(0), Some(0), Some(2)));
    let gone = renamed.replace(&role("azure"), "");
    assert_eq!(counts(gone, &["--prune"]), (Some(0), Some(0), Some(2)));
    // What leaves it for another customer would be taken away from it.
    let moved = all.replace(&role("azure"), &role("spare"));
    assert_eq!(counts(moved, &[]), (Some(0), Some(0), Some(1)));
}
