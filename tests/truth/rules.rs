//! Generates random behaviors of the broker.

use kaf6_liar::Action::*;
use kaf6_liar::Api::{EpochEnd, Fetch, InitProducerId, ListOffsets, Metadata, Produce, ProduceMarker};
use kaf6_liar::{Action, Behaviour, Part, Phase, Rule};
use proptest::prelude::*;
use proptest::sample::select;

/// Any behaviour.
pub(crate) fn behaviour() -> impl Strategy<Value = Behaviour> {
    let rules = prop_oneof![
        2 => Just(Vec::new()),
        3 => prop::collection::vec(healthy(), 1..4),
        3 => prop::collection::vec(lie(), 1..2),
        2 => (prop::collection::vec(lie(), 1..3), prop::collection::vec(healthy(), 0..3))
            .prop_map(|(mut lies, healthy)| {
                lies.extend(healthy);
                lies
            }),
    ];
    let retention = prop::option::weighted(0.1, 300_u32..3000)
        .prop_map(|ms| ms.map(|ms| ("retention.ms".to_owned(), ms.to_string())));
    let settings = (prop::bool::weighted(0.2), retention);
    (1_u8..3, any::<bool>(), rules, settings).prop_map(
        |(brokers, null_when_empty, rules, (no_describe, retention))| Behaviour {
            brokers,
            null_when_empty,
            no_describe,
            defaults: retention.into_iter().collect(),
            rules,
            ..Behaviour::default()
        },
    )
}

/// Puts a time into a rule: from the nth request on, so many times.
fn some(
    on: kaf6_liar::Api,
    action: impl Strategy<Value = Action>,
    from: u32,
    times: u32,
) -> impl Strategy<Value = Rule> {
    (action, 0..from, 1..=times, prop::option::weighted(0.2, 0_i32..4)).prop_map(
        move |(action, from, times, partition)| Rule {
            partition,
            ..Rule::new(on, action).from(from).times(times)
        },
    )
}

fn brief(
    on: kaf6_liar::Api,
    action: impl Strategy<Value = Action>,
    from: u32,
) -> impl Strategy<Value = Rule> {
    (action, 0..from, 50_u64..350)
        .prop_map(move |(action, from, ms)| Rule::new(on, action).from(from).for_ms(ms))
}

fn code(codes: &'static [i16]) -> impl Strategy<Value = Action> {
    select(codes).prop_map(|code| Error { code, written: false })
}

/// What a correct broker may do.
fn healthy() -> impl Strategy<Value = Rule> {
    let written = || any::<bool>();
    prop_oneof![
        some(Produce, code(&[5, 6, 7, 19, 20, -1]), 12, 3),
        some(Produce, written().prop_map(|written| Error { code: 7, written }), 12, 3),
        some(Produce, written().prop_map(|written| Drop { written }), 12, 2),
        some(Produce, written().prop_map(|written| NoAnswer { written }), 12, 1),
        some(Produce, (1_u64..200).prop_map(|ms| Delay { ms }), 12, 3),
        some(Produce, Just(ControlRecord), 12, 3),
        some(Produce, (1_u32..9).prop_map(|count| ForeignRecords { count }), 12, 2),
        some(Produce, Just(AckWithoutOffset { written: true }), 12, 2),
        some(Produce, Just(AckDuplicate { written: true }), 12, 2),
        some(Produce, Just(MoveLeader), 12, 2),
        Just(Rule::new(Produce, DuplicateToRetries)),
        some(ProduceMarker, code(&[6, 7]), 2, 1),
        some(ProduceMarker, Just(Drop { written: true }), 2, 1),
        some(Fetch, (1_u64..200).prop_map(|ms| Delay { ms }), 12, 3),
        some(Fetch, Just(Drop { written: false }), 12, 2),
        Just(Rule::new(Fetch, OneBatch)),
        some(Fetch, Just(MoveLeader), 12, 2),
        brief(Fetch, Just(Empty), 12),
        brief(Fetch, Just(NullRecords), 12),
        brief(Fetch, code(&[3, 5, 6, -1]), 12),
        brief(Metadata, Just(UnknownTopic), 12),
        brief(Metadata, code(&[5]), 12),
        some(InitProducerId, code(&[14, 15]), 2, 2),
        some(ListOffsets, code(&[5, 6]), 4, 2),
        some(EpochEnd, (1_i64..30).prop_map(|by| EndTooLow { by }), 2, 2),
    ]
}

/// What it may not.
fn lie() -> impl Strategy<Value = Rule> {
    prop_oneof![6 => judged_lie(), 2 => lie_about_content(), 2 => lie_about_what_is_kept()]
}

