use std::time::Duration;

use sans_io::Time;

use crate::dialog::Dialog;
use crate::flow::Flow;
use crate::message::{HeaderName, Message, Method, NameAddr, StatusCode};
use crate::transaction::Key;

use super::call_out::{body_of, learn};
use super::counts::UsageInfo;
use super::event::{Ended, Event};
use super::ids::UsageId;
use super::outgoing::{Body, Headers, Reason};
use super::resolve::is_invalid;
use super::usage::{Alarm, State, Unacked, Usage};
use super::wire;
use super::{Endpoint, TimerKey};
use crate::uri::Host;

impl Endpoint {
    /// An INVITE outside a dialog that nothing speaks against.
    pub(super) fn receive_invite(&mut self, now: Time, flow: Flow, request: Message, server: u64) {
        if self.usages.len() >= self.config.max_usages {
            return self.refuse_full(now, server);
        }
        let proposed = match self.session_proposed(None, &request) {
            Ok(proposed) => proposed,
            Err(min) => {
                return self.refuse_with(
                    now,
                    server,
                    StatusCode::SESSION_INTERVAL_TOO_SMALL,
                    &[&format!("Min-SE: {min}\r\n")],
                );
            }
        };
        self.untried.push(server);
        let usage = UsageId(self.rng.u64());
        let local_tag = format!("{:016x}", usage.0);
        let cseq = self.rng.below(1 << 16) as u32 + 1;
        let dialog = Dialog::uas(&request, cseq);
        let info = UsageInfo {
            call_id: request.call_id().to_owned(),
            local: request.header(HeaderName::To).unwrap_or_default().to_owned(),
            local_tag: local_tag.clone(),
            remote: bare(&request.from()),
            remote_tag: dialog.remote_tag.clone(),
            remote_target: dialog.remote_target.clone(),
            flow: Some(flow),
            remote_allow: Vec::new(),
            user_agent: None,
            confirmed: false,
        };
        let mut state = Usage::new(info, State::Incoming);
        learn(&mut state.info, &request);
        state.takes_update = state.info.remote_allow.contains(&Method::Update);
        state.sticky = is_sticky(&request, flow).then_some(flow);
        state.contact_user = request
            .uri()
            .and_then(|uri| uri.user())
            .unwrap_or_default()
            .to_owned();
        state.server = Some(server);
        state.remote_sdp = body_of(&request);
        state.offered = state.remote_sdp.is_some();
        state.reliable.required = request.lists(HeaderName::Require, "100rel");
        state.reliable.supported = request.supports("100rel");
        state.reliable.invite = request.cseq().number;
        state.reliable.rseq = self.rng.below(1 << 16) as u32;
        state.proposed = proposed;
        state.knows_timer = request.supports("timer");
        state.dialogs.push(dialog);
        self.usages.insert(usage, Box::new(state));
        if let Some(seconds) = request.expires() {
            // §13.3.1: the caller waits no longer than that.
            let until = now + Duration::from_secs(seconds.into());
            self.timers.set(
                TimerKey::Usage(usage, Alarm::Expired),
                until,
                "expiry of an INVITE",
            );
        }
        if let Some(entry) = self.servers.get_mut(&server) {
            entry.tag = local_tag;
            entry.usage = Some(usage);
            entry.stranger = false;
        }
        self.event(Event::Invite { usage, request, flow });
    }

    /// Sends a provisional response 101 to 199, reliably if the caller requires that, or supports it and
    /// [`Endpoint::ring_reliably`] says so.
    pub fn ring(&mut self, now: Time, usage: UsageId, code: StatusCode, body: Option<Body>, extra: Headers) {
        let Some((server, more)) = self.incoming_lines(usage, &extra) else {
            return;
        };
        let code = if code.is_progress() {
            code
        } else {
            StatusCode::RINGING
        };
        if let Some(state) = self.usages.get_mut(&usage)
            && body.is_some()
        {
            state.local_sdp.clone_from(&body);
            state.offered_early |= state.reliable.applies(true) && !state.offered;
        }
        self.ring_with(now, usage, server, code, body, more);
    }

    /// True if the caller offered nothing and requires reliable provisional responses, the first of which
    /// must bring our offer (RFC 3261 §13.2.1, RFC 3262 §5): give the next `ring` one.
    #[must_use]
    pub fn offers_first(&self, usage: UsageId) -> bool {
        self.usages.get(&usage).is_some_and(|state| {
            state.state == State::Incoming
                && state.reliable.required
                && !state.offered
                && state.local_sdp.is_none()
        })
    }

    /// True if a reliable provisional response carried our offer; then the 200 has none.
    #[must_use]
    pub fn offered_early(&self, usage: UsageId) -> bool {
        self.usages.get(&usage).is_some_and(|state| state.offered_early)
    }

    /// Answers the call with 200, and sends that again until the ACK comes.
    pub fn accept(&mut self, now: Time, usage: UsageId, body: Option<Body>, extra: Headers) {
        let Some((server, mut more)) = self.incoming_lines(usage, &extra) else {
            return;
        };
        more.push_str(&self.agree_as_server(now, usage, None));
        self.accept_with(now, usage, server, body, more);
    }

