//! Which hosts a plan means, and what can be said of them before anything runs.

use crate::base::diagnostic::{Code, Problem};
use crate::base::selector::Selector;
use crate::base::source::Spanned;
use crate::base::value::Template;
use crate::plan::values::{Value, Values};
use crate::xecfile::model::{Host, select};

/// The places of the hosts that a selector means, once its values are known.
///
/// # Errors
/// They are not, or the selector means none.
pub fn meant(text: &Spanned<Template>, own: Values<'_>) -> Result<Vec<usize>, Box<Problem>> {
    // Several values are several selectors: any of them.
    let written = own.must(text, "where something runs")?.items().join(",");
    let selector = Selector::parse(&written).map_err(|bad| {
        let message = format!("`{written}` selects no hosts: {}", bad.why);
        Box::new(Problem::error(Code::BadValue, message).at(text.span, ""))
    })?;
    select(own.file.hosts(), &selector, &written)
        .map_err(|none| Box::new(Problem::error(Code::UnknownHost, none.message).at(text.span, "").help(none.help)))
}

/// `${host.address}`, `${host.tags}`.
pub fn part(host: &Host, name: &str) -> Option<Value> {
    match name {
        "address" => Some(Value::Text(host.address.clone().unwrap_or_else(|| host.name.value.clone()))),
        "tags" => Some(Value::List(host.tags.to_vec().into())),
        _ => None,
    }
}
