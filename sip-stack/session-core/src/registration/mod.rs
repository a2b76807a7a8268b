//! Registrations of ours at somebody else: accounts of a client, and trunks that want REGISTER (RFC 3261 §10.2).
//!
//! Each is refreshed between 45 and 70 % of what was granted. 403 and 404 end it; after other failures it is tried again, after a
//! pause with a random part that doubles up to 5 min. All of them share one pace.

mod entry;
mod granted;
mod pace;
mod settings;
mod trunks;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use sans_io::{Deadline, Time, Timers};
use sip_core::endpoint::{Exchange, RequestId};
use sip_core::flow::FlowId;
use sip_core::message::{Message, StatusCode};

use crate::context::Context;
use crate::event::Event;
use crate::record::Fault;
use crate::trunk::TargetId;

use entry::{Entry, Next, Taken};
pub(crate) use granted::seconds_of;
pub(crate) use pace::Pace;
pub use settings::{ContactUser, Registration, TrunkRegistration};
pub(crate) use settings::{Service, media_security};
pub use trunks::{TrunkRegistrationStatus, TrunkStatus};

/// Owner of a registration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Registrant {
    /// An account, by the name that the application gave it.
    Account(u64),
    /// A trunk of the directory, by its name.
    Trunk(String),
}

/// Registrations, each on its own, sent at a common pace.
#[derive(Debug)]
pub(crate) struct Registrations {
    entries: BTreeMap<u64, Entry>,
    last_id: u64,
    timers: Timers<Alarm>,
    pace: Pace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Alarm {
    /// The next one that waits may be sent.
    Pace,
    /// A registration is to be sent again.
    Ask(u64),
    /// A flow is to be kept open.
    KeepAlive(u64),
}

/// Time in which all registrations are given up at a shutdown, however many there are.
const FAREWELL: Duration = Duration::from_secs(2);

impl Registrations {
    /// None yet; `rate` REGISTERs a second at most.
    pub(crate) fn new(rate: u32) -> Registrations {
        Registrations {
            entries: BTreeMap::new(),
            last_id: 0,
            timers: Timers::default(),
            pace: Pace::new(rate),
        }
    }

    /// Registers, and stays registered until [`unregister`](Self::unregister). A registration of the same owner is replaced.
    pub(crate) fn register(
        &mut self,
        cx: &mut Context,
        now: Time,
        owner: Registrant,
        registration: Registration,
    ) {
        for id in self.staying(&owner) {
            self.forget(id);
        }
        self.add(cx, owner, registration);
        self.send_waiting(cx, now);
    }

    /// Gives a registration up.
    pub(crate) fn unregister(&mut self, cx: &mut Context, now: Time, owner: &Registrant) {
        for id in self.staying(owner) {
            self.leave(cx, id);
        }
        self.send_waiting(cx, now);
    }

    /// Gives all registrations up, within 2 s whatever the pace is.
    pub(crate) fn unregister_all(&mut self, cx: &mut Context, now: Time) {
        let all: Vec<u64> = self.entries.keys().copied().collect();
        for id in all {
            self.leave(cx, id);
            // Nobody waits for an answer that may never come.
            if self
                .entries
                .get(&id)
                .is_some_and(|entry| entry.service_flow().is_none())
            {
                self.forget(id);
            }
        }
        self.pace.hurry(FAREWELL);
        self.send_waiting(cx, now);
    }

    /// True if there is none, not even one that is being given up.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Answer to a request of ours outside a dialog, or none; false if it was none of these.
    pub(crate) fn answered(
        &mut self,
        cx: &mut Context,
        now: Time,
        request: RequestId,
        outcome: Result<(&Message, &Exchange), Fault>,
    ) -> bool {
        let mut entries = self.entries.iter_mut();
        let found = entries.find_map(|(id, entry)| Some((*id, entry.taken(request)?, entry)));
        let Some((id, taken, entry)) = found else {
            return false;
        };
        let next = match (taken, outcome) {
            (Taken::Register, Ok((response, exchange))) => {
                entry.tell_target(cx, now, Ok(response));
                let next = entry.answered(&mut cx.rng, now, response, exchange);
                let refuses = response.status() == Some(StatusCode::SERVICE_UNAVAILABLE);
                entry.or_elsewhere(cx, next, refuses)
            }
            (Taken::Register, Err(fault)) => {
                entry.tell_target(cx, now, Err(fault));
                let next = entry.unanswered(&mut cx.rng, fault);
                entry.or_elsewhere(cx, next, true)
            }
            // A refusal is a sign of life as well.
            (Taken::KeepAlive, Ok(_)) => Next::Stay,
            (Taken::KeepAlive, Err(_)) => entry.flow_lost(&mut cx.rng, now),
        };
        self.go_on(cx, now, id, next);
        self.send_waiting(cx, now);
        true
    }

    /// A connection closed: what was registered over it for its flow's sake (RFC 5626 §4.5) registers again.
    pub(crate) fn flow_closed(&mut self, cx: &mut Context, now: Time, flow: FlowId) {
        let over = |entry: &Entry| entry.keeps_flow(flow);
        let lost: Vec<u64> = self
            .entries
            .iter()
            .filter(|(_, entry)| over(entry))
            .map(|(id, _)| *id)
            .collect();
        for id in lost {
            if let Some(entry) = self.entries.get_mut(&id) {
                let next = entry.flow_lost(&mut cx.rng, now);
                self.go_on(cx, now, id, next);
            }
        }
        self.send_waiting(cx, now);
    }

