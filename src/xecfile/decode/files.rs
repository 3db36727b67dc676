//! `inputs`, `outputs`, `cache` and `watch`: the files that decide, and what is kept.

use std::sync::Arc;

use crate::base::source::Spanned;
use crate::xecfile::cursor::{Cursor, Reader};
use crate::xecfile::decode::{Once, condition, details, row_of, values};
use crate::xecfile::model::{Cache, Files, Watch};
use crate::xecfile::schema::{Places, Row};

/// Reads `inputs` or `outputs`; several lines add up.
pub(super) fn patterns<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &'static Row, files: &mut Files) {
    for value in cursor.args(reader, row).unwrap_or_default() {
        let found = values::template(reader, &value);
        match row.name {
            "inputs" => files.inputs.extend(found),
            _ => files.outputs.extend(found),
        }
    }
    if row.name == "inputs" {
        for (row, mut detail) in details(reader, &mut cursor, Places::INPUTS) {
            if let Some(value) = detail.arg(reader, row) {
                files.gitignore &= values::boolean(reader, row, &value).is_none_or(|set| set.value);
            }
            detail.finish(reader);
        }
    }
    cursor.finish(reader);
}

/// Reads `cache`.
pub(super) fn cache<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &'static Row) -> Cache {
    let mut cache = Cache { ttl: None, key: None, conditions: Arc::default(), span: cursor.head };
    let mut conditions = Vec::new();
    cursor.args(reader, row);
    let mut once = Once::default();
    for mut child in cursor.take_children(reader) {
        let Some(row) = row_of(reader, &child, Places::CACHE) else { continue };
        if matches!(row.name, "when" | "unless") {
            conditions.extend(condition::condition(reader, child, row));
            continue;
        }
        if !once.check(reader, row.name, &child) {
            continue;
        }
        if let Some(value) = child.arg(reader, row) {
            match row.name {
                "ttl" => cache.ttl = values::late_time(reader, row, &value),
                _ => cache.key = values::template(reader, &value),
            }
        }
        child.finish(reader);
    }
    cursor.finish(reader);
    cache.conditions = conditions.into();
    cache
}

/// Reads `watch`.
pub(super) fn watch<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &'static Row) -> Watch {
    let mut watch = Watch { patterns: Vec::new(), debounce: None, on_busy: None, span: cursor.head };
    for value in cursor.args(reader, row).unwrap_or_default() {
        let text = values::text(reader, &value);
        watch.patterns.extend(text.map(|text| Spanned::new(Arc::from(text), value.span)));
    }
    for (row, mut detail) in details(reader, &mut cursor, Places::WATCH) {
        if let Some(value) = detail.arg(reader, row) {
            match row.name {
                "debounce" => watch.debounce = values::time(reader, row, &value).map(|time| time.value),
                _ => watch.on_busy = values::choice(reader, row, &value).map(|mode| mode.value),
            }
        }
        detail.finish(reader);
    }
    cursor.finish(reader);
    watch
}
