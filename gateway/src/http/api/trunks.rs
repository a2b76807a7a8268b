//! Trunks and their state.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use session_core::{RegistrationState, TrunkRegistrationStatus, TrunkStatus};
use sip_core::message::StatusCode;
use utoipa::ToSchema;

use super::Api;
use super::extract::{Id, Params};
use super::guard::Admin;
use super::list::{List, Part};
use super::problem::{Code, Problem};
use crate::centre::view::Moment;
use crate::registration_log::reason;

/// A carrier, or a PBX.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Trunk {
    /// Name in the configuration file.
    name: String,
    /// Registration at it; absent if it wants none.
    #[serde(skip_serializing_if = "Option::is_none")]
    registration: Option<Registration>,
    /// Browsers that are registered at it through the gateway; absent unless it is the PBX named by `upstream`.
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_clients: Option<usize>,
}

/// A registration at a carrier.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TrunkRegistration)]
pub(super) struct Registration {
    /// Address of record.
    #[schema(example = "sip:4930123@carrier.example")]
    address: String,
    /// State now.
    state: Phase,
    /// Time before which it is refreshed, while it is `registered`.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Moment>,
    /// SIP status of the refusal, while it is `refused` or `stopped`.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    /// The reason in words, while it is `refused`, `unanswered` or `stopped`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// State of a registration at a carrier.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = TrunkRegistrationState)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Phase {
    /// The first REGISTER is under way, or waits for its turn.
    Registering,
    /// Calls come in.
    Registered,
    /// The registrar refused it; it is tried again.
    Refused,
    /// The registrar gave no answer; it is tried again.
    Unanswered,
    /// The registrar refused it for good: with 403 or 404. It is tried again when the configuration is reloaded.
    Stopped,
    /// Given up.
    GivenUp,
}

impl From<TrunkStatus> for Trunk {
    fn from(status: TrunkStatus) -> Trunk {
        Trunk {
            name: status.name,
            registration: status.registration.map(Registration::from),
            upstream_clients: status.clients,
        }
    }
}

impl From<TrunkRegistrationStatus> for Registration {
    fn from(status: TrunkRegistrationStatus) -> Registration {
        let refused = |phase: Phase, code: StatusCode| (phase, None, Some(code.get()), Some(code.reason()));
        let (state, until, code, reason) = match status.state {
            RegistrationState::Registering => (Phase::Registering, None, None, None),
            RegistrationState::Registered { until } => (Phase::Registered, Some(Moment(until)), None, None),
            RegistrationState::Refused(code) => refused(Phase::Refused, code),
            RegistrationState::Unanswered(fault) => (Phase::Unanswered, None, None, Some(reason(fault))),
            RegistrationState::Stopped(code) => refused(Phase::Stopped, code),
            RegistrationState::GivenUp => (Phase::GivenUp, None, None, None),
        };
        Registration {
            address: status.aor,
            state,
            until,
            code,
            reason,
        }
    }
}

/// All trunks, by name.
#[utoipa::path(get, path = "/trunks", operation_id = "listTrunks", tag = "admin", params(Part),
    responses((status = 200, body = List<Trunk>, description = "A part of the list")))]
pub(super) async fn list(
    Admin(_who): Admin,
    State(api): State<Api>,
    Params(part): Params<Part>,
) -> Result<Json<List<Trunk>>, Problem> {
    let trunks = ask(&api).await?.into_iter();
    let by_name = trunks
        .map(|trunk| (trunk.name.clone(), Trunk::from(trunk)))
        .collect();
    part.of(&by_name, |trunk: &Trunk| Some(trunk.clone())).map(Json)
}

/// A trunk.
#[utoipa::path(get, path = "/trunks/{name}", operation_id = "getTrunk", tag = "admin",
    params(("name" = String, Path, description = "Name of the trunk")),
    responses((status = 200, body = Trunk), (status = 404, description = "`unknown-trunk`")))]
pub(super) async fn get(
    Admin(_who): Admin,
    State(api): State<Api>,
    Id(name): Id,
) -> Result<Json<Trunk>, Problem> {
    let mut trunks = ask(&api).await?.into_iter();
    let found = trunks
        .find(|trunk| trunk.name == name)
        .ok_or(Code::UnknownTrunk)?;
    Ok(Json(Trunk::from(found)))
}

/// Asks the signalling task; there are no trunks without one.
async fn ask(api: &Api) -> Result<Vec<TrunkStatus>, Problem> {
    let Some(machine) = &api.machine else {
        return Ok(Vec::new());
    };
    Ok(machine.trunks().await.ok_or(Code::Busy)?)
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn a_state_says_what_belongs_to_it_and_nothing_else() {
        let shown = |state| {
            let status = TrunkStatus {
                name: "carrier".into(),
                registration: Some(TrunkRegistrationStatus {
                    aor: "sip:4930@carrier.example".into(),
                    state,
                }),
                clients: None,
            };
            serde_json::to_value(Trunk::from(status)).expect("JSON")["registration"].clone()
        };
        let address = "sip:4930@carrier.example";
        assert_eq!(
            shown(RegistrationState::Stopped(StatusCode::FORBIDDEN)),
            serde_json::json!({ "address": address, "state": "stopped", "code": 403, "reason": "Forbidden" })
        );
        assert_eq!(
            shown(RegistrationState::Registering),
            serde_json::json!({ "address": address, "state": "registering" })
        );
        assert!(
            shown(RegistrationState::Registered {
                until: sans_io::Time::from_secs(1)
            })["until"]
                .is_string()
        );
    }
}
