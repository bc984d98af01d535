//! `watch`: apply what is declared whenever it changes, by itself.

mod branch;
mod choice;
mod driver;
mod eyes;
mod following;
mod listen;
mod log;
mod pass;
pub mod report;
mod sight;
mod stopped;
mod stores;

use crate::cli::error::{CommandError, Exit};
use crate::cli::session::{self, PassArgs, SelectionArgs};
use crate::cli::settings::{FileArgs, Here, Settings};
use crate::cli::ui::Ui;
use crate::engine::Workspace;
use crate::engine::tree::{IGNORE_FILE, WORKSPACE_FILE};
use crate::engine::watch::ears::{Ears, News};
use crate::engine::watch::snapshot::Looks;
use crate::engine::watch::state::Timing;
use crate::engine::watch::told::Told;
use crate::model::text::printable;
use crate::store::Missing;
use branch::BranchArgs;
use chrono::Utc;
use clap::Args;
use driver::{Driver, Message, POLL};
use eyes::Eyes;
use following::Following;
use log::{Heard, LogFormat};
use pass::Passes;
use report::{BranchReport, Report};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use stores::Stores;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::filter::LevelFilter;

/// Apply what is declared whenever it changes
///
/// Watches the folder of manifests. A change of a file, or the time, starts a pass, which does what
/// apply does: on a tree that has come to rest, all of it. While a manifest is not valid, what was
/// applied stays. Changes that cost money or cannot be undone are held, with what depends on them,
/// until `partnerctl approve` approves the plan that the log names, or at once where `watch: {allow:
/// [costly]}` of partnerctl.yaml says so; the rest is applied. What was changed outside is told, and
/// put back only with --heal. With --git it is a branch of a repository that is followed, without a
/// checkout: its newest commit is applied, and the log names it with its author. The log goes to stderr; Ctrl-C or SIGTERM ends the watch when what is
/// under way is done.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  partnerctl watch\n  \
    partnerctl watch --prune --heal --interval 10m\n  \
    partnerctl watch --once   # one pass, with the exit codes of apply\n  \
    partnerctl watch --dry-run\n  \
    partnerctl watch --git https://git.contoso.example/tenants.git --branch main\n  \
    partnerctl watch --log-format json --status-file watch.json --listen 127.0.0.1:9464")]
pub struct WatchArgs {
    #[command(flatten)]
    files: FileArgs,
    /// Delete what the set owns and the manifests no longer declare
    #[arg(long)]
    prune: bool,
    /// Put back what was changed outside
    #[arg(long)]
    heal: bool,
    /// With --heal: put back also what moves money, as amounts of budgets
    #[arg(long, requires = "heal")]
    heal_money: bool,
    /// Plan and tell, apply nothing
    #[arg(long)]
    dry_run: bool,
    /// Run one pass and exit as apply does
    #[arg(long)]
    once: bool,
    /// Let the brakes of exactly this plan go
    #[arg(long = "override", value_name = "PLAN-ID")]
    override_id: Option<String>,
    /// The longest time without a pass, 5m unless it is said; with --git also how often the branch is
    /// looked at, else every minute, and on this machine every five seconds
    #[arg(long, value_name = "TIME", value_parser = parse_interval)]
    interval: Option<Duration>,
    /// How long the files must rest before a pass
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = parse_debounce)]
    debounce: Duration,
    /// Look at the files every two seconds, without being told of changes by the system
    #[arg(long)]
    poll: bool,
    /// Write how the watch stands into this file after each pass, as JSON
    #[arg(long, value_name = "FILE")]
    status_file: Option<PathBuf>,
    /// Answer /healthz, /readyz and /metrics on this address of the loopback
    #[arg(long, value_name = "ADDRESS", value_parser = listen::parse_address)]
    listen: Option<SocketAddr>,
    /// How the log looks
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    /// Log also passes that found nothing to do
    #[arg(short, long, conflicts_with = "quiet")]
    verbose: bool,
    #[command(flatten)]
    branch: BranchArgs,
}

/// The longest time without a pass, unless it is said.
const INTERVAL: Duration = Duration::from_secs(300);

