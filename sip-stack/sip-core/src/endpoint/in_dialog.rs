use std::net::IpAddr;

use sans_io::Time;

use crate::flow::Flow;
use crate::message::{HeaderName, Message, Method, StatusCode};
use crate::network::Network;
use crate::transaction::Key;

use super::Endpoint;
use super::call_out::{learn, max_forwards};
use super::client::Purpose;
use super::event::{Ended, Event, Silence};
use super::ids::{RequestId, ServerTx, UsageId};
use super::outgoing::{Body, Headers, PassedOn, Reason};
use super::usage::State;
use super::wire::{Contact, Draft};

/// Maximum number of addresses of one peer.
const MAX_PEERS: usize = 64;

impl Endpoint {
    /// Sends an INFO with this body. The peer's answer is of no consequence.
    pub fn info(&mut self, now: Time, usage: UsageId, body: Body) {
        let ready = self
            .usages
            .get(&usage)
            .is_some_and(|state| !state.is_over() && !state.dialogs.is_empty());
        if ready {
            let more = self.about.user_agent.clone();
            self.send_in_dialog(now, usage, 0, Some(body), more, Purpose::Info);
        }
    }

    /// Passes a request on to the peer of `usage`. Its outcome comes as `Event::Response` or `Event::RequestFailed`; `None`, and nothing is
    /// sent, where there is no dialog to send it in.
    pub fn pass_on(
        &mut self,
        now: Time,
        usage: UsageId,
        what: PassedOn,
        extra: &Headers,
        body: Option<Body>,
    ) -> Option<RequestId> {
        let state = self.usages.get(&usage)?;
        if state.is_over() || state.dialogs.is_empty() {
            return None;
        }
        let request = RequestId(self.rng.u64());
        let more = self.about.agent_and(extra);
        let purpose = Purpose::PassOn(what, request);
        let (mut draft, next_hop) = self.draft_in_dialog(usage, 0, (more, body), purpose)?;
        draft.max_forwards = max_forwards(extra);
        let hop = self.hop_in_dialog(usage, &next_hop);
        self.dispatch(now, draft, hop, Some(usage), purpose);
        Some(request)
    }

    /// The final response to a request that was passed on.
    pub(super) fn passed_on(
        &mut self,
        now: Time,
        usage: Option<UsageId>,
        request: RequestId,
        response: Message,
    ) {
        let is_lost = matches!(
            response.status(),
            Some(StatusCode::CALL_DOES_NOT_EXIST | StatusCode::REQUEST_TIMEOUT)
        );
        self.event(Event::Response {
            request,
            response,
            exchange: None,
        });
        // RFC 3261 §12.2.1.2: the peer knows the dialog no more.
        if let (Some(usage), true) = (usage, is_lost) {
            self.peer_lost(now, usage);
        }
    }

    /// A request that was passed on found nobody.
    pub(super) fn not_passed_on(
        &mut self,
        now: Time,
        usage: Option<UsageId>,
        request: RequestId,
        silence: Silence,
    ) {
        self.event(Event::RequestFailed { request, silence });
        if let (Some(usage), Silence::Timeout) = (usage, silence) {
            self.peer_lost(now, usage);
        }
    }

    /// Lets `usage` be changed from these addresses and networks alone over UDP and TCP: its session by re-INVITE, UPDATE and PRACK, what
    /// the peer asks by REFER, SUBSCRIBE, INFO and NOTIFY, and the flow that our requests take. Over TLS and WebSocket nobody else knows
    /// the dialog.
    pub fn restrict(&mut self, usage: UsageId, peers: impl IntoIterator<Item = impl Into<Network>>) {
        if let Some(state) = self.usages.get_mut(&usage) {
            state
                .peers
                .extend(peers.into_iter().map(Into::into).take(MAX_PEERS));
        }
    }

    /// Lets the session of a [restricted](Self::restrict) usage be changed from this address as well.
    pub fn trust(&mut self, usage: UsageId, peer: IpAddr) {
        if let Some(state) = self.usages.get_mut(&usage)
            && (1..MAX_PEERS).contains(&state.peers.len())
        {
            state.peers.insert(peer.into());
        }
    }

    /// Answers a request that came by an event within the dialog. 200 to 699.
    pub fn reply_in_dialog(
        &mut self,
        now: Time,
        usage: UsageId,
        tx: ServerTx,
        code: StatusCode,
        extra: Headers,
        body: Option<Body>,
    ) {
        let belongs = self
            .servers
            .get(&tx.0)
            .is_some_and(|entry| entry.usage == Some(usage));
        if belongs {
            self.respond_with(now, tx.0, code.max(StatusCode::OK), &extra, body.as_ref());
        }
    }

