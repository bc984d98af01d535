//! Killed at any write or sync, `apply` reaches the same state when it is run again: each activity
//! once, the log whole, nothing unlocked by hand.

use crate::common::watching::wait;
use crate::common::{TestEnv, customer};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Compiles the library that kills.
pub fn killer(folder: &Path) -> PathBuf {
    let library = folder.join("kill.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/crash/kill.c");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-w", "-o"])
        .arg(&library)
        .arg(&source)
        .arg("-ldl")
        .status()
        .expect("a C compiler");
    assert!(compiled.success());
    library
}

/// What matters of the end: every resource as declared and observed, and the log but for its times.
fn outcome(env: &TestEnv) -> (String, Vec<String>) {
    let list: serde_json::Value =
        serde_json::from_str(&env.ok(&["get", "all", "-o", "json"])).unwrap();
    let specs: Vec<String> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| format!("{} {} {}", item["kind"], item["metadata"]["name"], item["spec"]))
        .collect();
    let log: Vec<serde_json::Value> =
        serde_json::from_str(&env.ok(&["log", "-o", "json"])).unwrap();
    let log = log.iter().map(|a| format!("{} {} {}", a["operation"], a["resource"], a["after"]));
    (specs.join("\n"), log.collect())
}

/// Kills one apply at every point, then runs it again to its end and compares.
fn kill_everywhere(prepare: impl Fn() -> TestEnv) {
    let folder = tempfile::tempdir().unwrap();
    let library = killer(folder.path());
    let apply = |env: &TestEnv| {
        let mut command = env.command(env!("CARGO_BIN_EXE_partnerctl"));
        command.args(["apply", "--yes", "--quiet", "--lock-timeout", "0"]);
        command.env("LD_PRELOAD", &library);
        command
    };
    let whole = prepare();
    let count = folder.path().join("count");
    assert!(apply(&whole).env("KILL_COUNT", &count).output().unwrap().status.success());
    let points: u32 = std::fs::read_to_string(&count).unwrap().parse().unwrap();
    assert!(points > 10, "only {points} points: the killing library was not loaded");
    let expected = outcome(&whole);
    let mut killed = 0;
    for point in 1..=points {
        let env = prepare();
        let output = apply(&env).env("KILL_AT", point.to_string()).output().unwrap();
        killed += u32::from(output.status.code().is_none());
        env.ok(&["apply", "--yes", "--lock-timeout", "0"]);
        assert_eq!(outcome(&env), expected, "killed at point {point}");
        env.ok(&["log", "verify"]);
        env.assert_settled();
    }
    assert!(killed >= points - 1, "killed {killed} of {points} times");
}

#[test]
fn a_first_apply_killed_anywhere_ends_as_if_it_had_not_been() {
    kill_everywhere(|| TestEnv::workspace(&customer("contoso")));
}

#[test]
fn a_later_apply_killed_anywhere_ends_as_if_it_had_not_been() {
    kill_everywhere(|| {
        let env = TestEnv::workspace(&customer("contoso"));
        env.ok(&["apply", "--yes"]);
        env.write("manifests/all.yaml", customer("contoso").replace("1500.00", "2000.00"));
        env.write("manifests/more.yaml", customer("fabrikam"));
        env
    });
}

#[test]
fn a_full_disk_loses_nothing_and_the_next_apply_goes_on() {
    let env = TestEnv::workspace(&customer("contoso"));
    env.ok(&["apply", "--yes"]);
    let many: Vec<_> = (0..60).map(|n| customer(&format!("c{n}"))).collect();
    env.write("manifests/many.yaml", many.join("---\n"));
    // The shell's limit on file sizes stands in for the full disk.
    let script = "ulimit -f 200; trap '' XFSZ; exec partnerctl apply --yes --quiet";
    let output = env.command("sh").args(["-c", script]).output().unwrap();
    assert_ne!(output.status.code(), Some(0));
    assert!(output.status.code().is_some(), "it ends by itself");
    env.ok(&["log", "verify"]);
    env.ok(&["apply", "--yes"]);
    env.assert_settled();
    let log: Vec<serde_json::Value> =
        serde_json::from_str(&env.ok(&["log", "-o", "json"])).unwrap();
    assert_eq!(log.len(), 61 * 5);
}

