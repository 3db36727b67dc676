//! What `--tune` found: how much got done at each width, and which one is best. Pure; knows nothing of runs.

use std::time::Duration;

use crate::base::duration::show;

/// What was measured at one width.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Taken {
    /// So many at once.
    pub width: u32,
    /// For each time: how many were done, and how long that took.
    pub runs: Vec<(u64, Duration)>,
}

impl Taken {
    /// How many a second, from the slowest time to the fastest.
    fn rates(&self) -> Vec<f64> {
        let mut rates: Vec<f64> =
            self.runs.iter().map(|(count, time)| *count as f64 / time.as_secs_f64().max(1e-6)).collect();
        rates.sort_by(f64::total_cmp);
        rates
    }

    /// The middle one of its times.
    fn time(&self) -> Duration {
        let mut times: Vec<Duration> = self.runs.iter().map(|(_, time)| *time).collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or_default()
    }
}

/// The lowest, the middle and the highest.
fn spread(rates: &[f64]) -> [f64; 3] {
    match rates {
        [] => [0.0; 3],
        [first, .., last] => [*first, rates[rates.len() / 2], *last],
        [only] => [*only; 3],
    }
}

/// Three digits that say something.
fn number(rate: f64) -> String {
    match rate {
        100.0.. => format!("{rate:.0}"),
        10.0..100.0 => format!("{rate:.1}"),
        _ => format!("{rate:.2}"),
    }
}

/// A table with a line for each width, and what follows from it.
pub fn text(taken: &[Taken]) -> String {
    let mut rows = vec![["width", "per second", "from", "to", "time"].map(str::to_owned)];
    for one in taken {
        let [low, middle, high] = spread(&one.rates());
        rows.push([one.width.to_string(), number(middle), number(low), number(high), show(one.time())]);
    }
    let wide = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(wide).collect();
    let mut out = String::new();
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
        out += &format!("{}\n", cells.join("  "));
    }
    out + &verdict(taken)
}

/// The width with the highest middle, by how much it is better than the first, and who is as good for all that is known.
fn verdict(taken: &[Taken]) -> String {
    let known = || taken.iter().map(|one| (one.width, spread(&one.rates())));
    let Some((best, [low, middle, _])) = known().max_by(|a, b| a.1[1].total_cmp(&b.1[1]).then(b.0.cmp(&a.0))) else {
        return String::new();
    };
    let mut out = format!("best: {best}");
    if let Some((width, [_, other, _])) =
        known().find(|(width, _)| *width != best).filter(|(_, [_, other, _])| *other > 0.0)
    {
        out += &format!(", {:.2} times as much as with {width}", middle / other);
    }
    let same: Vec<String> = known()
        .filter(|(width, [_, _, high])| *width != best && *high >= low)
        .map(|(width, _)| width.to_string())
        .collect();
    if !same.is_empty() {
        out += &format!("; {} may be as good: what was measured overlaps", same.join(", "));
    }
    out + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(width: u32, millis: [u64; 3]) -> Taken {
        Taken { width, runs: millis.map(|millis| (10, Duration::from_millis(millis))).to_vec() }
    }

    #[test]
    fn the_best_is_named_with_its_lead() {
        let all = [
            taken(1, [1000, 1100, 900]),
            taken(2, [500, 520, 510]),
            taken(4, [250, 300, 260]),
            taken(8, [270, 290, 400]),
        ];
        let expected = "\
width  per second  from    to   time
    1        10.0  9.09  11.1  1.00s
    2        19.6  19.2  20.0  510ms
    4        38.5  33.3  40.0  260ms
    8        34.5  25.0  37.0  290ms
best: 4, 3.85 times as much as with 1; 8 may be as good: what was measured overlaps
";
        assert_eq!(text(&all), expected);
    }

    #[test]
    fn one_width_is_the_best_of_one_and_of_two_alike_the_smaller() {
        assert!(text(&[taken(3, [100, 100, 100])]).ends_with("best: 3\n"));
        let same = text(&[taken(1, [100, 100, 100]), taken(2, [100, 100, 100])]);
        assert!(
            same.ends_with("best: 1, 1.00 times as much as with 2; 2 may be as good: what was measured overlaps\n"),
            "{same}"
        );
    }
}
