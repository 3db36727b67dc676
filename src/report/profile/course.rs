//! What a step used from one measure to the next. However long it runs, so many points say it: when there are too many,
//! neighbours become one.

use std::time::Duration;

use crate::base::command::Sample;

/// So many points at most.
const MOST: usize = 128;

/// From one measure to another.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Point {
    /// When it ends, since the step began.
    pub(crate) at: Duration,
    length: Duration,
    used: Duration,
    /// The most memory that was measured in it, in bytes.
    pub(crate) memory: u64,
}

impl Point {
    /// How many CPUs it kept busy.
    pub(crate) fn cpus(&self) -> f64 {
        if self.length.is_zero() { 0.0 } else { self.used.as_secs_f64() / self.length.as_secs_f64() }
    }

    /// This and the next.
    fn with(self, next: Point) -> Self {
        Self {
            at: next.at,
            length: self.length + next.length,
            used: self.used + next.used,
            memory: self.memory.max(next.memory),
        }
    }
}

/// What is known of a step that is measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Course {
    points: Vec<Point>,
    /// How many measures a point stands for, and how many of these the last one does (none: all of them).
    stride: u32,
    part: u32,
    cpu: Duration,
    peak: Sample,
}

impl Course {
    /// One more measure, so long after the step began.
    pub(crate) fn push(&mut self, at: Duration, sample: Sample) {
        let begun = self.points.last().map_or(Duration::ZERO, |point| point.at);
        let used = sample.cpu.saturating_sub(self.cpu);
        // What ended out of sight is gone from the sum, and does not come back.
        self.cpu = sample.cpu;
        let point = Point { at, length: at.saturating_sub(begun), used, memory: sample.memory };
        self.peak.cpu = self.peak.cpu.max(sample.cpu);
        self.peak.memory = self.peak.memory.max(sample.memory);
        self.peak.processes = self.peak.processes.max(sample.processes);
        match self.points.last_mut().filter(|_| self.part > 0) {
            Some(last) => *last = last.with(point),
            None => self.points.push(point),
        }
        self.part = (self.part + 1) % self.stride.max(1);
        if self.points.len() == MOST && self.part == 0 {
            let pairs = self.points.chunks(2);
            self.points = pairs.map(|pair| pair.iter().copied().reduce(Point::with).unwrap_or_default()).collect();
            self.stride = self.stride.max(1) * 2;
        }
    }

    /// Each of the same number of measures, but for the last.
    pub(crate) fn points(&self) -> &[Point] {
        &self.points
    }

    /// The most of each that was measured at once.
    pub(crate) fn peak(&self) -> Sample {
        self.peak
    }

    /// The most CPUs that were busy from one point to the next.
    pub(crate) fn peak_cpus(&self) -> f64 {
        self.points.iter().map(Point::cpus).fold(0.0, f64::max)
    }

    /// A line of so many letters at most, each as high as its part of the course is against the highest.
    pub(crate) fn line(&self, width: usize, of: impl Fn(&Point) -> f64) -> String {
        let columns = self.points.len().min(width.max(1));
        let column = |at: usize| &self.points[at * self.points.len() / columns..(at + 1) * self.points.len() / columns];
        let heights: Vec<f64> = (0..columns).map(|at| column(at).iter().map(&of).fold(0.0, f64::max)).collect();
        let highest = heights.iter().copied().fold(0.0, f64::max);
        let letter = |height: f64| match highest > 0.0 {
            true => LETTERS[((height / highest * 8.0).ceil() as usize).clamp(1, 8) - 1],
            false => LETTERS[0],
        };
        heights.into_iter().map(letter).collect()
    }
}

const LETTERS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

#[cfg(test)]
mod tests {
    use super::*;

    fn course(cpu: &[u64]) -> Course {
        let (mut course, mut all) = (Course::default(), 0);
        for (at, used) in cpu.iter().enumerate() {
            all += used;
            let sample = Sample { cpu: Duration::from_millis(all), memory: *used, processes: 1 };
            course.push(Duration::from_millis(100 * (at as u64 + 1)), sample);
        }
        course
    }

    #[test]
    fn a_course_is_drawn_against_its_highest() {
        let course = course(&[0, 100, 200, 400]);
        assert_eq!(course.line(24, Point::cpus), "▁▂▄█");
        assert_eq!(course.line(2, |point| point.memory as f64), "▂█", "the highest of each two");
        assert!((course.peak_cpus() - 4.0).abs() < 1e-9, "{}", course.peak_cpus());
        assert_eq!(Course::default().line(24, Point::cpus), "");
    }

    #[test]
    fn however_long_it_is_there_are_not_too_many_points() {
        let course = course(&[50; 10_000]);
        assert!((64..128).contains(&course.points().len()), "{}", course.points().len());
        assert!(course.points().iter().all(|point| (point.cpus() - 0.5).abs() < 1e-9), "no time is lost");
        assert_eq!(course.points().last().unwrap().at, Duration::from_secs(1000));
        assert_eq!(course.peak().memory, 50);
    }
}
