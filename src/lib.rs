//! xec: a declarative task runner. One graph of tasks, run on this machine and on hosts, which are one more place.
//!
//! # The way of the data
//!
//! ```text
//! text ─► document ─► Xecfile ─► Plan ─► Scheduler ⇄ Dispatcher ⇄ Jobs ⇄ Targets ⇄ Broker
//!         (kdl)      (typed,     (DAG +   (pure)      (the one     (one      (here)    (starts and
//!                     spanned)   scopes)               owner)      attempt)             ends processes)
//!                                                        │
//!                                                      Event ─► reporters
//! ```
//!
//! One direction, no way back: nothing to the right is known to anything on its left. [`base::event`] is the
//! only bridge from running to showing; neither side sees the other.
//!
//! # The floors, from below, and their rooms
//!
//! - [`base`], words that every floor speaks: `selector` (which hosts are meant), `diagnostic` (problems, and a page for each kind), `value` (text with
//!   `${…}`), `event`, `command` (what a place is asked to do), `source` (where it was written), `name`, `path`, `options`.
//! - [`xecfile`], from bytes to a typed file or all problems: `load` and `include` read files, `guard` takes bytes
//!   that the parser should not see, `plain` reads what is plain a hundred times faster than it, `cursor` and `decode`
//!   read nodes by the one table in `schema`, `model` is what they come to, `check` says what is wrong with the whole. `reference` prints the table.
//! - [`plan`], from a file and a request to frozen arrays: `select` (names to tasks), `cycle`, `defs` (policies that
//!   flow down, settled once for each task), `inputs` and `values` (what an instance is given; what is only known
//!   late), `matrix` (axes to combinations), `conditions`, `units` (what is shared: a task with one set of inputs),
//!   `hosts` (which ones a task means), `compile` (instances, scopes and edges: `roots` and `frames` are its loops, one file for each thing laid out),
//!   `layout` (the arrays as they grow), `graph` (as they stay), `paths` (who is far from the end goes first).
//! - [`exec`], how a command is run and ended: a `Target` is a place, `local` is this one, `fake` is for tests,
//!   `pipeline` makes one job of several commands, `remote` is the other end of a channel, and `ssh` has the channels to
//!   hosts, `containers` those to containers and pods; `copy` moves files. `broker` is the process that starts all others;
//!   `pump`, `output` and `attend` move what they write, `mask` covers secrets in it; `session` lets scripts share a
//!   shell; `terminal` and `signals` are xec's own. `locks` and `jobserver` are
//!   what is shared with others on the machine; `meter` says what a step uses of it.
//! - [`cache`], what is up to date and what can be brought back: `inputs` (patterns to files), `memo` (what they
//!   hold), `key` (one manifest, hashed or explained), `ledger`, `store` and `lock` (what is on the disk), `state` and
//!   `settle` (all of it, asked about one task before and after it), `makers` (who made which file in a run); `durations` (how long commands took, which decides an order and nothing else).
//! - [`run`], a plan and places in, events and a verdict out: `scheduler` says what happens next (`talk` is
//!   all that it hears and says, `flow`, `verdict`, `retry`, `cancel`, `gates` and `feeds` its moves, `claims` and `width`
//!   what is held, `blame` whose fault it was), `phase` and `limits` what may, `dispatch` does it, `job` is one attempt of
//!   one leaf, `command` and `copies` fill in the values that `values` keeps (`secrets` those that nobody sees, `temps` directories on hosts), `ready` asks until
//!   something is there, `standing` has the services that go on from run to run, `probe` and `questions` ask what is
//!   decided late (`when run`, `let run`), `facts` and `keep` what is up to date, `feed` and `items` what lanes work on,
//!   `machine` has what is shared with others, `clock` stands still under Ctrl-Z.
//! - [`report`], from events to eyes and machines, on a thread of its own: `screen`, `summary` and `json` for runs, and
//!   `journal` for those who ask later, `page` as HTML;
//!   `problems`, `list`, `show` and `plan` for looks; `console` and `sanitize` guard the terminal.
//! - [`watch`], from events of the file system to settled sets of changes: `wanted` (which files count), `source` (hints
//!   of the system, and a look at what it was), `debounce`.
//! - [`app`], one file for each verb, which wires the floors below. `confirm` asks, before anything runs.
//! - [`cli`], what was typed: `words` cuts the line apart, `values` and `args` make `app::options::Options` of it.
//!
//! What is known only when the run has come so far (an axis `from` a list, a stream, a `reduce`) does not make the plan
//! grow: the plan holds as many *lanes* as may work at once, and each takes one item of its feed after the other, begun
//! anew as for a new attempt.
//!
//! # What always holds
//!
//! - Arrows point down. Each module says at its top what it must not know.
//! - Looking starts no process and writes nothing: only [`app`]'s `run` takes a broker.
//! - The scheduler is pure: inputs and the time come in, actions go out. All run state is its own or the
//!   dispatcher's, on one thread, without locks; cancellation is a message like any other.
//! - **Graph and scopes are two things.** Edges say who waits for whom, and why; scopes own policies, and cancelling
//!   one cancels all within. A feature of the language compiles to these two, or it does not get in.
//! - A scope's vertices are one range of ids, so a walk over it is a loop. Nothing recurses on the size of data;
//!   what nests in the text is bounded by the guard.
//! - Every vertex ends exactly once, and every job says one last thing, even if it panics.
//! - Nothing reaches the report but through `exec::output`, which covers secrets in output and events alike.
//! - All memory that grows with output is bounded: who writes faster than the reader reads, waits.
//! - The text of `run` is never rewritten. A value reaches it as a variable, and only if the text names it.
//! - Nothing prints but [`report`], [`cli`] and `main`; nothing exits but `main`; `unsafe` is in [`exec`] alone.
//!
//! # Where this is no Makefile runner
//!
//! - A task is a template. What runs is an *instance*: a task with its inputs and a combination of its axes. It runs
//!   once for each distinct set of inputs however many need it, and anew for each `call`.
//! - Vertices come in pairs, the entry and the exit of a scope, and between them all that belongs to it: steps,
//!   groups, retries, hooks. That is why a timeout, fail-fast or Ctrl-C on any part is the same move.
//! - A needed instance belongs to the run and is *demanded*: it begins when somebody wants it, and ends early when
//!   nobody does any more.
//! - What is up to date is a matter of what files hold, and never of times: a touch is no change, and nothing is
//!   believed that is not looked at.
//! - Processes are started by a second process, so that their end does not hang on ours.

pub mod app;
pub mod base;
pub mod cache;
pub mod cli;
pub mod exec;
pub mod plan;
pub mod report;
pub mod run;
pub mod watch;
pub mod xecfile;
