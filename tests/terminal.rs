//! What only a terminal shows: its width, colours, progress. A pipe shows none of them; what fits
//! which width is in `tests/stories/terminal.md`.

use crate::common::{TestEnv, customer, pty};

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
