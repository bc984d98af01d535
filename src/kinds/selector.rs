//! Label selectors, in the way of Kubernetes: in manifests and for `-l`.

use crate::model::problem::Finding;
use crate::model::{Spec, code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Chooses by labels: all of `matchLabels` and all of `matchExpressions` must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "a selector, {matchLabels: {…}}"
)]
pub struct Selector {
    /// Labels with the exact values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Rules over labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<Expression>,
}

/// One rule over a label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a rule, {key: tier, operator: In, values: [gold]}")]
pub struct Expression {
    /// The label.
    pub key: String,
    /// How it is compared.
    pub operator: Operator,
    /// For In and NotIn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// How a label is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Operator {
    /// The label has one of the values.
    In,
    /// The label is missing or has none of the values.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is missing.
    DoesNotExist,
}

impl Selector {
    /// Reads the selector of a canonical spec.
    #[must_use]
    pub fn of(spec: &Spec, path: &str) -> Option<Self> {
        serde_json::from_value(spec.get(path)?.to_json()).ok()
    }

    /// Whether labels are chosen.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|rule| {
                let value = labels.get(&rule.key);
                match rule.operator {
                    Operator::In => value.is_some_and(|value| rule.values.contains(value)),
                    Operator::NotIn => !value.is_some_and(|value| rule.values.contains(value)),
                    Operator::Exists => value.is_some(),
                    Operator::DoesNotExist => value.is_none(),
                }
            })
    }

    /// Rules without the values they need, and a selector without any rule: it would choose
    /// everybody, which nobody means by an empty block.
    #[must_use]
    pub fn check(&self, path: &str) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.match_labels.is_empty() && self.match_expressions.is_empty() {
            findings.push(Finding::new(
                code::INVALID_VALUE,
                path,
                "the selector has no rule",
                "add matchLabels; for every customer use matchExpressions with a label all have",
            ));
        }
        for (index, rule) in self.match_expressions.iter().enumerate() {
            let needs = matches!(rule.operator, Operator::In | Operator::NotIn);
            if needs == rule.values.is_empty() {
                let (message, hint) = if needs {
                    ("the rule has no values", "add `values: [...]`")
                } else {
                    ("the rule takes no values", "remove `values`")
                };
                let place = format!("{path}.matchExpressions.[{index}]");
                findings.push(Finding::new(code::INVALID_VALUE, &place, message, hint));
            }
        }
        findings
    }

    /// Reads the command line's form: `tier=gold,region!=eu,env in (a,b),team,!old`.
    ///
    /// # Errors
    /// A sentence naming the part that is not understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut selector = Self::default();
        for part in split_outside_parentheses(text) {
            let part = part.trim();
            let rule = |key: &str, operator, values: &str| Expression {
                key: key.trim().to_owned(),
                operator,
                values: values
                    .split(',')
                    .map(str::trim)
                    .filter(|value| !value.is_empty())
                    .map(str::to_owned)
                    .collect(),
            };
            let listed = |part: &str, word: &str| {
                let (key, rest) = part.split_once(word)?;
                let values = rest.trim().strip_prefix('(')?.strip_suffix(')')?;
                Some((key.to_owned(), values.to_owned()))
            };
            let expression = if let Some((key, values)) = listed(part, " notin ") {
                rule(&key, Operator::NotIn, &values)
            } else if let Some((key, values)) = listed(part, " in ") {
                rule(&key, Operator::In, &values)
            } else if let Some((key, value)) = part.split_once("!=") {
                rule(key, Operator::NotIn, value)
            } else if let Some((key, value)) = part.split_once("==").or(part.split_once('=')) {
                rule(key, Operator::In, value)
            } else if let Some(key) = part.strip_prefix('!') {
                rule(key, Operator::DoesNotExist, "")
            } else {
                rule(part, Operator::Exists, "")
            };
            let key = &expression.key;
            let needs = matches!(expression.operator, Operator::In | Operator::NotIn);
            if key.is_empty()
                || key.contains(char::is_whitespace)
                || (needs && expression.values.is_empty())
            {
                return Err(format!("the selector `{part}` is not understood"));
            }
            selector.match_expressions.push(expression);
        }
        Ok(selector)
    }
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0usize, 0);
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::Selector;
    use std::collections::BTreeMap;

    #[test]
    fn the_command_lines_selectors_choose_as_kubectl_does() {
        let labels = BTreeMap::from([("tier".to_owned(), "gold".to_owned())]);
        for (text, chosen) in [
            ("tier=gold", true),
            ("tier==gold", true),
            ("tier!=gold", false),
            ("tier", true),
            ("!tier", false),
            ("tier in (gold,silver)", true),
            ("tier notin (gold, silver)", false),
            ("tier=gold,region", false),
            ("region!=eu", true),
        ] {
            assert_eq!(Selector::parse(text).unwrap().matches(&labels), chosen, "{text}");
        }
        for bad in ["", "=x", "a b", "tier=", "tier in ()"] {
            assert!(Selector::parse(bad).is_err(), "{bad}");
        }
    }
}
