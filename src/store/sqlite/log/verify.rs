//! The chain of hashes over the log: every row is as it was written, none is missing.

use super::{COLUMNS, columns, read_head};
use crate::model::activity::chain_start;
use crate::model::parallel::both;
use crate::store::log::{Checkpoint, Head, Verification};
use rusqlite::{Connection, OptionalExtension};

/// Walks the log from its start and finds the first row that is not as it was written.
pub(in crate::store::sqlite) fn verify(
    connection: &Connection,
    lineage: &str,
    checkpoint: Option<&Checkpoint>,
) -> rusqlite::Result<Verification> {
    if let Some(other) = foreign(lineage, checkpoint) {
        return Ok(other);
    }
    let walked = walk(connection, lineage, checkpoint, (&start(lineage), None))?;
    conclude(connection, lineage, checkpoint, walked)
}

/// The same with a second connection that walks the half behind `middle` meanwhile. A row's hash is
/// over the one that stands before it, so that each half can be walked by itself. Where anything
/// seems wrong, one walk over everything says what it is.
pub(in crate::store::sqlite) fn verify_halves(
    connection: &Connection,
    other: Connection,
    middle: i64,
    lineage: &str,
    checkpoint: Option<&Checkpoint>,
) -> rusqlite::Result<Verification> {
    let sql = "SELECT hash FROM activities WHERE seq = $1";
    let hash: Option<String> =
        connection.query_row(sql, [middle], |row| row.get(0)).optional().unwrap_or_default();
    let Some(hash) = hash.filter(|_| foreign(lineage, checkpoint).is_none()) else {
        return verify(connection, lineage, checkpoint);
    };
    let middle = Head { seq: middle, hash };
    let behind = |other: Connection| {
        let reading = other.unchecked_transaction()?;
        let walked = walk(&reading, lineage, checkpoint, (&middle, None))?;
        conclude(&reading, lineage, checkpoint, walked)
    };
    let start = start(lineage);
    let (second, first) = both(
        true,
        || behind(other),
        || walk(connection, lineage, checkpoint, (&start, Some(middle.seq))),
    );
    match (first?, second?) {
        (Verification::Good { head }, good @ Verification::Good { .. }) if head == middle => {
            Ok(good)
        }
        _ => verify(connection, lineage, checkpoint),
    }
}

fn start(lineage: &str) -> Head {
    Head { seq: 0, hash: chain_start(lineage) }
}

/// What is wrong with a checkpoint of another store.
fn foreign(lineage: &str, checkpoint: Option<&Checkpoint>) -> Option<Verification> {
    let checkpoint = checkpoint.filter(|checkpoint| checkpoint.lineage != lineage)?;
    let message = format!("the checkpoint is of another store, {}", checkpoint.lineage);
    Some(Verification::Bad { seq: checkpoint.seq, message })
}

/// Walks a part of the log: from behind a row, up to another.
fn walk(
    connection: &Connection,
    lineage: &str,
    checkpoint: Option<&Checkpoint>,
    (from, to): (&Head, Option<i64>),
) -> rusqlite::Result<Verification> {
    let bad = |seq, message: String| Ok(Verification::Bad { seq, message });
    let sql = format!("SELECT {COLUMNS} FROM activities WHERE seq > $1 AND seq <= $2 ORDER BY seq");
    let mut statement = connection.prepare(&sql)?;
    // The first part begins before every row, whatever number somebody may have given it.
    let after = if from.seq == 0 { i64::MIN } else { from.seq };
    let mut rows = statement.query([after, to.unwrap_or(i64::MAX)])?;
    let mut head = from.clone();
    while let Some(row) = rows.next()? {
        let next = head.seq + 1;
        // Bytes that are no text have another hash than any text.
        let (columns, hash) = match columns::<[u8]>(row, Ok)? {
            Ok(read) => read,
            Err(why) => return bad(next, why),
        };
        if columns.seq != next {
            return bad(next, format!("it is missing; the next one is {}", columns.seq));
        }
        head = Head { seq: next, hash: columns.hash(&head.hash, lineage) };
        if head.hash.as_bytes() != hash {
            return bad(next, "it is not as it was written".to_owned());
        }
        if let Some(kept) = checkpoint.filter(|c| c.seq == next && c.hash != head.hash) {
            return bad(next, format!("its hash is not that of the checkpoint, {}", kept.hash));
        }
    }
    Ok(Verification::Good { head })
}

