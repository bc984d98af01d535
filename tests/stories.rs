//! Every story of `tests/stories`, and the tour of the README.

use crate::common::{TestEnv, files, transcript};
use std::path::Path;

#[test]
fn stories_print_what_they_say() {
    let mut failed = Vec::new();
    for path in files("stories", "md") {
        let result = std::panic::catch_unwind(|| transcript::check(&path, &TestEnv::new()));
        if result.is_err() {
            failed.push(path.file_name().unwrap().to_owned());
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn the_tour_of_the_readme_prints_what_it_says() {
    transcript::check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"), &TestEnv::new());
}
