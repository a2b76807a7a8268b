//! Actions of timers.

use std::time::Duration;

use sans_io::Time;

use super::Shard;
use crate::control::{Event, Failure};
use crate::deadlines::Who;
use crate::stream::{Sink, direct, paced};
use crate::transport;

/// The least between two looks at a leg that time alone causes.
const PAUSE: Duration = Duration::from_millis(1);

impl Shard {
    /// Looks at every leg and every mix that is due, at each once: one that is due again at once waits a
    /// moment, so that a deadline that does not move costs little and stops nobody else.
    pub(super) fn timeout(&mut self, now: Time) {
        self.floor = now + PAUSE;
        while let Some((at, who, _)) = self.queue.peek()
            && at <= now
        {
            if !self.take(who) {
                continue;
            }
            match who {
                Who::Leg(key) => {
                    self.look_at(now, key);
                    self.arm(key);
                }
                Who::Mix(bridge) => {
                    self.mix(now, bridge);
                    self.arm_mix(bridge);
                }
            }
        }
        self.floor = Time::ZERO;
    }

    fn look_at(&mut self, now: Time, key: usize) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        leg.play(now, &mut self.out);
        leg.send_digit(now, &mut self.pool, &mut self.out);
        leg.knock(now, &mut self.pool, &mut self.out);
        leg.check_flow(now, &mut self.out);
        leg.check_silence(now, self.config.silence, &mut self.out);
        let heard = leg.keys.timeout(now);
        let report = leg.report_at.is_some_and(|at| at <= now);
        if leg.transport.deadline().is_some_and(|(at, _)| at <= now) {
            leg.transport.handle_timeout(now);
        }
        if leg.feed_deadline().is_some_and(|(at, _)| at <= now) {
            self.feed(now, key);
        }
        if let Some(heard) = heard {
            self.key(now, key, heard);
        }
        if report {
            self.send_report(now, key, false);
        }
        self.settle(now, key);
    }

    /// Sends what a leg's peer said and is due now.
    fn feed(&mut self, now: Time, key: usize) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        let Some(mut feed) = leg.feed.take() else { return };
        let advance = if feed.is_paced() { paced } else { direct };
        if let Some(lane) = leg.player.as_ref().and_then(|player| player.lane())
            && leg.listener.is_none()
        {
            advance(now, &mut feed, &mut Sink::Lane(lane), &mut leg.count);
            leg.feed = Some(feed);
            return;
        }
        let Some(listener) = leg.listener.filter(|listener| *listener != key) else {
            // Nobody listens any more.
            feed.give_back(&mut self.pool);
            return;
        };
        if let Some((talker, listener)) = self.legs.get2_mut(key, listener) {
            advance(
                now,
                &mut feed,
                &mut Sink::Leg(listener, &mut self.out),
                &mut talker.count,
            );
            talker.feed = Some(feed);
        }
    }

    /// Takes from a leg's transport what its own protocol has to send and to say.
    pub(super) fn settle(&mut self, now: Time, key: usize) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        if !leg.transport.negotiates() {
            return;
        }
        let id = leg.id;
        while let Some(datagram) = leg.transport.poll_transmit() {
            self.out.datagram(datagram.socket, datagram.to, datagram.data);
        }
        let mut failed = None;
        while let Some(event) = leg.transport.poll_event() {
            match event {
                transport::Event::Connected => {
                    leg.egress.resume(now);
                    self.out.event(Event::Connected { leg: id });
                }
                transport::Event::Speaking(speaking) => {
                    self.out.event(Event::Speaking { leg: id, speaking });
                }
                transport::Event::Gone(reason) => self.out.event(Event::Gone { leg: id, reason }),
                transport::Event::Failed(reason) => failed = Some(reason),
            }
        }
        if let Some(reason) = failed {
            self.fail(now, key, reason);
        } else {
            self.arm(key);
        }
    }

    fn fail(&mut self, now: Time, key: usize, reason: Failure) {
        let Some(leg) = self.legs.get(key) else { return };
        let id = leg.id;
        self.close(now, key);
        self.out.event(Event::Failed { leg: id, reason });
    }
}
