//! Queues that the API adds and changes.

use sans_io::Time;

use super::error::{Match, ProvisioningError};
use super::snapshot::{Snapshot, Stored};
use super::tables::{Row, Write, json};
use super::{Kind, Provisioning, validate};
use crate::auth::new_id;
use crate::config::Queue;

/// Queues that may be added.
const MAX_QUEUES: usize = 1_000;

impl Provisioning {
    /// Adds a queue, or changes the one with this id. Returns the id and the version that the queue has then.
    ///
    /// # Errors
    /// [`ProvisioningError`].
    pub async fn put_queue(
        &self,
        now: Time,
        queue: Option<(&str, Match)>,
        settings: Queue,
    ) -> Result<(String, u64), ProvisioningError> {
        let turn = self.turn().await;
        let before = &turn.before;
        let stored = match queue {
            Some((id, wanted)) => Some(before.stored_queue(id, wanted)?),
            None => None,
        };
        let mut wrong = validate::queue(&settings, queue.map(|(id, _)| id), before);
        if stored.is_some_and(|stored| stored.body.name != settings.name) {
            wrong.push(validate::never("name"));
        }
        if !wrong.is_empty() {
            return Err(ProvisioningError::Invalid(wrong));
        }
        if stored.is_none() && before.is_name_taken(&settings.name) {
            return Err(ProvisioningError::Taken);
        }
        if stored.is_none() && before.queues.len() >= MAX_QUEUES {
            return Err(ProvisioningError::TooMany);
        }
        let id = match queue {
            Some((id, _)) => id.to_owned(),
            None => new_id("que_")?,
        };
        let number = match stored {
            Some(stored) => stored.number,
            None => self.shared.tables.next_number(Kind::Queue).await?,
        };
        let version = stored.map(|stored| stored.version);
        let mut after = Snapshot::clone(before);
        let new = Stored::after(stored, now, number, settings.clone());
        after.queues.insert(id.clone(), new);
        let write = Write {
            kind: Kind::Queue,
            id: &id,
            row: Row::Put {
                version,
                body: json(&settings)?,
                name: Some(&settings.name),
                number: Some(number),
            },
        };
        let version = turn.make(now, after, write, Vec::new()).await?;
        Ok((id, version))
    }
}
