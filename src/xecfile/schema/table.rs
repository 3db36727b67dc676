//! The rows of the table, and nothing else.

use crate::xecfile::schema::Known::{InPlan, Late};
use crate::xecfile::schema::Role::{Acts, Detail, Inherited, Node};
use crate::xecfile::schema::State::{Later, Now};
use crate::xecfile::schema::{Args, Kind, Known, Places, Role, Row, State};

const TOP: Places = Places::TOP;
const TASK: Places = Places::TASK;
const STEP: Places = Places::STEP;
const EDGE: Places = Places::EDGE;
const MATRIX: Places = Places::MATRIX;
const HOST: Places = Places::HOST;
const WHEN: Places = Places::WHEN;
const PARAM: Places = Places::PARAM;
const AXIS: Places = Places::AXIS;
const RETRY: Places = Places::RETRY;
/// What is asked until it is there.
const READY: Places = Places::READY.or(Places::WAIT);
/// What a task takes.
const INPUT: Places = PARAM.or(Places::FLAG).or(Places::REST);
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
const ACTS_LATE: Meaning = (Acts, Late, Now);
const DETAIL: Meaning = (Detail, InPlan, Now);
const DETAIL_LATE: Meaning = (Detail, Late, Now);

const L_ACTS: Meaning = (Acts, InPlan, Later);

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    // The top of the file.
    row("xec", TOP, NONE, NODE, "", ["The oldest xec that can read the file", r#"xec min="0.1""#]),
    row("defaults", TOP, NONE, NODE, "", ["Policies for every task of the file", r#"defaults { timeout "10m" }"#]),
    row("task", TOP, args(1, 1, Kind::Name), NODE, "", ["Something that can be run by its name", r#"task build { run "cargo build" }"#]),
    row("dotenv", TOP, args(1, 1, Kind::Text), NODE, "", ["A file of variables for every process, weaker than the environment; nothing in it is expanded or executed, and a later file wins", r#"dotenv ".env" optional=#true"#]),
    row("let", TOP, args(1, 2, Kind::Template), NODE_LATE, "", ["A value with a name, for this file: a text, or what a script writes when it is first used", r#"let sha run="git rev-parse HEAD""#]),
    row("secret", TOP, NAME, NODE_LATE, "", ["A value that nobody is shown: the variable of that name, which from then on reaches only those `run` whose text names it, and is `***` in all that is shown", "secret TOKEN"]),
    row("host", TOP, args(1, 1, Kind::Text), NODE, "", ["A machine, container or pod that steps can run on, or several by a range; hosts are the run's, whichever file declares them", r#"host "web[01-12].example.com" { tags web }"#]),
    row("hosts", TOP, NONE, NODE, "", ["Hosts of an inventory in the INI format of Ansible; its groups are tags", r#"hosts from="inventory.ini""#]),
    row("limit", TOP, args(2, 2, Kind::Number), NODE, "", ["How much of something there is to use at once, in the whole run: a name and a number. `uses` holds some of it. The same line in two files is one limit", "limit db 1"]),
    row("include", TOP, args(1, 1, Kind::Text), NODE, "", ["The tasks of another file, as `api:build`. Its own names come first in it, and `:x` is the task `x` of the first file; a file that is included twice is one, by its first name", r#"include "api/Xecfile.kdl" as=api"#]),
    row("template", TOP, NAME, NODE, "", ["Nodes that tasks share with `use`", r#"template rust { cwd crates }"#]),

    // What a task takes, and its place in the graph.
    row("desc", TASK, TEXT, NODE, "", ["One line on what a task is for", r#"task build desc="Compile""#]),
    row("needs", TASK, many(1, Kind::Task), NODE, "", ["Tasks that must have succeeded before", "needs build lint"]),
    row("after", TASK, many(1, Kind::Task), NODE, "", ["Tasks that must have ended before, if they run at all", "after clean"]),
    row("param", TASK, NAME, NODE, "", ["An input with a value, given as `name=value`, or as `--name=value` where xec has no option of that name; without a default it is required", "param version"]),
    row("flag", TASK, NAME, NODE, "", ["An input that is given or not, as `--name`; its value is `true` or empty", "flag release short=r"]),
    row("rest", TASK, NAME, NODE, "", ["All words after `--` on the command line, as a list", "rest args"]),
    row("matrix", TASK, NONE, NODE, "", ["One instance for each combination of values. A word that is no setting is an axis", "matrix { os linux macos }"]),
    row("use", TASK, NAMES, NODE, "", ["The nodes of a template, here. The own word of a task wins; of two templates, the later one", "use rust"]),
    row("alias", TASK, NAMES, NODE, "", ["Other names for the task", "alias b"]),
    row("private", TASK, BOOL, NODE, "#false", ["Not to be asked for by name, and not listed", "private #true"]),
    row("confirm", TASK, TEMPLATE, NODE, "", ["A question before anything runs; it may name inputs only", r#"confirm "Release to production?""#]),
    row("watch", TASK, many(0, Kind::Text), NODE, "", ["Where the task is asked for, it runs again whenever these files change, by pattern against its `cwd`. Without a pattern: the `inputs` of all that runs", r#"watch "src/**" "!src/generated""#]),
    row("service", TASK, NONE, NODE, "", ["Stays up while others need it: they begin when it is ready, and it is ended after the last task that reaches it through `needs`. It takes no job slot. With `--watch` it goes on from run to run, until its `inputs` or what else decides about it change", "service { ready tcp=5432 }"]),
    row("cache", TASK, NONE, NODE_LATE, "", ["Keeps what the task makes and writes, and brings it back where nothing that decides has changed", "cache"]),
    row("inputs", TASK, many(1, Kind::Template), NODE_LATE, "", ["Files that decide whether the task is up to date, by pattern against its `cwd`; `!` leaves out. A directory is all that is in it", r#"inputs "src/**" "!src/generated""#]),
    row("outputs", TASK, many(1, Kind::Template), NODE_LATE, "", ["Files that the task makes, by pattern against its `cwd`; they must lie in the project", r#"outputs "dist/**""#]),
    row("temp", TASK, NAMES, NODE, "", ["A directory of its own for each attempt, removed at the end, where the task runs; the value is its path", "temp scratch"]),
    row("take", EDGE.or(STEP), NAMES, NODE_LATE, "", ["Values of the other task: what it captured, or an axis; of a matrix, a list", "take version"]),

    // Steps and groups.
    row("run", BODY, args(1, 1, Kind::Text), NODE, "", ["A script for the shell, never rewritten", r#"run "cargo build && cargo test""#]),
    row("exec", BODY, many(1, Kind::Template), NODE_LATE, "", ["A program and its words, without a shell", "exec cargo build --release"]),
    row("call", BODY, args(1, 1, Kind::Task), NODE, "", ["Another task, run here once more", "call deploy"]),
    row("sequence", BODY, NONE, NODE, "", ["Steps one after the other", r#"sequence { run "a"; run "b" }"#]),
    row("parallel", BODY, NONE, NODE, "", ["Steps side by side", "parallel { exec npm run lint; exec npm run test }"]),
    row("any", BODY, NONE, NODE, "", ["Steps side by side, until one succeeds: the rest is ended. With `jobs=1` they are tried in turn. It fails if all do, as the last one did; what a losing step kept is forgotten", "any { exec ping -c1 a; exec ping -c1 b }"]),
    row("race", BODY, NONE, NODE, "", ["Steps side by side, until one has ended, well or not: it ends likewise, and the rest is ended", "race { exec ./fast; exec ./other }"]),
    row("pipe", BODY, NONE, NODE, "", ["Several `run` and `exec` at once, each reading what the one before it writes. It is one step: what it keeps is the output of the last, and it fails as the last of them that fails. With `on`, each may be on a host of its own", "pipe { exec cat log; exec sort }"]),
    row("reduce", BODY, TEMPLATE, NODE_LATE, "", [r#"Makes one item of many: neighbours of a list are the words of its `run` or `exec` (`"$@"`), whose stdout is one new item, until one is left. Levels run side by side, and the tree depends on the number of items alone"#, r#"reduce "${n}" fan-in=16 { run "sum" }"#]),
    row("wait", BODY, args(0, 1, Kind::Duration), NODE_LATE, "", ["Does nothing for a time, or until something is there", r#"wait "10s""#]),
    row("barrier", BODY, NONE, NODE, "", ["Waits until all instances of the matrix, or of its batch, are here; those that have ended are not waited for, and those that wait hold no share of `jobs`", "barrier"]),
    row("copy", BODY, NONE, NODE_LATE, "", ["Files from one place to another, whole and compared before anyone can see them: a file, a directory with all that is in it, or the names that fit a pattern. `host:path` is on that host, any other path is here", r#"copy from="dist/app" to="web1:/srv/app""#]),

    // Policies that flow down.
    row("cwd", POLICY.or(HOST), TEMPLATE, FLOWS_LATE, "the directory of the file", ["The directory of the processes", "cwd web"]),
    row("env", POLICY.or(TOP).or(HOST), args(0, 2, Kind::Variable), FLOWS_LATE, "", ["Variables of the processes, merged by name", r#"env { RUST_BACKTRACE "1" }"#]),
    row("shell", POLICY, many(1, Kind::Template), FLOWS_LATE, "sh -eu -c", ["What reads the text of `run`, which is added as the last word", "shell bash -euo pipefail -c"]),
    row("on-error", SET, args(1, 1, MODES), FLOWS, "fail-fast", ["What a failure does to what runs beside it", "on-error continue"]),
    row("session", POLICY, BOOL, FLOWS, "#false", ["All `run` of an instance in one shell, one after the other: directory, variables and functions go on from step to step. Hooks, and steps that are `interactive` or `leave` something, have shells of their own", "session #true"]),
    row("priority", SET, args(1, 1, Kind::Number), FLOWS, "0", ["Higher goes first", "priority 10"]),
    row("sudo", POLICY.or(HOST), args(0, 1, Kind::Text), FLOWS, "", ["As another user, by `sudo -n`: where that would ask for a password, nothing runs. Without a name, as root", "sudo user=postgres"]),
    row("on", WORK.or(MATRIX), TEMPLATE, FLOWS, "local", ["The hosts to run on, by names, tags, patterns and ranges: `,` is or, `&` and, `!` not. On a task or in its `matrix` it is the axis `host`; on a step or group it means one host. `on local` comes back", r#"on "web & !canary""#]),

    // Policies that act where they are written.
    row("timeout", SET, DURATION, ACTS_LATE, "none", ["The longest an attempt may take", r#"timeout "5m""#]),
    row("grace", SET, DURATION, ACTS_LATE, "5s", ["From the first signal to SIGKILL", r#"grace "10s""#]),
    row("optional", SET, BOOL, ACTS_LATE, "#false", ["A failure does not count", "optional #true"]),
    row("jobs", SET, args(1, 1, Kind::Width), ACTS_LATE, "no limit but the slots of `-j`", ["How many of what is in it at once. `adaptive` begins with the fewest, allows one more after each success, and half as many after each failure", "jobs 4"]),
    row("interactive", POLICY, BOOL, ACTS, "#false", ["The terminal belongs to the step while it runs", "interactive #true"]),
    row("retry", SET, args(1, 1, Kind::Number), ACTS_LATE, "0", ["How often to try again, after the first time", r#"retry 3 delay="1s""#]),
    row("require", SET, args(1, 1, Kind::Share), ACTS_LATE, "100%", ["How much of a set must succeed, at least", r#"require "90%""#]),
    row("uses", SET, args(1, 2, Kind::Name), ACTS, "", ["Holds a limit while it runs, one of it or as many as said; several lines are taken in one move. What is used inside must be declared later in the file. `uses jobs 3` lets each command in it count for 3 of the `-j` slots, or for all where there are fewer", "uses db 2"]),
    row("resources", SET, NAMES, L_ACTS, "", ["What it needs of the machine", r#"resources memory="2GiB""#]),
    row("leave", POLICY, BOOL, ACTS, "#false", ["What a step has left running when it ends may outlive the run: a daemon that is meant to stay", "leave #true"]),
    row("sample", POLICY, DURATION, ACTS, "", ["Measures this often what each step uses, its process with all below it: CPU time and memory. `--profile` shows the course of both, `--trace` draws it, and `--events=json` has each measure. At least 10ms; of what runs on a host nothing is known here", r#"sample "1s""#]),
    row("capture", STEPS, NAME, ACTS_LATE, "", ["Keeps the output of `run`, `exec` or `pipe` as a value", "capture version"]),
    row("status", STEPS, NAME, ACTS_LATE, "", ["Keeps the exit code of `run`, `exec` or `pipe` as a value", "status code"]),
    row("stdin", STEPS, args(0, 1, Kind::Template), ACTS_LATE, "", ["What `run`, `exec` or the first of a `pipe` reads: a text, or a file", r#"stdin "${text}""#]),
    row("stdout", STEPS, TEMPLATE, ACTS_LATE, "", ["The file that `run`, `exec` or the last of a `pipe` writes to, against its `cwd`: emptied when it begins, as by `>` in a shell", "stdout log.txt"]),
    row("args", STEPS, TEMPLATE, ACTS_LATE, "", [r#"What the script of a `run` sees as `"$@"`; a list becomes as many words"#, r#"args "${list}""#]),
    row("when", WORK, many(0, Kind::Template), ACTS_LATE, "", ["Only if all of these lines hold; a skipped task satisfies those that need it", "when { os linux }"]),
    row("unless", WORK, many(0, Kind::Template), ACTS_LATE, "", ["Only if not all of these lines hold", "unless exists dist"]),

    // Hooks.
    row("on-success", BODY.or(MATRIX), NONE, NODE, "", ["Steps after a success, once", r#"on-success { run "notify ok" }"#]),
    row("on-failure", BODY.or(MATRIX), NONE, NODE, "", ["Steps after a failure, once, after the last attempt; not after a cancellation", r#"on-failure { run "notify bad" }"#]),
    row("finally", BODY.or(MATRIX), NONE, NODE, "", ["Steps at the end, however it went, if it began", r#"finally { run "cleanup" }"#]),
    row("on-progress", BODY.or(MATRIX), NONE, NODE, "", ["Steps while it goes on, whenever so much more of what is in it has ended; they may read `xec_completed`, `xec_total`, `xec_succeeded`, `xec_failed_count`, `xec_rate`, `xec_eta`", r#"on-progress every="10%" { run "echo $xec_completed of $xec_total" }"#]),

    // What stands in a matrix, a host, a service, a condition.
    row("exclude", MATRIX, NONE, NODE, "", ["Leaves out all combinations with these values", "exclude os=macos py=3.10"]),
    row("include", MATRIX, NONE, NODE, "", ["Adds one complete combination, after what is left out", "include os=windows py=3.12"]),
    row("axis", MATRIX, many(1, Kind::Name), NODE, "", ["An axis of any name, be it a word of xec", "axis env staging prod"]),
    row("batches", MATRIX, many(1, Kind::Share), NODE_LATE, "", ["So many instances at a time: counts, or shares of all, rounded up; the last size repeats. The next batch begins when all of the last have ended and enough of them have succeeded; if not, the set fails", r#"batches 1 "1/3" pause="5s""#]),
    row("empty", MATRIX, args(1, 1, Kind::Choice(&["ok"])), DETAIL, "", ["An empty set is no error", "matrix empty=ok"]),
    row("tags", HOST, NAMES, DETAIL, "", ["Words to select hosts by", "tags web eu"]),
    row("user", HOST, TEXT, DETAIL, "as ssh decides", ["Whom to log in as", "user deploy"]),
    row("port", HOST, args(1, 1, Kind::Number), DETAIL, "as ssh decides", ["Where its sshd listens", "port 2222"]),
    row("address", HOST, TEXT, DETAIL, "the name", ["Where the host is; a range gives each of several hosts its own", "address db.internal"]),
    row("jobs", HOST, args(1, 1, Kind::Width), DETAIL, "4", ["How many steps at once; steps on hosts take no slot here", "jobs 4"]),
    row("weight", HOST, args(1, 1, Kind::Number), DETAIL, "1", ["Its share of the work where one of several is picked", "weight 2"]),
    row("pool", HOST, args(1, 1, Kind::Number), DETAIL, "1", ["How many connections it may have at once", r#"pool 2 idle="60s""#]),
    row("idle", Places::POOL, DURATION, DETAIL, "60s", ["How long a connection is kept that nobody uses", r#"pool 2 idle="5m""#]),
    row("via", HOST, args(1, 1, Kind::Choice(&["ssh", "docker", "kubernetes", "local"])), DETAIL, "ssh", ["How to get there: by your own `ssh`, `docker` or `kubectl`; `local` is a shell here, for rehearsals", "via docker"]),
    row("namespace", Places::VIA, TEXT, DETAIL, "that of the context", ["The namespace of a pod", "via kubernetes namespace=shop"]),
    row("container", Places::VIA, TEXT, DETAIL, "the first", ["The container of a pod", "via kubernetes container=app"]),
    row("label", Places::VIA, TEXT, DETAIL, "", ["The first container or pod with these labels, in place of one of that name", r#"via docker label="app=web""#]),
    row("from", Places::HOSTS, TEXT, DETAIL, "", ["The file, against the directory of this one", r#"hosts from="inventory.ini""#]),
    row("user", Places::SUDO, TEXT, DETAIL, "root", ["As whom", "sudo user=postgres"]),
    row("pick", Places::ON, args(1, 1, Kind::Choice(&["first", "round-robin", "least-loaded", "random"])), DETAIL, "", ["One of these hosts for each instance, or for the step, by their `weight`", "on workers pick=least-loaded"]),
    row("ready", Places::SERVICE, NONE, NODE, "", ["How to tell that it is up", "ready tcp=5432"]),
    row("os", WHEN, many(1, Kind::Template), DETAIL, "", ["The operating system is one of these", "os linux"]),
    row("arch", WHEN, many(1, Kind::Template), DETAIL, "", ["The processor is one of these", "arch x86_64"]),
    row("env", WHEN, many(1, Kind::Template), DETAIL, "", ["A variable of the environment has one of these values; without any, it is set and not empty", "env CI yes"]),
    row("exists", WHEN, many(1, Kind::Template), DETAIL_LATE, "", ["One of these paths is there; asked just before the body", "exists dist"]),
    row("command", WHEN, many(1, Kind::Template), DETAIL_LATE, "", ["One of these programs is there; asked just before the body", "command docker"]),
    row("run", WHEN, TEXT, DETAIL_LATE, "", ["A script succeeds; asked just before the body", r#"run "test -s out""#]),
    row("changed", WHEN, many(1, Kind::Template), DETAIL_LATE, "", ["Files that match have changed since the instance last succeeded; asked just before the body", r#"changed "src/**""#]),
    row("equal", WHEN, many(2, Kind::Template), DETAIL, "", ["The first text is one of the others", r#"equal "${os}" linux"#]),
    row("gitignore", Places::INPUTS, BOOL, DETAIL, "#true", ["What git ignores is no input, unless it is named without a pattern", r#"inputs "vendor/**" gitignore=#false"#]),
    row("debounce", Places::WATCH, DURATION, DETAIL, "100ms", ["How long nothing more may change before it runs", r#"watch "src/**" debounce="500ms""#]),
    row("on-busy", Places::WATCH, args(1, 1, Kind::Choice(&["restart", "queue", "ignore"])), DETAIL, "restart", ["What a change does to a run that goes on: ends it and begins anew, lets it end and runs once more, or nothing", r#"watch "src/**" on-busy=queue"#]),
    row("ttl", Places::CACHE, DURATION, DETAIL_LATE, "for ever", ["How long it is up to date, at most", r#"cache ttl="1h""#]),
    row("key", Places::CACHE, TEMPLATE, DETAIL_LATE, "", ["A text that decides too", r#"cache key="${tag}""#]),
    row("when", Places::CACHE, many(0, Kind::Template), DETAIL_LATE, "", ["What was made is only kept if all of these lines hold when it is there", r#"cache { when run "test -s out" }"#]),
    row("unless", Places::CACHE, many(0, Kind::Template), DETAIL_LATE, "", ["What was made is only kept if not all of these lines hold", r#"cache { unless exists "out/failed" }"#]),
    // Parts of one node.
    row("every", Places::PROGRESS, args(1, 1, Kind::Share), DETAIL, "10%", ["How much more has to have ended each time", r#"on-progress every=5 { run "notify" }"#]),
    row("type", PARAM, args(1, 1, Kind::Choice(&["string", "int", "float", "bool", "path", "duration", "size"])), DETAIL, "string", ["What the text must be", "param count type=int"]),
    row("default", PARAM, TEMPLATE, DETAIL, "", ["What it is where nothing is given", r#"param gate default="100%""#]),
    row("choices", PARAM, many(1, Kind::Text), DETAIL, "", ["The only values that it may have", "param env { choices staging prod }"]),
    row("many", PARAM, BOOL, DETAIL, "#false", ["It may be given several times, and is a list", "param file many=#true"]),
    row("short", PARAM.or(Places::FLAG), args(1, 1, Kind::Name), DETAIL, "", ["A letter for the command line, none of xec's own: `-r`; for a `param` with its value, `-E prod` or `-E=prod`", "flag release short=r"]),
    row("desc", INPUT, TEXT, DETAIL, "", ["One line on what it is for", r#"flag lenient desc="Ship despite failing tests""#]),
    row("glob", AXIS, TEMPLATE, DETAIL, "", ["The files that match, sorted, against the `cwd` of the task", r#"file glob="data/*.csv""#]),
    row("range", AXIS, TEMPLATE, DETAIL, "", ["Whole numbers, both ends included", r#"shard range="1..8""#]),
    row("from", AXIS, TEMPLATE, DETAIL_LATE, "", ["The items of a list that is made while the run goes on", r#"batch from="${done}""#]),
    row("chunk", AXIS, args(1, 1, Kind::Number), DETAIL, "", ["So many items at a time", r#"batch from="${done}" chunk=10"#]),
    row("within", AXIS, DURATION, DETAIL, "", ["Waits no longer for a full chunk", r#"batch from="${done}" chunk=10 within="100ms""#]),
    row("hosts", AXIS, TEMPLATE, DETAIL, "", ["The names of the hosts that a selector means; the instances run here", r#"target hosts="web & !canary""#]),
    row("from", Places::COPY, many(1, Kind::Template), DETAIL_LATE, "", ["What is taken. Here, it is against the `cwd` of the step; on the host that the step is on, too; on another one, against that of the host. `dir/.` is what is in a directory", r#"copy from="web1:/var/log/app/*.log" to="logs/""#]),
    row("to", Places::COPY, TEMPLATE, DETAIL_LATE, "", ["What it is to be called there; with a `/` at its end, the directory that it goes into, which is made where it is missing", r#"copy from="db1:dump.sql" to="web1:/tmp/dump.sql""#]),
    row("fan-in", Places::REDUCE, args(1, 1, Kind::Number), DETAIL, "16", ["How many items become one at a time, at most", r#"reduce "${n}" fan-in=2 { run "sum \"$@\"" }"#]),
    row("capture", Places::REDUCE, NAME, DETAIL, "", ["What the last item is called", r#"reduce "${n}" capture=total { run "sum \"$@\"" }"#]),
    row("delay", RETRY, DURATION, DETAIL_LATE, "0s", ["How long before the first new attempt", r#"retry 3 delay="1s""#]),
    row("backoff", RETRY, args(1, 1, Kind::Choice(&["fixed", "linear", "exponential"])), DETAIL, "fixed", ["How the delays grow: not, by the first one each time, by doubling", r#"retry 3 delay="1s" backoff=exponential"#]),
    row("max", RETRY, DURATION, DETAIL_LATE, "", ["The longest delay", r#"retry 9 delay="1s" backoff=exponential max="1m""#]),
    row("jitter", RETRY, BOOL, DETAIL, "#false", ["Shortens each delay by a random part, up to a half", r#"retry 3 delay="1s" jitter=#true"#]),
    row("as", Places::CAPTURE, args(1, 1, Kind::Choice(&["text", "lines", "json", "stream"])), DETAIL, "text", ["The form: all of it, a list of its lines, JSON, or a list of which each line is there at once for a `from`", "capture files as=lines"]),
    row("as", Places::TAKE, NAME, DETAIL, "the same", ["What it is called here", "take tag as=previous"]),
    row("pause", Places::BATCHES, DURATION, DETAIL_LATE, "none", ["How long between two batches", r#"batches 5 pause="1s""#]),
    row("require", Places::BATCHES, args(1, 1, Kind::Share), DETAIL_LATE, "that of the matrix", ["How many of each batch must succeed, so that the next one begins", r#"batches 1 "1/3" require="90%""#]),
    row("min", Places::JOBS, args(1, 1, Kind::Number), DETAIL, "1", ["The fewest at once, which it begins with", "jobs adaptive min=2"]),
    row("max", Places::JOBS, args(1, 1, Kind::Number), DETAIL, "four for each CPU", ["The most at once", "jobs adaptive max=16"]),
    row("default", Places::TAKE, TEMPLATE, DETAIL, "", ["What it is where it did not come to be; without one, whoever takes it is skipped then", r#"take tag default="none""#]),
    row("per", Places::LIMIT, DURATION, DETAIL, "", ["A rate: no more than so many begin in any time of this length, however long they run", r#"limit api 5 per="1s""#]),
    row("across", Places::LIMIT, args(1, 1, Kind::Choice(&["machine"])), DETAIL, "the run", ["Shared by all runs of the user on this machine, and free when its holder is gone, however that ended", "limit deploy 1 across=machine"]),
    row("file", Places::STDIN, TEMPLATE, DETAIL_LATE, "", ["The file to read, against the `cwd` of the step", r#"stdin file="data.csv""#]),
    row("tcp", READY, TEMPLATE, DETAIL_LATE, "", ["Someone takes connections at this port, or `host:port`", "ready tcp=5432"]),
    row("http", READY, TEMPLATE, DETAIL_LATE, "", ["A server answers with a status below 400", r#"ready http="http://localhost:8080/health""#]),
    row("run", READY, TEXT, DETAIL_LATE, "", ["A script succeeds", r#"ready run="pg_isready""#]),
    row("log", Places::READY, TEXT, DETAIL, "", ["A line of its output matches this regular expression", r#"ready log="listening on""#]),
    row("exists", READY, TEMPLATE, DETAIL_LATE, "", ["A path is there, against the `cwd` of the task", "wait exists=server.pid"]),
    row("timeout", Places::READY, DURATION, DETAIL, "30s", ["How long that may take", r#"ready tcp=5432 timeout="1m""#]),
    row("run", Places::LET, TEXT, DETAIL_LATE, "", ["A script, run once when the value is first used; its stdout is the value", r#"let sha run="git rev-parse HEAD""#]),
    row("pool", Places::SHELL, args(1, 1, Kind::Number), DETAIL, "none", ["So many shells are kept, and scripts run in forks of them, so that a short one need not wait for a shell to start; nothing that one does to its shell is there for another", "shell sh pool=4"]),
    row("file", Places::SECRET, TEXT, DETAIL, "", ["The file that holds it, against the directory of the Xecfile; read when it is first used", r#"secret KEY file="deploy.key""#]),
    row("run", Places::SECRET, TEXT, DETAIL_LATE, "", ["A script, run once when the secret is first used; its stdout is the secret", r#"secret TOKEN run="pass show deploy""#]),
    row("optional", Places::DOTENV, BOOL, DETAIL, "#false", ["That the file is not there is fine", r#"dotenv ".env" optional=#true"#]),
    row("as", Places::INCLUDE, NAME, DETAIL, "", ["What stands before the names of its tasks", r#"include "api/Xecfile.kdl" as=api"#]),
];
