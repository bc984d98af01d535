//! What the machine can do at best with the same files and rows.

use crate::shape::{Shape, name};
use crate::{Size, median};
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, params, params_from_iter};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::time::Instant;

fn timed(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

/// Every file below a folder, with the stat of each.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), files);
        } else {
            std::hint::black_box(entry.metadata().unwrap());
            files.push(entry.path());
        }
    }
}

pub fn measure(shape: &Shape, runs: usize, size: &mut Size) {
    let mut files = Vec::new();
    let stat_walk = median(runs, || {
        files.clear();
        timed(|| walk(&shape.manifests(), &mut files))
    });
    let mut texts = Vec::new();
    let read = median(runs, || {
        texts.clear();
        timed(|| {
            texts.extend(files.iter().map(|file| std::fs::read_to_string(file).unwrap()));
        })
    });
    let digest = median(runs, || {
        timed(|| {
            for text in &texts {
                std::hint::black_box(Sha256::digest(text));
            }
        })
    });
    let events = median(runs, || {
        timed(|| {
            for text in &texts {
                for event in saphyr_parser::Parser::new_from_str(text) {
                    std::hint::black_box(event.unwrap());
                }
            }
        })
    });
    let scan = median(runs, || scan(&shape.store()));
    let insert = median(if runs > 3 { runs } else { 1 }, || insert(shape));
    size.bounds = vec![
        ("stat walk", stat_walk),
        ("read the files", read),
        ("SHA-256", digest),
        ("YAML events, 1 core", events),
        ("scan of the resources", scan),
        ("bare insert", insert),
        ("bare change of 1 %", median(runs, || change(shape))),
    ];
}

/// A database that is written as the store is.
fn opened(path: &Path) -> Connection {
    let database = Connection::open(path).unwrap();
    for (name, value) in
        [("journal_mode", "WAL"), ("synchronous", "FULL"), ("cache_size", "-65536")]
    {
        database.pragma_update(None, name, value).unwrap();
    }
    database
}

/// Every column of every row of the resources.
fn scan(store: &Path) -> f64 {
    let store = Connection::open_with_flags(store, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    timed(|| {
        let mut statement = store.prepare("SELECT * FROM resources").unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                std::hint::black_box(row.get_ref(column).unwrap());
            }
        }
    })
}

/// The rows of the resources, of the provider and of the log into an empty database of the same
/// schema, in one durable transaction: each by a prepared statement, from memory. (Told to copy whole
/// tables the database moves pages instead, which it can do with nobody's own rows.)
fn insert(shape: &Shape) -> f64 {
    let scratch = tempfile::tempdir_in(&shape.folder).unwrap();
    let database = opened(&scratch.path().join("bare.db"));
    let full =
        Connection::open_with_flags(shape.store(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut schema = full
        .prepare("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name = $1 ORDER BY type DESC")
        .unwrap();
    const TABLES: [&str; 3] = ["resources", "actual", "activities"];
    for table in TABLES {
        let statements = schema.query_map([table], |row| row.get::<_, String>(0)).unwrap();
        statements.for_each(|sql| database.execute_batch(&sql.unwrap()).unwrap());
    }
    let mut time = timed(|| database.execute_batch("BEGIN IMMEDIATE").unwrap());
    for table in TABLES {
        let mut select = full.prepare(&format!("SELECT * FROM {table} ORDER BY rowid")).unwrap();
        let columns = select.column_count();
        let places = vec!["?"; columns].join(", ");
        let mut insert =
            database.prepare(&format!("INSERT INTO {table} VALUES ({places})")).unwrap();
        let read = |row: &rusqlite::Row<'_>| (0..columns).map(|at| row.get(at)).collect();
        let mut rows = select.query_map([], read).unwrap().map(Result::unwrap);
        loop {
            let some: Vec<Vec<Value>> = rows.by_ref().take(10_000).collect();
            if some.is_empty() {
                break;
            }
            time += timed(|| {
                for row in &some {
                    insert.execute(params_from_iter(row)).unwrap();
                }
            });
        }
    }
    time + timed(|| database.execute_batch("COMMIT").unwrap())
}

/// What an `apply` of 1 % writes: for each budget a row of the resources, one of the provider and one of
/// the log, known beforehand, each by a prepared statement in one durable transaction; then all of it
/// put from the journal into the file.
fn change(shape: &Shape) -> f64 {
    let database = opened(&shape.store());
    let mut select = database
        .prepare("SELECT spec, external_id FROM resources WHERE kind = 'Budget' AND name = $1")
        .unwrap();
    let budgets: Vec<(String, String, String)> = shape
        .changing()
        .map(|number| {
            let name = name(number);
            let row = select.query_row([&name], |row| Ok((row.get(0)?, row.get(1)?)));
            let (spec, external_id): (String, String) = row.unwrap();
            (name, spec.replacen("\"amount\":\"", "\"amount\":\"1", 1), external_id)
        })
        .collect();
    let mut last = database.prepare("SELECT * FROM activities ORDER BY seq DESC LIMIT 1").unwrap();
    let names: Vec<String> = last.column_names().map(str::to_owned).collect();
    let place = |name: &str| names.iter().position(|other| *other == name).unwrap();
    let read = |row: &rusqlite::Row<'_>| (0..names.len()).map(|at| row.get(at)).collect();
    let mut entry: Vec<Value> = last.query_row([], read).unwrap();
    let Value::Integer(seq) = entry[place("seq")] else { panic!("seq is a number") };
    let entries: Vec<Vec<Value>> = (seq + 1..)
        .zip(&budgets)
        .map(|(seq, (name, spec, _))| {
            entry[place("seq")] = seq.into();
            entry[place("name")] = name.clone().into();
            entry[place("after")] = spec.clone().into();
            entry[place("operation_id")] = format!("op-{seq:032}").into();
            entry.clone()
        })
        .collect();
    let mut row = database
        .prepare("UPDATE resources SET spec = $1, revision = revision + 1 WHERE kind = 'Budget' AND name = $2")
        .unwrap();
    let mut thing = database
        .prepare("UPDATE actual SET spec = $1 WHERE kind = 'Budget' AND external_id = $2")
        .unwrap();
    let places = vec!["?"; names.len()].join(", ");
    let mut log = database.prepare(&format!("INSERT INTO activities VALUES ({places})")).unwrap();
    timed(|| {
        database.execute_batch("BEGIN IMMEDIATE").unwrap();
        for ((name, spec, external_id), entry) in budgets.iter().zip(&entries) {
            row.execute(params![spec, name]).unwrap();
            thing.execute(params![spec, external_id]).unwrap();
            log.execute(params_from_iter(entry)).unwrap();
        }
        database.execute_batch("COMMIT").unwrap();
        database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    })
}
