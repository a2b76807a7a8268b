//! Consultation: what an agent asks for, and what follows for the engine.

use call_engine::acd::{CallId, Input};

use super::super::call::Call;
use super::super::command::{Refused, Target};
use super::super::context::Ctx;
use super::QueueCalls;

impl QueueCalls {
    /// Lets an agent ask somebody, while the caller hears music.
    pub(super) fn begin_consult(&mut self, id: CallId, to: &Target, cx: &mut Ctx<'_>) -> Result<(), Refused> {
        let agent = self.talking(id)?;
        let call = self.calls().get(id).ok_or(Refused::UnknownCall)?;
        if call.consult().is_some() || call.has_others() {
            return Err(Refused::WrongState);
        }
        let target = self.targets(cx).party(agent.agent, to)?;
        let asked = self.ask(id, cx, |call, cx| call.ask(target, cx))?;
        // Nothing is assigned to somebody who is asked by a colleague.
        self.count_lines(asked.as_deref(), cx);
        self.input(Input::Held { call: id, held: true }, cx);
        Ok(())
    }

    /// Attended transfer: the caller and the consulted party talk, and the agent is out.
    pub(super) fn complete(&mut self, id: CallId, cx: &mut Ctx<'_>) -> Result<(), Refused> {
        let agent = self.ask(id, cx, Call::complete)?;
        self.hand_over(id, agent, cx);
        tracing::debug!(agent = agent.0, "attended transfer");
        Ok(())
    }
}
