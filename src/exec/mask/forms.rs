//! The forms in which a secret may be written: as it is, by its lines, in base64, in an address, in JSON, quoted for a
//! shell. Pure.

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE, Engine};

/// What is shorter, in bytes, is no secret that could be covered, and no line of one.
pub const SHORTEST: usize = 4;

/// After so many characters programs that write base64 begin a new line.
const COLUMNS: [usize; 2] = [64, 76];

/// What else than letters, digits and `-_.~` is left as it is in an address: nothing, as by `encodeURIComponent`, as by
/// Python's `quote`.
const LEFT: [&[u8]; 3] = [b"", b"!'()*", b"/"];

/// All forms of a secret.
pub(super) fn of(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    let whole = secret.trim_ascii();
    let lines = whole.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::trim_ascii);
    let mut texts: Vec<&[u8]> = [secret, whole].into_iter().chain(lines).collect();
    texts.sort_unstable();
    texts.dedup();
    for text in texts.into_iter().filter(|text| text.len() >= SHORTEST) {
        forms.push(text.to_vec());
        in_base64(text, &mut forms);
        in_addresses(text, &mut forms);
        quoted(text, &mut forms);
    }
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

/// By itself, and as a part of something longer: a byte is 1⅓ characters, so it depends on what stands before it. Only
/// characters are taken that its neighbours have no part in.
fn in_base64(text: &[u8], forms: &mut Vec<Vec<u8>>) {
    for engine in [&BASE64_STANDARD, &BASE64_URL_SAFE] {
        let alone = engine.encode(text).into_bytes();
        for columns in COLUMNS {
            forms.extend(alone.chunks(columns).filter(|_| alone.len() > columns).map(<[u8]>::to_vec));
        }
        forms.push(alone);
        for before in 0..3 {
            let shifted = [&[0; 2][..before], text].concat();
            let (from, to) = ((before * 8).div_ceil(6), shifted.len() * 8 / 6);
            forms.push(engine.encode(&shifted).as_bytes()[from..to].to_vec());
        }
    }
}

fn in_addresses(text: &[u8], forms: &mut Vec<Vec<u8>>) {
    for left in LEFT {
        for (digits, blank) in [("0123456789ABCDEF", "%20"), ("0123456789abcdef", "%20"), ("0123456789ABCDEF", "+")] {
            let digits = digits.as_bytes();
            let mut form = Vec::with_capacity(text.len());
            for byte in text {
                match byte {
                    b'-' | b'_' | b'.' | b'~' => form.push(*byte),
                    _ if byte.is_ascii_alphanumeric() || left.contains(byte) => form.push(*byte),
                    b' ' => form.extend_from_slice(blank.as_bytes()),
                    _ => form.extend([b'%', digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]),
                }
            }
            forms.push(form);
        }
    }
}

/// Within a string of JSON, and as shells show it under `set -x`.
fn quoted(text: &[u8], forms: &mut Vec<Vec<u8>>) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let json = serde_json::Value::from(text).to_string();
    forms.push(json[1..json.len() - 1].into());
    for quote in [r"'\''", r#"'"'"'"#] {
        forms.push(text.replace('\'', quote).into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(forms: &[Vec<u8>], form: &str) -> bool {
        forms.iter().any(|known| known == form.as_bytes())
    }

    #[test]
    fn lines_that_are_long_enough() {
        let forms = of(b"  first line\r\n\n  abc\nlast\n");
        assert!(has(&forms, "first line") && has(&forms, "last") && !has(&forms, "abc"));
        assert!(has(&forms, "first line\r\n\n  abc\nlast"));
        assert!(forms.iter().all(|form| form.len() >= SHORTEST));
        assert!(of(b"abc").is_empty() && of(b" abc \n").iter().all(|form| form.len() >= SHORTEST));
    }

    #[test]
    fn base64_wherever_it_stands() {
        let secret = "s3cret/pass+word";
        let forms = of(secret.as_bytes());
        for around in ["", "a", "ab", "abc", "user:"] {
            for after in ["", "x", "xy"] {
                let whole = format!("{around}{secret}{after}");
                for text in [BASE64_STANDARD.encode(&whole), BASE64_URL_SAFE.encode(&whole)] {
                    let found = forms.iter().filter(|form| text.contains(std::str::from_utf8(form).unwrap()));
                    let longest = found.map(Vec::len).max().unwrap_or(0);
                    // All of it but the characters that it shares with its neighbours.
                    assert!(longest + 2 >= secret.len() * 8 / 6, "{whole}: {longest}");
                }
            }
        }
    }

    #[test]
    fn base64_in_lines() {
        let secret = "x1".repeat(100);
        let forms = of(secret.as_bytes());
        for columns in COLUMNS {
            let text = BASE64_STANDARD.encode(&secret);
            for line in text.as_bytes().chunks(columns) {
                assert!(forms.iter().any(|form| form == line), "{columns}");
            }
        }
    }

    #[test]
    fn addresses_json_and_shells() {
        let forms = of(b"it's a/b \"c\"\n\xc3\xa9?");
        for form in ["it%27s%20a%2Fb%20%22c%22", "it%27s%20a%2fb%20%22c%22", "it%27s+a%2Fb+%22c%22"] {
            assert!(has(&forms, form), "{form}");
        }
        for form in ["it's%20a%2Fb%20%22c%22", "it%27s%20a/b%20%22c%22", r#"it's a/b \"c\"\né?"#] {
            assert!(has(&forms, form), "{form}");
        }
        assert!(has(&forms, r#"it'\''s a/b "c""#) && has(&forms, r#"it'"'"'s a/b "c""#));
    }
}
