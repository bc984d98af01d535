//! Scripted sessions: commands with their output, as they stand in stories and in the README.
//!
//! In a fenced block of the language `console` a line `$ command` is run by the shell (lines that
//! begin with `> ` go on with it), and what follows is what it prints, stdout and stderr together,
//! then `[exit N]` unless it exits with 0.

use super::redact::redact;
use super::{EXAMPLES, TestEnv, fake_provider, today};
use std::path::Path;

/// Runs every console block of a file in one folder and compares whole outputs. All of it is on one day.
pub fn check(path: &Path, env: &TestEnv) {
    today();
    let text = std::fs::read_to_string(path).unwrap();
    let actual = replay(&text, env);
    if redact(&actual) == redact(&text) {
        return;
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, actual).unwrap();
        return;
    }
    let (expected, actual) = (redact(&text), redact(&actual));
    let diff = similar::TextDiff::from_lines(&expected, &actual);
    panic!(
        "{} differs; UPDATE_EXPECT=1 cargo test writes it\n{}",
        path.display(),
        diff.unified_diff().header("expected", "actual")
    );
}

/// The text with every output replaced by what the commands print now.
fn replay(text: &str, env: &TestEnv) -> String {
    let mut out = String::new();
    let mut lines = text.lines().peekable();
    let mut folder = env.path().to_owned();
    while let Some(line) = lines.next() {
        out.push_str(line);
        out.push('\n');
        if line != "```console" {
            continue;
        }
        while let Some(line) = lines.next_if(|line| *line != "```") {
            let Some(command) = line.strip_prefix("$ ") else { continue };
            let mut script = command.to_owned();
            out.push_str(line);
            out.push('\n');
            while let Some(more) = lines.next_if(|line| line.starts_with("> ") || *line == ">") {
                script.push('\n');
                script.push_str(more.strip_prefix("> ").unwrap_or_default());
                out.push_str(more);
                out.push('\n');
            }
            out.push_str(&run(&script, env, &mut folder));
        }
    }
    out
}

/// Runs one command; a `cd` holds for those after it.
fn run(script: &str, env: &TestEnv, folder: &mut std::path::PathBuf) -> String {
    let wrapped = format!("{script}\ncode=$?; pwd > \"$HOME/.folder\"; exit $code");
    let output = env
        .command("sh")
        .current_dir(&folder)
        .args(["-c", &format!("exec 2>&1\n{wrapped}")])
        .output()
        .unwrap();
    if let Ok(text) = std::fs::read_to_string(env.path().join(".folder")) {
        *folder = text.trim().into();
    }
    let mut text = String::from_utf8_lossy(&output.stdout)
        .replace(&env.path().display().to_string(), "[DIR]")
        .replace(&fake_provider().display().to_string(), "[FAKE]")
        .replace(EXAMPLES, "[EXAMPLES]");
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    match output.status.code() {
        Some(0) => {}
        Some(code) => text.push_str(&format!("[exit {code}]\n")),
        None => text.push_str("[killed]\n"),
    }
    text
}