    /// Sends a request within dialog `fork` of `usage` (RFC 3261 §12.2.1.1).
    pub(super) fn send_in_dialog(
        &mut self,
        now: Time,
        usage: UsageId,
        fork: usize,
        body: Option<Body>,
        more: String,
        purpose: Purpose,
    ) {
        if let Some((draft, next_hop)) = self.draft_in_dialog(usage, fork, (more, body), purpose) {
            let hop = self.hop_in_dialog(usage, &next_hop);
            self.dispatch(now, draft, hop, Some(usage), purpose);
        }
    }

    /// A request within dialog `fork` of `usage`, and where it goes.
    fn draft_in_dialog(
        &mut self,
        usage: UsageId,
        fork: usize,
        (more, body): (String, Option<Body>),
        purpose: Purpose,
    ) -> Option<(Draft, String)> {
        let state = self.usages.get_mut(&usage)?;
        let dialog = state.dialogs.get_mut(fork)?;
        let routed = dialog.routed();
        let method = purpose.in_dialog_method()?;
        if matches!(purpose, Purpose::Reinvite { .. }) {
            state.reinviting = true;
        }
        let refreshes_target = matches!(method, Method::Invite | Method::Update);
        let has_contact = refreshes_target || matches!(method, Method::Notify | Method::Refer);
        let draft = Draft {
            uri: routed.request_uri,
            routes: routed.routes,
            from: format!("{};tag={}", state.info.local, state.info.local_tag),
            to: dialog.remote.clone(),
            call_id: state.info.call_id.clone(),
            cseq: dialog.next_seq(),
            contact: has_contact.then(|| Contact {
                user: state.contact_user.clone(),
                ..Contact::default()
            }),
            session: if refreshes_target {
                state.session_lines()
            } else {
                None
            },
            more,
            body,
            ..Draft::bare(method)
        };
        Some((draft, routed.next_hop))
    }

    /// A request of the peer within a dialog.
    pub(super) fn receive_in_dialog(
        &mut self,
        now: Time,
        flow: Flow,
        request: Message,
        key: Key,
        usage: UsageId,
        fork: usize,
    ) {
        let server = self.open_server(now, &request, flow, key);
        if let Some(entry) = self.servers.get_mut(&server) {
            entry.usage = Some(usage);
        }
        let Some(method) = request.method().cloned() else {
            return;
        };
        let Some(state) = self.usages.get_mut(&usage) else {
            return;
        };
        // Tags are no secret if anybody on the way can read them. BYE is left alone: it moves nothing to
        // another place. So are requests that ask for nothing, which a proxy may have let go its own way.
        let is_known = state.is_changed_over(flow);
        let changes = match method {
            Method::Invite | Method::Update => true,
            Method::Refer | Method::Subscribe | Method::Info | Method::Notify => true,
            Method::Prack => !request.body().is_empty(),
            _ => false,
        };
        if changes && !state.is_over() && !is_known {
            self.refuse_with(now, server, StatusCode::FORBIDDEN, &[]);
            return self.event(Event::Intruder { usage, request, flow });
        }
        let Some(dialog) = state.dialogs.get_mut(fork) else {
            return;
        };
        // §12.2.2: a request that is out of order is refused and changes nothing. A stranger's number does not count. BYE means
        // the end whatever its number: whoever refused it would keep a call that its peer has left.
        if is_known && !dialog.admit(request.cseq().number) && method != Method::Bye {
            let wait = format!("Retry-After: {}\r\n", self.rng.below(10) + 1);
            return self.refuse_with(now, server, StatusCode::SERVER_INTERNAL_ERROR, &[&wait]);
        }
        if matches!(method, Method::Invite | Method::Update) {
            dialog.refresh_target(&request);
            if fork == 0 {
                state.info.remote_target.clone_from(&dialog.remote_target);
                state.resolved = None;
            }
        }
        if is_known {
            state.info.flow = Some(flow);
            // The peer came back over another connection (RFC 5626): there it is reachable now.
            if state
                .sticky
                .is_some_and(|old| old.id != flow.id && flow.transport == old.transport)
            {
                state.sticky = Some(flow);
            }
            learn(&mut state.info, &request);
        }
        if method == Method::Bye {
            return self.receive_bye(now, usage, server, &request);
        }
        if state.is_over() {
            return self.refuse_with(now, server, StatusCode::CALL_DOES_NOT_EXIST, &[]);
        }
        if self.refuse_method(now, server, &request)
            || self.refuse_replaces(now, server, &request)
            || self.refuse_extensions(now, server, &request)
            || self.refuse_content(now, server, &request)
        {
            return;
        }
        let tx = ServerTx(server);
        match method {
            Method::Invite => self.receive_reinvite(now, usage, server, &request),
            Method::Update => self.receive_update(now, usage, fork, server, &request),
            Method::Prack => self.receive_prack(now, usage, server, &request),
            Method::Options => {
                let lines = format!("{}{}", self.about.accept, self.about.abilities());
                self.refuse_with(now, server, StatusCode::OK, &[&lines]);
            }
            // RFC 6086 §4.2.2: we agreed to no package.
            Method::Info if request.header(HeaderName::InfoPackage).is_some() => {
                self.refuse_with(now, server, StatusCode::BAD_INFO_PACKAGE, &["Recv-Info: \r\n"]);
            }
            Method::Refer => self.receive_refer(now, usage, server, &request),
            Method::Subscribe => self.receive_subscribe_in_call(now, usage, server, &request),
            Method::Notify => self.event(Event::Notify { usage, tx, request }),
            _ => self.event(Event::InDialog { usage, tx, request }),
        }
    }

