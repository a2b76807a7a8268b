//! A change of the configuration: durable, applied by the call centre, and visible to all, in this order. Changes are made one after
//! the other.

use std::sync::{Arc, PoisonError};

use sans_io::Time;
use tokio::sync::{MutexGuard, oneshot};

use super::snapshot::Snapshot;
use super::tables::Write;
use super::{Kind, Provisioning, ProvisioningError, Shared};
use crate::centre::command::{Asked, By, Command, Reconfiguration, Refused};
use crate::centre::directory::Directory;

/// The right to change the configuration.
pub(super) struct Turn<'a> {
    shared: &'a Shared,
    /// Configuration before the change.
    pub(super) before: Arc<Snapshot>,
    /// Directory that the call centre has.
    directory: MutexGuard<'a, Arc<Directory>>,
}

impl Provisioning {
    /// Waits until no other change is being made.
    pub(super) async fn turn(&self) -> Turn<'_> {
        let directory = self.shared.directory.lock().await;
        Turn {
            shared: &self.shared,
            before: self.snapshot(),
            directory,
        }
    }
}

impl Turn<'_> {
    /// Makes a change durable and applies it. The call centre may refuse the removal of a user or a queue, so
    /// it is asked first then; other changes reach it once they are durable. `again`: users who have to register anew. Returns the
    /// version of the object.
    pub(super) async fn make(
        mut self,
        now: Time,
        after: Snapshot,
        write: Write<'_>,
        again: Vec<String>,
    ) -> Result<u64, ProvisioningError> {
        let (kind, id) = (write.kind, write.id);
        let tables = &self.shared.tables;
        let directory = Arc::new(after.directory());
        let version = if self.takes_away(&directory) {
            self.reconfigure(kind, &after, &directory, again).await?;
            match tables.write(now, &write).await {
                Ok(version) => version,
                Err(error) => {
                    // The object stays: its removal is undone.
                    self.reconfigure(kind, &self.before, &self.directory, Vec::new())
                        .await?;
                    return Err(error);
                }
            }
        } else {
            let version = tables.write(now, &write).await?;
            self.reconfigure(kind, &after, &directory, again).await?;
            version
        };
        if kind == Kind::User {
            match after.account(id) {
                Some(account) => {
                    self.shared.accounts.put_user(account);
                }
                None => {
                    self.shared.accounts.remove_user(id);
                }
            }
        }
        self.show(after, directory);
        Ok(version)
    }

    /// Makes another call handling of a user durable, and applies it. Returns its version.
    pub(super) async fn handle_calls(
        mut self,
        now: Time,
        after: Snapshot,
        write: Write<'_>,
        user: String,
    ) -> Result<u64, ProvisioningError> {
        let version = self.shared.tables.write(now, &write).await?;
        let handling = Box::new(after.policy_of(&user));
        self.ask(Command::HandleCalls { user, handling }).await?;
        let directory = Arc::clone(&self.directory);
        self.show(after, directory);
        Ok(version)
    }

    /// True if an agent or a queue of the present directory is missing in the next one.
    fn takes_away(&self, next: &Directory) -> bool {
        let mut agents = self.directory.people().filter_map(|person| person.agent.as_ref());
        let mut queues = self.directory.queues();
        agents.any(|agent| !next.has_agent(agent.id))
            || queues.any(|queue| next.queue(queue.config.id).is_none())
    }

    /// Lets everybody see the configuration that the call centre has now.
    pub(super) fn show(&mut self, after: Snapshot, directory: Arc<Directory>) {
        self.shared.statistics.set_directory(Arc::clone(&directory));
        *self.directory = directory;
        *self
            .shared
            .snapshot
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(after);
    }

    async fn reconfigure(
        &self,
        kind: Kind,
        snapshot: &Snapshot,
        directory: &Arc<Directory>,
        again: Vec<String>,
    ) -> Result<(), ProvisioningError> {
        self.apply(Reconfiguration {
            directory: Arc::clone(directory),
            plan: snapshot.plan(),
            reach: snapshot.reach(),
            users: snapshot.sip_users(),
            again,
            what: vec![kind.changed()],
            settings: None,
        })
        .await
    }

    /// Has the call centre apply a configuration, and waits until that is done and published.
    pub(super) async fn apply(&self, reconfiguration: Reconfiguration) -> Result<(), ProvisioningError> {
        self.ask(Command::Reconfigure(Box::new(reconfiguration))).await
    }

    async fn ask(&self, command: Command) -> Result<(), ProvisioningError> {
        let (reply, answer) = oneshot::channel();
        let asked = Asked {
            by: By::Gateway,
            command,
            reply,
        };
        let gone = || ProvisioningError::Refused(Refused::Busy);
        self.shared.signalling.send(asked).await.map_err(|_| gone())?;
        match answer.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(refused)) => Err(ProvisioningError::Refused(refused)),
            Err(_) => Err(gone()),
        }
    }
}
