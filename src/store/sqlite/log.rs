//! Rows of the log: appended, read, and compared with the chain of hashes.

use crate::model::activity::{ActivitySource, Columns, Draft, Outcome, chain_start, instant};
use crate::model::{Activity, ResourceId};
use crate::store::StoreError;
use crate::store::log::{Checkpoint, Filter, Head, Verification};
use crate::store::sqlite::{TransactError, corrupt, json, text_of};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

/// Appends an activity at the head, which moves along.
pub(super) fn append(
    transaction: &Transaction<'_>,
    lineage: &str,
    head: &mut Head,
    draft: &Draft,
) -> Result<(), TransactError> {
    let at = instant(draft.at);
    let (before, after) = (draft.before.as_ref().map(text_of), draft.after.as_ref().map(text_of));
    let columns = Columns {
        seq: head.seq + 1,
        at: &at,
        actor: &draft.actor,
        source_commit: draft.source.commit.as_deref(),
        source_file: draft.source.file.as_deref(),
        source_line: draft.source.line.map(i64::from),
        command: &draft.command,
        set_name: &draft.set,
        kind: draft.resource.kind.as_str(),
        name: draft.resource.name.as_str(),
        operation: &draft.operation,
        before: before.as_deref(),
        after: after.as_deref(),
        plan_id: &draft.plan_id,
        operation_id: &draft.operation_id,
        outcome: draft.outcome.as_str(),
        reason: &draft.reason,
        source_author: draft.source.author.as_deref(),
    };
    *head = Head { seq: columns.seq, hash: columns.hash(&head.hash, lineage) };
    transaction
        .prepare_cached(&format!(
            "INSERT INTO activities ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, \
             $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)"
        ))?
        .execute(params![
            columns.seq,
            columns.at,
            columns.actor,
            columns.source_commit,
            columns.source_file,
            columns.source_line,
            columns.command,
            columns.set_name,
            columns.kind,
            columns.name,
            columns.operation,
            columns.before,
            columns.after,
            columns.plan_id,
            columns.operation_id,
            columns.outcome,
            columns.reason,
            head.hash,
            columns.source_author,
        ])?;
    Ok(())
}

pub(super) const COLUMNS: &str = "seq, at, actor, source_commit, source_file, source_line, command, \
     set_name, kind, name, operation, before, after, plan_id, operation_id, outcome, reason, hash, \
     source_author";

/// The columns of a row exactly as the database has them; `Err` names a column of another type.
fn columns<'r>(row: &'r Row<'_>) -> rusqlite::Result<Result<(Columns<'r>, &'r str), String>> {
    fn optional<'r>(
        row: &'r Row<'_>,
        index: usize,
    ) -> rusqlite::Result<Result<Option<&'r str>, String>> {
        Ok(match row.get_ref(index)? {
            ValueRef::Null => Ok(None),
            ValueRef::Text(bytes) => {
                std::str::from_utf8(bytes).map(Some).map_err(|e| e.to_string())
            }
            _ => Err("is not a text".to_owned()),
        })
    }
    let name = |index: usize| row.as_ref().column_name(index).unwrap_or("a column").to_owned();
    macro_rules! text {
        ($index:expr) => {
            match optional(row, $index)? {
                Ok(Some(text)) => text,
                Ok(None) => return Ok(Err(format!("{} is missing", name($index)))),
                Err(why) => return Ok(Err(format!("{} {why}", name($index)))),
            }
        };
    }
    macro_rules! maybe {
        ($index:expr) => {
            match optional(row, $index)? {
                Ok(text) => text,
                Err(why) => return Ok(Err(format!("{} {why}", name($index)))),
            }
        };
    }
    let source_line = match row.get_ref(5)? {
        ValueRef::Null => None,
        ValueRef::Integer(line) => Some(line),
        _ => return Ok(Err("source_line is not a number".to_owned())),
    };
    let columns = Columns {
        seq: row.get(0)?,
        at: text!(1),
        actor: text!(2),
        source_commit: maybe!(3),
        source_file: maybe!(4),
        source_line,
        command: text!(6),
        set_name: text!(7),
        kind: text!(8),
        name: text!(9),
        operation: text!(10),
        before: maybe!(11),
        after: maybe!(12),
        plan_id: text!(13),
        operation_id: text!(14),
        outcome: text!(15),
        reason: text!(16),
        source_author: maybe!(18),
    };
    Ok(Ok((columns, text!(17))))
}

