//! What this machine and process are, for the lease.

use crate::store::Holder;

/// Symbolic links that are followed, as many as the system follows.
const LINKS_MAX: usize = 40;

/// This process as a holder of the lease.
#[must_use]
pub fn this_process(actor: &str) -> Holder {
    let pid = i64::from(std::process::id());
    Holder {
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        boot_id: std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .map(|text| text.trim().to_owned())
            .unwrap_or_default(),
        pid,
        started: started(pid).unwrap_or_default(),
        actor: actor.to_owned(),
    }
}

/// When a process of this machine started, in the system's own ticks; `None` when it is not there.
/// Where the system does not tell, a process that is there gives the empty text.
#[must_use]
pub fn started(pid: i64) -> Option<String> {
    if let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        // The name of the program may itself hold spaces and brackets: count from behind it. A
        // zombie holds nothing any more.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        if fields.next() == Some("Z") {
            return None;
        }
        let ticks = fields.nth(18)?;
        let namespace = std::fs::read_link("/proc/self/ns/pid");
        return Some(match namespace {
            Ok(namespace) => format!("{ticks}@{}", namespace.display()),
            Err(_) => ticks.to_owned(),
        });
    }
    if std::path::Path::new("/proc/self/stat").exists() {
        return None;
    }
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)?;
    rustix::process::test_kill_process(pid).ok().map(|()| String::new())
}

/// The name of the system's user, as its password file has it.
#[must_use]
pub fn user() -> String {
    let uid = rustix::process::getuid().as_raw().to_string();
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("uid {uid}"))
}

/// Writes a file whole or not at all: under another name first, and on the disk before it gets its
/// own. Where a symbolic link leads is written; a device, a FIFO or a socket is written to, as putting
/// a file in its place would take it away.
///
/// # Errors
/// When the file system refuses; the file is as it was then.
pub fn write_whole(path: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
    put_in_place(path, bytes, std::fs::File::sync_all)
}

/// Writes a file that is soon written again, whole for every reader. After a power cut it may be an
/// older one, or empty.
///
/// # Errors
/// When the file system refuses; the file is as it was then.
pub fn write_for_now(path: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
    put_in_place(path, bytes, |_| Ok(()))
}

fn put_in_place(
    path: &std::path::Path,
    bytes: &[u8],
    keep: impl Fn(&std::fs::File) -> std::io::Result<()>,
) -> std::io::Result<()> {
    use std::io::Write;
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return std::fs::OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let path = &end_of_links(path);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.partial", std::process::id()));
    let partial = path.with_file_name(name);
    let written = (|| {
        let mut file = std::fs::File::create(&partial)?;
        file.write_all(bytes)?;
        keep(&file)?;
        std::fs::rename(&partial, path)
    })();
    if written.is_err() {
        // What is left of it helps nobody; if it cannot be removed, it still is not the file.
        let _left = std::fs::remove_file(&partial);
    }
    written
}

/// Where a path leads in the end, whether or not something is there.
fn end_of_links(path: &std::path::Path) -> std::path::PathBuf {
    let mut end = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(next) = std::fs::read_link(&end) else { break };
        end.pop();
        end.push(next);
    }
    end
}
