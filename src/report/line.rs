//! What is looked at as one line of JSON. Knows nothing of what that is.

use serde::Serialize;

/// A value of the report's own types, all of which can be written.
pub(super) fn line(value: &impl Serialize) -> String {
    let mut line = serde_json::to_string(value).expect("strings, numbers and lists are always JSON");
    line.push('\n');
    line
}
