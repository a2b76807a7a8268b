//! Lanes between media threads: from each to each other one, bounded and made at the start.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use media_core::control::{LegId, StreamIndex};
use media_core::lane::{Message, Notice};
use mio::Waker;
use rtrb::{Consumer, Producer, RingBuffer};

use super::ring::put;

/// Octets of packets that may wait for a thread from each other one: some 600 of G.711. A packet that finds no room is
/// dropped and counted.
const PACKETS: usize = 128 << 10;

/// Notices that may wait for a thread from each other one; more wait on the sender's side.
const NOTICES: usize = 256;

/// Octets before a packet: its leg, its stream and its length.
const HEAD: usize = 11;

/// Wakes a thread, once for all that it has not looked at yet.
#[derive(Debug)]
pub struct Bell {
    waker: Arc<Waker>,
    rung: AtomicBool,
}

impl Bell {
    /// A bell of the thread that this wakes.
    #[must_use]
    pub fn new(waker: Arc<Waker>) -> Arc<Bell> {
        let rung = AtomicBool::new(false);
        Arc::new(Bell { waker, rung })
    }

    fn ring(&self) -> io::Result<()> {
        // Orders what was put into the lanes before it.
        if self.rung.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let woken = self.waker.wake();
        if woken.is_err() {
            self.rung.store(false, Ordering::Release);
        }
        woken
    }

    /// To be called before the lanes are looked at. False if nobody rang.
    pub fn answer(&self) -> bool {
        self.rung.load(Ordering::Relaxed) && self.rung.swap(false, Ordering::AcqRel)
    }
}

/// A thread's end of the lane to another one.
#[derive(Debug)]
pub struct Outward {
    packets: Producer<u8>,
    notices: Producer<Notice>,
    waiting: VecDeque<Notice>,
    bell: Arc<Bell>,
    unseen: bool,
}

/// A thread's end of the lane from another one.
#[derive(Debug)]
pub struct Inward {
    packets: Consumer<u8>,
    notices: Consumer<Notice>,
}

/// A thread's ends of its lanes; `None` in its own place.
#[derive(Debug)]
pub struct Lanes {
    /// By the number of the thread that they lead to.
    pub outward: Vec<Option<Outward>>,
    /// By the number of the thread that they come from.
    pub inward: Vec<Option<Inward>>,
    /// Its own bell.
    pub bell: Arc<Bell>,
}

/// The lanes between threads that are woken by `bells`.
#[must_use]
pub fn mesh(bells: &[Arc<Bell>]) -> Vec<Lanes> {
    let mut mesh: Vec<Lanes> = bells
        .iter()
        .map(|bell| Lanes {
            outward: Vec::with_capacity(bells.len()),
            inward: Vec::with_capacity(bells.len()),
            bell: Arc::clone(bell),
        })
        .collect();
    for from in 0..bells.len() {
        for (to, bell) in bells.iter().enumerate() {
            let (outward, inward) = if from == to {
                (None, None)
            } else {
                let (outward, inward) = lane(Arc::clone(bell));
                (Some(outward), Some(inward))
            };
            mesh[from].outward.push(outward);
            mesh[to].inward.push(inward);
        }
    }
    mesh
}

fn lane(bell: Arc<Bell>) -> (Outward, Inward) {
    let (packets, packets_out) = RingBuffer::new(PACKETS);
    let (notices, notices_out) = RingBuffer::new(NOTICES);
    let outward = Outward {
        packets,
        notices,
        waiting: VecDeque::new(),
        bell,
        unseen: false,
    };
    let inward = Inward {
        packets: packets_out,
        notices: notices_out,
    };
    (outward, inward)
}

impl Outward {
    /// Takes a message; [`Outward::flush`] must follow. False if it was dropped.
    pub fn send(&mut self, message: Message<'_>) -> bool {
        self.unseen = true;
        match message {
            Message::Packet { leg, stream, data } => self.packet(leg, stream, data),
            Message::Notice(notice) => {
                // The order of notices counts, and that of packets after notices.
                self.waiting.push_back(notice);
                self.hand_over();
                true
            }
        }
    }

    fn packet(&mut self, leg: LegId, stream: StreamIndex, data: &[u8]) -> bool {
        let Ok(length) = u16::try_from(data.len()) else {
            return false;
        };
        let mut head = [0; HEAD];
        head[..8].copy_from_slice(&leg.0.to_le_bytes());
        head[8] = stream.0;
        head[9..].copy_from_slice(&length.to_le_bytes());
        put(&mut self.packets, [&head, data])
    }

    fn hand_over(&mut self) {
        if self.notices.is_abandoned() {
            // The other thread has ended.
            self.waiting.clear();
        }
        while let Some(notice) = self.waiting.pop_front() {
            if let Err(rtrb::PushError::Full(notice)) = self.notices.push(notice) {
                self.waiting.push_front(notice);
                return;
            }
        }
    }

    /// Wakes the other thread when there is something new. True when notices still wait: flush again soon.
    pub fn flush(&mut self) -> bool {
        if !self.unseen && self.waiting.is_empty() {
            return false;
        }
        self.hand_over();
        self.unseen = self.bell.ring().is_err();
        !self.waiting.is_empty()
    }
}

