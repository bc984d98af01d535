//! Plans as comments on pull requests: never too long, never cut before something that risks less,
//! and no text of theirs is more than text.

use partnerctl::plan::apart::Apart;
use partnerctl::plan::markdown::{CHARACTERS_MIN, View, markdown};
use partnerctl::plan::{Plan, change::Change};
use proptest::prelude::*;
use serde_json::{Value, json};

/// What forges make something of, and what ends what text stands in.
const SNARES: [&str; 36] = [
    "@all",
    "a@b.example",
    "[x](https://x.example)",
    "![x](y)",
    "<img src=x>",
    "</code>",
    "</details>",
    "<!--",
    "-->",
    "|",
    "\n",
    "\r\n",
    "\n\n# x",
    "`",
    "```",
    "https://x.example/?a&b",
    "www.x.example",
    "#12",
    "!34",
    "GH-5",
    "/close",
    "defaced",
    "0123456789abcdef0123456789abcdef01234567",
    "&lt;",
    "&#64;",
    "**b**",
    "__b__",
    "~~s~~",
    ":smile:",
    "\u{202e}",
    "\u{2028}",
    "$x$",
    "\"",
    "word",
    "-",
    " ",
];

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&SNARES[..]), 0..6).prop_map(|parts| parts.concat())
}

/// One change, most of whose texts are snares.
fn change() -> impl Strategy<Value = Value> {
    let field = (text(), text(), prop::option::of(text()), any::<bool>()).prop_map(
        |(path, before, after, drift)| json!({"path": path, "before": [before, "b", "c", "d"], "after": after, "drift": drift}),
    ).boxed();
    let block = (text(), text(), text())
        .prop_map(|(code, message, hint)| json!({"code": code, "message": message, "hint": hint}));
    let what =
        prop::sample::select(vec!["create", "update", "delete", "replace", "adopt", "rename"]);
    let risk = prop::sample::select(vec!["reversible", "costly", "irreversible"]);
    let policy = (text(), text()).prop_map(|(policy, message)| {
        json!({"policy": policy, "effect": "requireApproval", "message": message})
    });
    let policies = prop::collection::vec(policy, 0..2);
    let held = (prop::collection::vec(block, 0..2), prop::option::of(text()), policies);
    let fields = prop_oneof![
        9 => prop::collection::vec(field.clone(), 0..4).boxed(),
        1 => prop::collection::vec(field, 50..100).boxed(),
    ];
    (what, risk, fields, held, (text(), text(), text(), prop::option::of(text()))).prop_map(
        |(action, risk, fields, (blocked, waiting, policies), (operation, file, effect, customer))| {
            json!({
                "id": "Budget/x", "kind": "Budget", "name": "x", "uid": null, "set": "s",
                "revision": null, "action": action, "reason": "new", "risk": risk,
                "source": {"file": file, "line": 7}, "fields": fields, "desired": null,
                "operation": operation, "effect": effect, "blocked": blocked, "waiting": waiting,
                "money": {"EUR": {"monthlyBefore": "1.00", "monthlyAfter": "2.50", "liability": "unlimited"}},
                "dependsOn": [], "customer": customer, "policies": policies,
            })
        },
    )
}

/// A plan of many changes, each with a name of its own.
fn a_plan() -> impl Strategy<Value = Plan> {
    let refusal = (text(), text(), text(), text()).prop_map(|(setting, value, message, pass)| {
        json!({"setting": setting, "value": value, "message": message, "override": pass})
    });
    let texts = prop::collection::vec(text(), 0..40);
    let few = prop::collection::vec(change(), 0..8);
    let many = prop::collection::vec(change(), 30..60);
    (
        prop_oneof![2 => few, 1 => many],
        prop::collection::vec(refusal, 0..3),
        (texts, text(), text()),
    )
        .prop_map(|(mut changes, refused, (texts, set, currency))| {
            for (number, change) in changes.iter_mut().enumerate() {
                change["id"] = json!(format!("Budget/n{number}x"));
            }
            let warnings: Vec<_> = texts
                .iter()
                .map(|message| json!({"resource": "Budget/w", "message": message}))
                .collect();
            let undeclared: Vec<_> = texts
                .iter()
                .map(|name| json!({"resource": format!("Budget/{name}"), "source": {"file": "f", "line": 1}}))
                .collect();
            let matched: Vec<_> = texts
                .iter()
                .map(|name| json!({"policy": name, "effect": "warn", "source": {"file": name, "line": 1}, "changes": 2}))
                .collect();
            let summary = json!({"create": 1, "update": 0, "delete": 0, "replace": 0, "adopt": 0,
                "rename": 0, "unchanged": 0, "blocked": 0, "waiting": 0, "undeclared": 0, "drifted": 0});
            serde_json::from_value(json!({
                "apiVersion": "partnerctl.dev/plan/v1", "id": "4d366d02e9a0", "lineage": null,
                "createdAt": "2026-11-21T12:00:00Z", "actor": "a", "set": set, "summary": summary,
                "changes": changes, "refused": refused, "warnings": warnings,
                "undeclared": undeclared, "digest": "",
                "policies": {"digest": "", "matched": matched},
                "money": {currency: {"monthlyBefore": "1.00", "monthlyAfter": "2.50", "fee": "3.00"}},
            }))
            .unwrap()
        })
}

