//! What agents and supervisors do with calls: hold, transfer, ask somebody, three of them talking, listening in.

use std::time::Duration;

use call_engine::acd::{AgentId, CallId, Enqueue, Input, OfferId, Phase, QueueId, Refusal, Requeue};
use media_core::control::Role;
use sans_io::Time;
use session_core::{Application, Caller, Coordinator, LegId, Offer, Party, SessionId};

use super::command::{Asked, By, Command, Refused, Target};
use super::desk::{Desk, Use, Watcher, answer_at_once};
use super::ids;
use super::ledger::{Answer, Ended};
use super::view::{ConsultState, Mode};

/// How long somebody who is asked, or to whom a call is transferred, may ring.
const RING: Duration = Duration::from_secs(45);

/// How long a digit sounds.
const DIGIT_MS: u16 = 160;

/// A question that an agent asks somebody.
pub(super) struct Consult {
    /// The agent's leg is the first of it.
    pub(super) session: SessionId,
    /// Of the one who is asked.
    pub(super) leg: Option<LegId>,
    /// As it is shown.
    pub(super) to: String,
    /// Where it is one of ours.
    pub(super) agent: Option<AgentId>,
    pub(super) state: ConsultState,
    pub(super) code: Option<u16>,
}

impl Desk {
    /// Does what is asked, or says why not. The answer comes when what was done is durable and told.
    pub fn command(&mut self, now: Time, asked: Asked, calls: &mut Coordinator) {
        let Asked { by, command, reply } = asked;
        let result = self.obey(now, &by, command, calls);
        self.answer(Answer { reply, result });
        self.tell(now);
    }

    fn obey(
        &mut self,
        now: Time,
        by: &By,
        command: Command,
        calls: &mut Coordinator,
    ) -> Result<Option<String>, Refused> {
        match command {
            Command::Intent { agent, intent } => {
                let agent = self.agent(&agent)?;
                check(self.intend(now, agent, intent.into(), calls))?;
            }
            Command::WrapUp { agent, disposition } => {
                let agent = self.agent(&agent)?;
                let input = Input::WrappedUp {
                    agent,
                    code: disposition,
                };
                check(self.input(now, input, calls))?;
            }
            Command::Reject { offer } => {
                let offer = self.offer_of(by, &offer)?;
                check(self.input(now, Input::Reject { offer }, calls))?;
            }
            Command::Hold { call, held } => self.hold(now, self.call_of(by, &call)?, held, calls)?,
            Command::Dtmf { call, digits } => {
                let live = self.live(self.call_of(by, &call)?)?;
                for digit in digits.chars() {
                    calls.send_dtmf(now, live.caller, digit, DIGIT_MS);
                }
            }
            Command::Transfer { call, to } => self.transfer(now, self.call_of(by, &call)?, to, calls)?,
            Command::Consult { call, to } => self.consult(now, self.call_of(by, &call)?, &to, calls)?,
            Command::Complete { call } => self.complete(now, self.call_of(by, &call)?, calls)?,
            Command::Merge { call } => self.merge(now, self.call_of(by, &call)?, calls)?,
            Command::Abort { call } => self.abort(now, self.call_of(by, &call)?, calls)?,
            Command::Leave { call } => self.leave(now, self.call_of(by, &call)?, calls)?,
            Command::HangUp { call } => {
                let session = self.live(self.call_of(by, &call)?)?.session;
                calls.terminate_session(now, session);
            }
            Command::Supervise { call, mode } => {
                let call = self.call_of(by, &call)?;
                self.supervise(now, by, call, mode, calls)?;
            }
            Command::Unsupervise { call } => {
                let call = self.call_of(by, &call)?;
                let name = self.name_of(by)?;
                let watcher = self
                    .calls
                    .get_mut(&call)
                    .and_then(|live| live.watchers.remove(&name));
                let leg = watcher.ok_or(Refused::WrongState)?.leg;
                self.legs.remove(&leg);
                calls.withdraw(now, leg, false);
                self.changed.calls.insert(call);
            }
            Command::PageOpened { agent, .. } | Command::PageAlive { agent } => {
                let agent = self.agent(&agent)?;
                self.input(now, Input::Proof { agent }, calls);
            }
            Command::PageClosed { .. } => {}
            Command::DemoCall { queue } => {
                let number = match queue {
                    Some(id) => self
                        .directory
                        .queue_by_id(&id)
                        .ok_or(Refused::UnknownQueue)?
                        .name
                        .clone(),
                    None => self
                        .directory
                        .queues()
                        .next()
                        .ok_or(Refused::UnknownQueue)?
                        .name
                        .clone(),
                };
                let demo = self.demo.as_ref().ok_or(Refused::NoDemo)?;
                demo.try_send(number).map_err(|_| Refused::Busy)?;
            }
        }
        Ok(None)
    }

