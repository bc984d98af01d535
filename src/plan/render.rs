//! The plan as people read it: by customer, risk first, money shown, every change with its reason
//! and its place, every change held back with the whole chain of why.

mod fields;
mod paint;
mod words;

pub use fields::field_line;
pub(super) use fields::{cut, list_difference, whole_fields};
pub(super) use words::{difference, needs_approval, outside, paid_once, policy_line, reckoned};
pub use words::{money_lines, sentence};

use crate::kinds::Risk;
use crate::model::display;
use crate::model::parallel::parts;
use crate::model::text::{counted, printable};
use crate::plan::apart::Apart;
use crate::plan::change::{Action, Change, Plan};
use crate::plan::money::UNLIMITED;
use anstyle::AnsiColor;
use fields::wrapped;
use paint::Paint;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// So many customers are written at once, each core its part of them.
const CUSTOMERS: usize = 128;
/// Columns before the fields of a change.
const FIELD_INDENT: usize = 6;
/// Columns behind them for a comma, with the last one of the terminal left free.
const COMMA: usize = 2;

/// The plan as text, in lines of at most `width` columns where words allow it; without `colours` no
/// escape sequence is in it.
#[must_use]
pub fn text(plan: &Plan, colours: bool, width: usize) -> String {
    let mut text = String::new();
    pieces(plan, colours, width, &mut |piece| text.push_str(piece));
    text
}

/// The same in pieces of whole lines: of a large plan the text is never there as a whole.
pub fn pieces(plan: &Plan, colours: bool, width: usize, give: &mut dyn FnMut(&str)) {
    pieces_apart(plan, None, colours, width, give);
}

/// The same of a plan that was made from a commit.
pub fn pieces_apart(
    plan: &Plan,
    apart: Option<&Apart>,
    colours: bool,
    width: usize,
    give: &mut dyn FnMut(&str),
) {
    let paint = Paint(colours);
    let is_pending = |change: &&Change| apart.is_some_and(|apart| apart.is_pending(change));
    let shown: Vec<&Change> = plan.proceeding().filter(|change| !is_pending(change)).collect();
    let text = |customers: &[Customer<'_>]| {
        display::wrapped(&of_customers(customers, paint, width), width, hang)
    };
    for customers in by_customer(&shown).chunks(CUSTOMERS) {
        parts(customers, text).iter().for_each(|text| give(text));
    }
    let pending: Vec<&Change> = plan.proceeding().filter(is_pending).collect();
    let rest = rest(plan, apart, &pending, (paint, width));
    give(&display::wrapped(&rest, width, hang));
}

/// Where a line goes on that is too wide: behind the code of a block, else a little to the right.
fn hang(line: &str) -> usize {
    let (first, rest) = line.trim_start().split_once(' ').unwrap_or_default();
    let code = display::plain(first);
    let digits = code.get(1..).unwrap_or_default();
    let is_code = digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_digit());
    let inward = if is_code && !rest.is_empty() { 6 } else { 2 };
    display::indent(line) + inward
}

/// The changes of customers that go ahead.
fn of_customers(customers: &[Customer<'_>], paint: Paint, width: usize) -> String {
    let mut out = String::new();
    for (customer, changes) in customers {
        let title =
            customer.map_or("Other resources".to_owned(), |name| format!("Customer {name}"));
        let _ = writeln!(out, "{}", paint.bold(&printable(&title)));
        for change in changes {
            out.push_str(&one(change, paint, width));
        }
        out.push('\n');
    }
    out
}

/// Everything after them: what is held back, what is told, and the sums.
fn rest(
    plan: &Plan,
    apart: Option<&Apart>,
    pending: &[&Change],
    (paint, width): (Paint, usize),
) -> String {
    let mut out = String::new();
    held(&mut out, plan, apart, (paint, width));
    if !pending.is_empty() {
        let _ = writeln!(out, "{}", paint.bold("Already pending"));
        for change in pending {
            out.push_str(&one(change, paint, width));
        }
        out.push('\n');
    }
    if !plan.undeclared.is_empty() {
        let number = counted(plan.undeclared.len(), "resource");
        let _ = writeln!(out, "{number} no longer declared and left alone (--prune deletes):");
        for undeclared in &plan.undeclared {
            let source = place(&undeclared.source.to_string());
            let _ = writeln!(out, "  {}{source}", printable(&undeclared.resource.to_string()));
        }
        out.push('\n');
    }
    for warning in &plan.warnings {
        let about = warning.resource.as_ref().map(|id| format!("{id}: ")).unwrap_or_default();
        let line = printable(&format!("{about}{}", warning.message));
        let _ = writeln!(out, "{} {line}", paint.colour(AnsiColor::Yellow, "warning:"));
    }
    if !plan.warnings.is_empty() {
        out.push('\n');
    }
    let matched = plan.policies.iter().flat_map(|said| &said.matched);
    for policy in matched.clone() {
        let _ = writeln!(out, "{}", printable(&policy_line(policy, "")));
    }
    if matched.count() > 0 {
        out.push('\n');
    }
    let _ = writeln!(out, "{}", paint.bold(&sentence(plan)));
    if let Some(apart) = apart {
        let _ = writeln!(out, "{}", printable(&apart.sentence()));
    }
    if let Some(number) = plan.outside {
        let _ = writeln!(out, "{}", outside(number));
    }
    for line in money_lines(&plan.money) {
        let _ = writeln!(out, "{line}");
    }
    for refusal in &plan.refused {
        let _ = writeln!(
            out,
            "\n{} {} ({} is {}).\n  To apply this very plan all the same: {}",
            paint.colour(AnsiColor::Red, "Refused:"),
            printable(&refusal.message),
            refusal.setting,
            refusal.value,
            refusal.override_with
        );
    }
    out
}

/// One change with why it is held back, without colours.
#[must_use]
pub fn change_lines(change: &Change, width: usize) -> String {
    let mut out = one(change, Paint(false), width);
    reasons(&mut out, change, Paint(false));
    display::wrapped(&out, width, hang)
}

/// A customer's changes; those that belong to none have no name.
type Customer<'a> = (Option<&'a str>, Vec<&'a Change>);

/// Changes by customer: the customer with the highest risk first, then by name.
fn by_customer<'a>(changes: &[&'a Change]) -> Vec<Customer<'a>> {
    let mut groups: BTreeMap<Option<&str>, Vec<&Change>> = BTreeMap::new();
    for change in changes {
        groups.entry(change.customer.as_deref()).or_default().push(change);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    for (_, changes) in &mut groups {
        changes.sort_by_key(|change| std::cmp::Reverse(change.risk));
    }
    groups.sort_by_key(|(customer, changes)| {
        let risk = changes.iter().map(|change| change.risk).max();
        (std::cmp::Reverse(risk), customer.is_none(), *customer)
    });
    groups
}

