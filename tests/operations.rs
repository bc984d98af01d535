//! What operations are called in the log: the names of the domain's table, over every row.

use partnerctl::kinds::{Kinds, Transition};
use partnerctl::model::{ResourceId, Spec};
use serde_json::{Value, json};

/// The table of the domain (section 7), as it is written there.
const TABLE: &str = "\
| permission off → allowed | Create customer purchase permissions |
| products of an allowed permission changed | Update customer purchase permissions |
| allowed → denied, or deleted | Delete customer purchase permissions |
| denied declared where nothing was | Record customer purchase permissions (off) |
| budget set, changed, removed | Update customer spending budget |
| customer created / invited / changed / relationship ended | Add customer / Request reseller relationship / Update customer billing profile / Remove partner customer relationship |
| subscription or reservation bought | Create order |
| subscription changed, suspended, cancelled | Update subscription |
| reservation scope changed / cancelled / exchanged | Update reservation / Return reservation / Exchange reservation |
| role assignment | Create role assignment / Delete role assignment |
| billing profile | Create / Update billing profile |
| partner user | Create / Update / Remove partner user |
";

/// A row of the table: its first words, the kind, and (before, after, what it is called).
type Row = (&'static str, &'static str, Vec<(Value, Value, &'static str)>);

#[expect(clippy::too_many_lines, reason = "a table")]
fn rows() -> Vec<Row> {
    let (none, some) = (Value::Null, json!({"note": "a"}));
    let other = json!({"note": "b"});
    let is = |state: &str| json!({"state": state});
    let may =
        |purchase: &str, products: &str| json!({"purchase": purchase, "products": [products]});
    let (allowed, denied) = (may("Allowed", "a"), may("Denied", "a"));
    let all_three = |create, update, remove| {
        vec![
            (none.clone(), some.clone(), create),
            (some.clone(), other.clone(), update),
            (some.clone(), none.clone(), remove),
        ]
    };
    let permission = "ReservationPermission";
    let create_permission = "Create customer purchase permissions";
    let delete_permission = "Delete customer purchase permissions";
    let budget = "Update customer spending budget";
    let customer = "Customer";
    vec![
        (
            "permission off",
            permission,
            vec![
                (none.clone(), allowed.clone(), create_permission),
                (denied.clone(), allowed.clone(), create_permission),
            ],
        ),
        (
            "products of",
            permission,
            vec![(allowed.clone(), may("Allowed", "b"), "Update customer purchase permissions")],
        ),
        (
            "allowed →",
            permission,
            vec![
                (allowed.clone(), denied.clone(), delete_permission),
                (allowed, none.clone(), delete_permission),
            ],
        ),
        (
            "denied declared",
            permission,
            vec![(none.clone(), denied, "Record customer purchase permissions (off)")],
        ),
        ("budget", "Budget", all_three(budget, budget, budget)),
        (
            "customer created",
            customer,
            all_three(
                "Add customer",
                "Update customer billing profile",
                "Remove partner customer relationship",
            ),
        ),
        (
            "customer created",
            customer,
            vec![(none.clone(), json!({"onboarding": "Invite"}), "Request reseller relationship")],
        ),
        ("subscription or", "Subscription", vec![(none.clone(), some.clone(), "Create order")]),
        ("subscription or", "Reservation", vec![(none.clone(), some.clone(), "Create order")]),
        (
            "subscription changed",
            "Subscription",
            vec![
                (some.clone(), other.clone(), "Update subscription"),
                (is("Active"), is("Suspended"), "Update subscription"),
                (is("Active"), none.clone(), "Update subscription"),
            ],
        ),
        (
            "reservation scope",
            "Reservation",
            vec![
                (json!({"scope": "Shared"}), json!({"scope": "Single"}), "Update reservation"),
                (is("Active"), is("Cancelled"), "Return reservation"),
                (is("Active"), is("Exchanged"), "Exchange reservation"),
            ],
        ),
        (
            "role assignment",
            "RoleAssignment",
            vec![
                (none.clone(), some.clone(), "Create role assignment"),
                (some.clone(), none.clone(), "Delete role assignment"),
            ],
        ),
        (
            "billing profile",
            "BillingProfile",
            vec![
                (none.clone(), some.clone(), "Create billing profile"),
                (some.clone(), other.clone(), "Update billing profile"),
            ],
        ),
        (
            "partner user",
            "PartnerUser",
            all_three("Create partner user", "Update partner user", "Remove partner user"),
        ),
    ]
}

/// True when a name stands in the second column: in full, or its first word before the rest of the last.
fn is_written(column: &str, operation: &str) -> bool {
    let names: Vec<&str> = column.split(" / ").map(str::trim).collect();
    let rest = names.last().and_then(|last| last.split_once(' ')).map_or("", |(_, rest)| rest);
    names.iter().any(|name| *name == operation || format!("{name} {rest}") == operation)
}

#[test]
fn every_change_is_logged_under_the_name_of_the_domain() {
    let kinds = Kinds::default();
    let mut seen = vec![false; TABLE.lines().count()];
    for (row, kind, changes) in rows() {
        let mut lines = TABLE.lines().enumerate();
        let (number, line) = lines.find(|(_, line)| line.starts_with(&format!("| {row}"))).unwrap();
        seen[number] = true;
        let column = line.rsplit('|').nth(1).unwrap();
        for (before, after, expected) in changes {
            let spec = |value: &Value| (!value.is_null()).then(|| Spec::from_value(value.clone()));
            let (before, after) = (spec(&before), spec(&after));
            let id = ResourceId::new(kind, "x");
            let at = "2026-11-26T00:00:00Z".parse().unwrap();
            let transition =
                Transition { id: &id, before: before.as_ref(), after: after.as_ref(), at };
            let operation = (kinds.get(kind).unwrap().operation)(&transition);
            assert_eq!(operation, expected, "{row}");
            assert!(is_written(column, operation), "{operation} is not in `{column}`");
        }
    }
    assert_eq!(seen, vec![true; seen.len()], "a row of the table is tried by nothing");
}
