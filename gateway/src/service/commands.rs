//! Commands to the call centre.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::rights::acts_as;
use super::{Missing, Service, ServiceError};
use crate::auth::Principal;
use crate::centre::command::{Asked, By, Command, Refused};
use crate::centre::view::{Agent, Intent, Mode};

/// Time that the signalling task may take for a command.
const PATIENCE: Duration = Duration::from_secs(10);

impl Service {
    /// Sends a command to the signalling task, and returns once its result is durable.
    ///
    /// # Errors
    /// The refusal of the call centre; [`Refused::Busy`] when the task takes nothing, or takes too long.
    pub async fn command(&self, by: By, command: Command) -> Result<(), Refused> {
        let (reply, answer) = oneshot::channel();
        let asked = Asked { by, command, reply };
        self.signalling.try_send(asked).map_err(|_| Refused::Busy)?;
        match timeout(PATIENCE, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => Err(Refused::Busy),
        }
    }

    /// Acts on a call, as its agent or as a supervisor.
    ///
    /// # Errors
    /// The refusal of the call centre.
    pub async fn act(
        &self,
        who: &Principal,
        call: String,
        command: impl FnOnce(String) -> Command,
    ) -> Result<(), Refused> {
        let by = self.stream.read(|view| acts_as(view, who, &call));
        self.command(by, command(call)).await
    }

    /// Sets an agent's own intent. Returns the agent as it is then.
    ///
    /// # Errors
    /// The refusal of the call centre.
    pub async fn set_own_intent(&self, me: &Principal, intent: Intent) -> Result<Agent, ServiceError> {
        let command = Command::Intent {
            agent: me.id.clone(),
            intent,
        };
        self.command(By::Agent(me.id.clone()), command).await?;
        Ok(self.agent(&me.id)?)
    }

    /// Sets the intent of an agent for a supervisor. Returns the agent as it is then.
    ///
    /// # Errors
    /// The refusal of the call centre.
    pub async fn set_intent(
        &self,
        who: &Principal,
        agent: String,
        intent: Intent,
    ) -> Result<Agent, ServiceError> {
        let command = Command::Intent {
            agent: agent.clone(),
            intent,
        };
        self.command(By::Supervisor(who.id.clone()), command).await?;
        Ok(self.agent(&agent)?)
    }

    /// Rejects an assignment to an agent.
    ///
    /// # Errors
    /// [`Refused::AssignmentGone`].
    pub async fn reject(&self, me: &Principal, assignment: String) -> Result<(), Refused> {
        self.command(By::Agent(me.id.clone()), Command::Reject { assignment })
            .await
    }

    /// Lets a supervisor take part in a call, in another way from now on if it does already.
    ///
    /// # Errors
    /// The refusal of the call centre.
    pub async fn supervise(&self, who: &Principal, call: String, mode: Mode) -> Result<(), Refused> {
        self.command(By::Supervisor(who.id.clone()), Command::Supervise { call, mode })
            .await
    }

    /// Takes a supervisor out of a call.
    ///
    /// # Errors
    /// The refusal of the call centre.
    pub async fn unsupervise(&self, who: &Principal, call: String) -> Result<(), Refused> {
        self.command(By::Supervisor(who.id.clone()), Command::Unsupervise { call })
            .await
    }

    /// Gives the call of an agent who signs out to somebody else. An agent without a call has nothing to give.
    ///
    /// # Errors
    /// The refusal of the call centre.
    pub async fn give_back_call(&self, agent: &str) -> Result<(), Refused> {
        let agent = agent.to_owned();
        self.command(By::Agent(agent.clone()), Command::SignOut { agent })
            .await
    }

    /// True for an agent who has a call.
    #[must_use]
    pub fn is_in_call(&self, agent: &str) -> bool {
        self.stream
            .read(|view| view.agents.get(agent).is_some_and(|agent| agent.call.is_some()))
    }

    /// Starts a caller of the demonstration for a queue, by id; default: the first queue. Returns the queue's id.
    ///
    /// # Errors
    /// [`ServiceError::NoDemo`], [`Missing::Queue`], or [`Refused::Busy`] when enough callers wait.
    pub fn call_queue(&self, queue: Option<&str>) -> Result<String, ServiceError> {
        let callers = self.demo.as_ref().ok_or(ServiceError::NoDemo)?;
        let directory = self.statistics.directory();
        let queue = match queue {
            Some(id) => directory.queue_by_id(id),
            None => directory.queues().next(),
        };
        let queue = queue.ok_or(Missing::Queue)?;
        callers.call(queue.name.clone()).map_err(|_| Refused::Busy)?;
        Ok(queue.id.clone())
    }
}
