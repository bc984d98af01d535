//! `tests/manifests/invalid/<rule>.yaml` breaks one rule (or tells how several go together) and is
//! refused with the text beside it; `valid/<rule>.yaml` is taken. The JSON Schemas agree wherever a
//! rule is one of a single document.

use crate::common::{TestEnv, check_file, files};
use partnerctl::kinds::Kinds;
use partnerctl::manifest::schema::{combined, kind_schema};
use std::path::{Path, PathBuf};

fn validate(path: &std::path::Path) -> (Option<i32>, String) {
    let env = TestEnv::new();
    let name = path.file_name().unwrap().to_str().unwrap();
    env.write(name, std::fs::read(path).unwrap());
    let output = env.run(&["validate", "--offline", "-f", name]);
    let text =
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code(), text)
}

#[test]
fn invalid_manifests_are_refused_with_place_and_remedy() {
    for path in files("manifests/invalid", "yaml") {
        let (code, text) = validate(&path);
        assert_eq!(code, Some(1), "{}: {text}", path.display());
        check_file(&path.with_extension("expected"), &text);
    }
}

#[test]
fn valid_manifests_are_taken() {
    for path in files("manifests/valid", "yaml") {
        let (code, text) = validate(&path);
        assert_eq!(code, Some(0), "{}: {text}", path.display());
    }
}

/// The documents of a file as JSON, as an editor's YAML reader sees them.
fn documents(text: &str) -> Vec<serde_json::Value> {
    use serde::Deserialize;
    serde_yaml::Deserializer::from_str(text)
        .filter_map(|document| serde_json::Value::deserialize(document).ok())
        .filter(|document| !document.is_null())
        .collect()
}

/// Manifests that the reader takes, with where they stand: those of the tests, those that `explain`
/// shows, and those of the examples.
fn taken() -> Vec<(String, String)> {
    fn below(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                below(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "yaml") {
                found.push(path);
            }
        }
    }
    let mut paths = files("manifests/valid", "yaml");
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for example in std::fs::read_dir(&examples).unwrap() {
        let manifests = example.unwrap().path().join("manifests");
        if manifests.is_dir() {
            below(&manifests, &mut paths);
        }
    }
    let read = |path: PathBuf| (path.display().to_string(), std::fs::read_to_string(path).unwrap());
    let mut taken: Vec<_> = paths.into_iter().map(read).collect();
    assert!(taken.len() > 15, "{}", taken.len());
    let kinds = Kinds::default();
    taken.extend(
        kinds.iter().map(|kind| (kind.facts.kind.to_owned(), kind.facts.example.to_owned())),
    );
    taken
}

#[test]
fn the_schema_takes_what_the_reader_takes_and_refuses_what_one_document_shows_wrong() {
    let schema = jsonschema::validator_for(&combined(&Kinds::default())).unwrap();
    for (name, text) in taken() {
        for document in documents(&text) {
            let errors: Vec<_> = schema.iter_errors(&document).map(|e| e.to_string()).collect();
            assert!(errors.is_empty(), "{name}: {errors:?}\n{document:#}");
            let kind = document["kind"].as_str().unwrap();
            let own = kind_schema(Kinds::default().get(kind).unwrap());
            let own = jsonschema::validator_for(&own).unwrap();
            let errors: Vec<_> = own.iter_errors(&document).map(|e| e.to_string()).collect();
            assert!(errors.is_empty(), "{name}: {errors:?}\n{document:#}");
        }
    }
    // Rules that a schema can say; the file's first line marks those it cannot.
    for path in files("manifests/invalid", "yaml") {
        let text = std::fs::read_to_string(&path).unwrap();
        if text.starts_with("# beyond the schema") {
            continue;
        }
        let refused = documents(&text).iter().any(|document| !schema.is_valid(document));
        assert!(refused, "{}: the schema takes it", path.display());
    }
}
