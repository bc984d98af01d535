//! One value of a manifest written anew, everything else in the file as it was: comments, layout,
//! quotes and line ends.
//!
//! The value is put in place of the old one's text, and the file is read again. Only when exactly
//! that field says the new value and nothing else differs is the edit good; so what this file does not
//! understand of YAML leads to a refusal, never to another manifest.

use crate::kinds::Kinds;
use crate::manifest::document::read_file;
use crate::manifest::yaml;
use crate::model::tree::{Node, Span, Value as Shape};
use crate::model::{Resource, ResourceId, Value};
use std::sync::Arc;

/// Why a value cannot be written in place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The file no longer has the resource, or not the field.
    #[error("it no longer says this there")]
    Gone,
    /// The value is written in a way that is not changed in place.
    #[error("the value is written over several lines or has parts of its own")]
    Shape,
    /// Something else would have changed as well.
    #[error("the file would not say exactly that afterwards")]
    Else,
}

/// The text of a file with another value in one field of a resource; the path begins with `spec.`.
///
/// # Errors
/// When that cannot be done without touching anything else.
pub fn set(
    kinds: &Kinds,
    file: &Arc<str>,
    text: &str,
    (id, path): (&ResourceId, &str),
    value: &Value,
) -> Result<String, Unfit> {
    let (trees, _) = yaml::read(text);
    let node = trees
        .iter()
        .find(|tree| is_of(&tree.root, id))
        .and_then(|tree| tree.root.at(path))
        .ok_or(Unfit::Gone)?;
    let start = offset(text, node.span).ok_or(Unfit::Gone)?;
    let end = start + length(&text[start..], node).ok_or(Unfit::Shape)?;
    let old = &text[start..end];
    let field = path.strip_prefix("spec.").ok_or(Unfit::Gone)?;
    let put = |resource: &mut Resource| resource.spec.set(field, value.clone());
    let mut refused = Unfit::Shape;
    for new in writings(value, old.chars().next()) {
        let edited = format!("{}{new}{}", &text[..start], &text[end..]);
        if says(kinds, file, (text, &edited), id, put) {
            return Ok(edited);
        }
        refused = Unfit::Else;
    }
    Err(refused)
}

fn is_of(root: &Node, id: &ResourceId) -> bool {
    let says = |path: &str, wanted: &str| {
        root.at(path)
            .is_some_and(|node| matches!(&node.value, Shape::Scalar { text, .. } if text == wanted))
    };
    says("kind", id.kind.as_str()) && says("metadata.name", id.name.as_str())
}

/// Where a place is in a text, in bytes.
fn offset(text: &str, span: Span) -> Option<usize> {
    let mut line_at = 0;
    for _ in 1..span.line {
        line_at += text[line_at..].find('\n')? + 1;
    }
    let characters = usize::try_from(span.column).ok()?.checked_sub(1)?;
    let (before, _) = text[line_at..].char_indices().nth(characters)?;
    Some(line_at + before)
}

/// How many bytes a value takes at the start of a text; `None` for what is not changed in place.
fn length(text: &str, node: &Node) -> Option<usize> {
    match &node.value {
        Shape::Scalar { text: plain, plain: true } => {
            text.starts_with(plain).then_some(plain.len())
        }
        Shape::Scalar { plain: false, .. } => quoted(text),
        Shape::Sequence(_) => list(text),
        Shape::Mapping(_) | Shape::Unread => None,
    }
}

/// The length of a text in quotes, on one line.
fn quoted(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|quote| ['"', '\''].contains(quote))?;
    let mut rest = text.char_indices().skip(1).peekable();
    while let Some((at, character)) = rest.next() {
        match character {
            '\n' => return None,
            '\\' if quote == '"' => {
                rest.next();
            }
            _ if character != quote => {}
            _ if quote == '\'' && rest.peek().is_some_and(|(_, next)| *next == '\'') => {
                rest.next();
            }
            _ => return Some(at + 1),
        }
    }
    None
}

/// The length of a list in brackets, on one line, without lists in it.
fn list(text: &str) -> Option<usize> {
    text.strip_prefix('[')?;
    let mut at = 1;
    loop {
        match text[at..].chars().next()? {
            ']' => return Some(at + 1),
            '"' | '\'' => at += quoted(&text[at..])?,
            '\n' | '[' | '{' | '#' => return None,
            other => at += other.len_utf8(),
        }
    }
}

/// How a value may be written, the likeliest first: as the old one was, then in quotes.
fn writings(value: &Value, before: Option<char>) -> Vec<String> {
    let in_quotes = value.to_string();
    match value {
        Value::String(text) => {
            let single = format!("'{}'", text.replace('\'', "''"));
            match before {
                Some('"') => vec![in_quotes],
                Some('\'') => vec![single, in_quotes],
                _ => vec![text.to_string(), in_quotes],
            }
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(Value::to_string).collect();
            vec![format!("[{}]", items.join(", "))]
        }
        Value::Bool(_) | Value::Number(_) => vec![in_quotes],
        Value::Null | Value::Object(_) => Vec::new(),
    }
}

