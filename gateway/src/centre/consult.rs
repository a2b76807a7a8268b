//! An agent asks somebody while the caller hears music: to hand the call over, to talk as three, or to come back.

use call_engine::acd::{AgentId, CallId, Input, Intent, LOST};
use sans_io::Time;
use session_core::{Application, Caller, Coordinator, LegId, SessionId};

use super::command::{Refused, Target};
use super::commands::{asked, check};
use super::controller::{CONSULT_HEADER, Controller, Other, QUEUE_HEADER, Use};
use super::history::GAVE_UP;
use super::ids;
use super::view::ConsultState;

/// A question that an agent asks somebody.
pub(super) struct Consult {
    /// The agent's leg is the first of it.
    pub(super) session: SessionId,
    /// Leg of the consulted party.
    pub(super) leg: Option<LegId>,
    /// As it is shown.
    pub(super) to: String,
    /// The consulted party, if it is an agent.
    pub(super) agent: Option<AgentId>,
    pub(super) state: ConsultState,
    pub(super) code: Option<u16>,
    /// Times at which the consultation began and was answered.
    pub(super) began: Time,
    pub(super) answered: Option<Time>,
}

impl Controller {
    pub(super) fn consult(
        &mut self,
        now: Time,
        call: CallId,
        to: &Target,
        calls: &mut Coordinator,
    ) -> Result<(), Refused> {
        let (agent, leg) = self.talking(call)?;
        let live = self.live(call)?;
        if live.consult.is_some() || !live.others.is_empty() {
            return Err(Refused::WrongState);
        }
        let (party, name, asked_agent) = self.party(agent, to)?;
        let (caller, queue) = (live.caller, live.queue);
        let me = self.directory.agent(agent).map(|person| Caller {
            user: person.name.clone(),
            display: person.display.clone(),
        });
        calls.resume(now, caller);
        let session = calls.split(now, leg).ok_or(Refused::WrongState)?;
        calls.keep(session, true);
        calls.play(leg, Some(Application::Ringback));
        calls.play(caller, Some(Application::Music));
        self.sessions.insert(session, call);
        // A colleague's page shows which call it is consulted about. Other phones learn nothing of it.
        let headers = asked_agent.map_or_else(Vec::new, |_| {
            let queue = self.directory.queue(queue);
            let name = queue.map(|queue| queue.display.clone());
            vec![
                (CONSULT_HEADER.to_owned(), ids::call(call)),
                (QUEUE_HEADER.to_owned(), name.unwrap_or_default()),
            ]
        });
        let asked = calls.offer(now, session, asked(party, me, headers)).ok();
        if let Some(leg) = asked {
            self.legs.insert(leg, Use::Consulted(call));
        }
        if let Some(live) = self.calls.get_mut(&call) {
            live.since = now;
            live.consult = Some(Consult {
                session,
                leg: asked,
                to: name,
                agent: asked_agent,
                state: ConsultState::Ringing,
                code: None,
                began: now,
                answered: None,
            });
        }
        // Nothing is offered to somebody who is asked by a colleague.
        let colleague = asked.and_then(|leg| calls.user_of(leg)).map(str::to_owned);
        self.count_lines(now, colleague, calls);
        self.input(now, Input::Held { call, held: true }, calls);
        if asked.is_none() {
            self.consult_failed(now, call, 480, calls);
        }
        self.changed.calls.insert(call);
        Ok(())
    }

    pub(super) fn consulted(
        &mut self,
        now: Time,
        call: CallId,
        (named, leg): (LegId, LegId),
        calls: &mut Coordinator,
    ) {
        let consult = self
            .calls
            .get_mut(&call)
            .and_then(|live| live.consult.as_mut())
            .filter(|consult| consult.leg == Some(named));
        let Some(consult) = consult else {
            self.legs.remove(&leg);
            return calls.withdraw(now, leg, false);
        };
        consult.state = ConsultState::Talking;
        consult.answered = Some(now);
        consult.leg = Some(leg);
        let session = consult.session;
        if let Some((_, agent)) = self.calls.get(&call).and_then(|live| live.agent) {
            calls.play(agent, None);
        }
        calls.admit_leg(now, session, leg);
        self.changed.calls.insert(call);
    }

