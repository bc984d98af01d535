//! What only a terminal shows: its width, colours, progress. A pipe shows none of them; what fits
//! which width is in `tests/stories/terminal.md`.

use crate::common::{TestEnv, customer, pty};
use crate::outside::LICENCE;

const NAME: &str = "adventure-works-northern-europe";

fn workspace() -> TestEnv {
    TestEnv::workspace(&customer(NAME))
}

#[test]
fn a_table_fits_the_terminal_and_columns_decides_there_before_the_terminal_does() {
    let env = workspace();
    env.ok(&["apply", "--yes"]);
    let get = ["get", "rp"];
    let whole = env.ok(&get);
    let widest = whole.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(widest > 80, "{whole}");
    let fits = |text: &str, width| text.lines().all(|line| line.chars().count() <= width);
    assert!(fits(&pty::run(&env, 80, &[], &get), 80));
    assert!(fits(&pty::run(&env, 200, &[("COLUMNS", "80")], &get), 80));
    assert_eq!(pty::run(&env, 200, &[], &get), whole);
    assert_eq!(pty::run(&env, 80, &[], &["get", "rp", "--width", "200"]), whole);
}

#[test]
fn a_plan_has_colours_on_a_terminal_and_nowhere_else() {
    let env = workspace();
    let coloured = pty::run(&env, 100, &[], &["plan"]);
    let green = format!("\u{1b}[32m+ create Customer/{NAME}\u{1b}[0m");
    assert!(coloured.contains(&green), "{coloured:?}");
    let plain = env.ok(&["plan"]);
    assert!(!plain.contains('\u{1b}'), "{plain:?}");
    assert_eq!(pty::run(&env, 100, &[("NO_COLOR", "1")], &["plan"]), plain);
    assert_eq!(pty::run(&env, 100, &[], &["plan", "--no-color"]), plain);
    // Colours take no columns: they change nothing about where lines end.
    let narrow = ["plan", "--width", "40"];
    let mut without = pty::run(&env, 100, &[], &narrow);
    for colour in ["\u{1b}[32m", "\u{1b}[31m", "\u{1b}[33m", "\u{1b}[1m", "\u{1b}[0m"] {
        without = without.replace(colour, "");
    }
    assert_eq!(without, env.ok(&narrow));
}

#[test]
fn quick_work_draws_no_progress() {
    let env = workspace();
    let output = pty::run(&env, 100, &[], &["validate", "--no-color"]);
    assert_eq!(output, "5 resources in 1 file: 0 errors, 0 warnings\n");
}

/// How an apply ends when its question is answered so, and all that stands on the terminal after the
/// plan.
fn answered(env: &TestEnv, options: &[&str], keys: &str) -> (Option<i32>, String) {
    let apply = [&["apply", "--no-color", "--quiet"], options].concat();
    // What is typed is there before the program begins: it stands above the plan.
    let (code, shown) = pty::typed(env, 300, &[], &apply, keys);
    let (_, after) = shown.split_once(", without limit\n").unwrap_or_else(|| panic!("{shown}"));
    (code, after.to_owned())
}

#[test]
fn who_reads_a_plan_on_a_terminal_approves_what_policies_hold_by_typing_it_and_by_nothing_else() {
    let policy = |more: &str| {
        format!(
            "set: test\npolicies:\n  - {{name: seen, match: {{kinds: [Budget, Subscription]}}, \
             effect: requireApproval{more}}}\n"
        )
    };
    let question = "2 changes must be approved, as a policy asks for it (create \
        Subscription/adventure-works-northern-europe-azure, create \
        Budget/adventure-works-northern-europe). Type `policy` to apply all: ";
    let env = workspace();
    env.write("partnerctl.yaml", policy(""));
    for wrong in ["y\n", "yes\n", "\n", "costly\n", "Policy\n"] {
        let (code, after) = answered(&env, &[], wrong);
        assert_eq!((code, after), (Some(3), format!("{question}nothing was applied\n")), "{wrong}");
        assert_eq!(env.ok(&["log"]), "");
    }
    // --yes answers for what needs no approval: then nobody is asked.
    let (code, after) = answered(&env, &["--yes"], "policy\n");
    assert_eq!(code, Some(3), "{after}");
    assert!(after.ends_with("  → partnerctl apply --yes --approve policy\n"), "{after}");
    let (code, after) = answered(&env, &[], "policy\n");
    assert_eq!((code, after), (Some(0), format!("{question}Applied 5 changes.\n")));
    env.assert_settled();
}

#[test]
fn on_a_terminal_money_and_a_policy_are_approved_in_one_answer_and_a_role_is_not_typed() {
    let env = workspace();
    env.write("manifests/licence.yaml", LICENCE.replace("contoso}", &format!("{NAME}}}")));
    let settings = "set: test\npolicies:\n  - {name: seen, match: {kinds: [Subscription]}, \
        effect: requireApproval";
    env.write("partnerctl.yaml", format!("{settings}}}\n"));
    let (code, after) = answered(&env, &[], "policy\n");
    let asked = "cannot be undone for free, and a policy asks for approval";
    assert!(
        after.contains(asked) && after.contains("Type `costly policy` to apply all"),
        "{after}"
    );
    assert_eq!(code, Some(3), "one of two is not both");
    let (code, after) = answered(&env, &[], "costly policy\n");
    assert_eq!(code, Some(0), "{after}");
    env.assert_settled();
    // Whoever lacks the role is told who may, and is not asked.
    env.write(
        "manifests/staff.yaml",
        "{apiVersion: partnerctl.dev/v1, kind: PartnerUser, metadata: {name: admin}, \
         spec: {userPrincipalName: admin@partner.example, roles: [GlobalAdmin, SalesAgent]}}",
    );
    env.ok(&["apply", "--yes"]);
    env.write("partnerctl.yaml", format!("{settings}, by: AdminAgent}}\n"));
    let more =
        LICENCE.replace("contoso}", &format!("{NAME}}}")).replace("quantity: 5", "quantity: 6");
    env.write("manifests/licence.yaml", more);
    let apply = ["apply", "--no-color", "--quiet"];
    let (code, shown) = pty::typed(&env, 300, &[], &apply, "costly policy\n");
    assert_eq!(code, Some(3), "{shown}");
    assert!(shown.contains("you are not an AdminAgent: have one run"), "{shown}");
    assert!(!shown.contains("Type `"), "{shown}");
}
