//! The characters of KDL 2, and how a text is written as a KDL string.

/// Bytes of the line break that `text` begins with; 0 if there is none.
pub(super) fn newline_len(text: &str) -> usize {
    match text.as_bytes() {
        [b'\r', b'\n', ..] => 2,
        [b'\n' | b'\r' | 0x0b | 0x0c, ..] => 1,
        [0xc2, 0x85, ..] => 2,
        [0xe2, 0x80, 0xa8 | 0xa9, ..] => 3,
        _ => 0,
    }
}

/// Spaces within a line.
pub(crate) fn is_space(c: char) -> bool {
    matches!(c, '\t' | ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
}

/// Characters that may stand nowhere in a KDL document (a byte order mark only at its very beginning).
pub(crate) fn is_forbidden(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{e}'..='\u{1f}' | '\u{7f}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Whether a bare word may hold it, line breaks aside.
pub(super) fn is_word_char(c: char) -> bool {
    !is_space(c)
        && !matches!(c, '\\' | '/' | '(' | ')' | '{' | '}' | '[' | ']' | ';' | '"' | '#' | '=')
        && !matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Whether a bare word begins as a number does, and so must be one.
pub(super) fn is_like_number(word: &str) -> bool {
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    let digits = unsigned.strip_prefix('.').unwrap_or(unsigned);
    digits.starts_with(|c: char| c.is_ascii_digit())
}

/// Whether a bare word that begins as a number does is one that the parser can hold.
pub(super) fn is_number(word: &str) -> bool {
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    let radix = |digits: &str, fits: usize, is_digit: fn(char) -> bool| {
        digits.starts_with(is_digit) && digits.chars().all(|c| c == '_' || is_digit(c)) && digits.len() <= fits
    };
    if let Some(hex) = unsigned.strip_prefix("0x") {
        return radix(hex, 31, |c| c.is_ascii_hexdigit());
    }
    if let Some(octal) = unsigned.strip_prefix("0o") {
        return radix(octal, 42, |c| matches!(c, '0'..='7'));
    }
    if let Some(binary) = unsigned.strip_prefix("0b") {
        return radix(binary, 126, |c| matches!(c, '0' | '1'));
    }
    let decimal = |digits: &str| radix(digits, 38, |c| c.is_ascii_digit());
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    decimal(whole) && fraction.is_none_or(decimal) && exponent.is_none_or(decimal)
}

/// Writes a text of one line as a KDL string: quoted, or raw where quotes or backslashes are in it.
pub(crate) fn quote(text: &str) -> String {
    if text.contains(|c: char| c.is_control()) {
        return format!("{text:?}");
    }
    if !text.contains(['"', '\\']) {
        return format!("\"{text}\"");
    }
    let mut longest = 0;
    for (at, _) in text.match_indices("\"#") {
        longest = longest.max(text[at + 1..].bytes().take_while(|byte| *byte == b'#').count());
    }
    let hashes = "#".repeat(longest + 1);
    // KDL would read `#"""#` as the beginning of a text of many lines.
    match text.starts_with("\"\"") || text == "\"" {
        true => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        false => format!("{hashes}\"{text}\"{hashes}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_words() {
        for word in ["0", "0755", "-1", "+1.5", "3.10", "1e9", "1.5E-3", "0xff", "-0o7", "0b1_0", "1_000"] {
            assert!(is_like_number(word) && is_number(word), "{word}");
        }
        for word in ["5s", "50%", "1.2.3", "8080:80", "1.", "1..8", ".5", "-.5", "0x", "0xg", "1e", "9x", "0b2"] {
            assert!(is_like_number(word) && !is_number(word), "{word}");
        }
        assert!(!is_number(&"1".repeat(39)));
        for word in ["-", "--x", "a1", ".", "..", "-a", "+.a", "_1"] {
            assert!(!is_like_number(word), "{word}");
        }
    }

    #[test]
    fn quoting_gives_the_text_back() {
        for text in ["", "a b", "say \"hi\"", "back\\slash", "\"", "\"\"x", "a\"#b", "a\"##b\"#", "\t\u{1b}"] {
            let node = format!("x {}", quote(text));
            let document: kdl::KdlDocument = node.parse().unwrap_or_else(|why| panic!("{node}: {why}"));
            let value = document.nodes()[0].get(0).expect("one value").as_string().expect("a string");
            assert_eq!(value, text, "{node}");
        }
    }
}