    fn agent(&self, id: &str) -> Result<AgentId, Refused> {
        self.directory
            .person_by_id(id)
            .and_then(|person| person.agent.as_ref())
            .map(|agent| agent.id)
            .ok_or(Refused::UnknownAgent)
    }

    fn name_of(&self, by: &By) -> Result<String, Refused> {
        let (By::Agent(id) | By::Supervisor(id)) = by;
        let person = self.directory.person_by_id(id).ok_or(Refused::UnknownAgent)?;
        Ok(person.name.clone())
    }

    fn live(&self, call: CallId) -> Result<&super::desk::Live, Refused> {
        self.calls.get(&call).ok_or(Refused::UnknownCall)
    }

    /// The call that is meant, if whoever asks may. Others' calls are as if they were not there.
    fn call_of(&self, by: &By, id: &str) -> Result<CallId, Refused> {
        let call = ids::read_call(id).ok_or(Refused::UnknownCall)?;
        let live = self.live(call)?;
        match by {
            By::Supervisor(_) => Ok(call),
            By::Agent(agent) => {
                let has = live.agent.and_then(|(agent, _)| self.directory.agent(agent));
                has.filter(|person| person.id == *agent)
                    .map(|_| call)
                    .ok_or(Refused::UnknownCall)
            }
        }
    }

    fn offer_of(&self, by: &By, id: &str) -> Result<OfferId, Refused> {
        let offer = ids::read_offer(id).ok_or(Refused::OfferGone)?;
        let (.., agent) = self
            .acd
            .offers()
            .find(|(other, ..)| *other == offer)
            .ok_or(Refused::OfferGone)?;
        let theirs = match by {
            By::Supervisor(_) => true,
            By::Agent(id) => self.directory.agent(agent).is_some_and(|person| person.id == *id),
        };
        theirs.then_some(offer).ok_or(Refused::OfferGone)
    }

    /// The agent who talks with the caller, and the agent's leg.
    fn talking(&self, call: CallId) -> Result<(AgentId, LegId), Refused> {
        let live = self.live(call)?;
        let connected = self
            .acd
            .state()
            .calls
            .get(&call)
            .is_some_and(|call| matches!(call.phase, Phase::Connected { .. }));
        live.agent
            .filter(|_| connected && !live.away)
            .ok_or(Refused::WrongState)
    }

    fn hold(&mut self, now: Time, call: CallId, held: bool, calls: &mut Coordinator) -> Result<(), Refused> {
        self.talking(call)?;
        let live = self.live(call)?;
        if live.consult.is_some() {
            return Err(Refused::WrongState);
        }
        let caller = live.caller;
        if held {
            calls.hold(now, caller);
        } else {
            calls.resume(now, caller);
        }
        check(self.input(now, Input::Held { call, held }, calls))
    }

    /// Whom a target names; an agent's number too, where it is an agent.
    fn party(&self, by: AgentId, to: &Target) -> Result<(Party, String, Option<AgentId>), Refused> {
        match to {
            Target::Agent(id) => {
                let person = self.directory.person_by_id(id).ok_or(Refused::UnknownAgent)?;
                let agent = self.agent(id)?;
                if self
                    .acd
                    .state()
                    .agents
                    .get(&agent)
                    .is_some_and(|state| state.work.is_call())
                {
                    return Err(Refused::AgentBusy);
                }
                Ok((
                    Party::User(person.name.clone()),
                    person.display.clone(),
                    Some(agent),
                ))
            }
            Target::Number(number) => {
                let name = self
                    .directory
                    .agent(by)
                    .map(|person| person.name.as_str())
                    .unwrap_or_default();
                let party = (self.route)(name, number).ok_or(Refused::NotAllowed)?;
                let agent = match &party {
                    Party::User(name) => self.directory.agent_of(name),
                    _ => None,
                };
                Ok((party, number.clone(), agent))
            }
            Target::Queue(_) => Err(Refused::WrongState),
        }
    }

