//! The lease: who applies at the moment.

use chrono::{DateTime, Utc};

/// How long a holder on another machine may be silent before it is replaced.
pub const SILENCE_SECONDS_MAX: i64 = 15;

/// A process that wants the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The machine's name.
    pub host: String,
    /// Changes with every start of the machine; empty where that is not known.
    pub boot_id: String,
    /// The process.
    pub pid: i64,
    /// When the process started, in the system's own form: a pid may be used again. Behind an `@`
    /// the namespace that the pid is of, where there are several.
    pub started: String,
    /// Who runs it.
    pub actor: String,
}

impl Holder {
    /// Among which processes its own is known, where the system tells: what stands behind the `@`.
    fn namespace(&self) -> Option<&str> {
        self.started.split_once('@').map(|(_, namespace)| namespace)
    }
}

/// A lease as it is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// By whom.
    pub holder: Holder,
    /// Since when.
    pub since: String,
    /// When it last said that it is there.
    pub renewed_at: DateTime<Utc>,
    /// Counts takeovers: writes under an older epoch are refused.
    pub epoch: i64,
}

impl std::fmt::Display for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Holder { host, pid, actor, .. } = &self.holder;
        write!(f, "{actor} on {host} (process {pid}, since {})", self.since)
    }
}

/// Whether a holder is gone: at once when it was on this machine and its process is not there any
/// more, after [`SILENCE_SECONDS_MAX`] when it is on another.
#[must_use]
pub fn is_gone(
    lease: &Lease,
    me: &Holder,
    now: DateTime<Utc>,
    started: impl Fn(i64) -> Option<String>,
) -> bool {
    let them = &lease.holder;
    // Two containers may share a host name and a boot; their processes are unknown to each other.
    let namespaces = them.namespace().zip(me.namespace());
    if them.host == me.host && namespaces.is_none_or(|(theirs, mine)| theirs == mine) {
        let rebooted = them.boot_id != me.boot_id;
        return rebooted || started(them.pid).as_ref() != Some(&them.started);
    }
    (now - lease.renewed_at).num_seconds() >= SILENCE_SECONDS_MAX
}

#[cfg(test)]
mod tests {
    use super::{Holder, Lease, is_gone};
    use chrono::{DateTime, TimeDelta};

    #[test]
    fn a_holder_is_replaced_when_it_is_gone_and_not_before() {
        let me = Holder {
            host: "here".into(),
            boot_id: "b".into(),
            pid: 2,
            started: "20".into(),
            actor: "a".into(),
        };
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let lease = |host: &str, boot: &str, seconds: i64| Lease {
            holder: Holder {
                host: host.into(),
                boot_id: boot.into(),
                pid: 1,
                started: "10".into(),
                ..me.clone()
            },
            since: String::new(),
            renewed_at: now - TimeDelta::seconds(seconds),
            epoch: 1,
        };
        let alive = |_| Some("10".to_owned());
        let reused = |_| Some("11".to_owned());
        assert!(!is_gone(&lease("here", "b", 3600), &me, now, alive));
        assert!(is_gone(&lease("here", "b", 0), &me, now, |_| None));
        assert!(is_gone(&lease("here", "b", 0), &me, now, reused));
        assert!(is_gone(&lease("here", "old boot", 0), &me, now, alive));
        assert!(!is_gone(&lease("there", "b", 14), &me, now, |_| None));
        assert!(is_gone(&lease("there", "b", 15), &me, now, alive));
        // In another container of the same machine: nobody here can see whether it is alive.
        let here = Holder { started: "20@pid:[1]".into(), ..me.clone() };
        let mut beside = lease("here", "b", 14);
        beside.holder.started = "10@pid:[2]".into();
        assert!(!is_gone(&beside, &here, now, |_| None));
        beside.renewed_at = now - TimeDelta::seconds(15);
        assert!(is_gone(&beside, &here, now, |_| None));
        let mut gone = lease("here", "b", 0);
        gone.holder.started = "10@pid:[1]".into();
        assert!(is_gone(&gone, &here, now, |_| None));
    }
}
