//! Every code is explained, and every example gives the code it is an example of.

use crate::common::{AT, carry_out};
use chrono::{DateTime, TimeDelta, Utc};
use partnerctl::engine::gather::load;
use partnerctl::engine::tree::Texts;
use partnerctl::engine::{gather, ingest};
use partnerctl::kinds::{Kinds, Staff};
use partnerctl::manifest::codes::{CodeText, texts};
use partnerctl::model::code::CODES;
use partnerctl::plan::why::{Mark, Node, why};
use partnerctl::plan::{Plan, PlanInput, Scope, plan};
use partnerctl::provider::Ids;
use partnerctl::provider::embedded::Embedded;
use partnerctl::store::{Batch, Missing, Store, open};
use std::collections::BTreeSet;

/// Who plans the examples.
const ACTOR: &str = "admin@partner.example";

fn one_file(text: &str) -> Texts {
    Texts { texts: [("all.yaml".into(), text.into())].into(), problems: Vec::new() }
}

/// The codes that a text gives in an empty workspace.
fn validated(text: &str) -> BTreeSet<&'static str> {
    let manifests = load(&Kinds::default(), one_file(text), &[]);
    manifests.problems.iter().map(|problem| problem.code.0).collect()
}

fn input(store: &dyn Store, text: &str, set: &str, scope: Scope, at: DateTime<Utc>) -> PlanInput {
    let kinds = Kinds::default();
    let gathered = gather(Some(store), &Embedded).unwrap();
    let manifests = load(&kinds, one_file(text), &gathered.stored);
    assert!(!manifests.has_errors(), "{:#?}\n{text}", manifests.problems);
    PlanInput {
        lineage: gathered.lineage.clone(),
        staff: Staff::of(ACTOR, &gathered.staff),
        actor: ACTOR.to_owned(),
        desired: manifests.resources,
        stored: gathered.stored,
        unmanaged: gathered.unmanaged,
        intents: gathered.intents,
        scope,
        beside: gathered.beside,
        ..PlanInput::new(kinds, at, set)
    }
}

/// A store in the state of an example.
fn state(folder: &tempfile::TempDir, code: &str, example: &CodeText) -> Box<dyn Store> {
    let kinds = Kinds::default();
    let url = format!("sqlite:{}", folder.path().join("state.db").display());
    let mut store = open(&url, Missing::Create).unwrap().unwrap();
    let text = example.state.as_deref().unwrap_or_default();
    let set = example.set.as_deref().unwrap_or("test");
    let first = plan(&input(store.as_ref(), text, set, Scope::Whole, AT.parse().unwrap()));
    assert!(first.changes.iter().all(|change| change.proceeds()), "{code}: the state is held back");
    carry_out(&kinds, store.as_mut(), &first);
    if let Some(outside) = &example.ingest {
        let gathered = gather(Some(store.as_ref()), &Embedded).unwrap();
        let mut directory = gathered.directory(&kinds);
        let mut ids = Ids::new(store.lineage(), 1);
        let taken =
            ingest::read(&kinds, &"state.yaml".into(), outside, &mut directory, &mut ids).unwrap();
        store.commit(&Batch { epoch: None, writes: taken.writes }).unwrap();
    }
    store
}

/// What a text is planned from on the state of an example.
fn next(store: &dyn Store, example: &CodeText, text: &str) -> PlanInput {
    let scope = if example.prune { Scope::WholeAndPrune } else { Scope::Whole };
    let later = TimeDelta::days(i64::from(example.later.unwrap_or_default()));
    let at = AT.parse::<DateTime<Utc>>().unwrap() + later;
    input(store, text, "test", scope, at)
}

/// The codes that block changes of a plan.
fn blocked(plan: &Plan) -> BTreeSet<String> {
    plan.changes.iter().flat_map(|change| &change.blocked).map(|block| block.code.clone()).collect()
}

