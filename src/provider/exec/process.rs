//! The program: started when it is needed, asked by several hands at once, never trusted to answer.

use crate::provider::exec::wire::{
    Call, Hello, HelloResult, PROTOCOL, Request, Response, WireError,
};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The longest line that is read.
const LINE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Lines of its stderr that are kept, to show when it fails.
const STDERR_LINES_MAX: usize = 5;
/// How long it may take to end after its stdin was closed.
const FAREWELL: Duration = Duration::from_secs(2);

/// How to start the program.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// The folder it runs in.
    pub folder: PathBuf,
    /// How long it may take to answer one request.
    pub time_limit: Duration,
}

/// Why there is no result.
#[derive(Debug, Clone)]
pub enum Failure {
    /// The request was never sent.
    NotSent(String),
    /// It was sent, and nobody knows what became of it.
    NoAnswer(String),
    /// The program said why.
    Said(WireError),
}

/// An answer on its way to whoever asked.
type Answer = Result<Value, Failure>;

/// What was asked and not answered yet.
#[derive(Default)]
struct Open {
    waiting: BTreeMap<u64, Sender<Answer>>,
    /// Nobody waits for these any more; a late answer is no mistake of the program.
    given_up: Vec<u64>,
    /// Why no answer will come any more.
    ended: Option<String>,
}

/// A program that runs.
struct Live {
    child: Child,
    to_writer: Sender<String>,
    open: Arc<Mutex<Open>>,
    hello: HelloResult,
}

/// A provider program.
pub struct Program {
    settings: Settings,
    live: Mutex<Option<Live>>,
    next_id: Mutex<u64>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Program {
    /// A program that is started at the first request.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, live: Mutex::new(None), next_id: Mutex::new(0) }
    }

    /// The program with its arguments.
    #[must_use]
    pub fn identity(&self) -> String {
        self.settings.command.join(" ")
    }

    /// What the program said of itself; starts it when it does not run.
    ///
    /// # Errors
    /// When it cannot be started or does not speak the protocol.
    pub fn hello(&self) -> Result<HelloResult, Failure> {
        let mut live = lock(&self.live);
        self.running(&mut live).map(|live| live.hello.clone())
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// When there is no result; the failure says whether the program may have acted.
    pub fn ask(&self, call: Call) -> Answer {
        let (open, to_writer) = {
            let mut live = lock(&self.live);
            let live = self.running(&mut live)?;
            (live.open.clone(), live.to_writer.clone())
        };
        let ends_it = call.only_asks();
        let answer = self.send(&open, &to_writer, call);
        // A program that does not even say what is there is started anew. One that takes long to
        // act is left alone: others may be waiting for it.
        if ends_it && matches!(&answer, Err(Failure::NoAnswer(_))) {
            self.stop(&open);
        }
        answer
    }

    fn send(&self, open: &Arc<Mutex<Open>>, to_writer: &Sender<String>, call: Call) -> Answer {
        let id = {
            let mut next = lock(&self.next_id);
            *next += 1;
            *next
        };
        let mut line = serde_json::to_string(&Request { id, call })
            .map_err(|error| Failure::NotSent(error.to_string()))?;
        line.push('\n');
        let (answer, answered) = channel();
        {
            let mut open = lock(open);
            if let Some(why) = &open.ended {
                return Err(Failure::NotSent(why.clone()));
            }
            open.waiting.insert(id, answer);
        }
        if to_writer.send(line).is_err() {
            lock(open).waiting.remove(&id);
            return Err(Failure::NotSent("the program takes no requests any more".to_owned()));
        }
        match answered.recv_timeout(self.settings.time_limit) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => {
                let mut open = lock(open);
                open.waiting.remove(&id);
                open.given_up.push(id);
                let seconds = self.settings.time_limit.as_secs();
                Err(Failure::NoAnswer(format!("no answer within {seconds} seconds")))
            }
            Err(RecvTimeoutError::Disconnected) => {
                Err(Failure::NoAnswer("the program ended".to_owned()))
            }
        }
    }

    /// The running program, started anew when it has ended.
    fn running<'l>(&self, live: &'l mut Option<Live>) -> Result<&'l mut Live, Failure> {
        if live.as_ref().is_some_and(|live| lock(&live.open).ended.is_some()) {
            *live = None;
        }
        match live {
            Some(live) => Ok(live),
            none => Ok(none.insert(self.start()?)),
        }
    }

    fn start(&self) -> Result<Live, Failure> {
        let Settings { command, folder, time_limit: _ } = &self.settings;
        let not_sent = |why: String| Failure::NotSent(why);
        let (program, arguments) =
            command.split_first().ok_or_else(|| not_sent("no program is named".to_owned()))?;
        // A path is looked up from the folder; a bare name on the PATH.
        let path = if program.contains('/') { folder.join(program) } else { program.into() };
        let mut child = Command::new(&path)
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C is for partnerctl, which lets it finish what it is doing.
            .process_group(0)
            .spawn()
            .map_err(|error| not_sent(format!("`{program}` cannot be started: {error}")))?;
        let open = Arc::new(Mutex::new(Open::default()));
        let last_words = Arc::new(Mutex::new(VecDeque::new()));
        let (to_writer, lines) = channel::<String>();
        if let Some(stdin) = child.stdin.take() {
            std::thread::spawn(move || write_lines(stdin, &lines));
        }
        if let Some(stderr) = child.stderr.take() {
            let last_words = last_words.clone();
            std::thread::spawn(move || keep_last(stderr, &last_words));
        }
        if let Some(stdout) = child.stdout.take() {
            let open = open.clone();
            std::thread::spawn(move || {
                let why = read_answers(stdout, &open);
                end(&open, &why, &last_words);
            });
        }
        let hello = Call::Hello(Hello {
            protocol: PROTOCOL.to_owned(),
            partnerctl: env!("CARGO_PKG_VERSION").to_owned(),
        });
        let said = self.send(&open, &to_writer, hello).and_then(|value| understood(&value));
        match said {
            Ok(hello) => Ok(Live { child, to_writer, open, hello }),
            Err(failure) => {
                part(&mut child, Duration::ZERO);
                // Nothing but a greeting was sent.
                Err(not_sent(match failure {
                    Failure::NotSent(why) | Failure::NoAnswer(why) => why,
                    Failure::Said(error) => error.message,
                }))
            }
        }
    }

    /// Stops the program, if it is still the one of these requests.
    fn stop(&self, open: &Arc<Mutex<Open>>) {
        let mut live = lock(&self.live);
        if live.as_ref().is_some_and(|live| Arc::ptr_eq(&live.open, open)) {
            *live = None;
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // Closing its stdin tells it to end.
        self.to_writer = channel().0;
        part(&mut self.child, FAREWELL);
    }
}

