//! Whatever is done to the log in the database is found, and where.

use crate::common::{TestEnv, customer};
use rusqlite::Connection;
use rusqlite::types::Value;

fn logged() -> TestEnv {
    let env = TestEnv::workspace(&customer("contoso"));
    env.ok(&["apply", "--yes"]);
    env
}

fn change(env: &TestEnv, sql: &str) {
    let connection = Connection::open(env.path().join(".partnerctl/state.db")).unwrap();
    connection.execute_batch(sql).unwrap();
}

fn found(env: &TestEnv, args: &[&str]) -> String {
    let output = env.run(&[&["log", "verify"], args].concat());
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn an_edit_of_any_column_is_found_at_its_row() {
    let env = logged();
    let connection = Connection::open(env.path().join(".partnerctl/state.db")).unwrap();
    let statement = connection.prepare("SELECT * FROM activities").unwrap();
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    assert_eq!(columns.len(), 19);
    drop(statement);
    let mut edits = 0;
    for column in columns.iter().filter(|column| *column != "seq") {
        let written: Value = connection
            .query_row(&format!("SELECT {column} FROM activities WHERE seq = 3"), [], |row| {
                row.get(0)
            })
            .unwrap();
        for value in ["'x'", "''", "NULL", "x'00'", "7"] {
            let edit = format!(
                "UPDATE activities SET {column} = {value} WHERE seq = 3 AND {column} IS NOT {value}"
            );
            // A column that may not be NULL refuses that by itself.
            if connection.execute(&edit, []).unwrap_or(0) == 1 {
                edits += 1;
                let message = found(&env, &[]);
                assert!(message.contains("activity 3:"), "{column} = {value}: {message}");
                let back = format!("UPDATE activities SET {column} = ?1 WHERE seq = 3");
                connection.execute(&back, [&written]).unwrap();
            }
        }
    }
    assert!(edits >= 18 * 4 - 7, "{edits}");
    env.ok(&["log", "verify"]);
}

#[test]
fn deleted_swapped_inserted_and_cut_rows_are_found() {
    for (sql, place) in [
        ("DELETE FROM activities WHERE seq = 2", "activity 2:"),
        ("DELETE FROM activities WHERE seq = 5", "activity 5:"),
        ("DELETE FROM activities", "activity 1:"),
        (
            "UPDATE activities SET seq = 99 WHERE seq = 2; UPDATE activities SET seq = 2 WHERE seq = 3; \
             UPDATE activities SET seq = 3 WHERE seq = 99",
            "activity 2:",
        ),
        ("UPDATE activities SET seq = seq + 1 WHERE seq = 5", "activity 5:"),
        (
            "INSERT INTO activities SELECT 6, at, actor, source_commit, source_file, source_line, command, \
             set_name, kind, name, operation, before, after, plan_id, 'other', outcome, reason, hash, source_author \
             FROM activities WHERE seq = 5",
            "activity 6:",
        ),
    ] {
        let env = logged();
        change(&env, sql);
        let message = found(&env, &[]);
        assert!(message.contains(place), "{sql}: {message}");
    }
}

#[test]
fn a_cut_that_also_moves_the_head_is_found_with_a_checkpoint() {
    let env = logged();
    let head = env.ok(&["log", "checkpoint"]);
    env.write("head.json", &head);
    change(
        &env,
        "DELETE FROM activities WHERE seq = 5; UPDATE meta SET value = '4' WHERE key = 'log_seq'; \
         UPDATE meta SET value = (SELECT hash FROM activities WHERE seq = 4) WHERE key = 'log_hash'",
    );
    env.ok(&["log", "verify"]);
    let message = found(&env, &["--checkpoint", "head.json"]);
    assert!(message.contains("activity 5: it is missing"), "{message}");
}

#[test]
fn a_log_written_anew_is_found_with_a_checkpoint() {
    let env = logged();
    env.write("head.json", env.ok(&["log", "checkpoint"]));
    std::fs::remove_dir_all(env.path().join(".partnerctl")).unwrap();
    env.ok(&["apply", "--yes", "--as", "somebody else"]);
    env.ok(&["log", "verify"]);
    assert!(found(&env, &["--checkpoint", "head.json"]).contains("another store"));
}

#[test]
fn a_checkpoint_holds_while_the_log_grows() {
    let env = logged();
    env.write("head.json", env.ok(&["log", "checkpoint"]));
    env.write("manifests/more.yaml", customer("fabrikam"));
    env.ok(&["apply", "--yes"]);
    env.ok(&["log", "verify", "--checkpoint", "head.json"]);
}
