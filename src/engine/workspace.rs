//! The workspace: a folder with `partnerctl.yaml`.

use crate::engine::policies;
use crate::engine::tree::WORKSPACE_FILE;
use crate::finance::policy::Choice;
use crate::finance::{PolicySet, Rate, Rates, RefundPolicies, RefundTerms};
use crate::kinds::{Kinds, Risk};
use crate::manifest::yaml;
use crate::model::decode::{Fault, decode};
use crate::model::problem::{Finding, Problem};
use crate::model::scalar::Line;
use crate::model::{Money, code};
use crate::plan::Limits;
use crate::plan::policy::{Policies, Policy};
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// `partnerctl.yaml`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "the settings of a workspace")]
#[schemars(title = "partnerctl.yaml")]
pub struct WorkspaceFile {
    /// The set that owns what the manifests declare; default `default`.
    pub set: Option<Line>,
    /// Who acts, unless `--as` or `PARTNERCTL_ACTOR` says otherwise.
    pub actor: Option<Line>,
    /// The store, `sqlite:PATH`; a relative path is below the workspace.
    pub store: Option<Line>,
    /// The lineage the store must have.
    pub lineage: Option<Line>,
    /// Whether its state may be lost with its folder, as an example's; else a job of CI refuses a
    /// store inside the checkout.
    pub throwaway: Option<bool>,
    /// Brakes.
    pub limits: Option<LimitsFile>,
    /// What really holds the actual state; without it, the store does.
    pub provider: Option<ProviderFile>,
    /// What `watch` may do by itself.
    pub watch: Option<WatchFile>,
    /// By what refunds of reservations are reckoned.
    pub refunds: Option<RefundsFile>,
    /// Rules over the changes of a plan: what is denied, what needs an approval, what is warned of.
    pub policies: Option<Vec<Policy>>,
}

/// By what refunds of reservations are reckoned.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "refunds, {use: [{from: 2026-11-02, policy: terms-2026-08}]}"
)]
pub struct RefundsFile {
    /// Refund policies of the workspace's own, beside those partnerctl knows.
    policies: Option<Vec<PolicySet>>,
    /// Which policy holds from which day; before the first one, and without any, `documents`.
    #[serde(rename = "use")]
    choices: Option<Vec<Choice>>,
    /// What currencies are worth in that of a cap on refunds.
    rates: Option<Vec<Rate>>,
}

impl RefundsFile {
    /// What is wrong with it beyond its types; paths are those of the file.
    fn check(&self) -> Vec<Finding> {
        let (policies, choices) = (self.policies.as_deref(), self.choices.as_deref());
        let policies =
            RefundPolicies::check(policies.unwrap_or_default(), choices.unwrap_or_default());
        let rates = self.rates.iter().flatten().enumerate().filter_map(|(number, rate)| {
            let path = format!("rates.[{number}].rate");
            Some(Finding::new(code::INVALID_VALUE, &path, rate.fault()?, "mend the rate"))
        });
        let below = |finding: Finding| {
            let path = format!("refunds.{}", finding.path);
            Finding { path, ..finding }
        };
        policies.into_iter().chain(rates).map(below).collect()
    }
}

/// What `watch` may do by itself.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a watch, {allow: [costly]}")]
pub struct WatchFile {
    /// Risks that it takes without an approval; irreversible includes costly. Without it, changes
    /// of such risk are held.
    pub allow: Vec<RiskTaken>,
}

/// A risk that is taken beforehand.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", expecting = "a risk, costly or irreversible")]
pub enum RiskTaken {
    /// Money is spent or service stops.
    Costly,
    /// It cannot be undone.
    Irreversible,
}

/// A provider of the workspace's own.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "a provider, {exec: [./program]}"
)]
pub struct ProviderFile {
    /// The program and its arguments; it runs in the workspace's folder and speaks the protocol of
    /// docs/provider-protocol.md.
    pub exec: Vec<Line>,
    /// How long it may take to answer one request; default 60.
    pub timeout_seconds: Option<std::num::NonZeroU32>,
}

/// Brakes of a workspace.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "limits, {deletePercent: 30}")]
pub struct LimitsFile {
    /// Deletes over this share of what the set owns are refused; default 30.
    delete_percent: Option<u32>,
    /// Updates over this share are refused; default 30.
    update_percent: Option<u32>,
    /// Fewer deletes or updates than this are never refused for their share; default 10.
    at_least: Option<u32>,
    /// More customers than this may not lose their folder, with everything of them, in one plan;
    /// default 0.
    vanished_folders: Option<u32>,
    /// The most by which monthly budgets may grow in one plan, one amount for each currency.
    monthly_increase: Option<Vec<Money>>,
    /// The most that one plan may cost once, one amount for each currency.
    one_time: Option<Vec<Money>>,
    /// The most that one plan may give back, one amount for each currency: a large refund means that
    /// much is cancelled.
    refund: Option<Vec<Money>>,
}

