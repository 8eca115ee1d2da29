//! One direction of one connection: forwards bytes in order, each piece with its delay.
//!
//! Pieces wait at the same time, in a queue between reading and writing. So a delay adds latency and does not
//! reduce throughput. A blackhole discards what is read, and hides the end of the connection.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::Instant;

use crate::docker::relay::cutting::CutWatch;
use crate::docker::relay::shaping::{Direction, LinkState, Shaping};

/// Maximum number of bytes per read.
pub(crate) const CHUNK: usize = 64 << 10;
/// Maximum number of bytes in the queue. A latency of 200 ms limits a connection to 160 MiB/s.
const WAITING: usize = 32 << 20;
/// With a bandwidth limit, a piece has at most the bytes of this time, in milliseconds, to avoid bursts.
const SLICE: u64 = 50;

/// A piece in the queue.
struct Chunk {
    bytes: Vec<u8>,
    read: Instant,
    due: Instant,
    slowed: bool,
    _room: OwnedSemaphorePermit,
}

/// Forwards bytes until the reader ends, and then ends the writer.
pub(crate) async fn pump(
    reader: impl AsyncRead + Unpin,
    writer: impl AsyncWrite + Unpin,
    (way, cuts): (&LinkState, &CutWatch),
    direction: Direction,
) -> io::Result<()> {
    let (queue, waiting) = mpsc::unbounded_channel();
    tokio::try_join!(
        read_loop(reader, queue, (way, cuts), direction),
        write_loop(writer, waiting, (way, cuts), direction)
    )?;
    Ok(())
}

async fn read_loop(
    mut reader: impl AsyncRead + Unpin,
    queue: mpsc::UnboundedSender<Chunk>,
    (way, cuts): (&LinkState, &CutWatch),
    direction: Direction,
) -> io::Result<()> {
    let room = Arc::new(Semaphore::new(WAITING));
    let (mut slow, mut cut) = (way.subscribe(), cuts.changes());
    let mut buffer = vec![0; CHUNK];
    let mut last_due = Instant::now();
    loop {
        let read = reader.read(&mut buffer).await;
        if !matches!(read, Ok(1..)) && cuts.swallow(direction, 0) {
            // The other side does not see the end. The connection is reset when the blackhole ends.
            return std::future::pending().await;
        }
        let length = read?;
        if length == 0 {
            return Ok(());
        }
        let mut rest = &buffer[..length];
        while !rest.is_empty() {
            if cuts.swallow(direction, rest.len()) {
                break;
            }
            // Split here and not when reading, because the read may have started before a bandwidth was set.
            let length = most_at_once(*slow.borrow_and_update()).min(rest.len());
            let admitted = tokio::select! {
                biased;
                admitted = admit(&mut slow, &room, (way, direction), length) => admitted,
                () = cut.changed() => None,
            };
            let Some(permit) = admitted else { continue };
            let now = *slow.borrow();
            let read = Instant::now();
            // Jitter must not change the order of pieces.
            let due = (read + way.delay(direction, now)).max(last_due);
            last_due = due;
            let slowed = now.delays() && direction == Direction::Out;
            way.goes_on(direction, length, slowed);
            let (bytes, after) = rest.split_at(length);
            rest = after;
            if queue.send(Chunk { bytes: bytes.to_vec(), read, due, slowed, _room: permit }).is_err() {
                return Ok(());
            }
        }
    }
}

/// Waits until the bandwidth and the queue allow a piece. `None` if the bandwidth changed during the wait.
async fn admit(
    slow: &mut watch::Receiver<Shaping>,
    room: &Arc<Semaphore>,
    (way, direction): (&LinkState, Direction),
    length: usize,
) -> Option<OwnedSemaphorePermit> {
    if !hold_back(slow, way, direction, length).await {
        return None;
    }
    let permits = u32::try_from(length).unwrap_or(u32::MAX);
    // Nothing closes the semaphore.
    Arc::clone(room).acquire_many_owned(permits).await.ok()
}

/// Waits until the bandwidth allows a piece. False if the bandwidth changed during the wait.
async fn hold_back(
    slow: &mut watch::Receiver<Shaping>,
    way: &LinkState,
    direction: Direction,
    length: usize,
) -> bool {
    let Some(bandwidth) = slow.borrow_and_update().bandwidth else { return true };
    let hold = way.hold(direction, length, bandwidth);
    tokio::select! {
        () = tokio::time::sleep_until(hold.until) => true,
        _ = slow.changed() => false,
    }
}

