//! Asking for what the options and earlier approvals do not answer.

use crate::cli::error::Exit;
use crate::cli::ui::Ui;
use crate::kinds::{AgentRole, Risk};
use crate::model::text::{counted, printable};
use crate::plan::{Change, Plan};
use clap::{Args, ValueEnum};
use std::collections::BTreeSet;

/// What is answered beforehand.
#[derive(Args, Debug)]
pub struct ConsentArgs {
    /// Answer yes for reversible changes
    #[arg(short, long)]
    pub yes: bool,
    /// Approve changes of this risk, irreversible includes costly; or those that a policy holds
    #[arg(long, value_enum, value_name = "WHAT")]
    pub approve: Vec<Approval>,
}

/// What is approved on purpose.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq)]
pub enum Approval {
    /// Money is spent or service stops
    Costly,
    /// It cannot be undone
    Irreversible,
    /// A policy of the workspace asks for it
    Policy,
}

/// What is approved beforehand, and by whom it may be.
pub struct Approvals {
    /// Somebody approved this very plan.
    pub plan: bool,
    /// What the policies ask of whoever approves is fulfilled by them.
    pub policies: bool,
    /// A role that the policies ask for, and who acts does not have.
    pub lacking: Option<AgentRole>,
}

/// Changes named in a question.
const NAMED_MAX: usize = 5;

/// What is missing before a plan may be applied.
struct Missing {
    /// Up to which risk changes are approved.
    given: Risk,
    /// The risk that nobody approved.
    risk: Option<Risk>,
    /// Whether the policies' approval is missing.
    policy: bool,
}

impl Missing {
    fn of(args: &ConsentArgs, plan: &Plan, approved: &Approvals) -> Self {
        let named = |one: Approval| args.approve.contains(&one);
        let given = if approved.plan || named(Approval::Irreversible) {
            Risk::Irreversible
        } else if named(Approval::Costly) {
            Risk::Costly
        } else {
            Risk::Reversible
        };
        let risk = plan.proceeding().map(|change| change.risk).max().filter(|risk| *risk > given);
        let wanted = plan.proceeding().any(|change| change.approvals().next().is_some());
        let may = named(Approval::Policy) && approved.lacking.is_none();
        Self { given, risk, policy: wanted && !approved.policies && !may }
    }

    /// What to type after --approve, in this order.
    fn words(&self) -> Vec<&'static str> {
        self.risk.map(Risk::as_str).into_iter().chain(self.policy.then_some("policy")).collect()
    }

    /// The same as options of `apply`.
    fn options(&self) -> String {
        let options: Vec<_> = self.words().iter().map(|word| format!("--approve {word}")).collect();
        options.join(" ")
    }

    fn concerns(&self, change: &Change) -> bool {
        change.risk > self.given || (self.policy && change.approvals().next().is_some())
    }
}

/// The options of `apply` that approve all of a plan that nobody approved yet.
pub fn options(plan: &Plan) -> String {
    let nothing = ConsentArgs { yes: false, approve: Vec::new() };
    let nobody = Approvals { plan: false, policies: false, lacking: None };
    Missing::of(&nothing, plan, &nobody).options()
}