    /// Address of the registrar that is reached over this connection.
    pub(crate) fn reached_over(&self, flow: FlowId) -> Option<SocketAddr> {
        let flows = self.entries.values().filter_map(Entry::service_flow);
        let over = flows.filter(|open| open.id == flow && open.transport.is_reliable());
        over.map(|open| open.remote).next()
    }

    /// A target of a trunk is down: what is registered there, or waits to try again, registers at another one.
    pub(crate) fn target_down(&mut self, cx: &mut Context, now: Time, trunk: &str, target: TargetId) {
        let there = |entry: &Entry| {
            entry.is_at(target) && matches!(entry.owner(), Registrant::Trunk(name) if name == trunk)
        };
        let moving: Vec<u64> = self
            .entries
            .iter()
            .filter(|(_, entry)| there(entry))
            .map(|(id, _)| *id)
            .collect();
        for id in moving {
            if let Some(entry) = self.entries.get_mut(&id)
                && entry.or_elsewhere(cx, Next::Stay, true) == Next::Now
            {
                self.go_on(cx, now, id, Next::Now);
            }
        }
        self.send_waiting(cx, now);
    }

    pub(crate) fn deadline(&self) -> Deadline {
        self.timers.next()
    }

    pub(crate) fn handle_timeout(&mut self, cx: &mut Context, now: Time) {
        while let Some(alarm) = self.timers.pop_due(now) {
            match alarm {
                Alarm::Pace => {}
                Alarm::Ask(id) => self.queue(id),
                Alarm::KeepAlive(id) => {
                    if let Some(entry) = self.entries.get_mut(&id) {
                        entry.keep_alive(cx, now);
                    }
                }
            }
        }
        self.send_waiting(cx, now);
    }

    /// Adds one that waits for its turn.
    fn add(&mut self, cx: &mut Context, owner: Registrant, registration: Registration) {
        self.last_id += 1;
        let call_id = cx.rng.token(22);
        self.entries
            .insert(self.last_id, Entry::new(owner, registration, call_id));
        self.queue(self.last_id);
    }

    /// Puts one behind those that wait for their turn.
    fn queue(&mut self, id: u64) {
        self.timers.cancel(Alarm::Ask(id));
        if let Some(entry) = self.entries.get_mut(&id)
            && entry.queue()
        {
            self.pace.push(id);
            // Sent as soon as the time is known.
            self.timers
                .set(Alarm::Pace, Time::default(), "pace of registrations");
        }
    }

    /// Sends as many as may be sent now.
    fn send_waiting(&mut self, cx: &mut Context, now: Time) {
        while let Some(id) = self.pace.pop(now) {
            if let Some(entry) = self.entries.get_mut(&id)
                && entry.is_queued()
            {
                entry.send(cx, now);
                self.pace.sent(now);
            }
        }
        match self.pace.next() {
            Some(at) => self.timers.set(Alarm::Pace, at, "pace of registrations"),
            None => {
                self.timers.cancel(Alarm::Pace);
            }
        }
    }

    fn go_on(&mut self, cx: &mut Context, now: Time, id: u64, next: Next) {
        self.tell(cx, id);
        match next {
            Next::Now => self.queue(id),
            Next::After(time) => self.timers.set(Alarm::Ask(id), now + time, "registration"),
            Next::Stay => {}
            Next::Gone => return self.forget(id),
        }
        let keep_alive = self
            .entries
            .get(&id)
            .and_then(|entry| entry.keep_alive_after(&mut cx.rng));
        match keep_alive {
            Some(after) => self
                .timers
                .set(Alarm::KeepAlive(id), now + after, "keep-alive of a registration"),
            None => {
                self.timers.cancel(Alarm::KeepAlive(id));
            }
        }
    }

    /// Reports the state of one if it has changed, and tells the directory how a trunk is reached.
    fn tell(&mut self, cx: &mut Context, id: u64) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        if let Registrant::Trunk(name) = entry.owner()
            && !entry.is_leaving()
        {
            cx.directory.set_service(name, entry.service());
        }
        if let Some(state) = entry.news() {
            let registrant = entry.owner().clone();
            cx.event(Event::Registration { registrant, state });
        }
    }

    /// Gives one up: as soon as the pace allows, or at once if the registrar knows nothing of it.
    fn leave(&mut self, cx: &mut Context, id: u64) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        if let Registrant::Trunk(name) = entry.owner() {
            cx.directory.set_service(name, None);
        }
        let next = entry.leave();
        self.timers.cancel(Alarm::Ask(id));
        match next {
            Next::Gone => {
                self.tell(cx, id);
                self.forget(id);
            }
            Next::Now => self.queue(id),
            Next::Stay | Next::After(_) => {}
        }
    }

    fn forget(&mut self, id: u64) {
        self.entries.remove(&id);
        self.timers.cancel(Alarm::Ask(id));
        self.timers.cancel(Alarm::KeepAlive(id));
    }

    /// Registrations of an owner that are not being given up.
    fn staying(&self, owner: &Registrant) -> Vec<u64> {
        let staying = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.owner() == owner && !entry.is_leaving());
        staying.map(|(id, _)| *id).collect()
    }
}