    /// The consulted party did not answer, or has left.
    pub(super) fn consult_failed(&mut self, now: Time, call: CallId, code: u16, calls: &mut Coordinator) {
        self.log_consult(now, call, code);
        let Some(live) = self.calls.get_mut(&call) else {
            return;
        };
        let Some(consult) = &mut live.consult else { return };
        if let Some(leg) = consult.leg.take() {
            self.legs.remove(&leg);
        }
        consult.state = ConsultState::Failed;
        consult.code = (code > 0).then_some(code);
        if let Some((_, leg)) = live.agent {
            calls.play(leg, Some(Application::Busy));
        }
        self.changed.calls.insert(call);
    }

    /// Ends the consultation; the consulted party must be talking.
    pub(super) fn end_consult(&mut self, call: CallId) -> Result<(Consult, LegId), Refused> {
        let live = self.calls.get_mut(&call).ok_or(Refused::UnknownCall)?;
        let talking = |consult: &Consult| consult.state == ConsultState::Talking;
        let leg = live
            .consult
            .as_ref()
            .filter(|consult| talking(consult))
            .and_then(|consult| consult.leg)
            .ok_or(Refused::WrongState)?;
        let consult = live.consult.take().ok_or(Refused::WrongState)?;
        self.sessions.remove(&consult.session);
        self.changed.calls.insert(call);
        Ok((consult, leg))
    }

    pub(super) fn complete(
        &mut self,
        now: Time,
        call: CallId,
        calls: &mut Coordinator,
    ) -> Result<(), Refused> {
        let (agent, agent_leg) = self.live(call)?.agent.ok_or(Refused::WrongState)?;
        let (consult, leg) = self.end_consult(call)?;
        let Some(live) = self.calls.get_mut(&call) else {
            return Ok(());
        };
        live.since = now;
        let (session, caller) = (live.session, live.caller);
        calls.play(caller, None);
        self.join(now, session, consult.session, calls);
        self.legs.remove(&agent_leg);
        calls.drop_leg(now, agent_leg);
        self.add_other(call, leg, consult.into());
        self.hand_over(now, call, agent, calls);
        tracing::debug!(agent = agent.0, "attended transfer");
        Ok(())
    }

    /// Adds another participant to the call, on `leg`.
    pub(super) fn add_other(&mut self, call: CallId, leg: LegId, other: Other) {
        self.legs.insert(leg, Use::Other(call));
        if let Some(live) = self.calls.get_mut(&call) {
            live.others.insert(leg, other);
        }
        self.changed.calls.insert(call);
    }

    /// The agent who had the call has left it. The first colleague among the others who can take it has it
    /// from now on; if there is none, the engine gives the call up and the others stay connected.
    pub(super) fn hand_over(&mut self, now: Time, call: CallId, from: AgentId, calls: &mut Coordinator) {
        self.heirs.remove(&call);
        let Some(live) = self.calls.get_mut(&call) else {
            return;
        };
        live.since = now;
        live.away = false;
        live.agent = None;
        live.waits_for = None;
        let colleagues: Vec<(LegId, AgentId)> = live.colleagues().collect();
        for (leg, to) in colleagues {
            if self.input(now, Input::HandOver { call, to }, calls).is_some() {
                // Two agents may have consulted the same colleague, who has the other's call now.
                continue;
            }
            let Some(live) = self.calls.get_mut(&call) else {
                return;
            };
            live.others.remove(&leg);
            live.agent = Some((to, leg));
            live.had.push(to);
            live.transferred_by = Some(from);
            self.last_calls.insert(to, call);
            self.legs.insert(leg, Use::Agent(call));
            self.changed.calls.insert(call);
            return self.watch_agent(call, calls);
        }
        if let Some(live) = self.calls.get_mut(&call) {
            live.outside = true;
        }
        self.input(now, Input::Ended { call }, calls);
        self.watch_agent(call, calls);
        self.changed.calls.insert(call);
    }

