//! From axes to combinations: which instances a task with a matrix has, and which of them a selector means.

use std::path::Path;
use std::sync::Arc;

use crate::base::diagnostic::{Code, Problem};
use crate::base::source::Spanned;
use crate::base::value::Template;
use crate::plan::hosts;
use crate::plan::inputs::quoted;
use crate::plan::values::{Value, Values, nearest};
use crate::xecfile::model::{AxisSource, Binding, Matrix};

/// One combination: a value for each axis, in the order of the axes.
pub type Row = Arc<[(Arc<str>, Arc<str>)]>;

/// What a selector or a binding asks of combinations: each of these axes has one of these values.
pub type Filter = Vec<(Arc<str>, Vec<Arc<str>>)>;

/// The most combinations that one matrix may have.
const MAX_ROWS: usize = 1_000_000;

/// All combinations: the product of the axes, the last one running fastest, without what is excluded, and with
/// what is added. `dir` is where globs look. A late axis is left out; where it is the only one, there is one
/// combination, of nothing.
///
/// # Errors
/// An axis without values, a combination that is not one, or no combination at all.
pub fn rows(matrix: &Matrix, task: &str, dir: &Path, own: Values<'_>) -> Result<Vec<Row>, Box<Problem>> {
    let mut axes: Vec<(Arc<str>, Vec<Arc<str>>)> = Vec::new();
    for axis in &matrix.axes {
        let Some(values) = values(&axis.source, dir, own)? else { continue };
        if values.is_empty() && own.world.lenient && matches!(axis.source, AxisSource::Glob(_)) {
            return Ok(Vec::new());
        }
        if values.is_empty() && !matrix.may_be_empty {
            let message = format!("the axis `{}` of `{task}` has no values", axis.name.value);
            let help = "give it values, or say `empty=ok` on the matrix where none is fine";
            return Err(Box::new(Problem::error(Code::EmptyMatrix, message).at(axis.span, "none here").help(help)));
        }
        axes.push((axis.name.value.clone(), values));
    }
    let total = axes.iter().try_fold(1usize, |product, (_, values)| product.checked_mul(values.len()));
    if total.is_none_or(|total| total > MAX_ROWS) {
        let sizes: Vec<String> = axes.iter().map(|(name, values)| format!("{} {name}", values.len())).collect();
        let message = format!("the matrix of `{task}` has more than {MAX_ROWS} combinations: {}", sizes.join(" × "));
        let help = "an instance is for what has a name of its own: let each do more of the work";
        return Err(Box::new(Problem::error(Code::PlanTooLarge, message).at(matrix.span, "of these axes").help(help)));
    }
    let exclude = filters(&matrix.exclude, &axes, own)?;
    let mut rows: Vec<Row> = product(&axes);
    if axes.is_empty() && matrix.late().is_some() {
        rows.push(Arc::from([]));
    }
    rows.retain(|row| !exclude.iter().any(|filter| matches(row, filter)));
    for added in &matrix.include {
        rows.push(complete(added, &axes, own)?);
    }
    if rows.is_empty() && !matrix.may_be_empty {
        let message = format!("the matrix of `{task}` has no combination left");
        let help = "take an `exclude` out, or say `empty=ok` where none is fine";
        return Err(Box::new(Problem::error(Code::EmptyMatrix, message).at(matrix.span, "").help(help)));
    }
    Ok(rows)
}

fn product(axes: &[(Arc<str>, Vec<Arc<str>>)]) -> Vec<Row> {
    let total: usize = axes.iter().map(|(_, values)| values.len()).product();
    if axes.is_empty() {
        return Vec::new();
    }
    (0..total)
        .map(|mut number| {
            let mut row: Vec<(Arc<str>, Arc<str>)> = Vec::with_capacity(axes.len());
            for (name, values) in axes.iter().rev() {
                row.push((name.clone(), values[number % values.len()].clone()));
                number /= values.len();
            }
            row.reverse();
            row.into()
        })
        .collect()
}

/// The values of an axis; `None` where they come late.
fn values(source: &AxisSource, dir: &Path, own: Values<'_>) -> Result<Option<Vec<Arc<str>>>, Box<Problem>> {
    match source {
        AxisSource::Values(texts) => {
            let mut values = Vec::new();
            for text in texts {
                values.extend(own.must(text, "an axis")?.items());
            }
            Ok(Some(values))
        }
        AxisSource::Glob(text) => {
            let pattern = own.must(text, "a glob")?.flat();
            let found = (own.world.glob)(dir, &pattern).map_err(|why| {
                Box::new(Problem::error(Code::BadValue, format!("the glob `{pattern}`: {why}")).at(text.span, ""))
            })?;
            Ok(Some(found.into_iter().map(Arc::from).collect()))
        }
        AxisSource::Range(text) => range(&own.must(text, "a range")?.flat(), text).map(Some),
        AxisSource::Hosts(text) | AxisSource::On(text) => {
            let found = hosts::meant(text, own)?;
            Ok(Some(found.into_iter().map(|at| own.file.hosts()[at].name.value.clone()).collect()))
        }
        AxisSource::From(_) => Ok(None),
    }
}

