//! Whether commits are signed by keys that are trusted: those of a file of allowed signers, as
//! `ssh-keygen` reads it. No other sort of signature counts, whatever keys the user has.

use crate::engine::follow::{Branch, FollowError};
use crate::engine::git::GitError;
use std::path::Path;

/// What is found of a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signature {
    /// Good, by whom the file names.
    Good {
        /// The principal of the file.
        signer: String,
    },
    /// Anything else, in words.
    Bad {
        /// The commit.
        commit: String,
        /// What is wrong with it: it *is not signed*.
        why: &'static str,
    },
}

/// What holds while signatures are verified: a key of a key ring of the user's is nobody's.
const SETTINGS: [&str; 5] = [
    "gpg.format=ssh",
    "gpg.ssh.program=ssh-keygen",
    "gpg.openpgp.program=false",
    "gpg.x509.program=false",
    "gpg.minTrustLevel=fully",
];

impl Branch {
    /// The signature of a commit. With an earlier one, of every commit since that: the first that is
    /// not good, the oldest first, else that of the commit itself.
    ///
    /// # Errors
    /// When the program fails.
    pub fn signature(
        &self,
        commit: &str,
        since: Option<&str>,
        keys: &Path,
    ) -> Result<Signature, FollowError> {
        let none = || Signature::Bad { commit: commit.to_owned(), why: "is not there" };
        let own = self.signatures(commit, "-1", keys)?.into_iter().next().unwrap_or_else(none);
        let since = match since.map(|since| self.git().commit(since)) {
            Some(Ok(since)) => since,
            // What was there before is not known here: the commit speaks for its whole tree.
            None | Some(Err(GitError::NoCommit { .. })) => return Ok(own),
            Some(Err(error)) => return Err(error.into()),
        };
        let range = self.signatures(commit, &format!("^{since}"), keys)?;
        let bad = range.into_iter().rev().find(|found| matches!(found, Signature::Bad { .. }));
        Ok(bad.unwrap_or(own))
    }

    /// The signatures of commits, the newest first.
    fn signatures(
        &self,
        commit: &str,
        which: &str,
        keys: &Path,
    ) -> Result<Vec<Signature>, FollowError> {
        let mut command = self.command();
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command.arg("-c").arg({
            let mut setting = std::ffi::OsString::from("gpg.ssh.allowedSignersFile=");
            setting.push(keys);
            setting
        });
        command.args(["log", "--topo-order", "-z", "--format=%H%n%G?%n%GS", which, commit, "--"]);
        let said = self.succeed(&mut command)?;
        let said = String::from_utf8_lossy(&said);
        Ok(said.split('\0').filter(|record| !record.is_empty()).map(of_record).collect())
    }
}

/// One record: the commit, the letter of `%G?`, the signer.
fn of_record(record: &str) -> Signature {
    let mut lines = record.lines();
    let commit = lines.next().unwrap_or_default().to_owned();
    let letter = lines.next().unwrap_or_default();
    let signer = lines.next().unwrap_or_default();
    let why = match letter {
        "G" if !signer.is_empty() => return Signature::Good { signer: signer.to_owned() },
        "N" => "is not signed",
        "B" => "has a bad signature",
        "X" | "Y" => "was signed by a key that has expired",
        "R" => "was signed by a key that was revoked",
        _ => "was signed by no key that is trusted",
    };
    Signature::Bad { commit, why }
}

#[cfg(test)]
mod tests {
    use super::{Signature, of_record};

    #[test]
    fn only_a_good_signature_of_somebody_is_one() {
        let good = Signature::Good { signer: "a@contoso.example".to_owned() };
        assert_eq!(of_record("c1\nG\na@contoso.example"), good);
        for record in [
            "c1\nG\n",
            "c1\nU\na@contoso.example",
            "c1\nB\na",
            "c1\nN\n",
            "c1",
            "c1\nE\n",
            "c1\n?\na",
        ] {
            assert!(
                matches!(of_record(record), Signature::Bad { commit, .. } if commit == "c1"),
                "{record:?}"
            );
        }
    }
}
