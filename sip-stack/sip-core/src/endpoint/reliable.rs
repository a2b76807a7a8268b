use std::time::Duration;

use sans_io::Time;

use crate::message::{Message, Method, StatusCode};

use super::call_out::body_of;
use super::client::Purpose;
use super::event::{Ended, Event, OfferMethod};
use super::ids::UsageId;
use super::outgoing::{Body, Headers};
use super::usage::{Alarm, OfferIn, Reliable, State, Waiting};
use super::{Endpoint, TimerKey};

/// Interval at which a provisional response is repeated while nobody answers.
const STILL_RINGING: Duration = Duration::from_secs(60);

/// Provisional responses that go reliably (RFC 3262), besides those that the other side requires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reliability {
    /// None. Our INVITEs do not say that we support it.
    Off,
    /// Those with a session description, to a peer that supports it. Our INVITEs say that we do.
    #[default]
    Supported,
    /// All of them, to a peer that supports it. Our INVITEs require it.
    Required,
}

impl Reliable {
    /// True if a provisional response goes reliably. After one that does all do, in order, since one that is not could not be told from
    /// a copy of it.
    pub(super) fn applies(&self, has_body: bool) -> bool {
        self.required
            || self.begun
            || (self.supported
                && match self.wanted {
                    Reliability::Off => false,
                    Reliability::Supported => has_body,
                    Reliability::Required => true,
                })
    }

    /// True if the caller's offer is answered as surely as by a 2xx: an answer went reliably, and its PRACK came.
    pub(super) fn has_answered(&self) -> bool {
        self.begun && !self.blocks_accept()
    }

    /// RFC 3262 §3: no 2xx while a provisional response with a description has no PRACK.
    pub(super) fn blocks_accept(&self) -> bool {
        self.waiting.as_ref().is_some_and(|waiting| waiting.has_body)
            || self.queue.iter().any(|(_, body, _)| body.is_some())
    }

    /// The 2xx goes out: no response is sent again, but the PRACK of the last one is still to come.
    pub(super) fn stop(&mut self) {
        self.overtaken = self.waiting.take().map(|_| self.rseq);
        self.queue.clear();
    }
}

impl Endpoint {
    /// Sets which provisional responses go reliably to a caller who supports that. Call before the first of them.
    pub fn ring_reliably(&mut self, usage: UsageId, reliability: Reliability) {
        if let Some(state) = self.usages.get_mut(&usage) {
            state.reliable.wanted = reliability;
        }
    }

    /// Acknowledges a reliable provisional response to our INVITE (RFC 3262 §4). False for a copy, or one that is ahead
    /// of its turn, which the peer will send again.
    pub(super) fn prack(
        &mut self,
        now: Time,
        usage: UsageId,
        fork: usize,
        rseq: u32,
        response: &Message,
    ) -> bool {
        let Some(state) = self.usages.get_mut(&usage) else {
            return false;
        };
        let offered = state.offered;
        let Some(dialog) = state.dialogs.get_mut(fork) else {
            return false;
        };
        if dialog.rseq.is_some_and(|last| rseq != last.wrapping_add(1)) {
            return false;
        }
        dialog.rseq = Some(rseq);
        dialog.refresh_target(response);
        if let Some(body) = body_of(response)
            && offered
        {
            dialog.answer = Some(body.data);
        }
        let cseq = response.cseq();
        let more = format!("RAck: {rseq} {} INVITE\r\n", cseq.number);
        self.send_in_dialog(now, usage, fork, None, more, Purpose::Prack);
        true
    }

    /// Sends a provisional response; one after the other where they go reliably.
    pub(super) fn ring_with(
        &mut self,
        now: Time,
        usage: UsageId,
        server: u64,
        code: StatusCode,
        body: Option<Body>,
        more: String,
    ) {
        let timing = self.config.timing;
        let Some(state) = self.usages.get_mut(&usage) else {
            return;
        };
        let reliable = &mut state.reliable;
        if !reliable.applies(body.is_some()) {
            self.respond(now, server, code, &more, body.as_ref());
            let next = now + STILL_RINGING;
            return self
                .timers
                .set(TimerKey::Usage(usage, Alarm::StillRinging), next, "still ringing");
        }
        if reliable.waiting.is_some() {
            reliable.queue.push_back((code, body, more));
            return;
        }
        reliable.begun = true;
        reliable.rseq += 1;
        reliable.waiting = Some(Waiting {
            interval: timing.t1,
            until: now + timing.timeout(),
            has_body: body.is_some(),
        });
        let more = format!("{more}Require: 100rel\r\nRSeq: {}\r\n", reliable.rseq);
        self.respond(now, server, code, &more, body.as_ref());
        self.timers.set(
            TimerKey::Usage(usage, Alarm::Reliable),
            now + timing.t1,
            "1xx without PRACK",
        );
    }

