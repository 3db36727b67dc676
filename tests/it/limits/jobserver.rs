//! One pool of slots for xec and the makes that it starts, and for xec and the make that started it. What runs at
//! once takes one of as many directories as there may be; what must run at once meets at a named pipe.

use super::case;
use crate::harness::Case;

/// A command that fails where more than so many are in it.
fn place(places: u32) -> String {
    let any: Vec<String> = (1..=places).map(|n| format!("{{ mkdir p{n} 2>/dev/null && p=p{n}; }}")).collect();
    format!("{{ {}; }} && echo in >> log && rmdir $p", any.join(" || "))
}

/// A Makefile with so many targets of `all`, which all do this.
fn makefile(targets: u32, recipe: &str) -> String {
    let recipe = recipe.replace('$', "$$");
    let names: Vec<String> = (1..=targets).map(|n| format!("t{n}")).collect();
    let names = names.join(" ");
    format!("all: {names}\n.PHONY: all {names}\n{names}:\n\t@{recipe}\n")
}

#[test]
fn no_more_run_at_once_than_there_are_slots_over_all_makes() {
    let one = place(3);
    let file = format!(
        "task t {{ parallel {{ run \"make -s\"; exec make -s; run #\"{one}\"#; run #\"{one}\"#; run #\"{one}\"# }} }}"
    );
    for jobs in ["-j3", "-j1"] {
        let ran = case(&file, [jobs, "t"]).file("Makefile", makefile(8, &one)).run().ok();
        assert_eq!(ran.read("log").lines().count(), 19, "{}", ran.story());
    }
}

#[test]
fn a_make_gets_the_slots_that_are_free() {
    let meet = "echo in > tell; read -r go < gate";
    let mut live = case("task t { exec make }", ["-j3", "t"]).fifo("gate").file("Makefile", makefile(3, meet)).spawn();
    // All three are there before any of them may go.
    (0..3).for_each(|_| drop(live.tell.line()));
    (0..3).for_each(|_| live.fifo("gate").say("go"));
    let ran = live.end().ok();
    assert!(!ran.err().contains("warning"), "{}", ran.story());
}

#[test]
fn what_a_killed_make_held_is_there_again() {
    // Two jobs of the first make are running, one by a slot of the pool, when it is killed.
    let kill = "echo in > tell; read -r go < gate; kill -9 $PPID";
    let meet = "echo in > tell; read -r go < gate";
    let file = "task t { run \"make -s -f first\" optional=#true; run \"make -s -f second\" }";
    let case = case(file, ["-j3", "t"]).file("first", makefile(2, kill)).file("second", makefile(3, meet));
    let mut live = case.fifo("gate").spawn();
    (0..2).for_each(|_| drop(live.tell.line()));
    (0..2).for_each(|_| live.fifo("gate").say("go"));
    (0..3).for_each(|_| drop(live.tell.line()));
    (0..3).for_each(|_| live.fifo("gate").say("go"));
    live.end().ok();
}

#[test]
fn under_a_make_xec_takes_the_slots_of_that() {
    let (one, xec) = (place(3), crate::harness::XEC);
    let file =
        format!("task t {{ matrix {{ n range=\"1..6\" }}; run #\"{one}\"# }}\ntask m {{ run \"make -s -f inner\" }}");
    let outer = format!("all: a b c\na:\n\t+@{xec} t\nb:\n\t+@{xec} m\nc:\n\t@{}\n", one.replace('$', "$$"));
    let ran = Case::new().xecfile(&file).file("outer", &outer).file("inner", makefile(6, &one));
    let ran = ran.program("make").args(["-s", "-j3", "-f", "outer"]).run().ok();
    assert_eq!(ran.read("log").lines().count(), 13, "{}", ran.story());
    assert!(!ran.err().contains("jobserver"), "{}", ran.story());
}

#[test]
fn under_a_make_several_run_at_once() {
    let xec = crate::harness::XEC;
    let file = r##"task t { matrix { n range="1..3" }; run "echo in > tell; read -r go < gate" }"##;
    let outer = format!("all:\n\t+@{xec} t\n");
    let case = Case::new().xecfile(file).file("Makefile", &outer).fifo("gate").program("make").args(["-j3"]);
    let mut live = case.spawn();
    (0..3).for_each(|_| drop(live.tell.line()));
    (0..3).for_each(|_| live.fifo("gate").say("go"));
    live.end().ok();
}

#[test]
fn who_says_makeflags_is_left_alone() {
    let show = "all:\n\t@echo \"[$(MAKEFLAGS)]\" >> log\n";
    let file = r#"
        task t {
            run "make" { env MAKEFLAGS "" }
            run "make"
            run "echo \"[${MAKEFLAGS:-none}]\" >> log"
        }
    "#;
    let ran = case(file, ["-j3", "t"]).file("Makefile", show).run().ok();
    let log = ran.read("log");
    let lines: Vec<&str> = log.lines().collect();
    assert!(lines.len() == 3 && lines[0] == "[]" && lines[1].contains("--jobserver-auth=3,3"), "{log}");
    assert_eq!(lines[2], "[none]", "what is no make has nothing to do with it");
}