    pub(super) fn merge(&mut self, now: Time, call: CallId, calls: &mut Coordinator) -> Result<(), Refused> {
        let (consult, leg) = self.end_consult(call)?;
        if let Some(live) = self.calls.get_mut(&call) {
            live.since = now;
            calls.play(live.caller, None);
            let session = live.session;
            self.join(now, session, consult.session, calls);
        }
        self.add_other(call, leg, consult.into());
        check(self.input(now, Input::Held { call, held: false }, calls))
    }

    pub(super) fn abort(&mut self, now: Time, call: CallId, calls: &mut Coordinator) -> Result<(), Refused> {
        self.log_consult(now, call, GAVE_UP);
        let live = self.calls.get_mut(&call).ok_or(Refused::UnknownCall)?;
        let consult = live.consult.take().ok_or(Refused::WrongState)?;
        live.since = now;
        let (session, caller, agent) = (live.session, live.caller, live.agent);
        if let Some(leg) = consult.leg {
            self.legs.remove(&leg);
            calls.withdraw(now, leg, false);
        }
        self.sessions.remove(&consult.session);
        if let Some((_, leg)) = agent {
            calls.play(leg, None);
        }
        calls.play(caller, None);
        self.join(now, session, consult.session, calls);
        self.changed.calls.insert(call);
        check(self.input(now, Input::Held { call, held: false }, calls))
    }

    /// The agent's page is gone while somebody is asked: nobody is asked any longer.
    pub(super) fn drop_consult(&mut self, now: Time, call: CallId, calls: &mut Coordinator) {
        self.log_consult(now, call, GAVE_UP);
        let Some(consult) = self.calls.get_mut(&call).and_then(|live| live.consult.take()) else {
            return;
        };
        self.sessions.remove(&consult.session);
        if let Some(leg) = consult.leg {
            self.legs.remove(&leg);
        }
        calls.terminate_session(now, consult.session);
        self.changed.calls.insert(call);
    }

    /// Those of two sessions hear each other. Where they cannot, the caller is not left alone.
    pub(super) fn join(&mut self, now: Time, host: SessionId, guest: SessionId, calls: &mut Coordinator) {
        if calls.join(now, host, guest).is_err() {
            tracing::warn!(host = host.0, guest = guest.0, "sessions cannot be joined");
            calls.terminate_session(now, guest);
        }
    }

    pub(super) fn leave(&mut self, now: Time, call: CallId, calls: &mut Coordinator) -> Result<(), Refused> {
        let (agent, _) = self.talking(call)?;
        let live = self.live(call)?;
        if live.others.is_empty() {
            return Err(Refused::WrongState);
        }
        self.release_agent(now, call, calls);
        self.hand_over(now, call, agent, calls);
        Ok(())
    }

    /// The page of an agent in a three-way call has not come back: a colleague in the call has it from now on.
    pub(super) fn inherit(&mut self, now: Time, calls: &mut Coordinator) {
        let due: Vec<CallId> = self
            .heirs
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(call, _)| *call)
            .collect();
        for call in due {
            self.heirs.remove(&call);
            let Some(live) = self.calls.get(&call).filter(|live| live.away) else {
                continue;
            };
            let Some(gone) = live.has().filter(|_| live.colleagues().next().is_some()) else {
                continue;
            };
            self.release_agent(now, call, calls);
            self.hand_over(now, call, gone, calls);
            let goes_home = self.acd.state().agents.get(&gone);
            if goes_home.is_none_or(|state| state.next != Some(Intent::Offline)) {
                self.intend(now, gone, Intent::Paused(LOST.into()), calls);
            }
        }
    }
}

impl From<Consult> for Other {
    fn from(consult: Consult) -> Other {
        Other {
            name: consult.to,
            agent: consult.agent,
        }
    }
}
