//! Quotes as people read them.

use crate::cli::table::{Cell, Leave, Table};
use crate::cli::ui::Ui;
use crate::finance::comparison::{Comparison, Figures, What};
use crate::finance::{ExchangeQuote, Quote};
use crate::model::Money;
use crate::model::text::printable;
use std::fmt::Write as _;

/// A refund: the figures, the cap, the steps.
pub fn refund(quote: &Quote) -> String {
    let mut out = format!(
        "{} cancelled on {}, day {}, by the refund policy {}\n\n",
        quote.reservation, quote.at, quote.days_since_purchase, quote.policy_set
    );
    out.push_str(&figures(&[
        ("Price", Some(quote.price)),
        ("Before fee and cap", Some(quote.prorated)),
        ("Early-termination fee", Some(quote.fee)),
        ("Forfeited by the cap", not_zero(quote.forfeited)),
        ("Refund", Some(quote.refund)),
        ("Still due", not_zero(quote.due)),
    ]));
    if let Some(cap) = &quote.cap {
        let _ =
            writeln!(out, "\nOf the cap of {} are {} left before it.", cap.limit, cap.remaining);
    }
    how(&mut out, &quote.steps, &quote.assumptions);
    printed(&out)
}

/// An exchange.
pub fn exchange(quote: &ExchangeQuote) -> String {
    let mut out = format!(
        "{} in exchange on {}, by the refund policy {}\n\n",
        quote.reservation, quote.at, quote.policy_set
    );
    let mut lines = vec![("Price".to_owned(), Some(quote.price))];
    for old in &quote.returned {
        lines.push((format!("Toward it from {}", old.reservation), not_zero(old.credit)));
        lines.push((format!("Still due for {}", old.reservation), not_zero(old.due)));
    }
    lines.push(("To pay".to_owned(), Some(quote.payable)));
    lines.push(("Credited to the partner".to_owned(), not_zero(quote.credited)));
    let lines: Vec<_> = lines.iter().map(|(name, money)| (name.as_str(), *money)).collect();
    out.push_str(&figures(&lines));
    how(&mut out, &quote.steps, &quote.assumptions);
    printed(&out)
}

/// What may be done, side by side.
pub fn comparison(compared: &Comparison, ui: &mut Ui) -> String {
    let mut out = format!(
        "{} on {}, by the refund policy {}\n\n",
        compared.reservation, compared.at, compared.policy_set
    );
    let mut table = Table::new([
        ("", Leave::Never),
        ("TO PAY", Leave::Never),
        ("COMES BACK", Leave::Never),
        ("FEE", Leave::Never),
        ("FORFEITED", Leave::Never),
        ("RESERVED THEN", Leave::Never),
    ]);
    let mut refused = String::new();
    for choice in &compared.choices {
        let name = match choice.choice {
            What::Keep => "keep",
            What::Cancel => "cancel",
            What::Exchange => "exchange",
        };
        let cells = match (&choice.figures, &choice.refused) {
            (Some(Figures { to_pay, comes_back, fee, forfeited, reserved }), _) => {
                [to_pay, comes_back, fee, forfeited, reserved].map(ToString::to_string)
            }
            (None, why) => {
                let _ = writeln!(refused, "\n{name}: {}", why.as_deref().unwrap_or("not possible"));
                [(); 5].map(|()| "-".to_owned())
            }
        };
        let [a, b, c, d, e] = cells;
        table.row([name.to_owned(), a, b, c, d, e].map(Cell::from));
    }
    out.push_str(&ui.fitted(&table));
    out.push_str(&refused);
    how(&mut out, &[], &compared.assumptions);
    printed(&out)
}

fn not_zero(money: Money) -> Option<Money> {
    (!money.amount.value().is_zero()).then_some(money)
}

/// Names and amounts in two columns, the amounts to the right.
fn figures(lines: &[(&str, Option<Money>)]) -> String {
    let shown: Vec<(&str, String)> = lines
        .iter()
        .filter_map(|(name, money)| Some((*name, money.as_ref()?.to_string())))
        .collect();
    let names = shown.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    let amounts = shown.iter().map(|(_, amount)| amount.len()).max().unwrap_or_default();
    shown.iter().map(|(name, amount)| format!("{name:<names$}  {amount:>amounts$}\n")).collect()
}

fn how(out: &mut String, steps: &[String], assumptions: &[String]) {
    for (title, lines) in [("How", steps), ("Assumed", assumptions)] {
        if !lines.is_empty() {
            let _ = writeln!(out, "\n{title}:");
            lines.iter().for_each(|line| out.push_str(&format!("  {line}\n")));
        }
    }
}

fn printed(text: &str) -> String {
    text.lines().map(|line| printable(line) + "\n").collect()
}
