//! The table: times, ratios to the bounds, growth.

use crate::Size;
use std::fmt::Write as _;

const CORES: f64 = 2.0;

/// What a row should take at most, in seconds; `None` where nothing is asked of it.
fn target(size: &Size, row: &str) -> Option<f64> {
    let walk = size.bound("stat walk");
    let cold =
        size.bound("YAML events, 1 core") / CORES * 1.2 + size.bound("scan of the resources");
    let (small, middle) = (size.resources <= 10_000, size.resources <= 100_000);
    let by_size = |first: f64, second: f64, rest: f64| {
        Some(if small {
            first
        } else if middle {
            second
        } else {
            rest
        })
    };
    match row {
        "`plan`, nothing changed" => by_size(0.020, 0.080, walk * 2.5),
        "`plan` after 1 % changed" => by_size(0.030, 0.150, walk * 5.0),
        "`plan`, nothing remembered" => by_size(0.1, cold, cold),
        "first `apply`" => {
            let measured = size.row("`plan`, nothing remembered");
            by_size(0.3, 2.5, 3.0 * measured + 2.0 * size.bound("bare insert"))
        }
        "`apply` of 1 %" => by_size(0.050, 0.3, 1.0),
        "`watch`, one file saved (p99)" => by_size(0.010, 0.020, 0.050),
        "`validate`" => Some(size.row("`plan`, nothing remembered")),
        "`log` of one resource" | "`get` of one resource" => Some(0.050),
        "`log verify`" => Some(size.activities as f64 / 500_000.0),
        _ => None,
    }
}

fn seconds(time: f64) -> String {
    if time < 0.1 { format!("{:.1} ms", time * 1_000.0) } else { format!("{time:.2} s") }
}

pub fn markdown(sizes: &[Size]) -> String {
    let mut out = String::from("| |");
    let (first, last) = (&sizes[0], &sizes[sizes.len() - 1]);
    for size in sizes {
        let _ = write!(out, " {} |", size.resources);
    }
    let _ = write!(out, " growth |\n|---|{}---|\n", "---|".repeat(sizes.len()));
    let growth = |small: f64, large: f64| {
        let scale = (last.resources as f64 / first.resources as f64).ln();
        if scale > 0.0 { format!("{:.2}", (large / small).ln() / scale) } else { "–".to_owned() }
    };
    for (place, (name, time)) in last.bounds.iter().enumerate() {
        let _ = write!(out, "| *{name}* |");
        for size in sizes {
            let _ = write!(out, " {} |", seconds(size.bounds[place].1));
        }
        let _ = writeln!(out, " {} |", growth(first.bounds[place].1, *time));
    }
    for (place, (name, time, _)) in last.rows.iter().enumerate() {
        let _ = write!(out, "| {name} |");
        for size in sizes {
            let (_, time, peak) = size.rows[place];
            let asked = target(size, name).map(|most| {
                let sign = if time <= most { "≤" } else { "**>**" };
                format!(" {sign} {}", seconds(most))
            });
            let (asked, peak) = (asked.unwrap_or_default(), peak / 1_024);
            let _ = write!(out, " {}{asked}, {peak} MB |", seconds(time));
        }
        let _ = writeln!(out, " {} |", growth(first.rows[place].1, *time));
    }
    let mut each = |name: &str, value: &dyn Fn(&Size) -> String| {
        let _ = write!(out, "| {name} |");
        sizes.iter().for_each(|size| {
            let _ = write!(out, " {} |", value(size));
        });
        let _ = writeln!(out, " |");
    };
    let per = |bytes: u64, size: &Size| format!("{} B", bytes / size.resources as u64);
    each("database per resource", &|size| per(size.database, size));
    each("memory beside it per resource", &|size| per(size.memory, size));
    each("log entries verified", &|size| {
        let rate = size.activities as f64 / size.row("`log verify`");
        format!("{:.0} k/s", rate / 1_000.0)
    });
    out
}
