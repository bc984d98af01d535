//! What of a plan a watch does by itself: not what only an approval lets through, nor, unless it
//! heals, what would put back what was changed outside.

use crate::cli::error::{CommandError, Exit};
use crate::cli::pass::Planned;
use crate::kinds::{AgentRole, Risk, Staff};
use crate::model::ResourceId;
use crate::model::text::{counted, printable};
use crate::plan::change::Undeclared;
use crate::plan::intent::Intent;
use crate::plan::selection::Drift;
use crate::plan::{Action, Change, Plan, PlanInput, Reason, Selection, plan, render};
use std::collections::BTreeSet;

/// More of one sort than this are counted, not named.
const NAMED_MAX: usize = 50;

/// What a watch may do by itself.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Whether what was changed outside is put back.
    pub heal: bool,
    /// Whether that is done also where it moves money.
    pub heal_money: bool,
    /// The most that is risked without an approval.
    pub allow: Risk,
}

/// What is chosen of a plan.
pub struct Choice {
    /// What is carried out.
    pub planned: Planned,
    /// What is held for approval.
    pub held: Option<Held>,
    /// The plan with what is held in it, where that is another one.
    whole: Option<Plan>,
    /// No longer declared, and left alone.
    undeclared: Vec<Undeclared>,
}

/// Changes that are held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The plan to approve.
    pub plan_id: String,
    /// The roles that policies ask of whoever approves.
    pub roles: BTreeSet<AgentRole>,
    /// Who may have them, as the pass that holds them saw it.
    pub staff: Staff,
    /// The changes, with what depends on them, in the order of apply.
    pub changes: Vec<HeldChange>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldChange {
    /// The resource.
    pub resource: ResourceId,
    /// What would be done.
    pub action: Action,
    /// The operation in the portal's words.
    pub operation: String,
    /// How much it risks; what is reversible, and no policy holds, depends on another that is held.
    pub risk: Risk,
    /// The policies that ask for an approval.
    pub policies: Vec<String>,
}

/// Chooses. `approved` says whether somebody of the staff approved a plan.
///
/// # Errors
/// When `approved` fails.
pub fn choose(
    planned: Planned,
    rules: Rules,
    staff: &Staff,
    approved: impl Fn(&Plan) -> Result<bool, CommandError>,
) -> Result<Choice, CommandError> {
    let Planned { gathered, plan: everything, judgement, input, next_end } = planned;
    let undeclared = everything.undeclared.clone();
    let choice = |plan, judgement, held, whole| {
        let planned = Planned { gathered, plan, judgement, input: None, next_end };
        Choice { planned, held, whole, undeclared }
    };
    let Some(input) = input else { return Ok(choice(everything, judgement, None, None)) };
    let drift = match (rules.heal, rules.heal_money) {
        (false, _) => Drift::Leave,
        (true, false) => Drift::LeaveMoney,
        (true, true) => Drift::PutBack,
    };
    let (all, judgement) = if drift != Drift::PutBack && everything.changes.iter().any(puts_back) {
        (part(&input, Selection { drift, ..Selection::default() }), None)
    } else {
        (everything, judgement)
    };
    let is_risky = all.proceeding().any(|change| change.needs_approval(rules.allow));
    if !is_risky || approved(&all)? {
        return Ok(choice(all, judgement, None, None));
    }
    let risk_max = Some(rules.allow);
    let rest = part(&input, Selection { drift, risk_max, ..Selection::default() });
    let goes: BTreeSet<&ResourceId> = rest.proceeding().map(|change| &change.id).collect();
    let held = all.proceeding().filter(|change| !goes.contains(&change.id));
    let changes = held.map(HeldChange::of).collect();
    let (plan_id, roles) = (all.id.clone(), all.roles_to_approve());
    let held = Held { plan_id, roles, staff: staff.clone(), changes };
    Ok(choice(rest, None, Some(held), Some(all)))
}

/// The plan of a part of what was gathered.
fn part(input: &PlanInput, selection: Selection) -> Plan {
    plan(&PlanInput { selection, ..input.clone() })
}

/// True when a change, or a part of it, would put back what was changed outside.
fn puts_back(change: &Change) -> bool {
    let again = change.action == Action::Create && change.reason == Reason::Gone;
    again || (change.action != Action::Adopt && change.fields.iter().any(|field| field.drift))
}

impl HeldChange {
    fn of(change: &Change) -> Self {
        Self {
            resource: change.id.clone(),
            action: change.action,
            operation: change.operation.to_string(),
            risk: change.risk,
            policies: change.approvals().map(|ruling| ruling.policy.clone()).collect(),
        }
    }

    /// What would be done, in one line.
    fn what(&self) -> String {
        let Self { resource, action, operation, risk: _, policies: _ } = self;
        printable(&format!("{} {resource}: {operation}", action.as_str()))
    }

    /// The same with why it is held.
    fn line(&self) -> String {
        let risk = Some(self.risk).filter(|risk| *risk > Risk::Reversible);
        let policies = self.policies.iter().map(|policy| printable(&format!("policy {policy}")));
        let why: Vec<String> =
            risk.map(|risk| risk.as_str().to_owned()).into_iter().chain(policies).collect();
        let why =
            if why.is_empty() { "depends on what is held".to_owned() } else { why.join(", ") };
        format!("{} ({why})", self.what())
    }
}

impl Choice {
    /// The plan of everything that was to be done.
    pub fn whole(&self) -> &Plan {
        self.whole.as_ref().unwrap_or(&self.planned.plan)
    }

