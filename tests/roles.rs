//! Who may change what: the table in the program is that of the domain, over every cell.

use crate::common::TestEnv;
use partnerctl::kinds::{AgentRole, Kinds, Staff, Transition};
use partnerctl::model::{KindName, Observed, ResourceId, Spec};
use partnerctl::plan::roles::refusals;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The table of the domain (section 8), as it is written there.
const TABLE: &str = "\
| Customer, Subscription * | AdminAgent, SalesAgent; ending a relationship: GlobalAdmin and AdminAgent |
| Budget | AdminAgent |
| ReservationPermission | AdminAgent (SalesAgent and HelpdeskAgent read only) |
| RoleAssignment on a subscription | GlobalAdmin, SalesAgent |
| Reservation, and RoleAssignment on it | AdminAgent, GlobalAdmin, HelpdeskAgent, SalesAgent, UserManagementAdmin |
| BillingProfile and billing role assignments * | GlobalAdmin, BillingAdmin |
| PartnerUser * | GlobalAdmin, UserManagementAdmin; giving GlobalAdmin: only GlobalAdmin |
";

/// A sort of change: what the table calls it, its kind, and the states before and after.
struct Cell {
    row: &'static str,
    kind: &'static str,
    action: &'static str,
    before: Option<Value>,
    after: Option<Value>,
}

/// Creating, changing and removing one sort of thing.
fn cells_of(row: &'static str, kind: &'static str, spec: Value) -> Vec<Cell> {
    let mut other = spec.clone();
    other["note"] = json!("other");
    let cell = |action, before, after| Cell { row, kind, action, before, after };
    vec![
        cell("create", None, Some(spec.clone())),
        cell("update", Some(spec.clone()), Some(other)),
        cell("delete", Some(spec), None),
    ]
}

fn cells() -> Vec<Cell> {
    let scope = |field: &str| json!({"scope": {field: {"name": "x"}}});
    let mut cells = Vec::new();
    for kind in ["Customer", "Subscription"] {
        cells.extend(cells_of("Customer, Subscription *", kind, json!({})));
    }
    for kind in ["Budget", "ReservationPermission"] {
        cells.extend(cells_of(kind, kind, json!({})));
    }
    let assignment = "RoleAssignment";
    let subscription = "RoleAssignment on a subscription";
    cells.extend(cells_of(subscription, assignment, scope("subscriptionRef")));
    let reservation = "Reservation, and RoleAssignment on it";
    cells.extend(cells_of(reservation, "Reservation", json!({})));
    cells.extend(cells_of(reservation, assignment, scope("reservationRef")));
    let billing = "BillingProfile and billing role assignments *";
    cells.extend(cells_of(billing, "BillingProfile", json!({})));
    cells.extend(cells_of(billing, assignment, scope("billingProfileRef")));
    cells.extend(cells_of(billing, assignment, scope("billingAccount")));
    let user = |roles: Value| json!({"userPrincipalName": "x@partner.example", "roles": roles});
    cells.extend(cells_of("PartnerUser *", "PartnerUser", user(json!(["SalesAgent"]))));
    for (before, after) in
        [(None, Some(json!(["GlobalAdmin"]))), (Some(json!([])), Some(json!(["GlobalAdmin"])))]
    {
        let (before, after) = (before.map(user), after.map(user));
        cells.push(Cell {
            row: "PartnerUser *",
            kind: "PartnerUser",
            action: "giving GlobalAdmin",
            before,
            after,
        });
    }
    // Whoever has it keeps it, and it may be taken.
    for after in [Some(json!(["GlobalAdmin", "SalesAgent"])), Some(json!([])), None] {
        let (before, after) = (Some(user(json!(["GlobalAdmin"]))), after.map(user));
        cells.push(Cell {
            row: "PartnerUser *",
            kind: "PartnerUser",
            action: "update",
            before,
            after,
        });
    }
    cells
}

fn row(cell: &Cell) -> String {
    let rows = TABLE.lines().filter_map(|line| {
        let mut parts = line.trim_matches(['|', ' ']).split(" | ");
        Some((parts.next()?, parts.next()?))
    });
    let rows: BTreeMap<&str, &str> = rows.collect();
    rows[cell.row].to_owned()
}

/// What the table's own words say of a cell, read anew: not with the program's table.
fn may(cell: &Cell, held: &[AgentRole]) -> bool {
    let words = row(cell);
    let holds = |name: &str| held.iter().any(|role| role.as_str() == name);
    let (roles, exception) = words.split_once("; ").unwrap_or((&words, ""));
    let roles = roles.split(" (").next().unwrap();
    let usual = roles.split(", ").any(holds);
    match exception.split_once(": ") {
        Some(("ending a relationship", roles))
            if (cell.kind, cell.action) == ("Customer", "delete") =>
        {
            usual && roles.split(" and ").all(holds)
        }
        Some(("giving GlobalAdmin", only)) if cell.action == "giving GlobalAdmin" => {
            usual && holds(only.strip_prefix("only ").unwrap())
        }
        _ => usual,
    }
}

/// Every set of roles that somebody may hold.
fn all_held() -> impl Iterator<Item = Vec<AgentRole>> {
    (0..1_u32 << AgentRole::ALL.len()).map(|bits| {
        let held = AgentRole::ALL.into_iter().enumerate().filter(|(n, _)| bits & (1 << n) != 0);
        held.map(|(_, role)| role).collect()
    })
}

fn staff(held: &[AgentRole]) -> Staff {
    let names: Vec<&str> = held.iter().map(|role| role.as_str()).collect();
    let spec = json!({"userPrincipalName": "me@partner.example", "roles": names});
    let me = Observed {
        kind: KindName::new("PartnerUser"),
        external_id: "me".to_owned(),
        name: "me".to_owned(),
        spec: Spec::from_value(spec),
    };
    Staff::of("me@partner.example", [&me])
}

