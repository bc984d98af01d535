//! `watch --git`: a branch is followed as files are, and of what others can do to it nothing is done
//! that was not allowed.
//!
//! Where there is no ssh-keygen only the refusal of unsigned commits is tried; with
//! `REQUIRE_SSH_KEYGEN=1`, as in `.ci/run`, that fails.

use crate::common::watching::{Watch, activities, wait, watch};
use crate::common::{TestEnv, customer};
use crate::outside::{LICENCE, tell, workspace};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// Who commits in these tests.
const ADA: &str = "Ada <ada@contoso.example>";

/// Runs a line of the shell in the repository that is followed; gives what it prints.
fn git(env: &TestEnv, line: &str) -> String {
    let who = "export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=Ada GIT_COMMITTER_NAME=Ada \
        GIT_AUTHOR_EMAIL=ada@contoso.example GIT_COMMITTER_EMAIL=ada@contoso.example";
    let line = format!("{who}; cd repo; {line}");
    let output = env.command("sh").args(["-ec", &line]).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Commits everything; gives the commit.
fn commit(env: &TestEnv) -> String {
    git(env, "git add -A && git commit -q --allow-empty -m 'one more' && git rev-parse HEAD")
}

/// A folder to watch from, with a repository in it that has one customer.
fn repository() -> TestEnv {
    let env = TestEnv::new();
    env.write("repo/partnerctl.yaml", "set: test\n");
    env.write("repo/manifests/all.yaml", customer("contoso"));
    git(&env, "git init -q -b main .");
    commit(&env);
    env
}

fn amount(env: &TestEnv, amount: &str) {
    env.write("repo/manifests/all.yaml", customer("contoso").replace("1500.00", amount));
}

fn follow<'a>(env: &'a TestEnv, args: &[&str]) -> Watch<'a> {
    watch(env, &[&["--git", "repo", "--interval", "1s"], args].concat())
}

/// Waits until a pass over this commit ended so.
fn until(watch: &mut Watch<'_>, commit: &str, outcome: &str) -> Value {
    watch.until(&format!("a pass over {commit} that ends {outcome}"), |status| {
        status["lastPass"]["commit"] == commit && status["lastPass"]["outcome"] == outcome
    })
}

