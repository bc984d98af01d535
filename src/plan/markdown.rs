//! The plan as a comment on a pull request: bounded, the highest risk first, the same bytes for the
//! same plan, found again by its first line.

use crate::kinds::Risk;
use crate::model::Value;
use crate::model::text::counted;
use crate::plan::apart::Apart;
use crate::plan::change::{Action, Change, FieldChange, Money, Plan};
use crate::plan::diff::show;
use crate::plan::markup::{code, in_comment, prose};
use crate::plan::money::UNLIMITED;
use crate::plan::policy::Ruling;
use crate::plan::render::{
    cut, difference, list_difference, money_lines, needs_approval, outside, paid_once, policy_line,
    reckoned, sentence, whole_fields,
};
use std::cmp::Reverse;
use std::fmt::Write as _;

/// The characters of a comment: forges take a little more.
const CHARACTERS_MAX: usize = 60_000;
/// The fewest characters a comment is made for.
pub const CHARACTERS_MIN: usize = 4_000;
/// The longest name or path that is shown whole.
const NAME_CHARACTERS_MAX: usize = 300;
/// Kept back for headings, and for what is said of changes that are not shown.
const FRAME_CHARACTERS: usize = 800;

/// How a plan is shown.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// What is to be said of it, when it was made from a commit.
    pub apart: Option<&'a Apart>,
    /// Where the workspace is in the repository: empty, or with a slash at its end.
    pub folder: &'a str,
    /// The most characters, at least [`CHARACTERS_MIN`].
    pub characters_max: usize,
}

impl Default for View<'_> {
    fn default() -> Self {
        Self { apart: None, folder: "", characters_max: CHARACTERS_MAX }
    }
}

/// Where a change is shown; of one risk the first ones are cut last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Ahead,
    Blocked,
    Suspended,
    Waiting,
    Pending,
}

/// The comment.
///
/// Changes are cut from the end of one order, by risk first: none is left out while one of a lower
/// risk is shown.
#[must_use]
pub fn markdown(plan: &Plan, view: &View<'_>) -> String {
    let all = view.characters_max.max(CHARACTERS_MIN);
    let mut out = head(plan, view, all);
    let notes = notes(plan, all / 6);
    let mut left =
        all.saturating_sub(out.chars().count() + notes.chars().count() + FRAME_CHARACTERS);
    let ordered = ordered(plan, view);
    let mut shown: Vec<(Part, Risk, String)> = Vec::new();
    for (part, change) in &ordered {
        let text = block(change, *part, view, all / 6);
        let length = text.chars().count();
        if length > left {
            break;
        }
        left -= length;
        shown.push((*part, change.risk, text));
    }
    let title = |part: Part, risk: Risk| match (part, risk) {
        (Part::Ahead, Risk::Irreversible) => "Irreversible",
        (Part::Ahead, Risk::Costly) => "Costly",
        (Part::Ahead, Risk::Reversible) => "Reversible",
        (Part::Blocked, _) => "Blocked",
        (Part::Suspended, _) => "Suspended",
        (Part::Waiting, _) => "Waiting",
        (Part::Pending, _) => "Already pending",
    };
    // By part now; within a part the risks keep their order.
    shown.sort_by_key(|(part, _, _)| *part);
    let mut last = "";
    for (part, risk, text) in &shown {
        let title = title(*part, *risk);
        if title != last {
            let _ = write!(out, "\n#### {title}\n\n");
            last = title;
        }
        out.push_str(text);
    }
    out.push_str(&cut_off(&ordered[shown.len()..]));
    out.push_str(&notes);
    out
}

