//! The log of trunks: registrations at carriers, and targets of calls.

use session_core::{Registrant, RegistrationState, Source, TargetState, TargetStatus};

use crate::centre::view::{silence, trouble};

/// Logs that the state of a registration has changed. Accounts are of clients, which the gateway has none of.
pub(crate) fn registration_changed(registrant: &Registrant, state: RegistrationState) {
    let Registrant::Trunk(trunk) = registrant else {
        return;
    };
    match state {
        RegistrationState::Registering => tracing::debug!(trunk, "registering"),
        RegistrationState::Registered { .. } => tracing::info!(trunk, "registered"),
        RegistrationState::GivenUp => tracing::info!(trunk, "registration given up"),
        RegistrationState::Refused(code) => tracing::warn!(
            trunk,
            code = code.get(),
            reason = code.reason(),
            "the registrar refuses the registration; it is tried again"
        ),
        RegistrationState::Unanswered(fault) => tracing::warn!(
            trunk,
            reason = silence(fault),
            "the registrar does not answer; the registration is tried again"
        ),
        RegistrationState::Stopped(code) => tracing::error!(
            trunk,
            code = code.get(),
            reason = code.reason(),
            "the registrar refuses the registration for good; put the trunk's settings right and reload"
        ),
    }
}

/// Logs that a call was refused because of a cap. Who made it is for those who look closer.
pub(crate) fn cap_reached(cap: &str, by: Option<&Source>) {
    tracing::warn!(cap, "a call to a trunk was refused: the cap is reached");
    tracing::debug!(cap, ?by, "cap reached");
}

/// Logs that the state of a trunk's target has changed.
pub(crate) fn target_changed(trunk: &str, target: &TargetStatus) {
    let (address, transport) = (target.address, target.transport.name());
    match target.state {
        TargetState::Up => tracing::info!(trunk, %address, transport, "target up"),
        TargetState::Probation => {
            tracing::info!(trunk, %address, transport, "target on probation: calls go to others if there are any");
        }
        TargetState::Down(why) => {
            tracing::info!(trunk, %address, transport, reason = trouble(why), "target down");
        }
    }
}
