//! Actions of timers.

use std::time::Duration;

use sans_io::Time;

use super::Shard;
use crate::control::{Event, Failure};
use crate::deadlines::Who;
use crate::leg::{end_at, ends_at};
use crate::stream::{Beneath, End, Place, Sink, direct, paced};
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
                Who::Mix(bridge, stream) => {
                    self.mix(now, bridge, stream);
                    self.arm_mix(bridge, stream);
                }
            }
        }
        self.floor = Time::ZERO;
    }

    fn look_at(&mut self, now: Time, key: usize) {
        let Some(leg) = self.legs.get_mut(key) else { return };
        for index in leg.indices() {
            let beneath = match leg.hears_by_lane(index) {
                Some(true) => Beneath::Lane,
                _ => Beneath::Application,
            };
            let Some(mut end) = leg.end(index) else { continue };
            end.play(now, beneath, &mut self.out);
            end.send_digit(now, &mut self.pool, &mut self.out);
            end.knock(now, &mut self.pool, &mut self.out);
            end.check_flow(now, &mut self.out);
        }
        leg.check_silence(now, self.config.silence, &mut self.out);
        if leg.transport.deadline().is_some_and(|(at, _)| at <= now) {
            leg.transport.handle_timeout(now);
        }
        for place in self.places(key) {
            self.look_at_stream(now, place);
        }
        self.settle(now, key);
    }

    fn look_at_stream(&mut self, now: Time, place: Place) {
        let Some(End { stream, .. }) = self.end(place) else {
            return;
        };
        let heard = stream.keys.timeout(now);
        let report = stream.report_at.is_some_and(|at| at <= now);
        if stream.feed_deadline().is_some_and(|(at, _)| at <= now) {
            self.feed(now, place);
        }
        if let Some(heard) = heard {
            self.key(now, place, heard);
        }
        if report {
            self.send_report(now, place, false);
        }
    }

    /// Sends what a stream's peer said and is due now.
    fn feed(&mut self, now: Time, place: Place) {
        let Some(End { stream, .. }) = end_at(&mut self.legs, place) else {
            return;
        };
        let Some(mut feed) = stream.feed.take() else {
            return;
        };
        let advance = if feed.is_paced() { paced } else { direct };
        if let Some(lane) = stream.player.as_ref().and_then(|player| player.lane())
            && stream.listener.is_none()
        {
            advance(now, &mut feed, &mut Sink::Lane(lane), &mut stream.count);
            stream.feed = Some(feed);
            return;
        }
        let Some(listener) = stream.listener.filter(|listener| *listener != place) else {
            // Nobody listens any more.
            feed.give_back(&mut self.pool);
            return;
        };
        if let Some((talker, listener)) = ends_at(&mut self.legs, place, listener) {
            let mut sink = Sink::Stream(listener, &mut self.out);
            advance(now, &mut feed, &mut sink, &mut talker.stream.count);
            talker.stream.feed = Some(feed);
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
                    for stream in &mut leg.streams {
                        stream.egress.resume(now);
                    }
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
