//! `cut`: cuts a link between two services with kaf6's relay.
//!
//! Its proof: the bytes that the relay discarded, and the connections that it reset and refused.

use std::time::Instant;

use super::super::lock::lock;
use super::super::relay::{CutEffect, LinkCut};
use super::injection::Injection;
use super::shown::{last, lasting, nothing};
use crate::docker::cluster::options::FaultOutcome;
use crate::plan::cluster::Link;
use crate::scenario::format::fault::{CutDirection, CutMode};
use crate::units::thousands;

/// Cuts a link for the fault's length.
pub(super) async fn cut(
    Injection { shared, fault, cancel }: Injection<'_>,
    link: &Link,
    (mode, direction): (CutMode, CutDirection),
) -> FaultOutcome {
    let how = match mode {
        CutMode::Blackhole => {
            LinkCut::Blackhole { out: direction != CutDirection::In, back: direction != CutDirection::Out }
        }
        CutMode::Reset => LinkCut::Reset,
        CutMode::Refuse => LinkCut::Refuse,
    };
    let key = (link.from.clone(), link.to.clone());
    let began = Instant::now();
    let set = lock(&shared.relays).get(&key).map(|relay| relay.cut(how));
    let Some(active) = set else {
        return nothing(format!("there is no relay between {} and {}", link.from, link.to));
    };
    let cut_short = last(began, fault.length.unwrap_or_default(), cancel).await;
    if let Some(relay) = lock(&shared.relays).get(&key) {
        relay.mend(&active);
    }
    let ended = Instant::now();
    let (effective, proof) = lasting(shown(mode, active.effect()), cut_short);
    FaultOutcome { began, ended: Some(ended), effect: None, holds: Vec::new(), effective, proof }
}

/// What a cut did, and whether it proves the effect.
fn shown(mode: CutMode, effect: CutEffect) -> (bool, String) {
    let CutEffect { reset, refused, discarded: [forward, back], torn, .. } = effect;
    match mode {
        CutMode::Blackhole if forward == 0 && back == 0 => {
            (false, "no byte was discarded: nothing was sent during the fault".to_owned())
        }
        CutMode::Blackhole => {
            let lost = connections(torn, "connection");
            let (forward, back) = (thousands(forward), thousands(back));
            (true, format!("{forward} bytes forward and {back} back discarded, {lost} lost data"))
        }
        CutMode::Reset if reset == 0 && refused == 0 => {
            (false, "no connection was open or opened during the fault".to_owned())
        }
        CutMode::Reset => {
            let (reset, refused) = (connections(reset, "connection"), connections(refused, "new connection"));
            (true, format!("{reset} reset, {refused} refused"))
        }
        CutMode::Refuse if refused == 0 => (false, "no connection was opened during the fault".to_owned()),
        CutMode::Refuse => (true, format!("{} refused", connections(refused, "new connection"))),
    }
}

fn connections(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{} {noun}s", thousands(count)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_proven_by_what_it_discarded_reset_or_refused() {
        let none = CutEffect::default();
        for (mode, effect, shows, proof) in [
            (
                CutMode::Blackhole,
                CutEffect { discarded: [120, 0], torn: 2, ..none },
                true,
                "120 bytes forward and 0 back discarded, 2 connections lost data",
            ),
            // The lost end of a connection may be a coincidence.
            (
                CutMode::Blackhole,
                CutEffect { ends: 1, ..none },
                false,
                "no byte was discarded: nothing was sent during the fault",
            ),
            (
                CutMode::Reset,
                CutEffect { reset: 2, ..none },
                true,
                "2 connections reset, 0 new connections refused",
            ),
            (
                CutMode::Reset,
                CutEffect { refused: 1, ..none },
                true,
                "0 connections reset, 1 new connection refused",
            ),
            (CutMode::Reset, none, false, "no connection was open or opened during the fault"),
            (CutMode::Refuse, CutEffect { refused: 12, ..none }, true, "12 new connections refused"),
            (CutMode::Refuse, none, false, "no connection was opened during the fault"),
        ] {
            assert_eq!(shown(mode, effect), (shows, proof.to_owned()));
        }
    }
}
