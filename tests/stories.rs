//! Every story of `tests/stories`, the tour of the README and the sessions in the chapters of `docs`.

use crate::common::{TestEnv, files, transcript};
use std::path::{Path, PathBuf};

#[test]
fn stories_print_what_they_say() {
    assert_all_hold(&files("stories", "md"));
}

/// Replays sessions, each in a folder of its own, and says of which the output differs.
fn assert_all_hold(paths: &[PathBuf]) {
    let mut failed = Vec::new();
    for path in paths {
        let result = std::panic::catch_unwind(|| transcript::check(path, &TestEnv::new()));
        if result.is_err() {
            failed.push(path.file_name().unwrap().to_owned());
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn the_sessions_in_the_chapters_print_what_they_say() {
    let mut chapters = files("../docs", "md");
    chapters.retain(|path| std::fs::read_to_string(path).unwrap().contains("\n```console\n"));
    let names: Vec<_> = chapters.iter().map(|path| path.file_name().unwrap()).collect();
    assert!(names.contains(&"policies.md".as_ref()), "{names:?}");
    assert_all_hold(&chapters);
}

#[test]
fn the_tour_of_the_readme_prints_what_it_says() {
    transcript::check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"), &TestEnv::new());
}