pub fn run(args: &WatchArgs, settings: &Settings, ui: &mut Ui) -> Result<Exit, CommandError> {
    let workspace = settings.workspace(&args.files, ui)?;
    let roots = roots(args, settings, &workspace)?;
    // What is wrong with the options is no matter of a later pass.
    session::demand_lasting(settings, &workspace)?;
    session::provider(settings, &workspace)?;
    session::open(settings, &workspace, Missing::Leave)?;
    let listener = args.listen.map(listen::bind).transpose()?;
    log::begin(args.log_format, level(args, settings))?;

    let (sender, messages) = channel();
    let (stop_sender, stop) = tokio::sync::watch::channel(false);
    let report = Arc::new(Mutex::new(Report::new(Utc::now())));
    begin_background(sender.clone(), stop_sender, listener, report.clone())?;
    let heard = Heard::default();
    let beside = [WORKSPACE_FILE, IGNORE_FILE].map(|name| workspace.folder.join(name));
    let wake = move || {
        // Nobody waits for it any more when the watch has ended.
        let _ended = sender.send(Message::Woken);
    };
    let branch = Following::of(&args.branch, settings, &workspace, stop.clone())?;
    if let Some(branch) = &branch {
        let (url, name, path) = branch.names();
        let git = BranchReport::new(url, name, path);
        report.lock().unwrap_or_else(PoisonError::into_inner).git = Some(git);
        tracing::info!("following the {}", printable(&branch.shown()));
    } else {
        tracing::info!("watching {}", shown(&roots));
    }
    let has_ears = !args.poll && branch.is_none();
    let news = News::default();
    let mut driver = Driver {
        timing: timing(args, branch.as_ref()),
        ears: has_ears.then(|| Ears::new(&roots, &workspace.folder, news.clone(), wake)),
        eyes: match branch {
            Some(branch) => Eyes::Branch(Box::new(branch)),
            None => Eyes::Files(Box::new(Looks::new(roots, beside.into(), news))),
        },
        passes: passes(args, settings, &workspace, stop),
        here: Here::now(),
        told: Told::default(),
        report,
        status_file: args.status_file.clone(),
        ui: heard.ui(),
        heard,
        held: None,
        exit: Exit::Error,
        next_end: None,
    };
    let exit = driver.run(&messages);
    Ok(if args.once { exit } else { Exit::Done })
}

/// The roots to watch; none where a branch is followed.
fn roots(
    args: &WatchArgs,
    settings: &Settings,
    workspace: &Workspace,
) -> Result<Vec<PathBuf>, CommandError> {
    if args.branch.is_given() {
        return Ok(Vec::new());
    }
    if args.files.filename.iter().any(|path| path.as_os_str() == "-") {
        return Err(CommandError::new("standard input cannot be watched")
            .hint("name a file or a folder with -f"));
    }
    let (roots, _) = settings.roots(&args.files, workspace)?;
    if let Some(missing) = roots.iter().find(|root| !root.exists()) {
        let message = format!("there is no file or folder {}", missing.display());
        return Err(CommandError::new(message).hint("name manifests with -f"));
    }
    if let Some(file) = args.status_file.as_deref().filter(|file| is_below(file, &roots)) {
        let message = format!("the status file {} is among the manifests", file.display());
        return Err(CommandError::new(message).hint("put it beside them: it would wake the watch"));
    }
    Ok(roots)
}

fn level(args: &WatchArgs, settings: &Settings) -> LevelFilter {
    match (args.verbose, settings.is_quiet()) {
        (true, _) => LevelFilter::DEBUG,
        (false, false) => LevelFilter::INFO,
        (false, true) => LevelFilter::WARN,
    }
}

fn timing(args: &WatchArgs, branch: Option<&Following>) -> Timing {
    let poll = match branch {
        Some(branch) => Some(millis(args.interval.unwrap_or(branch.poll()))),
        None => args.poll.then_some(POLL),
    };
    Timing {
        debounce: millis(args.debounce),
        interval: millis(args.interval.unwrap_or(INTERVAL)),
        poll,
        once: args.once,
        chance: session::nonce(),
    }
}

fn passes<'a>(
    args: &WatchArgs,
    settings: &'a Settings,
    workspace: &Workspace,
    stop: tokio::sync::watch::Receiver<bool>,
) -> Passes<'a> {
    Passes {
        settings,
        args: PassArgs {
            files: args.files.clone(),
            selection: SelectionArgs::default(),
            prune: args.prune,
            take_ownership: false,
            full: false,
            override_id: args.override_id.clone(),
        },
        heal: args.heal,
        heal_money: args.heal_money,
        dry_run: args.dry_run,
        // A watch asks again by itself; a single pass waits as long as `apply` does.
        lock_timeout: Duration::from_secs(if args.once { 30 } else { 1 }),
        stop,
        workspace: (workspace.folder.clone(), workspace.folder.join(WORKSPACE_FILE).is_file()),
        lineage: None,
        stores: Stores::default(),
        kept: None,
    }
}

