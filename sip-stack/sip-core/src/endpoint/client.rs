use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use sans_io::{Deadline, Time};

use crate::dialog::same_tag;
use crate::flow::{Destination, Flow, FlowId, Transport};
use crate::message::{Message, Method, StatusCode};
use crate::transaction::{Client, ClientInvite, OnResponse, OnTimeout, Timing};

use super::ack::Ack;
use super::event::Silence;
use super::ids::{ReferId, RequestId, UsageId};
use super::outgoing::PassedOn;
use super::resolve::transport_of;
use super::retry::retry_after;
use super::subscription::SubscriptionId;
use super::wire::Draft;
use super::{Endpoint, TimerKey};

/// Time that a re-INVITE may stay without a final response after a provisional one: it alerts nobody, and its
/// peer may have sent the answer and then forgotten the dialog. As long as timer C (RFC 3261 §16.6).
const REINVITE: Duration = Duration::from_secs(180);

/// Purpose of a request of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The INVITE that begins the usage.
    Invite,
    /// An INVITE that was given up: its target stayed silent for too long.
    Abandoned,
    Cancel,
    /// Our offer, or a session refresh.
    Reinvite {
        refresh: bool,
    },
    /// A session refresh.
    Update,
    Prack,
    Info,
    /// Something for the peer that came over another dialog.
    PassOn(PassedOn, RequestId),
    /// Asks whether the peer is there.
    Ping,
    /// We ask the peer to call somebody in our place.
    Refer,
    /// Progress of a transfer that the peer asked for.
    Notify(ReferId),
    /// SUBSCRIBE or NOTIFY of a subscription.
    Subscription(SubscriptionId),
    Bye,
    /// A request whose outcome does not matter.
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
            Purpose::Info | Purpose::PassOn(PassedOn::Info, _) => Method::Info,
            Purpose::PassOn(PassedOn::Message, _) => Method::Message,
            Purpose::Ping => Method::Options,
            Purpose::Refer => Method::Refer,
            Purpose::Notify(_) => Method::Notify,
            Purpose::Bye | Purpose::Farewell => Method::Bye,
            Purpose::Invite
            | Purpose::Abandoned
            | Purpose::Cancel
            | Purpose::Subscription(_)
            | Purpose::Outside(_) => return None,
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
    pub(super) sent: Bytes,
    pub(super) to: Destination,
    /// Targets not tried yet (RFC 3263 §4.3).
    pub(super) more: VecDeque<Destination>,
    pub(super) usage: Option<UsageId>,
    pub(super) purpose: Purpose,
    /// ACKs sent, one for each dialog, or the one to a refusal.
    pub(super) acks: Vec<Ack>,
    /// Its final response reached its user.
    settled: bool,
}

impl ClientTx {
    /// A transaction for a request that goes out now, to `to`.
    pub(super) fn new(
        now: Time,
        timing: Timing,
        draft: Draft,
        sent: Bytes,
        to: Destination,
        usage: Option<UsageId>,
        purpose: Purpose,
    ) -> ClientTx {
        let reliable = transport_of(&to).is_reliable();
        let machine = match draft.method {
            Method::Invite => Machine::Invite(ClientInvite::new(now, timing, reliable)),
            _ => Machine::Other(Client::new(now, timing, reliable)),
        };
        let more = VecDeque::new();
        ClientTx {
            machine,
            draft,
            sent,
            to,
            more,
            usage,
            purpose,
            acks: Vec::new(),
            settled: false,
        }
    }

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
        match &self.machine {
            Machine::Invite(_) => *method == Method::Invite,
            Machine::Other(_) => self.draft.method == *method,
        }
    }

    /// True if nothing has come yet, not even a provisional response.
    fn is_unheard(&self) -> bool {
        match &self.machine {
            Machine::Invite(machine) => machine.is_unheard(),
            Machine::Other(machine) => machine.is_unheard(),
        }
    }

    /// True for an INVITE that was given up before anything came.
    pub(super) fn is_abandoned(&self) -> bool {
        matches!(&self.machine, Machine::Invite(machine) if machine.is_abandoned())
    }

    /// Sets the time at which it counts as timed out if no response has come.
    pub(super) fn give_up(&mut self, at: Time) {
        match &mut self.machine {
            Machine::Invite(machine) => machine.give_up(at),
            Machine::Other(machine) => machine.give_up(at),
        }
    }

    /// The 2xx with this tag was acknowledged, or will be as soon as it is known where to.
    pub(super) fn has_ack(&self, tag: Option<&str>) -> bool {
        self.acks.iter().any(|ack| same_tag(ack.tag.as_deref(), tag))
    }

    pub(super) fn deadline(&self) -> Deadline {
        match &self.machine {
            Machine::Invite(machine) => machine.deadline(),
            Machine::Other(machine) => machine.deadline(),
        }
    }
}

