//! Names with ranges: `web[01-12].example.com` is twelve names. Pure.

/// The most names that one text may stand for.
pub const MOST_NAMES: usize = 10_000;

/// Why a text with brackets stands for no names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BadRange {
    /// A bracket without its other half.
    Unpaired,
    /// What stands between the brackets is no range.
    NoRange(String),
    /// Its end lies before its start.
    Backwards(String),
    /// More names than anyone has hosts.
    TooMany,
}

impl std::fmt::Display for BadRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BadRange::Unpaired => f.write_str("a bracket has no other half"),
            BadRange::NoRange(text) => write!(f, "`[{text}]` is no range such as `[1-3]` or `[01-12,20]`"),
            BadRange::Backwards(text) => write!(f, "the range `{text}` ends before it begins"),
            BadRange::TooMany => write!(f, "it stands for more than {MOST_NAMES} names"),
        }
    }
}

/// Whether a text has a range in it.
pub fn is_ranged(text: &str) -> bool {
    text.contains(['[', ']'])
}

/// The names that a text stands for, in order, the last range running fastest. A number that is written with zeros
/// before it is as wide in all names.
///
/// # Errors
/// A range that is none.
pub fn expand(text: &str) -> Result<Vec<String>, BadRange> {
    let mut names = vec![String::new()];
    let mut rest = text;
    while let Some((before, ranged)) = rest.split_once('[') {
        let (inner, after) = ranged.split_once(']').ok_or(BadRange::Unpaired)?;
        if before.contains(']') {
            return Err(BadRange::Unpaired);
        }
        let items = items(inner, MOST_NAMES / names.len())?;
        let joined = names.iter().flat_map(|name| items.iter().map(move |item| format!("{name}{before}{item}")));
        names = joined.collect();
        rest = after;
    }
    if rest.contains(']') {
        return Err(BadRange::Unpaired);
    }
    names.iter_mut().for_each(|name| name.push_str(rest));
    Ok(names)
}

/// What stands in one pair of brackets, at most so many.
fn items(inner: &str, most: usize) -> Result<Vec<String>, BadRange> {
    let no_range = || BadRange::NoRange(inner.to_owned());
    let mut items = Vec::new();
    for part in inner.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| match !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse::<u32>().map_err(|_| no_range()),
            false => Err(no_range()),
        };
        let (from, to) = (number(first)?, number(last)?);
        if from > to {
            return Err(BadRange::Backwards(part.to_owned()));
        }
        if (to - from) as usize >= most.saturating_sub(items.len()) {
            return Err(BadRange::TooMany);
        }
        let width = if first.starts_with('0') { first.len() } else { 0 };
        items.extend((from..=to).map(|number| format!("{number:0width$}")));
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_become_names() {
        for (text, names) in [
            ("web1", vec!["web1"]),
            ("web[08-10].x", vec!["web08.x", "web09.x", "web10.x"]),
            ("w[9-10]", vec!["w9", "w10"]),
            ("r[1-2]n[1,3]", vec!["r1n1", "r1n3", "r2n1", "r2n3"]),
        ] {
            assert_eq!(expand(text).unwrap(), names, "{text}");
        }
    }

    #[test]
    fn what_is_no_range_is_told() {
        for (text, why) in [
            ("a[1-3", BadRange::Unpaired),
            ("a]1[2]", BadRange::Unpaired),
            ("a[x]", BadRange::NoRange("x".to_owned())),
            ("a[]", BadRange::NoRange(String::new())),
            ("a[3-1]", BadRange::Backwards("3-1".to_owned())),
            ("a[0-9999999999]", BadRange::NoRange("0-9999999999".to_owned())),
            ("a[0-99999]", BadRange::TooMany),
            ("a[0-99][0-999]", BadRange::TooMany),
        ] {
            assert_eq!(expand(text), Err(why), "{text}");
        }
    }
}
