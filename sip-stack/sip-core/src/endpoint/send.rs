use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use sans_io::{Deadline, Time};

use crate::dialog::{Dialog, same_tag};
use crate::flow::{Destination, FlowId, Transport};
use crate::message::{HeaderName, Message, Method};
use crate::transaction::{Client, ClientInvite, OnResponse, OnTimeout};

use super::event::{Output, RequestId, UsageId};
use super::resolve::{Hop, Pending, contact_transport, hop_near, transport_of};
use super::wire::{Draft, Way};
use super::{Endpoint, TimerKey};

/// How often one request is sent anew because of credentials or intervals.
const MAX_RETRIES: u8 = 4;

/// What a request of ours is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It begins the usage.
    Invite,
    Cancel,
    /// Our offer, or a session refresh.
    Reinvite {
        refresh: bool,
    },
    /// A session refresh.
    Update,
    Prack,
    Info,
    Bye,
    /// What becomes of it is of no interest.
    Farewell,
    /// Outside any usage.
    Outside(RequestId),
}

impl Purpose {
    /// The method of a request within a dialog; `None` for what begins one or stands outside.
    pub(super) fn in_dialog_method(self) -> Option<Method> {
        Some(match self {
            Purpose::Reinvite { .. } => Method::Invite,
            Purpose::Update => Method::Update,
            Purpose::Prack => Method::Prack,
            Purpose::Info => Method::Info,
            Purpose::Bye | Purpose::Farewell => Method::Bye,
            Purpose::Invite | Purpose::Cancel | Purpose::Outside(_) => return None,
        })
    }
}

#[derive(Clone, Copy, Debug)]
enum Machine {
    Invite(ClientInvite),
    Other(Client),
}

/// A client transaction. Its id is the branch, but for the lowest bit, which marks a CANCEL.
#[derive(Debug)]
pub(super) struct ClientTx {
    machine: Machine,
    pub(super) draft: Draft,
    /// As sent last; empty once it is not sent again.
    sent: Bytes,
    pub(super) to: Destination,
    /// Targets not tried yet (RFC 3263 §4.3).
    more: VecDeque<Destination>,
    pub(super) usage: Option<UsageId>,
    pub(super) purpose: Purpose,
    /// ACKs sent, one for each dialog, or the one to a refusal.
    acks: Vec<Ack>,
    /// Its final response reached its user.
    settled: bool,
}

#[derive(Debug)]
struct Ack {
    tag: Option<String>,
    data: Bytes,
    to: Destination,
}

/// Why a request of ours found no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// Counts as 408 (RFC 3261 §8.1.3.1).
    Timeout,
    /// Counts as 503.
    Transport,
}

impl ClientTx {
    /// No final response came yet.
    pub(super) fn is_open(&self) -> bool {
        match &self.machine {
            Machine::Invite(machine) => machine.is_open(),
            Machine::Other(machine) => machine.is_open(),
        }
    }

    /// A provisional response to our INVITE came and no final one.
    pub(super) fn is_proceeding(&self) -> bool {
        matches!(&self.machine, Machine::Invite(machine) if machine.is_proceeding())
    }

    /// Its request had this method.
    pub(super) fn is_for(&self, method: &Method) -> bool {
        match (&self.machine, self.purpose) {
            (Machine::Invite(_), _) => *method == Method::Invite,
            (Machine::Other(_), Purpose::Cancel) => *method == Method::Cancel,
            (Machine::Other(_), _) => self.draft.method == *method || self.draft.uri.is_empty(),
        }
    }

    /// The 2xx with this tag was acknowledged.
    pub(super) fn has_ack(&self, tag: Option<&str>) -> bool {
        self.acks.iter().any(|ack| same_tag(ack.tag.as_deref(), tag))
    }

    fn deadline(&self) -> Deadline {
        match &self.machine {
            Machine::Invite(machine) => machine.deadline(),
            Machine::Other(machine) => machine.deadline(),
        }
    }
}

