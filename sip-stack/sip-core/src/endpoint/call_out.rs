use sans_io::{Rng, Time};

use crate::auth::Answerer;
use crate::dialog::{Dialog, RouteSet};
use crate::message::{HeaderName, Message, Method, StatusCode};
use crate::uri::Uri;

use super::client::Purpose;
use super::counts::UsageInfo;
use super::event::{Ended, Event, Silence};
use super::ids::{ForkId, UsageId};
use super::outgoing::{Body, Headers, OutgoingInvite, Reason, Target};
use super::reliable::Reliability;
use super::usage::{Alarm, State, Usage};
use super::wire::{self, Contact, Draft};
use super::{About, Endpoint, TimerKey};

/// Forks of one INVITE that are told apart; provisional responses of more are not dialogs.
const MAX_FORKS: usize = 32;

impl Endpoint {
    /// Places a call.
    pub fn invite(&mut self, now: Time, call: OutgoingInvite) -> UsageId {
        let usage = UsageId(self.rng.u64());
        let local_tag = format!("{:016x}", usage.0);
        let local = call.from.to_string();
        let from = call.from.with_tag(&local_tag).to_string();
        let (uri, routes) = routed_to(&call.target, &call.request_uri);
        let body = match call.parts.is_empty() {
            true => call.body.clone(),
            false => Body::mixed(
                call.body.clone(),
                &call.parts,
                &format!("part{:016x}", self.rng.u64()),
            ),
        };
        let draft = Draft {
            uri,
            routes,
            max_forwards: max_forwards(&call.extra),
            from,
            to: call.to.to_string(),
            call_id: new_call_id(&mut self.rng),
            cseq: self.rng.below(1 << 16) as u32 + 1,
            contact: Some(Contact {
                user: wire::user(&call.contact_user),
                ..Contact::default()
            }),
            more: self.about.first_lines(&call.extra, body.is_some(), call.reliable),
            session: call.session_timer.map(|wish| self.session_asked(wish)),
            body,
            ..Draft::bare(Method::Invite)
        };
        let info = UsageInfo {
            call_id: draft.call_id.clone(),
            local,
            local_tag,
            remote: draft.to.clone(),
            remote_tag: None,
            remote_target: call.request_uri.as_str().to_owned(),
            flow: match &call.target {
                Target::Flow(flow) | Target::Contact { flow, .. } => Some(*flow),
                Target::Routes(_) | Target::Address(_) | Target::Uri { .. } => None,
            },
            remote_allow: Vec::new(),
            user_agent: None,
            confirmed: false,
        };
        let mut state = Usage::new(info, State::Calling);
        state.sticky = state.info.flow;
        state.answerer = call.credentials.map(Answerer::new);
        state.contact_user = wire::user(&call.contact_user);
        state.ring_timeout = call.ring_timeout;
        state.response_timeout = call.response_timeout;
        state.local_sdp = call.body;
        state.offered = state.local_sdp.is_some();
        state.min_se = draft.session.map_or(0, |session| session.min);
        state.wanted = draft.session.map(|session| session.expires);
        state.refresher = call.session_timer.and_then(|wish| wish.refresher);
        self.usages.insert(usage, Box::new(state));
        self.timers.set(
            TimerKey::Usage(usage, Alarm::Ring),
            now + call.ring_timeout,
            "ringing limit",
        );
        let hop = self.hop_to_target(&call.target, &call.request_uri);
        self.dispatch(now, draft, hop, Some(usage), Purpose::Invite);
        usage
    }

    /// Answers the offer of a 2xx to an INVITE that had no body; the ACK carries it.
    pub fn ack(&mut self, now: Time, usage: UsageId, body: Option<Body>) {
        let Some(state) = self.usages.get_mut(&usage) else {
            return;
        };
        let (Some(client), Some(dialog)) = (state.owes_ack.take(), state.dialogs.first().cloned()) else {
            return;
        };
        state.local_sdp.clone_from(&body);
        self.acknowledge(client, &dialog, body);
        self.next_offer(now, usage);
    }

