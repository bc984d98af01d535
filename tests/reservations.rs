//! Reservations over time: what has ended, what shares a cap, what became worse meanwhile.

use crate::common::TestEnv;
use partnerctl::engine::gather;
use partnerctl::kinds::Kinds;
use partnerctl::plan::{Change, Plan};
use partnerctl::provider::embedded::{Embedded, carry_out};
use partnerctl::provider::{Context, Ids};
use partnerctl::store::{Missing, open};

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
";

fn reservation(name: &str, more: &str) -> String {
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
  price: {{amount: \"36500.00\", currency: USD}}
{more}"
    )
}

/// A workspace with reservations that were bought on 10 June 2026.
fn bought(names: &[&str]) -> TestEnv {
    let manifests = |more| names.iter().map(|name| reservation(name, more)).collect::<String>();
    let env = TestEnv::workspace(&format!("{CUSTOMER}{}", manifests("")));
    env.ok(&["apply", "--yes", "--approve", "costly"]);
    let list = env.ok(&["get", "reservations", "-o", "json"]);
    let mut list: serde_json::Value = serde_json::from_str(&list).unwrap();
    for item in list["items"].as_array_mut().unwrap() {
        item["status"]["observed"]["purchasedAt"] = "2026-06-10T08:00:00Z".into();
        item["status"]["observed"]["expiresOn"] = "2027-06-10".into();
    }
    env.write("state.json", list.to_string());
    env.ok(&["ingest", "state", "state.json"]);
    env.assert_settled();
    env
}

fn cancel(env: &TestEnv, names: &[&str]) {
    let manifests = names.iter().map(|name| reservation(name, "  state: Cancelled\n"));
    env.write("manifests/all.yaml", format!("{CUSTOMER}{}", manifests.collect::<String>()));
}

fn plan(env: &TestEnv, at: &str) -> Plan {
    serde_json::from_str(&env.ok(&["plan", "-o", "json", "--at", at])).unwrap()
}

#[test]
fn cancellations_of_one_plan_share_the_cap() {
    let env = bought(&["a", "b"]);
    cancel(&env, &["a", "b"]);
    let plan = plan(&env, "2026-06-15");
    let shown: Vec<String> = plan
        .changes
        .iter()
        .map(|change| {
            let quote = change.refund.as_ref().unwrap();
            format!("{} {} forfeited {}", change.id, quote.refund, quote.forfeited)
        })
        .collect();
    assert_eq!(
        shown,
        [
            "Reservation/a 36000.00 USD forfeited 0.00 USD",
            "Reservation/b 14000.00 USD forfeited 22000.00 USD",
        ]
    );
    let money = &plan.money["USD"];
    assert_eq!(money.refund.as_deref(), Some("50000.00"));
    assert_eq!(money.fee.as_deref(), Some("0.00"));
    assert_eq!(money.forfeited.as_deref(), Some("22000.00"));
}

#[test]
fn what_is_exchanged_for_one_paid_monthly_is_paid_in_instalments() {
    let env = bought(&["a"]);
    let old = reservation("a", "  state: Cancelled\n");
    let new = |more: &str| {
        let new = reservation("b", &format!("{more}  exchange: {{from: [{{name: a}}]}}\n"));
        env.write(
            "manifests/all.yaml",
            format!("{CUSTOMER}{old}{}", new.replace("36500", "40000")),
        );
        let money = plan(&env, "2026-06-15").money["USD"].clone();
        (money.one_time, money.liability, money.refund)
    };
    let rest = || Some("4000.00".to_owned());
    assert_eq!(new(""), (rest(), None, None));
    assert_eq!(new("  billingPlan: Monthly\n"), (None, rest(), None));
}

#[test]
fn at_the_time_of_effect_what_was_cancelled_before_counts_for_those_that_follow() {
    let env = bought(&["a", "b"]);
    cancel(&env, &["a", "b"]);
    let changes = plan(&env, "2026-06-15").changes;
    let after = effects_of(&env, &changes, "2026-06-15T12:00:00Z").unwrap();
    assert_eq!(after, ["36000.00 USD", "14000.00 USD"]);
}

#[test]
fn an_expired_reservation_is_no_change_and_a_note_as_soon_as_its_time_has_come() {
    let env = bought(&["a"]);
    let plan = |at: &str| env.ok(&["plan", "--at", at]);
    assert!(plan("2027-06-09").contains("nothing to do; 3 unchanged"));
    assert!(!plan("2027-06-09").contains("expired"));
    // Nothing moved since the last pass but the clock.
    let note = "Reservation/a: it expired 2027-06-10; nothing is bought again by itself";
    for _ in 0..2 {
        let text = plan("2027-06-10");
        assert!(text.contains(note) && text.contains("nothing to do; 3 unchanged"), "{text}");
    }
    std::fs::read_dir(env.path().join(".partnerctl"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(".cache"))
        .for_each(|path| std::fs::remove_file(path).unwrap());
    assert!(plan("2027-06-10").contains(note), "nor with nothing remembered");
    cancel(&env, &["a"]);
    let text = plan("2027-06-10");
    assert!(text.contains(note) && text.contains("nothing to do"), "{text}");
}

/// What the cancellations of a plan leave when they are carried out at an instant: their refunds.
fn effects_of(env: &TestEnv, changes: &[Change], at: &str) -> Result<Vec<String>, String> {
    let url = format!("sqlite:{}", env.path().join(".partnerctl/state.db").display());
    let store = open(&url, Missing::Leave).unwrap().unwrap();
    let gathered = gather(Some(store.as_ref()), &Embedded).unwrap();
    let mut directory = gathered.directory(&Kinds::default());
    let context = Context {
        at: at.parse().unwrap(),
        actor: "a".into(),
        command: "test".into(),
        plan_id: "".into(),
        note: String::new(),
        refunds: Default::default(),
        outlook: Default::default(),
    };
    let mut ids = Ids::new("lineage", 7);
    let mut refunds = Vec::new();
    for change in changes {
        carry_out(change, &mut directory, &mut ids, &context).map_err(|e| e.to_string())?;
        let thing = directory.actual(&change.id.kind, change.external_id.as_deref().unwrap());
        refunds.push(thing.unwrap().spec.text("refund").unwrap().to_owned());
    }
    Ok(refunds)
}

#[test]
fn a_cancellation_whose_figures_became_worse_is_not_done() {
    let env = bought(&["a"]);
    cancel(&env, &["a"]);
    let changes = plan(&env, "2026-06-15").changes;
    assert_eq!(effects_of(&env, &changes, "2026-06-15T23:59:59Z").unwrap(), ["36000.00 USD"]);
    assert_eq!(
        effects_of(&env, &changes, "2026-06-16T00:00:00Z").unwrap_err(),
        "the figures are worse than the plan showed: 31592.00 USD would come back and 0.00 USD be \
         due, where the plan showed 36000.00 USD and 0.00 USD; plan again"
    );
    // An earlier day gives no less, and that is what is done.
    assert_eq!(effects_of(&env, &changes, "2026-06-14T12:00:00Z").unwrap(), ["36100.00 USD"]);
}

#[test]
fn a_vanished_reservation_is_never_bought_again_by_itself() {
    let env = bought(&["a"]);
    let list = env.ok(&["get", "reservations", "-o", "json"]);
    let mut list: serde_json::Value = serde_json::from_str(&list).unwrap();
    list["items"][0]["status"]["observed"] = serde_json::Value::Null;
    env.write("state.json", list.to_string());
    env.ok(&["ingest", "state", "state.json"]);
    let plan = plan(&env, "2026-06-15");
    let blocked: Vec<&str> = plan.changes[0].blocked.iter().map(|b| b.code.as_str()).collect();
    assert_eq!((plan.changes.len(), blocked), (1, vec!["B0107"]));
}

#[test]
fn a_cancellation_that_is_held_back_does_not_make_the_refund_of_another_smaller() {
    let env = bought(&["a", "b"]);
    cancel(&env, &["a", "b"]);
    let refunds = |env: &TestEnv, more: &[&str]| {
        let args = [&["plan", "-o", "json", "--at", "2026-06-15"], more].concat();
        let plan: Plan = serde_json::from_slice(&env.run(&args).stdout).unwrap();
        (plan.money["USD"].refund.clone().unwrap(), plan.refused.len())
    };
    let alone = ("36000.00".to_owned(), 0);
    assert_eq!(refunds(&env, &["--exclude", "reservation/a"]), alone);
    env.ok(&["suspend", "reservation/a"]);
    assert_eq!(refunds(&env, &[]), alone);
    // The brake looks at what comes back, not at what would beside what is held.
    let settings = std::fs::read_to_string(env.path().join("partnerctl.yaml")).unwrap();
    let limit = "limits: {refund: [{amount: 20000, currency: USD}]}\n";
    env.write("partnerctl.yaml", format!("{settings}{limit}"));
    assert_eq!(refunds(&env, &[]), ("36000.00".to_owned(), 1));
    env.ok(&["unsuspend", "reservation/a"]);
    let deny = "policies: [{name: keep, match: {fields: [spec.state], labels: {matchLabels: {keep: a}}}, effect: deny}]\n";
    env.write("partnerctl.yaml", format!("{settings}{deny}"));
    let kept = reservation("a", "  state: Cancelled\n")
        .replace("{name: a}", "{name: a, labels: {keep: a}}");
    let rest = reservation("b", "  state: Cancelled\n");
    env.write("manifests/all.yaml", format!("{CUSTOMER}{kept}{rest}"));
    assert_eq!(refunds(&env, &[]), alone);
}

#[test]
fn a_reservation_is_exchanged_for_one_of_the_same_customer_only() {
    let env = bought(&["a"]);
    let other = CUSTOMER.replace("contoso", "fabrikam").replace("azure", "other");
    let old = reservation("a", "  state: Cancelled\n");
    let new = reservation("b", "  exchange: {from: [{name: a}]}\n").replace("36500", "40000");
    let new = new.replace("{name: azure}", "{name: other}");
    env.write("manifests/all.yaml", format!("{CUSTOMER}---\n{other}{old}{new}"));
    let plan = plan(&env, "2026-06-15");
    let one = plan.changes.iter().find(|change| change.id.name.as_str() == "b").unwrap();
    let blocked: Vec<&str> = one.blocked.iter().map(|block| block.message.as_str()).collect();
    let message =
        "Reservation/a was bought for Customer/contoso, and this one is for Customer/fabrikam";
    assert_eq!(blocked, [message]);
}
