//! Commits are read as a checkout of them would be, and nothing in a repository or around it makes
//! the reading do more.

use crate::common::{TestEnv, customer};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Output};

/// Runs a line of the shell in the folder of a test.
fn sh(env: &TestEnv, line: &str) {
    let output = env.command("sh").args(["-ec", line]).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A repository with one customer in it.
fn repository() -> TestEnv {
    let env = TestEnv::workspace(&customer("contoso"));
    env.write(".gitignore", ".partnerctl/\n");
    sh(
        &env,
        "git init -q -b main && git config user.name Admin && git config user.email admin@partner.example",
    );
    env
}

fn commit(env: &TestEnv) {
    sh(env, "git add -A && git commit -qm 'one more'");
}

fn plan_of(env: &TestEnv, args: &[&str]) -> serde_json::Value {
    serde_json::from_str(&env.ok(&[&["plan", "-o", "json"], args].concat())).unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What `plan --to HEAD` says about manifests that cannot be read.
fn refused(env: &TestEnv) -> String {
    commit(env);
    let output = env.run(&["plan", "--to", "HEAD"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    text(&output)
}

#[test]
fn a_commit_is_planned_as_its_checkout_is() {
    let env = repository();
    env.write("manifests/a b/\u{e9}\t'x.yaml", customer("fabrikam"));
    env.write("manifests/more/litware.json", "{\"apiVersion\": \"partnerctl.dev/v1\", \"kind\": \"Customer\", \"metadata\": {\"name\": \"litware\"}, \"spec\": {\"companyName\": \"L\", \"domain\": \"litware.example\", \"country\": \"DE\"}}");
    let wrong = "kind: Nothing\n";
    for name in [
        "manifests/.hidden.yaml",
        "manifests/.folder/x.yaml",
        "manifests/notes.txt",
        "other/x.yaml",
        "manifests/partnerctl.yaml",
        "manifests/ignored/deep/x.yaml",
        "manifests/more/left.yaml",
        "manifests/more/out/x.yaml",
        "manifests/top.yml",
    ] {
        env.write(name, wrong);
    }
    env.write(".partnerctlignore", "top.yml\nmore/kept.yaml\n");
    env.write("manifests/.partnerctlignore", "# not these\nignored/\n/more/left.yaml\n");
    env.write("manifests/more/.partnerctlignore", "*\n!litware.json\n!kept.yaml\n");
    env.write("manifests/more/kept.yaml", customer("tailspin"));
    let folder = plan_of(&env, &[]);
    commit(&env);
    sh(&env, "rm -rf manifests other");
    let of_commit = plan_of(&env, &["--to", "HEAD"]);
    assert_eq!(folder["id"], of_commit["id"]);
    assert_eq!(folder["summary"]["create"], 16);
    let places = |plan: &serde_json::Value| -> Vec<serde_json::Value> {
        let changes = plan["changes"].as_array().unwrap();
        changes.iter().map(|change| change["source"]["file"].clone()).collect()
    };
    assert_eq!(places(&folder), places(&of_commit));
}

#[test]
fn a_workspace_may_be_deep_in_its_repository() {
    let env = repository();
    sh(&env, "mkdir -p deep/er && mv partnerctl.yaml manifests deep/er");
    commit(&env);
    let plan = env.ok(&["--workspace", "deep/er", "plan", "--to", "HEAD", "-o", "markdown"]);
    assert!(plan.contains("<code>deep/er/manifests/all.yaml:1</code>"), "{plan}");
    let output = env
        .command(env!("CARGO_BIN_EXE_partnerctl"))
        .current_dir(env.path().join("deep/er"))
        .args(["plan", "--to", "HEAD"])
        .output()
        .unwrap();
    let plan = String::from_utf8(output.stdout).unwrap();
    assert!(plan.contains("  manifests/all.yaml:1\n"), "{plan}");
}

#[test]
fn links_and_submodules_are_refused_unless_they_are_ignored() {
    let env = repository();
    symlink("/etc/passwd", env.path().join("manifests/link.yaml")).unwrap();
    symlink("..", env.path().join("manifests/folder")).unwrap();
    sh(
        &env,
        "git init -q manifests/module && cd manifests/module && git config user.name A \
        && git config user.email a@partner.example && git commit -q --allow-empty -m x",
    );
    let said = refused(&env);
    for (name, what) in [
        ("folder", "a symbolic link, and in a commit these are not followed"),
        ("link.yaml", "a symbolic link, and in a commit these are not followed"),
        ("module", "a submodule, whose files are not in the commit"),
    ] {
        let told = format!("error[E0103]: it is {what}\n--> manifests/{name}\n");
        assert!(said.contains(&told), "{said}");
    }
    env.write("manifests/.partnerctlignore", "link.yaml\nfolder\nmodule\n");
    commit(&env);
    assert_eq!(plan_of(&env, &["--to", "HEAD"])["summary"]["create"], 5);
}

#[test]
fn what_a_checkout_refuses_is_refused_in_a_commit() {
    let env = repository();
    env.write("manifests/huge.yaml", vec![b'#'; 17 * 1024 * 1024]);
    env.write("manifests/latin.yaml", b"# \xe9\n");
    env.write("manifests/bad/.partnerctlignore", "a{b\n");
    let name = std::ffi::OsString::from_vec(b"manifests/\xff.yaml".to_vec());
    std::fs::write(env.path().join(name), "x").unwrap();
    let said = refused(&env);
    for words in [
        "it is larger than 16 MiB",
        "it is not UTF-8\n--> manifests/latin.yaml",
        "unclosed alternate group",
        "its name is not UTF-8",
    ] {
        assert!(said.contains(words), "{words} in\n{said}");
    }
}

#[test]
fn a_folder_of_manifests_that_is_something_else_is_refused() {
    let env = repository();
    sh(&env, "rm -r manifests && mkdir real && touch real/x && ln -s real manifests");
    assert!(refused(&env).contains("it is a symbolic link"));
    sh(&env, "rm manifests && touch manifests");
    assert!(refused(&env).contains("it is no folder"));
}

#[test]
fn settings_that_cannot_be_read_or_are_wrong_are_an_error() {
    let env = repository();
    env.write("partnerctl.yaml", "sets: x\n");
    commit(&env);
    env.write("partnerctl.yaml", "set: test\n");
    let output = env.run(&["plan", "--to", "HEAD"]);
    assert!(text(&output).contains("partnerctl.yaml:1:1"), "{}", text(&output));
    assert_eq!(output.status.code(), Some(1));
    sh(
        &env,
        "rm partnerctl.yaml && ln -s /etc/passwd partnerctl.yaml && git add -A && git commit -qm x",
    );
    env.write("manifests/x", "");
    sh(&env, "rm partnerctl.yaml && printf 'set: test\\n' > partnerctl.yaml");
    let said = text(&env.run(&["plan", "--to", "HEAD"]));
    assert!(said.contains("it is a symbolic link"), "{said}");
}

/// Writes a program that leaves a trace when it is started.
fn trap(env: &TestEnv, name: &str) {
    env.write(name, format!("#!/bin/sh\ntouch {}/sprung\ncat\n", env.path().display()));
    std::fs::set_permissions(env.path().join(name), PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn nothing_in_a_repository_is_run() {
    let env = repository();
    env.write(".gitattributes", "*.yaml filter=trap diff=trap\n");
    commit(&env);
    trap(&env, "trap.sh");
    for hook in ["post-checkout", "post-index-change", "reference-transaction", "pre-auto-gc"] {
        trap(&env, &format!(".git/hooks/{hook}"));
    }
    let here = env.path().display();
    for setting in [
        "filter.trap.smudge",
        "filter.trap.clean",
        "diff.trap.textconv",
        "core.fsmonitor",
        "core.sshCommand",
        "core.pager",
        "pager.rev-parse",
        "alias.cat-file",
        "core.askPass",
    ] {
        sh(&env, &format!("git config {setting} {here}/trap.sh"));
    }
    sh(&env, "rm -f sprung");
    assert_eq!(plan_of(&env, &["--to", "HEAD"])["summary"]["create"], 5);
    assert!(!env.path().join("sprung").exists());
}

#[test]
fn the_environment_leads_to_no_other_repository_and_no_other_objects() {
    let env = repository();
    commit(&env);
    let other = repository();
    sh(&other, "git commit -q --allow-empty -m nothing");
    sh(&env, "git replace HEAD $(git commit-tree -m x $(git mktree < /dev/null))");
    let run = |command: &mut Command| {
        command.args(["plan", "--to", "HEAD", "-o", "json"]).output().unwrap()
    };
    let output = run(env
        .command(env!("CARGO_BIN_EXE_partnerctl"))
        .env("GIT_DIR", other.path().join(".git"))
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "core.bare")
        .env("GIT_CONFIG_VALUE_0", "true")
        .env("GIT_TRACE", env.path().join("trace")));
    assert!(output.status.success(), "{}", text(&output));
    assert!(!env.path().join("trace").exists());
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(plan["summary"]["create"], 5);
}

#[test]
fn no_repository_hidden_in_a_folder_is_taken_for_one() {
    let env = TestEnv::workspace(&customer("contoso"));
    sh(
        &env,
        "git init -q --bare inner && cd inner && mkdir manifests && printf 'set: x\\n' > partnerctl.yaml",
    );
    let output = env.run(&["--workspace", "inner", "plan", "--to", "HEAD"]);
    assert!(text(&output).contains("git cannot read the repository"), "{}", text(&output));
}

#[test]
fn without_git_it_says_so() {
    let env = repository();
    commit(&env);
    let output = env
        .command(env!("CARGO_BIN_EXE_partnerctl"))
        .env("PATH", "/nowhere")
        .args(["plan", "--to", "HEAD"])
        .output()
        .unwrap();
    assert!(text(&output).contains("install git"), "{}", text(&output));
}

#[test]
fn only_what_the_earlier_commit_does_as_well_is_pending() {
    let env = repository();
    let whole = customer("contoso");
    let documents: Vec<&str> = whole.split("---\n").collect();
    let without_owner: Vec<&str> =
        documents.iter().copied().filter(|one| !one.contains("kind: RoleAssignment")).collect();
    env.write("manifests/all.yaml", without_owner.join("---\n"));
    commit(&env);
    env.write("manifests/all.yaml", whole.replace("1500.00", "1800.00"));
    commit(&env);
    // A store, so that the earlier commit does not stand for one.
    env.write("none/partnerctl.yaml", "set: other\n");
    env.write("none/manifests/x.yaml", customer("fabrikam"));
    env.ok(&["--workspace", "none", "--store", "sqlite:state.db", "apply", "--yes"]);
    let plan = env.ok(&["--store", "sqlite:state.db", "plan", "--from", "HEAD^", "--to", "HEAD"]);
    let (ahead, pending) = plan.split_once("Already pending\n").unwrap();
    for name in ["Budget/contoso", "RoleAssignment/contoso-owner", "ReservationPermission/contoso"]
    {
        assert!(ahead.contains(name), "{plan}");
    }
    for name in ["Customer/contoso", "Subscription/contoso-azure"] {
        assert!(pending.contains(&format!("create {name}")), "{plan}");
    }
    assert!(pending.contains("; 2 changes are already pending since"), "{plan}");
    // The other way round the permission was to be done, and is blocked now.
    let plan = env.ok(&["--store", "sqlite:state.db", "plan", "--from", "HEAD", "--to", "HEAD^"]);
    let blocked = plan.split_once("Blocked\n").unwrap().1.split_once("Already pending").unwrap().0;
    assert!(blocked.contains("create ReservationPermission/contoso  (new)"), "{plan}");
}