    /// BYE ends whatever goes on (§15.1.2).
    fn receive_bye(&mut self, now: Time, usage: UsageId, server: u64, request: &Message) {
        self.refuse_with(now, server, StatusCode::OK, &[]);
        self.abort_offer_in(now, usage);
        let Some(state) = self.usages.get_mut(&usage) else {
            return;
        };
        state.unacked = None;
        state.bye = None;
        let invite = state.server.take();
        match state.state {
            // In an early dialog that the peer began: its INVITE still needs a final response.
            State::Incoming => {
                if let Some(invite) = invite {
                    self.refuse_with(now, invite, StatusCode::REQUEST_TERMINATED, &[]);
                }
            }
            // For one fork of our INVITE: the others go on.
            State::Calling => return,
            State::Accepted | State::Confirmed | State::Over => {}
        }
        self.end(
            usage,
            Ended::Bye {
                reason: Reason::of(request),
            },
        );
        self.reap(usage);
    }

    /// A final response to a request whose content does not matter.
    pub(super) fn in_dialog_answered(
        &mut self,
        now: Time,
        usage: Option<UsageId>,
        purpose: Purpose,
        code: StatusCode,
        response: &Message,
    ) {
        match (purpose, usage) {
            (Purpose::Notify(refer), _) if code.is_refusal() => self.notify_refused(usage, refer),
            (Purpose::Refer, Some(usage)) => self.refer_answered(usage, code, response.challenges()),
            (Purpose::Ping, Some(usage)) => self.ping_answered(usage, code),
            _ => {}
        }
        // §12.2.1.2: the peer knows the dialog no more.
        if let Some(usage) = usage
            && matches!(purpose, Purpose::Info | Purpose::Refer)
            && matches!(
                code,
                StatusCode::CALL_DOES_NOT_EXIST | StatusCode::REQUEST_TIMEOUT
            )
        {
            self.peer_lost(now, usage);
        }
    }

    /// No response to such a request.
    pub(super) fn in_dialog_failed(
        &mut self,
        now: Time,
        usage: Option<UsageId>,
        purpose: Purpose,
        silence: Silence,
    ) {
        match (purpose, usage) {
            (Purpose::Notify(refer), _) => self.notify_refused(usage, refer),
            (Purpose::Refer, Some(usage)) => {
                self.refer_answered(usage, StatusCode::REQUEST_TIMEOUT, Headers::new())
            }
            (Purpose::Ping, Some(usage)) => self.pinged(usage, false),
            _ => {}
        }
        if let Some(usage) = usage
            && matches!(purpose, Purpose::Info | Purpose::Refer)
            && silence == Silence::Timeout
        {
            self.peer_lost(now, usage);
        }
    }

    /// §12.2.1.2: a request within the dialog found nobody; the dialog is ended with a BYE that need not be answered.
    pub(super) fn peer_lost(&mut self, now: Time, usage: UsageId) {
        if self
            .usages
            .get(&usage)
            .is_some_and(|state| state.state == State::Confirmed)
        {
            self.say_bye(now, usage, "");
            self.end(usage, Ended::Timeout);
        }
    }
}
