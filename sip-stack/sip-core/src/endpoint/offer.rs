use std::time::Duration;

use sans_io::Time;

use crate::message::{Message, StatusCode};

use super::call_out::{body_of, fork_id};
use super::client::Purpose;
use super::event::{Event, OfferMethod, Silence};
use super::ids::UsageId;
use super::outgoing::{Body, Headers};
use super::retry::retry_after;
use super::usage::{Alarm, OfferIn, State};
use super::{Endpoint, TimerKey, wire};

/// Offers of ours that may wait; more are refused.
const MAX_OFFERS: usize = 16;

impl Endpoint {
    /// Offers a change of the session by re-INVITE, after those that wait already. Each offer gets one
    /// `Event::OfferAnswered` or `Event::OfferRefused`.
    pub fn offer(&mut self, now: Time, usage: UsageId, body: Body) {
        let Some(state) = self.usages.get_mut(&usage).filter(|state| !state.is_over()) else {
            return;
        };
        if state.offers.len() >= MAX_OFFERS {
            return self.event(Event::OfferRefused {
                usage,
                code: StatusCode::REQUEST_PENDING,
                challenges: Headers::new(),
            });
        }
        state.offers.push_back(body);
        self.next_offer(now, usage);
    }

    /// Answers `Event::Offer`: `Ok` with the answer (to a re-INVITE without a description: our offer, whose answer comes
    /// in `Event::Acked`), `Err` with a status code 300 to 699, 488 for what cannot be agreed on.
    pub fn answer_offer(
        &mut self,
        now: Time,
        usage: UsageId,
        result: Result<Option<Body>, StatusCode>,
        extra: Headers,
    ) {
        let Some(state) = self.usages.get_mut(&usage) else {
            return;
        };
        let Some(offer) = state.offer_in.take() else {
            return;
        };
        let body = match result {
            Ok(body) => body,
            Err(code) => {
                let mut more = String::new();
                wire::extra_lines(&mut more, &extra);
                self.refuse_with(
                    now,
                    offer.server,
                    code.max(StatusCode::MULTIPLE_CHOICES),
                    &[&more],
                );
                return self.next_offer(now, usage);
            }
        };
        if body.is_some() {
            state.local_sdp.clone_from(&body);
        }
        if offer.body.is_some() {
            state.remote_sdp.clone_from(&offer.body);
        }
        self.accept_offer(now, usage, &offer, body, &extra);
        self.next_offer(now, usage);
    }

    fn accept_offer(
        &mut self,
        now: Time,
        usage: UsageId,
        offer: &OfferIn,
        body: Option<Body>,
        extra: &Headers,
    ) {
        let mut more = String::new();
        if let (Some(state), Some(entry)) = (self.usages.get(&usage), self.servers.get(&offer.server))
            && offer.method != OfferMethod::Prack
        {
            more = self.contact_line(&state.contact_user, &entry.flow);
        }
        more.push_str(&self.about.lines(extra, true));
        if offer.method != OfferMethod::Prack {
            more.push_str(&self.agree_as_server(now, usage, Some(offer.proposed)));
        }
        if offer.method == OfferMethod::Invite {
            let offers = offer.body.is_none() && body.is_some();
            self.send_2xx(now, usage, offer.server, body.as_ref(), &more, offers);
        } else {
            self.respond(now, offer.server, StatusCode::OK, &more, body.as_ref());
        }
    }

    /// Sends the next offer of ours, if nothing stands against it.
    pub(super) fn next_offer(&mut self, now: Time, usage: UsageId) {
        let Some(state) = self.usages.get_mut(&usage) else {
            return;
        };
        let ready = state.state == State::Confirmed
            && !state.is_changing()
            && self.timers.get(TimerKey::Usage(usage, Alarm::Retry)).is_none();
        if !ready {
            return;
        }
        let Some(body) = state.offers.front().cloned() else {
            return;
        };
        let extra = state.offer_headers.clone();
        let more = self.about.lines(&extra, true);
        self.send_in_dialog(
            now,
            usage,
            0,
            Some(body),
            more,
            Purpose::Reinvite { refresh: false },
        );
    }

