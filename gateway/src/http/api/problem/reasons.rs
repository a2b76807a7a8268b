//! Problems that the parts of the gateway report, each in the code of the API.

use super::{Code, Problem};
use crate::auth::{Denied, NoEntropy};
use crate::centre::command::Refused;
use crate::service::archive::Unavailable;
use crate::service::{Missing, ServiceError};

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Problem {
        let code = match refused {
            Refused::UnknownAgent => Code::UnknownAgent,
            Refused::UnknownCall => Code::UnknownCall,
            Refused::UnknownQueue => Code::UnknownQueue,
            Refused::AssignmentGone => Code::AssignmentGone,
            Refused::WrongState => Code::WrongState,
            Refused::NotWrappingUp => Code::NotWrappingUp,
            Refused::AgentBusy => Code::AgentBusy,
            Refused::QueueBusy => Code::QueueBusy,
            Refused::Unreachable => Code::Unreachable,
            Refused::NotAllowed => Code::NotAllowed,
            Refused::Busy => Code::Busy,
        };
        Problem::from(code).detail(refused.to_string())
    }
}

impl From<Missing> for Problem {
    fn from(missing: Missing) -> Problem {
        match missing {
            Missing::Agent => Code::UnknownAgent.into(),
            Missing::Call => Code::UnknownCall.into(),
            Missing::Queue => Code::UnknownQueue.into(),
            Missing::Record => Code::UnknownRecord.into(),
        }
    }
}

impl From<Unavailable> for Problem {
    fn from(_: Unavailable) -> Problem {
        Problem::store_away()
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Problem {
        match error {
            ServiceError::Refused(refused) => refused.into(),
            ServiceError::Missing(missing) => missing.into(),
            ServiceError::BadCursor => Code::BadCursor.into(),
            ServiceError::NoDemo => Code::NoDemo.into(),
            ServiceError::StoreAway => Problem::store_away(),
        }
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Problem {
        match denied {
            Denied::BadCredentials => Code::BadCredentials.into(),
            Denied::TooMany(wait) => Problem::from(Code::TooManyAttempts).retry_after(wait),
            Denied::Banned(wait) => Problem::from(Code::TooManyAttempts)
                .detail("too many sign-ins from this address failed")
                .retry_after(wait),
            Denied::BadToken => Code::InvalidToken.into(),
            Denied::Reused => Code::TokenReused.into(),
            Denied::Overloaded => Code::Busy.into(),
        }
    }
}

impl From<NoEntropy> for Problem {
    fn from(_: NoEntropy) -> Problem {
        Code::Unavailable.into()
    }
}