/// Asks; `Some` when nothing may be applied. `approved` says what somebody approved beforehand,
/// `command` is what to type instead of answering.
pub fn ask(
    args: &ConsentArgs,
    plan: &Plan,
    approved: &Approvals,
    command: &str,
    ui: &mut Ui,
) -> Option<Exit> {
    plan.proceeding().next()?;
    let missing = Missing::of(args, plan, approved);
    if !missing.words().is_empty() {
        return ask_by_name(args, plan, &missing, approved.lacking, command, ui);
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

/// On a terminal the person who reads the plan may approve by name what is missing; but not in place
/// of somebody with a role that they do not have.
fn ask_by_name(
    args: &ConsentArgs,
    plan: &Plan,
    missing: &Missing,
    lacking: Option<AgentRole>,
    command: &str,
    ui: &mut Ui,
) -> Option<Exit> {
    let concerned: Vec<&Change> =
        plan.proceeding().filter(|change| missing.concerns(change)).collect();
    let count = concerned.len();
    let name = |change: &&Change| printable(&format!("{} {}", change.action.as_str(), change.id));
    let mut named: Vec<_> = concerned.iter().take(NAMED_MAX).map(name).collect();
    if count > NAMED_MAX {
        named.push(format!("{} more", count - NAMED_MAX));
    }
    let (named, words) = (named.join(", "), missing.words());
    let lacking = lacking.filter(|_| missing.policy);
    if !args.yes
        && lacking.is_none()
        && let Some(answer) = ui.ask(&question(missing, count, &named))
    {
        if answer == words.join(" ") {
            return None;
        }
        ui.warn("nothing was applied");
        return Some(Exit::Held);
    }
    let need = if count == 1 { "needs" } else { "need" };
    let what = format!("{} ({named}) {need} approval", counted(count, "change"));
    let policies = policies(&concerned);
    let of = if missing.policy { format!(" by policy {policies}") } else { String::new() };
    let next = match lacking {
        Some(role) => format!(
            "you are not {}: have one run `partnerctl approve {}`, then apply again",
            role.with_article(),
            plan.id
        ),
        None => format!("{command} --yes {}", missing.options()),
    };
    ui.warn(&format!("nothing was applied: {what}{of}\n  → {next}"));
    Some(Exit::Held)
}

fn question(missing: &Missing, count: usize, named: &str) -> String {
    let why = match (missing.risk, missing.policy) {
        (Some(_), true) => "cannot be undone for free, and a policy asks for approval",
        (Some(_), false) => "cannot be undone for free",
        (None, _) => "must be approved, as a policy asks for it",
    };
    let (count, words) = (counted(count, "change"), missing.words().join(" "));
    format!("{count} {why} ({named}). Type `{words}` to apply all:")
}

/// The policies that ask for an approval of these changes, each once.
fn policies(changes: &[&Change]) -> String {
    let rulings = changes.iter().flat_map(|change| change.approvals());
    let names: BTreeSet<&str> = rulings.map(|ruling| ruling.policy.as_str()).collect();
    printable(&names.into_iter().collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::{Approval, Approvals, ConsentArgs, Missing};
    use crate::engine::gather::load;
    use crate::engine::tree::Texts;
    use crate::kinds::{AgentRole, Kinds};
    use crate::plan::policy::{Effect, Ruling};
    use crate::plan::{Plan, PlanInput, plan};

    /// A plan with one change, which a policy holds for an AdminAgent.
    fn held() -> Plan {
        let text = "apiVersion: partnerctl.dev/v1\nkind: Customer\nmetadata: {name: contoso}\n\
            spec: {companyName: Contoso, domain: contoso.example, country: NL}\n";
        let texts = [("a.yaml".into(), text.into())].into();
        let manifests =
            load(&Kinds::default(), Texts { texts, problems: Vec::new() }, Default::default());
        let mut plan = plan(&PlanInput {
            actor: "a".to_owned(),
            desired: manifests.resources,
            ..PlanInput::new(Kinds::default(), chrono::DateTime::UNIX_EPOCH, "test")
        });
        plan.changes[0].policies = vec![Ruling {
            policy: "seen".to_owned(),
            effect: Effect::RequireApproval,
            by: Some(AgentRole::AdminAgent),
            message: String::new(),
        }];
        plan
    }

    #[test]
    fn who_lacks_the_role_that_a_policy_asks_for_cannot_approve_by_an_option() {
        let lacks = Some(AgentRole::AdminAgent);
        for (approve, policies, lacking, missing) in [
            (vec![], false, None, &["policy"][..]),
            (vec![Approval::Irreversible], false, None, &["policy"]),
            (vec![Approval::Policy], false, None, &[]),
            (vec![Approval::Policy], false, lacks, &["policy"]),
            (vec![], true, lacks, &[]),
        ] {
            let args = ConsentArgs { yes: true, approve };
            let approved = Approvals { plan: false, policies, lacking };
            let words = Missing::of(&args, &held(), &approved).words();
            assert_eq!(words, missing, "{args:?} {policies} {lacking:?}");
        }
    }
}
