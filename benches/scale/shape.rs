//! The workspace that is measured: one customer with two subscriptions, a budget, three role
//! assignments and a permission in each file, a thousand files in each folder.

use std::path::{Path, PathBuf};

pub struct Shape {
    pub folder: PathBuf,
    pub customers: usize,
}

impl Shape {
    pub fn write(folder: &Path, customers: usize) -> Self {
        let settings = "set: bench\nlimits: {updatePercent: 100}\n";
        std::fs::write(folder.join("partnerctl.yaml"), settings).unwrap();
        let shape = Self { folder: folder.to_owned(), customers };
        (0..customers).for_each(|number| shape.write_one(number, 1_500));
        shape
    }

    pub fn manifests(&self) -> PathBuf {
        self.folder.join("manifests")
    }

    pub fn store(&self) -> PathBuf {
        self.folder.join(".partnerctl/state.db")
    }

    /// Writes files again with another amount, so that one of a hundred resources is changed: the
    /// budget in two of 25 files.
    pub fn change(&self, amount: usize) {
        self.changing().for_each(|number| self.write_one(number, amount));
    }

    /// The customers whose files are written again.
    pub fn changing(&self) -> impl Iterator<Item = usize> {
        (0..self.customers).filter(|number| matches!(number % 25, 0 | 13))
    }

    /// Writes one file again with another amount.
    pub fn change_one(&self, number: usize, amount: usize) {
        self.write_one(number, amount);
    }

    /// Writes one file of a hundred again, with another amount in its budget.
    pub fn change_a_little(&self, amount: usize) {
        (0..self.customers).step_by(100).for_each(|number| self.write_one(number, amount));
    }

    /// What passes remember.
    pub fn memories(&self) -> Vec<PathBuf> {
        let folder = std::fs::read_dir(self.folder.join(".partnerctl"));
        let paths = folder.into_iter().flatten().map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|e| e == "cache")).collect()
    }

    fn write_one(&self, number: usize, amount: usize) {
        let name = name(number);
        let folder = self.manifests().join(format!("{:03}", number / 1_000));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.yaml")), customer(&name, amount)).unwrap();
    }
}

/// What a customer and its budget are called.
pub fn name(number: usize) -> String {
    format!("c{number:06}")
}

pub fn customer(name: &str, amount: usize) -> String {
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
