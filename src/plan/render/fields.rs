//! Fields and their values in lines.

use crate::model::Value;
use crate::model::display::columns;
use crate::plan::change::{Change, FieldChange};
use crate::plan::diff::show;
use similar::{Algorithm, DiffOp, capture_diff_slices};

/// Longer values are cut in the text; `-o json` has them whole.
const VALUE_CHARACTERS_MAX: usize = 120;

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
pub(in crate::plan) fn list_difference(before: &[Value], after: &[Value]) -> String {
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

pub(in crate::plan) fn cut(text: &str) -> String {
    if text.chars().count() <= VALUE_CHARACTERS_MAX {
        return text.to_owned();
    }
    let start: String = text.chars().take(VALUE_CHARACTERS_MAX).collect();
    format!("{start}…")
}

/// The fields of something new, `{amount, currency}` as one value.
pub(in crate::plan) fn whole_fields(change: &Change) -> Vec<(String, String)> {
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

/// Parts in lines of at most `width` columns, with commas between them.
pub(super) fn wrapped(parts: &[String], width: usize) -> Vec<String> {
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
