//! The projects in `examples/` do what they are there to show, each in a copy of its own.

use std::path::Path;

use crate::harness::project::{Project, started};

/// The calls of a set of programs, in an order that hangs on nothing.
fn sorted(project: &Project) -> Vec<String> {
    let mut calls = project.calls();
    calls.sort();
    calls
}

#[test]
fn an_everyday_project_is_built_tested_and_left_alone_where_nothing_changed() {
    let project = Project::example("everyday");
    let list = project.xec(&["-l"]).ok();
    assert!(list.out().contains("[alias: b]") && !list.out().contains("node-modules"), "{}", list.story());

    project.xec(&["ci"]).ok();
    let checks = ["cargo clippy --workspace -- -D warnings", "cargo fmt --check", "cargo nextest run"];
    let made = ["cargo build --workspace", "web: npm ci", "web: npm run build"];
    let mut all: Vec<&str> = made.into_iter().chain(checks).chain(["web: npm test"]).collect();
    all.sort_unstable();
    assert_eq!(sorted(&project), all);
    assert_eq!(project.read("web/dist/app.js"), "console.log(\"ready\");\n");

    project.remove("web/dist");
    project.xec(&["ci", "b"]).ok().says("3 up to date");
    let mut again = [checks.as_slice(), &["web: npm test"]].concat();
    again.sort_unstable();
    assert_eq!(sorted(&project), again, "neither built nor bundled");
    assert_eq!(project.read("web/dist/app.js"), "console.log(\"ready\");\n", "it was brought back");

    project.write("crates/core/src/lib.rs", "");
    project.xec(&["b", "-r"]).ok();
    assert_eq!(project.calls(), ["cargo build --workspace --release"]);
    project.xec(&["test", "--", "-E", "test(answer to all)"]).ok();
    let calls = sorted(&project);
    assert!(calls.contains(&"cargo nextest run -E test(answer to all)".to_owned()), "{calls:?}");
}

#[test]
fn in_an_everyday_project_what_fails_hides_nothing_else() {
    let project = Project::example("everyday").with("STANDIN_FAILS", "cargo nextest run");
    project.xec(&["-j1", "test"]).code(3).says("cargo nextest run");
    assert!(project.calls().contains(&"web: npm test".to_owned()), "the other half is tested all the same");
    let project = Project::example("everyday").with("STANDIN_FAILS", "cargo fmt --check");
    project.xec(&["-j1", "lint"]).code(3);
    assert_eq!(sorted(&project), ["cargo clippy --workspace -- -D warnings", "cargo fmt --check"]);
}

#[test]
fn an_everyday_project_has_its_database_while_one_develops() {
    let listen = |port: &str| std::net::TcpListener::bind(format!("127.7.7.7:{port}")).expect("a port");
    let port = listen("0").local_addr().expect("an address").port().to_string();
    let project = Project::example("everyday");
    let file = project.read("Xecfile.kdl").replace("tcp=5432", &format!("tcp=\"127.7.7.7:{port}\""));
    project.write("Xecfile.kdl", file);
    let mut live = project.start(&["dev"]);
    assert_eq!(live.tell.line(), "database");
    let _database = listen(&port);
    assert_eq!(live.tell.line(), "serving 1");
    project.write("crates/core/src/lib.rs", "pub fn other() {}\n");
    assert_eq!(live.tell.line(), "serving 1", "begun anew, with the same database");
    live.signal(nix::sys::signal::Signal::SIGINT);
    live.end().signal(nix::sys::signal::Signal::SIGINT).nothing_left();
    let calls = project.calls();
    let count = |call: &str| calls.iter().filter(|made| *made == call).count();
    assert_eq!((count("docker compose up db"), count("docker stopped")), (1, 1), "{calls:?}");
    assert_eq!(count("cargo run"), 2, "{calls:?}");
}