impl Endpoint {
    /// A response whose only `Via` is ours.
    pub(super) fn receive_response(&mut self, now: Time, id: u64, flow: Flow, response: Message) {
        let (Some(code), Some(tx)) = (response.status(), self.clients.get_mut(&id)) else {
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
            OnResponse::Ack => self.repeat_refusal_ack(id),
            OnResponse::DeliverAndAck => {
                self.ack_refusal(id, &response);
                self.deliver(now, id, code, (flow, response));
            }
            OnResponse::Deliver => self.deliver(now, id, code, (flow, response)),
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
            OnTimeout::Resend | OnTimeout::Trying | OnTimeout::Nothing => {
                let deadline = tx.deadline();
                if verdict == OnTimeout::Resend {
                    let (to, sent) = (tx.to.clone(), tx.sent.clone());
                    self.totals.retransmissions += 1;
                    self.transmit(to, sent, id);
                }
                self.arm(TimerKey::Client(id), deadline);
            }
        }
    }

    /// The message with this token could not be sent.
    pub(super) fn transmit_failed(&mut self, now: Time, token: u64) {
        if self.clients.get(&token).is_some_and(|tx| tx.is_open()) {
            self.fail(now, token, Silence::Transport);
        } else {
            self.server_transmit_failed(token);
        }
    }