impl Endpoint {
    /// Sends a request on its way; its outcome comes back by `purpose`.
    pub(super) fn dispatch(
        &mut self,
        now: Time,
        draft: Draft,
        hop: Hop,
        usage: Option<UsageId>,
        purpose: Purpose,
    ) {
        if let Some(state) = usage.and_then(|usage| self.usages.get_mut(&usage)) {
            state.open += 1;
        }
        match hop {
            Hop::To(targets) => self.launch(now, draft, targets, usage, purpose),
            Hop::Name(uri) => {
                let query = self.ask(
                    uri,
                    Pending::Request {
                        draft,
                        usage,
                        purpose,
                    },
                );
                if purpose == Purpose::Invite
                    && let Some(state) = usage.and_then(|usage| self.usages.get_mut(&usage))
                {
                    state.query = Some(query);
                }
            }
            Hop::Nowhere => self.silent(now, usage, purpose, Silence::Transport),
        }
    }

    /// Starts a client transaction to the first of `targets` that did not fail lately.
    pub(super) fn launch(
        &mut self,
        now: Time,
        draft: Draft,
        mut targets: VecDeque<Destination>,
        usage: Option<UsageId>,
        purpose: Purpose,
    ) {
        let best = targets
            .iter()
            .position(|to| !self.is_avoided(now, to))
            .unwrap_or(0);
        let Some(mut to) = targets.remove(best) else {
            return self.silent(now, usage, purpose, Silence::Transport);
        };
        let id = self.random_id();
        let credentials = self.credentials_for(usage, purpose, &draft);
        let mut sent = self.write(&draft, &to, id, &credentials);
        // §18.1.1: a request near the path MTU goes over a transport with congestion control, and comes back to UDP
        // when that is refused.
        if let Destination::Address {
            transport: Transport::Udp,
            addr,
            ..
        } = to
            && sent.len() > self.config.max_datagram
        {
            let tcp = Destination::Address {
                transport: Transport::Tcp,
                addr,
                server_name: None,
            };
            if !self.is_avoided(now, &tcp) {
                sent = self.write(&draft, &tcp, id, &credentials);
                targets.push_front(std::mem::replace(&mut to, tcp));
            }
        }
        let reliable = transport_of(&to).is_reliable();
        let machine = if draft.method == Method::Invite {
            Machine::Invite(ClientInvite::new(now, self.config.timing, reliable))
        } else {
            Machine::Other(Client::new(now, self.config.timing, reliable))
        };
        self.transmit(to.clone(), sent.clone(), id);
        let tx = ClientTx {
            machine,
            draft,
            sent,
            to,
            more: targets,
            usage,
            purpose,
            acks: Vec::new(),
            settled: false,
        };
        if let Some(state) = usage.and_then(|usage| self.usages.get_mut(&usage))
            && purpose == Purpose::Invite
        {
            state.invite = Some(id);
            state.reached = Some(tx.to.clone());
        }
        self.arm(TimerKey::Client(id), tx.deadline());
        self.clients.insert(id, tx);
    }

    /// CANCEL of an INVITE that is proceeding: same branch, same destination (§9.1).
    pub(super) fn send_cancel(&mut self, now: Time, invite: u64, reason: &str) {
        let Some(tx) = self.clients.get(&invite) else {
            return;
        };
        let (to, usage) = (tx.to.clone(), tx.usage);
        let sent = self.with_way(&to, invite, |way| tx.draft.write_cancel(way, reason));
        let id = invite | 1;
        let reliable = transport_of(&to).is_reliable();
        let machine = Machine::Other(Client::new(now, self.config.timing, reliable));
        let draft = Draft::bare(Method::Cancel);
        self.transmit(to.clone(), sent.clone(), id);
        let tx = ClientTx {
            machine,
            draft,
            sent,
            to,
            more: VecDeque::new(),
            usage,
            purpose: Purpose::Cancel,
            acks: Vec::new(),
            settled: false,
        };
        self.arm(TimerKey::Client(id), tx.deadline());
        self.clients.insert(id, tx);
    }

