//! Asks, again and again, whether something is there: a port, a server, a file, a line of output, whatever a script
//! says. Between two questions it rests, longer each time up to a bound. Knows nothing of the graph.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use regex_lite::Regex;
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::base::command::{CommandSpec, Outcome};
use crate::base::event::JobId;
use crate::exec::output::OutputTx;
use crate::exec::{JobCx, Signal, Target};
use crate::run::probe::exists;
use crate::xecfile::model::{http_address, tcp_address};

/// The rest after the first question, and the longest.
const RESTS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));
/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// So much of a line is looked at.
const LONGEST_LINE: usize = 64 * 1024;
/// So much of an answer is read to know its status.
const ANSWER: usize = 64;

/// What is asked for.
pub enum Probe {
    /// Someone takes connections here.
    Tcp(String),
    /// A server answers here, and not with an error.
    Http(String),
    /// There is such a path, against this directory.
    Exists(PathBuf, String),
    /// This succeeds.
    Run(CommandSpec),
    /// A line of what comes here matches.
    Log(Regex, UnboundedReceiver<Vec<u8>>),
}

/// Ends when it is there, with true; or with false when `stop` is used or dropped. A script that runs then is ended.
pub async fn until(mut probe: Probe, target: Rc<dyn Target>, mut stop: oneshot::Receiver<()>) -> bool {
    let mut rest = RESTS.0;
    loop {
        let there = match &mut probe {
            Probe::Run(spec) => match script(spec.clone(), &*target, &mut stop).await {
                Some(there) => there,
                None => return false,
            },
            other => tokio::select! {
                there = other.look() => there,
                _ = &mut stop => return false,
            },
        };
        if there {
            return true;
        }
        tokio::select! {
            () = sleep(rest) => rest = (rest * 2).min(RESTS.1),
            _ = &mut stop => return false,
        }
    }
}

/// Whether a script succeeds; `None` where it was stopped.
async fn script(spec: CommandSpec, target: &dyn Target, stop: &mut oneshot::Receiver<()>) -> Option<bool> {
    // What it says is for nobody.
    let (output, _) = OutputTx::pair();
    let Ok(mut running) = target.start(spec, JobCx::new(JobId(u64::MAX), output)).await else { return Some(false) };
    tokio::select! {
        finished = &mut running.done => return Some(finished.outcome == Outcome::Exited(0)),
        _ = stop => {}
    }
    (running.control)(Signal::Kill);
    running.done.await;
    None
}

impl Probe {
    async fn look(&mut self) -> bool {
        match self {
            Probe::Tcp(address) => match tcp_address(address) {
                Ok((host, port)) => connect(host, port).await.is_some(),
                Err(_) => false,
            },
            Probe::Http(address) => match http_address(address) {
                Ok((host, port, path)) => timeout(PATIENCE, answers(host, port, path)).await == Ok(Some(true)),
                Err(_) => false,
            },
            Probe::Exists(dir, pattern) => exists(dir, pattern),
            Probe::Log(pattern, lines) => line_comes(pattern, lines).await,
            Probe::Run(_) => false,
        }
    }
}

async fn connect(host: &str, port: u16) -> Option<TcpStream> {
    // Whichever of the two this machine's server listens on.
    let hosts: &[&str] = if host == "localhost" { &["127.0.0.1", "::1"] } else { &[host] };
    for host in hosts {
        if let Ok(Ok(stream)) = timeout(PATIENCE, TcpStream::connect((*host, port))).await {
            return Some(stream);
        }
    }
    None
}

/// Whether a server answers with a status below 400.
async fn answers(host: &str, port: u16, path: &str) -> Option<bool> {
    let stream = connect(host, port).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n");
    let mut sent = 0;
    while sent < request.len() {
        stream.writable().await.ok()?;
        match stream.try_write(&request.as_bytes()[sent..]) {
            Ok(count) => sent += count,
            Err(why) if why.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return None,
        }
    }
    let (mut answer, mut at) = ([0; ANSWER], 0);
    while at < ANSWER && !answer[..at].contains(&b'\n') {
        stream.readable().await.ok()?;
        match stream.try_read(&mut answer[at..]) {
            Ok(0) => break,
            Ok(count) => at += count,
            Err(why) if why.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return None,
        }
    }
    status(&answer[..at]).map(|status| (200..400).contains(&status))
}

/// The status of an answer, from its first line.
fn status(answer: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(answer.split(|byte| *byte == b'\r').next()?).ok()?;
    line.strip_prefix("HTTP/")?.split(' ').nth(1)?.parse().ok()
}

/// Ends when a line matches; a last one without its end too, since some servers write no more than that. Never ends
/// where nothing more comes.
async fn line_comes(pattern: &Regex, pieces: &mut UnboundedReceiver<Vec<u8>>) -> bool {
    let mut line: Vec<u8> = Vec::new();
    loop {
        let Some(piece) = pieces.recv().await else { return std::future::pending().await };
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            line.extend_from_slice(&part[..part.len().min(LONGEST_LINE.saturating_sub(line.len()))]);
            if pattern.is_match(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r'])) {
                return true;
            }
            if part.ends_with(b"\n") {
                line.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_an_answer() {
        assert_eq!(status(b"HTTP/1.1 200 OK\r\nDate: x"), Some(200));
        assert_eq!(status(b"HTTP/1.0 503\r\n"), Some(503));
        for bad in [&b"SSH-2.0-x\r\n"[..], b"", b"HTTP/1.1", b"HTTP/1.1 \xff\r\n"] {
            assert_eq!(status(bad), None);
        }
    }

    #[tokio::test]
    async fn a_line_is_found_however_it_is_cut() {
        let text = b"starting\nlistening on 5432\nmore\n";
        for cut in 1..text.len() {
            let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
            let (first, second) = text.split_at(cut);
            tell.send(first.to_vec()).unwrap();
            tell.send(second.to_vec()).unwrap();
            assert!(line_comes(&Regex::new("^listening on [0-9]+$").unwrap(), &mut told).await, "{cut}");
        }
    }
}
