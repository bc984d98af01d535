//! `watch`, the real program over real folders: whatever way files change, it ends in what one apply
//! of the final tree gives, and nothing is done that this does not imply.
//!
//! Everything waits for conditions; what must not happen is given the time of passes that show it.

use crate::common::{TestEnv, customer};
use crate::outside::{LICENCE, tell, workspace};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Longer than anything takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(120);
const MANIFESTS: &str = "manifests/all.yaml";

/// A watch under way.
struct Watch<'a> {
    env: &'a TestEnv,
    child: Child,
    status: &'static str,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Waits for something.
fn wait<T>(what: &str, mut now: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = now() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Begins to watch.
fn watch<'a>(env: &'a TestEnv, args: &[&str]) -> Watch<'a> {
    watch_to("watch.json", env, args)
}

fn watch_to<'a>(status: &'static str, env: &'a TestEnv, args: &[&str]) -> Watch<'a> {
    watch_by(env.command(env!("CARGO_BIN_EXE_partnerctl")), status, env, args)
}

fn watch_by<'a>(
    mut command: Command,
    status: &'static str,
    env: &'a TestEnv,
    args: &[&str],
) -> Watch<'a> {
    let log = fs::File::create(env.path().join("watch.log")).unwrap();
    command.args(["watch", "--status-file"]).arg(env.path().join(status)).args(args);
    let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
    Watch { env, child, status }
}

impl Watch<'_> {
    fn log(&self) -> String {
        fs::read_to_string(self.env.path().join("watch.log")).unwrap()
    }

    fn status(&self) -> Option<Value> {
        let text = fs::read_to_string(self.env.path().join(self.status)).ok()?;
        // It is replaced as a whole: half of one is never seen.
        Some(serde_json::from_str(&text).unwrap())
    }

    fn assert_lives(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "it ended: {ended:?}\n{}", self.log());
    }

    /// Waits until the status is as wanted.
    fn until(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        wait(&format!("{what}\n{}", self.log()), || {
            self.assert_lives();
            self.status().filter(|status| wanted(status))
        })
    }

    fn passes(&self) -> u64 {
        self.status().map_or(0, |status| status["passes"].as_u64().unwrap())
    }

    /// Waits for as many more passes to end.
    fn more_passes(&mut self, more: u64) -> Value {
        let wanted = self.passes() + more;
        self.until("more passes", |status| status["passes"].as_u64() >= Some(wanted))
    }

    fn outcome(&mut self, outcome: &str) -> Value {
        self.until(&format!("a pass that ends {outcome}"), |status| {
            status["lastPass"]["outcome"] == outcome
        })
    }

    /// Waits until nothing is left to do.
    fn settled(&mut self, prune: bool) {
        let arguments = ["plan", "--full", "--detailed-exitcode", "--prune"];
        let arguments = &arguments[..if prune { 4 } else { 3 }];
        wait(&format!("that everything is as declared\n{}", self.log()), || {
            self.assert_lives();
            (self.env.run(arguments).status.code() == Some(0)).then_some(())
        });
    }

    /// How often the log says something.
    fn said(&self, text: &str) -> usize {
        self.log().matches(text).count()
    }

    fn until_said(&mut self, text: &str) {
        wait(&format!("`{text}` in the log"), || {
            self.assert_lives();
            (self.said(text) > 0).then_some(())
        });
    }

    fn signal(&mut self, name: &str) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(self.env.command("kill").args([name, &pid]).status().unwrap().success());
        self.child.wait().unwrap()
    }

    /// Ends it cleanly; gives the log.
    fn end(mut self) -> String {
        let status = self.signal("-TERM");
        assert_eq!(status.code(), Some(0), "{}", self.log());
        assert_eq!(self.status().unwrap()["state"], "ended");
        self.log()
    }
}

/// What there is, without what is chance, time or a count.
fn state(env: &TestEnv) -> Value {
    let mut list: Value = serde_json::from_str(&env.ok(&["get", "all", "-o", "json"])).unwrap();
    strip(&mut list);
    list
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for name in
                ["uid", "generation", "revision", "externalId", "lastTransitionTime", "purchasedAt"]
            {
                fields.remove(name);
            }
            // Who owns what is spoken of by ids of the provider.
            fields.retain(|name, _| name != "external");
            fields.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

/// I9: what there is equals what one apply of the final tree gives.
fn assert_as_one_apply(env: &TestEnv) {
    let once = TestEnv::new();
    once.write("partnerctl.yaml", fs::read(env.path().join("partnerctl.yaml")).unwrap());
    copy(&env.path().join("manifests"), &once.path().join("manifests"));
    once.ok(&["apply", "--yes", "--approve", "costly"]);
    let (watched, once) = (format!("{:#}", state(env)), format!("{:#}", state(&once)));
    let diff = similar::TextDiff::from_lines(&once, &watched);
    assert!(watched == once, "{}", diff.unified_diff().header("one apply", "watch"));
    env.ok(&["log", "verify"]);
}

/// Copies a tree with its links.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if let Ok(target) = fs::read_link(&path) {
            std::os::unix::fs::symlink(target, to).unwrap();
        } else if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::write(to, fs::read(path).unwrap()).unwrap();
        }
    }
}

