//! The rows of the table, and nothing else.

use crate::xecfile::schema::Known::{InPlan, Late};
use crate::xecfile::schema::Role::{Acts, Inherited, Node};
use crate::xecfile::schema::State::{Later, Now};
use crate::xecfile::schema::{Args, Kind, Known, Places, Role, Row, State};

const TOP: Places = Places::TOP;
const TASK: Places = Places::TASK;
const STEP: Places = Places::STEP;
const EDGE: Places = Places::EDGE;
const MATRIX: Places = Places::MATRIX;
const HOST: Places = Places::HOST;
const WHEN: Places = Places::WHEN;
/// Where steps stand.
const BODY: Places = TASK.or(Places::GROUP);
/// Steps and groups.
const STEPS: Places = STEP.or(Places::GROUP);
/// Tasks, steps and groups.
const WORK: Places = TASK.or(STEPS);
/// Where policies stand.
const POLICY: Places = WORK.or(Places::DEFAULTS);
/// Policies that a matrix may hold too.
const SET: Places = POLICY.or(MATRIX);

const fn args(min: usize, max: usize, kind: Kind) -> Args {
    Args { min, max: Some(max), kind }
}
const fn many(min: usize, kind: Kind) -> Args {
    Args { min, max: None, kind }
}
const NONE: Args = args(0, 0, Kind::Nothing);
const BOOL: Args = args(1, 1, Kind::Bool);
const TEXT: Args = args(1, 1, Kind::Text);
const TEMPLATE: Args = args(1, 1, Kind::Template);
const NAME: Args = args(1, 1, Kind::Name);
const NAMES: Args = many(1, Kind::Name);
const DURATION: Args = args(1, 1, Kind::Duration);
const MODES: Kind = Kind::Choice(&["fail-fast", "drain", "continue"]);

type Meaning = (Role, Known, State);

