use std::collections::VecDeque;

use bytes::Bytes;

use crate::dialog::{Dialog, same_tag};
use crate::flow::Destination;
use crate::message::{HeaderName, Message, Method};

use super::Endpoint;
use super::outgoing::Body;
use super::resolve::{Hop, Pending, hop_near};
use super::wire::Draft;

/// The ACK to a final response of one dialog.
#[derive(Debug)]
pub(super) struct Ack {
    pub(super) tag: Option<String>,
    /// Message and destination; `None` while its next hop is being resolved.
    sent: Option<(Bytes, Destination)>,
}

impl Endpoint {
    /// The ACK of a 2xx, which is a transaction of its own: a new branch (§13.2.2.4). Kept to be sent again for each
    /// copy of that 2xx.
    pub(super) fn acknowledge(&mut self, client: u64, dialog: &Dialog, body: Option<Body>) {
        let Some(tx) = self.clients.get(&client) else {
            return;
        };
        let usage = tx.usage;
        let routed = dialog.routed();
        let draft = Draft {
            uri: routed.request_uri,
            routes: routed.routes,
            from: tx.draft.from.clone(),
            to: dialog.remote.clone(),
            call_id: tx.draft.call_id.clone(),
            cseq: tx.draft.cseq,
            body,
            ..Draft::bare(Method::Ack)
        };
        let tag = dialog.remote_tag.clone();
        let hop = match usage.filter(|usage| self.usages.contains_key(usage)) {
            Some(usage) => self.hop_in_dialog(usage, &routed.next_hop),
            None => self.hop_beside(client, &routed.next_hop),
        };
        if let Some(tx) = self.clients.get_mut(&client) {
            tx.draft.body = None;
            tx.acks.push(Ack {
                tag: tag.clone(),
                sent: None,
            });
        }
        match hop {
            Hop::To(targets) => {
                if let Some(to) = targets.into_iter().next() {
                    self.transmit_ack(client, &draft, tag.as_deref(), to);
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

    /// Destination of a request to another fork of an INVITE.
    pub(super) fn hop_beside(&self, client: u64, uri: &str) -> Hop {
        match self.clients.get(&client).map(|tx| &tx.to) {
            Some(to @ Destination::Flow(_)) => Hop::To(VecDeque::from([to.clone()])),
            reached => hop_near(uri, reached, None),
        }
    }

    /// Sends the ACK whose next hop is known now.
    pub(super) fn transmit_ack(&mut self, client: u64, draft: &Draft, tag: Option<&str>, to: Destination) {
        let branch = self.random_id();
        let data = self.write(draft, &to, branch, &[]);
        self.transmit(to.clone(), data.clone(), 0);
        let acks = self.clients.get_mut(&client).map(|tx| &mut tx.acks);
        if let Some(ack) = acks
            .into_iter()
            .flatten()
            .find(|ack| same_tag(ack.tag.as_deref(), tag))
        {
            ack.sent = Some((data, to));
        }
    }

    /// Sends the ACK to a copy of a refusal again.
    pub(super) fn repeat_refusal_ack(&mut self, client: u64) {
        let ack = self
            .clients
            .get(&client)
            .and_then(|tx| tx.acks.first()?.sent.clone());
        if let Some((data, to)) = ack {
            self.transmit(to, data, 0);
        }
    }

    /// Sends the ACK to a copy of the 2xx with this tag again.
    pub(super) fn repeat_ack(&mut self, client: u64, tag: Option<&str>) {
        let ack = self.clients.get(&client).and_then(|tx| {
            tx.acks
                .iter()
                .find(|ack| same_tag(ack.tag.as_deref(), tag))?
                .sent
                .clone()
        });
        if let Some((data, to)) = ack {
            self.transmit(to, data, 0);
        }
    }

    /// The ACK to a refusal, within the transaction (§17.1.1.3).
    pub(super) fn ack_refusal(&mut self, id: u64, response: &Message) {
        let Some(tx) = self.clients.get(&id) else { return };
        let to = response.header(HeaderName::To).unwrap_or_default();
        let data = self.with_way(&tx.to, id, |way| tx.draft.write_refusal_ack(way, to));
        let to = tx.to.clone();
        self.transmit(to.clone(), data.clone(), 0);
        if let Some(tx) = self.clients.get_mut(&id) {
            tx.acks.push(Ack {
                tag: None,
                sent: Some((data, to)),
            });
        }
    }
}