fn activities(env: &TestEnv) -> Vec<Value> {
    serde_json::from_str(&env.ok(&["log", "-o", "json"])).unwrap()
}

fn deletes(env: &TestEnv) -> usize {
    activities(env).iter().filter(|activity| activity["after"].is_null()).count()
}

fn amount(text: &str) -> String {
    customer("contoso").replace("1500.00", text)
}

/// The ways in which editors and programs save a file.
fn save(env: &TestEnv, style: &str, text: &str) {
    let path = env.path().join(MANIFESTS);
    let beside = |name: &str| path.with_file_name(name);
    match style {
        "in place" => fs::write(&path, text).unwrap(),
        "in pieces" => {
            let mut file = fs::File::create(&path).unwrap();
            for piece in text.as_bytes().chunks(40) {
                file.write_all(piece).unwrap();
                file.sync_all().unwrap();
            }
        }
        "vim" => {
            fs::write(beside("4913"), "").unwrap();
            fs::remove_file(beside("4913")).unwrap();
            fs::write(beside(".all.yaml.swp"), "swap").unwrap();
            fs::rename(&path, beside("all.yaml~")).unwrap();
            fs::write(&path, text).unwrap();
            fs::remove_file(beside("all.yaml~")).unwrap();
            fs::remove_file(beside(".all.yaml.swp")).unwrap();
        }
        "sed -i" => {
            fs::write(beside("sedAbCdEf"), text).unwrap();
            fs::rename(beside("sedAbCdEf"), &path).unwrap();
        }
        "VS Code" => {
            let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
            file.set_len(0).unwrap();
            (&file).write_all(text.as_bytes()).unwrap();
        }
        "gone and back" => {
            fs::remove_file(&path).unwrap();
            fs::write(&path, text).unwrap();
        }
        "in another folder" => {
            fs::create_dir_all(beside("deep/er")).unwrap();
            fs::write(beside("deep/er/all.yaml"), text).unwrap();
            fs::remove_file(&path).unwrap();
        }
        other => panic!("{other}"),
    }
}

#[test]
fn however_a_file_is_saved_it_ends_as_one_apply() {
    let env = TestEnv::workspace(&customer("contoso"));
    let mut watch = watch(&env, &["--prune", "--debounce", "500ms"]);
    watch.outcome("done");
    let styles = ["in place", "in pieces", "vim", "sed -i", "VS Code", "gone and back"];
    for (number, style) in styles.into_iter().chain(["in another folder"]).enumerate() {
        save(&env, style, &amount(&format!("{}.00", 2000 + number)));
        watch.settled(true);
        let log = activities(&env);
        assert_eq!(log.len(), 6 + number, "{style}: exactly one change\n{}", watch.log());
        assert_eq!(log[5 + number]["outcome"], "succeeded");
    }
    assert_eq!(deletes(&env), 0);
    assert_as_one_apply(&env);
    let log = watch.end();
    assert!(!log.contains("not valid"), "{log}");
}

#[test]
fn whatever_happens_in_any_order_ends_as_one_apply() {
    for seed in 1..=3_u64 {
        let env = TestEnv::workspace(&customer("contoso"));
        let mut watch = watch(&env, &["--prune", "--debounce", "20ms"]);
        let mut chance = seed;
        let mut next = move |below: u64| {
            chance = chance
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (chance >> 33) % below
        };
        for _ in 0..40 {
            // The one customer that stays keeps the brakes on empty input out of it.
            let name = format!("c{}", next(4));
            let path = format!("manifests/{name}.yaml");
            match next(4) {
                0 | 1 => env.write(&path, role(&name, next(9) + 1)),
                2 => {
                    let _none = fs::remove_file(env.path().join(&path));
                }
                _ => env.write(&path, "apiVersion: partnerctl.dev/v1\nkind: "),
            }
            std::thread::sleep(Duration::from_millis(next(60)));
        }
        for number in 0..4 {
            let name = format!("c{number}");
            env.write(&format!("manifests/{name}.yaml"), role(&name, next(9) + 1));
        }
        watch.settled(true);
        assert_as_one_apply(&env);
        watch.end();
    }
}

/// A role for somebody, under a name that stays.
fn role(name: &str, person: u64) -> String {
    format!(
        "apiVersion: partnerctl.dev/v1\nkind: RoleAssignment\nmetadata: {{name: {name}}}\n\
         spec: {{scope: {{subscriptionRef: {{name: contoso-azure}}}}, \
         principal: {{type: User, name: {name}-{person}@contoso.example}}, role: Reader}}\n"
    )
}