    /// A re-INVITE of the peer (§14.2).
    pub(super) fn receive_reinvite(&mut self, now: Time, usage: UsageId, server: u64, request: &Message) {
        let Some(state) = self.usages.get(&usage) else {
            return;
        };
        if state.reinviting || state.state == State::Calling {
            return self.refuse_with(now, server, StatusCode::REQUEST_PENDING, &[]);
        }
        if state.state == State::Incoming || state.offer_in.is_some() {
            return self.refuse_later(now, server);
        }
        // RFC 5407 §3.1.5: its ACK was lost or is late. If that carries an answer we have to wait for it.
        if state.unacked.as_ref().is_some_and(|unacked| unacked.offers) {
            return self.refuse_with(now, server, StatusCode::REQUEST_PENDING, &[]);
        }
        let proposed = match self.session_proposed(Some(usage), request) {
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
        self.acked_by_implication(usage);
        let offer = OfferIn {
            server,
            method: OfferMethod::Invite,
            body: body_of(request),
            credentials: request.credentials(),
            proposed,
        };
        self.take_offer(now, usage, offer, None);
    }

    /// An UPDATE of the peer (RFC 3311 §5.2).
    pub(super) fn receive_update(
        &mut self,
        now: Time,
        usage: UsageId,
        fork: usize,
        server: u64,
        request: &Message,
    ) {
        let proposed = match self.session_proposed(Some(usage), request) {
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
        let Some(state) = self.usages.get(&usage) else {
            return;
        };
        let body = body_of(request);
        if body.is_none() {
            // A session refresh, or a new target: nothing to ask anybody.
            let offer = OfferIn {
                server,
                method: OfferMethod::Update,
                body: None,
                credentials: Headers::new(),
                proposed,
            };
            return self.accept_offer(now, usage, &offer, None, &Headers::new());
        }
        if state.offer_in.is_some() {
            return self.refuse_later(now, server);
        }
        let answered = match state.state {
            // Only where a reliable response carried the answer to our offer.
            State::Calling => state.dialogs.get(fork).is_some_and(|it| it.answer.is_some()),
            State::Incoming => state.reliable.has_answered() && state.local_sdp.is_some(),
            _ => !state.unacked.as_ref().is_some_and(|unacked| unacked.offers),
        };
        if state.reinviting || !answered {
            return self.refuse_with(now, server, StatusCode::REQUEST_PENDING, &[]);
        }
        let fork = (state.state == State::Calling).then_some(fork);
        let offer = OfferIn {
            server,
            method: OfferMethod::Update,
            body,
            credentials: request.credentials(),
            proposed,
        };
        self.take_offer(now, usage, offer, fork);
    }

    /// Hands an offer to the user; one that repeats the last is answered as it was then.
    fn take_offer(&mut self, now: Time, usage: UsageId, offer: OfferIn, fork: Option<usize>) {
        let body = offer.body.clone();
        let Some(state) = self.usages.get_mut(&usage) else {
            return;
        };
        if fork.is_none() && body.is_some() && body == state.remote_sdp && state.local_sdp.is_some() {
            let answer = state.local_sdp.clone();
            return self.accept_offer(now, usage, &offer, answer, &Headers::new());
        }
        if let (Some(fork), Some(body)) = (fork, &body)
            && let Some(dialog) = state.dialogs.get_mut(fork)
        {
            dialog.answer = Some(body.data.clone());
        }
        let method = offer.method;
        state.offer_in = Some(offer);
        self.event(Event::Offer {
            usage,
            fork: fork.map(fork_id),
            body,
            method,
        });
    }

    /// A final response to our re-INVITE.
    pub(super) fn reinvite_answered(
        &mut self,
        now: Time,
        client: u64,
        usage: Option<UsageId>,
        refresh: bool,
        code: StatusCode,
        response: &Message,
    ) {
        let tag = response.to().tag();
        if code.is_success() && self.clients.get(&client).is_some_and(|tx| tx.has_ack(tag)) {
            return self.repeat_ack(client, tag);
        }
        let Some((usage, state)) = usage.and_then(|id| Some((id, self.usages.get_mut(&id)?))) else {
            return;
        };
        state.reinviting = false;
        if code.is_success() {
            let Some(dialog) = state.dialogs.first_mut() else {
                return;
            };
            dialog.refresh_target(response);
            state.info.remote_target.clone_from(&dialog.remote_target);
            let dialog = dialog.clone();
            self.acknowledge(client, &dialog, None);
            return self.reinvite_accepted(now, usage, refresh, response);
        }
        if state.is_over() {
            return;
        }
        match code {
            // §14.1: the back-off of the owner of the Call-ID is the longer one.
            StatusCode::REQUEST_PENDING if refresh || !state.once => {
                let wait = if state.ours {
                    2_100 + self.rng.below(190) * 10
                } else {
                    self.rng.below(200) * 10
                };
                self.retry_offer(now, usage, refresh, Duration::from_millis(wait));
            }
            StatusCode::SERVER_INTERNAL_ERROR
                if (refresh || !state.once)
                    && retry_after(response).is_some_and(|wait| wait <= Duration::from_secs(10)) =>
            {
                self.retry_offer(now, usage, refresh, retry_after(response).unwrap_or_default());
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::CALL_DOES_NOT_EXIST => {
                self.refused_offer(usage, refresh, code, Headers::new());
                self.peer_lost(now, usage);
            }
            _ if refresh => self.refresh_refused(now, usage, code),
            _ => {
                self.refused_offer(usage, refresh, code, response.challenges());
                self.next_offer(now, usage);
            }
        }
    }

    fn reinvite_accepted(&mut self, now: Time, usage: UsageId, refresh: bool, response: &Message) {
        self.agree_as_client(now, usage, response);
        let body = body_of(response);
        let Some(state) = self.usages.get_mut(&usage) else {
            return;
        };
        if state.is_over() {
            return;
        }
        let changed = body.is_some() && body != state.remote_sdp;
        if body.is_some() {
            state.remote_sdp.clone_from(&body);
        }
        if refresh {
            if changed {
                self.event(Event::OfferAnswered { usage, body });
            }
        } else {
            state.local_sdp = state.offers.pop_front();
            state.once = false;
            state.offer_headers.clear();
            self.event(Event::OfferAnswered { usage, body });
        }
        self.next_offer(now, usage);
    }

    /// No response to our re-INVITE. Silence ends the dialog (§14.1), a connection that closed does not: its peer may
    /// come back over another one.
    pub(super) fn reinvite_failed(
        &mut self,
        now: Time,
        usage: Option<UsageId>,
        refresh: bool,
        silence: Silence,
    ) {
        let Some((usage, state)) = usage.and_then(|id| Some((id, self.usages.get_mut(&id)?))) else {
            return;
        };
        state.reinviting = false;
        if state.is_over() {
            return;
        }
        match silence {
            Silence::Timeout => {
                self.refused_offer(usage, refresh, StatusCode::REQUEST_TIMEOUT, Headers::new());
                self.peer_lost(now, usage);
            }
            Silence::Transport | Silence::Nowhere if refresh => self.refresh_not_sent(now, usage),
            Silence::Transport | Silence::Nowhere => {
                self.refused_offer(usage, refresh, StatusCode::SERVICE_UNAVAILABLE, Headers::new());
                self.next_offer(now, usage);
            }
        }
    }

    /// Refuses an offer of the peer that nobody answered, since the call ends.
    pub(super) fn abort_offer_in(&mut self, now: Time, usage: UsageId) {
        if let Some(offer) = self
            .usages
            .get_mut(&usage)
            .and_then(|state| state.offer_in.take())
        {
            self.refuse_with(now, offer.server, StatusCode::REQUEST_TERMINATED, &[]);
        }
    }

    fn refused_offer(&mut self, usage: UsageId, refresh: bool, code: StatusCode, challenges: Headers) {
        let Some(state) = self.usages.get_mut(&usage) else {
            return;
        };
        if !refresh && state.offers.pop_front().is_some() {
            state.once = false;
            state.offer_headers.clear();
            self.event(Event::OfferRefused {
                usage,
                code,
                challenges,
            });
        }
    }

    fn retry_offer(&mut self, now: Time, usage: UsageId, refresh: bool, wait: Duration) {
        if refresh {
            self.refresh_in(now, usage, wait);
        } else {
            self.timers.set(
                TimerKey::Usage(usage, Alarm::Retry),
                now + wait,
                "offer after glare",
            );
        }
    }

    /// §14.2: one thing at a time.
    fn refuse_later(&mut self, now: Time, server: u64) {
        let wait = format!("Retry-After: {}\r\n", self.rng.below(10) + 1);
        self.refuse_with(now, server, StatusCode::SERVER_INTERNAL_ERROR, &[&wait]);
    }
}
