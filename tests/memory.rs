//! The memory beside the store: it may be there or not, and no plan differs.

use crate::common::{AT, TestEnv};
use crate::properties::{State, documents, state};
use partnerctl::engine::look::Look;
use partnerctl::engine::memory::{Kept, Memory, Place};
use partnerctl::engine::tree::{Found, Sources, find};
use partnerctl::engine::wake::wake;
use partnerctl::engine::workspace::open as open_workspace;
use partnerctl::kinds::{Kinds, Staff};
use partnerctl::plan::{Limits, PlanInput, plan, saved};
use partnerctl::store::{self, Missing};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// When suspensions that end do so, and a time after that.
const ENDS: &str = "2098-01-01";
const LATER: &str = "2099-01-01";

/// One step of a history.
#[derive(Debug, Clone)]
enum Step {
    /// The manifests become those of a state, in files by what their documents hash to.
    Edit(State, u8),
    /// Some documents go: those whose place this divides.
    Less(u8),
    /// The documents are those of before the last edit or loss.
    Back,
    /// The same documents in other files.
    Move(u8),
    /// One customer's budget changes.
    Amount(u8, u32),
    /// `apply`, with or without `--prune`, of all or of one customer.
    Apply(bool, Option<u8>),
    /// The outside changes one thing: gone, renamed, or something of the same name comes.
    Outside(u8, u8),
    /// Another set applies a state to the same store.
    Other(State),
    /// A file is written again with the same text.
    Touch(u8),
    /// The partner's staff becomes another one of [`STAFF`].
    Staff(u8),
    /// Somebody else acts from now on.
    Actor(u8),
    /// A customer, with everything of it or its budget alone, is suspended: for good, or until a day.
    Suspend(u8, bool, bool),
    /// That ends.
    Unsuspend(u8, bool),
    /// From now on, another amount of a budget is accepted until a day; or not any more.
    Accept(bool),
    /// From now on, what is no longer declared is released; or not any more.
    Retain(bool),
    /// From now on, these policies hold.
    Policies(u8),
}

/// Settings with different policies; the first has none.
fn settings(policies: u8) -> String {
    let rules: &[&str] = match policies % 4 {
        0 => &[],
        1 => &[
            "{name: a, match: {kinds: [Budget], actions: [update]}, effect: deny}",
            "{name: b, match: {customerLabels: {matchLabels: {tier: t1}}}, effect: warn}",
        ],
        2 => &[
            "{name: a, match: {kinds: [Budget], actions: [create, delete]}, effect: deny, message: other}",
            "{name: b, match: {riskAtLeast: costly}, effect: requireApproval}",
        ],
        _ => &[
            "{name: c, match: {customers: [c1, c2]}, effect: deny}",
            "{name: d, match: {money: {monthlyIncreaseOver: [{amount: 100, currency: EUR}]}}, effect: requireApproval, by: AdminAgent}",
        ],
    };
    let rules: String = rules.iter().map(|rule| format!("  - {rule}\n")).collect();
    let rules = if rules.is_empty() { rules } else { format!("policies:\n{rules}") };
    format!("set: test\nlimits: {{atLeast: 1000}}\n{rules}")
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (calm(), 1..5u8).prop_map(|(state, files)| Step::Edit(state, files)),
        2 => (state(), 1..5u8).prop_map(|(state, files)| Step::Edit(state, files)),
        2 => (1..4u8).prop_map(Step::Less),
        3 => Just(Step::Back),
        1 => (1..5u8).prop_map(Step::Move),
        3 => (0..6u8, 1..99_999u32).prop_map(|(customer, cents)| Step::Amount(customer, cents)),
        4 => (any::<bool>(), prop::option::weighted(0.2, 0..6u8))
            .prop_map(|(prune, customer)| Step::Apply(prune && customer.is_none(), customer)),
        3 => (any::<u8>(), 0..4u8).prop_map(|(which, how)| Step::Outside(which, how)),
        1 => calm().prop_map(Step::Other),
        1 => any::<u8>().prop_map(Step::Touch),
        2 => (0..5u8).prop_map(Step::Staff),
        1 => (0..3u8).prop_map(Step::Actor),
        1 => any::<bool>().prop_map(Step::Retain),
        1 => prop::bool::weighted(0.7).prop_map(Step::Accept),
        2 => (0..6u8, any::<bool>(), any::<bool>()).prop_map(|(c, all, ends)| Step::Suspend(c, all, ends)),
        1 => (0..6u8, any::<bool>()).prop_map(|(customer, all)| Step::Unsuspend(customer, all)),
        2 => any::<u8>().prop_map(Step::Policies),
    ]
}