#[test]
fn a_checkout_of_many_files_ends_as_one_apply() {
    const FILES: usize = 500;
    let env = TestEnv::new();
    env.write("partnerctl.yaml", "set: test\nlimits: {updatePercent: 100}\n");
    let git = |arguments: &[&str]| {
        let name = ["-c", "user.name=a", "-c", "user.email=a@contoso.example"];
        let output = env.command("git").args(name).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let write = |amount: &str| {
        for number in 0..FILES {
            let text = customer(&format!("c{number}")).replace("1500.00", amount);
            let one: Vec<_> = text.split("---\n").collect();
            let text = [one[0], one[2]].join("---\n");
            env.write(&format!("manifests/{}/c{number}.yaml", number % 7), text);
        }
    };
    git(&["init", "-q", "."]);
    write("1500.00");
    git(&["add", "manifests"]);
    git(&["commit", "-qm", "one"]);
    git(&["branch", "-m", "one"]);
    git(&["checkout", "-qb", "two"]);
    write("1700.00");
    git(&["mv", "manifests/3", "manifests/moved"]);
    git(&["commit", "-qam", "two"]);
    git(&["checkout", "-q", "one"]);
    let mut watch = watch(&env, &["--prune", "--debounce", "300ms"]);
    watch.settled(true);
    assert_eq!(activities(&env).len(), 2 * FILES);
    git(&["checkout", "-q", "two"]);
    watch.settled(true);
    assert_eq!(activities(&env).len(), 3 * FILES, "a budget each, once");
    assert_eq!(deletes(&env), 0);
    assert_as_one_apply(&env);
    let log = watch.end();
    assert!(!log.contains("not valid"), "{log}");
}

#[test]
fn a_config_map_is_swapped_as_a_whole() {
    let env = TestEnv::new();
    env.write("partnerctl.yaml", "set: test\n");
    let manifests = env.path().join("manifests");
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, manifests.join(name)).unwrap();
    env.write("manifests/..1/all.yaml", amount("1500.00"));
    link("..1", "..data");
    link("..data/all.yaml", "all.yaml");
    let mut watch = watch(&env, &["--prune"]);
    watch.settled(true);
    for (number, amount) in [(2, "1600.00"), (3, "1700.00")] {
        env.write(&format!("manifests/..{number}/all.yaml"), self::amount(amount));
        link(&format!("..{number}"), "..data_tmp");
        fs::rename(manifests.join("..data_tmp"), manifests.join("..data")).unwrap();
        fs::remove_dir_all(manifests.join(format!("..{}", number - 1))).unwrap();
        watch.settled(true);
    }
    assert_eq!(activities(&env).len(), 7);
    assert_as_one_apply(&env);
    watch.end();
}

#[test]
fn while_the_root_is_missing_nothing_is_deleted_and_it_goes_on_when_it_is_back() {
    let env = TestEnv::workspace(&customer("contoso"));
    let (root, away) = (env.path().join("manifests"), env.path().join("away"));
    let mut watch = watch(&env, &["--prune", "--interval", "1s"]);
    watch.outcome("done");
    for round in 0..2 {
        let passes = {
            fs::rename(&root, &away).unwrap();
            watch.until("a pause", |status| status["state"] == "paused")["passes"].clone()
        };
        // Far longer than the interval.
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!(watch.status().unwrap()["passes"], passes, "no pass while it is missing");
        assert_eq!(deletes(&env), 0);
        if round == 0 {
            fs::rename(&away, &root).unwrap();
        } else {
            // Another folder of that name, which is filled while it is looked at.
            fs::create_dir(&root).unwrap();
            fs::copy(away.join("all.yaml"), root.join("all.yaml")).unwrap();
        }
        watch.until("that it goes on", |status| status["state"] == "watching");
        env.write(MANIFESTS, amount(&format!("{}.00", 1600 + round)));
        watch.settled(true);
    }
    assert_eq!(deletes(&env), 0);
    assert_eq!((watch.said("paused:"), watch.said("resumed:")), (2, 2), "{}", watch.log());
    assert_as_one_apply(&env);
    watch.end();
}

#[test]
fn a_workspace_that_is_replaced_under_the_watch_is_found_again() {
    let env = TestEnv::workspace("");
    let store = format!("sqlite:{}", env.path().join("kept.db").display());
    for (name, text) in
        [("partnerctl.yaml", "set: test\n".to_owned()), (MANIFESTS, amount("1500.00"))]
    {
        env.write(&format!("work/{name}"), text);
    }
    let mut command = env.command(env!("CARGO_BIN_EXE_partnerctl"));
    command.current_dir(env.path().join("work")).env("PARTNERCTL_STORE", &store);
    let mut watch = watch_by(command, "watch.json", &env, &["--prune"]);
    watch.outcome("done");
    fs::remove_dir_all(env.path().join("work")).unwrap();
    watch.until("a pause", |status| status["state"] == "paused");
    env.write("work/partnerctl.yaml", "set: test\n");
    env.write(&format!("work/{MANIFESTS}"), amount("1600.00"));
    watch.until("the change", |status| status["applied"] == 6);
    assert_eq!(watch.end().matches("paused:").count(), 1);
}

