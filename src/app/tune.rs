//! `--tune`: runs what was asked for at one width after the other, several times, and says which one is best.
//!
//! The widths take turns, each round in the other direction, so that a machine that gets slower meanwhile (heat, a
//! backup) is slower for all of them. What is measured is the work asked for, from its first command to its last end:
//! what it needs runs before it, and does not count.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::app::Answer;
use crate::app::confirm::confirm;
use crate::app::open::{Opened, names, refuse};
use crate::app::options::{Exit, Options};
use crate::app::run::{How, cannot, close, linked, listen, once, questions, show, surroundings};
use crate::base::event::{Event, Verdict};
use crate::exec::broker::{Broker, Link};
use crate::plan::Plan;
use crate::plan::graph::Memory;
use crate::report::tuned::{self, Taken};
use crate::report::{Mode, Setup};
use crate::run::command::Surroundings;
use crate::run::dispatch::Order;
use crate::xecfile::model::{Group, Late, StepKind, Width};

/// How often each width is run.
const ROUNDS: usize = 3;

/// Runs all of it.
pub(super) fn tune(options: &Options, mut opened: Opened, broker: Option<Broker>) -> Answer {
    let asked = asked(options, &opened);
    let mut plans = Vec::new();
    for width in &options.tune {
        set_width(&mut opened, &asked, *width);
        match opened.plan(&Options { jobs: Some(Width::Count(*width)), ..options.clone() }) {
            Ok(plan) => plans.push((*width, Arc::new(plan))),
            Err(answer) => return answer,
        }
    }
    let Some((_, plan)) = plans.first().cloned() else { return Answer::text(String::new()) };
    if let Err(answer) = must_be_repeatable(options, &opened, &plan) {
        return answer;
    }
    let Some(broker) = broker else { return failed("there is no process layer to run anything", 1) };
    let around = Rc::new(surroundings(&opened, &plan));
    let options = options.clone();
    let taken = linked(&broker, |link| async move {
        let (orders_tx, orders) = unbounded_channel();
        listen(&orders_tx, &link)?;
        Tuner { options, around, link, asked, orders_tx, orders }.rounds(&plans).await
    });
    match taken {
        Ok(Ok(taken)) => Answer::text(tuned::text(&taken)),
        Ok(Err(answer)) => answer,
        Err(why) => failed(&why, 1),
    }
}

fn failed(why: &str, code: i32) -> Answer {
    Answer { out: String::new(), err: format!("xec: {why}\n"), exit: Exit::Code(code) }
}

/// The names of the tasks that were asked for; of a pattern that is all that it could mean, so none are left out.
fn asked(options: &Options, opened: &Opened) -> HashSet<Arc<str>> {
    let mut found = HashSet::new();
    for asked in opened.tasks(options) {
        let name = asked.selector.split(['[', '@']).next().unwrap_or_default();
        match opened.task(name) {
            Some(task) => drop(found.insert(task.name.value.clone())),
            None => found.extend(opened.file.tasks.iter().map(|task| task.name.value.clone())),
        }
    }
    found
}

/// Where a task that was asked for says how many at once, for its matrix or a group, it says this many.
fn set_width(opened: &mut Opened, asked: &HashSet<Arc<str>>, width: u32) {
    for task in opened.file.tasks.iter_mut().filter(|task| names(task).any(|name| asked.contains(name))) {
        let groups = task.body.iter_mut().filter(|step| matches!(step.kind, StepKind::Group(Group::Parallel, _)));
        let settings = task.matrix.iter_mut().map(|set| &mut set.settings).chain(groups.map(|step| &mut step.settings));
        for jobs in settings.filter_map(|settings| settings.jobs.as_mut()) {
            jobs.value = Late::Now(Width::Count(width));
        }
    }
}