/// Waits for a program to end; then ends it, with what it may have started in its process group.
pub fn part(child: &mut Child, patience: Duration) {
    let until = Instant::now() + patience;
    while Instant::now() < until {
        if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let group = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(group) = group {
        // It may have ended by itself meanwhile.
        let _gone = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ended = child.wait();
}

/// The greeting, when it is one of our protocol.
fn understood(value: &Value) -> Result<HelloResult, Failure> {
    let said = |why: String| Failure::NotSent(why);
    let hello: HelloResult = serde_json::from_value(value.clone())
        .map_err(|error| said(format!("its answer to hello cannot be read: {error}")))?;
    if hello.protocol == PROTOCOL {
        Ok(hello)
    } else {
        let other: String = hello.protocol.chars().take(60).collect();
        Err(said(format!("it speaks {other}, not {PROTOCOL}")))
    }
}

fn write_lines(mut stdin: ChildStdin, lines: &std::sync::mpsc::Receiver<String>) {
    for line in lines {
        // A program that is gone shows at its stdout.
        if stdin.write_all(line.as_bytes()).and_then(|()| stdin.flush()).is_err() {
            return;
        }
    }
}

fn keep_last(stderr: impl Read, last_words: &Mutex<VecDeque<String>>) {
    let mut reader = BufReader::new(stderr);
    let mut line = Vec::new();
    while let Ok(1..) = (&mut reader).take(4096).read_until(b'\n', &mut line) {
        let mut kept = lock(last_words);
        kept.push_back(String::from_utf8_lossy(&line).trim().to_owned());
        if kept.len() > STDERR_LINES_MAX {
            kept.pop_front();
        }
        line.clear();
    }
}

/// Hands answers out until there are no more; says why.
fn read_answers(stdout: impl Read, open: &Mutex<Open>) -> String {
    let mut reader = BufReader::new(stdout);
    loop {
        let mut line = Vec::new();
        match (&mut reader).take(LINE_BYTES_MAX).read_until(b'\n', &mut line) {
            Ok(0) => return "the program ended".to_owned(),
            Err(error) => return format!("its answers cannot be read: {error}"),
            Ok(_) if line.last() != Some(&b'\n') && line.len() as u64 == LINE_BYTES_MAX => {
                return "it answered with more than 16 MiB in one line".to_owned();
            }
            // Without the line's end it was cut off, whatever it says so far.
            Ok(_) if line.last() != Some(&b'\n') => return "the program ended".to_owned(),
            Ok(_) => {}
        }
        let response: Response = match serde_json::from_slice(&line) {
            Ok(response) => response,
            Err(error) => {
                let shown: String =
                    String::from_utf8_lossy(&line).trim().chars().take(60).collect();
                return format!("it printed `{shown}`, which is no answer ({error})");
            }
        };
        let mut open = lock(open);
        if let Some(waiting) = open.waiting.remove(&response.id) {
            let answer = match (response.result, response.error) {
                (Some(result), None) => Ok(result),
                (None, Some(error)) => Err(Failure::Said(error)),
                _ => Err(Failure::NoAnswer(
                    "it answered with neither or both of result and error".to_owned(),
                )),
            };
            // Whoever asked may have given up just now.
            let _gone = waiting.send(answer);
        } else if let Some(at) = open.given_up.iter().position(|id| *id == response.id) {
            open.given_up.swap_remove(at);
        } else {
            return format!("it answered request {}, which was not open", response.id);
        }
    }
}

/// Tells everybody who waits that no answer will come.
fn end(open: &Mutex<Open>, why: &str, last_words: &Mutex<VecDeque<String>>) {
    // What it said last may still be on its way.
    std::thread::sleep(Duration::from_millis(20));
    let words = lock(last_words).iter().cloned().collect::<Vec<_>>().join(" / ");
    let why = if words.is_empty() { why.to_owned() } else { format!("{why}; it said: {words}") };
    let mut open = lock(open);
    open.ended = Some(why.clone());
    for (_, waiting) in std::mem::take(&mut open.waiting) {
        let _gone = waiting.send(Err(Failure::NoAnswer(why.clone())));
    }
}
