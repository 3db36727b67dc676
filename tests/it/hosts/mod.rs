//! What runs on hosts: where, with what, and what becomes of it when a host is not there. The hosts are shells of this
//! machine (`via local`), or those of a `docker` that is a small program; real sshds are in `tests/fleet`.

mod adhoc;
mod axis;
mod conditions;
mod containers;
mod copies;
mod limits;
mod lost;
mod pick;
mod pipes;
mod places;
mod report;
mod sessions;
mod sources;
mod temps;

use crate::harness::{Case, Ran};

/// Three web hosts and one that is none.
const HOSTS: &str = "host \"web[1-3]\" { tags web; via local; }\nhost db1 { tags data; via local; }\n";

/// A call of xec on this file, with those hosts.
fn case<const N: usize>(file: &str, args: [&str; N]) -> Case {
    Case::new().xecfile(format!("{HOSTS}{file}")).args(args)
}

/// The lines of a log, in the order of the alphabet.
#[track_caller]
fn log(ran: &Ran) -> Vec<String> {
    let mut lines: Vec<String> = ran.read("log").lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// A `docker` on PATH that knows every container but those whose names begin with `gone`, and writes down whom it was
/// asked for.
fn with_docker(case: Case) -> Case {
    let docker = "#!/bin/sh\n[ \"$1 $2\" = \"exec -i\" ] || exit 2\necho \"$3\" >> calls\n\
                  case $3 in gone*) echo \"No such container: $3\" >&2; exit 1 ;; esac\nshift 3\nexec \"$@\"\n";
    with_program(case, "docker", docker)
}

/// A program of this name on PATH.
fn with_program(case: Case, name: &str, text: &str) -> Case {
    let case = case.file(&format!("bin/{name}"), text);
    let path = case.path().join("bin").join(name);
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("may be executed");
    let dirs = [path.parent().expect("a directory").display().to_string(), std::env::var("PATH").unwrap_or_default()];
    case.env("PATH", dirs.join(":"))
}

/// Demands a refusal before anything ran, by this code and with these words.
#[track_caller]
fn refused(file: &str, code: &str, words: &[&str]) {
    for args in [vec!["-n", "t"], vec!["t"]] {
        let ran: Ran = Case::new().xecfile(format!("{HOSTS}{file}")).args(&args).run().code(2);
        let said = ran.err();
        for words in words.iter().chain([&code]) {
            assert!(said.contains(words), "no {words:?} by {args:?}, {}", ran.story());
        }
        assert_eq!(ran.read("log"), "", "something ran");
    }
}
