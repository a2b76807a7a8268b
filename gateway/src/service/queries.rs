//! Queries of the present state.

use super::rights::{sees_call, sees_queue, shown_call};
use super::{Missing, Service};
use crate::auth::Principal;
use crate::centre::view::{Agent, Call, Queue};

impl Service {
    /// The agent with this id.
    ///
    /// # Errors
    /// [`Missing::Agent`].
    pub fn agent(&self, id: &str) -> Result<Agent, Missing> {
        let agent = self.stream.read(|view| view.agents.get(id).cloned());
        agent.ok_or(Missing::Agent)
    }

    /// The queue with this id, if `who` sees it in full.
    ///
    /// # Errors
    /// [`Missing::Queue`].
    pub fn queue(&self, who: &Principal, id: &str) -> Result<Queue, Missing> {
        let queue = self.stream.read(|view| {
            let queue = view.queues.get(id);
            queue.filter(|_| sees_queue(view, who, id)).cloned()
        });
        queue.ok_or(Missing::Queue)
    }

    /// The live call with this id as `who` sees it.
    ///
    /// # Errors
    /// [`Missing::Call`].
    pub fn call(&self, who: &Principal, id: &str) -> Result<Call, Missing> {
        let call = self.stream.read(|view| {
            let call = view.calls.get(id).filter(|call| sees_call(who, call))?;
            Some(shown_call(view, who, call))
        });
        call.ok_or(Missing::Call)
    }

    /// Name of a user as shown to people.
    #[must_use]
    pub fn display_of(&self, who: &Principal) -> String {
        let display = self.accounts.user(&who.id).map(|user| user.display);
        display.unwrap_or_else(|| who.name.clone())
    }
}