/// The text of a file with another value of an annotation of a resource.
///
/// # Errors
/// When that cannot be done without touching anything else.
pub fn annotate(
    kinds: &Kinds,
    file: &Arc<str>,
    text: &str,
    (id, key): (&ResourceId, &str),
    value: &str,
) -> Result<String, Unfit> {
    let (trees, _) = yaml::read(text);
    let tree = trees.iter().find(|tree| is_of(&tree.root, id)).ok_or(Unfit::Gone)?;
    let metadata = tree.root.get("metadata").ok_or(Unfit::Gone)?;
    let annotations = metadata.get("annotations");
    let quoted = format!("'{}'", value.replace('\'', "''"));
    let edited = match (annotations, annotations.and_then(|all| all.get(key))) {
        (_, Some(old)) => {
            let start = offset(text, old.span).ok_or(Unfit::Gone)?;
            let end = start + length(&text[start..], old).ok_or(Unfit::Shape)?;
            format!("{}{quoted}{}", &text[..start], &text[end..])
        }
        (Some(all), None) => insert(text, all, &format!("{key}: {quoted}"))?,
        (None, None) => insert(text, metadata, &format!("annotations: {{{key}: {quoted}}}"))?,
    };
    let put = |resource: &mut Resource| {
        let annotations = Arc::make_mut(&mut resource.metadata.annotations);
        annotations.insert(key.to_owned(), value.to_owned());
    };
    if says(kinds, file, (text, &edited), id, put) { Ok(edited) } else { Err(Unfit::Else) }
}

/// The value of an annotation of a resource, as a file has it.
#[must_use]
pub fn annotation(text: &str, id: &ResourceId, key: &str) -> Option<String> {
    let (trees, _) = yaml::read(text);
    let tree = trees.iter().find(|tree| is_of(&tree.root, id))?;
    let node = tree.root.get("metadata")?.get("annotations")?.get(key)?;
    node.text().map(str::to_owned)
}

/// A text with one more entry in a mapping: behind its first one, in the way that one is written.
fn insert(text: &str, mapping: &Node, entry: &str) -> Result<String, Unfit> {
    let Shape::Mapping(entries) = &mapping.value else { return Err(Unfit::Shape) };
    let first = entries.first().ok_or(Unfit::Shape)?;
    let key_at = offset(text, first.key_span).ok_or(Unfit::Gone)?;
    let value_at = offset(text, first.value.span).ok_or(Unfit::Gone)?;
    let in_braces = text[offset(text, mapping.span).ok_or(Unfit::Gone)?..].starts_with('{');
    if in_braces {
        let end = value_at + length(&text[value_at..], &first.value).ok_or(Unfit::Shape)?;
        return Ok(format!("{}, {entry}{}", &text[..end], &text[end..]));
    }
    let line = text[..key_at].rfind('\n').map_or(0, |at| at + 1);
    let indent = &text[line..key_at];
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    if !indent.chars().all(|character| character == ' ') {
        return Err(Unfit::Shape);
    }
    // What takes several lines has its end somewhere below: then the new one comes before.
    let at = match &first.value.value {
        Shape::Scalar { .. } => {
            text[value_at..].find('\n').map_or(text.len(), |end| value_at + end + 1)
        }
        _ => line,
    };
    let lead = if text[..at].ends_with('\n') { "" } else { newline };
    Ok(format!("{}{lead}{indent}{entry}{newline}{}", &text[..at], &text[at..]))
}

/// True when an edit changed what it was to change of one resource, and nothing else but lines.
fn says(
    kinds: &Kinds,
    file: &Arc<str>,
    (before, after): (&str, &str),
    id: &ResourceId,
    change: impl Fn(&mut Resource),
) -> bool {
    let resources = |text: &str| -> Option<Vec<Resource>> {
        let read = read_file(kinds, file, text);
        let all: Option<Vec<_>> =
            read.documents.into_iter().map(|document| document.resource).collect();
        all.filter(|_| read.problems.is_empty())
    };
    let (Some(mut wanted), Some(found)) = (resources(before), resources(after)) else {
        return false;
    };
    wanted.iter_mut().filter(|resource| resource.id == *id).for_each(change);
    let same = |(a, b): (&Resource, &Resource)| {
        (&a.id, &a.metadata, &a.spec) == (&b.id, &b.metadata, &b.spec)
            && a.source.file == b.source.file
    };
    wanted.len() == found.len() && wanted.iter().zip(&found).all(same)
}

#[cfg(test)]
mod tests {
    use super::{Unfit, annotate, annotation, set};
    use crate::kinds::Kinds;
    use crate::model::{ResourceId, Value};
    use serde_json::json;

    const FILE: &str = "# ours\napiVersion: partnerctl.dev/v1\nkind: Customer\nmetadata: {name: contoso}\nspec: {companyName: Contoso, domain: contoso.example, country: NL} # here\n---\napiVersion: partnerctl.dev/v1\nkind: Budget\nmetadata:\n  name: contoso\nspec:\n  customerRef: {name: contoso}   # who\n  monthly:\n    amount: AMOUNT  # how much\n    currency: 'EUR'\n  alertThresholds: [50, 80] # when\n";

