//! Where a branch is: an address and a name that can be nothing else for the program they are given
//! to, neither an option nor a protocol that runs something.

use std::path::{Path, PathBuf};

/// The address of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// As the program gets it.
    pub url: String,
    /// As people see it: without who signs in there.
    pub shown: String,
    /// True when the repository is on this machine.
    pub is_local: bool,
}

/// What stands before a path of another protocol.
const PROTOCOLS: [&str; 3] = ["https://", "ssh://", "file://"];
/// What is said of everything else.
const KNOWN: &str = "write an address of https, ssh or file, or the path of a repository";

impl Address {
    /// Reads an address; a path is taken from a folder.
    ///
    /// # Errors
    /// A sentence saying why it is refused.
    pub fn parse(text: &str, here: &Path) -> Result<Self, String> {
        if text.is_empty() || text.starts_with('-') {
            return Err(format!("`{text}` is no address of a repository; {KNOWN}"));
        }
        if text.chars().any(|c| c.is_control() || c == '\\') {
            return Err("the address has control characters or backslashes".to_owned());
        }
        let (head, colon) = match text.split_once(':') {
            Some((head, _)) if !head.contains('/') => (head, true),
            _ => (text, false),
        };
        if text[head.len()..].starts_with("::") {
            return Err(format!("`{head}::` would run a program; {KNOWN}"));
        }
        if text[head.len()..].starts_with("://") {
            return Self::of_protocol(text);
        }
        if colon {
            return Self::of_host(text, text, head);
        }
        let path: PathBuf = here.join(text);
        let url = path.to_str().ok_or("the path is not UTF-8")?.to_owned();
        Ok(Self { url, shown: text.to_owned(), is_local: true })
    }

    fn of_protocol(text: &str) -> Result<Self, String> {
        let Some(protocol) = PROTOCOLS.iter().find(|known| text.starts_with(**known)) else {
            let protocol = text.split("://").next().unwrap_or_default();
            return Err(format!("the protocol `{protocol}` is not used; {KNOWN}"));
        };
        let rest = &text[protocol.len()..];
        let host = rest.split('/').next().unwrap_or_default();
        if *protocol == "file://" {
            return Ok(Self { url: text.to_owned(), shown: text.to_owned(), is_local: true });
        }
        if let Some((user, _)) = host.rsplit_once('@')
            && user.contains(':')
        {
            return Err("the address holds a password, which everybody would see; leave it to \
                 a credential helper of git"
                .to_owned());
        }
        // What stands there is a secret on some servers.
        let bare = host.rsplit_once('@').map_or(host, |(_, host)| host);
        let shown = match *protocol {
            "https://" => format!("{protocol}{bare}{}", &rest[host.len()..]),
            _ => text.to_owned(),
        };
        Self::of_host(text, &shown, host)
    }

    fn of_host(url: &str, shown: &str, host: &str) -> Result<Self, String> {
        let name = host.rsplit_once('@').map_or(host, |(_, name)| name);
        if name.is_empty() || name.starts_with('-') || host.starts_with('-') {
            return Err(format!("`{host}` is no host; {KNOWN}"));
        }
        Ok(Self { url: url.to_owned(), shown: shown.to_owned(), is_local: false })
    }
}

/// Reads the name of a branch, as git understands names.
///
/// # Errors
/// A sentence saying why it is refused.
pub fn parse_branch(text: &str) -> Result<String, String> {
    let refused = text.is_empty()
        || text.starts_with('-')
        || text.starts_with("refs/")
        || text.ends_with('.')
        || text.contains("..")
        || text.contains("@{")
        || text == "@"
        || text.chars().any(|c| c.is_control() || " ~^:?*[\\".contains(c))
        || text
            .split('/')
            .any(|part| part.is_empty() || part.starts_with('.') || part.ends_with(".lock"));
    if refused {
        return Err("write the name of a branch, as `git branch` shows it: main".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Address, parse_branch};
    use std::path::Path;

    fn parse(text: &str) -> Result<Address, String> {
        Address::parse(text, Path::new("/here"))
    }

    #[test]
    fn addresses_of_three_protocols_and_paths_are_taken() {
        for (text, url, shown, is_local) in [
            (
                "https://git.example/a.git",
                "https://git.example/a.git",
                "https://git.example/a.git",
                false,
            ),
            (
                "https://me@git.example/a",
                "https://me@git.example/a",
                "https://git.example/a",
                false,
            ),
            (
                "ssh://git@git.example:22/a",
                "ssh://git@git.example:22/a",
                "ssh://git@git.example:22/a",
                false,
            ),
            (
                "git@git.example:a/b.git",
                "git@git.example:a/b.git",
                "git@git.example:a/b.git",
                false,
            ),
            ("file:///srv/a", "file:///srv/a", "file:///srv/a", true),
            ("/srv/a", "/srv/a", "/srv/a", true),
            ("../a:b", "/here/../a:b", "../a:b", true),
            ("a", "/here/a", "a", true),
        ] {
            let expected = Address { url: url.into(), shown: shown.into(), is_local };
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn nothing_else_is_an_address() {
        for text in [
            "",
            "-",
            "--upload-pack=touch x",
            "-u",
            "ext::sh -c id",
            "fd::17",
            "a::b",
            "::a",
            "http://git.example/a",
            "git://git.example/a",
            "ftp://git.example/a",
            "ext://sh",
            "EXT::x",
            "HTTPS://git.example/a",
            "https://-x/a",
            "ssh://-oProxyCommand=x/a",
            "ssh://a@-oProxyCommand=x/a",
            "-oProxyCommand=x:a",
            "a@-oProxyCommand=x:a",
            "https://",
            "https:///a",
            "https://me:secret@git.example/a",
            "ssh://me:secret@git.example/a",
            "/srv/a\nb",
            "a\u{0}b",
            "https://git.example\\@x/a",
            ":a",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        let told = parse("https://me:secret@git.example/a").unwrap_err();
        assert!(!told.contains("secret"), "{told}");
    }

    #[test]
    fn a_branch_is_a_name_and_nothing_else() {
        for good in ["main", "release/2026-11", "a@b", "ä", "a.b", "x-"] {
            assert_eq!(parse_branch(good).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "-",
            "--all",
            "refs/heads/main",
            "a..b",
            "a b",
            "a~1",
            "a^",
            "a:b",
            "*",
            "a?",
            "[a",
            "a\\b",
            "@",
            "a@{1}",
            "/a",
            "a/",
            "a//b",
            ".a",
            "a/.b",
            "a.lock",
            "a.lock/b",
            "a.",
            "a\n",
        ] {
            assert!(parse_branch(bad).is_err(), "{bad:?}");
        }
    }
}
