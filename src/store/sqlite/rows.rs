//! Rows of resources: read, written, and refused when they are not as expected.

use crate::model::condition::Condition;
use crate::model::{Metadata, ResourceId, Source, Spec, Stored};
use crate::store::StoreError;
use crate::store::sqlite::statements::Statements;
use crate::store::sqlite::{TransactError, corrupt, json, text_of};
use rusqlite::{OptionalExtension, Row, params};
use std::sync::{Arc, LazyLock};

/// The columns in the order that [`stored`] reads and [`put`] writes them.
pub(super) const COLUMNS: &str = "kind, name, uid, set_name, generation, revision, metadata, spec, \
     last_applied, observed, external_id, conditions, source_file, source_line, source_commit";

static INSERT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO resources ({COLUMNS}) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
    )
});

const UPDATE: &str = "UPDATE resources SET set_name = $1, generation = $2, revision = $3, \
     metadata = $4, spec = $5, last_applied = $6, observed = $7, conditions = $8, \
     source_file = $9, source_line = $10, source_commit = $11 WHERE kind = $12 AND name = $13 \
     AND revision = $14 AND uid = $15 AND external_id IS $16";

/// Reads rows as values. Those that were written together have the same conditions: they are parsed
/// once, and shared.
#[derive(Default)]
pub(super) struct Reader {
    conditions: Option<(String, Arc<Vec<Condition>>)>,
}

impl Reader {
    /// A row as a value.
    pub(super) fn stored(&mut self, row: &Row<'_>) -> Result<Stored, StoreError> {
        let read = || -> rusqlite::Result<_> {
            let id = ResourceId::new(&row.get::<_, String>(0)?, &row.get::<_, String>(1)?);
            Ok((id, row.get::<_, String>(6)?, row.get::<_, String>(7)?))
        };
        let (id, metadata, spec) = read().map_err(|error| corrupt("a resource")(error.into()))?;
        let what = id.to_string();
        let parsed: Spec = json(&spec, &what)?;
        // Mostly the three are alike: then they share one value, and are parsed once.
        let optional = |column: usize| -> Result<Option<Spec>, StoreError> {
            let text: Option<String> = row.get(column).map_err(|e| corrupt(&what)(e.into()))?;
            text.map(|text| if text == spec { Ok(parsed.clone()) } else { json(&text, &what) })
                .transpose()
        };
        let (last_applied, observed) = (optional(8)?, optional(9)?);
        let text = row.get_ref(11).map_err(|e| corrupt(&what)(e.into()))?;
        let text = text.as_str().map_err(|e| corrupt(&what)(e.into()))?;
        let conditions = match self.conditions.take().filter(|(last, _)| last == text) {
            Some(last) => last,
            None => (text.to_owned(), Arc::new(json(text, &what)?)),
        };
        let rest = || -> rusqlite::Result<Stored> {
            Ok(Stored {
                uid: row.get(2)?,
                set: row.get(3)?,
                generation: row.get(4)?,
                revision: row.get(5)?,
                external_id: row.get(10)?,
                source: Source {
                    file: row.get(12)?,
                    line: row.get(13)?,
                    commit: row.get(14)?,
                    author: None,
                },
                id: id.clone(),
                metadata: Metadata::default(),
                spec: Spec::default(),
                last_applied: None,
                observed: None,
                conditions: Arc::default(),
            })
        };
        let row = rest().map_err(|error| corrupt(&what)(error.into()))?;
        Ok(Stored {
            metadata: json(&metadata, &what)?,
            spec: parsed,
            conditions: self.conditions.insert(conditions).1.clone(),
            last_applied,
            observed,
            ..row
        })
    }
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
    let Stored { id, uid, set, generation, revision, external_id, source, .. } = row;
    statements.of(&INSERT)?.execute(params![
        id.kind.as_str(),
        id.name.as_str(),
        uid,
        set,
        generation,
        revision,
        texts.metadata,
        texts.spec,
        texts.last_applied,
        texts.observed,
        external_id,
        texts.conditions,
        source.file,
        source.line,
        source.commit,
    ])?;
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
    let Stored { id, uid, set, generation, revision, external_id, source, .. } = row;
    let updated = statements.of(UPDATE)?.execute(params![
        set,
        generation,
        revision,
        texts.metadata,
        texts.spec,
        texts.last_applied,
        texts.observed,
        texts.conditions,
        source.file,
        source.line,
        source.commit,
        id.kind.as_str(),
        id.name.as_str(),
        expected,
        uid,
        external_id,
    ])?;
    Ok(updated == 1)
}

/// Conditions of rows as text. Rows that are written together mostly share theirs.
#[derive(Default)]
pub(super) struct ConditionTexts(Option<(Arc<Vec<Condition>>, Arc<str>)>);

impl ConditionTexts {
    fn of(&mut self, conditions: &Arc<Vec<Condition>>) -> Arc<str> {
        let last = self.0.take().filter(|(last, _)| Arc::ptr_eq(last, conditions));
        let text = || (conditions.clone(), text_of(conditions.as_ref()).into());
        self.0.insert(last.unwrap_or_else(text)).1.clone()
    }
}

/// The columns of a row that hold JSON.
pub(super) struct Texts {
    metadata: String,
    spec: Arc<str>,
    last_applied: Option<Arc<str>>,
    observed: Option<Arc<str>>,
    conditions: Arc<str>,
}

impl Texts {
    pub(super) fn of(row: &Stored, alike: &mut ConditionTexts) -> Self {
        let Stored { metadata, spec, last_applied, observed, conditions, .. } = row;
        let text: Arc<str> = spec.canonical().into();
        // Mostly the three are alike.
        let same = |other: &Spec| {
            if other == spec { text.clone() } else { other.canonical().into() }
        };
        Self {
            metadata: text_of(metadata),
            last_applied: last_applied.as_ref().map(same),
            observed: observed.as_ref().map(same),
            conditions: alike.of(conditions),
            spec: text,
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
