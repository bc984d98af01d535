//! `cargo bench --bench inner`: the inner loops by themselves.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark that cannot go on fails")]

use divan::{Bencher, black_box};
use partnerctl::engine::gather::load;
use partnerctl::engine::tree::Texts;
use partnerctl::kinds::Kinds;
use partnerctl::manifest::read_file;
use partnerctl::model::Resource;
use partnerctl::model::activity::Columns;
use partnerctl::plan::{PlanInput, plan};
use std::sync::Arc;

#[path = "scale/shape.rs"]
#[allow(dead_code, reason = "only the text of a customer is needed here")]
mod shape;

fn main() {
    divan::main();
}

fn texts(customers: usize) -> Texts {
    let one = |number: usize| {
        let name = format!("c{number:06}");
        (format!("{name}.yaml").into(), shape::customer(&name, 1_500).into())
    };
    Texts { texts: (0..customers).map(one).collect(), problems: Vec::new() }
}

fn resources(customers: usize) -> Vec<Resource> {
    load(&Kinds::default(), texts(customers), &[]).resources
}

#[divan::bench]
fn yaml_events_of_one_customer(bencher: Bencher) {
    let text = shape::customer("contoso", 1_500);
    bencher.bench(|| saphyr_parser::Parser::new_from_str(black_box(&text)).count());
}

#[divan::bench]
fn reading_one_customer(bencher: Bencher) {
    let (kinds, file) = (Kinds::default(), Arc::from("contoso.yaml"));
    let text = shape::customer("contoso", 1_500);
    bencher.bench(|| read_file(&kinds, &file, black_box(&text)));
}

#[divan::bench]
fn canonical_text_of_eight_specs(bencher: Bencher) {
    let resources = resources(1);
    bencher.bench(|| {
        resources.iter().map(|resource| black_box(resource).spec.canonical().len()).sum::<usize>()
    });
}

#[divan::bench(args = [1, 125])]
fn plan_of_new_customers(bencher: Bencher, customers: usize) {
    let input = PlanInput {
        actor: "a".to_owned(),
        desired: resources(customers),
        ..PlanInput::new(Kinds::default(), "2026-11-21T12:00:00Z".parse().unwrap(), "bench")
    };
    bencher.bench(|| plan(black_box(&input)));
}

#[divan::bench]
fn hash_of_one_activity(bencher: Bencher) {
    let after =
        r#"{"customerRef":{"name":"contoso"},"monthly":{"amount":"1500.00","currency":"EUR"}}"#;
    let columns = Columns {
        seq: 7,
        at: "2026-11-21T12:00:00.000Z",
        actor: "admin@partner.example",
        source_commit: None,
        source_file: Some("manifests/contoso.yaml"),
        source_line: Some(25),
        command: "apply",
        set_name: "bench",
        kind: "Budget",
        name: "contoso",
        operation: "Update customer spending budget",
        before: None,
        after: Some(after),
        plan_id: "3f2a1b4c5d6e",
        operation_id: "0f8fad5b-d9cb-469f-a165-70867728950e",
        outcome: "succeeded",
        reason: "new",
        source_author: None,
    };
    let previous = "0".repeat(64);
    bencher.bench(|| black_box(&columns).hash(black_box(&previous), "lineage"));
}