#[test]
fn every_code_has_a_text_and_every_text_a_code() {
    let codes: Vec<&str> = CODES.iter().map(|(code, _)| code.0).collect();
    let mut sorted = codes.clone();
    sorted.sort_unstable();
    let texts = texts();
    assert_eq!(texts.keys().map(String::as_str).collect::<Vec<_>>(), sorted);
    for (code, text) in texts {
        for part in [&text.means, &text.mend, &text.wrong, &text.right] {
            assert!(part.len() > 15, "{code}: {part:?} says too little");
        }
        assert!(text.means.ends_with('.') && text.mend.ends_with('.'), "{code}");
        assert_ne!(text.wrong, text.right, "{code}");
        assert_eq!(code.starts_with('B') && !text.shell, text.state.is_some(), "{code}");
    }
}

#[test]
fn the_wrong_example_of_a_code_gives_it_and_the_right_one_gives_nothing() {
    for (code, text) in texts().iter().filter(|(code, text)| !code.starts_with('B') && !text.shell)
    {
        let wrong = validated(&text.wrong);
        assert!(wrong.contains(code.as_str()), "{code}: wrong gives {wrong:?}\n{}", text.wrong);
        assert_eq!(validated(&text.right), BTreeSet::new(), "{code}: right\n{}", text.right);
    }
}

#[test]
fn only_codes_that_no_manifest_shows_are_explained_in_the_shell() {
    let shell: Vec<String> =
        texts().into_iter().filter(|(_, text)| text.shell).map(|(code, _)| code).collect();
    // Files and folders; circles, which the kinds of this version cannot make; what a provider did;
    // policies, which stand in the settings.
    assert_eq!(
        shell,
        ["B0113", "B0120", "E0101", "E0102", "E0103", "E0104", "E0105", "E0106", "E0220", "E0304"]
    );
}

#[test]
fn the_wrong_example_of_a_blocked_change_is_blocked_so_and_the_right_one_is_not() {
    for (code, text) in texts().iter().filter(|(code, text)| code.starts_with('B') && !text.shell) {
        let folder = tempfile::tempdir().unwrap();
        let store = state(&folder, code, text);
        let wrong = blocked(&plan(&next(store.as_ref(), text, &text.wrong)));
        assert!(wrong.contains(code), "{code}: wrong is blocked by {wrong:?}\n{}", text.wrong);
        let right = blocked(&plan(&next(store.as_ref(), text, &text.right)));
        assert!(right.is_empty(), "{code}: right is blocked by {right:?}\n{}", text.right);
    }
}

/// Everything that does not hold in a tree, with what stands below it.
fn failing(nodes: &[Node]) -> Vec<&Node> {
    let below = nodes.iter().flat_map(|node| failing(&node.below));
    nodes.iter().filter(|node| node.mark == Mark::Fails).chain(below).collect()
}

#[test]
fn why_names_every_block_with_its_remedy_and_mends_what_a_manifest_can_mend() {
    let mut mended = BTreeSet::new();
    for (code, text) in texts().iter().filter(|(code, text)| code.starts_with('B') && !text.shell) {
        let folder = tempfile::tempdir().unwrap();
        let store = state(&folder, code, text);
        let input = next(store.as_ref(), text, &text.wrong);
        let plan = plan(&input);
        for change in plan.changes.iter().filter(|change| !change.blocked.is_empty()) {
            let why = why(&input, &plan, &change.id).unwrap();
            assert_eq!((why.mark, &why.blocked), (Mark::Fails, &change.blocked), "{code}");
            for block in &change.blocked {
                let failing = failing(&why.tree);
                let node = failing.iter().find(|node| node.what == block.message);
                let node =
                    node.unwrap_or_else(|| panic!("{code}: {} is not in {why:#?}", block.message));
                assert_eq!(node.hint, block.hint);
                assert!(!node.roles.is_empty(), "{code}: nobody can mend {}", node.what);
                if node.mend.is_some() {
                    mended.insert(block.code.clone());
                }
            }
        }
    }
    // Another set, a vanished purchase and a taken place are for people to decide.
    let expected =
        ["B0101", "B0103", "B0104", "B0105", "B0108", "B0109", "B0110", "B0111", "B0132"];
    assert_eq!(mended.into_iter().collect::<Vec<_>>(), expected);
}