    fn transfer(
        &mut self,
        now: Time,
        call: CallId,
        to: Target,
        calls: &mut Coordinator,
    ) -> Result<(), Refused> {
        let (agent, _) = self.talking(call)?;
        if self.live(call)?.consult.is_some() {
            return Err(Refused::WrongState);
        }
        match to {
            Target::Queue(id) => {
                let queue = self
                    .directory
                    .queue_by_id(&id)
                    .ok_or(Refused::UnknownQueue)?
                    .config
                    .id;
                self.requeue(now, call, Some(queue), None, calls)
            }
            // The caller keeps the place in the queue, should that agent not answer.
            Target::Agent(id) => {
                let sticky = self.agent(&id)?;
                if sticky == agent {
                    return Err(Refused::WrongState);
                }
                self.requeue(now, call, None, Some(sticky), calls)
            }
            number @ Target::Number(_) => {
                let (party, name, _) = self.party(agent, &number)?;
                self.send_outside(now, call, party, name, calls);
                Ok(())
            }
        }
    }

    fn requeue(
        &mut self,
        now: Time,
        call: CallId,
        queue: Option<QueueId>,
        sticky: Option<AgentId>,
        calls: &mut Coordinator,
    ) -> Result<(), Refused> {
        let caller = self.live(call)?.caller;
        calls.resume(now, caller);
        let requeue = Requeue {
            call,
            queue,
            priority: 0,
            sticky,
        };
        check(self.input(now, Input::Requeue(requeue), calls))
    }

    /// The engine lets go of the call, the agent is out, and somebody else is called for the caller.
    pub(super) fn send_outside(
        &mut self,
        now: Time,
        call: CallId,
        party: Party,
        name: String,
        calls: &mut Coordinator,
    ) {
        let Some(live) = self.calls.get_mut(&call) else {
            return;
        };
        let (session, caller, held) = (live.session, live.caller, !live.outside);
        live.outside = true;
        live.since = now;
        if held {
            calls.resume(now, caller);
            self.input(now, Input::Ended { call }, calls);
        }
        let agent = self.calls.get_mut(&call).and_then(|live| live.agent.take());
        if let Some((_, leg)) = agent {
            self.legs.remove(&leg);
            calls.drop_leg(now, leg);
        }
        calls.play(caller, Some(Application::Ringback));
        match calls.offer(now, session, asked(party, None, Vec::new())) {
            Ok(leg) => {
                if let Some(live) = self.calls.get_mut(&call) {
                    live.others.insert(leg, name);
                }
                self.legs.insert(leg, Use::Outside(call));
            }
            Err(_) => self.outside_failed(now, call, calls),
        }
        self.changed.calls.insert(call);
    }

    pub(super) fn outside_answered(
        &mut self,
        now: Time,
        call: CallId,
        (named, leg): (LegId, LegId),
        calls: &mut Coordinator,
    ) {
        let Some(live) = self.calls.get_mut(&call) else {
            return;
        };
        live.since = now;
        if let Some(name) = live.others.remove(&named) {
            live.others.insert(leg, name);
        }
        self.legs.insert(leg, Use::Other(call));
        calls.play(live.caller, None);
        calls.admit_leg(now, live.session, leg);
        self.changed.calls.insert(call);
    }

    /// Nobody answered there: the caller waits for an agent again, in front of those who came since.
    pub(super) fn outside_failed(&mut self, now: Time, call: CallId, calls: &mut Coordinator) {
        let Some(mut live) = self.calls.remove(&call) else {
            return;
        };
        let Some(queue) = live.queue else {
            calls.terminate_session(now, live.session);
            self.calls.insert(call, live);
            return;
        };
        let again = self.next_call(now);
        let ended = Ended {
            from: live.from.clone(),
            to: live.to.clone(),
            ..Ended::default()
        };
        self.over(call, ended);
        live.outside = false;
        live.since = now;
        live.others.clear();
        for used in self.legs.values_mut() {
            used.rename(call, again);
        }
        self.sessions.insert(live.session, again);
        calls.play(live.caller, Some(Application::Music));
        self.calls.insert(again, live);
        let enqueue = Enqueue {
            call: again,
            queue,
            priority: 1,
            requires: Vec::new(),
            sticky: None,
        };
        self.input(now, Input::Enqueue(enqueue), calls);
    }

