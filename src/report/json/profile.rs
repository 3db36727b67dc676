//! The shape of the line that says where the time of a run went.

use serde::Serialize;

use crate::report::json::format::{Step, Used, Waits, What, seconds};
use crate::report::profile::{Course, Point, Profile, Span};

/// All of it; steps in the order in which they ended.
#[derive(Serialize)]
pub(super) struct ProfileLine<'a> {
    wall: f64,
    user: f64,
    system: f64,
    peak_memory: u64,
    slots: Option<u32>,
    utilisation: Option<f64>,
    steps: Vec<StepLine<'a>>,
    /// Places in `steps`, in the order of time.
    critical_path: Vec<usize>,
    idle: f64,
}

#[derive(Serialize)]
struct StepLine<'a> {
    #[serde(flatten)]
    step: Step<'a>,
    attempt: u32,
    ok: bool,
    start: f64,
    end: f64,
    waits: Waits,
    slots: u32,
    usage: Option<Used>,
    #[serde(skip_serializing_if = "Option::is_none")]
    course: Option<CourseLine>,
}

/// Where it was measured.
#[derive(Serialize)]
struct CourseLine {
    peak_cpu: f64,
    peak_memory: u64,
    peak_processes: u32,
    points: Vec<PointLine>,
}

#[derive(Serialize)]
struct PointLine {
    at: f64,
    cpu: f64,
    memory: u64,
}

impl CourseLine {
    fn of(course: &Course) -> Option<Self> {
        let point = |point: &Point| PointLine { at: seconds(point.at), cpu: point.cpus(), memory: point.memory };
        let points: Vec<PointLine> = course.points().iter().map(point).collect();
        let peak = course.peak();
        (!points.is_empty()).then_some(Self {
            peak_cpu: course.peak_cpus(),
            peak_memory: peak.memory,
            peak_processes: peak.processes,
            points,
        })
    }
}

impl<'a> StepLine<'a> {
    fn of(span: &'a Span) -> Self {
        Self {
            step: Step::from(&*span.step),
            attempt: span.attempt,
            ok: span.ok,
            start: seconds(span.start),
            end: seconds(span.end),
            waits: Waits::from(&span.waits),
            slots: span.slots,
            usage: span.usage.as_ref().map(Used::from),
            course: CourseLine::of(&span.course),
        }
    }
}

impl<'a> What<'a> {
    pub(super) fn profile(profile: &'a Profile) -> Self {
        let ([user, system], path) = (profile.cpu(), profile.path());
        What::Profile(ProfileLine {
            wall: seconds(profile.wall),
            user: seconds(user),
            system: seconds(system),
            peak_memory: profile.peak_memory(),
            slots: profile.slots,
            utilisation: profile.utilisation(),
            steps: profile.spans.iter().map(StepLine::of).collect(),
            critical_path: path.places,
            idle: seconds(path.idle),
        })
    }
}
