//! `--report`: a run as one page of HTML that asks nothing of anybody: what it came to, what failed with its last lines,
//! when each step ran, and where the time went. Made of events and output alone, in memory that does not grow with what
//! steps write. Written when the run is over, and anew for the next one.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use crate::base::duration::show;
use crate::base::event::{Counts, Culprit, Event, JobId, Output, TaskLabel, Verdict};
use crate::report::profile::{self, Profile, Span};
use crate::report::style::Style;
use crate::report::tail::Tail;
use crate::report::words;

/// So many steps are drawn, the longest ones.
const BARS: usize = 2000;
/// So many tasks are listed.
const TASKS: usize = 5000;

const STYLE: &str = "body{font:14px/1.5 system-ui,sans-serif;margin:2em auto;max-width:72em;padding:0 1em;color:#222}\
h1{font-size:1.4em}h2{font-size:1.1em;margin-top:2em}pre{background:#f6f6f6;padding:.8em;overflow:auto}\
.ok{color:#176b2c}.bad{color:#b3261e}.dim{color:#777}table{border-collapse:collapse}td{padding:.1em 1em .1em 0}\
.row{display:flex;height:1.4em}.name{width:22em;overflow:hidden;white-space:nowrap;text-overflow:ellipsis}\
.track{position:relative;flex:1;border-left:1px solid #ccc}.track i{position:absolute;top:.2em;bottom:.2em;min-width:2px;\
background:#8fbf9a}.track i.path{background:#2f7d43}.track i.failed{background:#d9645c}";

/// What is gathered while a run goes on.
pub(crate) struct Page {
    to: File,
    requested: String,
    profile: Profile,
    /// The last lines of steps that run, and of those that failed.
    tails: HashMap<JobId, Tail>,
    tasks: Vec<(Arc<TaskLabel>, Verdict, Duration)>,
    more: u64,
}

impl Page {
    pub(crate) fn new(to: File) -> Self {
        let (tails, tasks) = (HashMap::new(), Vec::new());
        Self { to, requested: String::new(), profile: Profile::default(), tails, tasks, more: 0 }
    }

    /// A step wrote something.
    pub(crate) fn wrote(&mut self, job: JobId, bytes: &[u8]) {
        self.tails.entry(job).or_default().push(bytes);
    }

    /// The same, as it comes.
    pub(crate) fn output(&mut self, output: &Output) {
        self.wrote(output.job, &output.bytes);
    }

    /// Something happened; after the last of it, the page is written.
    pub(crate) fn event(&mut self, at: Duration, event: &Event) -> io::Result<()> {
        self.profile.event(at, event);
        match event {
            Event::RunStarted { requested, .. } => {
                self.requested = requested.join(" ");
                self.tails.clear();
                self.tasks.clear();
                self.more = 0;
            }
            Event::StepFinished { job, verdict: Verdict::Ok, .. } => drop(self.tails.remove(job)),
            Event::TaskFinished { task, verdict, duration } if self.tasks.len() < TASKS => {
                self.tasks.push((task.clone(), verdict.clone(), *duration));
            }
            Event::TaskFinished { .. } => self.more += 1,
            Event::RunFinished { culprits, counts, code, duration, .. } => {
                return self.write(culprits, counts, *code, *duration);
            }
            _ => {}
        }
        Ok(())
    }

