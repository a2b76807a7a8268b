use std::time::Duration;

use crate::message::{Contact, HeaderName, Message, StatusCode};

use super::{Binding, Config};

/// Effect of a REGISTER on one contact.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    Remove { id: u64 },
    Set { contact: String, expires: Duration },
}

/// Why a REGISTER does nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Malformed,
    TooMany,
    TooBrief { min: u64 },
    OutOfOrder,
}

impl Refusal {
    pub(super) fn code(&self) -> StatusCode {
        match self {
            Refusal::Malformed => StatusCode::BAD_REQUEST,
            Refusal::TooMany => StatusCode::FORBIDDEN,
            Refusal::TooBrief { .. } => StatusCode::INTERVAL_TOO_BRIEF,
            Refusal::OutOfOrder => StatusCode::SERVER_INTERNAL_ERROR, // RFC 3261 §10.3, step 7
        }
    }
}

/// Steps 5 to 7 of RFC 3261 §10.3 over the bindings that a user has now.
pub(super) fn read(config: &Config, current: &[Binding], request: &Message) -> Result<Vec<Change>, Refusal> {
    if !request.to().uri.is_sip() {
        return Err(Refusal::Malformed); // RFC 4475 §3.3.4
    }
    let values: Vec<&str> = request.headers(HeaderName::Contact).collect();
    if values.len() > config.max_contacts {
        return Err(Refusal::TooMany);
    }
    let star = values
        .iter()
        .any(|value| matches!(Contact::parse(value), Some(Contact::Star)));
    if star {
        if values.len() != 1 || request.expires() != Some(0) {
            return Err(Refusal::Malformed);
        }
        return current
            .iter()
            .map(|binding| in_order(binding, request))
            .map(|id| Ok(Change::Remove { id: id? }))
            .collect();
    }
    values
        .iter()
        .filter_map(|value| change(config, current, request, value).transpose())
        .collect()
}

fn change(
    config: &Config,
    current: &[Binding],
    request: &Message,
    value: &str,
) -> Result<Option<Change>, Refusal> {
    let contact = Contact::parse(value).ok_or(Refusal::Malformed)?;
    let known = current.iter().find(|binding| binding.is_at(&contact));
    let id = known.map(|binding| in_order(binding, request)).transpose()?;
    let asked = contact
        .expires()
        .or_else(|| request.expires())
        .map(|secs| Duration::from_secs(secs.into()));
    let expires = asked.unwrap_or(config.default_expires).min(config.max_expires);
    if expires.is_zero() {
        return Ok(id.map(|id| Change::Remove { id }));
    }
    if expires < config.min_expires {
        return Err(Refusal::TooBrief {
            min: config.min_expires.as_secs(),
        });
    }
    Ok(Some(Change::Set {
        contact: value.to_owned(),
        expires,
    }))
}

/// Within one Call-ID only a higher CSeq counts.
fn in_order(binding: &Binding, request: &Message) -> Result<u64, Refusal> {
    let behind = binding.call_id == request.call_id() && request.cseq().number <= binding.cseq;
    if behind {
        Err(Refusal::OutOfOrder)
    } else {
        Ok(binding.id)
    }
}