#[test]
fn what_is_not_valid_is_said_once_and_what_was_applied_stays_until_it_is_mended() {
    let env = TestEnv::workspace(&customer("contoso"));
    let mut watch = watch(&env, &["--prune", "--interval", "1s"]);
    watch.outcome("done");
    env.write(MANIFESTS, amount("1600.00").replace("country: NL", "country: Netherlands"));
    let status = watch.outcome("invalid");
    let error = status["errors"][0].as_str().unwrap();
    assert!(
        error.contains("country: Netherlands") && error.contains("manifests/all.yaml:4:"),
        "{error}"
    );
    watch.more_passes(3);
    assert_eq!(watch.said("country: Netherlands"), 1, "{}", watch.log());
    assert_eq!(activities(&env).len(), 5);
    // Another mistake is another cause.
    env.write(MANIFESTS, "kind: Budgets\n");
    watch.until_said("kind: Budgets");
    env.write("partnerctl.yaml", "sets: test\n");
    watch.until_said("sets: test");
    env.write("partnerctl.yaml", "set: test\n");
    env.write(MANIFESTS, amount("1600.00"));
    watch.settled(true);
    let status = watch.outcome("done");
    assert_eq!(status["errors"], json!([]));
    assert_eq!((activities(&env).len(), deletes(&env)), (6, 0));
    assert_as_one_apply(&env);
    let log = watch.end();
    assert_eq!(log.matches("mended:").count(), 1, "{log}");
}

/// The licence, and a role on it: what depends on what is costly.
fn with_licence(amount: &str) -> String {
    let role = "---\napiVersion: partnerctl.dev/v1\nkind: RoleAssignment\nmetadata: {name: on-licence}\n\
        spec: {scope: {subscriptionRef: {name: contoso-e3}}, principal: {type: User, name: b@contoso.example}, role: Reader}\n";
    self::amount(amount) + LICENCE + role
}

#[test]
fn what_costs_money_is_held_with_what_depends_on_it_until_it_is_approved() {
    let env = TestEnv::workspace(&customer("contoso"));
    let mut watch = watch(&env, &[]);
    watch.outcome("done");
    env.write(MANIFESTS, with_licence("1600.00"));
    let status = watch.outcome("held");
    let held = &status["held"];
    let names: Vec<_> =
        held["changes"].as_array().unwrap().iter().map(|change| &change["resource"]).collect();
    assert_eq!(names, ["Subscription/contoso-e3", "RoleAssignment/on-licence"], "{}", watch.log());
    assert_eq!(activities(&env).len(), 6, "the rest was applied");
    // It is the plan that `plan` shows.
    let plan: Value = serde_json::from_str(&env.ok(&["plan", "-o", "json"])).unwrap();
    assert_eq!(plan["id"], held["planId"]);
    // Everything else goes on, and nothing is said twice.
    env.write("manifests/second.yaml", customer("fabrikam"));
    let status = watch.until("the second customer", |status| status["applied"] == 11);
    assert_eq!(status["lastPass"]["outcome"], "held");
    assert_eq!(status["held"]["planId"], held["planId"]);
    assert_eq!(watch.said("held for approval"), 1, "{}", watch.log());
    // The command is the one that the log shows; it wakes the watch.
    let command = held["command"].as_str().unwrap();
    assert!(watch.log().contains(&format!("→ {command}\n")), "{command}\n{}", watch.log());
    let approved = env.command("sh").args(["-c", command]).output().unwrap();
    assert!(approved.status.success(), "{command}: {}", String::from_utf8_lossy(&approved.stderr));
    let status = watch.outcome("done");
    assert_eq!(status["held"], Value::Null);
    watch.settled(false);
    assert_eq!(activities(&env).len(), 13);
    // An approval is for one plan: the next licence is held again.
    env.write(MANIFESTS, with_licence("1600.00").replace("quantity: 5", "quantity: 6"));
    watch.outcome("held");
    assert_eq!(activities(&env).len(), 13);
    watch.end();
}

#[test]
fn a_workspace_may_allow_what_costs_money_and_what_cannot_be_undone() {
    let env = TestEnv::workspace(&with_licence("1500.00"));
    env.write("partnerctl.yaml", "set: test\nwatch: {allow: [costly]}\n");
    let mut watch = watch(&env, &["--prune"]);
    watch.settled(true);
    assert_eq!(watch.said("held for approval"), 0);
    env.write(MANIFESTS, customer("contoso") + LICENCE);
    env.write("manifests/second.yaml", customer("fabrikam"));
    watch.settled(true);
    fs::remove_file(env.path().join("manifests/second.yaml")).unwrap();
    let status = watch.outcome("held");
    let held: Vec<_> = status["held"]["changes"].as_array().unwrap().iter().collect();
    assert!(held.iter().all(|change| change["action"] == "delete"), "{held:?}");
    // The settings are read again like the manifests.
    env.write("partnerctl.yaml", "set: test\nwatch: {allow: [irreversible]}\n");
    watch.settled(true);
    assert_as_one_apply(&env);
    watch.end();
}

#[test]
fn a_brake_holds_the_plan_and_is_said_once_with_the_command_that_lets_it_go() {
    let env = TestEnv::workspace(&customer("contoso"));
    let mut watch = watch(&env, &["--prune", "--interval", "1s"]);
    watch.outcome("done");
    fs::remove_file(env.path().join(MANIFESTS)).unwrap();
    let status = watch.outcome("refused");
    watch.more_passes(3);
    assert_eq!((watch.said("refused: plan"), deletes(&env)), (1, 0), "{}", watch.log());
    let note = status["notes"].as_array().unwrap().iter().find_map(|note| {
        note.as_str().unwrap().split_once("if all of it is meant: ").map(|(_, command)| command)
    });
    let ended = env.command("sh").args(["-c", note.unwrap()]).output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    watch.outcome("done");
    assert_eq!(state(&env)["items"], json!([]));
    watch.end();
}

