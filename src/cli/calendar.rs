//! `calendar`: what happens by itself in the time to come.

use crate::cli::error::{CommandError, Exit};
use crate::cli::settings::{FileArgs, Settings, parse_at};
use crate::cli::table::{Cell, Leave, Table};
use crate::cli::ui::Ui;
use crate::cli::{get, quote, session};
use crate::engine::Gathered;
use crate::finance::{self, RefundTerms, reading};
use crate::kinds::{Dated, KindEntry};
use crate::model::activity::instant;
use crate::model::text::printable;
use crate::model::{Accepted, ResourceId, Spec};
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use clap::{Args, ValueEnum};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;

/// Octets in a line of a calendar file (RFC 5545, 3.1).
const ICS_LINE_MAX: usize = 75;

/// List what happens by itself soon: expiries, renewals, windows that close, roles that end
///
/// Of reservations the end of their term and the day from which on the refund policy in force gives
/// back less; of licences the end of their term as well, and of the days in which they can be
/// cancelled; of roles and permissions their `until`; of drift that is accepted the day as which it
/// is drift again. Reads what the store knows, and of the embedded provider also what nobody manages.
/// `-o ics` is a file for a calendar program; the same thing has the same UID each time, so that it is
/// moved there and not doubled.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  partnerctl calendar\n  partnerctl calendar --next 1y --customer contoso\n  \
    partnerctl calendar --next 90d -o ics > partner.ics"
)]
pub struct CalendarArgs {
    /// How far to look: days, weeks or years, such as 60d, 8w or 1y
    #[arg(long, value_name = "TIME", default_value = "60d", value_parser = parse_next)]
    next: TimeDelta,
    /// From this day or instant on; default: now
    #[arg(long, value_name = "DATE|RFC3339", value_parser = parse_at)]
    at: Option<DateTime<Utc>>,
    /// Only of this customer and what belongs to it
    #[arg(long, value_name = "NAME")]
    customer: Option<String>,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq)]
enum Output {
    /// For people
    Text,
    /// For machines
    Json,
    /// For calendar programs: RFC 5545
    Ics,
}

/// What happens in a time.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "partnerctl calendar -o json")]
pub struct Calendar {
    /// `partnerctl.dev/calendar/v1`
    api_version: String,
    /// From when, with it.
    from: String,
    /// Until when, without it.
    to: String,
    /// In order of time.
    dates: Vec<Entry>,
}

/// One thing that happens.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
struct Entry {
    /// When.
    at: String,
    /// To what.
    #[schemars(with = "String")]
    resource: ResourceId,
    /// What, in a few words.
    what: String,
    /// The customer it belongs to; null where it belongs to none.
    customer: Option<String>,
    /// False for what no set manages.
    managed: bool,
    #[serde(skip)]
    uid: String,
    #[serde(skip)]
    moment: DateTime<Utc>,
}

impl Entry {
    fn told(&self) -> String {
        if self.managed { self.what.clone() } else { format!("{} (unmanaged)", self.what) }
    }
}

pub fn run(args: &CalendarArgs, settings: &Settings, ui: &mut Ui) -> Result<Exit, CommandError> {
    let workspace = settings.workspace(&FileArgs::default(), ui)?;
    let store = session::open_existing(settings, &workspace)?;
    let gathered = session::look(settings, &workspace, store.as_ref(), false)?;
    let from = args.at.unwrap_or_else(Utc::now);
    let to = from.checked_add_signed(args.next).ok_or_else(|| {
        CommandError::new("that is after the end of time").hint("look less far, such as --next 1y")
    })?;
    let mut dates = entries(settings, &gathered, &workspace.refunds(), from);
    if let Some(name) = &args.customer {
        let known = gathered.stored.iter().any(|row| row.id == ResourceId::new("Customer", name));
        if !known {
            let message = format!("there is no customer {name} in the store");
            return Err(CommandError::new(message).hint("`partnerctl get customers` lists them"));
        }
        dates.retain(|entry| entry.customer.as_ref() == Some(name));
    }
    dates.retain(|entry| from <= entry.moment && entry.moment < to);
    match args.output {
        Output::Text => {
            let text = text(&dates, ui);
            ui.data(&text);
        }
        Output::Json => {
            let api_version = "partnerctl.dev/calendar/v1".to_owned();
            ui.json(&Calendar { api_version, from: instant(from), to: instant(to), dates })?;
        }
        Output::Ics => ui.data(&ics(&dates, store.lineage(), from)),
    }
    if args.output == Output::Text && gathered.stored.is_empty() {
        ui.say("the store has no resources yet");
    }
    Ok(Exit::Done)
}

