//! The same shape in Terraform, where it is on the machine: with its built-in resource, so that
//! neither a provider nor the network has a part in it.

use crate::{SHAPE, median};
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Its rows at some sizes as Markdown; a sentence where there is none.
pub fn markdown(sizes: &[usize]) -> String {
    let columns: Option<Vec<[f64; 3]>> = sizes.iter().map(|size| measure(*size)).collect();
    let Some(columns) = columns else {
        return "Terraform is not on this machine, or does not run without the network.\n"
            .to_owned();
    };
    let mut out = String::from("| Terraform |");
    sizes.iter().for_each(|size| {
        let _ = write!(out, " {size} |");
    });
    let _ = write!(out, "\n|---|{}\n", "---|".repeat(sizes.len()));
    for (place, name) in ["`plan`, nothing changed", "`plan` after 1 % changed", "`apply` of 1 %"]
        .into_iter()
        .enumerate()
    {
        let _ = write!(out, "| {name} |");
        columns.iter().for_each(|column| {
            let _ = write!(out, " {:.2} s |", column[place]);
        });
        out.push('\n');
    }
    out
}

fn run(folder: &Path, args: &[&str]) -> Option<f64> {
    let start = Instant::now();
    let status = Command::new("terraform")
        .current_dir(folder)
        .args(args)
        .env("CHECKPOINT_DISABLE", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .ok()?;
    status.success().then(|| start.elapsed().as_secs_f64())
}

fn measure(resources: usize) -> Option<[f64; 3]> {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let customers = resources / SHAPE;
    let write = |amount: usize| {
        // One of a hundred, and at least one.
        let amount_of = |number| if number % 100 == 0 { amount } else { 1_500 };
        let text: String = (0..customers).map(|n| customer(n, amount_of(n))).collect();
        std::fs::write(folder.join("main.tf"), text).unwrap();
    };
    write(1_500);
    run(folder, &["init"])?;
    eprintln!("terraform, {resources} resources");
    run(folder, &["apply", "-auto-approve"])?;
    let plan = median(3, || run(folder, &["plan"]).unwrap_or(f64::NAN));
    write(1_600);
    let changed = median(3, || run(folder, &["plan"]).unwrap_or(f64::NAN));
    let mut amount = 1_600;
    let apply = median(3, || {
        amount += 1;
        write(amount);
        run(folder, &["apply", "-auto-approve"]).unwrap_or(f64::NAN)
    });
    Some([plan, changed, apply])
}

fn customer(number: usize, amount: usize) -> String {
    let name = crate::shape::name(number);
    let resource = |suffix: &str, input: &str| {
        format!("resource \"terraform_data\" \"{name}_{suffix}\" {{\n  input = {{ {input} }}\n}}\n")
    };
    let mut text = resource(
        "customer",
        &format!(
            "companyName = \"{name}\", domain = \"{name}.example\", country = \"NL\", currency = \"EUR\""
        ),
    );
    let of = format!("customer = terraform_data.{name}_customer.id");
    for offer in ["AzurePlan", "AzureGlobal"] {
        text += &resource(offer, &format!("{of}, offer = \"{offer}\""));
    }
    text += &resource("budget", &format!("{of}, amount = \"{amount}.00\", currency = \"EUR\""));
    for role in ["Owner", "Contributor", "Reader"] {
        let scope = format!("scope = terraform_data.{name}_AzurePlan.id");
        text += &resource(role, &format!("{scope}, principal = \"{role}@{name}.example\""));
    }
    text + &resource("permission", &format!("{of}, purchase = \"Denied\""))
}
