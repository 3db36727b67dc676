//! A secret reaches those scripts that name it, and nobody sees it.

use std::path::{Path, PathBuf};

use crate::harness::proc;
use crate::harness::{Case, Ran};

const TOKEN: &str = "hunter22-is+it";

fn case(file: &str) -> Case {
    Case::new().xecfile(file).env("TOKEN", TOKEN)
}

/// Every file of a directory and what is in it, but for the file of tasks.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let (mut found, mut open) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let kind = path.symlink_metadata().unwrap().file_type();
            if kind.is_dir() {
                open.push(path);
            } else if kind.is_file() {
                found.push((path.clone(), std::fs::read(path).unwrap()));
            }
        }
    }
    found
}

/// Nobody has seen it: on no stream, in no file.
#[track_caller]
fn unseen(ran: &Ran, secret: &str) {
    let holds = |bytes: &[u8]| memchr::memmem::find(bytes, secret.as_bytes()).is_some();
    assert!(!holds(&ran.stdout) && !holds(&ran.stderr), "{}", ran.story());
    let leaks: Vec<_> = files(ran.path()).into_iter().filter(|(_, bytes)| holds(bytes)).map(|(path, _)| path).collect();
    assert!(leaks.is_empty(), "{leaks:?}");
}

#[test]
fn it_reaches_who_names_it_and_is_covered_in_what_that_writes() {
    let file = r#"
        secret TOKEN
        task t {
            run "echo one:$TOKEN:; printf 'two:%s:\n' \"${TOKEN}\" >&2"
            run "printenv TOKEN || echo none"
            exec sh "-c" "printenv TOKEN || echo none"
            run "test -n \"$TOKEN\" && echo there"
        }
    "#;
    let ran = case(file).args(["t"]).run().ok().stdout("one:***:\nnone\nnone\nthere\n").says("two:***:");
    unseen(&ran, TOKEN);
}

#[test]
fn it_is_covered_across_writes_and_in_other_forms() {
    let file = r##"
        secret TOKEN
        task t {
            run #"printf 'a hunter22'; printf '%s' "${TOKEN#hunter22}"; echo; printf 'hunter2'; echo; printf hunter22"#
            run #"printf 'hunter22'; read -r go < next; printf '%s\n' "${TOKEN#hunter22}""#
            run #"printf 'user:%s' "$TOKEN" | base64; printf %s "$TOKEN" | sed 's/+/%2B/'; echo"#
            run #"set -x; : "$TOKEN""#
        }
    "##;
    let mut live = case(file).fifo("next").args(["t", "-o", "live"]).spawn();
    live.fifo("next").say("go");
    let ran = live.end().ok();
    let expected = "a ***\nhunter2\nhunter22\n***\n";
    assert!(ran.out().starts_with(expected), "{}", ran.story());
    assert!(ran.out().lines().skip(4).all(|line| line.contains("***")), "{}", ran.story());
    unseen(&ran, TOKEN);
}

