//! How to tell that something is there: of a service that it is up, and of anything that a step waits for.

use std::sync::Arc;
use std::time::Duration;

use crate::base::source::{Span, Spanned};
use crate::base::value::Template;

/// A task that stays up while others need it.
#[derive(Clone, Debug)]
pub struct Service {
    /// How to tell that it is up.
    pub ready: Ready,
    /// How long that may take.
    pub timeout: Duration,
    /// The node.
    pub span: Span,
}

/// How long a service may take to be up, where it does not say.
pub const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// Something that is there, or not yet.
#[derive(Clone, Debug)]
pub enum Ready {
    /// Someone takes connections: a port of this machine, or `host:port`.
    Tcp(Spanned<Template>),
    /// A server answers, and not with an error: `http://…`.
    Http(Spanned<Template>),
    /// A script succeeds.
    Run(Spanned<Arc<str>>),
    /// A line of the output matches this regular expression.
    Log(Spanned<Arc<str>>),
    /// A path, or one that matches.
    Exists(Spanned<Template>),
}

impl Ready {
    /// The text with values in it, if it is one of xec's and not of a shell.
    pub fn template(&self) -> Option<&Spanned<Template>> {
        match self {
            Ready::Tcp(text) | Ready::Http(text) | Ready::Exists(text) => Some(text),
            Ready::Run(_) | Ready::Log(_) => None,
        }
    }

    /// The script, if it is one.
    pub fn script(&self) -> Option<&Spanned<Arc<str>>> {
        match self {
            Ready::Run(script) => Some(script),
            _ => None,
        }
    }
}

/// A host and its port, as `tcp=` has them: a port alone is one of this machine.
///
/// # Errors
/// What is wrong with it, in words.
pub fn tcp_address(text: &str) -> Result<(&str, u16), &'static str> {
    let (host, port) = text.rsplit_once(':').unwrap_or(("localhost", text));
    match port.parse::<u16>() {
        Ok(port) if port > 0 && !host.is_empty() => Ok((host.trim_matches(['[', ']']), port)),
        _ => Err("a port is a number from 1 to 65535, alone or behind a host: `db.internal:5432`"),
    }
}

/// What `http=` names: host, port and path.
///
/// # Errors
/// What is wrong with it, in words.
pub fn http_address(text: &str) -> Result<(&str, u16, &str), &'static str> {
    let Some(rest) = text.strip_prefix("http://") else {
        return Err("only `http://…` is asked; for anything else, ask a program: run=\"curl -fsS https://…\"");
    };
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    match authority.strip_suffix(':').is_none() && !authority.is_empty() && !authority.contains('@') {
        true if authority.rfind(':').is_some_and(|at| !authority[at..].contains(']')) => {
            tcp_address(authority).map(|(host, port)| (host, port, path))
        }
        true => Ok((authority.trim_matches(['[', ']']), 80, path)),
        false => Err("an address is written `http://host:port/path`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_they_are_written() {
        assert_eq!(tcp_address("5432"), Ok(("localhost", 5432)));
        assert_eq!(tcp_address("db.internal:1"), Ok(("db.internal", 1)));
        assert_eq!(tcp_address("[::1]:80"), Ok(("::1", 80)));
        for bad in ["", "0", "65536", "x", ":80", "db:", "db:x", "-1"] {
            assert!(tcp_address(bad).is_err(), "{bad}");
        }
        assert_eq!(http_address("http://localhost:8080/health?x=1"), Ok(("localhost", 8080, "/health?x=1")));
        assert_eq!(http_address("http://db"), Ok(("db", 80, "/")));
        assert_eq!(http_address("http://[::1]/x"), Ok(("::1", 80, "/x")));
        for bad in ["", "https://x", "http://", "http://:1", "http://x:", "http://u@x/", "localhost:80"] {
            assert!(http_address(bad).is_err(), "{bad}");
        }
    }
}
