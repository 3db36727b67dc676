//! Durations as people write and read them.

use std::time::Duration;

/// Reads `5s`, `1m 30s`, `250ms`, `2h`; a bare `0` is none at all.
///
/// # Errors
/// Says what is wrong, in the words of the `humantime` crate.
pub fn parse(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|why| why.to_string())
}

/// Writes a duration for a person, three significant digits at most: `3ms`, `1.24s`, `2m 05s`, `3h 07m`.
pub fn show(duration: Duration) -> String {
    let millis = duration.as_millis();
    let seconds = duration.as_secs();
    match millis {
        0..1_000 => format!("{millis}ms"),
        1_000..10_000 => format!("{:.2}s", duration.as_secs_f64()),
        10_000..60_000 => format!("{:.1}s", duration.as_secs_f64()),
        60_000..3_600_000 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_numbers() {
        assert_eq!(parse("1m 30s"), Ok(Duration::from_secs(90)));
        assert!(parse("5 apples").is_err());
        let shown = [0, 999, 1_234, 12_345, 125_000, 11_220_000].map(|ms| show(Duration::from_millis(ms)));
        assert_eq!(shown, ["0ms", "999ms", "1.23s", "12.3s", "2m 05s", "3h 07m"]);
    }
}
