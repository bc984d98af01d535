//! Input that means harm is refused within bounds, and never half read.

use crate::common::{TestEnv, customer};
use std::os::unix::fs::symlink;

fn refused(env: &TestEnv, expected: &[&str]) {
    let output = env.run(&["validate"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}{}", String::from_utf8_lossy(&output.stderr));
    for part in expected {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    assert!(text.len() < 100_000, "the report itself is bounded, but has {} bytes", text.len());
    let apply = env.run(&["apply", "--yes"]);
    assert_eq!(apply.status.code(), Some(1));
    assert!(!env.path().join(".partnerctl").exists(), "nothing is made for bad input");
}

#[test]
fn a_scalar_of_40_megabytes_is_refused_by_the_size_of_its_file() {
    refused(&TestEnv::workspace(&format!("a: {}", "x".repeat(40 << 20))), &["E0104"]);
}

#[test]
fn a_scalar_just_below_the_limit_is_reported_in_a_few_lines() {
    refused(&TestEnv::workspace(&format!("a: {}", "x".repeat(15 << 20))), &["E0201"]);
}

#[test]
fn a_million_levels_of_nesting_are_refused() {
    refused(&TestEnv::workspace(&"[".repeat(1_000_000)), &["E0111"]);
    refused(&TestEnv::workspace(&"{a: ".repeat(1_000_000)), &["E0111"]);
    let block: String = (0..2_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    refused(&TestEnv::workspace(&block), &["E0111"]);
}

#[test]
fn an_alias_bomb_is_refused() {
    let bomb = "a: &a [x, x, x]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\nd: [*c, *c, *c]\n";
    refused(&TestEnv::workspace(bomb), &["E0112"]);
    refused(&TestEnv::workspace("base: &b {a: 1}\nspec:\n  <<: *b\n"), &["merge keys"]);
}

#[test]
fn garbage_is_refused() {
    let env = TestEnv::workspace("");
    env.write("manifests/all.yaml", [0xff, 0xfe, 0x00, 0x01]);
    refused(&env, &["E0105"]);
    env.write("manifests/all.yaml", "\u{0}\u{1}\u{2}{{{{]]]]");
    refused(&env, &["E0110"]);
    env.write("manifests/all.yaml", "kind: \"a\u{202e}b\"\n");
    refused(&env, &["E0116", "U+202E"]);
}

#[test]
fn a_fifo_is_refused_and_not_waited_for() {
    let env = TestEnv::workspace(&customer("contoso"));
    let made = env.command("mkfifo").arg("manifests/pipe.yaml").status().unwrap();
    assert!(made.success());
    refused(&env, &["E0103", "pipe.yaml"]);
}

#[test]
fn links_that_leave_the_root_are_refused_and_those_inside_are_followed() {
    let env = TestEnv::workspace(&customer("contoso"));
    env.write("manifests/.data/fabrikam.yaml", customer("fabrikam"));
    symlink(".data/fabrikam.yaml", env.path().join("manifests/fabrikam.yaml")).unwrap();
    assert_eq!(env.summary()["create"], 10);
    symlink("/etc", env.path().join("manifests/etc")).unwrap();
    refused(&env, &["E0102", "manifests/etc"]);
}

#[test]
fn a_link_in_a_circle_is_not_followed_and_one_to_nothing_fails_the_load() {
    let env = TestEnv::workspace(&customer("contoso"));
    symlink("../manifests", env.path().join("manifests/again")).unwrap();
    assert_eq!(env.summary()["create"], 5, "nothing is read twice");
    std::fs::remove_file(env.path().join("manifests/again")).unwrap();
    symlink("nowhere.yaml", env.path().join("manifests/lost.yaml")).unwrap();
    refused(&env, &["E0101", "manifests/lost.yaml"]);
}

#[test]
fn the_ignore_file_of_the_workspace_leaves_files_out() {
    let env = TestEnv::workspace(&customer("contoso"));
    env.write("manifests/values.yaml", "replicas: 3\n");
    refused(&env, &["E0201", "manifests/values.yaml"]);
    env.write(".partnerctlignore", "values.yaml\n");
    assert_eq!(env.summary()["create"], 5);
}

#[test]
fn links_of_editors_are_no_manifests() {
    let env = TestEnv::workspace(&customer("contoso"));
    symlink("somebody@somewhere.1234", env.path().join("manifests/.#all.yaml")).unwrap();
    symlink("/nowhere", env.path().join("manifests/notes.txt")).unwrap();
    assert_eq!(env.summary()["create"], 5);
}

#[test]
fn many_problems_and_many_keys_are_reported_within_bounds() {
    let keys: String = (0..40_000).map(|n| format!("k{n}: x\n")).collect();
    refused(&TestEnv::workspace(&keys), &["E0201"]);
    let many = "---\na: ]\n".repeat(50_000);
    let env = TestEnv::workspace(&many);
    refused(&env, &["E0110", "more; `validate --format json` lists all"]);
    let thresholds: Vec<_> = (0..300).map(|n| (n + 300).to_string()).collect();
    let budget = format!(
        "apiVersion: partnerctl.dev/v1\nkind: Budget\nmetadata: {{name: b}}\nspec:\n  \
        customerRef: {{external: c}}\n  monthly: {{amount: 1, currency: EUR}}\n  alertThresholds: [{}]\n",
        thresholds.join(", ")
    );
    let json = TestEnv::workspace(&budget).run(&["validate", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(report["diagnostics"].as_array().unwrap().len(), 300);
}

#[test]
fn a_folder_that_vanished_never_becomes_a_delete() {
    let env = TestEnv::workspace(&customer("contoso"));
    env.ok(&["apply", "--yes"]);
    std::fs::rename(env.path().join("manifests"), env.path().join("elsewhere")).unwrap();
    let output = env.run(&["apply", "--prune", "--yes", "--approve", "irreversible"]);
    assert_eq!(output.status.code(), Some(1));
    std::fs::create_dir(env.path().join("manifests")).unwrap();
    let output = env.run(&["apply", "--prune", "--yes", "--approve", "irreversible"]);
    assert_eq!(output.status.code(), Some(3), "an empty folder is braked");
    assert_eq!(env.ok(&["get", "all", "-o", "name"]).lines().count(), 5);
}

#[test]
fn nothing_that_moves_the_cursor_reaches_a_terminal() {
    let env = TestEnv::workspace("kind: \"\\e[2Jx\"\napiVersion: \"\\e[31m\"\n");
    let output = env.run(&["validate"]);
    assert!(!output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b));
}