    /// Nothing sent to `addr` over UDP arrives. A peer that answered something is alive, whatever ICMP says,
    /// which anybody can forge.
    pub(super) fn unreachable(&mut self, now: Time, addr: SocketAddr) {
        let there = |to: &Destination| match to {
            Destination::Flow(flow) => flow.transport == Transport::Udp && flow.remote == addr,
            Destination::Address {
                transport, addr: to, ..
            } => *transport == Transport::Udp && *to == addr,
        };
        let lost: Vec<u64> = self
            .clients
            .iter()
            .filter(|(_, tx)| tx.is_unheard() && there(&tx.to))
            .map(|(id, _)| *id)
            .collect();
        for id in lost {
            self.fail(now, id, Silence::Transport);
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

    /// Forgets a client transaction whatever its state.
    pub(super) fn drop_client(&mut self, id: u64) {
        self.timers.cancel(TimerKey::Client(id));
        self.clients.remove(&id);
    }

    /// A response for the user of the transaction.
    fn deliver(&mut self, now: Time, id: u64, code: StatusCode, (flow, response): (Flow, Message)) {
        let Some(tx) = self.clients.get_mut(&id) else {
            return;
        };
        let (usage, purpose, to) = (tx.usage, tx.purpose, tx.to.clone());
        if !code.is_final() {
            match purpose {
                Purpose::Invite => self.invite_provisional(now, id, usage, code, &response),
                Purpose::Abandoned => self.cancel_abandoned(now, id),
                Purpose::Reinvite { .. } => {
                    if let Machine::Invite(machine) = &mut tx.machine {
                        machine.limit(now + REINVITE);
                    }
                    let deadline = tx.deadline();
                    self.arm(TimerKey::Client(id), deadline);
                }
                _ => {}
            }
            return;
        }
        if code.is_refusal() {
            if self.try_again(now, id, code, &response) {
                return;
            }
            if code == StatusCode::SERVICE_UNAVAILABLE && self.try_next(now, id, retry_after(&response)) {
                return;
            }
        }
        if let Some(tx) = self.clients.get_mut(&id)
            && !std::mem::replace(&mut tx.settled, true)
        {
            self.settle(usage, purpose);
        }
        match purpose {
            Purpose::Invite if code.is_success() => self.invite_accepted(now, id, usage, response),
            Purpose::Invite => self.invite_refused(now, usage, code, response),
            // Nobody waits for it any more.
            Purpose::Abandoned if code.is_success() => self.invite_accepted(now, id, None, response),
            Purpose::Abandoned => {}
            Purpose::Reinvite { refresh } => self.reinvite_answered(now, id, usage, refresh, code, &response),
            Purpose::Update => self.update_answered(now, usage, code, &response),
            Purpose::Outside(request) => self.outside_answered(request, response, (flow, &to)),
            Purpose::Subscription(id) => self.subscription_answered(now, id, &response),
            Purpose::PassOn(_, request) => self.passed_on(now, usage, request, response),
            Purpose::Bye
            | Purpose::Info
            | Purpose::Ping
            | Purpose::Refer
            | Purpose::Notify(_)
            | Purpose::Prack
            | Purpose::Cancel
            | Purpose::Farewell => {
                self.in_dialog_answered(now, usage, purpose, code, &response);
            }
        }
        if let Some(usage) = usage {
            self.reap(usage);
        }
    }

    /// An INVITE that was given up rings after all.
    fn cancel_abandoned(&mut self, now: Time, id: u64) {
        if !self.clients.contains_key(&(id | 1)) {
            self.send_cancel(now, id, "");
        }
    }

    /// A request of `usage` is no longer open.
    pub(super) fn settle(&mut self, usage: Option<UsageId>, purpose: Purpose) {
        if purpose != Purpose::Cancel
            && let Some(state) = usage.and_then(|usage| self.usages.get_mut(&usage))
        {
            state.open = state.open.saturating_sub(1);
        }
    }

    /// No response will come.
    fn fail(&mut self, now: Time, id: u64, silence: Silence) {
        if self.try_next(now, id, None) || (silence == Silence::Transport && self.try_address(now, id)) {
            return;
        }
        let Some(tx) = self.clients.get_mut(&id) else {
            return;
        };
        let (usage, purpose) = (tx.usage, tx.purpose);
        if tx.is_abandoned() {
            tx.usage = None;
            tx.purpose = Purpose::Abandoned;
            let deadline = tx.deadline();
            self.arm(TimerKey::Client(id), deadline);
        } else {
            self.drop_client(id);
        }
        self.silent(now, usage, purpose, silence);
    }

    pub(super) fn silent(&mut self, now: Time, usage: Option<UsageId>, purpose: Purpose, silence: Silence) {
        self.settle(usage, purpose);
        match purpose {
            Purpose::Invite => self.invite_failed(now, usage, silence),
            Purpose::Abandoned => {}
            Purpose::Reinvite { refresh } => self.reinvite_failed(now, usage, refresh, silence),
            Purpose::Update => self.refresh_failed(now, usage, silence),
            Purpose::Outside(request) => self.outside_failed(request, silence),
            Purpose::Subscription(id) => self.subscription_failed(id, silence),
            Purpose::PassOn(_, request) => self.not_passed_on(now, usage, request, silence),
            Purpose::Bye
            | Purpose::Info
            | Purpose::Ping
            | Purpose::Refer
            | Purpose::Notify(_)
            | Purpose::Prack
            | Purpose::Cancel
            | Purpose::Farewell => {
                self.in_dialog_failed(now, usage, purpose, silence);
            }
        }
        if let Some(usage) = usage {
            self.reap(usage);
        }
    }
}