/// Changes a budget outside.
fn drift(env: &TestEnv, from: &str, to: &str) {
    let budget = env.ok(&["get", "budget", "contoso", "-o", "json"]);
    env.write("drift.json", budget.replace(from, to));
    env.ok(&["ingest", "state", "drift.json"]);
}

#[test]
fn what_was_changed_outside_is_left_alone_and_told_and_put_back_only_by_healing() {
    let env = TestEnv::workspace(&customer("contoso"));
    let mut plain = watch(&env, &["--interval", "1s"]);
    plain.outcome("done");
    drift(&env, "1500.00", "1900.00");
    plain.until_said(
        "Budget/contoso: changed outside, and left alone: spec.monthly.amount is 1900.00",
    );
    plain.more_passes(2);
    assert_eq!(plain.said("left alone"), 1, "{}", plain.log());
    // Another field of the same resource is changed; what drifted stays as it is.
    let other = customer("contoso").replace("currency: EUR}}\n---\napiVersion: partnerctl.dev/v1\nkind: RoleAssignment",
            "currency: EUR}, alertThresholds: [90]}\n---\napiVersion: partnerctl.dev/v1\nkind: RoleAssignment");
    assert!(other.contains("[90]"));
    env.write(MANIFESTS, other);
    wait("the other field", || {
        let budget = env.ok(&["get", "budget", "contoso", "-o", "json"]);
        let budget: Value = serde_json::from_str(&budget).unwrap();
        let observed = &budget["items"][0]["status"]["observed"];
        (observed["alertThresholds"] == json!([90])).then(|| {
            assert_eq!(observed["monthly"]["amount"], "1900.00", "{}", plain.log());
        })
    });
    plain.end();
    let mut healing = watch(&env, &["--heal", "--interval", "1s"]);
    healing.settled(false);
    drift(&env, "1500.00", "1800.00");
    healing.settled(false);
    assert_as_one_apply(&env);
    healing.end();
}

#[test]
fn what_vanished_outside_is_made_again_only_by_healing() {
    let env = TestEnv::workspace(&customer("contoso"));
    env.ok(&["apply", "--yes"]);
    let budget = env.ok(&["get", "budget", "contoso", "-o", "json"]);
    env.write("gone.json", budget.replace("\"observed\": {", "\"observed\": null, \"was\": {"));
    env.ok(&["ingest", "state", "gone.json"]);
    let output = env.run(&["watch", "--once"]);
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(log.contains("Budget/contoso: it vanished outside, and is left alone"), "{log}");
    assert_eq!(
        activities(&env).iter().filter(|one| one["resource"] == "Budget/contoso").count(),
        1
    );
    assert_eq!(env.run(&["watch", "--once", "--heal"]).status.code(), Some(0));
    env.assert_settled();
}

#[test]
fn once_is_one_pass_with_the_exit_codes_of_apply() {
    let env = TestEnv::workspace(&customer("contoso"));
    let once = |arguments: &[&str]| {
        let output = env.run(&[&["watch", "--once"], arguments].concat());
        assert_eq!(output.stdout, b"", "stdout is for data");
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, log) = once(&["--dry-run"]);
    assert!(code == 0 && log.contains("not applied, as --dry-run: Plan "), "{code} {log}");
    assert!(!env.path().join(".partnerctl").exists(), "planning makes no store");
    assert_eq!(once(&[]).0, 0);
    env.assert_settled();
    let (code, log) = once(&["--quiet"]);
    assert_eq!((code, log.as_str()), (0, ""), "nothing to say");
    env.write(MANIFESTS, customer("contoso") + LICENCE);
    assert_eq!(once(&[]).0, 3, "held");
    env.write(
        MANIFESTS,
        customer("contoso")
            .replace("purchase: Allowed, acknowledgeLiability: true", "purchase: Denied")
            .replace("role: Owner", "role: Reader"),
    );
    assert_eq!(once(&[]).0, 3, "blocked: the last owner");
    env.write(MANIFESTS, "kind: Budgets\n");
    assert_eq!(once(&[]).0, 1, "not valid");
    fs::rename(env.path().join("manifests"), env.path().join("away")).unwrap();
    assert_eq!(once(&[]).0, 1, "missing");
    for wrong in [["--listen", "0.0.0.0:80"], ["--interval", "5"], ["-f", "-"], ["-f", "nowhere"]] {
        assert_eq!(once(&wrong).0, 1, "{wrong:?}");
    }
    fs::rename(env.path().join("away"), env.path().join("manifests")).unwrap();
    assert_eq!(once(&["--status-file", "manifests/status.json"]).0, 1, "it would wake itself");
}

