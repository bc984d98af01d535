//! How work grows with the workspace, counted in allocations: the same on every machine. A step that
//! compares each resource with each other shows as a growth of eight where the workspace grows by
//! eight; a memory that no longer hits shows as work for what did not move.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use partnerctl::engine::cold::{Ground, cold};
use partnerctl::engine::gather;
use partnerctl::engine::gather::{Gathered, load};
use partnerctl::engine::look::Look;
use partnerctl::engine::memory::{Kept, Key, Page, Place};
use partnerctl::engine::moved::Moved;
use partnerctl::engine::narrow::{Narrow, narrow};
use partnerctl::engine::remember::{Recollection, places, remember};
use partnerctl::engine::tree::{Found, Sources, find};
use partnerctl::engine::wake::wake;
use partnerctl::kinds::Kinds;
use partnerctl::model::Resource;
use partnerctl::model::lookup::Lookup;
use partnerctl::plan::change::Outlook;
use partnerctl::plan::{LeftOut, Plan, PlanInput, plan};
use partnerctl::provider::embedded::{Embedded, carry_out};
use partnerctl::provider::{Context, Ids};
use partnerctl::store::{Batch, Judgement, Missing, Store, Version, Write, open};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::path::{Path, PathBuf};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Resources of one customer.
const SHAPE: usize = 5;
/// A begin so late that every stat is trusted.
const LATE: i64 = i64::MAX;

struct Workspace {
    kinds: Kinds,
    store: Box<dyn Store>,
    folder: tempfile::TempDir,
}

