use std::collections::VecDeque;

use bytes::Bytes;
use sans_io::{Deadline, Time};

use crate::flow::{Destination, Transport};
use crate::message::{HeaderName, Method};

use super::client::{ClientTx, Purpose};
use super::event::{Output, Silence};
use super::ids::UsageId;
use super::resolve::{Hop, Pending, contact_transport, transport_of};
use super::wire::{Draft, Way};
use super::{Endpoint, TimerKey};

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
            Hop::Nowhere => self.silent(now, usage, purpose, Silence::Nowhere),
        }
    }

    /// Starts a client transaction to the first of `targets` that did not fail lately.
    pub(super) fn launch(
        &mut self,
        now: Time,
        mut draft: Draft,
        mut targets: VecDeque<Destination>,
        usage: Option<UsageId>,
        purpose: Purpose,
    ) {
        let best = targets
            .iter()
            .position(|to| !self.is_avoided(now, to))
            .unwrap_or(0);
        let Some(mut to) = targets.remove(best) else {
            return self.silent(now, usage, purpose, Silence::Nowhere);
        };
        let id = self.random_id();
        let credentials = self.credentials_for(usage, purpose, &mut draft);
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
        self.transmit(to.clone(), sent.clone(), id);
        let mut tx = ClientTx::new(now, self.config.timing, draft, sent, to, usage, purpose);
        tx.more = targets;
        let patience = match purpose {
            Purpose::Invite => usage
                .and_then(|usage| self.usages.get(&usage))
                .and_then(|state| state.response_timeout),
            Purpose::Outside(request) => self
                .requests
                .get(&request)
                .and_then(|outside| outside.response_timeout),
            Purpose::Subscription(id) => self
                .subscriber_mut(id)
                .and_then(|subscriber| subscriber.response_timeout),
            _ => None,
        };
        let others = (!tx.more.is_empty()).then_some(self.config.target_timeout);
        if let Some(patience) = patience.into_iter().chain(others).min() {
            tx.give_up(now + patience);
        }
        if let Some(state) = usage.and_then(|usage| self.usages.get_mut(&usage))
            && purpose == Purpose::Invite
        {
            state.invite = Some(id);
            state.reached = Some(tx.to.clone());
        }
        self.arm(TimerKey::Client(id), tx.deadline());
        self.clients.insert(id, Box::new(tx));
    }

    /// CANCEL of an INVITE that is proceeding: same branch, same destination (§9.1).
    pub(super) fn send_cancel(&mut self, now: Time, invite: u64, reason: &str) {
        let Some(tx) = self.clients.get(&invite) else {
            return;
        };
        let (to, usage) = (tx.to.clone(), tx.usage);
        let sent = self.with_way(&to, invite, |way| tx.draft.write_cancel(way, reason));
        let id = invite | 1;
        self.transmit(to.clone(), sent.clone(), id);
        let draft = Draft::bare(Method::Cancel);
        let tx = ClientTx::new(now, self.config.timing, draft, sent, to, usage, Purpose::Cancel);
        self.arm(TimerKey::Client(id), tx.deadline());
        self.clients.insert(id, Box::new(tx));
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

    pub(super) fn write(
        &self,
        draft: &Draft,
        to: &Destination,
        branch: u64,
        credentials: &[(HeaderName, String)],
    ) -> Bytes {
        self.with_way(to, branch, |way| draft.write(way, credentials))
    }

    pub(super) fn with_way(
        &self,
        to: &Destination,
        branch: u64,
        write: impl FnOnce(&Way<'_>) -> Bytes,
    ) -> Bytes {
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
}