#[test]
fn every_cell_of_the_table_is_the_domains() {
    let kinds = Kinds::default();
    let mut rows = BTreeSet::new();
    let mut told = 0;
    for cell in cells() {
        // A kind that this version lacks is in the table already.
        let mut entry = *kinds.get(cell.kind).unwrap_or(kinds.get("Customer").unwrap());
        entry.facts.kind = cell.kind;
        let id = ResourceId::new(cell.kind, "x");
        let spec = |value: &Option<Value>| value.clone().map(Spec::from_value);
        let (before, after) = (spec(&cell.before), spec(&cell.after));
        for held in all_held() {
            let at = chrono::DateTime::UNIX_EPOCH;
            let (before, after) = (before.as_ref(), after.as_ref());
            let transition = Transition { id: &id, before, after, at };
            let refused = refusals(&entry, &staff(&held), false, &transition);
            let (kind, action) = (cell.kind, cell.action);
            assert_eq!(
                refused.is_empty(),
                may(&cell, &held),
                "{action} {kind} ({}) with {held:?}: {refused:?}",
                cell.row
            );
            told += 1;
        }
        rows.insert(cell.row);
    }
    assert_eq!(rows.len(), TABLE.lines().count(), "a row that no cell is of");
    assert_eq!(told, 38 * 64);
}

#[test]
fn the_roles_of_every_kind_are_those_of_its_row() {
    for entry in Kinds::default().iter() {
        let rows = TABLE.lines().filter(|line| {
            let what = line.split(" | ").next().unwrap();
            what.split(|c: char| !c.is_ascii_alphabetic()).any(|word| word == entry.facts.kind)
        });
        let roles = rows.map(|line| line.split(" | ").nth(1).unwrap()).next();
        let roles = roles.unwrap_or_else(|| panic!("no row speaks of {}", entry.facts.kind));
        let usual = roles.trim_end_matches(" |").split([';', '(']).next().unwrap().trim();
        let said: Vec<&str> = entry.facts.roles.iter().map(|role| role.as_str()).collect();
        assert_eq!(said.join(", "), usual, "{}", entry.facts.kind);
        let note = entry.facts.roles_note;
        for permit in partnerctl::kinds::permit::PERMITS
            .iter()
            .filter(|p| p.kinds.contains(&entry.facts.kind))
        {
            let known =
                |role: &AgentRole| note.contains(role.as_str()) || entry.facts.roles.contains(role);
            assert!(
                permit.roles.iter().all(known),
                "{}: {note:?} lacks {permit:?}",
                entry.facts.kind
            );
        }
    }
}

#[test]
fn what_only_ends_management_ends_no_relationship() {
    let kinds = Kinds::default();
    let (entry, id) = (kinds.get("Customer").unwrap(), ResourceId::new("Customer", "x"));
    let spec = Spec::default();
    let transition = Transition { after: None, ..Transition::staying(&id, &spec) };
    let sales = staff(&[AgentRole::SalesAgent]);
    assert_eq!(refusals(entry, &sales, true, &transition), []);
    assert_eq!(refusals(entry, &sales, false, &transition).len(), 1);
}

const USERS: &str = "\
apiVersion: partnerctl.dev/v1
kind: PartnerUser
metadata: {name: admin}
spec: {userPrincipalName: Admin@Partner.example, roles: [GlobalAdmin, AdminAgent]}
---
apiVersion: partnerctl.dev/v1
kind: PartnerUser
metadata: {name: sales}
spec: {userPrincipalName: sales@partner.example, roles: [SalesAgent]}
";

#[test]
fn a_saved_plan_is_done_only_by_who_may_do_it_now() {
    let env = TestEnv::workspace(USERS);
    env.ok(&["apply", "--yes"]);
    let budget = crate::common::customer("contoso");
    env.write("manifests/contoso.yaml", budget);
    // The admin may do everything but give the Owner role; GlobalAdmin lets even that.
    env.ok(&["plan", "--out", "plan.json"]);
    let sales = env.run(&["apply", "plan.json", "--yes", "--as", "sales@partner.example"]);
    let said = String::from_utf8(sales.stderr).unwrap();
    assert_eq!(sales.status.code(), Some(3), "{said}");
    assert_eq!(
        said,
        "error: sales@partner.example may not apply this plan: changing a budget needs AdminAgent, and \
         sales@partner.example has SalesAgent; changing a permission to buy needs AdminAgent, and \
         sales@partner.example has SalesAgent\n  → nothing was applied; it can be done by \
         Admin@Partner.example (AdminAgent)\n"
    );
    assert!(env.ok(&["log"]).lines().count() <= 4, "nothing of it was done");
    env.ok(&["apply", "plan.json", "--yes", "--as", "ADMIN@partner.example"]);
    env.assert_settled();
}

#[test]
fn a_saved_plan_that_would_leave_nobody_is_stale() {
    let env = TestEnv::workspace(&USERS.replace("[SalesAgent]", "[SalesAgent, GlobalAdmin]"));
    env.ok(&["apply", "--yes"]);
    env.write("manifests/all.yaml", USERS);
    env.ok(&["plan", "--out", "plan.json"]);
    // Meanwhile the other one loses it outside.
    let state = env.ok(&["get", "pu", "admin", "-o", "json"]);
    let state = state.replace("\"GlobalAdmin\"", "\"BillingAdmin\"");
    env.write("state.json", state);
    env.ok(&["ingest", "state", "state.json"]);
    let output = env.run(&["apply", "plan.json", "--yes", "--as", "sales@partner.example"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("nobody would be GlobalAdmin any more"), "{said}");
}