impl Workspace {
    fn new(customers: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("manifests")).unwrap();
        let url = format!("sqlite:{}", folder.path().join("state.db").display());
        let store = open(&url, Missing::Create).unwrap().unwrap();
        let workspace = Self { kinds: Kinds::default(), store, folder };
        (0..customers).for_each(|number| workspace.write(number, 1_500));
        workspace
    }

    fn manifests(&self) -> PathBuf {
        self.folder.path().join("manifests")
    }

    /// The same with one budget for everybody in place of one for each.
    fn with_selector(customers: usize) -> Self {
        let workspace = Self::new(customers);
        for number in 0..customers {
            let file = workspace.manifests().join(format!("c{number:04}.yaml"));
            let text = std::fs::read_to_string(&file).unwrap();
            let budget = |document: &&str| !document.contains("kind: Budget");
            let rest: Vec<&str> = text.split("---\n").filter(budget).collect();
            let text = rest.join("---\n").replacen("{name: ", "{labels: {tier: gold}, name: ", 1);
            std::fs::write(file, text).unwrap();
        }
        let selector = "apiVersion: partnerctl.dev/v1\nkind: Budget\nmetadata: {name: gold}\nspec: \
             {customerSelector: {matchLabels: {tier: gold}}, monthly: {amount: 5, currency: EUR}}\n";
        std::fs::write(workspace.manifests().join("gold.yaml"), selector).unwrap();
        workspace
    }

    fn write(&self, number: usize, amount: usize) {
        let document = |kind: &str, name: &str, spec: &str| {
            format!(
                "apiVersion: partnerctl.dev/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n---\n"
            )
        };
        let name = format!("c{number:04}");
        let text = [
            document(
                "Customer",
                &name,
                &format!("{{companyName: N, domain: {name}.example, country: NL, currency: EUR}}"),
            ),
            document(
                "Subscription",
                &format!("{name}-azure"),
                &format!("{{customerRef: {{name: {name}}}, offer: {{type: AzurePlan}}}}"),
            ),
            document(
                "Budget",
                &name,
                &format!(
                    "{{customerRef: {{name: {name}}}, monthly: {{amount: {amount}, currency: EUR}}}}"
                ),
            ),
            document(
                "RoleAssignment",
                &name,
                &format!(
                    "{{scope: {{subscriptionRef: {{name: {name}-azure}}}}, principal: {{type: User, name: o@{name}.example}}, role: Owner}}"
                ),
            ),
            document(
                "ReservationPermission",
                &name,
                &format!(
                    "{{customerRef: {{name: {name}}}, subscriptionRef: {{name: {name}-azure}}, purchase: Allowed, acknowledgeLiability: true}}"
                ),
            ),
        ];
        std::fs::write(self.manifests().join(format!("{name}.yaml")), text.concat()).unwrap();
    }

    fn sources(&self) -> Sources {
        find(&[self.manifests()], &mut std::io::empty())
    }

    fn place(&self) -> Place {
        let key = Key {
            program: "test".to_owned(),
            lineage: self.store.lineage().to_owned(),
            set: "test".to_owned(),
            folder: "manifests".to_owned(),
        };
        Place::beside(self.store.file().unwrap(), key)
    }

    /// A pass over everything, which is remembered.
    fn whole(&self) -> (Plan, Gathered) {
        let mut sources = self.sources();
        sources.read_rest();
        let gathered = gather(Some(self.store.as_ref()), &Embedded).unwrap();
        let manifests = load(&self.kinds, sources.texts.clone(), &gathered.stored);
        assert_eq!(manifests.problems, []);
        let mut moved = Moved::new(&self.manifests(), &sources).unwrap();
        moved.digest_all(&sources).unwrap();
        let digests = moved.all_digests().unwrap();
        let mut recollection = Recollection {
            version: gathered.version.clone().unwrap(),
            begun: LATE,
            window: partnerctl::engine::memory::Window::default(),
            selectors: Vec::new(),
            kept: digests.iter().map(|_| Page::default()).collect(),
            digests,
            kept_others: Vec::new(),
            places: places(&manifests.resources, &sources.files),
            marks: Lookup::default(),
        };
        let workspace = self.folder.path();
        let desired = partnerctl::engine::gather::from_workspace(manifests.resources, workspace);
        let input = self.input(desired, &gathered, LeftOut::default());
        let plan = plan(&input);
        let desired = &input.desired;
        recollection.mark(&sources, desired);
        let place = self.place();
        let (manifests, files) = (self.manifests(), sources.files.as_slice());
        let noted =
            recollection.begin(&self.kinds, desired, &gathered, (&manifests, files), &place);
        remember(recollection, noted, &self.kinds, desired, &plan, &place);
        (plan, gathered)
    }

    fn input(&self, desired: Vec<Resource>, gathered: &Gathered, left_out: LeftOut) -> PlanInput {
        PlanInput {
            lineage: gathered.lineage.clone(),
            actor: "a".to_owned(),
            desired,
            stored: gathered.stored.clone(),
            unmanaged: gathered.unmanaged.clone(),
            beside: gathered.beside.clone(),
            left_out,
            ..PlanInput::new(self.kinds.clone(), "2026-11-21T12:00:00Z".parse().unwrap(), "test")
        }
    }

    /// What a process keeps of the last pass.
    fn kept(&self) -> Kept {
        let place = self.place();
        let mut memory = place.read().unwrap();
        memory.body.read().unwrap();
        Kept::new(&memory, &self.sources().files, &self.manifests()).unwrap()
    }

    /// A pass of that process, after something was heard of one file.
    fn wake(&self, kept: &mut Kept, moved: &Found) -> Plan {
        let (place, folder) = (self.place(), self.manifests());
        let look = self.look(&place, &folder);
        let mut woken = wake(&look, kept, std::slice::from_ref(moved)).unwrap().expect("it can");
        let desired = std::mem::take(&mut woken.desired);
        let input = self.input(desired, &woken.gathered, woken.left_out);
        let plan = plan(&input);
        woken.keep(kept, &self.kinds, &input.desired, &plan);
        plan
    }

    fn look<'a>(&'a self, place: &'a Place, folder: &'a Path) -> Look<'a> {
        Look {
            kinds: &self.kinds,
            workspace: self.folder.path(),
            folder,
            store: self.store.as_ref(),
            place,
            begun: LATE,
            at: "2026-11-21T12:00:00Z".parse().unwrap(),
            also: &[],
        }
    }

    /// Does what proceeds in a plan, and says that everything was looked at.
    fn apply(&mut self, plan: &Plan, gathered: &Gathered) {
        let mut directory = gathered.directory(&self.kinds);
        let mut ids = Ids::new(self.store.lineage(), 1);
        let context = Context {
            at: "2026-11-21T12:00:00Z".parse().unwrap(),
            actor: "a".into(),
            command: "test".into(),
            plan_id: plan.id.as_str().into(),
            note: String::new(),
            refunds: Default::default(),
            outlook: std::sync::Arc::new(Outlook::of(&plan.records)),
        };
        let mut writes: Vec<Write> = plan
            .proceeding()
            .flat_map(|change| carry_out(change, &mut directory, &mut ids, &context).unwrap())
            .collect();
        let (set, program) = ("test".to_owned(), "test".to_owned());
        let version = Version::default();
        writes.push(Write::Judge(Judgement { set, program, unmanaged: false, version }));
        self.store.commit(&Batch { epoch: None, writes }).unwrap();
    }

    /// What a pass looks at that remembers, or that does not: resources, and manifests it read.
    fn looked_at(&self, remembers: bool) -> (usize, LeftOut, usize) {
        let (place, mut sources, mut ground) = (self.place(), self.sources(), Ground::default());
        let folder = self.manifests();
        let look = self.look(&place, &folder);
        let mut memory = place.read();
        let found = match memory.as_mut().filter(|_| remembers) {
            Some(memory) => narrow(&look, &mut sources, memory),
            None => cold(&look, &mut sources, &mut ground),
        };
        let Narrow { desired, left_out, .. } = found.unwrap().expect("there is a narrow pass");
        (desired.len(), left_out, sources.texts.texts.len())
    }
}