async fn write_loop(
    mut writer: impl AsyncWrite + Unpin,
    mut waiting: mpsc::UnboundedReceiver<Chunk>,
    (way, cuts): (&LinkState, &CutWatch),
    direction: Direction,
) -> io::Result<()> {
    let mut slow = way.subscribe();
    while let Some(piece) = waiting.recv().await {
        if piece.due > Instant::now() {
            tokio::select! {
                () = tokio::time::sleep_until(piece.due) => {}
                // The delay was removed.
                _ = slow.wait_for(|slow| !slow.delays()) => {}
            }
        }
        if piece.slowed && Instant::now() >= piece.due {
            way.delayed_by(piece.read.elapsed());
        }
        if let Err(error) = writer.write_all(&piece.bytes).await {
            // The receiver has reset the connection, and the blackhole hides this reset.
            if cuts.swallow(direction.reverse(), 0) {
                return std::future::pending().await;
            }
            return Err(error);
        }
        way.arrived(direction, piece.bytes.len());
    }
    writer.shutdown().await
}

fn most_at_once(slow: Shaping) -> usize {
    let Some(bandwidth) = slow.bandwidth else { return CHUNK };
    let slice = bandwidth.saturating_mul(SLICE) / 1000;
    usize::try_from(slice).unwrap_or(CHUNK).clamp(1, CHUNK)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use tokio::io::{DuplexStream, duplex};

    use super::*;
    use crate::docker::relay::cutting::Cuts;

    /// Timers tick in milliseconds.
    const TICK: Duration = Duration::from_millis(2);

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Both ends of a direction through a pump that goes on in the background.
    fn through(way: &Arc<LinkState>, direction: Direction) -> (DuplexStream, DuplexStream) {
        let (near, reader) = duplex(1 << 20);
        let (writer, far) = duplex(1 << 20);
        let way = Arc::clone(way);
        let cuts = Cuts::default();
        tokio::spawn(async move {
            let watch = cuts.open().expect("it is not cut");
            pump(reader, writer, (&way, &watch), direction).await
        });
        (near, far)
    }

    fn slow(latency: Duration, bandwidth: Option<u64>) -> Shaping {
        Shaping { latency, jitter: Duration::ZERO, bandwidth }
    }

    async fn read(far: &mut DuplexStream, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        far.read_exact(&mut bytes).await.expect("all of it comes");
        bytes
    }

    #[tokio::test(start_paused = true)]
    async fn a_delay_makes_each_chunk_late_and_none_slow() {
        let way = Arc::new(LinkState::new());
        way.set(slow(ms(200), None));
        let (mut near, mut far) = through(&way, Direction::Out);
        let start = Instant::now();
        for number in 0..10u8 {
            near.write_all(&[number; 100]).await.expect("written");
            tokio::time::sleep(ms(10)).await;
        }
        for number in 0..10u8 {
            assert_eq!(read(&mut far, 100).await, [number; 100]);
            let due = ms(200) + ms(10) * u32::from(number);
            let late = start.elapsed().saturating_sub(due);
            assert!(start.elapsed() >= due && late <= TICK, "{number}: {:?}", start.elapsed());
        }
        let passed = way.passed();
        assert_eq!((passed.out, passed.back, passed.delayed), (1000, 0, 10));
        assert!(passed.mean_delay() >= ms(200) && passed.mean_delay() <= ms(200) + TICK, "{passed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn answers_are_not_delayed() {
        let way = Arc::new(LinkState::new());
        way.set(slow(ms(200), None));
        let (mut near, mut far) = through(&way, Direction::Back);
        let start = Instant::now();
        near.write_all(b"answer").await.expect("written");
        assert_eq!(read(&mut far, 6).await, b"answer");
        assert!(start.elapsed() <= TICK);
        assert_eq!((way.passed().back, way.passed().delayed), (6, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_bandwidth_is_shared_and_held_in_each_direction() {
        let way = Arc::new(LinkState::new());
        way.set(slow(Duration::ZERO, Some(10_000)));
        let start = Instant::now();
        let mut pairs: Vec<_> = (0..4).map(|_| through(&way, Direction::Out)).collect();
        for (near, _) in &mut pairs {
            near.write_all(&[7; 5000]).await.expect("written");
        }
        for (_, far) in &mut pairs {
            read(far, 5000).await;
        }
        let took = start.elapsed();
        assert!(took >= ms(2000) && took <= ms(2000) + TICK, "20,000 bytes at 10,000 a second: {took:?}");
        let (mut near, mut far) = through(&way, Direction::Back);
        let start = Instant::now();
        near.write_all(&[7; 5000]).await.expect("written");
        read(&mut far, 5000).await;
        let took = start.elapsed();
        assert!(took >= ms(500) && took <= ms(500) + TICK, "answers have their own: {took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_left_of_a_delay_once_it_is_taken_away() {
        let way = Arc::new(LinkState::new());
        way.set(slow(Duration::from_secs(60), None));
        let (mut near, mut far) = through(&way, Direction::Out);
        near.write_all(b"waits").await.expect("written");
        tokio::time::sleep(ms(500)).await;
        let start = Instant::now();
        way.set(Shaping::default());
        assert_eq!(read(&mut far, 5).await, b"waits");
        near.write_all(b"goes").await.expect("written");
        assert_eq!(read(&mut far, 4).await, b"goes");
        assert!(start.elapsed() <= TICK);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_left_of_a_bandwidth_once_it_is_taken_away() {
        let way = Arc::new(LinkState::new());
        way.set(slow(Duration::ZERO, Some(10)));
        let (mut near, mut far) = through(&way, Direction::Out);
        near.write_all(&[1; 1000]).await.expect("written");
        tokio::time::sleep(ms(150)).await;
        let start = Instant::now();
        way.set(Shaping::default());
        read(&mut far, 1000).await;
        assert!(start.elapsed() <= TICK, "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_read_at_once_passes_piece_by_piece() {
        let way = Arc::new(LinkState::new());
        let (mut near, mut far) = through(&way, Direction::Out);
        // The pump waits for bytes already when the bandwidth is set.
        tokio::time::sleep(ms(10)).await;
        way.set(slow(Duration::ZERO, Some(10 << 10)));
        near.write_all(&[7; 60 << 10]).await.expect("written");
        let start = Instant::now();
        for kib in 1..=20 {
            read(&mut far, 1 << 10).await;
            let due = ms(100) * kib;
            let late = start.elapsed().saturating_sub(due);
            assert!(start.elapsed() >= due - ms(10) && late <= TICK, "{kib} KiB: {:?}", start.elapsed());
        }
        let limited = way.passed().limited[0];
        assert!(limited.through <= 21 << 10 && limited.held >= ms(1900), "{limited:?}");
        // A change applies to what has been read and still waits.
        way.set(slow(Duration::ZERO, Some(20 << 10)));
        let start = Instant::now();
        read(&mut far, 10 << 10).await;
        let took = start.elapsed();
        assert!(took >= ms(470) && took <= ms(500) + TICK, "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_did_not_wait_for_the_whole_latency_is_not_counted_as_delayed() {
        let way = Arc::new(LinkState::new());
        let (mut near, mut far) = through(&way, Direction::Out);
        near.write_all(b"fast").await.expect("written");
        read(&mut far, 4).await;
        way.set(slow(ms(200), None));
        near.write_all(b"slow").await.expect("written");
        read(&mut far, 4).await;
        near.write_all(b"let go").await.expect("written");
        tokio::time::sleep(ms(100)).await;
        way.set(Shaping::default());
        read(&mut far, 6).await;
        let passed = way.passed();
        assert_eq!((passed.pieces, passed.slowed, passed.delayed), (3, 2, 1));
        assert!(passed.mean_delay() >= ms(200) && passed.mean_delay() <= ms(200) + TICK, "{passed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_comes_after_the_last_byte() {
        let way = Arc::new(LinkState::new());
        way.set(slow(ms(100), None));
        let (mut near, mut far) = through(&way, Direction::Out);
        near.write_all(b"last").await.expect("written");
        near.shutdown().await.expect("ended");
        let mut all = Vec::new();
        far.read_to_end(&mut all).await.expect("its end comes");
        assert_eq!(all, b"last");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn bytes_pass_unaltered_and_in_order(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..5000), 1..20),
            latency in 0u64..50, jitter in 0u64..80, bandwidth in proptest::option::of(50_000u64..5_000_000),
            changes in any::<bool>(),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all().start_paused(true).build().expect("a runtime");
            runtime.block_on(async {
                let way = Arc::new(LinkState::new());
                let slow = Shaping { latency: ms(latency), jitter: ms(jitter), bandwidth };
                way.set(slow);
                let (mut near, mut far) = through(&way, Direction::Out);
                let sent = pieces.concat();
                let write = async {
                    for (number, piece) in pieces.iter().enumerate() {
                        near.write_all(piece).await.expect("written");
                        tokio::time::sleep(ms(3)).await;
                        if changes {
                            way.set(if number % 2 == 0 { Shaping::default() } else { slow });
                        }
                    }
                    near.shutdown().await.expect("ended");
                };
                let mut got = Vec::new();
                let (_, read) = tokio::join!(write, far.read_to_end(&mut got));
                read.expect("its end comes");
                assert_eq!(got, sent);
                assert_eq!(way.passed().out, u64::try_from(sent.len()).expect("small"));
            });
        }
    }
}