    fn write(&mut self, culprits: &[Culprit], counts: &Counts, code: i32, duration: Duration) -> io::Result<()> {
        let mut page = String::new();
        let title = escape(&format!("xec {}", self.requested));
        let (class, word) = if code == 0 { ("ok", "succeeded") } else { ("bad", "failed") };
        page += &format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title><style>{STYLE}</style></head>\
             <body>\n<h1>{title}: <span class=\"{class}\">{word}</span> in {}</h1>\n",
            show(duration)
        );
        page += &format!("<p>{}; exit code {code}.</p>\n", tally(counts));
        self.failures(culprits, &mut page);
        self.timeline(&mut page);
        if let Some(text) = profile::text(&self.profile, Style::default()) {
            page += &format!("<h2>Where the time went</h2>\n<pre>{}</pre>\n", escape(&text));
        }
        self.list(&mut page);
        page += "</body></html>\n";
        self.to.set_len(0)?;
        self.to.rewind()?;
        self.to.write_all(page.as_bytes())?;
        self.to.flush()
    }

    /// What failed, each with its last lines.
    fn failures(&self, culprits: &[Culprit], page: &mut String) {
        if !culprits.is_empty() {
            page.push_str("<h2>What failed</h2>\n");
        }
        for Culprit { owner, step, job, verdict, .. } in culprits {
            let (name, site) = match step {
                Some(step) => (words::step(step), step.site.to_string()),
                None => (owner.instance.to_string(), owner.site.to_string()),
            };
            let ending = escape(&words::ending(verdict, None));
            let (name, site) = (escape(&name), escape(&site));
            // Writing to a text does not fail.
            let _ = writeln!(
                page,
                "<p><b>{name}</b> <span class=\"bad\">{ending}</span> <span class=\"dim\">{site}</span></p>"
            );
            let Some(tail) = job.and_then(|job| self.tails.get(&job)) else { continue };
            let lines: Vec<String> =
                tail.lines().0.into_iter().map(|line| escape(&String::from_utf8_lossy(line))).collect();
            if !lines.is_empty() {
                let _ = writeln!(page, "<pre>{}</pre>", lines.join("\n"));
            }
        }
    }

    /// When each step ran, in the order of their beginnings; those on the critical path darker.
    fn timeline(&self, page: &mut String) {
        let wall = self.profile.wall.as_secs_f64();
        if self.profile.spans.is_empty() || wall <= 0.0 {
            return;
        }
        let mut shown: Vec<usize> = (0..self.profile.spans.len()).collect();
        shown.sort_by_key(|at| std::cmp::Reverse(self.profile.spans[*at].wall()));
        shown.truncate(BARS);
        shown.sort_by_key(|at| self.profile.spans[*at].start);
        let path: std::collections::HashSet<usize> = self.profile.path().places.into_iter().collect();
        page.push_str("<h2>When each step ran</h2>\n");
        for at in shown {
            let span: &Span = &self.profile.spans[at];
            let name = escape(&words::step(&span.step));
            let class = match (span.ok, path.contains(&at)) {
                (false, _) => "failed",
                (true, true) => "path",
                (true, false) => "",
            };
            let (left, width) = (100.0 * span.start.as_secs_f64() / wall, 100.0 * span.wall().as_secs_f64() / wall);
            let _ = writeln!(
                page,
                "<div class=\"row\"><span class=\"name\" title=\"{name}\">{name}</span><span class=\"track\">\
                 <i class=\"{class}\" style=\"left:{left:.3}%;width:{width:.3}%\" title=\"{}\"></i></span></div>",
                show(span.wall())
            );
        }
        let more = self.profile.spans.len().saturating_sub(BARS);
        if more > 0 {
            let _ = writeln!(page, "<p class=\"dim\">… and {}</p>", words::counted(more as u64, "shorter step"));
        }
    }

    /// What each task came to.
    fn list(&self, page: &mut String) {
        if self.tasks.is_empty() {
            return;
        }
        page.push_str("<h2>Tasks</h2>\n<table>\n");
        for (task, verdict, duration) in &self.tasks {
            let class = match verdict {
                Verdict::Ok => "ok",
                Verdict::Failed(_) | Verdict::TimedOut(_) | Verdict::Unreachable(_) => "bad",
                Verdict::Cancelled(_) | Verdict::Skipped(_) => "dim",
            };
            let (name, ending) = (escape(&task.instance), escape(&words::ending(verdict, None)));
            let _ = writeln!(
                page,
                "<tr><td>{name}</td><td class=\"{class}\">{ending}</td><td>{}</td></tr>",
                show(*duration)
            );
        }
        page.push_str("</table>\n");
        if self.more > 0 {
            let _ = writeln!(page, "<p class=\"dim\">… and {}</p>", words::counted(self.more, "other task"));
        }
    }
}

/// How many tasks ended how.
fn tally(counts: &Counts) -> String {
    let Counts { ok, failed, unknown, unreachable, cancelled, skipped, fresh } = *counts;
    let all = [
        (ok, "ok"),
        (fresh, "up to date"),
        (failed.saturating_sub(unknown), "failed"),
        (unknown, "of unknown end"),
        (unreachable, "unreachable"),
        (cancelled, "cancelled"),
        (skipped, "skipped"),
    ];
    let told: Vec<String> =
        all.into_iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    if told.is_empty() { "nothing ran".to_owned() } else { told.join(", ") }
}

/// As it stands in a page: letters of markup spelled out, colours and what else drives a terminal left away.
fn escape(text: &str) -> String {
    let (mut out, mut letters) = (String::with_capacity(text.len()), text.chars());
    while let Some(letter) = letters.next() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\x1b' => {
                if letters.next() == Some('[') {
                    letters.by_ref().find(|letter| ('@'..='~').contains(letter));
                }
            }
            '\n' | '\t' => out.push(letter),
            other if other.is_control() => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::event::{Message, Stream};
    use crate::report::scripts::{counts, exit, finished, output, run_finished, started};

    #[test]
    fn a_page_says_what_failed_and_holds_no_markup_of_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("page.html");
        let mut page = Page::new(File::create(&path).unwrap());
        let run = Event::RunStarted { run: "r".into(), requested: vec!["a".into()], jobs: None, tasks: 1, steps: 1 };
        let at = Duration::from_millis;
        page.event(at(0), &run).unwrap();
        page.event(at(1), &started(1, "a<script>")).unwrap();
        let Message::Output(said) = output(1, Stream::Stdout, "\x1b[31m<b>no</b>\x1b[0m & \x07\n") else { panic!() };
        page.output(&said);
        page.event(at(3), &finished(1, "a<script>", exit(3))).unwrap();
        page.event(at(4), &run_finished(&[(1, "a<script>", 3)], counts(0, 1, 0, 0))).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("<pre>&lt;b&gt;no&lt;/b&gt; &amp; \u{fffd}</pre>"), "{text}");
        assert!(text.contains("a&lt;script&gt;") && !text.contains("<script"), "{text}");
        assert!(text.contains("<span class=\"bad\">failed</span>") && text.contains("class=\"failed\""), "{text}");
        // The next run of a session has a page of its own.
        page.event(at(0), &run).unwrap();
        page.event(at(1), &run_finished(&[], counts(1, 0, 0, 0))).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("succeeded") && !text.contains("What failed") && text.ends_with("</html>\n"), "{text}");
    }
}