fn left_out(settled: usize) -> LeftOut {
    LeftOut { settled, chosen: settled, foreign: 0 }
}

/// Allocations of the parts of a first and a second pass, and of passes over one change.
/// The second is what a process does that goes on.
fn count(customers: usize) -> (Vec<(&'static str, usize)>, usize) {
    let mut workspace = Workspace::new(customers);
    let mut counts = Vec::new();
    let mut counted = |what, region: &Region<'_, System>| {
        counts.push((what, region.change().allocations));
    };
    let region = Region::new(ALLOCATOR);
    let (first, gathered) = workspace.whole();
    counted("a first plan", &region);
    assert_eq!(first.summary.create, customers * SHAPE);
    let region = Region::new(ALLOCATOR);
    workspace.apply(&first, &gathered);
    counted("carrying it out", &region);
    let region = Region::new(ALLOCATOR);
    let (second, _) = workspace.whole();
    counted("a second plan", &region);
    assert_eq!(second.summary.unchanged, customers * SHAPE);
    let region = Region::new(ALLOCATOR);
    assert_eq!(workspace.looked_at(false), (0, left_out(customers * SHAPE), 0));
    counted("a pass that remembers nothing", &region);
    let region = Region::new(ALLOCATOR);
    assert_eq!(workspace.looked_at(true), (0, left_out(customers * SHAPE), 0));
    counted("a pass over nothing that moved", &region);
    let mut kept = workspace.kept();
    // A budget moves. Without a memory all of its file is looked at, with one it alone is, beside its
    // customer and that one's subscription.
    workspace.write(customers / 2, 1_600);
    let rest = left_out((customers - 1) * SHAPE);
    assert_eq!(workspace.looked_at(false), (SHAPE, rest, 1));
    let chosen = customers * SHAPE - 1;
    let rest = LeftOut { settled: chosen - 2, chosen, foreign: 0 };
    assert_eq!(workspace.looked_at(true), (1, rest, 1));
    // A process that goes on looks at no more, and does not even list the rest.
    let moved = workspace.sources().files[customers / 2].clone();
    let region = Region::new(ALLOCATOR);
    let plan = workspace.wake(&mut kept, &moved);
    let woken = region.change().allocations;
    assert_eq!((plan.summary.update, plan.summary.unchanged), (1, customers * SHAPE - 1));
    (counts, woken)
}

#[test]
fn work_grows_with_the_workspace_and_passes_look_only_at_what_moved() {
    const TIMES: usize = 8;
    let ((small, few), (large, many)) = (count(20), count(20 * TIMES));
    assert!(many <= few * 11 / 10, "a wake: {few} allocations become {many}");
    // One customer of a selector moves: its own budget takes the place of the chosen one.
    let mut workspace = Workspace::with_selector(20);
    let (first, gathered) = workspace.whole();
    workspace.apply(&first, &gathered);
    workspace.whole();
    assert_eq!(workspace.looked_at(true), (0, left_out(20 * SHAPE), 0));
    workspace.write(7, 1_600);
    assert_eq!(workspace.looked_at(true), (SHAPE, left_out(19 * SHAPE), 1));
    for ((what, few), (_, many)) in small.into_iter().zip(large) {
        assert!(many <= few * TIMES * 5 / 4, "{what}: {few} allocations become {many}");
    }
}
