use std::fmt::Write as _;

use sans_io::Time;

use crate::message::{HeaderName, Message, StatusCode};

use super::client::Purpose;
use super::event::{Ended, Event};
use super::ids::UsageId;
use super::outgoing::{Headers, Reason};
use super::usage::{Alarm, State};
use super::{Endpoint, TimerKey, wire};

impl Endpoint {
    /// Ends a leg in whatever state it is: CANCEL, BYE or a refusal, each when the rules allow it. `Event::Ended` comes
    /// at once; what the peer makes of it is dealt with in here.
    pub fn hangup(&mut self, now: Time, usage: UsageId, reason: Option<Reason>, extra: Headers) {
        let Some(state) = self.usages.get(&usage) else {
            return;
        };
        let mut lines = String::new();
        if let Some(reason) = &reason {
            lines = reason_line(&reason.protocol, reason.cause, reason.text.as_deref());
        }
        wire::extra_lines(&mut lines, &extra);
        match state.state {
            State::Over => return,
            State::Calling => self.give_up_invite(now, usage, &lines),
            State::Incoming => {
                let code = reason
                    .filter(|reason| reason.protocol.eq_ignore_ascii_case("SIP"))
                    .and_then(|reason| reason.cause)
                    .and_then(|cause| StatusCode::try_from(cause).ok())
                    .filter(|code| code.is_refusal())
                    .unwrap_or(StatusCode::DECLINE);
                if let Some(server) = state.server {
                    self.refuse_with(now, server, code, &[&lines]);
                }
            }
            // §15: the callee may not send BYE before the ACK came.
            State::Accepted => {
                if let Some(state) = self.usages.get_mut(&usage) {
                    state.bye = Some(lines);
                }
            }
            State::Confirmed => self.say_bye(now, usage, &lines),
        }
        self.end(usage, Ended::LocalHangup);
    }

    /// BYE; a re-INVITE or UPDATE of the peer that waits for its answer gets 487 (§15.1.2).
    pub(super) fn say_bye(&mut self, now: Time, usage: UsageId, lines: &str) {
        self.abort_offer_in(now, usage);
        // A 2xx that still waits for the user's answer is acknowledged first.
        self.ack(now, usage, None);
        let mut more = lines.to_owned();
        more.push_str(&self.about.user_agent);
        self.send_in_dialog(now, usage, 0, None, more, Purpose::Bye);
    }

    /// Reports the last event of a usage. Its remaining work goes on silently.
    pub(super) fn end(&mut self, usage: UsageId, cause: Ended) {
        let Some(state) = self.usages.get_mut(&usage) else {
            return;
        };
        if state.is_over() {
            return;
        }
        state.state = State::Over;
        state.offers.clear();
        state.refers.clear();
        state.session = None;
        for alarm in [
            Alarm::Ring,
            Alarm::StillRinging,
            Alarm::Expired,
            Alarm::Ping,
            Alarm::Reliable,
            Alarm::Retry,
            Alarm::Session,
        ] {
            self.timers.cancel(TimerKey::Usage(usage, alarm));
        }
        self.event(Event::Ended { usage, cause });
        self.reap(usage);
    }

    /// Forgets a usage that is over and has nothing left to finish.
    pub(super) fn reap(&mut self, usage: UsageId) {
        let Some(state) = self.usages.get(&usage) else {
            return;
        };
        if !state.is_over() || state.open > 0 || state.unacked.is_some() {
            return;
        }
        for alarm in [Alarm::Cancelled, Alarm::Accepted] {
            self.timers.cancel(TimerKey::Usage(usage, alarm));
        }
        self.usages.remove(&usage);
    }
}

/// A `Reason` line (RFC 3326).
pub(super) fn reason_line(protocol: &str, cause: Option<u16>, text: Option<&str>) -> String {
    let mut value = protocol.to_owned();
    if let Some(cause) = cause {
        let _ = write!(value, ";cause={cause}");
    }
    if let Some(text) = text {
        let _ = write!(value, ";text={}", crate::message::params::quote(text));
    }
    super::one_line("Reason", &value)
}

/// The first `Reason` of a message.
pub(super) fn reason_of(message: &Message) -> Option<Reason> {
    message.header(HeaderName::Reason)?;
    let reason = message.reasons().next()?;
    Some(Reason {
        protocol: reason.value.to_owned(),
        cause: reason.param("cause").and_then(|cause| cause.parse().ok()),
        text: reason.param("text").map(str::to_owned),
    })
}
