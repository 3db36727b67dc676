//! What changes while a run goes on.

use super::Watched;
use crate::harness::project::Project;

const GATED: &str = r#"task t { watch "src/**" on-busy=MODE; run "echo up > $TELL; read -r x < $GATE" }"#;

fn gated(mode: &str) -> Watched {
    let project = Project::new(&GATED.replace("MODE", mode));
    project.write("src/a", "");
    let mut watched = Watched::start(project, &["t"]);
    assert_eq!(watched.live.tell.line(), "up");
    watched
}

#[test]
fn changes_meanwhile_are_one_more_run() {
    let mut watched = gated("queue");
    for n in 0..3 {
        watched.project.write("src/a", n.to_string().repeat(n + 1));
        watched.project.write("src/b", "");
    }
    watched.live.fifo("gate").say("go on");
    let changed = watched.until("changed");
    assert_eq!(changed["paths"], serde_json::json!(["src/a", "src/b"]));
    assert_eq!(watched.live.tell.line(), "up");
    watched.live.fifo("gate").say("go on");
    watched.rests();
    watched.end();
}

#[test]
fn a_change_ends_what_runs_and_it_begins_anew() {
    let mut watched = gated("restart");
    watched.project.write("src/a", "changed");
    let why = watched.until("cancelling");
    assert_eq!((&why["reason"], &why["level"]), (&"changed".into(), &"soft".into()));
    watched.until("changed");
    assert_eq!(watched.live.tell.line(), "up");
    watched.live.fifo("gate").say("go on");
    watched.rests();
    watched.end();
}

#[test]
fn a_change_meanwhile_can_mean_nothing() {
    let mut watched = gated("ignore");
    watched.project.write("src/a", "changed");
    watched.live.fifo("gate").say("go on");
    watched.rests();
    watched.project.write("src/a", "changed once more");
    watched.until("changed");
    watched.live.fifo("gate").say("go on");
    watched.rests();
    watched.end();
}
