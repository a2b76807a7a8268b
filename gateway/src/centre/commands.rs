//! Actions of agents and supervisors, and actions on a call: hold, digits, transfer.

use std::sync::Arc;
use std::time::Duration;

use call_engine::acd::{AgentId, CallId, Enqueue, Input, Intent, OfferId, Phase, QueueId, Refusal, Requeue};
use sans_io::Time;
use session_core::{Application, Caller, Coordinator, LegId, Offer, Party};

use super::command::{Asked, By, Command, Refused, Target};
use super::controller::{Controller, Live, Other, Use};
use super::ids;
use super::journal::{Answer, Ended};
use super::view;
use crate::switch::Reached;

/// Time that a consulted party, or the target of a transfer, may ring.
const RING: Duration = Duration::from_secs(45);

/// Duration of a digit, milliseconds.
const DIGIT_MS: u16 = 160;

impl Controller {
    /// Carries out a command, or refuses it. The reply is sent once the result is durable and published. True
    /// if it was carried out.
    pub fn command(&mut self, now: Time, asked: Asked, calls: &mut Coordinator) -> bool {
        let Asked { by, command, reply } = asked;
        let result = self.obey(now, &by, command, calls);
        let done = result.is_ok();
        self.count_lines(now, None, calls);
        self.answer(Answer { reply, result });
        self.publish(now);
        done
    }

    fn obey(
        &mut self,
        now: Time,
        by: &By,
        command: Command,
        calls: &mut Coordinator,
    ) -> Result<Option<String>, Refused> {
        match command {
            Command::Reconfigure(reconfiguration) => self.reconfigure(now, *reconfiguration, calls)?,
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
                let call = self.call_of(by, &call)?;
                let live = self.calls.get_mut(&call).ok_or(Refused::UnknownCall)?;
                live.hung_up = matches!(by, By::Supervisor(_));
                calls.terminate_session(now, live.session);
            }
            Command::SignOut { agent } => {
                let agent = self.agent(&agent)?;
                self.sign_out(now, agent, calls)?;
            }
            Command::Note {
                call,
                disposition,
                notes,
            } => self.note(by, &call, disposition, notes)?,
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
                let queue = match queue {
                    Some(id) => self.directory.queue_by_id(&id),
                    None => self.directory.queues().next(),
                };
                let queue = queue.ok_or(Refused::UnknownQueue)?;
                let demo = self.demo.as_ref().ok_or(Refused::NoDemo)?;
                demo.try_send(queue.name.clone()).map_err(|_| Refused::Busy)?;
                return Ok(Some(queue.id.clone()));
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

    pub(super) fn name_of(&self, by: &By) -> Result<String, Refused> {
        let (By::Agent(id) | By::Supervisor(id)) = by;
        let person = self.directory.person_by_id(id).ok_or(Refused::UnknownAgent)?;
        Ok(person.name.clone())
    }

    pub(super) fn live(&self, call: CallId) -> Result<&Live, Refused> {
        self.calls.get(&call).ok_or(Refused::UnknownCall)
    }

    /// The call with this id, if the sender may act on it. Other calls appear not to exist.
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
    pub(super) fn talking(&self, call: CallId) -> Result<(AgentId, LegId), Refused> {
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

    /// The party that a target names; for an agent's number, the agent.
    pub(super) fn party(
        &self,
        by: AgentId,
        to: &Target,
    ) -> Result<(Party, String, Option<AgentId>), Refused> {
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
                let Reached::Party(party) = (self.route)(name, number) else {
                    return Err(Refused::NotAllowed);
                };
                let agent = match &*party {
                    Party::User(name) => self.directory.agent_of(name),
                    _ => None,
                };
                Ok((*party, number.clone(), agent))
            }
            Target::Queue(_) => Err(Refused::WrongState),
        }
    }