/// Every date that a kind knows of what the store has, and of what is there and managed by nobody, in
/// order: what a customer bought itself renews at the partner's cost as well.
fn entries(
    settings: &Settings,
    gathered: &Gathered,
    refunds: &RefundTerms,
    from: DateTime<Utc>,
) -> Vec<Entry> {
    let declared = get::world(settings, gathered);
    let there = quote::observed(settings, gathered);
    let mut entries = BTreeSet::new();
    let mut put = |id: &ResourceId,
                   specs: (&Spec, Option<&Spec>),
                   accepted: Vec<Accepted>,
                   uid: &str,
                   managed: bool| {
        let Some(entry) = settings.kinds.get(id.kind.as_str()) else { return };
        let customer = declared.customer_of(id).or_else(|| there.customer_of(id));
        let ends = accepted.into_iter().map(|one| Dated {
            at: one.until.and_time(NaiveTime::MIN).and_utc(),
            what: format!("{} is accepted no longer ({})", one.path, one.reason),
        });
        for date in dates_of(entry, id, specs, refunds, from).into_iter().chain(ends) {
            entries.insert(Entry {
                at: instant(date.at),
                resource: id.clone(),
                what: date.what,
                customer: customer.as_ref().map(|customer| customer.name.to_string()),
                managed,
                uid: uid.to_owned(),
                moment: date.at,
            });
        }
    };
    for row in gathered.stored.iter() {
        let specs = (&row.spec, row.observed.as_ref());
        put(&row.id, specs, row.metadata.accepted(), &row.uid, true);
    }
    for thing in &gathered.unmanaged {
        let id = ResourceId::new(thing.kind.as_str(), &thing.name);
        let specs = (&Spec::default(), Some(&thing.spec));
        put(&id, specs, Vec::new(), &thing.external_id, false);
    }
    let mut entries: Vec<Entry> = entries.into_iter().collect();
    entries.sort_by(|a, b| (a.moment, &a.resource, &a.what).cmp(&(b.moment, &b.resource, &b.what)));
    entries
}

/// What happens by itself to one resource, in order: what its kind says, and of what can be
/// given back the days on which the refund becomes worse.
pub fn dates_of(
    entry: &KindEntry,
    id: &ResourceId,
    (declared, observed): (&Spec, Option<&Spec>),
    refunds: &RefundTerms,
    from: DateTime<Utc>,
) -> Vec<Dated> {
    let mut dates = (entry.dates)(declared, observed, from);
    let held = observed.and_then(|spec| {
        // Whether it was not used counts while the free days last.
        let bought_on = (entry.refundable_since)(spec)?;
        reading::returnable(&id.to_string(), spec, bought_on).ok()
    });
    let closings = held.map(|held| finance::closings(&held, &refunds.policies));
    dates.extend(closings.into_iter().flatten().map(|closing| Dated {
        at: closing.on.and_time(NaiveTime::MIN).and_utc(),
        what: closing.what,
    }));
    dates.sort();
    dates
}

