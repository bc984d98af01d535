//! Generated files equal what the code makes, and what is shipped validates.

use crate::common::{TestEnv, check_file, reference};
use partnerctl::cli::schema_files;
use partnerctl::kinds::Kinds;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_schemas_are_those_of_the_types() {
    let folder = root().join("schemas");
    let mut names = Vec::new();
    for (name, text) in schema_files() {
        check_file(&folder.join(&name), &text);
        names.push(name);
    }
    names.sort();
    let mut found: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, names, "files in schemas/ that nothing makes");
}

pub fn schema(name: &str) -> jsonschema::Validator {
    let files = schema_files();
    let (_, text) = files.iter().find(|(file, _)| file == name).unwrap();
    jsonschema::validator_for(&serde_json::from_str(text).unwrap()).unwrap()
}

fn assert_fits(name: &str, document: &str) {
    let document: serde_json::Value = serde_json::from_str(document).unwrap();
    let errors: Vec<_> = schema(name).iter_errors(&document).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{name}: {errors:?}\n{document:#}");
}

#[test]
fn machine_output_fits_its_schemas() {
    let env = TestEnv::workspace(&crate::common::customer("contoso"));
    assert_fits("plan.v1.schema.json", &env.ok(&["plan", "-o", "json"]));
    env.ok(&["apply", "--yes"]);
    env.write("manifests/all.yaml", crate::common::customer("contoso").replace("1500.00", "7.5"));
    assert_fits("plan.v1.schema.json", &env.ok(&["plan", "-o", "json"]));
    assert_fits("log.schema.json", &env.ok(&["log", "-o", "json"]));
    assert_fits("list.schema.json", &env.ok(&["get", "all", "-o", "json"]));
    assert_fits("checkpoint.v1.schema.json", &env.ok(&["log", "checkpoint"]));
    assert_fits("validate.schema.json", &env.ok(&["validate", "--format", "json"]));
    assert_fits("why.v1.schema.json", &env.ok(&["why", "rp/contoso", "-o", "json"]));
    assert_fits("explain-kind.schema.json", &env.ok(&["explain", "budget", "-o", "json"]));
    assert_fits("explain-code.schema.json", &env.ok(&["explain", "B0105", "-o", "json"]));
    env.write("manifests/bad.yaml", "kind: Budgets\n");
    let bad = env.run(&["validate", "--format", "json"]);
    assert_fits("validate.schema.json", &String::from_utf8(bad.stdout).unwrap());
}

#[test]
fn the_example_of_every_kind_validates() {
    let all: Vec<_> = Kinds::default().iter().map(|entry| entry.facts.example).collect();
    let env = TestEnv::workspace(&all.join("---\n"));
    env.ok(&["validate"]);
    assert_eq!(env.summary()["create"], all.len());
}

#[test]
fn the_quickstart_applies_with_yes_alone() {
    let env = TestEnv::new();
    let source = root().join("examples/quickstart");
    for name in ["partnerctl.yaml", "manifests/contoso.yaml"] {
        env.write(
            &format!("examples/quickstart/{name}"),
            std::fs::read(source.join(name)).unwrap(),
        );
    }
    env.ok(&["apply", "-f", "examples/quickstart", "--yes"]);
    let again = env.run(&["plan", "-f", "examples/quickstart", "--detailed-exitcode"]);
    assert_eq!(again.status.code(), Some(0));
}

#[test]
fn every_command_helps_with_a_first_line_a_paragraph_and_examples() {
    let root = partnerctl::cli::command();
    for (path, command) in reference::commands(&root) {
        let about = command.get_about().unwrap_or_else(|| panic!("{path} has no first line"));
        assert!(!about.to_string().ends_with('.'), "{path}: a first line ends without a full stop");
        assert!(command.get_long_about().is_some(), "{path} has no paragraph");
        assert!(!reference::examples(command).is_empty(), "{path} has no example");
    }
}

#[test]
fn every_example_of_a_help_text_is_a_command_line() {
    let root = partnerctl::cli::command();
    for (path, command) in reference::commands(&root) {
        let examples = reference::examples(command);
        let own = examples
            .iter()
            .flat_map(|line| reference::calls(line))
            .any(|words| words.join(" ").starts_with(&path));
        assert!(own, "no example of {path} is one: {examples:?}");
        for words in examples.iter().flat_map(|line| reference::calls(line)) {
            let parsed = root.clone().try_get_matches_from(&words);
            let is_help = |error: &clap::Error| !error.use_stderr();
            assert!(
                parsed.as_ref().err().is_none_or(is_help),
                "{path}: {words:?}\n{}",
                parsed.unwrap_err()
            );
        }
    }
}

#[test]
fn the_reference_of_commands_is_the_help() {
    let text = reference::markdown(&partnerctl::cli::command());
    check_file(&root().join("docs/commands.md"), &text);
}