/// Signals and HTTP, on a thread of their own.
fn begin_background(
    sender: Sender<Message>,
    stop: tokio::sync::watch::Sender<bool>,
    listener: Option<TcpListener>,
    report: listen::SharedReport,
) -> Result<(), CommandError> {
    let failed = |error: std::io::Error| CommandError::new(format!("cannot begin: {error}"));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let guard = runtime.enter();
    let signals = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
    let [interrupt, terminate] = signals;
    let (interrupt, terminate) = (interrupt.map_err(failed)?, terminate.map_err(failed)?);
    if let Some(listener) = &listener
        && let Ok(address) = listener.local_addr()
    {
        tracing::info!("listening on http://{address}");
    }
    drop(guard);
    std::thread::spawn(move || {
        runtime.block_on(async move {
            if let Some(listener) = listener {
                tokio::spawn(listen::serve(listener, report));
            }
            stop_on_signal(interrupt, terminate, &sender, &stop).await;
        });
    });
    Ok(())
}

/// The first signal: finish what is in flight. The second: stop now; what was committed stays.
async fn stop_on_signal(
    mut interrupt: Signal,
    mut terminate: Signal,
    sender: &Sender<Message>,
    stop: &tokio::sync::watch::Sender<bool>,
) {
    for number in 1.. {
        let name = tokio::select! {
            _ = interrupt.recv() => "Ctrl-C",
            _ = terminate.recv() => "SIGTERM",
        };
        if number > 1 {
            #[expect(clippy::exit, reason = "the user asked twice to stop now")]
            std::process::exit(Exit::Partly as i32);
        }
        tracing::info!("{name}: ending when what is under way is done");
        // Whoever waits for neither has ended already.
        let _ended = (stop.send(true), sender.send(Message::Stop));
    }
}

/// True when a file would be read with the manifests.
fn is_below(file: &Path, roots: &[PathBuf]) -> bool {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let Ok(folder) = folder.unwrap_or(Path::new(".")).canonicalize() else { return false };
    let hidden = file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let reads =
        file.extension().is_some_and(|end| ["json", "yaml", "yml"].iter().any(|e| end == *e));
    let below = |root: &PathBuf| root.canonicalize().is_ok_and(|root| folder.starts_with(root));
    reads && !hidden && roots.iter().any(below)
}

fn shown(roots: &[PathBuf]) -> String {
    let names: Vec<_> = roots.iter().map(|root| root.display().to_string()).collect();
    printable(&names.join(", "))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn parse_interval(text: &str) -> Result<Duration, String> {
    parse_time(text, Duration::from_secs(1), Duration::from_secs(7 * 24 * 3600))
}

fn parse_debounce(text: &str) -> Result<Duration, String> {
    parse_time(text, Duration::from_millis(10), Duration::from_secs(60))
}

/// Reads a time as people write it, `250ms`, `90s`, `5m`, `1h`, within bounds.
fn parse_time(text: &str, least: Duration, most: Duration) -> Result<Duration, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let milliseconds: Option<u64> = match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    let time = number
        .parse::<u64>()
        .ok()
        .zip(milliseconds)
        .and_then(|(number, unit)| Some(Duration::from_millis(number.checked_mul(unit)?)));
    match time {
        Some(time) if (least..=most).contains(&time) => Ok(time),
        Some(_) => Err(format!("from {least:?} to {most:?}")),
        None => Err("write a number and ms, s, m or h: 250ms, 90s, 5m".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{parse_debounce, parse_interval};
    use std::time::Duration;

    #[test]
    fn times_are_a_number_and_a_unit_within_bounds() {
        let seconds = |text: &str| parse_interval(text).map(|time| time.as_secs());
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("5m"), Ok(300));
        assert_eq!(seconds("2h"), Ok(7200));
        assert_eq!(parse_debounce("250ms"), Ok(Duration::from_millis(250)));
        for bad in ["", "5", "m", "-5m", "5 m", "1.5h", "0s", "9999h", "99999999999999999999h"] {
            assert!(parse_interval(bad).is_err(), "{bad}");
        }
        assert!(parse_debounce("1ms").is_err());
    }
}
