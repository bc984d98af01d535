//! `approve`: say beforehand that a plan may be applied, whatever it risks.

use crate::cli::error::{CommandError, Exit};
use crate::cli::pass::Pass;
use crate::cli::session::PassArgs;
use crate::cli::settings::{FileArgs, Settings};
use crate::cli::table::{Leave, Table};
use crate::cli::ui::Ui;
use crate::cli::{saved, session};
use crate::engine::Workspace;
use crate::model::text::printable;
use crate::plan::render;
use crate::store::{Approval, Batch, Missing, Store, Write};
use chrono::{SubsecRound, Utc};
use clap::Args;
use std::path::Path;

/// Approve a plan before it is applied
///
/// The approval is for the plan with this id and no other: the id stands for what is changed and
/// from what state. It replaces --approve on the next apply of that plan, is used up by it, and
/// holds for a day (apply --plan-ttl). An id that is not of the plan of now is approved with a warning:
/// it may be of a plan that is to come. Without a plan, the approvals that are open are listed.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  partnerctl plan --out plan.json\n  \
    partnerctl approve plan.json\n  partnerctl approve 2ebb0970190b\n  \
    partnerctl approve 2ebb0970190b --withdraw\n  partnerctl approve")]
pub struct ApproveArgs {
    /// The plan: its id as plan shows it, or the file that `plan --out` saved
    #[arg(value_name = "PLAN")]
    plan: Option<String>,
    /// Take the approval back
    #[arg(long, requires = "plan")]
    withdraw: bool,
}

/// Hexadecimal digits of a plan's id.
const ID_DIGITS: usize = 12;

/// True when a word can be the id of a plan.
pub fn is_plan_id(word: &str) -> bool {
    word.len() == ID_DIGITS && word.bytes().all(|b| b.is_ascii_hexdigit())
}

pub fn run(args: &ApproveArgs, settings: &Settings, ui: &mut Ui) -> Result<Exit, CommandError> {
    let workspace = settings.workspace(&FileArgs::default(), ui)?;
    session::demand_lasting(settings, &workspace)?;
    let store = session::open(settings, &workspace, Missing::Leave)?;
    let mut store = store.ok_or_else(|| {
        session::no_store(settings, &workspace)
            .hint("a first plan is approved as it is applied: `partnerctl apply --approve WORD`, where `partnerctl status` names the word")
    })?;
    let Some(word) = &args.plan else {
        list(&store.approvals()?, ui);
        return Ok(Exit::Done);
    };
    let plan_id = if is_plan_id(word) {
        let id = word.to_lowercase();
        if !args.withdraw {
            tell_other(&id, settings, &workspace, store.as_ref(), ui);
        }
        id
    } else if Path::new(word).exists() {
        let plan = saved::parse(Path::new(word))?;
        saved::check_store(&plan, Some(store.as_ref()))?;
        ui.data(&render::text(&plan, ui.colours, ui.plan_width()));
        plan.id
    } else {
        return Err(CommandError::new(format!("`{word}` is neither a plan's id nor a saved plan"))
            .hint("`partnerctl plan` shows the id, `plan --out` saves the plan"));
    };
    let write = if args.withdraw {
        if !store.approvals()?.iter().any(|given| given.plan_id == plan_id) {
            return Err(CommandError::new(format!("the plan {plan_id} is not approved"))
                .hint("`partnerctl approve` lists the plans that are"));
        }
        Write::WithdrawApproval { plan_id: plan_id.clone() }
    } else {
        let at = Utc::now().trunc_subsecs(3);
        Write::Approve(Approval { plan_id: plan_id.clone(), actor: settings.actor(&workspace), at })
    };
    store.commit(&Batch { epoch: None, writes: vec![write] })?;
    let done = if args.withdraw { "is not approved any more" } else { "is approved" };
    ui.say(&format!("the plan {plan_id} {done}"));
    Ok(Exit::Done)
}

/// Tells when an id is not of the plan of now: it may be of another one that is meant, or mistyped.
fn tell_other(
    id: &str,
    settings: &Settings,
    workspace: &Workspace,
    store: &dyn Store,
    ui: &mut Ui,
) {
    match plan_of_now(settings, workspace, store, ui) {
        Ok(now) if now == id => {}
        Ok(now) => ui.warn(&format!(
            "warning: {id} is not the plan of now, which is {now}; the approval counts once it is, or for a plan with options such as --prune"
        )),
        Err(error) => ui.warn(&format!(
            "warning: it cannot be told whether {id} is the plan of now: {}",
            error.chain()
        )),
    }
}

/// The id of the plan that `plan` without options shows.
fn plan_of_now(
    settings: &Settings,
    workspace: &Workspace,
    store: &dyn Store,
    ui: &mut Ui,
) -> Result<String, CommandError> {
    let args = PassArgs::of_everything();
    let mut input = session::read(settings, workspace, &args)?;
    let provider = session::provider(settings, workspace)?;
    let pass = Pass::new(settings, workspace, &args, provider.as_ref(), Utc::now());
    Ok(pass.plan(&mut input, Some(store), ui)?.plan.id)
}

fn list(approvals: &[Approval], ui: &mut Ui) {
    if approvals.is_empty() {
        ui.say("no plan is approved and not applied");
        return;
    }
    let heads = [("PLAN", Leave::Never), ("BY", Leave::Later), ("AT", Leave::Last)];
    let mut table = Table::new(heads);
    for Approval { plan_id, actor, at } in approvals {
        let at = at.format("%Y-%m-%d %H:%M:%S UTC").to_string();
        table.row([plan_id.clone(), printable(actor), at]);
    }
    let text = ui.fitted(&table);
    ui.data(&text);
}
