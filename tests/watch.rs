//! `watch`: whatever way files change, it ends in what one apply of the final tree gives, and nothing
//! is done that this does not imply.

use crate::common::watching::{
    MANIFESTS, activities, amount, assert_as_one_apply, deletes, save, wait, watch, watch_by,
    watch_to,
};
use crate::common::{TestEnv, customer};
use crate::outside::workspace;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

#[test]
fn however_a_file_is_saved_it_ends_as_one_apply() {
    let env = TestEnv::workspace(&customer("contoso"));
    let mut watch = watch(&env, &["--prune", "--debounce", "500ms"]);
    watch.outcome("done");
    let styles = ["in place", "in pieces", "vim", "sed -i", "VS Code", "gone and back"];
    for (number, style) in styles.into_iter().chain(["in another folder"]).enumerate() {
        save(&env, style, &amount(&format!("{}.00", 2000 + number)));
        watch.settled(true);
        let log = activities(&env);
        assert_eq!(log.len(), 6 + number, "{style}: exactly one change\n{}", watch.log());
        assert_eq!(log[5 + number]["outcome"], "succeeded");
    }
    assert_eq!(deletes(&env), 0);
    assert_as_one_apply(&env);
    let log = watch.end();
    assert!(!log.contains("not valid"), "{log}");
}

#[test]
fn whatever_happens_in_any_order_ends_as_one_apply() {
    for seed in 1..=3_u64 {
        let env = TestEnv::workspace(&customer("contoso"));
        let mut watch = watch(&env, &["--prune", "--debounce", "20ms"]);
        let mut chance = seed;
        let mut next = move |below: u64| {
            chance = chance
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (chance >> 33) % below
        };
        for _ in 0..40 {
            // The one customer that stays keeps the brakes on empty input out of it.
            let name = format!("c{}", next(4));
            let path = format!("manifests/{name}.yaml");
            match next(4) {
                0 | 1 => env.write(&path, role(&name, next(9) + 1)),
                2 => {
                    let _none = fs::remove_file(env.path().join(&path));
                }
                _ => env.write(&path, "apiVersion: partnerctl.dev/v1\nkind: "),
            }
            std::thread::sleep(Duration::from_millis(next(60)));
        }
        for number in 0..4 {
            let name = format!("c{number}");
            env.write(&format!("manifests/{name}.yaml"), role(&name, next(9) + 1));
        }
        watch.settled(true);
        assert_as_one_apply(&env);
        watch.end();
    }
}

/// A role for somebody, under a name that stays.
fn role(name: &str, person: u64) -> String {
    format!(
        "apiVersion: partnerctl.dev/v1\nkind: RoleAssignment\nmetadata: {{name: {name}}}\n\
         spec: {{scope: {{subscriptionRef: {{name: contoso-azure}}}}, \
         principal: {{type: User, name: {name}-{person}@contoso.example}}, role: Reader}}\n"
    )
}

#[test]
fn a_checkout_of_many_files_ends_as_one_apply() {
    const FILES: usize = 500;
    let env = TestEnv::new();
    env.write("partnerctl.yaml", "set: test\nlimits: {updatePercent: 100}\n");
    let git = |arguments: &[&str]| {
        let name = ["-c", "user.name=a", "-c", "user.email=a@contoso.example"];
        let output = env.command("git").args(name).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let write = |amount: &str| {
        for number in 0..FILES {
            let text = customer(&format!("c{number}")).replace("1500.00", amount);
            let one: Vec<_> = text.split("---\n").collect();
            let text = [one[0], one[2]].join("---\n");
            env.write(&format!("manifests/{}/c{number}.yaml", number % 7), text);
        }
    };
    git(&["init", "-q", "."]);
    write("1500.00");
    git(&["add", "manifests"]);
    git(&["commit", "-qm", "one"]);
    git(&["branch", "-m", "one"]);
    git(&["checkout", "-qb", "two"]);
    write("1700.00");
    git(&["mv", "manifests/3", "manifests/moved"]);
    git(&["commit", "-qam", "two"]);
    git(&["checkout", "-q", "one"]);
    let mut watch = watch(&env, &["--prune", "--debounce", "300ms"]);
    watch.settled(true);
    assert_eq!(activities(&env).len(), 2 * FILES);
    git(&["checkout", "-q", "two"]);
    watch.settled(true);
    assert_eq!(activities(&env).len(), 3 * FILES, "a budget each, once");
    assert_eq!(deletes(&env), 0);
    assert_as_one_apply(&env);
    let log = watch.end();
    assert!(!log.contains("not valid"), "{log}");
}

#[test]
fn a_config_map_is_swapped_as_a_whole() {
    let env = TestEnv::new();
    env.write("partnerctl.yaml", "set: test\n");
    let manifests = env.path().join("manifests");
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, manifests.join(name)).unwrap();
    env.write("manifests/..1/all.yaml", amount("1500.00"));
    link("..1", "..data");
    link("..data/all.yaml", "all.yaml");
    let mut watch = watch(&env, &["--prune"]);
    watch.settled(true);
    for (number, amount) in [(2, "1600.00"), (3, "1700.00")] {
        env.write(&format!("manifests/..{number}/all.yaml"), self::amount(amount));
        link(&format!("..{number}"), "..data_tmp");
        fs::rename(manifests.join("..data_tmp"), manifests.join("..data")).unwrap();
        fs::remove_dir_all(manifests.join(format!("..{}", number - 1))).unwrap();
        watch.settled(true);
    }
    assert_eq!(activities(&env).len(), 7);
    assert_as_one_apply(&env);
    watch.end();
}

