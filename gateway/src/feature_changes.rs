//! Changes of call handling that phones ask for by feature codes: made as the API makes them, one after the other.

use session_core::SessionId;
use sip_core::message::StatusCode;
use sip_stack::Handle;
use tokio::sync::mpsc;

use crate::config::CallHandling;
use crate::provisioning::{Match, Provisioning, ProvisioningError};
use crate::serve::wall_clock;
use crate::switch::Request;

/// Orders that may wait.
pub(crate) const ORDERS: usize = 256;

/// Times that a change is tried again which met another one of the same user.
const TRIES: usize = 5;

/// Change of one setting; none or false: it is off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Number that all calls go to.
    ForwardAlways(Option<String>),
    /// Number that calls go to while the user is busy.
    ForwardBusy(Option<String>),
    /// Number that calls go to which the user does not answer.
    ForwardNoAnswer(Option<String>),
    /// No phone of the user is to ring.
    DoNotDisturb(bool),
}

/// Order of a phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    /// Session of its call, which waits for [`Request::FeatureDone`].
    pub(crate) session: SessionId,
    /// Its user.
    pub(crate) user: String,
    /// The change.
    pub(crate) change: Change,
}

impl Change {
    /// True if something is on with it.
    #[must_use]
    pub(crate) const fn is_on(&self) -> bool {
        match self {
            Change::ForwardAlways(number) | Change::ForwardBusy(number) | Change::ForwardNoAnswer(number) => {
                number.is_some()
            }
            Change::DoNotDisturb(wanted) => *wanted,
        }
    }

    fn apply(&self, handling: &mut CallHandling) {
        let forward = &mut handling.forward;
        match self {
            Change::ForwardAlways(number) => forward.always.clone_from(number),
            Change::ForwardBusy(number) => forward.busy.clone_from(number),
            Change::ForwardNoAnswer(number) => forward.no_answer.clone_from(number),
            Change::DoNotDisturb(wanted) => handling.do_not_disturb = *wanted,
        }
    }
}

/// Carries out orders until the switch is gone.
pub(crate) async fn run(
    mut orders: mpsc::Receiver<Order>,
    provisioning: Provisioning,
    stack: Handle<Request>,
) {
    while let Some(Order {
        session,
        user,
        change,
    }) = orders.recv().await
    {
        let result = make(&provisioning, &user, &change).await;
        match &result {
            Ok(()) => tracing::info!(session = session.0, "call handling changed by a feature code"),
            Err(code) => tracing::info!(session = session.0, code = code.get(), "feature code refused"),
        }
        // Nobody waits once the signalling task has ended.
        let _ = stack.request(Request::FeatureDone { session, result }).await;
    }
}

/// Makes a change durable, and applies it.
async fn make(provisioning: &Provisioning, user: &str, change: &Change) -> Result<(), StatusCode> {
    let id = provisioning.user_id(user).ok_or(StatusCode::NOT_FOUND)?;
    let mut tries = 0;
    loop {
        let (mut handling, version) = provisioning.call_handling(&id).ok_or(StatusCode::NOT_FOUND)?;
        change.apply(&mut handling);
        let wanted = version.map_or(Match::File, Match::Version);
        match provisioning
            .put_call_handling(wall_clock(), (&id, wanted), handling)
            .await
        {
            Ok(_) => return Ok(()),
            Err(ProvisioningError::Changed) if tries < TRIES => tries += 1,
            Err(ProvisioningError::Invalid(_)) => return Err(StatusCode::NOT_FOUND),
            Err(_) => return Err(StatusCode::SERVICE_UNAVAILABLE),
        }
    }
}
