use bytes::Bytes;
use sans_io::Time;

use crate::dialog::same_tag;
use crate::flow::{Destination, Flow};
use crate::message::{MAGIC_COOKIE, Message, Method, StatusCode, Via};
use crate::transaction::Key;

use super::Endpoint;
use super::event::Event;
use super::ids::{ServerTx, UsageId};
use super::resolve::transport_of;
use crate::uri::parse_host_port;

impl Endpoint {
    /// One message came over `flow`.
    pub(super) fn receive(&mut self, now: Time, flow: Flow, data: Bytes) {
        let message = match Message::parse(data.clone()) {
            Ok(message) => message,
            Err(error) => {
                // Answered without a transaction: there is no telling what its fields are worth.
                if let Some(rejected) = error.rejected {
                    self.reject_once(flow, &data, &rejected);
                }
                return;
            }
        };
        if message.is_request() {
            self.receive_request(now, flow, message);
        } else {
            self.match_response(now, flow, message);
        }
    }

    fn match_response(&mut self, now: Time, flow: Flow, response: Message) {
        // §8.1.3.3: more than one Via, or a sent-by that is not ours: not for us.
        if response.via_count() != 1 {
            return;
        }
        let Some(via) = response.top_via() else { return };
        let Some(branch) = our_branch(&via) else { return };
        let cseq = response.cseq();
        let id = if cseq.method == Method::Cancel {
            branch | 1
        } else {
            branch
        };
        let Some(tx) = self.clients.get(&id) else { return };
        if !self.is_sent_by_us(&via, &tx.to) || !tx.is_for(&cseq.method) {
            return;
        }
        self.receive_response(now, id, flow, response);
    }

    fn receive_request(&mut self, now: Time, flow: Flow, request: Message) {
        let (Some(method), Some(key)) = (request.method().cloned(), Key::of(&request)) else {
            return;
        };
        let is_ack = method == Method::Ack;
        if method == Method::Invite && self.is_branch_taken(&key, &request) {
            return self.refuse_branch(flow, &request);
        }
        match self.match_server(now, &key, is_ack) {
            Some(true) => return self.receive_ack(now, &request),
            Some(false) => return,
            None if is_ack => return self.receive_ack(now, &request),
            None => {}
        }
        if method == Method::Cancel {
            return self.receive_cancel(now, flow, &request, key);
        }
        if request.to().tag().is_some() && method != Method::Register {
            let dialog = self.find_dialog(&request);
            let subscription = match dialog {
                Some(_) => None,
                None => self.find_subscription(&request),
            };
            let is_known = dialog.is_some() || subscription.is_some();
            let is_full = self.is_full(request.len(), is_known);
            return match (dialog, subscription) {
                (Some((usage, dialog)), _) if !is_full => {
                    self.receive_in_dialog(now, flow, request, key, usage, dialog)
                }
                (None, Some(id)) if !is_full => self.receive_in_subscription(now, flow, &request, key, id),
                _ => {
                    let server = self.open_stranger(now, &request, flow, key);
                    if is_known {
                        // RFC 5057 §5.1: it ends the transaction and leaves the dialog.
                        self.refuse_full(now, server);
                    } else if !self.refuse_method(now, server, &request) {
                        self.refuse_with(now, server, StatusCode::CALL_DOES_NOT_EXIST, &[]);
                    }
                }
            };
        }
        let merged = Key::merged(&request).is_some_and(|merged| self.merged.contains_key(&merged));
        let is_full = self.is_full(request.len(), false);
        let server = self.open_stranger(now, &request, flow, key);
        if self.refuse(now, server, &request, merged) {
            return;
        }
        if is_full {
            return self.refuse_full(now, server);
        }
        if only_in_dialogs(&method) {
            self.refuse_with(now, server, StatusCode::CALL_DOES_NOT_EXIST, &[]);
        } else if method == Method::Invite {
            self.receive_invite(now, flow, request, server);
        } else if method == Method::Subscribe {
            self.receive_subscribe(now, flow, request, server);
        } else if method == Method::Refer {
            self.receive_referral(now, flow, request, server);
        } else {
            self.event(Event::Request {
                tx: ServerTx(server),
                request,
                flow,
            });
        }
    }

    /// The dialog that a request belongs to: our tag in `To` names the usage, the peer's in `From` the fork (§12.2.2).
    pub(super) fn find_dialog(&self, request: &Message) -> Option<(UsageId, usize)> {
        let to = request.to();
        let tag = to.tag()?;
        let usage = UsageId::of_tag(tag)?;
        let state = self.usages.get(&usage)?;
        if !same_tag(Some(&state.info.local_tag), Some(tag)) || state.info.call_id != request.call_id() {
            return None;
        }
        let from = request.from();
        let dialog = state
            .dialogs
            .iter()
            .position(|dialog| dialog.is_with(from.tag()))?;
        Some((usage, dialog))
    }
}

impl Endpoint {
    /// True if the sent-by of a `Via` is the one that we write towards `to`: hosts compare without regard to
    /// case, and the default port is that of the transport (§18.1.2, §20.42).
    pub(super) fn is_sent_by_us(&self, via: &Via<'_>, to: &Destination) -> bool {
        let ours = self.sent_by(to);
        if via.sent_by.eq_ignore_ascii_case(&ours) {
            return true;
        }
        let Some((host, port)) = parse_host_port(&ours) else {
            return false;
        };
        let default = transport_of(to).default_port();
        via.host.same(host) && via.port.unwrap_or(default) == port.unwrap_or(default)
    }
}

/// Methods that mean nothing without a dialog.
fn only_in_dialogs(method: &Method) -> bool {
    matches!(
        method,
        Method::Bye | Method::Update | Method::Prack | Method::Info
    )
}

/// The transaction that a `Via` of ours names.
pub(super) fn our_branch(via: &Via<'_>) -> Option<u64> {
    let branch = via.branch()?.strip_prefix(MAGIC_COOKIE)?;
    if branch.len() == 16 {
        u64::from_str_radix(branch, 16).ok()
    } else {
        None
    }
}