#[test]
fn while_the_root_is_missing_nothing_is_deleted_and_it_goes_on_when_it_is_back() {
    let env = TestEnv::workspace(&customer("contoso"));
    let (root, away) = (env.path().join("manifests"), env.path().join("away"));
    let mut watch = watch(&env, &["--prune", "--interval", "1s"]);
    watch.outcome("done");
    for round in 0..2 {
        let passes = {
            fs::rename(&root, &away).unwrap();
            watch.until("a pause", |status| status["state"] == "paused")["passes"].clone()
        };
        // Far longer than the interval.
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!(watch.status().unwrap()["passes"], passes, "no pass while it is missing");
        assert_eq!(deletes(&env), 0);
        if round == 0 {
            fs::rename(&away, &root).unwrap();
        } else {
            // Another folder of that name, which is filled while it is looked at.
            fs::create_dir(&root).unwrap();
            fs::copy(away.join("all.yaml"), root.join("all.yaml")).unwrap();
        }
        watch.until("that it goes on", |status| status["state"] == "watching");
        env.write(MANIFESTS, amount(&format!("{}.00", 1600 + round)));
        watch.settled(true);
    }
    assert_eq!(deletes(&env), 0);
    assert_eq!((watch.said("paused:"), watch.said("resumed:")), (2, 2), "{}", watch.log());
    assert_as_one_apply(&env);
    watch.end();
}

#[test]
fn a_workspace_that_is_replaced_under_the_watch_is_found_again() {
    let env = TestEnv::workspace("");
    let store = format!("sqlite:{}", env.path().join("kept.db").display());
    for (name, text) in
        [("partnerctl.yaml", "set: test\n".to_owned()), (MANIFESTS, amount("1500.00"))]
    {
        env.write(&format!("work/{name}"), text);
    }
    let mut command = env.command(env!("CARGO_BIN_EXE_partnerctl"));
    command.current_dir(env.path().join("work")).env("PARTNERCTL_STORE", &store);
    let mut watch = watch_by(command, "watch.json", &env, &["--prune"]);
    watch.outcome("done");
    fs::remove_dir_all(env.path().join("work")).unwrap();
    watch.until("a pause", |status| status["state"] == "paused");
    env.write("work/partnerctl.yaml", "set: test\n");
    env.write(&format!("work/{MANIFESTS}"), amount("1600.00"));
    watch.until("the change", |status| status["applied"] == 6);
    assert_eq!(watch.end().matches("paused:").count(), 1);
}

#[test]
fn what_is_not_valid_is_said_once_and_what_was_applied_stays_until_it_is_mended() {
    let env = TestEnv::workspace(&customer("contoso"));
    let mut watch = watch(&env, &["--prune", "--interval", "1s"]);
    watch.outcome("done");
    env.write(MANIFESTS, amount("1600.00").replace("country: NL", "country: Netherlands"));
    let status = watch.outcome("invalid");
    let error = status["errors"][0].as_str().unwrap();
    assert!(
        error.contains("country: Netherlands") && error.contains("manifests/all.yaml:4:"),
        "{error}"
    );
    watch.more_passes(3);
    assert_eq!(watch.said("country: Netherlands"), 1, "{}", watch.log());
    assert_eq!(activities(&env).len(), 5);
    // Another mistake is another cause.
    env.write(MANIFESTS, "kind: Budgets\n");
    watch.until_said("kind: Budgets");
    env.write("partnerctl.yaml", "sets: test\n");
    watch.until_said("sets: test");
    env.write("partnerctl.yaml", "set: test\n");
    env.write(MANIFESTS, amount("1600.00"));
    watch.settled(true);
    let status = watch.outcome("done");
    assert_eq!(status["errors"], json!([]));
    assert_eq!((activities(&env).len(), deletes(&env)), (6, 0));
    assert_as_one_apply(&env);
    let log = watch.end();
    assert_eq!(log.matches("mended:").count(), 1, "{log}");
}