/// The mark, the summary, money and brakes.
fn head(plan: &Plan, view: &View<'_>, all: usize) -> String {
    let set: String = in_comment(&plan.set).chars().take(NAME_CHARACTERS_MAX).collect();
    let mut out = format!("<!-- partnerctl plan: {set} -->\n### {}\n\n", sentence(plan));
    let count = |risk| plan.proceeding().filter(|change| change.risk == risk).count();
    let risks: Vec<String> = [Risk::Irreversible, Risk::Costly, Risk::Reversible]
        .into_iter()
        .filter(|risk| count(*risk) > 0)
        .map(|risk| format!("{} {}", count(risk), risk.as_str()))
        .collect();
    let mut lines = Vec::new();
    if !risks.is_empty() {
        lines.push(format!("Risk: {}", risks.join(", ")));
    }
    lines.extend(view.apart.map(|apart| prose(&apart.sentence())));
    lines.extend(plan.outside.map(outside));
    if !lines.is_empty() {
        let _ = writeln!(out, "<p>{}</p>", lines.join("<br>\n"));
    }
    out.push_str(&monthly(&plan.money, all / 6));
    let other = money_lines(&plan.money);
    let other = other.iter().filter(|line| !line.starts_with("Monthly"));
    let refused = plan.refused.iter().map(|refusal| {
        let (setting, value) = (code(&refusal.setting), code(&refusal.value));
        let (message, pass) = (prose(&cut(&refusal.message)), code(&refusal.override_with));
        format!(
            "<li><b>Refused</b>: {message} ({setting} is {value}); nothing is applied. \
            To apply this very plan all the same: {pass}</li>\n"
        )
    });
    let matched = plan.policies.iter().flat_map(|said| &said.matched);
    let policies = matched.map(|policy| {
        let line = policy_line(policy, view.folder);
        format!(
            "<li>{}</li>\n",
            prose(&line.chars().take(2 * NAME_CHARACTERS_MAX).collect::<String>())
        )
    });
    let rest: Vec<String> = refused
        .chain(policies)
        .chain(other.map(|line| format!("<li><b>{}</b></li>\n", prose(line))))
        .collect();
    out.push_str(&list(&rest, all / 6));
    out
}

/// Monthly budgets by currency.
fn monthly(money: &Money, characters_max: usize) -> String {
    let rows: Vec<String> = money
        .iter()
        .filter_map(|(currency, effect)| {
            let (before, after) = (effect.monthly_before.as_ref()?, effect.monthly_after.as_ref()?);
            let change = if before == after { "0".to_owned() } else { difference(before, after) };
            let cells = [currency, before, after, &change].map(|text| prose(text));
            Some(format!("<tr><td>{}</td></tr>\n", cells.join("</td><td align=\"right\">")))
        })
        .collect();
    let columns = ["Monthly budgets of the customers touched", "before", "after", "change"];
    table(&columns, &rows, characters_max, "more currencies")
}

/// A table with as many of its rows as fit.
fn table(columns: &[&str], rows: &[String], characters_max: usize, more: &str) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let heads: String = columns.iter().map(|head| format!("<th>{head}</th>")).collect();
    let span = columns.len();
    let rows = within(rows, characters_max, |rest| {
        format!("<tr><td colspan=\"{span}\">and {rest} {more}</td></tr>\n")
    });
    format!("<table>\n<tr>{heads}</tr>\n{rows}</table>\n")
}

/// A list with as many of its lines as fit.
fn list(lines: &[String], characters_max: usize) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let more = |rest| format!("<li>and {rest} more</li>\n");
    format!("<ul>\n{}</ul>\n", within(lines, characters_max, more))
}

/// As many of some lines as fit, and how many do not.
fn within(lines: &[String], characters_max: usize, more: impl Fn(usize) -> String) -> String {
    let mut out = String::new();
    let mut left = characters_max;
    for (index, line) in lines.iter().enumerate() {
        let length = line.chars().count();
        if length > left {
            out.push_str(&more(lines.len() - index));
            break;
        }
        left -= length;
        out.push_str(line);
    }
    out
}

