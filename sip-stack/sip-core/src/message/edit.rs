use std::fmt::Display;

use bytes::Bytes;

use super::build::{BuildError, has_controls};
use super::params::{find_outside, is_token, trim};
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

    /// Puts a field before the first of its name, or before all others when there is none.
    pub fn insert_top(&mut self, name: HeaderName, value: impl Display) -> Result<(), BuildError> {
        self.may_repeat(name)?;
        let slot = self.new_line(name, name.as_str(), &value)?;
        let at = self.slots.iter().position(|slot| slot.id == name).unwrap_or(0);
        self.slots.insert(at, slot);
        Ok(())
    }

    /// Puts a field behind the last of its name, or at the end when there is none.
    pub fn append(&mut self, name: HeaderName, value: impl Display) -> Result<(), BuildError> {
        self.may_repeat(name)?;
        let slot = self.new_line(name, name.as_str(), &value)?;
        let at = self
            .slots
            .iter()
            .rposition(|slot| slot.id == name)
            .map_or(self.slots.len(), |last| last + 1);
        self.slots.insert(at, slot);
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

    /// Replaces the first value of a list field, the topmost `Via` for instance; the rest of its line stays.
    pub fn replace_first(&mut self, name: HeaderName, value: impl Display) -> Result<(), BuildError> {
        let Some(at) = self.slots.iter().position(|slot| slot.id == name) else {
            return self.set(name, value);
        };
        let rest = self
            .behind_first(at)
            .map(|rest| format!(", {rest}"))
            .unwrap_or_default();
        self.slots[at] = self.new_line(name, name.as_str(), &format_args!("{value}{rest}"))?;
        Ok(())
    }

    /// Takes the first value of a list field away, with its line when it was alone there. True when there was one.
    pub fn remove_first(&mut self, name: HeaderName) -> bool {
        let Some(at) = self
            .slots
            .iter()
            .position(|slot| slot.id == name && !mandatory(name))
        else {
            return false;
        };
        let rest = self.behind_first(at).map(str::to_owned);
        match rest.map(|rest| self.new_line(name, name.as_str(), &rest)) {
            Some(Ok(slot)) => self.slots[at] = slot,
            _ => {
                self.slots.remove(at);
            }
        }
        self.edited = true;
        true
    }

    /// Takes every field of this name away and says how many lines that were. `From`, `To`, `Call-ID`, `CSeq` and
    /// `Content-Length` stay.
    pub fn remove(&mut self, name: HeaderName) -> usize {
        if mandatory(name) || matches!(name, HeaderName::ContentLength | HeaderName::Other) {
            return 0;
        }
        let before = self.slots.len();
        self.slots.retain(|slot| slot.id != name);
        self.edited |= before != self.slots.len();
        before - self.slots.len()
    }

    /// Replaces the Request-URI. Nothing happens to a response.
    pub fn set_request_uri(&mut self, new: impl Display) -> Result<(), BuildError> {
        let Start::Request { method, uri } = &mut self.start else {
            return Ok(());
        };
        let new = new.to_string();
        check::request_uri(new.as_bytes())?;
        let from = self.text.keep(method.as_str().as_bytes());
        self.text.keep(b" ");
        *uri = self.text.keep(new.as_bytes());
        self.start_line = from.to(self.text.keep(b" SIP/2.0\r\n"));
        self.edited = true;
        Ok(())
    }

    /// Replaces body, `Content-Type` and `Content-Length`.
    pub fn set_body(&mut self, content_type: &str, body: impl Into<Bytes>) -> Result<(), BuildError> {
        self.set(HeaderName::ContentType, content_type)?;
        self.replace_body(body.into());
        Ok(())
    }

    /// Takes the body and its description away.
    pub fn clear_body(&mut self) {
        use HeaderName::{ContentDisposition, ContentEncoding, ContentLanguage, ContentType};
        for name in [ContentType, ContentDisposition, ContentEncoding, ContentLanguage] {
            self.remove(name);
        }
        self.replace_body(Bytes::new());
    }

    fn replace_body(&mut self, body: Bytes) {
        let name = HeaderName::ContentLength;
        let slot = self.text.keep_line(name, name.as_str(), &body.len().to_string());
        self.slots.retain(|slot| slot.id != name);
        self.slots.push(slot);
        self.new_body = Some(body);
        self.edited = true;
    }

    fn behind_first(&self, at: usize) -> Option<&str> {
        let slot = &self.slots[at];
        if !slot.id.is_list() {
            return None;
        }
        let value = self.text.str(slot.value);
        find_outside(value, |b| b == b',').map(|comma| trim(&value[comma + 1..]))
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
