use std::net::SocketAddr;

use bytes::Bytes;
use sans_io::Time;

use crate::flow::{Destination, Flow, Transport};
use crate::message::{HeaderName, Message, Method, StatusCode};
use crate::transaction::{Key, OnAck, OnTimeout, Server, ServerInvite};

use super::ids::UsageId;
use super::outgoing::{Body, Headers};
use super::resolve::contact_transport;
use super::wire::{self, Contact, ReplyHead};
use super::{Endpoint, TimerKey};
use crate::uri::Host;

#[derive(Clone, Copy, Debug)]
enum Machine {
    Invite(ServerInvite),
    Other(Server),
}

/// A server transaction.
#[derive(Debug)]
pub(super) struct ServerEntry {
    machine: Machine,
    pub(super) key: Key,
    pub(super) merged: Option<Key>,
    pub(super) head: ReplyHead,
    /// Flow of the request, except for the port that its responses go to.
    pub(super) flow: Flow,
    /// Destination of responses,
    pub(super) to: Destination,
    /// and their destination once the connection of the request is gone.
    beside: Option<Destination>,
    /// The last response.
    pub(super) last: Bytes,
    /// Octets of the request.
    pub(super) received: usize,
    /// True if it began outside of any dialog, and nobody has vouched for its peer yet.
    pub(super) stranger: bool,
    /// `To` tag of the responses.
    pub(super) tag: String,
    pub(super) usage: Option<UsageId>,
    pub(super) cseq: u32,
}

impl ServerEntry {
    /// The 100 went out.
    pub(super) fn tried(&mut self) {
        if let Machine::Invite(machine) = &mut self.machine {
            machine.tried();
        }
    }

    /// No final response was sent yet.
    pub(super) fn is_open(&self) -> bool {
        match &self.machine {
            Machine::Invite(machine) => machine.is_open(),
            Machine::Other(machine) => machine.is_open(),
        }
    }
}

/// Flow of responses to a request (RFC 3261 §18.2.2, RFC 3581 §4): over its connection; over UDP to its
/// source address, and to its source port if it asked for that, else to the port of its `Via`.
pub(super) fn reply_flow(request: &Message, flow: Flow) -> Flow {
    let mut to = flow;
    if !flow.transport.is_reliable()
        && let Some(via) = request.top_via()
        && via.rport().is_none()
    {
        to.remote.set_port(via.port_or_default());
    }
    to
}

/// Destination of responses when the connection of their request is gone: the address that it came from, at
/// the port of its `Via` (RFC 3261 §18.2.2). A browser can be reached over its own connection only.
fn reply_beside(request: &Message, flow: Flow) -> Option<Destination> {
    if !matches!(flow.transport, Transport::Tcp | Transport::Tls) {
        return None;
    }
    let via = request.top_via()?;
    let server_name = match via.host {
        Host::Name(name) => Some(name.to_owned()),
        Host::V4(_) | Host::V6(_) => None,
    };
    Some(Destination::Address {
        transport: flow.transport,
        addr: SocketAddr::new(
            flow.remote.ip(),
            via.port.unwrap_or(flow.transport.default_port()),
        ),
        server_name,
    })
}

impl Endpoint {
    /// Opens a server transaction for a request outside of any dialog. A refusal leaves nothing behind.
    pub(super) fn open_stranger(&mut self, now: Time, request: &Message, flow: Flow, key: Key) -> u64 {
        let id = self.open_server(now, request, flow, key);
        if let Some(entry) = self.servers.get_mut(&id) {
            entry.stranger = true;
        }
        id
    }