    /// A response whose only `Via` is ours.
    pub(super) fn receive_response(&mut self, now: Time, id: u64, response: Message) {
        let code = response.status().unwrap_or(0);
        let Some(tx) = self.clients.get_mut(&id) else {
            return;
        };
        let verdict = match &mut tx.machine {
            Machine::Invite(machine) => machine.on_response(now, code),
            Machine::Other(machine) => match machine.on_response(now, code) {
                true => OnResponse::Deliver,
                false => OnResponse::Ignore,
            },
        };
        let deadline = tx.deadline();
        if !tx.is_open() {
            tx.sent = Bytes::new();
        }
        self.arm(TimerKey::Client(id), deadline);
        match verdict {
            OnResponse::Ignore => {}
            OnResponse::Ack => self.repeat_acks(id),
            OnResponse::DeliverAndAck => {
                self.ack_refusal(id, &response);
                self.deliver(now, id, code, response);
            }
            OnResponse::Deliver => self.deliver(now, id, code, response),
        }
    }

    /// The deadline of a client transaction.
    pub(super) fn client_timeout(&mut self, now: Time, id: u64) {
        let Some(tx) = self.clients.get_mut(&id) else {
            return;
        };
        let verdict = match &mut tx.machine {
            Machine::Invite(machine) => machine.on_timeout(now),
            Machine::Other(machine) => machine.on_timeout(now),
        };
        match verdict {
            OnTimeout::Finished => {
                self.clients.remove(&id);
            }
            OnTimeout::TimedOut => self.fail(now, id, Silence::Timeout),
            OnTimeout::Resend | OnTimeout::Nothing => {
                let deadline = tx.deadline();
                if verdict == OnTimeout::Resend {
                    let (to, sent) = (tx.to.clone(), tx.sent.clone());
                    self.transmit(to, sent, id);
                }
                self.arm(TimerKey::Client(id), deadline);
            }
        }
    }

    /// What was sent with this token did not go out.
    pub(super) fn transmit_failed(&mut self, now: Time, token: u64) {
        if self.clients.get(&token).is_some_and(ClientTx::is_open) {
            self.fail(now, token, Silence::Transport);
        } else {
            self.server_transmit_failed(token);
        }
    }

    /// Nothing more comes over this connection.
    pub(super) fn flow_closed(&mut self, now: Time, flow: FlowId) {
        let over = |to: &Destination| matches!(to, Destination::Flow(open) if open.id == flow);
        let lost: Vec<u64> = self
            .clients
            .iter()
            .filter(|(_, tx)| tx.is_open() && over(&tx.to))
            .map(|(id, _)| *id)
            .collect();
        for id in lost {
            self.fail(now, id, Silence::Transport);
        }
    }

    /// The ACK of a 2xx, which is a transaction of its own: a new branch (§13.2.2.4). Kept to be sent again for each
    /// copy of that 2xx.
    pub(super) fn acknowledge(
        &mut self,
        client: u64,
        dialog: &Dialog,
        body: Option<super::Body>,
        more: &str,
    ) {
        let Some(tx) = self.clients.get(&client) else {
            return;
        };
        let usage = tx.usage;
        let routed = dialog.routed();
        let draft = Draft {
            method: Method::Ack,
            uri: routed.request_uri,
            routes: routed.routes,
            max_forwards: 70,
            from: tx.draft.from.clone(),
            to: dialog.remote.clone(),
            call_id: tx.draft.call_id.clone(),
            cseq: tx.draft.cseq,
            contact: None,
            more: more.to_owned(),
            session: None,
            body,
            retries: 0,
        };
        let tag = dialog.remote_tag.clone();
        let hop = match usage.filter(|usage| self.usages.contains_key(usage)) {
            Some(usage) => self.hop_in_dialog(usage, &routed.next_hop),
            None => self.hop_beside(client, &routed.next_hop),
        };
        match hop {
            Hop::To(targets) => {
                if let Some(to) = targets.into_iter().next() {
                    self.transmit_ack(client, &draft, tag, to);
                }
            }
            Hop::Name(uri) => {
                self.ask(
                    uri,
                    Pending::Ack {
                        client,
                        draft,
                        tag,
                        usage,
                    },
                );
            }
            Hop::Nowhere => {}
        }
    }

