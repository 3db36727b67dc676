//! Which words can be handed to a program as the name of a host, its address or a user: none that would be an option,
//! and none that holds what a shell (of a `ProxyCommand`, say) would take for its own. Pure.

/// What a word shall be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// The name of a host, or a tag.
    Name,
    /// Where a host is: an address may be written in brackets.
    Address,
    /// Whom to log in as.
    User,
}

impl Part {
    /// For people.
    pub fn describe(self) -> &'static str {
        match self {
            Part::Name => "the name of a host",
            Part::Address => "the address of a host",
            Part::User => "the name of a user",
        }
    }

    /// What it may hold beside letters and digits.
    fn allowed(self) -> &'static str {
        match self {
            Part::Name => "._-:%+",
            Part::Address => "._-:%[]+",
            Part::User => "._-+@%#\\",
        }
    }
}

/// Why a word cannot be that, to follow a colon.
pub fn trouble(part: Part, word: &str) -> Option<String> {
    let fits = |character: char| character.is_alphanumeric() || part.allowed().contains(character);
    match word.chars().find(|character| !fits(*character)) {
        _ if word.is_empty() => Some("it is empty".to_owned()),
        _ if word.starts_with('-') => Some("it would be an option".to_owned()),
        Some(character) => Some(format!("it holds `{}`", character.escape_debug())),
        None => None,
    }
}