#[test]
fn another_apply_is_waited_for() {
    let env = TestEnv::workspace(&customer("contoso"));
    env.ok(&["apply", "--yes"]);
    let lease = |renewed_at: &str| {
        let connection =
            rusqlite::Connection::open(env.path().join(".partnerctl/state.db")).unwrap();
        let sql = "UPDATE leases SET host = 'elsewhere', boot_id = 'b', pid = 1, started = '1', \
            actor = 'somebody', renewed_at = $1, held = 1";
        assert_eq!(connection.execute(sql, [renewed_at]), Ok(1));
    };
    lease("9999-01-01T00:00:00Z");
    env.write(MANIFESTS, amount("1600.00"));
    let mut watch = watch(&env, &[]);
    watch.outcome("locked");
    watch.more_passes(1);
    assert_eq!(
        watch.said("waiting for another apply: somebody on elsewhere"),
        1,
        "{}",
        watch.log()
    );
    lease("2020-01-01T00:00:00Z");
    watch.settled(false);
    watch.end();
}

#[test]
fn a_store_that_is_gone_is_not_begun_anew() {
    let env = TestEnv::workspace(&customer("contoso"));
    let mut watch = watch(&env, &["--interval", "1s"]);
    watch.outcome("done");
    fs::rename(env.path().join(".partnerctl"), env.path().join("kept")).unwrap();
    let status = watch.outcome("failed");
    let error = status["errors"][0].as_str().unwrap();
    assert!(error.contains("and now nothing is there"), "{error}");
    watch.more_passes(1);
    assert!(!env.path().join(".partnerctl").exists());
    fs::rename(env.path().join("kept"), env.path().join(".partnerctl")).unwrap();
    watch.outcome("done");
    assert_eq!(watch.said("and now nothing is there"), 1, "{}", watch.log());
    assert_eq!(watch.said("recovered:"), 1);
    watch.end();
}

#[test]
fn a_provider_that_fails_is_asked_again_and_the_watch_goes_on() {
    let env = workspace(&customer("contoso"), &json!({"observe": "fail"}));
    let mut watch = watch(&env, &[]);
    watch.outcome("failed");
    watch.more_passes(1);
    assert_eq!(watch.said("closed for lunch"), 1, "{}", watch.log());
    tell(&env, &json!({"perform": ["refused"]}));
    wait("a refusal", || watch.log().contains("failed: Customer/contoso").then_some(()));
    tell(&env, &json!({}));
    watch.settled(false);
    watch.outcome("done");
    assert_eq!(crate::outside::ledger(&env).len(), 5, "each once");
    watch.end();
}

#[test]
fn without_being_told_of_changes_they_are_found_by_looking() {
    let env = TestEnv::workspace(&customer("contoso"));
    let mut watch = watch(&env, &["--poll", "--prune"]);
    watch.outcome("done");
    env.write(MANIFESTS, amount("1600.00"));
    watch.settled(true);
    fs::rename(env.path().join("manifests"), env.path().join("away")).unwrap();
    watch.until("a pause", |status| status["state"] == "paused");
    fs::rename(env.path().join("away"), env.path().join("manifests")).unwrap();
    env.write(MANIFESTS, amount("1700.00"));
    watch.settled(true);
    assert_as_one_apply(&env);
    watch.end();
}

#[test]
fn where_the_system_does_not_tell_of_changes_they_are_found_by_looking() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("deaf.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/watch/deaf.c");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-w", "-o"])
        .args([&library, &source])
        .status();
    assert!(compiled.expect("a C compiler").success());
    for how in ["init", "add"] {
        let env = TestEnv::workspace(&customer("contoso"));
        let mut command = env.command(env!("CARGO_BIN_EXE_partnerctl"));
        command.env("LD_PRELOAD", &library).env("DEAF", how);
        let mut watch = watch_by(command, "watch.json", &env, &["--prune"]);
        watch.outcome("done");
        for amount in ["1600.00", "1700.00"] {
            save(&env, "vim", &self::amount(amount));
            watch.settled(true);
        }
        assert_eq!(watch.said("looking every 2 s"), 1, "{how}: {}", watch.log());
        assert_as_one_apply(&env);
        watch.end();
    }
}

#[test]
fn what_the_system_lost_is_looked_for_and_heard_of_again() {
    let queue = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let queue: usize = queue.trim().parse().unwrap();
    let env = TestEnv::workspace(&customer("contoso"));
    let mut watch = watch(&env, &["--prune"]);
    watch.outcome("done");
    let pid = watch.child.id().to_string();
    let signal = |name: &str| env.command("kill").args([name, &pid]).status().unwrap();
    assert!(signal("-STOP").success());
    for _ in 0..=queue / 2 {
        // The same event twice in a row would count once.
        for name in ["manifests/a.txt", "manifests/b.txt"] {
            env.write(name, "");
        }
    }
    // Nobody hears of this folder any more, nor that it is one.
    env.write("manifests/deep/er/more.yaml", customer("fabrikam"));
    assert!(signal("-CONT").success());
    watch.settled(true);
    env.write("manifests/deep/er/more.yaml", customer("fabrikam").replace("1500.00", "1600.00"));
    watch.settled(true);
    assert_as_one_apply(&env);
    watch.end();
}

