//! Rows of resources: read, written, and refused when they are not as expected.

use crate::model::condition::Condition;
use crate::model::{KindName, Metadata, ResourceId, ResourceName, Source, Spec, Stored};
use crate::store::StoreError;
use crate::store::sqlite::statements::Statements;
use crate::store::sqlite::{TransactError, conditions, corrupt, json, text_of};
use rusqlite::types::ToSqlOutput;
use rusqlite::{OptionalExtension, Row, ToSql, params_from_iter};
use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

/// The columns in the order that [`stored`] reads and [`put`] writes them.
pub(super) const COLUMNS: &str = "kind, name, uid, set_name, generation, revision, metadata, spec, \
     last_applied, observed, external_id, conditions, source_file, source_line, source_commit";

/// In place of a spec: it is equal to the accepted one, as it mostly is.
const SAME: &str = "\"=\"";

/// True for a text that says what the spec of its row says.
pub(super) fn is_same(text: &str, spec: &str) -> bool {
    text == SAME || text == spec
}

static INSERT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO resources ({COLUMNS}) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
    )
});

/// Its parameters are those of the insert, and the expected revision. They are numbered by `?`:
/// what `$` marks SQLite takes for names, numbered as they appear.
const UPDATE: &str = "UPDATE resources SET set_name = ?4, generation = ?5, revision = ?6, \
     metadata = ?7, spec = ?8, last_applied = ?9, observed = ?10, conditions = ?12, \
     source_file = ?13, source_line = ?14, source_commit = ?15 \
     WHERE kind = ?1 AND name = ?2 AND revision = ?16 AND uid = ?3 AND external_id IS ?11";

