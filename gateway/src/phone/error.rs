//! Why there was no call.

use std::fmt;
use std::path::PathBuf;

use serde_json::{Value, json};
use session_core::Fault;
use sip_core::message::StatusCode;
use sip_stack::client::{BuildError, ClientError, SoundError};
use sip_stack::transport::tls::TlsError;

/// Why there was no call.
#[derive(Debug)]
pub enum PhoneError {
    /// The phone did not start.
    Start(BuildError),
    /// No connection to this server, and the reason.
    Connect(String, String),
    /// The certificates to believe.
    Tls(TlsError),
    /// A file that was to be read or written.
    File(PathBuf, std::io::Error),
    /// A WAV file.
    Sound(PathBuf, SoundError),
    /// Registering failed.
    Register(String, ClientError),
    /// The call by way of this server failed, or was not answered.
    Call(String, ClientError),
    /// The media of the call: no codec in common, or a description that cannot be used.
    Media(String),
    /// The time of `--wait` is over.
    TooLate(String),
    /// An option that cannot be understood.
    Option(String),
    /// Ctrl-C before there was a call.
    Interrupted,
}

impl PhoneError {
    /// SIP code of a refusal.
    fn code(&self) -> Option<u16> {
        match self {
            PhoneError::Register(_, ClientError::Refused(code))
            | PhoneError::Call(_, ClientError::Refused(code)) => Some(code.get()),
            _ => None,
        }
    }

    /// The error as `--json` prints it.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({ "success": false, "error": self.to_string(), "code": self.code() })
    }
}

impl fmt::Display for PhoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PhoneError::Start(error) => error.fmt(f),
            PhoneError::Connect(server, reason) => {
                write!(f, "cannot connect to {server}: {reason}")?;
                if reason.contains("certificate") {
                    f.write_str(
                        " (--ca names a file with the authority to trust, --insecure trusts anybody)",
                    )?;
                }
                Ok(())
            }
            PhoneError::Tls(error) => error.fmt(f),
            PhoneError::File(path, error) => write!(f, "{}: {error}", path.display()),
            PhoneError::Sound(path, error) => write!(f, "{}: {error}", path.display()),
            PhoneError::Register(server, error) => {
                write!(f, "cannot register: {}", ServerError { server, error })?;
                if matches!(
                    error,
                    ClientError::Refused(
                        StatusCode::UNAUTHORIZED
                            | StatusCode::FORBIDDEN
                            | StatusCode::PROXY_AUTHENTICATION_REQUIRED
                    )
                ) {
                    f.write_str(": the server does not accept this name and password")?;
                }
                Ok(())
            }
            PhoneError::Call(server, error) => write!(f, "call failed: {}", ServerError { server, error }),
            PhoneError::Media(what) => write!(f, "call failed: {what}"),
            PhoneError::TooLate(what) => f.write_str(what),
            PhoneError::Option(what) => f.write_str(what),
            PhoneError::Interrupted => f.write_str("interrupted"),
        }
    }
}

impl std::error::Error for PhoneError {}

/// An error, with the name of the server that it is about.
struct ServerError<'a> {
    server: &'a str,
    error: &'a ClientError,
}

impl fmt::Display for ServerError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = self.server;
        match self.error {
            ClientError::Failed(Fault::Unresolved) => write!(f, "cannot resolve {server}"),
            ClientError::Failed(Fault::NoResponse) => write!(f, "no answer from {server}"),
            ClientError::Failed(Fault::Unreachable) => write!(f, "cannot connect to {server}"),
            error => error.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_our_own_side_are_not_called_refusals() {
        let text = |error| PhoneError::Register("sip.example.com".into(), error).to_string();
        assert_eq!(
            text(ClientError::Failed(Fault::Unresolved)),
            "cannot register: cannot resolve sip.example.com"
        );
        assert_eq!(
            text(ClientError::Failed(Fault::NoResponse)),
            "cannot register: no answer from sip.example.com"
        );
        assert_eq!(
            text(ClientError::Failed(Fault::Unreachable)),
            "cannot register: cannot connect to sip.example.com"
        );
        assert_eq!(
            text(ClientError::Failed(Fault::NoPort)),
            "cannot register: no free RTP port"
        );
        assert_eq!(
            text(ClientError::Refused(StatusCode::SERVICE_UNAVAILABLE)),
            "cannot register: 503 Service Unavailable"
        );
        assert_eq!(
            text(ClientError::Refused(StatusCode::FORBIDDEN)),
            "cannot register: 403 Forbidden: the server does not accept this name and password"
        );
    }

    #[test]
    fn a_refusal_keeps_its_code_for_programs() {
        let refused = PhoneError::Call(
            "sip.example.com".into(),
            ClientError::Refused(StatusCode::BUSY_HERE),
        );
        assert_eq!(
            refused.json(),
            json!({ "success": false, "error": "call failed: 486 Busy Here", "code": 486 })
        );
        assert_eq!(PhoneError::Interrupted.json()["code"], Value::Null);
    }

    #[test]
    fn a_certificate_that_is_not_trusted_comes_with_what_to_do_about_it() {
        let reason = "invalid peer certificate: UnknownIssuer";
        let text = PhoneError::Connect("wss://example.com/ws".into(), reason.into()).to_string();
        assert!(
            text.contains(reason) && text.contains("--ca") && text.contains("--insecure"),
            "{text}"
        );
    }
}
