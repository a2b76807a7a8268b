//! Trunks as the API shows them: registration, targets, channels.

use serde::{Deserialize, Serialize};
use session_core::{
    Fault, RegistrationState, TargetState, TargetStatus, Trouble, TrunkRegistrationStatus, TrunkStatus,
};
use sip_core::message::StatusCode;
use utoipa::ToSchema;

use super::Moment;

/// A carrier, or a PBX.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Trunk {
    /// Name in the configuration file.
    pub name: String,
    /// Registration at it; absent if it wants none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<TrunkRegistration>,
    /// Addresses that calls to it go to; none while its name does not resolve, and if they go by an outbound proxy.
    #[serde(default)]
    pub targets: Vec<TrunkTarget>,
    /// Calls now, both ways.
    #[serde(default)]
    pub calls: usize,
    /// Maximum number of calls at a time; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<usize>,
    /// Browsers that are registered at it through the gateway; absent unless it is the PBX named by `upstream`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_clients: Option<usize>,
}

/// A registration at a carrier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TrunkRegistration {
    /// Address of record.
    #[schema(example = "sip:4930123@carrier.example")]
    pub address: String,
    /// State now.
    pub state: TrunkRegistrationState,
    /// Time before which it is refreshed, while it is `registered`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
    /// SIP status of the refusal, while it is `refused` or `stopped`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    /// The reason in words, while it is `refused`, `unanswered` or `stopped`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// State of a registration at a carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TrunkRegistrationState {
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

/// An address that calls to a trunk go to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TrunkTarget {
    /// Host in the configuration file that led to it.
    #[schema(example = "sip.carrier.example")]
    pub host: String,
    /// Address and port.
    #[schema(example = "192.0.2.10:5060")]
    pub address: String,
    /// `udp`, `tcp` or `tls`.
    pub transport: String,
    /// State now.
    pub state: TrunkTargetState,
    /// Time of the last change of its state; absent before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Moment>,
    /// The reason in words, while it is `down`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// True if OPTIONS are sent to it; otherwise it is judged by calls alone.
    pub watched: bool,
}

/// State of an address that calls to a trunk go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TrunkTargetState {
    /// Takes calls.
    Up,
    /// Was silent to a call, or answers again after it was down: it gets calls if no other is up.
    Probation,
    /// Gets calls if no other is left.
    Down,
}

impl From<TrunkStatus> for Trunk {
    fn from(status: TrunkStatus) -> Trunk {
        Trunk {
            name: status.name,
            registration: status.registration.map(TrunkRegistration::from),
            targets: status.targets.into_iter().map(TrunkTarget::from).collect(),
            calls: status.calls,
            channels: status.channels,
            upstream_clients: status.clients,
        }
    }
}

impl From<TrunkRegistrationStatus> for TrunkRegistration {
    fn from(status: TrunkRegistrationStatus) -> TrunkRegistration {
        use TrunkRegistrationState as State;
        let refused = |state: State, code: StatusCode| (state, None, Some(code.get()), Some(code.reason()));
        let (state, until, code, reason) = match status.state {
            RegistrationState::Registering => (State::Registering, None, None, None),
            RegistrationState::Registered { until } => (State::Registered, Some(Moment(until)), None, None),
            RegistrationState::Refused(code) => refused(State::Refused, code),
            RegistrationState::Unanswered(fault) => (State::Unanswered, None, None, Some(silence(fault))),
            RegistrationState::Stopped(code) => refused(State::Stopped, code),
            RegistrationState::GivenUp => (State::GivenUp, None, None, None),
        };
        TrunkRegistration {
            address: status.aor,
            state,
            until,
            code,
            reason: reason.map(str::to_owned),
        }
    }
}

impl From<TargetStatus> for TrunkTarget {
    fn from(status: TargetStatus) -> TrunkTarget {
        let (state, reason) = match status.state {
            TargetState::Up => (TrunkTargetState::Up, None),
            TargetState::Probation => (TrunkTargetState::Probation, None),
            TargetState::Down(why) => (TrunkTargetState::Down, Some(trouble(why).to_owned())),
        };
        TrunkTarget {
            host: status.host,
            address: status.address.to_string(),
            transport: status.transport.name().to_ascii_lowercase(),
            state,
            since: status.since.map(Moment),
            reason,
            watched: status.is_watched,
        }
    }
}

/// Reason for which a registrar gave no answer.
pub(crate) fn silence(fault: Fault) -> &'static str {
    match fault {
        Fault::Unresolved => "its name does not resolve",
        Fault::Unreachable => "nothing can be sent to it, or the connection to it was lost",
        _ => "it is silent",
    }
}

/// Reason for which a target is down.
pub(crate) fn trouble(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::Silent => "it is silent",
        Trouble::Unreachable => "nothing can be sent to it, or the connection to it was lost",
        Trouble::Refusing => "it answers 503",
    }
}

#[cfg(test)]
mod tests {
    use sans_io::Time;
    use session_core::TargetStatus;
    use sip_core::flow::Transport;

    use super::*;

    fn shown(registration: Option<RegistrationState>, target: Option<TargetState>) -> serde_json::Value {
        let status = TrunkStatus {
            name: "carrier".into(),
            registration: registration.map(|state| TrunkRegistrationStatus {
                aor: "sip:4930@carrier.example".into(),
                state,
            }),
            targets: target
                .into_iter()
                .map(|state| TargetStatus {
                    host: "sip.carrier.example".into(),
                    address: ([192, 0, 2, 1], 5060).into(),
                    transport: Transport::Tls,
                    state,
                    since: None,
                    is_watched: true,
                })
                .collect(),
            calls: 3,
            channels: None,
            clients: None,
        };
        let trunk = Trunk::from(status);
        let text = serde_json::to_string(&trunk).expect("JSON");
        assert_eq!(serde_json::from_str::<Trunk>(&text).expect("JSON"), trunk);
        serde_json::to_value(trunk).expect("JSON")
    }

    #[test]
    fn a_state_says_what_belongs_to_it_and_nothing_else() {
        let registration = |state| shown(Some(state), None)["registration"].clone();
        let address = "sip:4930@carrier.example";
        assert_eq!(
            registration(RegistrationState::Stopped(StatusCode::FORBIDDEN)),
            serde_json::json!({ "address": address, "state": "stopped", "code": 403, "reason": "Forbidden" })
        );
        assert_eq!(
            registration(RegistrationState::Registering),
            serde_json::json!({ "address": address, "state": "registering" })
        );
        let until = Time::from_secs(1);
        assert!(registration(RegistrationState::Registered { until })["until"].is_string());
    }

    #[test]
    fn a_target_that_is_down_says_why() {
        let target = shown(None, Some(TargetState::Down(Trouble::Refusing)))["targets"][0].clone();
        assert_eq!(
            target,
            serde_json::json!({
                "host": "sip.carrier.example", "address": "192.0.2.1:5060", "transport": "tls",
                "state": "down", "reason": "it answers 503", "watched": true
            })
        );
        assert_eq!(
            shown(None, Some(TargetState::Up))["targets"][0]["reason"],
            serde_json::Value::Null
        );
    }
}