#[test]
fn a_link_to_the_manifests_may_be_led_elsewhere() {
    let env = TestEnv::new();
    env.write("partnerctl.yaml", "set: test\n");
    for (release, amount) in [("1", "1500.00"), ("2", "1600.00")] {
        env.write(&format!("releases/{release}/all.yaml"), self::amount(amount));
    }
    let root = env.path().join("manifests");
    std::os::unix::fs::symlink("releases/1", &root).unwrap();
    let mut watch = watch(&env, &["--prune"]);
    watch.settled(true);
    std::os::unix::fs::symlink("releases/2", env.path().join("next")).unwrap();
    fs::rename(env.path().join("next"), &root).unwrap();
    watch.settled(true);
    // It is listened to where it leads now.
    env.write("releases/2/all.yaml", amount("1700.00"));
    watch.settled(true);
    assert_eq!((activities(&env).len(), deletes(&env)), (7, 0));
    watch.end();
}

#[test]
fn settings_that_are_gone_are_no_defaults() {
    let env = TestEnv::workspace(&customer("contoso"));
    let mut watch = watch(&env, &["--prune"]);
    watch.outcome("done");
    fs::remove_file(env.path().join("partnerctl.yaml")).unwrap();
    let status = watch.outcome("invalid");
    assert!(status["errors"][0].as_str().unwrap().contains("partnerctl.yaml are gone"), "{status}");
    env.write(MANIFESTS, amount("1600.00"));
    watch.more_passes(1);
    assert_eq!(activities(&env).len(), 5);
    env.write("partnerctl.yaml", "set: test\n");
    watch.settled(true);
    assert_eq!(activities(&env).len(), 6);
    watch.end();
}

#[test]
fn what_is_held_before_there_is_a_store_can_be_approved() {
    let env =
        TestEnv::workspace(&LICENCE.replace("{name: contoso}, offer", "{external: c-1}, offer"));
    let mut watch = watch(&env, &[]);
    let status = watch.outcome("held");
    let command = status["held"]["command"].as_str().unwrap();
    let approved = env.command("sh").args(["-c", command]).output().unwrap();
    assert!(approved.status.success(), "{}", String::from_utf8_lossy(&approved.stderr));
    let plan: Value = serde_json::from_str(&env.ok(&["plan", "-o", "json"])).unwrap();
    assert_eq!(plan["id"], status["held"]["planId"], "{}", watch.log());
    watch.end();
}

#[test]
fn two_watches_over_one_store_do_everything_once() {
    let env = TestEnv::workspace(&customer("contoso"));
    let mut first = watch(&env, &["--prune"]);
    first.outcome("done");
    let mut second = watch_to("second.json", &env, &["--prune"]);
    second.outcome("done");
    for number in 0..5 {
        env.write(MANIFESTS, amount(&format!("{}.00", 1600 + number)));
        first.settled(true);
        second.assert_lives();
    }
    assert_eq!(activities(&env).len(), 10);
    assert_as_one_apply(&env);
    assert_eq!(second.signal("-TERM").code(), Some(0));
    assert_eq!(first.signal("-TERM").code(), Some(0));
}

#[test]
fn one_file_is_watched_as_well_as_a_folder() {
    let env = TestEnv::workspace(&customer("contoso"));
    env.write("manifests/other.yaml", customer("fabrikam"));
    let mut watch = watch(&env, &["-f", MANIFESTS]);
    watch.until("a pass", |status| status["applied"] == 5);
    save(&env, "vim", &amount("1600.00"));
    watch.until("the change", |status| status["applied"] == 6);
    fs::remove_file(env.path().join(MANIFESTS)).unwrap();
    watch.until("a pause", |status| status["state"] == "paused");
    env.write(MANIFESTS, amount("1700.00"));
    watch.until("the change", |status| status["applied"] == 7);
    watch.end();
}

#[test]
fn a_store_among_the_manifests_does_not_wake_the_watch_for_ever() {
    let env = TestEnv::new();
    env.write("all.yaml", customer("contoso"));
    env.write("partnerctl.yaml", "set: test\nstore: sqlite:state.db\n");
    let mut watch = watch_to("watch.status", &env, &["-f", "."]);
    watch.until("a pass", |status| status["applied"] == 5);
    std::thread::sleep(Duration::from_secs(2));
    let passes = watch.passes();
    assert!(passes <= 2, "{passes} passes\n{}", watch.log());
    watch.end();
}

/// What a process holds: kilobytes of memory, open files.
fn holds(watch: &Watch<'_>) -> (u64, usize) {
    let process = format!("/proc/{}", watch.child.id());
    let status = fs::read_to_string(format!("{process}/status")).unwrap();
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let memory = memory.trim().split(' ').next().unwrap().parse().unwrap();
    (memory, fs::read_dir(format!("{process}/fd")).unwrap().count())
}

#[test]
fn passes_leave_nothing_behind() {
    let env = TestEnv::workspace(&customer("contoso"));
    let mut watch = watch(&env, &["--debounce", "10ms"]);
    watch.outcome("done");
    let mut number = 0;
    let mut passes = |watch: &mut Watch<'_>, count: u64| {
        let wanted = watch.passes() + count;
        while watch.passes() < wanted {
            number += 1;
            // Every third is wrong.
            let text =
                if number % 3 == 0 { "kind: X\n" } else { &*amount(&format!("{number}.00")) };
            env.write(MANIFESTS, text);
            watch.more_passes(1);
        }
    };
    passes(&mut watch, 30);
    let before = holds(&watch);
    passes(&mut watch, 120);
    let after = holds(&watch);
    // Allocators keep a little; a leak of ten kilobytes a pass would show.
    assert!(after.0 < before.0 + 1_200, "{before:?} {after:?}");
    assert!(after.1 <= before.1 + 3, "{before:?} {after:?}");
    watch.end();
}