    /// The 200, unless a reliable provisional response must be acknowledged before it.
    pub(super) fn accept_with(
        &mut self,
        now: Time,
        usage: UsageId,
        server: u64,
        body: Option<Body>,
        more: String,
    ) {
        let Some(state) = self.usages.get_mut(&usage) else {
            return;
        };
        if state.reliable.blocks_accept() {
            state.reliable.held_accept = Some((body, more));
            return;
        }
        state.reliable.stop();
        self.timers.cancel(TimerKey::Usage(usage, Alarm::Reliable));
        for alarm in [Alarm::StillRinging, Alarm::Expired] {
            self.timers.cancel(TimerKey::Usage(usage, alarm));
        }
        if body.is_some() {
            state.local_sdp.clone_from(&body);
        }
        let offers = !state.offered && body.is_some();
        if self.send_2xx(now, usage, server, body.as_ref(), &more, offers)
            && let Some(state) = self.usages.get_mut(&usage)
        {
            state.state = State::Accepted;
            state.info.confirmed = true;
        }
    }

    /// Refuses the call.
    pub fn reject(&mut self, now: Time, usage: UsageId, code: StatusCode, extra: Headers) {
        let Some((server, _)) = self.incoming_lines(usage, &Headers::new()) else {
            return;
        };
        let mut more = String::new();
        wire::extra_lines(&mut more, &extra);
        self.refuse_with(now, server, code.max(StatusCode::MULTIPLE_CHOICES), &[&more]);
        self.end(usage, Ended::LocalHangup);
    }

    /// The time that the caller gave is over (§13.3.1).
    pub(super) fn invite_expired(&mut self, now: Time, usage: UsageId) {
        let Some(state) = self
            .usages
            .get(&usage)
            .filter(|state| state.state == State::Incoming)
        else {
            return;
        };
        if let Some(server) = state.server {
            self.refuse_with(now, server, StatusCode::REQUEST_TERMINATED, &[]);
        }
        self.end(usage, Ended::Expired);
    }

    /// A 2xx to an INVITE or re-INVITE, which the usage sends again until its ACK comes, over reliable transports too
    /// (§13.3.1.4).
    pub(super) fn send_2xx(
        &mut self,
        now: Time,
        usage: UsageId,
        server: u64,
        body: Option<&Body>,
        more: &str,
        offers: bool,
    ) -> bool {
        let cseq = self.servers.get(&server).map_or(0, |entry| entry.cseq);
        if !self.respond(now, server, StatusCode::OK, more, body) {
            return false;
        }
        let Some((data, to)) = self.take_accepted(server) else {
            return false;
        };
        let timing = self.config.timing;
        let Some(state) = self.usages.get_mut(&usage) else {
            return false;
        };
        let initial = state.server.take().is_some();
        state.unacked = Some(Unacked {
            cseq,
            server,
            data,
            to,
            interval: timing.t1,
            until: now + timing.timeout(),
            initial,
            offers,
        });
        self.timers.set(
            TimerKey::Usage(usage, Alarm::Accepted),
            now + timing.t1,
            "2xx without ACK",
        );
        true
    }

    /// The 2xx again, or the end of patience.
    pub(super) fn send_accepted_again(&mut self, now: Time, usage: UsageId) {
        let timing = self.config.timing;
        let Some(state) = self.usages.get_mut(&usage) else {
            return;
        };
        let Some(unacked) = &mut state.unacked else { return };
        if now >= unacked.until {
            state.unacked = None;
            return self.never_acked(now, usage);
        }
        let (to, data, server) = (unacked.to.clone(), unacked.data.clone(), unacked.server);
        unacked.interval = (unacked.interval * 2).min(timing.t2);
        let next = (now + unacked.interval).min(unacked.until);
        self.totals.retransmissions += 1;
        self.transmit(to, data, server);
        self.timers
            .set(TimerKey::Usage(usage, Alarm::Accepted), next, "2xx without ACK");
    }

    /// §13.3.1.4: the dialog stands, and so the session is ended with BYE.
    fn never_acked(&mut self, now: Time, usage: UsageId) {
        let lines = self
            .usages
            .get_mut(&usage)
            .and_then(|state| state.bye.take())
            .unwrap_or_default();
        self.say_bye(now, usage, &lines);
        self.end(usage, Ended::NoAck);
        self.reap(usage);
    }

    /// An ACK that belongs to a dialog.
    pub(super) fn receive_ack(&mut self, now: Time, request: &Message) {
        let Some((usage, _)) = self.find_dialog(request) else {
            return;
        };
        let Some(state) = self.usages.get_mut(&usage) else {
            return;
        };
        if state
            .unacked
            .as_ref()
            .is_none_or(|unacked| unacked.cseq != request.cseq().number)
        {
            return;
        }
        let Some(unacked) = state.unacked.take() else {
            return;
        };
        self.timers.cancel(TimerKey::Usage(usage, Alarm::Accepted));
        let body = if unacked.offers { body_of(request) } else { None };
        if let Some(body) = &body {
            state.remote_sdp = Some(body.clone());
        }
        if state.is_over() {
            if let Some(lines) = state.bye.take() {
                self.say_bye(now, usage, &lines);
            }
            return self.reap(usage);
        }
        if unacked.initial {
            state.state = State::Confirmed;
        }
        if unacked.initial || unacked.offers {
            self.event(Event::Acked { usage, body });
        }
        self.next_offer(now, usage);
    }