/// Compares where a walk ended with where the store and the checkpoint say that the log ends.
fn conclude(
    connection: &Connection,
    lineage: &str,
    checkpoint: Option<&Checkpoint>,
    walked: Verification,
) -> rusqlite::Result<Verification> {
    let Verification::Good { head } = walked else { return Ok(walked) };
    let bad = |seq, message: String| Ok(Verification::Bad { seq, message });
    let kept = read_head(connection, lineage)?;
    let end = checkpoint.map_or(0, |checkpoint| checkpoint.seq).max(kept.seq);
    if head.seq < end {
        return bad(head.seq + 1, format!("it is missing; the log once reached {end}"));
    }
    if kept != head {
        return bad(head.seq, "it is not the last one the store wrote".to_owned());
    }
    Ok(Verification::Good { head })
}

#[cfg(test)]
mod tests {
    use super::{start, verify, verify_halves};
    use crate::model::activity::{Draft, Outcome};
    use crate::model::{ResourceId, Source};
    use crate::store::log::Verification;
    use crate::store::migrate::migrate;
    use crate::store::sqlite::log::{Chain, append, keep_head};
    use crate::store::sqlite::statements::Statements;
    use rusqlite::Connection;

    /// A log of six activities.
    fn six(path: &std::path::Path) -> Connection {
        let mut connection = Connection::open(path).unwrap();
        migrate(&mut connection, |source| panic!("{source}")).unwrap();
        let transaction = connection.transaction().unwrap();
        let mut chain = Chain::after(start("lineage"), "lineage");
        let mut statements = Statements::new(&transaction);
        for number in 0..6 {
            let draft = Draft {
                at: "2026-11-21T12:00:00Z".parse().unwrap(),
                actor: "a".into(),
                source: Source::default(),
                command: "test".into(),
                set: "test".into(),
                resource: ResourceId::new("Budget", "contoso"),
                operation: "Update customer spending budget".into(),
                before: None,
                after: None,
                plan_id: "plan".into(),
                operation_id: number.to_string(),
                outcome: Outcome::Succeeded,
                reason: "".into(),
            };
            let line = chain.line(&draft);
            assert!(append(&mut statements, &draft, &line).is_ok());
        }
        drop(statements);
        assert!(keep_head(&transaction, &chain.head).is_ok());
        transaction.commit().unwrap();
        connection
    }

    #[test]
    fn two_halves_say_what_one_walk_says_wherever_the_log_was_changed() {
        let mut cases = vec!["SELECT 1".to_owned(), "DELETE FROM activities".to_owned()];
        for seq in 1..=6 {
            cases.push(format!("UPDATE activities SET actor = 'b' WHERE seq = {seq}"));
            cases.push(format!("UPDATE activities SET hash = 'b' WHERE seq = {seq}"));
            for column in ["reason", "hash"] {
                let text = format!("{column} = CAST(x'ff' AS TEXT)");
                cases.push(format!("UPDATE activities SET {text} WHERE seq = {seq}"));
                cases.push(format!("UPDATE activities SET {column} = x'61' WHERE seq = {seq}"));
            }
            cases.push(format!("UPDATE activities SET seq = 60 + seq WHERE seq = {seq}"));
            cases.push(format!("UPDATE activities SET seq = -seq WHERE seq = {seq}"));
            cases.push(format!("DELETE FROM activities WHERE seq >= {seq}"));
        }
        for change in cases {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("state.db");
            let connection = six(&path);
            connection.execute_batch(&change).unwrap();
            let one = verify(&connection, "lineage", None).unwrap();
            let is_whole = matches!(one, Verification::Good { .. });
            assert_eq!(is_whole, change == "SELECT 1", "{change}");
            for middle in 1..6 {
                let other = Connection::open(&path).unwrap();
                let two = verify_halves(&connection, other, middle, "lineage", None).unwrap();
                assert_eq!(two, one, "{change}, in two at {middle}");
            }
        }
    }
}