    /// A provisional response to the INVITE of `usage`.
    pub(super) fn invite_provisional(
        &mut self,
        now: Time,
        client: u64,
        usage: Option<UsageId>,
        code: StatusCode,
        response: &Message,
    ) {
        let Some((usage, state)) = usage.and_then(|id| Some((id, self.usages.get_mut(&id)?))) else {
            return;
        };
        if state.is_over() {
            // §9.1: CANCEL had to wait for this.
            if let Some(reason) = state.cancel.take() {
                self.cancel_now(now, usage, client, &reason);
            }
            return;
        }
        if code == StatusCode::TRYING {
            return;
        }
        self.timers.set(
            TimerKey::Usage(usage, Alarm::Ring),
            now + state.ring_timeout,
            "ringing limit",
        );
        let tag = response.to().tag();
        let mut fork = state.dialogs.iter().position(|dialog| dialog.is_with(tag));
        if tag.is_some() && fork.is_none() && state.dialogs.len() < MAX_FORKS {
            let cseq = response.cseq().number;
            state
                .dialogs
                .push(Dialog::uac(response, cseq, &state.info.remote_target));
            fork = Some(state.dialogs.len() - 1);
        }
        learn(&mut state.info, response);
        if let Some(fork) = fork
            && let Some(rseq) = response.rseq()
            && response.lists(HeaderName::Require, "100rel")
            && !self.prack(now, usage, fork, rseq, response)
        {
            return; // a copy, or out of order
        }
        let body = body_of(response);
        self.event(Event::Provisional {
            usage,
            fork: fork.map(fork_id),
            code,
            body,
        });
    }

    /// A 2xx to the INVITE of `usage`, or a copy of it.
    pub(super) fn invite_accepted(
        &mut self,
        now: Time,
        client: u64,
        usage: Option<UsageId>,
        response: Message,
    ) {
        let tag = response.to().tag();
        if self.clients.get(&client).is_some_and(|tx| tx.has_ack(tag)) {
            return self.repeat_ack(client, tag); // §13.2.2.4: an ACK for each copy
        }
        let cseq = response.cseq().number;
        let known = usage;
        let Some((usage, state)) = usage
            .and_then(|id| Some((id, self.usages.get_mut(&id)?)))
            .filter(|(_, state)| state.state == State::Calling)
        else {
            let waiting = known.and_then(|id| self.usages.get(&id)).is_some_and(|state| {
                state.owes_ack == Some(client)
                    && state.dialogs.first().is_some_and(|dialog| dialog.is_with(tag))
            });
            if !waiting {
                self.dismiss(now, client, known, &response);
            }
            return;
        };
        // The dialog set ends here: the fork that answered is the dialog, with the route set of the 2xx (§13.2.2.4).
        let fallback = state.info.remote_target.clone();
        let known = state.dialogs.iter().position(|dialog| dialog.is_with(tag));
        let fork = fork_id(known.unwrap_or(state.dialogs.len()));
        let mut dialog = match known {
            Some(fork) => state.dialogs.swap_remove(fork),
            None => Dialog::uac(&response, cseq, &fallback),
        };
        dialog.confirm(&response);
        state.dialogs.clear();
        state.resolved = None;
        state.state = State::Confirmed;
        state.invite = None;
        state.info.confirmed = true;
        state.info.remote_tag.clone_from(&dialog.remote_tag);
        state.info.remote_target.clone_from(&dialog.remote_target);
        learn(&mut state.info, &response);
        state.takes_update |= state.info.remote_allow.contains(&Method::Update);
        let body = body_of(&response);
        state.remote_sdp = body.clone().or(dialog.answer.take().map(Body::sdp));
        let late = !state.offered;
        if late {
            state.owes_ack = Some(client);
        }
        state.dialogs.push(dialog.clone());
        self.timers.cancel(TimerKey::Usage(usage, Alarm::Ring));
        self.agree_as_client(now, usage, &response);
        if !late {
            self.acknowledge(client, &dialog, None);
        }
        self.event(Event::Answered {
            usage,
            fork,
            body,
            response,
        });
        self.next_offer(now, usage);
    }

