//! Asking for what the options and earlier approvals do not answer.

use crate::cli::error::Exit;
use crate::cli::ui::Ui;
use crate::kinds::Risk;
use crate::model::text::{counted, printable};
use crate::plan::Plan;
use clap::{Args, ValueEnum};

/// What is answered beforehand.
#[derive(Args, Debug)]
pub struct ConsentArgs {
    /// Answer yes for reversible changes
    #[arg(short, long)]
    pub yes: bool,
    /// Approve changes of this risk; irreversible includes costly
    #[arg(long, value_enum, value_name = "RISK")]
    pub approve: Vec<Approval>,
}

/// A risk that is taken on purpose.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, PartialOrd)]
pub enum Approval {
    /// Money is spent or service stops
    Costly,
    /// It cannot be undone
    Irreversible,
}

/// Changes named in a question.
const NAMED_MAX: usize = 5;

/// Asks; `Some` when nothing may be applied. `approved` says that somebody approved this very plan,
/// `command` is what to type instead of answering.
pub fn ask(
    args: &ConsentArgs,
    plan: &Plan,
    approved: bool,
    command: &str,
    ui: &mut Ui,
) -> Option<Exit> {
    let needed = plan.proceeding().map(|change| change.risk).max()?;
    let given = args.approve.iter().fold(Risk::Reversible, |given, approval| match approval {
        Approval::Irreversible => Risk::Irreversible,
        Approval::Costly => given.max(Risk::Costly),
    });
    let given = if approved { Risk::Irreversible } else { given };
    if given < needed {
        return ask_for_risk(args, plan, (given, needed), command, ui);
    }
    if args.yes {
        return None;
    }
    match ui.ask(&format!("Apply {}? [y/N]", counted(plan.summary.changes(), "change"))) {
        Some(answer) if matches!(answer.as_str(), "y" | "Y" | "yes") => None,
        Some(_) => {
            ui.warn("nothing was applied");
            Some(Exit::Held)
        }
        None => {
            let why = "nothing was applied: nobody is there to ask";
            ui.warn(&format!("{why}\n  → {command} --yes"));
            Some(Exit::Held)
        }
    }
}

/// On a terminal the person who reads the plan may approve its risk by name.
fn ask_for_risk(
    args: &ConsentArgs,
    plan: &Plan,
    (given, needed): (Risk, Risk),
    command: &str,
    ui: &mut Ui,
) -> Option<Exit> {
    let risky = || plan.proceeding().filter(|change| change.risk > given);
    let count = risky().count();
    let names = |change: &crate::plan::Change| {
        printable(&format!("{} {}", change.action.as_str(), change.id))
    };
    let mut named: Vec<_> = risky().take(NAMED_MAX).map(names).collect();
    if count > NAMED_MAX {
        named.push(format!("{} more", count - NAMED_MAX));
    }
    let named = named.join(", ");
    if !args.yes
        && let Some(answer) = ui.ask(&format!(
            "{} cannot be undone for free ({named}). Type `{}` to apply all:",
            counted(count, "change"),
            needed.as_str()
        ))
    {
        if answer == needed.as_str() {
            return None;
        }
        ui.warn("nothing was applied");
        return Some(Exit::Held);
    }
    let need = if count == 1 { "needs" } else { "need" };
    ui.warn(&format!(
        "nothing was applied: {} ({named}) {need} approval\n  → {command} --yes --approve {}",
        counted(count, "change"),
        needed.as_str()
    ));
    Some(Exit::Held)
}