/// Partner users with their roles, as manifests declare them: none; somebody who may do everything and
/// somebody who may not; the roles moved; and one who is Owner of subscriptions of customers as well.
const STAFF: [&[(&str, &str)]; 5] = [
    &[],
    &[("admin", "GlobalAdmin, AdminAgent, SalesAgent"), ("ann", "HelpdeskAgent")],
    &[("admin", "GlobalAdmin"), ("ann", "AdminAgent, SalesAgent")],
    &[("admin", "GlobalAdmin, AdminAgent, SalesAgent"), ("P1", "")],
    &[("P1", "AdminAgent"), ("ann", "GlobalAdmin, AdminAgent")],
];
const ACTORS: [&str; 3] = ["admin@partner.example", "ANN@partner.example", "guest@partner.example"];

fn staff(number: u8) -> Vec<String> {
    let one = |(name, roles): &(&str, &str)| {
        format!(
            "apiVersion: partnerctl.dev/v1\nkind: PartnerUser\nmetadata: {{name: {}}}\nspec: \
             {{userPrincipalName: {name}@partner.example, roles: [{roles}]}}\n",
            name.to_lowercase()
        )
    };
    STAFF[usize::from(number)].iter().map(one).collect()
}

/// A state without a selector: with one, everything has to do with everything.
fn calm() -> impl Strategy<Value = State> {
    state().prop_map(|(customers, _)| (customers, None))
}

/// A workspace with a history.
struct History {
    env: TestEnv,
    documents: Vec<String>,
    before: Vec<String>,
    files: u8,
    retain: bool,
    staff: u8,
    actor: u8,
    accept: bool,
}

impl History {
    fn new() -> Self {
        let env = TestEnv::new();
        env.write("partnerctl.yaml", settings(0));
        env.write("other/partnerctl.yaml", "set: other\nstore: sqlite:../.partnerctl/state.db\n");
        env.write("manifests/empty.yaml", "");
        Self {
            env,
            documents: Vec::new(),
            before: Vec::new(),
            files: 1,
            retain: false,
            staff: 0,
            actor: 0,
            accept: false,
        }
    }

