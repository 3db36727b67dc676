//! What a `copy` takes, and where it takes that to.

use std::sync::Arc;

use crate::base::source::Spanned;
use crate::base::value::{Part, Template};

/// The word for this machine where the name of a host may stand.
pub const HERE: &str = "local";

/// Files on their way.
#[derive(Clone, Debug)]
pub struct Copy {
    /// What is taken.
    pub from: End,
    /// What it is to be called there, or with a `/` at its end the directory that it goes into: one path.
    pub to: End,
}

/// One end of a copy.
#[derive(Clone, Debug)]
pub struct End {
    /// The host that it is on, in what a selector may be; `None` is here.
    pub host: Option<Spanned<Template>>,
    /// The paths there; never empty.
    pub paths: Vec<Spanned<Template>>,
}

impl Copy {
    /// The host whose step it is: the one that it goes to, or else the one that it comes from.
    pub fn place(&self) -> Option<&Spanned<Template>> {
        self.to.host.as_ref().or(self.from.host.as_ref())
    }

    /// All texts in it.
    pub fn texts(&self) -> impl Iterator<Item = &Spanned<Template>> {
        [&self.from, &self.to].into_iter().flat_map(|end| end.host.iter().chain(&end.paths))
    }
}

/// What the text of a path can hold so that it stands for the names that fit.
const SIGNS: [char; 3] = ['*', '?', '['];

/// Whether the text of a path stands for the names that fit; what a value in it holds is a name as it is.
pub fn is_pattern(text: &Template) -> bool {
    text.parts.iter().any(|part| matches!(part, Part::Text(text) if text.contains(SIGNS)))
}

impl End {
    /// Its paths as they are written, each with its host before it.
    pub fn spelled(&self) -> impl Iterator<Item = String> {
        let host = self.host.as_ref().map(|host| format!("{}:", host.value)).unwrap_or_default();
        self.paths.iter().map(move |path| match (&*host, path.value.parts.first()) {
            ("", Some(Part::Text(text))) if split(&path.value).is_some() && !text.starts_with(['.', '/']) => {
                format!("./{}", path.value)
            }
            _ => format!("{host}{}", path.value),
        })
    }
}

/// The host and the path of `host:path`: what stands before the first colon of the text itself, if no slash does. What
/// a value holds decides nothing.
pub fn split(text: &Template) -> Option<(Template, Template)> {
    for (at, part) in text.parts.iter().enumerate() {
        let Part::Text(piece) = part else { continue };
        let Some(sign) = piece.find([':', '/']) else { continue };
        if !piece[sign..].starts_with(':') {
            return None;
        }
        let own = |piece: &str| (!piece.is_empty()).then(|| Part::Text(piece.into()));
        let before = text.parts[..at].iter().cloned().chain(own(&piece[..sign])).collect();
        let after = own(&piece[sign + 1..]).into_iter().chain(text.parts[at + 1..].iter().cloned()).collect();
        return Some((whole(before), whole(after)));
    }
    None
}

/// A template has a piece at least.
fn whole(parts: Vec<Part>) -> Template {
    match parts.is_empty() {
        true => Template::plain(""),
        false => Template { parts: Arc::from(parts) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_colon_of_the_text_tells_the_host() {
        for (text, expected) in [
            ("web1:/srv/app", Some(("web1", "/srv/app"))),
            ("${host}:app/a:b", Some(("${host}", "app/a:b"))),
            ("web${n}:${dir}/x", Some(("web${n}", "${dir}/x"))),
            ("web1:", Some(("web1", ""))),
            (":x", Some(("", "x"))),
            ("./a:b", None),
            ("/a:b", None),
            ("${dir}/a:b", None),
            ("dist", None),
            ("${x:-a:b}", None),
        ] {
            let found = split(&Template::parse(text).unwrap());
            let found = found.map(|(host, path)| (host.to_string(), path.to_string()));
            assert_eq!(found, expected.map(|(host, path)| (host.to_owned(), path.to_owned())), "{text}");
        }
    }
}