    /// A server transaction for a request that matches none.
    pub(super) fn open_server(&mut self, now: Time, request: &Message, flow: Flow, key: Key) -> u64 {
        let id = self.random_id();
        let timing = self.config.timing;
        let reliable = flow.transport.is_reliable();
        let machine = if request.is(&Method::Invite) {
            Machine::Invite(ServerInvite::new(now, timing, reliable))
        } else {
            Machine::Other(Server::new(now, timing, reliable))
        };
        let merged = match request.to().tag() {
            None => Key::merged(request),
            Some(_) => None,
        };
        let top_via = request
            .top_via()
            .map_or_else(String::new, |via| via.stamped(flow.remote));
        self.keys.insert(key.clone(), id);
        if let Some(merged) = &merged {
            self.merged.entry(merged.clone()).or_insert(id);
        }
        let entry = ServerEntry {
            machine,
            key,
            merged,
            head: ReplyHead::new(request, &top_via),
            flow: reply_flow(request, flow),
            to: Destination::Flow(reply_flow(request, flow)),
            beside: reply_beside(request, flow),
            last: Bytes::new(),
            received: request.len(),
            stranger: false,
            tag: format!("{:016x}", self.rng.u64()),
            usage: None,
            cseq: request.cseq().number,
        };
        self.held += entry.received;
        self.servers.insert(id, Box::new(entry));
        self.arm_server(id);
        id
    }

    /// Responds with header lines `more`. False when the transaction takes no such response any more.
    pub(super) fn respond(
        &mut self,
        now: Time,
        id: u64,
        code: StatusCode,
        more: &str,
        body: Option<&Body>,
    ) -> bool {
        let Some(entry) = self.servers.get_mut(&id) else {
            return false;
        };
        let allowed = match &mut entry.machine {
            Machine::Invite(machine) => machine.respond(now, code),
            Machine::Other(machine) => machine.respond(now, code),
        };
        if !allowed {
            return false;
        }
        let data = entry.head.write(code, None, &entry.tag, more, body);
        entry.last = data.clone();
        if code.is_final() {
            entry.head.clear(); // copies of the request get copies of this response
        }
        let to = entry.to.clone();
        self.transmit(to, data, id);
        self.arm_server(id);
        true
    }

    /// Responds with our `Server` line and what the application adds.
    pub(super) fn respond_with(
        &mut self,
        now: Time,
        id: u64,
        code: StatusCode,
        extra: &Headers,
        body: Option<&Body>,
    ) -> bool {
        let mut more = String::new();
        wire::extra_lines(&mut more, extra);
        let needs_allow = matches!(code, StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED)
            || (code == StatusCode::OK && !wire::has(extra, HeaderName::Allow));
        if needs_allow && !wire::has(extra, HeaderName::Allow) {
            more.push_str(&self.about.allow);
        }
        if code.is_success() && !wire::has(extra, HeaderName::Supported) {
            more.push_str(&self.about.supported);
        }
        more.push_str(&self.about.server);
        self.respond(now, id, code, &more, body)
    }

    /// The bytes of the last response, to be sent by the usage until the ACK comes (RFC 3261 §13.3.1.4). The
    /// transaction itself needs them no more (RFC 6026 §7.1).
    pub(super) fn take_accepted(&mut self, id: u64) -> Option<(Bytes, Destination)> {
        let entry = self.servers.get_mut(&id)?;
        Some((std::mem::take(&mut entry.last), entry.to.clone()))
    }

    /// The last response again.
    pub(super) fn repeat_response(&mut self, id: u64) {
        if let Some(entry) = self.servers.get(&id) {
            let (to, data) = (entry.to.clone(), entry.last.clone());
            self.transmit(to, data, id);
        }
    }

    /// True if an INVITE has the branch of another one, which its CSeq tells apart.
    pub(super) fn is_branch_taken(&self, key: &Key, invite: &Message) -> bool {
        let entry = self.keys.get(key).and_then(|id| self.servers.get(id));
        entry.is_some_and(|entry| entry.cseq != invite.cseq().number)
    }

