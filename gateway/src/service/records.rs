//! Records of calls that are over, and notes about calls.

use super::archive::{Kinds, Note, Wanted};
use super::rights::{sees_record, shown_record};
use super::{Missing, Service, ServiceError};
use crate::auth::Principal;
use crate::centre::command::{By, Command, Refused};
use crate::centre::view::{Agent, AgentName, Record};

/// Some records, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The records.
    pub records: Vec<Record>,
    /// Id of the last record, if there are more after it.
    pub next: Option<String>,
}

impl Service {
    /// Records that are wanted, as `who` sees them, `limit` of them at most, after the one that `wanted.before` names.
    ///
    /// # Errors
    /// [`ServiceError::BadCursor`], [`ServiceError::StoreAway`].
    pub async fn records(
        &self,
        who: &Principal,
        mut wanted: Wanted,
        limit: usize,
    ) -> Result<Page, ServiceError> {
        if let Some(before) = &wanted.before
            && self.archive().record(before).await?.is_none()
        {
            return Err(ServiceError::BadCursor);
        }
        // One more tells whether there are more.
        wanted.limit = limit + 1;
        let mut records = self.archive().records(&wanted).await?;
        let more = records.len() > limit;
        records.truncate(limit);
        let next = records.last().filter(|_| more).map(|record| record.id.clone());
        let records = records.iter().map(|record| shown_record(who, record)).collect();
        Ok(Page { records, next })
    }

    /// The record with this id, if `who` sees it.
    ///
    /// # Errors
    /// [`Missing::Record`], [`ServiceError::StoreAway`].
    pub async fn record(&self, who: &Principal, id: &str) -> Result<Record, ServiceError> {
        let record = self.archive().record(id).await?;
        let record = record.filter(|record| sees_record(who, record));
        Ok(shown_record(who, &record.ok_or(Missing::Record)?))
    }

    /// Saves notes of an agent about a call that it has or had, live or over.
    ///
    /// # Errors
    /// [`Missing::Call`], [`ServiceError::StoreAway`].
    pub async fn note(&self, me: &Principal, call: &str, note: Note) -> Result<(), ServiceError> {
        if !self.is_own(&me.id, call).await? {
            return Err(Missing::Call.into());
        }
        self.write_note(me, call, note).await
    }

    /// Ends the wrap-up of an agent. Notes are about the given call, if it is the agent's own, or about the agent's last one. Returns
    /// the agent as it is then.
    ///
    /// # Errors
    /// [`Missing::Call`], [`ServiceError::StoreAway`], or the refusal of the call centre.
    pub async fn wrap_up(
        &self,
        me: &Principal,
        call: Option<String>,
        note: Note,
    ) -> Result<Agent, ServiceError> {
        let command = Command::WrapUp {
            agent: me.id.clone(),
            disposition: note.disposition.clone(),
        };
        if (note != Note::default() || call.is_some())
            && let Some(call) = self.wrapped_up(&me.id, call).await?
        {
            self.write_note(me, &call, note).await?;
        }
        self.command(By::Agent(me.id.clone()), command).await?;
        Ok(self.agent(&me.id)?)
    }

    /// Saves notes, and publishes them while the call is live.
    async fn write_note(&self, me: &Principal, call: &str, note: Note) -> Result<(), ServiceError> {
        let author = AgentName {
            id: me.id.clone(),
            name: self.display_of(me),
        };
        self.archive().note(call, &author, note.clone()).await?;
        if self.stream.read(|view| view.calls.contains_key(call)) {
            let command = Command::Note {
                call: call.to_owned(),
                disposition: note.disposition,
                notes: note.notes,
            };
            match self.command(By::Agent(me.id.clone()), command).await {
                // The call ended in the same moment: its record has the notes.
                Ok(()) | Err(Refused::UnknownCall) => {}
                Err(refused) => return Err(refused.into()),
            }
        }
        Ok(())
    }

    /// The call that an agent wraps up.
    async fn wrapped_up(&self, agent: &str, said: Option<String>) -> Result<Option<String>, ServiceError> {
        if let Some(call) = said {
            if !self.is_own(agent, &call).await? {
                return Err(Missing::Call.into());
            }
            return Ok(Some(call));
        }
        let last = self
            .stream
            .read(|view| view.agents.get(agent).and_then(|agent| agent.last_call.clone()));
        if last.is_some() {
            return Ok(last);
        }
        // Nobody had a call since the gateway was started.
        let wanted = Wanted {
            kinds: Kinds::Queue,
            agent: Some(agent.to_owned()),
            limit: 1,
            ..Wanted::default()
        };
        let last = self.archive().records(&wanted).await?;
        Ok(last.into_iter().next().map(|record| record.call))
    }

    /// True for a call, live or over, that an agent has or had.
    ///
    /// # Errors
    /// [`ServiceError::StoreAway`].
    pub async fn is_own(&self, agent: &str, call: &str) -> Result<bool, ServiceError> {
        let is_live = self.stream.read(|view| {
            let live = view.calls.get(call);
            live.is_some_and(|live| live.agents.iter().any(|had| had == agent))
        });
        if is_live {
            return Ok(true);
        }
        let Some(number) = call.strip_prefix("call_") else {
            return Ok(false);
        };
        let record = self.archive().record(&format!("rec_{number}")).await?;
        Ok(record.is_some_and(|record| record.agents.iter().any(|known| known.id == agent)))
    }
}
