//! Which values a script names: those alone are exported to it. Knows no tasks.

use std::collections::HashSet;
use std::sync::Arc;

use crate::base::name::is_sh_like;
use crate::base::value::Template;

/// The words of a script for `sh` that may be values, or are one of these secrets.
pub fn names_in_sh(script: &str, secrets: &[Arc<str>]) -> Vec<Arc<str>> {
    names_in(script, &[Template::plain("sh")], secrets)
}

/// The words of a script that may be values: for a shell of the Bourne family after `$` or `${` and anywhere in
/// `$((…))`, any word for another interpreter, which may read its environment in ways of its own.
/// Values begin with a small letter; secrets are called as they like.
pub(super) fn names_in(script: &str, shell: &[Template], secrets: &[Arc<str>]) -> Vec<Arc<str>> {
    let bourne = shell.first().and_then(Template::as_text).is_some_and(|program| is_sh_like(program));
    let is_word = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
    let bytes = script.as_bytes();
    let mut seen = HashSet::new();
    let mut names: Vec<Arc<str>> = Vec::new();
    // Parentheses that are open from `$((` on.
    let mut open = 0_usize;
    let mut at = 0;
    while at < bytes.len() {
        let behind = |back: usize, byte: u8| at >= back && bytes[at - back] == byte;
        let length = bytes[at..].iter().take_while(|byte| is_word(**byte)).count();
        if length == 0 {
            open = match bytes[at] {
                b'(' if open > 0 => open + 1,
                b'(' if behind(1, b'(') && behind(2, b'$') => 2,
                b')' => open.saturating_sub(1),
                _ => open,
            };
            at += 1;
            continue;
        }
        // `${#name}` and `${!name}` name it too.
        let braced = behind(1, b'{') && behind(2, b'$')
            || (behind(1, b'#') || behind(1, b'!')) && behind(2, b'{') && behind(3, b'$');
        let named = !bourne || behind(1, b'$') || braced || open > 0;
        let word = &script[at..at + length];
        let known = bytes[at].is_ascii_lowercase() || secrets.iter().any(|secret| **secret == *word);
        if named && known && seen.insert(word) {
            names.push(word.into());
        }
        at += length;
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_names_without_a_dollar() {
        let names = |script: &str| names_in_sh(script, &[]).iter().map(|name| name.to_string()).collect::<Vec<_>>();
        assert_eq!(names("echo $((i*10)) no"), ["i"]);
        assert_eq!(names("echo $(( (a + $b) * 0x1f % c )) $(no) $((d)) no (no)"), ["a", "b", "c", "d"]);
        assert!(names("((no)) ( (no) ) $(no) $(").is_empty());
    }

    #[test]
    fn a_script_names_what_it_expands() {
        let sh = [Template::plain("/bin/sh")];
        let names = |script: &str| {
            names_in(script, &sh, &["S_1".into()]).iter().map(|name| name.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names(r#"echo "$a" ${b:-x} ${#c} $HOME $1 d '$e'"#), ["a", "b", "c", "e"]);
        assert_eq!(names("py$py tox"), ["py"]);
        assert_eq!(names("S_1 $S_2 ${S_1:-} $S_1"), ["S_1"]);
        let python = names_in("os.environ['version']", &[Template::plain("python3")], &[]);
        assert!(python.iter().any(|name| &**name == "version"));
    }
}
