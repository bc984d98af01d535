//! Finding a field of a kind by what people type.

use super::FieldExplained;
use crate::model::problem::did_you_mean;

/// A field by its path: from the top of the manifest, or below `spec`.
///
/// # Errors
/// What to say when there is no such field: the step that is wrong, and the field that may be meant.
pub fn find<'a>(
    fields: &'a [FieldExplained],
    path: &str,
) -> Result<&'a FieldExplained, (String, Option<String>)> {
    let spec = fields.iter().find(|field| field.name == "spec");
    let top = walk(fields, path);
    let found = match (top, spec) {
        (Ok(found), _) => return Ok(found),
        (Err(unknown), Some(spec)) if std::ptr::eq(unknown.among, fields) => {
            walk(&spec.fields, path).map_err(|below| (below, Some(unknown)))
        }
        (Err(unknown), _) => Err((unknown, None)),
    };
    found.map_err(|(unknown, other)| {
        let names = |among: &'a [FieldExplained]| among.iter().map(|field| field.name.as_str());
        let others = other.iter().flat_map(|other| names(other.among));
        let near = did_you_mean(&unknown.step, names(unknown.among).chain(others));
        let full = |name: &str| {
            let all = unknown.among.iter().chain(other.iter().flat_map(|other| other.among));
            all.clone().find(|field| field.name == name).map(|field| field.path.clone())
        };
        let anywhere = || {
            let mut all = Vec::new();
            flatten(fields, &mut all);
            let near = did_you_mean(&unknown.step, all.iter().map(|field| field.name.as_str()))?;
            all.iter().find(|field| field.name == near).map(|field| field.path.clone())
        };
        (unknown.step.clone(), near.and_then(full).or_else(anywhere))
    })
}

/// Every field of a tree, each before the fields in it.
pub fn flatten<'a>(fields: &'a [FieldExplained], into: &mut Vec<&'a FieldExplained>) {
    for field in fields {
        into.push(field);
        flatten(&field.fields, into);
    }
}

/// Where a path leaves the tree.
struct Unknown<'a> {
    step: String,
    among: &'a [FieldExplained],
}

fn walk<'a>(fields: &'a [FieldExplained], path: &str) -> Result<&'a FieldExplained, Unknown<'a>> {
    // A name may have dots in it, as annotations have; an index of a list says nothing here.
    for field in fields {
        let Some(rest) = path.strip_prefix(&field.name) else { continue };
        let rest = rest
            .split_once(']')
            .filter(|(index, _)| index.starts_with('['))
            .map_or(rest, |(_, rest)| rest);
        if rest.is_empty() {
            return Ok(field);
        }
        if let Some(below) = rest.strip_prefix('.') {
            return walk(&field.fields, below);
        }
    }
    let step = path.split('.').next().unwrap_or_default();
    Err(Unknown { step: step.split('[').next().unwrap_or_default().to_owned(), among: fields })
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::kinds::Kinds;
    use crate::manifest::explain::fields;

    #[test]
    fn a_path_is_found_from_the_top_and_below_spec_and_a_wrong_one_is_mended() {
        let kinds = Kinds::default();
        let fields = fields(kinds.get("Budget").unwrap());
        for (path, found) in [
            ("spec.monthly", "spec.monthly"),
            ("monthly.amount", "spec.monthly.amount"),
            (
                "customerSelector.matchExpressions[0].key",
                "spec.customerSelector.matchExpressions.key",
            ),
            (
                "metadata.annotations.partnerctl.dev/reason",
                "metadata.annotations.partnerctl.dev/reason",
            ),
        ] {
            assert_eq!(find(&fields, path).unwrap().path, found);
        }
        for (path, step, near) in [
            ("montly", "montly", Some("spec.monthly")),
            ("spec.montly", "montly", Some("spec.monthly")),
            ("monthly.amout", "amout", Some("spec.monthly.amount")),
            ("metdata", "metdata", Some("metadata")),
            ("amount", "amount", Some("spec.monthly.amount")),
            ("colour", "colour", None),
        ] {
            let (wrong, meant) = find(&fields, path).unwrap_err();
            assert_eq!((wrong.as_str(), meant.as_deref()), (step, near), "{path}");
        }
    }
}
