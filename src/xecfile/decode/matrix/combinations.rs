//! `exclude` and `include`: whether they say something of the axes that are there.

use std::collections::HashSet;

use crate::base::diagnostic::{Code, Problem};
use crate::base::name::{did_you_mean, one_of};
use crate::xecfile::cursor::Reader;
use crate::xecfile::model::{Axis, Binding, Matrix};

/// Whether what is left out exists, and what is added is complete.
pub(super) fn check(reader: &mut Reader<'_>, matrix: &Matrix) {
    let written: Vec<Option<HashSet<&str>>> = matrix.axes.iter().map(Axis::written).collect();
    let axis = |name: &str| matrix.axes.iter().position(|axis| &*axis.name.value == name);
    let names = || matrix.axes.iter().map(|axis| &*axis.name.value);
    for (row, bindings) in
        matrix.exclude.iter().map(|row| ("exclude", row)).chain(matrix.include.iter().map(|row| ("include", row)))
    {
        for binding in bindings {
            let Some(axis) = axis(&binding.name.value) else {
                let problem = Problem::error(Code::UnknownValue, format!("there is no axis `{}`", binding.name.value));
                let help = did_you_mean(&binding.name.value, names())
                    .unwrap_or_else(|| format!("the axes are {}", names().collect::<Vec<_>>().join(", ")));
                reader.report(problem.at(binding.name.span, "").help(help));
                continue;
            };
            if row == "exclude" {
                leaves_out_something(reader, &matrix.axes[axis], written[axis].as_ref(), binding);
            }
        }
        let missing: Vec<&str> =
            names().filter(|name| bindings.iter().all(|binding| &*binding.name.value != *name)).collect();
        if let ("include", [_, ..], Some(first)) = (row, &missing[..], bindings.first()) {
            let message = format!("`include` adds one complete combination, and `{}` is missing", missing.join("`, `"));
            let help = format!("add {}=…", missing.join("=… "));
            reader.report(Problem::error(Code::MissingValue, message).at(first.name.span, "").help(help));
        }
    }
}

fn leaves_out_something(reader: &mut Reader<'_>, axis: &Axis, written: Option<&HashSet<&str>>, binding: &Binding) {
    let (Some(known), Some(text)) = (written, binding.value.value.as_text()) else { return };
    if known.contains(&**text) || reader.problems.is_full() {
        return;
    }
    let message = format!("the axis `{}` has no value `{text}`, so this leaves out nothing", axis.name.value);
    let problem = Problem::error(Code::BadValue, message).at(binding.value.span, "");
    reader.report(match one_of(text, known.iter().copied()) {
        Some(help) => problem.help(help),
        None => problem,
    });
}