#[test]
fn ctrl_c_ends_an_apply_that_is_under_way_cleanly() {
    let many: Vec<_> = (0..1_200).map(|n| customer(&format!("c{n}"))).collect();
    let env = TestEnv::workspace(&many.join("---\n"));
    let mut command = env.command(env!("CARGO_BIN_EXE_partnerctl"));
    command.args(["apply", "--yes", "--events", "events.ndjson"]).stdout(Stdio::null());
    let said = env.path().join("said");
    let mut child = command.stderr(std::fs::File::create(&said).unwrap()).spawn().unwrap();
    wait("a change that is done", || {
        let events = std::fs::read_to_string(env.path().join("events.ndjson")).ok()?;
        events.contains("\"succeeded\"").then_some(())
    });
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let ended = wait("the end of the apply", || child.try_wait().unwrap());
    let said = std::fs::read_to_string(said).unwrap();
    // What is in flight is finished; on a machine where that was all there is, everything is done.
    match ended.code() {
        Some(5) => assert!(said.contains("interrupted: "), "{said}"),
        code => assert_eq!(code, Some(0), "{ended:?}: {said}"),
    }
    env.ok(&["apply", "--yes"]);
    env.ok(&["log", "verify"]);
    env.assert_settled();
    let log: Vec<serde_json::Value> =
        serde_json::from_str(&env.ok(&["log", "-o", "json"])).unwrap();
    assert_eq!(log.len(), 6_000);
}

/// Copies a workspace with its store.
fn copy(from: &Path, to: &Path) {
    for folder in [".partnerctl", "manifests"] {
        std::fs::create_dir_all(to.join(folder)).unwrap();
        for entry in std::fs::read_dir(from.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, to.join(folder).join(path.file_name().unwrap())).unwrap();
        }
    }
    for file in ["partnerctl.yaml", "backup.db"] {
        std::fs::copy(from.join(file), to.join(file)).unwrap();
    }
}

/// Kills a command of `store` at every point and looks at what is left.
fn kill_store_command_everywhere(args: &[&str], look: impl Fn(&TestEnv, u32)) {
    let folder = tempfile::tempdir().unwrap();
    let library = killer(folder.path());
    let original = TestEnv::workspace(&customer("contoso"));
    original.ok(&["apply", "--yes"]);
    original.ok(&["store", "backup", "backup.db"]);
    original.write("manifests/more.yaml", customer("fabrikam"));
    original.ok(&["apply", "--yes"]);
    let run = |env: &TestEnv, name: &str, value: &std::ffi::OsStr| {
        let mut command = env.command(env!("CARGO_BIN_EXE_partnerctl"));
        command.args(args).env("LD_PRELOAD", &library).env(name, value).output().unwrap().status
    };
    let fresh = || {
        let env = TestEnv::new();
        copy(original.path(), env.path());
        env
    };
    let count = folder.path().join("count");
    assert!(run(&fresh(), "KILL_COUNT", count.as_os_str()).success());
    let points: u32 = std::fs::read_to_string(&count).unwrap().parse().unwrap();
    assert!(points > 10, "only {points} points: the killing library was not loaded");
    let mut killed = 0;
    for point in 1..=points {
        let env = fresh();
        let status = run(&env, "KILL_AT", point.to_string().as_ref());
        killed += u32::from(status.code().is_none());
        look(&env, point);
    }
    assert!(killed >= points - 1, "killed {killed} of {points} times");
}

#[test]
fn a_restore_killed_anywhere_leaves_the_old_or_the_new_store_whole() {
    let seen = std::cell::RefCell::new(std::collections::BTreeSet::new());
    kill_store_command_everywhere(&["store", "restore", "backup.db", "--yes"], |env, point| {
        let whole = env.ok(&["store", "verify"]);
        let (_, what) = whole.split_once(": ").unwrap();
        let what = what.rsplit_once(" of ").unwrap().0.to_owned();
        let old_or_new = ["10 resources and 10 activities", "5 resources and 5 activities"];
        assert!(old_or_new.contains(&what.as_str()), "killed at point {point}: {what}");
        seen.borrow_mut().insert(what);
        // Nothing is unlocked by hand, and what was left lying about does not stand in the way.
        env.ok(&["store", "restore", "backup.db", "--yes", "--lock-timeout", "0"]);
        assert!(env.ok(&["store", "verify"]).contains("5 resources and 5 activities"));
        env.ok(&["apply", "--yes"]);
        env.assert_settled();
    });
    assert_eq!(seen.borrow().len(), 2, "both ends were seen");
}

#[test]
fn a_backup_killed_anywhere_leaves_no_half_file_under_its_name() {
    let args = ["store", "backup", "backup.db", "--force"];
    kill_store_command_everywhere(&args, |env, point| {
        // The old backup or the new one, whole: restoring it onto nothing shows which.
        std::fs::remove_dir_all(env.path().join(".partnerctl")).unwrap();
        env.ok(&["store", "restore", "backup.db"]);
        let whole = env.ok(&["store", "verify"]);
        assert!(
            whole.contains("5 activities") || whole.contains("10 activities"),
            "{point}: {whole}"
        );
    });
}