#[test]
fn a_c_program_is_built_as_make_would() {
    let project = Project::example("c-program");
    for file in ["src/main.c", "src/roman.c", "src/roman.h"] {
        project.age(file, -1000);
    }
    let all = ["build", "compile[source=src/main.c]", "compile[source=src/roman.c]", "test"];
    assert_eq!(started(&project.xec(&[]).ok()), all);
    project.xec(&["run", "-q", "--", "1994", "4"]).ok().stdout("MCMXCIV IV\n");

    for file in ["build/main.o", "build/roman.o", "build/roman"] {
        project.age(file, -100);
    }
    assert_eq!(started(&project.xec(&["build"]).ok()), Vec::<String>::new(), "nothing has changed");
    project.age("src/main.c", -50);
    assert_eq!(started(&project.xec(&["build"]).ok()), ["build", "compile[source=src/main.c]"]);
    project.age("src/roman.h", 1000);
    assert_eq!(started(&project.xec(&["build"]).ok()), all[..3], "both sources include it");

    project.write("src/main.c", "int main(void) { return no_such_thing; }\n");
    project.age("src/main.c", 1000);
    project.xec(&["build"]).code(1).says("no_such_thing");
    project.xec(&["clean"]).ok();
    assert!(!project.path().join("build").exists());
}

#[test]
fn a_matrix_of_tests_says_which_of_them_did_not_pass() {
    let project = Project::example("test-matrix");
    project.xec(&[]).ok();
    assert_eq!(project.read("report.txt"), "all passed\n");
    assert_eq!(project.read("count.txt").trim(), "10", "three shells, two suites, two locales but for `sh`");

    project.write("tests/twice.sh", "test \"$(command -v dash)\" = none\n");
    let ran = project.xec(&["test[suite=tests/twice.sh,interpreter=bash]", "-q"]).code(1);
    assert!(ran.err().contains("2 failed"), "{}", ran.story());
    let report = project.read("report.txt");
    let failed =
        ["locale=C]", "locale=C.UTF-8]"].map(|end| format!("test[interpreter=bash,suite=tests/twice.sh,{end}"));
    assert!(failed.iter().all(|name| report.contains(name)), "{report}");
    assert_eq!(project.read("count.txt").trim(), "2");
}

#[test]
fn a_monorepo_is_one_graph_of_several_files() {
    let project = Project::example("monorepo");
    let ran = project.xec(&["bundle"]).ok();
    assert_eq!(ran.err().matches("▸ schema").count(), 1, "both parts need it, and it ran once: {}", ran.story());
    assert_eq!(project.read("dist/VERSIONS"), "api 2.1.0\nweb 0.9.3\n");
    assert_eq!(project.read("dist/server.txt"), "api for dev\nroute User\nroute Order\n");
    assert_eq!(project.read("dist/pages.txt"), "web\npage User\npage Order\n");

    assert_eq!(started(&project.xec(&["*:test"]).ok()), ["api:build", "api:test", "schema", "web:build", "web:test"]);
    project.write("types.txt", "User\n");
    let ran = project.xec(&["api:test"]).code(1);
    assert_eq!(started(&ran), ["api:build", "api:test", "schema"], "and nothing of the other part");
}

#[test]
fn a_release_that_does_not_work_is_taken_back() {
    let project = Project::example("release");
    let release = |version: &str| project.xec(&["-y", "release", &format!("version={version}")]);
    let live = || project.link("site/live");

    project.xec(&["release", "version=1.0.0"]).code(2).says("has to be confirmed");
    assert_eq!(live(), None, "nothing runs unasked");
    release("6.6.6").code(1).says("back to nothing");
    assert_eq!(live(), None);

    release("1.0.0").ok();
    assert_eq!(live().as_deref(), Some("1.0.0"));
    release("1.0.0").code(3).says("is out already");
    project.xec(&["-y", "release", "--again", "version=1.0.0"]).ok();

    let ran = release("6.6.6").code(1).says("back to 1.0.0");
    assert_eq!(ran.err().matches("scripts/smoke").count(), 4, "three attempts, and the summary: {}", ran.story());
    assert_eq!(live().as_deref(), Some("1.0.0"));
    assert!(!project.path().join("site/6.6.6").exists() && !project.path().join("dist").exists());

    release("1.1.0").ok();
    assert_eq!(live().as_deref(), Some("1.1.0"));
    release("x; touch pwned").code(1).says("no version");
    assert!(!project.path().join("pwned").exists());
    let history = project.read("site/history");
    let lines: Vec<&str> = history.lines().skip(1).map(|line| line.split(':').next().expect("a part")).collect();
    let told = ["6.6.6 failed", "1.0.0 released", "1.0.0 failed", "1.0.0 released", "6.6.6 failed", "1.1.0 released"];
    assert_eq!(lines, told);
}