impl ToSql for KindName {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl ToSql for ResourceName {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

/// Reads rows as values. What those that are read after each other have in common they share.
#[derive(Default)]
pub(super) struct Reader {
    conditions: Option<(String, Arc<Vec<Condition>>)>,
    /// Neither label nor annotation, as most have.
    nothing: Metadata,
    set: Option<Arc<str>>,
    file: Option<Arc<str>>,
}

impl Reader {
    /// A row as a value.
    pub(super) fn stored(&mut self, row: &Row<'_>) -> Result<Stored, StoreError> {
        let id = || -> rusqlite::Result<ResourceId> {
            Ok(ResourceId::new(row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?))
        };
        let id = id().map_err(|error| corrupt("a resource")(error.into()))?;
        let optional = |column: usize| -> Result<Option<&str>, StoreError> {
            let text = row.get_ref(column).map_err(|e| corrupt(&id)(e.into()))?;
            text.as_str_or_null().map_err(|e| corrupt(&id)(e.into()))
        };
        let text = |column: usize| -> Result<&str, StoreError> {
            let text = row.get_ref(column).map_err(|e| corrupt(&id)(e.into()))?;
            text.as_str().map_err(|e| corrupt(&id)(e.into()))
        };
        let spec = text(7)?;
        let parsed: Spec = json(spec, &id)?;
        // Mostly the three are alike: then they share one value, and are parsed once.
        let like = |text: &str| {
            if is_same(text, spec) { Ok(parsed.clone()) } else { json(text, &id) }
        };
        let (last_applied, observed) = (optional(8)?.map(like), optional(9)?.map(like));
        let (last_applied, observed) = (last_applied.transpose()?, observed.transpose()?);
        let metadata = match text(6)? {
            "{}" => self.nothing.clone(),
            metadata => json(metadata, &id)?,
        };
        let conditions = text(11)?;
        let conditions = match self.conditions.take().filter(|(last, _)| last == conditions) {
            Some(last) => last,
            None => {
                let read = conditions::read(conditions).map_err(|e| corrupt(&id)(e.into()))?;
                (conditions.to_owned(), Arc::new(read))
            }
        };
        let (set, file) = (text(3)?, optional(12)?);
        let rest = || -> rusqlite::Result<Stored> {
            Ok(Stored {
                uid: row.get(2)?,
                set: shared(&mut self.set, set),
                generation: row.get(4)?,
                revision: row.get(5)?,
                external_id: row.get(10)?,
                source: Source {
                    file: file.map(|file| shared(&mut self.file, file)),
                    line: row.get(13)?,
                    commit: row.get(14)?,
                    author: None,
                },
                id: id.clone(),
                metadata,
                spec: parsed,
                last_applied,
                observed,
                conditions: self.conditions.insert(conditions).1.clone(),
            })
        };
        rest().map_err(|error| corrupt(&id)(error.into()))
    }
}

/// A text, which is shared with the last one where that is the same.
fn shared(last: &mut Option<Arc<str>>, text: &str) -> Arc<str> {
    let same = last.take().filter(|last| **last == *text);
    last.insert(same.unwrap_or_else(|| text.into())).clone()
}

/// Inserts a row, or puts it in place of the one that has the expected revision.
pub(super) fn put(
    statements: &mut Statements<'_>,
    (row, texts): (&Stored, &Texts),
    expected: Option<i64>,
    previous: Option<&ResourceId>,
) -> Result<(), TransactError> {
    if expected.is_none() && previous.is_none() {
        // Most of a first apply. The row of that name that is not expected refuses the new one; only
        // then is it looked for.
        return insert(statements, row, texts).or_else(|error| {
            expect(statements, &row.id, None)?;
            Err(error.into())
        });
    }
    if let (Some(expected), None) = (expected, previous)
        && update(statements, (row, texts), expected)?
    {
        return Ok(());
    }
    let old = previous.unwrap_or(&row.id);
    expect(statements, old, expected)?;
    if previous.is_some() {
        expect(statements, &row.id, None)?;
    }
    if expected.is_some() {
        remove(statements, old)?;
    }
    Ok(insert(statements, row, texts)?)
}

fn insert(statements: &mut Statements<'_>, row: &Stored, texts: &Texts) -> rusqlite::Result<()> {
    statements.of(&INSERT)?.execute(values(row, texts))?;
    Ok(())
}

/// Puts a row in place of the one with the expected revision, where it stays what it is called by:
/// then its place in the indexes stays too, and a change of many rows writes far fewer pages. False
/// when there is no such row.
fn update(
    statements: &mut Statements<'_>,
    (row, texts): (&Stored, &Texts),
    expected: i64,
) -> rusqlite::Result<bool> {
    let values = values(row, texts).into_iter().chain([&expected as &dyn ToSql]);
    Ok(statements.of(UPDATE)?.execute(params_from_iter(values))? == 1)
}

/// What a row says, in the order of [`COLUMNS`].
fn values<'a>(row: &'a Stored, texts: &'a Texts) -> [&'a dyn ToSql; 15] {
    let Stored { id, uid, set, generation, revision, external_id, source, .. } = row;
    [
        &id.kind,
        &id.name,
        uid,
        set,
        generation,
        revision,
        &texts.metadata,
        &texts.spec,
        &texts.last_applied,
        &texts.observed,
        external_id,
        &texts.conditions,
        &source.file,
        &source.line,
        &source.commit,
    ]
}

/// The columns of a row that hold JSON.
pub(super) struct Texts {
    metadata: String,
    spec: String,
    last_applied: Option<Cow<'static, str>>,
    observed: Option<Cow<'static, str>>,
    conditions: Arc<str>,
}

impl Texts {
    pub(super) fn of(row: &Stored, alike: &mut conditions::Texts) -> Self {
        let Stored { metadata, spec, last_applied, observed, conditions, .. } = row;
        let short = |other: &Spec| -> Cow<'static, str> {
            if other == spec { SAME.into() } else { other.canonical().into() }
        };
        Self {
            metadata: text_of(metadata),
            spec: spec.canonical(),
            last_applied: last_applied.as_ref().map(short),
            observed: observed.as_ref().map(short),
            conditions: alike.of(conditions),
        }
    }
}

/// Takes a row away that has the expected revision.
pub(super) fn delete(
    statements: &mut Statements<'_>,
    id: &ResourceId,
    expected: i64,
) -> Result<(), TransactError> {
    expect(statements, id, Some(expected))?;
    remove(statements, id)
}

fn remove(statements: &mut Statements<'_>, id: &ResourceId) -> Result<(), TransactError> {
    let sql = "DELETE FROM resources WHERE kind = $1 AND name = $2";
    statements.of(sql)?.execute([id.kind.as_str(), id.name.as_str()])?;
    Ok(())
}

/// Refuses the batch when a resource is not at the revision it was planned from.
pub(super) fn expect(
    statements: &mut Statements<'_>,
    id: &ResourceId,
    expected: Option<i64>,
) -> Result<(), TransactError> {
    let sql = "SELECT revision FROM resources WHERE kind = $1 AND name = $2";
    let found = statements
        .of(sql)?
        .query_row([id.kind.as_str(), id.name.as_str()], |row| row.get(0))
        .optional()?;
    if found == expected {
        Ok(())
    } else {
        Err(TransactError::Store(StoreError::Stale { id: id.clone(), expected, found }))
    }
}

