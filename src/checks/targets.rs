//! The default targets of checks: the scenarios that a check runs against if the file names none.

use crate::plan::{Plan, Work};

/// The indexes of the scenarios whose work satisfies `wanted`.
pub(super) fn of(plan: &Plan, wanted: fn(&Work) -> bool) -> Vec<usize> {
    plan.scenarios.iter().enumerate().filter(|(_, s)| wanted(&s.work)).map(|(i, _)| i).collect()
}

pub(super) fn connects(plan: &Plan) -> Vec<usize> {
    of(plan, |work| matches!(work, Work::Connect(_)))
}

pub(super) fn scrapes(plan: &Plan) -> Vec<usize> {
    of(plan, |work| matches!(work, Work::Metrics(_)))
}

pub(super) fn watches(plan: &Plan) -> Vec<usize> {
    of(plan, |work| matches!(work, Work::Watch(_)))
}

pub(super) fn producers(plan: &Plan) -> Vec<usize> {
    of(plan, |work| matches!(work, Work::Produce(_)))
}

pub(super) fn roundtrips(plan: &Plan) -> Vec<usize> {
    of(plan, |work| matches!(work, Work::Roundtrip(_)))
}

/// The consumers of the file, without those that kaf6 added.
pub(super) fn consumers(plan: &Plan) -> Vec<usize> {
    let own = readers(plan);
    own.into_iter().filter(|index| !is_added(plan, *index)).collect()
}

/// All consumers, including those that kaf6 added to read back messages.
pub(super) fn readers(plan: &Plan) -> Vec<usize> {
    of(plan, |work| matches!(work, Work::Consume(_)))
}

/// Whether kaf6 added the scenario.
pub(super) fn is_added(plan: &Plan, index: usize) -> bool {
    plan.scenarios.get(index).is_some_and(|scenario| scenario.work.is_readback())
}

/// The first nonempty list.
pub(super) fn first_of<const N: usize>(lists: [Vec<usize>; N]) -> Vec<usize> {
    lists.into_iter().find(|found| !found.is_empty()).unwrap_or_default()
}

/// All consumers, including readback consumers. If there are none, all producers. If there are none, all
/// round trips.
pub(super) fn messages(plan: &Plan) -> Vec<usize> {
    first_of([readers(plan), producers(plan), roundtrips(plan)])
}

/// All consumers of the file. If there are none, all producers. If there are none, all round trips.
pub(super) fn counts(plan: &Plan) -> Vec<usize> {
    first_of([consumers(plan), producers(plan), roundtrips(plan)])
}

/// All producers. If there are none, all round trips.
pub(super) fn senders(plan: &Plan) -> Vec<usize> {
    first_of([producers(plan), roundtrips(plan)])
}

/// All producers. If there are none, all round trips. If there are none, all consumers.
pub(super) fn load(plan: &Plan) -> Vec<usize> {
    first_of([producers(plan), roundtrips(plan), consumers(plan)])
}