/// A workspace as it was found.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// Its folder.
    pub folder: PathBuf,
    /// Its settings; empty where there is no file.
    pub file: WorkspaceFile,
    /// Its policies, checked.
    pub policies: Arc<Policies>,
}

impl Workspace {
    /// The folder of manifests.
    #[must_use]
    pub fn manifests(&self) -> PathBuf {
        self.folder.join("manifests")
    }

    /// The set.
    #[must_use]
    pub fn set(&self) -> String {
        self.file.set.as_ref().map_or_else(|| "default".to_owned(), ToString::to_string)
    }

    /// The most that `watch` risks without an approval.
    #[must_use]
    pub fn watch_allows(&self) -> Risk {
        let taken = self.file.watch.iter().flat_map(|watch| &watch.allow);
        let risk = |taken: &RiskTaken| match taken {
            RiskTaken::Costly => Risk::Costly,
            RiskTaken::Irreversible => Risk::Irreversible,
        };
        taken.map(risk).max().unwrap_or(Risk::Reversible)
    }

    /// By what refunds of reservations are reckoned.
    #[must_use]
    pub fn refunds(&self) -> RefundTerms {
        let RefundsFile { policies, choices, rates } =
            self.file.refunds.clone().unwrap_or_default();
        let (policies, choices) = (policies.unwrap_or_default(), choices.unwrap_or_default());
        RefundTerms {
            policies: RefundPolicies::default().with(policies, choices),
            rates: Rates::new(rates.unwrap_or_default()),
        }
    }

    /// The brakes.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let default = Limits::default();
        match &self.file.limits {
            None => default,
            Some(limits) => Limits {
                delete_percent: limits.delete_percent.unwrap_or(default.delete_percent),
                update_percent: limits.update_percent.unwrap_or(default.update_percent),
                at_least: limits.at_least.map_or(default.at_least, |count| count as usize),
                vanished_folders: limits
                    .vanished_folders
                    .map_or(default.vanished_folders, |count| count as usize),
                monthly_increase: limits.monthly_increase.clone().unwrap_or_default(),
                one_time: limits.one_time.clone().unwrap_or_default(),
                refund: limits.refund.clone().unwrap_or_default(),
            },
        }
    }
}

/// The nearest folder upward with a `partnerctl.yaml`.
#[must_use]
pub fn find_upward(from: &Path) -> Option<PathBuf> {
    let from = from.canonicalize().ok()?;
    from.ancestors().find(|folder| folder.join(WORKSPACE_FILE).is_file()).map(Path::to_owned)
}

/// Reads the settings of a folder; a folder without the file has the defaults.
///
/// # Errors
/// The problems of the file with its text, when it cannot be read or is not valid.
pub fn open(kinds: &Kinds, folder: &Path) -> Result<Workspace, (Vec<Problem>, String)> {
    let path = folder.join(WORKSPACE_FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => {
            let fault = Fault {
                code: crate::model::code::UNREADABLE,
                span: crate::model::tree::Span::START,
                message: format!("it cannot be read: {error}"),
                hint: "check its rights".to_owned(),
            };
            return Err((vec![fault.within(&path.to_string_lossy().into())], String::new()));
        }
    };
    let (file, policies) = parse(kinds, &path, &text).map_err(|problems| (problems, text))?;
    Ok(Workspace { folder: folder.to_owned(), file, policies: Arc::new(policies) })
}

/// Reads the text of a `partnerctl.yaml`.
///
/// # Errors
/// What is wrong with it.
pub fn parse(
    kinds: &Kinds,
    path: &Path,
    text: &str,
) -> Result<(WorkspaceFile, Policies), Vec<Problem>> {
    let (trees, faults) = yaml::read(text);
    let file_name: Arc<str> = path.to_string_lossy().into();
    let of_faults = |faults: Vec<Fault>| faults.into_iter().map(|fault| fault.within(&file_name));
    let mut problems: Vec<Problem> = of_faults(faults).collect();
    let (mut file, mut policies) = (WorkspaceFile::default(), Policies::default());
    if let Some(tree) = trees.first() {
        let mut read = decode::<WorkspaceFile>(&tree.root);
        file = read.value.take().unwrap_or_default();
        let written = file.policies.take().unwrap_or_default();
        let (checked, wrong) = policies::check(kinds, &tree.root, &read, written, &file_name);
        // What stands in for a fault is not checked.
        let refunds = file.refunds.as_ref().filter(|_| read.faults.is_empty()).into_iter();
        let refunds = refunds.flat_map(RefundsFile::check).map(|finding| Fault {
            code: finding.code,
            span: tree.root.place(&finding.path),
            message: finding.message,
            hint: finding.hint,
        });
        problems.extend(of_faults(refunds.chain(read.faults).collect()).chain(wrong));
        problems.sort_by(|a, b| a.locations.cmp(&b.locations));
        policies = checked;
    }
    if problems.is_empty() { Ok((file, policies)) } else { Err(problems) }
}
