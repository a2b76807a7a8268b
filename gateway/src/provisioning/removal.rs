//! Removal of what the API added.

use sans_io::Time;

use super::error::{Match, ProvisioningError};
use super::snapshot::Snapshot;
use super::tables::{Row, Write};
use super::{Kind, Provisioning};

impl Provisioning {
    /// Removes a user, a queue, a pause reason or a disposition.
    ///
    /// # Errors
    /// [`ProvisioningError`].
    pub async fn remove(
        &self,
        now: Time,
        kind: Kind,
        id: &str,
        wanted: Match,
    ) -> Result<(), ProvisioningError> {
        let turn = self.turn().await;
        let before = &turn.before;
        let mut after = Snapshot::clone(before);
        let version = match kind {
            Kind::CallHandling => return Err(ProvisioningError::Unknown),
            Kind::User => {
                let version = before.stored_user(id, wanted)?.version;
                after.users.remove(id);
                if before.has_admin() && !after.has_admin() {
                    return Err(ProvisioningError::LastAdmin);
                }
                version
            }
            Kind::Queue => {
                let version = before.stored_queue(id, wanted)?.version;
                after.queues.remove(id);
                if let Some(other) = after.leads_to(&id.into()) {
                    return Err(ProvisioningError::InUse(other));
                }
                version
            }
            Kind::PauseReason | Kind::Disposition => {
                let version = before.choice_version(kind, id, wanted)?;
                if let Some(all) = after.choices.get_mut(&kind) {
                    all.remove(id);
                }
                version
            }
        };
        let row = Row::Removed { version };
        turn.make(now, after, Write { kind, id, row }, Vec::new())
            .await
            .map(|_| ())
    }
}