fn lie_about_content() -> impl Strategy<Value = Rule> {
    let index = || 0_u32..10;
    prop_oneof![
        some(
            Produce,
            (index(), 0_u32..80, any::<bool>()).prop_map(|(index, byte, fix_crc)| FlipOnWrite {
                index,
                part: Part::Header,
                byte,
                fix_crc
            }),
            12,
            2
        ),
        some(Produce, index().prop_map(|index| StripHeader { index }), 12, 2),
        some(Produce, index().prop_map(|index| AddHeader { index }), 12, 2),
        some(Produce, index().prop_map(|index| SwapHeaders { index }), 12, 2),
        some(Produce, index().prop_map(|index| NullHeader { index }), 12, 2),
        some(Produce, index().prop_map(|index| NullValue { index }), 12, 2),
        some(Produce, index().prop_map(|index| EmptyKey { index }), 12, 2),
        some(Produce, shift().prop_map(|by_ms| ShiftTime { by_ms }), 12, 2),
        some(Produce, Just(BadCrc), 12, 2),
        (0_i64..60, select(&[Phase::Always, Phase::AfterMarker])).prop_map(|(offset, phase)| Rule::new(
            Fetch,
            BadCrcOnRead { offset }
        )
        .phase(phase)),
        (0_i64..60).prop_map(|offset| Rule::new(Fetch, StripHeaderOnRead { offset })),
    ]
}

/// Milliseconds, in part fewer than matter.
fn shift() -> impl Strategy<Value = i64> {
    select(&[-3_600_000_i64, -5000, -1500, -500, 500, 1500, 5000, 3_600_000])
}

/// Some of it is none, as the file wants it.
fn lie_about_what_is_kept() -> impl Strategy<Value = Rule> {
    let batches = || 1_u32..4;
    let after = |on| move |action| Rule::new(on, action).phase(Phase::AfterMarker).times(1);
    prop_oneof![
        some(Produce, batches().prop_map(|batches| DeleteEarly { batches }), 12, 2),
        some(Fetch, batches().prop_map(|batches| DeleteEarly { batches }), 12, 2),
        batches().prop_map(|batches| DeleteEarly { batches }).prop_map(after(Fetch)),
        some(Produce, (0_u32..9).prop_map(|index| CompactLast { index }), 12, 2),
        (0_u32..9).prop_map(|index| CompactLast { index }).prop_map(after(Fetch)),
        some(Produce, batches().prop_map(|batches| LoseTail { batches }), 12, 2),
        some(Fetch, batches().prop_map(|batches| LoseTail { batches }), 12, 1),
        (0_i64..60).prop_map(|offset| Rule::new(ListOffsets, EndAt { offset, hide: false })),
    ]
}

fn judged_lie() -> impl Strategy<Value = Rule> {
    let index = || 0_u32..10;
    let part = || select(&[Part::Key, Part::Value]);
    let offset = || 0_i64..60;
    prop_oneof![
        some(Produce, any::<bool>().prop_map(|gap| AckUnwritten { gap }), 12, 3),
        some(Produce, Just(Twice), 12, 3),
        some(Produce, select(&[Swap, SwapAfterAck]), 12, 2),
        some(Produce, Just(AckWithoutOffset { written: false }), 12, 2),
        some(Produce, Just(AckDuplicate { written: false }), 12, 2),
        some(Produce, select(&[-3_i64, -1, 1, 5, 1000]).prop_map(|by| AckOffset { by }), 12, 2),
        some(Produce, index().prop_map(|index| DropRecord { index }), 12, 2),
        some(
            Produce,
            (index(), part(), 0_u32..80, any::<bool>())
                .prop_map(|(index, part, byte, fix_crc)| FlipOnWrite { index, part, byte, fix_crc }),
            12,
            2
        ),
        some(Produce, (0_i32..4).prop_map(|to| OtherPartition { to }), 12, 2),
        some(Produce, Just(Error { code: 87, written: true }), 12, 1),
        some(Produce, offset().prop_map(|to| Truncate { to }), 20, 1),
        some(ProduceMarker, any::<bool>().prop_map(|gap| AckUnwritten { gap }), 2, 1),
        (0_u32..12)
            .prop_map(|from| Rule::new(Produce, Drop { written: true }).from(from).times(1))
            .prop_flat_map(|_| Just(Rule::new(Produce, WriteRetries))),
        (offset(), 0_u32..3, any::<bool>())
            .prop_map(|(offset, sights, fix_crc)| Rule::new(Fetch, FlipOnRead { offset, sights, fix_crc })),
        prop::option::of(0_i32..4).prop_map(|partition| Rule { partition, ..Rule::new(Fetch, Empty) }),
        prop::option::of(0_i32..4).prop_map(|partition| Rule { partition, ..Rule::new(Fetch, NullRecords) }),
        (offset(), any::<bool>()).prop_map(|(offset, hide)| Rule::new(Fetch, EndAt { offset, hide })),
        (offset(), 1_i64..60).prop_map(|(from, more)| Rule::new(Fetch, OutOfRange { from, to: from + more })),
        (0_i32..4, 0_i32..4)
            .prop_map(|(of, partition)| Rule::new(Fetch, FromPartition { partition }).partition(of)),
        some(Fetch, Just(SkipBatch), 6, 1),
        offset().prop_map(|offset| Rule::new(Fetch, LastStable { offset })),
        (select(&[-1_i16, 3, 56]), 0_u32..10).prop_map(|(code, from)| Rule::new(
            Fetch,
            Error { code, written: false }
        )
        .from(from)),
        offset().prop_map(|to| Rule::new(Fetch, Truncate { to }).phase(Phase::AfterMarker).times(1)),
    ]
}
