//! A new kind is one file and one line. This is the file; the line is in [`kinds`].

use crate::common::carry_out;
use partnerctl::engine::{Gathered, gather};
use partnerctl::kinds::reference::Ref;
use partnerctl::kinds::{
    AgentRole, Column, Facts, Field, Kind, KindEntry, Kinds, Operation, Reference, Transition,
};
use partnerctl::manifest::{check, read_file, schema::combined};
use partnerctl::model::lookup::Known;
use partnerctl::model::scalar::Line;
use partnerctl::plan::{Plan, PlanInput, plan};
use partnerctl::provider::embedded::Embedded;
use partnerctl::store::{Missing, Store, open};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A sticker on a customer's file, which may stand on another sticker.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "the spec of a Sticker")]
struct Sticker {
    customer_ref: Ref,
    text: Line,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_ref: Option<Ref>,
    #[serde(skip_serializing_if = "Option::is_none")]
    colour: Option<Line>,
}

impl Kind for Sticker {
    const FACTS: Facts = Facts {
        kind: "Sticker",
        plural: "stickers",
        short: &["st"],
        about: "A sticker on a customer's file",
        deleting: "peel it off",
        identity: "",
        roles: &[AgentRole::AdminAgent],
        roles_note: "",
        fields: &[Field::new("colour").default("\"yellow\"")],
        references: &[
            Reference::new("customerRef", "Customer"),
            Reference::new("onRef", "Sticker"),
        ],
        replaceable: false,
        columns: &[Column::new("TEXT", "text")],
        example: "",
    };

    fn operation(_: &Transition<'_>) -> Operation {
        "Stick sticker"
    }
}

fn kinds() -> Kinds {
    Kinds::default().with(KindEntry::of::<Sticker>())
}

const MANIFESTS: &str = "\
apiVersion: partnerctl.dev/v1
kind: Sticker
metadata: {name: vip}
spec: {customerRef: {name: contoso}, text: Call first, onRef: {name: base}}
---
apiVersion: partnerctl.dev/v1
kind: Sticker
metadata: {name: base}
spec: {customerRef: {name: contoso}, text: Base}
---
apiVersion: partnerctl.dev/v1
kind: Customer
metadata: {name: contoso}
spec: {companyName: Contoso, domain: contoso.example, country: NL}
";

fn read(text: &str) -> partnerctl::manifest::Manifests {
    let file: Arc<str> = "all.yaml".into();
    let read = read_file(&kinds(), &file, text);
    check(
        &kinds(),
        vec![read],
        BTreeMap::from([(file, text.into())]),
        &Known::default(),
        &Default::default(),
    )
}

fn planned(text: &str, gathered: &Gathered) -> Plan {
    let manifests = read(text);
    assert!(!manifests.has_errors(), "{:?}", manifests.problems);
    plan(&PlanInput {
        lineage: gathered.lineage.clone(),
        actor: "a".to_owned(),
        desired: manifests.resources,
        stored: gathered.stored.clone(),
        unmanaged: gathered.unmanaged.clone(),
        beside: gathered.beside.clone(),
        ..PlanInput::new(kinds(), "2026-11-21T12:00:00Z".parse().unwrap(), "test")
    })
}

#[test]
fn a_kind_of_one_file_and_one_line_is_read_planned_applied_and_described() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("state.db").display());
    let mut store = open(&url, Missing::Create).unwrap().unwrap();
    let gathered = |store: &dyn Store| gather(Some(store), &Embedded).unwrap();
    let first = planned(MANIFESTS, &gathered(store.as_ref()));
    let order: Vec<_> = first.changes.iter().map(|change| change.id.to_string()).collect();
    assert_eq!(order, ["Customer/contoso", "Sticker/base", "Sticker/vip"]);
    carry_out(&kinds(), store.as_mut(), &first);
    assert!(planned(MANIFESTS, &gathered(store.as_ref())).changes.is_empty());
    let recoloured = MANIFESTS.replace("text: Base", "text: Base, colour: red");
    let second = planned(&recoloured, &gathered(store.as_ref()));
    assert_eq!(second.summary.update, 1);
    assert_eq!(second.changes[0].fields[0].before, Some("yellow".into()));
    assert!(combined(&kinds()).to_string().contains("Sticker"));
}

#[test]
fn references_in_a_circle_are_shown_with_the_way_around() {
    let text = MANIFESTS.replace("text: Base", "text: Base, onRef: {name: vip}");
    let problems = read(&text).problems;
    let messages: Vec<_> = problems.iter().map(|p| p.message.as_str()).collect();
    assert_eq!(messages, ["references go in a circle: Sticker/base → Sticker/vip → Sticker/base"]);
    assert_eq!(problems[0].code.0, "E0304");
    assert_eq!(problems[0].locations[0].span.line, 9);
    let own = MANIFESTS.replace("name: base}}", "name: vip}}");
    assert_eq!(read(&own).problems.len(), 1, "a reference to itself");
}
