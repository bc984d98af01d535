//! The pipelines of `init --ci` do what they say: every step of theirs is run, in clones of a scratch
//! repository, with the programs of the forge played by scripts that write down what they are asked.
//!
//! The comments of GitLab and Azure are found with `jq`. Where there is none these steps are left out;
//! with `REQUIRE_JQ=1`, as in `.ci/run`, that fails.

use crate::common::{TestEnv, check_file, customer, transcript};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Something like `gh`: the one comment is the file `comment`.
const GH: &str = r#"#!/bin/sh
[ "$GH_TOKEN" = secret-token ] || exit 9
case "$*" in
  "api --paginate repos/contoso/partners/issues/7/comments --jq "*github-actions*)
    if [ "$(head -n 1 "$HOME/comment")" = "$MARK" ]; then echo 42; echo 43; fi
    exit 0 ;;
  "api --silent --method POST repos/contoso/partners/issues/7/comments -F body=@"*) echo made >> "$HOME/calls" ;;
  "api --silent --method PATCH repos/contoso/partners/issues/comments/42 -F body=@"*) echo mended >> "$HOME/calls" ;;
  *) echo "not understood: $*" >&2; exit 9 ;;
esac
for word; do case $word in body=@*) cp "${word#body=@}" "$HOME/comment" ;; esac; done
"#;

/// Something like `curl`: it answers with the file `answer`, and keeps what is sent as `sent`.
const CURL: &str = r#"#!/bin/sh
case $(cat) in *secret-token*) ;; *) exit 9 ;; esac
case $* in *secret-token*) exit 9 ;; esac
method=GET
while [ $# -gt 0 ]; do
  case $1 in
    --request) method=$2; shift ;;
    --data-urlencode) sent=${2#body@}; shift ;;
    --data-binary) sent=${2#@}; shift ;;
    --config | --header | -o) shift ;;
    https://*) url=$1 ;;
  esac
  shift
done
echo "$method $url" >> "$HOME/calls"
if [ $method = GET ]; then cat "$HOME/answer"; else cp "$sent" "$HOME/sent"; fi
"#;

