//! `completions`: for shells, and the words for kinds that they complete.

use crate::cli::error::{CommandError, Exit};
use crate::cli::ui::Ui;
use crate::kinds::KINDS;
use clap::Args;
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap_complete::Shell;
use std::ffi::OsStr;

/// Print completions for a shell
///
/// The script completes commands, options, their values and the names of kinds. Put it where your
/// shell looks for such scripts, then begin a new one.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    partnerctl completions bash > ~/.local/share/bash-completion/completions/partnerctl\n  \
    partnerctl completions zsh > ~/.zfunc/_partnerctl\n  \
    partnerctl completions fish > ~/.config/fish/completions/partnerctl.fish")]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub fn run(args: &CompletionsArgs, ui: &mut Ui) -> Result<Exit, CommandError> {
    let mut script = Vec::new();
    let mut command = super::command();
    clap_complete::generate(args.shell, &mut command, "partnerctl", &mut script);
    ui.data(&String::from_utf8_lossy(&script));
    if args.shell == Shell::Fish {
        ui.data(&fish_arguments(&command));
    }
    Ok(Exit::Done)
}

/// What clap leaves out for fish: the values of arguments without a dash.
fn fish_arguments(command: &clap::Command) -> String {
    let mut out = String::new();
    for sub in command.get_subcommands() {
        for arg in sub.get_positionals() {
            let values: Vec<String> = arg
                .get_possible_values()
                .iter()
                .map(|value| {
                    let about = value.get_help().map(ToString::to_string).unwrap_or_default();
                    format!("{}\\t'{}'", value.get_name(), about.replace('\'', "\\'"))
                })
                .collect();
            if !values.is_empty() {
                out.push_str(&format!(
                    "complete -c partnerctl -n \"__fish_partnerctl_using_subcommand {}\" -f -a \"{}\"\n",
                    sub.get_name(),
                    values.join("\n")
                ));
            }
        }
    }
    out
}

/// A kind as people type it. Any text is taken, since commands say better what is wrong with it; the
/// plurals are what shells complete.
#[derive(Debug, Clone, Copy)]
pub struct KindWord {
    /// Whether `all` is one of them.
    pub all: bool,
}

impl TypedValueParser for KindWord {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let kinds = KINDS.iter().map(|entry| (entry.facts.plural, entry.facts.about));
        let all = self.all.then_some(("all", "Every kind"));
        let value = |(word, about)| PossibleValue::new(word).help(about);
        Some(Box::new(kinds.chain(all).map(value)))
    }
}
