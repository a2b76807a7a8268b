//! Events of calls and their consequences: somebody answers, leaves, disappears, comes back.

use std::time::Duration;

use call_engine::acd::{CallId, ConnId, Input, Requeue, Target as Overflow};
use sans_io::Time;
use session_core::{CallRecord, Cause, Coordinator, LegId, Offer, Party, SessionId};

use super::controller::{CALL_HEADER, Controller, Use, answer_at_once};
use super::history::GAVE_UP;
use super::ids;
use super::journal::Ended;
use crate::switch::Reached;

/// Time that an agent whose page is gone may be away from a three-way call before a colleague in it takes it
/// over: longer than a reload takes, and shorter than the 30 s after which the engine would send the caller
/// back to the queue.
const INHERIT: Duration = Duration::from_secs(20);

impl Controller {
    /// A phone rang and was answered: the offer is a leg now.
    pub(super) fn answered(
        &mut self,
        now: Time,
        named: LegId,
        leg: LegId,
        used: Use,
        calls: &mut Coordinator,
    ) {
        match used {
            Use::Offer(offer) => {
                if let Some(ringing) = self.offers.get_mut(&offer) {
                    ringing.leg = leg;
                }
                if self.input(now, Input::Accept { offer }, calls).is_some() {
                    self.legs.remove(&leg);
                    calls.withdraw(now, leg, true);
                }
            }
            Use::Recall(call) => self.recalled(now, call, (named, leg), calls),
            Use::Consulted(call) => self.consulted(now, call, (named, leg), calls),
            Use::Watcher(call, name) => self.watching(now, call, &name, leg, calls),
            Use::Outside(call) => self.outside_answered(now, call, (named, leg), calls),
            Use::Caller(_) | Use::Agent(_) | Use::Other(_) => {}
        }
    }

    /// A phone rang and was not answered.
    pub(super) fn unanswered(
        &mut self,
        now: Time,
        leg: LegId,
        used: Use,
        code: u16,
        calls: &mut Coordinator,
    ) {
        match used {
            Use::Offer(offer) => {
                let input = match code {
                    // Somebody pressed a button.
                    486 | 600 | 603 => Input::Reject { offer },
                    _ => Input::OfferLost { offer },
                };
                self.input(now, input, calls);
            }
            Use::Recall(call) => {
                if let Some(live) = self.calls.get_mut(&call).filter(|live| live.recall == Some(leg)) {
                    live.recall = None;
                }
            }
            Use::Consulted(call) => self.consult_failed(now, call, code, calls),
            Use::Watcher(call, name) => {
                if let Some(live) = self.calls.get_mut(&call) {
                    live.watchers.remove(&name);
                }
                self.changed.calls.insert(call);
            }
            Use::Outside(call) => self.outside_failed(now, call, calls),
            Use::Caller(_) | Use::Agent(_) | Use::Other(_) => {}
        }
    }

    /// Caller and agent hear each other.
    pub(super) fn bridged(&mut self, now: Time, call: CallId, calls: &mut Coordinator) {
        let connecting = self
            .acd
            .state()
            .calls
            .get(&call)
            .is_some_and(|call| matches!(call.phase, call_engine::acd::Phase::Connecting(_)));
        if let Some(live) = self.calls.get_mut(&call) {
            live.answered.get_or_insert(now);
            live.since = now;
        }
        if connecting {
            self.input(now, Input::Connected { call }, calls);
        }
        self.changed.calls.insert(call);
    }

    /// The agent's page is gone, or is back by itself.
    pub(super) fn away(&mut self, now: Time, call: CallId, away: bool, calls: &mut Coordinator) {
        if let Some(live) = self.calls.get_mut(&call) {
            live.away = away;
            live.since = now;
        }
        self.changed.calls.insert(call);
        if away {
            self.drop_consult(now, call, calls);
            self.await_heir(now, call);
        } else {
            self.heirs.remove(&call);
        }
        self.input(now, Input::Away { call, away }, calls);
    }

