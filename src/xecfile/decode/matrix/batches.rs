//! `batches`: how many instances of a matrix begin at a time. Which these are is not known here.

use crate::base::diagnostic::{Code, Problem};
use crate::xecfile::cursor::{Cursor, Reader};
use crate::xecfile::decode::{details, unreachable_row, values};
use crate::xecfile::model::{Batches, Late};
use crate::xecfile::schema::{Places, Row};

/// `batches 1 "1/3" pause="5s" require="100%"`.
pub(super) fn batches<'a>(reader: &mut Reader<'a>, cursor: &mut Cursor<'a>, row: &'static Row) -> Option<Batches> {
    let span = cursor.head;
    let args = cursor.args(reader, row);
    let (mut pause, mut require) = (None, None);
    for (row, mut detail) in details(reader, cursor, Places::BATCHES) {
        if let Some(value) = detail.arg(reader, row) {
            match row.name {
                "pause" => pause = values::late_time(reader, row, &value),
                "require" => require = values::share(reader, row, &value),
                _ => unreachable_row(reader, &detail),
            }
        }
        detail.finish(reader);
    }
    let mut sizes = Vec::new();
    for value in &args? {
        let size = values::share(reader, row, value)?;
        if matches!(size.value, Late::Now(share) if share.is_nothing()) {
            let problem = Problem::error(Code::BadValue, "a batch of nothing would never be the last");
            reader.report(problem.at(value.span, "at least 1"));
        }
        sizes.push(size);
    }
    Some(Batches { sizes, pause, require, span })
}