/// The tags that a comment may have.
const TAGS: [&str; 24] = [
    "p",
    "/p",
    "br",
    "b",
    "/b",
    "i",
    "/i",
    "ul",
    "/ul",
    "li",
    "/li",
    "table",
    "/table",
    "tr",
    "/tr",
    "th",
    "/th",
    "td",
    "/td",
    "details",
    "/details",
    "summary",
    "/summary",
    "details open",
];

/// Demands that a line is HTML of ours: known tags, and outside `<code>` nothing but plain words.
fn assert_plain(line: &str) {
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('<') {
        assert_words(before, line);
        let (tag, after) = after.split_once('>').unwrap();
        rest = after;
        if tag == "code" {
            let (inner, after) = rest.split_once("</code>").unwrap();
            assert!(!inner.contains(['<', '>', '"']), "{line}");
            for part in inner.split('&').skip(1) {
                let entity = part.split(';').next().unwrap();
                assert!(["amp", "lt", "gt", "quot"].contains(&entity), "{entity} in {line}");
            }
            rest = after;
        } else {
            let known = tag.starts_with("td colspan=\"") || tag == "td align=\"right\"";
            assert!(known || TAGS.contains(&tag), "<{tag}> in {line}");
        }
    }
    assert_words(rest, line);
}

fn assert_words(text: &str, line: &str) {
    let text = text.replace("&quot;", "");
    let plain = |c: char| c.is_alphanumeric() || " .,:;()·→+-%?’".contains(c);
    assert!(text.chars().all(plain), "{text:?} in {line}");
    for word in text.split(|c: char| !c.is_ascii_alphanumeric()) {
        let commit = word.len() >= 7 && word.bytes().all(|b| b.is_ascii_hexdigit());
        assert!(!commit && !word.starts_with("www"), "{word} in {line}");
    }
}

fn assert_no_text_is_markup(comment: &str) {
    let mut lines = comment.lines();
    let mark = lines.next().unwrap();
    let set = mark.strip_prefix("<!-- partnerctl plan: ").unwrap().strip_suffix(" -->").unwrap();
    assert!(!set.contains(['<', '>', ' ']) && !set.contains("--"), "{mark}");
    assert_eq!(lines.next().unwrap(), "### Plan 4d366d02e9a0: 1 to create");
    let mut html = false;
    for line in lines {
        let ours = line.starts_with("#### ") || line.starts_with("**and ");
        if line.is_empty() || (!html && ours) {
            html = false;
        } else {
            // A line that goes on with HTML is HTML, however it begins.
            assert!(html || line.starts_with('<'), "{line}");
            html = true;
            assert_plain(line);
        }
    }
}

/// The place of a change among the risks, with whether it is shown.
fn shown(change: &Change, comment: &str) -> (u8, bool) {
    let name = format!("<code>{}</code>", change.id);
    (change.risk as u8, comment.contains(&name))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_comment_is_bounded_and_its_texts_stay_texts(
        plan in a_plan(), characters_max in CHARACTERS_MIN..9_000usize, pending in any::<bool>(),
    ) {
        let mut apart = Apart { to: "0123456789ab".into(), from: Some("b".into()), ..Apart::default() };
        if pending {
            apart.pending = plan.changes.iter().step_by(2).map(|change| change.id.clone()).collect();
        }
        let view = View { apart: Some(&apart), folder: "a/", characters_max };
        let comment = markdown(&plan, &view);
        prop_assert!(comment.chars().count() <= characters_max, "{}", comment.chars().count());
        prop_assert_eq!(&comment, &markdown(&plan, &view));
        assert_no_text_is_markup(&comment);
        let all: Vec<(u8, bool)> = plan.changes.iter().map(|change| shown(change, &comment)).collect();
        let hidden = all.iter().filter(|(_, shown)| !shown).map(|(risk, _)| *risk).max();
        let lowest = all.iter().filter(|(_, shown)| *shown).map(|(risk, _)| *risk).min();
        if let (Some(hidden), Some(lowest)) = (hidden, lowest) {
            prop_assert!(hidden <= lowest, "{hidden} is cut before {lowest}");
        }
        let told = comment.contains("more change");
        prop_assert_eq!(told, hidden.is_some());
    }

    #[test]
    fn a_plan_of_few_changes_is_shown_whole(plan in a_plan()) {
        let comment = markdown(&plan, &View::default());
        let small = plan.changes.len() < 8 && plan.changes.iter().all(|change| change.fields.len() < 4);
        let whole = plan.changes.iter().all(|change| shown(change, &comment).1);
        prop_assert!(whole || !small);
    }
}
