//! Text with `${…}` in it, and what it becomes. Never the text of a `run`, which nobody rewrites.
//! Knows no names: whoever expands a template brings them.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Text with holes, parsed once.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Template {
    /// Its pieces in order; plain text is one piece.
    pub parts: Arc<[Part]>,
}

/// A piece of a template.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Part {
    /// Text as it is.
    Text(Arc<str>),
    /// `${name}`, `${name:-default}`, `${env.HOME}`, `${name|filter}`.
    Hole {
        /// The name, dots and all.
        name: Arc<str>,
        /// What stands for it where it is not set or empty.
        default: Option<Arc<str>>,
        /// What is made of it, in this order.
        filters: Arc<[Filter]>,
    },
}

/// What `${name|filter}` makes of a value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Filter {
    /// As JSON.
    Json,
    /// A list as lines.
    Lines,
    /// The last component of a path.
    Name,
    /// The last component of a path without its extension.
    Stem,
    /// A path without its last component, `.` where nothing is left.
    Dir,
    /// The extension of a path, without the dot.
    Ext,
    /// How many a list holds.
    Len,
}

impl Filter {
    /// All of them, by the names they are written with.
    pub const ALL: [(&'static str, Filter); 7] = [
        ("json", Filter::Json),
        ("lines", Filter::Lines),
        ("name", Filter::Name),
        ("stem", Filter::Stem),
        ("dir", Filter::Dir),
        ("ext", Filter::Ext),
        ("len", Filter::Len),
    ];

    /// The filter of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, filter)| *filter)
    }

    /// What these make of a list: of each item by itself, until one makes a single text of them all.
    fn apply_all(filters: &[Filter], mut items: Vec<String>) -> String {
        for (at, filter) in filters.iter().enumerate() {
            let whole = match filter {
                Filter::Json => serde_json::Value::from(items).to_string(),
                Filter::Len => items.len().to_string(),
                Filter::Lines => items.join("\n"),
                Filter::Name | Filter::Stem | Filter::Dir | Filter::Ext => {
                    items = items.into_iter().map(|item| filter.apply(item)).collect();
                    continue;
                }
            };
            return filters[at + 1..].iter().fold(whole, |value, filter| filter.apply(value));
        }
        items.join("\n")
    }

    /// What it makes of one plain value, which is a list of one.
    fn apply(self, value: String) -> String {
        let path = Path::new(&value);
        let lossless = |part: Option<&std::ffi::OsStr>| part.and_then(|part| part.to_str()).unwrap_or("").to_owned();
        match self {
            Filter::Json => serde_json::Value::String(value).to_string(),
            Filter::Lines => value,
            Filter::Name => lossless(path.file_name()),
            Filter::Stem => lossless(path.file_stem()),
            Filter::Ext => lossless(path.extension()),
            Filter::Dir => match path.parent() {
                None => value,
                Some(dir) if dir.as_os_str().is_empty() => ".".to_owned(),
                Some(dir) => lossless(Some(dir.as_os_str())),
            },
            Filter::Len => "1".to_owned(),
        }
    }
}

/// Why a text is no template, and which of its bytes say so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadTemplate {
    /// The bytes.
    pub range: Range<usize>,
    /// What is wrong with them.
    pub why: String,
    /// The way out, where there is one to tell.
    pub help: Option<String>,
}

/// A hole that nothing fills.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownName {
    /// Its name.
    pub name: Arc<str>,
}

impl std::fmt::Display for UnknownName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`${{{}}}` has no value", self.name)
    }
}

impl std::error::Error for UnknownName {}

/// As it was written.
impl std::fmt::Display for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for part in self.parts.iter() {
            match part {
                Part::Text(text) => f.write_str(&text.replace("${", "$${"))?,
                Part::Hole { name, default, filters } => {
                    write!(f, "${{{name}")?;
                    for filter in filters.iter() {
                        let name = Filter::ALL.iter().find(|(_, known)| known == filter).map_or("", |(name, _)| *name);
                        write!(f, "|{name}")?;
                    }
                    if let Some(default) = default {
                        write!(f, ":-{default}")?;
                    }
                    f.write_str("}")?;
                }
            }
        }
        Ok(())
    }
}