const fn row(
    name: &'static str,
    places: Places,
    args: Args,
    (role, known, state): Meaning,
    default: &'static str,
    [doc, example]: [&'static str; 2],
) -> Row {
    let default = if default.is_empty() { None } else { Some(default) };
    Row { name, places, args, default, role, known, state, doc, example }
}

const NODE: Meaning = (Node, InPlan, Now);
const NODE_LATE: Meaning = (Node, Late, Now);
const FLOWS: Meaning = (Inherited, InPlan, Now);
const FLOWS_LATE: Meaning = (Inherited, Late, Now);
const ACTS: Meaning = (Acts, InPlan, Now);
const L_NODE: Meaning = (Node, InPlan, Later);
const L_NODE_LATE: Meaning = (Node, Late, Later);
const L_FLOWS: Meaning = (Inherited, InPlan, Later);
const L_ACTS: Meaning = (Acts, InPlan, Later);
const L_ACTS_LATE: Meaning = (Acts, Late, Later);

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    // The top of the file.
    row("xec", TOP, NONE, NODE, "", ["The oldest xec that can read the file", r#"xec min="0.1""#]),
    row("defaults", TOP, NONE, NODE, "", ["Policies for every task of the file", r#"defaults { timeout "10m" }"#]),
    row("task", TOP, args(1, 1, Kind::Name), NODE, "", ["Something that can be run by its name", r#"task build { run "cargo build" }"#]),
    row("dotenv", TOP, TEMPLATE, L_NODE, "", ["A file of variables for every process", r#"dotenv ".env" optional=#true"#]),
    row("let", TOP, args(1, 2, Kind::Template), L_NODE_LATE, "", ["A value with a name", r#"let sha run="git rev-parse HEAD""#]),
    row("secret", TOP, NAME, L_NODE_LATE, "", ["A value that is never shown", "secret TOKEN"]),
    row("host", TOP, NAME, L_NODE, "", ["A machine that steps can run on", r#"host "web[01-12].example.com" { tags web }"#]),
    row("limit", TOP, args(2, 2, Kind::Number), L_NODE, "", ["How much of something there is to use at once", "limit db 1"]),
    row("include", TOP, TEMPLATE, L_NODE, "", ["The tasks of another file", r#"include "api/Xecfile.kdl" as=api"#]),
    row("template", TOP, NAME, L_NODE, "", ["Nodes that tasks can share with `use`", r#"template rust { cwd crates }"#]),

    // What a task takes, and its place in the graph.
    row("desc", TASK, TEXT, NODE, "", ["One line on what a task is for", r#"task build desc="Compile""#]),
    row("needs", TASK, many(1, Kind::Task), NODE, "", ["Tasks that must have succeeded before", "needs build lint"]),
    row("after", TASK, many(1, Kind::Task), NODE, "", ["Tasks that must have ended before, if they run at all", "after clean"]),
    row("param", TASK, NAME, L_NODE, "", ["An input with a value", "param version"]),
    row("flag", TASK, NAME, L_NODE, "", ["An input that is given or not", "flag release short=r"]),
    row("rest", TASK, NAME, L_NODE, "", ["All further words of the command line", "rest args"]),
    row("matrix", TASK, NONE, L_NODE, "", ["One instance for each combination of values", "matrix { os linux macos }"]),
    row("use", TASK, NAMES, L_NODE, "", ["The nodes of a template", "use rust"]),
    row("alias", TASK, NAMES, L_NODE, "", ["Another name", "alias b"]),
    row("private", TASK, BOOL, L_NODE, "#false", ["Not to be asked for by name", "private #true"]),
    row("confirm", TASK, TEMPLATE, L_NODE, "", ["A question before anything runs", r#"confirm "Release to production?""#]),
    row("watch", TASK, NAMES, L_NODE, "", ["Runs again when these files change", r#"watch "src/**""#]),
    row("service", TASK, NONE, L_NODE, "", ["Stays up while others need it", "service { ready tcp=5432 }"]),
    row("cache", TASK, NONE, L_NODE_LATE, "", ["Restores the outputs where nothing has changed", "cache"]),
    row("inputs", TASK, NAMES, L_NODE_LATE, "", ["Files that decide whether the task is up to date", r#"inputs "src/**""#]),
    row("outputs", TASK, NAMES, L_NODE_LATE, "", ["Files that the task makes", r#"outputs "dist/**""#]),
    row("temp", TASK, NAME, L_NODE, "", ["A directory that is removed at the end", "temp scratch"]),
    row("take", EDGE.or(STEP), NAMES, L_NODE_LATE, "", ["What the other task captured", "take version"]),

    // Steps and groups.
    row("run", BODY, args(1, 1, Kind::Text), NODE, "", ["A script for the shell, never rewritten", r#"run "cargo build && cargo test""#]),
    row("exec", BODY, many(1, Kind::Template), NODE_LATE, "", ["A program and its words, without a shell", "exec cargo build --release"]),
    row("call", BODY, args(1, 1, Kind::Task), NODE, "", ["Another task, run here once more", "call deploy"]),
    row("sequence", BODY, NONE, NODE, "", ["Steps one after the other", r#"sequence { run "a"; run "b" }"#]),
    row("parallel", BODY, NONE, NODE, "", ["Steps side by side", "parallel { exec npm run lint; exec npm run test }"]),
    row("any", BODY, NONE, L_NODE, "", ["The first success wins, the rest is cancelled", "any { exec curl -O $a; exec curl -O $b }"]),
    row("race", BODY, NONE, L_NODE, "", ["The first result wins, the rest is cancelled", "race { exec a; exec b }"]),
    row("pipe", BODY, NONE, L_NODE, "", ["Each step reads what the one before writes", "pipe { exec cat log; exec sort }"]),
    row("reduce", BODY, TEMPLATE, L_NODE_LATE, "", ["Makes one item of many", r#"reduce "${n}" fan-in=16 { run "sum" }"#]),
    row("wait", BODY, args(0, 1, Kind::Duration), L_NODE, "", ["Does nothing for a time", r#"wait "10s""#]),
    row("barrier", BODY, NONE, L_NODE, "", ["Waits until all instances are here", "barrier"]),
    row("copy", BODY, args(2, 2, Kind::Template), L_NODE_LATE, "", ["Files to and from hosts", "copy dist app"]),

    // Policies that flow down.
    row("cwd", POLICY, TEMPLATE, FLOWS_LATE, "the directory of the file", ["The directory of the processes", "cwd web"]),
    row("env", POLICY.or(TOP), args(0, 2, Kind::Variable), FLOWS_LATE, "", ["Variables of the processes, merged by name", r#"env { RUST_BACKTRACE "1" }"#]),
    row("shell", POLICY, many(1, Kind::Template), FLOWS_LATE, "sh -eu -c", ["What reads the text of `run`, which is added as the last word", "shell bash -euo pipefail -c"]),
    row("on-error", SET, args(1, 1, MODES), FLOWS, "fail-fast", ["What a failure does to what runs beside it", "on-error continue"]),
    row("session", POLICY, BOOL, L_FLOWS, "#false", ["All `run` of an instance in one shell", "session #true"]),
    row("priority", SET, args(1, 1, Kind::Number), L_FLOWS, "0", ["Higher goes first", "priority 10"]),
    row("sudo", POLICY, args(1, 1, Kind::Text), L_FLOWS, "", ["As another user", "sudo root"]),
    row("on", WORK.or(MATRIX), NAME, L_FLOWS, "local", ["The hosts to run on", r#"on "web & !canary""#]),

    // Policies that act where they are written.
    row("timeout", SET, DURATION, ACTS, "none", ["The longest an attempt may take", r#"timeout "5m""#]),
    row("grace", SET, DURATION, ACTS, "5s", ["From the first signal to SIGKILL", r#"grace "10s""#]),
    row("optional", SET, BOOL, ACTS, "#false", ["A failure does not count", "optional #true"]),
    row("jobs", SET, args(1, 1, Kind::Width), ACTS, "the number of CPUs", ["How many at once", "jobs 4"]),
    row("interactive", POLICY, BOOL, ACTS, "#false", ["The terminal belongs to the step while it runs", "interactive #true"]),
    row("retry", SET, args(1, 1, Kind::Number), L_ACTS, "0", ["How often to try again", r#"retry 3 delay="1s""#]),
    row("require", SET, args(1, 1, Kind::Share), L_ACTS, "100%", ["How much of a set must succeed", r#"require "90%""#]),
    row("uses", SET, args(1, 2, Kind::Name), L_ACTS, "", ["Holds a limit while it runs", "uses db"]),
    row("resources", SET, NAMES, L_ACTS, "", ["What it needs of the machine", r#"resources memory="2GiB""#]),
    row("leave", POLICY, BOOL, L_ACTS, "#false", ["What it started may outlive the run", "leave #true"]),
    row("sample", SET, DURATION, L_ACTS, "", ["Measures the processes this often", r#"sample "1s""#]),
    row("capture", STEPS, NAME, L_ACTS_LATE, "", ["Keeps the output as a value", "capture version"]),
    row("status", STEPS, NAME, L_ACTS_LATE, "", ["Keeps the exit code as a value", "status code"]),
    row("stdin", STEPS, TEMPLATE, L_ACTS_LATE, "", ["What it reads", r#"stdin "${text}""#]),
    row("stdout", STEPS, TEMPLATE, L_ACTS_LATE, "", ["The file it writes to", "stdout log.txt"]),
    row("args", STEPS, TEMPLATE, L_ACTS_LATE, "", [r#"What a script sees as `"$@"`"#, r#"args "${list}""#]),
    row("when", WORK, NONE, L_ACTS_LATE, "", ["Only if this holds", "when { os linux }"]),
    row("unless", WORK, NONE, L_ACTS_LATE, "", ["Only if this does not hold", "unless { exists dist }"]),

    // Hooks.
    row("on-success", BODY.or(MATRIX), NONE, L_NODE, "", ["Runs after a success", r#"on-success { run "notify ok" }"#]),
    row("on-failure", BODY.or(MATRIX), NONE, L_NODE, "", ["Runs after a failure", r#"on-failure { run "notify bad" }"#]),
    row("finally", BODY.or(MATRIX), NONE, L_NODE, "", ["Runs at the end, however it went", r#"finally { run "cleanup" }"#]),
    row("on-progress", BODY.or(MATRIX), NONE, L_NODE, "", ["Runs now and then", r#"on-progress every="10%" { run "notify" }"#]),

    // What stands in blocks that have no meaning yet.
    row("exclude", MATRIX, NONE, L_NODE, "", ["Leaves combinations out", "exclude os=macos py=3.10"]),
    row("include", MATRIX, NONE, L_NODE, "", ["Adds one combination", "include os=windows py=3.12"]),
    row("axis", MATRIX, many(2, Kind::Name), L_NODE, "", ["An axis of any name", "axis env staging prod"]),
    row("batches", MATRIX, many(1, Kind::Share), L_NODE, "", ["So many at a time", r#"batches 1 "1/3" pause="5s""#]),
    row("empty", MATRIX, args(1, 1, Kind::Choice(&["ok"])), L_NODE, "", ["An empty set is no error", "matrix empty=ok"]),
    row("tags", HOST, NAMES, L_NODE, "", ["Words to select hosts by", "tags web eu"]),
    row("user", HOST, TEXT, L_NODE, "", ["Who to log in as", "user deploy"]),
    row("port", HOST, args(1, 1, Kind::Number), L_NODE, "22", ["Where ssh listens", "port 2222"]),
    row("address", HOST, TEXT, L_NODE, "the name", ["Where the host is", "address db.internal"]),
    row("jobs", HOST, args(1, 1, Kind::Width), L_NODE, "4", ["How many steps at once", "jobs 4"]),
    row("weight", HOST, args(1, 1, Kind::Number), L_NODE, "1", ["Its share of the work", "weight 2"]),
    row("pool", HOST, args(1, 1, Kind::Number), L_NODE, "", ["How many connections are kept", r#"pool 2 idle="60s""#]),
    row("via", HOST, args(1, 1, Kind::Choice(&["ssh", "docker", "kubernetes", "slurm", "local"])), L_NODE, "ssh", ["How to get there", "via docker"]),
    row("ready", Places::SERVICE, NONE, L_NODE, "", ["How to tell that it is up", "ready tcp=5432"]),
    row("os", WHEN, NAMES, L_NODE, "", ["The operating system", "os linux"]),
    row("arch", WHEN, NAMES, L_NODE, "", ["The processor", "arch x86_64"]),
    row("env", WHEN, many(1, Kind::Name), L_NODE, "", ["A variable has one of these values", "env CI true"]),
    row("exists", WHEN, NAMES, L_NODE, "", ["A path is there", "exists dist"]),
    row("command", WHEN, NAMES, L_NODE, "", ["A program is there", "command docker"]),
    row("run", WHEN, TEXT, L_NODE, "", ["A script succeeds", r#"run "test -s out""#]),
    row("changed", WHEN, NAMES, L_NODE, "", ["Files have changed since the last success", r#"changed "src/**""#]),
    row("equal", WHEN, args(2, 2, Kind::Template), L_NODE, "", ["Two texts are the same", r#"equal "${os}" linux"#]),
];
