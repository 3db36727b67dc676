//! A host as its user describes it, and the words for ssh that come of that. Pure; knows no processes.
//!
//! Only what is said here is passed on: all else (keys, jumps, agents, the rules for host keys) is what the user's
//! own configuration of ssh says, which nobody but ssh reads.

use std::ffi::OsString;
use std::num::NonZeroU8;
use std::path::Path;
use std::time::Duration;

use crate::base::hostname::{Part, trouble};

/// One host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Host {
    /// What it is called: by this ssh finds it in its configuration.
    pub name: String,
    /// Where it is, if that is not what ssh makes of the name.
    pub address: Option<String>,
    /// Whom to log in as, if ssh is not to decide that.
    pub user: Option<String>,
    /// Where its sshd listens, likewise.
    pub port: Option<u16>,
    /// How many connections it may have at once.
    pub pool: NonZeroU8,
    /// How long a connection is kept that nobody uses.
    pub idle: Duration,
}

impl Host {
    /// One connection, kept for a minute, and all else as ssh decides.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            address: None,
            user: None,
            port: None,
            pool: NonZeroU8::MIN,
            idle: Duration::from_secs(60),
        }
    }

    /// Whether its names can be handed to ssh: none is an option, and none holds what a shell (of a `ProxyCommand`,
    /// say) would take for its own.
    ///
    /// # Errors
    /// What is wrong, in words for the user.
    pub fn check(&self) -> Result<(), String> {
        let parts = [
            // A name may be an address, too.
            (Part::Name, Part::Address, Some(&self.name)),
            (Part::Address, Part::Address, self.address.as_ref()),
            (Part::User, Part::User, self.user.as_ref()),
        ];
        for (part, allowed, word) in parts {
            let Some(word) = word else { continue };
            if let Some(why) = trouble(allowed, word) {
                return Err(format!("`{}` cannot be {}: {why}", word.escape_debug(), part.describe()));
            }
        }
        Ok(())
    }

    /// Hosts with the same target share what a target can bear.
    pub(super) fn target(&self) -> String {
        format!("{}:{}", self.address.as_ref().unwrap_or(&self.name), self.port.unwrap_or(22))
    }

    /// The words that make a master for it, whose socket will be at `control`.
    pub(super) fn master(&self, client: &[OsString], control: &Path, times: &Times) -> Vec<OsString> {
        let mut words = client.to_vec();
        // No agent, no X11, no terminal, no ports: a master serves commands and nothing else.
        words.extend(["-M", "-N", "-T", "-a", "-x", "-S"].map(OsString::from));
        words.push(control.into());
        let options = [
            "ControlPersist=no".to_owned(), // It dies with us.
            "BatchMode=yes".to_owned(),     // There is nobody to ask.
            format!("ConnectTimeout={}", times.connect.as_secs().max(1)),
            format!("ServerAliveInterval={}", times.alive.as_secs().max(1)),
            format!("ServerAliveCountMax={}", times.count),
            "ClearAllForwardings=yes".to_owned(),
            "LogLevel=INFO".to_owned(), // From there on it says why it ends.
        ];
        let own = [
            self.address.as_ref().map(|address| format!("HostName={address}")),
            self.user.as_ref().map(|user| format!("User={user}")),
            self.port.map(|port| format!("Port={port}")),
        ];
        for option in options.into_iter().chain(own.into_iter().flatten()) {
            words.extend(["-o".into(), option.into()]);
        }
        words.extend(["--".into(), (&self.name).into()]);
        words
    }
}

/// How long ssh waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Times {
    pub(super) connect: Duration,
    pub(super) alive: Duration,
    pub(super) count: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_ssh_or_a_shell_would_misread_are_refused() {
        for name in ["web1", "10.0.0.1", "fe80::1%eth0", "a_b.example.com", "müller", "[::1]"] {
            assert_eq!(Host::new(name).check(), Ok(()), "{name}");
        }
        for name in ["", "-oProxyCommand=x", "a b", "a;b", "$(x)", "`x`", "a\nb", "a'b", "a|b", "a/b", "a@b", "*", "!a"]
        {
            assert!(Host::new(name).check().is_err(), "{name:?}");
        }
        let with = |user: &str, address: &str| Host {
            user: Some(user.to_owned()),
            address: Some(address.to_owned()),
            ..Host::new("web1")
        };
        assert_eq!(with("DOMAIN\\me", "10.0.0.1").check(), Ok(()));
        assert_eq!(
            with("me", "-x").check(),
            Err("`-x` cannot be the address of a host: it would be an option".to_owned())
        );
        assert_eq!(
            with("a\u{1b}b", "x").check(),
            Err("`a\\u{1b}b` cannot be the name of a user: it holds `\\u{1b}`".to_owned())
        );
    }

    #[test]
    fn only_what_is_said_is_passed_on() {
        let times = Times { connect: Duration::from_secs(7), alive: Duration::from_secs(5), count: 3 };
        let plain = Host::new("web1").master(&["ssh".into()], Path::new("/c/1"), &times);
        let line = plain.join(OsString::from(" ").as_os_str()).into_string().unwrap();
        assert!(line.starts_with("ssh -M -N -T -a -x -S /c/1 -o ControlPersist=no "), "{line}");
        assert!(line.contains("-o ConnectTimeout=7 ") && line.ends_with(" -- web1"), "{line}");
        assert!(!line.contains("HostName") && !line.contains("User=") && !line.contains("Port="), "{line}");
        let all = Host {
            address: Some("10.0.0.1".to_owned()),
            user: Some("deploy".to_owned()),
            port: Some(2222),
            ..Host::new("web1")
        };
        let words = all.master(&["ssh".into()], Path::new("/c/1"), &times);
        for option in ["HostName=10.0.0.1", "User=deploy", "Port=2222"] {
            assert!(words.contains(&option.into()), "{option}");
        }
        assert_eq!(all.target(), "10.0.0.1:2222");
    }
}