    /// The agent whose page was gone registered again: the new page is called into the call.
    pub(super) fn returned(&mut self, now: Time, call: CallId, user: &str, calls: &mut Coordinator) {
        let Some(live) = self
            .calls
            .get_mut(&call)
            .filter(|live| live.away && live.recall.is_none())
        else {
            return;
        };
        let theirs = live
            .has()
            .and_then(|agent| self.directory.agent(agent))
            .is_some_and(|person| person.name == user);
        if !theirs {
            return;
        }
        let offer = Offer {
            party: Party::User(user.to_owned()),
            caller: None,
            ring_timeout: Duration::from_secs(30),
            headers: vec![(CALL_HEADER.into(), ids::call(call)), answer_at_once()],
        };
        if let Ok(leg) = calls.offer(now, live.session, offer) {
            live.recall = Some(leg);
            self.legs.insert(leg, Use::Recall(call));
        }
    }

    /// The new page answered.
    pub(super) fn recalled(
        &mut self,
        now: Time,
        call: CallId,
        (named, leg): (LegId, LegId),
        calls: &mut Coordinator,
    ) {
        let live = self
            .calls
            .get_mut(&call)
            .filter(|live| live.recall == Some(named));
        let Some(live) = live else {
            self.legs.remove(&leg);
            return calls.withdraw(now, leg, false);
        };
        self.heirs.remove(&call);
        live.recall = None;
        live.away = false;
        live.since = now;
        let session = live.session;
        if let Some((_, old)) = &mut live.agent {
            let old = std::mem::replace(old, leg);
            self.legs.remove(&old);
            calls.drop_leg(now, old);
        }
        if let Some(agent) = live.waits_for.take() {
            live.agent = Some((agent, leg));
        }
        self.legs.insert(leg, Use::Agent(call));
        calls.admit_leg(now, session, leg);
        self.watch_agent(call, calls);
        self.changed.calls.insert(call);
        self.input(now, Input::Away { call, away: false }, calls);
    }

    /// Somebody who had been in a call is out of it.
    pub(super) fn left(&mut self, now: Time, leg: LegId, used: Use, cause: Cause, calls: &mut Coordinator) {
        match used {
            Use::Agent(call) => self.agent_left(now, call, cause, calls),
            Use::Consulted(call) => self.consult_failed(now, call, 0, calls),
            Use::Other(call) => {
                if let Some(live) = self.calls.get_mut(&call) {
                    live.others.remove(&leg);
                }
                self.changed.calls.insert(call);
                self.end_if_alone(now, call, calls);
            }
            Use::Watcher(call, name) => {
                if let Some(live) = self.calls.get_mut(&call) {
                    live.watchers.remove(&name);
                }
                self.changed.calls.insert(call);
            }
            Use::Outside(call) => {
                if let Some(live) = self.calls.get(&call) {
                    calls.terminate_session(now, live.session);
                }
            }
            Use::Offer(offer) => {
                self.input(now, Input::OfferLost { offer }, calls);
            }
            Use::Recall(_) | Use::Caller(_) => {}
        }
    }

    pub(super) fn agent_left(&mut self, now: Time, call: CallId, cause: Cause, calls: &mut Coordinator) {
        let Some(live) = self.calls.get_mut(&call) else {
            return;
        };
        match cause {
            // The page is gone, or its media broke: the agent may come back.
            Cause::Away | Cause::Lost | Cause::Failed => {
                if !live.away {
                    live.away = true;
                    live.since = now;
                    self.changed.calls.insert(call);
                    self.await_heir(now, call);
                    self.input(now, Input::Away { call, away: true }, calls);
                }
            }
            // The agent hung up. Those whom the agent brought in go on without the agent.
            _ if !live.others.is_empty() => {
                let agent = live.has();
                self.release_agent(now, call, calls);
                if let Some(agent) = agent {
                    self.hand_over(now, call, agent, calls);
                }
            }
            _ => calls.terminate_session(now, live.session),
        }
    }

    /// Lets a colleague in a three-way call take it over if the agent's page does not come back soon.
    fn await_heir(&mut self, now: Time, call: CallId) {
        let joined = self.calls.get(&call).and_then(|live| live.colleagues().next());
        if joined.is_some() {
            self.heirs.entry(call).or_insert(now + INHERIT);
        }
    }