impl Template {
    /// Text as it is, whatever it holds.
    pub fn plain(text: impl Into<Arc<str>>) -> Self {
        Self { parts: Arc::new([Part::Text(text.into())]) }
    }

    /// Reads a text with holes; `$${` stands for a literal `${`, every other `$` for itself.
    ///
    /// # Errors
    /// The first hole that cannot be read.
    pub fn parse(text: &str) -> Result<Self, BadTemplate> {
        if !text.contains("${") {
            return Ok(Self::plain(text));
        }
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut at = 0;
        while let Some(found) = text[at..].find("${").map(|offset| at + offset) {
            if found > at && text.as_bytes()[found - 1] == b'$' {
                literal.push_str(&text[at..found - 1]);
                literal.push_str("${");
                at = found + 2;
                continue;
            }
            literal.push_str(&text[at..found]);
            let Some(length) = text[found..].find('}') else {
                let why = "`${` is not closed".to_owned();
                let help = Some("close it with `}`, or write `$${` for the text `${`".to_owned());
                return Err(BadTemplate { range: found..text.len(), why, help });
            };
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal).into()));
            }
            parts.push(hole(&text[found + 2..found + length], found + 2)?);
            at = found + length + 1;
        }
        literal.push_str(&text[at..]);
        if !literal.is_empty() || parts.is_empty() {
            parts.push(Part::Text(literal.into()));
        }
        Ok(Self { parts: parts.into() })
    }

    /// The text of a template without holes.
    pub fn as_text(&self) -> Option<&Arc<str>> {
        match &*self.parts {
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The name of its hole, where the text is nothing else.
    pub fn bare_hole(&self) -> Option<&Arc<str>> {
        match &*self.parts {
            [Part::Hole { name, default: None, filters }] if filters.is_empty() => Some(name),
            _ => None,
        }
    }

    /// The names of its holes, in order.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Hole { name, .. } => Some(name),
        })
    }

    /// Fills the holes.
    ///
    /// # Errors
    /// The first hole that has neither a value nor a default.
    pub fn expand(&self, value: &dyn Fn(&str) -> Option<String>) -> Result<String, UnknownName> {
        self.expand_lists(value, &|_| None)
    }

    /// The same; `list` knows the items of those values that are lists, for the filters.
    ///
    /// # Errors
    /// The first hole that has neither a value nor a default.
    pub fn expand_lists(
        &self,
        value: &dyn Fn(&str) -> Option<String>,
        list: &dyn Fn(&str) -> Option<Vec<String>>,
    ) -> Result<String, UnknownName> {
        let mut out = String::new();
        for part in self.parts.iter() {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Hole { name, default, filters } => {
                    let items = if filters.is_empty() { None } else { list(name) };
                    if let Some(items) = items.filter(|items| default.is_none() || !items.is_empty()) {
                        out.push_str(&Filter::apply_all(filters, items));
                        continue;
                    }
                    let found = value(name).filter(|value| default.is_none() || !value.is_empty());
                    let filled = found.or_else(|| default.as_deref().map(str::to_owned));
                    let filled = filled.ok_or_else(|| UnknownName { name: name.clone() })?;
                    out.push_str(&filters.iter().fold(filled, |value, filter| filter.apply(value)));
                }
            }
        }
        Ok(out)
    }
}

