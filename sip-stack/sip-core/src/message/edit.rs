use std::fmt::Display;

use bytes::Bytes;

use super::build::{BuildError, has_controls};
use super::params::is_token;
use super::text::Slot;
use super::{HeaderName, Message, Start, check, limits};

/// Changes to a message. They show at once in every view; lines that are not named stay as they came.
impl Message {
    /// Makes this the only field of its name, where the first one stands or else at the end.
    pub fn set(&mut self, name: HeaderName, value: impl Display) -> Result<(), BuildError> {
        let slot = self.new_line(name, name.as_str(), &value)?;
        match self.slots.iter().position(|slot| slot.id == name) {
            Some(first) => {
                self.slots[first] = slot;
                let mut at = 0;
                self.slots.retain(|slot| {
                    at += 1;
                    at - 1 == first || slot.id != name
                });
            }
            None => self.slots.push(slot),
        }
        Ok(())
    }

    /// Puts a field of any name at the end.
    pub fn append_named(&mut self, name: &str, value: impl Display) -> Result<(), BuildError> {
        if !is_token(name) {
            return Err(BuildError::Name(name.to_owned()));
        }
        let id = HeaderName::of(name);
        self.may_repeat(id)?;
        let slot = self.new_line(id, name, &value)?;
        self.slots.push(slot);
        Ok(())
    }

    /// Replaces body, `Content-Type` and `Content-Length`.
    pub fn set_body(&mut self, content_type: &str, body: impl Into<Bytes>) -> Result<(), BuildError> {
        self.set(HeaderName::ContentType, content_type)?;
        self.replace_body(body.into());
        Ok(())
    }

    fn replace_body(&mut self, body: Bytes) {
        let name = HeaderName::ContentLength;
        let slot = self.text.keep_line(name, name.as_str(), &body.len().to_string());
        self.slots.retain(|slot| slot.id != name);
        self.slots.push(slot);
        self.new_body = Some(body);
        self.edited = true;
    }

    fn new_line(&mut self, id: HeaderName, name: &str, value: &dyn Display) -> Result<Slot, BuildError> {
        if name.is_empty() || id == HeaderName::ContentLength {
            return Err(BuildError::Name(name.to_owned()));
        }
        let value = value.to_string();
        if has_controls(&value) {
            return Err(BuildError::ControlCharacter(name.to_owned()));
        }
        if name.len() + value.len() + 4 > limits::LINE {
            return Err(super::Defect::LineTooLong.into());
        }
        if self.slots.len() >= limits::HEADERS {
            return Err(super::Defect::TooManyHeaders.into());
        }
        check::value(id, &value)?;
        if let (HeaderName::CSeq, Start::Request { method, .. }) = (id, &self.start)
            && super::CSeq::parse(&value).is_some_and(|cseq| cseq.method != *method)
        {
            return Err(super::Defect::MethodMismatch { known: true }.into());
        }
        self.edited = true;
        Ok(self.text.keep_line(id, name, &value))
    }

    /// Fields that must occur exactly once are changed by [`Message::set`] only.
    fn may_repeat(&self, name: HeaderName) -> Result<(), BuildError> {
        let single = mandatory(name) || (name == HeaderName::MaxForwards && self.header(name).is_some());
        if single {
            Err(super::Defect::Repeated(name).into())
        } else {
            Ok(())
        }
    }
}

fn mandatory(name: HeaderName) -> bool {
    matches!(
        name,
        HeaderName::From | HeaderName::To | HeaderName::CallId | HeaderName::CSeq
    )
}