fn sh(command: &mut Command, line: &str) -> String {
    let output = command.args(["-ec", line]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A repository with the pipeline of a forge, and a branch with one more customer and a licence.
struct Forge {
    env: TestEnv,
    pipeline: serde_yaml::Value,
    /// What a runner sets.
    variables: BTreeMap<String, String>,
    jobs: usize,
}

impl Forge {
    fn new(name: &str, file: &str) -> Self {
        let mut env = TestEnv::new();
        for (tool, script) in [("gh", GH), ("curl", CURL)] {
            env.write(&format!("tools/{tool}"), script);
            let path = env.path().join("tools").join(tool);
            std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
        }
        env.tools = Some(env.path().join("tools"));
        env.write("comment", "");
        env.ok(&["init", "origin", "--ci", name]);
        env.write("origin/partnerctl.yaml", "set: partners\n");
        let pipeline = std::fs::read_to_string(env.path().join("origin").join(file)).unwrap();
        let mut forge = Self {
            env,
            pipeline: serde_yaml::from_str(&pipeline).unwrap(),
            variables: BTreeMap::new(),
            jobs: 0,
        };
        let store = format!("sqlite:{}/state.db", forge.env.path().display());
        forge.set("PARTNERCTL_STORE", &store);
        forge.set("CI", "true");
        let more = format!(
            "{}---\napiVersion: partnerctl.dev/v1\nkind: Subscription\nmetadata: {{name: office}}\nspec: {{customerRef: {{name: fabrikam}}, offer: {{type: License, id: \"CFQ7TTC0LH18:0001\"}}, quantity: 5}}\n",
            customer("fabrikam")
        );
        forge.env.write("more.yaml", more);
        forge.git(
            "git init -q -b main && git config user.name Admin && git config user.email admin@partner.example
             git add -A && git commit -qm first
             git switch -q -c more && cp ../more.yaml manifests/fabrikam.yaml && git add -A && git commit -qm fabrikam
             git switch -q -c merged main && git merge -q --no-ff -m merge more && git switch -q main",
        );
        forge
    }

    fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// Runs a line in the repository.
    fn git(&self, line: &str) -> String {
        let mut command = self.env.command("sh");
        sh(command.current_dir(self.env.path().join("origin")), line)
    }

    /// A fresh clone for a job, and the job's folder for what is temporary.
    fn checkout(&mut self, rev: &str) -> (PathBuf, PathBuf) {
        self.jobs += 1;
        let (clone, temp) = (format!("job{}", self.jobs), format!("temp{}", self.jobs));
        sh(
            &mut self.env.command("sh"),
            &format!(
                "git clone -q origin {clone} && cd {clone} && git switch -q --detach origin/{rev} && mkdir ../{temp}"
            ),
        );
        (self.env.path().join(clone), self.env.path().join(temp))
    }

    /// Runs a step as the runner does.
    fn step(&self, folder: &Path, script: &str, variables: &BTreeMap<String, String>) -> Output {
        let mut command = self.env.command("sh");
        command.current_dir(folder).envs(&self.variables).envs(variables);
        command.args(["-ec", script]).output().unwrap()
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.env.path().join(name)).unwrap_or_default()
    }

    /// The commits that the log of the store names.
    fn commits_applied(&self) -> Vec<String> {
        let text = String::from_utf8(
            self.env
                .command(env!("CARGO_BIN_EXE_partnerctl"))
                .envs(&self.variables)
                .current_dir(self.env.path().join("origin"))
                .args(["log", "-o", "json"])
                .output()
                .unwrap()
                .stdout,
        )
        .unwrap();
        let log: Vec<Value> = serde_json::from_str(&text).unwrap();
        let mut commits: Vec<String> =
            log.iter().map(|one| one["source"]["commit"].as_str().unwrap().to_owned()).collect();
        commits.dedup();
        commits
    }

    /// Changes a budget as somebody in the portal would.
    fn change_outside(&self) {
        self.env.write("outside.yaml", "apiVersion: partnerctl.dev/v1\nkind: List\nitems:\n- apiVersion: partnerctl.dev/v1\n  kind: Budget\n  metadata: {name: fabrikam}\n  spec: {customerRef: {name: fabrikam}, monthly: {amount: \"9.00\", currency: EUR}, alertThresholds: [80]}\n");
        let output = self
            .env
            .command(env!("CARGO_BIN_EXE_partnerctl"))
            .envs(&self.variables)
            .current_dir(self.env.path().join("origin"))
            .args(["ingest", "state", "../outside.yaml"])
            .output()
            .unwrap();
        assert!(output.status.success());
    }
}

fn text(value: &serde_yaml::Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn said(output: &Output) -> String {
    [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat()
}

fn has_jq(forge: &Forge) -> bool {
    let found = forge.env.command("sh").args(["-c", "jq --version"]).output().unwrap();
    let required = std::env::var("REQUIRE_JQ").is_ok_and(|value| value == "1");
    assert!(found.status.success() || !required, "REQUIRE_JQ is set, and jq is missing");
    found.status.success()
}

const MARK: &str = "<!-- partnerctl plan: partners -->\n";

/// A job of GitHub: its steps with their variables, `${{ }}` filled in.
fn github(
    forge: &mut Forge,
    name: &str,
    rev: &str,
    temp_holds: Option<&Path>,
) -> (Output, PathBuf) {
    let (folder, temp) = forge.checkout(rev);
    if let Some(file) = temp_holds {
        std::fs::copy(file, temp.join(file.file_name().unwrap())).unwrap();
    }
    forge.set("RUNNER_TEMP", temp.to_str().unwrap());
    forge.set("GITHUB_OUTPUT", temp.join("output").to_str().unwrap());
    forge.set("GITHUB_STEP_SUMMARY", temp.join("summary").to_str().unwrap());
    let sha = sh(forge.env.command("sh").current_dir(&folder), "git rev-parse HEAD");
    forge.set("GITHUB_SHA", &sha);
    let job = forge.pipeline["jobs"][name].clone();
    let mut last = None;
    for step in job["steps"].as_sequence().unwrap() {
        let script = text(&step["run"]);
        assert!(
            !script.contains("${{"),
            "what is filled into a script may be more than a word: {script}"
        );
        if script.is_empty() {
            assert!(matches!(
                text(&step["uses"]),
                "actions/checkout@v4"
                    | "actions/upload-artifact@v4"
                    | "actions/download-artifact@v4"
            ));
            continue;
        }
        let mut variables = BTreeMap::new();
        for block in [&forge.pipeline["env"], &job["env"], &step["env"]] {
            for (name, value) in block.as_mapping().into_iter().flatten() {
                let value = match text(value) {
                    "" => String::new(),
                    "${{ secrets.PARTNERCTL_STORE }}" => {
                        forge.variables["PARTNERCTL_STORE"].clone()
                    }
                    "${{ vars.PARTNERCTL_APPROVE }}" => {
                        forge.variables.get("PARTNERCTL_APPROVE").cloned().unwrap_or_default()
                    }
                    "${{ github.token }}" => "secret-token".to_owned(),
                    "${{ github.event.pull_request.number }}" => "7".to_owned(),
                    other => panic!("nothing is known of {other}"),
                };
                variables.insert(text(name).to_owned(), value);
            }
        }
        let output = forge.step(&folder, script, &variables);
        let failed = !output.status.success();
        last = Some(output);
        if failed {
            break;
        }
    }
    (last.unwrap(), temp)
}

#[test]
fn the_workflow_of_github_reviews_plans_applies_and_looks_for_drift() {
    let mut forge = Forge::new("github", ".github/workflows/partnerctl.yml");
    forge.set("GITHUB_REPOSITORY", "contoso/partners");
    let jobs = &forge.pipeline["jobs"];
    assert_eq!(text(&jobs["review"]["if"]), "github.event_name == 'pull_request'");
    let pushed = "github.ref == 'refs/heads/main' && (github.event_name == 'push' || github.event_name == 'workflow_dispatch')";
    assert_eq!(text(&jobs["plan"]["if"]), pushed);
    assert_eq!(text(&jobs["apply"]["environment"]), "partnerctl");
    assert_eq!(text(&jobs["apply"]["if"]), "needs.plan.outputs.changes == 'true'");
    assert_eq!(text(&jobs["drift"]["if"]), "github.event_name == 'schedule'");
    let artifact = |job: &str, action: &str| {
        let steps = jobs[job]["steps"].as_sequence().unwrap();
        let step = steps.iter().find(|step| text(&step["uses"]).contains(action)).unwrap();
        (text(&step["with"]["name"]).to_owned(), text(&step["with"]["path"]).to_owned())
    };
    let name = "partnerctl-plan".to_owned();
    assert_eq!(
        artifact("plan", "upload-artifact"),
        (name.clone(), "${{ runner.temp }}/partnerctl.plan".to_owned())
    );
    assert_eq!(artifact("apply", "download-artifact"), (name, "${{ runner.temp }}".to_owned()));

    let (output, temp) = github(&mut forge, "review", "merged", None);
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    let comment = forge.file("comment");
    assert!(comment.starts_with(MARK) && comment.contains("stands for what is there"), "{comment}");
    assert_eq!(comment, std::fs::read_to_string(temp.join("summary")).unwrap());

    let (output, temp) = github(&mut forge, "plan", "main", None);
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    assert_eq!(std::fs::read_to_string(temp.join("output")).unwrap(), "changes=true\n");
    let (output, _) = github(&mut forge, "apply", "main", Some(&temp.join("partnerctl.plan")));
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    assert_eq!(forge.commits_applied(), [forge.git("git rev-parse main")]);
    let (output, temp) = github(&mut forge, "plan", "main", None);
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    assert_eq!(std::fs::read_to_string(temp.join("output")).unwrap(), "changes=false\n");

    let (output, _) = github(&mut forge, "review", "merged", None);
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    assert!(
        forge.file("comment").contains("nothing is already pending"),
        "{}",
        forge.file("comment")
    );
    assert_eq!(forge.file("calls"), "made\nmended\n");

    forge.git("git merge -q --ff-only merged");
    let (_, temp) = github(&mut forge, "plan", "main", None);
    let plan = temp.join("partnerctl.plan");
    let (output, _) = github(&mut forge, "apply", "main", Some(&plan));
    assert_eq!(code(&output), Some(3), "{}", said(&output));
    forge.set("PARTNERCTL_APPROVE", "costly");
    let (output, _) = github(&mut forge, "apply", "main", Some(&plan));
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    assert_eq!(forge.commits_applied().last(), Some(&forge.git("git rev-parse main")));

    let (output, _) = github(&mut forge, "drift", "main", None);
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    forge.change_outside();
    let (output, _) = github(&mut forge, "drift", "main", None);
    assert_eq!(code(&output), Some(2), "{}", said(&output));
}

/// A job of GitLab: its script as one, in a fresh clone that may hold an artifact.
fn gitlab(forge: &mut Forge, name: &str, rev: &str, artifact: Option<&Path>) -> (Output, PathBuf) {
    let (folder, _) = forge.checkout(rev);
    if let Some(file) = artifact {
        std::fs::copy(file, folder.join(file.file_name().unwrap())).unwrap();
    }
    let sha = sh(forge.env.command("sh").current_dir(&folder), "git rev-parse HEAD");
    forge.set("CI_COMMIT_SHA", &sha);
    let script: Vec<&str> =
        forge.pipeline[name]["script"].as_sequence().unwrap().iter().map(text).collect();
    let mut variables = BTreeMap::new();
    for (name, value) in forge.pipeline["variables"].as_mapping().unwrap() {
        variables.insert(text(name).to_owned(), text(value).to_owned());
    }
    (forge.step(&folder, &script.join("\n"), &variables), folder)
}

#[test]
fn the_pipeline_of_gitlab_reviews_plans_applies_and_looks_for_drift() {
    let mut forge = Forge::new("gitlab", ".gitlab-ci.yml");
    assert_eq!(text(&forge.pipeline["apply"]["rules"][0]["when"]), "manual");
    assert_eq!(text(&forge.pipeline["apply"]["environment"]), "partnerctl");
    assert_eq!(text(&forge.pipeline["plan"]["artifacts"]["paths"][0]), "partnerctl.plan");
    for (name, value) in [
        ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"),
        ("CI_PROJECT_ID", "5"),
        ("CI_MERGE_REQUEST_IID", "7"),
        ("CI_API_V4_URL", "https://forge.example/api/v4"),
    ] {
        forge.set(name, value);
    }

    // Without a token the log has it.
    let (output, _) = gitlab(&mut forge, "review", "more", None);
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    assert!(said(&output).contains(MARK), "{}", said(&output));
    assert_eq!(forge.file("calls"), "");
    if has_jq(&forge) {
        forge.set("PARTNERCTL_NOTES_TOKEN", "secret-token");
        forge.env.write("answer", r#"[{"id": 3, "body": "a word"}]"#);
        let (output, _) = gitlab(&mut forge, "review", "more", None);
        assert_eq!(code(&output), Some(0), "{}", said(&output));
        let note = forge.file("sent");
        assert!(note.starts_with(MARK), "{note}");
        forge.env.write(
            "answer",
            json!([{"id": 3, "body": "a word"}, {"id": 42, "body": note}]).to_string(),
        );
        let (output, _) = gitlab(&mut forge, "review", "more", None);
        assert_eq!(code(&output), Some(0), "{}", said(&output));
        let notes = "https://forge.example/api/v4/projects/5/merge_requests/7/notes";
        let list = format!("GET {notes}?sort=asc&order_by=created_at&per_page=100\n");
        assert_eq!(forge.file("calls"), format!("{list}POST {notes}\n{list}PUT {notes}/42\n"));
    }

    let (output, folder) = gitlab(&mut forge, "plan", "main", None);
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    assert_eq!(
        std::fs::read_to_string(folder.join("partnerctl.env")).unwrap(),
        "PARTNERCTL_PLAN_CODE=2\n"
    );
    forge.set("PARTNERCTL_PLAN_CODE", "2");
    let (output, _) = gitlab(&mut forge, "apply", "main", Some(&folder.join("partnerctl.plan")));
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    assert_eq!(forge.commits_applied(), [forge.git("git rev-parse main")]);

    forge.git("git merge -q --ff-only merged");
    let (_, folder) = gitlab(&mut forge, "plan", "main", None);
    let plan = folder.join("partnerctl.plan");
    let (output, _) = gitlab(&mut forge, "apply", "main", Some(&plan));
    assert_eq!(code(&output), Some(3), "{}", said(&output));
    forge.set("PARTNERCTL_APPROVE", "irreversible");
    let (output, _) = gitlab(&mut forge, "apply", "main", Some(&plan));
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    let (_, folder) = gitlab(&mut forge, "plan", "main", None);
    assert_eq!(
        std::fs::read_to_string(folder.join("partnerctl.env")).unwrap(),
        "PARTNERCTL_PLAN_CODE=0\n"
    );

    let (output, _) = gitlab(&mut forge, "drift", "main", None);
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    forge.change_outside();
    let (output, _) = gitlab(&mut forge, "drift", "main", None);
    assert_eq!(code(&output), Some(2), "{}", said(&output));
}

/// A stage of Azure: the steps of its one job.
fn azure(forge: &mut Forge, name: &str, rev: &str, skip: &str) -> (Output, PathBuf) {
    let (folder, temp) = forge.checkout(rev);
    forge.set("AGENT_TEMPDIRECTORY", temp.to_str().unwrap());
    let sha = sh(forge.env.command("sh").current_dir(&folder), "git rev-parse HEAD");
    forge.set("BUILD_SOURCEVERSION", &sha);
    let stages = forge.pipeline["stages"].as_sequence().unwrap();
    let stage = stages.iter().find(|stage| text(&stage["stage"]) == name).unwrap();
    let job = &stage["jobs"][0];
    let steps =
        job["steps"].as_sequence().or(job["strategy"]["runOnce"]["deploy"]["steps"].as_sequence());
    let mut last = None;
    let mut all = String::new();
    for step in steps.unwrap() {
        let script = text(&step["script"]);
        if script.is_empty() || text(&step["displayName"]) == skip {
            continue;
        }
        let mut variables = BTreeMap::from([("PLAN_OPTIONS".to_owned(), String::new())]);
        for (name, value) in step["env"].as_mapping().into_iter().flatten() {
            assert_eq!(text(value), "$(System.AccessToken)");
            variables.insert(text(name).to_owned(), "secret-token".to_owned());
        }
        let output = forge.step(&folder, script, &variables);
        all.push_str(&said(&output));
        let failed = !output.status.success();
        last = Some(output);
        if failed {
            break;
        }
    }
    std::fs::write(temp.join("said"), all).unwrap();
    (last.unwrap(), temp)
}

#[test]
#[expect(clippy::too_many_lines, reason = "one session from its beginning to its end")]
fn the_pipeline_of_azure_reviews_plans_applies_and_looks_for_drift() {
    let mut forge = Forge::new("azure", "azure-pipelines.yml");
    forge.variables.remove("CI");
    forge.set("TF_BUILD", "True");
    for (name, value) in [
        ("SYSTEM_COLLECTIONURI", "https://forge.example/contoso/"),
        ("SYSTEM_TEAMPROJECTID", "p"),
        ("BUILD_REPOSITORY_ID", "r"),
        ("SYSTEM_PULLREQUEST_PULLREQUESTID", "7"),
    ] {
        forge.set(name, value);
    }
    let stages = forge.pipeline["stages"].as_sequence().unwrap();
    let apply = stages.iter().find(|stage| text(&stage["stage"]) == "apply").unwrap();
    assert_eq!(text(&apply["jobs"][0]["environment"]), "partnerctl");
    assert_eq!(
        text(&apply["condition"]),
        "and(succeeded(), eq(dependencies.plan.outputs['plan.made.code'], '2'))"
    );

    let comment = "Say it in a comment";
    let skip = if has_jq(&forge) { "" } else { comment };
    forge.env.write("answer", r#"{"value": [{"id": 3, "comments": [{"content": "a word"}, {}]}, {"id": 4, "comments": []}]}"#);
    let (output, temp) = azure(&mut forge, "review", "merged", skip);
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    let plan = std::fs::read_to_string(temp.join("plan.md")).unwrap();
    assert!(plan.starts_with(MARK) && plan.contains("stands for what is there"), "{plan}");
    if skip.is_empty() {
        let sent: Value = serde_json::from_str(&forge.file("sent")).unwrap();
        assert_eq!(
            sent,
            json!({"comments": [{"content": plan, "commentType": "text"}], "status": "closed"})
        );
        forge.env.write(
            "answer",
            json!({"value": [{"id": 42, "comments": [{"content": plan}]}]}).to_string(),
        );
        let (output, _) = azure(&mut forge, "review", "merged", skip);
        assert_eq!(code(&output), Some(0), "{}", said(&output));
        assert_eq!(
            serde_json::from_str::<Value>(&forge.file("sent")).unwrap(),
            json!({"content": plan})
        );
        let threads =
            "https://forge.example/contoso/p/_apis/git/repositories/r/pullRequests/7/threads";
        let version = "api-version=7.1";
        let list = format!("GET {threads}?{version}\n");
        assert_eq!(
            forge.file("calls"),
            format!(
                "{list}POST {threads}?{version}\n{list}PATCH {threads}/42/comments/1?{version}\n"
            )
        );
    }

    forge.git("git merge -q --ff-only merged");
    let (output, temp) = azure(&mut forge, "plan", "main", "");
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    let told = std::fs::read_to_string(temp.join("said")).unwrap();
    assert!(told.contains("##vso[task.setvariable variable=code;isOutput=true]2\n"), "{told}");
    forge.set("PIPELINE_WORKSPACE", forge.env.path().to_str().unwrap().to_owned().as_str());
    forge.env.write(
        "partnerctl-plan/partnerctl.plan",
        std::fs::read(temp.join("partnerctl.plan")).unwrap(),
    );
    let (output, _) = azure(&mut forge, "apply", "main", "");
    assert_eq!(code(&output), Some(3), "{}", said(&output));
    forge.set("PARTNERCTL_APPROVE", "costly");
    let (output, _) = azure(&mut forge, "apply", "main", "");
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    assert_eq!(forge.commits_applied(), [forge.git("git rev-parse main")]);

    let (output, _) = azure(&mut forge, "drift", "main", "");
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    forge.change_outside();
    let (output, _) = azure(&mut forge, "drift", "main", "");
    assert_eq!(code(&output), Some(2), "{}", said(&output));
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/gitops")
}

#[test]
fn the_example_has_the_pipeline_that_is_written_today() {
    let env = TestEnv::new();
    env.ok(&["init", "--ci", "github"]);
    let name = ".github/workflows/partnerctl.yml";
    let written = std::fs::read_to_string(env.path().join(name)).unwrap();
    check_file(&example().join(name), &written);
}

#[test]
fn the_session_of_the_example_prints_what_it_says() {
    let mut env = TestEnv::new();
    let copied = Command::new("cp").arg("-r").arg(example().join(".")).arg(env.path()).status();
    assert!(copied.unwrap().success());
    // As in the pipeline, the workspace says who acts.
    env.actor = None;
    transcript::check(&example().join("README.md"), &env);
}