    /// Writes the documents into files: what belongs to one customer may be in several.
    fn write(&self) {
        let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let staff = staff(self.staff);
        for (index, document) in self.documents.iter().chain(&staff).enumerate() {
            let file = format!("manifests/f{}.yaml", index % usize::from(self.files));
            // Some roles ended in the past, others end in the future, and so do permissions.
            let mut document = document
                .replace("name: P1}", "name: p1@partner.example}")
                .replace(
                    "name: P2}, role: Owner",
                    "name: P2}, role: Owner, until: 2026-11-21T13:00:00Z",
                )
                .replace("name: P0}, role: Owner", "name: P0}, role: Owner, until: 2099-01-01")
                .replace(
                    "acknowledgeLiability: true",
                    "acknowledgeLiability: true, until: 2099-02-01",
                );
            if self.accept && document.contains("kind: Budget") && !document.contains("annotations")
            {
                let accepted = format!("spec.monthly.amount until {ENDS}: agreed");
                let accepted =
                    format!(", annotations: {{partnerctl.dev/accept-drift: '{accepted}'}}}}\nspec");
                document = document.replace("}\nspec", &accepted);
            }
            if self.retain && !document.contains("annotations") {
                let policy = ", annotations: {partnerctl.dev/deletion-policy: Retain}}\nspec";
                document = document.replace("}\nspec", policy);
            }
            texts.entry(file).or_default().push(document);
        }
        for entry in std::fs::read_dir(self.env.path().join("manifests")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if !texts.contains_key(&format!("manifests/{name}")) {
                std::fs::remove_file(self.env.path().join("manifests").join(name)).unwrap();
            }
        }
        for (file, documents) in texts {
            let text = documents.join("---\n");
            if std::fs::read_to_string(self.env.path().join(&file)).ok().as_ref() != Some(&text) {
                self.env.write(&file, text);
            }
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Edit(state, files) => {
                self.before = std::mem::replace(&mut self.documents, documents(state));
                self.files = *files;
            }
            Step::Less(every) => {
                self.before.clone_from(&self.documents);
                let places = (0..self.documents.len()).filter(|n| n % usize::from(*every) != 0);
                self.documents = places.map(|n| self.before[n].clone()).collect();
            }
            Step::Back => std::mem::swap(&mut self.documents, &mut self.before),
            Step::Move(files) => self.files = *files,
            Step::Staff(staff) => self.staff = *staff,
            Step::Actor(actor) => self.actor = *actor,
            Step::Retain(retain) => self.retain = *retain,
            Step::Accept(accept) => self.accept = *accept,
            Step::Policies(policies) => self.env.write("partnerctl.yaml", settings(*policies)),
            Step::Amount(customer, cents) => {
                let budget = format!("kind: Budget\nmetadata: {{name: b{customer}}}");
                for document in self.documents.iter_mut().filter(|d| d.contains(&budget)) {
                    let (before, rest) = document.split_once("amount: \"").unwrap();
                    let (_, after) = rest.split_once('"').unwrap();
                    *document = format!("{before}amount: \"{cents}\"{after}");
                }
            }
            Step::Touch(which) => {
                let file = self.env.path().join(format!("manifests/f{}.yaml", which % self.files));
                if let Ok(text) = std::fs::read(&file) {
                    std::fs::write(file, text).unwrap();
                }
            }
            Step::Apply(prune, customer) => {
                let mut args = vec![
                    "--as",
                    self.actor(),
                    "apply",
                    "--yes",
                    "--approve",
                    "irreversible",
                    "--approve",
                    "policy",
                ];
                let name = customer.map(|customer| format!("c{customer}"));
                args.extend(prune.then_some("--prune"));
                args.extend(name.iter().flat_map(|name| ["--customer", name]));
                self.env.run(&args);
            }
            Step::Suspend(customer, all, ends) => {
                let (name, until) = (format!("c{customer}"), ["--until", ENDS]);
                let budget = format!("budget/b{customer}");
                let what = if *all { vec!["--customer", &name] } else { vec![budget.as_str()] };
                let until = if *ends { &until[..] } else { &[] };
                self.env.run(&[&["suspend"], what.as_slice(), until].concat());
            }
            Step::Unsuspend(customer, all) => {
                let (name, budget) = (format!("c{customer}"), format!("budget/b{customer}"));
                let what = if *all { vec!["--customer", &name] } else { vec![budget.as_str()] };
                self.env.run(&[&["unsuspend"], what.as_slice()].concat());
            }
            Step::Outside(which, how) => self.outside(usize::from(*which), *how),
            Step::Other(state) => {
                let text = documents(state).join("---\n").replace("{name: b", "{name: o");
                self.env.write("other/manifests/all.yaml", text);
                self.env.run(&["--workspace", "other", "apply", "--yes"]);
            }
        }
        self.write();
    }

    fn actor(&self) -> &'static str {
        ACTORS[usize::from(self.actor)]
    }

    fn outside(&self, which: usize, how: u8) {
        let listed = self.env.run(&["get", "all", "--unmanaged", "-o", "json"]);
        let listed = if listed.status.success() && which.is_multiple_of(2) {
            listed.stdout
        } else {
            self.env.run(&["get", "all", "-o", "json"]).stdout
        };
        let Ok(mut list) = serde_json::from_slice::<Value>(&listed) else { return };
        let Some(items) = list["items"].as_array_mut().filter(|items| !items.is_empty()) else {
            return;
        };
        let count = items.len();
        let mut item = items.swap_remove(which % count);
        let observed = &mut item["status"]["observed"];
        match how {
            0 => *observed = Value::Null,
            1 if observed.get("companyName").is_some() => {
                observed["companyName"] = json!(format!("Outside {which}"));
            }
            1 if observed.get("roles").is_some() => observed["roles"] = json!(["SalesAgent"]),
            1 if observed.get("monthly").is_some() => observed["monthly"]["amount"] = json!("7.00"),
            1 | 2 => observed["friendlyName"] = json!(format!("outside {which}")),
            _ => item["metadata"]["name"] = json!(format!("outside-{which}")),
        }
        list["items"] = json!([item]);
        self.env.write("outside.json", list.to_string());
        self.env.run(&["ingest", "state", "outside.json"]);
    }

    fn memories(&self) -> Vec<PathBuf> {
        let Ok(folder) = std::fs::read_dir(self.env.path().join(".partnerctl")) else {
            return Vec::new();
        };
        let paths = folder.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|e| e == "cache")).collect()
    }

    /// What a command says with the memory as it is, without any, and looking at everything; the
    /// memory then is the one of the first.
    fn answers(&self, args: &[&str]) -> [(Option<i32>, String, String); 3] {
        let say = |more: &[&str]| {
            let output = self.env.run(&[&["--as", self.actor()], args, more].concat());
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            (output.status.code(), text(&output.stdout), text(&output.stderr))
        };
        let with = say(&[]);
        let kept: Vec<_> =
            self.memories().into_iter().map(|p| (p.clone(), std::fs::read(p).unwrap())).collect();
        kept.iter().for_each(|(path, _)| std::fs::remove_file(path).unwrap());
        let without = say(&[]);
        let full = say(&["--full"]);
        self.memories().iter().for_each(|path| std::fs::remove_file(path).unwrap());
        kept.iter().for_each(|(path, bytes)| std::fs::write(path, bytes).unwrap());
        [with, without, full]
    }
}

