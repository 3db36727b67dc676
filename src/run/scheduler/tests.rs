//! The scheduler driven by a scripted executor through random plans, and judged.

use proptest::prelude::*;

use crate::plan::graph::ScopeKind;
use crate::plan::ids::ScopeId;
use crate::run::scheduler::drive::drive;
use crate::run::testing::{Tape, plan};

/// Shown as one line of hexadecimal.
struct Bytes(Vec<u8>);

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn tape() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..400).prop_map(Bytes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::base::test_cases() * 8))]

    #[test]
    fn without_failures_everything_runs(bytes in tape()) {
        drive(&bytes.0, 0, false)?;
    }

    #[test]
    fn failures_stop_what_they_should(bytes in tape()) {
        drive(&bytes.0, 5, false)?;
    }

    #[test]
    fn a_run_ends_however_it_is_cancelled(bytes in tape()) {
        drive(&bytes.0, 6, true)?;
    }
}

#[test]
fn the_run_is_the_root() {
    let plan = plan(&mut Tape::new(&[]));
    assert_eq!(plan.scope(ScopeId::RUN).kind, ScopeKind::Run);
    assert_eq!(plan.scopes.iter().filter(|scope| scope.parent.is_none()).count(), 1);
}