/// Every change with its part, in the order in which they are kept.
fn ordered<'a>(plan: &'a Plan, view: &View<'_>) -> Vec<(Part, &'a Change)> {
    let part = |change: &Change| {
        if !change.blocked.is_empty() {
            Part::Blocked
        } else if change.suspended.is_some() {
            Part::Suspended
        } else if change.waiting.is_some() {
            Part::Waiting
        } else if is_pending(change, view) {
            Part::Pending
        } else {
            Part::Ahead
        }
    };
    let mut all: Vec<_> = plan.changes.iter().map(|change| (part(change), change)).collect();
    // Those of one customer stay together, and in the order in which they are applied.
    all.sort_by_key(|(part, change)| {
        (Reverse(change.risk), *part, change.customer.is_none(), change.customer.as_deref())
    });
    all
}

fn is_pending(change: &Change, view: &View<'_>) -> bool {
    view.apart.is_some_and(|apart| apart.is_pending(change))
}

/// One change: what is done, where it stands, and what it changes or why it does not go ahead.
fn block(change: &Change, part: Part, view: &View<'_>, characters_max: usize) -> String {
    let open = match (part, change.risk) {
        (Part::Ahead, _) if change.approvals().next().is_some() => " open",
        (Part::Ahead, Risk::Reversible) | (Part::Pending, _) => "",
        _ => " open",
    };
    let mut words = vec![
        format!("<b>{}</b> {}", change.action.as_str(), name(&change.id.to_string())),
        prose(&change.operation),
        change.reason.as_str().to_owned(),
    ];
    if part != Part::Ahead && change.risk != Risk::Reversible {
        words.push(format!("<b>{}</b>", change.risk.as_str()));
    }
    if part != Part::Pending && is_pending(change, view) {
        words.push("already pending".to_owned());
    }
    words.extend(place(change, view));
    for (currency, effect) in &change.money {
        if let (Some(before), Some(after)) = (&effect.monthly_before, &effect.monthly_after) {
            words.push(prose(&format!("{} {currency} per month", difference(before, after))));
        }
        for (what, amount) in paid_once(effect) {
            words.push(prose(&format!("{amount} {currency} {what}")));
        }
        if effect.liability.as_deref() == Some(UNLIMITED) {
            words.push("<b>unlimited liability</b>".to_owned());
        }
    }
    words.extend(change.later.as_deref().map(prose));
    let words = words.join(" · ");
    let inner = match part {
        Part::Ahead | Part::Pending => {
            approvals(change, characters_max / 4) + &fields(change, characters_max / 4 * 3)
        }
        Part::Blocked | Part::Suspended | Part::Waiting => {
            reasons(change, characters_max / 2) + &fields(change, characters_max / 2)
        }
    };
    format!("<details{open}><summary>{words}</summary>\n{inner}</details>\n")
}

fn name(text: &str) -> String {
    code(&text.chars().take(NAME_CHARACTERS_MAX).collect::<String>())
}

/// The file as the repository has it; what does not lie in the workspace has its own name.
fn place(change: &Change, view: &View<'_>) -> Option<String> {
    let source = change.source.to_string();
    let below = !source.starts_with(['/', '<', '.']);
    let folder = if below { view.folder } else { "" };
    (!source.is_empty()).then(|| name(&format!("{folder}{source}")))
}

/// The table of fields, or what a delete means.
fn fields(change: &Change, characters_max: usize) -> String {
    let mut out = String::new();
    if change.action == Action::Delete {
        let effect = change.effect.as_deref().unwrap_or(&change.operation);
        let _ = writeln!(out, "<p>{}</p>", prose(effect));
    }
    // Which rules there were comes first; what was assumed gives way where there is no room.
    for line in reckoned(change).iter().map(|line| format!("<p>{}</p>\n", prose(line))) {
        if out.len() + line.len() <= characters_max / 2 {
            out.push_str(&line);
        }
    }
    if let Some(previous) = &change.previous {
        let _ = writeln!(out, "<p>was {}</p>", name(&previous.to_string()));
    }
    let cell = |value: &Option<Value>| {
        value.as_ref().map_or_else(|| "<i>not set</i>".to_owned(), |value| code(&cut(&show(value))))
    };
    let (columns, rows): (&[&str], Vec<String>) = match change.action {
        Action::Delete => (&[], Vec::new()),
        Action::Create => {
            let row = |(path, value): (String, String)| {
                format!("<tr><td>{}</td><td>{}</td></tr>\n", name(&path), code(&value))
            };
            (&["field", "value"], whole_fields(change).into_iter().map(row).collect())
        }
        _ => {
            let row = |field: &FieldChange| {
                let (path, note) = (name(&field.path), note(field));
                let (before, after) = (cell(&field.before), cell(&field.after));
                format!("<tr><td>{path}</td><td>{before}</td><td>{after}{note}</td></tr>\n")
            };
            (&["field", "before", "after"], change.fields.iter().map(row).collect())
        }
    };
    let left = characters_max.saturating_sub(out.len());
    out.push_str(&table(columns, &rows, left, "more fields"));
    out
}