/// A process that goes on beside the history: what it kept, and how often that was enough.
#[derive(Default)]
struct Process {
    kept: Option<Kept>,
    woken: usize,
}

impl Process {
    /// Begins anew from what the last plan left beside the store.
    fn begin(&mut self, history: &History) {
        self.kept = history.memories().iter().find_map(|path| {
            let mut memory = Memory::at(path).filter(|memory| memory.front.key.set == "test")?;
            memory.body.read()?;
            Kept::new(&memory, &history.found().files, &history.env.path().join("manifests"))
        });
    }

    /// Plans from what was kept; `None` where it must begin anew.
    fn plan(&mut self, history: &History, actor: &str) -> Option<String> {
        let files = history.found().files;
        let kept = self.kept.as_mut()?;
        let mut moved: Vec<Found> = Vec::new();
        for (number, file) in files.iter().enumerate() {
            let (before, _) = kept.file(number).filter(|(found, _)| found.name == file.name)?;
            moved.extend((before.stat != file.stat).then(|| file.clone()));
        }
        if kept.file(files.len()).is_some() {
            return None;
        }
        let kinds = Kinds::default();
        let folder = history.env.path().join("manifests");
        let path = history.env.path().join(".partnerctl/state.db");
        let url = format!("sqlite:{}", path.display());
        let opened = store::open(&url, Missing::Leave).unwrap()?;
        let place = Place::beside(&path, kept.key().clone());
        let look = Look {
            kinds: &kinds,
            workspace: history.env.path(),
            folder: &folder,
            store: opened.as_ref(),
            place: &place,
            begun: 0,
            at: AT.parse().unwrap(),
            also: &[],
        };
        let mut woken = wake(&look, kept, &moved).unwrap()?;
        let Ok(workspace) = open_workspace(&kinds, history.env.path()) else {
            panic!("the settings are not valid")
        };
        let input = PlanInput {
            lineage: woken.gathered.lineage.clone(),
            actor: actor.to_owned(),
            staff: Staff::of(actor, &woken.gathered.staff),
            desired: std::mem::take(&mut woken.desired),
            stored: woken.gathered.stored.clone(),
            unmanaged: woken.gathered.unmanaged.clone(),
            suspensions: woken.gathered.suspensions.clone(),
            limits: Limits { at_least: 1000, ..Limits::default() },
            policies: workspace.policies,
            beside: woken.gathered.beside.clone(),
            left_out: woken.left_out,
            ..PlanInput::new(kinds.clone(), AT.parse().unwrap(), "test")
        };
        if input.declares_nothing() {
            return None;
        }
        let plan = plan(&input);
        woken.keep(kept, &kinds, &input.desired, &plan);
        self.woken += 1;
        Some(saved::text(&plan))
    }
}

impl History {
    fn found(&self) -> Sources {
        find(&[self.env.path().join("manifests")], &mut std::io::empty())
    }
}

