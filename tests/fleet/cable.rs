//! A cable to another network, which a test can pull.

use std::process::{Command, Stdio};

/// It is cut when it is dropped.
pub(crate) struct Cable;

impl Cable {
    /// The name of the namespace at its other end, and of our end.
    pub(crate) const NAME: &str = "xecfleet";
    /// What is at the other end.
    pub(crate) const NETWORK: &str = "10.213.97";

    pub(crate) fn lay() -> Self {
        let (name, network) = (Self::NAME, Self::NETWORK);
        let _ = Command::new("ip").args(["netns", "del", name]).stderr(Stdio::null()).status(); // Of a test that was killed.
        let _ = Command::new("ip").args(["link", "del", name]).stderr(Stdio::null()).status();
        for line in [
            format!("netns add {name}"),
            format!("link add {name} type veth peer name far netns {name}"),
            format!("address add {network}.254/24 dev {name}"),
            format!("link set {name} up"),
            format!("-n {name} address add {network}.1/24 dev far"),
            format!("-n {name} link set far up"),
            format!("-n {name} link set lo up"),
        ] {
            ip(&line);
        }
        Self
    }

    pub(crate) fn pull(&self) {
        ip(&format!("link set {} down", Self::NAME));
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        ip(&format!("netns del {}", Self::NAME));
    }
}

fn ip(line: &str) {
    assert!(Command::new("ip").args(line.split(' ')).status().unwrap().success(), "ip {line}");
}
