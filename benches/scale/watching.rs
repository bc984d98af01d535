//! The watch: how long from a saved file to its change in the status file, beyond the debounce.

use crate::Size;
use crate::shape::Shape;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The debounce that is taken off each time.
const DEBOUNCE: Duration = Duration::from_millis(50);

/// Saves one file after another beside a running watch; the 99th of a hundred counts.
pub fn measure(shape: &Shape, saves: usize, size: &mut Size) {
    let status = shape.folder.join("watch.json");
    let mut watch = Command::new(env!("CARGO_BIN_EXE_partnerctl"))
        .current_dir(&shape.folder)
        .args(["watch", "--debounce", "50ms", "--status-file", "watch.json"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut applied = wait_for(&status, |_| true);
    let mut times: Vec<f64> = (0..saves)
        .map(|save| {
            // Long enough for a file's stat to be trusted again, and for the watch to rest.
            std::thread::sleep(Duration::from_millis(300));
            shape.change_one(save % shape.customers, 5_000 + save);
            let start = Instant::now();
            applied = wait_for(&status, |now| now > applied);
            start.elapsed().saturating_sub(DEBOUNCE).as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let high = std::fs::read_to_string(format!("/proc/{}/status", watch.id())).unwrap();
    let high = high.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak = high.trim().trim_end_matches(" kB").parse().unwrap();
    watch.kill().unwrap();
    watch.wait().unwrap();
    std::fs::remove_file(status).unwrap();
    let time = times[(times.len() * 99).div_ceil(100) - 1];
    eprintln!("  `watch`, one file saved: {time:.3} s, {} MB", peak / 1_024);
    size.rows.push(("`watch`, one file saved (p99)", time, peak));
}

/// Waits until so many changes are applied as are wanted; gives how many that are.
fn wait_for(status: &Path, wanted: impl Fn(u64) -> bool) -> u64 {
    loop {
        let text = std::fs::read_to_string(status).unwrap_or_default();
        let report: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let passes = report["passes"].as_u64().unwrap_or_default();
        if let Some(applied) = report["applied"].as_u64().filter(|now| passes > 0 && wanted(*now)) {
            return applied;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
