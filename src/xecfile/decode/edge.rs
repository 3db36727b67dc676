//! How one task names another: which one, with what, and what comes back.

use crate::base::diagnostic::{Code, Problem};
use crate::xecfile::cursor::{Cursor, Reader};
use crate::xecfile::decode::{details, row_of, values};
use crate::xecfile::model::{Binding, Reference, Take};
use crate::xecfile::schema::{Places, Row};

/// `needs a b`, `needs a os=linux { take files }`, `after a`.
pub(super) fn edges<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &'static Row, out: &mut Vec<Reference>) {
    let args = cursor.args(reader, row).unwrap_or_default();
    let head = cursor.head;
    let bindings = bindings(reader, &mut cursor);
    let mut takes = Vec::new();
    for node in cursor.take_block().unwrap_or_default() {
        let child = Cursor::new(reader, node);
        let Some(found) = row_of(reader, &child, Places::EDGE) else { continue };
        if row.name == "after" {
            let problem = Problem::error(Code::UnknownNode, "nothing can be taken from `after`, which is order only");
            reader.report(problem.at(child.name_span, "").help("write `needs` to have its values"));
            continue;
        }
        take(reader, child, found, &mut takes);
    }
    cursor.finish(reader);
    if args.len() > 1 && !(bindings.is_empty() && takes.is_empty()) {
        let message = format!("values go to, and come from, one task; `{}` names {}", row.name, args.len());
        let help = format!("write a line for each: {} {} …", row.name, args[0].repr);
        reader.report(Problem::error(Code::ExtraValue, message).at(head, "").help(help));
        return;
    }
    for value in &args {
        let task = values::task(reader, value);
        let (bindings, takes) = (bindings.clone(), takes.clone());
        out.extend(task.map(|task| Reference { task, bindings, takes }));
    }
}

/// The properties of a node that binds, none of which is a setting.
pub(super) fn bindings<'a>(reader: &mut Reader<'a>, cursor: &mut Cursor<'a>) -> Vec<Binding> {
    let mut out = Vec::new();
    for mut property in cursor.take_props() {
        let Some(value) = property.take_args().into_iter().next() else { continue };
        let name = values::name_at(reader, property.name, property.name_span, "an input");
        let value = match value.kind {
            // A flag takes `#true` as well as `true`.
            crate::xecfile::cursor::ValueKind::Bool(set) => {
                let text = if set { "true" } else { "" };
                Some(crate::base::source::Spanned::new(crate::base::value::Template::plain(text), value.span))
            }
            _ => values::template(reader, &value),
        };
        out.extend(name.zip(value).map(|(name, value)| Binding { name, value }));
    }
    out
}

/// `take a b`, `take a as=c`.
pub(super) fn take<'a>(reader: &mut Reader<'a>, mut cursor: Cursor<'a>, row: &'static Row, out: &mut Vec<Take>) {
    let args = cursor.args(reader, row).unwrap_or_default();
    let (mut here, mut default) = (None, None);
    for (row, mut detail) in details(reader, &mut cursor, Places::TAKE) {
        if let Some(value) = detail.arg(reader, row) {
            match row.name {
                "default" => default = values::template(reader, &value),
                _ => here = values::name(reader, &value, "a value"),
            }
        }
        if args.len() > 1 && row.name == "as" {
            let message = format!("one name cannot be for {} values", args.len());
            let help = format!("write a line for each: take {} as=…", args[0].repr);
            reader.report(Problem::error(Code::ExtraValue, message).at(detail.head, "").help(help));
        }
        detail.finish(reader);
    }
    cursor.finish(reader);
    for value in &args {
        if let Some(name) = values::name(reader, value, "a value") {
            let here = here.clone().unwrap_or_else(|| name.clone());
            out.push(Take { name, here, default: default.clone() });
        }
    }
}
