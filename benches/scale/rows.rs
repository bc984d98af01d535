//! The commands that are measured, each as its own process.

use crate::shape::{Shape, name};
use crate::{Size, median};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs a command: seconds, and its peak memory in kilobytes as far as looking at it told.
fn run(folder: &Path, args: &[&str]) -> (f64, u64) {
    let start = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_partnerctl"))
        .current_dir(folder)
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    // Looking costs a little of the two cores; so it is done seldom while the command is short.
    let looking = std::thread::spawn(move || {
        let (mut peak, mut pause) = (0, 1);
        while let Ok(text) = std::fs::read_to_string(&status) {
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let Some(size) = line.and_then(|rest| rest.trim().strip_suffix(" kB")) else { break };
            peak = peak.max(size.trim().parse().unwrap());
            std::thread::sleep(Duration::from_millis(pause));
            pause = (pause + 1).min(20);
        }
        peak
    });
    let ended = child.wait().unwrap();
    let time = start.elapsed().as_secs_f64();
    assert!(ended.success(), "{args:?}");
    (time, looking.join().unwrap())
}

/// Measures a command, with something done before each run that does not count.
fn row(
    size: &mut Size,
    shape: &Shape,
    runs: usize,
    name: &'static str,
    args: &[&str],
    mut before: impl FnMut(),
) {
    let mut peak = 0;
    let time = median(runs, || {
        before();
        let (time, most) = run(&shape.folder, args);
        peak = peak.max(most);
        time
    });
    eprintln!("  {name}: {time:.3} s, {} MB", peak / 1_024);
    size.rows.push((name, time, peak));
}

pub fn measure(shape: &Shape, runs: usize, size: &mut Size) {
    let forget = || shape.memories().iter().for_each(|path| std::fs::remove_file(path).unwrap());
    let firsts = if runs > 3 { runs } else { 1 };
    row(size, shape, firsts, "first `apply`", &["apply", "--yes"], || {
        // Where there is no store yet there is nothing to remove.
        let _none = std::fs::remove_dir_all(shape.folder.join(".partnerctl"));
    });
    let bytes = |path: &Path| path.metadata().map_or(0, |metadata| metadata.len());
    size.database = bytes(&shape.store());
    row(size, shape, runs, "`plan`, nothing remembered", &["plan"], forget);
    row(size, shape, runs, "`plan`, nothing changed", &["plan"], || {});
    size.memory = shape.memories().iter().map(|path| bytes(path)).sum();
    let mut amount = 1_500;
    row(size, shape, runs, "`plan` after 1 % changed", &["plan"], || {
        amount += 1;
        shape.change(amount);
    });
    row(size, shape, runs, "`apply` of 1 %", &["apply", "--yes"], || {
        amount += 1;
        shape.change(amount);
    });
    row(size, shape, runs, "`plan` after 1 in 800 changed", &["plan"], || {
        amount += 1;
        shape.change_a_little(amount);
    });
    row(size, shape, runs, "`apply` of 1 in 800", &["apply", "--yes"], || {
        amount += 1;
        shape.change_a_little(amount);
    });
    run(&shape.folder, &["plan"]);
    row(size, shape, runs, "`validate`", &["validate"], || {});
    row(size, shape, firsts, "`validate --offline`", &["validate", "--offline"], || {});
    row(size, shape, firsts, "`plan --full`", &["plan", "--full"], || {});
    let name = name(shape.customers / 2);
    let of_one = ["log", "--resource", &format!("budget/{name}")];
    row(size, shape, runs, "`log` of one resource", &of_one, || {});
    row(size, shape, runs, "`get` of one resource", &["get", "budget", &name], || {});
    row(size, shape, runs, "`log verify`", &["log", "verify"], || {});
    let store = rusqlite::Connection::open(shape.store()).unwrap();
    let count = store.query_row("SELECT count(*) FROM activities", [], |row| row.get::<_, i64>(0));
    size.activities = count.unwrap().unsigned_abs();
}