    /// A final refusal of the INVITE of `usage`.
    pub(super) fn invite_refused(
        &mut self,
        _now: Time,
        usage: Option<UsageId>,
        code: StatusCode,
        response: Message,
    ) {
        let Some(usage) = usage else { return };
        let reason = response.reason().to_owned();
        self.end(
            usage,
            Ended::Rejected {
                code,
                reason,
                headers: response,
            },
        );
    }

    /// The INVITE of `usage` found no answer.
    pub(super) fn invite_failed(&mut self, _now: Time, usage: Option<UsageId>, silence: Silence) {
        let Some(usage) = usage else { return };
        let cause = match silence {
            Silence::Timeout => Ended::Timeout,
            Silence::Transport => Ended::Transport,
            Silence::Nowhere => Ended::Nowhere,
        };
        self.end(usage, cause);
    }

    /// The ringing limit of the branch that we dialled.
    pub(super) fn rang_too_long(&mut self, now: Time, usage: UsageId) {
        let reason = Reason {
            protocol: "SIP".into(),
            cause: Some(StatusCode::REQUEST_TIMEOUT.get()),
            text: Some("Ringing limit".into()),
        };
        self.give_up_invite(now, usage, &reason.line());
        self.end(usage, Ended::RingTimeout);
    }

    /// Ends our INVITE before it is answered: CANCEL as soon as that may be sent, or nothing if it never left.
    pub(super) fn give_up_invite(&mut self, now: Time, usage: UsageId, reason: &str) {
        let Some(state) = self.usages.get_mut(&usage) else {
            return;
        };
        if let Some(query) = state.query.take() {
            state.open = state.open.saturating_sub(1);
            self.queries.remove(&query);
            return;
        }
        let Some(client) = state.invite else { return };
        match self.clients.get(&client) {
            Some(tx) if tx.is_proceeding() => self.cancel_now(now, usage, client, reason),
            Some(tx) if tx.is_open() => state.cancel = Some(reason.to_owned()),
            _ => {}
        }
    }

    fn cancel_now(&mut self, now: Time, usage: UsageId, client: u64, reason: &str) {
        self.send_cancel(now, client, reason);
        // §9.1: 64·T1 without a final response, and the INVITE counts as cancelled.
        let limit = now + self.config.timing.timeout();
        self.timers.set(
            TimerKey::Usage(usage, Alarm::Cancelled),
            limit,
            "cancelled INVITE",
        );
    }

    /// The peer never gave the cancelled INVITE a final response.
    pub(super) fn cancel_unanswered(&mut self, usage: UsageId) {
        let Some(state) = self.usages.get_mut(&usage) else {
            return;
        };
        if let Some(client) = state.invite.take() {
            state.open = state.open.saturating_sub(1);
            self.drop_client(client);
        }
        self.reap(usage);
    }

    /// A 2xx that nobody wants: of another fork, or after we hung up. It is acknowledged, and then comes BYE (§13.2.2.4).
    fn dismiss(&mut self, now: Time, client: u64, usage: Option<UsageId>, response: &Message) {
        let Some(tx) = self.clients.get(&client) else {
            return;
        };
        let mut dialog = Dialog::uac(response, tx.draft.cseq, &tx.draft.uri);
        let (from, call_id) = (tx.draft.from.clone(), tx.draft.call_id.clone());
        self.acknowledge(client, &dialog, None);
        let routed = dialog.routed();
        let draft = Draft {
            uri: routed.request_uri,
            routes: routed.routes,
            from,
            to: dialog.remote.clone(),
            call_id,
            cseq: dialog.next_seq(),
            more: self.about.user_agent.clone(),
            ..Draft::bare(Method::Bye)
        };
        let hop = self.hop_beside(client, &routed.next_hop);
        // As long as the usage is known, so are its credentials.
        let usage = usage.filter(|usage| self.usages.contains_key(usage));
        self.dispatch(now, draft, hop, usage, Purpose::Farewell);
    }
}