    /// The peer's next request proves that it has our 2xx, though its ACK did not come.
    pub(super) fn acked_by_implication(&mut self, usage: UsageId) {
        let Some(state) = self.usages.get_mut(&usage) else {
            return;
        };
        let Some(unacked) = state.unacked.take() else {
            return;
        };
        self.timers.cancel(TimerKey::Usage(usage, Alarm::Accepted));
        if unacked.initial && !state.is_over() {
            state.state = State::Confirmed;
            self.event(Event::Acked { usage, body: None });
        }
    }

    /// CANCEL is answered 200 by itself; an INVITE without final response gets 487 (§9.2).
    pub(super) fn receive_cancel(&mut self, now: Time, flow: Flow, request: &Message, key: Key) {
        let invite = Key::cancelled(request)
            .and_then(|key| self.keys.get(&key).copied())
            .or_else(|| self.cancelled_call(flow, request));
        let Some(invite) = invite else {
            let server = self.open_stranger(now, request, flow, key);
            return self.refuse_with(now, server, StatusCode::CALL_DOES_NOT_EXIST, &[]);
        };
        let server = self.open_server(now, request, flow, key);
        let Some(entry) = self.servers.get(&invite) else {
            return;
        };
        let (tag, usage, open) = (entry.tag.clone(), entry.usage, entry.is_open());
        if let Some(cancel) = self.servers.get_mut(&server) {
            cancel.tag = tag; // §9.2: the tag of the INVITE's response
        }
        self.refuse_with(now, server, StatusCode::OK, &[]);
        if !open {
            return;
        }
        self.refuse_with(now, invite, StatusCode::REQUEST_TERMINATED, &[]);
        let Some(usage) = usage else { return };
        match self.usages.get_mut(&usage) {
            Some(state) if state.state == State::Incoming => {
                self.end(
                    usage,
                    Ended::Cancelled {
                        reason: Reason::of(request),
                    },
                );
            }
            // A re-INVITE: the session stays as it was.
            Some(_) => self.withdraw_offer_in(usage, invite),
            None => {}
        }
        self.next_offer(now, usage);
    }

    /// The INVITE of the same host that a CANCEL names by everything but its branch.
    fn cancelled_call(&self, flow: Flow, cancel: &Message) -> Option<u64> {
        let id = *self.merged.get(&Key::cancelled_call(cancel)?)?;
        let entry = self.servers.get(&id)?;
        (entry.flow.remote.ip() == flow.remote.ip()).then_some(id)
    }

    /// The server transaction of a usage that is being called, and the lines of a response that makes a dialog.
    fn incoming_lines(&self, usage: UsageId, extra: &Headers) -> Option<(u64, String)> {
        let state = self
            .usages
            .get(&usage)
            .filter(|state| state.state == State::Incoming)?;
        let server = state.server?;
        let entry = self.servers.get(&server)?;
        let mut more = entry.head.record_routes().to_owned();
        if !wire::has(extra, HeaderName::Contact) {
            more.push_str(&self.contact_line(&state.contact_user, &entry.flow));
        }
        wire::extra_lines(&mut more, extra);
        for (name, line) in [
            (HeaderName::Allow, self.about.allow.as_str()),
            (HeaderName::AllowEvents, self.about.packages()),
            (HeaderName::Supported, &self.about.supported),
            (HeaderName::Server, &self.about.server),
        ] {
            if !wire::has(extra, name) {
                more.push_str(line);
            }
        }
        Some((server, more))
    }
}

/// Requests of ours go back over the flow of an INVITE that came over a connection, whose client may be reachable over
/// nothing else, and to a peer behind a NAT: one that is not where its `Via` says, with no proxy in between.
pub(super) fn is_sticky(request: &Message, flow: Flow) -> bool {
    if flow.transport.is_reliable() {
        return true;
    }
    let unreachable = request
        .contact()
        .and_then(|contact| contact.uri.host())
        .is_none_or(|host| matches!(host, Host::Name(name) if is_invalid(name)));
    let elsewhere = request.top_via().is_some_and(|via| {
        via.host
            .ip()
            .is_some_and(|ip| ip.to_canonical() != flow.remote.ip().to_canonical())
            || (via.rport().is_some() && via.port_or_default() != flow.remote.port())
    });
    unreachable
        || (elsewhere && request.header(HeaderName::RecordRoute).is_none() && request.via_count() == 1)
}

/// An address without its parameters.
fn bare(address: &NameAddr<'_>) -> String {
    match address.display {
        "" => format!("<{}>", address.uri),
        display => format!("{display} <{}>", address.uri),
    }
}
