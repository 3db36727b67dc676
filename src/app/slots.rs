//! Whether the slots of a run are shared with the programs that it starts, or those of a make that started xec.

use std::ffi::OsStr;

use crate::exec::jobserver::{self, Client, Pool};
use crate::plan::graph::LimitKind;
use crate::plan::{LimitId, Plan};
use crate::run::command::Surroundings;

/// The pool that the slots of this plan are taken from, if there is anybody to share it with. What was asked for by
/// `-j` is a pool of its own, as it is for make.
pub(super) fn pool(own_slots: bool, plan: &mut Plan, around: &Surroundings) -> Option<Pool> {
    let flags = around.env.get(OsStr::new("MAKEFLAGS")).map(|flags| flags.to_string_lossy()).unwrap_or_default();
    let given = if own_slots { None } else { Pool::given(&flags) };
    let slots = &mut plan.limits[LimitId::SLOTS.index()];
    let pool = match given {
        Some(pool) => {
            slots.count = jobserver::slots(&flags);
            pool
        }
        None => {
            let some = plan.defs.commands.iter().any(|command| Client::named_in(&command.text).is_some());
            let count = slots.count.filter(|count| some && *count <= jobserver::MOST)?;
            // Without it every program goes by what it is told itself.
            Pool::new(count).ok()?
        }
    };
    slots.kind = LimitKind::Pool;
    Some(pool)
}