#[test]
fn without_being_told_of_changes_they_are_found_by_looking() {
    let env = TestEnv::workspace(&customer("contoso"));
    let mut watch = watch(&env, &["--poll", "--prune"]);
    watch.outcome("done");
    env.write(MANIFESTS, amount("1600.00"));
    watch.settled(true);
    fs::rename(env.path().join("manifests"), env.path().join("away")).unwrap();
    watch.until("a pause", |status| status["state"] == "paused");
    fs::rename(env.path().join("away"), env.path().join("manifests")).unwrap();
    env.write(MANIFESTS, amount("1700.00"));
    watch.settled(true);
    assert_as_one_apply(&env);
    watch.end();
}

#[test]
fn where_the_system_does_not_tell_of_changes_they_are_found_by_looking() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("deaf.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/watch/deaf.c");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-w", "-o"])
        .args([&library, &source])
        .status();
    assert!(compiled.expect("a C compiler").success());
    for how in ["init", "add"] {
        let env = TestEnv::workspace(&customer("contoso"));
        let mut command = env.command(env!("CARGO_BIN_EXE_partnerctl"));
        command.env("LD_PRELOAD", &library).env("DEAF", how);
        let mut watch = watch_by(command, "watch.json", &env, &["--prune"]);
        watch.outcome("done");
        for amount in ["1600.00", "1700.00"] {
            save(&env, "vim", &self::amount(amount));
            watch.settled(true);
        }
        assert_eq!(watch.said("looking every 2 s"), 1, "{how}: {}", watch.log());
        assert_as_one_apply(&env);
        watch.end();
    }
}

#[test]
fn what_the_system_lost_is_looked_for_and_heard_of_again() {
    let queue = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let queue: usize = queue.trim().parse().unwrap();
    let env = TestEnv::workspace(&customer("contoso"));
    let mut watch = watch(&env, &["--prune"]);
    watch.outcome("done");
    let pid = watch.child.id().to_string();
    let signal = |name: &str| env.command("kill").args([name, &pid]).status().unwrap();
    assert!(signal("-STOP").success());
    for _ in 0..=queue / 2 {
        // The same event twice in a row would count once.
        for name in ["manifests/a.txt", "manifests/b.txt"] {
            env.write(name, "");
        }
    }
    // Nobody hears of this folder any more, nor that it is one.
    env.write("manifests/deep/er/more.yaml", customer("fabrikam"));
    assert!(signal("-CONT").success());
    watch.settled(true);
    env.write("manifests/deep/er/more.yaml", customer("fabrikam").replace("1500.00", "1600.00"));
    watch.settled(true);
    assert_as_one_apply(&env);
    watch.end();
}

#[test]
fn a_link_to_the_manifests_may_be_led_elsewhere() {
    let env = TestEnv::new();
    env.write("partnerctl.yaml", "set: test\n");
    for (release, amount) in [("1", "1500.00"), ("2", "1600.00")] {
        env.write(&format!("releases/{release}/all.yaml"), self::amount(amount));
    }
    let root = env.path().join("manifests");
    std::os::unix::fs::symlink("releases/1", &root).unwrap();
    let mut watch = watch(&env, &["--prune"]);
    watch.settled(true);
    std::os::unix::fs::symlink("releases/2", env.path().join("next")).unwrap();
    fs::rename(env.path().join("next"), &root).unwrap();
    watch.settled(true);
    // It is listened to where it leads now.
    env.write("releases/2/all.yaml", amount("1700.00"));
    watch.settled(true);
    assert_eq!((activities(&env).len(), deletes(&env)), (7, 0));
    watch.end();
}

#[test]
fn settings_that_are_gone_are_no_defaults() {
    let env = TestEnv::workspace(&customer("contoso"));
    let mut watch = watch(&env, &["--prune"]);
    watch.outcome("done");
    fs::remove_file(env.path().join("partnerctl.yaml")).unwrap();
    let status = watch.outcome("invalid");
    assert!(status["errors"][0].as_str().unwrap().contains("partnerctl.yaml are gone"), "{status}");
    env.write(MANIFESTS, amount("1600.00"));
    watch.more_passes(1);
    assert_eq!(activities(&env).len(), 5);
    env.write("partnerctl.yaml", "set: test\n");
    watch.settled(true);
    assert_eq!(activities(&env).len(), 6);
    watch.end();
}