/// A row as a value.
pub(super) fn activity(row: &Row<'_>) -> Result<Activity, StoreError> {
    let (columns, hash) = columns(row)
        .map_err(|error| corrupt("an activity")(error.into()))?
        .map_err(|why| corrupt("an activity")(why.into()))?;
    let what = format!("activity {}", columns.seq);
    let outcome = Outcome::from_word(columns.outcome)
        .ok_or_else(|| corrupt(&what)(format!("outcome `{}`", columns.outcome).into()))?;
    let value = |text: Option<&str>| text.map(|text| json(text, &what)).transpose();
    Ok(Activity {
        seq: columns.seq,
        at: columns.at.to_owned(),
        actor: columns.actor.to_owned(),
        source: ActivitySource {
            commit: columns.source_commit.map(str::to_owned),
            author: columns.source_author.map(str::to_owned),
            file: columns.source_file.map(str::to_owned),
            line: columns.source_line.and_then(|line| u32::try_from(line).ok()),
            command: columns.command.to_owned(),
        },
        set: columns.set_name.to_owned(),
        resource: ResourceId::new(columns.kind, columns.name),
        operation: columns.operation.to_owned(),
        before: value(columns.before)?,
        after: value(columns.after)?,
        plan_id: columns.plan_id.to_owned(),
        operation_id: columns.operation_id.to_owned(),
        outcome,
        reason: columns.reason.to_owned(),
        hash: hash.to_owned(),
    })
}

/// The end of the log as the store keeps it beside the rows.
pub(super) fn read_head(connection: &Connection, lineage: &str) -> rusqlite::Result<Head> {
    let value = |key: &str| -> rusqlite::Result<Option<String>> {
        let sql = "SELECT value FROM meta WHERE key = $1";
        connection.prepare_cached(sql)?.query_row([key], |row| row.get(0)).optional()
    };
    let seq = value("log_seq")?.and_then(|text| text.parse().ok()).unwrap_or(0);
    let hash = value("log_hash")?.unwrap_or_else(|| chain_start(lineage));
    Ok(Head { seq, hash })
}

/// Keeps the end of the log beside the rows.
pub(super) fn keep_head(transaction: &Transaction<'_>, head: &Head) -> Result<(), TransactError> {
    for (key, value) in [("log_seq", &head.seq.to_string()), ("log_hash", &head.hash)] {
        let sql = "INSERT INTO meta (key, value) VALUES ($1, $2) \
             ON CONFLICT (key) DO UPDATE SET value = excluded.value";
        transaction.prepare_cached(sql)?.execute(params![key, value])?;
    }
    Ok(())
}

/// The question for a filter, with its parameters.
pub(super) fn wanted(filter: &Filter) -> (String, Vec<String>) {
    let Filter {
        resource,
        kind,
        actor,
        set,
        plan_id,
        operation_id,
        operation,
        outcome,
        since,
        until,
        after,
        before,
        last,
    } = filter;
    let resource_kind = resource.as_ref().map(|id| id.kind.to_string());
    let name = resource.as_ref().map(|id| id.name.to_string());
    let place = |seq: &Option<i64>| seq.map(|seq| seq.to_string());
    let mut conditions = Vec::new();
    let mut parameters = Vec::new();
    for (condition, value) in [
        ("kind =", &resource_kind),
        ("name =", &name),
        // Of one kind there are many: they are found from the newest on, which the sign says.
        ("+kind =", kind),
        ("actor =", actor),
        ("set_name =", set),
        ("plan_id =", plan_id),
        ("operation_id =", operation_id),
        ("operation =", operation),
        ("outcome =", outcome),
        ("at >=", since),
        ("at <", until),
        ("seq >", &place(after)),
        ("seq <", &place(before)),
    ] {
        if let Some(value) = value {
            parameters.push(value.clone());
            conditions.push(format!("{condition} ${}", parameters.len()));
        }
    }
    // The index of what did not succeed is used only where the question says that it means these.
    if outcome.as_ref().is_some_and(|outcome| outcome != Outcome::Succeeded.as_str()) {
        conditions.push("outcome <> 'succeeded'".to_owned());
    }
    // Of a span that is open to one side the index is not thought of.
    match (since, until) {
        (Some(_), None) => conditions.push("at < '~'".to_owned()),
        (None, Some(_)) => conditions.push("at >= ''".to_owned()),
        _ => {}
    }
    let conditions =
        if conditions.is_empty() { "TRUE".to_owned() } else { conditions.join(" AND ") };
    let limit = last.map_or(i64::MAX, |last| i64::try_from(last).unwrap_or(i64::MAX));
    let sql = format!(
        "SELECT {COLUMNS} FROM activities WHERE {conditions} ORDER BY seq DESC LIMIT {limit}"
    );
    (sql, parameters)
}

