//! Rules of the repository, as code.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut open: Vec<PathBuf> = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(root()).unwrap().display().to_string();
                files.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

/// What each layer may import: design and ARCHITECTURE.md draw the same picture.
const LAYERS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("kinds", &["model"]),
    ("manifest", &["model", "kinds"]),
    ("finance", &["model"]),
    ("plan", &["model", "kinds", "finance"]),
    ("store", &["model", "plan"]),
    ("provider", &["model", "kinds", "finance", "plan", "store"]),
    ("engine", &["model", "kinds", "manifest", "finance", "plan", "store", "provider"]),
    ("cli", &["model", "kinds", "manifest", "finance", "plan", "store", "provider", "engine"]),
];
const PURE: &[&str] = &["model", "kinds", "manifest", "finance", "plan"];

#[test]
fn layers_import_only_those_below_them() {
    let allowed: BTreeMap<&str, &[&str]> = LAYERS.iter().copied().collect();
    let mut seen = BTreeSet::new();
    for (file, text) in sources("src") {
        let Some(layer) = file.strip_prefix("src/").and_then(|f| f.split_once('/')).map(|(l, _)| l)
        else {
            continue;
        };
        let may = allowed.get(layer).unwrap_or_else(|| panic!("{file}: a layer nobody knows"));
        seen.insert(layer.to_owned());
        for (number, line) in text.lines().enumerate() {
            for target in line.split("crate::").skip(1) {
                let target: String = target.chars().take_while(char::is_ascii_lowercase).collect();
                let known = allowed.contains_key(target.as_str());
                assert!(
                    !known || target == layer || may.contains(&target.as_str()),
                    "{file}:{}: {layer} imports {target}",
                    number + 1
                );
            }
        }
    }
    assert_eq!(seen.len(), LAYERS.len(), "{seen:?}");
}

#[test]
fn pure_layers_forbid_effects_at_their_top() {
    for layer in PURE {
        let text = std::fs::read_to_string(root().join(format!("src/{layer}/mod.rs"))).unwrap();
        let guard = "#![deny(clippy::disallowed_methods, clippy::disallowed_types)]";
        assert!(text.contains(guard), "src/{layer}/mod.rs lacks {guard}");
    }
    for (file, text) in sources("src") {
        let pure = PURE.iter().any(|layer| file.starts_with(&format!("src/{layer}/")));
        for word in
            ["std::fs", "std::env", "std::net", "std::process", "std::time", "tokio::", "rusqlite"]
        {
            assert!(!pure || !text.contains(word), "{file} speaks of {word}");
        }
    }
}

#[test]
fn only_the_command_line_prints() {
    for (file, text) in sources("src") {
        if !file.starts_with("src/cli/") {
            for word in ["println!", "print!(", "io::stdout", "io::stderr", "dbg!("] {
                assert!(!text.contains(word), "{file} has {word}");
            }
        }
    }
}

#[test]
fn every_file_says_what_it_is_and_none_is_a_warehouse() {
    for (file, text) in sources("src").into_iter().chain(sources("tests")) {
        assert!(text.starts_with("//!"), "{file} does not begin with //!");
        assert!(text.lines().count() <= 720, "{file} has {} lines", text.lines().count());
        let name = Path::new(&file).file_stem().unwrap().to_str().unwrap();
        assert!(
            !["utils", "util", "helpers", "helper", "manager", "common2"].contains(&name),
            "{file}"
        );
    }
}

#[test]
fn every_code_is_given_to_something_and_shown_in_a_test() {
    let codes = std::fs::read_to_string(root().join("src/model/code.rs")).unwrap();
    let sources: String = sources("src").into_iter().map(|(_, text)| text).collect();
    let mut shown = String::new();
    for folder in ["tests/stories", "tests/manifests/invalid", "tests"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                shown.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    for line in codes.lines().filter(|line| line.contains(" = \"")) {
        let (name, rest) = line.trim().split_once(" = ").unwrap();
        let code = rest.trim_start_matches('"').split('"').next().unwrap();
        assert!(sources.contains(&format!("code::{name}")), "{name} is never given");
        assert!(shown.contains(code), "{code} ({name}) is in no test");
    }
}

#[test]
fn no_test_file_is_forgotten() {
    let main = std::fs::read_to_string(root().join("tests/main.rs")).unwrap();
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for (file, _) in sources("tests") {
        if manifest.contains(&format!("path = \"{file}\"")) {
            continue;
        }
        let name = file.strip_prefix("tests/").unwrap();
        if !name.contains('/') && name != "main.rs" {
            let module = format!("mod {};", name.trim_end_matches(".rs"));
            assert!(main.contains(&module), "{file} is not in tests/main.rs");
        }
    }
}

#[test]
fn no_test_is_switched_off_and_no_float_touches_money() {
    for (file, text) in sources("src").into_iter().chain(sources("tests")) {
        if file == "tests/tidy.rs" {
            continue;
        }
        for word in ["#[ignore", "should_panic", "todo!(", "unimplemented!("] {
            assert!(!text.contains(word), "{file} has {word}");
        }
        for word in ["f32", "f64"] {
            let hit = text.split(|c: char| !c.is_ascii_alphanumeric()).any(|token| token == word);
            assert!(!hit || file.starts_with("src/model/decode/"), "{file} has {word}");
        }
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut documents: Vec<PathBuf> =
        ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "BENCHMARKS.md"].map(Into::into).into();
    for folder in ["docs", "examples/gitops", "examples/provider-python"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            documents.push(Path::new(folder).join(entry.unwrap().file_name()));
        }
    }
    documents.retain(|path| path.extension().is_some_and(|ending| ending == "md"));
    let mut links = 0;
    for document in documents {
        let text = std::fs::read_to_string(root().join(&document)).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (file, _) = link.split_once('#').unwrap_or((link, ""));
            let is_here =
                !file.is_empty() && !file.contains(':') && !file.contains(char::is_whitespace);
            if is_here {
                let target = root().join(document.parent().unwrap()).join(file);
                assert!(target.exists(), "{} leads to {link}", document.display());
                links += 1;
            }
        }
    }
    assert!(links > 15, "{links}");
}