fn text(dates: &[Entry], ui: &mut Ui) -> String {
    if dates.is_empty() {
        return "nothing\n".to_owned();
    }
    let mut table = Table::new([
        ("AT (UTC)", Leave::Never),
        ("RESOURCE", Leave::Never),
        ("WHAT", Leave::Never),
        ("CUSTOMER", Leave::Last),
    ]);
    for entry in dates {
        let at = entry.moment.format("%Y-%m-%d %H:%M").to_string();
        let rest =
            [entry.resource.to_string(), entry.told(), entry.customer.clone().unwrap_or_default()];
        let rest = rest.map(|cell| Cell::from(printable(&cell)));
        table.row(std::iter::once(Cell::whole(at)).chain(rest));
    }
    ui.fitted(&table)
}

/// A calendar file. What happens takes no time, and nobody is busy with it.
fn ics(dates: &[Entry], lineage: &str, stamp: DateTime<Utc>) -> String {
    let time = |at: DateTime<Utc>| at.format("%Y%m%dT%H%M%SZ").to_string();
    let mut lines = vec![
        "BEGIN:VCALENDAR".to_owned(),
        "VERSION:2.0".to_owned(),
        "PRODID:-//partnerctl//calendar//EN".to_owned(),
    ];
    for entry in dates {
        let of = crate::model::digest::Digest::default().text(&entry.uid).text(&entry.what).hex();
        let whose = entry.customer.as_ref().map(|name| format!(" of {name}")).unwrap_or_default();
        let summary = format!("{}: {}{whose}", entry.told(), entry.resource);
        lines.extend([
            "BEGIN:VEVENT".to_owned(),
            format!("UID:{}@{}.partnerctl", &of[..16], escaped(lineage)),
            format!("DTSTAMP:{}", time(stamp)),
            format!("DTSTART:{}", time(entry.moment)),
            format!("SUMMARY:{}", escaped(&printable(&summary))),
            "TRANSP:TRANSPARENT".to_owned(),
            "END:VEVENT".to_owned(),
        ]);
    }
    lines.push("END:VCALENDAR".to_owned());
    lines.iter().map(|line| folded(line)).collect()
}

/// A text as a calendar file has it.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | ';' | ',' => out.extend(['\\', character]),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
    out
}

/// A line, broken where it is too long, never within a character.
fn folded(line: &str) -> String {
    let mut out = String::with_capacity(line.len() + 2);
    let mut length = 0;
    for character in line.chars() {
        if length + character.len_utf8() > ICS_LINE_MAX {
            out.push_str("\r\n ");
            length = 1;
        }
        out.push(character);
        length += character.len_utf8();
    }
    out + "\r\n"
}

/// Reads `--next`.
fn parse_next(text: &str) -> Result<TimeDelta, String> {
    let wrong = || "write days, weeks or years, such as 60d, 8w or 1y".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let days = match unit {
        'd' => 1,
        'w' => 7,
        'y' => 365,
        _ => return Err(wrong()),
    };
    let number = &text[..text.len() - 1];
    let number: i64 =
        number.parse().ok().filter(|n| (1..=100_000).contains(n)).ok_or_else(wrong)?;
    Ok(TimeDelta::days(number * days))
}

#[cfg(test)]
mod tests {
    use super::{escaped, folded, parse_next};
    use chrono::TimeDelta;

    #[test]
    fn times_are_days_weeks_or_years() {
        assert_eq!(parse_next("60d"), Ok(TimeDelta::days(60)));
        assert_eq!(parse_next("2w"), Ok(TimeDelta::days(14)));
        for wrong in ["", "60", "d", "0d", "-1d", "1m", "é", "99999999999999999999d"] {
            assert!(parse_next(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn long_lines_are_folded_between_characters_and_marks_are_escaped() {
        let line = folded(&"é".repeat(80));
        assert!(line.split("\r\n").all(|part| part.len() <= 75));
        assert_eq!(line.replace("\r\n ", ""), "é".repeat(80) + "\r\n");
        assert_eq!(escaped("a,b;c\\d\n"), "a\\,b\\;c\\\\d\\n");
    }
}
