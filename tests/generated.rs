//! Generated files equal what the code makes, and what is shipped validates.

use crate::common::{TestEnv, check_file, reference};
use partnerctl::cli::schema_files;
use partnerctl::kinds::{Kinds, state};
use partnerctl::model::tree::Node;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
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

/// The parser tells options apart by the names of their fields: under one name `--as`, or its variable,
/// would be taken for the command's own option.
#[test]
fn no_option_of_a_command_is_taken_for_one_of_every_command() {
    fn walk(command: &clap::Command, all: &BTreeSet<String>, seen: &mut usize) {
        for part in command.get_subcommands() {
            for option in part.get_arguments() {
                *seen += 1;
                let (name, id) = (part.get_name(), option.get_id().as_str());
                assert!(!all.contains(id), "{name}: {id}");
            }
            walk(part, all, seen);
        }
    }
    let command = partnerctl::cli::command();
    let all = command.get_arguments().map(|option| option.get_id().to_string()).collect();
    let mut seen = 0;
    walk(&command, &all, &mut seen);
    assert!(seen > 100, "{seen}");
}

#[test]
fn machine_output_fits_its_schemas() {
    let env = TestEnv::workspace(&crate::common::customer("contoso"));
    assert_fits("plan.v1.schema.json", &env.ok(&["plan", "-o", "json"]));
    env.ok(&["apply", "--yes"]);
    env.write("manifests/all.yaml", crate::common::customer("contoso").replace("1500.00", "7.5"));
    assert_fits("plan.v1.schema.json", &env.ok(&["plan", "-o", "json"]));
    assert_fits("log.schema.json", &env.ok(&["log", "-o", "json"]));
    assert_fits("undo.v1.schema.json", &env.ok(&["undo", "5", "-o", "json"]));
    env.ok(&["suspend", "budget/contoso", "--until", "2098-01-01"]);
    assert_fits("plan.v1.schema.json", &env.ok(&["plan", "-o", "json"]));
    assert_fits("plan.v1.schema.json", &env.ok(&["plan", "-o", "json", "--at", "2099-01-01"]));
    assert_fits("status.v1.schema.json", &env.ok(&["status", "-o", "json"]));
    assert_fits("list.schema.json", &env.ok(&["get", "all", "-o", "json"]));
    assert_fits("checkpoint.v1.schema.json", &env.ok(&["log", "checkpoint"]));
    assert_fits("validate.schema.json", &env.ok(&["validate", "--format", "json"]));
    assert_fits("why.v1.schema.json", &env.ok(&["why", "rp/contoso", "-o", "json"]));
    assert_fits("explain-kind.schema.json", &env.ok(&["explain", "budget", "-o", "json"]));
    assert_fits("explain-code.schema.json", &env.ok(&["explain", "B0105", "-o", "json"]));
    let rules = "policies:\n  - {name: a, match: {kinds: [Budget]}, effect: requireApproval, by: AdminAgent}\n  \
        - {name: b, match: {kinds: [Budget]}, effect: deny}\n  - {name: c, match: {kinds: [Budget]}, effect: warn}\n";
    env.write("partnerctl.yaml", format!("set: test\n{rules}"));
    assert_fits("plan.v1.schema.json", &env.ok(&["plan", "-o", "json"]));
    env.write("tests/nothing-expected/case.yaml", "");
    let cases = env.run(&["test", "-o", "json"]);
    assert_fits("test.v1.schema.json", &String::from_utf8(cases.stdout).unwrap());
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
fn the_example_of_policies_fits_the_schemas_of_settings_and_cases() {
    let example = root().join("examples/policies");
    for (schema, file) in [
        ("workspace.schema.json", "partnerctl.yaml"),
        ("case.schema.json", "tests/first-apply/case.yaml"),
        ("case.schema.json", "tests/gold-budgets-stay/case.yaml"),
    ] {
        let text = std::fs::read_to_string(example.join(file)).unwrap();
        let value: serde_json::Value = serde_yaml::from_str(&text).unwrap();
        assert_fits(schema, &value.to_string());
    }
}

#[test]
fn every_setting_that_init_shows_holds_once_it_is_no_comment_any_more() {
    let env = TestEnv::new();
    env.ok(&["init", "."]);
    let text = std::fs::read_to_string(env.path().join("partnerctl.yaml")).unwrap();
    let (mut shown, mut names) = (String::new(), Vec::new());
    for paragraph in text.split("\n\n") {
        let lines = paragraph.lines().map(|line| line.strip_prefix("# ").unwrap_or(line));
        // What explains a setting stands before it, in sentences.
        let name = |line: &&str| {
            let (name, _) = line.split_once(':').unwrap_or_default();
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphabetic()) && name != "warn"
        };
        let setting: Vec<&str> = lines.skip_while(|line| !name(line)).collect();
        names.extend(setting.first().map(|line| line.split(':').next().unwrap().to_owned()));
        shown.push_str(&(setting.join("\n") + "\n"));
    }
    assert_eq!(names, ["set", "actor", "store", "limits", "policies", "watch"]);
    env.write("partnerctl.yaml", &shown);
    let value: serde_json::Value = serde_yaml::from_str(&shown).unwrap();
    assert_fits("workspace.schema.json", &value.to_string());
    env.ok(&["validate"]);
    // The rules that are shown match the manifest that stands beside them.
    let plan = env.ok(&["plan"]);
    assert!(plan.contains("policy large-budgets-are-seen holds 1 change"), "{plan}");
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
fn examples_are_planned_in_the_checkout_of_a_job_as_their_state_is_worth_nothing() {
    // What is to be forked has a pipeline, and a store outside.
    let examples = ["quickstart", "distributor", "policies", "reservations"];
    for folder in examples.map(|name| format!("examples/{name}")) {
        let env = TestEnv::new();
        std::fs::create_dir(env.path().join(".git")).unwrap();
        let settings = std::fs::read(root().join(&folder).join("partnerctl.yaml")).unwrap();
        env.write(&format!("{folder}/partnerctl.yaml"), settings);
        env.write(&format!("{folder}/manifests/none.yaml"), "");
        let mut command = env.command(env!("CARGO_BIN_EXE_partnerctl"));
        command.args(["plan", "-f", &folder]);
        let output = command.env("CI", "true").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
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

/// The results of one method, as a schema of its own.
fn result_schema(definition: &str) -> jsonschema::Validator {
    let files = schema_files();
    let (_, text) =
        files.iter().find(|(name, _)| name == "provider-results.v1.schema.json").unwrap();
    let all: Value = serde_json::from_str(text).unwrap();
    let schema = json!({"$schema": all["$schema"], "$defs": all["$defs"],
        "$ref": format!("#/$defs/{definition}")});
    jsonschema::validator_for(&schema).unwrap()
}

fn result_definition(request: &Value) -> &'static str {
    match (request["method"].as_str().unwrap(), request["params"]["by"].as_str()) {
        ("hello", _) => "HelloResult",
        ("observe", _) => "ObserveResult",
        ("perform", _) => "PerformResult",
        ("lookup", Some("requestKey")) => "KeyResult",
        ("lookup", _) => "FindResult",
        (other, _) => panic!("no method {other}"),
    }
}

/// Reads every thing in an answer as partnerctl does.
fn assert_things_can_be(kinds: &Kinds, value: &Value) {
    if let (Some(kind), Some(spec)) = (value["kind"].as_str(), value.get("spec")) {
        let entry = kinds.get(kind).unwrap_or_else(|| panic!("no kind {kind}"));
        let (spec, faults) = state::read(entry, &Node::from_json(spec).unwrap());
        let faults: Vec<_> = faults.iter().map(|fault| &fault.message).collect();
        assert!(faults.is_empty(), "{faults:?}\n{value:#}");
        assert_eq!((entry.check_observed)(&spec), None, "{value:#}");
    }
    let things = value.get("items").and_then(Value::as_array).into_iter().flatten();
    things.chain(value.get("thing")).for_each(|thing| assert_things_can_be(kinds, thing));
}

#[test]
fn the_examples_of_the_provider_protocol_fit_its_schemas() {
    let text = std::fs::read_to_string(root().join("docs/provider-protocol.md")).unwrap();
    let kinds = Kinds::default();
    let mut open: BTreeMap<u64, &str> = BTreeMap::new();
    let mut answered = BTreeSet::new();
    let blocks = text.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    for message in blocks.flat_map(|block| serde_json::Deserializer::from_str(block).into_iter()) {
        let message: Value = message.unwrap();
        let id = message["id"].as_u64().unwrap();
        if message.get("method").is_some() {
            assert_fits("provider-request.v1.schema.json", &message.to_string());
            assert!(open.insert(id, result_definition(&message)).is_none(), "{id} is open");
            continue;
        }
        assert_fits("provider-response.v1.schema.json", &message.to_string());
        let definition = open.remove(&id).unwrap_or_else(|| panic!("{id} was not asked"));
        if let Some(result) = message.get("result") {
            let wrong: Vec<_> =
                result_schema(definition).iter_errors(result).map(|e| e.to_string()).collect();
            assert!(wrong.is_empty(), "{definition}: {wrong:?}\n{result:#}");
            assert_things_can_be(&kinds, result);
            answered.insert(definition);
        }
    }
    assert!(open.is_empty(), "not answered: {open:?}");
    assert_eq!(answered.len(), 5, "{answered:?}");
    let schema: Value = serde_json::to_value(partnerctl::provider::exec::schemas()).unwrap();
    let codes = schema[1][1]["$defs"]["ErrorCode"]["oneOf"].as_array().unwrap();
    for code in codes.iter().map(|code| code["const"].as_str().unwrap()) {
        assert!(text.contains(&format!("\n| `{code}` |")), "the page does not tell {code}");
    }
}