    fn consult(
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
        let caller = live.caller;
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
        let asked = calls.offer(now, session, asked(party, me, Vec::new())).ok();
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
            });
        }
        self.input(now, Input::Held { call, held: true }, calls);
        match (asked, asked_agent) {
            (None, _) => self.consult_failed(now, call, 480, calls),
            (Some(_), Some(agent)) => self.occupy(now, agent, 1, calls),
            _ => {}
        }
        self.changed.calls.insert(call);
        Ok(())
    }

    /// No offers for somebody who is asked by a colleague.
    fn occupy(&mut self, now: Time, agent: AgentId, lines: u32, calls: &mut Coordinator) {
        self.input(now, Input::Lines { agent, lines }, calls);
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
        consult.leg = Some(leg);
        let session = consult.session;
        if let Some((_, agent)) = self.calls.get(&call).and_then(|live| live.agent) {
            calls.play(agent, None);
        }
        calls.admit_leg(now, session, leg);
        self.changed.calls.insert(call);
    }

    /// Whoever was asked did not answer, or is out.
    pub(super) fn consult_failed(&mut self, now: Time, call: CallId, code: u16, calls: &mut Coordinator) {
        let Some(live) = self.calls.get_mut(&call) else {
            return;
        };
        let Some(consult) = &mut live.consult else { return };
        if let Some(leg) = consult.leg.take() {
            self.legs.remove(&leg);
        }
        consult.state = ConsultState::Failed;
        consult.code = (code > 0).then_some(code);
        let agent = consult.agent.take();
        if let Some((_, leg)) = live.agent {
            calls.play(leg, Some(Application::Busy));
        }
        if let Some(agent) = agent {
            self.occupy(now, agent, 0, calls);
        }
        self.changed.calls.insert(call);
    }

    /// Takes the question away; whoever was asked must be talking.
    fn end_consult(&mut self, call: CallId) -> Result<(Consult, LegId), Refused> {
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

    fn complete(&mut self, now: Time, call: CallId, calls: &mut Coordinator) -> Result<(), Refused> {
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
        let Some(live) = self.calls.get_mut(&call) else {
            return Ok(());
        };
        match consult.agent {
            Some(to) => {
                live.agent = Some((to, leg));
                self.legs.insert(leg, Use::Agent(call));
                self.input(now, Input::HandOver { call, to }, calls);
                self.occupy(now, to, 0, calls);
                self.watch_agent(call, calls);
            }
            None => {
                live.agent = None;
                live.outside = true;
                live.others.insert(leg, consult.to);
                self.legs.insert(leg, Use::Other(call));
                self.input(now, Input::Ended { call }, calls);
            }
        }
        tracing::debug!(agent = agent.0, "attended transfer");
        Ok(())
    }

    fn merge(&mut self, now: Time, call: CallId, calls: &mut Coordinator) -> Result<(), Refused> {
        let (consult, leg) = self.end_consult(call)?;
        if let Some(live) = self.calls.get_mut(&call) {
            live.since = now;
            live.others.insert(leg, consult.to);
            calls.play(live.caller, None);
            let session = live.session;
            self.join(now, session, consult.session, calls);
        }
        self.legs.insert(leg, Use::Other(call));
        check(self.input(now, Input::Held { call, held: false }, calls))
    }

    fn abort(&mut self, now: Time, call: CallId, calls: &mut Coordinator) -> Result<(), Refused> {
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
        if let Some(agent) = consult.agent {
            self.occupy(now, agent, 0, calls);
        }
        self.changed.calls.insert(call);
        check(self.input(now, Input::Held { call, held: false }, calls))
    }

    /// The agent's page is gone while somebody is asked: nobody is asked any longer.
    pub(super) fn drop_consult(&mut self, now: Time, call: CallId, calls: &mut Coordinator) {
        let Some(consult) = self.calls.get_mut(&call).and_then(|live| live.consult.take()) else {
            return;
        };
        self.sessions.remove(&consult.session);
        if let Some(leg) = consult.leg {
            self.legs.remove(&leg);
        }
        calls.terminate_session(now, consult.session);
        if let Some(agent) = consult.agent {
            self.occupy(now, agent, 0, calls);
        }
        self.changed.calls.insert(call);
    }

    /// Those of two sessions hear each other. Where they cannot, the caller is not left alone.
    fn join(&mut self, now: Time, host: SessionId, guest: SessionId, calls: &mut Coordinator) {
        if calls.join(now, host, guest).is_err() {
            tracing::warn!(host = host.0, guest = guest.0, "sessions cannot be joined");
            calls.terminate_session(now, guest);
        }
    }

    fn leave(&mut self, now: Time, call: CallId, calls: &mut Coordinator) -> Result<(), Refused> {
        let (_, leg) = self.talking(call)?;
        let live = self.calls.get_mut(&call).ok_or(Refused::UnknownCall)?;
        if live.others.is_empty() {
            return Err(Refused::WrongState);
        }
        live.agent = None;
        live.outside = true;
        live.since = now;
        self.legs.remove(&leg);
        calls.drop_leg(now, leg);
        check(self.input(now, Input::Ended { call }, calls))
    }

    fn supervise(
        &mut self,
        now: Time,
        by: &By,
        call: CallId,
        mode: Mode,
        calls: &mut Coordinator,
    ) -> Result<(), Refused> {
        let By::Supervisor(_) = by else {
            return Err(Refused::NotAllowed);
        };
        let name = self.name_of(by)?;
        let live = self.calls.get_mut(&call).ok_or(Refused::UnknownCall)?;
        let session = live.session;
        match live.watchers.get_mut(&name) {
            Some(watcher) => {
                watcher.mode = mode;
                self.watch_agent(call, calls);
            }
            None => {
                let headers = vec![
                    (super::desk::CALL_HEADER.to_owned(), ids::call(call)),
                    answer_at_once(),
                ];
                let party = Party::User(name.clone());
                let leg = calls
                    .offer(now, session, asked(party, None, headers))
                    .map_err(|_| Refused::Unreachable)?;
                live.watchers
                    .insert(name.clone(), Watcher { leg, mode, up: false });
                self.legs.insert(leg, Use::Watcher(call, name));
            }
        }
        self.changed.calls.insert(call);
        Ok(())
    }

    /// The supervisor's phone answered.
    pub(super) fn watching(
        &mut self,
        now: Time,
        call: CallId,
        name: &str,
        leg: LegId,
        calls: &mut Coordinator,
    ) {
        let Some(live) = self.calls.get_mut(&call) else {
            return;
        };
        let Some(watcher) = live.watchers.get_mut(name) else {
            return;
        };
        watcher.up = true;
        watcher.leg = leg;
        let session = live.session;
        self.watch_agent(call, calls);
        calls.admit_leg(now, session, leg);
        self.changed.calls.insert(call);
    }

    /// Whoever whispers whispers to the agent who has the call now.
    pub(super) fn watch_agent(&mut self, call: CallId, calls: &mut Coordinator) {
        let Some(live) = self.calls.get(&call) else { return };
        for watcher in live.watchers.values().filter(|watcher| watcher.up) {
            let role = match (watcher.mode, live.agent) {
                (Mode::Party, _) => Role::Party,
                (Mode::Whisper, Some((_, agent))) => Role::Coach(agent),
                (Mode::Whisper | Mode::Listen, _) => Role::Listener,
            };
            calls.set_role(watcher.leg, role);
        }
    }
}

fn asked(party: Party, caller: Option<Caller>, headers: Vec<(String, String)>) -> Offer {
    Offer {
        party,
        caller,
        ring_timeout: RING,
        headers,
    }
}

/// What the engine refused, in the words of the API.
fn check(refusal: Option<Refusal>) -> Result<(), Refused> {
    match refusal {
        None => Ok(()),
        Some(refusal) => Err(match refusal {
            Refusal::OfferGone(_) => Refused::OfferGone,
            Refusal::UnknownQueue(_) => Refused::UnknownQueue,
            Refusal::UnknownAgent(_) => Refused::UnknownAgent,
            Refusal::UnknownCall(_) => Refused::WrongState,
            Refusal::AgentBusy(_) => Refused::AgentBusy,
            Refusal::NotWrappingUp(_) => Refused::NotWrappingUp,
            Refusal::CallExists(_) | Refusal::QueueBusy(_) | Refusal::Superseded(..) => Refused::WrongState,
        }),
    }
}
