//! `cargo bench`: whole commands on one shape of workspace, growing.
//!
//! The shape is one customer with two subscriptions, a budget, three role assignments and a
//! permission: eight resources. Every figure is a median of the same run, shown beside a bound
//! measured in that run (reading the same files), and with its growth exponent between the sizes.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a benchmark prints ratios"
)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const CUSTOMERS: [usize; 2] = [125, 1_250];
const RUNS: usize = 5;

fn customer(name: &str, amount: usize) -> String {
    let document = |kind: &str, name: &str, spec: String| {
        format!(
            "apiVersion: partnerctl.dev/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n"
        )
    };
    let mut documents = vec![document(
        "Customer",
        name,
        format!("{{companyName: {name}, domain: {name}.example, country: NL, currency: EUR}}"),
    )];
    for (suffix, offer) in [("a", "AzurePlan"), ("b", "AzureGlobal")] {
        let spec = format!("{{customerRef: {{name: {name}}}, offer: {{type: {offer}}}}}");
        documents.push(document("Subscription", &format!("{name}-{suffix}"), spec));
    }
    let money = format!(
        "{{customerRef: {{name: {name}}}, monthly: {{amount: \"{amount}.00\", currency: EUR}}}}"
    );
    documents.push(document("Budget", name, money));
    for role in ["Owner", "Contributor", "Reader"] {
        let spec = format!(
            "{{scope: {{subscriptionRef: {{name: {name}-a}}}}, principal: {{type: User, name: {role}@{name}.example}}, role: {role}}}"
        );
        documents.push(document(
            "RoleAssignment",
            &format!("{name}-{}", role.to_lowercase()),
            spec,
        ));
    }
    let denied = format!(
        "{{customerRef: {{name: {name}}}, subscriptionRef: {{name: {name}-a}}, purchase: Denied}}"
    );
    documents.push(document("ReservationPermission", name, denied));
    documents.join("---\n")
}

fn write(folder: &Path, customers: usize, amount: impl Fn(usize) -> usize) {
    for number in 0..customers {
        let name = format!("c{number:06}");
        let file = folder.join(format!("manifests/{name}.yaml"));
        std::fs::write(file, customer(&name, amount(number))).unwrap();
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn median(mut work: impl FnMut() -> Duration) -> Duration {
    let mut times: Vec<_> = (0..RUNS).map(|_| work()).collect();
    times.sort();
    times[RUNS / 2]
}

fn command(folder: &Path, args: &[&str]) -> Duration {
    timed(|| {
        let status = Command::new(env!("CARGO_BIN_EXE_partnerctl"))
            .current_dir(folder)
            .args(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{args:?}");
    })
}

/// The rows of one size: what was measured, in order.
fn measure(customers: usize) -> Vec<(&'static str, Duration)> {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::create_dir(folder.join("manifests")).unwrap();
    std::fs::write(folder.join("partnerctl.yaml"), "set: bench\nlimits: {updatePercent: 100}\n")
        .unwrap();
    write(folder, customers, |_| 1_500);
    let read = median(|| {
        timed(|| {
            for entry in std::fs::read_dir(folder.join("manifests")).unwrap() {
                std::hint::black_box(std::fs::read(entry.unwrap().path()).unwrap());
            }
        })
    });
    let validate = median(|| command(folder, &["validate", "--offline"]));
    let first = median(|| {
        // Where there is no store yet there is nothing to remove.
        let _none = std::fs::remove_dir_all(folder.join(".partnerctl"));
        command(folder, &["apply", "--yes"])
    });
    let noop = median(|| command(folder, &["plan"]));
    let mut round = 0;
    let one_percent = median(|| {
        round += 1;
        write(folder, customers, |number| if number % 12 == 0 { 1_500 + round } else { 1_500 });
        command(folder, &["apply", "--yes"])
    });
    let verify = median(|| command(folder, &["log", "verify"]));
    vec![
        ("read the files (bound)", read),
        ("validate", validate),
        ("first apply", first),
        ("plan, nothing to do", noop),
        ("apply of 1 %", one_percent),
        ("log verify", verify),
    ]
}

fn main() {
    let sizes: Vec<_> = CUSTOMERS.iter().map(|customers| measure(*customers)).collect();
    println!(
        "{:<24}{:>12}{:>12}{:>10}{:>9}",
        "resources",
        CUSTOMERS[0] * 8,
        CUSTOMERS[1] * 8,
        "÷ bound",
        "growth"
    );
    let bound = sizes[1][0].1.as_secs_f64();
    for (row, (name, large)) in sizes[1].iter().enumerate() {
        let small = sizes[0][row].1;
        let growth = (large.as_secs_f64() / small.as_secs_f64()).ln()
            / (CUSTOMERS[1] as f64 / CUSTOMERS[0] as f64).ln();
        println!(
            "{name:<24}{:>9.1} ms{:>9.1} ms{:>10.1}{growth:>9.2}",
            small.as_secs_f64() * 1_000.0,
            large.as_secs_f64() * 1_000.0,
            large.as_secs_f64() / bound,
        );
    }
}