#[test]
fn what_was_read_before_the_tree_moved_is_not_applied() {
    use std::os::unix::fs::PermissionsExt as _;
    let env = workspace(&customer("contoso"), &json!({}));
    // A provider that takes its time when it is asked what there is for the second time: then the
    // lease is held, and what it says is planned from and applied.
    let script = "#!/bin/sh\nn=0\nwhile IFS= read -r line; do\n\
        case \"$line\" in *'\"observe\"'*) n=$((n + 1));; esac\n\
        if [ $n = 2 ]; then : > asked; while [ -e wait ]; do sleep 0.01; done; fi\n\
        printf '%s\\n' \"$line\"\ndone | \"$FAKE_PROVIDER\" fake\n";
    env.write("slow", script);
    fs::set_permissions(env.path().join("slow"), fs::Permissions::from_mode(0o755)).unwrap();
    env.write("partnerctl.yaml", "set: test\nprovider: {exec: [./slow], timeoutSeconds: 100}\n");
    env.write("wait", "");
    let mut watch = watch(&env, &["--interval", "1h"]);
    wait("that the provider is asked", || env.path().join("asked").exists().then_some(()));
    // A document moves into a file that was not there when the files were listed.
    let text = customer("contoso");
    let documents: Vec<_> = text.split("---\n").collect();
    env.write("manifests/budget.yaml", documents[2]);
    env.write(MANIFESTS, [&documents[..2], &documents[3..]].concat().join("---\n"));
    fs::remove_file(env.path().join("wait")).unwrap();
    watch.settled(false);
    assert_eq!(watch.said(": 5 to create"), 1, "{}", watch.log());
    assert_eq!(watch.said("INFO Plan "), 1, "{}", watch.log());
    watch.end();
}

#[test]
fn signals_end_it_cleanly() {
    for signal in ["-TERM", "-INT"] {
        let env = TestEnv::workspace(&customer("contoso"));
        let mut watch = watch(&env, &[]);
        watch.outcome("done");
        let status = watch.signal(signal);
        assert_eq!(status.code(), Some(0), "{signal}");
        assert_eq!(watch.status().unwrap()["state"], "ended");
        env.assert_settled();
    }
}

#[test]
fn a_signal_in_the_middle_of_a_pass_finishes_what_is_in_flight() {
    let env = workspace(&customer("contoso"), &json!({"throttle": "create"}));
    let mut watch = watch(&env, &[]);
    watch.until_said("again in");
    assert_eq!(watch.signal("-TERM").code(), Some(0), "{}", watch.log());
    tell(&env, &json!({}));
    env.ok(&["apply", "--yes"]);
    env.assert_settled();
}

/// Asks over HTTP; gives the status and the body.
fn ask(address: &str, path: &str) -> (u16, String) {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[test]
fn it_says_how_it_stands_over_http() {
    let env = TestEnv::workspace(&customer("contoso"));
    let mut watch = watch(&env, &["--listen", "127.0.0.1:0"]);
    watch.outcome("done");
    let log = watch.log();
    let address = log.split("listening on http://").nth(1).unwrap().lines().next().unwrap();
    assert_eq!(ask(address, "/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(ask(address, "/readyz"), (200, "ready\n".to_owned()));
    let (status, metrics) = ask(address, "/metrics");
    assert_eq!(status, 200);
    for line in [
        "partnerctl_watch_passes_total{outcome=\"done\"} 1",
        "partnerctl_watch_changes_applied_total 5",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}\n{metrics}");
    }
    env.write(MANIFESTS, "kind: Budgets\n");
    watch.outcome("invalid");
    assert_eq!(ask(address, "/readyz"), (503, "the last pass ended invalid\n".to_owned()));
    assert_eq!(ask(address, "/healthz").0, 200);
    assert_eq!(ask(address, "/").0, 404);
    watch.end();
}

#[test]
fn the_log_for_machines_is_one_object_a_line_and_the_status_fits_its_schema() {
    let env = TestEnv::workspace(&(customer("contoso") + LICENCE));
    let schema = crate::generated::schema("watch.v1.schema.json");
    let mut watch = watch(&env, &["--log-format", "json", "-v"]);
    for (manifests, outcome) in
        [("", "held"), ("kind: X\n", "invalid"), (&*customer("contoso"), "done")]
    {
        if !manifests.is_empty() {
            env.write(MANIFESTS, manifests);
        }
        let status = watch.outcome(outcome);
        let errors: Vec<_> = schema.iter_errors(&status).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}\n{status:#}");
    }
    for line in watch.end().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["timestamp"].is_string() && line["level"].is_string(), "{line}");
        assert!(line["message"].is_string(), "{line}");
    }
}