    /// A request that matches a transaction. `None`: it matches none. `Some(true)`: an ACK that belongs to a dialog.
    pub(super) fn match_server(&mut self, now: Time, key: &Key, is_ack: bool) -> Option<bool> {
        let id = *self.keys.get(key)?;
        let entry = self.servers.get_mut(&id)?;
        let again = match &mut entry.machine {
            Machine::Invite(machine) if is_ack => {
                let verdict = machine.on_ack(now);
                self.arm_server(id);
                return Some(verdict == OnAck::Deliver);
            }
            Machine::Invite(machine) => machine.on_request(),
            Machine::Other(machine) => machine.on_request(),
        };
        if again && !entry.last.is_empty() {
            let (to, data) = (entry.to.clone(), entry.last.clone());
            self.transmit(to, data, id);
        }
        Some(false)
    }

    pub(super) fn server_timeout(&mut self, now: Time, id: u64) {
        let Some(entry) = self.servers.get_mut(&id) else {
            return;
        };
        let verdict = match &mut entry.machine {
            Machine::Invite(machine) => machine.on_timeout(now),
            Machine::Other(machine) => machine.on_timeout(now),
        };
        match verdict {
            // A refusal without ACK (timer H), and a request that nobody answered: there is nobody to tell.
            OnTimeout::TimedOut | OnTimeout::Finished => {
                self.drop_server(id);
            }
            OnTimeout::Resend => {
                let (to, data) = (entry.to.clone(), entry.last.clone());
                self.totals.retransmissions += 1;
                self.transmit(to, data, id);
                self.arm_server(id);
            }
            OnTimeout::Trying => {
                self.respond(now, id, StatusCode::TRYING, "", None);
            }
            OnTimeout::Nothing => self.arm_server(id),
        }
    }

    /// A response could not be sent. Over a connection that closed it goes to the address of the request's
    /// `Via` (§18.2.2); otherwise the transaction is over (§17.2.4), except for an INVITE that waits for an
    /// answer and whose caller may come back over another connection.
    pub(super) fn server_transmit_failed(&mut self, id: u64) {
        let Some(entry) = self.servers.get_mut(&id) else {
            return;
        };
        let Some(to) = entry.beside.take() else {
            if !entry.is_open() {
                self.drop_server(id);
            }
            return;
        };
        entry.to = to.clone();
        let (mut data, usage) = (entry.last.clone(), entry.usage);
        if let Some(unacked) = usage
            .and_then(|usage| self.usages.get_mut(&usage)?.unacked.as_mut())
            .filter(|unacked| unacked.server == id)
        {
            unacked.to = to.clone();
            data = unacked.data.clone();
        }
        if !data.is_empty() {
            self.transmit(to, data, id);
        }
    }

    /// Further responses go over `flow`.
    pub(super) fn move_server(&mut self, id: u64, flow: Flow) {
        if let Some(entry) = self.servers.get_mut(&id) {
            entry.flow = flow;
            entry.to = Destination::Flow(flow);
        }
    }

    /// Our `Contact` line for a peer at the other end of `flow`.
    pub(super) fn contact_line(&self, user: &str, flow: &Flow) -> String {
        let address = format!(
            "{}{}",
            self.sent_by(&Destination::Flow(*flow)),
            contact_transport(flow.transport)
        );
        let mut out = String::new();
        wire::line(
            &mut out,
            "Contact",
            &Contact {
                user: user.to_owned(),
                ..Contact::default()
            }
            .write(&address),
        );
        out
    }

    pub(super) fn arm_server(&mut self, id: u64) {
        let deadline = self.servers.get(&id).and_then(|entry| match &entry.machine {
            Machine::Invite(machine) => machine.deadline(),
            Machine::Other(machine) => machine.deadline(),
        });
        self.arm(TimerKey::Server(id), deadline);
    }

    pub(super) fn drop_server(&mut self, id: u64) -> Option<Box<ServerEntry>> {
        self.timers.cancel(TimerKey::Server(id));
        let entry = self.servers.remove(&id)?;
        self.held -= entry.received;
        self.keys.remove(&entry.key);
        if let Some(merged) = &entry.merged
            && self.merged.get(merged) == Some(&id)
        {
            self.merged.remove(merged);
        }
        Some(entry)
    }
}