#[test]
fn one_file_is_watched_as_well_as_a_folder() {
    let env = TestEnv::workspace(&customer("contoso"));
    env.write("manifests/other.yaml", customer("fabrikam"));
    let mut watch = watch(&env, &["-f", MANIFESTS]);
    watch.until("a pass", |status| status["applied"] == 5);
    save(&env, "vim", &amount("1600.00"));
    watch.until("the change", |status| status["applied"] == 6);
    fs::remove_file(env.path().join(MANIFESTS)).unwrap();
    watch.until("a pause", |status| status["state"] == "paused");
    env.write(MANIFESTS, amount("1700.00"));
    watch.until("the change", |status| status["applied"] == 7);
    watch.end();
}

#[test]
fn a_store_among_the_manifests_does_not_wake_the_watch_for_ever() {
    let env = TestEnv::new();
    env.write("all.yaml", customer("contoso"));
    env.write("partnerctl.yaml", "set: test\nstore: sqlite:state.db\n");
    let mut watch = watch_to("watch.status", &env, &["-f", "."]);
    watch.until("a pass", |status| status["applied"] == 5);
    std::thread::sleep(Duration::from_secs(2));
    let passes = watch.passes();
    assert!(passes <= 2, "{passes} passes\n{}", watch.log());
    watch.end();
}

#[test]
fn what_was_read_before_the_tree_moved_is_not_applied() {
    use std::os::unix::fs::PermissionsExt as _;
    let env = workspace(&customer("contoso"), &json!({}));
    // A provider that takes its time when it is asked what there is for the second time: then the
    // lease is held, and what it says is planned from and applied.
    let script = "#!/bin/sh\nn=0\nwhile IFS= read -r line; do\n\
        case \"$line\" in *'\"observe\"'*) n=$((n + 1));; esac\n\
        if [ $n = 2 ]; then : > asked; while [ -e wait ]; do sleep 0.01; done; fi\n\
        printf '%s\\n' \"$line\"\ndone | \"$FAKE_PROVIDER\" fake\n";
    env.write("slow", script);
    fs::set_permissions(env.path().join("slow"), fs::Permissions::from_mode(0o755)).unwrap();
    env.write("partnerctl.yaml", "set: test\nprovider: {exec: [./slow], timeoutSeconds: 100}\n");
    env.write("wait", "");
    let mut watch = watch(&env, &["--interval", "1h"]);
    wait("that the provider is asked", || env.path().join("asked").exists().then_some(()));
    // A document moves into a file that was not there when the files were listed.
    let text = customer("contoso");
    let documents: Vec<_> = text.split("---\n").collect();
    env.write("manifests/budget.yaml", documents[2]);
    env.write(MANIFESTS, [&documents[..2], &documents[3..]].concat().join("---\n"));
    fs::remove_file(env.path().join("wait")).unwrap();
    watch.settled(false);
    assert_eq!(watch.said(": 5 to create"), 1, "{}", watch.log());
    assert_eq!(watch.said("INFO Plan "), 1, "{}", watch.log());
    watch.end();
}

#[test]
fn what_ends_by_itself_ends_on_time() {
    let soon = chrono::Utc::now() + chrono::TimeDelta::seconds(12);
    let soon = soon.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let project = format!(
        "---\napiVersion: partnerctl.dev/v1\nkind: RoleAssignment\nmetadata: {{name: project}}\nspec:\n  \
         scope: {{subscriptionRef: {{name: contoso-azure}}}}\n  principal: {{type: Group, name: Migration}}\n  \
         role: Reader\n  until: {soon}\n"
    );
    let env = TestEnv::workspace(&(customer("contoso") + &project));
    // Nobody prunes, and the next pass of its own accord is an hour away.
    let mut watch = watch(&env, &["--interval", "1h"]);
    watch.until_said("Delete role assignment RoleAssignment/project");
    watch.settled(false);
    let last = activities(&env).pop().unwrap();
    assert_eq!(
        (&last["operation"], &last["reason"]),
        (&"Delete role assignment".into(), &"expired".into())
    );
    assert!(last["at"].as_str().unwrap() >= soon.as_str(), "{last} is before {soon}");
    watch.end();
}
