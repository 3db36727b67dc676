//! Policies of the file settled for one instance: what holds its values becomes a number. Draws nothing.

use std::time::Duration;

use crate::base::event::SkipReason;
use crate::base::source::Spanned;
use crate::plan::compile::Builder;
use crate::plan::conditions::{Decision, decide};
use crate::plan::defs::{Conditions, Policy};
use crate::plan::graph::{Guard, Limit, LimitKind};
use crate::plan::ids::{InstanceId, LimitId, ScopeId};
use crate::plan::layout::{Laid, Rules};
use crate::plan::values::Values;
use crate::xecfile::model::{self, Late, Retry, RetryText, Share, Width};

/// A limit of the file, as the plan has it.
pub(super) fn limit(declared: &model::Limit) -> Limit {
    let kind = match (declared.per, declared.machine) {
        (Some(per), _) => LimitKind::Rate(per),
        (None, true) => LimitKind::Machine(declared.name.value.clone()),
        (None, false) => LimitKind::Held,
    };
    Limit { kind, ..Limit::held(Some(declared.count)) }
}

fn set<T: Copy>(
    values: Values<'_>,
    late: &Option<Spanned<Late<T>>>,
    what: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Laid<Option<T>> {
    late.as_ref().map(|late| values.setting(late, what, read)).transpose()
}

fn time(text: &str) -> Option<Duration> {
    crate::base::duration::parse(text).ok()
}

/// How often something is tried again, if it is.
fn retry(policy: &Policy, values: Values<'_>) -> Laid<Option<Retry>> {
    let Some(RetryText { times, delay, backoff, max, jitter }) = &policy.retry else { return Ok(None) };
    let times = values.setting(times, "`retry`", |text| text.parse().ok())?;
    let delay = set(values, delay, "`delay`", time)?.unwrap_or_default();
    let max = set(values, max, "`max`", time)?;
    Ok((times > 0).then_some(Retry { times, delay, backoff: *backoff, max, jitter: *jitter }))
}

impl Builder<'_, '_> {
    fn slots(&self) -> Option<u32> {
        self.layout.limits[LimitId::SLOTS.index()].count
    }

    pub(super) fn guard(&self, conditions: &Conditions, values: Values<'_>) -> Laid<Guard> {
        Ok(match decide(conditions, values)? {
            Decision::Yes => Guard::Always,
            Decision::No => Guard::Never(SkipReason::Condition),
            Decision::Ask => Guard::Ask(conditions.clone()),
        })
    }

    /// The rules of a step, and whether it needs a scope for them.
    pub(super) fn rules(
        &self,
        policy: &Policy,
        conditions: &Conditions,
        owner: Option<InstanceId>,
        around: ScopeId,
        needs_scope: bool,
    ) -> Laid<(Rules, bool)> {
        if !needs_scope && policy.jobs.is_none() && policy.require.is_none() {
            return Ok((Rules { priority: policy.priority, ..Rules::plain(policy.on_error) }, false));
        }
        let (task, inputs) = match owner {
            Some(owner) => {
                let instance = &self.layout.instances[owner.index()];
                (instance.def, instance.inputs.clone())
            }
            // The hook of a set: it sees what the set was given.
            None => self.set_inputs(around),
        };
        let values = self.cx.scope(task, &inputs);
        let rules = self.settle(policy, values)?;
        Ok((Rules { guard: self.guard(conditions, values)?, ..rules }, needs_scope))
    }

    pub(super) fn settle(&self, policy: &Policy, values: Values<'_>) -> Laid<Rules> {
        let width: Option<Width> = set(values, &policy.jobs, "`jobs`", |text| text.parse().ok())?;
        let flag = |text: &str| match text {
            "true" => Some(true),
            "" | "false" => Some(false),
            _ => None,
        };
        let timeout: Option<Duration> = set(values, &policy.timeout, "`timeout`", time)?;
        let require: Option<Share> = set(values, &policy.require, "`require`", |text| text.parse().ok())?;
        Ok(Rules {
            optional: set(values, &policy.optional, "`optional`", flag)?.unwrap_or(false),
            timeout,
            jobs: width.and_then(|width| Limit::of_width(width, self.cpus)),
            uses: policy.uses.iter().map(|(place, count)| (LimitId::of_file(*place), *count)).collect(),
            weight: policy.weight.map(|weight| self.slots().map_or(weight, |slots| weight.min(slots))),
            require: require.unwrap_or(Share::ALL),
            retry: retry(policy, values)?,
            priority: policy.priority,
            ..Rules::plain(policy.on_error)
        })
    }
}