impl Inward {
    /// Takes what waits now: `take` is called for each message.
    pub fn receive(&mut self, buffer: &mut [u8], mut take: impl FnMut(Message<'_>)) {
        // A packet may be about a leg of which a notice before it told; so those that are here already come after the notices.
        let mut left = self.packets.slots();
        while let Ok(notice) = self.notices.pop() {
            take(Message::Notice(notice));
        }
        let mut head = [0; HEAD];
        while left >= HEAD && self.packets.pop_entire_slice(&mut head).is_ok() {
            let [leg @ .., stream, low, high] = head;
            let length = usize::from(u16::from_le_bytes([low, high]));
            let Some(data) = buffer.get_mut(..length) else {
                return;
            };
            if self.packets.pop_entire_slice(data).is_err() {
                return;
            }
            left = left.saturating_sub(HEAD + length);
            let (leg, stream) = (LegId(u64::from_le_bytes(leg)), StreamIndex(stream));
            take(Message::Packet { leg, stream, data });
        }
    }
}

#[cfg(test)]
mod tests {
    use mio::Poll;

    use super::*;

    fn two() -> (Poll, Outward, Inward) {
        let poll = Poll::new().expect("poll");
        let waker = Waker::new(poll.registry(), mio::Token(0)).expect("waker");
        let (outward, inward) = lane(Bell::new(Arc::new(waker)));
        (poll, outward, inward)
    }

    /// What comes out: notices by the leg alone, packets of the stream of that number with their content.
    fn received(inward: &mut Inward) -> Vec<(u64, Option<Vec<u8>>)> {
        let mut all = Vec::new();
        inward.receive(&mut [0; 2_000], |message| {
            all.push(match message {
                Message::Packet { leg, stream, data } => {
                    assert_eq!(stream.0, leg.0 as u8);
                    (leg.0, Some(data.to_vec()))
                }
                Message::Notice(Notice::Untied { leg }) => (leg.0, None),
                Message::Notice(other) => panic!("{other:?}"),
            });
        });
        all
    }

    fn notice(leg: u64) -> Message<'static> {
        Message::Notice(Notice::Untied { leg: LegId(leg) })
    }

    #[test]
    fn packets_of_all_lengths_come_out_as_they_went_in_round_the_ring() {
        let (_poll, mut outward, mut inward) = two();
        for round in 0..2_000_u64 {
            let length = (round * 37 % 1_400) as usize;
            let data = vec![round as u8; length];
            let packet = Message::Packet {
                leg: LegId(round),
                stream: StreamIndex(round as u8),
                data: &data,
            };
            assert!(outward.send(packet), "{round}");
            assert_eq!(received(&mut inward), [(round, Some(data))]);
        }
    }

    #[test]
    fn a_full_lane_drops_packets_and_keeps_notices() {
        let (_poll, mut outward, mut inward) = two();
        let data = [7; 200];
        let fits = PACKETS / (HEAD + data.len());
        for leg in 0..fits as u64 + 5 {
            let packet = Message::Packet {
                leg: LegId(leg),
                stream: StreamIndex(leg as u8),
                data: &data,
            };
            assert_eq!(outward.send(packet), leg < fits as u64);
        }
        for leg in 0..NOTICES as u64 + 5 {
            assert!(outward.send(notice(leg)));
        }
        assert!(outward.flush(), "five wait");
        let first = received(&mut inward);
        assert_eq!(first.len(), NOTICES + fits);
        assert!(!outward.flush());
        let legs: Vec<u64> = received(&mut inward).into_iter().map(|(leg, _)| leg).collect();
        assert_eq!(legs, Vec::from_iter(NOTICES as u64..NOTICES as u64 + 5));
    }

    #[test]
    fn a_notice_comes_before_the_packets_that_were_sent_after_it() {
        let (_poll, mut outward, mut inward) = two();
        assert!(outward.send(notice(1)));
        assert!(outward.send(Message::Packet {
            leg: LegId(1),
            stream: StreamIndex(1),
            data: &[1]
        }));
        assert_eq!(received(&mut inward), [(1, None), (1, Some(vec![1]))]);
    }

    #[test]
    fn notices_for_a_thread_that_ended_are_forgotten() {
        let (_poll, mut outward, inward) = two();
        drop(inward);
        for leg in 0..2 * NOTICES as u64 {
            assert!(outward.send(notice(leg)));
        }
        assert!(!outward.flush());
    }

    #[test]
    fn a_bell_wakes_once_until_it_is_answered() {
        let (mut poll, mut outward, _inward) = two();
        let mut events = mio::Events::with_capacity(4);
        let mut woken = |poll: &mut Poll| {
            poll.poll(&mut events, Some(std::time::Duration::ZERO))
                .expect("poll");
            !events.is_empty()
        };
        for _ in 0..2 {
            assert!(outward.send(notice(1)));
            assert!(!outward.flush());
        }
        assert!(woken(&mut poll) && outward.bell.answer());
        assert!(!outward.bell.answer());
        assert!(outward.send(notice(2)));
        assert!(!outward.flush());
        assert!(woken(&mut poll) && outward.bell.answer());
    }
}
