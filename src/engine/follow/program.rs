//! A program that is run to its end, within a time and only until everything is to stop.

use crate::provider::exec::process::part;
use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// How long it may clean up after it was told to end.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long what it leaves behind may hold its output open.
const LEFTOVERS: Duration = Duration::from_secs(1);
/// The most of its output that is kept.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// What a program said before it ended.
#[derive(Debug)]
pub struct Said {
    /// How it ended.
    pub status: ExitStatus,
    /// Its output.
    pub stdout: Vec<u8>,
    /// Its complaints.
    pub stderr: Vec<u8>,
}

/// Why it did not come to its end.
#[derive(Debug)]
pub enum Unended {
    /// It does not start.
    NotStarted(std::io::Error),
    /// It took longer than it may.
    TooLong,
    /// Everything is to stop.
    Stopped,
}

/// Runs a program, with what it starts, in a process group of its own: Ctrl-C is for partnerctl.
///
/// # Errors
/// When it does not come to its end.
pub fn run(
    command: &mut Command,
    limit: Duration,
    stop: &watch::Receiver<bool>,
) -> Result<Said, Unended> {
    if *stop.borrow() {
        return Err(Unended::Stopped);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(Unended::NotStarted)?;
    let (stdout, stderr) = (read(child.stdout.take()), read(child.stderr.take()));
    let begun = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) => {}
            Err(error) => {
                end(&mut child);
                return Err(Unended::NotStarted(error));
            }
        }
        let stopped = *stop.borrow();
        if stopped || begun.elapsed() > limit {
            end(&mut child);
            return Err(if stopped { Unended::Stopped } else { Unended::TooLong });
        }
        std::thread::sleep(LOOK);
    };
    Ok(Said { status, stdout: stdout.take(), stderr: stderr.take() })
}

/// Tells it to end, so that it takes its locks away; after a while it is ended.
fn end(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(group) = group {
        // It may have ended by itself meanwhile.
        let _gone = rustix::process::kill_process_group(group, rustix::process::Signal::TERM);
    }
    part(child, FAREWELL);
}

/// What is read of an output until now, and whether that is all.
struct Output {
    bytes: Arc<Mutex<Vec<u8>>>,
    all: Receiver<()>,
}

impl Output {
    /// What was read. A connection that is kept for later may keep the output open: then what is
    /// there must do.
    fn take(&self) -> Vec<u8> {
        let _kept_open = self.all.recv_timeout(LEFTOVERS);
        std::mem::take(&mut self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Reads on a thread of its own, as nobody else would while it is waited for.
fn read(from: Option<impl Read + Send + 'static>) -> Output {
    let (sender, all) = channel();
    let bytes = Arc::new(Mutex::new(Vec::new()));
    if let Some(mut from) = from {
        let bytes = bytes.clone();
        std::thread::spawn(move || {
            let mut piece = [0; 8_192];
            // What was read before it broke off is all there is.
            while let Ok(count @ 1..) = from.read(&mut piece) {
                let mut bytes = bytes.lock().unwrap_or_else(PoisonError::into_inner);
                if bytes.len() < BYTES_MAX {
                    bytes.extend_from_slice(&piece[..count]);
                }
            }
            let _nobody_waits = sender.send(());
        });
    }
    Output { bytes, all }
}

#[cfg(test)]
mod tests {
    use super::{Unended, run};
    use std::path::Path;
    use std::process::Command;
    use std::time::Duration;
    use tokio::sync::watch::channel;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn it_gives_what_was_said_and_how_it_ended() {
        let (_stop, stopped) = channel(false);
        let said = run(&mut shell("echo a; echo b >&2; exit 3"), LONG, &stopped).unwrap();
        assert_eq!(
            (said.status.code(), said.stdout, said.stderr),
            (Some(3), b"a\n".to_vec(), b"b\n".to_vec())
        );
        let mut command = Command::new("/nowhere/at/all");
        assert!(matches!(run(&mut command, LONG, &stopped), Err(Unended::NotStarted(_))));
    }

    /// Tells that it listens, then what it was told; what it started goes with it.
    fn listener(folder: &Path) -> Command {
        shell(&format!(
            "cd '{}' && trap 'echo told > told; exit' TERM && : > ready\n\
             sleep 1000 & while :; do sleep 0.05; done",
            folder.display()
        ))
    }

    #[test]
    fn it_ends_when_its_time_is_over() {
        let (_stop, stopped) = channel(false);
        let folder = tempfile::tempdir().unwrap();
        let short = Duration::from_millis(50);
        assert!(matches!(
            run(&mut listener(folder.path()), short, &stopped),
            Err(Unended::TooLong)
        ));
    }

    #[test]
    fn it_can_clean_up_when_everything_stops_and_is_not_started_after() {
        let (stop, stopped) = channel(false);
        let folder = tempfile::tempdir().unwrap();
        let at = |name| folder.path().join(name);
        let ended = std::thread::scope(|scope| {
            let running = scope.spawn(|| run(&mut listener(folder.path()), LONG, &stopped));
            while !at("ready").exists() && !running.is_finished() {
                std::thread::sleep(Duration::from_millis(5));
            }
            stop.send(true).unwrap();
            running.join().unwrap()
        });
        assert!(matches!(ended, Err(Unended::Stopped)), "{ended:?}");
        assert_eq!(std::fs::read_to_string(at("told")).unwrap(), "told\n");
        std::fs::remove_file(at("ready")).unwrap();
        assert!(matches!(run(&mut listener(folder.path()), LONG, &stopped), Err(Unended::Stopped)));
        assert!(!at("ready").exists());
    }
}