    /// Where a request to another fork of an INVITE goes.
    pub(super) fn hop_beside(&self, client: u64, uri: &str) -> Hop {
        match self.clients.get(&client).map(|tx| &tx.to) {
            Some(to @ Destination::Flow(_)) => Hop::To(VecDeque::from([to.clone()])),
            reached => hop_near(uri, reached, None),
        }
    }

    pub(super) fn transmit_ack(&mut self, client: u64, draft: &Draft, tag: Option<String>, to: Destination) {
        let branch = self.random_id();
        let data = self.write(draft, &to, branch, &[]);
        self.transmit(to.clone(), data.clone(), 0);
        if let Some(tx) = self.clients.get_mut(&client) {
            tx.draft.body = None;
            tx.acks.push(Ack { tag, data, to });
        }
    }

    /// Sends the ACK to a copy of a 2xx, or of a refusal, again.
    pub(super) fn repeat_acks(&mut self, client: u64) {
        let Some(tx) = self.clients.get(&client) else {
            return;
        };
        let again: Vec<_> = tx
            .acks
            .iter()
            .map(|ack| (ack.to.clone(), ack.data.clone()))
            .collect();
        for (to, data) in again {
            self.transmit(to, data, 0);
        }
    }

    /// Sends the ACK to a copy of the 2xx with this tag again.
    pub(super) fn repeat_ack(&mut self, client: u64, tag: Option<&str>) {
        let ack = self.clients.get(&client).and_then(|tx| {
            let ack = tx.acks.iter().find(|ack| same_tag(ack.tag.as_deref(), tag))?;
            Some((ack.to.clone(), ack.data.clone()))
        });
        if let Some((to, data)) = ack {
            self.transmit(to, data, 0);
        }
    }

    pub(super) fn transmit(&mut self, to: Destination, data: Bytes, token: u64) {
        self.out.push_back(Output::Transmit { to, data, token });
    }

    pub(super) fn arm(&mut self, key: TimerKey, deadline: Deadline) {
        match deadline {
            Some((at, reason)) => self.timers.set(key, at, reason),
            None => {
                self.timers.cancel(key);
            }
        }
    }

    /// Forgets a client transaction whatever its state.
    pub(super) fn drop_client(&mut self, id: u64) {
        self.timers.cancel(TimerKey::Client(id));
        self.clients.remove(&id);
    }

    fn ack_refusal(&mut self, id: u64, response: &Message) {
        let Some(tx) = self.clients.get(&id) else { return };
        let to = response.header(HeaderName::To).unwrap_or_default();
        let data = self.with_way(&tx.to, id, |way| tx.draft.write_refusal_ack(way, to));
        let to = tx.to.clone();
        self.transmit(to.clone(), data.clone(), 0);
        if let Some(tx) = self.clients.get_mut(&id) {
            tx.acks.push(Ack { tag: None, data, to });
        }
    }

    fn write(
        &self,
        draft: &Draft,
        to: &Destination,
        branch: u64,
        credentials: &[(HeaderName, String)],
    ) -> Bytes {
        self.with_way(to, branch, |way| draft.write(way, credentials))
    }