/// A pipeline with 60 tables, of which table `n` has `n` rows, and with short pauses.
fn pipeline() -> Project {
    let project = Project::example("pipeline");
    project.write("Xecfile.kdl", project.read("Xecfile.kdl").replace("\"1s\"", "\"10ms\""));
    for at in 1..=60 {
        project.write(&table(at), (1..=at).map(|row| format!("{row}\n")).collect::<String>());
    }
    project
}

fn table(at: u32) -> String {
    format!("data/{at:02}.csv")
}

/// What was sent: the names in each request, in order.
fn sent(project: &Project) -> Vec<Vec<String>> {
    let text = project.read("sent.txt");
    let mut requests: Vec<Vec<String>> = text.lines().map(|line| serde_json::from_str(line).expect("a list")).collect();
    requests.sort();
    requests
}

#[test]
fn a_pipeline_goes_on_without_what_it_can_do_without() {
    let project = pipeline();
    project.write(&table(5), "1\nflaky\n2\n3\n4\n");
    project.write(&table(7), "bad\n");
    project
        .xec(&["--check"])
        .ok()
        .stdout("ok: 4 tasks\nprocess: 2 batches: 50, 10 (at least 48, 10), 10ms between; at least 57 of 60\n");
    let ran = project.xec(&["upload", "summary"]).ok().says("failed; attempt 2 of 4 in").says("✓ 67 tasks in");
    let rows = (1..=60).filter(|at| *at != 7).sum::<u32>();
    assert!(ran.out().contains(&format!("rows: {rows}\n")), "{}", ran.story());

    let calls = project.calls();
    let count = |words: &str| calls.iter().filter(|call| call.starts_with(words)).count();
    assert_eq!(count("curl"), 2, "the first mirror does not answer");
    assert_eq!(count("python scripts/validate.py data/07.csv"), 4, "it was tried again, three times");
    assert_eq!(count("python scripts/process.py data/05.csv"), 2);
    assert_eq!(count("python scripts/process.py"), 60);
    assert_eq!((count("bc"), count("zstd")), (5, 1), "59 numbers are four, and these are one");
    let last = calls.iter().rposition(|call| call.starts_with("python")).expect("a call");
    let first = calls.iter().position(|call| call.starts_with("send-batch")).expect("a call");
    assert!(last < first, "nothing is sent before all are there");

    let good: Vec<String> = (1..=60).filter(|at| *at != 7).map(table).collect();
    assert_eq!(sent(&project), good.chunks(10).map(<[String]>::to_vec).collect::<Vec<_>>());
    assert_eq!(project.read("failed/07.csv.error"), "data/07.csv: not a number\n");
    assert_eq!(project.read("processed/05.csv").lines().next(), Some("1 times 3"));
    assert!(!project.has("processed/07.csv") && !project.has("failed/05.csv.error"));
    assert_eq!(project.read("logs.zst").lines().count(), 59);

    project.write(&table(7), "1\n2\n3\n4\n5\n6\n7\n");
    let ran = project.xec(&["summary"]).ok();
    assert_eq!(started(&ran), ["process[file=data/07.csv]", "summary"], "all else is up to date");
    assert!(ran.out().contains(&format!("rows: {}\n", rows + 7)), "{}", ran.story());
    project.remove("model.bin");
    assert_eq!(started(&project.xec(&["summary"]).ok()), ["summary"], "the model is brought back, and is the same");
}