    fn edited(text: &str, path: &str, value: serde_json::Value) -> Result<String, Unfit> {
        let id = ResourceId::new("Budget", "contoso");
        set(&Kinds::default(), &"a.yaml".into(), text, (&id, path), &Value::from(value))
    }

    #[test]
    fn a_value_is_written_as_the_old_one_was_and_the_rest_stays() {
        for (old, new) in
            [("1500", "2000.50"), ("\"1500.00\"", "\"2000.50\""), ("'1500.00'", "'2000.50'")]
        {
            let text = FILE.replace("AMOUNT", old);
            let wanted = FILE.replace("AMOUNT", new);
            assert_eq!(edited(&text, "spec.monthly.amount", json!("2000.50")).unwrap(), wanted);
            let crlf = text.replace('\n', "\r\n");
            let got = edited(&crlf, "spec.monthly.amount", json!("2000.50")).unwrap();
            assert_eq!(got, wanted.replace('\n', "\r\n"));
        }
        let text = FILE.replace("AMOUNT", "1500");
        let got = edited(&text, "spec.alertThresholds", json!([90])).unwrap();
        assert_eq!(got, text.replace("[50, 80]", "[90]"));
    }

    #[test]
    fn a_text_that_would_be_read_as_something_else_is_quoted() {
        let text = "apiVersion: partnerctl.dev/v1\nkind: Customer\nmetadata: {name: a}\nspec: {companyName: A, domain: a.example, country: NL}\n";
        let id = ResourceId::new("Customer", "a");
        for name in ["null", "a: b, c", "{x}", "# y", " a"] {
            let new = set(
                &Kinds::default(),
                &"a.yaml".into(),
                text,
                (&id, "spec.companyName"),
                &Value::from(name),
            );
            let quoted = serde_json::to_string(name).unwrap();
            let wanted = text.replace("companyName: A", &format!("companyName: {quoted}"));
            assert_eq!(new.unwrap(), wanted);
        }
    }

    #[test]
    fn what_cannot_be_changed_alone_is_refused() {
        let text = FILE.replace("AMOUNT", "1500");
        let cases = [
            ("spec.customerRef", json!({"name": "fabrikam"}), Unfit::Shape),
            ("spec.friendlyName", json!("x"), Unfit::Gone),
            ("spec.monthly.amount", json!("no amount"), Unfit::Else),
            ("spec.monthly.amount", json!(null), Unfit::Shape),
        ];
        for (path, value, why) in cases {
            assert_eq!(edited(&text, path, value), Err(why), "{path}");
        }
        let below = text.replace("[50, 80] # when", "\n  - 50\n  - 80");
        assert_eq!(edited(&below, "spec.alertThresholds", json!([90])), Err(Unfit::Shape));
    }

    #[test]
    fn an_annotation_is_written_as_its_neighbours_are_and_the_rest_stays() {
        let text = FILE.replace("AMOUNT", "1500");
        let key = "partnerctl.dev/reason";
        let annotated = |text: &str, kind: &str, value: &str| {
            let id = ResourceId::new(kind, "contoso");
            annotate(&Kinds::default(), &"a.yaml".into(), text, (&id, key), value)
        };
        let flow = annotated(&text, "Customer", "it's").unwrap();
        let written = "{name: contoso, annotations: {partnerctl.dev/reason: 'it''s'}}";
        assert_eq!(flow, text.replacen("{name: contoso}", written, 1));
        let again = annotated(&flow, "Customer", "x").unwrap();
        assert_eq!(again, flow.replace("'it''s'", "'x'"));
        let block = annotated(&text, "Budget", "a: b").unwrap();
        let written = "  name: contoso\n  annotations: {partnerctl.dev/reason: 'a: b'}\nspec";
        assert_eq!(block, text.replace("  name: contoso\nspec", written));
        let crlf = annotated(&text.replace('\n', "\r\n"), "Budget", "a: b").unwrap();
        assert_eq!(crlf, block.replace('\n', "\r\n"));
        let others =
            "  name: contoso # n\n  annotations:\n    # ours\n    a.example/b: c # d\nspec";
        let text = text.replace("  name: contoso\nspec", others);
        let written = others.replace("# d\n", "# d\n    partnerctl.dev/reason: 'x'\n");
        assert_eq!(annotated(&text, "Budget", "x").unwrap(), text.replace(others, &written));
        let id = ResourceId::new("Budget", "contoso");
        assert_eq!(annotation(&text, &id, "a.example/b").as_deref(), Some("c"));
        let missing = annotate(
            &Kinds::default(),
            &"a.yaml".into(),
            &text,
            (&ResourceId::new("Budget", "x"), key),
            "y",
        );
        assert_eq!(missing, Err(Unfit::Gone));
    }
}
