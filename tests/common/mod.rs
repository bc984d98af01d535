//! What tests share: a workspace in a folder of its own, golden files, random manifests.

pub mod pty;
pub mod redact;
pub mod reference;
pub mod transcript;
pub mod watching;

use chrono::{NaiveDate, Timelike, Utc};
use partnerctl::engine::gather;
use partnerctl::kinds::Kinds;
use partnerctl::plan::Plan;
use partnerctl::provider::embedded::{Embedded, carry_out as carry_out_one};
use partnerctl::provider::{Context, Ids};
use partnerctl::store::{Batch, Store};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

/// The clock of tests that need one.
pub const AT: &str = "2026-11-21T12:00:00Z";

/// Seconds that a test whose figures depend on the day takes at most.
const LONGEST_TEST: u32 = 60;

/// The folder of examples, for stories: `$EXAMPLES`.
pub const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");

/// The provider program of the tests, for stories: `$FAKE_PROVIDER`.
pub fn fake_provider() -> PathBuf {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_partnerctl"));
    binary.parent().unwrap().join("examples/fake-provider")
}

/// Today, for tests whose figures depend on the day: where it is nearly over, the next one once it has
/// come, so that midnight (UTC) never falls between two of their commands.
pub fn today() -> NaiveDate {
    let left = 86_400 - Utc::now().num_seconds_from_midnight();
    if left <= LONGEST_TEST {
        std::thread::sleep(Duration::from_secs(left.into()));
    }
    Utc::now().date_naive()
}

/// A folder of its own, with an environment that knows nothing of the machine.
pub struct TestEnv {
    folder: tempfile::TempDir,
    /// A folder of programs that come before the system's.
    pub tools: Option<PathBuf>,
    /// `PARTNERCTL_ACTOR`.
    pub actor: Option<&'static str>,
}

impl TestEnv {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            tools: None,
            actor: Some("admin@partner.example"),
        }
    }

    /// A workspace with one file of manifests.
    pub fn workspace(manifests: &str) -> Self {
        let env = Self::new();
        env.write("partnerctl.yaml", "set: test\n");
        env.write("manifests/all.yaml", manifests);
        env
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// A command in this folder with a bare environment.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        let binary = PathBuf::from(env!("CARGO_BIN_EXE_partnerctl"));
        let tools = self.tools.iter().map(|tools| format!("{}:", tools.display()));
        let tools: String = tools.collect();
        let path = format!("{tools}{}:/usr/bin:/bin", binary.parent().unwrap().display());
        command
            .current_dir(self.path())
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.path())
            .env("EXAMPLES", EXAMPLES)
            .env("FAKE_PROVIDER", fake_provider())
            .envs(self.actor.map(|actor| ("PARTNERCTL_ACTOR", actor)))
            .stdin(std::process::Stdio::null());
        command
    }

    /// Runs partnerctl.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(env!("CARGO_BIN_EXE_partnerctl")).args(args).output().unwrap()
    }

    /// Runs partnerctl, which must succeed; gives its stdout.
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {:?}\n{stderr}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// What `plan` counts.
    pub fn summary(&self) -> serde_json::Value {
        let plan = self.ok(&["plan", "-o", "json"]);
        serde_json::from_str::<serde_json::Value>(&plan).unwrap()["summary"].clone()
    }

    /// Demands that nothing is left to do.
    pub fn assert_settled(&self) {
        let plan = self.run(&["plan", "--detailed-exitcode"]);
        let text = String::from_utf8_lossy(&plan.stdout);
        assert_eq!(plan.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&plan.stderr));
    }
}

/// Carries out what proceeds in a plan, in one batch.
pub fn carry_out(kinds: &Kinds, store: &mut dyn Store, plan: &Plan) {
    let gathered = gather(Some(store), &Embedded).unwrap();
    let mut directory = gathered.directory(kinds);
    let mut ids = Ids::new(store.lineage(), gathered.head.unwrap().seq.unsigned_abs());
    let context = Context {
        at: AT.parse().unwrap(),
        actor: "a".into(),
        command: "test".into(),
        plan_id: plan.id.as_str().into(),
        note: String::new(),
        refunds: Default::default(),
        outlook: Default::default(),
    };
    let writes = plan
        .proceeding()
        .flat_map(|change| carry_out_one(change, &mut directory, &mut ids, &context).unwrap())
        .collect();
    store.commit(&Batch { epoch: None, writes }).unwrap();
}

/// The manifests of one customer with everything it needs, under names with a suffix.
pub fn customer(name: &str) -> String {
    format!(
        "apiVersion: partnerctl.dev/v1\nkind: Customer\nmetadata: {{name: {name}, labels: {{tier: gold}}}}\n\
         spec: {{companyName: {name}, domain: {name}.example, country: NL, currency: EUR}}\n---\n\
         apiVersion: partnerctl.dev/v1\nkind: Subscription\nmetadata: {{name: {name}-azure}}\n\
         spec: {{customerRef: {{name: {name}}}, offer: {{type: AzurePlan}}}}\n---\n\
         apiVersion: partnerctl.dev/v1\nkind: Budget\nmetadata: {{name: {name}}}\n\
         spec: {{customerRef: {{name: {name}}}, monthly: {{amount: \"1500.00\", currency: EUR}}}}\n---\n\
         apiVersion: partnerctl.dev/v1\nkind: RoleAssignment\nmetadata: {{name: {name}-owner}}\n\
         spec:\n  scope: {{subscriptionRef: {{name: {name}-azure}}}}\n  \
         principal: {{type: User, name: admin@{name}.example}}\n  role: Owner\n---\n\
         apiVersion: partnerctl.dev/v1\nkind: ReservationPermission\nmetadata: {{name: {name}}}\n\
         spec: {{customerRef: {{name: {name}}}, subscriptionRef: {{name: {name}-azure}}, purchase: Allowed, acknowledgeLiability: true}}\n"
    )
}

/// Compares with a golden file; `UPDATE_EXPECT=1` writes it.
pub fn check_file(path: &Path, actual: &str) {
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, actual).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    if expected != actual {
        let diff = similar::TextDiff::from_lines(&expected, actual);
        panic!(
            "{} differs; UPDATE_EXPECT=1 cargo test writes it\n{}",
            path.display(),
            diff.unified_diff().header("expected", "actual")
        );
    }
}

/// The files of a folder of tests, in order.
pub fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no .{extension} in {}", folder.display());
    files
}
