//! `completions`: for shells.

use crate::cli::error::{CommandError, Exit};
use crate::cli::ui::Ui;
use clap::Args;
use clap_complete::Shell;

/// Print completions for a shell
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  partnerctl completions bash > ~/.local/share/bash-completion/completions/partnerctl"
)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub fn run(args: &CompletionsArgs, ui: &mut Ui) -> Result<Exit, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "partnerctl", &mut script);
    ui.data(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}