/// One pass; gives the exit code and the log.
fn once(env: &TestEnv, args: &[&str]) -> (i32, String) {
    let output = env.run(&[&["watch", "--once"], args].concat());
    assert_eq!(output.stdout, b"", "stdout is for data");
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// Everything that is there, and the log.
fn everything(env: &TestEnv) -> (Value, Vec<Value>) {
    let all = env.ok(&["get", "all", "-o", "json"]);
    (serde_json::from_str(&all).unwrap(), activities(env))
}

#[test]
fn a_commit_is_applied_under_its_name_and_what_it_left_alone_keeps_its_row() {
    let env = repository();
    env.write("repo/manifests/fabrikam.yaml", customer("fabrikam"));
    let first = commit(&env);
    let mut watch = follow(&env, &["--prune"]);
    let status = until(&mut watch, &first, "done");
    let schema = crate::generated::schema("watch.v1.schema.json");
    let errors: Vec<_> = schema.iter_errors(&status).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}\n{status:#}");
    let git = &status["git"];
    assert_eq!((&git["url"], &git["branch"]), (&json!("repo"), &json!("main")));
    assert_eq!((&git["commit"], &git["author"]), (&json!(first), &json!(ADA)));
    assert_eq!(git["away"], Value::Null);
    let (before, log) = everything(&env);
    assert_eq!(log.len(), 10);
    for one in &log {
        let source = &one["source"];
        assert_eq!((&source["commit"], &source["author"]), (&json!(first), &json!(ADA)));
        assert_eq!(one["actor"], "admin@partner.example");
    }
    amount(&env, "1600.00");
    let second = commit(&env);
    until(&mut watch, &second, "done");
    let (after, log) = everything(&env);
    assert_eq!((log.len(), &log[10]["source"]["commit"]), (11, &json!(second)));
    let rows = |all: &Value| all["items"].as_array().unwrap().clone();
    let moved: Vec<_> =
        rows(&after).into_iter().zip(rows(&before)).filter(|(a, b)| a != b).collect();
    assert_eq!(moved.len(), 1, "{moved:#?}");
    assert_eq!(moved[0].0["kind"], "Budget");
    env.write("repo/README.md", "words");
    let third = commit(&env);
    until(&mut watch, &third, "done");
    assert_eq!(everything(&env), (after, log), "a mere commit writes nothing");
    watch.end();
    // The files of the last commit are settled as well, however they are read.
    git_out(&env, "cp -r repo/manifests repo/partnerctl.yaml .");
    env.assert_settled();
    env.write("manifests/more.yaml", customer("litware"));
    let narrow = env.ok(&["plan", "-o", "json", "--at", crate::common::AT]);
    let full = env.ok(&["plan", "-o", "json", "--at", crate::common::AT, "--full"]);
    let bare = |text: &str| {
        let mut plan: Value = serde_json::from_str(text).unwrap();
        plan["createdAt"] = Value::Null;
        plan
    };
    assert_eq!(bare(&narrow), bare(&full));
    env.ok(&["log", "verify"]);
}

#[test]
fn a_copy_that_is_damaged_or_taken_away_is_fetched_anew() {
    let env = repository();
    assert_eq!(once(&env, &["--git", "repo"]).0, 0);
    for (number, damage) in [
        "rm -rf .partnerctl/git-*",
        "find .partnerctl/git-* -path '*objects*' -type f -exec sh -c ': > {}' ';'",
        "find .partnerctl/git-* -path '*objects*' -type f -delete",
        "for copy in .partnerctl/git-*; do echo x > $copy/HEAD; done",
        "for copy in .partnerctl/git-*; do touch $copy/refs/partnerctl/head.lock $copy/packed-refs.lock; done",
    ]
    .into_iter()
    .enumerate()
    {
        git_out(&env, &format!("chmod -R u+w .partnerctl && {damage}"));
        amount(&env, &format!("{}.00", 1600 + number));
        commit(&env);
        let (code, said) = once(&env, &["--git", "repo"]);
        // What cannot be told from a fault of the other side is mended by the next try.
        let code = if code == 0 { code } else { once(&env, &["--git", "repo"]).0 };
        assert_eq!((code, activities(&env).len()), (0, 6 + number), "{damage}: {said}");
    }
}

/// Runs a line of the shell beside the repository.
fn git_out(env: &TestEnv, line: &str) {
    git(env, &format!("cd .. && {line}"));
}

#[test]
fn a_commit_that_is_not_valid_is_said_once_and_the_last_good_one_stays_until_the_next() {
    let env = repository();
    let mut watch = follow(&env, &["--prune"]);
    watch.outcome("done");
    amount(&env, "1600.00");
    let text = fs::read_to_string(env.path().join("repo/manifests/all.yaml")).unwrap();
    env.write("repo/manifests/all.yaml", text.replace("country: NL", "country: Netherlands"));
    let bad = commit(&env);
    let status = until(&mut watch, &bad, "invalid");
    let error = status["errors"][0].as_str().unwrap();
    assert!(error.contains("manifests/all.yaml:4:"), "{error}");
    watch.more_passes(3);
    assert_eq!(watch.said("country: Netherlands"), 1, "{}", watch.log());
    // No manifests at all are a mistake as well, and no wish to have nothing.
    git(&env, "git rm -qr manifests");
    let empty = commit(&env);
    until(&mut watch, &empty, "invalid");
    assert_eq!(activities(&env).len(), 5);
    amount(&env, "1700.00");
    let good = commit(&env);
    until(&mut watch, &good, "done");
    assert_eq!(activities(&env).len(), 6);
    assert_eq!(watch.end().matches("mended:").count(), 1);
}

#[test]
fn a_branch_that_was_rewritten_is_refused_until_that_is_allowed() {
    let env = repository();
    let first = git(&env, "git rev-parse HEAD");
    amount(&env, "1600.00");
    let second = commit(&env);
    let mut watch = follow(&env, &["--prune"]);
    until(&mut watch, &second, "done");
    let other =
        |amount: &str| format!("sed -i 's/\"[0-9]*.00\"/\"{amount}.00\"/' manifests/all.yaml");
    for (step, rewrite) in [
        (
            "another commit in its place",
            format!("{} && git commit -qa --amend -m x", other("1700")),
        ),
        ("back to an earlier one", format!("git reset -q --hard {first}")),
        (
            "another history",
            format!(
                "git checkout -q --orphan x && {} && git commit -qam x && git branch -qM x main",
                other("1800")
            ),
        ),
    ] {
        let log = activities(&env).len();
        let head = git(&env, &format!("{rewrite} && git rev-parse HEAD"));
        let status = until(&mut watch, &head, "rejected");
        let error = status["errors"][0].as_str().unwrap();
        assert!(error.contains("was rewritten") && error.contains("--allow-rewrite"), "{error}");
        watch.more_passes(2);
        assert_eq!(activities(&env).len(), log, "{step}");
        let (code, said) = once(&env, &["--git", "repo"]);
        assert!(code == 1 && said.contains("was rewritten"), "it is known for good: {said}");
        let (code, said) = once(&env, &["--git", "repo", "--allow-rewrite"]);
        assert_eq!(code, 0, "{step}: {said}");
        assert_eq!(activities(&env).len(), log + 1, "{step}");
        until(&mut watch, &head, "done");
    }
    assert_eq!(watch.said("was rewritten"), 3, "{}", watch.log());
    watch.end();
}

#[test]
fn a_branch_is_not_another_one_for_naming_another_set() {
    let env = repository();
    assert_eq!(once(&env, &["--git", "repo"]).0, 0);
    env.write("repo/partnerctl.yaml", "set: other\n");
    git(&env, "git commit -qa --amend -m other");
    let (code, said) = once(&env, &["--git", "repo"]);
    assert!(code == 1 && said.contains("was rewritten"), "{said}");
    // Nor is a set another one for being followed elsewhere.
    git(&env, "git branch -q elsewhere && git checkout -q elsewhere");
    env.write("repo/partnerctl.yaml", "set: test\n");
    commit(&env);
    let (code, said) = once(&env, &["--git", "repo", "--branch", "elsewhere"]);
    assert!(code == 1 && said.contains("was rewritten"), "{said}");
}

#[test]
fn while_the_repository_is_away_the_last_commit_stays_in_force() {
    let env = repository();
    let first = git(&env, "git rev-parse HEAD");
    let mut watch = follow(&env, &["--prune", "--heal", "--heal-money"]);
    until(&mut watch, &first, "done");
    let (repo, away) = (env.path().join("repo"), env.path().join("away"));
    fs::rename(&repo, &away).unwrap();
    let status = watch.until("that it is away", |status| status["git"]["away"].is_string());
    assert!(status["git"]["away"].as_str().unwrap().contains("stays in force"), "{status:#}");
    // What is changed outside meanwhile is put back.
    let budget = env.ok(&["get", "budget", "contoso", "-o", "json"]);
    env.write("drift.json", budget.replace("1500.00", "1900.00"));
    env.ok(&["ingest", "state", "drift.json"]);
    watch.until("healing", |status| status["applied"] == 6);
    watch.more_passes(2);
    assert_eq!(watch.said("cannot be fetched"), 1, "{}", watch.log());
    fs::rename(&away, &repo).unwrap();
    amount(&env, "1600.00");
    let second = commit(&env);
    let status = until(&mut watch, &second, "done");
    assert_eq!(status["git"]["away"], Value::Null);
    assert_eq!(watch.said("can be fetched again"), 1);
    // A branch that is taken away takes nothing with it.
    git(&env, "git branch -qM main gone");
    watch.until("that it is away", |status| status["git"]["away"].is_string());
    watch.more_passes(2);
    assert!(activities(&env).iter().all(|one| !one["after"].is_null()));
    watch.end();
    assert_eq!(once(&env, &["--git", "repo"]).0, 1, "nothing was seen");
    assert_eq!(once(&env, &["--git", "repo", "--branch", "gone"]).0, 0);
}

#[test]
fn nothing_that_is_given_becomes_an_option_or_another_protocol() {
    let env = repository();
    for url in [
        "ext::touch touched",
        "ext::sh -c touch% touched",
        "fd::7",
        "-c",
        "--upload-pack=touch touched",
        "http://contoso.example/x",
        "git://contoso.example/x",
        "ssh://-oProxyCommand=touch touched/x",
        "-oProxyCommand=touch:x",
        "https://a:b@contoso.example/x",
        "",
    ] {
        for args in [vec!["--git", url], vec![&*format!("--git={url}")]] {
            let (code, said) = once(&env, &args);
            assert_eq!(code, 1, "{url}: {said}");
        }
    }
    for branch in ["--all", "-d", "a..b", "refs/heads/main", "main:x", "*", "+main"] {
        let args = ["--git", "repo", &*format!("--branch={branch}")];
        let (code, said) = once(&env, &args);
        assert_eq!(code, 1, "{branch}: {said}");
    }
    for args in [
        &["--branch", "main"][..],
        &["--allow-rewrite"],
        &["--git", "repo", "-f", "manifests"],
        &["--git", "repo", "--path", "../x"],
        &["--git", "repo", "--require-signed", "nowhere"],
    ] {
        assert_eq!(once(&env, args).0, 1, "{args:?}");
    }
    assert!(!env.path().join("touched").exists());
    assert!(!env.path().join(".partnerctl/state.db").exists());
}

#[test]
fn nothing_of_a_repository_or_of_the_settings_around_it_is_run() {
    let env = repository();
    let hook = "#!/bin/sh\ntouch \"$HOME/touched\"\n";
    for folder in ["hooks", "template/hooks", "repo/.git/hooks"] {
        for name in
            ["reference-transaction", "post-checkout", "post-merge", "pre-auto-gc", "post-update"]
        {
            env.write(&format!("{folder}/{name}"), hook);
            let path = env.path().join(format!("{folder}/{name}"));
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    let home = env.path().display();
    env.write(
        ".gitconfig",
        format!(
            "[core]\nhooksPath = {home}/hooks\nfsmonitor = {home}/hooks/post-merge\n\
         [init]\ntemplateDir = {home}/template\n[protocol]\nallow = always\n\
         [protocol \"ext\"]\nallow = always\n[submodule]\nrecurse = true\n\
         [fetch]\nrecurseSubmodules = true\n[log]\nshowSignature = true\n"
        ),
    );
    env.write("repo/.gitattributes", "*.yaml filter=x\n");
    env.write("repo/.gitmodules", "[submodule \"x\"]\npath = x\nurl = ext::touch touched\n");
    git(
        &env,
        "git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),x && git add . && git commit -qm x",
    );
    let _made_here = fs::remove_file(env.path().join("touched"));
    let mut command = env.command(env!("CARGO_BIN_EXE_partnerctl"));
    command.args(["watch", "--once", "--git", "repo"]).env("GIT_DIR", "elsewhere");
    command.env("GIT_SSH_COMMAND", "touch touched").env("GIT_TRACE", format!("{home}/touched"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!env.path().join("touched").exists());
    assert_eq!(activities(&env).len(), 5);
}

#[test]
fn it_ends_cleanly_while_it_fetches() {
    let mut env = repository();
    env.write(
        "tools/git",
        "#!/bin/sh\ncase \"$*\" in *' fetch '*)\n\
        [ -e \"$HOME/slow\" ] && { touch \"$HOME/fetching\"; sleep 1000 & wait; } ;;\nesac\n\
        PATH=/usr/bin:/bin:/usr/local/bin exec git \"$@\"\n",
    );
    let tool = env.path().join("tools/git");
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    env.tools = Some(env.path().join("tools"));
    env.write("slow", "");
    let watch = follow(&env, &[]);
    wait("a fetch", || env.path().join("fetching").exists().then_some(()));
    let log = watch.end();
    assert!(!log.contains("cannot be fetched") && log.contains("ended"), "{log}");
    fs::remove_file(env.path().join("slow")).unwrap();
    assert_eq!(once(&env, &["--git", "repo"]).0, 0, "what was begun is in nobody's way");
}

#[test]
fn a_watch_that_another_one_overtook_does_not_bring_the_branch_back() {
    let mut env = repository();
    assert_eq!(once(&env, &["--git", "repo"]).0, 0);
    // While the first looks whether its commit may be applied, another one applies the next.
    env.write(
        "tools/git",
        "#!/bin/sh\nPATH=${PATH#*:}\ncase \"$*\" in *' merge-base '*)\n\
        if [ -e \"$HOME/between\" ]; then rm \"$HOME/between\"\n\
        (unset $(env | grep -o '^GIT_[A-Z_]*'); cd \"$HOME\"\n\
        git -C repo -c user.name=Eve -c user.email=e@x.example commit -q --allow-empty -m next\n\
        partnerctl watch --once --git repo 2> other); fi ;;\nesac\n\
        exec git \"$@\"\n",
    );
    let tool = env.path().join("tools/git");
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    env.tools = Some(env.path().join("tools"));
    // Neither commit changes anything that is declared: it is noted, and that is all.
    let first = commit(&env);
    env.write("between", "");
    let (code, said) = once(&env, &["--git", "repo"]);
    let next = git(&env, "git rev-parse HEAD");
    let other = fs::read_to_string(env.path().join("other")).unwrap();
    assert!(code == 0 && next != first && other.contains(&next[..12]), "{said}{other}");
    let store = rusqlite::Connection::open(env.path().join(".partnerctl/state.db")).unwrap();
    let mut marks =
        store.prepare("SELECT value FROM meta WHERE key LIKE 'followed %' ORDER BY key").unwrap();
    let marks: Vec<String> =
        marks.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(marks, [next.clone(), next], "the set and the branch");
}

#[test]
fn a_path_names_a_workspace_or_a_folder_of_manifests() {
    let env = repository();
    for folder in ["tenants/emea", "tenants/plain"] {
        git(&env, &format!("mkdir -p {folder}"));
    }
    env.write("repo/tenants/emea/partnerctl.yaml", "set: emea\n");
    env.write("repo/tenants/emea/manifests/a.yaml", customer("fabrikam"));
    env.write("repo/tenants/emea/notes.yaml", "no manifest");
    env.write("repo/tenants/plain/b.yaml", customer("litware"));
    commit(&env);
    for (path, set, file) in
        [("tenants/emea", "emea", "manifests/a.yaml"), ("tenants/plain/", "default", "b.yaml")]
    {
        let (code, said) = once(&env, &["--git", "repo", "--path", path, "--prune"]);
        assert_eq!(code, 0, "{said}");
        let last = activities(&env).pop().unwrap();
        assert_eq!((&last["set"], &last["source"]["file"]), (&json!(set), &json!(file)));
    }
    for (path, why) in [("tenants", "notes.yaml"), ("nowhere", "there is no nowhere in commit")] {
        let (code, said) = once(&env, &["--git", "repo", "--path", path]);
        assert!(code == 1 && said.contains(why), "{said}");
    }
    // What the workspace says itself, no commit says otherwise.
    env.write("partnerctl.yaml", "set: mine\n");
    let (code, said) = once(&env, &["--git", "repo"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(activities(&env).pop().unwrap()["set"], "mine");
}

#[test]
fn the_policies_and_limits_of_a_commit_hold_beside_those_of_the_workspace() {
    let env = repository();
    let policy = |name: &str, action: &str| {
        format!(
            "  - {{name: {name}, match: {{kinds: [Budget], actions: [{action}]}}, effect: deny}}\n"
        )
    };
    let here = format!("set: test\npolicies:\n{}", policy("no-new-budgets", "create"));
    env.write("partnerctl.yaml", here);
    let there = format!("set: test\npolicies:\n{}", policy("no-other-budgets", "update"));
    env.write("repo/partnerctl.yaml", there);
    commit(&env);
    let (code, said) = once(&env, &["--git", "repo"]);
    assert!(code == 3 && said.contains("policy no-new-budgets"), "{said}");
    env.write("partnerctl.yaml", "set: test\n");
    assert_eq!(once(&env, &["--git", "repo"]).0, 0);
    amount(&env, "1600.00");
    commit(&env);
    let (code, said) = once(&env, &["--git", "repo"]);
    assert!(code == 3 && said.contains("policy no-other-budgets"), "{said}");
    assert_eq!(activities(&env).len(), 5);
}

#[test]
fn what_is_held_or_braked_is_let_go_by_the_commands_that_are_told() {
    let env = repository();
    let mut watch = follow(&env, &["--prune"]);
    watch.outcome("done");
    env.write("repo/manifests/licence.yaml", LICENCE.trim_start_matches("---\n"));
    let held = commit(&env);
    let status = until(&mut watch, &held, "held");
    let run = |command: &str| {
        let ended = env.command("sh").args(["-c", command]).output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(ended.status.success(), "{command}: {said}");
    };
    run(status["held"]["command"].as_str().unwrap());
    until(&mut watch, &held, "done");
    // Nothing is declared any more but a file that says nothing.
    git(
        &env,
        "git rm -q manifests/*.yaml && mkdir -p manifests && echo '# none' > manifests/none.yaml",
    );
    let empty = commit(&env);
    let status = until(&mut watch, &empty, "refused");
    let note = status["notes"].as_array().unwrap().iter().find_map(|note| {
        note.as_str().unwrap().split_once("if all of it is meant: ").map(|(_, command)| command)
    });
    run(note.unwrap());
    until(&mut watch, &empty, "done");
    assert_eq!(everything(&env).0["items"], json!([]));
    watch.end();
}

#[test]
fn why_it_cannot_be_asked_for_an_approval_is_said_once() {
    let env = repository();
    env.write("partnerctl.yaml", "set: test\n");
    env.write("repo/manifests/licence.yaml", LICENCE);
    let held = commit(&env);
    // Nothing is looked at for an hour, but for the approval.
    let mut watch = watch(&env, &["--git", "repo", "--interval", "1h"]);
    let status = until(&mut watch, &held, "held");
    env.write("partnerctl.yaml", "set: [broken\n");
    let plan = status["held"]["planId"].as_str().unwrap();
    let told = format!("whether plan {plan} is approved cannot be asked now");
    watch.until_said(&told);
    std::thread::sleep(std::time::Duration::from_secs(3));
    env.write("partnerctl.yaml", "set: test\n");
    env.ok(&["approve", plan]);
    until(&mut watch, &held, "done");
    let log = watch.end();
    assert_eq!(log.matches(&told).count(), 1, "{log}");
    assert_eq!(log.matches("partnerctl.yaml:1:").count(), 1, "{log}");
}

#[test]
fn the_newest_commit_is_applied_and_none_that_was_waiting_to_be_tried_again() {
    let env = workspace("", &json!({"observe": "fail"}));
    env.write("repo/manifests/all.yaml", customer("contoso"));
    git(&env, "git init -q -b main .");
    commit(&env);
    let mut watch = follow(&env, &[]);
    watch.outcome("failed");
    amount(&env, "1700.00");
    let newest = commit(&env);
    tell(&env, &json!({}));
    until(&mut watch, &newest, "done");
    watch.end();
    for one in activities(&env) {
        assert_eq!(
            (&one["source"]["commit"], &one["source"]["author"]),
            (&json!(newest), &json!(ADA))
        );
    }
    let amounts: Vec<_> = activities(&env)
        .into_iter()
        .filter(|one| one["resource"] == "Budget/contoso")
        .map(|one| one["after"]["spec.monthly.amount"].clone())
        .collect();
    assert!(!amounts.is_empty() && !amounts.contains(&json!("1500.00")), "{amounts:?}");
}

#[test]
fn only_what_trusted_people_signed_is_applied_and_the_signer_acts() {
    let env = repository();
    env.write("keys", "");
    let unsigned = git(&env, "git rev-parse HEAD");
    let signed = |args: &[&str]| {
        once(&env, &[&["--git", "repo", "--require-signed", "keys"], args].concat())
    };
    let refused = |commit: &str, why: &str| {
        let (code, said) = signed(&[]);
        assert_eq!(code, 1, "{said}");
        let told = format!("commit {} {why}", &commit[..12]);
        assert!(said.contains(&told), "{told}\n{said}");
    };
    refused(&unsigned, "is not signed");
    let has_keygen = env.command("sh").args(["-c", "command -v ssh-keygen"]).output().unwrap();
    let required = std::env::var("REQUIRE_SSH_KEYGEN").is_ok_and(|value| value == "1");
    assert!(
        has_keygen.status.success() || !required,
        "REQUIRE_SSH_KEYGEN is set, and ssh-keygen is missing"
    );
    if !has_keygen.status.success() {
        // Shown by `cargo test -- --nocapture`; the refusal above was tried all the same.
        #[expect(clippy::print_stderr, reason = "what was not tried must be seen")]
        {
            eprintln!("there is no ssh-keygen: only the refusal of unsigned commits was tried");
        }
        return;
    }
    for name in ["ada", "eve"] {
        git_out(&env, &format!("ssh-keygen -q -t ed25519 -N '' -C {name} -f {name}"));
    }
    let key = fs::read_to_string(env.path().join("ada.pub")).unwrap();
    let sign = |name: &str, what: &str| {
        let config = format!("-c gpg.format=ssh -c user.signingKey=\"$HOME/{name}\"");
        git(&env, &format!("git add -A && git {config} commit -q -S {what} && git rev-parse HEAD"))
    };
    let by_eve = sign("eve", "--allow-empty -m eve");
    refused(&by_eve, "was signed by no key that is trusted");
    env.write("keys", format!("ada@contoso.example {key}"));
    refused(&by_eve, "was signed by no key that is trusted");
    let first = sign("ada", "--amend --allow-empty -m ada");
    let (code, said) = once(&env, &["--git", "repo", "--require-signed", "keys"]);
    assert_eq!(code, 0, "the head speaks for its whole tree the first time: {said}");
    // The next ones must all be signed.
    let follow = |args: &[&str]| {
        let mut command = env.command(env!("CARGO_BIN_EXE_partnerctl"));
        command.env_remove("PARTNERCTL_ACTOR").args(["watch", "--once", "--git", "repo"]);
        let output = command.args(["--require-signed", "keys"]).args(args).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    amount(&env, "1600.00");
    let between = commit(&env);
    amount(&env, "1700.00");
    sign("ada", "-m more");
    let (code, said) = follow(&[]);
    let told = format!("commit {} is not signed", &between[..12]);
    assert!(code == 1 && said.contains(&told), "{said}");
    assert_eq!(activities(&env).len(), 5);
    // The same work under one signature.
    git(&env, &format!("git reset -q --soft {first}"));
    let head = sign("ada", "-m 'in one'");
    let (code, said) = follow(&[]);
    assert_eq!(code, 0, "{said}");
    let log = activities(&env);
    assert_eq!(log.len(), 6, "{said}");
    assert_eq!(
        (&log[5]["source"]["commit"], &log[5]["actor"]),
        (&json!(head), &json!("ada@contoso.example"))
    );
    // A signature is of what was signed: its object with another tree is another commit.
    let forged = "git cat-file commit HEAD | sed 's/in one/in two/' > ../forged; \
        git reset -q --hard $(git hash-object -t commit -w ../forged); git rev-parse HEAD";
    let forged = git(&env, forged);
    let (code, said) = follow(&["--allow-rewrite"]);
    assert!(code == 1 && said.contains(&forged[..12]), "{said}");
}

#[test]
fn a_branch_that_is_only_told_of_moves_neither_the_store_nor_what_must_descend() {
    let env = repository();
    let first = commit(&env);
    let told = |of: &str| {
        let (code, log) = once(&env, &["--git", "repo", "--dry-run"]);
        assert_eq!(code, 0, "{log}");
        let plan = log.lines().find(|line| line.contains("not applied, as --dry-run: Plan "));
        assert!(plan.is_some_and(|plan| plan.ends_with(of)), "{log}");
        log
    };
    // Without a store none is made: the copy of the repository is all there is.
    told(": 5 to create");
    assert!(!env.path().join(".partnerctl/state.db").exists());
    assert_eq!(once(&env, &["--git", "repo"]).0, 0);
    let before = everything(&env);
    amount(&env, "1600.00");
    let second = commit(&env);
    told(": 1 to update; 4 unchanged");
    assert_eq!(everything(&env), before);
    // What was only told of need not be descended from; what was applied must be.
    git(&env, "git reset -q --hard HEAD^");
    amount(&env, "1700.00");
    let third = commit(&env);
    let log = told(": 1 to update; 4 unchanged");
    assert!(log.contains(&third[..12]), "{log}");
    git(&env, "git checkout -q --orphan other && git commit -q -m anew && git branch -M main");
    let (code, log) = once(&env, &["--git", "repo", "--dry-run"]);
    assert_eq!(code, 1, "{log}");
    let rewritten = format!("was rewritten: {} does not", &git(&env, "git rev-parse HEAD")[..12]);
    assert!(log.contains(&rewritten) && log.contains(&first[..12]), "{log}");
    assert!(!log.contains(&second[..12]), "{log}");
    assert_eq!(everything(&env), before);
    env.ok(&["log", "verify"]);
}

#[test]
fn a_watch_that_only_tells_tells_of_every_commit_once() {
    let env = repository();
    let first = git(&env, "git rev-parse HEAD");
    let mut watch = follow(&env, &["--dry-run"]);
    until(&mut watch, &first, "planned");
    amount(&env, "1600.00");
    let second = commit(&env);
    until(&mut watch, &second, "planned");
    watch.more_passes(2);
    assert_eq!(watch.said("not applied, as --dry-run: Plan "), 2, "{}", watch.log());
    watch.end();
    assert!(!env.path().join(".partnerctl/state.db").exists());
}