/// What must not be done again and again without a word, and what cannot be.
fn must_be_repeatable(options: &Options, opened: &Opened, plan: &Plan) -> Result<(), Answer> {
    if options.take.is_some() && !plan.feeds.is_empty() {
        let why = "`--take` takes the first instances of a matrix, and which ones there are is known too late here";
        return Err(Answer::refused(format!("xec: {why}\n")));
    }
    let questions = questions(opened, plan).map_err(|found| refuse(options, &found, &opened.file.sources))?;
    let kept = plan.instances.iter().find(|one| !one.hidden && plan.scope(one.scope).memory == Memory::Whole);
    let why = match (questions.first(), kept) {
        (Some(question), _) => format!("`{}` asks before it runs", question.task),
        (None, Some(one)) => format!("`{}` would be up to date from the second time on", one.label.instance),
        (None, None) => return Ok(()),
    };
    if options.force {
        return confirm(options, &questions, &opened.file.sources);
    }
    let help = "`--tune` runs it several times, and with `--force` does so all the same";
    Err(Answer::refused(format!("xec: {why}\n     {help}\n")))
}

struct Tuner {
    options: Options,
    around: Rc<Surroundings>,
    link: Link,
    asked: HashSet<Arc<str>>,
    orders_tx: UnboundedSender<Order>,
    orders: UnboundedReceiver<Order>,
}

impl Tuner {
    /// Every width in every round; an answer where one of the runs fails.
    async fn rounds(mut self, plans: &[(u32, Arc<Plan>)]) -> Result<Result<Vec<Taken>, Answer>, String> {
        let mut taken: Vec<Taken> = plans.iter().map(|(width, _)| Taken { width: *width, runs: Vec::new() }).collect();
        for round in 0..ROUNDS {
            for turn in 0..plans.len() {
                let at = if round % 2 == 0 { turn } else { plans.len() - 1 - turn };
                let (width, plan) = &plans[at];
                match self.run(plan).await? {
                    (Exit::Code(0), (0, _)) => return Ok(Err(failed("nothing ran that could be measured", 1))),
                    (Exit::Code(0), measured) => taken[at].runs.push(measured),
                    (exit, _) => {
                        let why = format!("it did not succeed with {width} at once, so there is nothing to compare");
                        return Ok(Err(Answer { exit, ..failed(&why, 1) }));
                    }
                }
            }
        }
        Ok(Ok(taken))
    }

    /// One run: how it ended, how much of what was asked for it did, and in what time.
    async fn run(&mut self, plan: &Arc<Plan>) -> Result<(Exit, (u64, Duration)), String> {
        let (tap, told) = mpsc::channel();
        let mut wishes = self.options.show.wishes(true).map_err(cannot("write where the output should go"))?;
        (wishes.mode, wishes.quiet) = (Some(Mode::Quiet), true);
        let setup = Setup::standard(wishes, &|name| std::env::var_os(name)).map_err(cannot("show it"))?;
        let tap: crate::report::Tap = Box::new(move |at, event| drop(tap.send((at, event.clone()))));
        let setup = Setup { tap: Some(tap), ..setup };
        let (report, output) = show(setup, plan, self.orders_tx.clone())?;
        let how = How::of(&Options { force: true, jobs: Some(Width::CpusLess(0)), ..self.options.clone() });
        let (ending, _) = once(plan.clone(), self.around.clone(), &self.link, how, output, &mut self.orders).await;
        let (exit, complaint) = close(report, ending.code, ending.signal);
        if complaint.is_empty() { Ok((exit, self.measured(told))) } else { Err(complaint) }
    }

    /// Instances that succeeded; of one alone its commands.
    fn measured(&self, told: mpsc::Receiver<(Duration, Event)>) -> (u64, Duration) {
        let (mut instances, mut steps, mut first, mut last) = (0, 0, None, Duration::ZERO);
        for (at, event) in told {
            match event {
                Event::StepStarted { step, .. } if self.asked.contains(&step.owner.task) => {
                    first = first.or(Some(at));
                }
                Event::StepFinished { step, verdict: Verdict::Ok, .. } if self.asked.contains(&step.owner.task) => {
                    (steps, last) = (steps + 1, at);
                }
                Event::TaskFinished { task, verdict: Verdict::Ok, .. } if self.asked.contains(&task.task) => {
                    instances += 1;
                }
                _ => {}
            }
        }
        let count = if instances > 1 { instances } else { steps };
        (count, last.saturating_sub(first.unwrap_or(last)))
    }
}
