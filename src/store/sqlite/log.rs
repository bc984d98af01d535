//! Rows of the log: appended, read, and asked for.

mod verify;

pub(super) use verify::{verify, verify_halves};

use crate::model::activity::{ActivitySource, Columns, Draft, Outcome, chain_start, instant};
use crate::model::{Activity, ResourceId};
use crate::store::StoreError;
use crate::store::log::{Filter, Head};
use crate::store::sqlite::statements::Statements;
use crate::store::sqlite::{TransactError, corrupt, json, meta, text_of};
use chrono::{DateTime, Utc};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, Transaction, params};
use std::sync::{Arc, LazyLock};

/// What the log adds to an activity, and its texts.
pub(super) struct Line {
    seq: i64,
    at: Arc<str>,
    before: Option<String>,
    after: Option<String>,
    hash: String,
}

impl Line {
    /// The columns of an activity, the hash aside.
    fn columns<'a>(&'a self, draft: &'a Draft) -> Columns<'a> {
        Columns {
            seq: self.seq,
            at: &self.at,
            actor: &draft.actor,
            source_commit: draft.source.commit.as_deref(),
            source_file: draft.source.file.as_deref(),
            source_line: draft.source.line.map(i64::from),
            command: &draft.command,
            set_name: &draft.set,
            kind: draft.resource.kind.as_str(),
            name: draft.resource.name.as_str(),
            operation: &draft.operation,
            before: self.before.as_deref(),
            after: self.after.as_deref(),
            plan_id: &draft.plan_id,
            operation_id: &draft.operation_id,
            outcome: draft.outcome.as_str(),
            reason: &draft.reason,
            source_author: draft.source.author.as_deref(),
        }
    }
}

/// The end of the log while activities are put behind it.
pub(super) struct Chain<'a> {
    lineage: &'a str,
    /// The last activity.
    pub head: Head,
    /// The last time and its text: those of one batch are mostly the same.
    at: Option<(DateTime<Utc>, Arc<str>)>,
}

impl<'a> Chain<'a> {
    /// The chain of a store from an activity on.
    pub(super) fn after(head: Head, lineage: &'a str) -> Self {
        Self { lineage, head, at: None }
    }

    /// The line of the next activity.
    pub(super) fn line(&mut self, draft: &Draft) -> Line {
        let mut line = Line {
            seq: self.head.seq + 1,
            at: self.instant(draft.at),
            before: draft.before.as_ref().map(text_of),
            after: draft.after.as_ref().map(text_of),
            hash: String::new(),
        };
        line.hash = line.columns(draft).hash(&self.head.hash, self.lineage);
        self.head = Head { seq: line.seq, hash: line.hash.clone() };
        line
    }

    fn instant(&mut self, at: DateTime<Utc>) -> Arc<str> {
        let last = self.at.take().filter(|(last, _)| *last == at);
        self.at.insert(last.unwrap_or_else(|| (at, instant(at).into()))).1.clone()
    }
}

/// Appends an activity with its line.
pub(super) fn append(
    statements: &mut Statements<'_>,
    draft: &Draft,
    line: &Line,
) -> Result<(), TransactError> {
    let columns = line.columns(draft);
    statements.of(&INSERT)?.execute(params![
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
        line.hash,
        columns.source_author,
    ])?;
    Ok(())
}

pub(super) const COLUMNS: &str = "seq, at, actor, source_commit, source_file, source_line, command, \
     set_name, kind, name, operation, before, after, plan_id, operation_id, outcome, reason, hash, \
     source_author";

static INSERT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO activities ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, \
         $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)"
    )
});

/// Columns and the hash beside them; or what is wrong with a column.
type Read<'r, T> = Result<(Columns<'r, T>, &'r T), String>;

/// The columns of a row exactly as the database has them, their bytes taken for texts as `as_text`
/// says; `Err` names a column of another type.
fn columns<'r, T: ?Sized>(
    row: &'r Row<'_>,
    as_text: impl Fn(&'r [u8]) -> Result<&'r T, String>,
) -> rusqlite::Result<Read<'r, T>> {
    let optional = |index: usize| -> rusqlite::Result<Result<Option<&'r T>, String>> {
        Ok(match row.get_ref(index)? {
            ValueRef::Null => Ok(None),
            ValueRef::Text(bytes) => as_text(bytes).map(Some),
            _ => Err("is not a text".to_owned()),
        })
    };
    let name = |index: usize| row.as_ref().column_name(index).unwrap_or("a column").to_owned();
    macro_rules! text {
        ($index:expr) => {
            match optional($index)? {
                Ok(Some(text)) => text,
                Ok(None) => return Ok(Err(format!("{} is missing", name($index)))),
                Err(why) => return Ok(Err(format!("{} {why}", name($index)))),
            }
        };
    }
    macro_rules! maybe {
        ($index:expr) => {
            match optional($index)? {
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
    let text = |bytes| std::str::from_utf8(bytes).map_err(|error| error.to_string());
    let (columns, hash) = columns(row, text)
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
    let seq = meta::get(connection, "log_seq")?.and_then(|text| text.parse().ok()).unwrap_or(0);
    let hash = meta::get(connection, "log_hash")?.unwrap_or_else(|| chain_start(lineage));
    Ok(Head { seq, hash })
}

/// Keeps the end of the log beside the rows.
pub(super) fn keep_head(transaction: &Transaction<'_>, head: &Head) -> Result<(), TransactError> {
    for (key, value) in [("log_seq", &head.seq.to_string()), ("log_hash", &head.hash)] {
        meta::put(transaction, key, value)?;
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

#[cfg(test)]
mod tests {
    use super::wanted;
    use crate::model::ResourceId;
    use crate::store::log::Filter;
    use crate::store::migrate::migrate;
    use rusqlite::Connection;

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
