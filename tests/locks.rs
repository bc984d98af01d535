//! Two applies at once: nothing twice; the second waits, or says who holds the lease.

use crate::common::{TestEnv, customer};
use rusqlite::Connection;

/// The store refuses these writes, as on a full disk.
fn refuse(env: &TestEnv, writes: &[&str]) {
    let connection = Connection::open(env.path().join(".partnerctl/state.db")).unwrap();
    for (number, write) in writes.iter().enumerate() {
        let full = "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END";
        let trigger = format!("CREATE TRIGGER full_{number} BEFORE {write} {full}");
        connection.execute_batch(&trigger).unwrap();
    }
}

#[test]
fn what_was_applied_before_the_disk_was_full_shows_in_the_exit_code() {
    let customer = |number: usize| {
        format!(
            "apiVersion: partnerctl.dev/v1\nkind: Customer\nmetadata: {{name: c{number}}}\n\
             spec: {{companyName: C{number}, domain: c{number}.example, country: NL}}\n"
        )
    };
    let manifests: Vec<String> = (0..800).map(customer).collect();
    let env = TestEnv::workspace(&customer(0));
    env.ok(&["apply", "--yes"]);
    env.write("manifests/all.yaml", manifests.join("---\n"));
    let lease = "UPDATE OF held ON leases WHEN NEW.held = 0";
    refuse(&env, &["INSERT ON activities WHEN NEW.seq > 751", lease]);
    let output = env.run(&["apply", "--yes", "-o", "json"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("750 applied"), "{said}");
    assert!(said.contains("warning: the lease could not be given back"), "{said}");
    let events = String::from_utf8(output.stdout).unwrap();
    let end: serde_json::Value = serde_json::from_str(events.lines().last().unwrap()).unwrap();
    assert_eq!(end["exit"], 5);
}

#[test]
fn two_applies_at_once_do_everything_once() {
    let manifests: Vec<_> = (0..40).map(|n| customer(&format!("c{n}"))).collect();
    let env = TestEnv::workspace(&manifests.join("---\n"));
    let start = || {
        let mut command = env.command(env!("CARGO_BIN_EXE_partnerctl"));
        command
            .args(["apply", "--yes", "--quiet"])
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut children: Vec<_> = (0..4).map(|_| start()).collect();
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    let log: Vec<serde_json::Value> =
        serde_json::from_str(&env.ok(&["log", "-o", "json"])).unwrap();
    assert_eq!(log.len(), 200);
    env.ok(&["log", "verify"]);
    env.assert_settled();
}

/// Puts a lease into the store as another process would.
fn hold(env: &TestEnv, host: &str, boot_id: &str, pid: u32, started: &str, renewed_at: &str) {
    let connection = Connection::open(env.path().join(".partnerctl/state.db")).unwrap();
    connection
        .execute(
            "UPDATE leases SET host = ?1, boot_id = ?2, pid = ?3, started = ?4, actor = 'somebody', \
             renewed_at = ?5, held = 1",
            rusqlite::params![host, boot_id, pid, started, renewed_at],
        )
        .unwrap();
}

#[test]
fn the_second_apply_exits_4_and_names_the_holder() {
    let env = TestEnv::workspace(&customer("contoso"));
    env.ok(&["apply", "--yes"]);
    hold(&env, "elsewhere", "b", 1, "1", "9999-01-01T00:00:00Z");
    let output = env.run(&["apply", "--yes", "--lock-timeout", "0"]);
    assert_eq!(output.status.code(), Some(4));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("somebody on elsewhere (process 1"), "{stderr}");
}

#[test]
fn a_holder_that_is_gone_is_replaced_without_unlocking() {
    let env = TestEnv::workspace(&customer("contoso"));
    env.ok(&["apply", "--yes"]);
    hold(&env, "elsewhere", "b", 1, "1", "2020-01-01T00:00:00Z");
    env.ok(&["apply", "--yes", "--lock-timeout", "0"]);
    // A process of this machine that is not there any more is replaced however fresh its sign.
    let host = rustix_nodename();
    hold(&env, &host, "another boot", 1, "1", "9999-01-01T00:00:00Z");
    env.ok(&["apply", "--yes", "--lock-timeout", "0"]);
}

fn rustix_nodename() -> String {
    let output = std::process::Command::new("uname").arg("-n").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_backup_while_an_apply_runs_is_whole_and_disturbs_nothing() {
    let manifests: Vec<_> = (0..60).map(|n| customer(&format!("c{n}"))).collect();
    let env = TestEnv::workspace(&customer("contoso"));
    env.ok(&["apply", "--yes"]);
    env.write("manifests/more.yaml", manifests.join("---\n"));
    let mut command = env.command(env!("CARGO_BIN_EXE_partnerctl"));
    command.args(["apply", "--yes", "--quiet"]).stdout(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut number = 0;
    while number < 3 || child.try_wait().unwrap().is_none() {
        env.ok(&["store", "backup", &format!("{number}.db")]);
        number += 1;
    }
    assert!(child.wait().unwrap().success());
    env.ok(&["log", "verify"]);
    env.assert_settled();
    // Every one of them can be gone back to, and the work be done again from there.
    for number in [0, number / 2, number - 1] {
        env.ok(&["store", "restore", &format!("{number}.db"), "--yes"]);
        env.ok(&["store", "verify"]);
        env.ok(&["apply", "--yes"]);
        env.assert_settled();
    }
}

#[test]
fn a_store_is_not_restored_under_an_apply() {
    let env = TestEnv::workspace(&customer("contoso"));
    env.ok(&["apply", "--yes"]);
    env.ok(&["store", "backup", "backup.db"]);
    hold(&env, "elsewhere", "b", 1, "1", "9999-01-01T00:00:00Z");
    let output = env.run(&["store", "restore", "backup.db", "--yes", "--lock-timeout", "0"]);
    assert_eq!(output.status.code(), Some(4));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("somebody on elsewhere (process 1"), "{stderr}");
    // A lease that was held when the backup was made holds nobody up after restoring it.
    env.ok(&["store", "backup", "held.db"]);
    hold(&env, "elsewhere", "b", 1, "1", "2020-01-01T00:00:00Z");
    env.ok(&["store", "restore", "held.db", "--lock-timeout", "0"]);
    env.ok(&["apply", "--yes", "--lock-timeout", "0"]);
}
