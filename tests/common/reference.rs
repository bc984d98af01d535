//! `docs/commands.md`, from the command line as clap sees it; and the examples of all help texts.

use clap::builder::StyledStr;
use clap::{Arg, Command};
use std::fmt::Write as _;

/// Every command with its words from the top, parents before children; clap's own `help` aside.
pub fn commands(root: &Command) -> Vec<(String, &Command)> {
    let mut all = vec![(root.get_name().to_owned(), root)];
    let mut at = 0;
    while let Some((path, command)) = all.get(at).cloned() {
        let subs = command.get_subcommands().filter(|sub| sub.get_name() != "help");
        let subs: Vec<_> = subs.map(|sub| (format!("{path} {}", sub.get_name()), sub)).collect();
        all.splice(at + 1..at + 1, subs);
        at += 1;
    }
    all
}

/// The lines of a help text's examples.
pub fn examples(command: &Command) -> Vec<String> {
    let text = text(command.get_after_help());
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| segments(line).iter().any(|words| is_ours(words)))
        .map(str::to_owned)
        .collect()
}

fn is_ours(words: &[String]) -> bool {
    words.first().is_some_and(|word| word == "partnerctl")
}

/// The calls of partnerctl in a line for a shell, without redirections and comments.
pub fn calls(line: &str) -> Vec<Vec<String>> {
    segments(line).into_iter().filter(|words| is_ours(words)).collect()
}

/// The words of each command of a line: enough of a shell for examples.
fn segments(line: &str) -> Vec<Vec<String>> {
    let mut segments = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    let end = |word: &mut Option<String>, segments: &mut Vec<Vec<String>>| {
        segments.last_mut().unwrap().extend(word.take());
    };
    for character in line.chars() {
        match (quote, character) {
            (Some(mark), _) if mark == character => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(character),
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, ' ') => end(&mut word, &mut segments),
            (None, '|' | '&' | ';') => {
                end(&mut word, &mut segments);
                segments.push(Vec::new());
            }
            (None, _) => word.get_or_insert_default().push(character),
        }
    }
    end(&mut word, &mut segments);
    assert!(quote.is_none(), "a quote is open: {line}");
    for words in &mut segments {
        if let Some(at) = words.iter().position(|word| word.starts_with(['>', '<'])) {
            words.truncate(at);
        }
    }
    segments.retain(|words| !words.is_empty());
    segments
}

/// The whole reference.
pub fn markdown(root: &Command) -> String {
    let mut root = root.clone();
    root.build();
    let commands = commands(&root);
    let mut out = String::from(
        "# Commands\n\nMade from the program's own help by `UPDATE_EXPECT=1 cargo test`. \
         Whatever stands here also stands in `partnerctl help COMMAND`.\n\n",
    );
    for (path, command) in &commands[1..] {
        let link = path.replace(' ', "-");
        let _ = writeln!(out, "- [`{path}`](#{link}): {}", text(command.get_about()));
    }
    for (path, command) in &commands {
        let _ = write!(out, "\n## {path}\n\n");
        let _ = writeln!(out, "{}.\n", text(command.get_about()));
        let about = text(command.get_long_about().or(command.get_about()));
        if let Some((_, rest)) = about.split_once("\n\n") {
            let _ = writeln!(out, "{rest}\n");
        }
        let usage = text(Some(&Command::clone(command).render_usage()));
        out.push_str("```text\n");
        for line in usage.replace("Usage: ", "").lines() {
            let _ = writeln!(out, "{}", line.trim_start());
        }
        out.push_str("```\n");
        let global = *path == root.get_name();
        let own = |arg: &&Arg| {
            !arg.is_hide_set()
                && !matches!(arg.get_id().as_str(), "help" | "version")
                && arg.is_global_set() == global
        };
        let args: Vec<&Arg> = command.get_arguments().filter(own).collect();
        if !args.is_empty() {
            let title = if global { "Options of every command" } else { "Arguments and options" };
            let _ = write!(out, "\n| {} | |\n|---|---|\n", title.to_lowercase());
            for arg in args {
                let (name, about) = (cell(&shown(arg)), cell(&about_arg(arg)));
                let _ = writeln!(out, "| `{name}` | {about} |");
            }
        }
        let after = text(command.get_after_help());
        for part in after.split("\n\n").filter(|part| !part.is_empty()) {
            let (title, lines) = part.split_once('\n').unwrap_or((part, ""));
            let _ = write!(out, "\n{title}\n");
            if lines.is_empty() {
                continue;
            }
            out.push_str("\n```text\n");
            for line in lines.lines() {
                let _ = writeln!(out, "{}", line.strip_prefix("  ").unwrap_or(line));
            }
            out.push_str("```\n");
        }
    }
    out
}

fn text(styled: Option<&StyledStr>) -> String {
    styled.map(ToString::to_string).unwrap_or_default()
}

/// An argument with its names and its value: `-o, --output <OUTPUT>`.
fn shown(arg: &Arg) -> String {
    let values = arg.get_value_names().unwrap_or_default();
    let values: Vec<&str> = values.iter().map(|name| name.as_str()).collect();
    let mut names: Vec<String> = Vec::new();
    names.extend(arg.get_short().map(|short| format!("-{short}")));
    names.extend(arg.get_long().map(|long| format!("--{long}")));
    let (value, names) = (values.join(" "), names.join(", "));
    let more =
        if arg.get_num_args().is_some_and(|count| count.max_values() > 1) { "..." } else { "" };
    match (names.is_empty(), arg.get_action().takes_values()) {
        (true, _) if arg.is_required_set() => format!("<{value}>{more}"),
        (true, _) => format!("[{value}]{more}"),
        (false, true) => format!("{names} <{value}>{more}"),
        (false, false) => names,
    }
}

/// What an argument is: its help, its values with theirs, its default, its environment variable.
fn about_arg(arg: &Arg) -> String {
    let mut about = text(arg.get_long_help().or(arg.get_help()));
    if !arg.is_hide_possible_values_set() && arg.get_action().takes_values() {
        for value in arg.get_possible_values() {
            let help = text(value.get_help());
            let help = if help.is_empty() { help } else { format!(": {help}") };
            let _ = write!(about, "<br>`{}`{help}", value.get_name());
        }
    }
    let defaults: Vec<_> = arg.get_default_values().iter().map(|v| v.to_string_lossy()).collect();
    if !defaults.is_empty() && arg.get_action().takes_values() {
        let _ = write!(about, "<br>default: `{}`", defaults.join(" "));
    }
    if let Some(variable) = arg.get_env() {
        let _ = write!(about, "<br>environment: `{}`", variable.to_string_lossy());
    }
    about
}

/// A text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace("\n\n", "<br>").replace('\n', " ").replace('|', "\\|")
}