    fn with_way(&self, to: &Destination, branch: u64, write: impl FnOnce(&Way<'_>) -> Bytes) -> Bytes {
        let transport = transport_of(to);
        let sent_by = self.sent_by(to);
        let contact = format!("{sent_by}{}", contact_transport(transport));
        let branch = branch & !1;
        write(&Way {
            transport: transport.name(),
            sent_by: &sent_by,
            branch,
            contact: &contact,
        })
    }

    /// A response for the user of the transaction.
    fn deliver(&mut self, now: Time, id: u64, code: u16, response: Message) {
        let Some(tx) = self.clients.get_mut(&id) else {
            return;
        };
        let (usage, purpose) = (tx.usage, tx.purpose);
        if code < 200 {
            if purpose == Purpose::Invite {
                self.invite_provisional(now, id, usage, code, &response);
            }
            return;
        }
        if code >= 300 {
            if self.try_again(now, id, code, &response) {
                return;
            }
            if code == 503 && self.try_next(now, id, retry_after(&response)) {
                return;
            }
        }
        if let Some(tx) = self.clients.get_mut(&id)
            && !std::mem::replace(&mut tx.settled, true)
        {
            self.settle(usage, purpose);
        }
        match purpose {
            Purpose::Invite if code < 300 => self.invite_accepted(now, id, usage, response),
            Purpose::Invite => self.invite_refused(now, usage, code, response),
            Purpose::Reinvite { refresh } => self.reinvite_answered(now, id, usage, refresh, code, &response),
            Purpose::Update => self.update_answered(now, usage, code, &response),
            Purpose::Outside(request) => self.outside_answered(request, response),
            Purpose::Bye | Purpose::Info | Purpose::Prack | Purpose::Cancel | Purpose::Farewell => {
                self.in_dialog_answered(now, usage, purpose, code);
            }
        }
        if let Some(usage) = usage {
            self.reap(usage);
        }
    }

    /// A request of `usage` is no longer open.
    fn settle(&mut self, usage: Option<UsageId>, purpose: Purpose) {
        if purpose != Purpose::Cancel
            && let Some(state) = usage.and_then(|usage| self.usages.get_mut(&usage))
        {
            state.open = state.open.saturating_sub(1);
        }
    }

    /// No response will come.
    fn fail(&mut self, now: Time, id: u64, silence: Silence) {
        if self.try_next(now, id, None) {
            return;
        }
        self.timers.cancel(TimerKey::Client(id));
        let Some(tx) = self.clients.remove(&id) else {
            return;
        };
        self.silent(now, tx.usage, tx.purpose, silence);
    }

    fn silent(&mut self, now: Time, usage: Option<UsageId>, purpose: Purpose, silence: Silence) {
        self.settle(usage, purpose);
        match purpose {
            Purpose::Invite => self.invite_failed(now, usage, silence),
            Purpose::Reinvite { refresh } => self.reinvite_failed(now, usage, refresh, silence),
            Purpose::Update => self.refresh_failed(now, usage, silence),
            Purpose::Outside(request) => self.outside_failed(request, silence),
            Purpose::Bye | Purpose::Info | Purpose::Prack | Purpose::Cancel | Purpose::Farewell => {
                self.in_dialog_failed(now, usage, purpose, silence);
            }
        }
        if let Some(usage) = usage {
            self.reap(usage);
        }
    }

    /// RFC 3263 §4.3: the next target, in a new transaction. False when there is none, or nobody wants it any more.
    fn try_next(&mut self, now: Time, id: u64, retry_after: Option<Duration>) -> bool {
        let Some(tx) = self.clients.get_mut(&id) else {
            return false;
        };
        let failed = tx.to.clone();
        let (usage, purpose) = (tx.usage, tx.purpose);
        let more = std::mem::take(&mut tx.more);
        self.avoid(now, &failed, retry_after);
        let given_up = purpose == Purpose::Invite
            && usage.is_none_or(|usage| self.usages.get(&usage).is_none_or(|state| state.is_over()));
        if more.is_empty() || given_up {
            return false;
        }
        let Some(draft) = self.retire(id) else {
            return false;
        };
        self.launch(now, draft, more, usage, purpose);
        true
    }

    /// The request again with what the refusal asked for: credentials (§22.2), a longer session interval (RFC 4028
    /// §7.4). A new transaction with the next CSeq in the same place.
    fn try_again(&mut self, now: Time, id: u64, code: u16, response: &Message) -> bool {
        let Some(tx) = self.clients.get(&id) else {
            return false;
        };
        let (usage, purpose) = (tx.usage, tx.purpose);
        if tx.draft.retries >= MAX_RETRIES {
            return false;
        }
        let over = usage.is_some_and(|usage| self.usages.get(&usage).is_none_or(|state| state.is_over()));
        if over && purpose != Purpose::Bye {
            return false;
        }
        let session = match code {
            401 | 407 if self.challenged(usage, purpose, response) => None,
            422 => match self.longer_session(id, response) {
                Some(session) => Some(session),
                None => return false,
            },
            _ => return false,
        };
        let to = tx_target(&self.clients, id);
        let Some(mut draft) = self.retire(id) else {
            return false;
        };
        draft.retries += 1;
        draft.cseq = self.next_seq(usage, draft.cseq);
        draft.session = session.or(draft.session);
        self.launch(now, draft, to, usage, purpose);
        true
    }

    /// Takes the draft out of a transaction that only absorbs strays from now on.
    fn retire(&mut self, id: u64) -> Option<Draft> {
        let tx = self.clients.get_mut(&id)?;
        let draft = std::mem::replace(&mut tx.draft, Draft::bare(Method::Invite));
        tx.purpose = Purpose::Farewell;
        tx.usage = None;
        if tx.is_open() {
            self.drop_client(id);
        }
        Some(draft)
    }

    /// CSeq of a request that repeats the one with `cseq`.
    fn next_seq(&mut self, usage: Option<UsageId>, cseq: u32) -> u32 {
        match usage.and_then(|usage| self.usages.get_mut(&usage)?.dialogs.first_mut()) {
            Some(dialog) => dialog.next_seq(),
            None => cseq + 1,
        }
    }

    fn credentials_for(
        &mut self,
        usage: Option<UsageId>,
        purpose: Purpose,
        draft: &Draft,
    ) -> Vec<(HeaderName, String)> {
        let answerer = match purpose {
            Purpose::Outside(request) => self
                .requests
                .get_mut(&request)
                .and_then(|it| it.answerer.as_mut()),
            _ => usage.and_then(|usage| self.usages.get_mut(&usage)?.answerer.as_mut()),
        };
        let Some(answerer) = answerer else {
            return Vec::new();
        };
        if draft.retries == 0 {
            answerer.accepted();
        }
        let body = draft.body.as_ref().map_or(&[][..], |body| &body.data);
        answerer.headers(draft.method.as_str(), &draft.uri, body)
    }

    fn challenged(&mut self, usage: Option<UsageId>, purpose: Purpose, response: &Message) -> bool {
        let answerer = match purpose {
            Purpose::Outside(request) => self
                .requests
                .get_mut(&request)
                .and_then(|it| it.answerer.as_mut()),
            _ => usage.and_then(|usage| self.usages.get_mut(&usage)?.answerer.as_mut()),
        };
        answerer.is_some_and(|answerer| answerer.challenged(response, &mut self.rng))
    }
}

/// The target that refused, which is the one to ask again, and those behind it.
fn tx_target(clients: &std::collections::BTreeMap<u64, ClientTx>, id: u64) -> VecDeque<Destination> {
    clients.get(&id).map_or_else(VecDeque::new, |tx| {
        std::iter::once(tx.to.clone())
            .chain(tx.more.iter().cloned())
            .collect()
    })
}

/// `Retry-After` in seconds.
pub(super) fn retry_after(response: &Message) -> Option<Duration> {
    let value = response.header(HeaderName::RetryAfter)?;
    let digits = value.trim_start().split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok().map(Duration::from_secs)
}
