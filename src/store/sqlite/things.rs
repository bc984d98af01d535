//! Rows of the embedded provider's things.

use crate::model::{KindName, Observed};
use crate::store::StoreError;
use crate::store::sqlite::statements::Statements;
use crate::store::sqlite::{corrupt, json};
use rusqlite::Row;

/// The columns that [`thing`] reads.
pub(super) const COLUMNS: &str = "kind, external_id, name, spec";

/// A row as a value.
pub(super) fn thing(row: &Row<'_>) -> Result<Observed, StoreError> {
    let read = || -> rusqlite::Result<(&str, String, String, &str)> {
        let text = |column: usize| -> rusqlite::Result<&str> { Ok(row.get_ref(column)?.as_str()?) };
        Ok((text(0)?, row.get(1)?, row.get(2)?, text(3)?))
    };
    let (kind, external_id, name, spec) =
        read().map_err(|e| corrupt("the actual state")(e.into()))?;
    let spec = json(spec, &format_args!("actual {kind}/{name}"))?;
    Ok(Observed { kind: KindName::new(kind), external_id, name, spec })
}

/// Puts a thing there, in place of the one with its id; `spec` is its spec as text.
pub(super) fn put(
    statements: &mut Statements<'_>,
    Observed { kind, external_id, name, spec: _ }: &Observed,
    spec: &str,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO actual (kind, external_id, name, spec) \
               VALUES ($1, $2, $3, $4) ON CONFLICT (kind, external_id) \
               DO UPDATE SET name = excluded.name, spec = excluded.spec";
    let values = [kind.as_str(), external_id, name, spec];
    statements.of(sql)?.execute(values).map(drop)
}

/// Takes a thing away.
pub(super) fn delete(
    statements: &mut Statements<'_>,
    kind: &KindName,
    external_id: &str,
) -> rusqlite::Result<()> {
    let sql = "DELETE FROM actual WHERE kind = $1 AND external_id = $2";
    statements.of(sql)?.execute([kind.as_str(), external_id]).map(drop)
}