/// What is worth knowing beside the two values.
fn note(field: &FieldChange) -> String {
    let mut out = String::new();
    if let (Some(Value::Array(before)), Some(Value::Array(after))) = (&field.before, &field.after) {
        let items = list_difference(before, after);
        if !items.is_empty() {
            let _ = write!(out, "<br>{}", code(&cut(items.trim())));
        }
    }
    if field.drift {
        out.push_str(" (changed outside)");
    }
    out
}

/// What policies ask for before it is done.
fn approvals(change: &Change, characters_max: usize) -> String {
    let line = |ruling: &Ruling| {
        let text: String = needs_approval(ruling).chars().take(2 * NAME_CHARACTERS_MAX).collect();
        format!("<li>{}</li>\n", prose(&text))
    };
    list(&change.approvals().map(line).collect::<Vec<_>>(), characters_max)
}

/// Why a change does not go ahead.
fn reasons(change: &Change, characters_max: usize) -> String {
    let long = |text: &str| prose(&text.chars().take(2 * NAME_CHARACTERS_MAX).collect::<String>());
    let mut lines: Vec<String> = Vec::new();
    for block in &change.blocked {
        let (code, message) = (code(&block.code.to_string()), long(&block.message));
        let hint = match block.hint.as_str() {
            "" => String::new(),
            hint => format!("<br>→ {}", long(hint)),
        };
        lines.push(format!("<li>{code} {message}{hint}</li>\n"));
    }
    if let (true, Some(why)) = (change.blocked.is_empty(), &change.waiting) {
        lines.push(format!("<li>waits for {}</li>\n", long(why)));
    }
    list(&lines, characters_max)
}

/// How many changes are not shown, and how much they risk.
fn cut_off(rest: &[(Part, &Change)]) -> String {
    if rest.is_empty() {
        return String::new();
    }
    let count = |risk| rest.iter().filter(|(_, change)| change.risk == risk).count();
    let (irreversible, costly) = (count(Risk::Irreversible), count(Risk::Costly));
    let which = if irreversible > 0 {
        format!("{irreversible} irreversible and {costly} costly")
    } else {
        format!("{costly} costly")
    };
    let number = counted(rest.len(), "more change");
    format!(
        "\n**and {number} of which {which}**: there is no room for them here, `partnerctl plan` shows all.\n"
    )
}

/// What is no longer declared, and what is worth knowing.
fn notes(plan: &Plan, characters_max: usize) -> String {
    let warnings: Vec<String> = plan
        .warnings
        .iter()
        .map(|warning| {
            let about = warning.resource.as_ref().map(|id| format!("{}: ", name(&id.to_string())));
            let message: String = warning.message.chars().take(2 * NAME_CHARACTERS_MAX).collect();
            format!("<li>{}{}</li>\n", about.unwrap_or_default(), prose(&message))
        })
        .collect();
    let undeclared: Vec<String> = plan
        .undeclared
        .iter()
        .map(|undeclared| format!("<li>{}</li>\n", name(&undeclared.resource.to_string())))
        .collect();
    let parts =
        [("Warnings", warnings), ("No longer declared, left alone (--prune deletes)", undeclared)];
    let filled = parts.iter().filter(|(_, lines)| !lines.is_empty());
    filled
        .map(|(title, lines)| format!("\n#### {title}\n\n{}", list(lines, characters_max / 2)))
        .collect()
}