    pub(super) fn transfer(
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
                self.send_on(now, (call, agent), Some(queue), None, calls)
            }
            // The caller keeps the place in the queue, should that agent not answer.
            Target::Agent(id) => {
                let sticky = self.agent(&id)?;
                if sticky == agent {
                    return Err(Refused::WrongState);
                }
                self.send_on(now, (call, agent), None, Some(sticky), calls)
            }
            number @ Target::Number(_) => {
                let (party, name, _) = self.party(agent, &number)?;
                self.send_outside(now, call, party, name, calls);
                Ok(())
            }
        }
    }

    /// An agent sends the call to a queue or a colleague, who see which agent it came from.
    fn send_on(
        &mut self,
        now: Time,
        (call, agent): (CallId, AgentId),
        queue: Option<QueueId>,
        sticky: Option<AgentId>,
        calls: &mut Coordinator,
    ) -> Result<(), Refused> {
        let sender = |controller: &mut Controller, agent: Option<AgentId>| {
            let live = controller.calls.get_mut(&call);
            live.and_then(|live| std::mem::replace(&mut live.transferred_by, agent))
        };
        let before = sender(self, Some(agent));
        let done = self.requeue(now, call, queue, sticky, calls);
        if done.is_err() {
            sender(self, before);
        }
        done
    }

    /// The agent's call goes on without the agent: with the colleagues whom the agent brought in, or in its
    /// queue at the same place.
    fn sign_out(&mut self, now: Time, agent: AgentId, calls: &mut Coordinator) -> Result<(), Refused> {
        // Once the agent is free, nothing more is offered.
        let refused = self.intend(now, agent, Intent::Offline, calls);
        let theirs = self.calls.iter().find(|(_, live)| live.has() == Some(agent));
        if let Some((call, alone)) = theirs.map(|(call, live)| (*call, live.others.is_empty())) {
            self.drop_consult(now, call, calls);
            if alone {
                self.requeue(now, call, None, None, calls)?;
            } else {
                self.release_agent(now, call, calls);
                self.hand_over(now, call, agent, calls);
            }
        }
        // Nobody is left to do the wrap-up.
        self.input(now, Input::WrappedUp { agent, code: None }, calls);
        check(refused)
    }

    /// Notes of an agent who has or had the call.
    fn note(
        &mut self,
        by: &By,
        call: &str,
        disposition: Option<String>,
        notes: Option<String>,
    ) -> Result<(), Refused> {
        let (By::Agent(id) | By::Supervisor(id)) = by;
        let agent = self.agent(id)?;
        let name = self.name_of(by)?;
        let call = ids::read_call(call).ok_or(Refused::UnknownCall)?;
        let directory = Arc::clone(&self.directory);
        let live = self.calls.get_mut(&call).ok_or(Refused::UnknownCall)?;
        if !live.had.contains(&agent) {
            return Err(Refused::UnknownCall);
        }
        if let Some(notes) = notes {
            let name = directory
                .person(&name)
                .map_or(name, |person| person.display.clone());
            view::AgentNotes::write(&mut live.notes, id, &name, notes);
        }
        live.disposition = disposition.or(live.disposition.take());
        self.changed.calls.insert(call);
        Ok(())
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
        live.fallback = held.then_some(live.queue);
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
                    live.others.insert(leg, Other { name, agent: None });
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

    /// Nobody answered there: a caller whom an agent sent waits for an agent again, in front of those who came since. One whom a
    /// queue did not keep has nowhere else to go.
    pub(super) fn outside_failed(&mut self, now: Time, call: CallId, calls: &mut Coordinator) {
        let Some(mut live) = self.calls.remove(&call) else {
            return;
        };
        let Some(queue) = live.fallback.take() else {
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
        self.forget_leg(call);
        self.keep_leg(again, calls);
        let enqueue = Enqueue {
            call: again,
            queue,
            priority: 1,
            requires: Vec::new(),
            sticky: None,
            came: None,
        };
        self.input(now, Input::Enqueue(enqueue), calls);
    }
}

pub(super) fn asked(party: Party, caller: Option<Caller>, headers: Vec<(String, String)>) -> Offer {
    Offer {
        party,
        caller,
        ring_timeout: RING,
        headers,
    }
}

/// Refusal of the engine, in the words of the API.
pub(super) fn check(refusal: Option<Refusal>) -> Result<(), Refused> {
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