#[test]
fn a_process_that_goes_on_plans_one_change_after_another_from_what_it_kept() {
    let mut history = History::new();
    let mut process = Process::default();
    for number in 0..3 {
        let document = |kind: &str, name: &str, spec: &str| {
            format!(
                "apiVersion: partnerctl.dev/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n"
            )
        };
        let spec =
            format!("{{companyName: C, domain: c{number}.example, country: NL, currency: EUR}}");
        history.documents.push(document("Customer", &format!("c{number}"), &spec));
        let spec = format!(
            "{{customerRef: {{name: c{number}}}, monthly: {{amount: \"5\", currency: EUR}}}}"
        );
        history.documents.push(document("Budget", &format!("b{number}"), &spec));
    }
    history.take(&Step::Move(4));
    history.take(&Step::Apply(false, None));
    history.env.ok(&["plan"]);
    process.begin(&history);
    for cents in 0..5 {
        history.take(&Step::Amount(1, 100 + cents));
        assert_eq!(process.check(&history), Ok(()));
        history.take(&Step::Apply(false, None));
        assert_eq!(process.check(&history), Ok(()));
    }
    assert_eq!(process.woken, 10);
}

#[test]
fn an_older_memory_is_not_kept_for_files_that_moved_since() {
    let mut history = History::new();
    let customer = |name: &str| {
        format!(
            "apiVersion: partnerctl.dev/v1\nkind: Customer\nmetadata: {{name: {name}}}\nspec: {{companyName: C, domain: {name}.example, country: NL}}\n"
        )
    };
    history.documents = vec![customer("contoso")];
    history.take(&Step::Move(1));
    history.take(&Step::Apply(false, None));
    history.env.ok(&["plan"]);
    let mut process = Process::default();
    process.begin(&history);
    assert!(process.kept.is_some());
    history.documents = vec![customer("fabrikam")];
    history.write();
    process.begin(&history);
    assert!(process.kept.is_none());
}

impl Process {
    /// Compares what it plans with what is planned from everything.
    fn check(&mut self, history: &History) -> Result<(), String> {
        let output =
            history.env.run(&["--as", history.actor(), "plan", "-o", "json", "--at", AT, "--full"]);
        let Ok(expected) = serde_json::from_slice::<Value>(&output.stdout) else {
            // Nothing can be planned: so does it say that more must be looked at.
            return match self.plan(history, "") {
                Some(plan) => Err(format!("planned what cannot be: {plan}")),
                None => Ok(()),
            };
        };
        let plan = self.plan(history, expected["actor"].as_str().unwrap());
        let Some(plan) = plan else {
            history.env.run(&["plan"]);
            self.begin(history);
            return Ok(());
        };
        let expected = String::from_utf8(output.stdout).unwrap();
        if plan == expected { Ok(()) } else { Err(format!("{plan}\ninstead of\n{expected}")) }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: std::env::var("MEMORY_CASES").map_or(24, |n| n.parse().unwrap()), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn from_what_a_process_kept_plans_are_the_same_bytes(steps in prop::collection::vec(step(), 4..16)) {
        let mut history = History::new();
        let mut process = Process::default();
        for (number, step) in steps.iter().enumerate() {
            history.take(step);
            let same = process.check(&history);
            prop_assert_eq!(same, Ok(()), "after step {} of {:#?}\n{}", number, steps, history.documents.join("---\n"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: std::env::var("MEMORY_CASES").map_or(24, |n| n.parse().unwrap()), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn with_and_without_the_memory_plans_are_the_same_bytes(steps in prop::collection::vec(step(), 4..12)) {
        let mut history = History::new();
        for (number, step) in steps.iter().enumerate() {
            history.take(step);
            let questions: [&[&str]; 7] = [
                &["status", "-o", "json"],
                &["plan", "-o", "json", "--at", AT],
                &["plan", "-o", "json", "--at", LATER],
                &["plan", "-o", "json", "--at", AT, "--take-ownership"],
                &["plan", "-o", "json", "--at", AT, "--prune"],
                &["plan", "-o", "json", "--at", "2099-01-15"],
                &["plan", "-o", "json", "--at", AT, "--customer", "c1", "--exclude", "budget/b1"],
            ];
            for question in questions {
                let [with, without, full] = history.answers(question);
                let told = format!("{question:?} after step {number} of {steps:#?}\n{}", history.documents.join("---\n"));
                prop_assert_eq!(&with, &full, "with the memory: {}", told);
                prop_assert_eq!(&without, &full, "without: {}", told);
            }
        }
    }
}