    /// §13.3.1.1: a proxy on the way may give up a call of which it hears nothing for three minutes.
    pub(super) fn still_ringing(&mut self, now: Time, usage: UsageId) {
        let Some(state) = self
            .usages
            .get(&usage)
            .filter(|state| state.state == State::Incoming)
        else {
            return;
        };
        let Some(server) = state.server else { return };
        self.repeat_response(server);
        self.timers.set(
            TimerKey::Usage(usage, Alarm::StillRinging),
            now + STILL_RINGING,
            "still ringing",
        );
    }

    /// The provisional response again; after 64·T1 the INVITE is refused (RFC 3262 §3).
    pub(super) fn send_reliable_again(&mut self, now: Time, usage: UsageId) {
        let Some(state) = self.usages.get_mut(&usage) else {
            return;
        };
        let (Some(waiting), Some(server)) = (&mut state.reliable.waiting, state.server) else {
            return;
        };
        if now >= waiting.until {
            self.refuse_with(now, server, StatusCode::SERVER_TIME_OUT, &[]);
            return self.end(usage, Ended::NoAck);
        }
        waiting.interval *= 2;
        let next = (now + waiting.interval).min(waiting.until);
        self.repeat_response(server);
        self.timers
            .set(TimerKey::Usage(usage, Alarm::Reliable), next, "1xx without PRACK");
    }

    /// A PRACK for a provisional response of ours.
    pub(super) fn receive_prack(&mut self, now: Time, usage: UsageId, server: u64, request: &Message) {
        let Some(state) = self.usages.get_mut(&usage) else {
            return;
        };
        let reliable = &mut state.reliable;
        let Some(rack) = request.rack() else {
            return self.refuse_with(now, server, StatusCode::BAD_REQUEST, &[]);
        };
        let matches = rack.cseq.number == reliable.invite
            && rack.cseq.method == Method::Invite
            && (reliable.overtaken.take_if(|rseq| *rseq == rack.rseq).is_some()
                || (rack.rseq == reliable.rseq && reliable.waiting.take().is_some()));
        if !matches {
            return self.refuse_with(now, server, StatusCode::CALL_DOES_NOT_EXIST, &[]);
        }
        self.timers.cancel(TimerKey::Usage(usage, Alarm::Reliable));
        self.out.push_back(super::Output::Event(Event::Pracked { usage }));
        match body_of(request) {
            // An offer of its own (RFC 3262 §5), if ours or theirs is answered already; else the answer to our offer.
            Some(body) if state.offered && state.local_sdp.is_some() => {
                let method = OfferMethod::Prack;
                state.offer_in = Some(OfferIn {
                    server,
                    method,
                    body: Some(body.clone()),
                    credentials: Headers::new(),
                    proposed: None,
                });
                self.event(Event::Offer {
                    usage,
                    fork: None,
                    body: Some(body),
                    method,
                });
            }
            body => {
                if let Some(body) = body {
                    state.remote_sdp = Some(body.clone());
                    state.offered = true;
                    self.event(Event::Acked {
                        usage,
                        body: Some(body),
                    });
                }
                self.refuse_with(now, server, StatusCode::OK, &[]);
            }
        }
        self.next_reliable(now, usage);
    }

    /// Sends the response that waited for the PRACK.
    fn next_reliable(&mut self, now: Time, usage: UsageId) {
        let Some(state) = self
            .usages
            .get_mut(&usage)
            .filter(|state| state.state == State::Incoming)
        else {
            return;
        };
        let Some(server) = state.server else { return };
        if let Some((code, body, more)) = state.reliable.queue.pop_front() {
            self.ring_with(now, usage, server, code, body, more);
        } else if let Some((body, more)) = state.reliable.held_accept.take() {
            self.accept_with(now, usage, server, body, more);
        }
    }
}
