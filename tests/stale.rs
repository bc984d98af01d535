//! What a saved plan rests on may not have moved: everything that can happen between a plan and its
//! apply.

use crate::common::{TestEnv, customer};
use crate::saved::{
    APPLY, append, applied, assert_refused, forge, log, outside, plan_of, replace, text,
};
use partnerctl::model::ResourceId;
use partnerctl::plan::change::Basis;

/// What the outside has, with one text replaced.
fn drifted(env: &TestEnv, kind: &str, name: &str, from: &str, to: &str) {
    let list = env.ok(&["get", kind, name, "-o", "json"]);
    assert!(list.contains(from), "{from} in {list}");
    env.write("state.json", list.replace(from, to));
    env.ok(&["ingest", "state", "state.json"]);
}

type Doing = &'static dyn Fn(&TestEnv);

/// Applies other manifests than those that were planned, then puts these back.
fn meanwhile(env: &TestEnv, alter: impl FnOnce(&str) -> String) {
    let path = env.path().join("manifests/all.yaml");
    let planned = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, alter(&planned)).unwrap();
    env.ok(&["apply", "--yes", "--prune", "--approve", "irreversible"]);
    std::fs::write(&path, planned).unwrap();
}

fn plan_more_budget(env: &TestEnv) {
    let manifests = customer("contoso").replace("1500.00", "1600.00") + "---\n";
    env.write("manifests/all.yaml", manifests + &customer("fabrikam"));
}

/// Manifests without those of a kind.
fn without(manifests: &str, kind: &str) -> String {
    let documents = manifests.split("---\n");
    let kept: Vec<&str> =
        documents.filter(|text| !text.contains(&format!("kind: {kind}"))).collect();
    kept.join("---\n")
}

fn plan_the_end_of_contoso(env: &TestEnv) {
    env.write("manifests/all.yaml", customer("fabrikam"));
}

fn plan_a_permission(env: &TestEnv) {
    replace(env, "purchase: Allowed", "purchase: Denied");
    env.ok(&["apply", "--yes"]);
    replace(env, "purchase: Denied", "purchase: Allowed");
}

pub const READER: &str = "apiVersion: partnerctl.dev/v1\nkind: RoleAssignment\n\
    metadata: {name: reader}\nspec: {scope: {subscriptionRef: {name: contoso-azure}}, \
    principal: {type: User, name: b@contoso.example}, role: Reader}\n";
pub const LICENCE: &str = "apiVersion: partnerctl.dev/v1\nkind: Subscription\nmetadata: {name: e3}\n\
    spec: {customerRef: {name: contoso}, offer: {type: License, id: \"X:1\"}, quantity: 5}\n";
pub const TAILSPIN: &str = "apiVersion: partnerctl.dev/v1\nkind: Customer\nmetadata: {name: tailspin}\n\
    spec: {companyName: T, domain: tailspin.example, country: NL}\n";

/// Another set's manifests, applied to the same store.
fn other_set(env: &TestEnv, manifest: &str) {
    env.write("other/partnerctl.yaml", "set: other\n");
    env.write("other/manifests/a.yaml", manifest);
    let store = format!("sqlite:{}", env.path().join(".partnerctl/state.db").display());
    let place = ["--workspace", "other", "--store", &store];
    env.ok(&[&["apply", "--yes", "--approve", "costly"], &place[..]].concat());
}