impl About {
    /// Our `User-Agent` with the headers of the application.
    pub(super) fn agent_and(&self, extra: &Headers) -> String {
        let mut out = String::new();
        wire::extra_lines(&mut out, extra);
        if !wire::has(extra, HeaderName::UserAgent) {
            out.push_str(&self.user_agent);
        }
        out
    }

    /// Our lines of an INVITE that begins a call, with those of the application. Where it brings no offer, its answer to ours would have
    /// to come in a PRACK, and provisional responses do not go reliably.
    fn first_lines(&self, extra: &Headers, offers: bool, reliable: Reliability) -> String {
        let may = offers && reliable != Reliability::Off;
        let mut out = self.lines(extra, may);
        if may && reliable == Reliability::Required {
            out.push_str("Require: 100rel\r\n");
        }
        out
    }

    /// Our lines of an INVITE or of another request that begins or changes something, with those of the application.
    pub(super) fn lines(&self, extra: &Headers, reliable: bool) -> String {
        let mut out = String::with_capacity(256);
        wire::extra_lines(&mut out, extra);
        if !wire::has(extra, HeaderName::Allow) {
            out.push_str(&self.allow);
        }
        if !wire::has(extra, HeaderName::AllowEvents) {
            out.push_str(self.packages());
        }
        if !wire::has(extra, HeaderName::Supported) {
            out.push_str(if reliable {
                &self.supported
            } else {
                &self.supported_late
            });
        }
        if !wire::has(extra, HeaderName::UserAgent) {
            out.push_str(&self.user_agent);
        }
        out
    }
}

/// Random, and unlike those of JsSIP, which answers 482 to what begins like its own.
pub(super) fn new_call_id(rng: &mut Rng) -> String {
    rng.token(24)
}

/// `Max-Forwards` that the application asks for, else 70 (RFC 3261 §8.1.1.6).
pub(super) fn max_forwards(extra: &Headers) -> u8 {
    extra
        .iter()
        .find(|(name, _)| HeaderName::of(name) == HeaderName::MaxForwards)
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(70)
}

/// Request-URI and `Route` of a request outside a dialog: a loosely routing outbound proxy gets a `Route`
/// value, and so do the proxies of a `Path`.
pub(super) fn routed_to(target: &Target, request_uri: &Uri) -> (String, Vec<String>) {
    let uri = request_uri.as_str();
    match target {
        Target::Uri { proxy: Some(proxy) } if proxy.is_loose_router() => {
            (uri.to_owned(), vec![format!("<{}>", proxy.as_str())])
        }
        Target::Contact { path, .. } | Target::Routes(path) => {
            let routed = RouteSet::restored(path.clone()).apply(uri);
            (routed.request_uri, routed.routes)
        }
        Target::Uri { .. } | Target::Address(_) | Target::Flow(_) => (uri.to_owned(), Vec::new()),
    }
}

/// Notes what a message says about its sender.
pub(super) fn learn(info: &mut UsageInfo, message: &Message) {
    let mut allow = message.allow().peekable();
    if allow.peek().is_some() {
        info.remote_allow = allow.map(Method::new).collect();
    }
    let agent = message
        .header(HeaderName::UserAgent)
        .or_else(|| message.header(HeaderName::Server));
    if let Some(agent) = agent
        && info.user_agent.as_deref() != Some(agent)
    {
        info.user_agent = Some(agent.to_owned());
    }
}

/// Name of the fork whose dialog has this index.
pub(super) fn fork_id(index: usize) -> ForkId {
    ForkId(u32::try_from(index).unwrap_or(u32::MAX))
}

/// The session description of a message, if it has one.
pub(super) fn body_of(message: &Message) -> Option<Body> {
    message.content().session.map(Body::sdp)
}