#[test]
fn a_pipeline_ends_with_the_batch_that_falls_short() {
    let project = pipeline();
    for at in [11, 22, 33] {
        project.write(&table(at), "bad\n");
    }
    let ran = project.xec(&["upload", "summary"]).code(1).says("3 failed");
    assert!(!started(&ran).iter().any(|task| task == "summary" || task.starts_with("upload")), "{}", ran.story());
    assert!(project.has("processed/50.csv") && !project.has("processed/51.csv"), "47 of 50 are too few");
    assert!(!project.has("sent.txt"));
    for at in [11, 22] {
        project.write(&table(at), "1\n");
    }
    project.write(&table(60), "bad\n");
    project.xec(&["summary"]).code(1).says("2 failed");
    assert!(
        project.has("processed/59.csv") && !project.has("processed/60.csv"),
        "49 of 50 are enough, 9 of 10 are not"
    );
    project.write(&table(60), "1\n");
    let ran = project.xec(&["summary"]).ok();
    assert_eq!(started(&ran), ["process[file=data/33.csv]", "process[file=data/60.csv]", "summary"]);
}

#[test]
fn lua_is_built_again_where_it_comes_out_differently() {
    let project = Project::example("lua");
    let objects = ["object[source=lapi.c]", "object[source=lstate.c]", "object[source=lua.c]"];
    let all = ["library", "lua", objects[0], objects[1], objects[2]];
    assert_eq!(started(&project.xec(&[]).ok()), all);
    let sum = || {
        let said = std::process::Command::new(project.path().join("lua")).args(["1", "2.5"]).output().expect("run it");
        String::from_utf8_lossy(&said.stdout).into_owned()
    };
    assert_eq!(sum(), "3.5\n");

    project.age("lstate.h", 1000);
    assert_eq!(started(&project.xec(&[]).ok()), Vec::<String>::new(), "a touch is no change");
    let source = project.read("lapi.c");
    project.write("lapi.c", format!("{source}\n/* more to read, and nothing to compile */\n"));
    assert_eq!(started(&project.xec(&[]).ok()), objects[..1], "the same object has come out, so that was all");
    project.write("lapi.c", source.replace("+=", "-="));
    assert_eq!(started(&project.xec(&[]).ok()), all[..3]);
    assert_eq!(sum(), "-3.5\n");
    project.write("lstate.h", project.read("lstate.h").replace("16", "1"));
    assert_eq!(started(&project.xec(&[]).ok()), all, "every source might include it");
    project.remove("lua");
    assert_eq!(started(&project.xec(&[]).ok()), ["lua"]);

    let project = project.with("MYCFLAGS", "-std=c99 -DOTHERWISE -g");
    assert_eq!(started(&project.xec(&[]).ok()), all, "flags decide too");
    assert!(project.xec(&["echo"]).ok().out().contains("MYCFLAGS = -std=c99 -DOTHERWISE -g\n"));
    project.xec(&["clean"]).ok();
    assert!(!project.has("lua") && !project.has("lapi.o"));
}

#[test]
fn fzf_is_built_for_every_processor() {
    let project = Project::example("fzf");
    project.xec(&["install"]).ok();
    assert!(project.read("bin/fzf").contains("this machine"));
    let built = project.calls().into_iter().filter(|call| call.starts_with("go build")).collect::<Vec<_>>();
    let flags = "-ldflags -s -w -X main.version=0.65.1 -X main.revision=0badcafe -tags  -trimpath";
    assert_eq!(built, [format!("go build -a {flags} -o target/fzf-linux_amd64")]);
    project.age("main.go", -100);
    project.age("src/algo/algo.go", -100);
    project.xec(&[]).ok();
    assert!(!project.calls().iter().any(|call| call.contains("go build")), "it is newer than its sources");

    project.xec(&["binaries"]).ok();
    let mut built: Vec<String> = project.calls();
    built.retain(|call| call.contains("go build"));
    assert_eq!(built.len(), 9, "the tenth is there: {built:?}");
    assert!(built.iter().any(|call| call.starts_with("GOARCH=arm GOARM=6 go ") && call.ends_with("_arm6")));
    project.xec(&["fuzz", "time=5s"]).ok();
    let fuzz = |name: &str| format!("go test -run ^$ -fuzz ^{name}$ -fuzztime 5s ./src/algo");
    assert_eq!(project.calls(), ["FuzzFuzzyMatchV2Single", "FuzzFuzzyMatchV2Two", "FuzzRunePrefilter"].map(fuzz));

    project.write("src/wrong.diff", "- a\n+ b\n");
    let ran = project.xec(&["lint"]).code(1);
    assert!(ran.out().contains("+ b") && ran.out().contains("looked at: --check install"), "{}", ran.story());
}

