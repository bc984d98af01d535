//! The plan as people read it: by customer, risk first, money shown, every change with its reason
//! and its place, every change held back with the whole chain of why.

use crate::kinds::{AgentRole, Risk};
use crate::model::Value;
use crate::model::display::{self, columns};
use crate::model::text::{counted, printable};
use crate::plan::apart::Apart;
use crate::plan::change::{Action, Change, FieldChange, Money, MoneyEffect, Plan};
use crate::plan::diff::show;
use crate::plan::money::UNLIMITED;
use crate::plan::policy::{Effect, Matched, Ruling};
use anstyle::{AnsiColor, Style};
use rust_decimal::Decimal;
use similar::{Algorithm, DiffOp, capture_diff_slices};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Longer values are cut in the text; `-o json` has them whole.
const VALUE_CHARACTERS_MAX: usize = 120;

/// About the size of what is written at once.
const PIECE_BYTES: usize = 65_536;
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
    unwrapped(plan, apart, Paint(colours), width, &mut |lines| {
        give(&display::wrapped(lines, width, hang));
    });
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

fn unwrapped(
    plan: &Plan,
    apart: Option<&Apart>,
    paint: Paint,
    width: usize,
    give: &mut dyn FnMut(&str),
) {
    let mut out = String::new();
    let is_pending = |change: &&Change| apart.is_some_and(|apart| apart.is_pending(change));
    let shown: Vec<&Change> = plan.proceeding().filter(|change| !is_pending(change)).collect();
    for (customer, changes) in by_customer(&shown) {
        let title =
            customer.map_or("Other resources".to_owned(), |name| format!("Customer {name}"));
        let _ = writeln!(out, "{}", paint.bold(&printable(&title)));
        for change in changes {
            out.push_str(&one(change, paint, width));
        }
        out.push('\n');
        if out.len() >= PIECE_BYTES {
            give(&out);
            out.clear();
        }
    }
    held(&mut out, plan, apart, (paint, width));
    let pending: Vec<&Change> = plan.proceeding().filter(is_pending).collect();
    if !pending.is_empty() {
        let _ = writeln!(out, "{}", paint.bold("Already pending"));
        for change in &pending {
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
    give(&out);
}

/// One change with why it is held back, without colours.
#[must_use]
pub fn change_lines(change: &Change, width: usize) -> String {
    let mut out = one(change, Paint(false), width);
    reasons(&mut out, change, Paint(false));
    display::wrapped(&out, width, hang)
}

/// The counts in one sentence.
#[must_use]
pub fn sentence(plan: &Plan) -> String {
    let s = &plan.summary;
    let list = |pairs: &[(usize, &str)]| {
        let parts: Vec<_> = pairs
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        parts.join(", ")
    };
    let todo = list(&[
        (s.create, "to create"),
        (s.adopt, "to adopt"),
        (s.rename, "to rename"),
        (s.update, "to update"),
        (s.replace, "to replace"),
        (s.delete, "to delete"),
    ]);
    let held = list(&[(s.blocked, "blocked"), (s.waiting, "waiting")]);
    let rest = list(&[(s.unchanged, "unchanged"), (s.undeclared, "undeclared")]);
    let todo = if todo.is_empty() { "nothing to do".to_owned() } else { todo };
    let parts: Vec<_> = [todo, held, rest].into_iter().filter(|part| !part.is_empty()).collect();
    format!("Plan {}: {}", plan.id, parts.join("; "))
}

/// A policy that matches changes, with its place below a folder.
pub(super) fn policy_line(matched: &Matched, folder: &str) -> String {
    let Matched { policy, effect, by, source, changes } = matched;
    let number = counted(*changes, "change");
    let does = match effect {
        Effect::Deny => format!("denies {number}"),
        Effect::RequireApproval => format!("holds {number} for approval{}", by_whom(*by)),
        Effect::Warn => format!("warns of {number}"),
    };
    format!("policy {policy} {does}  {folder}{source}")
}

/// What lies outside the selection, in words.
pub(super) fn outside(number: usize) -> String {
    let lie = if number == 1 { "lies" } else { "lie" };
    format!("{} {lie} outside the selection", counted(number, "change"))
}

/// The money of a plan in lines.
#[must_use]
pub fn money_lines(money: &Money) -> Vec<String> {
    let mut lines = Vec::new();
    for (currency, effect) in money {
        if let (Some(before), Some(after)) = (&effect.monthly_before, &effect.monthly_after) {
            let change = if before == after {
                format!("{after} {currency}, as before")
            } else {
                format!("{before} → {after} {currency} ({})", difference(before, after))
            };
            lines.push(format!("Monthly budgets of the customers touched: {change}"));
        }
        for (what, amount) in [
            ("One-time cost", &effect.one_time),
            ("Refund", &effect.refund),
            ("Fee", &effect.fee),
            ("Forfeited", &effect.forfeited),
        ] {
            if let Some(amount) = amount {
                lines.push(format!("{what}: {amount} {currency}"));
            }
        }
        if let Some(amount) = effect.liability.as_ref().filter(|amount| *amount != UNLIMITED) {
            lines.push(format!("Liability: {amount} {currency} in monthly instalments"));
        } else if effect.liability.is_some() {
            let currency = if currency == "XXX" { "" } else { &format!(" in {currency}") };
            lines.push(format!(
                "Liability: the partner pays every reservation these customers buy{currency}, without limit"
            ));
        }
    }
    lines
}

pub(super) fn difference(before: &str, after: &str) -> String {
    let number = |text: &str| text.parse::<Decimal>().unwrap_or_default();
    let difference = number(after) - number(before);
    if difference.is_sign_positive() { format!("+{difference}") } else { difference.to_string() }
}

/// Changes by customer: the customer with the highest risk first, then by name.
fn by_customer<'a>(changes: &[&'a Change]) -> Vec<(Option<&'a str>, Vec<&'a Change>)> {
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

/// By which rules its figures were reckoned, and what was taken to be so.
pub(super) fn reckoned(change: &Change) -> Vec<String> {
    let quotes = [
        change.refund.as_ref().map(|quote| (&quote.policy_set, &quote.assumptions)),
        change.exchange.as_ref().map(|quote| (&quote.policy_set, &quote.assumptions)),
    ];
    let told = quotes.into_iter().flatten().flat_map(|(policy, assumptions)| {
        let by = format!("reckoned by the refund policy {policy}");
        let assumed = assumptions.iter().map(|assumption| format!("assumed: {assumption}"));
        std::iter::once(by).chain(assumed)
    });
    told.collect()
}

/// What is paid once or in parts, and what comes back: words with amounts.
pub(super) fn paid_once(effect: &MoneyEffect) -> Vec<(&'static str, &String)> {
    let in_parts = effect.liability.as_ref().filter(|amount| *amount != UNLIMITED);
    [
        ("to pay once", effect.one_time.as_ref()),
        ("to pay in monthly instalments", in_parts),
        ("comes back", effect.refund.as_ref()),
        ("early-termination fee", effect.fee.as_ref()),
        ("forfeited by the cap on refunds", effect.forfeited.as_ref()),
    ]
    .into_iter()
    .filter_map(|(what, amount)| Some((what, amount?)))
    .collect()
}

/// What a policy asks for, in one line.
pub(super) fn needs_approval(ruling: &Ruling) -> String {
    format!("needs approval{}: {}", by_whom(ruling.by), ruling.sentence())
}

fn by_whom(role: Option<AgentRole>) -> String {
    role.map(|role| format!(" by {}", role.with_article())).unwrap_or_default()
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

/// A field that differs, in one line.
#[must_use]
pub fn field_line(field: &FieldChange) -> String {
    let value =
        |value: &Option<Value>| value.as_ref().map_or("(not set)".to_owned(), |v| cut(&show(v)));
    let drift = if field.drift { "  (changed outside)" } else { "" };
    let items = match (&field.before, &field.after) {
        (Some(Value::Array(before)), Some(Value::Array(after))) => list_difference(before, after),
        _ => String::new(),
    };
    format!("{}: {} → {}{items}{drift}", field.path, value(&field.before), value(&field.after))
}

/// What was added to a list and taken from it, for lists too long to compare by eye.
pub(super) fn list_difference(before: &[Value], after: &[Value]) -> String {
    if before.len().max(after.len()) < 4 {
        return String::new();
    }
    let (before, after): (Vec<_>, Vec<_>) =
        (before.iter().map(show).collect(), after.iter().map(show).collect());
    let mut parts = Vec::new();
    for op in capture_diff_slices(Algorithm::Myers, &before, &after) {
        if !matches!(op, DiffOp::Equal { .. }) {
            parts.extend(before[op.old_range()].iter().map(|item| format!("−{item}")));
            parts.extend(after[op.new_range()].iter().map(|item| format!("+{item}")));
        }
    }
    format!("  ({})", parts.join(" "))
}

pub(super) fn cut(text: &str) -> String {
    if text.chars().count() <= VALUE_CHARACTERS_MAX {
        return text.to_owned();
    }
    let start: String = text.chars().take(VALUE_CHARACTERS_MAX).collect();
    format!("{start}…")
}

/// The fields of something new, `{amount, currency}` as one value.
pub(super) fn whole_fields(change: &Change) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for field in &change.fields {
        let path = field.path.strip_prefix("spec.").unwrap_or(&field.path);
        let value = field.after.as_ref().map(show).unwrap_or_default();
        let value = cut(&value);
        if let Some(parent) = path.strip_suffix(".currency")
            && let Some(last) = fields.last_mut()
            && last.0 == format!("{parent}.amount")
        {
            *last = (parent.to_owned(), format!("{} {value}", last.1));
        } else {
            fields.push((path.trim_end_matches(".name").to_owned(), value));
        }
    }
    fields
}

fn wrapped(parts: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut() {
            Some(line) if columns(line) + columns(part) + 2 <= width => {
                line.push_str(", ");
                line.push_str(part);
            }
            _ => {
                if let Some(line) = lines.last_mut() {
                    line.push(',');
                }
                lines.push(part.clone());
            }
        }
    }
    lines
}

#[derive(Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn style(self, style: Style, text: &str) -> String {
        if self.0 { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    fn bold(self, text: &str) -> String {
        self.style(Style::new().bold(), text)
    }

    fn colour(self, colour: AnsiColor, text: &str) -> String {
        self.style(colour.on_default(), text)
    }
}