#[cfg(test)]
mod tests {
    use super::{COLUMNS, Reader, Texts, put};
    use crate::model::condition::{ConditionType, Truth};
    use crate::model::{Condition, Metadata, ResourceId, Source, Spec, Stored};
    use crate::store::migrate::migrate;
    use crate::store::sqlite::conditions;
    use crate::store::sqlite::statements::Statements;
    use rusqlite::Connection;
    use serde_json::json;
    use std::sync::Arc;

    fn row() -> Stored {
        let spec = Spec::from_value(json!({"customerRef": {"name": "contoso"}}));
        let well = |kind, reason: &str| Condition {
            kind,
            status: Truth::True,
            reason: reason.to_owned(),
            message: String::new(),
            last_transition_time: "2026-11-21T12:00:00Z".parse().unwrap(),
        };
        let conditions =
            [well(ConditionType::Ready, "Available"), well(ConditionType::Synced, "Applied")];
        Stored {
            id: ResourceId::new("Budget", "contoso"),
            uid: "uid".into(),
            set: "test".into(),
            generation: 1,
            revision: 1,
            metadata: Metadata::default(),
            last_applied: Some(spec.clone()),
            observed: Some(spec.clone()),
            spec,
            external_id: None,
            conditions: Arc::new(conditions.into()),
            source: Source::default(),
        }
    }

    fn only(connection: &Connection) -> Stored {
        let sql = format!("SELECT {COLUMNS} FROM resources WHERE name = 'contoso'");
        let read = |row: &rusqlite::Row<'_>| Ok(Reader::default().stored(row));
        connection.query_row(&sql, [], read).unwrap().unwrap()
    }

    #[test]
    fn what_most_rows_say_is_written_shortly_and_read_as_well_where_it_was_written_out() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, |source| panic!("{source}")).unwrap();
        let transaction = connection.transaction().unwrap();
        let texts = Texts::of(&row(), &mut Default::default());
        let written = put(&mut Statements::new(&transaction), (&row(), &texts), None, None).is_ok();
        assert!(written);
        transaction.commit().unwrap();
        assert_eq!(only(&connection), row());
        let short = "SELECT last_applied || observed || conditions FROM resources";
        let short: String = connection.query_row(short, [], |row| row.get(0)).unwrap();
        assert_eq!(short, r#""=""="{"well":"2026-11-21T12:00:00Z"}"#);
        let long = "UPDATE resources SET last_applied = spec, observed = spec, conditions = $1";
        let conditions = serde_json::to_string(row().conditions.as_ref()).unwrap();
        connection.execute(long, [conditions]).unwrap();
        assert_eq!(only(&connection), row());
    }

    #[test]
    fn an_update_stays_where_it_is_and_says_everything_new() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, |source| panic!("{source}")).unwrap();
        let transaction = connection.transaction().unwrap();
        let mut statements = Statements::new(&transaction);
        let mut alike = conditions::Texts::default();
        let mut put = |row: &Stored, expected| {
            assert!(
                put(&mut statements, (row, &Texts::of(row, &mut alike)), expected, None).is_ok()
            );
        };
        let fabrikam = ResourceId::new("Budget", "fabrikam");
        let after = Stored { id: fabrikam, uid: "another".into(), ..row() };
        put(&row(), None);
        put(&after, None);
        let place = || -> i64 {
            let sql = "SELECT rowid FROM resources WHERE name = 'contoso'";
            transaction.query_row(sql, [], |row| row.get(0)).unwrap()
        };
        let before = place();
        let new = Stored {
            set: "another".into(),
            generation: 2,
            revision: 2,
            metadata: serde_json::from_value(json!({"labels": {"tier": "gold"}})).unwrap(),
            spec: Spec::from_value(json!({"customerRef": {"name": "zonnebloem"}})),
            last_applied: None,
            observed: Some(Spec::from_value(json!({"customerRef": {"name": "fabrikam"}}))),
            conditions: Arc::new(row().conditions[..1].to_vec()),
            source: Source {
                file: Some("budgets.yaml".into()),
                line: Some(3),
                commit: Some("cafe".into()),
                author: None,
            },
            ..row()
        };
        put(&new, Some(1));
        assert_eq!(place(), before, "removed and inserted");
        assert_eq!(only(&transaction), new);
    }
}
