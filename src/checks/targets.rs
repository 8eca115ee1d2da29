//! The scenarios that a check runs against where the file names none.

use crate::plan::{Plan, Work};

/// The numbers of the scenarios that do this.
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

/// The consumers of the file, without those that kaf6 adds.
pub(super) fn consumers(plan: &Plan) -> Vec<usize> {
    let own = readers(plan);
    own.into_iter().filter(|index| !is_added(plan, *index)).collect()
}

/// All consumers, with those that kaf6 adds to verify what no other one reads.
pub(super) fn readers(plan: &Plan) -> Vec<usize> {
    of(plan, |work| matches!(work, Work::Consume(_)))
}

/// kaf6 added it.
pub(super) fn is_added(plan: &Plan, index: usize) -> bool {
    plan.scenarios.get(index).is_some_and(|scenario| scenario.work.is_readback())
}

/// The first of them that holds anything.
pub(super) fn first_of<const N: usize>(lists: [Vec<usize>; N]) -> Vec<usize> {
    lists.into_iter().find(|found| !found.is_empty()).unwrap_or_default()
}

/// Each reader of messages; without any, each producer; without any, each round trip.
pub(super) fn messages(plan: &Plan) -> Vec<usize> {
    first_of([readers(plan), producers(plan), roundtrips(plan)])
}

/// Each consumer of the file; without any, each producer; without any, each round trip.
pub(super) fn counts(plan: &Plan) -> Vec<usize> {
    first_of([consumers(plan), producers(plan), roundtrips(plan)])
}

/// Each producer; without any, each round trip.
pub(super) fn senders(plan: &Plan) -> Vec<usize> {
    first_of([producers(plan), roundtrips(plan)])
}

/// Each producer; without any, each round trip; without any, each consumer.
pub(super) fn load(plan: &Plan) -> Vec<usize> {
    first_of([producers(plan), roundtrips(plan), consumers(plan)])
}