#[test]
fn fzf_is_released_whole_or_its_branch_is_gone() {
    Project::example("fzf").xec(&["release"]).code(1).says("GITHUB_TOKEN is not set");
    Project::example("fzf").with("GITHUB_TOKEN", "x").with("STANDIN_BRANCH", "devel").xec(&["release"]).code(1);
    let told = Project::example("fzf").with("GITHUB_TOKEN", "x").with("FZF_VERSION", "0.66.0");
    told.xec(&["release"]).code(1);
    assert_eq!(told.calls(), ["git symbolic-ref --short HEAD"], "no file knows that version, so nothing was begun");

    let pushed = ["git push origin temp --follow-tags --force", "git push origin master"];
    for (code, master) in [("0", true), ("3", false)] {
        let project = Project::example("fzf").with("GITHUB_TOKEN", "x").with("STANDIN_GORELEASER", code);
        project.xec(&["release"]).code(if master { 0 } else { 3 });
        let calls = project.calls();
        assert!(calls.contains(&pushed[0].to_owned()));
        assert_eq!(calls.contains(&pushed[1].to_owned()), master, "{calls:?}");
        assert_eq!(calls.last().map(String::as_str), Some("git push origin --delete temp"));
        assert_eq!(project.read("tmp/release-note").trim(), "- The stand-in has one thing more");
    }
}

#[test]
fn pydantic_core_is_built_twice_to_be_fast() {
    let project = Project::example("pydantic-core");
    project.xec(&["build-pgo"]).ok();
    let calls = project.calls();
    let builds: Vec<&String> = calls.iter().filter(|call| call.contains("maturin")).collect();
    let profile = builds[0].strip_prefix("RUSTFLAGS=-Cprofile-generate=").expect("the first one measures");
    let profile = profile.split(' ').next().expect("a word");
    assert!(builds[1].starts_with(&format!("RUSTFLAGS=-Cprofile-use={profile}/merged.profdata ")), "{calls:?}");
    assert!(!Path::new(profile).exists(), "it was a temporary directory");

    project.xec(&["build", "profile=fast"]).code(2).says("`dev`, `release`, `profiling`");
    project.xec(&["test", "--", "-k", "a b"]).ok();
    assert_eq!(project.calls(), ["uv run pytest -k a b"]);
    project.xec(&["testcov"]).ok();
    assert_eq!(project.calls()[0], "RUSTFLAGS=-C instrument-coverage uv run maturin develop --uv --profile release");
    project.write("python/old.pyc", "");
    project.xec(&["clean"]).ok();
    assert!(!project.has("python/old.pyc"));
    project.xec(&[]).ok();
    let calls = project.calls();
    let at = |words: &str| calls.iter().position(|call| call.contains(words)).expect("a call");
    assert!(at("cargo fmt") < at("maturin") && at("maturin") < at("clippy") && at("stubtest") < at("pytest"));
    Project::example("pydantic-core").with("STANDIN_PYTEST", "5").xec(&[]).code(5);
}

#[test]
fn the_lines_that_are_told_of_are_the_lines_that_there_are() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let list = std::fs::read_to_string(examples.join("README.md")).expect("a list of the examples");
    let mut counted = 0;
    for entry in std::fs::read_dir(&examples).expect("examples") {
        let dir = entry.expect("an entry").path();
        let Ok(file) = std::fs::read_to_string(dir.join("Xecfile.kdl")) else { continue };
        let name = dir.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(list.contains(&format!("- [{name}]({name}): ")), "{name} is not in the list");
        let Ok(readme) = std::fs::read_to_string(dir.join("README.md")) else { continue };
        let lines = file.lines().filter(|line| !line.trim().is_empty() && !line.trim().starts_with("//")).count();
        assert!(readme.contains(&format!("| `Xecfile.kdl` | {lines} |")), "{name} has {lines} lines");
        counted += 1;
    }
    assert_eq!(counted, 3);
}