    /// A caller whom everybody left need not stay.
    pub(super) fn end_if_alone(&mut self, now: Time, call: CallId, calls: &mut Coordinator) {
        if let Some(live) = self.calls.get(&call)
            && live.outside
            && live.agent.is_none()
            && live.others.is_empty()
        {
            calls.terminate_session(now, live.session);
        }
    }

    /// The agent has the call no more.
    pub(super) fn release_agent(&mut self, now: Time, call: CallId, calls: &mut Coordinator) {
        let Some(live) = self.calls.get_mut(&call) else {
            return;
        };
        live.waits_for = None;
        let legs = [live.agent.take().map(|(_, leg)| leg), live.recall.take()];
        for leg in legs.into_iter().flatten() {
            if let Some(Use::Recall(_)) = self.legs.remove(&leg) {
                calls.withdraw(now, leg, false);
            } else {
                calls.drop_leg(now, leg);
            }
        }
        self.changed.calls.insert(call);
    }

    /// A queue does not keep a call.
    pub(super) fn overflowed(&mut self, now: Time, call: CallId, target: Overflow, calls: &mut Coordinator) {
        let Some(live) = self.calls.get_mut(&call) else {
            return;
        };
        live.outside = true;
        live.since = now;
        let session = live.session;
        match target {
            Overflow::Number(number) => match (self.route)("", &number) {
                Reached::Party(party) => self.send_outside(now, call, *party, number, calls),
                _ => calls.terminate_session(now, session),
            },
            Overflow::HangUp | Overflow::Queue(_) => calls.terminate_session(now, session),
        }
    }

    /// A session is over.
    pub(super) fn ended(
        &mut self,
        now: Time,
        session: SessionId,
        record: &CallRecord,
        calls: &mut Coordinator,
    ) -> bool {
        let Some(call) = self.sessions.remove(&session) else {
            self.log_direct(now, record);
            return false;
        };
        let Some(live) = self.calls.get(&call).filter(|live| live.session == session) else {
            // An agent hung up while asking somebody: the caller waits for another one.
            self.log_consult(now, call, GAVE_UP);
            if self
                .calls
                .get_mut(&call)
                .and_then(|live| live.consult.take())
                .is_some()
            {
                let requeue = Requeue {
                    call,
                    queue: None,
                    priority: 0,
                    sticky: None,
                };
                self.input(now, Input::Requeue(requeue), calls);
            }
            return true;
        };
        if live.restoring && matches!(record.cause, Cause::Failed | Cause::Lost) {
            self.input(now, Input::NotRecovered { call }, calls);
        } else if live.hung_up && !live.outside {
            self.input(now, Input::HungUp { call }, calls);
        } else if !live.outside {
            self.input(now, Input::Ended { call }, calls);
        }
        self.finish(now, call, record, calls);
        true
    }

    pub(super) fn finish(&mut self, now: Time, call: CallId, record: &CallRecord, calls: &mut Coordinator) {
        self.log_consult(now, call, GAVE_UP);
        let Some(live) = self.calls.remove(&call) else {
            return;
        };
        if let Some(consult) = &live.consult {
            calls.terminate_session(now, consult.session);
            self.sessions.remove(&consult.session);
        }
        self.legs.retain(|_, used| used.call() != Some(call));
        self.forget_leg(call);
        let queue = self.directory.queue(live.queue);
        if let (Some(queue), Some(agent), Some(_)) = (queue, live.had.last(), live.answered) {
            self.last_agents.talked(now, queue, &live.from.number, *agent);
        }
        self.heirs.remove(&call);
        let mut ended = Ended::new(live.from, live.to, record);
        (ended.notes, ended.disposition) = (live.notes, live.disposition);
        self.over(call, ended);
    }

    pub(super) fn reachable(&mut self, now: Time, user: &str, reachable: bool, calls: &mut Coordinator) {
        let Some(agent) = self.directory.agent_of(user) else {
            return;
        };
        if reachable {
            self.conns += 1;
            let conn = ConnId(self.conns);
            self.registered.insert(agent, conn);
            self.input(now, Input::Attached { agent, conn }, calls);
            self.call_back(now, agent, calls);
        } else if let Some(conn) = self.registered.remove(&agent) {
            self.input(now, Input::Detached { agent, conn }, calls);
        }
        self.changed.agents.insert(agent);
    }
}
