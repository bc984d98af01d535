//! A watch under way, the real program over a real folder. Everything waits for conditions; what must
//! not happen is given the time of passes that show it.

use crate::common::{TestEnv, customer};
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Longer than anything takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(120);
pub const MANIFESTS: &str = "manifests/all.yaml";

/// A watch under way.
pub struct Watch<'a> {
    env: &'a TestEnv,
    pub child: Child,
    status: &'static str,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Waits for something.
pub fn wait<T>(what: &str, mut now: impl FnMut() -> Option<T>) -> T {
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
pub fn watch<'a>(env: &'a TestEnv, args: &[&str]) -> Watch<'a> {
    watch_to("watch.json", env, args)
}

pub fn watch_to<'a>(status: &'static str, env: &'a TestEnv, args: &[&str]) -> Watch<'a> {
    watch_by(env.command(env!("CARGO_BIN_EXE_partnerctl")), status, env, args)
}

pub fn watch_by<'a>(
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
    pub fn log(&self) -> String {
        fs::read_to_string(self.env.path().join("watch.log")).unwrap()
    }

    pub fn status(&self) -> Option<Value> {
        let text = fs::read_to_string(self.env.path().join(self.status)).ok()?;
        // It is replaced as a whole: half of one is never seen.
        Some(serde_json::from_str(&text).unwrap())
    }

    pub fn assert_lives(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "it ended: {ended:?}\n{}", self.log());
    }

    /// Waits until the status is as wanted.
    pub fn until(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        wait(&format!("{what}\n{}", self.log()), || {
            self.assert_lives();
            self.status().filter(|status| wanted(status))
        })
    }

    pub fn passes(&self) -> u64 {
        self.status().map_or(0, |status| status["passes"].as_u64().unwrap())
    }

    /// Waits for as many more passes to end.
    pub fn more_passes(&mut self, more: u64) -> Value {
        let wanted = self.passes() + more;
        self.until("more passes", |status| status["passes"].as_u64() >= Some(wanted))
    }

    pub fn outcome(&mut self, outcome: &str) -> Value {
        self.until(&format!("a pass that ends {outcome}"), |status| {
            status["lastPass"]["outcome"] == outcome
        })
    }

    /// Waits until nothing is left to do.
    pub fn settled(&mut self, prune: bool) {
        let arguments = ["plan", "--full", "--detailed-exitcode", "--prune"];
        let arguments = &arguments[..if prune { 4 } else { 3 }];
        wait(&format!("that everything is as declared\n{}", self.log()), || {
            self.assert_lives();
            (self.env.run(arguments).status.code() == Some(0)).then_some(())
        });
    }

    /// How often the log says something.
    pub fn said(&self, text: &str) -> usize {
        self.log().matches(text).count()
    }

    pub fn until_said(&mut self, text: &str) {
        wait(&format!("`{text}` in the log"), || {
            self.assert_lives();
            (self.said(text) > 0).then_some(())
        });
    }

    pub fn signal(&mut self, name: &str) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(self.env.command("kill").args([name, &pid]).status().unwrap().success());
        self.child.wait().unwrap()
    }

    /// Ends it cleanly; gives the log.
    pub fn end(mut self) -> String {
        let status = self.signal("-TERM");
        assert_eq!(status.code(), Some(0), "{}", self.log());
        assert_eq!(self.status().unwrap()["state"], "ended");
        self.log()
    }
}

/// What there is, without what is chance, time or a count.
pub fn state(env: &TestEnv) -> Value {
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
pub fn assert_as_one_apply(env: &TestEnv) {
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

pub fn activities(env: &TestEnv) -> Vec<Value> {
    serde_json::from_str(&env.ok(&["log", "-o", "json"])).unwrap()
}

pub fn deletes(env: &TestEnv) -> usize {
    activities(env).iter().filter(|activity| activity["after"].is_null()).count()
}

pub fn amount(text: &str) -> String {
    customer("contoso").replace("1500.00", text)
}

/// The ways in which editors and programs save a file.
pub fn save(env: &TestEnv, style: &str, text: &str) {
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