    /// True when nothing is to be written, in the store or outside.
    pub fn is_nothing(&self) -> bool {
        let open =
            self.planned.gathered.intents.iter().any(|intent: &Intent| intent.state.is_open());
        let plan = &self.planned.plan;
        !open
            && (!plan.refused.is_empty()
                || (plan.is_empty()
                    && plan.records.is_empty()
                    && plan.ended_suspensions.is_empty()))
    }

    /// How `apply` exits when all of it went well.
    pub fn exit(&self) -> Exit {
        let whole = self.whole();
        let stands = self.held.is_some() || !whole.refused.is_empty() || whole.summary.blocked > 0;
        if stands { Exit::Held } else { Exit::Done }
    }

    /// What somebody should know, each in a text of its own.
    pub fn causes(&self, commands: &Commands) -> Vec<String> {
        let whole = self.whole();
        let mut causes = Vec::new();
        // An approval lets no brake go: it would help nobody then.
        if let Some(held) = self.held.as_ref().filter(|_| whole.refused.is_empty()) {
            causes.push(held.text(&commands.approve));
        }
        causes.extend(refused(whole, commands));
        let of_changes = whole.changes.iter().filter_map(stands_against);
        let of_resources = whole.warnings.iter().filter_map(|warning| {
            Some(printable(&format!("{}: {}", warning.resource.as_ref()?, warning.message)))
        });
        causes.extend(named(of_changes));
        causes.extend(named(of_resources));
        if !self.undeclared.is_empty() {
            let are = if self.undeclared.len() == 1 { "is" } else { "are" };
            let count = counted(self.undeclared.len(), "resource");
            let names = named(self.undeclared.iter().map(|one| one.resource.to_string()));
            causes.push(printable(&format!(
                "{count} {are} no longer declared, and left alone without --prune: {}",
                names.join(", ")
            )));
        }
        causes
    }

    /// What would be done, for a watch that only tells.
    pub fn proposal(&self) -> Option<String> {
        let plan = &self.planned.plan;
        if plan.is_empty() {
            return None;
        }
        let mut text = format!("not applied, as --dry-run: {}", render::sentence(plan));
        for line in named(plan.proceeding().map(|change| HeldChange::of(change).what())) {
            text.push_str(&format!("\n  {line}"));
        }
        Some(text)
    }

    /// What is worth knowing once, however often it comes.
    pub fn remarks(&self) -> impl Iterator<Item = String> {
        let general = self.whole().warnings.iter().filter(|warning| warning.resource.is_none());
        general.map(|warning| printable(&warning.message))
    }
}

impl Held {
    /// For people, with the command that approves.
    fn text(&self, approve: &str) -> String {
        let lines = named(self.changes.iter().map(HeldChange::line));
        format!(
            "held for approval: plan {}\n  {}\n  → {approve} {}",
            self.plan_id,
            lines.join("\n  "),
            self.plan_id
        )
    }
}

/// The commands that are proposed.
pub struct Commands {
    /// Approves a plan.
    pub approve: String,
    /// Lets a brake go.
    pub let_go: LetGo,
}

/// How a brake is let go.
pub enum LetGo {
    /// By an apply of the same files.
    Apply(String),
    /// By one pass over the same branch, after an approval where that is asked for.
    Once(String),
}

impl Commands {
    /// The command that lets a plan pass.
    fn pass(&self, plan: &Plan) -> Option<String> {
        let override_with = &plan.refused.first()?.override_with;
        let risk = plan.proceeding().map(|change| change.risk).max();
        let risk = risk.filter(|risk| *risk != Risk::Reversible);
        let is_asked = plan.proceeding().any(|change| change.needs_approval(Risk::Reversible));
        Some(match (&self.let_go, risk) {
            (LetGo::Apply(apply), None) => format!("{apply} --yes {override_with}"),
            (LetGo::Apply(apply), Some(risk)) => {
                format!("{apply} --yes --approve {} {override_with}", risk.as_str())
            }
            (LetGo::Once(once), _) if !is_asked => format!("{once} {override_with}"),
            (LetGo::Once(once), _) => {
                format!("{} {} && {once} {override_with}", self.approve, plan.id)
            }
        })
    }
}

/// The brakes that hold a plan, with the command that lets it pass.
fn refused(plan: &Plan, commands: &Commands) -> Option<String> {
    let brake = |refusal: &crate::plan::change::Refusal| {
        format!("{} ({}: {})", refusal.message, refusal.setting, refusal.value)
    };
    let brakes: Vec<_> = plan.refused.iter().map(brake).collect();
    let pass = commands.pass(plan)?;
    Some(
        printable(&format!("refused: plan {}: {}", plan.id, brakes.join("; ")))
            + &format!("\n  → if all of it is meant: {pass}"),
    )
}

/// Why a change does not go ahead.
fn stands_against(change: &Change) -> Option<String> {
    let (action, id) = (change.action.as_str(), &change.id);
    if !change.blocked.is_empty() {
        let mut text = printable(&format!("blocked: {action} {id}"));
        for block in &change.blocked {
            text.push_str(&format!("\n  {} {}", block.code, printable(&block.message)));
            if !block.hint.is_empty() {
                text.push_str(&format!("\n  → {}", printable(&block.hint)));
            }
        }
        return Some(text);
    }
    let waiting = change.waiting.as_ref()?;
    if let Some(one) = &change.suspended {
        let text = printable(&format!("suspended: {action} {id} waits for {waiting}"));
        let argument = printable(&one.argument());
        return Some(format!("{text}\n  → partnerctl unsuspend {argument}"));
    }
    Some(printable(&format!("waiting: {action} {id} waits for {waiting}")))
}

/// The first of many, and how many more there are.
fn named(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = lines.collect();
    let more = lines.len().saturating_sub(NAMED_MAX);
    if more > 0 {
        lines.truncate(NAMED_MAX);
        lines.push(format!("… and {more} more"));
    }
    lines
}