fn range(written: &str, text: &Spanned<Template>) -> Result<Vec<Arc<str>>, Box<Problem>> {
    let ends =
        written.split_once("..").and_then(|(from, to)| Some((from.parse::<i64>().ok()?, to.parse::<i64>().ok()?)));
    match ends {
        Some((from, to)) if from <= to && to.abs_diff(from) < MAX_ROWS as u64 => {
            Ok((from..=to).map(|number| number.to_string().into()).collect())
        }
        Some((from, to)) if from > to => Ok(Vec::new()),
        _ => Err(Box::new(
            Problem::error(Code::BadValue, format!("`{written}` is no range"))
                .at(text.span, "")
                .help("write both ends, which are included: range=\"1..8\""),
        )),
    }
}

fn filters(
    written: &[Vec<Binding>],
    axes: &[(Arc<str>, Vec<Arc<str>>)],
    own: Values<'_>,
) -> Result<Vec<Filter>, Box<Problem>> {
    let mut filters = Vec::new();
    for bindings in written {
        let mut filter = Filter::new();
        for binding in bindings {
            let value: Arc<str> = own.must(&binding.value, "a combination")?.flat().into();
            let names: Vec<Arc<str>> = axes.iter().map(|(name, _)| name.clone()).collect();
            let Some((_, values)) = axes.iter().find(|(name, _)| *name == binding.name.value) else {
                let message = format!("there is no axis `{}`", binding.name.value);
                let problem = Problem::error(Code::UnknownInput, message).at(binding.name.span, "");
                return Err(Box::new(problem.help(nearest(&binding.name.value, &names))));
            };
            if !values.contains(&value) {
                let message = format!("the axis `{}` has no value `{value}`", binding.name.value);
                let problem = Problem::error(Code::BadValue, message).at(binding.value.span, "");
                return Err(Box::new(problem.help(nearest(&value, values))));
            }
            filter.push((binding.name.value.clone(), vec![value]));
        }
        filters.push(filter);
    }
    Ok(filters)
}

fn complete(added: &[Binding], axes: &[(Arc<str>, Vec<Arc<str>>)], own: Values<'_>) -> Result<Row, Box<Problem>> {
    let mut row = Vec::with_capacity(axes.len());
    for (name, _) in axes {
        let Some(binding) = added.iter().find(|binding| binding.name.value == *name) else {
            let problem = Problem::error(Code::MissingInput, format!("the combination has no value for `{name}`"));
            let problem = added.iter().fold(problem, |problem, binding| problem.at(binding.name.span, ""));
            return Err(Box::new(problem.help("`include` adds a complete combination")));
        };
        row.push((name.clone(), own.must(&binding.value, "a combination")?.flat().into()));
    }
    for binding in added {
        if !axes.iter().any(|(name, _)| *name == binding.name.value) {
            let names: Vec<Arc<str>> = axes.iter().map(|(name, _)| name.clone()).collect();
            let problem = Problem::error(Code::UnknownInput, format!("there is no axis `{}`", binding.name.value));
            return Err(Box::new(problem.at(binding.name.span, "").help(nearest(&binding.name.value, &names))));
        }
    }
    Ok(row.into())
}

/// Whether a combination is one that is asked for.
pub fn matches(row: &Row, filter: &Filter) -> bool {
    filter.iter().all(|(name, values)| row.iter().any(|(axis, has)| axis == name && values.contains(has)))
}

/// A filter on a matrix from bindings that name no param.
///
/// # Errors
/// An axis that is not there, or a value that it never has.
pub fn filter(
    task: &str,
    axes: &[Arc<str>],
    rows: &[Row],
    bindings: &[&Binding],
    caller: Values<'_>,
) -> Result<Filter, Box<Problem>> {
    let mut filter = Filter::new();
    for binding in bindings {
        let (name, span) = (&binding.name.value, binding.name.span);
        if !axes.contains(name) {
            let problem = Problem::error(Code::UnknownInput, format!("`{task}` has no input `{name}`")).at(span, "");
            return Err(Box::new(problem.help(nearest(name, axes))));
        }
        let value: Arc<str> = caller.must(&binding.value, "the value of an axis")?.flat().into();
        let mut known: Vec<Arc<str>> = rows
            .iter()
            .flat_map(|row| row.iter())
            .filter(|(axis, _)| axis == name)
            .map(|(_, has)| has.clone())
            .collect();
        known.sort();
        known.dedup();
        let unknown_now = rows.is_empty() && caller.world.lenient;
        if !(unknown_now || known.contains(&value)) {
            let message = format!("`{name}` of `{task}` is never `{value}`");
            let problem = Problem::error(Code::BadValue, message).at(binding.value.span, "");
            return Err(Box::new(problem.help(nearest(&value, &known))));
        }
        filter.push((name.clone(), vec![value]));
    }
    Ok(filter)
}

/// What follows a task in the name of the instance of a combination: `[os=linux,py=3.12]`, `@web1[region=eu]`.
pub fn shown(matrix: &Matrix, row: &Row) -> String {
    let on = matrix.on().map(|(axis, _)| &axis.name.value);
    let host = row.iter().find(|(name, _)| Some(name) == on);
    let others = row.iter().filter(|(name, _)| Some(name) != on);
    let pairs: Vec<String> = others.map(|(name, value)| format!("{name}={}", quoted(value))).collect();
    let host = host.map(|(_, host)| format!("@{host}")).unwrap_or_default();
    if pairs.is_empty() { host } else { format!("{host}[{}]", pairs.join(",")) }
}

/// The values of a combination, as inputs.
pub fn inputs(row: &Row) -> impl Iterator<Item = (Arc<str>, Value)> + '_ {
    row.iter().map(|(name, value)| (name.clone(), Value::Text(value.clone())))
}