fn one(change: &Change, paint: Paint, width: usize) -> String {
    let mut out = head(change, false, paint);
    let mut line = |text: &str| {
        let _ = writeln!(out, "{:FIELD_INDENT$}{}", "", printable(text));
    };
    if change.action == Action::Delete {
        line(change.effect.as_deref().unwrap_or(&change.operation));
    } else if change.action == Action::Create {
        let fields: Vec<_> =
            whole_fields(change).into_iter().map(|(p, v)| format!("{p}: {v}")).collect();
        for text in wrapped(&fields, width.saturating_sub(FIELD_INDENT + COMMA)) {
            line(&text);
        }
    } else {
        if let Some(previous) = &change.previous {
            line(&format!("was {previous}"));
        }
        for field in &change.fields {
            line(&field_line(field));
        }
    }
    for (currency, effect) in &change.money {
        if let (Some(before), Some(after)) = (&effect.monthly_before, &effect.monthly_after) {
            line(&format!("{} {currency} per month", difference(before, after)));
        }
        for (what, amount) in paid_once(effect) {
            line(&format!("{amount} {currency} {what}"));
        }
        if effect.liability.as_deref() == Some(UNLIMITED) {
            line("the partner will pay every reservation this customer buys, and is not notified");
        }
    }
    change.later.iter().for_each(|later| line(later));
    reckoned(change).iter().for_each(|reckoned| line(reckoned));
    for ruling in change.approvals().filter(|_| change.proceeds()) {
        line(&needs_approval(ruling));
    }
    out
}

fn head(change: &Change, pending: bool, paint: Paint) -> String {
    let (sign, colour) = match change.action {
        Action::Create => ("+", AnsiColor::Green),
        Action::Update | Action::Rename => ("~", AnsiColor::Yellow),
        Action::Adopt => (">", AnsiColor::Cyan),
        Action::Replace => ("±", AnsiColor::Magenta),
        Action::Delete => ("-", AnsiColor::Red),
    };
    let what = format!("{sign} {} {}", change.action.as_str(), printable(&change.id.to_string()));
    let risk = match change.risk {
        Risk::Reversible => String::new(),
        risk => format!("{}, ", paint.colour(AnsiColor::Red, &risk.as_str().to_uppercase())),
    };
    let source = place(&change.source.to_string());
    let pending = if pending { ", already pending" } else { "" };
    let (what, reason) = (paint.colour(colour, &what), change.reason.as_str());
    format!("  {what}  ({risk}{reason}{pending}){source}\n")
}

fn place(source: &str) -> String {
    if source.is_empty() { String::new() } else { format!("  {}", printable(source)) }
}

/// Blocked and waiting changes with why.
fn held(out: &mut String, plan: &Plan, apart: Option<&Apart>, (paint, width): (Paint, usize)) {
    let (blocked, waiting): (Vec<&Change>, Vec<&Change>) = plan
        .changes
        .iter()
        .filter(|change| !change.proceeds())
        .partition(|change| !change.blocked.is_empty());
    let (suspended, waiting): (Vec<&Change>, Vec<&Change>) =
        waiting.into_iter().partition(|change| change.suspended.is_some());
    for (title, changes) in [("Blocked", blocked), ("Suspended", suspended), ("Waiting", waiting)] {
        if changes.is_empty() {
            continue;
        }
        let _ = writeln!(out, "{}", paint.bold(title));
        for change in changes {
            let pending = apart.is_some_and(|apart| apart.is_pending(change));
            // What is held on purpose will be done as it stands: it is shown whole.
            let whole = change.suspended.is_some() && !pending;
            let text = if whole { one(change, paint, width) } else { head(change, pending, paint) };
            out.push_str(&text);
            reasons(out, change, paint);
        }
        out.push('\n');
    }
}

/// Why a change does not go ahead.
fn reasons(out: &mut String, change: &Change, paint: Paint) {
    for block in &change.blocked {
        let message = printable(&block.message);
        let _ = writeln!(out, "      {} {message}", paint.colour(AnsiColor::Red, &block.code));
        if !block.hint.is_empty() {
            let _ = writeln!(out, "        → {}", printable(&block.hint));
        }
    }
    if let (true, Some(why)) = (change.blocked.is_empty(), &change.waiting) {
        let _ = writeln!(out, "      waits for {}", printable(why));
        if let Some(one) = &change.suspended {
            let argument = printable(&one.argument());
            let _ = writeln!(out, "        → partnerctl unsuspend {argument}");
        }
    }
}