/// Walks the log from its start and finds the first row that is not as it was written.
pub(super) fn verify(
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
pub(super) fn verify_halves(
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
    let (first, second) = std::thread::scope(|scope| {
        let second = scope.spawn(move || behind(other));
        let start = start(lineage);
        let first = walk(connection, lineage, checkpoint, (&start, Some(middle.seq)));
        (first, second.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
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
        let (columns, hash) = match columns(row)? {
            Ok(read) => read,
            Err(why) => return bad(next, why),
        };
        if columns.seq != next {
            return bad(next, format!("it is missing; the next one is {}", columns.seq));
        }
        if columns.hash(&head.hash, lineage) != hash {
            return bad(next, "it is not as it was written".to_owned());
        }
        if let Some(kept) = checkpoint.filter(|c| c.seq == next && c.hash != hash) {
            return bad(next, format!("its hash is not that of the checkpoint, {}", kept.hash));
        }
        head.seq = next;
        head.hash.clear();
        head.hash.push_str(hash);
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
    use super::{verify, verify_halves, wanted};
    use crate::model::activity::{Draft, Outcome};
    use crate::model::{ResourceId, Source};
    use crate::store::log::{Filter, Verification};
    use crate::store::migrate::migrate;
    use rusqlite::Connection;

    /// A log of six activities.
    fn six(path: &std::path::Path) -> Connection {
        let mut connection = Connection::open(path).unwrap();
        migrate(&mut connection, |source| panic!("{source}")).unwrap();
        let transaction = connection.transaction().unwrap();
        let mut head = super::start("lineage");
        for number in 0..6 {
            let draft = Draft {
                at: "2026-11-21T12:00:00Z".parse().unwrap(),
                actor: "a".to_owned(),
                source: Source::default(),
                command: "test".to_owned(),
                set: "test".to_owned(),
                resource: ResourceId::new("Budget", "contoso"),
                operation: "Update customer spending budget".to_owned(),
                before: None,
                after: None,
                plan_id: "plan".to_owned(),
                operation_id: number.to_string(),
                outcome: Outcome::Succeeded,
                reason: String::new(),
            };
            assert!(super::append(&transaction, "lineage", &mut head, &draft).is_ok());
        }
        assert!(super::keep_head(&transaction, &head).is_ok());
        transaction.commit().unwrap();
        connection
    }

    #[test]
    fn two_halves_say_what_one_walk_says_wherever_the_log_was_changed() {
        let mut cases = vec!["SELECT 1".to_owned(), "DELETE FROM activities".to_owned()];
        for seq in 1..=6 {
            cases.push(format!("UPDATE activities SET actor = 'b' WHERE seq = {seq}"));
            cases.push(format!("UPDATE activities SET hash = 'b' WHERE seq = {seq}"));
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

    fn way(filter: &Filter) -> Vec<String> {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, |source| panic!("{source}")).unwrap();
        let (sql, parameters) = wanted(filter);
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let parameters = rusqlite::params_from_iter(parameters);
        let lines = statement.query_map(parameters, |row| row.get::<_, String>(3)).unwrap();
        lines.map(Result::unwrap).collect()
    }

    #[test]
    fn what_is_rare_is_found_by_an_index_and_what_is_common_from_the_newest_on() {
        let some = |text: &str| Some(text.to_owned());
        let resource = Some(ResourceId::new("Budget", "contoso"));
        let outcome = |word| Filter { outcome: some(word), ..Filter::default() };
        let cases = [
            (
                Filter { resource, ..Filter::default() },
                vec!["SEARCH activities USING INDEX activities_by_resource (kind=? AND name=?)"],
            ),
            (
                Filter { plan_id: some("x"), ..Filter::default() },
                vec!["SEARCH activities USING INDEX activities_by_plan (plan_id=?)"],
            ),
            (
                outcome("failed"),
                vec!["SEARCH activities USING INDEX activities_by_outcome (outcome=?)"],
            ),
            (
                Filter { since: some("2026"), until: some("2027"), ..Filter::default() },
                vec![
                    "SEARCH activities USING INDEX activities_by_time (at>? AND at<?)",
                    "USE TEMP B-TREE FOR ORDER BY",
                ],
            ),
            (
                Filter { since: some("2026"), ..Filter::default() },
                vec![
                    "SEARCH activities USING INDEX activities_by_time (at>? AND at<?)",
                    "USE TEMP B-TREE FOR ORDER BY",
                ],
            ),
            (
                Filter { before: Some(7), last: Some(20), ..Filter::default() },
                vec!["SEARCH activities USING INTEGER PRIMARY KEY (rowid<?)"],
            ),
            // These stop at the limit, or everything is wanted anyway.
            (outcome("succeeded"), vec!["SCAN activities"]),
            (Filter { kind: some("Budget"), ..Filter::default() }, vec!["SCAN activities"]),
            (Filter { actor: some("a"), ..Filter::default() }, vec!["SCAN activities"]),
        ];
        for (filter, expected) in cases {
            assert_eq!(way(&filter), expected, "{filter:?}");
        }
    }
}