/// (what happens in between, what is planned, what happens, what the refusal says)
const IN_BETWEEN: &[(&str, Doing, Doing, &str)] = &[
    (
        "another apply",
        &plan_more_budget,
        &|env| meanwhile(env, |planned| planned.replace("1600.00", "1700.00")),
        "Budget/contoso was at revision 1, and is at revision 2 now",
    ),
    (
        "another apply of the very same",
        &plan_more_budget,
        &|env| meanwhile(env, str::to_owned),
        "Budget/contoso was at revision 1",
    ),
    (
        "it was changed outside",
        &plan_more_budget,
        &|env| drifted(env, "budget", "contoso", "1500.00", "3.00"),
        "Budget/contoso was changed outside",
    ),
    (
        "it was changed outside as planned",
        &plan_more_budget,
        &|env| drifted(env, "budget", "contoso", "1500.00", "1600.00"),
        "Budget/contoso was changed outside",
    ),
    (
        "it vanished",
        &plan_more_budget,
        &|env| outside(env, "Budget", "contoso", "status: {observed: null}"),
        "Budget/contoso is not there any more",
    ),
    (
        "it is no longer declared",
        &plan_more_budget,
        &|env| meanwhile(env, |_| customer("fabrikam")),
        "Budget/contoso was at revision 1, and is not in the store now",
    ),
    (
        "the customer took the relationship back",
        &plan_more_budget,
        &|env| drifted(env, "customer", "contoso", "Granted", "Revoked"),
        "Customer/contoso was changed outside",
    ),
    (
        "the customer has another name",
        &plan_more_budget,
        &|env| {
            meanwhile(env, |planned| {
                planned
                    .replace("metadata: {name: contoso, labels", "metadata: {name: new, labels")
                    .replace("customerRef: {name: contoso}", "customerRef: {name: new}")
            });
        },
        "Customer/contoso was at revision 1, and is not in the store now",
    ),
    (
        "the Owner is gone",
        &plan_a_permission,
        &|env| outside(env, "RoleAssignment", "contoso-owner", "status: {observed: null}"),
        "RoleAssignment/contoso-owner is not there any more",
    ),
    (
        "the Owner is another one",
        &plan_a_permission,
        &|env| {
            meanwhile(env, |planned| {
                planned.replace("Allowed", "Denied").replace("admin@contoso", "else@contoso")
            });
        },
        "RoleAssignment/contoso-owner was at revision 1",
    ),
    (
        "the subscription is suspended",
        &plan_a_permission,
        &|env| drifted(env, "subscription", "contoso-azure", "Active", "Suspended"),
        "Subscription/contoso-azure was changed outside",
    ),
    (
        "the customer of the subscription took the relationship back",
        &|env| append(env, READER),
        &|env| drifted(env, "customer", "contoso", "Granted", "Revoked"),
        "Customer/contoso was changed outside",
    ),
    (
        "another apply makes the very same",
        &|env| append(env, READER),
        &|env| meanwhile(env, str::to_owned),
        "RoleAssignment/reader was not in the store, and is at revision 1 now",
    ),
    (
        "another set takes the name",
        &|env| append(env, READER),
        &|env| other_set(env, &READER.replace("b@contoso", "else@contoso")),
        "RoleAssignment/reader was not in the store, and is at revision 1 now",
    ),
    (
        "one of the same offer is there",
        &|env| append(env, LICENCE),
        &|env| {
            let spec = LICENCE.split_once("\nspec").unwrap().1;
            outside(env, "Subscription", "from-the-portal", &format!("spec{spec}"));
        },
        "Subscription/e3 is there already, unmanaged",
    ),
    (
        "one of the same offer was bought under another name",
        &|env| append(env, LICENCE),
        &|env| meanwhile(env, |planned| planned.replace("name: e3", "name: office")),
        "Subscription/e3 is there already, as Subscription/office",
    ),
    (
        "one of the same offer was bought by another set",
        &|env| append(env, LICENCE),
        &|env| other_set(env, &LICENCE.replace("name: e3", "name: office")),
        "Subscription/e3 is there already, as Subscription/office",
    ),
    (
        "the customer is there",
        &|env| append(env, TAILSPIN),
        &|env| outside(env, "Customer", "t", TAILSPIN.split_once("}\n").unwrap().1),
        "Customer/tailspin is there already, unmanaged",
    ),
    (
        "the customer is another set's",
        &|env| append(env, TAILSPIN),
        &|env| other_set(env, &TAILSPIN.replace("name: tailspin", "name: toys")),
        "Customer/tailspin is there already, as Customer/toys",
    ),
    (
        "another set has something of the customer that goes",
        &plan_the_end_of_contoso,
        &|env| other_set(env, LICENCE),
        "Subscription/e3 is new, and refers to Customer/contoso",
    ),
    (
        "something was bought in the portal of the customer that goes",
        &plan_the_end_of_contoso,
        &|env| {
            let spec = LICENCE.split_once("\nspec").unwrap().1;
            outside(env, "Subscription", "from-the-portal", &format!("spec{spec}"));
        },
        "and refers to Customer/contoso",
    ),
    (
        "a permission rests on the Owner that goes",
        &|env| {
            // A program stays Owner; it is no user of the customer.
            let program = READER.replace("name: reader", "name: program");
            let program = program.replace("type: User", "type: ServicePrincipal");
            append(env, &program.replace("role: Reader", "role: Owner"));
            let path = env.path().join("manifests/all.yaml");
            let manifests = std::fs::read_to_string(path).unwrap();
            let manifests = without(&manifests, "ReservationPermission");
            env.write("manifests/all.yaml", &manifests);
            env.ok(&["apply", "--yes", "--prune"]);
            replace(env, "metadata: {name: contoso-owner}", "metadata: {name: contoso-reader}");
            replace(
                env,
                "admin@contoso.example}\n  role: Owner",
                "admin@contoso.example}\n  role: Reader",
            );
        },
        &|env| {
            let permission = "apiVersion: partnerctl.dev/v1\nkind: ReservationPermission\n\
                metadata: {name: theirs}\nspec: {customerRef: {name: contoso}, subscriptionRef: \
                {name: contoso-azure}, purchase: Allowed, acknowledgeLiability: true}\n";
            other_set(env, permission);
        },
        "ReservationPermission/theirs is new, and refers to Subscription/contoso-azure",
    ),
];

