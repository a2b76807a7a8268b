//! Reachability of agents' pages: registrations, and signs of life.

use sans_io::Time;

use super::super::Acd;
use super::super::fact::Intent;
use super::super::ids::{AgentId, ConnId};
use super::super::input::{Output, Reach, Refusal};
use super::super::timeout::Alarm;

impl Acd {
    pub(in crate::acd) fn attached(&mut self, now: Time, id: AgentId, conn: ConnId) {
        let Some(agent) = self.agents.get_mut(&id) else {
            return self.refuse(Refusal::UnknownAgent(id));
        };
        if agent.conn.is_some_and(|newer| newer > conn) {
            return self.refuse(Refusal::Superseded(id, conn));
        }
        agent.conn = Some(conn);
        agent.reach = Reach::Attached;
        agent.proof = now;
        self.timers.cancel(Alarm::DetachGrace(id));
        self.arm(Alarm::Probe(id), now + self.settings.probe_interval);
        self.refresh(now, id);
    }

    pub(in crate::acd) fn detached(&mut self, now: Time, id: AgentId, conn: ConnId) {
        let Some(agent) = self.agents.get_mut(&id).filter(|agent| agent.conn == Some(conn)) else {
            return;
        };
        agent.conn = None;
        agent.reach = Reach::Suspect;
        self.timers.cancel(Alarm::Probe(id));
        self.arm(Alarm::DetachGrace(id), now + self.settings.detach_grace);
        self.suspect(now, id);
    }

    /// Grace is over.
    pub(in crate::acd) fn detach(&mut self, now: Time, id: AgentId) {
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.reach = Reach::Detached;
        }
        self.refresh(now, id);
    }

    pub(in crate::acd) fn proved(&mut self, now: Time, id: AgentId) {
        let Some(agent) = self.agents.get_mut(&id).filter(|agent| agent.conn.is_some()) else {
            return;
        };
        agent.proof = now;
        if agent.reach != Reach::Attached {
            agent.reach = Reach::Attached;
            self.refresh(now, id);
        }
    }

    /// A sign of life is due. Nobody asks those who are not signed in.
    pub(in crate::acd) fn probe(&mut self, now: Time, id: AgentId) {
        let signed_in = self.agent_state(id).intent != Intent::Offline;
        let Some(agent) = self.agents.get_mut(&id).filter(|agent| agent.conn.is_some()) else {
            return;
        };
        let (interval, max_age) = (self.settings.probe_interval, self.settings.probe_max_age);
        let age = now.since(agent.proof);
        if age >= max_age && agent.reach == Reach::Attached {
            agent.reach = Reach::Suspect;
            self.suspect(now, id);
        }
        let Some(agent) = self.agents.get(&id) else { return };
        let next = if age < interval {
            agent.proof + interval
        } else {
            if signed_in {
                self.out.push_back(Output::Probe { agent: id });
            }
            let expires = agent.proof + max_age;
            if expires > now {
                expires.min(now + interval)
            } else {
                now + interval
            }
        };
        self.arm(Alarm::Probe(id), next);
    }

    fn suspect(&mut self, now: Time, id: AgentId) {
        if let Some(assignment) = self.agents.get(&id).and_then(|agent| agent.assignment) {
            self.lose_assignment(now, assignment);
        }
        self.refresh(now, id);
    }
}