/// Reads what stands between `${` and `}`, which begins at byte `start` of the whole text.
fn hole(inner: &str, start: usize) -> Result<Part, BadTemplate> {
    let bad = |range: Range<usize>, why: String, help: Option<String>| {
        Err(BadTemplate { range: start + range.start..start + range.end, why, help })
    };
    let (head, default) = match inner.split_once(":-") {
        Some((head, default)) => (head, Some(default)),
        None => (inner, None),
    };
    if let Some(nested) = default.and_then(|default| default.find("${")) {
        let why = "a default cannot hold another `${…}`".to_owned();
        return bad(head.len() + 2 + nested..inner.len(), why, None);
    }
    let mut words = head.split('|');
    let name = words.next().unwrap_or_default();
    if !is_hole_name(name) {
        let why = match name {
            "" => "`${}` names nothing".to_owned(),
            _ => format!("`{name}` is not the name of a value"),
        };
        let help = "write `${name}`, `${name:-default}`, `${env.NAME}` or `${name|filter}`; `$${` is the text `${`";
        let (why, help) = (why, Some(help.to_owned()));
        if name.is_empty() {
            return Err(BadTemplate { range: start - 2..start + inner.len() + 1, why, help });
        }
        return bad(0..name.len(), why, help);
    }
    let mut filters = Vec::new();
    let mut at = name.len() + 1;
    for word in words {
        let Some(filter) = Filter::named(word) else {
            let known = Filter::ALL.map(|(name, _)| name);
            let help = crate::base::name::did_you_mean(word, known)
                .unwrap_or_else(|| format!("the filters are {}", known.join(", ")));
            if word.is_empty() {
                return bad(at - 1..at, "`|` wants the name of a filter".to_owned(), Some(help));
            }
            return bad(at..at + word.len(), format!("there is no filter `{word}`"), Some(help));
        };
        filters.push(filter);
        at += word.len() + 1;
    }
    Ok(Part::Hole { name: name.into(), default: default.map(Into::into), filters: filters.into() })
}

/// Words of letters, digits, `_` and `-`, joined by dots.
fn is_hole_name(name: &str) -> bool {
    name.split('.').all(|word| {
        let mut bytes = word.bytes();
        bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(text: &str) -> Result<String, UnknownName> {
        let value = |name: &str| match name {
            "x" => Some("1".to_owned()),
            "empty" => Some(String::new()),
            "env.HOME" => Some("/home/me".to_owned()),
            "path" => Some("a b/c.tar.gz".to_owned()),
            _ => None,
        };
        Template::parse(text).expect("parses").expand(&value)
    }

    #[test]
    fn plain_text_is_one_piece() {
        for text in ["", "a b", "$x", "$", "$$", "{x}", "100%"] {
            assert_eq!(Template::parse(text).expect("parses").as_text().map(|text| &**text), Some(text));
        }
    }

    #[test]
    fn holes_are_filled() {
        for (text, expected) in [
            ("${x}", "1"),
            ("a${x}b${x}", "a1b1"),
            ("${env.HOME}/bin", "/home/me/bin"),
            ("${none:-d}", "d"),
            ("${none:-}", ""),
            ("${empty:-d}", "d"),
            ("${empty}", ""),
            ("${x:-a|b}", "1"),
            ("$${x}", "${x}"),
            ("$$${x}", "$${x}"),
            ("a$${b}${x}", "a${b}1"),
            ("${path|name}", "c.tar.gz"),
            ("${path|stem}.${path|ext}", "c.tar.gz"),
            ("${path|dir}", "a b"),
            ("${x|dir}", "."),
            ("${path|name|stem|json}", "\"c.tar\""),
        ] {
            assert_eq!(expand(text).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(expand("${nope}"), Err(UnknownName { name: "nope".into() }));
    }

    #[test]
    fn what_is_no_template_says_where() {
        for (text, expected) in [
            ("a${", 1..3),
            ("a${x", 1..4),
            ("${}", 0..3),
            ("${x y}", 2..5),
            ("${a}${1}", 6..7),
            ("${x|nam}", 4..7),
            ("${x|name|}", 8..9),
            ("${a:-${b}}", 5..8),
            ("${x:+y}", 2..6),
        ] {
            assert_eq!(Template::parse(text).expect_err(text).range, expected, "{text}");
        }
    }
}