#[test]
fn whatever_a_plan_rests_on_may_not_have_moved() {
    for (what, planned, happens, why) in IN_BETWEEN {
        let env = applied();
        planned(&env);
        env.ok(&["plan", "--prune", "--out", "plan.json"]);
        assert_ne!(plan_of(&env).summary.changes(), 0, "{what}");
        happens(&env);
        assert_refused(&env, "the plan is stale: ", what);
        assert_refused(&env, why, what);
    }
}

#[test]
fn what_a_plan_does_not_touch_may_move() {
    let other_budget: Doing = &|env| {
        meanwhile(env, |_| {
            let fabrikam = customer("fabrikam").replace("1500.00", "77.00");
            customer("contoso") + "---\n" + &fabrikam
        });
    };
    let happenings: [(&str, Doing); 5] = [
        ("another customer's budget", other_budget),
        ("a drift of another customer's budget", &|env| {
            drifted(env, "budget", "fabrikam", "1500.00", "3.00");
        }),
        ("a budget gone", &|env| outside(env, "Budget", "fabrikam", "status: {observed: null}")),
        ("a role of the same customer", &|env| other_set(env, READER)),
        ("a customer more", &|env| other_set(env, TAILSPIN)),
    ];
    for (what, happens) in happenings {
        let env = applied();
        plan_more_budget(&env);
        env.ok(&["plan", "--out", "plan.json"]);
        happens(&env);
        let before = log(&env).len();
        let output = env.run(&APPLY);
        assert!(output.status.success(), "{what}: {}", text(&output.stderr));
        let done = &log(&env)[before..];
        assert_eq!(done.len(), 1, "{what}");
        assert_eq!(done[0]["resource"], "Budget/contoso", "{what}");
        assert_eq!(done[0]["after"]["spec.monthly.amount"], "1600.00", "{what}");
    }
}

#[test]
fn what_is_made_new_rests_on_not_being_there_whether_the_plan_says_it_or_not() {
    for says_it in [false, true] {
        let env = applied();
        append(&env, READER);
        env.ok(&["plan", "--out", "plan.json"]);
        let id = ResourceId::new("RoleAssignment", "reader");
        assert!(plan_of(&env).basis.iter().all(|basis| basis.resource != id));
        if says_it {
            // As earlier versions did.
            forge(&env, |plan| plan.basis.push(Basis::of_new(&id)));
        }
        meanwhile(&env, str::to_owned);
        let why = "the plan is stale: RoleAssignment/reader was not in the store, and is at revision 1 now\n";
        assert_refused(&env, why, "it is said once");
    }
}

#[test]
fn of_much_that_moved_some_is_told_and_how_much_more_there_is() {
    let env = applied();
    env.write("manifests/all.yaml", customer("tailspin") + "---\n" + &customer("toys"));
    env.ok(&["plan", "--out", "plan.json"]);
    env.ok(&["apply", "--yes"]);
    let plan = plan_of(&env);
    let new = plan.changes.iter().filter(|change| change.is_new());
    let mut new: Vec<String> = new.map(|change| change.id.to_string()).collect();
    new.sort();
    let said = new.iter().map(|id| format!("{id} was not in the store, and is at revision 1 now"));
    let shown: Vec<String> = said.take(8).collect();
    let why = format!("the plan is stale: {}; and {} more\n", shown.join("; "), new.len() - 8);
    assert!(new.len() > 8);
    assert_refused(&env, &why, "much moved");
}

#[test]
fn a_second_purchase_that_was_planned_is_made() {
    let env = applied();
    append(&env, LICENCE);
    env.ok(&["apply", "--yes", "--approve", "costly"]);
    append(&env, &LICENCE.replace("name: e3", "name: second"));
    env.ok(&["plan", "--out", "plan.json"]);
    env.ok(&APPLY);
    env.assert_settled();
}
