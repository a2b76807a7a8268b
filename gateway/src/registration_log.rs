//! The log of registrations at carriers.

use session_core::{Fault, Registrant, RegistrationState};

/// Logs that the state of a registration has changed. Accounts are of clients, which the gateway has none of.
pub(crate) fn changed(registrant: &Registrant, state: RegistrationState) {
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
            reason = reason(fault),
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

/// Reason for which a registrar gave no answer.
pub(crate) fn reason(fault: Fault) -> &'static str {
    match fault {
        Fault::Unresolved => "its name does not resolve",
        Fault::Unreachable => "nothing can be sent to it, or the connection to it was lost",
        _ => "it is silent",
    }
}
