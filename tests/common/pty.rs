//! A terminal of a given width to run a command on, and all that it prints there.

use super::TestEnv;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};

/// What partnerctl prints on a terminal, stdout and stderr together, as lines end in files.
pub fn run(env: &TestEnv, columns: u16, variables: &[(&str, &str)], args: &[&str]) -> String {
    typed(env, columns, variables, args, "").1
}

/// How it ends, and what stands on the terminal then, when somebody types this there.
pub fn typed(
    env: &TestEnv,
    columns: u16,
    variables: &[(&str, &str)],
    args: &[&str],
    keys: &str,
) -> (Option<i32>, String) {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&terminal, size).unwrap();
    let path = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
    let open = || OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let mut command = env.command(env!("CARGO_BIN_EXE_partnerctl"));
    command.args(args).env("TERM", "xterm").envs(variables.iter().copied());
    let mut child = command.stdin(open()).stdout(open()).stderr(open()).spawn().unwrap();
    // The command holds copies of the terminal's other end as well: only the child's may stay.
    drop(command);
    let mut printed = Vec::new();
    let mut terminal = File::from(terminal);
    terminal.write_all(keys.as_bytes()).unwrap();
    let mut part = [0; 4096];
    // Linux says that the other end is gone by an error, other systems by an end of file.
    while let Ok(length) = terminal.read(&mut part)
        && length > 0
    {
        printed.extend_from_slice(&part[..length]);
    }
    let code = child.wait().unwrap().code();
    (code, String::from_utf8(printed).unwrap().replace("\r\n", "\n"))
}