#[test]
fn a_secret_of_lines_is_covered_line_by_line() {
    let secret = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQ==\n-----END KEY-----\n";
    let file = r##"
        secret KEY file="deploy.key"
        task t { run #"printf '%s\n' "$KEY" | grep MII; printf '%s\n' "$KEY"; echo end"# }
    "##;
    let ran = Case::new().xecfile(file).file("deploy.key", secret).args(["t"]).run().ok();
    assert_eq!(ran.out(), "***\n***\nend\n");
}

#[test]
fn it_is_in_no_event_journal_summary_or_hook() {
    let file = r##"
        secret TOKEN
        task leak {
            run "echo $TOKEN; echo $TOKEN >&2" { capture list as=lines }
            run "echo failed with $TOKEN >&2; exit 3"
            on-failure { run #"echo "hook: $xec_error" | tee said"# }
        }
        task lists { run "echo $TOKEN" { capture list as=lines } }
        task each { needs lists { take list }; matrix { n from="${list}" }; exec printf "%s\n" "${n}" }
        task bad { needs lists { take list }; exec "${list}" }
    "##;
    let ran = case(file).args(["-k", "-p", "leak", "each", "bad", "--events=json:events"]).run().code(1);
    assert!(ran.read("said").contains("hook: failed with ***"), "{}", ran.story());
    assert!(ran.read("events").contains("***"), "{}", ran.read("events"));
    assert!(ran.err().contains("each[n=***]"), "{}", ran.story());
    let runs = std::fs::read_dir(ran.path().join(".xec/runs")).unwrap();
    assert_eq!(runs.filter(|run| run.as_ref().unwrap().path().extension().is_some()).count(), 1);
    unseen(&ran, TOKEN);
}

#[test]
fn it_is_in_no_argument_and_in_no_other_environment() {
    let file = r##"
        secret TOKEN
        task t {
            parallel {
                run #"echo "named ${#TOKEN}" > "$TELL"; read -r go < go"#
                run #"echo other > "$TELL"; read -r go < stay; :"#
            }
        }
    "##;
    let mut live = case(file).fifo("go").fifo("stay").args(["t"]).spawn();
    assert_eq!(live.tell.sorted(2), [format!("named {}", TOKEN.len()), "other".to_owned()]);
    let mut with = 0;
    for process in proc::marked(live.path()) {
        let read = |name: &str| std::fs::read(format!("/proc/{}/{name}", process.pid)).unwrap_or_default();
        let holds = |bytes: Vec<u8>| memchr::memmem::find(&bytes, TOKEN.as_bytes()).is_some();
        assert!(!holds(read("cmdline")), "{process:?}");
        // xec and its broker were given it by who started them.
        with += usize::from(process.comm == "sh" && holds(read("environ")));
    }
    assert_eq!(with, 1);
    live.fifo("go").say("go");
    live.fifo("stay").say("go");
    live.end().ok();
}

#[test]
fn a_script_says_it_once_when_it_is_first_used() {
    let file = r##"
        let user "me"
        secret TOKEN run="echo asked >> asked; echo \"$user-s3cret\""
        let header run=#"printf 'Bearer %s' "$TOKEN""#
        task none { run "echo none" }
        task t {
            run #"echo "${#TOKEN} $TOKEN""#
            run #"echo "$header" "${#header}""#
        }
        task failing { run #"echo "$WRONG""# }
        secret WRONG run="echo no >&2; exit 4"
    "##;
    let ran = case(file).args(["none"]).run().ok();
    assert_eq!(ran.read("asked"), "");
    let ran = case(file).args(["-p", "t", "none"]).run().ok();
    assert!(ran.out().contains("9 ***\n") && ran.out().contains("Bearer *** 16\n"), "{}", ran.story());
    assert_eq!(ran.read("asked"), "asked\n");
    let ran = case(file).args(["failing"]).run().failed();
    assert!(ran.err().contains("`secret WRONG`: it ended with 4: no"), "{}", ran.story());
}

#[test]
fn what_is_not_there_is_unset_and_what_is_too_short_is_refused() {
    let file = r##"
        dotenv ".env"
        secret TOKEN
        secret OF_FILE
        secret PIN
        secret LOST file="lost"
        task soft { run #"echo "<${TOKEN:-}>" "${#OF_FILE}""#; run "printenv OF_FILE || echo none" }
        task hard { run #"echo "$TOKEN""# }
        task pin { run #"echo "$PIN""# }
        task lost { run #"echo "$LOST""# }
    "##;
    let case = || Case::new().xecfile(file).file(".env", "OF_FILE=from-dotenv\n").env("PIN", "123");
    case().args(["soft"]).run().ok().stdout("<> 11\nnone\n");
    let ran = case().args(["hard"]).run().failed();
    assert!(ran.err().contains("TOKEN"), "{}", ran.story());
    case().args(["pin"]).run().failed().says("the secret `PIN` has 3 bytes");
    let ran = case().args(["lost"]).run().failed();
    assert!(ran.err().contains("`secret LOST`") && ran.err().contains("lost"), "{}", ran.story());
}

#[test]
fn it_decides_nothing_and_is_not_remembered() {
    let file = r##"
        secret TOKEN
        task made { inputs "in"; outputs "out"; cache; run #"test -n "$TOKEN"; echo "with $TOKEN"; cp in out"# }
        task kept { inputs "in"; run #"echo "$TOKEN""# { capture x }; run #"echo "${#x}""# }
    "##;
    let project = crate::harness::project::Project::new(file);
    project.write("in", "1");
    let with = |token: &str, task: &str| project.case(&["--why", task]).env("TOKEN", token).run().ok();
    assert!(with("first-secret", "made").out().contains("with ***"));
    let again = with("other-secret", "made");
    assert!(!again.err().contains("▸"), "{}", again.story());
    for _ in 0..2 {
        let ran = with("first-secret", "kept");
        assert!(ran.err().contains("holds a secret") && ran.out().contains("12"), "{}", ran.story());
    }
    for (path, bytes) in files(project.path()) {
        assert!(memchr::memmem::find(&bytes, b"first-secret").is_none(), "{path:?}");
    }
}
